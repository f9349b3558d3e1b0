"""What each error code says to people, in Chinese and English: what is wrong and what to do.

``docs/errors.md`` is the one list of codes; ``error_words.toml`` holds a wording for each. What exactly is
wrong, with the values seen, stays in the messages of the errors.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from changtong.wording import Both


@cache
def read_error_words() -> dict[str, Both]:
    """Read the wording of every code."""
    text = resources.files("changtong").joinpath("error_words.toml").read_text(encoding="utf-8")
    return {code: Both(zh=entry["zh"], en=entry["en"]) for code, entry in tomllib.loads(text).items()}


def error_words(code: str) -> Both:
    """Return what a code says to people.

    Parameters
    ----------
    code : str
        A heading of docs/errors.md. Another one, as a later version may have kept with a run, is told as
        it is: a refusal must never fail for want of words.

    Examples
    --------
    >>> error_words("unknown-bus").zh
    '停靠点所属的客运班次在 buses 表中没有。请核对，或补上班次。'
    >>> error_words("of-a-later-version").en
    'Error: of-a-later-version.'
    """
    return read_error_words().get(code) or Both(f"出错：{code}。", f"Error: {code}.")
