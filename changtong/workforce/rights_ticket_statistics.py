"""How many rights tickets there are by firm and kind; small counts are not told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.workforce.rights_tickets import RightsTicket

LEAST = 5
ALL = "all"


@dataclass(frozen=True)
class CountedTickets:
    """Tickets of which only firm and kind are known: what is counted, without personal data."""

    known: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, tickets: Iterable[RightsTicket]) -> CountedTickets:
        """Keep of tickets what is counted.

        Parameters
        ----------
        tickets : iterable of RightsTicket
        """
        return cls(tuple((one.firm_id, one.kind) for one in tickets))

    @property
    def name(self) -> str:
        """What it is called in a study."""
        return f"{len(self.known)} rights tickets"

    def digest(self) -> str:
        """Return a SHA-256 over what is counted: equal inputs, equal digest."""
        return sha256(repr(sorted(self.known)).encode()).hexdigest()


def count_tickets(known: Sequence[tuple[str, str]], *, least: int = LEAST) -> pl.DataFrame:
    """Count tickets of which only firm and kind are known.

    Parameters
    ----------
    known : sequence of tuple
        Firm and kind of each ticket.
    least : int
        A count below it, other than 0, is not told.

    Returns
    -------
    polars.DataFrame
        firm_id, kind, tickets (null: not told), is_hidden. Both may be ``all``, the sum.

    Notes
    -----
    Where a single count of a row or a column of the table is hidden, its sum would give it away: then the
    next smallest one is hidden as well, until no row and no column hides just one.
    """
    if least < 1:
        raise UsageError("The least number of tickets told of is 1 or more.")
    firms, kinds = (sorted({pair[k] for pair in known}) for k in (0, 1))
    counts = np.zeros((len(firms), len(kinds)), dtype=np.int64)
    for firm, kind in known:
        counts[firms.index(firm), kinds.index(kind)] += 1
    table = np.zeros((len(firms) + 1, len(kinds) + 1), dtype=np.int64)
    table[:-1, :-1] = counts
    table[:-1, -1], table[-1, :-1], table[-1, -1] = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    hidden = _hidden(table, least)
    rows = [
        {"firm_id": firm, "kind": kind, "tickets": None if hidden[i, j] else int(table[i, j]),
         "is_hidden": bool(hidden[i, j])}
        for i, firm in enumerate([*firms, ALL])
        for j, kind in enumerate([*kinds, ALL])
    ]  # fmt: skip
    schema = {"firm_id": pl.String(), "kind": pl.String(), "tickets": pl.Int64(), "is_hidden": pl.Boolean()}
    return pl.DataFrame(rows, schema)


def _hidden(table: NDArray[np.int64], least: int) -> NDArray[np.bool_]:
    hidden = (table > 0) & (table < least)
    while True:
        before = hidden.copy()
        for line, values in [*zip(hidden, table, strict=True), *zip(hidden.T, table.T, strict=True)]:
            if line.sum() == 1:
                open_ones = np.flatnonzero(~line)
                line[min(open_ones, key=lambda k: (values[k] == 0, values[k]))] = True
        if (before == hidden).all():
            return hidden
