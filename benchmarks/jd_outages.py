"""Closures that really happened: learn from the days before, plan, compare with the operator.

``python benchmarks/jd_outages.py FOLDER`` reads ``leg_volumes.csv.gz`` and
``observed_outages.csv`` of FOLDER and prints a Markdown table.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from changtong.network.learn import learn_network, read_volumes
from changtong.outages import close_sites
from changtong.planning.plan import plan

SEEN_DAYS = 3
"""Days of the closure that are compared: later ones drift with the season."""

HEAD = (
    "closed", "from", "pieces a day", "unserved transit", "unserved taken-over", "legs changed, plan",
    "legs changed, operator", "highest load, plan", "mean load, plan", "highest load, operator",
    "mean load, operator", "top stand-ins, plan", "top gains seen", "seconds",
)  # fmt: skip


def loads(flow: dict[tuple[str, str], float], capacity: dict[tuple[str, str], float]) -> tuple[float, float]:
    shares = [
        flow.get(leg, 0.0) / most for leg, most in capacity.items() if most > 0 and flow.get(leg, 0.0) > 0.5
    ]
    return (max(shares), float(np.mean(shares))) if shares else (0.0, 0.0)


def main() -> int:
    folder = Path(sys.argv[1])
    volumes = read_volumes(folder / "leg_volumes.csv.gz")
    outages = pl.read_csv(folder / "observed_outages.csv", try_parse_dates=True)
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for row in outages.iter_rows(named=True):
        network = learn_network(volumes, until=row["start"])
        begin = time.perf_counter()
        made = plan(network, close_sites(network, [row["dc"]]))
        seconds = time.perf_counter() - begin
        stood_in = set(made.stand_ins["stand_in"])
        lost = made.unserved.group_by(pl.col("to_site").cast(pl.String).is_in(list(stood_in))).agg(
            pl.col("pieces").sum()
        )
        by = dict(lost.iter_rows())
        days = pl.col("date").is_between(row["start"], row["start"] + timedelta(days=SEEN_DAYS - 1))
        seen = volumes.filter(days).group_by("from_site", "to_site").agg(pl.col("pieces").sum() / SEEN_DAYS)
        after = {(a, b): x for a, b, x in seen.iter_rows()}
        legs = network.legs.select(
            pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String),
            "flow_pieces_per_day", "capacity_pieces_per_day",
        )  # fmt: skip
        before = {(a, b): x for a, b, x, _ in legs.iter_rows()}
        capacity = {(a, b): x for a, b, _, x in legs.iter_rows()}
        changed = sum(
            (before.get(leg, 0.0) > 0.5) != (after.get(leg, 0.0) > 0.5)
            for leg in before.keys() | after.keys()
        )
        planned = {
            (str(a), str(b)): x
            for a, b, x in made.leg_flows.select("from_site", "to_site", "planned_pieces").iter_rows()
        }
        gain: dict[str, float] = {}
        for flows, sign in ((after, 1.0), (before, -1.0)):
            for (_, b), x in flows.items():
                gain[b] = gain.get(b, 0.0) + sign * x
        gain.pop(row["dc"], None)
        top = sorted(gain, key=lambda site: -gain[site])[:3]
        ours = made.stand_ins.sort("pieces", descending=True)["stand_in"].head(3).to_list()
        high, mean = loads(planned, capacity)
        seen_high, seen_mean = loads(after, capacity)
        cells = (
            row["dc"], row["start"], f"{row['normal_daily']:,}", f"{by.get(False, 0.0):,.0f}", f"{by.get(True, 0.0):,.0f}",
            int(made.value("changed_legs")), changed, f"{high:.0%}", f"{mean:.0%}", f"{seen_high:.0%}", f"{seen_mean:.0%}",
            " ".join(ours), " ".join(top), f"{seconds:.1f}",
        )  # fmt: skip
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
