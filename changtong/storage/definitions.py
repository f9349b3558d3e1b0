"""The registers as data: their columns and the ways their states may go (``tables/registers/*.csv``)."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

LEDGER_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "site": "site_id",
        "inspection": "planned_at",
        "hazard": "deadline",
        "task": "deadline",
        "rectification": "deadline",
        "attachment": "created_at",
        "campaign": "starts_at",
        "find": "found_at",
        "scorecard": "card_id",
        "assessment": "subject_id",
        "statement": "said_at",
        "mark": "marked_at",
        "hand_in": "handed_in_at",
        "case": "opened_at",
        "case_entry": "recorded_at",
        "permit": "valid_until",
        "firm": "valid_until",
        "staff_permit": "valid_until",
        "site_state": "starts_at",
        "duty_room": "opened_at",
        "duty_roster": "in_force_at",
        "duty_entry": "recorded_at",
        "rights_ticket": "received_at",
        "issued_plan": "proposed_at",
        "issued_order": "sent_at",
        "issued_entry": "recorded_at",
        "data_request": "received_at",
    }
)
"""Register -> the column its pages are ordered by."""

REGISTERS = tuple(LEDGER_KEYS)

MASK_WORDS: Mapping[str, str] = MappingProxyType({"no": "", "yes": "all"})
"""What the column ``personal`` of a table may say besides a kind of mask."""

FIRST_STATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # what was filled in offline comes finished; the others begin at their begin
        "inspection": ("planned", "under_way", "finished"),
        "hazard": ("open", "rectifying", "rectified", "reopened"),
        "task": ("open",),
        "rectification": ("open",),
        "campaign": ("planned", "running"),
        "assessment": ("open",),
    }
)
"""Register -> states a new record may have."""

CASE_KINDS = ("case", "case_entry")
"""Registers whose records `emergency_records` makes only: they are a chain."""

DUTY_KINDS = ("duty_room", "duty_roster", "duty_entry")
"""Registers whose records `workforce_records.room_register` makes only: the first entry with a key stands."""

ISSUED_KINDS = ("issued_plan", "issued_order", "issued_entry")
"""Registers whose records `response_records` makes only: two people agree, and the log is a chain."""

OWN_WAYS = (
    "scorecard", "assessment", "statement", "mark", "hand_in", *CASE_KINDS, *DUTY_KINDS, "rights_ticket",
    *ISSUED_KINDS, "data_request",
)  # fmt: skip
"""Registers whose records are made another way only: stages, blindness and chains rest on it."""

HOLDING_STATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "assessment": ("appeal",),
        "hazard": ("open", "rectifying", "rectified", "reopened"),
        "case": ("open", "responding", "suspended", "ended"),
        "rights_ticket": ("received", "accepted", "transferred", "mediated", "settled", "reopened"),
        "issued_plan": ("proposed", "approved", "issued"),
        "data_request": ("received", "waiting", "verified", "decided", "reopened"),
    }
)
"""Register -> states in which a record is not erased, nor what it refers to, nor what refers to it."""


PARTIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"rights_ticket": ("courier",)})
"""Register -> columns of users whom a record names as those it is about: they see it beyond their scope."""

HANDLERS: Mapping[str, tuple[str, str]] = MappingProxyType({"rights_ticket": ("handler", "firm_id")})
"""Register -> columns of the user who deals with a record for a firm, and of this firm: they see it, too."""

COMMANDS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(CASE_KINDS, "emergency")
    | dict.fromkeys(DUTY_KINDS, "duty")
    | dict.fromkeys(ISSUED_KINDS, "issued")
    | {"rights_ticket": "rights-tickets", "data_request": "data-requests"}
)
"""Register of `OWN_WAYS` -> the command that has the ways; `scorecard` for the others."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a register, as its row in ``tables/registers/*.csv`` says.

    Attributes
    ----------
    name, type, description : str
        Types: id, text, number, integer, boolean, instant, json.
    minimum, maximum : float or None
    required : bool
    references : str
        Kind of record, or ``user``, whose id it holds; or empty.
    choices : tuple of str
    default : str
    mask : str
        Empty, or how it is masked because it may hold personal data: a kind of `changtong.privacy.masks`. The
        values themselves are shown only where they are asked for with a reason, on record.
    ledger : str
        Who writes it where records are kept by a ledger, as hazards are by what was done with them. ``mark``:
        only the ledger, and a record that has a value here is kept by it; ``only``: only the ledger;
        ``with``: the ledger, once it keeps the record; empty: anyone who may.
    since : str
        Version of the registers that brought it; empty: the first.
    description_zh : str
        The description in Chinese, from ``tables/registers/descriptions_zh.toml``.
    """

    name: str
    type: str
    minimum: float | None
    maximum: float | None
    required: bool
    references: str
    choices: tuple[str, ...]
    default: str
    mask: str
    description: str
    ledger: str = ""
    since: str = ""
    description_zh: str = ""

    @property
    def personal(self) -> bool:
        """Whether it may hold personal data."""
        return bool(self.mask)


@cache
def register_columns(kind: str) -> Mapping[str, Column]:
    """Return the columns of a register by name.

    Parameters
    ----------
    kind : str
        One of `REGISTERS`.
    """
    columns = [
        Column(
            name=row["attribute"],
            type=row["type"],
            minimum=float(row["min"]) if row["min"] else None,
            maximum=float(row["max"]) if row["max"] else None,
            required=row["required"] == "yes",
            references=row["references"],
            choices=tuple(row["choices"].split("|")) if row["choices"] else (),
            default=row["default"],
            mask=MASK_WORDS.get(row["personal"], row["personal"]),
            description=row["description"],
            ledger=row.get("ledger", ""),
            since=row.get("since", ""),
            description_zh=chinese_descriptions().get(kind, {}).get(row["attribute"], ""),
        )
        for row in _rows(kind)
    ]
    return MappingProxyType({column.name: column for column in columns})


@cache
def chinese_descriptions() -> Mapping[str, Mapping[str, str]]:
    """Return what columns hold in Chinese, by register and column."""
    place = files("changtong").joinpath("tables", "registers", "descriptions_zh.toml")
    return MappingProxyType(tomllib.loads(place.read_text("utf-8")))


@cache
def later_columns() -> frozenset[str]:
    """Return the names of columns that the first version had not: empty ones count for no digest."""
    return frozenset(
        name for kind in REGISTERS for name, column in register_columns(kind).items() if column.since
    )


@cache
def state_changes() -> Mapping[tuple[str, str, str], str]:
    """Return the right that a change of state needs, by kind, old and new state; what is absent cannot be."""
    rows = _rows("states")
    return MappingProxyType({(r["kind"], r["from_state"], r["to_state"]): r["action"] for r in rows})


def _rows(name: str) -> list[dict[str, str]]:
    text = files("changtong").joinpath("tables", "registers", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def personal_columns(kind: str) -> tuple[str, ...]:
    """Return the columns of a register that may hold personal data.

    Examples
    --------
    >>> personal_columns("site")
    ('contact_name', 'contact_phone')
    """
    return tuple(name for name, column in register_columns(kind).items() if column.personal)


def state_column(kind: str) -> str:
    """Return the column that says how far a record is, or nothing where a register has none.

    Examples
    --------
    >>> state_column("hazard"), state_column("site"), state_column("find")
    ('state', 'status', '')
    """
    return next((name for name in ("state", "status") if name in register_columns(kind)), "")
