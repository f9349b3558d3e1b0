"""The statement of method that goes with every figure, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changtong.footprint.names import Names

ALLOCATION = {
    "tonne_km": ("按吨公里分摊：每件按自身重量计", "by tonne-kilometre: a piece answers for its own weight"),
    "piece": (
        "按件分摊：同一路段、同一场地各件相等",
        "by piece: all pieces on a leg or in a hub count alike",
    ),
}
DISTANCE = {
    "shortest_feasible": (
        "最短可行距离（路段表 distance_km），缺失时用大圆距离",
        "shortest feasible distance (distance_km of legs), else the great circle",
    ),
    "great_circle": (
        "大圆距离，缺少坐标时用最短可行距离",
        "great circle, without coordinates the shortest feasible distance",
    ),
}


def statement(facts: Mapping[str, Any], names: Names) -> dict[str, str]:
    """Return the statement of method, ``zh`` and ``en``.

    Parameters
    ----------
    facts : mapping
        As of :meth:`changtong.footprint.result.Footprint.summary`.
    names : Names
        What factors and inputs are called.
    """
    return {"zh": _zh(facts, names), "en": _en(facts, names)}


def _zh(f: Mapping[str, Any], names: Names) -> str:
    unknown = "、".join(names.input(one).zh for one in f["inputs_without_interval"]) or "无"
    assumed = "、".join(names.input(one).zh for one in f["assumed_inputs"]) or "无"
    unsaid = "、".join(names.factor(one).zh for one in f["empty_running_not_stated"]) or "无"
    own = "、".join(f["own_tables"]) or "无"
    lines = [
        f"方法声明：{f['name']}",
        "1. 计算框架为 ISO 14083:2023：运输链由运输链要素组成，每段路是运输要素，每个场地是枢纽要素，"
        "排放为各要素之和。结果未经第三方核证。",
        "2. 范围为从油井到车轮（WTW）= 从油井到油箱（WTT）+ 从油箱到车轮（TTW），单位千克二氧化碳当量/天；"
        "不含包装材料、车辆与场地的建造、揽收前和投递后的行程。",
        f"3. 距离：{DISTANCE[f['distance']][0]}；行驶距离 = 距离 × 距离调整系数 + 附加公里。",
        f"4. 分摊：{ALLOCATION[f['allocation']][0]}。",
        "5. 空驶：因子注明含空驶的不再加；注明不含的乘以 1 + 空驶公里占比 /（1 − 占比）× 空载与重载排放之比；"
        f"未注明的不加（本次用到：{unsaid}）。",
        f"6. 枢纽：{f['hubs_known']:,} 个场地有因子，{f['hubs_unknown']:,} 个没有；"
        "没有因子的不计入，合计因此偏低。",
        f"7. 未计入：{f['pieces_on_unknown_legs']:,.0f} 件次所经路段没有距离或因子；"
        f"{f['lost_pieces']:,.0f} 件没有路由，{f['held_pieces']:,.0f} 件滞留原地。",
        "8. 区间：各因子的低值与高值，一阶传播；同一输入内同向变动，不同输入相互独立，平方和开方，上下分开。"
        f"没有区间、按无误差处理的输入：{unknown}。",
        f"9. 假设的输入：{assumed}。",
        f"10. 因子表版本 {f['factors_version']}（SHA-256 {f['factors_digest'][:16]}），"
        f"使用者自有的表：{own}；每行的来源与年份见 factors 文件夹。",
    ]
    return "\n".join(lines) + "\n"


def _en(f: Mapping[str, Any], names: Names) -> str:
    unknown = "; ".join(names.input(one).en for one in f["inputs_without_interval"]) or "none"
    assumed = "; ".join(names.input(one).en for one in f["assumed_inputs"]) or "none"
    unsaid = "; ".join(names.factor(one).en for one in f["empty_running_not_stated"]) or "none"
    own = ", ".join(f["own_tables"]) or "none"
    lines = [
        f"Statement of method: {f['name']}",
        "1. Framework: ISO 14083:2023. A transport chain is made of transport chain elements: every leg is"
        " a transport element, every site a hub element; emissions are their sum. Not verified.",
        "2. Scope: well to wheel (WTW) = well to tank (WTT) + tank to wheel (TTW), kg CO2e a day; without"
        " packaging, the building of vehicles and sites, trips before acceptance and after delivery.",
        f"3. Distance: {DISTANCE[f['distance']][1]}; "
        "distance travelled = distance x distance adjustment factor + kilometres added.",
        f"4. Load rule: {ALLOCATION[f['allocation']][1]}.",
        "5. Empty running: nothing is added where a factor includes it; where it is excluded, times"
        " 1 + empty share / (1 - share) x emissions of an empty over a laden kilometre; nothing where the"
        f" source does not state it (used here: {unsaid}).",
        f"6. Hubs: {f['hubs_known']:,} sites have a factor, {f['hubs_unknown']:,} have none and are not"
        " counted: the total is too low by these.",
        f"7. Not counted: {f['pieces_on_unknown_legs']:,.0f} times that a piece passes a leg without distance"
        f" or factor; {f['lost_pieces']:,.0f} pieces have no way, {f['held_pieces']:,.0f} wait.",
        "8. Intervals: low and high of the inputs, propagated to first order; within one input all moves"
        " together, inputs are independent (root of the sum of squares), down and up apart."
        f" Inputs without an interval, taken as exact: {unknown}.",
        f"9. Assumed inputs: {assumed}.",
        f"10. Factor tables {f['factors_version']} (SHA-256 {f['factors_digest'][:16]}), the user's own:"
        f" {own}; source and year of every row in the folder factors.",
    ]
    return "\n".join(lines) + "\n"
