"""The daily report as sections and tables, made once; the page, the PDF and the DOCX write the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from changtong.events.alerts.result import Alerts
from changtong.events.indicator_result import Indicators
from changtong.events.log import Batch
from changtong.report.daily_parts import Section, compared
from changtong.report.daily_quality import quality_section
from changtong.report.daily_sections import alert_section, class_section, flow_section, open_alerts
from changtong.report.daily_sites import backlog_section, closed_section, site_names
from changtong.report.daily_words import amount, share
from changtong.report.texts import Both, same, sentences, text, whole

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
    names = site_names(sites, found.closed_sites)
    known_alerts = None if alerts is None else open_alerts(alerts, found)
    sections = [
        _measures(found),
        _times(found),
        _rules(found),
        closed_section(found, names),
        backlog_section(found, names),
        alert_section(alerts, known_alerts, found),
        class_section(found),
        flow_section(found),
        quality_section(found, batches),
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


def _measures(found: Indicators) -> Section:
    table = compared(found, "daily-volumes", VOLUMES, text("daily.volumes_note"))
    return Section("volumes", text("daily.volumes"), tables=(table,))


def _times(found: Indicators) -> Section:
    note = text("daily.times_note")
    table = compared(found, "daily-times", _known_times(found), note, of_pieces=True)
    return Section("times", text("daily.times"), tables=(table,))


def _rules(found: Indicators) -> Section:
    table = compared(found, "daily-rules", RULES, text("daily.rules_note"), of_pieces=True)
    return Section("rules", text("daily.rules"), tables=(table,))


def _known_times(found: Indicators) -> tuple[str, ...]:
    """Return the indicators of time; promises only where there are any."""
    has_promise = found.totals.filter(pl.col("indicator") == "on_time_promise_share").height > 0
    return tuple(name for name in TIMES if has_promise or name != "on_time_promise_share")
