"""What tasks, hazards, visits and villages count over a period, from files and from the registers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

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

_INSTANT = pl.Datetime("ms", "UTC")
_OF_RECORD: dict[str, pl.DataType] = {"id": pl.String(), "version": pl.Int64()}
HAZARD_RECORDS: dict[str, pl.DataType] = {
    **_OF_RECORD, "site": pl.String(), "state": pl.String(), "grade": pl.String(), "found_at": _INSTANT,
    "deadline": _INSTANT, "closed_at": _INSTANT, "recheck_at": _INSTANT, "updated_at": _INSTANT,
}  # fmt: skip
VISIT_RECORDS: dict[str, pl.DataType] = {
    **_OF_RECORD, "site": pl.String(), "state": pl.String(), "finished_at": _INSTANT,
    "started_at": _INSTANT, "planned_at": _INSTANT,
}  # fmt: skip
SITE_RECORDS: dict[str, pl.DataType] = {
    **_OF_RECORD, "site_id": pl.String(), "admin_code": pl.String(), "path": pl.String(),
    "status": pl.String(), "filing_no": pl.String(),
}  # fmt: skip
"""Columns of the registers that are read, and no others."""


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


def digest_of_records(kind: str, records: pl.DataFrame) -> str:
    """Return a SHA-256 over the ids and versions of records: which they were, and how new.

    Parameters
    ----------
    kind : str
    records : polars.DataFrame
        ``id``, ``version``.
    """
    names = records.select(pl.format("{} {} {}\n", pl.lit(kind), "id", "version")).to_series()
    return hashlib.sha256("".join(names.sort()).encode()).hexdigest()


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


def hazards_of_registers(records: pl.DataFrame, sites: pl.DataFrame, zone: str) -> Read:
    """Return the hazards of the registers as those of a ledger.

    Parameters
    ----------
    records : polars.DataFrame
        `HAZARD_RECORDS`.
    sites : polars.DataFrame
        ``id`` of the record of a site, its ``site_id``.
    zone : str
        Of days.
    """
    # one written by hand has no ledger's closing time
    closed = pl.when(pl.col("state") == "closed").then(pl.coalesce("closed_at", "recheck_at", "updated_at"))
    frame = (
        records.filter(pl.col("state") != "withdrawn")
        .join(sites.select(site="id", site_id="site_id"), on="site", how="left", maintain_order="left")
        .select(
            hazard_id="id",
            site_id="site_id",
            grade="grade",
            found_on=_day(pl.col("found_at"), zone),
            deadline=_day(pl.col("deadline"), zone),
            closed_on=_day(closed, zone),
        )
    )
    return Read(frame, "registers: hazard", digest_of_records("hazard", records))


def _day(at: pl.Expr, zone: str) -> pl.Expr:
    return at.dt.convert_time_zone(zone).dt.date()


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


def visits_of_registers(records: pl.DataFrame, sites: pl.DataFrame, zone: str) -> Read:
    """Return the finished visits of the registers.

    Parameters
    ----------
    records : polars.DataFrame
        `VISIT_RECORDS`.
    sites : polars.DataFrame
        ``id`` of the record of a site, its ``site_id``.
    zone : str
    """
    when = pl.coalesce("finished_at", "started_at", "planned_at")
    frame = (
        records.filter(pl.col("state").is_in(["finished", "reviewed"]))
        .join(sites.select(site="id", site_id="site_id"), on="site", how="left", maintain_order="left")
        .select(inspection_id="id", site_id="site_id", on=_day(when, zone))
    )
    return Read(frame, "registers: inspection", digest_of_records("inspection", records))


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
            seen = sites.is_in(visits["site_id"].drop_nulls().unique().implode())
            items = pl.DataFrame({"key": sites, "item_id": sites}).with_columns(
                what=pl.when(seen).then(pl.lit("visited")).otherwise(pl.lit("not visited")),
                numerator=seen.cast(pl.Int64),
                denominator=pl.lit(1, pl.Int64),
            )
        elif red_lines is None:
            continue
        else:
            told, digest = red_lines.input, red_lines.digest
            found = red_lines.frame.filter(pl.col("found_on").is_between(begin, end))
            items = _findings(found, "finding_id", "found_on", f"visit, {told}")
        made[source] = Counted(items, "site", name == "visits", told, digest)
    return made


# --- sites and villages ---------------------------------------------------------------------------


def count_filings(records: pl.DataFrame, source: str) -> dict[str, Counted]:
    """Return which sites of the registers have a filing; those planned or closed are left out.

    Parameters
    ----------
    records : polars.DataFrame
        `SITE_RECORDS`.
    source : str
    """
    filed = pl.col("filing_no").fill_null("") != ""
    items = records.filter(~pl.col("status").is_in(CLOSED)).select(
        key="site_id",
        item_id="site_id",
        what=pl.when(filed).then(pl.lit("filed")).otherwise(pl.lit("no filing")),
        numerator=filed.cast(pl.Int64),
        denominator=pl.lit(1, pl.Int64),
    )
    return {source: Counted(items, "site", False, "registers: site", digest_of_records("site", records))}


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
