"""How long a closure is felt: the triangle of backlog by hand, in processes, resumed, and never invented."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from network_cases import TINY
from stress_cases import Counting, ring

from changtong.cli import main
from changtong.errors import UsageError
from changtong.executors.local import InProcess, LocalProcesses
from changtong.network.io import read_network
from changtong.network.model import Network, build_network
from changtong.outage_files import read_outages
from changtong.outages import Outage
from changtong.report.stress_report import stress_page
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.recovery import Recovery, recovery_work
from changtong.resilience.result import StressSettings, StressTest
from changtong.resilience.stress import stress_test
from changtong.simulation.simulate import SimulationSettings

EVENLY = SimulationSettings(hours=120.0, warm_up_h=24.0, time_of_day=(1.0,) * 24)
A_DAY = Recovery(24.0, EVENLY)


def line(hub_rate: float = 16.0, *, other_way: float = 0.0) -> Network:
    """A → H → B, an hour each leg, 10 pieces an hour; beside it A → G → B for ``other_way`` a day."""
    legs = [("A", "H"), ("H", "B"), ("A", "G"), ("G", "B")]
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": list("AHBG"),
                    "sort_pieces_per_h": [None, hub_rate, None, None],
                    "sort_hours_per_day": [24.0] * 4,
                }
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "travel_h": [1.0] * 4,
                    "cost_cny_per_piece": [1.0, 1.0, 2.0, 2.0],
                    "capacity_pieces_per_day": [None, None, other_way, other_way],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [240.0]}),
        },
        name="line",
    )


HUB = Case("site:H", "site", "H", (1,))


def felt(result: StressTest, name: str = "site:H") -> tuple[float | None, bool | None, float | None]:
    row = result.cases.row(by_predicate=pl.col("case") == name, named=True)
    return row["recovery_hours"], row["recovered"], row["backlog_peak_pieces"]


@pytest.mark.parametrize(
    ("rate", "lasts", "drains"), [(16.0, 24.0, 40.0), (16.0, 12.0, 20.0), (20.0, 24.0, 24.0)]
)
def test_the_triangle_of_backlog(rate: float, lasts: float, drains: float) -> None:
    """10 an hour wait for T hours: gone after 10 T / (μ − 10) hours, and the hour from A to the hub."""
    settings = StressSettings(recovery=replace(A_DAY, lasts_h=lasts))
    result = stress_test(line(rate), [HUB], executor=InProcess(), settings=settings)
    hours, recovered, peak = felt(result)
    assert hours == drains + 1.0 == 10.0 * lasts / (rate - 10.0) + 1.0
    assert recovered is True
    # what waits at A, and the ten on their way to the hub as it closes
    assert peak == pytest.approx(10.0 * lasts + 10.0, rel=1e-5)


def test_the_plan_is_what_is_played() -> None:
    """Half of the pieces take the other way meanwhile: half the backlog, half the hours."""
    result = stress_test(
        line(other_way=120.0), [HUB], executor=InProcess(), settings=StressSettings(recovery=A_DAY)
    )
    assert result.cases["unserved_pieces"].to_list() == pytest.approx([120.0], abs=1e-3)
    hours, _, _ = felt(result)
    assert hours == pytest.approx(0.5 * 40.0 + 1.0, abs=2.0)  # the ten that stood before the hub as well
    free = stress_test(
        line(other_way=240.0), [HUB], executor=InProcess(), settings=StressSettings(recovery=A_DAY)
    )
    assert felt(free)[0] < 4.0  # type: ignore[operator]


def test_what_does_not_recover_is_said_to() -> None:
    result = stress_test(line(10.5), [HUB], executor=InProcess(), settings=StressSettings(recovery=A_DAY))
    assert felt(result)[:2] == (None, False)
    assert any("Not back to normal 96 h after reopening: H" in note for note in result.notes)
    assert "more than 96 h after reopening" in str(result)
    page = stress_page(result, (HUB,))
    assert '<td class="n">&gt; 96</td>' in page
    assert "开放后 96 小时仍未恢复正常：H。" in page


def test_measured_against_what_waits_anyway() -> None:
    """A site that drowns every day is no trace of the closure; half a piece more is none either."""
    work = recovery_work(line(8.0), (), A_DAY, plan_settings())
    hours = np.arange(1.0, 121.0)
    assert work.waiting[-1].sum() > 200.0
    assert work.measure(work.waiting + 0.4, hours)["recovery_hours"] == 0.0
    later = work.waiting.copy()
    later[29, 0] += 1e4
    assert work.measure(later, hours) == {
        "recovery_hours": 31.0 - 24.0, "recovered": True, "backlog_peak_pieces": pytest.approx(1e4),
    }  # fmt: skip
    early = work.waiting.copy()
    early[:20, 0] += 1e4
    assert work.measure(early, hours)["recovery_hours"] == 0.0


def plan_settings() -> object:
    from changtong.planning.result import PlanSettings

    return PlanSettings(threads=1)


def test_what_is_shut_in_every_case_is_no_part_of_it() -> None:
    network = ring()
    standing = (Outage("S0", sites=("S0",)),)
    settings = StressSettings(recovery=A_DAY)
    result = stress_test(
        network,
        [Case("site:S0", "site", "S0", (0,))],
        executor=InProcess(),
        outages=standing,
        settings=settings,
    )
    assert felt(result, "site:S0") == (0.0, True, pytest.approx(0.0, abs=1.0))


def test_only_the_worst_with_a_plan_are_played() -> None:
    asked = Counting()
    settings = StressSettings(worst=2, method="large", recovery=A_DAY)
    result = stress_test(ring(), executor=asked, settings=settings)
    first = result.ranking.head(2).filter(pl.col("status") == "plan")["case"].to_list()
    played = result.cases.filter(pl.col("recovered").is_not_null())["case"].to_list()
    assert sorted(played) == sorted(first)
    assert result.cases.filter(pl.col("status") == "bound")["recovery_hours"].null_count() == len(
        result.cases.filter(pl.col("status") == "bound")
    )
    without = stress_test(ring(), executor=InProcess())
    assert without.cases["recovered"].null_count() == without.cases.height
    assert any("not asked for" in note for note in without.notes)


def test_recovery_goes_on_after_a_kill_and_joins_a_test_that_is_there(tmp_path: Path) -> None:
    network, folder, settings = ring(), tmp_path / "s", StressSettings(recovery=A_DAY)
    stress_test(network, executor=InProcess(), folder=folder)
    cut = Counting(stop_after=3)
    part = stress_test(network, executor=cut, folder=folder, settings=settings)
    assert part.termination == "interrupted"
    assert len(cut.asked) == 3  # no plan was made again
    rest = Counting()
    whole = stress_test(network, executor=rest, folder=folder, settings=settings)
    assert len(rest.asked) == 4
    assert whole.cases["recovered"].null_count() == 0
    longer = Counting()
    stress_test(
        network, executor=longer, folder=folder, settings=StressSettings(recovery=Recovery(48.0, EVENLY))
    )
    assert len(longer.asked) == 7  # another question, other rows


@pytest.mark.slow
def test_processes_find_what_this_process_finds() -> None:
    network, settings = ring(), StressSettings(recovery=A_DAY)
    cases = make_cases(network)[:3]
    here, there = (
        stress_test(network, cases, executor=executor, settings=settings)
        for executor in (InProcess(), LocalProcesses(2))
    )
    assert here.cases["recovered"].null_count() == 0
    assert here.cases.drop("seconds").equals(there.cases.drop("seconds"), null_equal=True)


def test_a_failure_is_told_and_tried_again(tmp_path: Path) -> None:
    settings = StressSettings(recovery=A_DAY)
    stress_test(ring(), executor=InProcess(), folder=tmp_path)
    failing = Counting(fails=("site:S1",))
    result = stress_test(ring(), executor=failing, folder=tmp_path, settings=settings)
    assert result.failed.height == 0  # its plan stands
    assert any("Recovery of site:S1 is not known" in note for note in result.notes)
    again = Counting()
    stress_test(ring(), executor=again, folder=tmp_path, settings=settings)
    assert again.asked == ["site:S1"]


@pytest.mark.parametrize("lasts", [0.0, 120.0, 500.0])
def test_a_closure_ends_within_what_is_played(lasts: float) -> None:
    with pytest.raises(UsageError, match="The closure lasts"):
        Recovery(lasts, EVENLY)


def test_the_command_plays_forward_and_writes_what_others_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["stress", str(TINY), "-o", str(out), "--executor", "here", "--worst", "3"]
    assert main([*arguments, "--recovery", "--lasts", "12", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    network = read_network(TINY)
    options = StressSettings(worst=3, recovery=Recovery(12.0))
    alone = stress_test(network, executor=InProcess(), settings=options)
    assert said["worst"] == alone.summary()["worst"]
    assert all(row["recovered"] is not None for row in said["worst"])
    worst = read_outages(out / "worst.csv", network)
    assert [outage.label for outage in worst] == [row["label"] for row in said["worst"]]
    page = (out / "report.html").read_text("utf-8")
    assert "12 hours" in page
    assert "12 小时" in page
    assert main([*arguments, "--lasts", "12"]) == 2
    assert "--recovery" in capsys.readouterr().err
