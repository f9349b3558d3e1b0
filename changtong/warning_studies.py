"""Warnings against a network behind the doorway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.emergency.threat_result import WARNINGS_FOLDER, Threats
from changtong.emergency.threats import find_threats
from changtong.errors import UsageError
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.report.warnings_report import write_warnings_report
from changtong.wording import Language


def warnings(
    network: Network,
    outages: tuple[Outage, ...],
    folder: Path | None,
    language: Language,
    *,
    at: datetime,
    inputs: Any,
    **options: Any,
) -> tuple[Threats, Path | None]:
    """Find what warnings threaten; with a folder, tables, proposed outages and a page."""
    if outages:
        raise UsageError("Warnings propose outages of their own: leave outages out.")
    if folder is not None:
        check_replaceable(folder, **WARNINGS_FOLDER)
    result = find_threats(network, inputs, at, **options)
    if folder is None:
        return result, None

    def page(into: Path) -> None:
        write_warnings_report(result, into / "report.html", language=language)

    return result, result.save(folder, extra=page)


WARNING_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {"warnings": warnings}
