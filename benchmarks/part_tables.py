"""How the answers of programs are shown on docs/benchmarks.md: what a program printed, as Markdown, beside its targets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from forecast import as_markdown as forecast_markdown
from peers import as_markdown

Show = Callable[[str], str]
"""What a program printed -> Markdown; ``ValueError`` where it is no answer."""

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
        lines = rows_table(result).split("\n")
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


def of_json(show: Callable[[dict[str, Any]], str]) -> Show:
    """Return what shows the one JSON object a program printed; a solver may have greeted before."""
    return lambda text: show(json.loads(text[text.index("{") :]))


def of_last_line(show: Callable[[dict[str, Any]], str]) -> Show:
    """Return what shows the JSON object of the last line, where there are several."""
    return lambda text: show(json.loads(text.strip().rsplit("\n", 1)[-1]))


def lines_table(text: str) -> str:
    """Show JSON objects, one a line, as rows of a table."""
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    if not rows:
        raise ValueError("no answer")
    return rows_table(rows)


def rows_table(rows: list[dict[str, Any]]) -> str:
    """Show flat objects, one a row."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(
        [*lines, *("| " + " | ".join(_said(row.get(name)) for name in names) + " |" for row in rows)]
    )


def registers_table(answer: dict[str, Any]) -> str:
    """Show users at work, then what else was measured."""
    working = [{"what": name, **figures} for name, figures in answer["working"].items()]
    rest = {name: value for name, value in answer.items() if name != "working"}
    return f"{rows_table(working)}\n\n{plain_table(rest)}"


def result_table(answer: dict[str, Any]) -> str:
    """Show the rows of ``result`` and the load they were measured under."""
    return f"Load: {answer['load']}.\n\n{rows_table(answer['result'])}"


def as_it_is(text: str) -> str:
    """Show Markdown."""
    return text.strip()


def as_printed(text: str) -> str:
    """Show lines as they were printed; nothing where there are none."""
    return f"```text\n{text.strip()}\n```" if text.strip() else ""
