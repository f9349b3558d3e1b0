"""What goes wrong: closures, slow-downs, settling times, controlled areas.

Overlapping outages combine by one rule (docs/decisions/0002): of capacity shares the
smallest counts, of extra hours the longest, and every entry limit holds.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.model import Network

PIECES_PER_PASS = 4000.0
"""Pieces one vehicle brings in on one pass: assumed (a 9.6 m lorry), shown as assumed."""

_KNOWN = (
    "label", "sites", "legs", "area", "admin_codes", "start", "end", "capacity_share", "extra_h",
    "passes_per_day", "pieces_per_pass",
)  # fmt: skip


@dataclass(frozen=True)
class Outage:
    """One thing that goes wrong.

    Attributes
    ----------
    label : str
        What people call it.
    sites : tuple of str
        Site ids.
    legs : tuple of (str, str)
        Legs as (from_site, to_site).
    area : dict or None
        GeoJSON Polygon or MultiPolygon in WGS 84; the sites inside count.
    admin_codes : tuple of str
        GB/T 2260 codes; sites whose ``admin_code`` begins with one count.
    start, end : datetime or None
        With time zone; open where None.
    capacity_share : float
        Share of the capacity that is left, 0 (closed) to 1.
    extra_h : float
        Hours added to each visit of a site, each trip on a leg (settling).
    passes_per_day : int or None
        Controlled area: vehicles that may enter it in a day. Sites stay open unless
        ``capacity_share`` says otherwise.
    pieces_per_pass : float
        Pieces each of those vehicles brings.
    """

    label: str
    sites: tuple[str, ...] = ()
    legs: tuple[tuple[str, str], ...] = ()
    area: dict[str, Any] | None = None
    admin_codes: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    capacity_share: float = 0.0
    extra_h: float = 0.0
    passes_per_day: int | None = None
    pieces_per_pass: float = PIECES_PER_PASS


@dataclass(frozen=True)
class EntryLimit:
    """Legs into a controlled area that share the pieces its vehicle passes can bring."""

    label: str
    leg_rows: NDArray[np.int32]
    pieces_per_day: float


@dataclass(frozen=True)
class Effect:
    """What a set of outages does to a network, in the order of its sites and legs."""

    site_share: NDArray[np.float64]
    leg_share: NDArray[np.float64]
    site_extra_h: NDArray[np.float64]
    leg_extra_h: NDArray[np.float64]
    entry_limits: tuple[EntryLimit, ...]
    why: pl.DataFrame

    @property
    def closed_sites(self) -> NDArray[np.int64]:
        """Rows of the sites that are shut."""
        return np.flatnonzero(self.site_share <= 0.0)


def close_sites(network: Network, sites: Iterable[str], *, capacity_share: float = 0.0) -> tuple[Outage, ...]:
    """Return one outage that closes (or slows) sites, given by id or by unique name.

    Raises
    ------
    NotFoundError
        A site is unknown, or a name is ambiguous; near names and candidates are listed.
    """
    if not 0.0 <= capacity_share <= 1.0:
        raise InputError([_bad_share(capacity_share, "capacity_share", None)])
    ids = tuple(resolve_site(network, site) for site in sites)
    verb = "closed" if capacity_share == 0.0 else f"at {capacity_share:.0%}"
    return (Outage(label=f"{', '.join(ids)} {verb}", sites=ids, capacity_share=capacity_share),)


def resolve_site(network: Network, text: str) -> str:
    """Return the id of a site given by its id or its unique name."""
    wanted = text.strip()
    if wanted in network.site_ids:
        return wanted
    names = network.sites["name"].to_list() if "name" in network.sites.columns else []
    matches = [sid for sid, name in zip(network.site_ids, names, strict=False) if name == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotFoundError(f"The name {wanted!r} is borne by {', '.join(matches)}: give the id.")
    near = get_close_matches(wanted, [*network.site_ids, *[n for n in names if n]], n=3, cutoff=0.5)
    raise NotFoundError(f"No site {wanted!r}." + (f" Did you mean {', '.join(near)}?" if near else ""))


def apply_outages(network: Network, outages: Sequence[Outage], *, at: datetime | None = None) -> Effect:
    """Combine outages (those in force at ``at``, or all) into shares, hours and limits."""
    n_sites, n_legs = network.sites.height, network.legs.height
    site_share, leg_share = np.ones(n_sites), np.ones(n_legs)
    site_h, leg_h = np.zeros(n_sites), np.zeros(n_legs)
    limits: list[EntryLimit] = []
    why: list[tuple[str, str]] = []
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int64)
    for outage in outages:
        if at is not None and not _in_force(outage, at):
            continue
        inside = sites_of(network, outage)
        if outage.passes_per_day is not None:
            entering = np.flatnonzero(inside[head] & ~inside[tail]).astype(np.int32)
            pieces = float(outage.passes_per_day) * outage.pieces_per_pass
            limits.append(EntryLimit(outage.label, entering, pieces))
        if outage.passes_per_day is None or outage.capacity_share > 0.0:
            site_share[inside] = np.minimum(site_share[inside], outage.capacity_share)
        site_h[inside] = np.maximum(site_h[inside], outage.extra_h)
        legs = _legs_of(network, outage, tail, head)
        leg_share[legs] = np.minimum(leg_share[legs], outage.capacity_share)
        leg_h[legs] = np.maximum(leg_h[legs], outage.extra_h)
        why += [(network.site_ids[row], outage.label) for row in np.flatnonzero(inside)]
        why += [(f"{network.site_ids[tail[r]]}>{network.site_ids[head[r]]}", outage.label) for r in legs]
    frame = pl.DataFrame(why, schema={"place": pl.String, "label": pl.String}, orient="row")
    return Effect(site_share, leg_share, site_h, leg_h, tuple(limits), frame)


def _in_force(outage: Outage, at: datetime) -> bool:
    return (outage.start is None or outage.start <= at) and (outage.end is None or at < outage.end)


def sites_of(network: Network, outage: Outage) -> NDArray[np.bool_]:
    """Return which sites an outage names, by id, by admin code or by area."""
    inside: NDArray[np.bool_] = np.isin(network.site_ids, outage.sites)
    if outage.admin_codes and "admin_code" in network.sites.columns:
        codes = network.sites["admin_code"].cast(pl.String).fill_null("").to_list()
        inside |= np.array([code.startswith(outage.admin_codes) for code in codes])
    if outage.area is not None:
        inside |= inside_area(
            network.sites["lon"].to_numpy().astype(float),
            network.sites["lat"].to_numpy().astype(float),
            outage.area,
        )
    return inside


def _legs_of(
    network: Network, outage: Outage, tail: NDArray[np.int64], head: NDArray[np.int64]
) -> NDArray[np.int64]:
    if not outage.legs:
        return np.empty(0, np.int64)
    row = {site: k for k, site in enumerate(network.site_ids)}
    n = len(network.site_ids)
    wanted = [row[a] * n + row[b] for a, b in outage.legs if a in row and b in row]
    return np.flatnonzero(np.isin(tail * n + head, wanted))


def inside_area(
    lon: NDArray[np.float64], lat: NDArray[np.float64], area: dict[str, Any]
) -> NDArray[np.bool_]:
    """Return which points lie inside a GeoJSON Polygon or MultiPolygon (even-odd rule)."""
    geometry = area.get("geometry", area)
    kinds = {"Polygon": [geometry.get("coordinates")], "MultiPolygon": geometry.get("coordinates")}
    polygons = kinds.get(geometry.get("type", ""))
    if polygons is None:
        raise InputError(
            [
                Problem(
                    "bad-area", f"The area is a {geometry.get('type')!r}.", expected="Polygon or MultiPolygon"
                )
            ]
        )
    inside = np.zeros(len(lon), bool)
    for rings in polygons:
        crossings = np.zeros(len(lon), np.int64)
        for ring in rings:
            x, y = np.asarray(ring, float)[:, :2].T
            for k in range(len(x) - 1):
                between = (y[k] > lat) != (y[k + 1] > lat)
                with np.errstate(divide="ignore", invalid="ignore"):
                    at = x[k] + (lat - y[k]) / (y[k + 1] - y[k]) * (x[k + 1] - x[k])
                crossings += between & (lon < at)
        inside |= crossings % 2 == 1
    return inside


def read_outages(path: str | Path, network: Network) -> tuple[Outage, ...]:
    """Read outages from TOML (``[[outage]]`` tables) or CSV (one row each).

    In CSV, ``sites``, ``legs`` (``A>B``) and ``admin_codes`` hold several values
    separated by ``;``.

    Raises
    ------
    InputError
        With every problem found: unknown sites (and near names), times without zone, …
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".toml":
            rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8")).get("outage", [])
        else:
            rows = [_from_csv(row) for row in pl.read_csv(path, infer_schema=False).to_dicts()]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
    problems: list[Problem] = []
    outages = [_parse(row, k, path.name, network, problems) for k, row in enumerate(rows, 1)]
    if not rows:
        problems.append(
            Problem("empty-table", "No outage in the file.", file=path.name, expected="[[outage]]")
        )
    if problems:
        raise InputError(problems)
    return tuple(outages)


def _from_csv(row: dict[str, str | None]) -> dict[str, Any]:
    out: dict[str, Any] = {k.strip(): v.strip() for k, v in row.items() if v is not None and v.strip()}
    for key in ("sites", "legs", "admin_codes"):
        if key in out:
            out[key] = [part.strip() for part in out[key].split(";") if part.strip()]
    return out


def _bad_share(value: object, column: str, row: int | None, file: str | None = None) -> Problem:
    return Problem("out-of-range", f"{value!r} is not a share.", file, row, column, expected="0 to 1")


def _parse(row: dict[str, Any], k: int, file: str, network: Network, problems: list[Problem]) -> Outage:
    for key in row.keys() - set(_KNOWN):
        near = get_close_matches(key, _KNOWN, n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        problems.append(Problem("unknown-column", f"{key!r} is not known.", file, k, key, hint=hint))

    def site(text: str, column: str) -> str:
        try:
            return resolve_site(network, text)
        except NotFoundError as error:
            problems.append(
                Problem("unknown-site", str(error), file, k, column, expected="a site id or unique name")
            )
            return ""

    def number(column: str, default: float, low: float, high: float) -> float:
        value = row.get(column, default)
        try:
            x = float(value)
        except (TypeError, ValueError):
            x = float("nan")
        if not low <= x <= high:
            problems.append(
                Problem(
                    "out-of-range",
                    f"{value!r} will not do.",
                    file,
                    k,
                    column,
                    expected=f"{low:g} to {high:g}",
                )
            )
            return default
        return x

    legs = []
    for leg in row.get("legs", ()):
        ends = leg if isinstance(leg, list) else str(leg).split(">")
        if len(ends) != 2:
            problems.append(Problem("bad-leg", f"{leg!r} is not a leg.", file, k, "legs", expected="A>B"))
            continue
        legs.append((site(str(ends[0]), "legs"), site(str(ends[1]), "legs")))
    passes = row.get("passes_per_day")
    return Outage(
        label=str(row.get("label", f"outage {k}")),
        sites=tuple(site(str(s), "sites") for s in row.get("sites", ())),
        legs=tuple(legs),
        area=_area(row.get("area"), k, file, problems),
        admin_codes=tuple(str(code) for code in row.get("admin_codes", ())),
        start=_time(row.get("start"), "start", k, file, problems),
        end=_time(row.get("end"), "end", k, file, problems),
        capacity_share=number("capacity_share", 0.0, 0.0, 1.0),
        extra_h=number("extra_h", 0.0, 0.0, 10_000.0),
        passes_per_day=None if passes is None else int(number("passes_per_day", 0.0, 0.0, 1e9)),
        pieces_per_pass=number("pieces_per_pass", PIECES_PER_PASS, 1.0, 1e9),
    )


def _area(value: Any, k: int, file: str, problems: list[Problem]) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        area = json.loads(value) if isinstance(value, str) else value
        inside_area(np.zeros(1), np.zeros(1), area)
    except (ValueError, AttributeError, TypeError, IndexError):
        problems.append(
            Problem("bad-area", "The area cannot be read.", file, k, "area", expected="GeoJSON polygon")
        )
        return None
    return dict(area)


def _time(value: Any, column: str, k: int, file: str, problems: list[Problem]) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        problems.append(
            Problem(
                "time-without-zone",
                f"{value!r} will not do.",
                file,
                k,
                column,
                expected="2026-07-20T03:00+08:00",
            )
        )
        return None
    return time
