"""What a stress test closes: each site, leg, province, operator, area, or sets from a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.network.model import Network
from changtong.network.polygons import inside_area
from changtong.outage_files import read_outages
from changtong.outages import Outage, closed_by_status, sites_of

KINDS = ("sites", "legs", "provinces", "operators")


@dataclass(frozen=True, slots=True)
class Case:
    """One closure to try.

    Attributes
    ----------
    name : str
        Unique among the cases, for example ``site:H3307``.
    kind : str
        site, leg, province, operator, area, set or combination.
    label : str
        What people call it.
    sites, legs : tuple of int
        Rows of ``network.sites`` and ``network.legs`` that are shut.
    """

    name: str
    kind: str
    label: str
    sites: tuple[int, ...] = ()
    legs: tuple[int, ...] = ()

    def outages(self, network: Network) -> tuple[Outage, ...]:
        """Return the closure as an outage, to plan it or play it forward alone."""
        ids, ends = network.site_ids, network.legs.select(pl.col("from_site", "to_site").cast(pl.String))
        legs = tuple(ends.row(leg) for leg in self.legs)
        return (Outage(label=self.label, sites=tuple(ids[row] for row in self.sites), legs=legs),)


@dataclass(frozen=True, slots=True)
class Task:
    """One case to work on.

    Attributes
    ----------
    case : Case
    enough : float
        A first plan that loses no more than this is not improved on.
    """

    case: Case
    enough: float = -1.0


def make_cases(
    network: Network,
    kinds: Iterable[str] = ("sites",),
    *,
    areas: str | Path | dict[str, Any] | None = None,
    sets: str | Path | Sequence[Outage] | None = None,
    operator_column: str = "operator",
) -> tuple[Case, ...]:
    """Return the cases of the kinds asked for, without what is shut already.

    Parameters
    ----------
    network : Network
    kinds : iterable of {"sites", "legs", "provinces", "operators"}
        Each site in turn; each leg (all modes between two sites); the sites of each province (first
        two digits of ``admin_code``); the sites of each operator.
    areas : path or GeoJSON mapping, optional
        Polygons (WGS 84), for example of a flood: the sites inside each feature.
    sets : path or sequence of Outage, optional
        A file as for :func:`read_outages`, or outages: each closes its sites and legs together.
    operator_column : str
        Column of ``sites`` that names who runs a site.

    Raises
    ------
    InputError
        A kind without data, an area or set that closes nothing, a column there is not.
    UsageError
        An unknown kind, or nothing asked for.
    """
    made: list[Case] = []
    problems: list[Problem] = []
    build: dict[str, Callable[[], list[Case]]] = {
        "sites": lambda: _site_cases(network),
        "legs": lambda: _leg_cases(network),
        "provinces": lambda: _group_cases(network, "province", _provinces(network), _province_names()),
        "operators": lambda: _group_cases(network, "operator", _operators(network, operator_column)),
    }
    asked = list(dict.fromkeys(kinds))
    for kind in asked:
        if kind not in build:
            near = get_close_matches(kind, KINDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"Unknown kind of case {kind!r}; known: {', '.join(KINDS)}.{hint}")
    work = [build[kind] for kind in asked]
    if areas is not None:
        work.append(lambda: _area_cases(network, areas))
    if sets is not None:
        work.append(lambda: _set_cases(network, sets))
    for one in work:
        try:
            made += one()
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return distinct(made)


def distinct(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return the cases; two of one name get a number, none may close nothing."""
    made: list[Case] = []
    seen: set[str] = set()
    for case in cases:
        if not case.sites and not case.legs:
            raise InputError([_empty(case.kind, case.label)])
        name, k = case.name, 2
        while name in seen:
            name, k = f"{case.name}#{k}", k + 1
        seen.add(name)
        made.append(case if name == case.name else Case(name, case.kind, case.label, case.sites, case.legs))
    if not made:
        raise UsageError("There is nothing to close: no kind, area or set was given, or all is shut already.")
    return tuple(made)


def _empty(kind: str, label: str, hint: str = "") -> Problem:
    return Problem("empty-case", f'{kind} "{label}" closes no site and no leg.', None, None, kind, hint=hint)


def say_site(network: Network, row: int) -> str:
    """Return a site's name with its id."""
    site = network.site_ids[row]
    name = network.sites["name"][row] if "name" in network.sites.columns else None
    return f"{name} ({site})" if name and name != site else site


def _site_cases(network: Network) -> list[Case]:
    shut = set(closed_by_status(network))
    ids = network.site_ids
    return [
        Case(f"site:{ids[row]}", "site", say_site(network, row), (row,))
        for row in range(len(ids))
        if row not in shut
    ]


def _leg_cases(network: Network) -> list[Case]:
    shut = set(closed_by_status(network))
    tail, head = (network.legs[name].to_physical().to_list() for name in ("from_site", "to_site"))
    rows: dict[tuple[int, int], list[int]] = {}
    for leg, ends in enumerate(zip(tail, head, strict=True)):
        if not shut & set(ends):
            rows.setdefault(ends, []).append(leg)
    ids = network.site_ids
    return [
        Case(
            f"leg:{ids[a]}>{ids[b]}",
            "leg",
            f"{say_site(network, a)} > {say_site(network, b)}",
            (),
            tuple(legs),
        )
        for (a, b), legs in rows.items()
    ]


def _provinces(network: Network) -> list[str | None]:
    codes: list[str | None] = [None] * network.sites.height
    if "admin_code" in network.sites.columns:
        codes = network.sites["admin_code"].cast(pl.String).to_list()
    found = [code[:2] if code and len(code) >= 2 else None for code in codes]
    if not any(found):
        message = "no site has an admin_code: provinces are not known."
        raise InputError(
            [Problem("missing-value", message, "sites", None, "admin_code", expected="GB/T 2260 codes")]
        )
    return found


def _operators(network: Network, column: str) -> list[str | None]:
    if column not in network.sites.columns:
        near = get_close_matches(column, network.sites.columns, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else ""
        message = f"sites has no column {column!r}: operators are not known."
        raise InputError([Problem("missing-column", message, "sites", None, column, hint=hint)])
    found = network.sites[column].cast(pl.String).to_list()
    if not any(found):
        message = f"column {column!r} of sites is empty: operators are not known."
        raise InputError([Problem("missing-value", message, "sites", None, column)])
    return found


def _province_names() -> dict[str, str]:
    """Return the provinces of China by the first two digits of GB/T 2260."""
    text = resources.files("changtong").joinpath("network/china/provinces.csv").read_text("utf-8")
    return {row["province_code"]: row["name"] for row in csv.DictReader(text.splitlines())}


def _group_cases(
    network: Network, kind: str, group: list[str | None], names: dict[str, str] | None = None
) -> list[Case]:
    shut = set(closed_by_status(network))
    members: dict[str, list[int]] = {}
    for row, key in enumerate(group):
        if key and row not in shut:
            members.setdefault(key, []).append(row)
    said = {key: f"{names[key]} ({key})" if names and key in names else key for key in members}
    return [Case(f"{kind}:{key}", kind, said[key], tuple(rows)) for key, rows in sorted(members.items())]


def _area_cases(network: Network, areas: str | Path | dict[str, Any]) -> list[Case]:
    file, content = (None, areas) if isinstance(areas, dict) else _read_geojson(Path(areas))
    features = content.get("features", [content]) if isinstance(content, dict) else []
    if not {"lon", "lat"} <= set(network.sites.columns):
        raise InputError([Problem("missing-position", "no site has a position.", "sites", None, "lon")])
    lon, lat = (network.sites[name].cast(pl.Float64).to_numpy() for name in ("lon", "lat"))
    made, problems = [], []
    for k, feature in enumerate(features, 1):
        shape, label = _shape(feature), _feature_label(feature, k)
        try:
            inside = inside_area(lon, lat, shape)
        except (InputError, KeyError, TypeError, ValueError, IndexError):
            message = f'area "{label}" is no polygon.'
            problems.append(
                Problem("bad-area", message, file, k, "geometry", expected="Polygon, MultiPolygon")
            )
            continue
        if not inside.any():
            problems.append(_empty("area", label, "No site lies inside."))
            continue
        made.append(Case(f"area:{label}", "area", label, _rows(inside)))
    if not features:
        problems.append(Problem("bad-geojson", "the file has no features.", file))
    if problems:
        raise InputError(problems)
    return made


def _rows(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(row) for row in np.flatnonzero(mask))


def _read_geojson(path: Path) -> tuple[str, Any]:
    if not path.is_file():
        raise InputError([Problem("missing-file", "the file does not exist.", file=str(path))])
    try:
        return path.name, json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError([Problem("bad-geojson", f"{error}", file=path.name)]) from error


def _shape(feature: Any) -> Any:
    return feature.get("geometry", feature) if isinstance(feature, dict) else None


def _feature_label(feature: Any, k: int) -> str:
    about = feature.get("properties") if isinstance(feature, dict) else None
    about = about if isinstance(about, dict) else {}
    found = (
        about.get("label") or about.get("name") or (feature.get("id") if isinstance(feature, dict) else None)
    )
    return str(found) if found else f"area {k}"


@dataclass
class _Places:
    """Looks the rows of legs up once for many sets."""

    network: Network
    row: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def legs(self, wanted: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        if wanted and not self.row:
            ends = self.network.legs.select(pl.col("from_site", "to_site").cast(pl.String))
            for leg, pair in enumerate(ends.iter_rows()):
                self.row.setdefault(pair, []).append(leg)
        return tuple(leg for pair in wanted for leg in self.row.get(pair, ()))


def _set_cases(network: Network, sets: str | Path | Sequence[Outage]) -> list[Case]:
    outages = read_outages(sets, network) if isinstance(sets, str | Path) else tuple(sets)
    places = _Places(network)
    made, problems = [], []
    for outage in outages:
        if outage.share_left > 0.0 or outage.extra_h > 0.0 or outage.passes_per_day is not None:
            message = f'set "{outage.label}" slows; a stress test closes.'
            expected = "no capacity_share, extra_h or passes_per_day"
            problems.append(Problem("not-a-closure", message, None, None, "sets", expected=expected))
            continue
        sites, legs = _rows(sites_of(network, outage)), places.legs(outage.legs)
        if not sites and not legs:
            problems.append(_empty("set", outage.label))
            continue
        made.append(Case(f"set:{outage.label}", "set", outage.label, sites, legs))
    if problems:
        raise InputError(problems)
    return made
