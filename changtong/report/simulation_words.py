"""A simulation in words, for a screen: as ``str(run)`` says it, in English or Chinese."""

from __future__ import annotations

from changtong.report.plan_view import site_names
from changtong.report.simulation_view import (
    Clock,
    class_rows,
    replication_rows,
    say_hour,
    say_verdict,
    say_what_becomes_of_it,
    say_what_is_wrong,
)
from changtong.report.texts import Both, Language, percent, same, text, whole
from changtong.simulation.replications import Replications
from changtong.simulation.result import Simulation

MOST_SITES = 5
CLASS_COLUMNS = ("accepted", "delivered", "due", "late", "mean_h", "p80_h")


def simulation_words(run: Simulation, many: Replications | None = None, *, language: Language = "en") -> str:
    """Return what came of a simulation as text of one screen.

    Parameters
    ----------
    run : Simulation
    many : Replications, optional
        Of the same simulation.
    language : {"zh", "en"}
        ``en``: ``str(run)`` and ``str(many)``; ``zh``: the sentences of the page.

    Examples
    --------
    >>> print(simulation_words(run, language="zh"))  # doctest: +SKIP
    """
    if language == "en":
        return str(run) if many is None else f"{run}\n{many}"
    said = _run_words(run) + ([] if many is None else _replication_words(run, many))
    return "\n".join(line.said_in(language) for line in said)


def _run_words(run: Simulation) -> list[Both]:
    clock, s = Clock(run.settings.start), run.summary()
    first = text("run.line_head", name=run.name, hours=say_hour(s["hours"]), seconds=f"{s['runtime_s']:.1f}")
    sentences = [say_verdict(run), say_what_is_wrong(run, clock), say_what_becomes_of_it(run, clock)]
    return [first, *(same("  ") + one for one in sentences), *_class_words(run), *_site_words(run)]


def _class_words(run: Simulation) -> list[Both]:
    """Say each class on a line: Chinese letters are two wide, so names stand before numbers, not above."""
    return [
        same("  ")
        + text(
            "run.line_class",
            name=row["name"],
            **{column: row[column].said for column in CLASS_COLUMNS},
        )
        for row in class_rows(run)
    ]


def _site_words(run: Simulation) -> list[Both]:
    names = site_names(run.network)
    said = []
    for row in run.grown_sites(MOST_SITES).iter_rows(named=True):
        line = text(
            "run.line_site",
            place=names[str(row["site_id"])],
            peak=whole(row["peak_pieces"]),
            hour=say_hour(row["peak_h"]),
        )
        clears = row["clears_h"]
        ends = text("run.line_open") if clears is None else text("run.line_cleared", hour=say_hour(clears))
        if row["burst_hours"] > 0.0:
            ends += text("run.line_burst", hours=say_hour(row["burst_hours"]))
        said.append(same("    ") + line + ends)
    return said


def _replication_words(run: Simulation, many: Replications) -> list[Both]:
    facts = many.summary()
    head = text("run.line_replications", count=whole(facts["replications"]), seed=facts["seed"])
    said = [head + text("run.replications_hold", share=percent(facts["holds_share"], 0))]
    for row in replication_rows(run, many):
        said.append(
            same("  ") + text("run.line_band", name=row["name"], median=row["median"], band=row["band"])
        )
    return said
