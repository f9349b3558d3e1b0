"""What added capacity costs: assumed numbers with their provenance, or a file of one's own."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem

ITEMS = ("leg_piece", "site_piece", "site")
COLUMNS = ("item", "unit", "cny_per_day", "provenance", "note")
ASSUMED = "assumed"


@dataclass(frozen=True)
class Costs:
    """Prices of what can be added, CNY a day.

    Attributes
    ----------
    frame : polars.DataFrame
        item (leg_piece, site_piece, site), unit, cny_per_day, provenance, note.
    """

    frame: pl.DataFrame

    def __getitem__(self, item: str) -> float:
        return float(self.frame.filter(pl.col("item") == item)["cny_per_day"][0])

    def provenance(self, *items: str) -> str:
        """Return where the prices of these items come from; ``assumed`` as soon as one is."""
        found = self.frame.filter(pl.col("item").is_in(items))["provenance"].to_list()
        return ASSUMED if ASSUMED in found or not found else ", ".join(dict.fromkeys(found))


def read_costs(path: str | Path | None = None) -> Costs:
    """Read prices from a CSV as ``remedy_costs.csv``, or those assumed.

    Parameters
    ----------
    path : path, optional
        Columns item and cny_per_day; unit, provenance and note as far as known. An item the file does
        not name keeps the assumed price; a price without provenance is ``given``.

    Raises
    ------
    InputError
        No such file, an item nobody knows, a price that is none.
    """
    assumed = _rows(resources.files("changtong").joinpath("resilience/remedy_costs.csv").read_text("utf-8"))
    prices = {row["item"]: row for row in assumed}
    if path is not None:
        prices |= _own(Path(path), prices)
    rows = [{name: row.get(name) or "" for name in COLUMNS} for row in prices.values()]
    return Costs(pl.DataFrame(rows).with_columns(pl.col("cny_per_day").cast(pl.Float64)))


def _rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def _own(path: Path, assumed: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise InputError([Problem("missing-file", "the file does not exist.", file=str(path))])
    try:
        rows = _rows(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for k, row in enumerate(rows, 1):
        item, price = (row.get("item") or "").strip(), _number(row.get("cny_per_day"))
        if item not in ITEMS:
            message = f"{item!r} has no price here."
            problems.append(
                Problem("unknown-value", message, path.name, k, "item", expected=", ".join(ITEMS))
            )
        elif price is None:
            message = f"{row.get('cny_per_day')!r} is no price."
            expected = "CNY a day above 0"
            problems.append(Problem("out-of-range", message, path.name, k, "cny_per_day", expected=expected))
        else:
            known = {"unit": assumed[item]["unit"], "provenance": "given", "note": ""}
            found[item] = known | {key: value for key, value in row.items() if value} | {"item": item}
    if not rows:
        problems.append(
            Problem("empty-table", "no price in the file.", path.name, expected="item, cny_per_day")
        )
    if problems:
        raise InputError(problems)
    return found


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0.0 < value < math.inf else None
