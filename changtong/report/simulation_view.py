"""A simulation as its page reads it: when things happen, the numbers at the head, the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from changtong.outages import Outage
from changtong.report.plan_numbers import Cell, cell, list_places, share_cell
from changtong.report.plan_view import site_names
from changtong.report.texts import Both, joined, named, percent, rough, same, sentences, text, whole
from changtong.simulation.replications import Replications
from changtong.simulation.result import Simulation
from changtong.simulation.timetable import hours_of
from changtong.structure import TIME_OF_DAY

Row = dict[str, Any]
MOST_SITES = 100
MOST_LEGS = 40
MOST_LABELS = 6
STAGES = ("first_site_h", "on_the_way_h", "last_line_h", "delivery_h")


@dataclass(frozen=True, slots=True)
class Clock:
    """Says hours after the beginning as a time: with its date, or with the number of its day.

    Attributes
    ----------
    start : datetime or None
        None: it begins at midnight of day 1.
    """

    start: datetime | None

    def say(self, hour: float) -> Both:
        """Say an hour as a time."""
        if self.start is not None:
            return same(f"{self.start + timedelta(hours=hour):%m-%d %H:%M}")
        minutes = round(hour * 60)
        at = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
        return text("run.day_time", day=minutes // 1440 + 1, time=at)

    def day(self, number: int) -> Both:
        """Name the day that begins at the ``number``-th midnight after the beginning (0: before it)."""
        if self.start is not None:
            return same(f"{self.start + timedelta(days=number):%m-%d}")
        return text("run.day", day=number + 1)

    @property
    def begins(self) -> float:
        """Hour of the day at the beginning."""
        return 0.0 if self.start is None else self.start.hour + self.start.minute / 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at an hour; ``mark`` where the charts show it by a number."""

    hour: float
    what: Both
    mark: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """Hours in which outages are in force."""

    labels: tuple[str, ...]
    from_h: float
    to_h: float


def say_hour(hour: float) -> str:
    """Say hours after the beginning."""
    return f"{hour:,.1f}".removesuffix(".0")


def outage_spans(run: Simulation) -> list[Span]:
    """Return the spans of the outages within the run, those of the same hours together."""
    last = float(run.hours["hour"][-1])
    found: dict[tuple[float, float], list[str]] = {}
    for outage in run.outages:
        begin, end = _within(outage, run, last)
        found.setdefault((begin, end), []).append(str(outage.label))
    spans = [Span(tuple(dict.fromkeys(labels)), *hours) for hours, labels in found.items()]
    return sorted(spans, key=lambda span: (span.from_h, span.to_h))


def _within(outage: Outage, run: Simulation, last: float) -> tuple[float, float]:
    """Return an outage's hours as they were simulated: from step to step, within the run."""
    step, (begin, end) = float(run.settings.step_h), hours_of(outage, run.settings.start)
    end = min(end, last)
    return max(0.0, round(begin / step) * step), min(last, round(end / step) * step)


def _labels(labels: tuple[str, ...]) -> Both:
    said = joined([same(label) for label in labels[:MOST_LABELS]])
    return said if len(labels) <= MOST_LABELS else said + f" +{len(labels) - MOST_LABELS}"


def changes_of_routes(run: Simulation) -> list[tuple[float, Both]]:
    """Return the hours at which the sort plan changes, and to what."""
    rows = run.phases.filter("routes_change").select("from_h", "routes_as_today").iter_rows()
    return [(hour, text("run.routes_back" if as_today else "run.routes_new")) for hour, as_today in rows]


def list_events(run: Simulation) -> list[Event]:
    """Return what happens when; what was given (outages, sort plans) has a number in the charts."""
    last, names = float(run.hours["hour"][-1]), site_names(run.network)
    given: list[tuple[float, Both]] = []
    for span in outage_spans(run):
        given.append((span.from_h, text("run.outage_begins", label=_labels(span.labels))))
        if span.to_h < last:
            given.append((span.to_h, text("run.outage_ends", label=_labels(span.labels))))
    given += changes_of_routes(run)
    marks = {hour: i + 1 for i, hour in enumerate(sorted({hour for hour, _ in given}))}
    found = [Event(hour, what, marks[hour]) for hour, what in given]
    peak_h, peak = _peak(run)
    if peak >= 0.5:
        found.append(Event(peak_h, text("run.peak_event", pieces=rough(peak)), None))
    burst = run.sites.filter(pl.col("burst_from_h").is_not_null()).sort("burst_from_h")
    if burst.height:
        first = burst.row(0, named=True)
        place = names[str(first["site_id"])]
        found.append(Event(first["burst_from_h"], text("run.burst_event", place=place), None))
    summary = run.summary()
    if summary["cleared_h"] is not None:
        found.append(Event(summary["cleared_h"], text("run.cleared_event"), None))
    return sorted(found, key=lambda event: event.hour)


def _peak(run: Simulation) -> tuple[float, float]:
    """Return the hour at which most waits, held by order included, and how much."""
    at = run.hours["waiting_pieces"].arg_max() or 0
    return float(run.hours["hour"][at]), float(run.hours["waiting_pieces"][at])


def burst_open_sites(run: Simulation) -> pl.DataFrame:
    """Return the sites that get more than they can hold and are never shut: those that count."""
    return run.sites.filter(pl.col("burst_hours") > 0.0, pl.col("closed_hours") == 0.0)


def say_verdict(run: Simulation) -> Both:
    """Say whether it holds, and where not."""
    summary = run.summary()
    subject = text("run.the_plan" if run.phases["routes_change"].any() else "run.the_network")
    if summary["holds"]:
        return text("run.holds", subject=subject)
    faults = []
    for key, sites in (("burst", burst_open_sites(run).height), ("growing", summary["sites_growing"])):
        if sites:
            faults.append(text(f"run.fault_{key}{'_one' if sites == 1 else ''}", sites=whole(sites)))
    both = Both("；".join(fault.zh for fault in faults), "; ".join(fault.en for fault in faults))
    return text("run.fails", subject=subject, faults=both)


def say_what_is_wrong(run: Simulation, clock: Clock) -> Both:
    """Name the sites that are shut or slowed at any hour, the busiest first, and say when."""
    names = site_names(run.network)
    busy = run.limited.group_by("site_id").agg(pl.col("capacity_share").min())
    busy = busy.join(run.sites.select("site_id", "sorted_pieces", "peak_pieces"), on="site_id")
    busy = busy.with_columns(pl.col("site_id").cast(pl.String))
    busy = busy.sort("sorted_pieces", "peak_pieces", "site_id", descending=[True, True, False])
    said = []
    for key, rows in (
        ("shut", busy.filter(pl.col("capacity_share") <= 0.0)),
        ("slowed", busy.filter(pl.col("capacity_share") > 0.0)),
    ):
        if rows.height:
            ids = rows["site_id"].to_list()
            many = "site" if rows.height == 1 else "sites"
            share = percent(float(rows["capacity_share"].min()))  # type: ignore[arg-type]
            said.append(text(f"headline.{many}_{key}", places=list_places(ids, names), share=share))
    legs_closed, legs_slowed = (int(run.phases[name].max() or 0) for name in ("legs_closed", "legs_slowed"))  # type: ignore[arg-type]
    if legs_closed:
        said.append(text("headline.legs_shut", count=whole(legs_closed)))
    if legs_slowed:
        said.append(text("headline.legs_slowed", count=whole(legs_slowed)))
    if not run.outages:
        said.append(text("run.nothing_wrong"))
    spans = outage_spans(run)
    if len(spans) == 1:
        hours = {"from_h": spans[0].from_h, "to_h": spans[0].to_h}
        times = {"start": clock.say(spans[0].from_h), "end": clock.say(spans[0].to_h)}
        said.append(text("run.between", **{key: say_hour(hour) for key, hour in hours.items()}, **times))
    return sentences(said)


def say_what_becomes_of_it(run: Simulation, clock: Clock) -> Both:
    """Say in three sentences how it goes: delivered and late, the peak, the end."""
    s = run.summary()
    said = [
        text(
            "run.becomes",
            accepted=rough(s["accepted_pieces"]),
            hours=say_hour(s["hours"]),
            delivered=rough(s["delivered_pieces"]),
            late=rough(s["late_pieces"]),
        )
    ]
    peak_h, peak = _peak(run)
    said.append(text("run.peak", pieces=rough(peak), hour=say_hour(peak_h), when=clock.say(peak_h)))
    if s["sites_grown"] and s["cleared_h"] is not None:
        cleared = s["cleared_h"]
        key = "run.cleared"
        said.append(text(key, sites=whole(s["sites_grown"]), hour=say_hour(cleared), when=clock.say(cleared)))
    elif s["sites_grown"]:
        said.append(
            text("run.not_cleared", sites=whole(s["sites_grown"]), open=whole(s["sites_not_cleared"]))
        )
    else:
        said.append(text("run.never_grown"))
    return sentences(said)


def number_rows(run: Simulation, clock: Clock) -> list[Row]:
    """Return the numbers at the head: what, how much, when, and a remark."""
    s, last = run.summary(), float(run.hours["hour"][-1])
    peak_h, peak = _peak(run)
    late = Both("", "")
    if s["due_pieces"] > 0.0:
        share = percent(s["late_pieces"] / s["due_pieces"])
        late = text("run.of_due", share=share, due=rough(s["due_pieces"]))
    burst_from = run.sites["burst_from_h"].min()
    nothing, assumed = Both("", ""), is_assumed(run)
    rows: list[tuple[str, Cell, float | None, Both]] = [
        ("accepted", cell(s["accepted_pieces"]), None, text("run.accepted_note") if assumed else nothing),
        ("delivered", cell(s["delivered_pieces"]), None, text("run.delivered_note")),
        ("late", cell(s["late_pieces"]), None, late),
        ("mean", hours_cell(s["mean_h"]), None, text("run.mean_note")),
        ("peak", cell(peak), peak_h, nothing),
        ("waiting", cell(s["waiting_pieces"]), last, nothing),
        ("held", cell(s["held_pieces"]), last, text("run.held_note")),
        ("under_way", cell(s["under_way_pieces"] + s["handled_pieces"]), last, nothing),
        ("grown", cell(float(s["sites_grown"])), None, text("run.grown_note")),
        ("cleared", hours_cell(s["cleared_h"]), s["cleared_h"], _say_open(s)),
        ("growing", cell(float(s["sites_growing"])), last, text("run.growing_note")),
        ("burst", cell(float(s["sites_burst"])), burst_from, text("run.burst_note")),  # type: ignore[list-item]
    ]
    return [
        {
            "key": key,
            "name": text(f"run.n_{key}"),
            "value": value,
            "note": note,
            "assumed": assumed and key == "accepted",
            **_when(hour, clock),
        }
        for key, value, hour, note in rows
    ]


def _say_open(summary: dict[str, Any]) -> Both:
    if not summary["sites_grown"]:
        return text("run.none_to_clear")
    return text("run.still_open", sites=whole(summary["sites_not_cleared"]))


def _when(hour: float | None, clock: Clock) -> Row:
    """Return an hour as a cell, with its time."""
    if hour is None:
        return {"at": Cell(same("–"), None), "when": same("")}
    return {"at": Cell(same(say_hour(hour)), float(hour)), "when": clock.say(hour)}


def hours_cell(value: float | None) -> Cell:
    """Return hours with one decimal."""
    return Cell(same("–" if value is None else f"{value:,.1f}"), None if value is None else float(value))


def class_rows(run: Simulation) -> list[Row]:
    """Return one row per service class, the first served first."""
    classes = run.network.service_classes
    known = {str(row["service_class"]): row for row in classes.iter_rows(named=True)}
    rows = []
    for row in run.classes.sort("rank").iter_rows(named=True):
        words = known.get(str(row["service_class"]), {})
        name = words.get("name") or str(row["service_class"])
        on_time = row["on_time_share"]
        rows.append(
            {
                "name": Both(zh=words.get("name_zh") or name, en=name),
                "promise": Cell(same("–" if row["promise_h"] is None else say_hour(row["promise_h"])), None),
                **{
                    key: cell(row[f"{key}_pieces"])
                    for key in ("accepted", "delivered", "due", "late", "open")
                },
                "on_time": share_cell(on_time),
                "bar": on_time or 0.0,
                **{key: hours_cell(row[key]) for key in ("mean_h", "p80_h", "p95_h", *STAGES)},
            }
        )
    return rows


def site_rows(run: Simulation, clock: Clock, *, top: int = MOST_SITES) -> list[Row]:
    """Return the sites whose backlog grew most."""
    names = site_names(run.network)
    return [
        {
            "place": names[str(row["site_id"])],
            "peak": cell(row["peak_pieces"]),
            "above": cell(row["peak_above_pieces"]),
            "peak_at": _when(row["peak_h"], clock),
            "grows_at": _when(row["grows_h"], clock),
            "clears_at": _when(row["clears_h"], clock),
            "open": _state_at_end(row),
            "shut": Cell(same(say_hour(row["closed_hours"])), row["closed_hours"]),
            "end": cell(row["end_pieces"]),
            "held": cell(row["held_end_pieces"]),
            "hold": cell(row["hold_pieces"]),
            "burst": Cell(same(say_hour(row["burst_hours"])), row["burst_hours"]),
            "bursts": row["burst_hours"] > 0.0,
        }
        for row in run.grown_sites(top).iter_rows(named=True)
    ]


def _state_at_end(row: Row) -> Both | None:
    """Say how a backlog stands that is not cleared by the end."""
    if row["grows_h"] is None or row["clears_h"] is not None:
        return None
    return text("run.still_growing" if row["growing"] else "run.going_down")


def leg_rows(run: Simulation, *, top: int = MOST_LEGS) -> list[Row]:
    """Return the legs of which most was used, those with a limit first."""
    names = site_names(run.network)
    order = ["rounded", "carried_pieces", "from_site", "to_site"]
    legs = run.legs.with_columns(
        pl.col("from_site", "to_site").cast(pl.String), rounded=pl.col("load_share").round(3)
    )
    legs = legs.sort(order, descending=[True, True, False, False], nulls_last=True).head(top)
    return [
        {
            "places": [names[row["from_site"]], names[row["to_site"]]],
            "carried": cell(row["carried_pieces"]),
            "offered": cell(row["offered_pieces"]),
            "share": share_cell(row["load_share"]),
            "bar": min(1.0, row["load_share"] or 0.0),
            "level": _level(row["load_share"]),
            "left": cell(row["left_end_pieces"]),
            "busiest": cell(row["busiest_step_pieces"]),
        }
        for row in legs.iter_rows(named=True)
    ]


def _level(share: float | None) -> str:
    if share is None or share < 0.8:
        return "mid"
    return "high" if share < 0.95 else "full"


def is_assumed(run: Simulation) -> bool:
    """Tell whether the time of day of acceptance is the one that comes with the program."""
    return tuple(run.settings.time_of_day) == TIME_OF_DAY


def assumption_rows(run: Simulation) -> list[Row]:
    """Return what the simulation assumes besides the network's own numbers."""
    settings = run.settings
    peak = int(np.argmax(settings.time_of_day))
    warm, empty = say_hour(settings.warm_up_h), text("run.a_empty")
    said = [
        (
            "time_of_day",
            "assumed" if is_assumed(run) else "given",
            text("run.a_time_of_day", hour=peak, next=peak + 1),
        ),
        ("departures", "assumed", text("run.a_departures")),
        ("fluid", "assumed", text("run.a_fluid")),
        ("warm_up", "given", text("run.a_warm_up", hours=warm) if settings.warm_up_h else empty),
    ]
    return [
        {"where": text(f"run.w_{key}"), "code": code, "kind": named("run", f"is_{code}"), "note": note}
        for key, code, note in said
    ]


REPLICATED = ("delivered_pieces", "late_pieces", "peak_waiting_pieces", "waiting_pieces", "mean_h")


def replication_rows(run: Simulation, many: Replications) -> list[Row]:
    """Return what replications say beside the run itself: medians, and the band of 80 %."""
    facts, own = many.summary(), run.summary()
    rows = []
    for name in REPLICATED:
        say = _one_digit if name == "mean_h" else whole
        values = [own[name], facts[name], facts[f"{name}_low"], facts[f"{name}_high"]]
        single, middle, low, high = (say(value) for value in values)
        key = name.removesuffix("_pieces")
        rows.append(
            {"name": text(f"run.r_{key}"), "run": single, "median": middle, "band": f"{low} – {high}"}
        )
    return rows


def _one_digit(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"
