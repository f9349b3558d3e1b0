"""Lists of risk areas (风险区) by county and day, read into the sites of a network with states proposed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.settings import Settings
from changtong.epidemic.state_kinds import OPEN, StateKinds
from changtong.epidemic.tables import INSTANT, TableReader, shipped
from changtong.network.model import Network
from changtong.network.reference_places import read_table as china_table

FILE = "risk_rules.csv"
RULE_SCHEMA: dict[str, pl.DataType] = {
    "level": pl.String(),
    "least_communities": pl.Int64(),
    "state": pl.String(),
    "provenance": pl.String(),
    "source": pl.String(),
}
LIST_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "snapshot": pl.String(),
    "level": pl.String(),
    "province": pl.String(),
    "city": pl.String(),
    "county": pl.String(),
    "n_communities": pl.Int64(),
}
LEVEL_WORDS = {
    "高风险": "high",
    "中风险": "middle",
    "低风险": "low",
    "高": "high",
    "中": "middle",
    "低": "low",
}
PLACE_SCHEMA = {
    "province": pl.String, "city": pl.String, "county": pl.String, "admin_code": pl.String,
    "found": pl.String,
}  # fmt: skip
DIRECT = ("11", "12", "31", "50")
"""Provinces that are cities: lists may leave one level out."""

MOST_BYTES = 200_000_000
"""Of a packed list, when unpacked."""


@dataclass(frozen=True)
class RiskRule:
    """From how many communities of a level on a county's sites are proposed a state."""

    level: str
    least_communities: int
    state: str
    provenance: str


@dataclass(frozen=True)
class RiskList:
    """Areas by snapshot.

    Attributes
    ----------
    frame : polars.DataFrame
        ``at`` (of the snapshot), ``level``, ``province``, ``city``, ``county``, ``n_communities``.
    places : polars.DataFrame
        Each place of the list once: ``admin_code`` and ``found``: county, city (no more is known), none.
    """

    frame: pl.DataFrame
    places: pl.DataFrame


@dataclass(frozen=True)
class Proposal:
    """States proposed for the sites of a network.

    Attributes
    ----------
    states : polars.DataFrame
        As ``site_states.csv``: for a person to look at and to order.
    unplaced : polars.DataFrame
        Places in force whose county is not known, with the sites of their city that may be meant.
    snapshots : int
    at : datetime or None
        None: the whole list.
    list_at : datetime or None
        The snapshot that counts at the instant.
    notes : tuple of str
    """

    states: pl.DataFrame
    unplaced: pl.DataFrame
    snapshots: int
    at: datetime | None
    list_at: datetime | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as one JSON object."""
        return {
            "at": None if self.at is None else self.at.isoformat(),
            "list_at": None if self.list_at is None else self.list_at.isoformat(),
            "snapshots": self.snapshots,
            "sites": self.states["site_id"].n_unique(),
            "by_state": dict(self.states.group_by("state").len().sort("state").iter_rows()),
            "unplaced": self.unplaced.to_dicts(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        facts = self.to_json()
        lines = [
            f"{facts['sites']:,} sites in risk areas, {self.states.height:,} states proposed "
            + f"from {self.snapshots:,} lists"
        ]
        lines += [f"  {state}: {count:,}" for state, count in facts["by_state"].items()]
        if self.unplaced.height:
            lines.append(f"  places whose county is not known: {self.unplaced.height:,} (unplaced.csv)")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def read_risk_rules(reader: TableReader, kinds: StateKinds) -> tuple[RiskRule, ...]:
    """Return the rules of a folder, or the shipped ones (assumed).

    Parameters
    ----------
    reader : TableReader
    kinds : StateKinds
    """
    path = reader.place(FILE) or shipped(FILE)
    needed = ("level", "least_communities", "state", "provenance")
    frame = reader.table(path, RULE_SCHEMA, needed, key=("level", "least_communities"))
    frame = frame.with_columns(pl.col("level").replace(LEVEL_WORDS))
    reader.one_of(frame, "state", tuple(kinds.kinds), FILE)
    reader.within(frame, "least_communities", 1, 1e6, FILE)
    return tuple(
        RiskRule(row["level"], row["least_communities"], row["state"], row["provenance"])
        for row in frame.iter_rows(named=True)
    )


def read_risk_list(reader: TableReader, path: Path, zone: str, levels: set[str]) -> RiskList:
    """Read a list: a row a level, county and day.

    Parameters
    ----------
    reader : TableReader
    path : Path
        CSV, packed or not, with ``date``, ``level``, ``province``, ``city``, ``county``; and where known
        ``snapshot`` (year, month, day, hour, local) and ``n_communities`` (1 where not given).
    zone : str
    levels : set of str
        Those that the rules know.
    """
    frame = _unpacked(reader, path)
    frame = frame.with_columns(pl.col("level").replace(LEVEL_WORDS), pl.col("n_communities").fill_null(1))
    reader.one_of(frame, "level", sorted(levels), path.name)
    reader.within(frame, "n_communities", 0, 1e6, path.name)
    times = frame.select(
        (pl.col("snapshot") + "00").str.to_datetime("%Y%m%d%H%M", strict=False).alias("given"),
        pl.col("date").cast(pl.Datetime("us")).alias("day"),
        "row",
        "snapshot",
    )
    wrong = times.filter(pl.col("snapshot").is_not_null() & pl.col("given").is_null())
    for row, text in wrong.select("row", "snapshot").head(50).iter_rows():
        reader.add("wrong-type", f"{text!r} is no time.", path.name, row, "snapshot", "as 2022041520")
    local = times.select(pl.coalesce("given", "day").alias("at"))["at"]
    at = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
        "UTC"
    )
    frame = frame.with_columns(at.cast(INSTANT).alias("at"))
    places = _places(frame.select("province", "city", "county").unique(maintain_order=True))
    return RiskList(frame.select("at", "level", "province", "city", "county", "n_communities"), places)


def _unpacked(reader: TableReader, path: Path) -> pl.DataFrame:
    """Return the table of a file, which may be packed by gzip."""
    needed = ("date", "level", "province", "city", "county")
    if path.suffix != ".gz" or not path.is_file():
        return reader.table(path, LIST_SCHEMA, needed)
    with TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        try:
            with gzip.open(path) as packed:
                content = packed.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            reader.add("unreadable-file", f"{error}.", path.name, expected="CSV, packed by gzip or not")
            content = b""
        if len(content) > MOST_BYTES:
            reader.add(
                "unreadable-file", "it is too large.", path.name, expected=f"{MOST_BYTES:,} bytes at most"
            )
            content = b""
        if not content:
            return reader.table(None, LIST_SCHEMA, needed)
        plain.write_bytes(content)
        return reader.table(plain, LIST_SCHEMA, needed)


def _places(named: pl.DataFrame) -> pl.DataFrame:
    """Look up the administrative code of each place once."""
    provinces, cities, counties = (china_table(name) for name in ("provinces", "cities", "counties"))
    by_name = {}
    for code, name, short in (
        provinces.with_columns(pl.col("province_code").cast(pl.String))
        .select("province_code", "name", "short_name")
        .iter_rows()
    ):
        by_name[name] = by_name[short] = code
    city_code = {
        (code[:2], _short(name)): code for code, name in cities.select("city_code", "name").iter_rows()
    }
    county_code: dict[tuple[str, str], str] = {}
    for code, name in counties.select("admin_code", "name").iter_rows():
        county_code[code[:4], name] = code
        county_code.setdefault((code[:2], name), code)
        if code.endswith("00"):
            county_code[code[:4], ""] = code  # a city without districts
    rows = []
    for province, city, county in named.iter_rows():
        found = _look_up(province, city, county, by_name, city_code, county_code)
        rows.append((province, city, county, *found))
    return pl.DataFrame(rows, PLACE_SCHEMA, orient="row")


def _short(name: str) -> str:
    return name if len(name) <= 2 or not name.endswith("市") else name[:-1]


def _look_up(
    province: str | None,
    city: str | None,
    county: str | None,
    provinces: Mapping[str, str],
    cities: Mapping[tuple[str, str], str],
    counties: Mapping[tuple[str, str], str],
) -> tuple[str | None, str]:
    """Return the code of a place, and what was found: county, city, or none.

    Of provinces that are cities the district may stand where the city is, with a street behind it.
    """
    code = provinces.get(province or "")
    if code is None or city is None or county is None:
        return None, "none"
    known = cities.get((code, _short(city)))
    if code in DIRECT:
        for name in (city, county):
            if (code, name) in counties:
                return counties[code, name], "county"
        return f"{code}0000", "city"
    if known is not None:
        direct = counties.get((known[:4], county)) or counties.get((known[:4], ""))
        return (direct, "county") if direct is not None else (f"{known[:4]}00", "city")
    for name in (city, county):  # counties ruled by the province itself
        if counties.get((code, name), "")[2:4] == "90":
            return counties[code, name], "county"
    return None, "none"


def propose_states(
    network: Network,
    risk: RiskList,
    rules: tuple[RiskRule, ...],
    kinds: StateKinds,
    settings: Settings,
    *,
    at: datetime | None = None,
) -> Proposal:
    """Propose states for the sites of a network that lie in counties of a list.

    Parameters
    ----------
    network : Network
    risk : RiskList
    rules : tuple of RiskRule
        The strictest state of all rules that a county meets counts.
    kinds : StateKinds
    settings : Settings
        ``list_age_h``, ``zone``.
    at : datetime, optional
        Only what the last list before it says; the whole list, as spells, where not given.

    Notes
    -----
    A list counts until the next one. Two lists with the same state make one spell; the last has no end.
    """
    snapshots = sorted(risk.frame["at"].drop_nulls().unique().to_list())
    used = snapshots
    notes: list[str] = []
    if at is not None:
        used = [one for one in snapshots if one <= at][-1:]
        if not used:
            notes.append("there is no list from before this instant")
        elif (at - used[0]) / timedelta(hours=1) > settings.list_age_h:
            notes.append(f"the list is {(at - used[0]) / timedelta(hours=1):,.0f} h old")
    else:
        for one, two in zip(snapshots, snapshots[1:], strict=False):
            if (two - one) / timedelta(hours=1) > settings.list_age_h:
                notes.append(f"no list between {_local(one, settings)} and {_local(two, settings)}")
    codes, sites_in = _sites_by_county(network)
    if not codes:
        notes.append("no site of the network has an admin_code: none can be found in a county")
    known = set(china_table("counties")["admin_code"].to_list())
    vague = sum(code not in known for code in codes.values())
    if vague:
        notes.append(
            f"{vague:,} sites have no code of a county, as centres of cities: none is proposed for them"
        )
    frame = risk.frame.join(risk.places, on=["province", "city", "county"], how="left")
    counted = (
        frame.filter(pl.col("at").is_in(used) & (pl.col("found") == "county"))
        .group_by("at", "admin_code", "level")
        .agg(pl.col("n_communities").sum())
    )
    strictest = _strictest(counted, rules, kinds)
    rows = []
    for code, by_time in strictest.items():
        for site in sites_in.get(code, ()):
            rows += _spells(site, by_time, used, code)
    schema: dict[str, Any] = {
        "site_id": pl.String, "state": pl.String, "from": INSTANT, "until": INSTANT, "reason": pl.String,
        "authority": pl.String,
    }  # fmt: skip
    states = pl.DataFrame(rows, schema).sort("site_id", "from")
    now = used[-1:]
    unknown = frame.filter(pl.col("at").is_in(now) & (pl.col("found") != "county"))
    return Proposal(
        states,
        _unplaced(unknown, codes),
        len(used),
        at,
        used[-1].astimezone(ZoneInfo(settings.zone)) if used and at is not None else None,
        tuple(notes),
    )


def _local(at: datetime, settings: Settings) -> str:
    return f"{at.astimezone(ZoneInfo(settings.zone)):%Y-%m-%d %H:%M}"


def _sites_by_county(network: Network) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return each site's code, and the sites of each county."""
    if "admin_code" not in network.sites.columns:
        return {}, {}
    rows = network.sites.select(pl.col("site_id", "admin_code").cast(pl.String)).drop_nulls()
    codes = dict(rows.iter_rows())
    made: dict[str, list[str]] = {}
    for site, code in codes.items():
        made.setdefault(code, []).append(site)
    return codes, made


def _strictest(
    counted: pl.DataFrame, rules: tuple[RiskRule, ...], kinds: StateKinds
) -> dict[str, dict[datetime, tuple[str, str]]]:
    """Return of each county and list the strictest state, and what it rests on."""
    made: dict[str, dict[datetime, tuple[str, str]]] = {}
    for at, code, level, count in counted.sort("at", "admin_code", "level").iter_rows():
        for rule in rules:
            if rule.level != level or count < rule.least_communities:
                continue
            there = made.setdefault(code, {})
            before = there.get(at)
            if before is None or kinds.kinds[rule.state].rank > kinds.kinds[before[0]].rank:
                there[at] = (rule.state, f"{code} {level} {count}")
    return made


def _spells(
    site: str, by_time: Mapping[datetime, tuple[str, str]], used: list[datetime], code: str
) -> list[dict[str, Any]]:
    """Return the spells of a site: lists with one state after the other are one."""
    rows: list[dict[str, Any]] = []
    open_row: dict[str, Any] | None = None
    for at in used:
        state, why = by_time.get(at, (OPEN, ""))
        if open_row is not None and open_row["state"] != state:
            open_row["until"] = at
            open_row = None
        if open_row is None and state != OPEN:
            open_row = {
                "site_id": site, "state": state, "from": at, "until": None,
                "reason": f"风险区 risk area {why}", "authority": "名单 list (proposed)",
            }  # fmt: skip
            rows.append(open_row)
    return rows


def _unplaced(unknown: pl.DataFrame, codes: Mapping[str, str]) -> pl.DataFrame:
    """Return places in force whose county is not known, with how many sites their city has."""
    rows = []
    for province, city, county, code, level, count in (
        unknown.group_by("province", "city", "county", "admin_code", "level")
        .agg(pl.col("n_communities").sum())
        .sort("province", "city", "county", "level")
        .iter_rows()
    ):
        prefix = (
            None if code is None else code.rstrip("0").ljust(2, "0") if code.endswith("0000") else code[:4]
        )
        near = sorted(site for site, one in codes.items() if prefix is not None and one.startswith(prefix))
        rows.append((province, city, county, level, count, code, len(near), ";".join(near[:20])))
    schema = {
        "province": pl.String, "city": pl.String, "county": pl.String, "level": pl.String,
        "n_communities": pl.Int64, "city_code": pl.String, "sites": pl.Int64, "site_ids": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema, orient="row")
