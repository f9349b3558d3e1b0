"""The book of data sets: what was uploaded, by whom, and whose it is; what is not in it is nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.api.book import Book
from changtong.errors import NotFoundError
from changtong.rights.scope import Scope
from changtong.storage.engine import reading, writing
from changtong.storage.schema import Instant, JsonText

_tables = sa.MetaData()
datasets = sa.Table(
    "datasets",
    _tables,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("admin_code", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("files", JsonText, nullable=False),
    sa.Column("notes", JsonText, nullable=False),
    sa.Column("sample", sa.Boolean, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)


@dataclass(frozen=True)
class Dataset:
    """One data set.

    Attributes
    ----------
    kind, id : str
    user : str
        Who uploaded it.
    path, admin_code : str
        Of their organisation: what rights to it are decided by.
    digest : str
        SHA-256 over names and contents.
    files : dict
        From name to bytes.
    notes : list of dict
        Warnings of its reader.
    sample : bool
        Whether it came with the program.
    made_at : datetime
    """

    kind: str
    id: str
    user: str
    path: str
    admin_code: str
    digest: str
    files: dict[str, int]
    notes: list[dict[str, Any]]
    sample: bool
    made_at: datetime

    def described(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "digest": self.digest,
            "bytes": sum(self.files.values()),
            "files": self.files,
            "notes": self.notes,
            "sample": self.sample,
            "made_at": self.made_at.isoformat(),
            "user": self.user,
            "organisation": self.path.rstrip("/").rpartition("/")[2],  # paths are made of ids
        }


_COLUMNS = [datasets.c[name] for name in Dataset.__dataclass_fields__]


class DatasetBook(Book):
    """The book.

    Parameters
    ----------
    place : Path or str
        A file, or the URL of PostgreSQL.
    """

    def __init__(self, place: Path | str) -> None:
        super().__init__(place, _tables)
        self._known: dict[str, dict[str, Dataset]] = {}
        self._writes = 0

    def add(self, one: Dataset) -> None:
        """Enter a data set."""
        row = {name: getattr(one, name) for name in Dataset.__dataclass_fields__}
        with writing(self.engine) as connection:
            connection.execute(datasets.insert(), row)
        self._forget()

    def get(self, kind: str, dataset_id: str) -> Dataset:
        """Return a data set.

        Raises
        ------
        NotFoundError
        """
        found = self._of_kind(kind).get(dataset_id)
        if found is None:
            raise NotFoundError("There is no data set of this id.")
        return found

    def all_of(self, kind: str) -> tuple[Dataset, ...]:
        """Return all of a kind, whoever's they are."""
        return tuple(self._of_kind(kind).values())

    def _of_kind(self, kind: str) -> dict[str, Dataset]:
        """Return the data sets of a kind by id, remembered until one comes or goes."""
        known, writes = self._known.get(kind), self._writes
        if known is None:
            found = self._read(sa.select(*_COLUMNS).where(datasets.c.kind == kind).order_by(datasets.c.id))
            known = {one.id: one for one in found}
            if writes == self._writes and not self.is_shared:
                self._known[kind] = known
        return known

    def page(
        self, scopes: Sequence[Scope], kind: str, limit: int, after: tuple[str, str]
    ) -> tuple[tuple[Dataset, ...], bool]:
        """Return data sets within scopes in the order of kind and id, and whether there are more.

        Parameters
        ----------
        scopes : sequence of Scope
        kind : str
            Empty: all.
        limit : int
        after : tuple of str
            Kind and id of the last before.
        """
        place = sa.tuple_(datasets.c.kind, datasets.c.id)
        rules = [place > sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))]
        if kind:
            rules.append(datasets.c.kind == kind)
        chosen = sa.select(*_COLUMNS).where(*rules).order_by(datasets.c.kind, datasets.c.id)
        found: list[Dataset] = []
        with reading(self.engine) as connection:
            for row in connection.execute(chosen).mappings():
                if any(scope.covers(row["path"], row["admin_code"]) for scope in scopes):
                    found.append(_dataset(row))
                if len(found) > limit:
                    break
        return tuple(found[:limit]), len(found) > limit

    def samples(self) -> tuple[Dataset, ...]:
        """Return those that came with the program."""
        return self._read(sa.select(*_COLUMNS).where(datasets.c.sample))

    def remove(self, kind: str, dataset_id: str) -> None:
        """Take a data set out."""
        same = (datasets.c.kind == kind, datasets.c.id == dataset_id)
        with writing(self.engine) as connection:
            connection.execute(datasets.delete().where(*same))
        self._forget()

    def _forget(self) -> None:
        """Forget what was read: only this book, of the one server of a folder, writes to the file."""
        self._writes += 1
        self._known = {}

    def _read(self, chosen: sa.Select[Any]) -> tuple[Dataset, ...]:
        with reading(self.engine) as connection:
            return tuple(_dataset(row) for row in connection.execute(chosen).mappings())


def _dataset(row: Mapping[Any, Any]) -> Dataset:
    return Dataset(**{name: row[name] for name in Dataset.__dataclass_fields__})
