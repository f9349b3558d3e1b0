"""How soon alerts find closures that happened, how many alarms are false, and closures planted beside them.

``python benchmarks/alerts.py FOLDER [--planted 600] [--sensitivity] [--json]``. FOLDER holds ``leg_volumes.csv.gz`` (date, from_site,
to_site, pieces) and ``observed_outages.csv`` (dc, start, end, days, normal_daily). The volumes are fed day by day: each day is
judged by the days before it alone, with the state of the day before.

*Found*: the site has an alert of tier warning or above that began to be a warning from ``--days`` days before the closure to its
last day (delay: day of the warning minus first day), or one that was a warning before and is still open (``open``).
*False alarm*: an alert of tier warning or above, of any rule, that no site's alert covers, and whose site (of a leg: neither end)
has no observed closure on the day of the warning, give or take ``--days`` days. Site-years: sites in the volumes, times
the years from the first to the last day.

*Planted*: for sites and days drawn at random (site of 1,000 pieces a day or more, no alert open, no observed closure within 30
days) what the site moves is cut to a share for three days, the rest left as it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import ChangtongError
from changtong.events.alerts.leg_watch import watch_volumes
from changtong.events.alerts.levels import levels
from changtong.events.alerts.result import Alerts, merge_alerts
from changtong.events.alerts.state import WatchState
from changtong.events.alerts.thresholds import Thresholds, read_thresholds
from changtong.network.leg_volumes import read_volumes

ON_TIME_DAYS = 1
LARGE_PIECES = 10_000
LEFT_SHARES = (0.0, 0.05, 0.15)
OUTAGES_APART = timedelta(days=30)


def feed_daily(volumes: pl.DataFrame) -> tuple[pl.DataFrame, dict[date, WatchState]]:
    """Return alerts and the state after each day, fed one day after the other."""
    states: dict[date, WatchState] = {}
    frame, state = None, None
    for (day,), rows in volumes.sort("date").group_by("date", maintain_order=True):
        made: Alerts = watch_volumes(rows, state)
        state, states[day] = made.state, made.state
        frame = made.frame if frame is None else merge_alerts(frame, made.frame)
    return frame, states


def warnings_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return alerts of tier warning or above, with dates."""
    days = [pl.col(name).dt.date() for name in ("began", "warned", "confirmed", "restored")]
    return (
        frame.filter(pl.col("tier") != "attention").with_columns(days).sort("warned", "alert_id").to_dicts()
    )


def judge_closures(
    warned: list[dict[str, Any]], outages: pl.DataFrame, around: timedelta
) -> list[dict[str, Any]]:
    """Return each closure with the alert that found it, and the delay."""
    found = []
    for site, start, end, days, normal in outages.iter_rows():
        own = [a for a in warned if a["site_id"] == site and a["rule"] == "site-silent"]
        during = [a for a in own if start - around <= a["warned"] <= end]
        open_then = [
            a for a in own
            if a["warned"] < start - around and (a["restored"] or date.max) > start
            and (a["state"] != "settled" or start - a["began"] <= timedelta(days=28))
        ]  # fmt: skip
        row: dict[str, Any] = {"site": site, "start": start, "days": days, "normal_daily": normal}
        if open_then:
            row |= {"delay": 0, "how": f"open since {open_then[-1]['warned']}", "alert": open_then[-1]}
        elif during:
            row |= {"delay": (during[0]["warned"] - start).days, "how": "", "alert": during[0]}
        else:
            row |= {"delay": None, "how": "missed", "alert": None}
        found.append(row)
    return found


def false_alarms(
    warned: list[dict[str, Any]], outages: pl.DataFrame, around: timedelta
) -> list[dict[str, Any]]:
    """Return warnings that no observed closure explains."""
    closed = [(site, start - around, end + around) for site, start, end, *_ in outages.iter_rows()]
    return [
        a for a in warned
        if a["covered_by"] is None
        and not any(
            site in (a["site_id"], a["from_site_id"], a["to_site_id"]) and first <= a["warned"] <= last
            for site, first, last in closed
        )
    ]  # fmt: skip


def plant(
    volumes: pl.DataFrame, states: dict[date, WatchState], outages: pl.DataFrame, count: int, seed: int
) -> list[dict[str, Any]]:
    """Close sites for three days in what really happened and see when that is found."""
    chance = np.random.default_rng(seed)
    days = sorted(states)
    by_day = {day: rows for (day,), rows in volumes.group_by("date")}
    closed = [(row[0], row[1] - OUTAGES_APART, row[2] + OUTAGES_APART) for row in outages.iter_rows()]
    done = []
    while len(done) < count:
        at = int(chance.integers(30, len(days) - 3))
        state = states[days[at - 1]]
        sites = state.windows["sites"]
        level = np.nan_to_num(levels(sites.arrays["freed"]))
        busy = {a.subject[0] for a in state.open_alerts if len(a.subject) == 1 and a.subject}
        busy |= {site for site, first, last in closed if first <= days[at] <= last}
        free = [k for k, key in enumerate(sites.keys) if level[k] >= 1000 and key[0] not in busy]
        if not free:
            continue
        k = free[int(chance.integers(len(free)))]
        site, left = sites.keys[k][0], LEFT_SHARES[len(done) % len(LEFT_SHARES)]
        cut = (pl.col("from_site") == site) | (pl.col("to_site") == site)
        rows = pl.concat([by_day[day] for day in days[at : at + 3]]).with_columns(
            pl.when(cut).then((pl.col("pieces") * left).floor()).otherwise("pieces").alias("pieces")
        )
        own = watch_volumes(rows, state).frame.filter(
            (pl.col("site_id") == site) & (pl.col("rule") == "site-silent")
        )
        warned = own["warned"].dt.date().min() if own.height else None
        done.append(
            {
                "site": site, "day": days[at], "large": bool(level[k] >= LARGE_PIECES), "left": left,
                "any": own.height > 0, "delay": None if warned is None else (warned - days[at]).days,
            }
        )  # fmt: skip
    return done


def sensitivity(volumes: pl.DataFrame, outages: pl.DataFrame, around: timedelta) -> list[dict[str, Any]]:
    """Return what other thresholds of silence would have given."""
    shipped = dict(read_thresholds().values)
    rows = []
    for share in (0.02, 0.05, 0.1, 0.15, 0.2):
        values = shipped | {("site-silent", "warning_share"): share}
        warned = warnings_of(watch_volumes(volumes, thresholds=Thresholds(MappingProxyType(values))).frame)
        found = judge_closures(warned, outages, around)
        false = Counter(a["rule"] for a in false_alarms(warned, outages, around))
        on_time = [r for r in found if r["delay"] is not None and r["delay"] <= ON_TIME_DAYS]
        large = [r for r in on_time if r["normal_daily"] > LARGE_PIECES]
        rows.append(
            {
                "share": share,
                "on_time": len(on_time),
                "large": len(large),
                "false_silent": false["site-silent"],
            }
        )
    return rows


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return everything as plain values."""
    volumes = read_volumes(options.folder / "leg_volumes.csv.gz", unique=True)
    outages = pl.read_csv(options.folder / "observed_outages.csv", try_parse_dates=True)
    around = timedelta(days=options.days)
    begin = time.process_time()
    watch_volumes(volumes)
    at_once_s = time.process_time() - begin
    frame, states = feed_daily(volumes)
    warned = warnings_of(frame)
    found = judge_closures(warned, outages, around)
    false = false_alarms(warned, outages, around)
    sites = pl.concat([volumes["from_site"], volumes["to_site"]]).n_unique()
    years = ((volumes["date"].max() - volumes["date"].min()).days + 1) / 365.25  # type: ignore[operator, union-attr]
    per_site = Counter(
        (site, a["warned"].year) for a in false for site in [a["site_id"] or a["from_site_id"]] if site
    )
    return {
        "closures": found,
        "false_alarms": false,
        "false_by_rule": dict(Counter(a["rule"] for a in false)),
        "sites": sites,
        "site_years": sites * years,
        "most_of_one_site_and_year": max(per_site.values(), default=0),
        "alerts_by_tier": dict(frame.group_by("tier").len().sort("tier").iter_rows()),
        "at_once_s": at_once_s,
        "planted": plant(volumes, states, outages, options.planted, options.seed) if options.planted else [],
        "sensitivity": sensitivity(volumes, outages, around) if options.sensitivity else [],
    }


def as_markdown(told: dict[str, Any]) -> str:
    """Return the tables."""
    lines = [
        "| site | closed from | days | normal pieces a day | warning | delay, days | confirmed | tier | at the end |",
        "|---|---|---:|---:|---|---:|---|---|---|",
    ]
    for row in told["closures"]:
        alert = row["alert"]
        seen = (
            f"{alert['warned']} | {row['how'] or row['delay']} | {alert['confirmed'] or ''} | {alert['tier']} | {alert['state']}"
            if alert
            else " | missed | | | "
        )
        lines.append(f"| {row['site']} | {row['start']} | {row['days']} | {row['normal_daily']:,} | {seen} |")
    large = [row for row in told["closures"] if row["normal_daily"] > LARGE_PIECES]
    for name, rows in (("above 10,000 pieces a day", large), ("all", told["closures"])):
        on_time = sum(row["delay"] is not None and row["delay"] <= ON_TIME_DAYS for row in rows)
        lines.append(f"\n{name}: {on_time} of {len(rows)} at most {ON_TIME_DAYS} day after they began")
    count = len(told["false_alarms"])
    lines += [
        f"\nFalse alarms: {count} on {told['sites']} sites in {told['site_years']:.0f} site-years: "
        f"{count / told['site_years']:.2f} a site and year; by rule {told['false_by_rule']}; "
        f"most of one site in one year {told['most_of_one_site_and_year']}. "
        f"Alerts by tier: {told['alerts_by_tier']}. All days at once: {told['at_once_s']:.1f} s.\n",
        "| warning | rule | where | seen | normal | restored |",
        "|---|---|---|---:|---:|---|",
    ]
    for a in told["false_alarms"]:
        where = a["site_id"] or (
            f"{a['from_site_id']} to {a['to_site_id']}" if a["from_site_id"] else "network"
        )
        lines.append(
            f"| {a['warned']} | {a['rule']} | {where} | {a['value']:,.0f} | {a['expected']:,.0f} | {a['restored'] or a['state']} |"
        )
    if told["planted"]:
        lines += [
            "\n| planted: left | size | closures | warning on the day | a day later | later or never | attention or above |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        for left in LEFT_SHARES:
            for size in (True, False):
                rows = [r for r in told["planted"] if r["left"] == left and r["large"] == size]
                if rows:
                    on, next_day = (sum(r["delay"] == k for r in rows) for k in (0, 1))
                    lines.append(
                        f"| {left:.0%} | {'10,000 or more' if size else '1,000 to 10,000'} | {len(rows)} | {on / len(rows):.1%} | "
                        f"{next_day / len(rows):.1%} | {(len(rows) - on - next_day) / len(rows):.1%} | {sum(r['any'] for r in rows) / len(rows):.1%} |"
                    )
    if told["sensitivity"]:
        lines += [
            "\n| warning below this share | closures on time | of them above 10,000 | false alarms, silent sites |",
            "|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {r['share']} | {r['on_time']} | {r['large']} | {r['false_silent']} |"
            for r in told["sensitivity"]
        ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=3, help="days around a closure that explain an alarm")
    parser.add_argument("--planted", type=int, default=0, help="closures to plant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sensitivity", action="store_true", help="other thresholds of silence as well")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    try:
        told = measure(options)
    except (ChangtongError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(told, default=str) if options.json else as_markdown(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
