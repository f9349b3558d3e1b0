"""A trace asked of an open log: which days are read, what the words of a question stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from changtong.errors import UsageError
from changtong.events.columns import load_columns
from changtong.events.keys import PLAIN_KEY, from_pseudonym, is_pseudonym, key_of
from changtong.events.log import EventLog
from changtong.events.times import moment_ms
from changtong.events.tracing.contacts import index_contacts
from changtong.events.tracing.trace import Source
from changtong.events.tracing.trace import trace as trace_index
from changtong.events.tracing.trace_result import Trace
from changtong.events.tracing.visits import KINDS

BEFORE_DAYS = 10
"""Days before the window that are read for a trace: what lay at the site then may have come that long ago."""

Key = bytes | Callable[[], bytes]


def trace(
    log: EventLog,
    *,
    site: str | None = None,
    item: str | int | None = None,
    receptacle: str | int | None = None,
    vehicle: str | int | None = None,
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    backward: bool = False,
    steps: int = 2,
    through: Sequence[str] = KINDS,
    linger_h: float = 0.0,
    key: Key | None = None,
    threads: int = 2,
) -> Trace:
    """Find everything that shared a site, a bag or a vehicle with something, in order of time.

    The days that the question needs are read and indexed anew each time; who asks one log many
    questions makes the index once (docs/tracing.md).

    Parameters
    ----------
    log : EventLog
        From `open_log`.
    site, item, receptacle, vehicle : str or int
        What it begins with: one of them. A site by its id, the others by id, by pseudonym (``p…``) or by the
        pseudonym's number.
    start, end : datetime or str, optional
        Window, both ends included; without a zone in that of the log. Of an item: since when it is
        exposed, or, backward, by when it was.
    backward : bool
        What may have reached the source, instead of what it reached.
    steps : int
        Most meetings on the way.
    through : sequence of {"site", "receptacle", "vehicle"}
        Where things meet.
    linger_h : float
        Hours a place stays exposed after an exposed item left.
    key : bytes or callable, optional
        The log's key, or what finds it; needed where an id is given.
    threads : int
        Cores to use; the result is the same.

    Returns
    -------
    Trace

    Raises
    ------
    UsageError
        An option or a combination that cannot be meant, ``no-key``, ``wrong-key``, ``ambiguous-time``.
    NotFoundError
        The log knows no such site, item, receptacle or vehicle.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from changtong.events.log import create_log
    >>> log = create_log(Path(tempfile.mkdtemp()) / "LOG")
    >>> trace(log, site="S1", item="RR123456785CN")
    Traceback (most recent call last):
    ...
    changtong.errors.UsageError: Give one of site, item, receptacle and vehicle.
    """
    given = {"site": site, "item": item, "receptacle": receptacle, "vehicle": vehicle}
    named = [(kind, value) for kind, value in given.items() if value is not None]
    if len(named) != 1:
        raise UsageError("Give one of site, item, receptacle and vehicle.")
    kind, value = named[0]
    from_ms, to_ms = (None if at is None else moment_ms(at, log.zone) for at in (start, end))
    source = Source(kind, str(value) if kind == "site" else key_in_log(log, value, key), from_ms, to_ms)
    first = None
    if not backward and from_ms is not None:
        first = _day(log, from_ms) - timedelta(days=BEFORE_DAYS)
    # backward as well the days after the window are read: where things are now, and what was delivered since
    index = index_contacts(load_columns(log.files(first)), threads=threads, zone=log.zone)
    return trace_index(
        index, source, backward=backward, steps=steps, through=through, linger_h=linger_h, threads=threads
    )


def key_in_log(log: EventLog, value: str | int | None, key: Key | None = None) -> int:
    """Return the number of a pseudonym: as it stands, or that of an id under the log's key.

    Parameters
    ----------
    log : EventLog
    value : str or int
        An id, a pseudonym (``p…``), or a pseudonym's number.
    key : bytes or callable, optional
        The log's key, or what finds it.

    Raises
    ------
    UsageError
        ``no-key``, ``wrong-key``.
    InputError
        ``bad-id``.
    """
    if isinstance(value, int):
        return value
    text = str(value)
    if is_pseudonym(text):
        return from_pseudonym(text)
    if not log.keyed:
        return key_of(PLAIN_KEY, text)
    if key is None:
        raise UsageError("An id is looked up with the log's key: give it, or a pseudonym.", "no-key")
    secret = key if isinstance(key, bytes) else key()
    log.check_key(secret)
    return key_of(secret[:16], text)


def _day(log: EventLog, at_ms: int) -> date:
    """Return the day of an instant in the log's zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(log.zone)).date()
