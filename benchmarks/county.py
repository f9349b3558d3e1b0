"""County plans on drawn counties: quality against work, and the time of every stage.

    python benchmarks/county.py VILLAGES STATIONS [--firms N] [--buses N] [--effort E ...] [--seed S]

Prints a row for each effort: CNY of the three answers, seconds and CPU seconds, the most memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from county_cases import drawn

from changtong.rural.county_question import CountySettings
from changtong.rural.plan_county import plan_county


def main() -> None:
    """Plan one drawn county at each effort."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("villages", type=int)
    parser.add_argument("stations", type=int)
    parser.add_argument("--firms", type=int, default=3)
    parser.add_argument("--buses", type=int, default=0)
    parser.add_argument("--effort", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    county = drawn(asked.villages, asked.stations, firms=asked.firms, buses=asked.buses, seed=asked.seed)
    for effort in asked.effort:
        began, cpu = time.perf_counter(), time.process_time()
        result = plan_county(county, seconds=asked.seconds, settings=CountySettings(effort=effort))
        row = {
            "villages": asked.villages,
            "stations": asked.stations,
            "firms": asked.firms,
            "effort": effort,
            "alone_cny": round(sum(plan.cost_cny for plan in result.alone.values())),
            "shared_cny": round(result.shared.cost_cny),
            "with_buses_cny": None if result.with_buses is None else round(result.with_buses.cost_cny),
            "stations_used": result.shared.stations.height,
            "unserved": result.shared.unserved.height,
            "wall_s": round(time.perf_counter() - began, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
