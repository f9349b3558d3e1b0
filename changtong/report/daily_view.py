"""The daily report as sections and tables, made once; the page, the PDF and the DOCX write the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.events.alert_result import Alerts
from changtong.events.indicator_result import Indicators
from changtong.events.log import Batch
from changtong.report.daily_words import UNKNOWN, amount, change, foreign, member, say_note, share
from changtong.report.texts import Both, has_text, named, same, sentences, text, whole

VOLUMES = (
    "accepted_pieces", "delivered_pieces", "in_transit_pieces", "on_road_pieces", "with_courier_pieces",
    "backlog_pieces", "backlog_over_24h_pieces", "backlog_over_72h_pieces",
)  # fmt: skip
TIMES = (
    "on_time_72h_share", "on_time_promise_share", "origin_handling_mean_h", "transport_mean_h",
    "destination_handling_mean_h", "delivery_mean_h", "acceptance_to_delivery_mean_h", "dwell_p50_h",
    "dwell_p95_h",
)  # fmt: skip
RULES = ("registered_share", "inspected_share", "screened_share", "screened_share_of_delivered")
CLOSED = ("usual_sites", "closed_sites", "closed_share")
QUALITY = ("data_age_h", "confidence", "whole_chain_share", "scanning_share")
CLASS_COLUMNS = (
    ("accepted", "accepted_pieces"), ("delivered", "delivered_pieces"),
    ("in_transit_short", "in_transit_pieces"), ("backlog_short", "backlog_pieces"),
    ("over_72h", "backlog_over_72h_pieces"), ("on_time_72h", "on_time_72h_share"),
    ("on_time_promise", "on_time_promise_share"),
)  # fmt: skip
PRIORITY = ("epidemic", "daily_life", "production", "ordinary")
"""Classes that are served strictly in this order, by code or by name; others follow by their volume."""

TOP = 10
MOST_ALERTS = 12
MOST_CLASSES = 12
MOST_FILES = 5
COMPARED = ("the_day", "day_before", "change_day", "year_before", "change_year")


@dataclass(frozen=True)
class Column:
    """A column: its name, and whether it holds numbers."""

    name: Both
    number: bool = True


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it."""

    key: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Both, ...], ...]
    title: Both | None = None
    note: Both | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report: a heading, lines of text, tables."""

    key: str
    heading: Both
    lines: tuple[Both, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class DailyView:
    """What a daily report says.

    Attributes
    ----------
    day : str
    heading, subtitle : Both
    lead : Both
        Sentences with the numbers to know first.
    sections : tuple of Section
    accepted, delivered : tuple of float
        By the hours of the day that are over.
    about : tuple of (Both, Both)
        How the report was made.
    """

    day: str
    heading: Both
    subtitle: Both
    lead: Both
    sections: tuple[Section, ...]
    accepted: tuple[float, ...]
    delivered: tuple[float, ...]
    about: tuple[tuple[Both, Both], ...]


def daily_view(
    found: Indicators,
    *,
    alerts: Alerts | None = None,
    sites: pl.DataFrame | None = None,
    batches: Sequence[Batch] | None = None,
) -> DailyView:
    """Say the indicators of a day.

    Parameters
    ----------
    found : Indicators
    alerts : Alerts, optional
        Those open as of the day.
    sites : polars.DataFrame, optional
        ``site_id`` and ``name``: names for sites, which are ids without.
    batches : sequence of Batch, optional
        Of the log, for what was left out of it.
    """
    names = _names(sites, found.closed_sites)
    known_alerts = None if alerts is None else _alerts_by(alerts, found)
    sections = [
        _compared_section(found, "volumes", VOLUMES),
        _compared_section(found, "times", _known_times(found), of_pieces=True),
        _compared_section(found, "rules", RULES, of_pieces=True),
        _closed(found, names),
        _backlogs(found, names),
        _alerts(alerts, known_alerts, found),
        _classes(found),
        _flows(found),
        _quality(found, batches),
    ]
    return DailyView(
        day=found.day.isoformat(),
        heading=_heading(found),
        subtitle=text(
            "daily.subtitle",
            day=found.day.isoformat(),
            zone=found.zone,
            as_of=f"{found.as_of:%Y-%m-%d %H:%M}",
        ),
        lead=_lead(found, known_alerts),
        sections=tuple(sections),
        accepted=_hours(found, "accepted_pieces"),
        delivered=_hours(found, "delivered_pieces"),
        about=((text("daily.look_back"), same(found.look_back_days)),),
    )


def _heading(found: Indicators) -> Both:
    accepted, delivered = found.value("accepted_pieces"), found.value("delivered_pieces")
    day = found.day.isoformat()
    if accepted is None or delivered is None:
        return text("daily.heading_unknown", day=day)
    return text("daily.heading", day=day, accepted=_pieces(accepted), delivered=_pieces(delivered))


def _pieces(value: float | None) -> Both:
    """Say a number of pieces exactly; in Chinese a unit follows."""
    return Both(zh=f"{whole(value)} ", en=whole(value))


def _lead(found: Indicators, alerts: pl.DataFrame | None) -> Both:
    said = []
    if found.value("in_transit_pieces") is not None:
        said.append(
            text(
                "daily.in_transit",
                transit=_pieces(found.value("in_transit_pieces")),
                backlog=_pieces(found.value("backlog_pieces")),
                over_24h=_pieces(found.value("backlog_over_24h_pieces")),
                over_72h=_pieces(found.value("backlog_over_72h_pieces")),
            )
        )
    if found.value("on_time_72h_share") is not None:
        said.append(text("daily.on_time", share=share(found.value("on_time_72h_share"))))
    if found.value("usual_sites"):
        said.append(
            text(
                "daily.closed_lead",
                usual=whole(found.value("usual_sites")),
                closed=whole(found.value("closed_sites")),
                share=share(found.value("closed_share")),
            )
        )
    if alerts is not None:
        severe = alerts.filter(pl.col("tier") == "severe").height
        said.append(text("daily.alerts_lead", open=whole(alerts.height), severe=whole(severe)))
    if found.value("data_age_h") is not None:
        said.append(
            text(
                "daily.quality_lead",
                age=amount(found.value("data_age_h"), "data_age_h"),
                confidence=share(found.value("confidence")),
            )
        )
    return sentences(said)


def _hours(found: Indicators, indicator: str) -> tuple[float, ...]:
    """Return the values of the hours of the day that have begun; nothing in an hour is 0."""
    begin = datetime(found.day.year, found.day.month, found.day.day, tzinfo=ZoneInfo(found.zone))
    over = min(25, -int(-(found.as_of.timestamp() - begin.timestamp()) // 3600))
    rows = dict(found.hours(indicator).select("hour", "value").iter_rows())
    if found.value(indicator) is None:
        return ()
    return tuple(float(rows.get(hour) or 0.0) for hour in range(over))


# --- values beside those of other days ---------------------------------------------------


def _known_times(found: Indicators) -> tuple[str, ...]:
    """Return the indicators of time; promises only where there are any."""
    has_promise = found.totals.filter(pl.col("indicator") == "on_time_promise_share").height > 0
    return tuple(name for name in TIMES if has_promise or name != "on_time_promise_share")


def _compared_section(
    found: Indicators, key: str, indicators: Sequence[str], *, of_pieces: bool = False
) -> Section:
    table = _compared(found, f"daily-{key}", indicators, of_pieces=of_pieces, note=text(f"daily.{key}_note"))
    return Section(key, text(f"daily.{key}"), tables=(table,))


def _compared(
    found: Indicators,
    key: str,
    indicators: Sequence[str],
    *,
    of_pieces: bool = False,
    note: Both | None = None,
) -> Table:
    """Return indicators beside those of the day before and the year before."""
    rows = {row["indicator"]: row for row in found.totals.iter_rows(named=True)}
    made = []
    for name in indicators:
        row: dict[str, Any] = rows.get(name, {})
        said = named("daily_name", name)
        if of_pieces and row.get("pieces") is not None:
            said = text("daily.of_pieces", name=said, pieces=whole(row["pieces"]))
        cells = [said, amount(row.get("value"), name)]
        for other in ("day_before", "year_before"):
            cells += [amount(row.get(other), name), change(row.get("value"), row.get(other), name)]
        made.append(tuple(cells))
    columns = (Column(text("daily.indicator"), number=False), *(_column(name) for name in COMPARED))
    return Table(key, columns, tuple(made), note=note)


def _column(key: str, *, number: bool = True) -> Column:
    return Column(text(f"daily.{key}"), number)


# --- sites -------------------------------------------------------------------------------


def _names(*frames: pl.DataFrame | None) -> dict[str, str]:
    """Return the names of sites that have one."""
    names: dict[str, str] = {}
    for frame in frames:
        if frame is not None and {"site_id", "name"} <= set(frame.columns):
            names |= {site: name for site, name in frame.select("site_id", "name").iter_rows() if name}
    return names


def _site(site_id: str, names: dict[str, str]) -> Both:
    """Say a site: name and id, as names are not unique."""
    if not site_id:
        return text("daily.unknown")
    name = names.get(site_id)
    if name is None or name == site_id:
        return same(foreign(site_id))
    return same(f"{foreign(name)} {foreign(site_id)}")


def _closed(found: Indicators, names: dict[str, str]) -> Section:
    totals = _compared(found, "daily-closed", CLOSED, note=text("daily.closed_note"))
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
                _site(row["site_id"], names),
                _kind(row["kind"]),
                member(row["region"]),
                member(row["operator"]),
                same(UNKNOWN if at is None else f"{datetime.fromtimestamp(at / 1000, zone):%m-%d %H:%M}"),
                same(UNKNOWN if row["silent_h"] is None else f"{row['silent_h']:,.1f}"),
                same(whole(row["usual_scans"])),
            )
        )
    if rows:
        columns = [
            _column(name, number=False) for name in ("site", "kind", "region", "operator", "last_scan")
        ]
        columns += [_column("silent_h"), _column("usual_scans")]
        tables.append(
            Table(
                "daily-closed-sites",
                tuple(columns),
                tuple(rows),
                text("daily.closed_list"),
                _shown(len(rows), closed.height),
            )  # fmt: skip
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
    said = _kind if dimension == "kind" else member
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
    columns = [_column(dimension, number=False)]
    columns += [
        _column(k) for k in ("usual_sites", "closed_sites", "closed_share", "day_before", "year_before")
    ]
    return Table(
        f"daily-closed-{dimension}", tuple(columns), rows, text(f"daily.closed_{dimension}s"),
        _shown(len(rows), frame.height),
    )  # fmt: skip


def _kind(code: str | None) -> Both:
    return named("kind", code) if code and has_text(f"kind.{code}") else member(code)


def _shown(shown: int, total: int) -> Both | None:
    return text("daily.shown", shown=whole(shown), total=whole(total)) if shown < total else None


def _backlogs(found: Indicators, names: dict[str, str]) -> Section:
    frame = found.by("site", "backlog_pieces").filter(pl.col("value") > 0)
    frame = frame.sort("value", "member", descending=[True, False])
    older = {
        name: dict(found.by("site", name).select("member", "value").iter_rows())
        for name in ("backlog_over_24h_pieces", "backlog_over_72h_pieces")
    }
    rows = tuple(
        (
            _site(row["member"], names),
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
    columns = [_column("site", number=False)]
    columns += [_column(k) for k in ("backlog", "day_before", "change_day", "over_24h", "over_72h")]
    table = Table("daily-backlogs", tuple(columns), rows, note=_shown(len(rows), frame.height))
    return Section("backlogs", heading, tables=(table,))


# --- alerts, classes, flows --------------------------------------------------------------


def _alerts_by(alerts: Alerts, found: Indicators) -> pl.DataFrame:
    """Return the open alerts that were found by the end of the report."""
    end_ms = round(found.as_of.timestamp() * 1000)
    return alerts.open.filter(pl.col("found").dt.epoch("ms") < end_ms)


def _alerts(alerts: Alerts | None, rows: pl.DataFrame | None, found: Indicators) -> Section:
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
    columns = tuple(_column(name, number=False) for name in ("state", "began", "evidence"))
    table = Table("daily-alerts", columns, shown, note=_shown(len(shown), rows.height))
    return Section("alerts", heading, tuple(lines), (table,))


def _evidence(words: str) -> str:
    """Say the evidence of an alert whole: it is a sentence of ours around foreign names."""
    return " ".join(foreign(part) for part in words.split(" "))


def _classes(found: Indicators) -> Section:
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

    columns = [(key, name) for key, name in CLASS_COLUMNS if name != "on_time_promise_share" or by[name]]
    rows = tuple(
        (_class(one), *(amount(_or_zero(by[name], one, name, found), name) for _, name in columns))
        for one in sorted(members, key=order)[:MOST_CLASSES]
    )
    made = (_column("service_class", number=False), *(_column(key) for key, _ in columns))
    table = Table("daily-classes", made, rows, note=_shown(len(rows), len(members)))
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


def _flows(found: Indicators) -> Section:
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
    columns = [_column("from_region", number=False), _column("to_region", number=False)]
    columns += [_column(name) for name in ("pieces", "share_of_all", "day_before", "change_day")]
    note = _shown(len(rows), frame.height)
    said = text("daily.flows_note") if note is None else sentences([text("daily.flows_note"), note])
    return Section("flows", heading, tables=(Table("daily-flows", tuple(columns), rows, note=said),))


# --- data quality ------------------------------------------------------------------------


def _quality(found: Indicators, batches: Sequence[Batch] | None) -> Section:
    tables = [_compared(found, "daily-quality", QUALITY, note=text("daily.quality_note"))]
    lines = [say_note(note) for note in found.notes]
    if batches is None:
        lines.append(text("daily.files_absent"))
    else:
        here = [batch for batch in batches if found.day.isoformat() in batch.files]
        if here:
            tables.append(_files(here))
            reasons = _reasons(here)
            if reasons:
                lines.append(text("daily.reasons", reasons=", ".join(f"{k} {whole(n)}" for k, n in reasons)))
        else:
            lines.append(text("daily.files_none"))
        lost = [batch for batch in batches if not batch.files and batch.quarantined]
        if lost:
            count = whole(sum(batch.quarantined for batch in lost))
            lines.append(text("daily.files_unknown", files=whole(len(lost)), rows=count))
    return Section("quality", text("daily.quality"), tuple(lines), tuple(tables))


def _files(batches: Sequence[Batch]) -> Table:
    """Return what the files brought: all together, then those with most rows in quarantine."""
    fields = ("rows_read", "rows_added", "duplicates", "quarantined")
    total = [same(whole(sum(getattr(batch, name) for batch in batches))) for name in fields]
    rows = [(text("daily.all_files", count=whole(len(batches))), *total)]
    worst = sorted(batches, key=lambda batch: (-batch.quarantined, batch.number))[:MOST_FILES]
    rows += [
        (same(foreign(batch.source)), *(same(whole(getattr(batch, name))) for name in fields))
        for batch in worst
    ]
    columns = (_column("file", number=False), *(_column(name) for name in fields))
    shown = _shown(len(worst), len(batches))
    note = text("daily.files_note") if shown is None else sentences([text("daily.files_note"), shown])
    return Table("daily-files", columns, tuple(rows), text("daily.files"), note)


def _reasons(batches: Sequence[Batch]) -> list[tuple[str, int]]:
    """Return the codes of rows in quarantine, the most frequent first."""
    counts: dict[str, int] = {}
    for batch in batches:
        for code, rows in batch.reasons.items():
            counts[code] = counts.get(code, 0) + rows
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
