"""Leg-day volumes come into the log exactly once; a figure that differs is told, never taken silently."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.events.ingest import Ingest, ingest
from changtong.events.leg_days import leg_days, leg_mapping, read_leg_mapping
from changtong.events.log import EventLog, create_log, open_log, writing

HEADER = "date,from_site,to_site,pieces"


def write(path: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return path


def take(tmp_path: Path, *files: Path, replace: bool = False, name: str = "LOG") -> tuple[Ingest, EventLog]:
    path = tmp_path / name
    log = open_log(path) if path.exists() else create_log(path, key=bytes(16))
    found = ingest(files, log, leg_mapping(), file_format="leg-days", replace=replace)
    assert found.total("rows_read") == sum(
        found.total(part) for part in ("rows_added", "duplicates", "quarantined")
    )
    return found, open_log(path)


def counts(found: Ingest) -> tuple[int, ...]:
    return tuple(found.total(part) for part in ("rows_read", "rows_added", "duplicates", "quarantined"))


def quarantine(log: EventLog) -> list[tuple[str, int, str, str, str]]:
    found = pl.concat([pl.read_parquet(file) for file in sorted((log.path / "quarantine").glob("*"))])
    return list(found.select("file", "row", "column", "code", "shape").iter_rows())


def test_the_same_row_and_the_same_file_change_nothing(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", "2022-04-01,A,B,100", "2022-04-02,A,B,0", "2022-04-01,A,B,100.0")
    found, log = take(tmp_path, a)
    assert counts(found) == (3, 2, 1, 0)
    found, log = take(tmp_path, a)
    assert (found.batches, found.known) == ((), ("a.csv",))
    b = write(tmp_path / "b.csv", "2022-04-02,A,B,0", "2022-04-02,B,A,7.5")
    found, log = take(tmp_path, b)
    assert counts(found) == (2, 1, 1, 0)
    day = date(2022, 4, 2)
    assert leg_days(log).rows() == [
        (date(2022, 4, 1), "A", "B", 100.0),
        (day, "A", "B", 0.0),
        (day, "B", "A", 7.5),
    ]
    assert leg_days(log, day, day).height == 2
    assert (log.days, log.volume_days, log.rows) == ((), (date(2022, 4, 1), day), 0)
    assert "leg-day volumes 2022-04-01 … 2022-04-02" in str(log)
    assert sorted(f.parent.name for f in (log.path / "volumes").glob("*/*")) == [
        "day=2022-04-01", "day=2022-04-02", "day=2022-04-02"
    ]  # fmt: skip


def test_another_figure_is_set_aside_or_replaces(tmp_path: Path) -> None:
    take(tmp_path, write(tmp_path / "a.csv", "2022-04-01,A,B,100"))
    b = write(tmp_path / "b.csv", "2022-04-01,A,B,120", "2022-04-01,A,C,5")
    found, log = take(tmp_path, b)
    assert counts(found) == (2, 1, 0, 1)
    assert quarantine(log) == [("b.csv", 1, "pieces", "other-figure", "999")]
    assert leg_days(log)["pieces"].to_list() == [100.0, 5.0]
    assert take(tmp_path, b)[0].known == ("b.csv",)
    found, log = take(tmp_path, b, replace=True)  # the same file, now said to be right
    assert counts(found) == (2, 1, 1, 0)
    assert found.batches[0].notes == {"replaced-figure": 1}
    assert leg_days(log)["pieces"].to_list() == [120.0, 5.0]
    assert take(tmp_path, b, replace=True)[0].known == ("b.csv",)
    # the first file again does not bring the old figure back, not even when figures may be replaced
    assert take(tmp_path, tmp_path / "a.csv", replace=True)[0].known == ("a.csv",)
    assert leg_days(log)["pieces"].to_list() == [120.0, 5.0]


def test_an_older_packed_file_brings_no_old_figures_back(tmp_path: Path) -> None:
    old, new = (tmp_path / f"{name}.csv.gz" for name in ("old", "new"))
    for path, figure in ((old, 12), (new, 15)):
        path.write_bytes(gzip.compress(f"{HEADER}\n2022-04-01,A,B,{figure}\n".encode()))
    take(tmp_path, old)
    assert counts(take(tmp_path, new, replace=True)[0]) == (1, 1, 0, 0)
    found, log = take(tmp_path, old, replace=True)
    assert found.known == ("old.csv.gz",)
    assert counts(found) == (0, 0, 0, 0)
    assert leg_days(log)["pieces"].to_list() == [15.0]


def test_two_figures_for_one_leg_and_day_in_one_file_are_both_set_aside(tmp_path: Path) -> None:
    rows = ["2022-04-01,A,B,1", "2022-04-01,A,C,2", "2022/4/1,A,B,3"]
    found, log = take(tmp_path, write(tmp_path / "a.csv", *rows), replace=True)
    assert counts(found) == (3, 1, 0, 2)
    assert [(row, code) for _, row, _, code, _ in quarantine(log)] == [(1, "two-figures"), (3, "two-figures")]


def test_every_bad_row_is_told(tmp_path: Path) -> None:
    rows = [
        "2022-04-01,A,B,1", "2022-02-30,A,B,1", ",A,B,1", "1922-04-01,A,B,1", "2099-04-01,A,B,1",
        "2022-04-01,,B,1", "2022-04-01,A,=B,1", "2022-04-01,A,A,1", "2022-04-01,A,B,", "2022-04-01,A,B,many",
        '2022-04-01,A,B,"1,200"', "2022-04-01,A,B,-1", "2022-04-01,A,B,inf", "2022-04-01,A",
        "2022-04-01,A,B,1,2", "2022-04-02T00:00:00+08:00,A,B,1e3",
    ]  # fmt: skip
    found, log = take(tmp_path, write(tmp_path / "a.csv", *rows))
    assert counts(found) == (16, 2, 0, 14)
    assert [row[1:4] for row in quarantine(log)] == [
        (2, "date", "bad-time"), (3, "date", "no-time"), (4, "date", "time-out-of-range"),
        (5, "date", "time-out-of-range"), (6, "from_site", "no-site"), (7, "to_site", "bad-text"),
        (8, "to_site", "self-loop"), (9, "pieces", "missing-value"), (10, "pieces", "wrong-type"),
        (11, "pieces", "wrong-type"), (12, "pieces", "negative"), (13, "pieces", "not-finite"),
        (14, "", "too-few-fields"), (15, "", "too-many-fields"),
    ]  # fmt: skip
    assert leg_days(log)["pieces"].to_list() == [1.0, 1000.0]


def test_encodings_packed_files_parquet_and_a_mapping_give_the_same(tmp_path: Path) -> None:
    rows = ["2022-04-01,杭州,上海,12", "2022-04-02,上海,杭州,3.5"]
    plain = write(tmp_path / "a.csv", *rows)
    expected = leg_days(take(tmp_path, plain)[1])
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = tmp_path / "a.parquet"
    pl.read_csv(plain, try_parse_dates=True).write_parquet(table)
    for k, file in enumerate((packed, table)):
        assert leg_days(take(tmp_path, file, name=f"L{k}")[1]).equals(expected)
    with_semicolons = (row.replace(",", ";") for row in rows)
    chinese = write(tmp_path / "b.csv", *with_semicolons, header="日期;始发;到达;件数", encoding="gb18030")
    toml = tmp_path / "m.toml"
    toml.write_text(
        'encoding = "gb18030"\nseparator = ";"\n[columns]\n'
        'date = "日期"\nfrom_site = "始发"\nto_site = "到达"\npieces = "件数"\n', "utf-8"
    )  # fmt: skip
    log = create_log(tmp_path / "M")
    ingest([chinese], log, read_leg_mapping(toml), file_format="leg-days")
    assert leg_days(open_log(log.path)).equals(expected)
    broken = tmp_path / "c.csv"
    broken.write_text(f"{HEADER}\n2022-04-01,杭州,上海,12\n", "gb18030")
    found, log = take(tmp_path, broken, name="broken")
    assert counts(found) == (1, 0, 0, 1)
    assert quarantine(log)[0][2:4] == ("from_site", "bad-text")


def test_a_mapping_that_cannot_be_meant_is_told_whole(tmp_path: Path) -> None:
    toml = tmp_path / "m.toml"
    toml.write_text(
        'encoding = "utf-99"\nseparator = "ab"\ntime_zone = "UTC"\n[columns]\nday = "d"\n', "utf-8"
    )
    with pytest.raises(InputError) as error:
        read_leg_mapping(toml)
    assert sorted(problem.column or "" for problem in error.value.problems) == [
        "day", "encoding", "separator", "time_zone"
    ]  # fmt: skip
    with pytest.raises(InputError) as error:
        take(tmp_path, write(tmp_path / "a.csv", "1", header="date"))
    assert [problem.code for problem in error.value.problems] == ["no-column"] * 3


def test_a_killed_run_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(tmp_path, write(tmp_path / "a.csv", "2022-04-01,A,B,100"))
    b = write(tmp_path / "b.csv", "2022-04-01,A,C,5", "2022-04-03,A,C,6", "2022-04-03,A,C,7")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("changtong.events.leg_days.write_json", die)
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path, b)
    monkeypatch.undo()
    log = open_log(tmp_path / "LOG")
    assert leg_days(log).height == 1
    assert (log.path / "volumes" / "day=2022-04-01" / "b000002-0.parquet").exists()
    with writing(log):
        pass
    assert not (log.path / "volumes" / "day=2022-04-01" / "b000002-0.parquet").exists()
    assert (log.path / "volumes" / "day=2022-04-01" / "b000001-0.parquet").exists()
    found, log = take(tmp_path, b)
    assert counts(found) == (3, 1, 0, 2)
    assert leg_days(log).height == 2


ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 2)),
    max_size=12,
)


@settings(max_examples=examples(30), deadline=None, derandomize=True)
@given(st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=4))
def test_random_files_leave_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[list[tuple[int, str, str, int]], bool]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("random")
    held: dict[tuple[date, str, str], float] = {}
    for k, (rows, replace) in enumerate(files):
        path = write(
            tmp_path / f"{k}.csv",
            *(f"2022-04-0{d},{a},{b},{n}" for d, a, b, n in rows),
            f"2022-05-0{k + 1},A,B,1",
        )
        figures: dict[tuple[date, str, str], set[int]] = {(date(2022, 5, k + 1), "A", "B"): {1}}
        for d, a, b, n in rows:
            if a != b:
                figures.setdefault((date(2022, 4, d), a, b), set()).add(n)
        log = take(tmp_path, path, replace=replace)[1]
        for key, said in figures.items():
            if len(said) == 1 and (replace or key not in held):
                held[key] = float(*said)
        assert {row[:3]: row[3] for row in leg_days(log).iter_rows()} == held


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANGTONG_KEYS", str(tmp_path / "keys"))
    a = write(tmp_path / "a.csv", "2022-04-01,A,B,100", "2022-04-01,A,B,")
    words = ["ingest", "--log", str(tmp_path / "LOG"), "--format", "leg-days", "--json"]
    assert main([*words, str(a)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows_added"], told["reasons"]) == (1, {"missing-value": 1})
    for file in (tmp_path / "keys").glob("*"):
        file.unlink()  # leg-days need no key
    b = write(tmp_path / "b.csv", "2022-04-01,A,B,90")
    assert main([*words, str(b), "--replace"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["notes"] == {"replaced-figure": 1}
    assert main(["ingest", str(b), "--log", str(tmp_path / "LOG"), "--replace"]) == 2
    with pytest.raises(UsageError):
        ingest([b], create_log(tmp_path / "P"), leg_mapping(), replace=True)
