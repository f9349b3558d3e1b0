"""The analyses of a workforce behind the doorway: rosters, workload, hours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.network.io import check_replaceable
from changtong.report.workforce_pages import write_hours_page, write_roster_page, write_workload_page
from changtong.wording import Language
from changtong.workforce.hours import HOURS_FOLDER, Hours, check_hours
from changtong.workforce.roster import make_roster
from changtong.workforce.roster_result import Roster, check_roster_folder
from changtong.workforce.roster_workbook import write_roster_workbook
from changtong.workforce.workforce_folder import Workforce
from changtong.workforce.workload import WORKLOAD_FOLDER, Workload, assess_workload


def _draws_nothing(seed: int | None) -> None:
    if seed is not None:
        raise UsageError("Analyses of a workforce draw nothing: leave the seed out.")


def _roster(
    workforce: Workforce, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[Roster, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_roster_folder(folder)
    result = make_roster(workforce, **options)
    if folder is None:
        return result, None

    def more(into: Path) -> None:
        write_roster_workbook(result, into / "roster.xlsx", language=language)
        write_roster_page(result, into / "report.html", language=language)

    return result, result.save(folder, more)


def _workload(
    workforce: Workforce, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[Workload, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_replaceable(folder, **WORKLOAD_FOLDER)
    result = assess_workload(workforce, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_workload_page(result, into / "report.html", language=language)

    return result, result.save(folder, page)


def _hours(
    workforce: Workforce, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[Hours, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_replaceable(folder, **HOURS_FOLDER)
    result = check_hours(workforce, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_hours_page(result, into / "report.html", language=language)

    return result, result.save(folder, page)


WORKFORCE_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "roster": _roster,
    "workload": _workload,
    "hours": _hours,
}
