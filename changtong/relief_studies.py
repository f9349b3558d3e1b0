"""Relief policies and rights tickets behind the doorway: firms matched, tickets counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import UsageError
from changtong.network.io import check_replaceable, write_whole_folder
from changtong.spreadsheets import without_formulas
from changtong.wording import Language
from changtong.workforce.relief_match import ReliefFirms, ReliefMatch, match_relief
from changtong.workforce.rights_ticket_statistics import LEAST, CountedTickets, count_tickets


def _folder_of(mark: str, what: str, code: str) -> dict[str, Any]:
    return {
        "is_ours": lambda path: (path / mark).is_file(), "what": f"{what} (it has no {mark})", "code": code,
    }  # fmt: skip


RELIEF_MARK, STATISTICS_MARK = "relief-match.json", "rights-statistics.json"
RELIEF_FOLDER = _folder_of(RELIEF_MARK, "folder of relief matches", "not-a-relief-folder")
STATISTICS_FOLDER = _folder_of(STATISTICS_MARK, "folder of ticket statistics", "not-a-statistics-folder")


@dataclass(frozen=True)
class TicketStatistics:
    """Tickets by firm and kind.

    Attributes
    ----------
    rows : polars.DataFrame
        firm_id, kind, tickets (null: not told), is_hidden.
    least : int
        Smaller counts are not told.
    """

    rows: pl.DataFrame
    least: int

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {"least": self.least, "rows": self.rows.to_dicts()}

    def __str__(self) -> str:
        return "\n".join(
            f"{one['firm_id']}  {one['kind']}  {'not told' if one['is_hidden'] else one['tickets']}"
            for one in self.rows.iter_rows(named=True)
        )


def _draws_nothing(seed: int | None) -> None:
    if seed is not None:
        raise UsageError("Matching and counting draw nothing: leave the seed out.")


def _saved(
    folder: Path, mark: str, facts: dict[str, Any], tables: Mapping[str, pl.DataFrame], kind: dict[str, Any]
) -> Path:
    def write(into: Path) -> None:
        (into / mark).write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
        for name, table in tables.items():
            without_formulas(table).write_csv(into / f"{name}.csv", include_bom=True)

    own = {mark, "study.json", *(f"{name}.csv" for name in tables)}
    return write_whole_folder(folder, write, own_files=own, **kind)


def _relief(
    subject: ReliefFirms,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    day: date | None = None,
) -> tuple[ReliefMatch, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_replaceable(folder, **RELIEF_FOLDER)
    on = day or datetime.now(ZoneInfo("Asia/Shanghai")).date()
    made = match_relief(subject.firms, subject.policies, on)
    if folder is None:
        return made, None
    facts = {"day": str(on), "firms": len(subject.firms), "policies": len(subject.policies.policies)}
    tables = {"matches": made.rows, "calendar": made.calendar}
    return made, _saved(folder, RELIEF_MARK, facts, tables, RELIEF_FOLDER)


def _statistics(
    subject: CountedTickets, folder: Path | None, language: Language, *, seed: int | None, least: int = LEAST
) -> tuple[TicketStatistics, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_replaceable(folder, **STATISTICS_FOLDER)
    made = TicketStatistics(count_tickets(subject.known, least=least), least)
    if folder is None:
        return made, None
    return made, _saved(
        folder, STATISTICS_MARK, {"least": least}, {"statistics": made.rows}, STATISTICS_FOLDER
    )


RELIEF_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {"relief-match": _relief}
TICKET_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {"rights-statistics": _statistics}
