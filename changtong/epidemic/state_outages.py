"""Site states, passes, staff and settling at an instant, as outages the planner takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.epidemic_folder import Epidemic, check_sites
from changtong.epidemic.gates import Gate, counted_passes, gate_table, gates_at, together
from changtong.epidemic.settling_rules import hours_at, international_sites, no_rule
from changtong.epidemic.staff import staff_at
from changtong.epidemic.state_book import Spell
from changtong.errors import InputError
from changtong.network.model import Network
from changtong.outages import Outage, check_outage
from changtong.wording import Both


@dataclass(frozen=True)
class StateOutages:
    """Outages made of site states, and what they rest on.

    Attributes
    ----------
    at : datetime
    outages : tuple of Outage
    gates : tuple of Gate
        Controlled areas and sites entered with passes, each and those that share passes together.
    notes : tuple of Both
        What had to be assumed or left out.
    """

    at: datetime
    outages: tuple[Outage, ...]
    gates: tuple[Gate, ...]
    notes: tuple[Both, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "at": self.at.isoformat(),
            "outages": [
                {
                    "label": one.label, "sites": list(one.sites), "capacity_share": one.share_left,
                    "extra_h": one.extra_h, "passes_per_day": one.passes_per_day,
                    "pieces_per_pass": None if one.passes_per_day is None else one.pieces_per_pass,
                    "start": None if one.start is None else one.start.isoformat(),
                    "end": None if one.end is None else one.end.isoformat(),
                }
                for one in self.outages
            ],
            "gates": gate_table(self.gates).to_dicts(),
            "notes": [note.en for note in self.notes],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{len(self.outages)} outages from site states at {self.at.isoformat()}"]
        for one in self.outages:
            how = [] if one.capacity_share is None else [f"capacity {one.share_left:.0%}"]
            how += [f"+{one.extra_h:g} h"] if one.extra_h else []
            if one.passes_per_day is not None:
                how.append(f"{one.passes_per_day} passes a day × {one.pieces_per_pass:,.0f} pieces")
            lines.append(f"  {one.label}: {', '.join(how)}")
        return "\n".join([*lines, *(f"  note: {note.en}" for note in self.notes)])


def state_outages(epidemic: Epidemic, network: Network, at: datetime) -> StateOutages:
    """Return what site states, controlled areas and settling do to a network at an instant.

    Parameters
    ----------
    epidemic : Epidemic
    network : Network
    at : datetime

    Raises
    ------
    InputError
        ``unknown-site`` and what else makes an outage that cannot be planned.
    """
    check_sites(epidemic, network)
    notes: list[Both] = []
    outages = _of_states(epidemic, at, notes)
    gates: tuple[Gate, ...] = ()
    if epidemic.has_passes:
        valid = counted_passes(epidemic.passes, epidemic.firms, at, epidemic.settings)
        gates = gates_at(network, epidemic.book, epidemic.areas, valid, at)
        outages += _of_gates(gates, valid, epidemic, at, notes)
        gates += together(gates, valid)
    elif gates_at(network, epidemic.book, epidemic.areas, epidemic.passes, at):
        en = "no passes are known: entry with passes only is left out, vehicles enter freely"
        notes.append(Both("没有通行证数据：凭证进入的限制未计，车辆视为自由进入", en))
    outages += _of_settling(epidemic, network, at, notes)
    problems = [problem for one in outages for problem in check_outage(network, one)]
    if problems:
        raise InputError(problems)
    zone = ZoneInfo(epidemic.settings.zone)
    shown = (replace(one, start=_in(zone, one.start), end=_in(zone, one.end)) for one in outages)
    return StateOutages(at, tuple(shown), gates, tuple(notes))


def _in(zone: ZoneInfo, at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(zone)


def _next(instants: Sequence[datetime | None], at: datetime) -> datetime | None:
    return min((one for one in instants if one is not None and one > at), default=None)


def _last(instants: Sequence[datetime | None], at: datetime) -> datetime | None:
    return max((one for one in instants if one is not None and one <= at), default=None)


def _effect(spell: Spell, epidemic: Epidemic, shares: dict[str, float]) -> tuple[float, float, bool]:
    """Return capacity share, hours, and whether the share comes from the staff who may work."""
    kind = epidemic.book.kinds.kinds[spell.state]
    hours = kind.extra_h if spell.extra_h is None else spell.extra_h
    if spell.capacity_share is not None:
        return spell.capacity_share, hours, False
    if kind.capacity_from == "staff" and spell.site_id in shares:
        return shares[spell.site_id], hours, True
    return kind.capacity_share, hours, False


def _of_states(epidemic: Epidemic, at: datetime, notes: list[Both]) -> list[Outage]:
    """Return an outage for each kind of effect and span: sites alike stand together."""
    told = staff_at(epidemic.staff, epidemic.sites, at).filter(pl.col("share").is_not_null())
    shares: dict[str, float] = dict(told.select("site_id", "share").iter_rows()) if epidemic.has_staff else {}
    turns = _turns(epidemic.staff)
    alike: dict[tuple[Any, ...], list[str]] = {}
    for site, spell in epidemic.book.at(at).items():
        share, hours, by_staff = _effect(spell, epidemic, shares)
        if share >= 1.0 and hours <= 0.0:
            continue
        begin, end = spell.begin, spell.end
        if by_staff:
            begin, end = _last([begin, *turns], at) or begin, _next([end, *turns], at)
            zh = f"{site}：按可上岗人数计，能力为 {share:.0%}"
            notes.append(Both(zh, f"{site}: {share:.0%} of its capacity, from the staff who may work"))
        alike.setdefault((spell.state, share, hours, begin, end), []).append(site)
    made = []
    for (state, share, hours, begin, end), sites in sorted(alike.items(), key=lambda entry: entry[1]):
        kind = epidemic.book.kinds.kinds[state]
        label = f"{kind.zh} {kind.en}: {_listed(sites)}"
        made.append(Outage(label, tuple(sites), start=begin, end=end, capacity_share=share, extra_h=hours))
    return made


def _turns(frame: pl.DataFrame) -> list[datetime]:
    """Return the instants at which what is valid changes."""
    columns = ("valid_from", "valid_until", "revoked_at")
    return sorted({at for name in columns for at in frame[name].drop_nulls().to_list()})


def _of_gates(
    gates: tuple[Gate, ...], valid: pl.DataFrame, epidemic: Epidemic, at: datetime, notes: list[Both]
) -> list[Outage]:
    turns = _turns(epidemic.passes)
    if epidemic.settings.passes_need_listed_firm:
        turns = sorted({*turns, *_turns(epidemic.firms)})
    made = []
    for gate in (*gates, *together(gates, valid)):
        if not gate.sites:
            zh = f"{gate.gate_id}：区内没有网络中的场所"
            notes.append(Both(zh, f"{gate.gate_id}: no site of the network lies in it"))
            continue
        if not gate.passes:
            zh = f"{gate.gate_id}：没有有效通行证，车辆不能进入"
            notes.append(Both(zh, f"{gate.gate_id}: no pass is valid for it; no vehicle may enter"))
        made.append(
            Outage(
                label=f"通行证 passes: {gate.name}",
                sites=tuple(sorted(gate.sites)),
                start=_last([gate.begin, *turns], at),
                end=_next([gate.end, *turns], at),
                passes_per_day=gate.trips_per_day,
                pieces_per_pass=gate.pieces_per_pass,
            )
        )
    limited = valid.filter(pl.col("goods").is_not_null()).height
    if limited:
        en = f"{limited} of the valid passes are for certain goods only: the planner counts them for all"
        notes.append(Both(f"有效通行证中 {limited} 张限定货类，规划按全部货类计", en))
    return made


def _of_settling(epidemic: Epidemic, network: Network, at: datetime, notes: list[Both]) -> list[Outage]:
    if not epidemic.has_settling_rules:
        if epidemic.sites.filter(pl.col("international").fill_null(False)).height:
            en = "there is no settling_rules.csv: settling hours are set locally, none are counted"
            notes.append(Both("没有 settling_rules.csv：静置时长由各地规定，未计入", en))
        return []
    alike: dict[tuple[Any, ...], list[str]] = {}
    for site, code in international_sites(epidemic.sites, network).items():
        rule = hours_at(epidemic.settling_rules, site, code, at)
        if rule is None:
            notes.append(no_rule(site))
        elif rule.bag_h + rule.item_h > 0.0:
            key = (rule.bag_h, rule.item_h, rule.begin, rule.end)
            alike.setdefault(key, []).append(site)
    return [
        Outage(
            label=f"静置 settling {bag:g}+{item:g} h: {_listed(sites)}",
            sites=tuple(sites),
            start=begin,
            end=end,
            extra_h=bag + item,
        )
        for (bag, item, begin, end), sites in sorted(alike.items(), key=lambda entry: entry[1])
    ]


def _listed(sites: Sequence[str]) -> str:
    return ", ".join(sites[:3]) + (f" +{len(sites) - 3}" if len(sites) > 3 else "")
