"""What warnings would do, proposed as outages for the planner, by rules that are data."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from changtong.emergency.exposure import Exposure
from changtong.emergency.warning_rules import COLOURS_ZH, WarningRules
from changtong.outages import Outage
from changtong.wording import Both

GROUP = ("warning", "event", "kind", "level", "from", "until")
OF_ZH = {"sites": "网点", "legs": "线路"}
LABEL = re.compile(
    r"(?P<event>.*?) (?:\d+ 级风圈|\S+) (?P<level>\S+) (?:网点 sites|线路 legs) \((?P<warning>.*)\)"
)
"""What `propose_outages` puts into a label, for who shows it in one language."""


def propose_outages(
    exposed: Exposure, rules: WarningRules, zone: str = "Asia/Shanghai"
) -> tuple[tuple[Outage, ...], tuple[Both, ...]]:
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
    (tuple of Outage, tuple of Both)
        By their beginning; notes.
    """
    outages: list[Outage] = []
    notes: dict[Both, None] = {}
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
) -> Outage | Both:
    kind, level = str(group["kind"]), str(group["level"])
    rule = rules.rule(kind, level)
    named = rules.names().get(kind)
    zh = f"{named.zh if named else kind}，{level_zh(level)}（{group['warning']}）："
    zh += f"{rows.height:,} 处{OF_ZH[of]}"
    if rule is None:
        en = f"{kind}, {level}: no rule; nothing is proposed for {rows.height:,} {of} ({group['warning']})."
        return Both(f"{zh}没有对应规则，不作建议。", en)
    share = rule.site_capacity_share if of == "sites" else rule.leg_capacity_share
    hours = rule.site_extra_h if of == "sites" else rule.leg_extra_h
    if share >= 1.0 and hours <= 0.0:
        en = f"{kind}, {level}: by its rule nothing is slowed for {rows.height:,} {of} ({group['warning']})."
        return Both(f"{zh}按规则不受限制。", en)
    begins, ends = group["from"], group["until"]
    assert isinstance(begins, datetime)
    assert isinstance(ends, datetime)
    ways = () if of == "sites" else tuple(dict.fromkeys(rows.select("from_site", "to_site").iter_rows()))
    return Outage(
        label=f"{group['event']} {level_zh(level)} {level} {OF_ZH[of]} {of} ({group['warning']})",
        sites=tuple(dict.fromkeys(rows["site_id"])) if of == "sites" else (),
        legs=ways,
        start=begins.astimezone(zone),
        end=ends.astimezone(zone),
        capacity_share=share,
        extra_h=hours,
    )


def level_zh(level: str) -> str:
    """Return a level in Chinese.

    Parameters
    ----------
    level : str
        A colour, ``unknown``, ``force-10``.

    Examples
    --------
    >>> level_zh("red"), level_zh("force-10")
    ('红色', '10 级风圈')
    """
    if level.startswith("force-"):
        return f"{level.removeprefix('force-')} 级风圈"
    return COLOURS_ZH.get(level, "级别未知")
