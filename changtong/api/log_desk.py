"""What a day of a log shows, kept at hand: computed in a process of its own, told while it is made anew.

Where events come in all the time, every answer is a little old: it says by how many batches it was made.
It is made anew when the log has grown, but not oftener than its making is worth, and one at a time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from changtong.api.log_shelf import LogShelf
from changtong.api.network_desk import NetworkDesk
from changtong.api.request_log import described, log
from changtong.errors import ChangtongError
from changtong.written_files import write_beside

COMMAND = ("-m", "changtong.api.log_process")
WITHIN_S = 600.0
LEAST_AGE_S = 15.0
COSTS = 4.0
"""An answer is told for this many times as long as it took to make."""

KEPT = 60
"""Days of logs at hand: each takes about a megabyte."""

FORGET_FAULT_S = 30.0
FORM = 3
"""Of the answers: those kept on the disk by another program are made anew."""


@dataclass(frozen=True)
class Made:
    """An answer.

    Attributes
    ----------
    batches : int
        Batches that the log had.
    parts : dict
        Name to JSON, packed by gzip.
    tags : dict
        Name to what tells its content from others.
    made_at : float
        Seconds since 1970.
    took_s : float
    """

    batches: int
    parts: dict[str, bytes]
    tags: dict[str, str]
    made_at: float
    took_s: float


Key = tuple[str, str, str, str]
"""Log, what is asked (map or day), day, class of service or empty."""


class LogDesk:
    """Keeps answers about logs.

    Parameters
    ----------
    shelf : LogShelf
    """

    def __init__(self, shelf: LogShelf) -> None:
        self.shelf = shelf
        self._desk = NetworkDesk(COMMAND, WITHIN_S)
        self._items = NetworkDesk(COMMAND, WITHIN_S)  # who asks for an item does not wait for a day's map
        self._made: OrderedDict[Key, Made] = OrderedDict()
        self._failed: dict[Key, tuple[float, ChangtongError]] = {}
        self._making: set[Key] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the processes; what is being made is given up."""
        self._desk.close(at_once=True)
        self._items.close(at_once=True)

    def at_hand(self, log_id: str, ask: str, day: date, service_class: str = "") -> Made | None:
        """Return an answer that is at hand, and have it made anew where that is due; None: it is being made.

        Parameters
        ----------
        log_id : str
        ask : {"map", "day"}
        day : date
        service_class : str
            Only pieces of this one; of the map only.

        Raises
        ------
        ChangtongError
            It could not be made.
        """
        key = (log_id, ask, day.isoformat(), service_class)
        grown = len(self.shelf.log(log_id).batches)
        with self._lock:
            made = self._made.get(key)
            if made is not None:
                self._made.move_to_end(key)
        if made is None:
            made = self._read(key)
        with self._lock:
            failed = self._failed.get(key)
            if failed is not None and time.time() - failed[0] < FORGET_FAULT_S:
                if made is None:
                    raise failed[1]
                return made
            is_due = made is None or (
                made.batches != grown and time.time() - made.made_at > max(LEAST_AGE_S, COSTS * made.took_s)
            )
            if is_due and key not in self._making:
                self._making.add(key)
                threading.Thread(target=self._make, args=(key,), daemon=True).start()
        return made

    def last_state(self, log_id: str, item: int) -> dict[str, Any]:
        """Return where an item was last, by its key; waits for its turn.

        Raises
        ------
        NotFoundError
        """
        return self._items.ask(self.shelf.log_folder(log_id), {"ask": "item", "item": item})

    def track(self, log_id: str, item: int) -> dict[str, Any]:
        """Return the way of an item, by its key; waits for its turn.

        Raises
        ------
        NotFoundError
        """
        return self._items.ask(self.shelf.log_folder(log_id), {"ask": "track", "item": item})

    def waiting(
        self, log_id: str, site_id: str, day: date, hour: int | None, service_class: str
    ) -> dict[str, Any]:
        """Return the items that wait longest at a site, see `log_items.waiting_items`; waits for its turn."""
        asked = {"site_id": site_id, "day": day.isoformat(), "hour": hour, "service_class": service_class}
        return self._items.ask(self.shelf.log_folder(log_id), {"ask": "waiting", **asked})

    def _make(self, key: Key) -> None:
        log_id, ask, day, service_class = key
        begun = time.monotonic()
        try:
            question = {"ask": ask, "day": day, "service_class": service_class}
            told = self._desk.ask(self.shelf.log_folder(log_id), question)
            took_s = time.monotonic() - begun
            parts = {name: base64.b64decode(part) for name, part in told["parts"].items()}
            self._keep(key, _made(int(told["batches"]), parts, time.time(), took_s))
            self._write(key, told, took_s)
        except Exception as error:
            kept = error if isinstance(error, ChangtongError) else ChangtongError("It could not be made.")
            if kept.code in ("internal", "error", "cannot-write"):
                log("fault", logging.ERROR, log_id=log_id, **described(error))
            with self._lock:
                self._failed[key] = (time.time(), kept)
        finally:
            with self._lock:
                self._making.discard(key)

    def _keep(self, key: Key, made: Made) -> None:
        with self._lock:
            self._failed.pop(key, None)
            self._made[key] = made
            while len(self._made) > KEPT:
                self._made.popitem(last=False)

    def _place(self, key: Key) -> Path:
        of_class = f"-{hashlib.sha256(key[3].encode()).hexdigest()[:16]}" if key[3] else ""
        return self.shelf.beside(key[0]) / "views" / f"{key[1]}-{key[2]}{of_class}.json"

    def _write(self, key: Key, told: dict[str, Any], took_s: float) -> None:
        """Keep an answer for the next run of the server."""
        kept = {"form": FORM, "made_at": time.time(), "took_s": took_s} | told
        write_beside(self._place(key), json.dumps(kept), mode=0o600)

    def _read(self, key: Key) -> Made | None:
        place = self._place(key)
        try:
            kept = json.loads(place.read_text())
            if kept["form"] != FORM:
                return None
            parts = {name: base64.b64decode(part) for name, part in kept["parts"].items()}
            made = _made(int(kept["batches"]), parts, float(kept["made_at"]), float(kept["took_s"]))
        except (OSError, ValueError, KeyError):  # not there, or damaged: it is made anew
            return None
        self._keep(key, made)
        return made


def _made(batches: int, parts: dict[str, bytes], made_at: float, took_s: float) -> Made:
    tags = {name: hashlib.sha256(part).hexdigest()[:32] for name, part in parts.items()}
    return Made(batches, parts, tags, made_at, took_s)
