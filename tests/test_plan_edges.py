"""Edges of the input: each gets a clear answer, on both ways of planning; Ctrl-C too."""

import numpy as np
import polars as pl
import pytest

from changtong.errors import InputError, UsageError
from changtong.network.model import Network, build_network
from changtong.outages import Outage, close_sites
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings, Status
from changtong.programs import staged

BOTH = pytest.mark.parametrize("method", ["exact", "large"])


def line(**changes: object) -> Network:
    """A → B → C, 10 pieces from A to C and 4 from A to B; 20 fit on each leg; 1 CNY a leg."""
    tables: dict[str, object] = {
        "sites": pl.DataFrame({"site_id": ["A", "B", "C"]}),
        "legs": pl.DataFrame(
            {
                "from_site": ["A", "B"],
                "to_site": ["B", "C"],
                "capacity_pieces_per_day": [20.0, 20.0],
                "cost_cny_per_piece": [1.0, 1.0],
            }
        ),
        "demand": pl.DataFrame(
            {"from_site": ["A", "A"], "to_site": ["C", "B"], "pieces_per_day": [10.0, 4.0]}
        ),
    }
    return build_network(tables | changes, name="line")  # type: ignore[arg-type]


def settings(method: str) -> PlanSettings:
    return PlanSettings(method=method, gap_share=1e-4)


@BOTH
def test_everything_cut_off(method: str) -> None:
    network = line()
    made = plan(network, [Outage("both", legs=(("A", "B"), ("B", "C")))], settings=settings(method))
    assert made.value("unserved") == pytest.approx(14.0, abs=1e-3)
    assert set(made.unserved["reason"]) == {"cut-off"}
    assert made.status is Status.OPTIMAL
    assert made.classes["unserved_least_pieces"].sum() == pytest.approx(14.0, abs=1e-3)


@BOTH
def test_disconnected_pair_is_named_and_the_rest_is_served(method: str) -> None:
    demand = pl.DataFrame({"from_site": ["C", "A"], "to_site": ["A", "B"], "pieces_per_day": [3.0, 4.0]})
    made = plan(line(demand=demand), (), settings=settings(method))
    row = made.unserved.row(0, named=True)
    assert (row["from_site"], row["to_site"], row["reason"], row["part"]) == ("C", "A", "cut-off", "transit")
    assert made.value("unserved") == pytest.approx(3.0, abs=1e-3)


@BOTH
@pytest.mark.parametrize("pieces", [[], [0.0]])
def test_no_demand_is_nothing_to_do(method: str, pieces: list[float]) -> None:
    demand = pl.DataFrame(
        {"from_site": ["A"] * len(pieces), "to_site": ["C"] * len(pieces), "pieces_per_day": pieces},
        schema={"from_site": pl.String, "to_site": pl.String, "pieces_per_day": pl.Float64},
    )
    made = plan(line(demand=demand), close_sites(line(), ["B"]), settings=settings(method))
    assert made.status is Status.EMPTY
    assert made.termination.value == "nothing_to_do"
    assert made.value("unserved") == 0.0


@BOTH
def test_zero_capacity_is_a_closed_leg(method: str) -> None:
    legs = line().legs.with_columns(
        pl.col("from_site", "to_site").cast(pl.String), capacity_pieces_per_day=pl.Series([20.0, 0.0])
    )
    made = plan(line(legs=legs), (), settings=settings(method))
    assert made.value("unserved") == pytest.approx(10.0, abs=1e-3)
    assert made.unserved["reason"].to_list() == ["cut-off"]


@BOTH
def test_single_site(method: str) -> None:
    legs = pl.DataFrame(schema={"from_site": pl.String, "to_site": pl.String})
    demand = pl.DataFrame({"from_site": ["A"], "to_site": ["A"], "pieces_per_day": [5.0]})
    network = build_network(
        {"sites": pl.DataFrame({"site_id": ["A"]}), "legs": legs, "demand": demand}, name="one"
    )
    served = plan(network, (), settings=settings(method))
    assert (served.status, served.value("unserved")) == (Status.EMPTY, 0.0)
    shut = plan(network, close_sites(network, ["A"]), settings=settings(method))
    assert shut.value("unserved") == pytest.approx(5.0)
    assert shut.unserved["reason"].to_list() == ["closed-site"]


@pytest.mark.parametrize(
    ("table", "frame", "code"),
    [
        ("legs", {"from_site": ["A", "A"], "to_site": ["A", "B"]}, "self-loop"),
        ("legs", {"from_site": ["A", "A"], "to_site": ["B", "B"]}, "duplicate-leg"),
        ("sites", {"site_id": ["A", "A", "B", "C"]}, "duplicate-site"),
        ("demand", {"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [-1.0]}, "negative"),
        ("legs", {"from_site": ["A"], "to_site": ["B"], "capacity_pieces_per_day": [-1.0]}, "negative"),
    ],
)
def test_wrong_tables_are_refused_with_a_code(table: str, frame: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        line(**{table: pl.DataFrame(frame)})
    assert code in {problem.code for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("objectives", "word"),
    [
        ((), "unserved"),
        (("cost",), "unserved"),
        (("cost", "unserved"), "unserved"),
        (("unserved", "cost", "cost"), "twice"),
        (("unserved", "speed"), "speed"),
    ],
)
def test_lists_of_objectives_that_make_no_sense(objectives: tuple[str, ...], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        plan(line(), (), objectives=objectives)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="magic"):
        PlanSettings(method="magic")


def test_objectives_left_out_are_reported_but_not_pursued() -> None:
    made = plan(line(), (), objectives=("unserved",))
    row = made.objectives.row(by_predicate=pl.col("objective") == "cost", named=True)
    assert row["value"] == pytest.approx(24.0, abs=1e-3)
    assert (row["method"], row["lower_bound"]) == ("counted", None)


def test_what_the_network_does_not_know_does_not_apply() -> None:
    methods = dict(plan(line(), ()).objectives.select("objective", "method").iter_rows())
    assert methods["late"] == methods["carbon"] == methods["changed_legs"] == "not_applicable"
    assert methods["unserved"] == methods["cost"] == "exact"


def test_stop_between_two_stages_keeps_the_best_plan_so_far() -> None:
    """Ctrl-C while the second class is dealt with: the first is served, the rest is not optimised."""
    seen = []

    def stop(count: int, *_: float) -> None:
        seen.append(count)
        if count == 2:
            raise KeyboardInterrupt

    made = plan(line(), (), settings=settings("exact"), progress=stop)
    assert seen == [1, 2]
    assert made.termination.value == "interrupted"
    assert made.status is Status.FEASIBLE
    assert made.value("unserved") == pytest.approx(0.0, abs=1e-3)
    assert made.gap_share == 1.0  # of the cost nothing is proved yet


def test_stop_while_highs_works_keeps_its_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal arrives in the waiting loop: the run ends as interrupted, no traceback."""
    waits = []

    def wait(self: staged.highspy.Highs, seconds: float) -> tuple[bool, object]:
        waits.append(seconds)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return real(self, seconds)

    real = staged.highspy.Highs.wait
    monkeypatch.setattr(staged.highspy.Highs, "wait", wait)
    made = plan(line(), (), settings=settings("exact"))
    assert made.termination.value == "interrupted"
    assert 0.0 <= made.value("unserved") <= 14.0


def test_stop_on_a_large_network_keeps_the_best_plan_so_far() -> None:
    def stop(*_: float) -> None:
        raise KeyboardInterrupt

    made = plan(line(), (), settings=settings("large"), progress=stop)
    assert made.termination.value == "interrupted"
    assert made.lower_bound_cny <= made.objective_cny
    assert np.isfinite(made.gap_share)


def test_shadow_price_in_pieces_and_in_money() -> None:
    """5 of 14 pieces fit on A > B: one more piece of capacity serves one more piece."""
    legs = line().legs.with_columns(
        pl.col("from_site", "to_site").cast(pl.String), capacity_pieces_per_day=pl.Series([5.0, 20.0])
    )
    made = plan(line(legs=legs), (), objectives=("unserved", "cost"))
    first = made.leg_flows.row(0, named=True)
    assert first["shadow_price_pieces"] == pytest.approx(1.0)
    assert first["shadow_price_cny"] > 1.0  # the penalty of a piece left behind, not its cost alone
    assert made.value("unserved") == pytest.approx(9.0, abs=1e-3)
