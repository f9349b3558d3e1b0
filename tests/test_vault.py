"""The vault gives ids back only with the key, a right and a reason, and holds every id of the log."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ingest import HEADER, mapping, row, write

from changtong.cli import main
from changtong.errors import ChangtongError, InputError, NotFoundError, UsageError
from changtong.events.ingest import Ingest, ingest
from changtong.events.keys import PLAIN_KEY, key_of, pseudonym
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.sources import text_of
from changtong.events.vault import blocks, keep_ids, rights, store
from changtong.events.vault.blocks import Ids, add_ids, find_ids
from changtong.events.vault.keep_ids import KeptIds
from changtong.events.vault.resolve import keys_of_pseudonyms, resolve, with_ids
from changtong.events.vault.rights import Right, read_right, write_right
from changtong.events.vault.store import Vault, create_vault, open_vault

KEY = bytes(range(32))
OTHER = bytes(range(16)) + bytes(16)  # the same pseudonyms, another vault
SOON = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "ids.vault", KEY) as made:
        yield made


def ids_of(texts: list[str]) -> Ids:
    raw = [text.encode() for text in texts]
    keys = np.array([key_of(KEY[:16], text) for text in texts], np.int64)
    return Ids(keys, np.array([len(r) for r in raw], np.int64), np.frombuffer(b"".join(raw), np.uint8))


def put(vault: Vault, *texts: str) -> int:
    with vault.db() as db:
        return add_ids(db, vault.cipher, ids_of(list(texts)))


def found(vault: Vault, *texts: str) -> list[str | None]:
    with vault.db() as db:
        got = find_ids(db, vault.cipher, ids_of(list(texts)).keys)
    return [got.get(key_of(KEY[:16], text)) for text in texts]


def take(tmp_path: Path, vault: Vault | None, *files: Path, **more: object) -> tuple[Ingest, EventLog]:
    path = tmp_path / "LOG"
    log = open_log(path) if path.exists() else create_log(path, key=KEY)
    got = ingest(files, log, more.pop("mapping", mapping()), key=KEY, vault=vault)  # type: ignore[arg-type]
    return got, open_log(path)


def keys_in(log: EventLog) -> set[int]:
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in log.files()]
    columns = [frame[name] for frame in frames for name in ("item", "receptacle", "vehicle")]
    return set(pl.concat([c.rename("key") for c in columns]).drop_nulls()) if columns else set()


def is_whole(log: EventLog, vault: Vault) -> bool:
    """Whether every pseudonym of the log has its id."""
    keys = keys_in(log)
    with vault.db() as db:
        got = find_ids(db, vault.cipher, np.array(sorted(keys), np.int64))
    assert all(key_of(KEY[:16], text) == key for key, text in got.items())
    return got.keys() == keys


def test_an_id_comes_back(tmp_path: Path, vault: Vault) -> None:
    made, log = take(tmp_path, vault, write(tmp_path / "a.csv", row("W1"), row("包裹2"), row("W1")))
    assert made.vault_ids == len(vault) == vault.check() == 4  # W1, 包裹2, B1, T1
    assert is_whole(log, vault)
    names = [pseudonym(key_of(KEY[:16], text)) for text in ("包裹2", "T1", "unknown")]
    got = resolve(vault, names, vault.grant("desk", SOON), "a customs question")
    assert got.ids["id"].to_list() == ["包裹2", "T1"]
    assert got.missing == (names[2],)
    assert "包裹2" not in repr(got)
    assert str(got).splitlines()[2] == f"{names[2]}  not in the vault"


def test_ids_and_tokens_are_not_in_the_file(tmp_path: Path, vault: Vault) -> None:
    texts = [f"WAYBILL{k:05}" for k in range(100)]
    put(vault, *texts)
    right = vault.grant("desk", SOON)
    raw = vault.path.read_bytes()
    assert b"WAYBILL" not in raw
    assert right.token.encode() not in raw
    assert right.token not in repr(right)
    assert KEY not in raw
    assert KEY[16:] not in raw
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600


@settings(max_examples=examples(20), deadline=None)
@given(
    parts=st.lists(
        st.lists(st.text("abc0123官", min_size=1, max_size=3), max_size=12, unique=True), max_size=20
    )
)
def test_each_id_is_there_once_whatever_comes_when(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_IDS", 3)
        patch.setattr(blocks, "RUNS", 2)
        patch.setattr(blocks, "SLICE_IDS", 4)
        with create_vault(tmp_path_factory.mktemp("vault") / "v", KEY) as vault:
            every: set[str] = set()
            for part in parts:
                if part:
                    assert put(vault, *part) == len(set(part) - every)
                every |= set(part)
            assert vault.check() == len(vault) == len(every)
            asked = [*every, "never"]
            assert found(vault, *asked) == [*every, None]
            with vault.db() as db:
                levels = db.execute("SELECT level, count(*) FROM runs GROUP BY level").fetchall()
            assert all(count < 2 for _, count in levels)


def test_more_ids_than_wait_in_memory(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_ids, "MOST_IDS", 7)
    monkeypatch.setattr(keep_ids, "PLACES", 16)
    texts = [f"W{k % 60}" if k % 5 else None for k in range(300)]
    text = text_of(pa.array(texts))
    keys = np.array([0 if one is None else key_of(KEY[:16], one) for one in texts], np.int64)
    good = np.arange(300) < 200
    kept = KeptIds(vault)
    kept.note(text, keys, good)
    kept.finish("digest")
    want = {one for one in texts[:200] if one is not None}
    assert kept.added == vault.check() == len(want)
    assert found(vault, *want) == list(want)
    assert vault.has_file("digest")


def test_bad_rows_leave_no_id(tmp_path: Path, vault: Vault) -> None:
    take(tmp_path, vault, write(tmp_path / "a.csv", row("W1"), row("W2", scan="飞走"), row("W3", at="?")))
    assert found(vault, "W1", "W2", "W3") == ["W1", None, None]


def test_a_log_begun_without_a_vault_gets_one(tmp_path: Path, vault: Vault) -> None:
    a, b = write(tmp_path / "a.csv", row("W1")), write(tmp_path / "b.csv", row("W2"))
    take(tmp_path, None, a)
    made, log = take(tmp_path, vault, b)
    assert made.vault_lacks == ("a.csv",)
    assert "give them again" in str(made)
    assert not is_whole(log, vault)
    rows = log.rows
    made, log = take(tmp_path, vault, a)
    assert (made.known, made.vault_lacks, made.vault_ids, log.rows) == (("a.csv",), (), 1, rows)
    assert is_whole(log, vault)


def test_a_file_read_again_by_another_mapping_does_not_count(tmp_path: Path, vault: Vault) -> None:
    a = write(tmp_path / "a.csv", row("W1"))
    take(tmp_path, None, a)
    columns = {"item_id": "phone", "code": "scan", "site_id": "site", "at": "time"}
    made, log = take(tmp_path, vault, a, mapping=mapping(columns=columns))
    assert made.vault_lacks == ("a.csv",)
    assert not is_whole(log, vault)


@pytest.mark.parametrize(
    ("right", "reason", "code"),
    [
        (None, "why", "no-right"),
        ("good", " ", "reason-missing"),
        ("token", "why", "wrong-right"),
        ("name", "why", "wrong-right"),
        ("over", "why", "right-expired"),
        ("revoked", "why", "wrong-right"),
    ],
)
def test_nothing_is_given_by_default(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, right: str | None, reason: str, code: str
) -> None:
    put(vault, "SECRET-ID")
    good = vault.grant("desk", SOON)
    revoked = vault.grant("left", SOON)
    vault.revoke("left")
    over = vault.grant("over", SOON)
    late = round(SOON.timestamp() * 1000)
    with monkeypatch.context() as patch:
        if right == "over":
            patch.setattr(rights, "_now_ms", lambda: late)
        held = {
            None: None, "good": good, "token": Right("desk", good.token[:-1] + "!"),
            "name": Right("nobody", good.token), "over": over, "revoked": revoked,
        }[right]  # fmt: skip
        with pytest.raises(UsageError) as caught:
            resolve(vault, [key_of(KEY[:16], "SECRET-ID")], held, reason)
    assert caught.value.code == code
    assert "SECRET-ID" not in str(caught.value)
    events = vault.record()["event"].to_list()
    refused = code in ("wrong-right", "right-expired")
    assert events == ["granted", "granted", "revoked", "granted", *(["refused"] if refused else [])]
    assert resolve(vault, [key_of(KEY[:16], "SECRET-ID")], good, "why").ids.height == 1


def test_rights_are_kept_apart(vault: Vault, tmp_path: Path) -> None:
    right = vault.grant("台长", SOON)
    write_right(right, tmp_path / "r")
    assert read_right(tmp_path / "r") == right
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="there already"):
        write_right(right, tmp_path / "r")
    with pytest.raises(UsageError) as caught:
        vault.grant("台长", SOON)
    assert caught.value.code == "right-exists"
    with pytest.raises(NotFoundError):
        vault.revoke("nobody")
    for name, until in (("", SOON), ("a\nb", SOON), ("x", SOON.replace(tzinfo=None)),
                        ("x", SOON - timedelta(days=2))):  # fmt: skip
        with pytest.raises(UsageError):
            vault.grant(name, until)
    (tmp_path / "bad").write_text('{"name": "x"}')
    with pytest.raises(InputError, match="bad-right"):
        read_right(tmp_path / "bad")
    assert vault.rights().select("name", "is_over").rows() == [("台长", False)]


def test_a_right_put_in_without_the_key_is_none(vault: Vault) -> None:
    """Who can write to the file, and knows how a right looks, but has no key."""
    put(vault, "W1")
    mine = vault.grant("mine", SOON)
    with closing(sqlite3.connect(vault.path)) as db, db:
        db.execute("UPDATE rights SET until_ms = until_ms + 1000000")
    with pytest.raises(InputError, match="damaged-vault"):
        resolve(vault, [1], mine, "why")
    with pytest.raises(InputError, match="damaged-vault"):
        vault.rights()


@pytest.mark.parametrize("key", [bytes(32)[::-1][:31] + b"\1", OTHER, KEY[:31] + b"\0"])
def test_another_key_opens_nothing(vault: Vault, key: bytes) -> None:
    put(vault, "W1")
    with pytest.raises(UsageError) as caught:
        open_vault(vault.path, key)
    assert caught.value.code in ("wrong-key", "vault-needs-key")


def test_a_vault_is_outside_the_log_and_needs_a_key(tmp_path: Path, vault: Vault) -> None:
    log = create_log(tmp_path / "LOG", key=KEY)
    with pytest.raises(UsageError) as caught:
        create_vault(log.path / "ids.vault", KEY)
    assert caught.value.code == "vault-in-log"
    with pytest.raises(UsageError) as caught:
        create_vault(tmp_path / "plain.vault", PLAIN_KEY)
    assert caught.value.code == "vault-needs-key"
    with pytest.raises(UsageError, match="there already"):
        create_vault(vault.path, KEY)
    with pytest.raises(NotFoundError):
        open_vault(tmp_path / "none.vault", KEY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["LOG", "ids.vault"]
    with pytest.raises(UsageError) as caught:
        ingest([], create_log(tmp_path / "LOG2", key=OTHER), mapping(), key=OTHER, vault=vault)
    assert caught.value.code == "wrong-key"


def test_every_look_is_on_record_and_the_record_is_a_chain(tmp_path: Path, vault: Vault) -> None:
    put(vault, "W1", "W2")
    right = vault.grant("desk", SOON)
    keys = [key_of(KEY[:16], "W1"), key_of(KEY[:16], "none")]
    resolve(vault, keys, right, "first")
    head = vault.check_record().head
    resolve(vault, keys[:1], right, "second")
    checked = vault.check_record(head)
    assert (checked.entries, checked.looks) == (3, 2)
    table = vault.record()
    assert table.select("event", "name", "reason", "asked", "found").rows()[1:] == [
        ("resolved", "desk", "first", 2, 1), ("resolved", "desk", "second", 1, 1)
    ]  # fmt: skip
    assert table["pseudonyms"][2] == pseudonym(keys[0])
    assert "W1" not in str(table.rows())
    changes = [
        "UPDATE record SET reason = 'other' WHERE n = 2",
        "UPDATE record SET name = 'other' WHERE n = 3",
        "UPDATE record SET pseudonyms = zeroblob(8) WHERE n = 3",
        "DELETE FROM record WHERE n = 2",
        "DELETE FROM record WHERE n = 1",
        "UPDATE record SET n = 4 WHERE n = 3",
    ]
    for number, change in enumerate(changes):
        copy = tmp_path / f"copy{number}"
        shutil.copy(vault.path, copy)
        with closing(sqlite3.connect(copy)) as db, db:
            db.execute(change)
        with open_vault(copy, KEY) as other, pytest.raises(InputError, match="broken-record"):
            other.check_record()
    with closing(sqlite3.connect(vault.path)) as db, db:
        db.execute("DELETE FROM record WHERE n > 1")
    assert vault.check_record().entries == 1  # cut off at its end: found by the head noted elsewhere
    with pytest.raises(InputError, match="cut off"):
        vault.check_record(head)


def test_what_stands_in_another_place_or_was_changed_is_refused(tmp_path: Path, vault: Vault) -> None:
    put(vault, *(f"W{k}" for k in range(20)))
    put(vault, *(f"V{k}" for k in range(20)))
    right = vault.grant("desk", SOON)
    for number, change in enumerate(
        [
            "UPDATE blocks SET sealed = (SELECT sealed FROM blocks WHERE block = 1)",
            "UPDATE blocks SET pseudonyms = (SELECT pseudonyms FROM blocks WHERE block = 1)",
            "UPDATE blocks SET pseudonyms = substr(pseudonyms, 1, 80)",
            "UPDATE blocks SET pseudonyms = 'text'",
            "UPDATE blocks SET nonce = x'00'",
        ]
    ):
        copy = tmp_path / f"copy{number}"
        shutil.copy(vault.path, copy)
        with closing(sqlite3.connect(copy)) as db, db:
            db.execute(change)
        with open_vault(copy, KEY) as other:
            with pytest.raises(InputError, match="damaged-vault"):
                other.check()
            with pytest.raises(InputError, match="damaged-vault"):
                resolve(other, ids_of([f"V{k}" for k in range(20)]).keys.tolist(), right, "why")
    with closing(sqlite3.connect(vault.path)) as db, db:
        db.execute("DELETE FROM blocks WHERE block = 2")
    with pytest.raises(InputError, match="damaged-vault"):
        vault.check()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Right]:
    """The bytes of a vault of two ids, and a right to them."""
    path = tmp_path_factory.mktemp("sound") / "v"
    with create_vault(path, KEY) as vault:
        put(vault, "SECRET1", "SECRET2")
        right = vault.grant("desk", SOON)
    return path.read_bytes(), right


@settings(max_examples=examples(40), deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 99),
)
def test_a_damaged_file_gives_an_error_or_the_right_id(
    tmp_path_factory: pytest.TempPathFactory,
    sound: tuple[bytes, Right],
    flips: list[tuple[int, int]],
    cut: int,
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "v"
    raw = bytearray(sound[0])
    for at, value in flips:
        raw[at % len(raw)] = value
    path.write_bytes(raw[: len(raw) - 2000 * cut] if cut < 20 else raw)
    told, got = "", ["SECRET1"]
    try:
        with open_vault(path, KEY) as vault:
            got = resolve(vault, [key_of(KEY[:16], "SECRET1")], sound[1], "why").ids["id"].to_list()
    except ChangtongError as error:
        told = str(error)
    assert "SECRET" not in told
    assert got in (["SECRET1"], [])


def test_who_waits_too_long_is_told(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    right = vault.grant("desk", SOON)
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    with closing(sqlite3.connect(vault.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_vault(vault.path, KEY) as late, pytest.raises(UsageError) as caught:
            resolve(late, [1], right, "why")
    assert caught.value.code == "vault-busy"
    assert vault.check_record().looks == 0


def test_pseudonyms_as_text_and_numbers() -> None:
    assert keys_of_pseudonyms([pseudonym(-5), "-5", -5, "7"]) == [-5, 7]
    with pytest.raises(InputError) as caught:
        keys_of_pseudonyms(["RR123456785CN", "1", str(2**63), "p1"])
    assert [problem.code for problem in caught.value.problems] == ["bad-pseudonym"] * 3
    assert "RR123456785CN" not in str(caught.value)


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_ingest import mapping
from test_vault import KEY
from changtong.events import vault
from changtong.events.ingest import ingest
from changtong.events.log import open_log
from changtong.events.vault import blocks, keep_ids
from changtong.events.vault.store import open_vault
keep_ids.MOST_IDS, blocks.RUNS, blocks.SLICE_IDS = 3000, 3, 5000
print("ready", flush=True)
with open_vault(Path(sys.argv[2]), KEY) as vault:
    ingest([Path(f) for f in sys.argv[3:]], open_log(Path(sys.argv[1])), mapping(), key=KEY, vault=vault)
"""


@pytest.mark.slow
def test_killed_again_and_again_no_id_is_lost_or_doubled(tmp_path: Path) -> None:
    rng = random.Random(5)
    files = []
    for k in range(4):
        rows = [row(f"W{k}-{i // 2}", at=f"2022-04-0{1 + i % 3} 08:00:{i % 60:02d}") for i in range(20_000)]
        files.append(write(tmp_path / f"f{k}.csv", *rows))
    log, path = create_log(tmp_path / "LOG", key=KEY), tmp_path / "ids.vault"
    create_vault(path, KEY).close()
    code = CHILD.format(tests=str(Path(__file__).parent))
    killed = 0
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(log.path), str(path), *map(str, files)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 1.5))
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            killed += 1
        child.wait()
        child.stdout.close()
        with open_vault(path, KEY) as vault:
            assert vault.check() == len(vault)
            assert is_whole(open_log(log.path), vault)
    assert killed
    with open_vault(path, KEY) as vault:
        made = ingest(files, open_log(log.path), mapping(), key=KEY, vault=vault)
        assert made.vault_lacks == ()
        assert vault.check() == 40_002  # items, a bag, a vehicle
        assert is_whole(open_log(log.path), vault)


# -- the commands ----------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two items in one bag, its vault and a right, made by the commands."""
    monkeypatch.setenv("CHANGTONG_KEYS", str(tmp_path / "keys"))
    rows = [
        row("PARCEL1"),
        row("PARCEL2", at="2022-04-01 09:00:00"),
        row("PARCEL1", "deliver", "S2", "2022-04-02"),
    ]
    header = HEADER
    columns = "\n".join(
        f'{field} = "{name}"'
        for field, name in {
            "item_id": "waybill", "receptacle_id": "bag", "code": "scan", "site_id": "site", "at": "time",
        }.items()
    )  # fmt: skip
    (tmp_path / "m.toml").write_text(f'time_zone = "Asia/Shanghai"\n[columns]\n{columns}\n', "utf-8")
    a = write(tmp_path / "a.csv", *rows, header=header)
    assert main(["ingest", str(a), "--log", f"{tmp_path}/LOG", "--mapping", f"{tmp_path}/m.toml",
                 "--vault", f"{tmp_path}/ids.vault"]) == 0  # fmt: skip
    assert main(["rights", f"{tmp_path}/LOG", "--vault", f"{tmp_path}/ids.vault", "--grant", "desk",
                 "--until", "2199-12-31", "-o", f"{tmp_path}/desk.right"]) == 0  # fmt: skip
    return tmp_path


def test_the_command_resolves(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log(run / "LOG")
    items = pl.read_parquet(log.files()[0], hive_partitioning=False)["item"].unique(maintain_order=True)
    terms = ["--vault", f"{run}/ids.vault", "--right", f"{run}/desk.right", "--reason", "a question"]
    capsys.readouterr()
    asked = [pseudonym(items[0]), "--", str(items[1])]
    assert main(["resolve", f"{run}/LOG", *terms, *asked]) == 0
    shown = capsys.readouterr()
    assert [line.split()[1] for line in shown.out.splitlines()] == ["PARCEL1", "PARCEL2"]
    assert "PARCEL" not in shown.err
    assert main(["resolve", f"{run}/LOG", *terms, "--json", pseudonym(1)]) == 1
    assert capsys.readouterr().out == f'{{"ids": [], "missing": ["{pseudonym(1)}"]}}\n'
    assert (
        main(["resolve", f"{run}/LOG", "--vault", f"{run}/ids.vault", "--verify", "-o", f"{run}/r.csv"]) == 0
    )
    out = capsys.readouterr().out
    assert "3 entries" in out
    assert "2 of them looks" in out
    assert "3 ids" in out
    assert pl.read_csv(run / "r.csv")["event"].to_list() == ["granted", "resolved", "resolved"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"--right": None}, "no-right"),
        ({"--reason": None}, "reason-missing"),
        ({"--vault": None}, "bad-usage"),
        ({"--vault": "a.csv"}, "damaged-vault"),
        ({"--vault": "none"}, "not-found"),
        ({"--right": "a.csv"}, "bad-right"),
        ({"--key": "a.csv"}, "bad-key"),
        ({"--key": "other.key"}, "wrong-key"),
        ({"--verify": ""}, "bad-usage"),
    ],
)
def test_the_command_refuses(
    run: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str | None], code: str
) -> None:
    (run / "other.key").write_text(bytes(range(32)).hex())
    options: dict[str, str | None] = {"--vault": "ids.vault", "--right": "desk.right", "--reason": "why"}
    words = []
    for option, value in (options | change).items():
        if value is not None:
            words += [option] if not value else [option, value if option == "--reason" else f"{run}/{value}"]
    assert main(["resolve", f"{run}/LOG", *words, pseudonym(1)]) == 2
    shown = capsys.readouterr()
    assert f"[{code}]" in shown.err
    assert "PARCEL" not in shown.out + shown.err


def test_rights_are_listed_and_taken_back(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["rights", f"{run}/LOG", "--vault", f"{run}/ids.vault"]) == 0
    assert capsys.readouterr().out == "to the end of 2199-12-31  desk\n"
    assert main(["rights", f"{run}/LOG", "--vault", f"{run}/ids.vault", "--revoke", "desk"]) == 0
    assert capsys.readouterr().out == "no rights\n"
    assert main(["rights", f"{run}/LOG", "--vault", f"{run}/ids.vault", "--grant", "x"]) == 2
    grant = ["--grant", "x", "--until", "2199-01-01", "-o", f"{run}/desk.right"]
    assert main(["rights", f"{run}/LOG", "--vault", f"{run}/ids.vault", *grant]) == 2  # the file is there
    assert main(["rights", f"{run}/LOG", "--vault", f"{run}/ids.vault"]) == 0
    assert capsys.readouterr().out == "no rights\n"


def test_a_trace_gets_ids_on_the_same_terms(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["trace", f"{run}/LOG", "--item", "PARCEL1", "--vault", f"{run}/ids.vault"]
    right = ["--right", f"{run}/desk.right", "--reason", "who met it"]
    assert main([*ask, "-o", f"{run}/T", "--reason", "why"]) == 2
    assert "[no-right]" in capsys.readouterr().err
    assert main([*ask, *right]) == 2  # no folder for the ids
    assert not (run / "T").exists()
    assert main([*ask, *right, "-o", f"{run}/T"]) == 0
    assert "PARCEL" not in "".join(capsys.readouterr())
    items = pl.read_csv(run / "T" / "items.csv")
    assert items["item_id"].to_list() == ["PARCEL1", "PARCEL2"]
    assert items["tied_to_id"].to_list() == [None, "PARCEL1"]
    assert pl.read_csv(run / "T" / "receptacles.csv")["receptacle_id"].to_list() == ["B1"]
    assert main(["trace", f"{run}/LOG", "--item", "PARCEL1", "-o", f"{run}/T"]) == 0
    assert "item_id" not in pl.read_csv(run / "T" / "items.csv").columns


def test_ingest_refuses_a_vault_in_the_log_or_without_a_key(run: Path) -> None:
    a = write(run / "b.csv", row())
    ask = ["ingest", str(a), "--mapping", f"{run}/m.toml", "--log", f"{run}/NEW"]
    assert main([*ask, "--vault", f"{run}/NEW/ids.vault"]) == 2
    assert main([*ask, "--vault", f"{run}/new.vault", "--plain-ids"]) == 2
    assert not (run / "NEW").exists()
    assert main([*ask, "--plain-ids"]) == 0
    assert main([*ask, "--vault", f"{run}/new.vault"]) == 2
    assert not (run / "new.vault").exists()


def test_with_ids_needs_the_same(vault: Vault) -> None:
    from changtong.events.trace_log import trace

    log = create_log(vault.path.parent / "LOG", key=KEY)
    ingest([write(vault.path.parent / "a.csv", row("W1"))], log, mapping(), key=KEY, vault=vault)
    made = trace(open_log(log.path), site="S1")
    with pytest.raises(UsageError, match="without a right"):
        with_ids(made, vault, None, "why")
    named = with_ids(made, vault, vault.grant("desk", SOON), "why")
    assert named.items["item_id"].to_list() == ["W1"]
    assert named.vehicles["vehicle_id"].to_list() == ["T1"]
    assert made.items.columns == named.items.columns[: len(made.items.columns)]
