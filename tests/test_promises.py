"""Promises of classes from a file or a network, and the share by promise in the commands."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from log_cases import log_of
from scan_cases import SITES, ZONE, tiny_log

from changtong.cli import main
from changtong.errors import InputError
from changtong.events.promises import read_promises
from changtong.network.io import write_network
from changtong.network.model import build_network


def file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "promises.csv"
    path.write_text(text, encoding)
    return path


def network(tmp_path: Path, hours: list[float | None], names: list[str] | None = None) -> Path:
    made = build_network(
        {
            "sites": pl.DataFrame({"site_id": ["A", "B"]}),
            "legs": pl.DataFrame({"from_site": ["A"], "to_site": ["B"]}),
            "service_classes": pl.DataFrame(
                {"service_class": ["express", "ordinary"], "rank": [1, 2], "promise_h": hours}
                | ({} if names is None else {"name_zh": names}),
                schema_overrides={"promise_h": pl.Float64},
            ),
        },
        "two",
    )
    return write_network(made, tmp_path / "NET")


def test_a_file_and_a_network_say_the_same(tmp_path: Path) -> None:
    want = [("express", 24.0)]
    assert read_promises(file(tmp_path, "service_class,promise_h\nexpress,24\nordinary,\n")).rows() == want
    assert read_promises(network(tmp_path, [24.0, None])).rows() == want


def test_scans_may_say_a_class_of_a_network_by_its_name(tmp_path: Path) -> None:
    found = dict(read_promises(network(tmp_path, [24.0, 72.0], ["特快", "普通"])).rows())
    assert found == {"express": 24.0, "ordinary": 72.0, "特快": 24.0, "普通": 72.0}


def test_a_name_of_two_classes_or_another_classes_id_says_nothing(tmp_path: Path) -> None:
    assert dict(read_promises(network(tmp_path, [24.0, 72.0], ["件", "件"])).rows()) == {
        "express": 24.0,
        "ordinary": 72.0,
    }
    found = dict(read_promises(network(tmp_path / "b", [24.0, 72.0], ["ordinary", "件"])).rows())
    assert found == {"express": 24.0, "ordinary": 72.0, "件": 72.0}


def test_files_as_people_have_them(tmp_path: Path) -> None:
    text = "name;promise_h;service_class\n特快;36.5; 特快 \n;;\n普通;;普通\n"
    assert read_promises(file(tmp_path, text, "gb18030")).rows() == [("特快", 36.5)]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    rows = ["express,soon", ",24", "a,-1", "a,5", "b,inf", "c,0", "d,9000", "e,12"]
    with pytest.raises(InputError) as caught:
        read_promises(file(tmp_path, "\n".join(["service_class,promise_h", *rows])))
    assert [(p.code, p.row, p.column) for p in caught.value.problems] == [
        ("bad-promise", 1, "promise_h"), ("missing-value", 2, "service_class"),
        ("bad-promise", 3, "promise_h"), ("duplicate-class", 4, "service_class"),
        ("bad-promise", 5, "promise_h"), ("bad-promise", 6, "promise_h"), ("bad-promise", 7, "promise_h"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("class,hours\nexpress,24\n", ["missing-column", "missing-column"]),
        ("service_class,promise_h\nexpress,\n", ["no-promise"]),
        ("service_class,promise_h\n", ["no-promise"]),
        ("", ["empty-file"]),
        ("service_class,promise_h\na,1,2\n", ["bad-row"]),
    ],
)
def test_files_that_are_no_promises(tmp_path: Path, text: str, codes: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_promises(file(tmp_path, text))
    assert [problem.code for problem in caught.value.problems] == codes


def test_a_network_without_promises_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-promise"):
        read_promises(network(tmp_path, [None, None]))
    with pytest.raises(InputError, match="missing-file"):
        read_promises(tmp_path / "none.csv")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Items 3 and 7 are express; 24 h of item 7 end on 6 May, undelivered."""
    return str(log_of(tiny_log(), tmp_path_factory.mktemp("log") / "LOG", SITES, ZONE.key).path)


def total(out: str) -> dict[str, object] | None:
    return json.loads(out)["totals"].get("on_time_promise_share")  # type: ignore[no-any-return]


@pytest.mark.slow
def test_the_share_by_promise_appears(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["indicators", log, "--date", "2022-05-06", "--json"]
    assert main(ask) == 0
    assert total(capsys.readouterr().out) is None
    promises = file(tmp_path, "service_class,promise_h\nexpress,24\n")
    assert main([*ask, "--promises", str(promises)]) == 0
    found = total(capsys.readouterr().out)
    assert found is not None
    assert (found["value"], found["pieces"]) == (0.0, 1)
    assert main([*ask, "--network", str(network(tmp_path, [24.0, None]))]) == 0
    assert total(capsys.readouterr().out) == found
    promises = file(tmp_path, "service_class,promise_h\nsurface,24\n")
    assert main([*ask, "--promises", str(promises)]) == 0
    out = capsys.readouterr().out
    assert total(out) is None
    assert any("No item of a class with a promise" in note for note in json.loads(out)["notes"])


def test_the_report_has_it(log: str, tmp_path: Path) -> None:
    promises = file(tmp_path, "service_class,promise_h\nexpress,24\n")
    ask = ["report", log, "--date", "2022-05-06", "--language", "zh"]
    assert main([*ask, "-o", f"{tmp_path}/without.html"]) == 0
    assert main([*ask, "-o", f"{tmp_path}/with.html", "--promises", str(promises)]) == 0
    without, with_ = ((tmp_path / f"{name}.html").read_text("utf-8") for name in ("without", "with"))
    assert with_.count("时限达成率") > without.count("时限达成率")


def test_wrong_use(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promises = file(tmp_path, "service_class,promise_h\nexpress,24\n")
    net = network(tmp_path, [24.0, None])
    ask = ["indicators", log, "--date", "2022-05-06"]
    for words in (
        ["--promises", str(promises), "--network", str(net)],
        ["--promises", str(net)],
        ["--network", str(promises)],
        ["--promises", str(tmp_path / "none.csv")],
        ["--promises", str(promises), "--look-back", "0"],
    ):
        assert main([*ask, *words]) == 2, words
    long = file(tmp_path, "service_class,promise_h\nexpress,900\n")
    assert main([*ask, "--promises", str(long)]) == 2
    assert "longer than look_back_days" in capsys.readouterr().err
