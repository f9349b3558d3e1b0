"""Every benchmark by one command, written as docs/benchmarks.md.

``python benchmarks/run.py`` runs all of it (hours: peers have 10 minutes for each solve);
``--quick`` runs the same commands on small sizes in a few minutes and prints the page
instead of writing it. Each part is a program of its own in this folder and can be run
alone; what cannot run (data absent, program failed) is named on the page with the reason.
``--only WORD`` runs the parts whose title has the word, and prints them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast import as_markdown as forecast_markdown
from peers import as_markdown, machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
INSTANCES = ROOT.parent / "shared" / "data" / "mcf"
LEG_VOLUMES = ROOT.parent / "shared" / "data" / "jd_network"


@dataclass(frozen=True)
class Part:
    """One program of this folder and how its answer is shown; without ``show`` it prints Markdown itself."""

    title: str
    command: tuple[str, ...]
    show: Callable[[dict[str, Any]], str] | None
    needs: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a part gave: its answer, or why there is none."""

    part: Part
    seconds: float
    shown: str
    why: str


SECONDS = {"grid10": 1.5, "planar300": 1.0, "planar500": 3.0}
"""Targets of the public instances, seconds."""

COUNTY = {
    "flow_s": 10.0, "flow_peak_mib": 1024.0, "sort_plan_s": 20.0, "sort_plan_gap_share": 0.01,
    "next_outage_median_s": 2.0, "next_outage_busiest_s": 10.0, "week_s": 15.0,
    "simulation_peak_mib": 4096.0,
}  # fmt: skip
CITY = {"flow_s": 5.0, "sort_plan_gap_share": 0.01}
"""Targets of the national network: at most these."""

STRESS = {"bounds_s": 60.0, "plans_s": 300.0}
"""Targets of closing every site in turn, seconds."""

FORECAST_S = 60.0
BELOW_NAIVE_SHARE = 0.1
"""Targets of forecasts: seconds, and how far below seasonal naive the WAPE must be."""


def against(value: float, target: float | None) -> str:
    """Return the target beside a figure, and whether it is missed."""
    if target is None:
        return ""
    return f"{target:g}" if value <= target else f"{target:g}, **missed**"


def mcf_table(answer: dict[str, Any]) -> str:
    """Show the public instances."""
    lines = [
        f"Gap asked for {answer['gap']:.2%}; one rule for all parameters; kernels compiled before the first clock.",
        "",
        "| instance | legs | pairs | lower | upper | gap | seconds | target s | published optimum |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in answer["instances"]:
        known = ""
        if "published" in row:
            known = f"{row['published']:,.0f}, {'inside' if row['inside'] else 'OUTSIDE'}"
        lines.append(
            f"| {row['name']} | {row['legs']:,} | {row['pairs']:,} | {row['lower']:,.0f} | {row['upper']:,.0f} "
            f"| {row['gap_share']:.3%} | {row['seconds']:.2f} "
            f"| {against(row['seconds'], SECONDS.get(row['name']))} | {known} |"
        )
    return "\n".join(lines)


def peers_table(answer: dict[str, Any]) -> str:
    """Show the peers beside this package."""
    limit = f"Limit for each solve: {answer['seconds_limit']:g} s."
    return f"{limit}\n\n{as_markdown(answer['rows'])}"


def plain_table(answer: dict[str, Any]) -> str:
    """Show a flat answer, one figure a row, beside its target."""
    targets = {"county": COUNTY, "city": CITY}.get(str(answer.get("level")), {})
    lines = ["| figure | value | target |", "|---|---|---|"]
    for name, value in answer.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {item}" for key, item in value.items())
        shown = f"{value:,.6g}" if isinstance(value, float) else value
        beside = against(value, targets.get(name)) if isinstance(value, float) else ""
        lines.append(f"| {name} | {shown} | {beside} |")
    return "\n".join(lines)


def stress_table(answer: dict[str, Any]) -> str:
    """Show a stress test: one figure a row, or one case or network a row."""
    result = answer["result"]
    head = f"Machine: {answer['machine']}; load before: {answer['load_before']:.1f}."
    if isinstance(result, list):
        names = list(dict.fromkeys(name for row in result for name in row))
        lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        lines += ["| " + " | ".join(_said(row.get(name)) for name in names) + " |" for row in result]
    else:
        lines = ["| figure | value | target |", "|---|---|---|"]
        for name, value in result.items():
            beside = against(value, STRESS.get(name)) if isinstance(value, float) else ""
            lines.append(f"| {name} | {_said(value)} | {beside} |")
    return "\n".join([head, "", *lines])


def _said(value: Any) -> str:
    """Say a value of a table in one cell."""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_said(item) for item in value)
    return "" if value is None else str(value)


def forecast_table(answer: dict[str, Any]) -> str:
    """Show forecasts from all origins, and their means against the targets."""
    origins, means = answer["origins"], answer["in_all"]
    mean = {(row["part"], row["method"]): row for row in means}
    lines = ["| target | measured |", "|---|---|"]
    for part in dict.fromkeys(row["part"] for row in means):
        ours, naive = mean[part, "changtong"], mean.get((part, "seasonal_naive"))
        if naive is None:
            continue
        below = 1.0 - ours["wape"] / naive["wape"]
        missed = "" if below >= BELOW_NAIVE_SHARE else ", **missed**"
        lines.append(f"| {part}: WAPE 10 % below seasonal naive | {below:.0%} below{missed} |")
        best = min(mean[part, name]["wape"] for name in ("ets", "mstl"))
        worse = "" if ours["wape"] <= best else ", **missed**"
        lines.append(
            f"| {part}: no worse than the best of ETS and MSTL | {ours['wape']:.3f}, {best:.3f}{worse} |"
        )
        lines.append(f"| {part}: coverage near 80 % | {ours['coverage']:.3f} |")
    most = max(row["seconds"] for row in origins if row["method"] == "changtong")
    lines.append(
        f"| {answer['days']} days of all legs, s | at most {against(most, FORECAST_S)}: {most:.1f} |"
    )
    short = [
        row["until"]
        for row in origins
        if row["method"] == "changtong" and row["wape"] > (1.0 - BELOW_NAIVE_SHARE) * _naive(origins, row)
    ]
    if short:
        lines.append(f"| single days less than 10 % below seasonal naive | {', '.join(short)} |")
    return "\n".join([*lines, "", forecast_markdown(origins, means)])


def _naive(origins: list[dict[str, Any]], row: dict[str, Any]) -> float:
    same = [r for r in origins if r["method"] == "seasonal_naive" and r["until"] == row["until"]]
    return float(same[0]["wape"]) if same else float("inf")


def more_parts(quick: bool, volumes: Path) -> list[Part]:
    """Return stress tests, forecasts and closures that happened; ``volumes`` holds the leg volumes."""
    legs = volumes / "leg_volumes.csv.gz"
    size = ("--size", "50", "--sample", "2", "--seconds", "60") if quick else ()
    found = [Part("Closures beside HiGHS from scratch", ("stress.py", "peer", *size), stress_table)]
    if not quick:
        found = [
            Part(
                "Every site of the national network closed in turn",
                ("stress.py", "national"),
                stress_table,
            ),
            Part("Memory of stress tests, 50 and 500 cases", ("stress.py", "memory"), stress_table),
            *found,
            Part("Worst pairs of a learned network", ("stress.py", "pairs", str(legs)), stress_table, legs),
            Part("Closures that really happened", ("jd_outages.py", str(volumes)), None, volumes),
        ]
    few = ("--most-origins", "2") if quick else ()
    command = ("forecast.py", str(legs), "--json", *few)
    return [*found, Part("Forecasts of all legs, 31 days ahead", command, forecast_table, legs)]


def parts(quick: bool, instances: Path, volumes: Path) -> list[Part]:
    """Return what there is to run; ``--quick`` differs in sizes and limits, and leaves out what has none."""
    sizes = ("50", "100") if quick else ("50", "100", "200", "400", "800")
    seconds = "60" if quick else "600"
    runs = "1" if quick else "3"
    levels = ("city",) if quick else ("city", "county")
    nation = [
        Part(
            f"National network, {level} level, busiest hub closed",
            ("national.py", "--level", level, *(("--gap", "1e-4") if level == "city" else ("--next", "10"))),
            plain_table,
        )
        for level in levels
    ]
    return [
        Part("Public instances", ("mcf.py", str(instances), "--json", "--runs", runs), mcf_table, instances),
        Part(
            "Beside general LP solvers",
            ("peers.py", "--json", "--seconds", seconds, "--sizes", *sizes),
            peers_table,
        ),
        *nation,
        Part(
            "A week of the national network, played forward",
            ("simulation.py", "--part", "national", "--level", levels[-1], "--json"),
            plain_table,
        ),
        Part(
            "A small network beside SimPy, piece by piece",
            ("simulation.py", "--part", "simpy", "--json"),
            plain_table,
        ),
        *more_parts(quick, volumes),
    ]


def run_part(part: Part) -> Outcome:
    """Run one part in a process of its own."""
    if part.needs is not None and not part.needs.exists():
        return Outcome(part, 0.0, "", f"skipped: its data, {part.needs.name}, is not here")
    begin = time.perf_counter()
    command = [sys.executable, str(HERE / part.command[0]), *part.command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    took = time.perf_counter() - begin
    try:
        shown = done.stdout.strip() if part.show is None else part.show(_answer(done.stdout))
    except ValueError:
        shown = ""
    if not shown:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Outcome(part, took, "", f"failed with exit code {done.returncode}: {last[:200]}")
    why = "" if done.returncode == 0 else f"exit code {done.returncode}: an answer disagrees"
    return Outcome(part, took, shown, why)


def _answer(stdout: str) -> dict[str, Any]:
    """Return the JSON a program printed; a solver may have greeted before."""
    found: dict[str, Any] = json.loads(stdout[stdout.find("{") :])
    return found


def as_page(outcomes: list[Outcome], where: str, quick: bool) -> str:
    """Return docs/benchmarks.md."""
    command = "python benchmarks/run.py" + (" --quick" if quick else "")
    lines = ["# Benchmarks", "", f"Written by `{command}` on: {where}.", ""]
    for outcome in outcomes:
        shown = " ".join((outcome.part.command[0], *(_short(word) for word in outcome.part.command[1:])))
        lines += [
            f"## {outcome.part.title}",
            "",
            f"`python benchmarks/{shown}`, {outcome.seconds:,.0f} s in all.",
            "",
        ]
        if outcome.why:
            lines += [f"**{outcome.why}**", ""]
        if outcome.shown:
            lines += [outcome.shown, ""]
    return "\n".join(lines)


def _short(word: str) -> str:
    """Name a folder without the machine's own path to it."""
    return Path(word).name.upper() if word.startswith("/") else word


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes; print the page, do not write it")
    parser.add_argument("--instances", type=Path, default=INSTANCES, help="folder of public instances")
    parser.add_argument("--volumes", type=Path, default=LEG_VOLUMES, help="folder of leg volumes")
    parser.add_argument("--only", metavar="WORD", help="parts whose title has the word; print them")
    parser.add_argument(
        "--output", type=Path, help="page to write; docs/benchmarks.md unless --quick or --only"
    )
    options = parser.parse_args()
    where = machine()
    outcomes = []
    chosen = parts(options.quick, options.instances, options.volumes)
    if options.only:
        chosen = [part for part in chosen if options.only.casefold() in part.title.casefold()]
    for part in chosen:
        print(f"{part.title} …", file=sys.stderr, flush=True)
        outcomes.append(run_part(part))
        print(f"  {outcomes[-1].seconds:,.0f} s {outcomes[-1].why}", file=sys.stderr, flush=True)
    page = as_page(outcomes, where, options.quick)
    target = options.output or (None if options.quick or options.only else PAGE)
    if target is None:
        print(page)
    else:
        target.write_text(page, "utf-8")
    return 1 if any(outcome.why and not outcome.why.startswith("skipped") for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
