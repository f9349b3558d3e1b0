"""Every benchmark by one command, written as docs/benchmarks.md.

``python benchmarks/run.py`` runs all of it (hours: peers have 10 minutes for each solve);
``--quick`` runs the same commands on small sizes in a few minutes and prints the page
instead of writing it. Each part is a program of its own in this folder and can be run
alone; what cannot run (data absent, program failed) is named on the page with the reason.
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

from peers import as_markdown, machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
INSTANCES = ROOT.parent / "shared" / "data" / "mcf"


@dataclass(frozen=True)
class Part:
    """One program of this folder and how its answer is shown."""

    title: str
    command: tuple[str, ...]
    show: Callable[[dict[str, Any]], str]
    needs: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What a part gave: its answer, or why there is none."""

    part: Part
    seconds: float
    answer: dict[str, Any] | None
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


def parts(quick: bool, instances: Path) -> list[Part]:
    """Return what there is to run; ``--quick`` differs in sizes and limits only."""
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
    ]


def run_part(part: Part) -> Outcome:
    """Run one part in a process of its own."""
    if part.needs is not None and not part.needs.exists():
        return Outcome(part, 0.0, None, f"skipped: its data, folder {part.needs.name}, is not here")
    begin = time.perf_counter()
    command = [sys.executable, str(HERE / part.command[0]), *part.command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    took = time.perf_counter() - begin
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Outcome(part, took, None, f"failed with exit code {done.returncode}: {last[:200]}")
    why = "" if done.returncode == 0 else f"exit code {done.returncode}: an answer disagrees"
    return Outcome(part, took, answer, why)


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
        if outcome.answer is not None:
            lines += [outcome.part.show(outcome.answer), ""]
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
    parser.add_argument("--output", type=Path, help="page to write; docs/benchmarks.md unless --quick")
    options = parser.parse_args()
    where = machine()
    outcomes = []
    for part in parts(options.quick, options.instances):
        print(f"{part.title} …", file=sys.stderr, flush=True)
        outcomes.append(run_part(part))
        print(f"  {outcomes[-1].seconds:,.0f} s {outcomes[-1].why}", file=sys.stderr, flush=True)
    page = as_page(outcomes, where, options.quick)
    target = options.output or (None if options.quick else PAGE)
    if target is None:
        print(page)
    else:
        target.write_text(page, "utf-8")
    return 1 if any(outcome.why and not outcome.why.startswith("skipped") for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
