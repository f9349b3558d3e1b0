"""A book of the server: a SQLite file of its own, open to its owner only, that outlives the server."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from changtong.storage.engine import make_engine, writing


class Book:
    """A book, in a file of its own.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    tables : sqlalchemy.MetaData
        Made where they are not there.
    """

    def __init__(self, path: Path, tables: sa.MetaData) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self.engine = make_engine(path)
        with writing(self.engine) as connection:
            tables.create_all(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
