"""The watch of scan logs: after new events, the days that are over are fed, and alerts go into their book.

A day is over when the log has an event from an hour after its end: the events say what time it is, so that a
log that is behind, or one of the past, is not called silent. One that gets nothing more is told by its age.
"""

from __future__ import annotations

import json
import logging
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from changtong.api.alert_book import AlertBook
from changtong.api.alert_process import NEW
from changtong.api.log_shelf import LogShelf, last_event
from changtong.api.network_desk import NetworkDesk
from changtong.api.request_log import described, log
from changtong.written_files import write_beside

COMMAND = ("-m", "changtong.api.alert_process")
WITHIN_S = 3_600.0
GRACE = timedelta(hours=1)
SETTINGS: dict[str, Any] = {
    "on": True, "days": 56, "hourly": False, "look_back_days": 14, "promise_h": 72.0, "leg_days": "fill",
}  # fmt: skip
FED = "fed.json"


class AlertWatch:
    """Watches the logs of a shelf.

    Parameters
    ----------
    shelf : LogShelf
    book : AlertBook
    """

    def __init__(self, shelf: LogShelf, book: AlertBook) -> None:
        self.shelf, self.book = shelf, book
        self._desk = NetworkDesk(COMMAND, WITHIN_S)
        self._due: set[str] = set()
        self._something = threading.Event()
        self._closed = threading.Event()
        self._worker = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin, with all logs: a day may have ended while nobody was here."""
        self._due.update(self.shelf.ids())
        self._something.set()
        self._worker.start()

    def close(self) -> None:
        """Stop; a watch under way begins anew the next time."""
        self._closed.set()
        self._something.set()
        self._desk.close(at_once=True)
        if self._worker.ident is not None:
            self._worker.join()

    def look(self, log_id: str) -> None:
        """Look at a log as soon as there is time."""
        self._due.add(log_id)
        self._something.set()

    def feed(self, log_id: str) -> int:
        """Feed a log's watch with the days that are over; return how many alerts are new or changed."""
        about = self.shelf.about(log_id)
        settings = SETTINGS | about.alerts
        until = self._until(log_id)
        folder = self.shelf.beside(log_id) / "watch" / _name(settings)
        if not settings["on"] or until is None or until <= _fed(folder):
            return 0
        state = folder / "state.json"
        question = {"state": str(state), "until": until.isoformat(), "settings": settings}
        told = self._desk.ask(self.shelf.log_folder(log_id), question)
        count = self.book.put(log_id, about.path, about.admin_code, told["rows"])
        state.with_name(state.name + NEW).replace(state)
        write_beside(folder / FED, json.dumps({"until": until.isoformat()}))
        log("alerts", log_id=log_id, until=until.isoformat(), changed=count)
        return count

    def _until(self, log_id: str) -> date | None:
        """Return the first day that is not over, by the log's latest event."""
        events = self.shelf.log(log_id)
        latest = last_event(events)
        if latest is not None:
            return (latest - GRACE).astimezone(ZoneInfo(events.zone)).date()
        return max((*events.days, *events.volume_days), default=None)

    def _work(self) -> None:
        while not self._closed.is_set():
            self._something.wait()
            self._something.clear()
            while self._due and not self._closed.is_set():
                log_id = self._due.pop()
                try:
                    self.feed(log_id)
                except Exception as error:  # one log's trouble is no other's
                    if not self._closed.is_set():
                        log("fault", logging.ERROR, log_id=log_id, **described(error))


def _name(settings: dict[str, Any]) -> str:
    """Return the folder of a watch: other settings begin another one, which learns from the log anew."""
    kind = "hours" if settings["hourly"] else "days"
    return f"{kind}-{settings['look_back_days']}-{settings['promise_h']:g}-{settings['leg_days']}"


def _fed(folder: Path) -> date:
    """Return the first day that a watch was not fed with."""
    place = folder / FED
    return date.fromisoformat(json.loads(place.read_text())["until"]) if place.exists() else date.min
