"""People and sites of small registers, for safety supervision in them."""

from __future__ import annotations

from typing import Any

from registers_cases import person, site

from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

CITY = Scope(region="440300")
PLACES = {"S1": "sd-ns", "S2": "sd-ns", "S3": "fc-ft"}
"""Site -> the outlet it belongs to; both lie in the city."""


def office(store: Store, admin: Desk, names: tuple[str, ...] = ("li", "wu", "he")) -> dict[str, Desk]:
    """Inspectors of the city's authority, and its sites."""
    roles = [(role, CITY) for role in ("inspector", "duty_officer", "planner")]
    desks = {name: person(store, admin, name, "spb-sz", *roles) for name in names}
    for name, owner in PLACES.items():
        next(iter(desks.values())).add("site", site(name[1:], lon=114.05, lat=22.54), organisation=owner)
    return desks


def outlet(store: Store, admin: Desk, name: str = "ning") -> Desk:
    """Who works at the outlet that sites 1 and 2 belong to."""
    scope = Scope("/sd/sd-gd/sd-sz/sd-ns/")
    return person(store, admin, name, "sd-ns", ("inspector", scope), ("duty_officer", scope))


def events_kept(admin: Desk, kind: str, record: str) -> list[dict[str, Any]]:
    """What the register keeps as the events of a record."""
    from changtong.storage.records import rows_to_decide

    with admin.work(writes=False) as work:
        return list(rows_to_decide(work, kind, "id", [record])[0]["events"])
