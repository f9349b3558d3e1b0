"""Masks of single values: what a rule does not let through is ``*``.

A mask looks at positions only, and an asterisk counts as a position: so masking a masked value changes
nothing. What has not the form of its kind is hidden as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from changtong.errors import UsageError
from changtong.privacy.mask_rules import KINDS, MaskRule, mask_rules

HIDDEN = "***"
"""Stands for a value that is hidden as a whole, however long it was."""

TAIL = "****"
"""Stands for the hidden end of an address."""

_PHONE = re.compile(r"'?[\d*+＋()（）.\-‐–—－  　转]*(?:ext\.?[\d* ]*)?", re.I)
_SPLIT = re.compile(r"([/,;、，；|\n]+)")
_MOST_DIGITS = 20
"""More than a number with its country (E.164: 15) and an extension has: no phone number."""

_CARD = re.compile(r"[0-9０-９*\-－  　]*[XxＸｘ]?")
_PLATE = re.compile(r"(?:[^\W_]|[*·.\- 　]){1,16}")
_EMAIL = re.compile(r"[^@\s]+@[\w.-]+\.[A-Za-z]{2,24}")
_PASSPORT = re.compile(r"[A-Za-z0-9* -]{1,16}")

_HAN = "\u4e00-\u9fff"
_NOT_ADMIN = "大道|大街|公路|胡同|路|街(?!道)|巷|村|屯|号|室|栋|幢|单元|座"
_NOT_ROAD = "号|室|栋|幢|单元|座|层"
_ADMIN = (
    rf"(?:(?!{_NOT_ADMIN})[{_HAN}]){{1,12}}?"
    r"(?:特别行政区|自治区|自治州|自治县|自治旗|省|市|州|盟|区|县|旗|乡|镇|街道|地区)"
)
_ROAD = (
    rf"(?:(?!{_NOT_ROAD})[{_HAN}0-9０-９A-Za-z]){{1,12}}?"
    r"(?:大道|大街|公路|胡同|路|街|道|巷|村|屯|社区)"
)
_HEAD = re.compile(rf"\s*((?:{_ADMIN}\s*)*)({_ROAD})?")
_NUMBER = re.compile(r"\s*[0-9０-９]{1,5}\s*号(?=\s*\S)(?!\s*[楼院])")


def mask_name(text: str, rule: MaskRule | None = None) -> str:
    """Return a name with all but its first character hidden.

    Examples
    --------
    >>> mask_name("张小明"), mask_name("欧阳娜娜"), mask_name("李")
    ('张**', '欧***', '*')
    """
    return _cover(text, rule or mask_rules()["name"], str.isspace)


def mask_phone(text: str, rule: MaskRule | None = None) -> str:
    """Return a phone number with at least six digits hidden; several numbers are masked one by one.

    Examples
    --------
    >>> mask_phone("13812345678"), mask_phone("0571-8765432"), mask_phone("ask at the desk")
    ('138******78', '057*-*****32', '***')
    """
    rule = rule or mask_rules()["phone"]
    parts = _SPLIT.split(text)
    return "".join(part if k % 2 else _one_phone(part, rule) for k, part in enumerate(parts))


def mask_address(text: str, rule: MaskRule | None = None) -> str:
    """Return an address up to its road and house number; unit, room and all else are hidden.

    Examples
    --------
    >>> mask_address("湖北省武汉市洪山区关山大道111号光谷大厦3栋2单元1203室")
    '湖北省武汉市洪山区关山大道111号****'
    >>> mask_address("河北省定州市东亭镇某村12号"), mask_address("3栋2单元1203室")
    ('河北省定州市东亭镇某村****', '****')
    """
    if not text.strip():
        return text
    found = _HEAD.match(text)
    if found is None or not found[0].strip():
        return TAIL
    shown, end = found[0], found.end()
    road = found[2] or ""
    number = _NUMBER.match(text, end) if road and not road.endswith(("村", "屯", "社区")) else None
    if number is not None:
        shown += number[0]
        end = number.end()
    if not text[end:].strip() and not road and found[1]:
        return shown  # a district alone tells no household
    return shown + TAIL


def mask_email(text: str, rule: MaskRule | None = None) -> str:
    """Return an e-mail address with the name before its domain hidden.

    Examples
    --------
    >>> mask_email("zhangsan@example.com")
    'z***@example.com'
    """
    text = text.strip()
    if not _EMAIL.fullmatch(text):
        return HIDDEN if text else text
    name, _, domain = text.rpartition("@")
    first, _ = (rule or mask_rules()["email"]).shown(len(name))
    return f"{name[:first].replace('*', '')}{HIDDEN}@{domain}"


def mask_all(text: str, rule: MaskRule | None = None) -> str:
    """Return asterisks, whatever the text is.

    Examples
    --------
    >>> mask_all("anything"), mask_all("")
    ('***', '')
    """
    return HIDDEN if text else text


def _covered_as(kind: str, form: re.Pattern[str]) -> Callable[[str, MaskRule | None], str]:
    def mask(text: str, rule: MaskRule | None = None) -> str:
        if not text.strip():
            return text
        if not form.fullmatch(text):
            return HIDDEN
        return _cover(text, rule or mask_rules()[kind], lambda sign: sign in "-－ 　·. ")

    return mask


MASKS: Mapping[str, Callable[[str, MaskRule | None], str]] = {
    "name": mask_name,
    "phone": mask_phone,
    "address": mask_address,
    "id_number": _covered_as("id_number", _CARD),
    "bank_card": _covered_as("bank_card", _CARD),
    "plate": _covered_as("plate", _PLATE),
    "email": mask_email,
    "passport": _covered_as("passport", _PASSPORT),
    "all": mask_all,
}


def mask(kind: str, text: str, rules: Mapping[str, MaskRule] | None = None) -> str:
    """Return one value masked as a kind.

    Raises
    ------
    UsageError
        ``unknown-kind``.

    Examples
    --------
    >>> mask("bank_card", "6200 0000 0000 0000"), mask("plate", "粤B12345")
    ('**** **** **** 0000', '粤B*****')
    """
    if kind not in MASKS:
        raise UsageError(f"{kind!r} is no kind; there is {', '.join(KINDS)}.", "unknown-kind")
    return MASKS[kind](text, (rules or mask_rules())[kind])


def mask_column(values: pl.Series, kind: str, rules: Mapping[str, MaskRule] | None = None) -> pl.Series:
    """Return a column masked as a kind; numbers become text, what is empty stays so.

    Examples
    --------
    >>> mask_column(pl.Series([13812345678, None]), "phone").to_list()
    ['138******78', None]
    """
    if kind not in MASKS:
        raise UsageError(f"{kind!r} is no kind; there is {', '.join(KINDS)}.", "unknown-kind")
    rule, function = (rules or mask_rules())[kind], MASKS[kind]
    texts = values.cast(pl.String)
    if kind == "phone":
        first, last = rule.shown(11)
        plain = texts.str.contains(r"^1\d{10}$").fill_null(False)
        covered = texts.str.slice(0, first) + "*" * (11 - first - last) + texts.str.slice(11 - last)
        rest = texts.filter(~plain).to_list()
        if not rest:
            return covered.alias(values.name)
        other = pl.Series([None if text is None else function(text, rule) for text in rest], dtype=pl.String)
        return covered.scatter((~plain).arg_true(), other).alias(values.name)
    made = [None if text is None else function(text, rule) for text in texts.to_list()]
    return pl.Series(values.name, made, dtype=pl.String)


def _one_phone(text: str, rule: MaskRule) -> str:
    if not text.strip():
        return text
    positions = sum(sign.isdigit() or sign == "*" for sign in text)
    if not _PHONE.fullmatch(text) or positions > _MOST_DIGITS:
        return HIDDEN
    return _cover(text, rule, lambda sign: not (sign.isdigit() or sign == "*"))


def _cover(text: str, rule: MaskRule, is_between: Callable[[str], bool]) -> str:
    """Return a text with its positions hidden but for those that the rule shows."""
    places = [k for k, sign in enumerate(text) if not is_between(sign)]
    first, last = rule.shown(len(places))
    signs = list(text)
    for k in places[first : len(places) - last]:
        signs[k] = "*"
    return "".join(signs)
