"""The analyses of outlets behind the doorway: index, warnings, and the test of the warnings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.network.io import check_replaceable
from changtong.outlets.early_warning import OutletWarnings, warn_outlets
from changtong.outlets.evaluation import Evaluation, evaluate_warning
from changtong.outlets.index_rules import IndexRules
from changtong.outlets.outlet_months import OutletMonths
from changtong.outlets.result_folder import (
    OUTLETS_FOLDER,
    save_evaluation,
    save_stability,
    save_warnings,
)
from changtong.outlets.stability import Stability, outlet_stability
from changtong.report.outlets_report import write_outlets_report
from changtong.wording import Language


def months_digest(months: OutletMonths) -> str:
    """Return a SHA-256 over what is known of outlets: equal inputs, equal digest.

    Parameters
    ----------
    months : OutletMonths
    """
    total = hashlib.sha256(repr((months.outlets, months.names, months.firms, months.first)).encode())
    for array in months.values.values():
        total.update(array.tobytes())
    total.update(months.state.tobytes() + months.present.tobytes())
    return total.hexdigest()


def _index(
    months: OutletMonths,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    rules: IndexRules | None = None,
    month: str | None = None,
) -> tuple[Stability, Path | None]:
    """Score the months; with a month, what came after it is not looked at."""
    if seed is not None:
        raise UsageError("The index draws nothing: leave the seed out.")
    if folder is not None:
        check_replaceable(folder, **OUTLETS_FOLDER)
    result = outlet_stability(months if month is None else months.until(month), rules)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_outlets_report(result, into / "report.html", language=language)

    return result, save_stability(folder, result, page=page)


def _warnings(
    months: OutletMonths,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    rules: IndexRules | None = None,
    until: str | None = None,
) -> tuple[OutletWarnings, Path | None]:
    if seed is not None:
        raise UsageError("The warning draws nothing: leave the seed out.")
    if folder is not None:
        check_replaceable(folder, **OUTLETS_FOLDER)
    result = warn_outlets(months, rules, until=until)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_outlets_report(result.stability, into / "report.html", warnings=result, language=language)

    return result, save_warnings(folder, result, page=page)


def _evaluation(
    months: OutletMonths, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[Evaluation, Path | None]:
    if folder is not None:
        check_replaceable(folder, **OUTLETS_FOLDER)
    result = evaluate_warning(months, seed=seed or 0, **options)
    return result, None if folder is None else save_evaluation(folder, result)


OUTLET_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "outlet-index": _index,
    "outlet-warnings": _warnings,
    "outlet-evaluation": _evaluation,
}
