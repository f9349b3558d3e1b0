"""Stress tests as a whole: like planning each case alone, resumable, honest about what is not proved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cases import TINY
from stress_cases import Counting, ring

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.executors.local import InProcess
from changtong.network.io import read_network
from changtong.outages import Outage
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.chooser import Chooser
from changtong.resilience.journal import FILE, Journal, open_journal
from changtong.resilience.result import StressSettings, not_proved, rank
from changtong.resilience.run import StressRun, Watch
from changtong.resilience.stress import stress_test


def test_small_networks_are_as_planned_alone() -> None:
    network = read_network(TINY)
    result = stress_test(network, ("sites", "legs"), executor=InProcess())
    assert result.cases["status"].to_list() == ["exact"] * result.cases.height
    today = plan(network)
    for case in make_cases(network, ("sites", "legs")):
        alone = plan(network, case.outages(network), settings=PlanSettings(unserved_cny=40.0))
        row = result.cases.row(by_predicate=pl.col("case") == case.name, named=True)
        assert row["unserved_pieces"] == pytest.approx(alone.value("unserved"), abs=1e-3)
        assert row["extra_cost_cny"] == pytest.approx(alone.value("cost") - today.value("cost"), abs=0.1)
        lost = alone.classes["unserved_pieces"].to_numpy() @ [400.0, 40.0][: alone.classes.height]
        if alone.classes.height == 2:
            assert row["loss_cny"] == pytest.approx(lost + row["extra_cost_cny"], rel=1e-4)


@pytest.mark.parametrize("measure", ["unserved", "loss"])
def test_the_large_way_finds_the_same_worst_as_the_exact_one(measure: str) -> None:
    network = ring()
    both = [
        stress_test(
            network,
            ("sites", "legs"),
            executor=InProcess(),
            settings=StressSettings(
                worst=4, measure=measure, method=method, gap_share=1e-4, unserved_cny=100.0
            ),
        )
        for method in ("exact", "large")
    ]
    exact, large = both
    joined = exact.cases.join(large.cases, on="case", suffix="_large")
    for row in joined.iter_rows(named=True):
        room = 1e-3 * row["loss_cny"] + 2.0
        assert row["loss_least_cny_large"] <= row["loss_cny"] + room
        assert row["loss_cny"] <= row["loss_most_cny_large"] + room
        assert row["unserved_least_large"] <= row["unserved_pieces"] + 0.1
        if row["how_large"] in ("flow", "remainder"):
            assert row["unserved_pieces_large"] == pytest.approx(row["unserved_pieces"], abs=1.0)
    true = dict(exact.ranking.select("case", "figure").iter_rows())
    bar = sorted(true.values(), reverse=True)[3]
    listed = set(large.ranking.head(4)["case"]) | set(large.unproved["case"])
    worse = {case for case, figure in true.items() if figure > bar + 1.0}
    assert worse <= listed


@given(st.data())
@settings(max_examples=examples(200), deadline=None, derandomize=True)
def test_no_worse_case_is_passed_over(data: st.DataObject) -> None:
    """Whatever the bounds: what is not among the worst k lost no more, or is listed as unproved."""
    count = data.draw(st.integers(2, 12))
    truth = data.draw(st.lists(st.integers(0, 50), min_size=count, max_size=count))
    below = data.draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    above = data.draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    worst, plans = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 12))
    cases = tuple(Case(f"c{k}", "site", f"c{k}", (k,)) for k in range(count))
    journal = Journal(None)
    for k, case in enumerate(cases):
        journal.add(
            "bound",
            {
                "case": case.name,
                "status": "bound",
                "unserved_least": max(0.0, float(truth[k] - below[k])),
                "unserved_most": float(truth[k] + above[k]),
            },
        )
    options = StressSettings(worst=worst, most_plans=plans)
    run = StressRun(ring(), (), cases, options, InProcess(), Watch(), journal)
    run.tolerance = 0.0
    chooser = Chooser(run, run._candidates(), best_first=True)
    for task in chooser:
        figure = float(truth[int(task.case.name[1:])])
        row = {"status": "plan", "unserved_pieces": figure, "unserved_least": figure, "unserved_most": figure}
        journal.add("plan", {"case": task.case.name, **row})
        chooser.note(task, row)
    from changtong.resilience.result import cases_frame

    ranking = rank(cases_frame(cases, run.rows()), "unserved")
    unproved = set(not_proved(ranking, worst, 0.0)["case"])
    first = ranking.head(worst)
    bar = first["figure"].min()
    for k, case in enumerate(cases):
        if case.name not in set(first["case"]) and truth[k] > bar:
            assert case.name in unproved
    if plans >= count:
        assert not unproved
        assert sorted(first["figure"], reverse=True) == sorted(map(float, truth), reverse=True)[:worst]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    network, folder = ring(), tmp_path / "stress"
    first = Counting(stop_after=3)
    part = stress_test(network, executor=first, folder=folder)
    assert part.termination == "interrupted"
    assert part.cases["status"].to_list().count("open") == 4
    assert set(part.unproved["case"]) == {f"site:{s}" for s in ("S3", "S4", "S5", "HUB")}
    with (folder / FILE).open("ab") as stream:
        stream.write(b'{"stage": "plan", "case": "site:S3", "unserved_pie')  # torn by a kill
    second = Counting()
    whole = stress_test(network, executor=second, folder=folder)
    assert second.asked == ["site:S3", "site:S4", "site:S5", "site:HUB"]
    assert whole.termination == "done"
    alone = stress_test(network, executor=InProcess())
    drop = ["seconds"]
    assert whole.cases.drop(drop).equals(alone.cases.drop(drop), null_equal=True)
    whole.save(folder)
    third = Counting()
    stress_test(network, executor=third, folder=folder)
    assert third.asked == []


def test_another_question_is_refused_and_the_folder_left(tmp_path: Path) -> None:
    folder = tmp_path / "stress"
    stress_test(ring(), executor=InProcess(), folder=folder)
    before = (folder / FILE).read_bytes()
    for network, cases in ((ring(capacity=31.0), ("sites",)), (ring(), ("legs",))):
        with pytest.raises(UsageError, match="another question") as caught:
            stress_test(network, cases, executor=InProcess(), folder=folder)
        assert caught.value.code == "other-question"
    assert (folder / FILE).read_bytes() == before
    asked = Counting()
    stress_test(ring(), ("provinces",), executor=asked, folder=folder, watch=Watch(anew=True))
    assert asked.asked == ["province:41", "province:42"]


def test_a_failed_case_is_a_row_and_is_tried_again(tmp_path: Path) -> None:
    failing = Counting(fails=("site:S1",))
    result = stress_test(ring(), executor=failing, folder=tmp_path / "s")
    row = result.failed.row(0, named=True)
    assert result.failed.height == 1
    assert "no answer to site:S1" in row["error"]
    assert "site:S1" in result.unproved["case"].to_list()
    assert "no answer" in str(result)
    assert json.loads(result.to_json())["failed"] == 1
    again = Counting()
    healed = stress_test(ring(), executor=again, folder=tmp_path / "s")
    assert again.asked == ["site:S1"]
    assert healed.failed.height == 0
    assert healed.cases["error"].null_count() == healed.cases.height


def test_bad_questions_are_told() -> None:
    network = ring()
    nothing = network.with_tables(demand=network.demand.clear())
    with pytest.raises(InputError, match="no demand"):
        stress_test(nothing, executor=InProcess())
    with pytest.raises(InputError, match="closes no site"):
        stress_test(network, [Case("x", "set", "x")], executor=InProcess())
    for wrong in ({"measure": "pain"}, {"worst": 0}, {"gap_share": 0.0}, {"method": "guess"}):
        with pytest.raises(UsageError):
            StressSettings(**wrong)  # type: ignore[arg-type]


def test_what_is_shut_already_stays_shut() -> None:
    network = ring()
    standing = (Outage("S0", sites=("S0",)),)
    result = stress_test(network, executor=InProcess(), outages=standing)
    both = plan(network, (*standing, Outage("hub", sites=("HUB",))))
    row = result.cases.row(by_predicate=pl.col("case") == "site:HUB", named=True)
    assert row["unserved_pieces"] == pytest.approx(both.value("unserved"), abs=1e-3)
    assert result.today["unserved_pieces"] == pytest.approx(
        plan(network, standing).value("unserved"), abs=1e-3
    )


def test_the_journal_takes_no_half_written_name(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, "q", {})
    journal.add("plan", {"case": "site:畅", "status": "plan"})
    journal.close()
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes() + '{"stage": "plan", "case": "通"'.encode()[:-2])
    again = open_journal(tmp_path, "q", {})
    assert list(again.rows) == [("plan", "site:畅")]
    again.add("plan", {"case": "b", "status": "plan"})
    again.close()
    assert [json.loads(line)["case"] for line in path.read_text("utf-8").splitlines()[1:]] == ["site:畅", "b"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_text('{"my": 1}\n')
    with pytest.raises(UsageError, match="no journal"):
        open_journal(tmp_path / "other", "q", {})


def test_the_command_writes_all_and_says_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    code = main(["stress", str(TINY), "-o", str(out), "--executor", "here", "--together", "2", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert said["cases"] == 6
    assert said["worst"][0]["figure"] == pytest.approx(240.0)
    assert said["together"]["exact"]
    assert {"cases.csv", "ranking.csv", "unproved.csv", "together.csv", "report.html", "stress.json"} <= {
        path.name for path in out.iterdir()
    }
    assert main(["stress", str(TINY), "-o", str(out), "--close", "legs", "--executor", "here"]) == 2
    assert "other-question" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    assert main(["stress", str(TINY), "-o", str(tmp_path / "mine"), "--executor", "here"]) == 2
    assert "not-a-stress-folder" in capsys.readouterr().err
    monkeypatch.setattr("changtong.executors.clusters.InProcess", lambda: Counting(fails=("site:A",)))
    assert main(["stress", str(TINY), "-o", str(tmp_path / "f"), "--executor", "here"]) == 1
    assert "no answer to site:A" in capsys.readouterr().out
    monkeypatch.setattr("changtong.executors.clusters.InProcess", lambda: Counting(stop_after=2))
    assert main(["stress", str(TINY), "-o", str(tmp_path / "i"), "--executor", "here"]) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert (tmp_path / "i" / "stress.json").is_file()


def test_settings_that_change_no_answer_do_not_change_the_question(tmp_path: Path) -> None:
    options = StressSettings()
    stress_test(ring(), executor=InProcess(), folder=tmp_path / "s", settings=options)
    asked = Counting()
    more = replace(options, limit_s=1e9, threads=1)
    stress_test(ring(), executor=asked, folder=tmp_path / "s", settings=more)
    assert asked.asked == []
