"""Closed sites and backlogs of the daily report."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from changtong.events.indicator_result import Indicators
from changtong.report.daily_parts import TOP, Section, Table, columns, compared, say_shown
from changtong.report.daily_words import UNKNOWN, change, foreign, member, share
from changtong.report.texts import Both, has_text, named, same, text, whole

CLOSED = ("usual_sites", "closed_sites", "closed_share")


def closed_section(found: Indicators, names: dict[str, str]) -> Section:
    """Say which sites are closed, and their share by kind and region."""
    totals = compared(found, "daily-closed", CLOSED, text("daily.closed_note"))
    tables = [totals]
    for dimension in ("kind", "region"):
        table = _closed_by(found, dimension)
        if table is not None:
            tables.append(table)
    closed = found.closed_sites
    zone = ZoneInfo(found.zone)
    rows = []
    for row in closed.head(TOP).iter_rows(named=True):
        at = row["last_scan_ms"]
        rows.append(
            (
                say_site(row["site_id"], names),
                say_kind(row["kind"]),
                member(row["region"]),
                member(row["operator"]),
                same(UNKNOWN if at is None else f"{datetime.fromtimestamp(at / 1000, zone):%m-%d %H:%M}"),
                same(UNKNOWN if row["silent_h"] is None else f"{row['silent_h']:,.1f}"),
                same(whole(row["usual_scans"])),
            )
        )
    if rows:
        words = ("daily.site", "daily.kind", "daily.region", "daily.operator", "daily.last_scan")
        tables.append(
            Table(
                "daily-closed-sites",
                columns(words, ("daily.silent_h", "daily.usual_scans")),
                tuple(rows),
                text("daily.closed_list"),
                say_shown(len(rows), closed.height),
            )
        )
    has_scans = found.value("usual_sites") is not None
    lines = (text("daily.closed_none"),) if has_scans and not rows else ()
    return Section("closed", text("daily.closed"), lines, tuple(tables))


def _closed_by(found: Indicators, dimension: str) -> Table | None:
    """Return closed sites and their share by kind or region, those with most closed sites first."""
    parts = {name: found.by(dimension, name) for name in CLOSED}
    frame = parts["usual_sites"].select("member", usual="value")
    for name, short in (("closed_sites", "closed"), ("closed_share", "share")):
        frame = frame.join(
            parts[name].select("member", "day_before", "year_before", value="value").rename(
                {"value": short, "day_before": f"{short}_day", "year_before": f"{short}_year"}
            ),
            on="member",
            how="left",
        )  # fmt: skip
    frame = frame.filter(pl.col("usual").fill_null(0) > 0).sort(
        "closed", "usual", "member", descending=[True, True, False], nulls_last=True
    )
    if frame.is_empty():
        return None
    said = say_kind if dimension == "kind" else member
    named_key, title = {
        "kind": ("daily.kind", "daily.closed_kinds"), "region": ("daily.region", "daily.closed_regions"),
    }[dimension]  # fmt: skip
    rows = tuple(
        (
            said(row["member"]),
            same(whole(row["usual"])),
            same(whole(row["closed"])),
            same(share(row["share"])),
            same(share(row["share_day"])),
            same(share(row["share_year"])),
        )
        for row in frame.head(TOP).iter_rows(named=True)
    )
    numbers = (
        "daily.usual_sites", "daily.closed_sites", "daily.closed_share", "daily.day_before",
        "daily.year_before",
    )  # fmt: skip
    note = say_shown(len(rows), frame.height)
    return Table(f"daily-closed-{dimension}", columns([named_key], numbers), rows, text(title), note)


def backlog_section(found: Indicators, names: dict[str, str]) -> Section:
    """Say where most pieces are."""
    frame = found.by("site", "backlog_pieces").filter(pl.col("value") > 0)
    frame = frame.sort("value", "member", descending=[True, False])
    older = {
        name: dict(found.by("site", name).select("member", "value").iter_rows())
        for name in ("backlog_over_24h_pieces", "backlog_over_72h_pieces")
    }
    rows = tuple(
        (
            say_site(row["member"], names),
            same(whole(row["value"])),
            same(whole(row["day_before"])),
            change(row["value"], row["day_before"], "backlog_pieces"),
            *(same(whole(older[name].get(row["member"], 0.0))) for name in older),
        )
        for row in frame.head(TOP).iter_rows(named=True)
    )
    heading = text("daily.backlogs")
    if not rows:
        known = found.value("backlog_pieces") is not None
        return Section("backlogs", heading, (text("daily.backlogs_none" if known else "daily.unknown"),))
    numbers = (
        "daily.backlog", "daily.day_before", "daily.change_day", "daily.over_24h", "daily.over_72h",
    )  # fmt: skip
    note = say_shown(len(rows), frame.height)
    table = Table("daily-backlogs", columns(["daily.site"], numbers), rows, note=note)
    return Section("backlogs", heading, tables=(table,))


def site_names(*frames: pl.DataFrame | None) -> dict[str, str]:
    """Return the names of sites that have one."""
    names: dict[str, str] = {}
    for frame in frames:
        if frame is not None and {"site_id", "name"} <= set(frame.columns):
            names |= {site: name for site, name in frame.select("site_id", "name").iter_rows() if name}
    return names


def say_site(site_id: str, names: dict[str, str]) -> Both:
    """Say a site: name and id, as names are not unique."""
    if not site_id:
        return text("daily.unknown")
    name = names.get(site_id)
    if name is None or name == site_id:
        return same(foreign(site_id))
    return same(f"{foreign(name)} {foreign(site_id)}")


def say_kind(code: str | None) -> Both:
    """Say a kind of sites."""
    return named("kind", code) if code and has_text(f"kind.{code}") else member(code)
