"""Orders of one site: as they are kept, as they are told, and what differs from orders it had before.

Kept are lines: what a site does alike for many destinations is one line with all of them, so that the
sheet of the largest site stays small. Told are rows, one for each thing to do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from changtong.response_records.order_words import order_words, withdrawn_words
from changtong.storage.schema import canonical

if TYPE_CHECKING:
    import polars as pl

ALIKE = (
    "action", "next_site", "service_class", "from_h", "note_code", "blocked_by", "leg_pieces", "leg_trips",
)  # fmt: skip
"""What the destinations of a line have in common."""

EACH = ("destination", "pieces", "trips")

ACTIONS = ("stop", "extra-trip", "send", "hold")

Line = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Sheet:
    """What one site has to do.

    Attributes
    ----------
    site, name : str
    lines : tuple of mapping
        `ALIKE`, and lists of `EACH`.
    names : mapping
        Of the sites it names, where they have one.
    """

    site: str
    name: str
    lines: tuple[Line, ...]
    names: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {
            "site": self.site, "name": self.name, "lines": [dict(one) for one in self.lines],
            "names": dict(self.names),
        }  # fmt: skip

    def digest(self) -> str:
        """Return the SHA-256 of it as it is kept."""
        return hashlib.sha256(canonical(self.to_json()).encode()).hexdigest()

    def rows(self) -> list[Row]:
        """Return one row for each thing to do."""
        return [
            {name: line[name] for name in ALIKE} | dict(zip(EACH, each, strict=True))
            for line in self.lines
            for each in zip(*(line[name] for name in EACH), strict=True)
        ]

    def counts(self) -> dict[str, int]:
        """Return how many things to do there are, by action."""
        found: Counter[str] = Counter()
        for line in self.lines:
            found[line["action"]] += len(line["destination"])
        return dict(found)


def sheet_of(kept: Mapping[str, Any]) -> Sheet:
    """Return a sheet from what was kept."""
    return Sheet(kept["site"], kept["name"], tuple(kept["lines"]), kept["names"])


def sheet_of_rows(site: str, name: str, rows: Iterable[Row], names: Mapping[str, str]) -> Sheet:
    """Return the sheet of some rows, in their order.

    Parameters
    ----------
    site, name : str
    rows : iterable of mapping
    names : mapping
        Of sites; only those that the rows name are kept.
    """
    lines: dict[tuple[Any, ...], Row] = {}
    named_in: set[str] = set()
    for row in rows:
        line = lines.setdefault(
            tuple(row[one] for one in ALIKE), {one: row[one] for one in ALIKE} | {one: [] for one in EACH}
        )
        for one in EACH:
            line[one].append(row[one])
        named_in |= {row["destination"] or "", row["next_site"] or "", *_ends(row["blocked_by"])}
    known = {one: names[one] for one in sorted(named_in) if names.get(one)}
    return Sheet(site, name, tuple(lines.values()), known)


def _ends(cause: str | None) -> tuple[str, ...]:
    return tuple((cause or "").split(">"))


def make_sheets(orders: pl.DataFrame) -> tuple[Sheet, ...]:
    """Return the sheets of a plan's orders, in the order of the table.

    Parameters
    ----------
    orders : polars.DataFrame
        As ``orders.csv`` has them.
    """
    names: dict[str, str] = {}
    for column in ("site", "destination", "next_site"):
        pairs = orders.select(column, f"{column}_name").drop_nulls().unique()
        names |= dict(pairs.iter_rows())
    by_site: dict[str, list[Row]] = {}
    for row in orders.iter_rows(named=True):
        amounts = {name: _rounded(row[name], 3) for name in ("pieces", "leg_pieces")}
        amounts |= {name: _rounded(row[name], None) for name in ("trips", "leg_trips")}
        by_site.setdefault(row["site"], []).append(row | amounts)
    return tuple(sheet_of_rows(site, names.get(site, ""), rows, names) for site, rows in by_site.items())


def _rounded(value: float | None, digits: int | None) -> float | None:
    return None if value is None else round(value, digits)


def differing(
    new: Sheet,
    before: Sheet | None,
    *,
    since: datetime,
    since_before: datetime | None,
    unread: Sequence[Row] = (),
) -> tuple[tuple[bool, ...], tuple[Row, ...]]:
    """Return which orders of a sheet a site has not had before, and which it had that count no longer.

    An order is the same when the site does the same: how many pieces are stopped or sent another way is a
    forecast, how many trips are added and how many pieces are held is not.

    Parameters
    ----------
    new : Sheet
    before : Sheet or None
        What the site was told before; None where nothing.
    since, since_before : datetime
        From when each of them counts.
    unread : sequence of mapping
        Rows that the site was told count no longer, and has not acknowledged: it is told again.

    Returns
    -------
    tuple of bool
        For each of ``new.rows()``.
    tuple of mapping
        Rows of ``before``, and of ``unread``.
    """
    had = {} if before is None else {_what(row, since_before): row for row in before.rows()}
    wanted = [_what(row, since) for row in new.rows()]
    over = [row for key, row in had.items() if key not in set(wanted)]
    over += [row for row in unread if _what(row, since_before) not in {*wanted, *had}]
    return tuple(key not in had for key in wanted), tuple(over)


def _what(row: Row, since: datetime | None) -> tuple[Any, ...]:
    """Return what makes two orders the same."""
    action = row["action"]
    amount = row["trips"] if action == "extra-trip" else round(row["pieces"]) if action == "hold" else None
    begins = None
    if row["from_h"] and since is not None:
        begins = since + timedelta(hours=row["from_h"])
    return (action, row["next_site"], row["destination"], row["service_class"], begins, amount)


def told(row: Row, names: Mapping[str, str], said: str) -> dict[str, Any]:
    """Return a row as it is told, in words of both languages.

    Parameters
    ----------
    row : mapping
    names : mapping
        Of sites.
    said : str
        new, same or withdrawn.
    """
    words = order_words(row, names)
    if said == "withdrawn":
        words = withdrawn_words(words)
    named_sites = {
        f"{name}_name": None if row[name] is None else names.get(row[name], row[name])
        for name in ("destination", "next_site")
    }
    return {"told": said, **row, **named_sites, "words": {"zh": words.zh, "en": words.en}}


def counted(sheets: Sequence[Sheet]) -> dict[str, int]:
    """Return how many orders sheets have, by action."""
    total: Counter[str] = Counter()
    for sheet in sheets:
        total.update(sheet.counts())
    return {name: total[name] for name in (*ACTIONS, *sorted(total.keys() - set(ACTIONS))) if total[name]}
