"""Check a network: every problem of every table in one report, for a person and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from changtong.errors import Problem
from changtong.network.assembly import Assembly, assemble_tables
from changtong.network.connections import reachable_bits, trace_sort_plan, unreachable_rows
from changtong.network.findings import Findings, rows_where
from changtong.network.folder import read_folder
from changtong.network.model import Network

SHOWN_CODES = 20
SHOWN_PLACES = 3
FEW_CODES = 6
"""Up to so many kinds of problems, several places of each are shown."""

SHOWN_PAIRS = 5
CHINA_DEGREES = (73.0, 136.0, 3.0, 54.0)
"""Longitudes and latitudes between which China lies, to recognise swapped positions."""


@dataclass(frozen=True)
class CheckReport:
    """What is wrong with the tables of a network, a county or another set.

    Attributes
    ----------
    name : str
        What was checked.
    problems : tuple of Problem
        Errors first. Of one code in one column 1,000 are listed and a last one counts the rest.
    counts : mapping
        (severity, code) -> how many there are, the unlisted ones included.
    rows : mapping
        Table -> rows read.
    files : mapping
        File -> encoding and separator it was read in.
    """

    name: str
    problems: tuple[Problem, ...]
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that stop the work."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems worth a look."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def __str__(self) -> str:
        total = {
            kind: sum(n for (k, _), n in self.counts.items() if k == kind) for kind in ("error", "warning")
        }
        lines = [f"{self.name}: {_counted(total['error'], 'error')}, {_counted(total['warning'], 'warning')}"]
        lines.append("  " + ", ".join(f"{table} {count:,}" for table, count in self.rows.items()))
        odd = [
            f"{file} ({form})"
            for file, form in self.files.items()
            if form not in ("parquet", "utf-8, commas")
        ]
        if odd:
            lines.append("  read as: " + ", ".join(odd))
        codes = list(self.counts.items())
        codes.sort(key=lambda item: item[0][0])
        for (severity, code), count in codes[:SHOWN_CODES]:
            places = [p for p in self.problems if (p.severity, p.code) == (severity, code)]
            places = places[: SHOWN_PLACES if len(codes) <= FEW_CODES else 1]
            lines.append(f"{severity} {code} ×{count:,}")
            lines += ["  " + str(problem).split("] ", 1)[1] for problem in places]
        if len(codes) > SHOWN_CODES:
            lines.append(
                "… and " + ", ".join(f"{code} ×{count:,}" for (_, code), count in codes[SHOWN_CODES:])
            )
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(
            {
                "name": self.name,
                "ok": self.ok,
                "counts": [
                    {"severity": severity, "code": code, "count": count}
                    for (severity, code), count in self.counts.items()
                ],
                "rows": dict(self.rows),
                "files": dict(self.files),
                "problems": [problem.to_dict() for problem in self.problems],
            },
            ensure_ascii=False,
        )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def check_network(path_or_network: str | os.PathLike[str] | Network) -> CheckReport:
    """Check a network folder, or a network in memory.

    Never raises for bad input: everything found is in the report. Beyond what
    ``read_network`` refuses, it looks at positions, capacities, ways from sender to
    recipient and the sort plan.

    Parameters
    ----------
    path_or_network : path or Network

    Returns
    -------
    CheckReport
    """
    findings = Findings()
    if isinstance(path_or_network, Network):
        name, frames = path_or_network.name, path_or_network.tables()
        files: dict[str, str] = {}
        read: dict[str, str] = {}
    else:
        found = read_folder(Path(path_or_network), findings)
        name, frames, files, read = found.name, found.frames, found.files, found.encodings
        if not frames and findings.errors:
            return report_of(name, findings, {}, read)
    rows = {table: frame.height for table, frame in frames.items()}
    made = assemble_tables(frames, findings, files=files)
    del frames
    for check in CHECKS:
        check(made)
    return report_of(name, findings, rows, read)


def report_of(
    name: str, findings: Findings, rows: Mapping[str, int], files: Mapping[str, str]
) -> CheckReport:
    """Return the report of what was found.

    Parameters
    ----------
    name : str
    findings : Findings
    rows : mapping
        Table -> rows read.
    files : mapping
        File -> how it was read.
    """
    problems = tuple(sorted(findings.problems, key=lambda problem: problem.severity))
    return CheckReport(name, problems, dict(findings.counts), rows, files)


def warn_rows(
    made: Assembly,
    table: str,
    mask: pl.Series,
    code: str,
    column: str,
    say: Callable[[int], str],
    hint: str = "",
) -> None:
    """Add a warning for each row of a typed table where the mask is true.

    Parameters
    ----------
    made : Assembly
    table : str
    mask : polars.Series
        Boolean, a value for each row of the typed table.
    code, column : str
    say : callable
        Row of the typed table, from 0 -> the message.
    hint : str
    """
    made.findings.add_rows(
        rows_where(mask),
        lambda index: Problem(
            code, say(index), made.file(table), made.row(table, index), column, hint=hint, severity="warning"
        ),
    )


def check_tables(made: Assembly) -> None:
    """Warn of tables without rows and of empty columns that an analysis needs."""
    for table in ("legs", "demand"):
        if made.tables["sites"].height == 0 and table in made.rows:
            continue  # it has rows, but no sites to join
        if made.tables[table].height == 0 and not _reported(made, made.file(table)):
            message, expected = "the table has no rows.", "at least one row"
            problem = Problem("empty-table", message, made.file(table), expected=expected, severity="warning")
            made.findings.add(problem)
    legs = made.tables["legs"]
    empty, count = made.filled.get(("legs", "cost_cny_per_piece"), (0, 0))
    if empty:
        message = f"{empty:,} of {count:,} legs have no cost; it counts as 0."
        hint = "Without costs the shortest way is not known."
        place = (made.file("legs"), None, "cost_cny_per_piece")
        made.findings.add(Problem("missing-cost", message, *place, hint=hint, severity="warning"))
    empty = legs["travel_h"].null_count()
    if empty:
        message = f"{empty:,} of {legs.height:,} legs have no hours."
        hint = "Without hours lateness is not known."
        place = (made.file("legs"), None, "travel_h")
        made.findings.add(Problem("missing-hours", message, *place, hint=hint, severity="warning"))


def _reported(made: Assembly, file: str) -> bool:
    codes = ("missing-table", "missing-column", "empty-file", "unreadable-file", "bad-row", "bad-encoding")
    return any(problem.file == file and problem.code in codes for problem in made.findings.problems)


def check_positions(made: Assembly) -> None:
    """Warn of half positions, of 0/0 and of positions that only fit China the other way round."""
    sites = made.tables["sites"]
    lon, lat = sites["lon"], sites["lat"]
    known = lon.is_not_null() & lat.is_not_null()
    half = lon.is_null() != lat.is_null()
    if half.any():
        wrong = _wrong_positions(made)
        rows = range(sites.height)
        half = half & pl.Series([made.row("sites", row) not in wrong for row in rows], dtype=pl.Boolean)
        warn_rows(made, "sites", half, "half-position", "lon", lambda _: "only one of lon and lat is given.")
    origin = known & (lon == 0) & (lat == 0)
    warn_rows(made, "sites", origin, "odd-position", "lon", lambda _: "lon 0, lat 0 lies in the Atlantic.")
    west, east, south, north = CHINA_DEGREES
    inside = lon.is_between(west, east) & lat.is_between(south, north)
    other = lat.is_between(west, east) & lon.is_between(south, north) & ~inside
    if known.any() and inside.sum() * 2 > int(known.sum()) - int(other.sum()):
        warn_rows(
            made,
            "sites",
            other,
            "swapped-coordinates",
            "lat",
            lambda row: f"lon {lon[row]:.10g}, lat {lat[row]:.10g} lies outside China, unlike most sites.",
            "Longitude and latitude seem to be swapped.",
        )


def _wrong_positions(made: Assembly) -> set[int | None]:
    """Return the rows whose lon or lat was reported, and emptied, already."""
    file = made.file("sites")
    return {p.row for p in made.findings.errors if p.file == file and p.column in ("lon", "lat")}


def check_capacities(made: Assembly) -> None:
    """Warn of capacities of nothing, of capacity without trips and of flow beyond capacity."""
    sites, legs = made.tables["sites"], made.tables["legs"]
    rate, hours = sites["sort_pieces_per_h"], sites["sort_hours_per_day"]
    none = (rate * hours == 0) & (sites["status"] != "closed")
    ids = sites["site_id"]
    warn_rows(
        made, "sites", none, "zero-capacity", "sort_pieces_per_h", lambda row: f"{ids[row]} sorts nothing."
    )
    capacity, trips = legs["capacity_pieces_per_day"], legs["departures_per_day"]
    column = "capacity_pieces_per_day"
    warn_rows(
        made,
        "legs",
        capacity == 0,
        "zero-capacity",
        column,
        lambda row: f"{_leg(legs, row)} carries nothing.",
    )
    idle = (trips == 0) & (capacity > 0)
    warn_rows(
        made,
        "legs",
        idle,
        "no-departures",
        "departures_per_day",
        lambda row: (
            f"{_leg(legs, row)} has a capacity of {capacity[row]:.10g} pieces a day and no departure."
        ),
    )
    flow = legs["flow_pieces_per_day"]
    warn_rows(
        made,
        "legs",
        flow > capacity * (1 + 1e-6),
        "flow-over-capacity",
        "flow_pieces_per_day",
        lambda row: (
            f"{_leg(legs, row)} carries {flow[row]:.10g} pieces a day, its capacity is {capacity[row]:.10g}."
        ),
    )


def _leg(legs: pl.DataFrame, row: int) -> str:
    return f"leg {legs['from_site'][row]} → {legs['to_site'][row]}"


def _site_rows(column: pl.Series) -> np.ndarray:
    return column.to_physical().to_numpy().astype(np.int64)


def check_ways(made: Assembly) -> None:
    """Warn of sites without legs and of demand that no way connects."""
    sites, legs, demand = (made.tables[table] for table in ("sites", "legs", "demand"))
    if sites.height == 0 or (legs.height == 0 and _reported(made, made.file("legs"))):
        return
    tail, head = _site_rows(legs["from_site"]), _site_rows(legs["to_site"])
    alone = np.ones(sites.height, bool)
    alone[tail] = alone[head] = False
    ids = sites["site_id"]
    mask = pl.Series(alone)
    warn_rows(
        made, "sites", mask, "isolated-site", "site_id", lambda row: f"no leg begins or ends at {ids[row]}."
    )
    bits = reachable_bits(sites.height, tail, head, sites["transit"].to_numpy())
    origin, destination = (demand[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    rows = unreachable_rows(bits, origin, destination)
    rows = rows[(demand["pieces_per_day"].gather(rows) > 0).to_numpy()] if len(rows) else rows
    if len(rows) == 0:
        return
    some = [f"{demand['from_site'][int(row)]} → {demand['to_site'][int(row)]}" for row in rows[:SHOWN_PAIRS]]
    pieces = float(demand["pieces_per_day"].gather(rows).cast(pl.Float64).sum())
    more = ", …" if len(rows) > SHOWN_PAIRS else ""
    message = (
        f"{len(rows):,} of {demand.height:,} demand rows, {pieces:,.10g} pieces a day, have no way through"
        f" the legs: {', '.join(some)}{more}."
    )
    problem = Problem(
        "no-path",
        message,
        made.file("demand"),
        made.row("demand", int(rows[0])),
        "to_site",
        expected="a chain of legs through sites with transit",
        severity="warning",
    )
    made.findings.add(problem, count=len(rows))


def check_sort_plan(made: Assembly) -> None:
    """Report rows of the sort plan on missing legs, rows that lead nowhere, and loops."""
    plan = made.tables.get("sort_plan")
    if plan is None or plan.height == 0:
        return
    if made.tables["legs"].height == 0 and _reported(made, made.file("legs")):
        return  # every row would be blamed for legs that could not be read
    sites, legs = made.tables["sites"].height, made.tables["legs"]
    here, aim, following = (_site_rows(plan[name]) for name in ("site", "destination", "next_site"))
    file = made.file("sort_plan")
    on_legs = np.isin(
        here * sites + following, _site_rows(legs["from_site"]) * sites + _site_rows(legs["to_site"])
    )
    ids = made.tables["sites"]["site_id"]

    def fault(row: int, code: str, message: str, expected: str) -> Problem:
        return Problem(code, message, file, made.row("sort_plan", row), "next_site", expected=expected)

    def missing(row: int) -> Problem:
        message = f"there is no leg {ids[int(here[row])]} → {ids[int(following[row])]}."
        return fault(row, "sort-plan-missing-leg", message, "a row of the table legs")

    def stops(row: int) -> Problem:
        message = f"{ids[int(following[row])]} has no row for {ids[int(aim[row])]}."
        return fault(row, "sort-plan-stops", message, "rows all the way to the destination")

    home = here == aim
    made.findings.add_rows(np.flatnonzero(~on_legs & ~(home & (following == here))), missing)
    stopping: set[int] = set()
    looping: dict[tuple[int, ...], None] = {}
    for rows in _plans_by_class(plan, here * sites + aim):
        rows = rows[~home[rows]]
        faults = trace_sort_plan(sites, here[rows], aim[rows], following[rows])
        stopping.update(rows[faults.stops].tolist())
        looping.update({tuple(rows[loop].tolist()): None for loop in faults.loops})
    looping.update({(row,): None for row in np.flatnonzero(home & (following != here)).tolist()})
    made.findings.add_rows(sorted(stopping), stops)
    loops = sorted(looping)

    def loop(number: int) -> Problem:
        row = loops[number][0]
        way = [*(ids[int(here[step])] for step in loops[number]), ids[int(here[row])]]
        way = [*way[:6], "…", way[-1]] if len(way) > 8 else way
        message = f"pieces for {ids[int(aim[row])]} go round: {' → '.join(way)}."
        if home[row]:
            message = f"pieces for {ids[int(aim[row])]} leave it again for {ids[int(following[row])]}."
        return fault(row, "sort-plan-loop", message, "a way that ends at the destination")

    made.findings.add_rows(range(len(loops)), loop)


def _plans_by_class(plan: pl.DataFrame, key: np.ndarray) -> list[np.ndarray]:
    """Return the rows in force for all classes, then for each class with rows of its own."""
    given = plan["service_class"]
    common = np.flatnonzero(given.is_null().to_numpy())
    plans = [common] if len(common) else []
    for service_class in given.drop_nulls().unique().to_list():
        own = rows_where(given == service_class)
        plans.append(np.concatenate([own, common[~np.isin(key[common], key[own])]]))
    return plans


CHECKS = (check_tables, check_positions, check_capacities, check_ways, check_sort_plan)
"""Checks of typed tables, in the order of the report."""
