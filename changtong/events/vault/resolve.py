"""Giving pseudonyms back their ids: with the key, a right and a reason; every look is on record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.events.keys import from_pseudonym, is_pseudonym, pseudonym
from changtong.events.tracing.trace_result import Trace
from changtong.events.vault import record
from changtong.events.vault.blocks import find_ids
from changtong.events.vault.rights import Right, fault_of
from changtong.events.vault.store import Vault

REFUSED = {
    "wrong-right": "There is no such right, or its token is another one.",
    "right-expired": "The right is over: who holds the key can give a new one.",
}


@dataclass(frozen=True)
class Resolved:
    """Ids given back.

    Attributes
    ----------
    ids : polars.DataFrame
        ``pseudonym``, ``key`` (its number, as in the log), ``id``; in the order asked for.
        Not shown by ``repr``.
    missing : tuple of str
        Pseudonyms that are not in the vault.
    """

    ids: pl.DataFrame = field(repr=False)
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return both as one object."""
        return {
            "ids": [{"pseudonym": row[0], "id": row[2]} for row in self.ids.iter_rows()],
            "missing": list(self.missing),
        }

    def __str__(self) -> str:
        lines = [f"{name}  {value}" for name, _, value in self.ids.iter_rows()]
        return "\n".join([*lines, *(f"{name}  not in the vault" for name in self.missing)])


def resolve(vault: Vault, pseudonyms: Iterable[str | int], right: Right | None, reason: str) -> Resolved:
    """Give pseudonyms back their ids.

    The look is in the vault's record before anything is returned; one that is refused as well.

    Parameters
    ----------
    vault : Vault
        Opened with the key.
    pseudonyms : iterable of str or int
        As text (``p…``), or as the numbers that a log and the tables of a trace have.
    right : Right
        From `grant`, or `read_right`.
    reason : str
        Why; it is kept in the record.

    Raises
    ------
    UsageError
        ``no-right``, ``wrong-right``, ``right-expired``, ``reason-missing``.
    InputError
        ``bad-pseudonym``, ``damaged-vault``.
    """
    keys = keys_of_pseudonyms(pseudonyms)
    found = find_with_right(vault, np.array(keys, np.int64), right, reason)
    rows = [(pseudonym(key), key, found[key]) for key in keys if key in found]
    schema = {"pseudonym": pl.String, "key": pl.Int64, "id": pl.String}
    ids = pl.DataFrame(rows, schema=schema, orient="row")
    return Resolved(ids, tuple(pseudonym(key) for key in keys if key not in found))


def keys_of_pseudonyms(given: Iterable[str | int]) -> list[int]:
    """Return the numbers of pseudonyms, each once, written as text or as their numbers.

    Raises
    ------
    InputError
        ``bad-pseudonym``: which ones, by their place; not as they are written, for they may be ids.

    Examples
    --------
    >>> keys_of_pseudonyms(["paaaaaaaaaaaac", "-5", 1])
    [1, -5]
    """
    keys: dict[int, None] = {}
    problems = []
    for place, one in enumerate(given, 1):
        key = from_pseudonym(one) if isinstance(one, str) and is_pseudonym(one) else _number(one)
        if key is None:
            text = f"What stands in place {place} is no pseudonym."
            expected = "p and 13 letters or digits, or its number in the log"
            problems.append(Problem("bad-pseudonym", text, expected=expected))
        else:
            keys[key] = None
    if problems:
        raise InputError(problems)
    return list(keys)


def _number(one: str | int) -> int | None:
    try:
        key = int(one)
    except ValueError:
        return None
    return key if -(2**63) <= key < 2**63 else None


def check_terms(right: Right | None, reason: str) -> Right:
    """Refuse a question without a right or a reason; whether the right is one is not looked at yet.

    Raises
    ------
    UsageError
        ``no-right``, ``reason-missing``.
    """
    if right is None:
        raise UsageError("Nothing is resolved without a right: who holds the key gives one.", "no-right")
    if not reason.strip():
        raise UsageError("Nothing is resolved without a reason; it is kept in the record.", "reason-missing")
    return right


def find_with_right(
    vault: Vault, keys: NDArray[np.int64], right: Right | None, reason: str
) -> dict[int, str]:
    """Return the ids of pseudonyms, given as numbers, on the terms of `resolve`."""
    right = check_terms(right, reason)
    keys = np.unique(keys)
    with vault.db() as db:
        fault = fault_of(db, vault.cipher, right)
        found = {} if fault else find_ids(db, vault.cipher, keys)
        with db:
            db.execute("BEGIN IMMEDIATE")
            record.append(
                db, vault.cipher, "refused" if fault else "resolved", right.name,
                reason=fault or reason.strip(), asked=keys, found=len(found),
            )  # fmt: skip
    if fault:
        raise UsageError(REFUSED[fault], fault)
    return found


def with_ids(trace: Trace, vault: Vault, right: Right | None, reason: str) -> Trace:
    """Return a trace whose tables have the ids beside the pseudonyms, on the terms of `resolve`.

    Added are ``item_id``, ``tied_to_id`` and ``container_id`` to items and ties, ``receptacle_id`` and
    ``vehicle_id`` to receptacles and vehicles; null where the vault has none.
    """
    named = {
        "items": ("item", "tied_to", "container"),
        "ties": ("item", "tied_to", "container"),
        "receptacles": ("receptacle",),
        "vehicles": ("vehicle",),
    }
    columns = [getattr(trace, table)[name] for table, names in named.items() for name in names]
    keys = pl.concat([column.cast(pl.Int64).rename("key") for column in columns]).drop_nulls().unique()
    found = find_with_right(vault, keys.to_numpy(), right, reason)
    ids = pl.DataFrame(
        {"key": list(found), "id": list(found.values())}, schema={"key": pl.Int64, "id": pl.String}
    )
    tables: dict[str, pl.DataFrame] = {}
    for table, names in named.items():
        frame: pl.DataFrame = getattr(trace, table)
        for name in names:
            own = ids.rename({"key": name, "id": f"{name}_id"})
            frame = frame.join(own, on=name, how="left", maintain_order="left")
        tables[table] = frame
    return trace.with_tables(**tables)
