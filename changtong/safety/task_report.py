"""A decision's tasks as of a day, on one screen and as tables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from changtong.safety.table_folder import save_tables
from changtong.safety.tasks import TaskBook

KIND = "tasks"


@dataclass(frozen=True)
class TaskReport:
    """Tasks as of a day.

    Attributes
    ----------
    book : TaskBook
    day : date
    counts, totals, due : polars.DataFrame
        As those of `TaskBook`.
    """

    book: TaskBook
    day: date
    counts: pl.DataFrame
    totals: pl.DataFrame
    due: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        decision = self.book.decision
        return {
            "decision": decision.id,
            "title": decision.title,
            "provenance": decision.provenance,
            "day": str(self.day),
            "totals": self.totals.to_dicts(),
            "tasks": _rows(self.counts),
            "due": _rows(self.due),
        }

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the tables to a folder.

        Parameters
        ----------
        folder : path
        """
        tables = {"counts": self.counts, "totals": self.totals, "due": self.due}
        return save_tables(folder, KIND, tables, {"decision": self.book.decision.id, "day": str(self.day)})

    def __str__(self) -> str:
        total = self.totals.row(-1, named=True)
        lines = [
            f"{self.book.decision.title}: {total['tasks']} tasks on {self.day}: "
            f"{total['on_time']} done in time, {total['late']} late, {total['open']} open, "
            f"{total['overdue']} overdue, {total['cancelled']} cancelled"
        ]
        for row in self.totals.head(-1).iter_rows(named=True):
            lines.append(
                f"  {row['subject']:<16} {row['tasks']:>3}: {row['on_time']} in time, {row['late']} late, "
                f"{row['open']} open, {row['overdue']} overdue"
            )
        for row in self.due.head(15).iter_rows(named=True):
            to = f" → {row['escalate_to_zh']} ({row['escalate_to_en']})" if row["escalate_to_zh"] else ""
            lines.append(
                f"  {row['what']:<8} {row['task_id']} {row['title']} "
                f"{row['who'] or ''} by {row['deadline']}{to}"
            )
        return "\n".join(lines)


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts()


def report_tasks(book: TaskBook, day: date) -> TaskReport:
    """Return the tasks as of a day.

    Parameters
    ----------
    book : TaskBook
    day : date
    """
    return TaskReport(book, day, book.counts(day), book.totals(day), book.due(day))
