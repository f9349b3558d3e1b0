"""Who holds a token, remembered for as long as nothing at all has changed in the registers.

A server asks for every request who asks. SQLite tells within microseconds whether any connection, of any
process, has written since: with nothing written the answer is the same as a moment ago, and with anything
written it is read anew. So a right taken back is gone with the next request, as without it.
"""

from __future__ import annotations

import threading
from datetime import datetime

import sqlalchemy as sa

from changtong.storage.engine import explained
from changtong.storage.work import Pass, token_hash

MOST_KEPT = 10_000


class KnownPasses:
    """Passes that were read.

    Parameters
    ----------
    engine : Engine
        Of the registers. PostgreSQL tells no such thing cheaply: then nothing is remembered.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._one_at_a_time = threading.Lock()
        self._passes: dict[bytes, Pass] = {}
        self._version = 0
        self._watch = None
        if engine.dialect.name == "sqlite":
            connection = engine.raw_connection()
            connection.detach()  # it writes nothing itself: its own changes would not be told to it
            self._watch = connection

    def close(self) -> None:
        """Close the connection that watches."""
        if self._watch is not None:
            self._watch.close()

    def version(self) -> int:
        """Return a number that is another one as soon as anything was written; always 0 with PostgreSQL."""
        if self._watch is None:
            return 0
        with self._one_at_a_time, explained():
            cursor = self._watch.cursor()
            cursor.execute("PRAGMA data_version")
            found = cursor.fetchone()
            cursor.close()
            return int(found[0]) if found else 0

    def get(self, token: str, at: datetime) -> Pass | None:
        """Return what a token gives; nothing where that has to be read, and decided, in the registers.

        Parameters
        ----------
        token : str
        at : datetime
            The instant at which it must hold.
        """
        version = self.version()
        if version != self._version:
            return None
        found = self._passes.get(token_hash(token))
        if found is None or not found.lasts(at) or found.is_unseen(at):
            return None
        return found

    def keep(self, token: str, holds: Pass, version: int) -> None:
        """Remember what was read.

        Parameters
        ----------
        token : str
        holds : Pass
            One whose password has to be changed is not kept.
        version : int
            As it was before it was read: what was written meanwhile makes it worthless.
        """
        if self._watch is None or holds.must_change:
            return
        with self._one_at_a_time:
            if version != self._version or len(self._passes) >= MOST_KEPT:
                self._passes, self._version = {}, version
            self._passes[token_hash(token)] = holds
