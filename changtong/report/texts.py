"""The wording of the report, in Chinese and English, and how numbers are said in each.

All sentences are in ``texts.toml`` and files named like it, one entry per key with both
languages. A value that differs by language is a :class:`Both`; in a page both are written and the
reader's language is shown.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from changtong.wording import LANGUAGES as LANGUAGES
from changtong.wording import Both as Both
from changtong.wording import Language as Language

TEXT_FILES = (
    "texts.toml",
    "simulation_texts.toml",
    "stress_texts.toml",
    "forecast_texts.toml",
    "daily_texts.toml",
    "county_texts.toml",
    "inspection_texts.toml",
    "versions_texts.toml",
    "assessment_texts.toml",
    "outlets_texts.toml",
    "case_texts.toml",
    "warnings_texts.toml",
    "data_request_texts.toml",
    "epidemic_texts.toml",
    "workforce_texts.toml",
    "frontier_texts.toml",
    "carbon_texts.toml",
    "duty_texts.toml",
    "relief_texts.toml",
    "ticket_texts.toml",
)


@cache
def read_texts() -> dict[str, Both]:
    """Read the files of wording as flat keys (``section.key``)."""
    texts: dict[str, Both] = {}
    for name in TEXT_FILES:
        raw = resources.files("changtong.report").joinpath(name).read_text(encoding="utf-8")
        for section, entries in tomllib.loads(raw).items():
            for key, entry in entries.items():
                texts[f"{section}.{key}"] = Both(zh=entry["zh"], en=entry["en"])
    return texts


def has_text(key: str) -> bool:
    """Say whether there is a wording for a key."""
    return key in read_texts()


def text(key: str, **values: Both | str | int) -> Both:
    """Return a wording with its ``{places}`` filled, each in its own language."""
    template = read_texts()[key]
    if not values:
        return template
    zh = {name: value.zh if isinstance(value, Both) else str(value) for name, value in values.items()}
    en = {name: value.en if isinstance(value, Both) else str(value) for name, value in values.items()}
    return Both(zh=template.zh.format(**zh), en=template.en.format(**en))


def named(section: str, code: str) -> Both:
    """Return the wording of a code, or the code itself where none is known."""
    key = f"{section}.{code}"
    return text(key) if has_text(key) else same(code)


def same(value: object) -> Both:
    """Return a text that is the same in both languages (names, ids, numbers)."""
    return Both(str(value), str(value))


def joined(parts: list[Both]) -> Both:
    """List things: with the Chinese enumeration comma, and with commas in English."""
    return Both(zh="、".join(part.zh for part in parts), en=", ".join(part.en for part in parts))


def sentences(parts: list[Both]) -> Both:
    """Put sentences one after the other."""
    return Both(zh="".join(part.zh for part in parts), en=" ".join(part.en for part in parts))


def whole(value: float | None) -> str:
    """Say a number as a whole one with thousands separators; a dash where unknown."""
    if value is None or value != value:
        return "–"
    if 0 < abs(value) < 10 and abs(value - round(value)) > 0.05:
        return f"{value:,.1f}"
    return "0" if round(value) == 0 else f"{value:,.0f}"


def signed(value: float | None) -> str:
    """Say a difference with its sign."""
    if value is None or value != value:
        return "–"
    said = whole(abs(value))
    if said == "0":
        return "0"
    return f"+{said}" if value > 0 else f"−{said}"


def percent(share: float | None, digits: int | None = None) -> str:
    """Say a share as a percentage; small ones keep two significant digits."""
    if share is None or share != share:
        return "–"
    value = share * 100
    if digits is None:
        size = abs(value)
        if size < 5e-5:  # less than the digits can show
            value = size = 0.0
        digits = 0 if size >= 99.95 or size == 0 else 1 if size >= 1 else 2 if size >= 0.01 else 4
    return f"{value:,.{digits}f} %"


def rough(value: float) -> Both:
    """Say a large number the way people do: 万 and 亿, thousands separators and million.

    The Chinese form ends so that a unit can follow: ``850 `` and ``25.1 万``.
    """
    size = abs(value)
    if size >= 1e8:
        zh = f"{value / 1e8:,.2f} 亿"
    elif size >= 1e4:
        zh = f"{value / 1e4:,.{1 if size >= 1e5 else 2}f} 万"
    else:
        zh = f"{whole(value)} "
    en = f"{value / 1e6:,.2f} million" if size >= 1e6 else whole(value)
    return Both(zh=zh, en=en)


def money(value: float) -> Both:
    """Say an amount of CNY."""
    said = rough(value)
    return Both(zh=f"{said.zh}元", en=f"CNY {said.en}")
