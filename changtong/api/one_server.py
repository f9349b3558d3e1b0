"""One server for the runs of a database: a second one would begin those of the first anew."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from changtong.errors import UsageError
from changtong.storage.engine import driver_url, explained

_LOCK = 0x6368616E67727573  # any number of our own

_SOON_GONE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
"""A server whose machine died is missed by the database within a minute, and another one may begin."""


class OneServer:
    """A place that one server holds; the database lets go when its connection ends, however it ends.

    Parameters
    ----------
    runs : str
        The URL of PostgreSQL.

    Raises
    ------
    UsageError
        ``runs-in-use``; ``no-registers``: the database does not answer.
    """

    def __init__(self, runs: str) -> None:
        more = {"options": _SOON_GONE, "connect_timeout": 10, "application_name": "changtong serve"}
        self._engine = sa.create_engine(
            driver_url(runs), poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True,
            connect_args=more,
        )  # fmt: skip
        with explained():
            self._line = self._engine.connect()
            is_held = self._line.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar()
        if not is_held:
            self.close()
            text = "Another server has its runs in this database: one serves, any number of `work` compute."
            raise UsageError(text, "runs-in-use")

    def close(self) -> None:
        """Let another server begin."""
        self._line.close()
        self._engine.dispose()
