"""Cards in registers for tests: who assesses, who is assessed, two departments that mark."""

from __future__ import annotations

from typing import Any

import polars as pl
from assessment_cases import card, deduct, fact, head
from registers_cases import person

from changtong.assessment.scorecard import CardHead, Scorecard
from changtong.rights.scope import Scope
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, Store

CARD = "spb-gd.test.1.2025"
DEPARTMENTS = {"postal": "spb-gd", "police": "ga-gd"}
FIRMS = {"a": "sd-ns", "b": "fc-ft"}
POINTS = 7.654321
"""A mark that is met nowhere else: what shows it has shown a mark."""

PROOF = "blind-proof-17"


def small_card(about: CardHead | None = None, **more: list[dict[str, Any]]) -> Scorecard:
    """Two outlets, one measured indicator, one that both departments mark, a rule with a finding."""
    tables: dict[str, list[dict[str, Any]]] = {
        "subjects": [
            {"subject_id": key, "name": f"网点 {key}", "level": "firm", "organisation": organisation,
             "owner": "安全负责人"}
            for key, organisation in FIRMS.items()
        ],
        "sections": [{"section_id": "s", "name_zh": "部分", "start_points": 10.0}],
        "indicators": [
            {"indicator_id": "real-name", "section_id": "s", "name_zh": "实名率", "max_points": 20.0,
             "scoring": "linear", "zero_at": 0.9, "full_at": 1.0},
            {"indicator_id": "joint", "section_id": "s", "name_zh": "联动", "max_points": 10.0,
             "scoring": "marks"},
        ],
        "rules": [deduct("open", 3.0)],
        "facts": [fact("F1", "a", "open"), fact("F2", "b", "open")],
        "departments": [
            {"department_id": key, "name_zh": key, "weight": weight, "organisation": DEPARTMENTS[key]}
            for key, weight in (("postal", 60.0), ("police", 40.0))
        ],
    }  # fmt: skip
    return card(about or head(decimals=6, disagreement_above=1.0), **tables | more)


def people(store: Store, admin: Desk) -> dict[str, Desk]:
    """Return desks: assessors of each department, somebody of each outlet, others."""
    admin.add_organisation(NewOrganisation("广东省公安厅", "province", "440000", None, "", "police", "ga-gd"))
    region = Scope(region="440000")
    return {
        "postal": person(store, admin, "postal", "spb-gd", ("assessor", region)),
        "second": person(store, admin, "second", "spb-gd", ("assessor", region)),
        "police": person(store, admin, "police", "ga-gd", ("assessor", region)),
        "a": person(store, admin, "a", "sd-ns", ("planner", Scope("/sd/sd-gd/sd-sz/sd-ns/"))),
        "b": person(store, admin, "b", "fc-ft", ("assessor", Scope("/fc/fc-ft/"))),
        "viewer": person(store, admin, "viewer", "spb-gd", ("viewer", region)),
        "admin": admin,
    }


def marks(**points: float) -> pl.DataFrame:
    """Return marks of the indicator ``joint``."""
    return pl.DataFrame(
        [
            {"subject_id": key, "indicator_id": "joint", "points": f"{value!r}", "evidence": PROOF}
            for key, value in points.items()
        ]
    )


def values(**given: float) -> pl.DataFrame:
    """Return values by indicator, underscores standing for hyphens."""
    return pl.DataFrame(
        [{"indicator_id": key.replace("_", "-"), "value": str(value)} for key, value in given.items()]
    )
