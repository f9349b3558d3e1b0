"""Which sites belong to which subject of a card, by what the card's subjects say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from changtong.assessment.scorecard import Scorecard, split_list
from changtong.rights.organisations import FIRMS
from changtong.rights.scope import region_prefix

SITES: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "admin_code": pl.String(),
    "path": pl.String(),
    "operator": pl.String(),
}
"""Sites that are known: region by GB/T 2260, path of the organisation in the registers, operator of a log."""

Organisation = Callable[[str], dict[str, Any] | None]
"""An organisation's ``path``, ``kind`` and ``admin_code`` by its id; None where it is not known."""


@dataclass(frozen=True)
class SubjectSites:
    """Sites of subjects.

    Attributes
    ----------
    pairs : polars.DataFrame
        ``subject_id``, ``site_id``.
    why_none : dict
        Subject without sites -> why, in words.
    """

    pairs: pl.DataFrame
    why_none: dict[str, str]


def sites_of_log(sites: pl.DataFrame | None) -> pl.DataFrame:
    """Return the sites of a log as `SITES`: a region that is a code of GB/T 2260 counts as one.

    Parameters
    ----------
    sites : polars.DataFrame or None
    """
    if sites is None:
        return pl.DataFrame(schema=SITES)
    code = pl.col("region").str.contains(r"^\d{6}(\d{3}(\d{3})?)?$")
    return sites.select(
        "site_id",
        admin_code=pl.when(code).then("region"),
        path=pl.lit(None, pl.String),
        operator="operator",
    ).cast(SITES)  # type: ignore[arg-type]


def subject_sites(card: Scorecard, sites: pl.DataFrame, organisation: Organisation | None) -> SubjectSites:
    """Return the sites of each subject.

    ``sites`` of a subject names them. Else ``admin_code`` is the region they lie in, and ``organisation``
    whose they are: a firm with all below it. An authority has those of its region. Without the registers an
    organisation is the operator of that name in the log.

    Parameters
    ----------
    card : Scorecard
    sites : polars.DataFrame
        `SITES`.
    organisation : callable or None
        None without registers.
    """
    rows: list[tuple[str, str]] = []
    why: dict[str, str] = {}
    known = sites.unique("site_id", keep="first", maintain_order=True)
    operators = set(known["operator"].drop_nulls())
    for one in card.subjects.iter_rows(named=True):
        subject = str(one["subject_id"])
        named = split_list(one["sites"])
        if named:
            rows += [(subject, site) for site in dict.fromkeys(named)]
            continue
        rule, reason = _rule(one, organisation, operators)
        if rule is None:
            why[subject] = reason
            continue
        mine = known.filter(rule)["site_id"].to_list()
        rows += [(subject, site) for site in mine]
        if not mine:
            why[subject] = "no site known lies there"
    pairs = pl.DataFrame(rows, {"subject_id": pl.String, "site_id": pl.String}, orient="row")
    return SubjectSites(pairs, why)


def _rule(
    one: dict[str, Any], organisation: Organisation | None, operators: set[str]
) -> tuple[pl.Expr | None, str]:
    """Return what the sites of a subject fulfil, or None and the reason."""
    code, owner = one["admin_code"], one["organisation"]
    if code is None and owner is None:
        return None, "the card says neither sites nor admin_code nor organisation"
    rules: list[pl.Expr] = []
    if owner is not None:
        found = None if organisation is None else organisation(owner)
        if found is not None and found["kind"] in FIRMS:
            rules.append(pl.col("path").str.starts_with(found["path"]))
        elif found is not None:
            code = code or found["admin_code"]
        elif owner in operators:
            rules.append(pl.col("operator") == owner)
        else:
            return None, f"organisation {owner} is known neither in the registers given nor as an operator"
    if code is not None:
        rules.append(pl.col("admin_code").str.starts_with(region_prefix(code)))
    return pl.all_horizontal(rules), ""
