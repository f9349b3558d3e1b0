"""The page of a simulation: numbers, charts over the hours, a map that plays; in Chinese and English."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.report import simulation_charts, simulation_view
from changtong.report.charts import draw_bar
from changtong.report.page import embed_json, render_page, write_page
from changtong.report.plan_report import check_options, say_time
from changtong.report.plan_tables import provenance_rows, versions
from changtong.report.plan_view import read_settings, site_names
from changtong.report.simulation_data import Playback, PlayLimits, collect_playback, read_backlog
from changtong.report.simulation_view import Clock
from changtong.report.texts import Both, Language, percent, read_texts, same, text, whole
from changtong.simulation.replications import Replications
from changtong.simulation.result import Simulation

SCRIPT_SECTIONS = ("page", "play")
SCRIPTS = ("page.js", "geography.js", "playback.js")


def write_simulation_report(
    simulation: Simulation,
    path: Path | str,
    *,
    language: Language = "zh",
    made_at: datetime | None = None,
    limits: PlayLimits | None = None,
    replications: Replications | None = None,
) -> Path:
    """Write the page of a simulation as one self-contained HTML file.

    The page asks for nothing outside itself, carries both languages, and works when opened as a
    file; without scripts all numbers, charts and tables are there, the map is not.

    Parameters
    ----------
    simulation : Simulation
    path : path-like
        The file to write; its folder is made where needed.
    language : {"zh", "en"}
        Shown first; the reader can switch.
    made_at : datetime, optional
        When it was simulated, with a time zone; now where not given.
    limits : PlayLimits, optional
        How much the map plays; the page says what it leaves out.
    replications : Replications, optional
        Of the same simulation: their median and band of 80 % are drawn with what waits.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UsageError
        For an unknown language, a time without a zone, replications of another simulation.
    """
    check_options(language, made_at)
    page = render_simulation_report(
        simulation, language=language, made_at=made_at, limits=limits, replications=replications
    )
    return write_page(path, page)


def write_run(run: Simulation, folder: Path, language: Language) -> Path:
    """Write a run's frames and its page into a folder.

    Parameters
    ----------
    run : Simulation
    folder : Path
    language : {"zh", "en"}
    """

    def page(into: Path) -> None:
        write_simulation_report(run, into / "report.html", language=language)

    return run.save(folder, extra=page)


def render_simulation_report(
    simulation: Simulation,
    *,
    language: Language = "zh",
    made_at: datetime | None = None,
    limits: PlayLimits | None = None,
    replications: Replications | None = None,
) -> str:
    """Return the page as text; see :func:`write_simulation_report`."""
    if replications is not None and not replications.hours["hour"].equals(simulation.hours["hour"]):
        raise UsageError("the replications have other hours than the simulation; expected those of the same.")
    made = say_time(made_at or datetime.now().astimezone())
    clock = Clock(simulation.settings.start)
    backlog = read_backlog(simulation)
    playback = collect_playback(simulation, backlog, clock, limits or PlayLimits())
    spans, events = simulation_view.outage_spans(simulation), simulation_view.list_events(simulation)
    names = site_names(simulation.network)
    summary = simulation.summary()
    context: dict[str, Any] = {
        "language": language,
        "run_name": simulation.name,
        "holds": summary["holds"],
        "outage_labels": _labels(simulation),
        "start": None if clock.start is None else say_time(clock.start),
        "hours": simulation_view.say_hour(summary["hours"]),
        "verdict": simulation_view.say_verdict(simulation),
        "wrong": simulation_view.say_what_is_wrong(simulation, clock),
        "becomes": simulation_view.say_what_becomes_of_it(simulation, clock),
        "numbers": simulation_view.number_rows(simulation, clock),
        "events": [(event, clock.say(event.hour), simulation_view.say_hour(event.hour)) for event in events],
        "charts": simulation_charts.hour_charts(simulation, backlog, clock, spans, events, replications),
        "replicated": _replicated(simulation, replications),
        "small": simulation_charts.small_charts(simulation, backlog, names, clock, spans),
        "strip": simulation_charts.draw_strip(backlog, spans),
        "classes": simulation_view.class_rows(simulation),
        "sites": simulation_view.site_rows(simulation, clock),
        "n_grown": simulation.grown_sites(simulation.sites.height).height,
        "legs": simulation_view.leg_rows(simulation),
        "n_legs": simulation.legs.height,
        "assumed": simulation_view.assumption_rows(simulation),
        "provenance": provenance_rows(simulation.network),
        "about": _about(simulation, made),
        "map_kind": playback.kind,
        "map_notes": _map_notes(playback),
        "last_frame": len(playback.data["hours"]) - 1,
        "bar": draw_bar,
        "whole": whole,
        "data": embed_json({**playback.data, "texts": _script_texts()}),
    }
    return render_page(
        "simulation.html.j2", styles=["style.css", "simulation.css"], scripts=SCRIPTS, context=context
    )


def _replicated(run: Simulation, many: Replications | None) -> dict[str, Any] | None:
    """Return the table of replications and what is said of it."""
    if many is None:
        return None
    facts = many.summary()
    spread = facts["spread"]
    note = text(
        "run.replications_note",
        count=whole(facts["replications"]),
        seed=facts["seed"],
        **{name: percent(value, 0) for name, value in spread.items()},
    )
    holds = text("run.replications_hold", share=percent(facts["holds_share"], 0))
    return {"rows": simulation_view.replication_rows(run, many), "note": note, "holds": holds}


def _labels(run: Simulation, most: int = 6) -> list[str]:
    labels = list(dict.fromkeys(str(outage.label) for outage in run.outages if outage.label))
    return labels if len(labels) <= most else [*labels[:most], f"+{len(labels) - most}"]


def _script_texts() -> dict[str, dict[str, str]]:
    """Return the wording the scripts need; the title is this page's, not a plan's."""
    known = {key: said for key, said in read_texts().items() if key.partition(".")[0] in SCRIPT_SECTIONS} | {
        "page.title": text("run.title")
    }
    return {key: {"zh": said.zh, "en": said.en} for key, said in known.items()}


def _map_notes(playback: Playback) -> list[Both]:
    notes = [text("run.moving", moving=whole(playback.sites_moving))]
    if playback.sites_played < playback.sites_moving:
        notes.append(text("run.played_of", played=whole(playback.sites_played)))
    if playback.every > 1:
        notes.append(text("run.every", steps=playback.every))
    if playback.kind == "map":
        if playback.unplaced:
            notes.append(text("map.unplaced", count=whole(playback.unplaced)))
        notes.append(text("map.no_borders"))
    else:
        notes.append(text("map.schematic_note"))
    return notes


def _about(run: Simulation, made: str) -> list[tuple[Both, Both]]:
    network = run.network
    size = text(
        "about.size_value",
        sites=whole(network.sites.height),
        legs=whole(network.legs.height),
        demand=whole(network.demand.height),
    )
    rows = [
        (text("page.made_at"), same(made)),
        (text("page.network"), same(network.name)),
        (text("about.size"), size),
        (text("run.imbalance"), same(f"{run.imbalance_pieces:,.6f}")),
        (text("about.runtime"), text("about.seconds", seconds=f"{run.runtime_s:,.2f}")),
        (text("about.version"), same(versions(("changtong", "polars", "numpy")))),
    ]
    for name, value in read_settings(run.settings).items():
        said = " ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)
        rows.append((text("about.settings") + f" · {name}", same(said)))
    return rows
