"""What warnings would do, proposed as outages for the planner, by rules that are data."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from changtong.emergency.exposure import Exposure
from changtong.emergency.warning_rules import WarningRules
from changtong.outages import Outage

GROUP = ("warning", "event", "kind", "level", "from", "until")


def propose_outages(
    exposed: Exposure, rules: WarningRules, zone: str = "Asia/Shanghai"
) -> tuple[tuple[Outage, ...], tuple[str, ...]]:
    """Return proposed outages, and what is proposed for nothing.

    Sites (and legs) of one warning with the same times stand in one outage. Times that differ from site to
    site, as those of a track, are rounded outwards to whole hours.

    Parameters
    ----------
    exposed : Exposure
    rules : WarningRules
    zone : str
        In which times are written.

    Returns
    -------
    (tuple of Outage, tuple of str)
        By their beginning; notes.
    """
    outages: list[Outage] = []
    notes: dict[str, None] = {}
    for frame, of in ((exposed.sites, "sites"), (exposed.legs, "legs")):
        for key, rows in _grouped(frame):
            outage = _outage(dict(zip(GROUP, key, strict=True)), rows, of, rules, ZoneInfo(zone))
            if isinstance(outage, Outage):
                outages.append(outage)
            else:
                notes[outage] = None
    outages.sort(key=lambda one: (one.start or datetime.max, one.label, one.end or datetime.max))
    return tuple(outages), tuple(notes)


def _grouped(frame: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    tracked = pl.col("level").str.starts_with("force-")
    begins = pl.when(tracked).then(pl.col("begins").dt.truncate("1h")).otherwise(pl.col("begins"))
    up = (pl.col("ends") + timedelta(hours=1) - timedelta(microseconds=1)).dt.truncate("1h")
    timed = frame.with_columns(
        begins.alias("from"), pl.when(tracked).then(up).otherwise(pl.col("ends")).alias("until")
    )
    groups = timed.group_by(GROUP, maintain_order=True)
    return [(tuple(key), rows) for key, rows in groups]


def _outage(
    group: dict[str, object], rows: pl.DataFrame, of: str, rules: WarningRules, zone: ZoneInfo
) -> Outage | str:
    kind, level = str(group["kind"]), str(group["level"])
    rule = rules.rule(kind, level)
    if rule is None:
        return f"{kind}, {level}: no rule; nothing is proposed for {rows.height:,} {of} ({group['warning']})."
    share = rule.site_capacity_share if of == "sites" else rule.leg_capacity_share
    hours = rule.site_extra_h if of == "sites" else rule.leg_extra_h
    if share >= 1.0 and hours <= 0.0:
        return (
            f"{kind}, {level}: by its rule nothing is slowed for {rows.height:,} {of} ({group['warning']})."
        )
    begins, ends = group["from"], group["until"]
    assert isinstance(begins, datetime)
    assert isinstance(ends, datetime)
    ways = () if of == "sites" else tuple(dict.fromkeys(rows.select("from_site", "to_site").iter_rows()))
    return Outage(
        label=f"{group['event']} {level} {of} ({group['warning']})",
        sites=tuple(dict.fromkeys(rows["site_id"])) if of == "sites" else (),
        legs=ways,
        start=begins.astimezone(zone),
        end=ends.astimezone(zone),
        capacity_share=share,
        extra_h=hours,
    )
