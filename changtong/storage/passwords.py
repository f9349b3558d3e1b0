"""Passwords: Argon2id hashes, refused where they are weak, the same time for unknown names."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from changtong.errors import InputError, Problem

LEAST_SIGNS = 12
MOST_SIGNS = 256
LEAST_DIFFERENT = 6
LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: 3 is 100 million guesses by one who has lists of words, names and leaked passwords."""

MOST_ESTIMATED = 72
"""Signs that are estimated: the time grows faster than their number, and so many are enough to tell."""

hasher = argon2.PasswordHasher()
"""Argon2id as RFC 9106 recommends where memory is scarce: 64 MiB, 3 rounds, 4 lanes."""

_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def check_password(password: str, name: str, places: Iterable[str | None] = ()) -> None:
    """Refuse a password that is soon guessed; the password is in no message.

    Parameters
    ----------
    password : str
    name : str
        The user's name.
    places : iterable of str or None
        Names of the user's organisation.

    Raises
    ------
    InputError
        ``weak-password``.

    Examples
    --------
    >>> check_password("three green vans at dawn", "li")
    """
    of_place = [place for place in places if place]
    reason = (
        _weakness(password, name) or _named_after(password, of_place) or _guessed(password, name, of_place)
    )
    if reason:
        expected = f"{LEAST_SIGNS} signs or more, best several words that nobody would guess"
        raise InputError(
            [Problem("weak-password", f"The password {reason}.", column="password", expected=expected)]
        )


def _weakness(password: str, name: str) -> str:
    if len(password) < LEAST_SIGNS:
        return f"has fewer than {LEAST_SIGNS} signs"
    if len(password) > MOST_SIGNS or "\0" in password:
        return f"has more than {MOST_SIGNS} signs, or signs that cannot be typed"
    lower = password.casefold()
    if len(set(lower)) < LEAST_DIFFERENT:
        return f"has fewer than {LEAST_DIFFERENT} different signs"
    if len(name) >= 3 and name.casefold() in lower:
        return "holds the name of the user"
    if len(name) >= 4 and name.casefold()[::-1] in lower:
        return "holds the name of the user backwards"
    if re.fullmatch(r"(.{1,10}?)\1+", lower, re.DOTALL):
        return "repeats one part"
    rest = _without_habits(lower)
    if len(set(rest)) < LEAST_DIFFERENT - 1 or len(rest) < LEAST_SIGNS // 2:
        return "is made of common words, runs of keys and digits at the end"
    return ""


def _named_after(password: str, places: Iterable[str]) -> str:
    """Return that a password is little more than the name of an organisation."""
    lower = password.casefold()
    for place in places:
        wanted = place.casefold().strip()
        if len(wanted) >= 3 and wanted in lower and len(set(lower.replace(wanted, ""))) < LEAST_DIFFERENT:
            return "is the name of the organisation with little beside it"
    return ""


_estimating = threading.Lock()


def _guessed(password: str, name: str, places: Iterable[str]) -> str:
    """Return that a password is found by few guesses: it was leaked elsewhere, or is made of what was."""
    from zxcvbn import zxcvbn  # here: its lists take a quarter of a second, and few commands need them

    about = [name, *places]
    parts = [re.split(r"[\W_]+", text) for text in about]
    words = [word for one in parts for word in ("".join(one), *one) if len(word) > 1]
    with _estimating:  # the library keeps the words of its caller in one place for all
        score = zxcvbn(password[:MOST_ESTIMATED], words)["score"]
    return (
        ""
        if score >= LEAST_SCORE
        else "is, or is much like, one that has leaked elsewhere or is soon guessed"
    )


def _without_habits(lower: str) -> str:
    """Return what is left of a password without what guessers try first."""
    for row in _ROWS:
        for text in (row, row[::-1]):
            for size in range(len(text), 3, -1):
                for begin in range(len(text) - size + 1):
                    lower = lower.replace(text[begin : begin + size], "")
    for word in _common():
        lower = lower.replace(word, "")
    return re.sub(r"[\d\W_]+$", "", lower)


@cache
def _common() -> tuple[str, ...]:
    text = files("changtong.storage").joinpath("weak_passwords.txt").read_text("utf-8")
    return tuple(sorted(text.split(), key=len, reverse=True))


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return hasher.hash(password)


@cache
def _nobody(rounds: int, memory_kib: int, lanes: int) -> str:
    """Return a hash that no password fits, as dear to check as one made with these settings."""
    made = argon2.PasswordHasher(rounds, memory_kib, lanes)
    return made.hash("nobody has this password")


def fits(kept: str | None, password: str) -> bool:
    """Return whether a password is the one kept; where nothing is kept, it takes as long and is not.

    Parameters
    ----------
    kept : str or None
    password : str
    """
    if len(password) > MOST_SIGNS:
        password, kept = "", None
    nobody = _nobody(hasher.time_cost, hasher.memory_cost, hasher.parallelism)
    try:
        hasher.verify(kept or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_old(kept: str) -> bool:
    """Return whether a hash was made with other settings than today's."""
    return hasher.check_needs_rehash(kept)
