"""What is known so far, case by case in a file: a killed run goes on where it was.

One JSON object a line, the first says for which question. A line is appended when a case is done;
the last one may be torn by a kill and then counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import polars as pl

from changtong.errors import UsageError
from changtong.executors.work import Row
from changtong.network.io import check_replaceable
from changtong.network.model import Network
from changtong.resilience.cases import Case

FILE = "cases.jsonl"
FORMAT = 1


def question_digest(network: Network, *parts: object) -> str:
    """Return a SHA-256 over a network and whatever else is asked: equal questions, equal digest."""
    total = hashlib.sha256()
    for name, frame in sorted(network.tables().items()):
        if name == "provenance":
            continue
        total.update(name.encode())
        for column in frame.get_columns():
            total.update(column.name.encode())
            if column.dtype == pl.String:
                total.update("\x00".join(value or "\x01" for value in column.to_list()).encode())
            else:
                total.update(column.to_physical().to_arrow().to_numpy(zero_copy_only=False).tobytes())
    for part in parts:
        total.update(repr(part).encode())
    return total.hexdigest()


@dataclass
class Journal:
    """The file of rows of one question.

    Attributes
    ----------
    rows : dict
        Latest row of each stage and case.
    """

    path: Path | None
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _stream: IO[str] | None = None

    def add(self, stage: str, row: Row) -> None:
        """Keep a row, which names its ``case``, and write it down."""
        self.rows[stage, row["case"]] = row
        if self._stream is not None:
            line = json.dumps({"stage": stage, **row}, ensure_ascii=False, allow_nan=False)
            self._stream.write(line + "\n")
            self._stream.flush()

    def get(self, stage: str, case: str) -> Row | None:
        """Return what is known of a case."""
        return self.rows.get((stage, case))

    def open_cases(self, stage: str, cases: Iterable[Case]) -> list[Case]:
        """Return the cases that want work at a stage: new ones, and those that failed."""
        return [case for case in cases if _failed(self.get(stage, case.name))]

    def close(self) -> None:
        """End the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def open_journal(folder: Path | None, digest: str, about: dict[str, Any]) -> Journal:
    """Open the journal of a folder: begin it, or go on with it.

    Raises
    ------
    UsageError
        It answers another question (``other-question``), or is no journal.
    """
    if folder is None:
        return Journal(None)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    rows: dict[tuple[str, str], Row] = {}
    kept = _whole_lines(path)
    if kept:
        _check_question(path, kept[0], digest)
        for line in kept[1:]:
            row = _read(line)
            if row is not None and "case" in row and "stage" in row:
                rows[row.pop("stage"), row["case"]] = row
        with path.open("r+b") as old:  # a torn line behind the last whole one goes
            old.truncate(sum(len(line.encode()) + 1 for line in kept))
        stream = path.open("a", encoding="utf-8", newline="\n")
    else:
        stream = path.open("w", encoding="utf-8", newline="\n")
        stream.write(json.dumps({"format": FORMAT, "question": digest, **about}, ensure_ascii=False) + "\n")
        stream.flush()
    return Journal(path, rows, stream)


def journal_in(
    folder: str | Path | None, kind: dict[str, Any], anew: bool, digest: str, about: dict[str, Any]
) -> Journal:
    """Open the journal of a folder that may be written over: one of its ``kind``, or an empty one.

    Raises
    ------
    UsageError
        The folder holds something else, or the answers to another question.
    """
    where = None if folder is None else Path(folder)
    if where is not None:
        check_replaceable(where, **kind)
        if anew:
            (where / FILE).unlink(missing_ok=True)
    return open_journal(where, digest, about)


def _failed(row: Row | None) -> bool:
    return row is None or row.get("status") == "failed"


def _whole_lines(path: Path) -> list[str]:
    """Return the lines that end with a line break; those after a broken one count for nothing."""
    if not path.exists():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    lines: list[str] = []
    for line in whole:
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            break
    return lines


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _check_question(path: Path, line: str, digest: str) -> None:
    head = _read(line)
    if head is None or "question" not in head:
        raise UsageError(
            f"{path} is no journal of a stress test; it was left as it is.", "not-a-stress-folder"
        )
    if head["question"] != digest or head.get("format") != FORMAT:
        raise UsageError(
            f"{path.parent} holds the results of another question (another network, other cases or settings);"
            " it was left as it is. Give another folder, or begin anew.",
            "other-question",
        )
