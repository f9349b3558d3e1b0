"""The wording of the pages, in Chinese and English: every sentence is in ``*texts.toml``, once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from changtong.wording import Both, Language

FILES = resources.files("changtong.web_files")


@cache
def read_words() -> dict[str, Both]:
    """Read all wording as flat keys (``section.key``).

    Raises
    ------
    ValueError
        A key that stands in two files.
    """
    words: dict[str, Both] = {}
    for file in sorted(FILES.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith("texts.toml"):
            continue
        for section, entries in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for key, entry in entries.items():
                name = f"{section}.{key}"
                if name in words:
                    raise ValueError(f"{name} stands in two files of wording.")
                words[name] = Both(zh=entry["zh"], en=entry["en"])
    return words


def say(language: Language, key: str, **values: str | int | float) -> str:
    """Return a wording in a language, its ``{places}`` filled.

    Examples
    --------
    >>> say("en", "shell.sign_out")
    'Sign out'
    """
    text = read_words()[key].said_in(language)
    return text.format(**values) if values else text
