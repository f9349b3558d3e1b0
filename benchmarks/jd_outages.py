"""Closures that really happened: learn from the days before, plan, compare with the operator.

``python benchmarks/jd_outages.py FOLDER`` reads ``leg_volumes.csv.gz`` and
``observed_outages.csv`` of FOLDER and prints two Markdown tables.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.network.learn import learn_network
from changtong.network.leg_volumes import read_volumes
from changtong.network.model import Network
from changtong.outages import close_sites
from changtong.planning.baseline import change_words
from changtong.planning.plan import plan
from changtong.planning.result import Plan

SEEN_DAYS = 3
"""Days of the closure that are compared: later ones drift with the season."""

USUAL_PIECES = 100.0
"""Largest day so far above which a leg's load share says something: below, one bag more is a multiple."""

PLAN_HEAD = (
    "closed", "from", "pieces a day", "unserved transit", "unserved area", "legs changed", "proved least",
    "opened / dropped", "highest load", "mean load", "top stand-ins (pieces)", "seconds",
)  # fmt: skip
SEEN_HEAD = (
    "closed", "from", "legs changed, plan / operator", "opened / dropped, operator", "changed on usual days",
    "highest load, legs over 100 a day", "pieces above the largest day", "mean load", "top gains seen",
    "of the plan's top 3",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the legs carried: one number for each leg of the union of before and after."""

    legs: list[tuple[str, str]]
    before: np.ndarray
    capacity: np.ndarray  # largest day so far, 0 for legs never seen
    after: np.ndarray

    @property
    def words(self) -> list[str]:
        return change_words(self.before, self.after)

    def highest(self) -> float:
        usual = self.capacity >= USUAL_PIECES
        return float((self.after[usual] / self.capacity[usual]).max(initial=0.0))

    def mean(self) -> float:
        used = (self.capacity >= USUAL_PIECES) & (self.after > 0.5)
        return float((self.after[used] / self.capacity[used]).mean()) if used.any() else 0.0

    def above(self) -> float:
        return float(np.maximum(0.0, self.after - self.capacity).sum())


def flows(volumes: pl.DataFrame, first: date, days: int) -> dict[tuple[str, str], float]:
    """Mean pieces a day on each leg over some days."""
    some = volumes.filter(pl.col("date").is_between(first, first + timedelta(days=days - 1)))
    mean = some.group_by("from_site", "to_site").agg(pl.col("pieces").sum() / days)
    return {(a, b): x for a, b, x in mean.iter_rows()}


def compare(network: Network, after: dict[tuple[str, str], float]) -> Seen:
    """Line up what the network knew before with what was seen after."""
    columns = ("from_site", "to_site", "flow_pieces_per_day", "capacity_pieces_per_day")
    known = {(str(a), str(b)): (x, most) for a, b, x, most in network.legs.select(columns).iter_rows()}
    legs = sorted(known.keys() | after.keys())
    before, capacity = np.array([known.get(leg, (0.0, 0.0)) for leg in legs]).T
    return Seen(legs, before, capacity, np.array([after.get(leg, 0.0) for leg in legs]))


def planned(made: Plan, network: Network) -> Seen:
    """The plan in the same terms."""
    rows = made.leg_flows.select("from_site", "to_site", "planned_pieces").iter_rows()
    return compare(network, {(str(a), str(b)): x for a, b, x in rows})


def gains(seen: Seen, closed: str) -> list[str]:
    """Sites whose pieces in or out grew most, the largest first."""
    gain: dict[str, float] = {}
    for leg, x in zip(seen.legs, seen.after - seen.before, strict=True):
        for site in leg:
            gain[site] = gain.get(site, 0.0) + float(x)
    gain.pop(closed, None)
    return sorted(gain, key=lambda site: -gain[site])[:3]


def count(words: list[str], *which: str) -> int:
    return sum(word in which for word in words)


def one(volumes: pl.DataFrame, row: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Plan one closure; return a line for each table."""
    network = learn_network(volumes, until=row["start"])
    begin = time.perf_counter()
    made = plan(network, close_sites(network, [row["dc"]]))
    seconds = time.perf_counter() - begin
    facts, mine = made.summary(), planned(made, network)
    theirs = compare(network, flows(volumes, row["start"], SEEN_DAYS))
    usual = compare(network, flows(volumes, row["start"] - timedelta(days=10), SEEN_DAYS))
    stand_ins = made.stand_ins.sort("pieces", descending=True).head(3)
    top, seen_top = stand_ins["stand_in"].to_list(), gains(theirs, row["dc"])
    shown = " ".join(f"{a} ({x:,.0f})" for a, x in stand_ins.select("stand_in", "pieces").iter_rows())
    key = (row["dc"], row["start"])
    everything = ("opened", "dropped", "more", "less")
    first = (
        *key, f"{row['normal_daily']:,}", f"{facts['unserved_transit_pieces']:,.0f}",
        f"{facts['unserved_area_pieces']:,.0f}", facts["changed_legs"], f"{facts['changed_legs_least']:.0f}",
        f"{facts['opened_legs']} / {facts['dropped_legs']}", f"{facts['max_load_share']:.0%}",
        f"{mine.mean():.0%}", shown, f"{seconds:.1f}",
    )  # fmt: skip
    second = (
        *key, f"{facts['changed_legs']} / {count(theirs.words, *everything)}",
        f"{count(theirs.words, 'opened')} / {count(theirs.words, 'dropped')}", count(usual.words, *everything),
        f"{mine.highest():.0%} / {theirs.highest():.0%}", f"{mine.above():,.0f} / {theirs.above():,.0f}",
        f"{mine.mean():.0%} / {theirs.mean():.0%}", " ".join(seen_top), len(set(top) & set(seen_top)),
    )  # fmt: skip
    return first, second


def table(head: tuple[str, ...], lines: list[tuple[Any, ...]]) -> str:
    rows = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *rows])


def main() -> int:
    folder = Path(sys.argv[1])
    volumes = read_volumes(folder / "leg_volumes.csv.gz")
    outages = pl.read_csv(folder / "observed_outages.csv", try_parse_dates=True)
    lines = [one(volumes, row) for row in outages.iter_rows(named=True)]
    print(table(PLAN_HEAD, [first for first, _ in lines]), end="\n\n")
    print(table(SEEN_HEAD, [second for _, second in lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
