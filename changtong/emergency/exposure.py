"""What warnings threaten: sites inside their areas, legs that end or pass there, pieces a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.emergency.cap import Area
from changtong.emergency.colours import Colour, colour_of, kind_of
from changtong.emergency.in_force import Warned
from changtong.emergency.warned_areas import Places, crosses_itself, inside_codes
from changtong.emergency.warning_rules import COLOURS_ZH, UNKNOWN, WarningRules, read_warning_rules
from changtong.network.model import Network
from changtong.structure import column
from changtong.wording import Both

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEPS = 24
"""Places looked at between the ends of a leg, on the straight line: the roads are not known. Assumed."""

CODE_DIGITS = (6, 9, 12)
INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Threat:
    """One thing that threatens, as the rows of an exposure tell it.

    Attributes
    ----------
    warning : str
        Identifier of the message, name of the track or polygon.
    event : str
    severity : str
        Word of the standard.
    begins, ends : datetime
    kind : str
        Of the rules: ``rainstorm``, ``typhoon``, …, ``other``.
    level : str
        Colour, ``unknown``, or ``force-10``.
    level_from : str
        Where the colour was found, ``severity`` (assumed), or empty.
    """

    warning: str
    event: str
    severity: str
    begins: datetime | None
    ends: datetime | None
    kind: str
    level: str
    level_from: str


@dataclass(frozen=True)
class Exposure:
    """What is exposed.

    Attributes
    ----------
    sites : polars.DataFrame
        One row a site and warning: site_id, warning (identifier), event, severity, begins, ends, kind, level,
        level_from (see :class:`Threat`), by (``shape``, ``code`` or ``track``), begin_pieces, end_pieces
        (pieces a day that begin and end there).
    legs : polars.DataFrame
        One row a leg and warning: from_site, to_site, warning to level_from as there, exposed (``end``: an
        end lies inside; ``passes``: only the way between does), flow_pieces (a day, null where not known).
    notes : tuple of Both
        What could not be told, or was taken as worse than it may be.
    """

    sites: pl.DataFrame
    legs: pl.DataFrame
    notes: tuple[Both, ...]


@dataclass
class Ground:
    """A network's sites and the ways of its legs, ready to be looked up again and again."""

    network: Network
    sites: Places
    between: Places
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    codes: list[str]
    pieces: dict[str, Floats]
    found: dict[object, tuple[Mask, Mask]] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network) -> Ground:
        """Lay out a network."""
        lon, lat = (column(network.sites, name, np.nan) for name in ("lon", "lat"))
        tail, head = (
            network.legs[name].to_physical().to_numpy().astype(np.int64) for name in ("from_site", "to_site")
        )
        between = Places(*(part.ravel() for part in _between(lon, lat, tail, head)))
        known = "admin_code" in network.sites.columns
        codes = network.sites["admin_code"].cast(pl.String).fill_null("").to_list() if known else []
        return cls(network, Places(lon, lat), between, tail, head, codes, _pieces(network))

    def inside(self, areas: Sequence[Area]) -> tuple[Mask, Mask]:
        """Return the sites inside shapes, and the legs whose way passes them."""
        key = tuple((area.polygons, area.circles, area.holes) for area in areas)
        if key not in self.found:
            way = np.asarray(self.between.inside(areas).reshape(-1, STEPS).any(axis=1), bool)
            self.found[key] = self.sites.inside(areas), way
        return self.found[key]

    def by_codes(self, codes: Sequence[str]) -> Mask:
        """Return the sites in administrative units."""
        return inside_codes(self.codes, codes) if self.codes else np.zeros(self.network.sites.height, bool)

    def site_rows(self, rows: NDArray[np.int64], threat: Threat, by: Sequence[str] | str) -> pl.DataFrame:
        """Return rows of exposed sites."""
        chosen = self.network.sites["site_id"].cast(pl.String).gather(rows)
        told = pl.lit(by, pl.String) if isinstance(by, str) else pl.Series(by, dtype=pl.String)
        counts = [pl.Series(name, values[rows], pl.Float64) for name, values in self.pieces.items()]
        return pl.DataFrame({"site_id": chosen}).with_columns(
            *_columns(threat), told.alias("by"), *counts
        )  # fmt: skip

    def leg_rows(self, ends: Mask, passes: Mask, threat: Threat) -> pl.DataFrame:
        """Return rows of exposed legs."""
        rows = np.flatnonzero(ends | passes)
        flow = column(self.network.legs, "flow_pieces_per_day", np.nan)[rows]
        return (
            self.network.legs.select(pl.col("from_site", "to_site").gather(rows).cast(pl.String))
            .with_columns(*_columns(threat))
            .with_columns(
                pl.Series("exposed", np.where(ends[rows], "end", "passes"), pl.String),
                pl.Series("flow_pieces", flow, pl.Float64).fill_nan(None),
            )
        )


def exposure(
    network: Network, warned: Sequence[Warned], *, rules: WarningRules | None = None,
    ground: Ground | None = None,
) -> Exposure:  # fmt: skip
    """Return what warnings threaten.

    An area without a polygon or circle is looked up by its administrative codes, in ``admin_code`` of the
    sites; only lists count that the rules name as GB/T 2260.

    Parameters
    ----------
    network : Network
    warned : sequence of Warned
        From :func:`changtong.emergency.in_force.in_force`: those in force, those coming, or both.
    rules : WarningRules, optional
        Kinds, colours, lists of codes; by default those of the package.
    ground : Ground, optional
        Of the network, where it is there already.

    Returns
    -------
    Exposure
    """
    rules = rules or read_warning_rules()
    ground = ground or Ground.of(network)
    notes: dict[Both, None] = {}
    unknown = network.sites.height - len(ground.sites.rows)
    if unknown and warned:
        zh = f"{unknown:,} 处网点没有坐标，按不在区域内计。"
        notes[Both(zh, f"{unknown:,} sites have no position: they count as outside.")] = None
    sites: list[pl.DataFrame] = []
    legs: list[pl.DataFrame] = []
    for one in warned:
        threat = threat_of(one, rules, notes)
        shapes = [area for area in one.info.areas if area.polygons or area.circles]
        codes = _codes(one, rules, notes)
        inside, way = ground.inside(shapes)
        coded = ground.by_codes(codes)
        if codes and not coded.any():
            listed = ", ".join(codes[:5])
            zh = f"{_name(one)}：没有网点的 admin_code 属于 {listed}。"
            notes[Both(zh, f"{_name(one)}: no site has an admin_code in {listed}.")] = None
        both = inside | coded
        ends = both[ground.tail] | both[ground.head]
        rows = np.flatnonzero(both)
        sites.append(ground.site_rows(rows, threat, np.where(inside[rows], "shape", "code").tolist()))
        legs.append(ground.leg_rows(ends, way & ~ends, threat))
        _note_shapes(one, shapes, notes)
    if ground.sites.coarse or ground.between.coarse:
        en = "A polygon is too intricate to be followed: all inside its bounding box counts."
        notes[Both("有多边形过于复杂，按其外接矩形计。", en)] = None
    if not warned:
        threat = Threat("", "", "", None, None, "", "", "")
        nothing = np.zeros(network.legs.height, bool)
        sites = [ground.site_rows(np.zeros(0, np.int64), threat, "")]
        legs = [ground.leg_rows(nothing, nothing, threat)]
    return Exposure(pl.concat(sites), pl.concat(legs), tuple(notes))


def threat_of(one: Warned, rules: WarningRules, notes: dict[Both, None] | None = None) -> Threat:
    """Return a warning as a threat.

    Parameters
    ----------
    one : Warned
    rules : WarningRules
    notes : dict, optional
        Gets what is odd about its words.
    """
    notes = {} if notes is None else notes
    info, colour = one.info, colour_of(one.info, rules)
    _note_colour(one, colour, notes)
    return Threat(
        one.message.key.identifier, info.event, info.severity, one.begins, one.ends, kind_of(info, rules),
        colour.level, colour.said_in,
    )  # fmt: skip


def _name(one: Warned) -> str:
    return f"{one.info.event} ({one.message.key.identifier})"


def _note_colour(one: Warned, colour: Colour, notes: dict[Both, None]) -> None:
    name = _name(one)
    level_zh = COLOURS_ZH.get(colour.level, "未知")
    if colour.several:
        zh = f"{name}：消息中出现多种颜色，按{level_zh}计。"
        notes[Both(zh, f"{name}: its {colour.said_in} names several colours; {colour.level} counts.")] = None
    if colour.level == UNKNOWN:
        en = f"{name}: no colour and no severity; nothing is known of how bad it is."
        notes[Both(f"{name}：既无颜色也无严重程度，级别未知。", en)] = None
    if colour.assumed:
        zh = f"{name}：消息未写颜色，由严重程度 {one.info.severity} 推定为{level_zh}（假设）。"
        text = f"severity {one.info.severity}, taken as {colour.level} (assumed)."
        notes[Both(zh, f"{name}: it names no colour; {text}")] = None
    if "解除" in one.info.headline:
        zh = f"{name}：标题写“解除”，但消息类型为 {one.message.kind}，仍按生效计。"
        en = f"{name}: its headline says lifted, its type {one.message.kind}: it counts on."
        notes[Both(zh, en)] = None


def _codes(one: Warned, rules: WarningRules, notes: dict[Both, None]) -> list[str]:
    """Return the administrative codes of areas without a shape."""
    codes: dict[str, None] = {}
    for area in one.info.areas:
        if area.polygons or area.circles:
            continue
        known = [code.strip() for name, code in area.geocodes if rules.is_admin_list(name)]
        good = [
            code for code in known if code.isascii() and code.isdigit() and len(code) in CODE_DIGITS
        ]  # fmt: skip
        if good:
            codes |= dict.fromkeys(good)
            listed = ", ".join(good[:5])
            zh = f"{area.description}：没有多边形或圆，按 admin_code {listed} 查找网点。"
            en = f"{area.description}: no polygon or circle; sites by admin_code {listed}."
        else:
            lists = ", ".join(sorted({name for name, _ in area.geocodes}))
            zh = f"{area.description}：没有多边形或圆，只有代码（{lists or '无'}），未查找。"
            en = (
                f"{area.description}: no polygon or circle, only codes ({lists or 'no list'}); not looked at."
            )
        notes[Both(zh, en)] = None
    if not one.info.areas:
        notes[
            Both(f"{_name(one)}：没有写区域，未查找。", f"{_name(one)}: it names no area; not looked at.")
        ] = None
    return list(codes)


def _note_shapes(one: Warned, shapes: Sequence[Area], notes: dict[Both, None]) -> None:
    for area in shapes:
        named = f"{_name(one)}: {area.description}"
        if any(radius == 0.0 for _, _, radius in area.circles):
            zh = f"{named}：圆的半径为 0，只计一点。"
            notes[Both(zh, f"{named} has a circle of radius 0: one place only.")] = None
        if any(crosses_itself(ring) for ring in area.polygons):
            zh = f"{named}：多边形自相交，绕到的部分都计入。"
            notes[Both(zh, f"{named} has a polygon that crosses itself: all it goes round counts.")] = None
        if area.altitude_ft is not None and area.altitude_ft > 0.0:
            zh = f"{named}：消息只针对海拔 {area.altitude_ft:,.0f} 英尺以上，地面网点仍计入（假设）。"
            en = f"{named} is for heights from {area.altitude_ft:,.0f} ft on; the ground counts (assumed)."
            notes[Both(zh, en)] = None


def _between(lon: Floats, lat: Floats, tail: Any, head: Any) -> tuple[Floats, Floats]:
    """Return places on the straight lines between the ends of legs, (legs, STEPS) each."""
    part = (np.arange(STEPS) + 0.5) / STEPS
    across = (lon[head] - lon[tail] + 180.0) % 360.0 - 180.0  # the shorter way round
    x = lon[tail][:, None] + across[:, None] * part
    return (x + 180.0) % 360.0 - 180.0, lat[tail][:, None] + (lat[head] - lat[tail])[:, None] * part


def _columns(threat: Threat) -> list[pl.Expr]:
    texts = {"warning": threat.warning, "event": threat.event, "severity": threat.severity}
    times = {
        name: None if at is None else at.astimezone(UTC)
        for name, at in (("begins", threat.begins), ("ends", threat.ends))
    }
    more = {"kind": threat.kind, "level": threat.level, "level_from": threat.level_from}
    return [
        *(pl.lit(value, pl.String).alias(name) for name, value in texts.items()),
        *(pl.lit(value, INSTANT).alias(name) for name, value in times.items()),
        *(pl.lit(value, pl.String).alias(name) for name, value in more.items()),
    ]


def _pieces(network: Network) -> dict[str, Floats]:
    """Return the pieces a day that begin and end at each site."""
    weights, pieces = network.demand["pieces_per_day"].to_numpy(), {}
    for name, side in (("begin_pieces", "from_site"), ("end_pieces", "to_site")):
        place = network.demand[side].to_physical().to_numpy()
        pieces[name] = np.bincount(place, weights, network.sites.height).astype(np.float64)
    return pieces
