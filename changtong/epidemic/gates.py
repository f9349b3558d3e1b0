"""Gates: controlled areas, and single sites, that vehicles enter with a valid pass only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from changtong.epidemic.passes import not_listed, valid_at
from changtong.epidemic.settings import Settings
from changtong.epidemic.state_book import StateBook
from changtong.epidemic.state_kinds import PASSES
from changtong.epidemic.tables import INSTANT, TableReader, words
from changtong.network.model import Network
from changtong.outages import PIECES_PER_PASS, Outage, sites_of

FILE = "areas.csv"
SCHEMA: dict[str, pl.DataType] = {
    "area_id": pl.String(),
    "name": pl.String(),
    "sites": pl.String(),
    "admin_codes": pl.String(),
    "from": INSTANT,
    "until": INSTANT,
    "pieces_per_pass": pl.Float64(),
    "authority": pl.String(),
}


@dataclass(frozen=True)
class Gate:
    """What vehicles enter with a pass.

    Attributes
    ----------
    gate_id, name : str
        An area's id, or a site's.
    sites : frozenset of str
        Ids in the network.
    areas : frozenset of str
        Areas whose passes open it.
    pieces_per_pass : float
    begin, end : datetime or None
    passes : tuple of str
        Valid passes that open it.
    trips_per_day : int
        Of these, a vehicle that has several counted once.
    """

    gate_id: str
    name: str
    sites: frozenset[str]
    areas: frozenset[str]
    pieces_per_pass: float
    begin: datetime | None
    end: datetime | None
    passes: tuple[str, ...] = ()
    trips_per_day: int = 0


def read_areas(reader: TableReader) -> pl.DataFrame:
    """Return the controlled areas of a folder.

    Parameters
    ----------
    reader : TableReader
    """
    frame = reader.table(
        reader.place(FILE), SCHEMA, ("area_id", "from"), key=("area_id",), spans=(("from", "until"),)
    )
    reader.within(frame, "pieces_per_pass", 0.0, 1e9, FILE)
    for (row,) in (
        frame.filter(pl.col("sites").is_null() & pl.col("admin_codes").is_null()).select("row").iter_rows()
    ):
        reader.add("missing-value", "it says no place.", FILE, row, "sites", "sites or admin_codes")
    return frame


def area_sites(network: Network, row: Mapping[str, str | None]) -> frozenset[str]:
    """Return the sites of an area, by id and by administrative code.

    Parameters
    ----------
    network : Network
    row : mapping
        Of the table of areas.
    """
    named = Outage("", sites=words(row["sites"]), admin_codes=words(row["admin_codes"]))
    ids = np.array(network.site_ids)
    return frozenset(ids[sites_of(network, named)].tolist())


def counted_passes(
    passes: pl.DataFrame, firms: pl.DataFrame, at: datetime, settings: Settings
) -> pl.DataFrame:
    """Return the passes that count at an instant.

    Parameters
    ----------
    passes, firms : polars.DataFrame
    at : datetime
    settings : Settings
        ``passes_need_listed_firm``.
    """
    valid = valid_at(passes, at)
    if settings.passes_need_listed_firm:
        left_out = not_listed(passes, firms, at)["pass_id"].to_list()
        valid = valid.filter(~pl.col("pass_id").is_in(left_out))
    return valid


def gates_at(
    network: Network,
    book: StateBook,
    areas: pl.DataFrame,
    passes: pl.DataFrame,
    at: datetime,
) -> tuple[Gate, ...]:
    """Return the gates at an instant with the passes that open them.

    A site whose state asks for passes is a gate of its own unless it lies in a controlled area in force.

    Parameters
    ----------
    network : Network
    book : StateBook
    areas : polars.DataFrame
    passes : polars.DataFrame
        Those that count, as `counted_passes` gives them.
    at : datetime
    """
    there = {row["area_id"]: (row, area_sites(network, row)) for row in areas.iter_rows(named=True)}
    gates = []
    inside: set[str] = set()
    for name, (row, sites) in there.items():
        if row["from"] <= at and (row["until"] is None or at < row["until"]):
            size = PIECES_PER_PASS if row["pieces_per_pass"] is None else row["pieces_per_pass"]
            said = row["name"] or name
            gates.append(Gate(name, said, sites, frozenset({name}), size, row["from"], row["until"]))
            inside |= sites
    for site, spell in sorted(book.at(at).items()):
        if book.kinds.kinds[spell.state].entry == PASSES and site not in inside:
            around = frozenset(name for name, (_, sites) in there.items() if site in sites)
            gates.append(Gate(site, site, frozenset({site}), around, PIECES_PER_PASS, spell.begin, spell.end))
    return tuple(with_passes(gate, passes) for gate in gates)


def opens(gate: Gate, areas: Iterable[str], sites: Iterable[str]) -> bool:
    """Tell whether a pass for areas and sites opens a gate: a pass to a site within opens its area.

    Parameters
    ----------
    gate : Gate
    areas, sites : iterable of str
        Scope of the pass.
    """
    return not gate.areas.isdisjoint(areas) or not gate.sites.isdisjoint(sites)


def with_passes(gate: Gate, passes: pl.DataFrame) -> Gate:
    """Return a gate with the passes that open it; of a vehicle with several the most trips count.

    Parameters
    ----------
    gate : Gate
    passes : polars.DataFrame
    """
    trips: dict[str, int] = {}
    ids = []
    for row in passes.iter_rows(named=True):
        if opens(gate, words(row["areas"]), words(row["sites"])):
            ids.append(row["pass_id"])
            trips[row["vehicle_key"]] = max(trips.get(row["vehicle_key"], 0), row["trips_per_day"])
    return Gate(
        gate.gate_id, gate.name, gate.sites, gate.areas, gate.pieces_per_pass, gate.begin, gate.end,
        tuple(ids), sum(trips.values()),
    )  # fmt: skip


def together(gates: tuple[Gate, ...], passes: pl.DataFrame) -> tuple[Gate, ...]:
    """Return gates that share passes as one more gate each: a pass brings in one load, wherever it goes.

    Parameters
    ----------
    gates : tuple of Gate
    passes : polars.DataFrame

    Notes
    -----
    Each gate alone counts a shared pass in full. Over all of them together it counts once; of the limits that
    follow for single groups of gates only this one is stated.
    """
    owner = list(range(len(gates)))

    def root(k: int) -> int:
        while owner[k] != k:
            k = owner[k]
        return k

    by_pass: dict[str, int] = {}
    for k, gate in enumerate(gates):
        for name in gate.passes:
            if name in by_pass:
                owner[root(k)] = root(by_pass[name])
            by_pass.setdefault(name, k)
    groups: dict[int, list[Gate]] = {}
    for k, gate in enumerate(gates):
        groups.setdefault(root(k), []).append(gate)
    made = []
    for group in groups.values():
        if len(group) < 2:
            continue
        begins = [gate.begin for gate in group if gate.begin is not None]
        ends = [gate.end for gate in group if gate.end is not None]
        joint = Gate(
            "+".join(gate.gate_id for gate in group),
            " + ".join(gate.name for gate in group[:3]) + (f" +{len(group) - 3}" if len(group) > 3 else ""),
            frozenset().union(*(gate.sites for gate in group)),
            frozenset().union(*(gate.areas for gate in group)),
            0.0,
            max(begins, default=None),
            min(ends, default=None),
        )
        made.append(_with_mean_load(with_passes(joint, passes), group, passes))
    return tuple(made)


def _with_mean_load(joint: Gate, group: list[Gate], passes: pl.DataFrame) -> Gate:
    """Return a joint gate with its mean load: each pass brings the most that a gate it opens lets in."""
    loads: dict[str, tuple[int, float]] = {}
    for row in passes.filter(pl.col("pass_id").is_in(list(joint.passes))).iter_rows(named=True):
        most = max(gate.pieces_per_pass for gate in group if row["pass_id"] in gate.passes)
        trips, load = loads.get(row["vehicle_key"], (0, 0.0))
        loads[row["vehicle_key"]] = (max(trips, row["trips_per_day"]), max(load, most))
    pieces = sum(trips * load for trips, load in loads.values())
    return replace(joint, pieces_per_pass=pieces / joint.trips_per_day if joint.trips_per_day else 0.0)


def gate_table(gates: tuple[Gate, ...]) -> pl.DataFrame:
    """Return gates as a table: what may enter through each in a day.

    Parameters
    ----------
    gates : tuple of Gate

    Returns
    -------
    polars.DataFrame
        ``gate_id``, ``name``, ``sites``, ``passes`` (valid), ``passes_per_day``, ``pieces_per_day``.
    """
    rows = [
        (
            gate.gate_id, gate.name, len(gate.sites), len(gate.passes), gate.trips_per_day,
            gate.trips_per_day * gate.pieces_per_pass,
        )
        for gate in gates
    ]  # fmt: skip
    schema = {
        "gate_id": pl.String, "name": pl.String, "sites": pl.Int64, "passes": pl.Int64,
        "passes_per_day": pl.Int64, "pieces_per_day": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema, orient="row")
