"""What factors, inputs and levels of the network are called: codes in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from changtong.footprint.factors import Factors
from changtong.wording import Both

MODES = {
    "road": Both("公路", "road"),
    "rail": Both("铁路", "rail"),
    "air": Both("航空", "air"),
    "ship": Both("水运", "ship"),
    "walk": Both("步行", "on foot"),
}
KINDS = {
    "exchange": Both("互换局", "exchange"),
    "transfer": Both("转运中心", "transfer centre"),
    "sorting": Both("分拣中心", "sorting centre"),
    "county": Both("县级站点", "county site"),
    "township": Both("乡镇站点", "township station"),
    "village": Both("村级站点", "village station"),
    "outlet": Both("网点", "outlet"),
    "customer": Both("客户", "customer"),
}
"""Kinds of sites, the highest level of the network first."""

BASES = {
    "shortest_feasible": Both("最短可行距离", "shortest feasible distance"),
    "great_circle": Both("大圆距离", "great circle"),
}
UNITS = {
    "kgco2e/t": Both("（直接给出的排放）", ", emissions as given"),
    "kwh/t": Both("（用电）", ", electricity"),
}
RUNNING = {
    "laden": Both("重载行驶（空驶单独计算的因子）", "laden kilometres, where empty ones are apart"),
    "empty": Both("空驶", "empty kilometres"),
    "included": Both("因子已含空驶，占多少未说明", "empty ones in the factor, how many not told"),
    "not_stated": Both("因子来源未说明是否含空驶", "source does not state whether empty ones are in"),
}
WORDS = {
    "all": Both("全部", "all"),
    "hubs": Both("场地作业", "hubs"),
    "transport": Both("运输", "transport"),
    "total": Both("合计", "total"),
    "weight": Both("件重", "weight of a piece"),
    "vehicle by size": Both("按装载量选的车型", "vehicle by size"),
    "electricity": Both("电力排放因子", "factor of electricity"),
}
ALL_CLASSES = "all"


@dataclass(frozen=True)
class Names:
    """Words of one set of factors.

    Attributes
    ----------
    factors : mapping of str to Both
        Of transport operation categories; one without names of its own keeps its code.
    """

    factors: Mapping[str, Both]

    def factor(self, code: str) -> Both:
        """Return a transport operation category."""
        return self.factors.get(code, Both(code, code))

    def group(self, name: str, factor: str) -> Both:
        """Return a part of the total: a factor with its distance, or a kind of hub.

        Examples
        --------
        >>> Names({}).group("hub:transfer:kwh/t", "").en
        'transfer centre, electricity'
        >>> Names({"truck": Both("货车", "lorry")}).group("truck (great_circle)", "truck").zh
        '货车（大圆距离）'
        """
        if not factor:
            kind, unit = name.removeprefix("hub:").split(":")
            return KINDS[kind] + UNITS[unit]
        basis = BASES[name[len(factor) + 2 : -1]]
        called = self.factor(factor)
        return Both(f"{called.zh}（{basis.zh}）", f"{called.en} ({basis.en})")

    def level(self, name: str) -> Both:
        """Return a level of the network: a kind of site, or two with a hyphen that legs join.

        Examples
        --------
        >>> Names({}).level("transfer-county").en
        'transfer centre – county site'
        """
        some = [KINDS.get(kind, Both(kind, kind)) for kind in name.split("-")]
        return Both(" – ".join(one.zh for one in some), " – ".join(one.en for one in some))

    def input(self, name: str) -> Both:
        """Return an uncertain input.

        Examples
        --------
        >>> [Names({}).input(name).en for name in ("distance road great_circle", "hub county kwh/t")]
        ['great circle by road', 'county site, electricity']
        """
        if name in WORDS:
            return WORDS[name]
        of, _, rest = name.partition(" ")
        if of == "factor":
            return self.factor(rest)
        if of == "energy":
            return WORDS.get(rest, Both(rest, rest))
        if of == "weight":
            return WORDS["weight"] if rest == ALL_CLASSES else Both(f"件重（{rest}）", f"weight ({rest})")
        one, _, other = rest.partition(" ")
        if of == "hub":
            return KINDS[one] + UNITS[other]
        mode, basis = MODES[one], BASES[other]
        return Both(f"{mode.zh}{basis.zh}", f"{basis.en} by {mode.en}")


def names_of(factors: Factors) -> Names:
    """Return the words of factors; a category whose table names it in one language only has that in both."""
    rows = factors.transport.select("factor", "name_zh", "name_en").iter_rows()
    return Names({code: Both(zh or en or code, en or zh or code) for code, zh, en in rows})
