"""The kind of a warning and its colour, as the message says them; else by its severity, which is assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from changtong.emergency.cap import Info
from changtong.emergency.warning_rules import COLOURS, OTHER, UNKNOWN, WarningRules, plain

_ZH = dict(zip("红橙黄蓝", COLOURS, strict=True))
_ZH_SAID = re.compile(r"([红橙黄蓝])\s*色(?=[^，。；]{0,16}?(?:预警|警报|警告|信号|警戒|级))")
_ZH_RAISED = re.compile(r"[升降变调][级格]?[为至到成]")
_EN_SAID = re.compile(
    r"\b(red|orange|yellow|blue)\b(?!\s+(?:river|sea|mountains?)\b)"
    r"(?=(?:\W+\w+){0,3}?\W+(?:warnings?|alerts?|signals?|alarms?|levels?|codes?)\b)",
    re.I,
)
_EN_WORD = re.compile(r"\b(red|orange|yellow|blue)\b", re.I)
_COLOUR_NAMES = ("color", "colour", "awareness_level", "alertlevel", "warninglevel", "severitycolor",
                 "颜色", "预警颜色", "预警级别", "预警等级", "预警信号")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colour:
    """The colour of a warning and where it was found.

    Attributes
    ----------
    level : str
        ``red``, ``orange``, ``yellow``, ``blue`` or ``unknown``.
    said_in : str
        ``parameter``, ``event code``, ``headline`` or ``event``: the message says it; ``severity``: assumed
        from the word of the standard; empty where not known.
    several : bool
        The text names several; the most severe counts.
    """

    level: str
    said_in: str
    several: bool = False

    @property
    def assumed(self) -> bool:
        """Whether the message itself does not say it."""
        return self.said_in == "severity"


def colour_of(info: Info, rules: WarningRules) -> Colour:
    """Return the colour of a warning.

    Parameters
    ----------
    info : Info
    rules : WarningRules
        Colours of severities.

    Examples
    --------
    >>> from changtong.emergency.warning_rules import read_warning_rules
    >>> info = Info("zh", ("Met",), "暴雨", "Expected", "Minor", "Likely", headline="发布暴雨红色预警")
    >>> colour_of(info, read_warning_rules()).level
    'red'
    """
    for where, pairs in (("parameter", info.parameters), ("event code", info.event_codes)):
        found = [
            colour
            for name, value in pairs
            if plain(name) in _COLOUR_NAMES
            for colour in (_colours_in_value(value))
        ]
        if found:
            return _most_severe(found, where)
        found = [colour for _, value in pairs for colour in _said(value)]
        if found:
            return _most_severe(found, where)
    for where, text in (("headline", info.headline), ("event", info.event)):
        found = _said(text)
        if found:
            return _most_severe(found, where)
    level = rules.severity.get(info.severity)
    return Colour(level, "severity") if level else Colour(UNKNOWN, "")


def _most_severe(found: list[str], where: str) -> Colour:
    distinct = sorted(set(found), key=COLOURS.index)
    return Colour(distinct[0], where, len(distinct) > 1)


def _colours_in_value(value: str) -> list[str]:
    chinese = [_ZH[sign] for sign in re.findall(r"([红橙黄蓝])", value)]
    return chinese + [word.lower() for word in _EN_WORD.findall(value)]


def _said(text: str) -> list[str]:
    """Return the colours a text names as those of a warning; of a change, what it is changed to."""
    pieces = _ZH_RAISED.split(text)
    if len(pieces) > 1 and _ZH_SAID.search(pieces[-1]):
        text = pieces[-1]
    return [_ZH[sign] for sign in _ZH_SAID.findall(text)] + [word.lower() for word in _EN_SAID.findall(text)]


def kind_of(info: Info, rules: WarningRules) -> str:
    """Return the kind of event: by its code, else by the words of the event, else by those of the headline.

    Parameters
    ----------
    info : Info
    rules : WarningRules

    Returns
    -------
    str
        ``other`` where none fits.
    """
    for kind in rules.kinds:
        if any(value.startswith(kind.codes) for _, value in info.event_codes if kind.codes):
            return kind.id
    for text in (info.event.lower(), info.headline.lower()):
        for kind in rules.kinds:
            if any(_has(text, word) for word in kind.words):
                return kind.id
    return OTHER


def _has(text: str, word: str) -> bool:
    if word.isascii():
        return re.search(rf"\b{re.escape(word)}", text) is not None
    return word in text
