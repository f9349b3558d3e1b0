"""How long international mail settles (静置), set by place: data, the most local rule first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import polars as pl

from changtong.epidemic.tables import INSTANT, TableReader, shipped
from changtong.network.model import Network
from changtong.outages import MOST_EXTRA_H, admin_prefix
from changtong.wording import Both

FILE = "settling_rules.csv"
EVERYWHERE = "*"
SCHEMA: dict[str, pl.DataType] = {
    "place": pl.String(),
    "bag_h": pl.Float64(),
    "item_h": pl.Float64(),
    "from": INSTANT,
    "until": INSTANT,
    "items_per_m2": pl.Float64(),
    "receptacles_per_m2": pl.Float64(),
    "provenance": pl.String(),
    "source": pl.String(),
}


@dataclass(frozen=True)
class SettlingRule:
    """Hours a closed bag settles from its arrival, and an item from the opening of its bag.

    Attributes
    ----------
    place : str
        A site's id, a GB/T 2260 code, or ``*``.
    bag_h, item_h : float
    begin, end : datetime or None
    items_per_m2, receptacles_per_m2 : float or None
    """

    place: str
    bag_h: float
    item_h: float
    begin: datetime | None = None
    end: datetime | None = None
    items_per_m2: float | None = None
    receptacles_per_m2: float | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether it is in force at an instant."""
        return (self.begin is None or self.begin <= at) and (self.end is None or at < self.end)


def read_settling_rules(reader: TableReader, *, examples: bool = False) -> tuple[SettlingRule, ...]:
    """Return the rules of a folder.

    Parameters
    ----------
    reader : TableReader
        Gets what is wrong; two rules for one place at one time are.
    examples : bool
        Whether the shipped examples are taken where the folder has no rules.
    """
    path = reader.place(FILE) or (shipped(FILE) if examples else None)
    frame = reader.table(path, SCHEMA, ("place", "bag_h", "item_h", "provenance"), spans=(("from", "until"),))
    for column in ("bag_h", "item_h"):
        reader.within(frame, column, 0.0, MOST_EXTRA_H / 2, FILE)
    for column in ("items_per_m2", "receptacles_per_m2"):
        reader.within(frame, column, 1e-6, 1e6, FILE)
    rows = frame.filter(pl.all_horizontal(pl.col("place", "bag_h", "item_h").is_not_null()))
    for _, group in rows.sort("from", nulls_last=False).group_by("place", maintain_order=True):
        for one, two in pairwise(group.iter_rows(named=True)):
            if one["until"] is None or two["from"] is None or one["until"] > two["from"]:
                message = f"two rules hold for {two['place']} at one time (row {one['row']})."
                reader.add("duplicate-row", message, FILE, two["row"], "place", "one rule at a time")
    return tuple(
        SettlingRule(
            r["place"],
            r["bag_h"],
            r["item_h"],
            r["from"],
            r["until"],
            r["items_per_m2"],
            r["receptacles_per_m2"],
        )
        for r in rows.iter_rows(named=True)
    )


def hours_at(
    rules: tuple[SettlingRule, ...], site: str, code: str | None, at: datetime
) -> SettlingRule | None:
    """Return the rule for a site at an instant: its own, else that of the smallest unit around it.

    Parameters
    ----------
    rules : tuple of SettlingRule
    site : str
    code : str or None
        Its administrative code.
    at : datetime

    Examples
    --------
    >>> at = datetime.fromisoformat("2022-05-01T00:00+08:00")
    >>> known = (SettlingRule("310000", 24, 24), SettlingRule("310115", 48, 0), SettlingRule("X", 1, 2))
    >>> [hours_at(known, s, "310115", at).bag_h for s in ("X", "Y")]
    [1, 48]
    """
    found: tuple[int, SettlingRule] | None = None
    for rule in rules:
        if not rule.holds(at):
            continue
        prefix = admin_prefix(rule.place)
        if rule.place == site:
            local = 100
        elif rule.place == EVERYWHERE:
            local = 0
        elif code and rule.place.isdigit() and code.startswith(prefix):
            local = len(prefix)
        else:
            continue
        if found is None or local > found[0]:
            found = (local, rule)
    return None if found is None else found[1]


def no_rule(site: str) -> Both:
    """Return the note of a site that no rule holds for.

    Parameters
    ----------
    site : str
    """
    return Both(f"{site}：没有适用的静置规则", f"{site}: no settling rule holds for it")


def international_sites(sites: pl.DataFrame, network: Network | None = None) -> dict[str, str | None]:
    """Return the international sites with their administrative codes.

    Parameters
    ----------
    sites : polars.DataFrame
        Of the folder: those that say so; of kind ``exchange`` where nothing is said.
    network : Network, optional
        Its exchange offices count where the folder does not name them.
    """
    made: dict[str, str | None] = {}
    if network is not None and {"kind", "admin_code"} <= set(network.sites.columns):
        there = network.sites.select(pl.col("site_id", "kind", "admin_code").cast(pl.String))
        made = {site: code for site, kind, code in there.iter_rows() if kind == "exchange"}
        codes = dict(there.select("site_id", "admin_code").iter_rows())
    else:
        codes = {}
    for row in sites.iter_rows(named=True):
        says = row["kind"] == "exchange" if row["international"] is None else row["international"]
        if says:
            made[row["site_id"]] = row["admin_code"] or codes.get(row["site_id"])
        elif row["international"] is not None:
            made.pop(row["site_id"], None)
    return made
