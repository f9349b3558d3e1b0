"""The log of a case: entries in a SHA-256 chain, so that what was altered, missing or swapped is named."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from changtong.errors import UsageError

FIELDS = ("n", "id", "at", "recorded_at", "by", "action", "data", "before", "seal")
MOST_FINDINGS = 1000


@dataclass(frozen=True)
class CaseEntry:
    """What was done, once it is in the log.

    Attributes
    ----------
    n : int
        From 1.
    id : str
        The same entry given twice counts once.
    at, recorded_at : datetime
        When it happened and when it was written, UTC.
    by, action : str
    data : mapping
    before, seal : str
        Of the entry before and of this one, hexadecimal.
    """

    n: int
    id: str
    at: datetime
    recorded_at: datetime
    by: str
    action: str
    data: Mapping[str, Any]
    before: str = ""
    seal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object, as in the log."""
        return {
            "n": self.n, "id": self.id, "at": written(self.at), "recorded_at": written(self.recorded_at),
            "by": self.by, "action": self.action, "data": dict(self.data), "before": self.before,
            "seal": self.seal,
        }  # fmt: skip


def written(at: datetime) -> str:
    """Return an instant as logs have it: UTC, milliseconds.

    Examples
    --------
    >>> written(datetime(2026, 7, 20, 3, tzinfo=UTC))
    '2026-07-20T03:00:00.000+00:00'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def whole_ms(at: datetime) -> datetime:
    """Return an instant in UTC, whole milliseconds: finer ones are not kept."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def canonical(value: object) -> str:
    """Return a value as JSON in its one form: keys in order, no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def begin_of(case_id: str) -> str:
    """Return what the first entry of a case follows on: entries of another case do not fit."""
    return hashlib.sha256(f"changtong emergency case\n{case_id}".encode()).hexdigest()


def seal_of(content: Mapping[str, Any]) -> str:
    """Return the seal of an entry: SHA-256 over the seal before and its canonical JSON without the seal."""
    body = {key: content[key] for key in FIELDS if key != "seal"}
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def sealed(entry: CaseEntry, before: str) -> CaseEntry:
    """Return an entry as the next one after another.

    Parameters
    ----------
    entry : CaseEntry
    before : str
        Seal of the entry before, or `begin_of`.
    """
    facts = entry.to_json() | {"before": before}
    return CaseEntry(
        entry.n,
        entry.id,
        entry.at,
        entry.recorded_at,
        entry.by,
        entry.action,
        entry.data,
        before,
        seal_of(facts),
    )


def entry_of(content: Mapping[str, Any]) -> CaseEntry:
    """Return the entry of a line of a log.

    Raises
    ------
    ValueError, KeyError, TypeError
        It is none.
    """
    at, recorded = (datetime.fromisoformat(content[key]) for key in ("at", "recorded_at"))
    texts = [content[key] for key in ("id", "by", "action", "before", "seal")]
    if not all(isinstance(one, str) for one in texts) or not isinstance(content["data"], dict):
        raise TypeError("not an entry")
    if at.tzinfo is None or recorded.tzinfo is None or type(content["n"]) is not int:
        raise TypeError("not an entry")
    who = (content["id"], at, recorded, content["by"], content["action"], content["data"])
    return CaseEntry(content["n"], *who, content["before"], content["seal"])


def head_of(entries: Sequence[CaseEntry]) -> str:
    """Return ``number:seal`` of the newest entry, or nothing where there is none."""
    return f"{entries[-1].n}:{entries[-1].seal}" if entries else ""


def read_head(text: str) -> tuple[int, str]:
    """Read a head as `head_of` gives it.

    Raises
    ------
    UsageError
        ``bad-head``.
    """
    number, _, seal = text.strip().partition(":")
    seal = seal.lower()
    right = number.isascii() and number.isdigit() and len(number) < 12 and len(seal) == 64
    if not right or int(number) < 1 or set(seal) - set("0123456789abcdef"):
        raise UsageError("A head is a number, a colon and 64 hexadecimal digits.", "bad-head")
    return int(number), seal


@dataclass(frozen=True, slots=True)
class LogFinding:
    """One thing wrong with a log.

    ``what``: unreadable (no entry can be read there; ``n`` is the line), altered (its content is not what was
    sealed), unlinked (whole, but it does not follow on the one before: one of the two was written anew or
    comes from another case), missing, repeated, swapped (not in its place), cut-off (the head that is known
    lies beyond the end), head-differs.
    """

    n: int
    what: str

    def __str__(self) -> str:
        return f"entry {self.n}: {self.what}"


@dataclass(frozen=True)
class LogCheck:
    """What a look at the chain of a log has found; ``head`` is the last entry's, to be noted elsewhere."""

    case_id: str
    entries: int
    head: str
    findings: tuple[LogFinding, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints."""
        return {
            "case_id": self.case_id, "entries": self.entries, "head": self.head, "whole": self.whole,
            "findings": [{"n": one.n, "what": one.what} for one in self.findings],
        }  # fmt: skip

    def __str__(self) -> str:
        if self.whole:
            return f"{self.entries:,} entries of {self.case_id} are as they were written\nhead: {self.head}"
        lines = [f"{len(self.findings):,} things are wrong in the log of {self.case_id}"]
        return "\n".join([*lines, *(f"  {one}" for one in self.findings)])


def verify(case_id: str, lines: Sequence[str], *heads: str) -> LogCheck:
    """Go through a log and name whatever is wrong with it.

    Parameters
    ----------
    case_id : str
    lines : sequence of str
        As they stand in the log, one entry a line.
    *heads : str
        Heads that are known from elsewhere; empty ones do not count.

    Raises
    ------
    UsageError
        ``bad-head``.
    """
    noted = [read_head(one) for one in heads if one]
    findings: list[LogFinding] = []
    there: list[CaseEntry] = []
    for number, line in enumerate(lines, 1):
        try:
            there.append(entry_of(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError):
            findings.append(LogFinding(number, "unreadable"))
    findings += _order(there)
    by_number = {one.n: one for one in reversed(there)}
    for one in there:
        try:
            right = seal_of(one.to_json()) == one.seal and canonical(one.to_json()) in lines
        except ValueError:  # numbers that are no JSON, halves of signs
            right = False
        if not right:
            findings.append(LogFinding(one.n, "altered"))
            continue
        before = by_number.get(one.n - 1)
        follows = begin_of(case_id) if one.n == 1 else before.seal if before else one.before
        if one.before != follows:
            findings.append(LogFinding(one.n, "unlinked"))
    last = max(by_number, default=0)
    for number, seal in noted:
        if number > last:
            findings.append(LogFinding(last + 1, "cut-off"))
        elif number in by_number and by_number[number].seal != seal:
            findings.append(LogFinding(number, "head-differs"))
    if not lines:
        findings.append(LogFinding(1, "cut-off"))
    findings = sorted(dict.fromkeys(findings), key=lambda one: (one.n, one.what))
    head = f"{last}:{by_number[last].seal}" if last else ""
    return LogCheck(case_id, len(there), head, tuple(findings[:MOST_FINDINGS]))


def _order(there: Sequence[CaseEntry]) -> list[LogFinding]:
    """Return what is wrong with the numbers of entries: missing, repeated, not in their place."""
    numbers = [one.n for one in there]
    counted = Counter(numbers)
    found = [LogFinding(n, "repeated") for n, times in counted.items() if times > 1]
    last = max(numbers, default=0)
    if last > 10 * len(numbers) + MOST_FINDINGS:  # a number that cannot be meant
        return [*found, LogFinding(last, "swapped")]
    found += [LogFinding(n, "missing") for n in range(1, last + 1) if n not in counted]
    in_order = sorted(numbers)
    found += [LogFinding(n, "swapped") for n, right in zip(numbers, in_order, strict=True) if n != right]
    return found
