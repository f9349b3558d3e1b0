"""The wording of the pages, in Chinese and English: every sentence is in ``*texts.toml``, once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from changtong.wording import LANGUAGES, Both, Language

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


def language_of(asked: str | None, kept: str | None, accepted: str) -> Language:
    """Return the language to speak: as asked now, as kept before, as the browser prefers, or Chinese.

    Parameters
    ----------
    asked, kept : str or None
    accepted : str
        The header Accept-Language.

    Examples
    --------
    >>> language_of(None, None, "en-GB,en;q=0.9,zh;q=0.1"), language_of("zh", "en", "")
    ('en', 'zh')
    >>> language_of(None, None, "fr")
    'zh'
    """
    for name in (asked, kept):
        if name in LANGUAGES:
            return name
    weighed = []
    for place, part in enumerate(accepted.split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1.0), place, name[:2].lower()))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), "zh")
