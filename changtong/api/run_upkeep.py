"""What becomes of old runs, and of what a server left half done when it died."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta

from changtong.api.data_folder import DataFolder
from changtong.api.dataset_book import DatasetBook
from changtong.api.dataset_kinds import KINDS
from changtong.api.request_log import log
from changtong.api.run_book import RunBook
from changtong.errors import ConflictError, NotFoundError
from changtong.storage.rows import now

EVERY_S = 3600.0


def tidy(runs: RunBook, datasets: DatasetBook, folder: DataFolder) -> None:
    """Remove what no book knows, and rows of data sets whose folders never came: before anything else works.

    Parameters
    ----------
    runs : RunBook
    datasets : DatasetBook
    folder : DataFolder
    """
    known = runs.ids()
    for place in (folder.path / "runs").iterdir():
        if place.name not in known:
            shutil.rmtree(place, ignore_errors=True)
    for place in (folder.path / "networks", folder.path / "datasets", *(folder.path / "datasets").iterdir()):
        for left in place.glob(".*.gone"), place.glob(".*.part"):
            for one in left:
                shutil.rmtree(one, ignore_errors=True)
    for kind in KINDS:
        for dataset in datasets.all_of(kind):
            if not folder.dataset(kind, dataset.id).is_dir():
                datasets.remove(kind, dataset.id)


def delete_old(book: RunBook, folder: DataFolder, days: int) -> int:
    """Delete the runs that ended so long ago, with their files; return how many.

    Parameters
    ----------
    book : RunBook
    folder : DataFolder
    days : int
    """
    gone = 0
    for run_id in book.ended_before(now() - timedelta(days=days)):
        try:
            book.delete(run_id)
        except (ConflictError, NotFoundError):  # a new run is of it, or somebody was quicker
            continue
        folder.remove(folder.work(run_id))
        gone += 1
    if gone:
        log("runs-deleted", count=gone, days=days)
    return gone


def keep_deleting(book: RunBook, folder: DataFolder, days: int, stopping: threading.Event) -> None:
    """Delete old runs now and every hour, until the server stops."""

    def work() -> None:
        while True:
            delete_old(book, folder, days)
            if stopping.wait(EVERY_S):
                return

    threading.Thread(target=work, name="upkeep", daemon=True).start()
