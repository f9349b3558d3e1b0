"""What threatens a network, as a result: words, JSON, and a folder of tables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.emergency.contacts import masked
from changtong.emergency.exposure import Exposure
from changtong.emergency.in_force import InForce
from changtong.emergency.message_sources import Messages
from changtong.emergency.tracks import Track
from changtong.emergency.warning_rules import WarningRules
from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.outage_files import write_outages
from changtong.outages import Outage
from changtong.spreadsheets import write_rows
from changtong.wording import Both

MARK = "warnings.json"
OUTAGES_FILE = "outages.toml"
CALLS_FILE = "calls.csv"
PARQUET_FROM_ROWS = 1_000_000
TABLES = ("warnings", "exposed_sites", "exposed_legs", "pieces_at_risk")
OWN_FILES = {
    MARK, OUTAGES_FILE, CALLS_FILE, "study.json", "report.html",
    *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")),
}  # fmt: skip
SHOWN, LOOKS = 12, 40
STATES = ("in force", "coming", "reaches nothing")


def is_warnings_folder(path: Path) -> bool:
    """Tell whether a folder holds threats: only such a one is ever replaced."""
    return (path / MARK).is_file()


WARNINGS_FOLDER: dict[str, Any] = {
    "is_ours": is_warnings_folder,
    "what": f"folder of warnings (it has no {MARK})",
    "code": "not-a-warnings-folder",
}


@dataclass(frozen=True)
class Threats:
    """What threatens a network at an instant and after it.

    Attributes
    ----------
    network : Network
    at : datetime
    found : InForce
        Which messages count, and which not and why.
    warnings : polars.DataFrame
        One row a warning that counts (and a wind force of a track): warning, sender, sent, state (``in
        force``, ``coming``; of a track also ``reaches nothing``), event, kind, level, level_from, severity,
        headline, areas, begins, ends, ends_assumed, sites, legs, file.
    exposed : Exposure
    pieces : polars.DataFrame
        date, service_class, pieces, sites.
    outages : tuple of Outage
        Proposed.
    calls : polars.DataFrame or None
        Whom to call: personal data. None where no contacts were given.
    sites_without_contact : tuple of str
    tracks : tuple of Track
    read : Messages
    rules : WarningRules
    status, zone : str
    notes : tuple of Both
    """

    network: Network = field(repr=False)
    at: datetime
    found: InForce
    warnings: pl.DataFrame
    exposed: Exposure
    pieces: pl.DataFrame
    outages: tuple[Outage, ...]
    calls: pl.DataFrame | None
    sites_without_contact: tuple[str, ...]
    tracks: tuple[Track, ...]
    read: Messages
    rules: WarningRules
    status: str
    zone: str
    notes: tuple[Both, ...]

    @property
    def by_state(self) -> dict[str, int]:
        """How many messages and tracks are in force, coming, or reach nothing; each counted once.

        A storm of which one wind circle is over a site already is in force, whatever the others do.
        """
        states = pl.Enum(STATES)
        best = self.warnings.group_by("warning", "sender", "sent", "file").agg(
            pl.col("state").cast(states).min()
        )
        counts = dict(best.group_by("state").len().iter_rows())
        return {state: int(counts.get(state, 0)) for state in STATES}

    @property
    def sites_in_circles(self) -> int:
        """How many sites the wind circles of tracks reach, each counted once."""
        return int(self.exposed.sites.filter(pl.col("by") == "track")["site_id"].n_unique())

    @property
    def sites(self) -> int:
        """How many sites are threatened, each counted once."""
        return int(self.exposed.sites["site_id"].n_unique())

    @property
    def legs(self) -> int:
        """How many legs are threatened, each counted once."""
        return self.exposed.legs.select("from_site", "to_site").n_unique()

    def local(self, at: datetime | None) -> str | None:
        """Return an instant as it is written for people, with its zone."""
        return None if at is None else at.astimezone(ZoneInfo(self.zone)).isoformat(timespec="minutes")

    def summary(self, *, show_people: bool = False) -> dict[str, Any]:
        """Return the figures as plain values.

        Parameters
        ----------
        show_people : bool
            Whether names and numbers of those to call are in it: personal data.
        """
        found = self.found
        warnings = [
            row | {name: self.local(row[name]) for name in ("sent", "begins", "ends")}
            for row in self.warnings.iter_rows(named=True)
        ]
        days = self.pieces.group_by("date", maintain_order=True).agg(
            pl.col("pieces").sum(), pl.col("sites").first()
        )
        by_class = self.pieces.with_columns(pl.col("date").cast(pl.String)).to_dicts()
        people: dict[str, Any] = {}
        if self.calls is not None:
            people = {
                "calls": self.calls.height, "sites_without_contact": list(self.sites_without_contact),
            }  # fmt: skip
            if show_people:
                rows = self.calls.to_dicts()
                people["list"] = [row | {"begins": self.local(row["begins"])} for row in rows]
        return {
            "network": self.network.name,
            "at": self.local(self.at),
            "status": self.status,
            "warnings": warnings,
            "levels": dict(self.warnings.group_by("level").len().sort("level").iter_rows()),
            "by_state": self.by_state,
            "sites": self.sites,
            "sites_in_circles": self.sites_in_circles,
            "legs": self.legs,
            "pieces_by_day": days.with_columns(pl.col("date").cast(pl.String)).to_dicts(),
            "pieces_at_risk": by_class,
            "outages": len(self.outages),
            "expired": [key.identifier for key in found.over],
            "replaced": {old.identifier: new.identifier for old, new in found.replaced.items()},
            "cancelled": {old.identifier: new.identifier for old, new in found.cancelled.items()},
            "left_out": [key.identifier for key in found.left_out],
            "not_yet_sent": [key.identifier for key in found.not_yet_sent],
            "set_aside": [problem.to_dict() for problem in self.read.set_aside],
            "problems": [problem.to_dict() for problem in found.problems],
            "people": people,
            "notes": [note.en for note in self.notes],
            "rules": {
                "file": self.rules.file, "version": self.rules.version, "provenance": self.rules.provenance,
            },
            "sources": [{"name": name, "sha256": sha} for sha, name in self.read.digests.items()],
        }  # fmt: skip

    def to_json(self, *, show_people: bool = False) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(show_people=show_people), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        drill = " (drill: messages of status Exercise)" if self.status == "Exercise" else ""
        lines = [f"{self.network.name}, {self.local(self.at)}{drill}"]
        if self.warnings.is_empty():
            lines.append("  nothing is in force or coming.")
        for row in self.warnings.head(SHOWN).iter_rows(named=True):
            until = f"{self.local(row['begins']) or '-'} to {self.local(row['ends']) or '-'}"
            assumed = " (end assumed)" if row["ends_assumed"] else ""
            level = row["level"] + (" (assumed)" if row["level_from"] == "severity" else "")
            lines.append(
                f"  {row['state']:<17}{level:<18}{row['headline'] or row['event']}  {until}{assumed}:"
                f" {row['sites']:,} sites, {row['legs']:,} legs"
            )
        if self.warnings.height > SHOWN:
            lines.append(f"  … and {self.warnings.height - SHOWN:,} more")
        found = self.found
        lines.append(
            f"  not counted: {len(found.over):,} over, {len(found.replaced):,} replaced,"
            f" {len(found.cancelled):,} cancelled, {len(found.left_out):,} of another status,"
            f" {len(found.not_yet_sent):,} not yet sent"
        )
        circles = f" ({self.sites_in_circles:,} of them in wind circles)" if self.tracks else ""
        lines.append(f"  threatened: {self.sites:,} sites{circles}, {self.legs:,} legs")
        for day, rows in self.pieces.group_by("date", maintain_order=True):
            parts = ", ".join(f"{name} {n:,.0f}" for name, n in rows.select("service_class", "pieces").rows())
            total = float(rows["pieces"].sum())
            lines.append(f"    {day[0]}: {total:,.0f} pieces begin or end there ({parts})")
        lines.append(
            f"  proposed: {len(self.outages):,} outages by {self.rules.file} ({self.rules.provenance})"
        )
        if self.calls is not None:
            alone = len(self.sites_without_contact)
            lines.append(f"  to call: {self.calls.height:,}; nobody known for {alone:,} sites")
        lines += [f"  note: {note.en}" for note in self.notes[:SHOWN]]
        if len(self.notes) > SHOWN:
            lines.append(f"  … and {len(self.notes) - SHOWN:,} more notes in {MARK}")
        looks = (*found.problems, *self.read.set_aside)
        lines += [f"  look: {problem}" for problem in looks[:LOOKS]]
        if len(looks) > LOOKS:
            lines.append(f"  … and {len(looks) - LOOKS:,} more to look at in {MARK}")
        return "\n".join(lines)

    def masked_calls(self) -> pl.DataFrame | None:
        """Return whom to call with names and numbers masked."""
        return None if self.calls is None else masked(self.calls)

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write tables, the proposed outages and ``warnings.json``, whole or not at all.

        The list of calls stands in ``calls.csv``, which only its owner may read, and nowhere else.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        return write_whole_folder(
            Path(folder), lambda into: self._fill(into, extra), own_files=OWN_FILES, **WARNINGS_FOLDER
        )

    def _fill(self, into: Path, extra: Callable[[Path], None] | None) -> None:
        frames = (self.warnings, self.exposed.sites, self.exposed.legs, self.pieces)
        for name, frame in zip(TABLES, frames, strict=True):
            write_rows(frame, into / name, parquet_from_rows=PARQUET_FROM_ROWS, formulas=False)
        if self.calls is not None:
            os.close(os.open(into / CALLS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            write_rows(self.calls, into / "calls", parquet_from_rows=PARQUET_FROM_ROWS, formulas=False)
        if self.outages:
            remark = (
                f"Proposed from warnings at {self.local(self.at)} by {self.rules.file} {self.rules.version}\n"
                f"({self.rules.provenance}). Look through it, change it, then: changtong plan --outages"
            )
            write_outages(self.outages, into / OUTAGES_FILE, remark=remark)
        text = json.dumps(self.summary(), ensure_ascii=False, indent=1, allow_nan=False)
        (into / MARK).write_text(text, "utf-8")
        if extra is not None:
            extra(into)
