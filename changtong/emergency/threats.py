"""Warnings, tracks and polygons against a network: what is threatened, and what is proposed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from changtong.emergency.cap import Message
from changtong.emergency.contacts import people_to_call
from changtong.emergency.exposure import Exposure, Ground, exposure, threat_of
from changtong.emergency.in_force import LANGUAGES, WITHOUT_EXPIRY_H, Warned, in_force
from changtong.emergency.message_sources import Messages
from changtong.emergency.pieces_at_risk import pieces_at_risk
from changtong.emergency.proposals import propose_outages
from changtong.emergency.threat_result import Threats
from changtong.emergency.tracks import Track, track_exposure
from changtong.emergency.warning_rules import WarningRules, read_warning_rules
from changtong.network.model import Network
from changtong.wording import Both

WARNING_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "warning": pl.String, "sender": pl.String, "sent": pl.Datetime("us", "UTC"), "state": pl.String,
    "event": pl.String, "kind": pl.String, "level": pl.String, "level_from": pl.String,
    "severity": pl.String, "headline": pl.String, "areas": pl.String, "begins": pl.Datetime("us", "UTC"),
    "ends": pl.Datetime("us", "UTC"), "ends_assumed": pl.Boolean, "sites": pl.Int64, "legs": pl.Int64,
    "file": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class ThreatSettings:
    """How warnings are looked at.

    Attributes
    ----------
    status : str
        ``Actual``, or ``Exercise`` for a drill.
    languages : tuple of str
        Of the same warning in several languages, the first of these.
    without_expiry_h : float
        Hours a warning counts that says no end.
    zone : str
        Of days, and in which times are shown.
    """

    status: str = "Actual"
    languages: tuple[str, ...] = LANGUAGES
    without_expiry_h: float = WITHOUT_EXPIRY_H
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True)
class WarningInputs:
    """What is known of what threatens.

    Attributes
    ----------
    messages : tuple of Message
    tracks : tuple of Track
    polygons : tuple of Message
        From files of polygons.
    read : Messages
        What was set aside on reading, and digests.
    contacts : polars.DataFrame or None
    """

    messages: tuple[Message, ...] = ()
    tracks: tuple[Track, ...] = ()
    polygons: tuple[Message, ...] = ()
    read: Messages = field(default_factory=Messages)
    contacts: pl.DataFrame | None = None


def find_threats(
    network: Network,
    inputs: WarningInputs | Iterable[Message],
    at: datetime,
    *,
    rules: WarningRules | None = None,
    settings: ThreatSettings | None = None,
) -> Threats:
    """Find what warnings, tracks and polygons threaten at an instant and after it.

    Parameters
    ----------
    network : Network
    inputs : WarningInputs, or messages
    at : datetime
        With a zone. What is over by then is left out.
    rules : WarningRules, optional
        By default the example of the package.
    settings : ThreatSettings, optional

    Returns
    -------
    Threats

    Raises
    ------
    UsageError
        ``at`` has no zone.
    """
    rules, settings = rules or read_warning_rules(), settings or ThreatSettings()
    if not isinstance(inputs, WarningInputs):
        inputs = WarningInputs(messages=tuple(inputs))
    found = in_force(
        (*inputs.messages, *inputs.polygons), at, status=settings.status,
        without_expiry_h=settings.without_expiry_h, languages=settings.languages,
    )  # fmt: skip
    ground = Ground.of(network)
    warned = (*found.now, *found.coming)
    parts = [exposure(network, [one], rules=rules, ground=ground) for one in warned]
    table = _warning_rows(warned, parts, found.now, rules)
    of_tracks = [track_exposure(ground, track, after=at) for track in inputs.tracks]
    table = pl.concat(
        [table, *(_track_rows(*pair, at) for pair in zip(inputs.tracks, of_tracks, strict=True))]
    )
    exposed = _together([*parts, *of_tracks] or [exposure(network, [], ground=ground)])
    outages, unproposed = propose_outages(exposed, rules, settings.zone)
    calls: pl.DataFrame | None = None
    nobody: tuple[str, ...] = ()
    if inputs.contacts is not None:
        calls, nobody = people_to_call(network, exposed.sites, inputs.contacts)
    return Threats(
        network=network,
        at=at,
        found=found,
        warnings=table,
        exposed=exposed,
        pieces=pieces_at_risk(network, exposed.sites, at, settings.zone),
        outages=outages,
        calls=calls,
        sites_without_contact=nobody,
        tracks=inputs.tracks,
        read=inputs.read,
        rules=rules,
        status=settings.status,
        zone=settings.zone,
        notes=tuple(dict.fromkeys((*inputs.read.notes, *_signed(warned), *exposed.notes, *unproposed))),
    )


def _signed(warned: Sequence[Warned]) -> list[Both]:
    signed = len({one.message.key for one in warned if one.message.is_signed})
    if not signed:
        return []
    return [
        Both(
            f"{signed} 条消息带有数字签名，签名未核验。",
            f"{signed} messages are signed: nobody has verified it.",
        )
    ]


def _together(parts: Sequence[Exposure]) -> Exposure:
    notes = dict.fromkeys(note for one in parts for note in one.notes)
    return Exposure(
        pl.concat([one.sites for one in parts]), pl.concat([one.legs for one in parts]), tuple(notes)
    )


def _warning_rows(
    warned: Sequence[Warned], parts: Sequence[Exposure], now: Sequence[Warned], rules: WarningRules
) -> pl.DataFrame:
    rows = []
    for number, (one, part) in enumerate(zip(warned, parts, strict=True)):
        threat, key = threat_of(one, rules), one.message.key
        rows.append(
            {
                "warning": key.identifier, "sender": key.sender, "sent": key.sent,
                "state": "in force" if number < len(now) else "coming", "event": threat.event,
                "kind": threat.kind, "level": threat.level, "level_from": threat.level_from,
                "severity": threat.severity, "headline": one.info.headline,
                "areas": "; ".join(area.description for area in one.info.areas), "begins": one.begins,
                "ends": one.ends, "ends_assumed": one.ends_assumed, "sites": part.sites.height,
                "legs": part.legs.height, "file": one.message.file,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=WARNING_SCHEMA)


def _track_rows(track: Track, part: Exposure, at: datetime) -> pl.DataFrame:
    """Return a row a force of a track: when it reaches the first site and leaves the last."""
    rows = []
    for force in reversed(track.forces):
        level = f"force-{force}"
        sites = part.sites.filter(pl.col("level") == level)
        legs = part.legs.filter(pl.col("level") == level)
        times = pl.concat([sites.select("begins", "ends"), legs.select("begins", "ends")])
        begins, ends = times["begins"].min(), times["ends"].max()
        state = "in force" if isinstance(begins, datetime) and begins <= at else "coming"
        rows.append(
            {
                "warning": track.name, "sender": "", "sent": None,
                "state": state if times.height else "reaches nothing", "event": f"typhoon {track.name}",
                "kind": "typhoon", "level": level, "level_from": "track", "severity": "", "headline": "",
                "areas": "", "begins": begins, "ends": ends, "ends_assumed": False, "sites": sites.height,
                "legs": legs.height, "file": track.file,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=WARNING_SCHEMA)
