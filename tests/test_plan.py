"""The main job, end to end, on the tiny and the city-level network."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest

from changtong.cli import main
from changtong.errors import InternalError, UsageError
from changtong.flows.flow import Termination
from changtong.network.io import read_network
from changtong.network.model import Network
from changtong.network.reference import busiest_hub, reference_network
from changtong.outages import Outage, close_sites
from changtong.planning.plan import Planner, plan
from changtong.planning.result import Plan, PlanSettings, Status

TINY = Path(__file__).parent.parent / "examples" / "tiny"


@pytest.fixture(scope="module")
def city() -> Network:
    return reference_network(level="city")


@pytest.fixture(scope="module")
def hub_closed(city: Network) -> Plan:
    return plan(
        city, close_sites(city, [busiest_hub(city)]), settings=PlanSettings(gap_share=1e-3, seconds=20)
    )


def test_pieces_add_up(city: Network, hub_closed: Plan) -> None:
    classes = hub_closed.classes
    assert classes["demand_pieces"].sum() == pytest.approx(city.demand["pieces_per_day"].sum(), rel=1e-6)
    gone = classes["demand_pieces"] - classes["served_pieces"] - classes["unserved_pieces"]
    assert gone.abs().max() < 1e-3
    assert hub_closed.unserved["pieces"].sum() == pytest.approx(classes["unserved_pieces"].sum(), abs=1.0)


@pytest.mark.parametrize("check", ["plan.check_flow", "sortplan.check_sort_plan"])
@pytest.mark.parametrize("method", ["exact", "large"])
def test_a_check_that_fails_beside_other_work_ends_the_plan(
    monkeypatch: pytest.MonkeyPatch, check: str, method: Literal["exact", "large"]
) -> None:
    def fails(*_: object) -> None:
        raise InternalError("3 legs above capacity")

    monkeypatch.setattr(f"changtong.planning.{check}", fails)
    with pytest.raises(InternalError, match="3 legs above capacity"):
        plan(read_network(TINY), settings=PlanSettings(method=method))


def test_nothing_passes_the_closed_hub(city: Network, hub_closed: Plan) -> None:
    hub = busiest_hub(city)
    flows = hub_closed.leg_flows.filter((pl.col("from_site") == hub) | (pl.col("to_site") == hub))
    assert flows["planned_pieces"].sum() == 0.0
    assert flows["baseline_pieces"].sum() > 0.0


def test_higher_classes_lose_nothing_while_lower_ones_move(hub_closed: Plan) -> None:
    lost = hub_closed.classes.sort("rank")["unserved_pieces"].to_list()
    assert max(lost[:3]) < 1.0


def test_loads_keep_capacities_and_match_flows(hub_closed: Plan) -> None:
    flows = hub_closed.leg_flows
    over = (flows["planned_pieces"] - flows["capacity_pieces"]).max()
    assert over is not None
    assert over <= 1e-3 * float(flows["capacity_pieces"].max() or 1.0)
    sites = hub_closed.site_loads.filter(pl.col("capacity_pieces") > 0)
    assert (sites["planned_pieces"] <= sites["capacity_pieces"] * 1.001 + 1).all()


def test_shown_numbers_are_within_what_they_may_be(hub_closed: Plan) -> None:
    assert (hub_closed.leg_flows["planned_pieces"] <= hub_closed.leg_flows["capacity_pieces"]).all()
    assert hub_closed.value("max_load") <= 1.0
    assert hub_closed.classes["served_pieces"].min() >= 0.0  # type: ignore[operator]
    assert (hub_closed.classes["unserved_least_pieces"] <= hub_closed.classes["unserved_pieces"]).all()


def test_what_stays_behind_names_full_rows_as_the_plan_loads_them(hub_closed: Plan) -> None:
    full = hub_closed.leg_flows.filter(pl.col("load_share") >= 0.98)
    legs = {f"{a}>{b}" for a, b in full.select("from_site", "to_site").iter_rows()}
    sites = set(hub_closed.site_loads.filter(pl.col("load_share") >= 0.98)["site_id"])
    for reason, places in (("full-leg", legs), ("full-site", sites)):
        named = set(hub_closed.unserved.filter(pl.col("reason") == reason)["blocked_by"])
        assert named <= places
    assert "dearer-than-penalty" not in set(hub_closed.unserved["reason"])  # the penalty is above every way


def test_losses_are_proved_beyond_what_is_cut_off(hub_closed: Plan) -> None:
    row = hub_closed.objectives.row(by_predicate=pl.col("objective") == "unserved", named=True)
    cut = hub_closed.unserved.filter(pl.col("reason").is_in(["cut-off", "closed-site"]))["pieces"].sum()
    assert cut + 1.0 < row["lower_bound"] <= row["value"]


def test_gap_is_between_bound_and_objective(hub_closed: Plan) -> None:
    assert hub_closed.lower_bound_cny <= hub_closed.objective_cny
    expected = 1 - hub_closed.lower_bound_cny / hub_closed.objective_cny
    assert hub_closed.gap_share == pytest.approx(expected, abs=1e-9)


def test_orders_name_stops_at_the_closed_hub(city: Network, hub_closed: Plan) -> None:
    hub = busiest_hub(city)
    stops = hub_closed.orders.filter((pl.col("action") == "stop") & (pl.col("next_site") == hub))
    assert stops.height > 0
    assert set(stops["note_code"].unique()) == {"next-closed"}


def test_sort_plan_changes_use_real_legs(city: Network, hub_closed: Plan) -> None:
    legs = set(
        city.legs.select(pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String)).iter_rows()
    )
    made = hub_closed.sort_plan.select(pl.col("site").cast(pl.String), pl.col("next_site").cast(pl.String))
    assert made.height > 0
    assert all(row in legs for row in made.iter_rows())
    twice = (
        hub_closed.sort_plan.group_by("site", "destination", "service_class").len().filter(pl.col("len") > 1)
    )
    assert twice.height == 0


def test_no_outage_keeps_todays_network(city: Network) -> None:
    result = plan(city, (), settings=PlanSettings(gap_share=1e-3, seconds=10))
    assert result.status is Status.OPTIMAL
    assert result.value("unserved") == pytest.approx(0.0, abs=1.0)
    assert result.leg_flows["change"].is_in(["opened", "dropped"]).sum() <= 0.02 * city.legs.height


def test_changed_legs_before_cost_opens_hardly_any(city: Network, hub_closed: Plan) -> None:
    hub = busiest_hub(city)
    kept = plan(
        city,
        close_sites(city, [hub]),
        objectives=("unserved", "changed_legs", "cost"),
        settings=PlanSettings(gap_share=0.02, seconds=10),
    )
    opened = [made.summary()["opened_legs"] for made in (kept, hub_closed)]
    assert opened[0] < 0.5 * opened[1]
    assert kept.value("changed_legs") < hub_closed.value("changed_legs")
    assert kept.summary()["changed_legs_least"] <= kept.value("changed_legs")


def test_highest_load_before_cost_falls_below_todays(city: Network) -> None:
    made = plan(
        city,
        (),
        objectives=("unserved", "max_load", "cost"),
        settings=PlanSettings(gap_share=1e-3, seconds=20),
    )
    row = made.objectives.row(by_predicate=pl.col("objective") == "max_load", named=True)
    assert row["value"] < row["baseline_value"]
    assert 0.9 * row["value"] < row["lower_bound"] <= row["value"]
    assert made.value("unserved") == pytest.approx(0.0, abs=1.0)


def test_same_call_same_plan() -> None:
    network = read_network(TINY)
    outage = close_sites(network, [network.site_ids[1]])
    first, second = plan(network, outage), plan(network, outage)
    assert first.leg_flows.equals(second.leg_flows)
    assert first.orders.equals(second.orders)


def test_everything_shut_is_said_and_not_crashed() -> None:
    network = read_network(TINY)
    result = plan(network, close_sites(network, network.site_ids))
    total = float(network.demand["pieces_per_day"].sum())
    assert result.value("unserved") == pytest.approx(total, rel=1e-6)
    assert set(result.unserved["reason"].unique()) == {"closed-site"}


def test_half_capacity_and_entry_limit_together() -> None:
    network = read_network(TINY)
    site = network.site_ids[0]
    result = plan(
        network,
        [
            Outage("half", sites=(site,), capacity_share=0.5),
            Outage("passes", sites=(site,), passes_per_day=1, pieces_per_pass=10),
        ],
    )
    entering = result.leg_flows.filter(pl.col("to_site") == site)
    assert entering["planned_pieces"].sum() <= 10.0 + 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("province", "share"), [("310000", 0.1), ("310000", 0.267), ("440000", 0.1)])
def test_a_province_at_a_small_share_of_its_capacity(province: str, share: float) -> None:
    """Every class loses pieces here: losses are dropped between cores, held at origins and priced alike."""
    outage = Outage("most of it at rest", admin_codes=(province,), capacity_share=share)
    plan_ = plan(reference_network(level="city"), [outage], settings=PlanSettings(seconds=90.0))
    assert plan_.termination is Termination.GAP_REACHED
    assert plan_.gap_share <= 1e-3
    least, lost = plan_.classes["unserved_least_pieces"], plan_.classes["unserved_pieces"]
    assert (lost[2:] > 0.0).all()
    assert (lost >= least - 1.0).all()


def test_unknown_objective_is_refused() -> None:
    with pytest.raises(UsageError, match="speed"):
        plan(read_network(TINY), (), objectives=("unserved", "speed"))


def test_command_line_writes_the_plan_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = read_network(TINY)
    code = main(["plan", str(TINY), "--close", network.site_ids[1], "-o", str(tmp_path / "p"), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert code == 0
    wanted = {
        "status",
        "termination",
        "gap_share",
        "unserved_pieces",
        "changed_legs",
        "max_load_share",
        "runtime_s",
    }
    assert wanted <= facts.keys()
    for name in (
        "leg_flows.csv",
        "unserved.csv",
        "sort_plan.csv",
        "orders.csv",
        "report.html",
        "orders.html",
        "study.json",
    ):
        assert (tmp_path / "p" / name).stat().st_size > 0
    flows = pl.read_csv(tmp_path / "p" / "leg_flows.csv")
    assert {"from_site", "to_site", "baseline_pieces", "planned_pieces", "capacity_pieces"} <= set(
        flows.columns
    )
    assert np.isfinite(facts["gap_share"])


def test_weights_of_the_command_line_reach_the_plan(tmp_path: Path) -> None:
    close = read_network(TINY).site_ids[1]
    words = ["plan", str(TINY), "--close", close, "-o", str(tmp_path / "p"), "--json"]
    assert main([*words, "--hour-cny", "0.02", "--late-cny", "0.3", "--prove-unserved"]) == 0
    settings = json.loads((tmp_path / "p" / "plan.json").read_text("utf-8"))["settings"]
    assert settings["hour_cny"] == 0.02
    assert settings["late_cny"] == 0.3
    assert settings["prove_unserved"] is True


def test_nothing_served_is_said_as_zero() -> None:
    network = read_network(TINY)
    result = plan(network, close_sites(network, network.site_ids))
    assert not np.signbit(result.classes["served_pieces"].to_numpy()).any()
    assert "-0" not in str(result).split("orders")[0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["plan", "NOWHERE", "--close", "A", "-o", "x"], 2),
        (["plan", str(TINY), "-o", "x"], 2),
        (["plan", str(TINY), "--close", "nowhere", "-o", "x"], 2),
        (["nonsense"], 2),
    ],
)
def test_wrong_use_is_told_in_words(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.strip()


@pytest.mark.slow
def test_a_planner_keeps_what_it_knows_and_answers_as_a_new_one() -> None:
    network = reference_network(level="city")
    settings = PlanSettings(gap_share=2e-3, method="large")
    planner = Planner(network, settings=settings)
    planner.plan()
    kept = planner._kept
    for site in ("H3307", "H4401"):
        shut = close_sites(network, [site])
        warm, cold = planner.plan(shut), plan(network, shut, settings=settings)
        assert planner._kept is kept  # begun from the solver before, not from nothing
        assert warm.status is Status.OPTIMAL
        assert warm.value("unserved") == pytest.approx(cold.value("unserved"), rel=0.03, abs=2000.0)
        assert warm.value("cost") == pytest.approx(cold.value("cost"), rel=4e-3)


@pytest.mark.slow
def test_the_trade_off_goes_from_least_cost_to_fewest_changes() -> None:
    network = reference_network(level="city")
    settings = PlanSettings(gap_share=5e-3, trade_off_cny=(0.0, 1000.0))
    made = plan(network, close_sites(network, ["H3307"]), settings=settings)
    cheap, steady = made.trade_off.to_dicts()
    assert steady["changed_entries"] < cheap["changed_entries"]
    assert cheap["cost_cny"] < steady["cost_cny"]
    assert "trade_off" in made.tables()
