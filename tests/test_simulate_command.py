"""Plans played forward from the command line: folders in, folders out, the same figures as in Python."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from network_cases import TINY

from changtong.cli import main
from changtong.network.io import read_network
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.report.simulation_words import simulation_words
from changtong.report.texts import rough, whole
from changtong.simulate_command import planned_outages
from changtong.simulation.replications import simulate_replications
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import RouteChange
from changtong.verification import plan_verified


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned") / "plan"
    assert main(["plan", str(TINY), "--close", "H1", "-o", str(folder), "--json"]) == 0
    return folder


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_plan_folder_is_played_as_in_python(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["simulate", str(TINY), "--plan", str(planned), "-o", str(tmp_path / "run")]
    main([*words, "--hours", "48", "--takes-effect", "3", "--json"])
    told = answer(capsys)
    network = read_network(TINY)
    outages = close_sites(network, ["H1"])
    routes = plan(network, outages).routes()
    run = simulate(
        network, outages, routes=[RouteChange(3.0, routes)], settings=SimulationSettings(hours=48.0)
    )
    for key in ("accepted_pieces", "delivered_pieces", "late_pieces", "waiting_pieces"):
        assert told[key] == pytest.approx(run.summary()[key], rel=1e-6, abs=1e-3)
    assert planned_outages(planned) == outages
    for name in (
        "run.json",
        "study.json",
        "hours.csv",
        "sites.csv",
        "classes.csv",
        "legs.csv",
        "backlog.csv",
    ):
        assert (tmp_path / "run" / name).stat().st_size > 0
    hours = pl.read_csv(tmp_path / "run" / "hours.csv")
    assert hours["delivered_pieces"].sum() == pytest.approx(told["delivered_pieces"])


def test_an_outage_that_ends_gives_todays_routes_back(
    planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["simulate", str(TINY), "--plan", str(planned), "--hours", "120", "--json", "-o"]
    main([*words, str(tmp_path / "short"), "--lasts", "12"])
    short = answer(capsys)
    main([*words, str(tmp_path / "long")])
    long = answer(capsys)
    assert short["delivered_pieces"] > long["delivered_pieces"]  # type: ignore[operator]
    assert short["held_pieces"] == pytest.approx(0.0, abs=1e-6)
    assert long["held_pieces"] > 100.0  # type: ignore[operator]


def test_bands_stand_beside_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", str(TINY), "-o", str(tmp_path / "run"), "--hours", "24", "--replications", "4"]
    main([*words, "--seed", "7", "--json"])
    told = answer(capsys)
    assert told["replications"]["replications"] == 4  # type: ignore[index]
    runs = pl.read_csv(tmp_path / "run" / "replications_runs.csv")
    assert runs.height == 4
    main([*words, "--seed", "7", "--json"])
    assert pl.read_csv(tmp_path / "run" / "replications_runs.csv").equals(runs)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--plan", "nowhere"], "not-a-plan-folder"),
        (["--start", "tomorrow"], "time-without-zone"),
        (["--backlog", "nowhere.csv"], "unreadable-file"),
        (["--close", "nowhere"], "not-found"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_left(
    words: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(TINY), "-o", str(tmp_path / "run"), *words, "--json"]) == 2
    told = answer(capsys)
    codes = [told["error"], *(one["code"] for one in told["problems"])]  # type: ignore[attr-defined]
    assert code in codes
    assert not (tmp_path / "run").exists()


def test_a_backlog_without_numbers_is_told_with_the_text_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "left.csv"
    path.write_text("site;destination;pieces\nH1;A;many\nH1;A;1,200\nH1;nowhere;\nH1;A;-3\nH1;A;inf\n")
    words = ["simulate", str(TINY), "-o", str(tmp_path / "run"), "--backlog", str(path), "--json"]
    assert main(words) == 2
    problems = answer(capsys)["problems"]
    seen = [[one[key] for key in ("code", "file", "row", "column")] for one in problems]  # type: ignore[index, union-attr]
    assert seen == [
        ["wrong-type", "left.csv", 1, "pieces"],
        ["wrong-type", "left.csv", 2, "pieces"],
        ["unknown-site", "left.csv", 3, "destination"],
        ["missing-value", "left.csv", 3, "pieces"],
        ["out-of-range", "left.csv", 4, "pieces"],
        ["out-of-range", "left.csv", 5, "pieces"],
    ]
    assert "'many'" in problems[0]["message"]  # type: ignore[index]
    assert "Write 1200" in problems[1]["hint"]  # type: ignore[index]
    assert not any("None" in one["message"] for one in problems)  # type: ignore[union-attr]


def test_a_backlog_file_waits_as_its_frame_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "left.csv"
    path.write_text("site,destination,pieces\nH1,A, 250 \n")
    words = ["simulate", str(TINY), "-o", str(tmp_path / "run"), "--backlog", str(path), "--hours", "24"]
    main([*words, "--json"])
    frame = pl.DataFrame({"site": ["H1"], "destination": ["A"], "pieces": [250]})
    run = simulate(read_network(TINY), backlog=frame, settings=SimulationSettings(hours=24.0))
    assert answer(capsys)["delivered_pieces"] == pytest.approx(run.summary()["delivered_pieces"], rel=1e-9)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_page_and_words_follow_the_language(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(TINY), "--close", "H1", "-o", str(tmp_path / "run"), "--hours", "24"]
    code = main([*words, "--replications", "2", "--language", language])
    told = capsys.readouterr().out
    assert ("推演 24 小时" in told, "2 次推演" in told) == (language == "zh",) * 2
    assert ("pieces accepted" in told, "2 replications" in told) == (language == "en",) * 2
    assert ("守不住" in told, "does not hold" in told) == (
        language == "zh" and code == 1,
        language == "en" and code == 1,
    )
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}"' in page


def test_chinese_words_say_the_figures_of_the_run() -> None:
    network = read_network(TINY)
    settings = SimulationSettings(hours=48.0)
    run = simulate(network, close_sites(network, ["H1"]), settings=settings)
    many = simulate_replications(network, close_sites(network, ["H1"]), settings=settings, replications=2)
    said, s = simulation_words(run, many, language="zh"), run.summary()
    assert simulation_words(run, many) == f"{run}\n{many}"
    worst = run.grown_sites(1).row(0, named=True)
    for figure in (worst["peak_pieces"], *run.classes["delivered_pieces"], s["accepted_pieces"]):
        assert whole(figure) in said or rough(figure).zh in said
    assert f"{many.summary()['holds_share']:.0%}".removesuffix("%") in said
    assert len(said.splitlines()) <= 24


def test_times_of_outages_set_the_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "outages.csv"
    path.write_text("label,sites,start,end\nflood,H1,2026-07-20T03:30+00:00,2026-07-20T15:00+00:00\n")
    words = [
        "simulate",
        str(TINY),
        "--outages",
        str(path),
        "-o",
        str(tmp_path / "run"),
        "--hours",
        "48",
        "--json",
    ]
    main(words)
    assert answer(capsys)["hours"] == 48.0
    settings = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["settings"]
    assert datetime.fromisoformat(settings["start"]) == datetime(2026, 7, 20, 3, tzinfo=UTC)


def test_a_plan_is_made_again_until_it_holds() -> None:
    network = read_network(TINY)
    verified = plan_verified(network, close_sites(network, ["H1"]))
    assert 1 <= verified.rounds.height <= 3
    assert verified.rounds["holds"].to_list()[-1] == verified.holds or verified.rounds.height == 3
    assert verified.holds == (verified.trouble().height == 0)
    assert verified.plan.network is network


def test_verify_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "plan"
    code = main(["plan", str(TINY), "--close", "H1", "-o", str(folder), "--verify", "--json"])
    told = answer(capsys)["verified"]
    assert code == (0 if told["holds"] else 1)  # type: ignore[index]
    assert (folder / "simulation" / "run.json").is_file()
    assert pl.read_csv(folder / "verification.csv").height == told["plans_made"]  # type: ignore[index]
