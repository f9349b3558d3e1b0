"""Records erased by rule, with their files: gone from the database, on the audit, with a sealed certificate.

Three steps, so that a crash in any of them loses nothing and hides nothing: (1) in one transaction rows
are deleted and each is put on the audit; (2) files and the freed parts of the database are cleaned; (3) the
certificate is made from what the audit says and written, and the end is put on the audit. Who begins anew
after a crash ends what was begun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.deletion import check_seal, records_digest, seal_of
from changtong.privacy.key_file import FieldKeys
from changtong.rights.decide import Target
from changtong.storage.attachments import lock_erasing, sweep_files
from changtong.storage.due_records import AT_ONCE, Due, Key, find_due
from changtong.storage.engine import explained
from changtong.storage.erasure_rules import ErasureRule
from changtong.storage.rows import digest_of, now
from changtong.storage.schema import audit, from_ms, holds, metadata, registers, table_name, to_ms, users
from changtong.storage.store import Desk, Store
from changtong.storage.work import Work
from changtong.written_files import write_beside

FORMAT = 1
EVERYTHING = Target("registers", "/", "")
LIMITS = {
    "sqlite": "The rows were overwritten with zeros in the file, the file made anew and its log emptied;"
    " files of attachments were overwritten once. That erases on media that write in place; flash memory,"
    " journals, snapshots, backups, exports and copies elsewhere keep what they have.",
    "postgresql": "The rows were deleted and their tables made anew (VACUUM FULL), so that the tables no"
    " longer hold them; the old blocks were given back to the system and not overwritten. The write-ahead"
    " log and its archive, replicas, statistics of a table that is empty now, backups, exports and copies"
    " elsewhere keep what they have until they are replaced. Files of attachments were overwritten once.",
}
AUDIT_LIMIT = " The audit keeps ids, times, states and the reasons that were given for changes and looks."


@dataclass(frozen=True)
class Erasure:
    """What would be erased: the answer of a trial.

    Attributes
    ----------
    registers : tuple of dict
        For each: register, rule, basis, since, states, due_before, erased, held (why -> count), undated,
        left.
    """

    registers: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints."""
        return {"dry_run": True, "registers": list(self.registers)}

    def __str__(self) -> str:
        return "\n".join(["nothing was erased; it would be:", *_lines(self.registers)])


@dataclass(frozen=True)
class ErasureCertificate:
    """What was erased, when, by whom and under which rules; sealed with a key.

    Attributes
    ----------
    store, database : str
        Name of the file or of the database, and which kind it is.
    due_at, erased_at, finished_at : str
        Instants in ISO 8601: that the rules were applied for, of the deletion, of the end of the cleaning.
    erased_by, agreed_by : str
        Names of the two users.
    registers : tuple of dict
        As in `Erasure`.
    files : int
        Files of attachments that were overwritten and removed.
    entry : int
        Number of the erasure in the audit.
    records_digest : str
        HMAC-SHA256 over the rows; see `changtong.privacy.deletion.records_digest`.
    not_cleaned : tuple of str
        Tables that the database's user may not make anew: freed rows may still be in them.
    limits : str
        What erasing cannot reach.
    key, seal : str
        Name of the key, and HMAC-SHA256 over all the rest.
    """

    format: int
    store: str
    database: str
    due_at: str
    erased_at: str
    finished_at: str
    erased_by: str
    agreed_by: str
    registers: tuple[dict[str, Any], ...]
    files: int
    entry: int
    records_digest: str
    not_cleaned: tuple[str, ...]
    limits: str
    key: str
    seal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def __str__(self) -> str:
        total = sum(one["erased"] for one in self.registers)
        lines = [
            f"{total:,} records and {self.files:,} files erased from {self.store}",
            *_lines(self.registers),
        ]
        lines.append(f"at {self.erased_at} by {self.erased_by} with {self.agreed_by}, sealed with {self.key}")
        if self.not_cleaned:
            lines.append(f"not made anew, the database's user may not: {', '.join(self.not_cleaned)}")
        return "\n".join([*lines, self.limits])


def _lines(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for one in parts:
        held = ", ".join(f"{count:,} {why}" for why, count in one["held"].items())
        text = f"  {one['register']}: {one['erased']:,} erased, {one['left']:,} left"
        lines.append(
            text
            + (f"; held: {held}" if held else "")
            + (f"; undated: {one['undated']:,}" * bool(one["undated"]))
        )
    return lines


def try_erasure(store: Store, desk: Desk, rules: Mapping[str, ErasureRule], at: datetime) -> Erasure:
    """Tell what would be erased, and what holds the rest; nothing is changed, the look is on the audit.

    Parameters
    ----------
    store : Store
    desk : Desk
    rules : mapping
    at : datetime
        See `erase`.
    """
    check_at(at)
    with desk.work(writes=True) as work:
        work.allow("erase", EVERYTHING)
        found = find_due(work.connection, rules, at)
        work.note("try-erase", EVERYTHING, "", {"due_at": to_ms(at), "counts": found.counts()})
        return Erasure(_told(work.connection, rules, at, found))


def erase(
    store: Store,
    desk: Desk,
    second: Desk,
    rules: Mapping[str, ErasureRule],
    at: datetime,
    keys: FieldKeys,
    output: Path | None = None,
) -> ErasureCertificate:
    """Erase what is due, or end an erasure that was begun and did not come to its end.

    Parameters
    ----------
    store : Store
    desk, second : Desk
        Of two different persons who both may erase everywhere.
    rules : mapping
        Register -> rule.
    at : datetime
        The instant for which the rules are applied; not ahead of now.
    keys : FieldKeys
        Its active key seals the certificate.
    output : path, optional
        Where the certificate is written before the erasure counts as ended.

    Raises
    ------
    DeniedError
        ``not-allowed``, ``second-person-needed``.
    UsageError
        ``future-date``, ``open-period``; ``registers-busy``: the rows are gone, but cleaning is not done:
        run it again.
    """
    check_at(at)
    with desk.work(writes=True) as work:
        work.allow("erase", EVERYTHING)
        agreed = second.agree(work, "erase", EVERYTHING)
        if unfinished(work.connection) is None:
            _delete(work, agreed, rules, at, keys)
    return finish(store, desk, keys, output)


def note_erasure_care(desk: Desk, what: str = "") -> None:
    """Go on only if the person may erase; what is done with keys and certificates goes on record.

    Parameters
    ----------
    desk : Desk
    what : str
        As ``new key k2``; empty: it is only looked at.

    Raises
    ------
    DeniedError
    """
    with desk.work(writes=bool(what)) as work:
        work.allow("erase", EVERYTHING)
        if what:
            work.note("erase-care", EVERYTHING, "", {"what": what})


def check_at(at: datetime) -> None:
    """Refuse an instant ahead of now: rules would be applied before their time.

    Raises
    ------
    UsageError
        ``future-date``.
    """
    if at.tzinfo is None or at > now():
        raise UsageError(
            "Rules are applied for an instant with a zone that is not ahead of now.", "future-date"
        )


def unfinished(connection: sa.Connection) -> sa.RowMapping | None:
    """Return the entry of an erasure that did not come to its end."""
    of_registers = (audit.c.kind == "registers", audit.c.record == "")
    last = sa.select(audit.c.n, audit.c.at, audit.c.actor, audit.c.detail).where(
        *of_registers, audit.c.action == "erase"
    )
    row = connection.execute(last.order_by(audit.c.n.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    done = sa.select(audit.c.n).where(*of_registers, audit.c.action == "erase-done", audit.c.n > row["n"])
    return row if connection.execute(done.limit(1)).first() is None else None


def _told(
    connection: sa.Connection, rules: Mapping[str, ErasureRule], at: datetime, due: Due
) -> tuple[dict[str, Any], ...]:
    counts = due.counts()
    told = []
    for kind in registers:
        if kind not in rules and not counts.get(kind) and not due.held.get(kind):
            continue
        rule = rules.get(kind)
        size = sa.select(sa.func.count()).select_from(registers[kind])
        told.append(
            {
                "register": kind,
                "rule": rule.retention.name_zh if rule else "with its record",
                "basis": rule.retention.basis if rule else "",
                "since": rule.since if rule else "",
                "states": list(rule.states) if rule else [],
                "due_before": rule.retention.due_before(at).isoformat(timespec="seconds") if rule else "",
                "erased": counts.get(kind, 0),
                "held": dict(due.held.get(kind, {})),
                "undated": due.undated.get(kind, 0),
                "left": int(connection.execute(size).scalar_one()) - counts.get(kind, 0),
            }
        )
    return tuple(told)


def _delete(work: Work, agreed: str, rules: Mapping[str, ErasureRule], at: datetime, keys: FieldKeys) -> None:
    """Delete what is due, with an entry for each record and one for all."""
    lock_erasing(work.connection, alone=True)
    due = find_due(work.connection, rules, at)
    told = _told(work.connection, rules, at, due)
    order = [table.name for table in metadata.sorted_tables]
    by_kind: dict[str, list[str]] = {}
    for kind, one in due.records:
        by_kind.setdefault(kind, []).append(one)
    files = _files_of(work.connection, by_kind.get("attachment", []))
    rows: list[tuple[object, ...]] = []
    for kind in sorted(by_kind, key=lambda kind: order.index(table_name(kind)), reverse=True):
        for k in range(0, len(by_kind[kind]), AT_ONCE):
            rows += _delete_some(work, kind, by_kind[kind][k : k + AT_ONCE])
    _drop_holds(work, due.records)
    detail = {
        "due_at": to_ms(at), "agreed_by": agreed, "registers": list(told), "files": files,
        "records_digest": records_digest(rows, keys, keys.active.name), "key": keys.active.name,
    }  # fmt: skip
    work.note("erase", EVERYTHING, "", detail)


def _files_of(connection: sa.Connection, attachments: list[str]) -> int:
    """Return how many files no attachment has once these are gone."""
    table, gone = registers["attachment"], set(attachments)
    files: dict[str, bool] = {}
    for one, digest in connection.execute(sa.select(table.c.id, table.c.sha256)):
        files[digest] = files.get(digest, True) and one in gone
    return sum(files.values())


def _delete_some(work: Work, kind: str, ids: list[str]) -> list[tuple[object, ...]]:
    table = registers[kind]
    chosen = table.c.id.in_(ids)
    rows = work.connection.execute(sa.select(table).where(chosen).order_by(table.c.id)).mappings().all()
    own = [key.parent.name for key in table.foreign_keys if key.column.table is table]
    for name in own:  # what refers to its own register goes in any order
        work.connection.execute(table.update().where(chosen).values({name: None}))
    work.connection.execute(table.delete().where(chosen))
    for row in rows:
        detail = {"version": row["version"], "digest": digest_of(dict(row))}
        work.note("erase", Target(kind, row["path"], row["admin_code"]), row["id"], detail)
    return [(kind, *(_plain(value) for value in row.values())) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_ms(value)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _drop_holds(work: Work, records: Iterable[Key]) -> None:
    """Delete the lifted holds of records that are gone."""
    gone = set(records)
    chosen = work.connection.execute(sa.select(holds.c.id, holds.c.kind, holds.c.record))
    ids = [one for one, kind, record in chosen if (kind, record) in gone]
    for k in range(0, len(ids), AT_ONCE):
        work.connection.execute(holds.delete().where(holds.c.id.in_(ids[k : k + AT_ONCE])))


def finish(store: Store, desk: Desk, keys: FieldKeys, output: Path | None = None) -> ErasureCertificate:
    """Clean files and database after a deletion, make the certificate, and put the end on record."""
    with desk.work(writes=True) as work:
        work.allow("erase", EVERYTHING)
        begun = unfinished(work.connection)
        if begun is None:
            raise NotFoundError("No erasure was begun that has not come to its end.")
        work.note("sweep", EVERYTHING, "", {"files": sweep_files(work.connection, store.folder)})
    told = json.loads(begun["detail"])
    changed = [table_name(one["register"]) for one in told["registers"] if one["erased"]]
    not_cleaned = clean(store, [*changed, "holds"] if changed else [])
    with desk.work(writes=True) as work:
        made = _certificate(work, store, begun, told, not_cleaned, keys)
        if output is not None:
            write_beside(output, json.dumps(made.to_json(), ensure_ascii=False, indent=1) + "\n")
        work.note("erase-done", EVERYTHING, "", {"entry": begun["n"], "not_cleaned": list(not_cleaned)})
    return made


def _certificate(
    work: Work,
    store: Store,
    begun: Mapping[Any, Any],
    told: Mapping[str, Any],
    not_cleaned: tuple[str, ...],
    keys: FieldKeys,
) -> ErasureCertificate:
    names = dict(work.connection.execute(sa.select(users.c.id, users.c.name)).all())
    database = store.engine.dialect.name
    made = ErasureCertificate(
        format=FORMAT, store=store.place.rpartition("/")[2], database=database, due_at=_iso(told["due_at"]),
        erased_at=_iso(begun["at"]), finished_at=work.at.isoformat(timespec="seconds"),
        erased_by=names.get(begun["actor"], begun["actor"]),
        agreed_by=names.get(told["agreed_by"], told["agreed_by"]), registers=tuple(told["registers"]),
        files=told["files"], entry=int(begun["n"]),
        records_digest=told["records_digest"], not_cleaned=not_cleaned,
        limits=LIMITS[database] + AUDIT_LIMIT, key=keys.active.name,
    )  # fmt: skip
    return replace(made, seal=seal_of(keys.active, made.to_json()))


def _iso(at_ms: int) -> str:
    return from_ms(at_ms).isoformat(timespec="seconds")


def clean(store: Store, names: list[str]) -> tuple[str, ...]:
    """Make the freed parts of the database go; return the tables that may not be made anew.

    Raises
    ------
    UsageError
        ``registers-busy``: others have kept the log in use for too long.
    """
    if store.engine.dialect.name == "sqlite":
        with explained(), store.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                found = raw.execute(statement).fetchone()
                if found is not None and found[0]:
                    text = "Rows are erased, but others keep the log in use: run it again to end it."
                    raise UsageError(text, "registers-busy")
        return ()
    with explained(), store.engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        foreign = sa.text(
            "SELECT relname FROM pg_class WHERE oid = CAST(:name AS regclass)"
            " AND NOT pg_has_role(current_user, relowner, 'USAGE')"
        )
        left = []
        for name in names:
            if connection.execute(foreign, {"name": name}).first() is not None:
                left.append(name)
            else:
                connection.exec_driver_sql(f'VACUUM (FULL, ANALYZE) "{name}"')  # a name of our own tables
        return tuple(left)


def read_erasure_certificate(path: str | os.PathLike[str]) -> ErasureCertificate:
    """Read a certificate as `erase` wrote it.

    Raises
    ------
    InputError
        ``bad-certificate``.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        lists = {name: tuple(facts[name]) for name in ("registers", "not_cleaned")}
        made = ErasureCertificate(**{**facts, **lists})
        str(made)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError([Problem("bad-certificate", "This is no certificate of an erasure.")]) from error
    return made


def check_erasure(certificate: ErasureCertificate, keys: FieldKeys) -> None:
    """Check that a certificate is as it was sealed.

    Raises
    ------
    InputError
        ``bad-certificate``.
    """
    check_seal(certificate.to_json(), keys)
