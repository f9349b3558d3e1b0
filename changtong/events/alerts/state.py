"""What a watch remembers from one day to the next: windows of values and open alerts, as JSON.

Windows stand in the JSON as packed numbers (zlib, base64, little-endian float64), so that
they come back to the last bit; everything a person may want to read is plain.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.events.alerts.life import STATES, Alert, Words
from changtong.written_files import write_beside

Floats = NDArray[np.float64]
Keys = tuple[tuple[str, ...], ...]

FORMAT = "changtong-watch-1"
KINDS = ("volumes", "days", "hours")
MOST_BYTES = 2_000_000_000
"""No window of a state is larger: a damaged file must not fill the memory."""


@dataclass(frozen=True)
class Window:
    """The last values of many subjects.

    Attributes
    ----------
    keys : tuple of tuple of str
        Subject of each row.
    arrays : mapping of str to array, (rows, length)
        The newest value last; NaN where nothing is known or the value is left out.
    """

    keys: Keys
    arrays: Mapping[str, Floats]

    def widen(self, keys: Sequence[tuple[str, ...]]) -> Window:
        """Return the window with rows for new subjects, in sorted order after those there are."""
        seen = set(self.keys)
        new = tuple(sorted(key for key in set(keys) if key not in seen))
        if not new:
            return self
        grown = {
            name: np.vstack([old, np.full((len(new), old.shape[1]), np.nan)])
            for name, old in self.arrays.items()
        }
        return Window(self.keys + new, freeze(grown))

    def push(self, columns: Mapping[str, Floats]) -> Window:
        """Return the window one period later; arrays without a column stay."""
        after = {
            name: np.column_stack([old[:, 1:], columns[name]]) if name in columns else old
            for name, old in self.arrays.items()
        }
        return Window(self.keys, freeze(after))

    def keep(self, rows: NDArray[np.bool_]) -> Window:
        """Return the rows chosen."""
        if rows.all():
            return self
        keys = tuple(key for key, kept in zip(self.keys, rows, strict=True) if kept)
        return Window(keys, freeze({name: old[rows] for name, old in self.arrays.items()}))


def freeze(arrays: Mapping[str, Floats]) -> Mapping[str, Floats]:
    """Return the arrays so that nobody can write into them."""
    for array in arrays.values():
        array.setflags(write=False)
    return MappingProxyType(dict(arrays))


def empty_window(lengths: Mapping[str, int]) -> Window:
    """Return a window without subjects."""
    return Window((), freeze({name: np.empty((0, length)) for name, length in lengths.items()}))


@dataclass(frozen=True)
class WatchState:
    """What a watch knows after its last period.

    Attributes
    ----------
    kind : str
        ``volumes``, ``days`` or ``hours``: what it is fed with.
    zone : str
        Time zone of its days.
    thresholds : str
        Digest of the thresholds it was made with.
    last_ms : int or None
        Beginning of the last period, known or not.
    open_alerts : tuple of Alert
    windows : mapping of str to Window
    """

    kind: str
    zone: str
    thresholds: str
    last_ms: int | None = None
    open_alerts: tuple[Alert, ...] = ()
    windows: Mapping[str, Window] = field(default_factory=lambda: MappingProxyType({}))

    def check(self, kind: str, zone: str, digest: str) -> None:
        """Refuse to go on with another kind of data, time zone or other thresholds."""
        for what, mine, theirs in (
            ("kind of series", self.kind, kind),
            ("time zone", self.zone, zone),
            ("thresholds", self.thresholds, digest),
        ):
            if mine != theirs:
                message = (
                    f"The state was made with another {what} ({mine}, not {theirs}): begin without a state."
                )
                raise UsageError(message, "other-watch")

    def to_json(self) -> str:
        """Return the state as one JSON text."""
        windows = {
            name: {
                "keys": [list(key) for key in window.keys],
                "arrays": {label: _pack(array) for label, array in window.arrays.items()},
            }
            for name, window in self.windows.items()
        }
        body = {
            "format": FORMAT,
            "kind": self.kind,
            "zone": self.zone,
            "thresholds": self.thresholds,
            "last_ms": self.last_ms,
            "open_alerts": [asdict(alert) for alert in self.open_alerts],
            "windows": windows,
        }
        return json.dumps(body, ensure_ascii=False, allow_nan=False)

    def save(self, path: str | Path) -> Path:
        """Write the state beside its place, then put it there.

        Raises
        ------
        UsageError
            It cannot be written.
        """
        return write_beside(Path(path), self.to_json(), make_folder=False)


def read_state(source: str | Path) -> WatchState:
    """Read a state from its file, or from the JSON text itself.

    Raises
    ------
    InputError
        The file is none, is damaged, or is of another format.

    Examples
    --------
    >>> state = WatchState("volumes", "Asia/Shanghai", "0" * 16)
    >>> read_state(state.to_json()) == state
    True
    """
    name, text = "state", str(source)
    if not (isinstance(source, str) and source.lstrip().startswith("{")):
        name = Path(source).name
        try:
            text = Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError([Problem("unreadable-file", str(error), name)]) from error
    try:
        body = json.loads(text)
        if body["format"] != FORMAT or body["kind"] not in KINDS:
            raise ValueError(f"format {body['format']!r}, kind {body['kind']!r}")
        windows = {
            label: Window(
                tuple(tuple(map(str, key)) for key in window["keys"]),
                freeze({n: _unpack(array, len(window["keys"])) for n, array in window["arrays"].items()}),
            )
            for label, window in body["windows"].items()
        }
        return WatchState(
            str(body["kind"]),
            str(body["zone"]),
            str(body["thresholds"]),
            None if body["last_ms"] is None else int(body["last_ms"]),
            tuple(_alert(row) for row in body["open_alerts"]),
            MappingProxyType(windows),
        )
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error, binascii.Error) as error:
        message = f"This is no state of a watch, or it is damaged: {error}."
        raise InputError([Problem("bad-watch-state", message, name, expected=FORMAT)]) from error


def with_step(
    state: WatchState, at_ms: int, windows: Mapping[str, Window], open_alerts: tuple[Alert, ...]
) -> WatchState:
    """Return the state after one more period."""
    return replace(state, last_ms=at_ms, windows=MappingProxyType(dict(windows)), open_alerts=open_alerts)


def _alert(row: dict[str, Any]) -> Alert:
    alert = Alert(**{**row, "subject": tuple(row["subject"]), "words": Words(**row["words"])})
    if alert.state not in STATES or not 1 <= alert.tier <= 3:
        raise ValueError(f"alert {alert.alert_id!r}")
    return alert


def _pack(array: Floats) -> dict[str, Any]:
    raw = np.ascontiguousarray(array, "<f8").tobytes()
    return {"length": array.shape[1], "packed": base64.b64encode(zlib.compress(raw, 6)).decode("ascii")}


def _unpack(packed: dict[str, Any], rows: int) -> Floats:
    length = int(packed["length"])
    wanted = rows * length * 8
    if not 0 <= wanted <= MOST_BYTES:
        raise ValueError("a window is too large")
    raw = zlib.decompressobj().decompress(base64.b64decode(packed["packed"], validate=True), wanted + 1)
    if len(raw) != wanted:
        raise ValueError("a window has the wrong size")
    return np.frombuffer(raw, "<f8").astype(np.float64).reshape(rows, length)
