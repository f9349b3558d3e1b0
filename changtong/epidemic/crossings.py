"""Fixed posts inside and outside that must not cross: who was planned or seen on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from changtong.epidemic.tables import INSTANT, TableReader

ZONE_FILE, POST_FILE, PRESENCE_FILE = "zones.csv", "posts.csv", "presence.csv"
INSIDE, OUTSIDE, BUFFER = "inside", "outside", "buffer"
SIDES = (INSIDE, OUTSIDE, BUFFER)
SIDE_WORDS = {"内": INSIDE, "内区": INSIDE, "外": OUTSIDE, "外区": OUTSIDE, "缓冲": BUFFER, "缓冲区": BUFFER}

ZONE_SCHEMA: dict[str, pl.DataType] = {"site_id": pl.String(), "zone": pl.String(), "side": pl.String()}
POST_SCHEMA: dict[str, pl.DataType] = {
    "person": pl.String(),
    "site_id": pl.String(),
    "post": pl.String(),
    "zone": pl.String(),
    "from": INSTANT,
    "until": INSTANT,
}
PRESENCE_SCHEMA: dict[str, pl.DataType] = {
    "person": pl.String(),
    "site_id": pl.String(),
    "zone": pl.String(),
    "from": INSTANT,
    "until": INSTANT,
}
CROSSING_SCHEMA: dict[str, Any] = {
    "crossing": pl.String, "person": pl.String, "site_id": pl.String, "zone": pl.String, "side": pl.String,
    "other_site_id": pl.String, "other_zone": pl.String, "other_side": pl.String, "from": INSTANT,
    "until": INSTANT, "hours_apart": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class _Span:
    """Where somebody is, planned or seen."""

    person: str
    site: str
    zone: str
    side: str
    begin: datetime
    end: datetime | None

    def common(self, other: _Span) -> tuple[datetime, datetime | None] | None:
        """Return the time both hold, or None."""
        begin = max(self.begin, other.begin)
        ends = [one for one in (self.end, other.end) if one is not None]
        end = min(ends, default=None)
        return (begin, end) if end is None or begin < end else None

    def hours_to(self, later: _Span) -> float:
        """Return the hours between its end and a later begin; 0 where they overlap."""
        if self.end is None:
            return 0.0
        return max((later.begin - self.end) / timedelta(hours=1), 0.0)


def read_zones(reader: TableReader) -> pl.DataFrame:
    """Return the zones of a folder: which side each is on."""
    frame = reader.table(
        reader.place(ZONE_FILE), ZONE_SCHEMA, ("site_id", "zone", "side"), key=("site_id", "zone")
    ).with_columns(pl.col("side").replace(SIDE_WORDS))
    reader.one_of(frame, "side", SIDES, ZONE_FILE)
    return frame


def read_posts(reader: TableReader, zones: pl.DataFrame) -> pl.DataFrame:
    """Return who has which post, and when."""
    return _read(reader, POST_FILE, POST_SCHEMA, zones, ("person", "site_id", "post", "zone", "from"))


def read_presence(reader: TableReader, zones: pl.DataFrame) -> pl.DataFrame:
    """Return who was in which zone, and when, as doors and rolls tell it."""
    return _read(reader, PRESENCE_FILE, PRESENCE_SCHEMA, zones, ("person", "site_id", "zone", "from"))


def _read(
    reader: TableReader,
    file: str,
    schema: Mapping[str, pl.DataType],
    zones: pl.DataFrame,
    needed: tuple[str, ...],
) -> pl.DataFrame:
    frame = reader.table(reader.place(file), schema, needed, spans=(("from", "until"),))
    reader.impersonal(frame, "person", file)
    known = {(site, zone) for site, zone in zones.select("site_id", "zone").iter_rows()}
    for row, site, zone in frame.select("row", "site_id", "zone").iter_rows():
        if site is not None and zone is not None and (site, zone) not in known:
            there = ", ".join(sorted(name for place, name in known if place == site)) or "none"
            message = f"{site} has no zone {zone!r}."
            reader.add("unknown-zone", message, file, row, "zone", f"a zone of {ZONE_FILE}: {there}")
    return frame


def find_crossings(
    zones: pl.DataFrame, posts: pl.DataFrame, presence: pl.DataFrame, *, apart_h: float = 0.0
) -> pl.DataFrame:
    """Return who crosses between inside and outside.

    Parameters
    ----------
    zones, posts, presence : polars.DataFrame
    apart_h : float
        Hours that must lie between a post or a stay on one side and one on the other.

    Returns
    -------
    polars.DataFrame
        ``crossing``: ``posts`` (posts on both sides, planned), ``wrong_side`` (seen on the other side than
        the post at that time), ``seen`` (seen on both sides, too near in time), ``no_post`` (seen inside
        without a post there; where there are posts at all). One row a pair; ``from`` and ``until`` are the
        time both hold, or from the end of the first to the begin of the second.
    """
    sides = {(site, zone): side for site, zone, side in zones.select("site_id", "zone", "side").iter_rows()}
    planned, seen = (_spans(frame, sides) for frame in (posts, presence))
    made: list[dict[str, Any]] = []
    for spans in planned.values():
        made += _both_sides("posts", spans, apart_h)
    for person, spans in seen.items():
        made += _both_sides("seen", spans, apart_h)
        for span in spans:
            for post in planned.get(person, ()):
                both = span.common(post)
                if both is not None and _opposite(span, post):
                    made.append(_row("wrong_side", span, post, both, 0.0))
            held = [post for post in planned.get(person, ()) if span.common(post) is not None]
            if planned and span.side == INSIDE and not held:
                made.append(_row("no_post", span, None, (span.begin, span.end), None))
    return pl.DataFrame(made, CROSSING_SCHEMA).sort("from", "person", "crossing")


def _spans(frame: pl.DataFrame, sides: Mapping[tuple[str, str], str]) -> dict[str, list[_Span]]:
    made: dict[str, list[_Span]] = {}
    for row in frame.sort("from").iter_rows(named=True):
        side = sides[row["site_id"], row["zone"]]
        span = _Span(row["person"], row["site_id"], row["zone"], side, row["from"], row["until"])
        made.setdefault(span.person, []).append(span)
    return made


def _opposite(one: _Span, two: _Span) -> bool:
    return {one.side, two.side} == {INSIDE, OUTSIDE}


def _both_sides(what: str, spans: list[_Span], apart_h: float) -> list[dict[str, Any]]:
    """Return pairs on opposite sides that overlap or are less than ``apart_h`` apart."""
    made = []
    for k, one in enumerate(spans):
        for two in spans[k + 1 :]:
            if one.end is not None and (two.begin - one.end) / timedelta(hours=1) >= apart_h:
                break  # and so are all that begin later
            if _opposite(one, two):
                both = one.common(two) or (one.end or two.begin, two.begin)
                made.append(_row(what, one, two, both, one.hours_to(two)))
    return made


def _row(
    what: str, one: _Span, two: _Span | None, both: tuple[datetime, datetime | None], hours: float | None
) -> dict[str, Any]:
    other = (None, None, None) if two is None else (two.site, two.zone, two.side)
    return {
        "crossing": what, "person": one.person, "site_id": one.site, "zone": one.zone, "side": one.side,
        "other_site_id": other[0], "other_zone": other[1], "other_side": other[2], "from": both[0],
        "until": both[1], "hours_apart": hours,
    }  # fmt: skip
