"""A tracing case from scans of the generator: traced, handed out, registered, checked row by row."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from pathlib import Path

import pytest
from registers_cases import cheap_hashes, small_store  # noqa: F401
from supervision_cases import office

from changtong.cli import main
from changtong.events.generator.generate import generate_scans
from changtong.events.generator.settings import ScanSettings
from changtong.events.keys import key_of, pseudonym
from changtong.network.io import read_network
from changtong.safety.decision import read_decision

TINY = Path(__file__).parent.parent / "examples" / "tiny"
pytestmark = pytest.mark.skipif(not TINY.exists(), reason="the examples are not here: needs a checkout")
KEY = bytes(range(32))
FROM, TO = "2022-05-10T20:00", "2022-05-11T12:00"
WINDOW = ["--site", "H1", "--from", FROM, "--to", TO, "--opened", "2022-05-11T09:00"]
Scan = dict[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Scan]]:
    """A log of some thousand scans at six sites, and the rows it was made of."""
    folder = tmp_path_factory.mktemp("log")
    generate_scans(
        read_network(TINY),
        folder / "SC",
        settings=ScanSettings(events=4000, days=3, first_day=date(2022, 5, 9)),
    )
    (folder / "log.key").write_text(KEY.hex())
    files = sorted((folder / "SC").glob("*.csv"))
    rows = [row for file in files for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())]
    mapping = str(folder / "SC" / "mapping.toml")
    words = ["ingest", *map(str, files), "--log", str(folder / "LOG"), "--mapping", mapping]
    assert main([*words, "--key", str(folder / "log.key")]) == 0
    return folder, sorted(rows, key=lambda row: row["扫描时间"])


def case(made: tuple[Path, list[Scan]], output: Path, *words: str) -> int:
    folder = made[0]
    asked = ["epidemic", "case", str(folder / "LOG"), *WINDOW, "--key", str(folder / "log.key"), "--json"]
    return main([*asked, "-o", str(output), *words])


def listed(folder: Path) -> dict[str, Scan]:
    rows = [
        row
        for file in (folder / "lists").glob("*.csv")
        for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())
    ]
    assert len({row["item"] for row in rows}) == len(rows)  # each item at one site
    return {row["item"]: row for row in rows}


def test_the_list_of_each_site_is_what_the_scans_say(
    made: tuple[Path, list[Scan]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert case(made, tmp_path / "CASE", "--owner", "gd", "--steps", "0") == 0
    facts = json.loads(capsys.readouterr().out)
    found = listed(tmp_path / "CASE")
    there: set[str] = set()
    last: dict[str, Scan] = {}
    delivered: set[str] = set()
    for row in made[1]:
        name = pseudonym(key_of(KEY[:16], row["运单号"])) if row["运单号"] else ""
        if not name:
            continue
        last[name] = row
        delivered |= {name} if row["扫描类型"] == "签收" else set()
        if row["扫描站点"] == "H1" and FROM <= row["扫描时间"].replace(" ", "T") < TO:
            there.add(name)
    assert there
    assert there <= found.keys()  # whoever was scanned there in the window; others only stayed over it
    came = {
        pseudonym(key_of(KEY[:16], row["运单号"]))
        for row in made[1]
        if row["扫描站点"] == "H1" and row["扫描时间"].replace(" ", "T") < TO and row["运单号"]
    }
    assert found.keys() <= came
    for name, row in found.items():
        assert row["site_id"] == last[name]["扫描站点"]
        assert (row["state"] == "delivered") == (name in delivered)
        seen = datetime.fromisoformat(last[name]["扫描时间"] + "+08:00")
        assert datetime.fromisoformat(row["last_seen"]) == seen
        assert row["last_seen"].endswith("+08:00")  # local, as people read it
        assert FROM <= row["exposed_at"] <= TO + ":00+08:00"
    assert facts["items"] == len(found)
    assert facts["undelivered"] == len(found.keys() - delivered)
    tasks = list(csv.DictReader((tmp_path / "CASE" / "tasks.csv").read_text("utf-8-sig").splitlines()))
    holds = {row["site_id"]: int(row["items"]) for row in tasks if row["task"] == "hold"}
    expected: dict[str, int] = {}
    for name in found.keys() - delivered:
        expected[found[name]["site_id"]] = expected.get(found[name]["site_id"], 0) + 1
    assert holds == expected
    assert {row["due_at"] for row in tasks if row["task"] == "hold"} == {"2022-05-11T13:00:00+08:00"}


def test_tasks_are_registered_with_the_case_or_nothing_is(
    made: tuple[Path, list[Scan]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "registers.sqlite")
    store, admin = small_store(place, tmp_path / "files")
    desk = office(store, admin)["li"]
    token = tmp_path / "li.token"
    token.write_text(desk._token, "utf-8")
    registers = ["--registers", place, "--token", str(token)]
    assert case(made, tmp_path / "NO", "--owner", "nobody", *registers) == 2
    assert "unknown-reference" in capsys.readouterr().out
    assert not (tmp_path / "NO").exists()
    assert case(made, tmp_path / "CASE", "--owner", "sd-ns", *registers) == 0
    facts = json.loads(capsys.readouterr().out)
    decision = read_decision(tmp_path / "CASE" / "decision.toml")
    assert facts["registered"] == facts["tasks"] == len(decision.tasks) > 0
    assert case(made, tmp_path / "CASE", "--owner", "sd-ns", *registers) == 0
    assert json.loads(capsys.readouterr().out)["registered"] == 0  # once and for all
    kept = {row["code"]: row["subject"] for row in desk.page("task").records}
    assert kept == {task.id: task.subject for task in decision.tasks}


@pytest.mark.parametrize(
    "words",
    [
        ["--owner", " "],
        ["--owner", "gd", "--id", "a/b"],
        ["--owner", "gd", "--opened", "昨天"],
        ["--owner", "gd", "--from", "2022-05-12T08:00"],
        ["--owner", "gd", "--site", "没有"],
        ["--owner", "gd", "--item", "A"],
        ["--owner", "gd", "--registers", "r.sqlite"],
    ],
)
def test_wrong_questions_write_nothing(
    made: tuple[Path, list[Scan]], tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert case(made, tmp_path / "CASE", *words) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "CASE").exists()
