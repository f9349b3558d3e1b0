"""The canonical codes of the scan log and what other vocabularies call them.

``codes.csv`` has one row per code: GS1 business steps (Core Business Vocabulary 2.0), event
codes of the postal union (EMSEVT V3), event types of its tracking system (IPS) and the words of
domestic scans. Sources and the choices made stand in ``docs/scan-formats.md``. A word belongs
to one code only; what is not listed is unknown, never guessed.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from changtong.errors import InternalError, NotFoundError

STAGES = ("accept", "first_mile", "transit", "last_mile", "end", "none")

CBV_FORMS = (
    "https://ref.gs1.org/cbv/BizStep-",
    "https://ns.gs1.org/cbv/BizStep-",
    "http://ns.gs1.org/cbv/BizStep-",
    "urn:epcglobal:cbv:bizstep:",
    "cbv:BizStep-",
)
"""Beginnings of a full business step; EPCIS 2.0 also allows the bare word."""

_ENDINGS = ("扫描", "成功")
_BEGINNINGS = ("已",)


@dataclass(frozen=True, slots=True)
class ScanCode:
    """One canonical code.

    Attributes
    ----------
    code, zh, en : str
        The code and what it is called.
    stage : str
        Part of an item's way it belongs to: accept, first_mile, transit, last_mile, end, none.
    cbv_business_step : str or None
        The business step it is written as, in full; None where GS1 has none.
    cbv_also, emsevt, ips, words : tuple of str
        Business steps (bare), EMSEVT codes, IPS event types and words read as this code.
    """

    code: str
    zh: str
    en: str
    stage: str
    cbv_business_step: str | None
    cbv_also: tuple[str, ...]
    emsevt: tuple[str, ...]
    ips: tuple[str, ...]
    words: tuple[str, ...]


@cache
def scan_codes() -> tuple[ScanCode, ...]:
    """Return the canonical codes in the order of an item's way."""

    def several(text: str) -> tuple[str, ...]:
        return tuple(part for part in text.split(";") if part)

    text = files("changtong.events").joinpath("codes.csv").read_text("utf-8")
    return tuple(
        ScanCode(
            row["code"],
            row["zh"],
            row["en"],
            row["stage"],
            row["cbv_business_step"] or None,
            several(row["cbv_also"]),
            several(row["emsevt"]),
            several(row["ips"]),
            several(row["words"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def known_codes() -> frozenset[str]:
    """Return the canonical codes as a set."""
    return frozenset(entry.code for entry in scan_codes())


def scan_code(code: str) -> ScanCode:
    """Return what is known of a canonical code.

    Raises
    ------
    NotFoundError
        There is no such code.

    Examples
    --------
    >>> scan_code("deliver").zh
    '签收'
    """
    for entry in scan_codes():
        if entry.code == code:
            return entry
    raise NotFoundError(f"{code!r} is no code of the scan log: {', '.join(sorted(known_codes()))}.")


def code_of_business_step(step: str) -> str | None:
    """Return the code of a GS1 business step, bare or in full; None where it is unknown.

    Examples
    --------
    >>> code_of_business_step("urn:epcglobal:cbv:bizstep:departing")
    'depart'
    """
    return _business_steps().get(bare_business_step(step))


def bare_business_step(step: str) -> str:
    """Return the bare word of a GS1 business step; other texts as they are."""
    return next((step.removeprefix(form) for form in CBV_FORMS if step.startswith(form)), step)


def code_of_emsevt(event: str) -> str | None:
    """Return the code of an EMSEVT event such as ``EMI``; None where it is unknown."""
    return _emsevt().get(event.strip().upper())


def code_of_ips(event_type: str | int) -> str | None:
    """Return the code of an IPS event type such as ``37``; None where it is unknown.

    Types of despatches, consignments and accounts are no scans and so unknown here.
    """
    text = str(event_type).strip()
    return _ips().get(text.lstrip("0") if text.isascii() and text.isdigit() else text)


def code_of_word(word: str) -> str | None:
    """Return the code of a domestic scan word, Chinese or English; None where it is unknown.

    Case, width, spaces, a leading 已 and a trailing 扫描 do not matter.

    Examples
    --------
    >>> code_of_word("揽收扫描"), code_of_word("Out for delivery"), code_of_word("飞走")
    ('accept', 'out_for_delivery', None)
    """
    words = _words()
    folded = _folded(word)
    if folded in words:
        return words[folded]
    for ending in _ENDINGS:
        if folded.removesuffix(ending) in words:
            return words[folded.removesuffix(ending)]
    for beginning in _BEGINNINGS:
        if folded.removeprefix(beginning) in words:
            return words[folded.removeprefix(beginning)]
    return None


@cache
def _business_steps() -> dict[str, str]:
    own = [
        (bare_business_step(entry.cbv_business_step), entry.code)
        for entry in scan_codes()
        if entry.cbv_business_step
    ]
    return _one_code_each([*own, *((step, entry.code) for entry in scan_codes() for step in entry.cbv_also)])


@cache
def _emsevt() -> dict[str, str]:
    return _one_code_each((event, entry.code) for entry in scan_codes() for event in entry.emsevt)


@cache
def _ips() -> dict[str, str]:
    return _one_code_each((event, entry.code) for entry in scan_codes() for event in entry.ips)


@cache
def _words() -> dict[str, str]:
    return _one_code_each(
        (_folded(word), entry.code)
        for entry in scan_codes()
        for word in dict.fromkeys((entry.code, entry.zh, entry.en, *entry.words))
    )


def _folded(word: str) -> str:
    text = unicodedata.normalize("NFKC", word).casefold()
    return "".join(letter for letter in text if not letter.isspace() and letter not in "-_")


def _one_code_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, code in pairs:
        if found.setdefault(name, code) != code:
            raise InternalError(f"codes.csv gives {name!r} two codes: {found[name]} and {code}.")
    return found
