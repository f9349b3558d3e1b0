"""The folder a server works on: registers, networks, scan logs, data sets, and what was run."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from changtong.errors import NotFoundError, UsageError
from changtong.file_locks import lock_file
from changtong.network.io import is_network_folder

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of networks and runs: never a path, never hidden."""

FOLDERS = ("networks", "logs", "intake", "datasets", "runs", "keys")


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
    def dataset_book(self) -> Path:
        """What was uploaded, and whose it is."""
        return self.path / "datasets.db"

    @property
    def keys(self) -> Path:
        """Keys of the pseudonyms of scan logs."""
        return self.path / "keys"

    def dataset(self, kind: str, dataset_id: str) -> Path:
        """Return the folder of a data set; networks and logs have places of their own. Ids are looked at."""
        if not NAME.fullmatch(dataset_id) or not NAME.fullmatch(kind):
            raise NotFoundError("There is no data set of this id.")
        if kind in ("network", "log"):
            return self.path / f"{kind}s" / dataset_id
        return self.path / "datasets" / kind / dataset_id

    def logs(self) -> tuple[str, ...]:
        """Return the ids of the scan logs that are there."""
        found = (entry for entry in os.scandir(self.path / "logs") if NAME.fullmatch(entry.name))
        inside = (entry for entry in found if entry.is_dir(follow_symlinks=False))
        return tuple(sorted(entry.name for entry in inside if Path(entry, "log.json").is_file()))

    @property
    def alert_book(self) -> Path:
        """What the watches of scan logs found, and what people did about it."""
        return self.path / "alerts.db"

    @property
    def request_book(self) -> Path:
        """What was answered to requests with a key."""
        return self.path / "requests.db"

    @property
    def backups(self) -> Path:
        """Backups of the registers."""
        return self.path / "backups"

    @property
    def seal_keys(self) -> Path:
        """The keys that seal certificates of erasures."""
        return self.path / "seal-keys.json"

    def networks(self) -> tuple[str, ...]:
        """Return the ids of the networks that are there."""
        found = (entry for entry in os.scandir(self.path / "networks") if NAME.fullmatch(entry.name))
        inside = (entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        return tuple(sorted(name for name in inside if is_network_folder(self.path / "networks" / name)))

    def run(self, run_id: str) -> Path:
        """Return the folder of a run's result."""
        return self.work(run_id) / "result"

    def work(self, run_id: str) -> Path:
        """Return the folder a run works in; the id is the program's own, and still looked at."""
        if not NAME.fullmatch(run_id):
            raise NotFoundError("There is no run of this id.")
        return self.path / "runs" / run_id

    def remove(self, path: Path) -> None:
        """Take a folder out of sight at once, and then away."""
        aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.gone")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)


def open_data_folder(path: Path) -> tuple[DataFolder, int]:
    """Return a folder with what it needs, and a lock on it: one server works on it at a time.

    Raises
    ------
    UsageError
        ``data-in-use``; ``cannot-write``.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(
            f"{path} is no folder: --data names one, which is made where it is absent.", "cannot-write"
        )
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
