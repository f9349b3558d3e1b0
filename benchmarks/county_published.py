"""County plans on published two-echelon instances, beside the best values known.

    python benchmarks/county_published.py FOLDER [--effort E] [--only TEXT ...] [--seconds S]

An instance becomes a county of one firm: satellites are stations without rent, customers are villages visited
each day, trucks and city freighters are its vehicles, and the hub's way to a village is too long to be driven.
A day of the shared plan is then a solution of the instance, but for one freedom that the county has more:
first-level deliveries of one station may come with several trucks only where one cannot hold them.
Prints a row for each instance and the mean and worst gap.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from county_cases import county_of_instance
from two_echelon import best_known

from changtong.rural.county_question import CountySettings
from changtong.rural.plan_county import plan_county
from changtong.rural.two_echelon_file import read_two_echelon


def main() -> None:
    """Plan every instance of the folder that has a best value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", default=[""])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    best = best_known(asked.folder)
    gaps: list[float] = []
    for file in sorted(asked.folder.glob("*.dat")):
        if file.stem not in best or not any(text in file.stem for text in asked.only):
            continue
        given = read_two_echelon(file)
        began = time.perf_counter()
        settings = CountySettings(effort=asked.effort, detour_factor=1.0)
        plan = plan_county(county_of_instance(given), seed=asked.seed, settings=settings).shared
        cost = plan.cost_cny / 7.0
        gap = 100.0 * (cost / best[file.stem] - 1.0)
        left = plan.unserved.height
        row = {
            "instance": file.stem,
            "cost": round(cost, 3),
            "best": best[file.stem],
            "gap_pct": round(gap, 3),
        }
        print(
            json.dumps(row | {"unserved": left, "seconds": round(time.perf_counter() - began, 1)}), flush=True
        )
        if not left:
            gaps.append(gap)
    print(f"{len(gaps)} instances, mean gap {statistics.mean(gaps):.3f} %, worst {max(gaps):.3f} %")


if __name__ == "__main__":
    main()
