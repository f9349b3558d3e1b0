"""The folder a server works on: registers, networks, scan logs, and what was run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from changtong.errors import NotFoundError, UsageError
from changtong.file_locks import lock_file
from changtong.network.io import is_network_folder

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of networks and runs: never a path, never hidden."""

FOLDERS = ("networks", "logs", "intake", "runs")


@dataclass(frozen=True)
class DataFolder:
    """Where things lie.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def registers(self) -> Path:
        """The registers, unless they are in PostgreSQL."""
        return self.path / "registers.db"

    @property
    def queue(self) -> Path:
        """The queue library's own database."""
        return self.path / "queue.db"

    @property
    def run_book(self) -> Path:
        """What was asked for, by whom, and how it ended."""
        return self.path / "runs.db"

    @property
    def alert_book(self) -> Path:
        """What the watches of scan logs found, and what people did about it."""
        return self.path / "alerts.db"

    def networks(self) -> tuple[str, ...]:
        """Return the ids of the networks that are there."""
        found = (entry for entry in os.scandir(self.path / "networks") if NAME.fullmatch(entry.name))
        inside = (entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        return tuple(sorted(name for name in inside if is_network_folder(self.path / "networks" / name)))

    def network(self, network_id: str) -> Path:
        """Return the folder of a network; only those that are listed have one.

        Raises
        ------
        NotFoundError
            There is none of this id, with the nearest one.
        """
        known = self.networks()
        if network_id in known:
            return self.path / "networks" / network_id
        near = get_close_matches(network_id, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise NotFoundError(f"There is no network of this id.{hint}")

    def run(self, run_id: str) -> Path:
        """Return the folder of a run's result; the id is the program's own, and still looked at."""
        if not NAME.fullmatch(run_id):
            raise NotFoundError("There is no run of this id.")
        return self.path / "runs" / run_id


def open_data_folder(path: Path) -> tuple[DataFolder, int]:
    """Return a folder with what it needs, and a lock on it: one server works on it at a time.

    Raises
    ------
    UsageError
        ``data-in-use``; ``cannot-write``.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            (path / name).mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", "cannot-write") from None
    lock = lock_file(path / ".lock")
    if lock is None:
        raise UsageError(f"{path}: another server works on this folder.", "data-in-use")
    return DataFolder(path.resolve()), lock
