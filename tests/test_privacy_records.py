"""Pseudonyms and their keys, retention and deletion, extracts, breaches."""

from __future__ import annotations

import dataclasses
import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import ChangtongError, InputError, NotFoundError, UsageError
from changtong.privacy.breach import breach_clock
from changtong.privacy.deletion import (
    Certificate,
    check_certificate,
    delete_due,
    read_certificate,
    records_digest,
)
from changtong.privacy.extracts import Hierarchy, extract, parse_hierarchy, smallest_group
from changtong.privacy.key_file import FieldKeys, drop_key, new_keys, read_keys, rotate_keys
from changtong.privacy.pseudonyms import (
    Look,
    pseudonym,
    pseudonymise_column,
    pseudonyms_of_all_keys,
    reseal_column,
    reveal,
    seal,
)
from changtong.privacy.retention import due_rows, read_retention

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
RULE = read_retention()["demonstration"]
SECRET = "Mia Wallace of the made-up street"


@pytest.fixture
def keys(tmp_path: Path) -> FieldKeys:
    return new_keys(tmp_path / "keys.json")


def test_pseudonyms_are_of_a_key_and_a_field(tmp_path: Path, keys: FieldKeys) -> None:
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    one = pseudonym(keys, "phone", "13800138000")
    assert one == pseudonym(keys, "phone", " 13800138000 ")
    assert one != pseudonym(keys, "name", "13800138000")
    assert one.startswith("k1-")
    after = rotate_keys(tmp_path / "keys.json")
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [key.state for key in after.keys] == ["retired", "active"]
    assert pseudonym(after, "phone", "13800138000").startswith("k2-")
    assert one in pseudonyms_of_all_keys(after, "phone", "13800138000")
    assert "secret" not in repr(after.keys)
    column = pseudonymise_column(pl.Series("phone", ["1", "2", "1", None, ""]), keys)
    assert column.n_unique() == 4
    assert column[0] == column[2] == pseudonym(keys, "phone", "1")


@settings(max_examples=examples(60), deadline=None)
@given(st.text(max_size=40), st.text(max_size=10))
def test_what_is_sealed_comes_back_with_a_right_only(value: str, field: str) -> None:
    keys = made_keys()
    looks: list[Look] = []

    def gate(look: Look) -> bool:
        looks.append(look)
        return True

    sealed = seal(keys, field, value)
    assert value == "" or value not in sealed or len(value) < 4
    assert reveal(keys, field, [sealed], who="desk", reason="case 7", gate=gate) == [value]
    assert looks == [Look("desk", "case 7", field, (sealed,))]
    with pytest.raises(UsageError) as caught:
        reveal(keys, field, [sealed], who="desk", reason="case 7")
    assert caught.value.code == "no-right"
    with pytest.raises(UsageError) as caught:
        reveal(keys, field, [sealed], who="desk", reason=" ", gate=gate)
    assert caught.value.code == "reason-missing"
    for wrong in (sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB"), "k1~", "k1~ä", "plain", "k1-AAAA"):
        with pytest.raises(InputError, match="bad-pseudonym"):
            reveal(keys, field, [wrong], who="desk", reason="x", gate=gate)
    with pytest.raises(InputError, match="bad-pseudonym"):
        reveal(keys, field + "x", [sealed], who="desk", reason="x", gate=gate)


def made_keys() -> FieldKeys:
    """Return the same keys for every example."""
    from changtong.privacy.key_file import FieldKey

    return FieldKeys((FieldKey("k1", "active", "", bytes(range(32))),))


def test_rotation_seals_anew_and_a_dropped_key_is_the_end(tmp_path: Path, keys: FieldKeys) -> None:
    path = tmp_path / "keys.json"
    sealed = pseudonymise_column(pl.Series("name", ["a", None, "b"]), keys, reversible=True)
    after = rotate_keys(path)
    again, changed = reseal_column(sealed, after)
    assert changed == 2
    assert [None if one is None else one[:3] for one in again] == ["k2~", None, "k2~"]
    assert reseal_column(again, after)[1] == 0
    with pytest.raises(UsageError):
        drop_key(path, "k2")
    dropped = drop_key(path, "k1")
    opened = reveal(dropped, "name", [again[0], again[2]], who="d", reason="r", gate=lambda look: True)
    assert opened == ["a", "b"]
    with pytest.raises(NotFoundError):
        reveal(dropped, "name", [sealed[0]], who="d", reason="r", gate=lambda look: True)
    with pytest.raises(UsageError):
        new_keys(path)
    told = json.loads(path.read_text("utf-8"))
    for change in (
        {"format": 2}, {"keys": []}, {"keys": told["keys"] * 2},
        {"keys": [told["keys"][0] | {"secret": "00"}]},
        {"keys": [told["keys"][0] | {"state": "retired"}]}, {"keys": "x"},
    ):  # fmt: skip
        path.write_text(json.dumps(told | change), "utf-8")
        with pytest.raises(InputError, match="bad-key"):
            read_keys(path)


def test_retention_rules_have_sources_and_open_ones_decide_nothing(tmp_path: Path) -> None:
    rules = read_retention()
    assert all(rule.source and rule.basis for rule in rules.values())
    assert rules["waybills"].delete_after_days is None
    with pytest.raises(UsageError) as caught:
        due_rows(pl.DataFrame({"at": ["2020-01-01"]}), "at", rules["waybills"], NOW)
    assert caught.value.code == "open-period"
    sound = '[x]\nname_zh = "某"\nbasis = "b"\nprovenance = "example"\nsource = "s"\ndelete_after_days = 10\n'
    for before, after in (
        ('"example"', '"usual"'), ('"s"', '""'), ("= 10", "= -1"), ("= 10", '= "ten"'), ("= 10", "= true"),
        ("delete_after", "forget_after"), ("= 10", "= 10\nkeep_at_least_days = 11"),
        ("[x]", "x = 1\n[y]"), ("[x]", "[x"),
    ):  # fmt: skip
        (tmp_path / "r.toml").write_text(sound.replace(before, after), "utf-8")
        with pytest.raises(InputError, match="bad-retention"):
            read_retention(tmp_path / "r.toml")
    (tmp_path / "r.toml").write_text(sound, "utf-8")
    assert read_retention(tmp_path / "r.toml")["x"].delete_after_days == 10


def test_due_is_what_is_older_to_the_second() -> None:
    edge = NOW - timedelta(days=365)
    texts = [(edge + timedelta(seconds=s)).isoformat() for s in (-1, 0, 1)]
    assert due_rows(pl.DataFrame({"at": texts}), "at", RULE, NOW).to_list() == [True, False, False]
    days = pl.DataFrame({"at": [date(2025, 11, 26), date(2025, 11, 27), date(2025, 11, 28)]})
    assert due_rows(days, "at", RULE, NOW).to_list() == [True, False, False]
    local = NOW.astimezone(timezone(timedelta(hours=8)))
    assert due_rows(days, "at", RULE, local).to_list() == [
        True,
        False,
        False,
    ]  # an instant, whatever its zone
    ends = pl.DataFrame({"at": ["9999-12-31", "9999-12-31T23:00-08:00", "0001-01-01T00:00+08:00"]})
    assert due_rows(ends, "at", RULE, NOW).to_list() == [False, False, True]
    assert due_rows(days.with_columns(pl.col("at").cast(pl.String)), "at", RULE, NOW).to_list() == [
        True,
        False,
        False,
    ]
    shanghai = pl.DataFrame({"at": ["2025-11-27T15:59:59+08:00", "2025-11-27T16:00:00+08:00"]})
    assert due_rows(shanghai, "at", RULE, NOW).to_list() == [True, False]
    with pytest.raises(InputError) as caught:
        due_rows(pl.DataFrame({"at": ["2020-01-01", "", None, "soon"]}), "at", RULE, NOW)
    assert [problem.row for problem in caught.value.problems] == [2, 3, 4]
    with pytest.raises(UsageError):
        due_rows(days, "at", RULE, NOW.replace(tzinfo=None))


def records() -> pl.DataFrame:
    return pl.DataFrame(
        {"at": ["2020-01-01", "2026-11-01", "2021-01-01"], "who": [SECRET, "Ann", SECRET + " too"]}
    )


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.db"])
def test_what_is_deleted_is_gone_and_certified(tmp_path: Path, keys: FieldKeys, name: str) -> None:
    path = tmp_path / name
    table = ""
    if name == "a.csv":
        records().write_csv(path)
    elif name == "a.parquet":
        records().write_parquet(path, compression="uncompressed")
    else:
        table = 'odd "table'
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute('CREATE TABLE "odd ""table" (at TEXT, who TEXT)')
            db.executemany('INSERT INTO "odd ""table" VALUES (?, ?)', records().rows())
    assert SECRET.encode() in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    made = delete_due(path, "at", RULE, now=NOW, by="desk", keys=keys, table=table)
    assert (made.records, made.left) == (2, 1)
    assert SECRET.encode() not in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"Ann" in path.read_bytes()
    assert check_certificate(made, keys, path)
    gone = records().filter(pl.col("who") != "Ann").rows()
    assert made.records_digest == records_digest(gone, keys, "k1")
    assert made.records_digest != records_digest(gone[:1], keys, "k1")
    assert SECRET not in str(made.to_json())
    for change in ({"records": 1}, {"deleted_by": "else"}, {"due_before": "2020"}, {"seal": "00"}):
        with pytest.raises(InputError, match="bad-certificate"):
            check_certificate(dataclasses.replace(made, **change), keys)  # type: ignore[arg-type]
    again = delete_due(path, "at", RULE, now=NOW, by="desk", keys=keys, table=table)
    assert (again.records, again.left) == (0, 1)
    path.write_bytes(path.read_bytes() + b"\n")
    assert not check_certificate(made, keys, path)


def test_nothing_is_deleted_where_something_is_unclear(tmp_path: Path, keys: FieldKeys) -> None:
    path = tmp_path / "a.csv"
    pl.DataFrame({"at": ["2020-01-01", ""], "who": ["a", "b"]}).write_csv(path)
    database = tmp_path / "a.db"
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE t (at TEXT)")
        db.executemany("INSERT INTO t VALUES (?)", [("2020-01-01",), (None,)])
    before = path.read_bytes(), database.read_bytes()
    calls = [
        (path, "at", "", "undated-record"), (path, "when", "", ""), (database, "at", "t", "undated-record"),
        (database, "at", "u", ""), (database, "when", "t", ""), (tmp_path / "none.csv", "at", "", ""),
        (tmp_path / "keys.json", "at", "", ""),
    ]  # fmt: skip
    for where, column, table, code in calls:
        with pytest.raises(ChangtongError, match=code or "."):
            delete_due(where, column, RULE, now=NOW, by="desk", keys=keys, table=table)
    with pytest.raises(UsageError):
        delete_due(path, "at", RULE, now=NOW, by=" ", keys=keys)
    assert (path.read_bytes(), database.read_bytes()) == before
    (tmp_path / "c.json").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="bad-certificate"):
        read_certificate(tmp_path / "c.json")


def persons(count: int, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    return pl.DataFrame(
        {
            "admin": [
                f"{draw.choice((11, 44, 51))}{draw.randint(1, 3):02d}{draw.randint(1, 4):02d}"
                for _ in range(count)
            ],
            "age": [draw.randint(18, 80) for _ in range(count)],
            "at": [
                datetime(2026, draw.randint(1, 12), draw.randint(1, 28), draw.randint(0, 23))
                for _ in range(count)
            ],
            "outcome": [draw.choice(("ok", "late", "lost")) for _ in range(count)],
        }
    )


QUASI = {"admin": Hierarchy("admin"), "age": Hierarchy("band", (5.0, 10.0, 20.0)), "at": Hierarchy("time")}


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(40, 300), st.integers(2, 9), st.integers(0, 10**6))
def test_nobody_stands_alone(count: int, k: int, seed: int) -> None:
    frame = persons(count, seed)
    made = extract(frame, QUASI, k, keep=["outcome"])
    assert smallest_group(made.frame, list(QUASI)) >= k
    assert made.smallest == smallest_group(made.frame, list(QUASI))
    assert made.suppressed <= 0.05 * count
    assert made.frame.height == count - made.suppressed
    assert 0 <= made.loss <= 1
    looser = extract(frame, QUASI, k, keep=["outcome"], suppress_share=0.3)
    assert looser.loss <= made.loss + 1e-12


def test_the_least_loss_is_found() -> None:
    frame = persons(60, 3)
    made = extract(frame, QUASI, 4)
    best = 2.0
    for admin in range(4):
        for age in range(5):
            for at in range(5):
                levels = {"admin": admin, "age": age, "at": at}
                table = pl.DataFrame([QUASI[name].at(frame[name], level) for name, level in levels.items()])
                sizes = table.group_by(table.columns).len()["len"]
                gone = sum(size for size in sizes if size < 4) / 60
                if gone <= 0.05:
                    share = (admin / 3 + age / 4 + at / 4) / 3
                    best = min(best, (1 - gone) * share + gone)
    assert made.loss == pytest.approx(best)


def test_levels_by_hand_and_various_groups() -> None:
    codes, ages = pl.Series(["440106"]), pl.Series([37, None])
    assert [Hierarchy("admin").at(codes, level)[0] for level in range(4)] == [
        "440106",
        "4401**",
        "44****",
        "*",
    ]
    assert Hierarchy("band", (5.0, 10.0)).at(ages, 2).to_list() == ["30-40", None]
    hours = pl.Series([datetime(2026, 11, 27, 8)])
    assert [Hierarchy("time").at(hours, level)[0] for level in range(5)] == [
        "2026-11-27 08", "2026-11-27", "2026-11", "2026", "*",
    ]  # fmt: skip
    frame = persons(200, 9)
    made = extract(frame, QUASI, 3, keep=["outcome"], sensitive="outcome", unlike=2)
    assert made.frame.group_by(list(QUASI)).agg(pl.col("outcome").n_unique())["outcome"].min() >= 2  # type: ignore[operator]
    assert parse_hierarchy("admin") == Hierarchy("admin")


def test_extracts_that_cannot_be_are_refused() -> None:
    frame = persons(20, 1).with_columns(tel=pl.lit("13800138000"))
    with pytest.raises(InputError, match="personal-extract"):
        extract(frame, {"admin": Hierarchy("admin")}, 2, keep=["tel"])
    with pytest.raises(InputError, match="no-extract"):
        extract(frame.head(2), {"admin": Hierarchy("admin")}, 3)
    with pytest.raises(InputError, match="wrong-type"):
        extract(frame.with_columns(admin=pl.lit("here")), {"admin": Hierarchy("admin")}, 2)
    with pytest.raises(UsageError):
        extract(frame, {"admin": Hierarchy("admin")}, 1)
    with pytest.raises(UsageError):
        extract(frame, {"admin": Hierarchy("admin")}, 2, sensitive="outcome", unlike=2)
    with pytest.raises(NotFoundError):
        extract(frame, {"where": Hierarchy("admin")}, 2)
    wide = Hierarchy("band", tuple(float(2**n) for n in range(60)))
    with pytest.raises(UsageError) as caught:
        extract(frame.with_columns(a=pl.col("age"), b=pl.col("age")), {"age": wide, "a": wide, "b": wide}, 2)
    assert caught.value.code == "too-many-levels"
    for text in ("age", "band", "band:0", "band:5,7", "band:10,5", "band:x", "admin:5", "band:inf"):
        with pytest.raises(UsageError):
            parse_hierarchy(text)


def test_the_clocks_of_a_breach(tmp_path: Path) -> None:
    clock = breach_clock(NOW, NOW + timedelta(minutes=20), records={"trails": 50, "other": 4999})
    states = {one.step.id: one.state for one in clock.steps}
    assert states["report-oral"] == "overdue"
    assert states["report-written"] == "due"
    assert states["notify-persons"] == "at-once"
    assert [one["id"] for one in clock.reached] == ["trails"]
    assert [one["id"] for one in clock.contents] == ["what", "remedies", "contact"]
    # official is only what the sources give, and none of it has hours
    assert all(one.step.after_h is None for one in clock.steps if one.step.provenance == "official")
    done = {"report-oral": NOW + timedelta(minutes=15), "report-written": NOW + timedelta(hours=3)}
    after = breach_clock(NOW, NOW + timedelta(hours=4), done=done)
    assert {one.step.id: one.state for one in after.steps if one.done_at} == {
        "report-oral": "done", "report-written": "done-late"
    }  # fmt: skip
    assert after.overdue == ()
    with pytest.raises(UsageError):
        breach_clock(NOW, NOW - timedelta(hours=1))
    with pytest.raises(UsageError):
        breach_clock(NOW.replace(tzinfo=None), NOW)
    with pytest.raises(NotFoundError):
        breach_clock(NOW, NOW, done={"sing": NOW})
    built_in = Path(breach_clock.__code__.co_filename).with_name("breach.toml").read_text("utf-8")
    for before, other in (
        ("after_h = 2.0", "after_h = -1"), ('"example"', '"usual"'), ("[[steps]]", "[[step]]"),
        ("records = 50\n", ""),
    ):  # fmt: skip
        (tmp_path / "b.toml").write_text(built_in.replace(before, other), "utf-8")
        with pytest.raises(InputError, match="bad-breach-steps"):
            breach_clock(NOW, NOW, path=tmp_path / "b.toml")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: object) -> dict[str, object]:
        code = main([*map(str, arguments), "--json"])
        made = json.loads(capsys.readouterr().out)
        assert isinstance(made, dict)
        return made | {"code": code}

    keys, source = tmp_path / "keys.json", tmp_path / "a.csv"
    records().write_csv(source)
    assert run("keys", "new", keys)["code"] == 0
    sealed = tmp_path / "sealed.csv"
    assert (
        run("pseudonymise", source, "-o", sealed, "--keys", keys, "--column", "who", "--reversible")["values"]
        == 3
    )
    assert run("keys", "rotate", keys)["code"] == 0
    again = tmp_path / "again.parquet"
    assert (
        run("pseudonymise", sealed, "-o", again, "--keys", keys, "--column", "who", "--reseal")["values"] == 3
    )
    assert pl.read_parquet(again)["who"].str.starts_with("k2~").all()
    assert run("keys", "drop", keys, "k1")["code"] == 0
    assert run("retention", "rules")["code"] == 0
    delete = (
        "retention",
        "delete",
        source,
        "--rule",
        "demonstration",
        "--column",
        "at",
        "--by",
        "desk",
        "--keys",
        keys,
    )
    assert run(*delete, "-o", tmp_path / "c.json", "--at", "2026-11-27T16:00+08:00")["records"] == 2
    assert run(*delete, "-o", tmp_path / "c.json")["code"] == 2
    assert isinstance(read_certificate(tmp_path / "c.json"), Certificate)
    assert (
        run("retention", "verify", tmp_path / "c.json", "--keys", keys, "--file", source)["file_unchanged"]
        is True
    )
    source.write_text("x", "utf-8")
    assert run("retention", "verify", tmp_path / "c.json", "--keys", keys, "--file", source)["code"] == 1
    persons(100, 2).write_csv(tmp_path / "p.csv")
    extract_ = ("extract", tmp_path / "p.csv", "-o", tmp_path / "x.csv", "--k", 4, "--keep", "outcome")
    told = run(*extract_, "--coarser", "admin=admin", "--coarser", "age=band:10,20", "--coarser", "at=time")
    assert told["code"] == 0
    assert smallest_group(pl.read_csv(tmp_path / "x.csv"), ["admin", "age", "at"]) >= 4
    assert run(*extract_, "--coarser", "admin")["code"] == 2
    assert (
        run("breach", "--at", NOW.isoformat(), "--now", (NOW + timedelta(hours=3)).isoformat())["code"] == 1
    )
    assert run("breach", "--at", "2026-11-27T08:00")["code"] == 2
    wrong = run(
        "breach", "--at", "昨天", "--now", "9999-12-31T23:59Z", "--done", "x", "--records", "trails=²"
    )
    assert [one["code"] for one in wrong["problems"]] == [
        "bad-instant", "bad-instant", "bad-usage", "bad-usage",
    ]  # fmt: skip
    assert run("breach", "--at", NOW.isoformat(), "--records", "trails=many")["code"] == 2
    assert SECRET not in capsys.readouterr().err
