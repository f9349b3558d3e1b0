"""Intake of events: a process that checks them, a spool for each log, one that brings it in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from changtong.api.intake_check_process import checked_of, question_of
from changtong.api.intake_rows import Checked
from changtong.api.intake_spool import Spool, in_log
from changtong.api.log_shelf import LogShelf
from changtong.api.network_desk import NetworkDesk
from changtong.api.request_log import described, log
from changtong.errors import ChangtongError
from changtong.kernels import prepare_kernels

COMMAND = ("-m", "changtong.api.intake_process")
CHECK = ("-m", "changtong.api.intake_check_process")
CHECK_WITHIN_S = 60.0
MOST_CHECKS = 200
"""Requests that may wait to be checked; more are refused at once."""

TAKE_EVERY_S = 3.0
"""A batch of the log costs the same whatever is in it: what comes within this is taken together."""

WORK_SHARE = 0.5
"""Of the time that the process works: taking in pauses as long as it took, and pages answer meanwhile."""

WITHIN_S = 600.0
LONGEST_PAUSE_S = 30.0


class Intake:
    """Takes events in.

    Parameters
    ----------
    shelf : LogShelf
    after : callable, optional
        Called with a log's id when it has got rows.
    """

    def __init__(self, shelf: LogShelf, after: Callable[[str], None] | None = None) -> None:
        self.shelf, self._after = shelf, after
        self._desk = NetworkDesk(COMMAND, WITHIN_S)
        self._door = NetworkDesk(CHECK, CHECK_WITHIN_S, MOST_CHECKS)
        self._spools: dict[str, Spool] = {}
        self._keys: dict[str, bytes] = {}
        self._one_at_a_time = threading.Lock()
        self._something = threading.Event()
        self._closed = threading.Event()
        self._compiled = False
        self.jobs_looked_at = False
        self.registry = CollectorRegistry()
        name = ("log",)
        self._accepted = Counter("changtong_intake_events", "Events accepted.", name, registry=self.registry)
        self._refused = Counter(
            "changtong_intake_refused", "Requests refused: the log is behind.", name, registry=self.registry
        )
        self._aside = Counter("changtong_intake_aside", "Bad events put aside.", name, registry=self.registry)
        self._added = Counter(
            "changtong_intake_added", "Events that were new to the log.", name, registry=self.registry
        )
        self._doubled = Counter(
            "changtong_intake_duplicates", "Events that the log had.", name, registry=self.registry
        )
        self._behind = Gauge(
            "changtong_intake_behind_seconds", "Age of what waits longest.", name, registry=self.registry
        )
        self._bytes = Gauge("changtong_intake_spool_bytes", "What waits.", name, registry=self.registry)
        self._seconds = Gauge(
            "changtong_intake_last_seconds", "Last taking in.", name, registry=self.registry
        )
        self._worker = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin with what was left."""
        for log_id in self.shelf.ids():
            if (self.shelf.beside(log_id) / "spool").is_dir():
                self.spool(log_id)
        self._something.set()
        self._worker.start()

    def close(self) -> None:
        """Stop; what waits is taken in the next time."""
        self._closed.set()
        self._something.set()
        self._desk.close()
        self._door.close(at_once=True)
        if self._worker.ident is not None:
            self._worker.join()

    def spool(self, log_id: str) -> Spool:
        """Return the spool of a log."""
        with self._one_at_a_time:
            found = self._spools.get(log_id)
            if found is None:
                reached = in_log(self.shelf.log(log_id))
                found = self._spools[log_id] = Spool(self.shelf.beside(log_id) / "spool", reached)
            return found

    def check_room(self, log_id: str) -> None:
        """Go on only where a log keeps up with what was accepted.

        Raises
        ------
        IntakeBehindError
            ``intake-behind``.
        """
        try:
            self.spool(log_id).check_room()
        except ChangtongError:
            self._refused.labels(log_id).inc()
            raise

    def check_events(self, log_id: str, body: bytes, time_zone: str | None) -> Checked:
        """Check events with the columns of the log; see :func:`changtong.api.intake_rows.check_events`."""
        return self._checked(log_id, question_of("events", body, self._key(log_id), time_zone))

    def check_epcis(self, log_id: str, body: bytes) -> Checked:
        """Check a document of EPCIS; see :func:`changtong.api.intake_rows.check_epcis`."""
        return self._checked(log_id, question_of("epcis", body, self._key(log_id)))

    def _checked(self, log_id: str, question: dict[str, Any]) -> Checked:
        return checked_of(self._door.ask(self.shelf.log_folder(log_id), question))

    def accept(self, log_id: str, checked: Checked) -> int:
        """Bring good rows to the disk; return the number under which they will be in the log.

        Parameters
        ----------
        log_id : str
        checked : Checked
        """
        spool = self.spool(log_id)
        number = spool.put(checked.body, checked.rows) if checked.rows else spool.last
        self._accepted.labels(log_id).inc(checked.rows)
        if checked.bad_rows:
            self._aside.labels(log_id).inc(checked.bad_rows)
        self._something.set()
        return number

    def measured(self) -> CollectorRegistry:
        """Return what metrics tell, as of now."""
        for log_id, spool in list(self._spools.items()):
            self._behind.labels(log_id).set(spool.behind_s())
            self._bytes.labels(log_id).set(spool.size_bytes)
        return self.registry

    def _key(self, log_id: str) -> bytes:
        if not self._compiled:
            prepare_kernels(lambda says: log("kernels", says=says), "scan log")()
            self._compiled = True
        found = self._keys.get(log_id)
        if found is None:
            found = self._keys[log_id] = self.shelf.key(self.shelf.log(log_id))
        return found

    def _work(self) -> None:
        """Take in what waits, log by log, until closed."""
        trouble_s = 0.0
        while not self._closed.is_set():
            self._something.wait()
            self._something.clear()
            begun = time.monotonic()
            for log_id, spool in list(self._spools.items()):
                if self._closed.is_set():
                    return
                if not spool.rows:
                    continue
                try:
                    self._take(log_id, spool)
                    trouble_s = 0.0
                except Exception as error:  # whatever it is: what was accepted stays, and is tried again
                    log("fault", logging.ERROR, log_id=log_id, **described(error))
                    trouble_s = min(LONGEST_PAUSE_S, max(1.0, 2.0 * trouble_s))
                if spool.rows:
                    self._something.set()
            took_s = time.monotonic() - begun
            self._closed.wait(max(TAKE_EVERY_S, took_s * (1.0 / WORK_SHARE - 1.0), trouble_s))

    def _take(self, log_id: str, spool: Spool) -> None:
        told = self._desk.ask(
            self.shelf.log_folder(log_id), {"spool": str(spool.folder), "keys": str(self.shelf.keys)}
        )
        spool.taken(int(told["last"]))
        self._added.labels(log_id).inc(told["rows_added"])
        self._doubled.labels(log_id).inc(told["duplicates"])
        self._seconds.labels(log_id).set(told["seconds"])
        if told["quarantined"]:  # the door let in what the log does not take: never to happen
            log("fault", logging.ERROR, log_id=log_id, quarantined=told["quarantined"])
        if self._after is not None and told["rows_added"]:
            self._after(log_id)
