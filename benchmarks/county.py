"""County plans on drawn counties: quality against work, and the time of every stage.

    python benchmarks/county.py VILLAGES STATIONS [--firms N] [--buses N] [--effort E ...] [--seed S]
    python benchmarks/county.py draw FILE.svg SIZE... [--effort E ...]

The first prints a row for each effort: CNY of the three answers, seconds and CPU seconds, the most memory. The second
plans counties of some sizes (VILLAGESxSTATIONS, or the name of a district of India) for all firms together, and draws
how far above the best cost found each effort ends, over seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import chart
from chart import Line
from county_cases import drawn

from changtong.executors.cores import usable_cores
from changtong.rural.county import County
from changtong.rural.county_question import CountySettings, ask
from changtong.rural.firm_plans import checked_plan
from changtong.rural.plan_county import plan_county
from changtong.rural.plan_question import WORK_PER_CUSTOMER, plan_question
from changtong.rural.sources import india_district


def together(county: County, effort: float) -> tuple[float, float]:
    """Return seconds and CNY of a week of the shared plan."""
    began = time.perf_counter()
    settings = CountySettings(effort=effort)
    question = ask(county, county.firms, settings=settings)
    found = plan_question(question, seed=0, work=WORK_PER_CUSTOMER * effort, threads=usable_cores())
    plan = checked_plan(county, found, county.firms, "shared", settings)
    assert plan.unserved.is_empty()
    return time.perf_counter() - began, plan.cost_cny


def draw_quality(file: Path, sizes: list[str], efforts: list[float]) -> None:
    """Plan each county at each effort and draw cost above the best over seconds."""
    lines = []
    for colour, size in zip(chart.COLOURS, sizes, strict=False):
        villages, _, stations = size.partition("x")
        county = drawn(int(villages), int(stations)) if stations else india_district(size)
        points = []
        for effort in efforts:
            points.append(together(county, effort))
            row = {
                "county": size,
                "effort": effort,
                "seconds": round(points[-1][0], 1),
                "shared_cny": round(points[-1][1]),
            }
            print(json.dumps(row), flush=True)
        best = min(cost for _, cost in points)
        name = f"{villages} villages" if stations else size.title()
        lines.append(Line(name, [(spent, 100.0 * (cost / best - 1.0)) for spent, cost in points], colour))
    title = "Shared plan: cost above the best found, by seconds"
    chart.draw(lines, file, title, say_x=lambda x: f"{x:g} s", say_y=lambda y: f"{y:g} %", linear=True)


def main() -> None:
    """Plan one drawn county at each effort, or draw several."""
    if sys.argv[1:2] == ["draw"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("file", type=Path)
        parser.add_argument("sizes", nargs="+")
        parser.add_argument("--effort", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
        asked = parser.parse_args(sys.argv[2:])
        draw_quality(asked.file, asked.sizes, asked.effort)
        return
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
