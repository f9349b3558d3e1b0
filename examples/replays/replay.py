"""Replay a known case on the built-in network: known outcomes beside the computed ones.

    python examples/replays/replay.py shanghai-2022
    python examples/replays/replay.py henan-2021 --level county -o RUN/
    python examples/replays/replay.py hubei-2016 --sensitivity --json

What the figures mean and why they differ: docs/replays.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from replay_case import CASES, Case, read_case, set_up
from replay_figures import Figures, Played, Say, compare, play
from replay_risk_areas import risk_area_outages

from changtong.errors import ChangtongError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run one replay; return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.output is not None:
            _check_output(asked.output)
        facts, frames = run(
            asked.case,
            level=asked.level,
            delay_h=asked.delay,
            risk_areas=asked.risk_areas,
            sensitivity=asked.sensitivity,
            say=lambda text: print(f"  {text} …", file=sys.stderr, flush=True),
        )
        if asked.output is not None:
            _save(asked.output, facts, frames)
    except ChangtongError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(facts, ensure_ascii=False, indent=1) if asked.json else said(facts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Replay a known case: known outcomes beside computed ones.")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--level", choices=("city", "county"), default="city")
    parser.add_argument("--delay", type=float, metavar="H", help="hours from a change until new routes hold")
    parser.add_argument("--risk-areas", type=Path, metavar="FOLDER", help="a folder with daily_county.csv.gz")
    parser.add_argument("--sensitivity", action="store_true", help="try the variants of replay.toml as well")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="where to write JSON and CSV")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(
    name: str,
    *,
    level: str = "city",
    delay_h: float | None = None,
    risk_areas: Path | None = None,
    sensitivity: bool = False,
    say: Say = lambda text: None,
) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    """Run one replay; return its facts, and the frames that ``-o`` writes."""
    case = read_case(name)
    delay = case.delay_h if delay_h is None else delay_h
    if not 0.0 <= delay < case.hours:
        raise UsageError(f"--delay {delay:g} is not between 0 and {case.hours:g} hours.")
    say("network")
    stage = set_up(case, level)
    if risk_areas is not None:
        stage = replace(stage, outages=stage.outages + risk_area_outages(risk_areas, stage, case))
    played = play(case, stage, delay, say)
    table = compare(played)
    figures = Figures(played)
    facts = {
        "case": name,
        "title": case.title,
        "level": level,
        "scale": stage.scale,
        "delay_h": delay,
        "phases": _phases(played),
        "outcomes": table.to_dicts(),
        "what_if": figures.what_if(),
    }
    if sensitivity:
        facts["sensitivity"] = _sensitivity(case, level, delay, table, say)
    frames = {"outcomes": table, "phases": pl.DataFrame(facts["phases"])}
    frames |= {f"backlog_{key}": frame for key, frame in figures.backlogs.items()}
    return facts, frames


def _phases(played: Played) -> list[dict[str, Any]]:
    case, normal = played.case, played.normal
    return [
        {
            "from": (case.start + timedelta(hours=one.phase.begin)).isoformat(),
            "until": (case.start + timedelta(hours=one.phase.end)).isoformat(),
            "outages": [outage.label for outage in one.phase.outages],
            "region_sent_share": one.sent / normal.sent,
            "region_received_share": one.received / normal.received,
            "nation_change": one.nation / normal.nation - 1.0,
            "plan_gap_share": one.gap_share,
        }
        for one in played.served
    ]


def _sensitivity(case: Case, level: str, delay: float, table: pl.DataFrame, say: Say) -> list[dict[str, Any]]:
    """Compute every compared outcome again under each variant; those that change."""
    found = []
    for variant in case.variants:
        say(f"variant: {variant['what']}")
        stage = set_up(case, level, variant)
        again = compare(play(case, stage, delay, say, plans=bool(variant.get("plan", False))))
        for before, after in zip(table.to_dicts(), again.to_dicts(), strict=True):
            told = [key for key in ("kept", "planned") if after[key] is not None]
            if any(_differ(before[key], after[key]) for key in told):
                row = {key: before[key] for key in ("id", "value", "unit")}
                found.append(
                    {"what": variant["what"]} | row | {key: after[key] for key in ("kept", "planned")}
                )
    return found


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > 1e-3 * abs(one)


def said(facts: dict[str, Any]) -> str:
    """Return a replay as text, one screen."""
    lines = [
        f"{facts['title']}: {facts['level']} level, volume x{facts['scale']:.3f} of 2022, "
        f"routes {facts['delay_h']:g} h after each change",
        "",
        f"  {'from':<17}{'sent':>7}{'received':>10}{'country':>9}  shut (shares of the usual day, planned)",
    ]
    for one in facts["phases"]:
        what = "; ".join(one["outages"][:3]) + (" …" if len(one["outages"]) > 3 else "") or "nothing"
        lines.append(
            f"  {one['from'][:16]:<17}{one['region_sent_share']:>7.1%}{one['region_received_share']:>10.1%}"
            f"{one['nation_change']:>+9.2%}  {what}"
        )
    lines += ["", f"  {'outcome':<52}{'known':>14}{'kept':>14}{'re-planned':>14}  source"]
    for row in facts["outcomes"]:
        if row["computed"]:
            numbers = (number(row[key], row["unit"]) for key in ("value", "kept", "planned"))
            lines.append(
                f"  {row['figure']:<52}" + "".join(f"{one:>14}" for one in numbers) + f"  {row['source']}"
            )
    lines += ["", "  known, not computed:"]
    for row in facts["outcomes"]:
        if not row["computed"]:
            value = number(row["value"], row["unit"])
            lines.append(f"  {row['figure']} {value} {row['source']}: {row['explained']}")
    lines.append("")
    for name, what in facts["what_if"].items():
        clear = "not by the end" if what["clear_after_h"] is None else f"after {what['clear_after_h']:g} h"
        lines.append(
            f"  {'nobody re-plans' if name == 'kept' else 're-planned':<16} worst backlog of the region "
            f"{what['region_peak_pieces']:,.0f} at hour {what['region_peak_h']:g}, of the country "
            f"{what['nation_peak_pieces']:,.0f} (held {what['held_peak_pieces']:,.0f}), region clear {clear}"
        )
    for row in facts.get("sensitivity", ()):
        now = " / ".join(number(row[key], row["unit"]) for key in ("kept", "planned"))
        lines.append(f"  {row['what']}: {row['id']} {now}")
    return "\n".join(lines)


def number(value: float | None, unit: str) -> str:
    """Return a figure as people write it."""
    if value is None:
        return "-"
    return f"{value:.1%}" if unit == "share" else f"{value:+.1%}" if unit == "change" else f"{value:,.0f}"


def _check_output(folder: Path) -> None:
    """Refuse a folder that holds something else than an older replay."""
    if folder.exists() and not (folder.is_dir() and (_is_ours(folder) or not any(folder.iterdir()))):
        raise UsageError(f"{folder} holds something else than a replay; give another folder.")


def _save(folder: Path, facts: dict[str, Any], frames: dict[str, pl.DataFrame]) -> None:
    """Write JSON and CSV."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            nested = [key for key, kind in frame.schema.items() if isinstance(kind, pl.List)]
            flat = frame.with_columns(pl.col(key).list.join("; ") for key in nested)
            flat.write_csv(folder / f"{name}.csv", include_bom=True)
        (folder / "replay.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.") from error


def _is_ours(folder: Path) -> bool:
    return (folder / "replay.json").is_file()


if __name__ == "__main__":
    sys.exit(main())
