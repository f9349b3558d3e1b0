"""The book of requests with a key: what was answered, so that a request sent twice is done once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.api.book import Book
from changtong.errors import UsageError
from changtong.storage.engine import writing
from changtong.storage.rows import now
from changtong.storage.schema import Instant, JsonText

KEPT_FOR = timedelta(days=7)
"""After so long a key may be used anew."""

_tables = sa.MetaData()
requests = sa.Table(
    "requests",
    _tables,
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("answer", JsonText),
    sa.Column("headers", JsonText),
    sa.Index("requests_age", "made_at"),
)


@dataclass(frozen=True)
class Kept:
    """What is known of a request with a key.

    Attributes
    ----------
    was_begun : bool
        Whether it was begun before, and the server died before it was answered.
    status : int or None
        None: it is to be done now.
    answer : object
    headers : dict
    """

    was_begun: bool = False
    status: int | None = None
    answer: Any = None
    headers: dict[str, str] | None = None


class RequestBook(Book):
    """The book, in a file of its own.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _tables)
        self._at_work: set[tuple[str, str]] = set()
        self._one_at_a_time = threading.Lock()

    def begin(self, user: str, key: str, digest: str, at: datetime | None = None) -> Kept:
        """Begin a request, or find what was answered to it.

        Parameters
        ----------
        user, key : str
        digest : str
            Of all that it asks for.
        at : datetime, optional

        Raises
        ------
        UsageError
            ``key-reused``: the key was used for another request; ``key-in-use``: this very request is being
            worked on.
        """
        at = at or now()
        with self._one_at_a_time, writing(self.engine) as connection:
            connection.execute(requests.delete().where(requests.c.made_at < at - KEPT_FOR))
            same = (requests.c.user == user, requests.c.key == key)
            found = connection.execute(sa.select(requests).where(*same)).mappings().first()
            if found is not None and found["digest"] != digest:
                raise UsageError("This Idempotency-Key was used for another request.", "key-reused")
            if found is not None and found["status"] is not None:
                return Kept(True, found["status"], found["answer"], found["headers"])
            if (user, key) in self._at_work:
                raise UsageError("The request with this Idempotency-Key is being worked on.", "key-in-use")
            self._at_work.add((user, key))
            if found is None:
                row = {"user": user, "key": key, "digest": digest, "made_at": at}
                connection.execute(requests.insert(), row)
            return Kept(was_begun=found is not None)

    def end(self, user: str, key: str, status: int, answer: Any, headers: dict[str, str]) -> None:
        """Keep what was answered."""
        same = (requests.c.user == user, requests.c.key == key)
        values = {"status": status, "answer": answer, "headers": headers}
        with self._one_at_a_time, writing(self.engine) as connection:
            connection.execute(requests.update().where(*same).values(**values))
            self._at_work.discard((user, key))

    def leave(self, user: str, key: str) -> None:
        """Leave a request that failed half-way: whether it was done is seen when it is sent again."""
        with self._one_at_a_time:
            self._at_work.discard((user, key))

    def forget(self, user: str, key: str) -> None:
        """Forget a request that was refused: nothing was done, and the key is free again."""
        same = (requests.c.user == user, requests.c.key == key, requests.c.status.is_(None))
        with self._one_at_a_time, writing(self.engine) as connection:
            connection.execute(requests.delete().where(*same))
            self._at_work.discard((user, key))
