"""Writing a scorecard folder: read again it is the same card."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.card_folder import CARD_FILE, LAST_YEAR, PROVENANCE
from changtong.assessment.scorecard import CardHead, Scorecard
from changtong.network.io import check_replaceable, write_whole_folder
from changtong.written_files import sync

CARD_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / CARD_FILE).is_file(),
    "what": f"scorecard folder (it has no {CARD_FILE})",
    "code": "not-a-scorecard",
}


def check_card_folder(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that may not be made or replaced.

    Parameters
    ----------
    folder : path

    Raises
    ------
    UsageError
        ``not-a-scorecard``, ``cannot-write``.
    """
    check_replaceable(Path(folder).resolve(), **CARD_FOLDER)


def write_scorecard(card: Scorecard, folder: str | os.PathLike[str]) -> Path:
    """Write a scorecard to a folder, whole or not at all: the head in TOML, a CSV for each table.

    Parameters
    ----------
    card : Scorecard
    folder : path
        To make, or to replace where it holds a scorecard.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        ``not-a-scorecard``, ``cannot-write``.
    """

    def write(into: Path) -> None:
        (into / CARD_FILE).write_text(head_text(card.head), "utf-8")
        sync(into / CARD_FILE)
        for name, frame in card.tables().items():
            if frame.height:
                _write(frame, into / f"{name}.csv")
        if card.last_year is not None:
            (into / LAST_YEAR).mkdir()
            _write(card.last_year, into / LAST_YEAR / "scores.csv")

    own = {CARD_FILE, LAST_YEAR, "study.json"}
    own |= {f"{name}.{ending}" for name in card.tables() for ending in ("csv", "parquet")}
    return write_whole_folder(Path(folder), write, own_files=own, **CARD_FOLDER)


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path)
    sync(path)


def head_text(head: CardHead) -> str:
    """Return the head of a card as TOML.

    Parameters
    ----------
    head : CardHead
    """
    of_provenance = {field: key for key, field in PROVENANCE.items()}
    parts: dict[str, list[str]] = {"scorecard": [], "provenance": []}
    for item in fields(head):
        value = getattr(head, item.name)
        if value is None or value == "":
            continue
        section = "provenance" if item.name in of_provenance else "scorecard"
        key = of_provenance.get(item.name, item.name)
        parts[section].append(f"{key} = {_value(value)}")
    return "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in parts.items())


def _value(value: Any) -> str:
    """Return a value of TOML; texts are written as JSON writes them, which TOML reads alike."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
