"""The log as EPCIS documents: valid, the same rows when read again, in parts where it is large."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_epcis_write import NO_SITE_NEEDED, is_valid
from test_ingest import mapping, row, write

import changtong
from changtong.cli import main
from changtong.errors import InputError, NotFoundError, UsageError
from changtong.events import export
from changtong.events.formats.epcis import read_epcis
from changtong.events.formats.epcis_write import EpcisDocument
from changtong.events.ingest import ingest
from changtong.events.keys import PLAIN_KEY, key_of, pseudonyms
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.mapping import parse_mapping

__all__ = ["is_valid"]
CREATED = datetime(2022, 6, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """Three days; on each 40 items are accepted singly and leave in two bags."""
    folder = tmp_path_factory.mktemp("export")
    rows = []
    for day in (1, 2, 3):
        for k in range(40):
            rows.append(
                row(f"W{day}-{k}", at=f"2022-04-0{day} 08:{k:02}:00").replace("B1", "").replace("T1", "")
            )
            left = row(f"W{day}-{k}", "发车", at=f"2022-04-0{day} 10:00:00").replace("B1", f"B{k % 2}")
            rows.append(left)
    made = create_log(folder / "LOG")
    ingest([write(folder / "a.csv", *rows[::-1])], made, mapping())
    return open_log(folder / "LOG")


def events_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf-8"))["epcisBody"]["eventList"]  # type: ignore[no-any-return]


def rows_of(log: EventLog, first: date | None = None, last: date | None = None) -> set[tuple[Any, ...]]:
    """Return what the log says, pseudonyms as text."""
    frame = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in log.files(first, last)])
    for name in ("item", "receptacle", "vehicle"):
        frame = frame.with_columns(pl.Series(name, pseudonyms(frame[name].fill_null(0).to_numpy())))
    wanted = ("event_id", "item", "receptacle", "vehicle", "code", "site_id", "next_site_id", "at_ms")
    return set(
        frame.select(pl.col(name).cast(pl.Int64 if name == "at_ms" else pl.String) for name in wanted).rows()
    )


def read_back(paths: list[Path]) -> list[tuple[Any, ...]]:
    frames = []
    for path in paths:
        found = read_epcis(path, NO_SITE_NEEDED)
        assert found.bad_count == 0
        frames.append(found.rows)
    names = ("event_id", "item_id", "receptacle_id", "vehicle_id", "code", "site_id", "next_site_id", "at_ms")
    return pl.concat(frames).select(names).rows()


def test_a_log_is_one_valid_document(log: EventLog, tmp_path: Path, is_valid: Any) -> None:
    made = changtong.export_epcis(log, tmp_path / "e.json", created=CREATED)
    assert made.files == (tmp_path / "e.json",)
    assert is_valid(json.loads((tmp_path / "e.json").read_text("utf-8")))
    assert (made.rows, made.events) == (240, 3 * 42)  # 40 accepted one by one, two bags
    assert len(events_of(tmp_path / "e.json")) == 126
    back = read_back([tmp_path / "e.json"])
    assert len(back) == 240
    assert set(back) == rows_of(log)
    times = [event["eventTime"] for event in events_of(tmp_path / "e.json")]
    assert times == sorted(times)
    assert [path.name for path in tmp_path.iterdir()] == ["e.json"]


@pytest.mark.parametrize("slice_rows", [1, 7, 50])
def test_slices_change_nothing(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_rows: int
) -> None:
    whole = changtong.export_epcis(log, tmp_path / "whole.json", created=CREATED)
    monkeypatch.setattr(export, "SLICE_ROWS", slice_rows)
    shares = []
    made = changtong.export_epcis(
        log, tmp_path / "sliced.json", created=CREATED, progress=lambda _, share: shares.append(share)
    )
    assert (made.rows, made.events) == (whole.rows, whole.events)
    assert (tmp_path / "sliced.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_many_events_are_several_documents(log: EventLog, tmp_path: Path, is_valid: Any) -> None:
    made = changtong.export_epcis(log, tmp_path / "e.json", most_events=50)
    assert [path.name for path in made.files] == ["e-0001.json", "e-0002.json", "e-0003.json"]
    assert [len(events_of(path)) for path in made.files] == [50, 50, 26]
    assert all(is_valid(json.loads(path.read_text("utf-8"))) for path in made.files)
    assert set(read_back(list(made.files))) == rows_of(log)
    again = changtong.export_epcis(log, tmp_path / "e.json", most_events=63)
    assert [path.name for path in again.files] == ["e-0001.json", "e-0002.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e-0001.json", "e-0002.json"]
    changtong.export_epcis(log, tmp_path / "e.json")
    assert [path.name for path in tmp_path.iterdir()] == ["e.json"]


def test_days_and_items(log: EventLog, tmp_path: Path) -> None:
    second = date(2022, 4, 2)
    made = changtong.export_epcis(log, tmp_path / "e.json", first_day=second, last_day=second)
    assert made.rows == 80
    assert set(read_back(list(made.files))) == rows_of(log, second, second)
    wanted = key_of(PLAIN_KEY, "W2-7")
    made = changtong.export_epcis(log, tmp_path / "e.json", items=[wanted])  # of the second day only
    assert {row[1] for row in read_back(list(made.files))} == set(pseudonyms([wanted]))  # type: ignore[arg-type]
    assert made.rows == 2
    with pytest.raises(NotFoundError):
        changtong.export_epcis(log, tmp_path / "none.json", first_day=date(2023, 1, 1))
    with pytest.raises(UsageError):
        changtong.export_epcis(log, tmp_path / "none.json", first_day=second, last_day=date(2022, 4, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["e.json"]


def test_what_epcis_cannot_say_is_counted(tmp_path: Path) -> None:
    header = "id,w,c,s,t,kg"
    rows = ["e1,W1,accept,S1,2022-04-01T00:00:00Z,1.5", ",W1,void,S1,2022-04-01T01:00:00Z,",
            "e1,W1,void,S1,2022-04-01T02:00:00Z,", "e3,W2,accept,S1,2100-04-01T00:00:00Z,"]  # fmt: skip
    known = parse_mapping(
        {
            "columns": {"event_id": "id", "item_id": "w", "code": "c", "site_id": "s", "at": "t"},
            "attributes": {"weight_kg": "kg"},
            "latest": date(2101, 1, 1),
        }
    )
    log = create_log(tmp_path / "LOG")
    assert ingest([write(tmp_path / "a.csv", *rows, header=header)], log, known).total("rows_added") == 4
    made = changtong.export_epcis(open_log(log.path), tmp_path / "e.json")
    assert (made.rows, made.left_out) == (2, {"no-event-id": 1, "bad-time": 1})
    assert "left out, no-event-id: 1" in str(made)
    back = read_epcis(tmp_path / "e.json", NO_SITE_NEEDED).rows
    assert back["code"].to_list() == ["accept", "void"]
    assert back["attributes"][0] == '{"weight_kg":"1.5"}'


def test_other_files_are_left_as_they_are(log: EventLog, tmp_path: Path) -> None:
    for name in ("e.json", "e-0003.json"):
        (tmp_path / name).write_text("{}")
        with pytest.raises(UsageError) as caught:
            changtong.export_epcis(log, tmp_path / "e.json")
        assert caught.value.code == "not-an-export"
        assert (tmp_path / name).read_text() == "{}"
        (tmp_path / name).unlink()
    (tmp_path / "e-note.json").write_text("{}")
    changtong.export_epcis(log, tmp_path / "e.json")
    assert (tmp_path / "e-note.json").exists()


def test_a_failure_leaves_nothing(log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = EpcisDocument.add

    def failing(self: EpcisDocument, event: dict[str, Any]) -> None:
        if self.events == 9:
            raise InputError([])
        add(self, event)

    monkeypatch.setattr(EpcisDocument, "add", failing)
    with pytest.raises(InputError):
        changtong.export_epcis(log, tmp_path / "e.json", most_events=11)
    assert list(tmp_path.iterdir()) == []


def test_the_command(log: EventLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["export", str(log.path), "-o", f"{tmp_path}/e.json"]
    assert main([*ask, "--from", "2022-04-01", "--to", "2022-04-02", "--item", "W1-3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"files": [f"{tmp_path}/e.json"], "rows": 2, "events": 2, "left_out": {}}
    assert main([*ask, "--most-events", "100"]) == 0
    assert "240 rows of the log as 126 events" in capsys.readouterr().out
    for words in (["--from", "May"], ["--most-events", "0"], ["--item", "unknown"], ["--from", "2030-01-01"]):
        assert main([*ask, *words]) == 2
    assert main(["export", str(log.path), "-o", f"{log.path}/e.json"]) == 2
