"""Site states and the ways between them, as data."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from changtong.epidemic.tables import TableReader, shipped, words
from changtong.outages import MOST_EXTRA_H

STATES_FILE, TRANSITIONS_FILE = "states.csv", "transitions.csv"
FREE, PASSES, NONE = "free", "passes", "none"
OPEN = "open"
NEEDS = ("reason", "authority")

STATE_SCHEMA: dict[str, pl.DataType] = {
    "state": pl.String(),
    "rank": pl.Int64(),
    "zh": pl.String(),
    "en": pl.String(),
    "capacity_share": pl.Float64(),
    "extra_h": pl.Float64(),
    "entry": pl.String(),
    "capacity_from": pl.String(),
    "provenance": pl.String(),
    "source": pl.String(),
}
TRANSITION_SCHEMA: dict[str, pl.DataType] = {
    "from_state": pl.String(),
    "to_state": pl.String(),
    "needs": pl.String(),
    "provenance": pl.String(),
    "source": pl.String(),
}


@dataclass(frozen=True)
class StateKind:
    """A state a site can be in.

    Attributes
    ----------
    state, zh, en : str
    rank : int
        The higher, the stricter.
    capacity_share : float
        Of the site's capacity, 0 to 1.
    extra_h : float
        Added to each visit.
    entry : str
        ``free``, ``passes`` (vehicles enter with a valid pass only) or ``none``.
    capacity_from : str
        ``staff``: the share comes from the staff who may work, where they are known; ``share``.
    provenance, source : str
    """

    state: str
    rank: int
    zh: str
    en: str
    capacity_share: float
    extra_h: float
    entry: str
    capacity_from: str
    provenance: str
    source: str


@dataclass(frozen=True)
class StateKinds:
    """All states, and the ways between them.

    Attributes
    ----------
    kinds : dict
        State -> kind.
    ways : dict
        (from, to) -> columns that must be filled in the row of the later state.
    """

    kinds: dict[str, StateKind]
    ways: dict[tuple[str, str], tuple[str, ...]]

    def find(self, word: str) -> str | None:
        """Return the state that a word means: its id, or its name in either language.

        Parameters
        ----------
        word : str
        """
        plain = word.strip().lower().replace("-", "_").replace(" ", "_")
        for kind in self.kinds.values():
            if plain in (kind.state.lower(), kind.en.lower().replace("-", "_").replace(" ", "_")):
                return kind.state
            if word.strip() == kind.zh:
                return kind.state
        return None


def read_state_kinds(reader: TableReader) -> StateKinds:
    """Return the states of a folder, or the shipped ones.

    Parameters
    ----------
    reader : TableReader
        Gets what is wrong.
    """
    needed = ("state", "rank", "zh", "en", "capacity_share", "entry", "provenance")
    path = reader.place(STATES_FILE) or shipped(STATES_FILE)
    frame = reader.table(path, STATE_SCHEMA, needed, key=("state",))
    reader.one_of(frame, "entry", (FREE, PASSES, NONE), STATES_FILE)
    reader.one_of(frame, "capacity_from", ("share", "staff"), STATES_FILE)
    reader.within(frame, "capacity_share", 0.0, 1.0, STATES_FILE)
    reader.within(frame, "extra_h", 0.0, MOST_EXTRA_H, STATES_FILE)
    filled = frame.with_columns(
        pl.col("extra_h").fill_null(0.0),
        pl.col("capacity_from").fill_null("share"),
        pl.col("source").fill_null(""),
    )
    kinds = {
        row["state"]: StateKind(**{name: row[name] for name in STATE_SCHEMA})
        for row in filled.iter_rows(named=True)
    }
    if frame.height and OPEN not in kinds:
        reader.add("missing-value", f"there is no state {OPEN!r}.", STATES_FILE, None, "state", OPEN)
    return StateKinds(kinds, _ways(reader, tuple(kinds)))


def _ways(reader: TableReader, states: tuple[str, ...]) -> dict[tuple[str, str], tuple[str, ...]]:
    path = reader.place(TRANSITIONS_FILE)
    if path is None and reader.place(STATES_FILE) is not None and reader.folder is not None:
        own = set(states)  # states of one's own without a table of ways: every way is allowed
        return {(one, two): () for one in own for two in own if one != two}
    frame = reader.table(
        path or shipped(TRANSITIONS_FILE),
        TRANSITION_SCHEMA,
        ("from_state", "to_state", "provenance"),
        key=("from_state", "to_state"),
    )
    for column in ("from_state", "to_state"):
        reader.one_of(frame, column, states, TRANSITIONS_FILE)
    made = {}
    for row in frame.iter_rows(named=True):
        needs = words(row["needs"])
        for need in needs:
            if need not in NEEDS:
                expected = "one of " + ", ".join(NEEDS)
                message = f"{need!r} is unknown."
                reader.add("unknown-value", message, TRANSITIONS_FILE, row["row"], "needs", expected)
        made[row["from_state"], row["to_state"]] = needs
    return made
