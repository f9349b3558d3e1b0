"""The scan log takes each row once, tells every bad one, and loses nothing when it is killed."""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.events.duplicates import MOST_AGAIN, DayFilters
from changtong.events.hashing import siphash
from changtong.events.ingest import Ingest, ingest
from changtong.events.keys import from_pseudonym, key_of, key_words, pseudonym
from changtong.events.log import EventLog, create_log, open_log, writing
from changtong.events.mapping import Mapping, default_mapping, parse_mapping

KEY = bytes(range(16))
HEADER = "waybill,bag,scan,site,next,truck,time,class,phone"
COLUMNS = {
    "item_id": "waybill", "receptacle_id": "bag", "code": "scan", "site_id": "site", "next_site_id": "next",
    "vehicle_id": "truck", "at": "time", "service_class": "class",
}  # fmt: skip


def mapping(**more: object) -> Mapping:
    return parse_mapping({"time_zone": "Asia/Shanghai", "columns": COLUMNS, **more})


def row(item: str = "W1", scan: str = "揽收", site: str = "S1", at: str = "2022-04-01 08:00:00") -> str:
    return f"{item},B1,{scan},{site},S2,T1,{at},standard,13800000000"


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def take(tmp_path: Path, *files: Path, name: str = "LOG", **more: object) -> tuple[Ingest, EventLog]:
    path = tmp_path / name
    log = open_log(path) if path.exists() else create_log(path, key=KEY)
    found = ingest(files, log, more.pop("mapping", mapping()), key=KEY, **more)  # type: ignore[arg-type]
    return found, open_log(path)


def frame(log: EventLog) -> pl.DataFrame:
    files = log.files()
    parts = [pl.read_parquet(file, hive_partitioning=False) for file in files]
    return pl.concat(parts).sort("at_ms", "item", "code") if parts else pl.DataFrame()


def adds_up(found: Ingest) -> bool:
    parts = [found.total(name) for name in ("rows_added", "duplicates", "quarantined")]
    return found.total("rows_read") == sum(parts)


def quarantine(log: EventLog) -> list[tuple[int, str, str]]:
    files = sorted((log.path / "quarantine").glob("*.parquet"))
    found = pl.concat([pl.read_parquet(file) for file in files]).sort("row")
    return list(found.select("row", "column", "code").iter_rows())


def test_a_row_becomes_an_event(tmp_path: Path) -> None:
    found, log = take(tmp_path, write(tmp_path / "a.csv", row()))
    assert (found.total("rows_read"), found.total("rows_added")) == (1, 1)
    event = frame(log).row(0, named=True)
    assert event["at_ms"] == 1648771200000  # 2022-04-01T00:00:00Z
    assert (event["code"], event["site_id"], event["next_site_id"]) == ("accept", "S1", "S2")
    assert event["item"] == key_of(KEY, "W1")
    assert event["vehicle"] == key_of(KEY, "T1")
    assert log.days == (date(2022, 4, 1),)
    assert b"1380000" not in b"".join(file.read_bytes() for file in log.files())


def test_the_same_file_and_the_same_rows_change_nothing(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", row("W1"), row("W2"), row("W1"))
    found, log = take(tmp_path, a)
    assert [found.total(n) for n in ("rows_read", "rows_added", "duplicates")] == [3, 2, 1]
    again, log = take(tmp_path, a)
    assert again.batches == ()
    assert again.known == ("a.csv",)
    b = write(tmp_path / "b.csv", row("W3"), row("W2"))
    found, log = take(tmp_path, b)
    assert [found.total(n) for n in ("rows_read", "rows_added", "duplicates")] == [2, 1, 1]
    assert frame(log).height == log.rows == 3


def test_late_rows_land_in_their_day(tmp_path: Path) -> None:
    rows = [row(at="2022-04-03 00:00:01"), row(at="2022-04-01 23:59:59"), row(at="2022-04-02 12:00:00")]
    _, log = take(tmp_path, write(tmp_path / "a.csv", *rows))
    assert log.days == (date(2022, 4, 1), date(2022, 4, 2), date(2022, 4, 3))
    for day in log.days:
        assert pl.read_parquet(log.files(day, day)[0], hive_partitioning=False).height == 1


def test_every_bad_row_is_told(tmp_path: Path) -> None:
    rows = [
        row(),  # 1
        row(at="2022-02-30 08:00:00"),  # 2
        row(scan="飞走"),  # 3
        row(item="=cmd|'/c calc'!A0"),  # 4
        "only,three,fields",  # 5
        row(site=""),  # 6
        row(at="1971-01-01 00:00:00"),  # 7
        row().replace("W1", "W\x00"),  # 8
        row() + ",more",  # 9
        row(at=""),  # 10
        row(item="RR123456784CN"),  # 11: the check digit is 5
        row(item="RR123456785CN"),  # 12
        row().replace("W1,B1", ",").replace("T1", ""),  # 13
        '"W1"x,B1,揽收,S1,S2,T1,2022-04-01 08:00:00,standard,1',  # 14
        row(site="@SUM(A1)"),  # 15
    ]
    found, log = take(tmp_path, write(tmp_path / "a.csv", *rows))
    assert [found.total(n) for n in ("rows_read", "rows_added", "quarantined")] == [15, 2, 13]
    assert quarantine(log) == [
        (2, "at", "bad-time"), (3, "code", "unknown-code"), (4, "item_id", "bad-id"),
        (5, "", "too-few-fields"), (6, "site_id", "no-site"), (7, "at", "time-out-of-range"),

        (8, "", "nul-byte"), (9, "", "too-many-fields"),
        (10, "at", "no-time"), (11, "item_id", "s10-check-digit"),
        (13, "item_id", "no-id"),
        (14, "", "text-after-quote"), (15, "site_id", "bad-text"),
    ]  # fmt: skip


def test_the_quarantine_keeps_no_values(tmp_path: Path) -> None:
    _, log = take(tmp_path, write(tmp_path / "a.csv", row(at="13812345678"), row(scan="王小明")))
    kept = pl.read_parquet(next((log.path / "quarantine").glob("*.parquet")))
    assert kept["shape"].to_list() == ["99999999999", "aaa"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"{HEADER}\r\n{row(site='杭州')}\r\n\r\n{row(item='W2', site='杭州')}", encoding=encoding, newline=""
    )
    found, log = take(
        tmp_path, path, mapping=mapping(encoding="gb18030" if encoding == "gb18030" else "utf-8")
    )
    assert found.total("rows_added") == 2
    assert frame(log)["site_id"].to_list() == ["杭州", "杭州"]


def test_wrong_encoding_is_not_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEADER}\n{row(site='杭州')}\n", encoding="gb18030")
    found, log = take(tmp_path, path)
    assert found.total("rows_added") == 0
    assert quarantine(log)[0][2] == "unknown-code"


def test_packed_files_quotes_and_lines_within_fields(tmp_path: Path) -> None:
    text = (
        f'{HEADER}\n"W""1",B1,"揽收",S1,S2,T1,2022-04-01 08:00:00,standard,"two\nlines, one field"\n{row()}\n'
    )
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    found, log = take(tmp_path, path)
    assert found.total("rows_added") == 2
    assert set(frame(log)["item"]) == {key_of(KEY, 'W"1'), key_of(KEY, "W1")}


def test_a_packed_file_is_known_again_and_a_cut_one_adds_nothing(tmp_path: Path) -> None:
    path, cut = tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"
    rows = [row(f"W{k * 7919}", at=f"2022-04-01 08:{k % 60:02}:00") for k in range(500)]
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows]).encode()))
    cut.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError) as caught:
        take(tmp_path, cut)
    assert caught.value.problems[0].code == "unreadable-file"
    assert frame(open_log(tmp_path / "LOG")).is_empty()
    assert take(tmp_path, path)[0].total("rows_added") == 500
    assert take(tmp_path, path)[0].known == ("a.csv.gz",)


def test_what_is_no_csv_is_told(tmp_path: Path) -> None:
    table, noise = tmp_path / "a.csv", tmp_path / "b.csv"
    pl.DataFrame({"item_id": ["W1"]}).write_parquet(table)
    noise.write_bytes(b"\x01\rA\r\xff\rB" * 50)
    for path, hint in ((table, "--format parquet"), (noise, "CSV")):
        with pytest.raises(InputError) as caught:
            take(tmp_path, path)
        assert caught.value.problems[0].code == "unreadable-file"
        assert hint in caught.value.problems[0].expected


def test_an_open_quote_costs_one_row(tmp_path: Path) -> None:
    rows = ['"W0,B1,揽收,S1,S2,T1,2022-04-01 08:00:00,standard,1', row("W1"), row("W2")]
    found, log = take(tmp_path, write(tmp_path / "a.csv", *rows))
    assert (found.total("rows_added"), quarantine(log)) == (2, [(1, "", "open-quote")])


def test_times_of_a_zone(tmp_path: Path) -> None:
    rows = [
        row("A", at="2022-03-27 02:30:00"),  # skipped in Berlin
        row("B", at="2022-10-30 02:30:00"),  # there twice
        row("C", at="2022-10-30 02:30:00+01:00"),
        row("D", at="2022/7/1 8:05"),
        row("E", at="2022-12-31T23:59:59.25Z"),
    ]
    _, log = take(tmp_path, write(tmp_path / "a.csv", *rows), mapping=mapping(time_zone="Europe/Berlin"))
    assert quarantine(log) == [(1, "at", "skipped-time"), (2, "at", "ambiguous-time")]
    assert frame(log)["at_ms"].to_list() == [1656655500000, 1667093400000, 1672531199250]


def test_a_time_without_a_zone_needs_one(tmp_path: Path) -> None:
    none = parse_mapping({"columns": COLUMNS})
    _, log = take(
        tmp_path, write(tmp_path / "a.csv", row(), row(at="2022-04-01T08:00:00+08:00")), mapping=none
    )
    assert quarantine(log) == [(1, "at", "no-time-zone")]


def test_parquet_gives_the_same_events(tmp_path: Path) -> None:
    rows = [row(f"W{i}", at=f"2022-04-01 08:{i:02d}:00") for i in range(50)]
    _, from_csv = take(tmp_path, write(tmp_path / "a.csv", *rows))
    table = pl.read_csv(tmp_path / "a.csv", try_parse_dates=True).with_columns(
        pl.col("site").cast(pl.Categorical)
    )
    table.write_parquet(tmp_path / "a.parquet")
    _, log = take(tmp_path, tmp_path / "a.parquet", name="LOG2", file_format="parquet")
    assert frame(log).equals(frame(from_csv))


def test_attributes_and_event_ids(tmp_path: Path) -> None:
    header = "id,w,c,s,t,kg"
    rows = ["e1,W1,accept,S1,2022-04-01T00:00:00Z,1.5", "e1,W1,accept,S1,2022-04-01T00:00:00Z,1.5",
            "e2,W1,accept,S1,2022-04-01T00:00:00Z,", ",W1,accept,S1,2022-04-01T00:00:00Z,2"]  # fmt: skip
    columns = {"event_id": "id", "item_id": "w", "code": "c", "site_id": "s", "at": "t"}
    found, log = take(
        tmp_path, write(tmp_path / "a.csv", *rows, header=header),
        mapping=parse_mapping({"columns": columns, "attributes": {"weight_kg": "kg"}}),
    )  # fmt: skip
    assert found.total("duplicates") == 1
    kept = frame(log).sort("event_id", nulls_last=True)
    assert kept["event_id"].to_list() == ["e1", "e2", None]
    assert kept["attributes"].to_list() == ['{"weight_kg":"1.5"}', None, '{"weight_kg":"2"}']


def test_a_void_row_is_no_duplicate_of_the_event_it_names(tmp_path: Path) -> None:
    columns = {"event_id": "id", "item_id": "w", "code": "c", "site_id": "s", "at": "t"}
    rows = [f"e1,W1,{code},S1,2022-04-01T0{k}:00:00Z" for k, code in enumerate(("accept", "void", "void"))]
    known = parse_mapping({"columns": columns})
    take(tmp_path, write(tmp_path / "a.csv", *rows[:2], header="id,w,c,s,t"), mapping=known)
    found, log = take(tmp_path, write(tmp_path / "b.csv", *rows, header="id,w,c,s,t"), mapping=known)
    assert found.total("duplicates") == 3
    assert frame(log)["code"].to_list() == ["accept", "void"]


def test_missing_and_doubled_columns_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", row(), header="waybil,bag,scan,scan,next,truck,time,class,phone")
    with pytest.raises(InputError) as caught:
        take(tmp_path, path)
    assert {(p.code, p.column) for p in caught.value.problems} == {
        ("no-column", "waybill"), ("ambiguous-column", "scan"), ("no-column", "site")
    }  # fmt: skip
    assert "Did you mean 'waybil'?" in str(caught.value)


def test_wrong_mappings_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_mapping(
            {"columns": {"code": "c", "itm": "x"}, "time_zone": "Mars/Base", "codes": {"x": "fly"},
             "wrong": 1, "time_format": "%Q", "separator": ";;", "encoding": "klingon"}
        )  # fmt: skip
    assert len(caught.value.problems) == 9


def test_columns_that_are_not_ours_need_a_mapping() -> None:
    with pytest.raises(InputError) as caught:
        default_mapping(["运单号", "扫描时间"], None, "scans.csv")
    (problem,) = caught.value.problems
    assert (problem.code, problem.file) == ("bad-mapping", "scans.csv")
    assert "运单号, 扫描时间" in problem.message
    assert "--mapping" in problem.hint
    ours = default_mapping(["at", "code", "item_id", "weather"], None)
    assert ours.columns.keys() == {"at", "code", "item_id"}


def test_a_log_is_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_log(tmp_path)
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(UsageError):
        create_log(tmp_path)
    log = create_log(tmp_path / "LOG")
    with writing(log), pytest.raises(UsageError, match="Another process"), writing(log):
        pass


def test_another_key_is_refused(tmp_path: Path) -> None:
    take(tmp_path, write(tmp_path / "a.csv", row()))
    with pytest.raises(UsageError, match="not the key"):
        ingest([tmp_path / "a.csv"], open_log(tmp_path / "LOG"), mapping(), key=bytes(16))


def test_pseudonyms() -> None:
    key = key_of(KEY, "W1")
    assert from_pseudonym(pseudonym(key)) == key
    assert key != key_of(bytes(16), "W1")
    assert key_of(KEY, " W1 ") == key


def test_siphash_is_the_published_one() -> None:
    data = np.arange(15, dtype=np.uint8)  # appendix A of Aumasson and Bernstein 2012
    assert int(siphash(*key_words(KEY), data, 0, 15)) == 0xA129CA6149BE45E5


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_rows_add_up_whatever_is_in_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any bytes between good rows: nothing crashes, and what was read is accounted for."""
    tmp_path = tmp_path_factory.mktemp("fuzz")
    junk = st.binary(max_size=60) | st.sampled_from(
        [b'"', b"\0", b"\xff\xfe", b"\r", b"=1+1", b"\xef\xbb\xbf", b",,,,,,,,"]
    )
    lines = [
        row(f"W{k}").encode() if good else data.draw(junk)
        for k, good in enumerate(data.draw(st.lists(st.booleans(), max_size=12)))
    ]
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join([HEADER.encode(), *lines]))
    found, log = take(tmp_path, path)
    assert found.total("rows_read") == found.total("rows_added") + found.total("duplicates") + found.total(
        "quarantined"
    )
    assert frame(log).height == found.total("rows_added")


@settings(max_examples=examples(30), deadline=None)
@given(
    cut=st.integers(0, 3000), flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=5)
)
@example(cut=0, flips=[(1632, 128)])  # the name of a column is no UTF-8
def test_damaged_parquet_is_refused_or_counted(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flips: list[tuple[int, int]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("fuzz")
    path = tmp_path / "a.parquet"
    names = HEADER.split(",")
    pl.DataFrame([row(f"W{i}").split(",") for i in range(9)], schema=names, orient="row").write_parquet(path)
    raw = bytearray(path.read_bytes()[: cut or None])
    for at, value in flips:
        if at < len(raw):
            raw[at] = value
    path.write_bytes(bytes(raw))
    try:
        found, log = take(tmp_path, path, file_format="parquet")
    except InputError:
        assert frame(open_log(tmp_path / "LOG")).height == 0
    else:
        assert found.total("rows_read") == found.total("rows_added") + found.total(
            "duplicates"
        ) + found.total("quarantined")


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_ingest import KEY, mapping
from changtong.events.ingest import ingest
from changtong.events.log import open_log
print("ready", flush=True)
ingest([Path(f) for f in sys.argv[2:]], open_log(Path(sys.argv[1])), mapping(), key=KEY)
"""


@pytest.mark.slow
def test_killed_twenty_times_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    rng = random.Random(5)
    files = []
    for k in range(4):
        rows = [row(f"W{k}-{i}", at=f"2022-04-0{1 + i % 3} 08:00:{i % 60:02d}") for i in range(60_000)]
        files.append(write(tmp_path / f"f{k}.csv", *rows, *rows[:500]))
    log = create_log(tmp_path / "LOG", key=KEY)
    code = CHILD.format(tests=str(Path(__file__).parent))
    killed = 0
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(log.path), *map(str, files)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 1.2))
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            killed += 1
        child.wait()
        child.stdout.close()
        for file in open_log(log.path).files():
            assert pl.read_parquet(file, hive_partitioning=False).height
    assert killed
    ingest(files, open_log(log.path), mapping(), key=KEY)
    log = open_log(log.path)
    assert log.rows == frame(log).height == 240_000
    assert frame(log)["row_key"].n_unique() == 240_000
    assert sorted(batch.source for batch in log.batches) == sorted(file.name for file in files)
    assert set((log.path / "events").glob("day=*/*")) == set(log.files())


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_filters_of_days_forget_no_key_however_few_are_held(seed: int, turns: int) -> None:
    rng = np.random.default_rng(seed)
    days = {day: rng.integers(-(2**63), 2**63 - 1, 50) for day in range(5)} | {7: np.empty(0, np.int64)}
    made: list[int] = []

    def keys_of(day: int) -> Iterator[np.ndarray]:
        made.append(day)
        yield from np.array_split(days[day], 3)

    filters = DayFilters(keys_of, lambda day: len(days[day]), most_rows=120)
    for day in rng.choice(list(days), turns).tolist():
        seen = filters.seen(day, days[day])
        assert (seen is None) == (day == 7)
        assert seen is None or seen.all()
        held = [other for other, one in filters._filters.items() if one is not None]
        assert len(held) <= 2 or filters._again > MOST_AGAIN
    assert len(made) <= 5 + MOST_AGAIN + 5  # made again some times, then all are held
    fresh = rng.integers(-(2**63), 2**63 - 1, 2000)
    seen = filters.seen(0, fresh)
    assert seen is not None
    assert seen.mean() < 0.05
