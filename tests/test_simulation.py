"""Networks played forward: by hand, in closed form, and nothing lost on random ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from fluid_oracle import waiting_by_batches
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_cases import TINY
from plan_cases import planned_networks

from changtong.errors import InputError, UsageError
from changtong.network.io import read_network
from changtong.network.model import Network, build_network
from changtong.outages import Outage, close_sites
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.routes import read_routes, routes_in_force, save_routes
from changtong.simulation.result import Simulation
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import RouteChange
from changtong.verification import _tighten, trouble

SOME = settings(
    max_examples=examples(60), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
EVEN = (1.0,) * 24
START = datetime(2026, 7, 20, tzinfo=UTC)


def line(
    *, pieces: float = 240.0, hub_rate: float | None = None, leg_capacity: float | None = None,
    departures: float | None = None, hold: float | None = None, promise_h: float = 10.0,
) -> Network:  # fmt: skip
    """A → H → B, an hour each leg, nothing handled: 10 pieces an hour by default."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": ["A", "H", "B"],
                    "sort_pieces_per_h": [None, hub_rate, None],
                    "sort_hours_per_day": [24.0] * 3,
                    "hold_pieces": [None, hold, None],
                },
                schema_overrides={"sort_pieces_per_h": pl.Float64, "hold_pieces": pl.Float64},
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": ["A", "H"],
                    "to_site": ["H", "B"],
                    "travel_h": [1.0, 1.0],
                    "capacity_pieces_per_day": [None, leg_capacity],
                    "departures_per_day": [None, departures],
                },
                schema_overrides={"capacity_pieces_per_day": pl.Float64, "departures_per_day": pl.Float64},
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [pieces]}),
            "service_classes": pl.DataFrame(
                {
                    "service_class": ["urgent", "ordinary"], "rank": [1, 2],
                    "promise_h": [promise_h, promise_h], "share": [0.25, 0.75],
                }
            ),
        },
        name="line",
    )  # fmt: skip


def play(network: Network, outages: tuple[Outage, ...] = (), **more: object) -> Simulation:
    options = {"hours": 48.0, "warm_up_h": 24.0, "time_of_day": EVEN} | more
    changes = options.pop("routes", ())
    waiting = options.pop("backlog", None)
    return simulate(
        network, outages, routes=changes, backlog=waiting, settings=SimulationSettings(**options),  # type: ignore[arg-type]
    )  # fmt: skip


def waiting(run: Simulation, site: str, rank: str | None = None) -> dict[float, float]:
    rows = run.backlog.filter(pl.col("site_id").cast(pl.String) == site)
    if rank is not None:
        rows = rows.filter(pl.col("service_class").cast(pl.String) == rank)
    total = rows.group_by("hour").agg(pl.col("waiting_pieces").sum())
    return dict(total.iter_rows())


def test_a_steady_line_takes_its_hours_and_nothing_waits() -> None:
    run = play(line())
    assert run.hours["waiting_pieces"].max() == pytest.approx(0.0, abs=1e-6)
    assert run.hours["under_way_pieces"].to_numpy() == pytest.approx(20.0)  # an hour on each leg
    assert run.hours["delivered_pieces"].to_numpy() == pytest.approx(10.0)
    assert run.classes["mean_h"].to_list() == pytest.approx([3.0, 3.0])  # and an hour until delivery
    assert run.classes["late_pieces"].sum() == 0.0
    assert run.summary()["holds"] is True


def test_the_triangle_of_a_slowed_site() -> None:
    """10 an hour come; for 12 h the hub sorts 4, then 16: 72 wait at most, gone 12 h later."""
    outage = Outage("slow", sites=("H",), capacity_share=0.25, start=START, end=START + timedelta(hours=12))
    run = play(line(hub_rate=16.0), (outage,), start=START)
    backlog = waiting(run, "H")
    for hour in range(1, 13):
        assert backlog[float(hour)] == pytest.approx(6.0 * hour, rel=1e-5)
    for hour in range(13, 24):
        assert backlog[float(hour)] == pytest.approx(72.0 - 6.0 * (hour - 12), rel=1e-5)
    assert 25.0 not in backlog
    site = run.sites.row(by_predicate=pl.col("site_id").cast(pl.String) == "H", named=True)
    assert (site["peak_h"], site["grows_h"], site["clears_h"]) == (12.0, 1.0, 24.0)
    assert site["peak_pieces"] == pytest.approx(72.0, rel=1e-5)


def test_urgent_pieces_do_not_wait_behind_ordinary_ones() -> None:
    outage = Outage("slow", sites=("H",), capacity_share=0.25)
    run = play(line(hub_rate=16.0), (outage,))  # 4 an hour: 2.5 urgent, 1.5 of 7.5 ordinary
    assert waiting(run, "H", "urgent") == {}
    assert waiting(run, "H", "ordinary")[48.0] == pytest.approx(6.0 * 48.0, rel=1e-5)
    late = run.classes["late_pieces"].to_list()
    assert late[0] == 0.0
    # first in, first out: what comes to the hub in hour h is sorted in hour 5 h: late from about
    # hour 2 on (5 h - h > 10 - 3), due by hour 48 when accepted by hour 38
    assert late[1] == pytest.approx(7.5 * (38 - 1), abs=7.5 * 2)


def test_a_closed_site_gets_nothing_and_what_is_for_it_waits_before() -> None:
    run = play(line(), close_sites(line(), ["H"]))
    assert waiting(run, "A")[48.0] == pytest.approx(480.0, rel=1e-5)
    assert waiting(run, "H")[48.0] == pytest.approx(10.0, rel=1e-5)  # it was on its way
    assert run.hours["delivered_pieces"].sum() == pytest.approx(20.0, rel=1e-5)  # was behind the hub, or at B
    assert run.summary()["holds"] is False


def test_departures_take_what_they_can_carry() -> None:
    """Two trips a day of 120: 120 wait before each, all leave with it."""
    run = play(line(leg_capacity=240.0, departures=2.0))
    backlog = run.sites.row(by_predicate=pl.col("site_id").cast(pl.String) == "H", named=True)
    assert backlog["peak_pieces"] == pytest.approx(110.0, rel=1e-5)  # what came in the twelfth hour leaves
    leg = run.legs.row(by_predicate=pl.col("to_site").cast(pl.String) == "B", named=True)
    assert leg["carried_pieces"] == pytest.approx(480.0, rel=1e-5)
    assert leg["busiest_step_pieces"] == pytest.approx(120.0, rel=1e-5)
    assert leg["load_share"] == pytest.approx(1.0, rel=1e-5)
    long = play(line(leg_capacity=240.0, departures=2.0), hours=480.0)
    assert long.classes["mean_h"].to_list() == pytest.approx([3.0 + 5.5, 3.0 + 5.5], abs=0.05)


def test_vehicle_passes_let_so_many_pieces_in() -> None:
    outage = Outage("area", sites=("B",), passes_per_day=3, pieces_per_pass=40.0)
    run = play(line(), (outage,))  # 120 a day: half of what comes, the urgent ones first
    leg = run.legs.row(by_predicate=pl.col("to_site").cast(pl.String) == "B", named=True)
    assert leg["carried_pieces"] == pytest.approx(240.0, rel=1e-4)
    assert waiting(run, "H", "urgent") == {}
    assert waiting(run, "H", "ordinary")[48.0] == pytest.approx(240.0, rel=1e-4)


def test_what_a_site_cannot_hold_is_said() -> None:
    outage = Outage("slow", sites=("H",), capacity_share=0.25)
    run = play(line(hub_rate=16.0, hold=100.0), (outage,))
    site = run.sites.row(by_predicate=pl.col("site_id").cast(pl.String) == "H", named=True)
    assert site["burst_from_h"] == 17.0  # 6 more an hour
    assert site["burst_hours"] == 32.0
    assert site["burst_peak_pieces"] == pytest.approx(188.0, rel=1e-5)
    assert run.summary()["sites_burst"] == 1


def test_opening_hours_and_time_of_day() -> None:
    network = line(hub_rate=40.0)
    sites = network.sites.with_columns(
        opens=pl.Series([None, "06:00", None], dtype=pl.String),
        closes=pl.Series([None, "12:00", None], dtype=pl.String),
    )
    run = play(network.with_tables(sites=sites))
    backlog = waiting(run, "H")
    assert backlog[6.0] == pytest.approx(180.0, rel=1e-5)  # 18 hours of waiting
    assert backlog.get(12.0, 0.0) == pytest.approx(0.0, abs=1e-3)
    assert run.hours["accepted_pieces"].to_numpy() == pytest.approx(10.0)
    noon = tuple(1.0 if hour == 12 else 0.0 for hour in range(24))
    at_noon = play(network, time_of_day=noon).hours["accepted_pieces"].to_numpy()
    assert at_noon[12] == pytest.approx(240.0)
    assert at_noon.sum() == pytest.approx(480.0)


def two_hubs() -> Network:
    """A → B by H (in force) or by G."""
    legs = [("A", "H"), ("H", "B"), ("A", "G"), ("G", "B")]
    return build_network(
        {
            "sites": pl.DataFrame({"site_id": list("AHGB")}),
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "travel_h": [1.0, 1.0, 2.0, 2.0],
                    "cost_cny_per_piece": [1.0, 1.0, 1.2, 1.2],
                    "capacity_pieces_per_day": [300.0, 300.0, 120.0, 120.0],
                    "flow_pieces_per_day": [240.0, 240.0, 0.0, 0.0],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [240.0]}),
        },
        name="two hubs",
    )


def test_a_plan_takes_effect_at_its_hour_and_holds_what_it_holds() -> None:
    network = two_hubs()
    outages = close_sites(network, ["H"])
    made = plan(network, outages)
    assert made.value("unserved") == pytest.approx(120.0)
    run = play(network, outages, routes=(RouteChange(6.0, made.routes()),))
    backlog = waiting(run, "A")
    assert backlog[6.0] == pytest.approx(60.0, rel=1e-5)
    held = run.hours["held_pieces"].to_list()
    assert held[5] == pytest.approx(0.0, abs=1e-6)
    assert held[47] == pytest.approx(0.5 * 42 * 10 + 0.5 * 60, rel=1e-4)  # half of what came and waited
    carried = dict(zip(run.legs["to_site"].cast(pl.String), run.legs["carried_pieces"], strict=True))
    assert carried["G"] == pytest.approx(42 * 5, rel=1e-4)  # as much as the leg takes
    over = play(network, outages, routes=(RouteChange(0.0, made.routes()), RouteChange(24.0, made.routes())))
    assert over.hours["held_pieces"][47] == pytest.approx(240.0, rel=1e-4)


def test_held_pieces_go_when_the_old_routes_are_back() -> None:
    network = two_hubs()
    outages = tuple(
        replace(one, start=START, end=START + timedelta(hours=24)) for one in close_sites(network, ["H"])
    )
    made = plan(network, close_sites(network, ["H"]))
    back = RouteChange(24.0, routes_in_force(network))
    run = play(network, outages, routes=(RouteChange(0.0, made.routes()), back), hours=96.0, start=START)
    held = run.hours["held_pieces"].to_list()
    assert held[23] == pytest.approx(120.0, rel=1e-4)
    assert held[24] == pytest.approx(0.0, abs=1e-6)
    # 120 held on top of 10 an hour, by a leg that takes 12.5 an hour: 48 h
    site = run.sites.row(by_predicate=pl.col("site_id").cast(pl.String) == "A", named=True)
    assert site["clears_h"] == pytest.approx(24.0 + 48.0, abs=2.0)


def test_a_starting_backlog_is_sorted_first_come() -> None:
    backlog = pl.DataFrame(
        {
            "site": ["H", "B"], "destination": ["B", "B"], "service_class": ["urgent", None],
            "pieces": [30.0, 7.0],
        }
    )  # fmt: skip
    run = play(line(hub_rate=20.0), backlog=backlog)
    assert run.hours["delivered_pieces"].sum() == pytest.approx(48 * 10.0 + 37.0, rel=1e-5)
    assert waiting(run, "H")[1.0] == pytest.approx(20.0, rel=1e-5)


def test_what_is_wrong_is_said_all_at_once() -> None:
    network = line()
    backlog = pl.DataFrame({"site": ["X", "H"], "destination": ["B", "B"], "pieces": [1.0, -1.0]})
    with pytest.raises(InputError) as found:
        play(network, backlog=backlog)
    assert [problem.code for problem in found.value.problems] == ["unknown-site", "out-of-range"]
    late = Outage("late", sites=("H",), start=START + timedelta(hours=100))
    for outage, start, code in ((late, START, "outside-horizon"), (late, None, "no-start")):
        with pytest.raises(InputError) as found:
            play(network, (outage,), start=start)
        assert [problem.code for problem in found.value.problems] == [code]
    with pytest.raises(InputError) as found:
        play(network, routes=(RouteChange(0.0, routes_in_force(two_hubs())),))
    assert {problem.code for problem in found.value.problems} == {"other-network"}
    with pytest.raises(InputError) as found:
        play(network.with_tables(demand=network.demand.clear()))
    assert [problem.code for problem in found.value.problems] == ["no-demand"]
    for wrong in ({"hours": 0.0}, {"step_h": 0.0}, {"time_of_day": (1.0,)}, {"start": datetime(2026, 1, 1)}):
        with pytest.raises(UsageError):
            SimulationSettings(**wrong)  # type: ignore[arg-type]


def test_routes_survive_a_file(tmp_path: object) -> None:
    network = two_hubs()
    routes = plan(network, close_sites(network, ["H"])).routes()
    path = tmp_path / "routes.npz"  # type: ignore[operator]
    save_routes(routes, path)
    back = read_routes(path)
    for name in ("next_leg", "dest_site", "extra_tail", "extra_head", "part", "moving"):
        assert np.array_equal(getattr(back, name), getattr(routes, name))
    path.write_text("no routes")
    with pytest.raises(InputError):
        read_routes(path)


@SOME
@given(planned_networks(), st.booleans(), st.sampled_from([0.5, 1.0, 3.0]))
def test_nothing_is_lost_on_random_networks(
    case: tuple[Network, tuple[Outage, ...]], planned: bool, step: float
) -> None:
    """``simulate`` checks the balance at every step; here it is taken again from its frames."""
    network, outages = case
    changes: tuple[RouteChange, ...] = ()
    if planned:
        made = plan(network, outages, settings=PlanSettings(seconds=5))
        changes = (RouteChange(6.0, made.routes()),)
    run = play(network, outages, routes=changes, warm_up_h=0.0, step_h=step, hours=36.0)
    accepted, delivered = run.hours["accepted_pieces"].sum(), run.hours["delivered_pieces"].sum()
    last = run.hours.row(-1, named=True)
    inside = last["waiting_pieces"] + last["under_way_pieces"] + last["handled_pieces"]
    assert accepted == pytest.approx(1.5 * network.demand["pieces_per_day"].sum(), rel=0.3)
    assert accepted == pytest.approx(delivered + inside, rel=1e-5, abs=1e-3)
    assert run.classes["accepted_pieces"].sum() == pytest.approx(accepted, rel=1e-4)
    assert run.classes["delivered_pieces"].sum() == pytest.approx(delivered, rel=1e-6)
    assert (run.classes["late_pieces"] <= run.classes["due_pieces"] * (1 + 1e-6)).all()
    timed = run.classes["timed_pieces"].sum()  # first in, first out, of the same curves
    assert timed == pytest.approx(delivered, rel=0.35, abs=12.0)


@settings(SOME, max_examples=examples(20))
@given(planned_networks(), st.booleans())
def test_threads_change_nothing(case: tuple[Network, tuple[Outage, ...]], passes: bool) -> None:
    """Both parts of each step side by side, whatever the size; vehicle passes are shared out between."""
    network, outages = case
    if passes:
        site = str(network.sites["site_id"][0])
        outages = (*outages, Outage("area", sites=(site,), passes_per_day=3, pieces_per_pass=40.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("changtong.simulation.simulate.MANY", -1)
        one, four, none = (play(network, outages, threads=n) for n in (1, 4, 0))
    for frame in ("classes", "backlog", "hours", "sites", "legs"):
        assert getattr(one, frame).equals(getattr(four, frame))
        assert getattr(one, frame).equals(getattr(none, frame))


def test_only_legs_that_fall_behind_get_less_in_the_next_plan() -> None:
    network = line(leg_capacity=120.0, departures=1.0)  # half of what comes to H is carried on
    run = play(network, warm_up_h=0.0, hours=72.0)
    shares = np.ones(network.sites.height), np.ones(network.legs.height)
    assert _tighten(network, run, trouble(run), *shares)
    waits = run.legs["left_end_pieces"].to_list()[1]
    assert waits > 240.0
    assert shares[0].tolist() == [1.0, 1.0, 1.0]
    assert shares[1].tolist() == pytest.approx([1.0, max(0.5, 1.0 - waits / 3.0 / 120.0)])

    roomy = line(leg_capacity=300.0, departures=1.0)  # a day's pieces wait for the one trip: no trouble
    assert trouble(play(roomy, warm_up_h=0.0, hours=72.0)).height == 0


def test_replications_repeat_and_hold_the_run_between_their_ends() -> None:
    from changtong.simulation.replications import Spread, simulate_replications

    network, outage = line(hub_rate=16.0), Outage("slow", sites=("H",), capacity_share=0.25)
    options = SimulationSettings(hours=48.0, warm_up_h=24.0, time_of_day=EVEN)
    one, again, other = (
        simulate_replications(network, (outage,), settings=options, replications=9, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.runs.equals(again.runs)
    assert one.sites.equals(again.sites)
    assert not one.runs.equals(other.runs)
    peak = one.sites.row(by_predicate=pl.col("site_id") == "H", named=True)
    assert peak["peak_low"] < 288.0 < peak["peak_high"]  # 6 an hour for 48 h when nothing varies
    assert peak["growing_share"] == 1.0
    still = simulate_replications(
        network, (outage,), settings=options, replications=3, spread=Spread(0.0, 0.0, 0.0, 0.0)
    )
    plain = play(network, (outage,))
    assert still.hours["waiting_low"].to_numpy() == pytest.approx(plain.hours["waiting_pieces"].to_numpy())
    assert still.hours["waiting_high"].to_numpy() == pytest.approx(plain.hours["waiting_pieces"].to_numpy())
    with pytest.raises(UsageError):
        Spread(site_demand=-1.0)
    with pytest.raises(UsageError):
        simulate_replications(network, replications=1)


def all_waiting(run: Simulation) -> np.ndarray:
    """Pieces waiting by step and site; what the frame leaves out is below half a piece a class."""
    hours = {hour: k for k, hour in enumerate(run.hours["hour"])}
    ids = {site: k for k, site in enumerate(run.network.site_ids)}
    out = np.zeros((len(hours), len(ids)))
    total = run.backlog.group_by("hour", "site_id").agg(pl.col("waiting_pieces").sum())
    for hour, site, pieces in total.iter_rows():
        out[hours[hour], ids[str(site)]] = pieces
    return out


@SOME
@given(planned_networks(), st.booleans())
def test_backlogs_agree_with_batches_first_in_first_out(
    case: tuple[Network, tuple[Outage, ...]], one_destination: bool
) -> None:
    """Exactly where pieces of a queue are all alike; near it where a mixed queue blurs destinations."""
    network, outages = case
    if one_destination:
        first = network.demand["to_site"][0]
        network = network.with_tables(demand=network.demand.filter(pl.col("to_site") == first))
    options = SimulationSettings(hours=48.0, warm_up_h=0.0)
    ours = all_waiting(simulate(network, outages, settings=options))
    batches = waiting_by_batches(network, outages, options)
    left_out = 0.5 * network.service_classes.height + 1e-3
    blurred = 0.0 if one_destination else 0.2 * batches.max(initial=0.0)
    assert np.abs(ours - batches).max() <= left_out + blurred


def test_weeks_in_the_finest_steps_lose_nothing_but_rounding() -> None:
    network = read_network(TINY)
    run = play(network, close_sites(network, ["A"]), hours=400.0, warm_up_h=120.0, step_h=0.05)
    assert run.summary()["hours"] == 400.0  # it ended: more lost than rounding is an error
