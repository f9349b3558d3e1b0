"""Every code of docs/errors.md says something in Chinese and in English, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from changtong.error_words import error_words, read_error_words
from changtong.wording import language_of

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.skipif(not PAGE.is_file(), reason="the documents are not here: needs a checkout")
def test_the_codes_with_words_are_those_of_the_page() -> None:
    found = re.findall(r"^### (\S+)$", PAGE.read_text("utf-8"), re.M)
    headings = set(found)
    assert len(headings) > 400
    assert len(found) == len(headings)  # a link leads to the first of two
    assert sorted(headings - read_error_words().keys()) == []
    assert sorted(read_error_words().keys() - headings) == []


def test_words_are_whole_sentences_in_their_language_without_places_to_fill() -> None:
    for code, both in read_error_words().items():
        assert HAN.search(both.zh), code
        assert re.fullmatch(r"[ -~]+", both.en), code
        assert re.search("[。？]$", both.zh), code
        assert re.search("[.?]$", both.en), code
        assert not re.search(r"[{}]|<[a-z]|TODO|XXX", both.zh + both.en), code
        assert len(both.zh) <= 70, code
        assert len(both.en) <= 140, code


def test_no_two_codes_but_those_of_one_meaning_say_the_same() -> None:
    codes: dict[str, list[str]] = {}
    for code, both in read_error_words().items():
        codes.setdefault(both.zh, []).append(code)
    assert [alike for alike in codes.values() if len(alike) > 1] == []


def test_a_code_without_words_is_told_as_it_is() -> None:
    assert error_words("of-a-later-version").zh == "出错：of-a-later-version。"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "zh"),
        ("*", "zh"),
        ("fr", "zh"),
        ("EN", "en"),
        ("en;q=0.1, zh-TW;q=0.8", "zh"),
    ],
)
def test_the_language_is_that_preferred_or_chinese(accepted: str, language: str) -> None:
    assert language_of(None, None, accepted) == language
