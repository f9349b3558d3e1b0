"""Reports of epidemic control: tables, the numbers a person decides by, and one screen of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.crossings import find_crossings
from changtong.epidemic.epidemic_folder import Epidemic
from changtong.epidemic.gates import area_sites, counted_passes, gate_table, gates_at, together
from changtong.epidemic.measures import Measures
from changtong.epidemic.monthly import inspections_due
from changtong.epidemic.pass_use import check_trips, plan_use
from changtong.epidemic.passes import duplicates, not_listed, with_state
from changtong.epidemic.risk_areas import Proposal
from changtong.epidemic.settling import Settling
from changtong.epidemic.settling_rules import international_sites
from changtong.epidemic.staff import staff_at
from changtong.epidemic.tables import INSTANT, local
from changtong.network.model import Network
from changtong.safety.table_folder import save_tables
from changtong.wording import Both

KIND = "epidemic"
SHOWN = 12
HIDDEN = ("vehicle_key", "row")
"""Columns for comparing only: no report has them."""


@dataclass(frozen=True)
class Report:
    """Tables with their summary.

    Attributes
    ----------
    name : str
    facts : dict
        Plain values.
    tables : dict
        Name -> frame.
    lines : tuple of str
        Words for one screen.
    shown : tuple of str
        Tables that are in the JSON as rows.
    zone : str
        In which instants are shown.
    notes : tuple of Both
        What had to be assumed or left out.
    """

    name: str
    facts: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    lines: tuple[str, ...]
    shown: tuple[str, ...] = field(default=())
    zone: str = "Asia/Shanghai"
    notes: tuple[Both, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the summary and the tables shown as one JSON object."""
        return self.facts | {name: json_rows(local(self.tables[name], self.zone)) for name in self.shown}

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def save(self, folder: str | Path) -> Path:
        """Write the tables as CSV.

        Parameters
        ----------
        folder : path
        """
        tables = {name: local(frame, self.zone) for name, frame in self.tables.items()}
        return save_tables(folder, KIND, tables, {"report": self.name, **self.facts})


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain values: instants and days as ISO 8601.

    Parameters
    ----------
    frame : polars.DataFrame
    """
    kept = [name for name in frame.columns if name not in HIDDEN]
    return [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
        for row in frame.select(kept).iter_rows(named=True)
    ]


def report_of(name: str, made: Measures | Settling | Proposal, zone: str) -> Report:
    """Return a result as a report, to be shown and saved like the others.

    Parameters
    ----------
    name : str
    made : Measures, Settling or Proposal
    zone : str
        In which instants are shown.
    """
    tables = {key: value for key, value in vars(made).items() if isinstance(value, pl.DataFrame)}
    notes = made.notes if isinstance(made, Settling) else ()
    return Report(name, made.to_json(), tables, tuple(str(made).splitlines()), (), zone, notes)


def _local(at: datetime | None, zone: str) -> str:
    return "…" if at is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def states_report(epidemic: Epidemic, at: datetime) -> Report:
    """Report the state of each site at an instant; sites of no spell are open.

    Parameters
    ----------
    epidemic : Epidemic
    at : datetime
    """
    now = epidemic.book.at(at)
    kinds = epidemic.book.kinds.kinds
    names = dict(epidemic.sites.select("site_id", "name").iter_rows())
    every = sorted({*now, *epidemic.book.spells, *epidemic.sites["site_id"].to_list()})
    rows = []
    for site in every:
        spell = now.get(site)
        state = "open" if spell is None else spell.state
        following = [one for one in epidemic.book.spells.get(site, ()) if one.begin > at]
        rows.append(
            {
                "site_id": site, "name": names.get(site), "state": state, "zh": kinds[state].zh,
                "from": None if spell is None else spell.begin, "until": None if spell is None else spell.end,
                "reason": None if spell is None else spell.reason,
                "authority": None if spell is None else spell.authority,
                "next_state": following[0].state if following else None,
                "next_from": following[0].begin if following else None,
            }
        )  # fmt: skip
    schema: dict[str, Any] = {
        "site_id": pl.String, "name": pl.String, "state": pl.String, "zh": pl.String, "from": INSTANT,
        "until": INSTANT, "reason": pl.String, "authority": pl.String, "next_state": pl.String,
        "next_from": INSTANT,
    }  # fmt: skip
    frame = pl.DataFrame(rows, schema)
    counts = {kind: frame.filter(pl.col("state") == kind).height for kind in kinds}
    lines = [f"{frame.height:,} sites at {_local(at, epidemic.settings.zone)}"]
    for kind, count in counts.items():
        lines.append(f"  {kinds[kind].zh} {kind}: {count:,} ({kinds[kind].provenance})")
    for row in frame.filter(pl.col("state") != "open").head(SHOWN).iter_rows(named=True):
        until = _local(row["until"], epidemic.settings.zone)
        lines.append(f"  {row['site_id']} {row['zh']} until {until} {row['reason'] or ''}".rstrip())
    facts = {"at": at.isoformat(), "sites": frame.height, "by_state": counts}
    return Report("states", facts, {"states": frame}, tuple(lines), ("states",), epidemic.settings.zone)


def crossings_report(epidemic: Epidemic) -> Report:
    """Report who crosses between posts inside and outside.

    Parameters
    ----------
    epidemic : Epidemic
    """
    hours = epidemic.settings.apart_h
    found = find_crossings(epidemic.zones, epidemic.posts, epidemic.presence, apart_h=hours)
    counts = dict(found.group_by("crossing").len().sort("crossing").iter_rows())
    people = found["person"].n_unique()
    lines = [f"{found.height:,} crossings by {people:,} people"]
    lines += [f"  {kind}: {count:,}" for kind, count in counts.items()]
    for row in found.head(SHOWN).iter_rows(named=True):
        other = "" if row["other_zone"] is None else f" and {row['other_site_id']} {row['other_zone']}"
        since = _local(row["from"], epidemic.settings.zone)
        lines.append(
            f"  {row['person']} {row['crossing']}: {row['site_id']} {row['zone']}{other} from {since}"
        )
    facts = {"found": found.height, "people": people, "by_kind": counts, "apart_h": hours}
    return Report(
        "crossings", facts, {"crossings": found}, tuple(lines), ("crossings",), epidemic.settings.zone
    )


def due_report(
    epidemic: Epidemic,
    visits: pl.DataFrame,
    day: date,
    *,
    since: date | None = None,
    network: Network | None = None,
) -> Report:
    """Report the monthly inspections of international sites: made, due, missed.

    Parameters
    ----------
    epidemic : Epidemic
    visits : polars.DataFrame
        ``site_id``, ``on``.
    day : date
    since : date, optional
        The first month looked at.
    network : Network, optional
        Its exchange offices count, too.
    """
    begun = dict(epidemic.sites.select("site_id", "since").iter_rows())
    sites = {site: begun.get(site) for site in international_sites(epidemic.sites, network)}
    needed = epidemic.settings.inspections_per_month
    frame = inspections_due(sites, visits, day, since=since, per_month=needed)
    counts = {state: frame.filter(pl.col("state") == state).height for state in ("done", "due", "missed")}
    said = ", ".join(f"{state} {count}" for state, count in counts.items())
    lines = [f"{len(sites):,} international sites, months {said}"]
    for row in (
        frame.filter(pl.col("state") != "done").sort("due_on", "site_id").head(SHOWN).iter_rows(named=True)
    ):
        lines.append(f"  {row['site_id']} {row['month']} {row['state']}, due on {row['due_on']}")
    facts = {"date": day.isoformat(), "sites": len(sites), "needed_per_month": needed, "by_state": counts}
    return Report(
        "inspections-due", facts, {"months": frame}, tuple(lines), ("months",), epidemic.settings.zone
    )


def staff_report(epidemic: Epidemic, at: datetime) -> Report:
    """Report who may work at each site, and whose permission ends soon.

    Parameters
    ----------
    epidemic : Epidemic
    at : datetime
    """
    counts = staff_at(epidemic.staff, epidemic.sites, at)
    states = with_state(epidemic.staff, at, epidemic.settings)
    ending = states.filter(pl.col("state").is_in(["expiring", "expired"])).sort("valid_until").drop("row")
    by_state = dict(states.group_by("state").len().sort("state").iter_rows())
    lines = [f"Staff at {_local(at, epidemic.settings.zone)}: " + _counts(by_state)]
    for row in counts.iter_rows(named=True):
        share = "" if row["share"] is None else f" of {row['needed']:,} needed ({row['share']:.0%})"
        lines.append(f"  {row['site_id']}: {row['may_work']:,} may work{share}")
    facts = {"at": at.isoformat(), "by_state": by_state}
    return Report(
        "staff",
        facts,
        {"sites": counts, "ending": ending},
        tuple(lines),
        ("sites", "ending"),
        epidemic.settings.zone,
    )


def firms_report(epidemic: Epidemic, at: datetime) -> Report:
    """Report which firms are whitelisted, and whose listing ends soon.

    Parameters
    ----------
    epidemic : Epidemic
    at : datetime
    """
    states = with_state(epidemic.firms, at, epidemic.settings).sort("firm_id", "valid_from").drop("row")
    held = counted_passes(epidemic.passes, epidemic.firms, at, epidemic.settings)
    counts = held.group_by("holder").agg(pl.len().cast(pl.Int64).alias("valid_passes"))
    frame = states.join(counts, left_on="firm_id", right_on="holder", how="left").with_columns(
        pl.col("valid_passes").fill_null(0)
    )
    by_state = dict(states.group_by("state").len().sort("state").iter_rows())
    lines = [f"Whitelisted firms at {_local(at, epidemic.settings.zone)}: " + _counts(by_state)]
    for row in frame.head(SHOWN).iter_rows(named=True):
        until = _local(row["valid_until"], epidemic.settings.zone)
        lines.append(
            f"  {row['firm_id']} {row['name'] or ''} {row['state']} until {until}, "
            f"{row['valid_passes']} passes"
        )
    facts = {"at": at.isoformat(), "by_state": by_state}
    return Report("firms", facts, {"firms": frame}, tuple(lines), ("firms",), epidemic.settings.zone)


def _counts(by_state: Mapping[str, int]) -> str:
    return ", ".join(f"{state} {count:,}" for state, count in by_state.items()) or "none"


def passes_report(
    epidemic: Epidemic,
    at: datetime,
    *,
    network: Network | None = None,
    trips: pl.DataFrame | None = None,
    leg_flows: pl.DataFrame | None = None,
) -> Report:
    """Report passes at an instant: valid, ending, twice, out of scope, and how many a plan uses.

    Parameters
    ----------
    epidemic : Epidemic
    at : datetime
    network : Network, optional
        With it the gates and what each lets in; needed for ``trips`` and ``leg_flows``.
    trips : polars.DataFrame, optional
        Of :func:`changtong.epidemic.pass_use.read_trips`.
    leg_flows : polars.DataFrame, optional
        Of a plan.
    """
    zone = epidemic.settings.zone
    states = with_state(epidemic.passes, at, epidemic.settings)
    tables = {
        "passes": states.drop("row", "vehicle_key"),
        "ending": states.filter(pl.col("state").is_in(["expiring", "expired"]))
        .sort("valid_until")
        .drop("row", "vehicle_key"),
        "duplicates": duplicates(epidemic.passes),
        "not_listed": not_listed(epidemic.passes, epidemic.firms, at).drop("row", "vehicle_key"),
    }
    by_state = dict(states.group_by("state").len().sort("state").iter_rows())
    lines = [f"Passes at {_local(at, zone)}: {_counts(by_state)}"]
    lines.append(
        f"  of one vehicle at one time: {tables['duplicates'].height:,} pairs; "
        + f"holders on no whitelist: {tables['not_listed'].height:,}"
    )
    if network is not None:
        tables |= _at_gates(epidemic, network, at, trips, leg_flows, lines)
    shown = tuple(name for name in tables if name != "passes")
    facts = {"at": at.isoformat(), "passes": states.height, "by_state": by_state}
    return Report("passes", facts, tables, tuple(lines), shown, zone)


def _at_gates(
    epidemic: Epidemic,
    network: Network,
    at: datetime,
    trips: pl.DataFrame | None,
    leg_flows: pl.DataFrame | None,
    lines: list[str],
) -> dict[str, pl.DataFrame]:
    valid = counted_passes(epidemic.passes, epidemic.firms, at, epidemic.settings)
    gates = gates_at(network, epidemic.book, epidemic.areas, valid, at)
    every = gates + together(gates, valid)
    tables = {"gates": gate_table(every)}
    for row in tables["gates"].iter_rows(named=True):
        lines.append(
            f"  {row['name']}: {row['passes_per_day']:,} passes a day for {row['sites']:,} sites "
            + f"({row['passes']:,} valid, {row['pieces_per_day']:,.0f} pieces)"
        )
    if leg_flows is not None:
        tables["use"] = plan_use(every, leg_flows)
        for row in tables["use"].iter_rows(named=True):
            said = "  BOTTLENECK" if row["bottleneck"] else ""
            lines.append(
                f"  plan at {row['name']}: {row['passes_used']:,} of {row['passes_valid']:,} passes used "
                + f"({row['entering_pieces']:,.0f} pieces){said}"
            )
    if trips is not None:
        scopes = {row["area_id"]: area_sites(network, row) for row in epidemic.areas.iter_rows(named=True)}
        guarded: frozenset[str] = frozenset().union(*(gate.sites for gate in gates))
        tables["faults"] = check_trips(trips, epidemic.passes, scopes, guarded, epidemic.settings.zone)
        counts = dict(tables["faults"].group_by("fault").len().sort("fault").iter_rows())
        lines.append(f"  trips {trips.height:,}, faults: {_counts(counts)}")
    return tables
