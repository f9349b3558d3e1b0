"""Alerts, classes of goods and flows of the daily report."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from changtong.events.alerts.result import Alerts
from changtong.events.indicator_result import Indicators
from changtong.report.daily_parts import TOP, Section, Table, columns, say_shown
from changtong.report.daily_words import amount, change, foreign, member, say_note, share
from changtong.report.texts import Both, has_text, named, same, sentences, text, whole

CLASS_COLUMNS = (
    ("daily.accepted", "accepted_pieces"), ("daily.delivered", "delivered_pieces"),
    ("daily.in_transit_short", "in_transit_pieces"), ("daily.backlog_short", "backlog_pieces"),
    ("daily.over_72h", "backlog_over_72h_pieces"), ("daily.on_time_72h", "on_time_72h_share"),
    ("daily.on_time_promise", "on_time_promise_share"),
)  # fmt: skip
PRIORITY = ("epidemic", "daily_life", "production", "ordinary")
"""Classes that are served strictly in this order, by code or by name; others follow by their volume."""
MOST_ALERTS = 12
MOST_CLASSES = 12


def open_alerts(alerts: Alerts, found: Indicators) -> pl.DataFrame:
    """Return the open alerts that were found by the end of the report."""
    end_ms = round(found.as_of.timestamp() * 1000)
    return alerts.open.filter(pl.col("found").dt.epoch("ms") < end_ms)


def alert_section(alerts: Alerts | None, rows: pl.DataFrame | None, found: Indicators) -> Section:
    """Say what is open, worst and newest first; where none were given, that is said."""
    heading = text("daily.alerts")
    if alerts is None or rows is None:
        return Section("alerts", heading, (text("daily.alerts_absent"),))
    lines = []
    counts = {tier: rows.filter(pl.col("tier") == tier).height for tier in ("severe", "warning", "attention")}
    if rows.is_empty():
        lines.append(text("daily.alerts_none"))
    else:
        said = {tier: whole(count) for tier, count in counts.items()}
        lines.append(text("daily.alerts_counts", open=whole(rows.height), **said))
    if alerts.state.last_ms is not None:
        zone = ZoneInfo(alerts.state.zone)
        until = datetime.fromtimestamp(alerts.state.last_ms / 1000, zone)
        begin = datetime(found.day.year, found.day.month, found.day.day, tzinfo=ZoneInfo(found.zone))
        if until >= found.as_of:
            lines.append(text("daily.alerts_later", until=f"{until:%Y-%m-%d %H:%M}"))
        elif until < begin:
            lines.append(text("daily.alerts_earlier", until=f"{until:%Y-%m-%d %H:%M}"))
    lines += [say_note(note) for note in alerts.notes]
    if rows.is_empty():
        return Section("alerts", heading, tuple(lines))
    shown = tuple(
        (
            named("daily_state", row["state"]),
            same(f"{row['began']:%m-%d %H:%M}"),
            Both(zh=_evidence(row["evidence_zh"]), en=_evidence(row["evidence_en"])),
        )
        for row in rows.head(MOST_ALERTS).iter_rows(named=True)
    )
    words = ("daily.state", "daily.began", "daily.evidence")
    table = Table("daily-alerts", columns(words, ()), shown, note=say_shown(len(shown), rows.height))
    return Section("alerts", heading, tuple(lines), (table,))


def _evidence(words: str) -> str:
    """Say the evidence of an alert whole: it is a sentence of ours around foreign names."""
    return " ".join(foreign(part) for part in words.split(" "))


def class_section(found: Indicators) -> Section:
    """Say what became of each class of goods."""
    heading = text("daily.classes")
    values = {name: found.by("service_class", name) for _, name in CLASS_COLUMNS}
    members = sorted({m for frame in values.values() for m in frame["member"]})
    if not [one for one in members if one]:
        return Section("classes", heading, (text("daily.classes_none"),))
    by = {name: dict(frame.select("member", "value").iter_rows()) for name, frame in values.items()}

    def order(one: str) -> tuple[int, float, str]:
        rank = next((k for k, code in enumerate(PRIORITY) if one in _class_names(code)), len(PRIORITY))
        moved = sum(by[name].get(one) or 0.0 for name in ("accepted_pieces", "in_transit_pieces"))
        return rank, -moved, one

    shown = [(key, name) for key, name in CLASS_COLUMNS if name != "on_time_promise_share" or by[name]]
    rows = tuple(
        (_class(one), *(amount(_or_zero(by[name], one, name, found), name) for _, name in shown))
        for one in sorted(members, key=order)[:MOST_CLASSES]
    )
    made = columns(["daily.service_class"], [key for key, _ in shown])
    table = Table("daily-classes", made, rows, note=say_shown(len(rows), len(members)))
    return Section("classes", heading, tables=(table,))


def _or_zero(values: dict[str, float | None], one: str, name: str, found: Indicators) -> float | None:
    """Return a value; a count without a row is 0 on a day that has scans."""
    if name.endswith("_pieces") and found.value(name) is not None:
        return values.get(one) or 0.0
    return values.get(one)


def _class_names(code: str) -> tuple[str, str, str]:
    said = text(f"daily_class.{code}")
    return code, said.zh, said.en


def _class(code: str) -> Both:
    return named("daily_class", code) if has_text(f"daily_class.{code}") else member(code)


def flow_section(found: Indicators) -> Section:
    """Say the largest flows between regions."""
    heading = text("daily.flows")
    frame = found.flows.filter((pl.col("indicator") == "delivered_pieces") & (pl.col("value") > 0))
    total = float(frame["value"].sum())
    if not total:
        return Section("flows", heading, (text("daily.flows_none"),))
    frame = frame.sort("value", "from_region", "to_region", descending=[True, False, False])
    rows = tuple(
        (
            member(row["from_region"]),
            member(row["to_region"]),
            same(whole(row["value"])),
            same(share(row["value"] / total)),
            same(whole(row["day_before"])),
            change(row["value"], row["day_before"], "delivered_pieces"),
        )
        for row in frame.head(TOP).iter_rows(named=True)
    )
    words = ("daily.from_region", "daily.to_region")
    numbers = ("daily.pieces", "daily.share_of_all", "daily.day_before", "daily.change_day")
    note = say_shown(len(rows), frame.height)
    said = text("daily.flows_note") if note is None else sentences([text("daily.flows_note"), note])
    return Section("flows", heading, tables=(Table("daily-flows", columns(words, numbers), rows, note=said),))
