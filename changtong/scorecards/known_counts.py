"""Everything that the sources of a card count, from the inputs that were given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.scorecard import Scorecard
from changtong.assessment.value_sources import value_sources
from changtong.errors import InputError, NotFoundError, Problem
from changtong.events.log import EventLog
from changtong.events.period_counts import Watch
from changtong.network.findings import NearestNames
from changtong.scorecards import safety_values as safety
from changtong.scorecards.card_records import ZONE
from changtong.scorecards.counted import Counted
from changtong.scorecards.scan_values import count_scans
from changtong.scorecards.subject_sites import SITES, SubjectSites, sites_of_log, subject_sites
from changtong.storage.people import organisation_of
from changtong.storage.store import Desk

OPTIONS = {
    "log": "--log LOG/",
    "counts": "--counts counts.csv",
    "hazards": "--ledger LEDGER/ or --registers STORE",
    "inspections": "--from COLLECTED/ or --registers STORE",
    "registers": "--registers STORE",
    "county": "--county SUBJECT=COUNTY/",
}
"""What a source needs -> the option that gives it."""

ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Inputs:
    """What the system knows, as far as it was given.

    Attributes
    ----------
    log : EventLog or None
    counts : tuple of Path
        ``counts.csv`` of ``safety tasks``.
    ledger : Path or None
        A hazard ledger; without it the hazards of the registers.
    collection : Path or None
        Collected inspections; without it those of the registers.
    desk : Desk or None
        Of somebody who sees sites, hazards and inspections of the registers.
    counties : mapping
        Subject -> county folders; they count for those above it as well.
    """

    log: EventLog | None = None
    counts: tuple[Path, ...] = ()
    ledger: Path | None = None
    collection: Path | None = None
    desk: Desk | None = None
    counties: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What was counted.

    Attributes
    ----------
    counted : dict
        Source -> what it counts; absent where its input was not given.
    why_no_input : dict
        Source -> the option that would give it.
    sites : SubjectSites
    notes : tuple of str
    """

    counted: dict[str, Counted]
    why_no_input: dict[str, str]
    sites: SubjectSites
    notes: tuple[str, ...]


def check_inputs(card: Scorecard, inputs: Inputs) -> None:
    """Refuse counties of subjects that are not on the card, and files that are not there.

    Raises
    ------
    InputError
        ``unknown-subject``, ``missing-file``.
    """
    names = [str(one) for one in card.subjects["subject_id"]]
    problems = [
        Problem("unknown-subject", f"{name} is not on the card.", expected="a subject of the card",
                hint=NearestNames(names).hint(name))
        for name in inputs.counties
        if name not in names
    ]  # fmt: skip
    folders = [path for paths in inputs.counties.values() for path in paths]
    places = [*inputs.counts, inputs.ledger, inputs.collection, *folders]
    problems += [
        Problem("missing-file", f"There is no {path}.", path.name)
        for path in places
        if path is not None and not path.exists()
    ]
    if problems:
        raise InputError(problems)


class _Registers:
    """What a person sees in the registers, read once, only the columns that count."""

    def __init__(self, desk: Desk | None) -> None:
        self.desk = desk
        self.sites = self.records("site", safety.SITE_RECORDS)

    def organisation(self, name: str) -> dict[str, Any] | None:
        """Return an organisation, None where the person may not see it."""
        if self.desk is None:
            return None
        try:
            with self.desk.work(writes=False) as work:
                row = organisation_of(work, name)
        except NotFoundError:
            return None
        return {key: row[key] for key in ("path", "kind", "admin_code")}

    def site_table(self) -> pl.DataFrame:
        """Return the sites as `SITES`."""
        named = self.sites.select("site_id", "admin_code", "path", operator=pl.lit(None, pl.String))
        return named.cast(SITES)  # type: ignore[arg-type]

    def records(self, kind: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Return columns of a register, some rows at a time brought into arrays."""
        frames = [pl.DataFrame(schema=columns)]
        if self.desk is not None:
            rows = self.desk.columns(kind, tuple(columns))
            while some := list(islice(rows, ROWS_AT_ONCE)):
                of_column = dict(zip(columns, zip(*some, strict=True), strict=True))
                plain = {name: pl.Int64() if kind.is_temporal() else kind for name, kind in columns.items()}
                frames.append(pl.DataFrame(of_column, plain).cast(dict(columns)))  # type: ignore[arg-type]
        return pl.concat(frames)


def count_all(card: Scorecard, inputs: Inputs, sources: Sequence[str], watch: Watch | None) -> Known:
    """Count everything that sources need, each input read once.

    Parameters
    ----------
    card : Scorecard
    inputs : Inputs
    sources : sequence of str
    watch : callable or None

    Raises
    ------
    InputError
    """
    registers = _Registers(inputs.desk)
    of_log = sites_of_log(None if inputs.log is None else inputs.log.sites)
    known_sites = registers.site_table()
    notes = []
    if known_sites.height and of_log.height:
        lost = of_log.filter(~pl.col("site_id").is_in(known_sites["site_id"].implode())).height
        if lost:
            notes.append(f"{lost} sites of the log are not in the registers")
    sites = subject_sites(
        card, pl.concat([known_sites, of_log]), None if inputs.desk is None else registers.organisation
    )
    needs: dict[str, list[str]] = {}
    for source in sources:
        needs.setdefault(value_sources()[source].needs, []).append(source)
    counted: dict[str, Counted] = {}
    for need, names in needs.items():
        for found in _count(need, names, card, inputs, registers, sites, watch):
            counted |= found
    if "counts" in needs and inputs.counts:
        notes += _lost_tasks(card, counted, needs["counts"])
    why = {name: f"give {OPTIONS[need]}" for need, names in needs.items() for name in names}
    return Known(counted, {name: why[name] for name in why if name not in counted}, sites, tuple(notes))


def _count(
    need: str,
    names: list[str],
    card: Scorecard,
    inputs: Inputs,
    registers: _Registers,
    sites: SubjectSites,
    watch: Watch | None,
) -> Iterator[dict[str, Counted]]:
    """Count what needs one kind of input; nothing where it was not given."""
    begin, end = card.head.period
    if need == "log" and inputs.log is not None:
        yield count_scans(inputs.log, names, begin, end, watch)
    elif need == "counts" and inputs.counts:
        yield safety.count_tasks(inputs.counts, names, begin, end)
    elif need == "hazards" and inputs.ledger is not None:
        yield safety.count_hazards(safety.hazards_of_ledger(inputs.ledger), names, begin, end)
    elif need == "hazards" and inputs.desk is not None:
        hazards = registers.records("hazard", safety.HAZARD_RECORDS)
        read = safety.hazards_of_registers(hazards, registers.sites, ZONE.key)
        yield safety.count_hazards(read, names, begin, end)
    elif need == "inspections" and (inputs.collection is not None or inputs.desk is not None):
        red = None
        if inputs.collection is not None:
            visits, red = safety.visits_of_collection(inputs.collection)
        else:
            inspections = registers.records("inspection", safety.VISIT_RECORDS)
            visits = safety.visits_of_registers(inspections, registers.sites, ZONE.key)
        of_subjects = sites.pairs["site_id"].unique(maintain_order=True)
        yield safety.count_visits(visits, red, names, begin, end, of_subjects)
    elif need == "registers" and inputs.desk is not None:
        for name in names:
            yield safety.count_filings(registers.sites, name)
    elif need == "county" and inputs.counties:
        for name in names:
            yield safety.count_villages(_with_those_above(card, inputs.counties), name)


def _with_those_above(
    card: Scorecard, counties: Mapping[str, tuple[Path, ...]]
) -> dict[str, tuple[Path, ...]]:
    """Return the counties of each subject with those of the subjects below it."""
    above = dict(card.subjects.select(pl.col("subject_id", "parent_id").cast(pl.String)).iter_rows())
    found: dict[str, list[Path]] = {}
    for name, paths in counties.items():
        at: str | None = name
        while at is not None:
            found.setdefault(at, []).extend(path for path in paths if path not in found.get(at, ()))
            at = above.get(at)
    return {name: tuple(paths) for name, paths in found.items()}


def _lost_tasks(card: Scorecard, counted: Mapping[str, Counted], names: Sequence[str]) -> list[str]:
    """Tell of tasks whose subject is not on the card."""
    known = {str(one) for one in card.subjects["subject_id"]}
    lost = {
        (row["item_id"], row["key"])
        for name in names
        for row in counted[name].items.iter_rows(named=True)
        if row["key"] not in known
    }
    if not lost:
        return []
    subjects = ", ".join(sorted({str(key) for _, key in lost})[:5])
    return [f"{len(lost)} tasks are of subjects that are not on the card ({subjects})"]
