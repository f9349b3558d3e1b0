"""What tasks, hazards, visits and villages count over a period, from files and from the registers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.value_sources import value_sources
from changtong.rural.county_folder import read_county
from changtong.rural.coverage import coverage
from changtong.safety.collection import read_collection
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.ledger_folder import read_ledger
from changtong.safety.supervision import read_table, visited
from changtong.safety.tasks import COUNT_SCHEMA
from changtong.scorecards.counted import FINDINGS, Counted, items_of
from changtong.storage.records import Record

HAZARDS: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "site_id": pl.String(),
    "grade": pl.String(),
    "found_on": pl.Date(),
    "deadline": pl.Date(),
    "closed_on": pl.Date(),
}
VISITS: dict[str, pl.DataType] = {"inspection_id": pl.String(), "site_id": pl.String(), "on": pl.Date()}
CLOSED = ("planned", "closed")


@dataclass(frozen=True)
class Read:
    """A table that was read, with what it was read from.

    Attributes
    ----------
    frame : polars.DataFrame
    input, digest : str
    """

    frame: pl.DataFrame
    input: str
    digest: str


def digest_of_files(paths: Sequence[Path]) -> str:
    """Return a SHA-256 over files, in their order."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def digest_of_records(records: Iterable[Record]) -> str:
    """Return a SHA-256 over the ids and versions of records: which they were, and how new."""
    total = hashlib.sha256()
    for name in sorted(f"{one.kind} {one.id} {one.version}" for one in records):
        total.update(f"{name}\n".encode())
    return total.hexdigest()


# --- tasks ----------------------------------------------------------------------------------------


def count_tasks(paths: Sequence[Path], names: Iterable[str], begin: date, end: date) -> dict[str, Counted]:
    """Return what sources of tasks count, by subject, from ``counts.csv`` of ``safety tasks``.

    Parameters
    ----------
    paths : sequence of Path
    names : iterable of str
    begin, end : date
        Deadlines of what counts.

    Raises
    ------
    InputError
    """
    needed = ("task_id", "subject", "deadline", "outcome")
    read = [read_table(path, COUNT_SCHEMA, needed) for path in paths]
    frame = pl.concat(read) if read else pl.DataFrame(schema=COUNT_SCHEMA)
    frame = frame.filter(pl.col("deadline").is_between(begin, end) & (pl.col("outcome") != "cancelled"))
    digest, told = digest_of_files(paths), ", ".join(path.name for path in paths)
    rules: dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
        "on_time_share": (("on_time",), ("on_time", "late", "overdue")),
        "done_share": (("on_time", "late"), ("on_time", "late", "overdue", "open")),
        "overdue_tasks": (("overdue",), None),
    }
    made = {}
    for source in names:
        part, whole = rules[value_sources()[source].name]
        kept = frame if whole is None else frame.filter(pl.col("outcome").is_in(whole))
        items = kept.select(
            key="subject",
            item_id=pl.format("{}/{}", pl.col("decision_id").fill_null("task"), "task_id"),
            what="outcome",
            numerator=pl.col("outcome").is_in(part).cast(pl.Int64),
            denominator=pl.lit(None if whole is None else 1, pl.Int64),
        )
        # who has no task at all in the period is not without overdue ones: nothing is known
        made[source] = Counted(items, "subject", False, told, digest)
    return made


# --- hazards --------------------------------------------------------------------------------------


def hazards_of_ledger(folder: Path) -> Read:
    """Read the hazards of a ledger folder; those withdrawn are none.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        ``not-a-ledger``.
    """
    rules = read_hazard_rules()
    table = read_ledger(folder, rules).table().filter(pl.col("state") != "withdrawn")
    closed = [None if at is None else rules.day_of(at) for at in table["closed_at"].to_list()]
    frame = table.with_columns(closed_on=pl.Series(closed, dtype=pl.Date)).select(list(HAZARDS))
    is_closed = pl.Series([state == "closed" for state in table["state"]], dtype=pl.Boolean)
    frame = frame.with_columns(closed_on=pl.when(is_closed).then("closed_on"))
    events = folder / "events.csv"
    return Read(frame.cast(HAZARDS), folder.name, digest_of_files([events] if events.is_file() else []))  # type: ignore[arg-type]


def hazards_of_registers(records: Sequence[Record], sites: Mapping[str, str], zone: Any) -> Read:
    """Return the hazards of the registers as those of a ledger.

    Parameters
    ----------
    records : sequence of Record
    sites : mapping
        Record of a site -> its ``site_id``.
    zone : tzinfo
        Of days.
    """

    def day(at: datetime | None) -> date | None:
        return None if at is None else at.astimezone(zone).date()

    rows = []
    for one in records:
        closed = None
        if one["state"] == "closed":  # one written by hand has no ledger's closing time
            closed = one.values.get("closed_at") or one.values.get("recheck_at") or one.updated_at
        rows.append(
            {"hazard_id": one.id, "site_id": sites.get(one["site"] or ""), "grade": one["grade"],
             "found_on": day(one["found_at"]), "deadline": day(one["deadline"]), "closed_on": day(closed)}
        )  # fmt: skip
    kept = [row for row, one in zip(rows, records, strict=True) if one["state"] != "withdrawn"]
    return Read(pl.DataFrame(kept, HAZARDS), "registers: hazard", digest_of_records(records))


def count_hazards(read: Read, names: Iterable[str], begin: date, end: date) -> dict[str, Counted]:
    """Return what sources of hazards count, by site; closed is what was closed by the end of the period.

    Parameters
    ----------
    read : Read
        `HAZARDS`.
    names : iterable of str
    begin, end : date
    """
    due = read.frame.filter(pl.col("deadline").is_between(begin, end))
    in_time = pl.col("closed_on").is_not_null() & (pl.col("closed_on") <= pl.col("deadline"))
    closed = pl.col("closed_on").is_not_null() & (pl.col("closed_on") <= end)
    found = read.frame.filter((pl.col("grade") == "major") & pl.col("found_on").is_between(begin, end))
    made = {}
    for source in names:
        name = value_sources()[source].name
        if name == "closed_in_time_share":
            items, zero = _hazard_items(due, in_time, "in time", "not in time", whole=True), False
        elif name == "overdue_hazards":
            items, zero = _hazard_items(due, ~closed, "not closed", "closed", whole=False), True
        elif name == "major_found":
            items, zero = _hazard_items(found, pl.lit(True), "major", "", whole=False), True
        else:
            grade = name.removesuffix("_not_in_time")
            late = due.filter(~in_time & (pl.col("grade") == grade))
            items, zero = _findings(late, "hazard_id", "deadline", f"hazard, {read.input}"), True
        made[source] = Counted(items, "site", zero, read.input, read.digest)
    return made


def _hazard_items(frame: pl.DataFrame, counts: pl.Expr, yes: str, no: str, *, whole: bool) -> pl.DataFrame:
    return frame.select(
        key="site_id",
        item_id="hazard_id",
        what=pl.when(counts).then(pl.lit(yes)).otherwise(pl.lit(no)),
        numerator=counts.cast(pl.Int64),
        denominator=pl.lit(1 if whole else None, pl.Int64),
    )


def _findings(frame: pl.DataFrame, name: str, day: str, what: str) -> pl.DataFrame:
    return frame.select(
        key="site_id",
        fact_id=name,
        date=pl.col(day).cast(pl.String),
        evidence=pl.format("{}: {}", pl.lit(what), name),
    ).cast(FINDINGS)  # type: ignore[arg-type]


# --- visits ---------------------------------------------------------------------------------------


def visits_of_collection(folder: Path) -> tuple[Read, Read]:
    """Read the finished visits of a collection, and the red lines they found crossed.

    Parameters
    ----------
    folder : Path
    """
    found = read_collection(folder)
    digest = hashlib.sha256(found.inspections.write_csv().encode()).hexdigest()
    red = found.findings.filter(
        pl.col("red_line").is_not_null() & (pl.col("red_line") != "") & (pl.col("state") != "superseded")
    ).unique("finding_id", keep="last", maintain_order=True)
    of_findings = hashlib.sha256(found.findings.write_csv().encode()).hexdigest()
    visits = visited(folder).select(list(VISITS))
    return Read(visits, folder.name, digest), Read(red, folder.name, of_findings)


def visits_of_registers(records: Sequence[Record], sites: Mapping[str, str], zone: Any) -> Read:
    """Return the finished visits of the registers.

    Parameters
    ----------
    records : sequence of Record
    sites : mapping
        Record of a site -> its ``site_id``.
    zone : tzinfo
    """
    rows = [
        {"inspection_id": one.id, "site_id": sites.get(one["site"] or ""),
         "on": (one["finished_at"] or one["started_at"] or one["planned_at"]).astimezone(zone).date()}
        for one in records
        if one["state"] in ("finished", "reviewed")
    ]  # fmt: skip
    return Read(pl.DataFrame(rows, VISITS), "registers: inspection", digest_of_records(records))


def count_visits(
    read: Read, red_lines: Read | None, names: Iterable[str], begin: date, end: date, sites: pl.Series
) -> dict[str, Counted]:
    """Return what sources of visits count, by site.

    Parameters
    ----------
    read : Read
        `VISITS`.
    red_lines : Read or None
        Findings; None where they are not known.
    names : iterable of str
    begin, end : date
    sites : polars.Series
        Sites of all subjects: those that could be visited.
    """
    visits = read.frame.filter(pl.col("on").is_between(begin, end))
    made = {}
    for source in names:
        name, told, digest = value_sources()[source].name, read.input, read.digest
        if name == "visits":
            items = visits.select(
                key="site_id",
                item_id="inspection_id",
                what=pl.col("on").cast(pl.String),
                numerator=pl.lit(1, pl.Int64),
                denominator=pl.lit(None, pl.Int64),
            )
        elif name == "visited_sites_share":
            seen = set(visits["site_id"])
            items = items_of(
                [{"key": one, "item_id": one, "what": "visited" if one in seen else "not visited",
                  "numerator": int(one in seen), "denominator": 1} for one in sites]
            )  # fmt: skip
        elif red_lines is None:
            continue
        else:
            told, digest = red_lines.input, red_lines.digest
            found = red_lines.frame.filter(pl.col("found_on").is_between(begin, end))
            items = _findings(found, "finding_id", "found_on", f"visit, {told}")
        made[source] = Counted(items, "site", name == "visits", told, digest)
    return made


# --- sites and villages ---------------------------------------------------------------------------


def count_filings(records: Sequence[Record], source: str) -> dict[str, Counted]:
    """Return which sites of the registers have a filing; those planned or closed are left out.

    Parameters
    ----------
    records : sequence of Record
    source : str
    """
    rows: list[dict[str, object]] = [
        {"key": one["site_id"], "item_id": one["site_id"], "numerator": int(bool(one["filing_no"])),
         "what": "filed" if one["filing_no"] else "no filing", "denominator": 1}
        for one in records
        if one["status"] not in CLOSED
    ]  # fmt: skip
    return {source: Counted(items_of(rows), "site", False, "registers: site", digest_of_records(records))}


def count_villages(folders: Mapping[str, Sequence[Path]], source: str) -> dict[str, Counted]:
    """Return which villages are served, by subject.

    Parameters
    ----------
    folders : mapping
        Subject -> county folders.
    source : str
    """
    rows: list[dict[str, object]] = []
    digest = hashlib.sha256()
    for subject, paths in folders.items():
        for path in paths:
            county = read_county(path)
            for name, frame in county.tables().items():
                digest.update(f"{name}\n{frame.write_csv()}".encode())
            for one in coverage(county).villages.iter_rows(named=True):
                served = one["served"]
                what = "not known" if served is None else "served" if served else f"lacks {one['lacking']}"
                rows.append(
                    {"key": subject, "item_id": f"{path.name}/{one['site_id']}", "what": what,
                     "numerator": int(bool(served)), "denominator": 1}
                )  # fmt: skip
    told = ", ".join(dict.fromkeys(path.name for paths in folders.values() for path in paths))
    return {source: Counted(items_of(rows), "subject", False, told, digest.hexdigest())}
