"""Why an outlet has lost points, in words of both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from changtong.outlets.components import Standing
from changtong.outlets.hazard_model import HazardModel
from changtong.outlets.index_rules import IndexRules

MOST_REASONS = 3
LEAST_POINTS = 0.5
LEAST_TOLD = 0.05
SMALL_OWN_SHARE = 0.5


def _change(value: float) -> str:
    """Say a change in per cent with its sign; one that rounds to nothing has none."""
    said = f"{value * 100:+.0f} %"
    return "0 %" if said in ("+0 %", "-0 %") else said.replace("-", "−")


FORMS: dict[str, Callable[[float], str]] = {
    "share": lambda value: f"{value * 100:.1f} %",
    "days": lambda value: f"{value:.2f}",
    "per_10000": lambda value: f"{value * 1e4:.1f}",
    "change": _change,
    "cny_per_piece": lambda value: f"{value:.2f}",
}
UNITS = {
    "share": ("", ""),
    "days": ("天", " days"),
    "per_10000": ("/万件", " per 10,000 pieces"),
    "change": ("", ""),
    "cny_per_piece": ("元/件", " CNY a piece"),
}


def say_reasons(
    standings: Sequence[Standing], lost: NDArray[np.float64], month: int, rules: IndexRules
) -> tuple[list[str], list[str]]:
    """Return the reasons of each outlet in a month, Chinese and English.

    Parameters
    ----------
    standings : sequence of Standing
    lost : array
        Components x outlets.
    month : int
    rules : IndexRules

    Notes
    -----
    The components that took most points, at most three, with the value, what is usual for the outlet and
    the middle of its like; then what is not known, with what it was charged.
    """
    zh: list[str] = []
    en: list[str] = []
    order = np.argsort(-np.nan_to_num(lost, nan=-1.0), axis=0, kind="stable")
    for row in range(lost.shape[1]):
        said: list[tuple[str, str]] = []
        told = 0.0
        for place in order[:MOST_REASONS, row]:
            if lost[place, row] >= LEAST_POINTS:
                said.append(_reason(standings[place], row, month, float(lost[place, row])))
                told += float(lost[place, row])
        rest = float(np.nansum(lost[:, row])) - told
        if rest >= LEAST_TOLD:
            said.append((f"其余 −{rest:.1f} 分", f"others: −{rest:.1f} points"))
        unknown = [s.component for s, n in zip(standings, lost[:, row], strict=True) if not np.isfinite(n)]
        unknown = [one for one in unknown if one.weight > 0]
        weight = sum(one.weight for one in unknown)
        if weight > 0:
            charge = weight * rules.scaling.missing_charge
            names = "、".join(one.zh for one in unknown), ", ".join(one.en for one in unknown)
            said.append(
                (
                    f"{names[0]}无资料，计 −{charge:.1f} 分",
                    f"nothing known of {names[1]}: −{charge:.1f} points",
                )
            )
        zh.append("；".join(part[0] for part in said))
        en.append("; ".join(part[1] for part in said))
    return zh, en


def _reason(standing: Standing, row: int, month: int, points: float) -> tuple[str, str]:
    one = standing.component
    form, unit = FORMS[one.unit], UNITS[one.unit]
    value = form(float(standing.value[row, month]))
    usual, peers = float(standing.usual[row, month]), float(standing.peers[row, month])
    beside_zh = [f"平时 {form(usual)}"] if usual == usual else []
    beside_en = [f"usually {form(usual)}"] if usual == usual else []
    if peers == peers:
        beside_zh.append(f"同规模 {form(peers)}")
        beside_en.append(f"outlets like it {form(peers)}")
    if standing.own_share[row, month] < SMALL_OWN_SHARE:
        beside_zh.append("数量少，已向同规模靠拢")
        beside_en.append("few counted, drawn to its like")
    zh = f"{one.zh} {value}{unit[0]}" + (f"（{'，'.join(beside_zh)}）" if beside_zh else "")
    en = f"{one.en} {value}{unit[1]}" + (f" ({', '.join(beside_en)})" if beside_en else "")
    return f"{zh} −{points:.1f} 分", f"{en}: −{points:.1f} points"


OTHER_FEATURES = {
    "points_lost": ("失分多", "many points lost", "失分少", "few points lost"),
    "log_points": ("有失分", "points lost", "失分少", "few points lost"),
    "log_size": ("件量大", "many pieces", "件量小", "few pieces"),
    "index_fall": ("指数下滑", "the index has fallen", "指数未下滑", "the index has not fallen"),
    "young": ("开办不久", "seen for a short time only", "", ""),
}
LEAST_LOG_ODDS = 0.2
POINTS_FEATURES = ("points_lost", "log_points")


def say_contributions(
    model: HazardModel,
    features: NDArray[np.float64],
    standings: Sequence[Standing],
    lost: NDArray[np.float64],
    missing_charge: float,
) -> tuple[list[str], list[str]]:
    """Return what makes a stop likelier for each row, with the factor on the odds, Chinese and English.

    Parameters
    ----------
    model : HazardModel
    features : array
        Rows x features.
    standings : sequence of Standing
        For the names of the components.
    lost : array
        Points lost: components x rows.
    missing_charge : float
        Share of a component's points charged where nothing is known.

    Notes
    -----
    What the points lost add together is told by component, in proportion to the points of each.
    """
    names = {one.component.id: (one.component.zh, one.component.en) for one in standings}
    adds = _by_component(model, features, standings, lost, missing_charge)
    z = model.standardised(features)
    order = np.argsort(-adds, axis=1, kind="stable")[:, :MOST_REASONS]
    zh: list[str] = []
    en: list[str] = []
    for row in range(len(features)):
        parts = []
        for place in order[row]:
            if adds[row, place] < LEAST_LOG_ODDS:
                break
            said = _feature(model.features[place], bool(z[row, place] > 0), names)
            factor = float(np.exp(min(adds[row, place], 20.0)))
            parts.append((f"{said[0]} ×{factor:.1f}", f"{said[1]} ×{factor:.1f}"))
        zh.append("；".join(part[0] for part in parts))
        en.append("; ".join(part[1] for part in parts))
    return zh, en


def _by_component(
    model: HazardModel,
    features: NDArray[np.float64],
    standings: Sequence[Standing],
    lost: NDArray[np.float64],
    missing_charge: float,
) -> NDArray[np.float64]:
    adds, place = model.contributions(features), {name: k for k, name in enumerate(model.features)}
    points = {
        f"{mark}_{one.component.id}": row
        for one, known in zip(standings, lost, strict=True)
        for mark, row in (
            ("worse", np.nan_to_num(known)),
            ("unknown", np.where(np.isfinite(known), 0.0, missing_charge * one.component.weight)),
        )
        if f"{mark}_{one.component.id}" in place
    }
    total = np.sum(list(points.values()), axis=0)
    shared = [place[name] for name in POINTS_FEATURES]
    together = np.where(total > 0, adds[:, shared].sum(axis=1), 0.0)
    adds[:, shared] = np.where((total > 0)[:, None], 0.0, adds[:, shared])
    for name, row in points.items():
        adds[:, place[name]] += together * row / np.maximum(total, 1e-12)
    return adds


def _feature(name: str, above: bool, names: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    if name in OTHER_FEATURES:
        said = OTHER_FEATURES[name]
        return (said[0], said[1]) if above else (said[2] or said[0], said[3] or f"not: {said[1]}")
    kind, _, component = name.partition("_")
    zh, en = names[component]
    if kind == "unknown":
        return (f"{zh}无资料", f"nothing known of {en}") if above else (f"{zh}有资料", f"{en} is known")
    return (f"{zh}偏重", f"more {en}") if above else (f"{zh}偏轻", f"less {en}")
