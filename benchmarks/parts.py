"""What there is to run: every program of this folder with its options, and the section of the page it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import part_tables as tables
from part_tables import Show, as_it_is, as_printed, lines_table, of_json, of_last_line

HELPERS = ("growth.py", "web_soak_load.py")
"""Programs that others run."""


@dataclass(frozen=True)
class Part:
    """One run of a program.

    Attributes
    ----------
    key : str
        What its marks on the page are called.
    title : str
        Heading of its section; several parts may share one.
    command : tuple of str
        Program and options.
    show : callable
        Makes Markdown of what it printed.
    needs : Path or None
        Data without which it cannot run.
    quick : tuple of str or None
        Options added with ``--quick``, which take the place of those before; None: left out there.
    """

    key: str
    title: str
    command: tuple[str, ...]
    show: Show
    needs: Path | None = None
    quick: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Places:
    """Folders that parts read and write.

    Attributes
    ----------
    data : Path
        Holds ``mcf``, ``jd_network`` and ``two_echelon``.
    work : Path
        Where logs and registers are made.
    url : str
        An empty PostgreSQL database; empty: none.
    """

    data: Path
    work: Path
    url: str = ""


def all_parts(places: Places) -> list[Part]:
    """Return all there is, in the order of the page."""
    return [
        *_flows(places),
        *_simulated(),
        *_stressed(places),
        *_scans(places),
        *_written_down(places),
        *_on_watch(places),
        *_rural(places),
    ]


def quick_parts(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that have a small size, at that size."""
    return [replace(part, command=(*part.command, *part.quick)) for part in parts if part.quick is not None]


def chosen_parts(parts: Sequence[Part], word: str | None) -> list[Part]:
    """Return the parts whose key or title has a word; all without one."""
    asked = (word or "").casefold()
    return [part for part in parts if asked in part.title.casefold() or asked in part.key]


def _flows(places: Places) -> list[Part]:
    mcf = places.data / "mcf"
    sizes = ("--sizes", "50", "100", "200", "400", "800")
    nation = "National network, {} level, busiest hub closed"
    return [
        Part("mcf", "Public instances", ("mcf.py", str(mcf), "--json", "--runs", "3"), of_json(tables.mcf_table), mcf,
             ("--runs", "1")),
        Part("peers", "Beside general LP solvers", ("peers.py", "--json", "--seconds", "600", *sizes),
             of_json(tables.peers_table), None, ("--seconds", "60", *sizes[:3])),
        Part("national-city", nation.format("city"), ("national.py", "--level", "city", "--gap", "1e-4"),
             of_json(tables.plain_table), None, ()),
        Part("national-county", nation.format("county"), ("national.py", "--level", "county", "--next", "10"),
             of_json(tables.plain_table)),
    ]  # fmt: skip


def _simulated() -> list[Part]:
    command = ("simulation.py", "--json", "--part")
    return [
        Part("simulation-national", "A week of the national network, played forward", (*command, "national"),
             of_json(tables.plain_table), None, ("--level", "city")),
        Part("simulation-simpy", "A small network beside SimPy, piece by piece", (*command, "simpy"),
             of_json(tables.plain_table), None, ()),
    ]  # fmt: skip


def _stressed(places: Places) -> list[Part]:
    volumes = places.data / "jd_network"
    legs = volumes / "leg_volumes.csv.gz"
    show = of_json(tables.stress_table)
    return [
        Part("stress-national", "Every site of the national network closed in turn", ("stress.py", "national"), show),
        Part("stress-memory", "Memory of stress tests, 50 and 500 cases", ("stress.py", "memory"), show),
        Part("stress-peer", "Closures beside HiGHS from scratch", ("stress.py", "peer"), show, None,
             ("--size", "50", "--sample", "2", "--seconds", "60")),
        Part("stress-pairs", "Worst pairs of a learned network", ("stress.py", "pairs", str(legs)), show, legs),
        Part("closures", "Closures that really happened", ("jd_outages.py", str(volumes)), as_it_is, volumes),
        Part("forecast", "Forecasts of all legs, 31 days ahead", ("forecast.py", str(legs), "--json"),
             of_json(tables.forecast_table), legs, ("--most-origins", "2")),
    ]  # fmt: skip


def _scans(places: Places) -> list[Part]:
    title, volumes, logs = "Scan log", places.data / "jd_network", places.work / "scan-logs"
    a_log = logs / "log-10000000"
    return [
        Part("scan-logs", title, ("scan_logs.py", "--json"), of_json(lambda answer: tables.rows_table(answer["logs"])),
             None, ("--events", "1e5")),
        Part("scan-growth", title, ("scan_queries.py", "growth", str(logs)), lines_table, None,
             ("--sizes", "1e5", "--runs", "1")),
        Part("scan-spark", title, ("scan_queries.py", "spark", str(a_log), "2026-07-25"), of_json(tables.plain_table),
             a_log),
        Part("tracing", title, ("tracing.py",), of_json(tables.plain_table), None, ("--events", "200000", "--runs", "1")),
        Part("alerts", title, ("alerts.py", str(volumes), "--planted", "900"), as_it_is, volumes, ("--planted", "20")),
        Part("vault", title, ("vault.py",), as_printed, None, ("--ids", "50000")),
    ]  # fmt: skip


def _written_down(places: Places) -> list[Part]:
    small = ("--outlets", "500", "--inspections", "3000")
    busy = ("--entries", "3000", "--users", "4", "--seconds", "3")
    show = of_last_line(tables.registers_table)
    command = ("registers.py", str(places.work / "registers"))
    on_server = Part("registers-postgresql", "Registers", (*command, "--url", places.url), show)
    year = ("scorecard_fill.py", str(places.work / "scorecard"), "--json")
    return [
        Part("registers-sqlite", "Registers", command, show, None, (*small, *busy)),
        *([on_server] if places.url else []),
        Part("privacy", "Personal data", ("privacy.py", "--megabytes", "1000"), as_printed, None, ("--megabytes", "2")),
        Part("safety", "Safety supervision", ("safety.py",), as_printed, None,
             ("--sites", "60", "--hazards", "500", "--forms", "20")),
        Part("outlets", "Outlets", ("outlets.py",), as_printed, None, ("--outlets", "800", "--months", "24")),
        Part("assessment", "A national assessment", ("assessment.py", "--json"), of_json(tables.plain_table), None,
             ("--outlets", "1000", "--facts", "5000", "--runs", "1")),
        Part("scorecard-fill", "A scorecard filled over a year", year, of_json(tables.result_table), None,
             ("--events", "2e5", "--days", "20", *small)),
    ]  # fmt: skip


def _on_watch(places: Places) -> list[Part]:
    centres = places.data / "sorting_centres"
    return [
        Part("warnings", "Warnings over the whole country", ("cap_warnings.py",), as_printed),
        Part("carbon", "Carbon of the national plan", ("carbon.py",), as_printed, None,
             ("--level", "city", "--runs", "1")),
        Part("frontier", "Carbon of the national plan", ("frontier.py",), as_printed, None,
             ("--runs", "1", "--points", "3", "--seconds", "2")),
        Part("duty", "Duty rosters", ("duty.py",), as_printed, None,
             ("--days", "14", "--seconds", "5", "--seeds", "0")),
        Part("web-soak", "The server under load", ("web_soak.py",), of_json(tables.plain_table), None,
             ("--seconds", "30", "--users", "20", "--rate", "1000")),
        Part("web-map", "The map in a browser", ("web_map.py",), of_json(tables.plain_table), None,
             ("--level", "city", "--events", "2e5")),
        Part("workforce", "Rosters of sorting centres", ("workforce.py", str(centres)), as_printed, centres),
    ]  # fmt: skip


def _rural(places: Places) -> list[Part]:
    instances, title = places.data / "two_echelon", "County plans"
    return [
        Part("two-echelon", "Two-echelon routing", ("two_echelon.py", str(instances), "--seconds", "10"), as_printed,
             instances, ("--seconds", "1", "--match", "n22")),
        Part("county", title, ("county.py", "200", "20", "--effort", "0.3", "1", "3"), lines_table, None,
             ("--effort", "0.03")),
        Part("county-published", title, ("county_published.py", str(instances)), as_printed, instances),
    ]  # fmt: skip
