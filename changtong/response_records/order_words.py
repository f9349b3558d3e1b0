"""Orders in words, in Chinese and English: one sentence each.

What actions and reasons are called is read from the wording of the reports, without the reports themselves:
whoever serves orders needs no charts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from changtong.wording import Both

TEXT_FILES = (("report", "texts.toml"), ("response_records", "issued_texts.toml"))
SECTIONS = ("action", "note", "issued")

Row = Mapping[str, Any]


@cache
def _texts() -> dict[str, Both]:
    found: dict[str, Both] = {}
    for place in TEXT_FILES:
        sections = tomllib.loads(resources.files("changtong").joinpath(*place).read_text("utf-8"))
        for section in SECTIONS:
            for key, entry in sections.get(section, {}).items():
                found[f"{section}.{key}"] = Both(entry["zh"], entry["en"])
    return found


def _text(key: str, **values: str) -> Both:
    template = _texts()[key]
    return Both(template.zh.format(**values), template.en.format(**values))


def _named(section: str, code: str) -> Both:
    return _texts().get(f"{section}.{code}", Both(code, code))


def order_words(row: Row, names: Mapping[str, str]) -> Both:
    """Return an order as a sentence, in Chinese and English.

    Parameters
    ----------
    row : mapping
    names : mapping
        Of sites.

    Examples
    --------
    >>> row = dict.fromkeys(("destination", "service_class", "from_h", "note_code", "blocked_by"))
    >>> row |= {"action": "stop", "next_site": "H1", "trips": -2, "pieces": 160.0}
    >>> order_words(row, {"H1": "North"}).en
    'Stop sending to North (160 pieces a day, −2 trips a day)'
    """
    to = names.get(row["next_site"], row["next_site"]) if row["next_site"] else ""
    destination = names.get(row["destination"], row["destination"]) if row["destination"] else ""
    classes = row["service_class"] or ""
    match row["action"]:
        case "stop":
            said = _text("issued.stop", to=to)
        case "extra-trip":
            said = _text("issued.extra_trip", to=to)
        case "send":
            said = _text("issued.send", to=to, destination=destination)
        case "hold":
            said = _text("issued.hold", destination=destination)
        case other:
            said = _named("action", other)
    parts = [Both(classes, classes)] if classes else []
    if row["pieces"] is not None:
        parts.append(_text("issued.pieces", pieces=f"{row['pieces']:,.0f}"))
    if row["trips"]:
        trips = f"+{row['trips']:,}" if row["trips"] > 0 else f"−{-row['trips']:,}"
        parts.append(_text("issued.trips", trips=trips))
    if row["from_h"]:
        parts.append(_text("issued.from", hours=f"{row['from_h']:g}"))
    zh = f"{said.zh}（{'，'.join(one.zh for one in parts)}）" if parts else said.zh
    en = f"{said.en} ({', '.join(one.en for one in parts)})" if parts else said.en
    why = _why(row, names)
    return Both(zh=f"{zh}：{why.zh}" if why.zh else zh, en=f"{en}: {why.en}" if why.en else en)


def _why(row: Row, names: Mapping[str, str]) -> Both:
    why = _named("note", row["note_code"]) if row["note_code"] else Both("", "")
    if not row["blocked_by"]:
        return why
    cause = " → ".join(names.get(one, one) for one in row["blocked_by"].split(">"))
    return Both(zh=f"{why.zh}（{cause}）", en=f"{why.en} ({cause})")


def withdrawn_words(words: Both) -> Both:
    """Return an order that counts no longer in words.

    Parameters
    ----------
    words : Both
        Of the order as it was.
    """
    told = _texts()["issued.no_longer"]
    return Both(told.zh.format(what=words.zh), told.en.format(what=words.en))
