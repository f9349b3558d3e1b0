"""The reason for an alert in words, Chinese and English."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from changtong.events.alerts.life import Words

RULE_NAMES = {
    "site-silent": Words("场地停摆", "site silent"),
    "hour-silent": Words("场地无扫描", "no scans at a site"),
    "network-low": Words("全网下降", "whole network low"),
    "feed-silent": Words("数据中断", "no data"),
    "leg-collapse": Words("线路业务量骤降", "leg collapsed"),
    "backlog-rising": Words("积压上升", "backlog rising"),
    "dwell-high": Words("停留时间异常", "dwell out of its normal"),
    "late-high": Words("延误率异常", "lateness out of its normal"),
    "drift-scans": Words("业务量持续下滑", "volume drifting down"),
    "drift-backlog": Words("积压持续上升", "backlog drifting up"),
    "drift-dwell": Words("停留时间持续变长", "dwell drifting up"),
    "drift-late": Words("延误率持续上升", "lateness drifting up"),
}
"""Every rule there is."""


def day_words(at_ms: int, zone: str) -> str:
    """Return the local date."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d")


def hour_words(at_ms: int, zone: str) -> str:
    """Return the local date and hour."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def share_words(value: float, expected: float) -> str:
    """Return a share in per cent."""
    share = 100.0 * value / expected if expected > 0 else 0.0
    return f"{share:.1f} %" if share < 9.95 else f"{share:.0f} %"


def silent(
    site: str, when: str, value: float, expected: float, level: float, factor: float, unit: str
) -> Words:
    """A site far below its own normal."""
    zh_unit, en_unit = {"pieces": ("件", "pieces"), "scans": ("次扫描", "scans")}[unit]
    share = share_words(value, expected)
    return Words(
        f"{site} {when} 仅 {value:,.0f} {zh_unit}，为正常值 {expected:,.0f} 的 {share}"
        f"（本场地近 28 天同星期水平 {level:,.0f}，其他场地当日为其水平的 {factor:.2f} 倍）。",
        f"{site} had {value:,.0f} {en_unit} on {when}, {share} of the {expected:,.0f} that are normal "
        f"(own level of this weekday over 28 days {level:,.0f}; the other sites were at {factor:.2f} of "
        "theirs).",
    )


def network(when: str, factor: float, marked: bool) -> Words:
    """The whole network low."""
    zh_mark, en_mark = (
        ("该日为节假日或促销日。", " The day is a holiday or promotion.") if marked else ("", "")
    )
    return Words(
        f"{when} 多数场地业务量仅为各自水平的 {factor:.2f} 倍：全网下降，并非个别场地停摆。{zh_mark}",
        f"On {when} sites were at {factor:.2f} of their own levels in the median: the whole network, "
        f"not one site.{en_mark}",
    )


def leg(
    ends: tuple[str, ...], when: str, value: float, expected: float, out: float, out_expected: float
) -> Words:
    """A leg far below its own normal, and whether its origin sends the pieces another way."""
    a, b = ends
    if not out_expected > 0:
        return Words(
            f"{a} 至 {b} {when} 仅 {value:,.0f} 件，正常约 {expected:,.0f} 件。",
            f"{a} to {b} carried {value:,.0f} pieces on {when} instead of about {expected:,.0f}.",
        )
    kept = share_words(out, out_expected)
    return Words(
        f"{a} 至 {b} {when} 仅 {value:,.0f} 件，正常约 {expected:,.0f} 件；"
        f"{a} 当日全部发出量为正常的 {kept}。",
        f"{a} to {b} carried {value:,.0f} pieces on {when} instead of about {expected:,.0f}; "
        f"{a} sent {kept} of all it normally sends.",
    )


def hours(site: str, when: str, run_h: int, missed: float, longest: float) -> Words:
    """A site without scans for hours in which it should scan."""
    return Words(
        f"{site} 截至 {when} 已连续 {run_h} 小时无扫描，按其同时段水平应有约 {missed:,.0f} 次；"
        f"近四周平常停顿至多缺 {longest:,.0f} 次。",
        f"{site} has had no scan for {run_h} hours up to {when}; about {missed:,.0f} are normal in these "
        f"hours. Usual pauses of the last four weeks missed up to {longest:,.0f}.",
    )


def feed(when: str, silent_sites: int, sites: int) -> Words:
    """Most sites silent at once."""
    return Words(
        f"{when} 应有扫描的 {sites} 个场地中有 {silent_sites} 个无数据：数据可能迟到，暂不逐一判定场地停摆。",
        f"At {when} {silent_sites} of {sites} sites that should be scanning had no data: the data may be "
        "late; no site is called silent for it.",
    )


def high(what: str, site: str, when: str, value: float, normal: float, distance: float, more: float) -> Words:
    """A measure above its own normal: ``backlog``, ``dwell`` or ``late``."""
    if what == "backlog":
        known = more == more  # NaN where what the site handles in a day is not known
        zh_work = f"，高出部分相当于 {more:.1f} 天的处理量" if known else ""
        en_work = f", {more:.1f} days of work above it" if known else ""
        return Words(
            f"{site} {when} 积压 {value:,.0f} 件，正常约 {normal:,.0f} 件，连续上升{zh_work}"
            f"（偏离 {distance:.1f} 个稳健标准差）。",
            f"{site} had a rising backlog of {value:,.0f} at {when}, about {normal:,.0f} being normal"
            f"{en_work} ({distance:.1f} robust deviations).",
        )
    if what == "dwell":
        return Words(
            f"{site} {when} 停留时间中位数 {value:.1f} 小时，正常约 {normal:.1f} 小时"
            f"（偏离 {distance:.1f} 个稳健标准差）。",
            f"{site} had a median dwell of {value:.1f} h at {when}, about {normal:.1f} h being normal "
            f"({distance:.1f} robust deviations).",
        )
    return Words(
        f"{site} {when} 延误率 {value:.1%}，正常约 {normal:.1%}（偏离 {distance:.1f} 个稳健标准差）。",
        f"{site} had {value:.1%} of items late at {when}, about {normal:.1%} being normal "
        f"({distance:.1f} robust deviations).",
    )


def drift(rule: str, site: str, when: str, first: float, last: float, change: float, score: int) -> Words:
    """A trend over eight weeks."""
    name = RULE_NAMES[rule]
    return Words(
        f"{site} {name.zh}：截至 {when} 的八周，周中位数由 {first:,.3g} 变为 {last:,.3g}，"
        f"趋势 {change:+.0%}（Mann-Kendall S = {score}）。",
        f"{site}, {name.en}: over the eight weeks before {when} weekly medians went from {first:,.3g} to "
        f"{last:,.3g}, a trend of {change:+.0%} (Mann-Kendall S = {score}).",
    )
