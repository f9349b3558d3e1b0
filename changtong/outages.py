"""What goes wrong: closures, slow-downs, settling times, controlled areas.

Overlapping outages combine by one rule (docs/decisions/0002): of capacity shares the
smallest counts, of extra hours the longest, and every entry limit holds. Times are not
looked at unless an instant is given (docs/decisions/0005).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.model import Network
from changtong.network.polygons import inside_area

PIECES_PER_PASS = 4000.0
"""Pieces one vehicle brings in on one pass: assumed (a 9.6 m lorry), shown as assumed."""

MOST_EXTRA_H = 10_000.0
"""Hours above which a settling time is taken for a slip of the pen."""

EXAMPLE_TIME = "2026-07-20T03:00+08:00"


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
        GB/T 2260 codes; the sites of the unit count: 410000 is the whole province, 410100
        the whole city, 410181 one county.
    start, end : datetime or None
        With time zone; open where None.
    capacity_share : float or None
        Share of the capacity that is left, 0 (closed) to 1. None: 1 where ``extra_h`` or
        ``passes_per_day`` says what is wrong, else 0.
    extra_h : float
        Hours added to each visit of a site, each trip on a leg (settling).
    passes_per_day : int or None
        Controlled area: vehicles that may enter it in a day; those inside move freely.
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
    capacity_share: float | None = None
    extra_h: float = 0.0
    passes_per_day: int | None = None
    pieces_per_pass: float = PIECES_PER_PASS

    @property
    def share_left(self) -> float:
        """Share of the capacity that is left."""
        if self.capacity_share is not None:
            return self.capacity_share
        return 1.0 if self.extra_h > 0.0 or self.passes_per_day is not None else 0.0


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
        message = f"{capacity_share!r} is not a share."
        raise InputError([Problem("out-of-range", message, None, None, "capacity_share", expected="0 to 1")])
    ids = tuple(dict.fromkeys(resolve_site(network, site) for site in sites))
    verb = "停运 closed" if capacity_share == 0.0 else f"能力 capacity {capacity_share:.0%}"
    said = ", ".join(_said(network, site) for site in ids[:5]) + (f" +{len(ids) - 5}" if len(ids) > 5 else "")
    return (Outage(label=f"{said} {verb}", sites=ids, capacity_share=capacity_share),)


def _said(network: Network, site: str) -> str:
    """Return a site's id with its name, where it has another."""
    name = network.sites["name"][network.site_ids.index(site)] if "name" in network.sites.columns else None
    return f"{site} {name}" if name and name != site else site


def resolve_site(network: Network, text: str) -> str:
    """Return the id of a site given by its id or its unique name."""
    wanted = text.strip()
    if wanted in network.site_set:
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
    """Combine outages into shares, hours and limits.

    Parameters
    ----------
    network : Network
        Its sites of status ``closed`` are shut as well.
    outages : sequence of Outage
    at : datetime, optional
        Only those in force at this instant count; all of them where not given.

    Raises
    ------
    InputError
        An outage that names a site or leg there is not, covers no site, or holds a number
        that cannot be meant: nothing is passed over in silence.
    """
    counted = tuple(outages) if at is None else in_force(outages, at)
    problems = [problem for outage in counted for problem in check_outage(network, outage)]
    if problems:
        raise InputError(problems)
    n_sites, n_legs = network.sites.height, network.legs.height
    site_share, leg_share = np.ones(n_sites), np.ones(n_legs)
    site_h, leg_h = np.zeros(n_sites), np.zeros(n_legs)
    limits: list[EntryLimit] = []
    why: list[tuple[str, str]] = []
    tail, head = _ends(network)
    for outage in counted:
        inside = sites_of(network, outage)
        if outage.passes_per_day is not None:
            entering = np.flatnonzero(inside[head] & ~inside[tail]).astype(np.int32)
            pieces = float(outage.passes_per_day) * outage.pieces_per_pass
            limits.append(EntryLimit(outage.label, entering, pieces))
        site_share[inside] = np.minimum(site_share[inside], outage.share_left)
        site_h[inside] = np.maximum(site_h[inside], outage.extra_h)
        legs = _legs_of(network, outage, tail, head)
        leg_share[legs] = np.minimum(leg_share[legs], outage.share_left)
        leg_h[legs] = np.maximum(leg_h[legs], outage.extra_h)
        why += [(network.site_ids[row], outage.label) for row in np.flatnonzero(inside)]
        why += [(f"{network.site_ids[tail[r]]}>{network.site_ids[head[r]]}", outage.label) for r in legs]
    for row in closed_by_status(network):
        site_share[row] = 0.0
        why.append((network.site_ids[row], "status closed in sites"))
    frame = pl.DataFrame(why, schema={"place": pl.String, "label": pl.String}, orient="row")
    return Effect(site_share, leg_share, site_h, leg_h, tuple(limits), frame)


def closed_by_status(network: Network) -> list[int]:
    """Return the rows of sites that the network itself says are closed."""
    if "status" not in network.sites.columns:
        return []
    shut = network.sites["status"].cast(pl.String).fill_null("open") == "closed"
    return [int(row) for row in np.flatnonzero(shut.to_numpy())]


def in_force(outages: Iterable[Outage], at: datetime) -> tuple[Outage, ...]:
    """Return the outages in force at an instant: begun (or without a start) and not yet ended."""
    return tuple(
        outage
        for outage in outages
        if (outage.start is None or outage.start <= at) and (outage.end is None or at < outage.end)
    )


def apart(outages: Sequence[Outage]) -> tuple[Outage, Outage] | None:
    """Return two outages that are never in force together, if there are any.

    A plan that counts both is stricter than any moment needs. Intervals on a line share a
    moment pairwise exactly when all do (Helly's theorem), so one pair tells.
    """
    starts = [outage for outage in outages if outage.start is not None]
    ends = [outage for outage in outages if outage.end is not None]
    if not starts or not ends:
        return None
    first = min(ends, key=lambda outage: outage.end)  # type: ignore[arg-type, return-value]
    last = max(starts, key=lambda outage: outage.start)  # type: ignore[arg-type, return-value]
    assert first.end is not None
    assert last.start is not None
    return (first, last) if first.end <= last.start else None


def unlimited_places(network: Network, outage: Outage) -> list[str]:
    """Return the sites and legs a slow-down cannot slow, since the network gives them no limit."""
    if not 0.0 < outage.share_left < 1.0:
        return []
    sites, legs = network.sites, network.legs
    rate = "sort_pieces_per_h"
    free = sites[rate].is_null().to_numpy() if rate in sites.columns else np.ones(sites.height, bool)
    places = [network.site_ids[row] for row in np.flatnonzero(sites_of(network, outage) & free)]
    tail, head = _ends(network)
    room = "capacity_pieces_per_day"
    open_legs = legs[room].is_null().to_numpy() if room in legs.columns else np.ones(legs.height, bool)
    for row in _legs_of(network, outage, tail, head):
        if open_legs[row]:
            places.append(f"{network.site_ids[tail[row]]}>{network.site_ids[head[row]]}")
    return places


def check_outage(network: Network, outage: Outage) -> list[Problem]:
    """Return what is wrong with an outage on this network; empty where it can be planned."""
    problems = _number_problems(outage)
    known = set(network.site_ids)
    unknown = [site for site in outage.sites if site not in known]
    for site in unknown:
        near = get_close_matches(site, network.site_ids, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else ""
        problems.append(_wrong(outage, "unknown-site", f"there is no site {site!r}.", "sites", hint=hint))
    problems += _leg_problems(network, outage, known)
    problems += _code_problems(network, outage)
    if outage.area is not None and not _in_area(network, outage.area).any():
        swapped = _in_area(network, outage.area, swap=True).any()
        hint = "Longitude and latitude seem to be swapped." if swapped else ""
        problems.append(_wrong(outage, "matches-nothing", "no site lies in the area.", "area", hint=hint))
    if not (outage.sites or outage.legs or outage.admin_codes or outage.area is not None):
        expected = "sites, legs, admin_codes or area"
        problems.append(_wrong(outage, "no-place", "it says no place.", None, expected=expected))
    return problems


def _wrong(
    outage: Outage, code: str, message: str, column: str | None, *, expected: str = "", hint: str = ""
) -> Problem:
    text = f'outage "{outage.label}": {message}'
    return Problem(code, text, None, None, column, expected=expected, hint=hint)


def _number_problems(outage: Outage) -> list[Problem]:
    problems = []
    limits = {
        "capacity_share": (outage.share_left, 1.0),
        "extra_h": (outage.extra_h, MOST_EXTRA_H),
        "passes_per_day": (0.0 if outage.passes_per_day is None else float(outage.passes_per_day), 1e9),
        "pieces_per_pass": (outage.pieces_per_pass, 1e9),
    }
    for column, (value, most) in limits.items():
        if not 0.0 <= value <= most or not math.isfinite(value):
            expected = f"0 to {most:,.0f}"
            problems.append(
                _wrong(outage, "out-of-range", f"{value!r} will not do.", column, expected=expected)
            )
    for column, time in (("start", outage.start), ("end", outage.end)):
        if time is not None and time.tzinfo is None:
            message = f"{time.isoformat()} has no time zone."
            problems.append(_wrong(outage, "time-without-zone", message, column, expected=EXAMPLE_TIME))
            return problems
    if outage.start is not None and outage.end is not None and outage.end <= outage.start:
        message = f"it ends ({outage.end.isoformat()}) before it starts ({outage.start.isoformat()})."
        problems.append(_wrong(outage, "times-reversed", message, "end", expected="an end after the start"))
    return problems


def _leg_problems(network: Network, outage: Outage, known: set[str]) -> list[Problem]:
    if not outage.legs:
        return []
    lacking = _without_leg(network, outage.legs)
    if not lacking:
        return []
    ends = network.legs.select(pl.col("from_site", "to_site").cast(pl.String))
    there = set(ends.iter_rows())
    problems = []
    for tail, head in lacking:
        missing = [site for site in (tail, head) if site not in known]
        hint = ""
        if missing:
            near = get_close_matches(missing[0], network.site_ids, n=3, cutoff=0.5)
            hint = f"There is no site {missing[0]!r}." + (f" Did you mean {', '.join(near)}?" if near else "")
        elif (head, tail) in there:
            hint = f"There is {head}>{tail}."
        else:
            heads = sorted(end for start, end in there if start == tail)
            near = get_close_matches(head, heads, n=3, cutoff=0.3) or heads[:3]
            hint = f"From {tail} there is " + ", ".join(f"{tail}>{end}" for end in near) + "." if near else ""
        problems.append(_wrong(outage, "unknown-leg", f"there is no leg {tail}>{head}.", "legs", hint=hint))
    return problems


def _without_leg(network: Network, pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return the pairs of sites that no leg joins: of a file with hundreds of outages most join one."""
    row = {site: k for k, site in enumerate(network.site_ids)}
    tail, head = _ends(network)
    n = len(network.site_ids)
    wanted = [row[a] * n + row[b] if a in row and b in row else -1 for a, b in pairs]
    there = np.isin(wanted, tail * n + head)
    return [pair for pair, known in zip(pairs, there.tolist(), strict=True) if not known]


def _code_problems(network: Network, outage: Outage) -> list[Problem]:
    problems = []
    codes = _site_codes(network)
    for code in outage.admin_codes:
        prefix = admin_prefix(code)
        if not prefix:
            message, hint = f"{code!r} is no administrative code.", ""
        elif any(known.startswith(prefix) for known in codes):
            continue
        else:
            message = f"no site has an admin_code of {code}."
            near = get_close_matches(code, sorted({known for known in codes if known}), n=3, cutoff=0.6)
            hint = "No site has an admin_code at all." if not any(codes) else ""
            hint = f"Did you mean {', '.join(near)}?" if near else hint
        expected = "a code of GB/T 2260 as in sites.admin_code"
        problems.append(
            _wrong(outage, "matches-nothing", message, "admin_codes", expected=expected, hint=hint)
        )
    return problems


def admin_prefix(code: str) -> str:
    """Return what the codes of all units inside begin with.

    GB/T 2260 gives a province two digits, a city two more, a county two more; a province
    and a city are written with zeros behind: 410000, 410100.
    """
    digits = code.strip()
    while len(digits) > 2 and len(digits) % 2 == 0 and digits.endswith("00"):
        digits = digits[:-2]
    return digits


def _site_codes(network: Network) -> list[str]:
    if "admin_code" not in network.sites.columns:
        return []
    return network.sites["admin_code"].cast(pl.String).fill_null("").to_list()


def _in_area(network: Network, area: dict[str, Any], *, swap: bool = False) -> NDArray[np.bool_]:
    lon, lat = (network.sites[name].cast(pl.Float64).to_numpy() for name in ("lon", "lat"))
    return inside_area(lat, lon, area) if swap else inside_area(lon, lat, area)


def sites_of(network: Network, outage: Outage) -> NDArray[np.bool_]:
    """Return which sites an outage names, by id, by admin code or by area."""
    inside: NDArray[np.bool_] = np.isin(network.site_ids, outage.sites)
    if outage.admin_codes:
        prefixes = tuple(admin_prefix(code) for code in outage.admin_codes)
        inside |= np.array([code.startswith(prefixes) for code in _site_codes(network)])
    if outage.area is not None:
        inside |= _in_area(network, outage.area)
    return inside


def _ends(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    tail, head = (network.legs[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    return tail.astype(np.int64), head.astype(np.int64)


def _legs_of(
    network: Network, outage: Outage, tail: NDArray[np.int64], head: NDArray[np.int64]
) -> NDArray[np.int64]:
    if not outage.legs:
        return np.empty(0, np.int64)
    row = {site: k for k, site in enumerate(network.site_ids)}
    n = len(network.site_ids)
    wanted = [row[a] * n + row[b] for a, b in outage.legs]
    return np.flatnonzero(np.isin(tail * n + head, wanted))
