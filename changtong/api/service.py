"""What a server has open: the folder, the registers, the book of runs, the queue."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from changtong.api.alert_book import AlertBook
from changtong.api.alert_watch import AlertWatch
from changtong.api.data_folder import DataFolder, open_data_folder
from changtong.api.dataset_book import DatasetBook
from changtong.api.dataset_desk import DatasetDesk
from changtong.api.forecast_days import ForecastShelf
from changtong.api.input_places import InputPlaces
from changtong.api.intake import Intake
from changtong.api.log_desk import LogDesk
from changtong.api.log_shelf import LogShelf
from changtong.api.network_desk import NetworkDesk
from changtong.api.offered import Offers, read_offers
from changtong.api.one_server import OneServer
from changtong.api.rates import Rate
from changtong.api.request_book import RequestBook
from changtong.api.request_log import Counts
from changtong.api.run_book import Run, RunBook
from changtong.api.run_queue import SERVER, RunQueue
from changtong.api.run_upkeep import tidy
from changtong.api.study_command import StudyCommand, study_command
from changtong.api.virus_scan import VirusScan
from changtong.errors import UsageError
from changtong.storage.engine import driver_url, is_url
from changtong.storage.known_passes import KnownPasses
from changtong.storage.people import NewOrganisation
from changtong.storage.rows import new_id
from changtong.storage.store import Store, create_store, open_store

FIRST_USER = "admin"
FIRST_SIGN_IN = "first-sign-in.txt"


@dataclass
class Service:
    """What a server has open.

    Attributes
    ----------
    folder : DataFolder
    store : Store
        The registers: who signs in, what they may, the audit.
    book : RunBook
    queue : RunQueue
    networks : NetworkDesk
        Answers about networks at once.
    datasets : DatasetBook
    offers : Offers
        Studies that may be asked for.
    shelf : LogShelf
        The scan logs.
    intake : Intake
        Events on their way into them.
    alerts : AlertBook
        What the watches of the logs found.
    watch : AlertWatch
    views : LogDesk
        What a day of a log shows, at hand.
    requests_done : RequestBook
        What was answered to requests with a key.
    passes : KnownPasses
        Who holds which token, while nothing changes in the registers.
    networks : NetworkDesk
    forecasts : ForecastShelf
        What runs have forecast, at hand for the map.
    counts : Counts
    sign_ins, requests, intakes : Rate
        By address; by person; by person who sends events, whom the spool holds back as well.
    scan : VirusScan, optional
        What looks at uploads before they are kept.
    stopping : threading.Event
        Set when the server is about to stop: streams end.
    """

    folder: DataFolder
    store: Store
    book: RunBook
    queue: RunQueue
    datasets: DatasetBook
    offers: Offers
    shelf: LogShelf
    intake: Intake
    alerts: AlertBook
    watch: AlertWatch
    views: LogDesk
    requests_done: RequestBook
    networks: NetworkDesk = field(default_factory=NetworkDesk)
    forecasts: ForecastShelf = field(default_factory=ForecastShelf)
    counts: Counts = field(default_factory=Counts)
    sign_ins: Rate = field(default_factory=lambda: Rate(10, 10 / 60))
    requests: Rate = field(default_factory=lambda: Rate(100, 20.0))
    intakes: Rate = field(default_factory=lambda: Rate(500, 200.0))
    stopping: threading.Event = field(default_factory=threading.Event)
    scan: VirusScan | None = None
    _alone: OneServer | None = None
    _lock: int = -1

    def __post_init__(self) -> None:
        self.dataset_desk = DatasetDesk(self.places, self.offers)
        self.passes = KnownPasses(self.store.engine)

    @property
    def places(self) -> InputPlaces:
        """Where inputs of studies lie."""
        return InputPlaces(self.folder, self.book, self.datasets)

    def close(self) -> None:
        """Close everything; what runs is left to be resumed."""
        self.stopping.set()
        self.queue.stop()
        self.intake.close()
        self.watch.close()
        self.views.close()
        self.alerts.close()
        self.networks.close()
        self.book.close()
        self.datasets.close()
        self.requests_done.close()
        self.passes.close()
        self.store.close()
        if self._alone is not None:
            self._alone.close()
        os.close(self._lock)


def open_service(
    path: Path,
    registers: str | None = None,
    workers: int = 1,
    *,
    program: Any = None,
    runs: str | None = None,
    scan: VirusScan | None = None,
) -> Service:
    """Open a data folder, and make what is not there.

    Parameters
    ----------
    path : Path
    registers : str, optional
        A file or the URL of PostgreSQL; by default ``registers.db`` in the folder, made where it is absent.
    workers : int
        Runs at once, in each process that computes.
    program : click or typer group, optional
        The program whose commands are offered; none without it.
    runs : str, optional
        The URL of PostgreSQL, where runs, data sets and the queue are kept instead of in the folder: other
        processes compute, too (`open_worker`).
    scan : VirusScan, optional
        What looks at uploads before they are kept.

    Raises
    ------
    UsageError
        ``data-in-use``, ``runs-in-use``, ``cannot-write``, ``no-registers``,
        ``registers-old``, ``registers-newer``.
    """
    if runs is not None and not is_url(runs):
        raise UsageError(f"--runs {runs}: postgresql://user@host/name is expected.")
    folder, lock = open_data_folder(path)
    with ExitStack() as undo:
        undo.callback(os.close, lock)
        alone = None if runs is None else OneServer(runs)
        if alone is not None:
            undo.callback(alone.close)
        store = _store(folder, registers)
        undo.callback(store.close)
        book, datasets = _books(folder, runs)
        tidy(book, datasets, folder)
        offers = Offers({}) if program is None else read_offers(program)
        queue = _queue(folder, book, datasets, offers, runs, workers, SERVER)
        shelf, alerts = LogShelf(folder, datasets), AlertBook(folder.alert_book)
        watch, done = AlertWatch(shelf, alerts), RequestBook(folder.request_book)
        service = Service(
            folder, store, book, queue, datasets, offers, shelf, Intake(shelf, watch.look), alerts, watch,
            LogDesk(shelf), done, scan=scan, _alone=alone, _lock=lock,
        )  # fmt: skip
        service.queue.start()
        service.intake.start()
        service.watch.start()
        undo.pop_all()
    return service


@dataclass
class Worker:
    """A process that computes what a server has queued.

    Attributes
    ----------
    name : str
    """

    name: str
    _book: RunBook
    _datasets: DatasetBook
    _queue: RunQueue

    def close(self) -> None:
        """Stop; what runs is left to others."""
        self._queue.stop()
        self._book.close()
        self._datasets.close()


def open_worker(path: Path, runs: str, program: Any) -> Worker:
    """Begin to compute runs of a server, in this process.

    Parameters
    ----------
    path : Path
        The server's data folder, as this machine sees it.
    runs : str
        The URL of PostgreSQL that the server was given.
    program : click or typer group
        The program whose commands are run.

    Raises
    ------
    UsageError
        ``missing-folder``: there is no data folder; ``no-registers``: the database does not answer.
    """
    if not (path / "runs").is_dir():
        raise UsageError(f"{path} is no data folder of a server.", "missing-folder")
    folder = DataFolder(path.resolve())
    book, datasets = _books(folder, runs)
    name = f"worker-{new_id()}"
    queue = _queue(folder, book, datasets, read_offers(program), runs, None, name)
    queue.start()
    return Worker(name, book, datasets, queue)


def _books(folder: DataFolder, runs: str | None) -> tuple[RunBook, DatasetBook]:
    if runs is not None and not is_url(runs):
        raise UsageError(f"--runs {runs}: postgresql://user@host/name is expected.")
    return RunBook(runs or folder.run_book), DatasetBook(runs or folder.dataset_book)


def _queue(
    folder: DataFolder, book: RunBook, datasets: DatasetBook, offers: Offers, runs: str | None,
    workers: int | None, name: str,
) -> RunQueue:  # fmt: skip
    places = InputPlaces(folder, book, datasets)

    def command(run: Run) -> StudyCommand:
        return study_command(offers.get(run.study), run.request | {"by": run.user}, places, run.id)

    place = None if runs is None else driver_url(runs)
    return RunQueue(folder, book, command, workers, worker=name, place=place)


def _store(folder: DataFolder, registers: str | None) -> Store:
    place = registers or str(folder.registers)
    if registers is not None or folder.registers.exists():
        return open_store(place, files=folder.path / "files" if is_url(place) else None)
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    # administrators see no analysis: the first one is a planner, too, until there are others
    top = NewOrganisation("本单位", "headquarters", "000000")
    store = create_store(place, FIRST_USER, password, top, must_change=True, roles=("planner",))
    told = folder.path / FIRST_SIGN_IN
    with os.fdopen(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(f"user: {FIRST_USER}\npassword: {password}\n")
    return store
