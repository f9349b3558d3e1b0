"""One wording in the two languages people read, for what is said below the pages: notes and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import escape

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Both:
    """One wording in the two languages, as plain text (escaped when put in a page).

    Attributes
    ----------
    zh, en : str

    Examples
    --------
    >>> Both("无", "none").said_in("en")
    'none'
    """

    zh: str
    en: str

    def __html__(self) -> str:
        if self.zh == self.en:
            return str(escape(self.zh))
        return f'<span lang="zh-CN">{escape(self.zh)}</span><span lang="en">{escape(self.en)}</span>'

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}" if self.zh != self.en else self.zh

    def __add__(self, other: Both | str) -> Both:
        more = other if isinstance(other, Both) else Both(other, other)
        return Both(self.zh + more.zh, self.en + more.en)

    def said_in(self, language: Language) -> str:
        """Return the wording in one language."""
        return self.zh if language == "zh" else self.en


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
