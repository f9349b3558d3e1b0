"""Which warnings are in force at an instant, in whatever order their messages came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from changtong.emergency.cap import Info, Key, Message
from changtong.errors import Problem, UsageError

WITHOUT_EXPIRY_H = 24.0
"""How long a warning counts that does not say until when: the standard leaves it to the reader. Assumed."""

LANGUAGES = ("zh", "en")
"""Of the same warning in several languages the first of these is shown, else what comes first."""


@dataclass(frozen=True)
class Warned:
    """A warning that counts.

    Attributes
    ----------
    message : Message
    info : Info
    begins, ends : datetime
        ``begins`` is its onset, else when it takes effect, else when it was sent.
    ends_assumed : bool
        Whether the message says nothing of its end.
    """

    message: Message
    info: Info
    begins: datetime
    ends: datetime
    ends_assumed: bool


@dataclass(frozen=True)
class InForce:
    """What counts at an instant.

    Attributes
    ----------
    at : datetime
    now, coming : tuple of Warned
        In force; to begin later. By their beginning.
    over : tuple of Key
        Expired, or the danger is over by what it says (``AllClear``, urgency ``Past``).
    replaced, cancelled : dict of Key to Key
        By which message.
    left_out : tuple of Key
        Exercises, tests, drafts, and what is for machines.
    not_yet_sent : tuple of Key
        Sent after the instant, by their own clock.
    problems : tuple of Problem
        What a person should look at: ``conflicting-message``, ``unknown-reference``, ``foreign-reference``,
        ``impossible-reference``, ``nothing-said``, ``times-reversed``.
    """

    at: datetime
    now: tuple[Warned, ...]
    coming: tuple[Warned, ...]
    over: tuple[Key, ...]
    replaced: dict[Key, Key]
    cancelled: dict[Key, Key]
    left_out: tuple[Key, ...]
    not_yet_sent: tuple[Key, ...]
    problems: tuple[Problem, ...]


def in_force(
    messages: Iterable[Message], at: datetime, *, status: str = "Actual",
    without_expiry_h: float = WITHOUT_EXPIRY_H, languages: Sequence[str] = LANGUAGES,
) -> InForce:  # fmt: skip
    """Return which warnings count at an instant.

    Messages count from when they were sent. An ``Update`` takes the place of what it refers to, and a
    ``Cancel`` ends it, whichever of them was received first; both only for messages of their own sender.
    Acknowledgements and errors change nothing.

    Parameters
    ----------
    messages : iterable of Message
        In any order; the same message twice counts once.
    at : datetime
        With a zone.
    status : str
        ``Actual``, or ``Exercise`` for a drill.
    without_expiry_h : float
        Hours after its beginning for which a warning counts that does not say until when.
    languages : sequence of str
        Of the same warning said in several languages, the first of these counts, and counts once.

    Returns
    -------
    InForce

    Raises
    ------
    UsageError
        ``at`` has no zone.
    """
    if at.tzinfo is None:
        raise UsageError("at needs a time zone, for example 2026-07-20T03:00+08:00.")
    problems: list[Problem] = []
    known = _once(messages, problems)
    counted = {key: one for key, one in known.items() if one.status == status and key.sent <= at}
    replaced, cancelled = _ended(counted, set(known), problems)
    now, coming, over = [], [], []
    for key, one in sorted(counted.items()):
        if one.kind not in ("Alert", "Update") or key in replaced or key in cancelled:
            continue
        if not one.infos:
            problems.append(_nothing_said(one))
        infos = [info for info in said_once(one.infos, languages) if not _is_over(info)]
        spans = [_span(one, info, without_expiry_h, problems) for info in infos]
        if one.infos and all(span.ends <= at for span in spans):
            over.append(key)
        now += [span for span in spans if span.begins <= at < span.ends]
        coming += [span for span in spans if at < span.begins and at < span.ends]
    left_out = tuple(sorted(key for key, one in known.items() if one.status != status))
    later = tuple(sorted(key for key, one in known.items() if one.status == status and key.sent > at))
    return InForce(
        at, _sorted(now), _sorted(coming), tuple(over), replaced, cancelled, left_out, later, tuple(problems)
    )


def _nothing_said(one: Message) -> Problem:
    text = f"{one.key.identifier} of {one.key.sender} has no <info>: it warns of nothing."
    return Problem("nothing-said", text, one.file, expected="an <info>", severity="warning")


def _sorted(found: list[Warned]) -> tuple[Warned, ...]:
    return tuple(sorted(found, key=lambda one: (one.begins, one.message.key)))


def _once(messages: Iterable[Message], problems: list[Problem]) -> dict[Key, Message]:
    known: dict[Key, Message] = {}
    for one in messages:
        first = known.setdefault(one.key, one)
        if (first.status, first.kind, first.references, first.infos) != (
            one.status, one.kind, one.references, one.infos,
        ):  # fmt: skip
            text = (
                f"{one.key.identifier} of {one.key.sender} says something else in {first.file or 'another'}."
            )
            expected = "one content for one sender, identifier and time; the first counts"
            problems.append(
                Problem("conflicting-message", text, one.file, expected=expected, severity="warning")
            )
    return known


def _ended(
    counted: dict[Key, Message], known: set[Key], problems: list[Problem]
) -> tuple[dict[Key, Key], dict[Key, Key]]:
    replaced: dict[Key, Key] = {}
    cancelled: dict[Key, Key] = {}
    for key, one in sorted(counted.items(), key=lambda item: item[0].sent):
        if one.kind not in ("Update", "Cancel"):
            continue
        for other in one.references:
            if other.sender != key.sender:
                text = f"{key.identifier} of {key.sender} would end {other.identifier} of {other.sender}."
                expected = "a message about its sender's own; that one counts on"
                problems.append(
                    Problem("foreign-reference", text, one.file, expected=expected, severity="warning")
                )
                continue
            if other.sent > key.sent or other == key or key in _about(counted, other):
                text = f"{key.identifier} refers to itself, or to {other.identifier}, which is no older."
                expected = "a message that was sent before; that one counts on"
                problems.append(
                    Problem("impossible-reference", text, one.file, expected=expected, severity="warning")
                )
                continue
            if other not in known:
                text = f"{key.identifier} refers to {other.identifier}, which was not received."
                problems.append(Problem("unknown-reference", text, one.file, severity="warning"))
            (cancelled if one.kind == "Cancel" else replaced)[other] = key
    return replaced, cancelled


def _about(counted: dict[Key, Message], key: Key) -> tuple[Key, ...]:
    """Return what a message ends, where it is one that ends others."""
    one = counted.get(key)
    return one.references if one is not None and one.kind in ("Update", "Cancel") else ()


def said_once(infos: Sequence[Info], languages: Sequence[str] = LANGUAGES) -> tuple[Info, ...]:
    """Return the parts of a message without those that say the same in another language.

    Two parts say the same where all but the words agrees: categories, urgency, severity, certainty, times
    and the shapes and codes of their areas. What is said in one language only is kept in it.

    Parameters
    ----------
    infos : sequence of Info
    languages : sequence of str
        Those wanted, the first before the others: ``zh`` stands for ``zh-CN`` too.
    """
    groups: dict[object, list[Info]] = {}
    for info in infos:
        groups.setdefault(_without_words(info), []).append(info)
    kept = []
    for group in groups.values():
        spoken = list(dict.fromkeys(_language(info) for info in group))
        wanted = next((one for one in languages if one.lower() in spoken), spoken[0])
        kept += [info for info in group if _language(info) == wanted.lower()]
    return tuple(info for info in infos if any(info is one for one in kept))


def _language(info: Info) -> str:
    return info.language.replace("_", "-").partition("-")[0].lower()


def _without_words(info: Info) -> object:
    areas = {(area.polygons, area.circles, tuple(sorted(area.geocodes))) for area in info.areas}
    return (
        tuple(sorted(set(info.categories))), info.urgency, info.severity, info.certainty, info.effective,
        info.onset, info.expires, tuple(sorted(set(info.responses))), frozenset(areas),
    )  # fmt: skip


def _is_over(info: Info) -> bool:
    return "AllClear" in info.responses or info.urgency == "Past"


def _span(message: Message, info: Info, without_expiry_h: float, problems: list[Problem]) -> Warned:
    """Return when a part counts; one that ends before it begins counts from when it was sent."""
    begins = info.onset or info.effective or message.key.sent
    ends = info.expires or begins + timedelta(hours=without_expiry_h)
    if ends <= begins:
        text = f"{message.key.identifier} ends ({ends.isoformat()}) before it begins ({begins.isoformat()})."
        expected = "expires after onset; it counts from when it was sent"
        problems.append(Problem("times-reversed", text, message.file, expected=expected, severity="warning"))
        begins = min(message.key.sent, ends)
    return Warned(message, info, begins, ends, info.expires is None)
