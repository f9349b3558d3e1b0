"""What a watch of the scan log remembers: of its series by site, and of its moves by leg."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from changtong.errors import InputError, Problem, UsageError
from changtong.events.alerts.leg_day_moves import check_use
from changtong.events.alerts.result import Alerts
from changtong.events.alerts.state import WatchState, read_state
from changtong.written_files import write_beside

FORMAT = "changtong-log-watch-1"


@dataclass(frozen=True)
class LogState:
    """What a watch of a scan log knows after its last day.

    Attributes
    ----------
    series : WatchState
        Of days or hours by site.
    moves : WatchState
        Of moves by leg and day.
    look_back_days : int
    promise_h : float
        With which the series were made.
    leg_days : str
        How given leg-day volumes are used beside the scans.
    """

    series: WatchState
    moves: WatchState
    look_back_days: int
    promise_h: float
    leg_days: str = "fill"

    @property
    def last_day(self) -> date | None:
        """The last day fed; None before any. A log may have leg-day volumes alone, and no series."""
        fed = [ms for ms in (self.series.last_ms, self.moves.last_ms) if ms is not None]
        if not fed:
            return None
        return datetime.fromtimestamp(max(fed) / 1000, ZoneInfo(self.series.zone)).date()

    def check(self, look_back_days: int, promise_h: float, leg_days: str = "fill") -> None:
        """Refuse to go on with series made in another way."""
        if leg_days != self.leg_days:
            message = f"The state has leg-days {self.leg_days!r}, not {leg_days!r}: begin without a state."
            raise UsageError(message, "other-watch")
        for what, mine, theirs in (
            ("look-back", self.look_back_days, look_back_days),
            ("promise", self.promise_h, promise_h),
        ):
            if mine != theirs:
                message = f"The state has another {what} ({mine:g}, not {theirs:g}): begin without a state."
                raise UsageError(message, "other-watch")

    def to_json(self) -> str:
        """Return the state as one JSON text."""
        body = {
            "format": FORMAT,
            "look_back_days": self.look_back_days,
            "promise_h": self.promise_h,
            "leg_days": self.leg_days,
            "series": json.loads(self.series.to_json()),
            "moves": json.loads(self.moves.to_json()),
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


@dataclass(frozen=True)
class LogAlerts(Alerts):
    """Alerts from a scan log. ``state`` is that of the series by site; ``log_state`` has both.

    Alerts from moves have ids that begin with ``moved:``; one that says the same as an alert from scans has
    it in ``covered_by``.
    """

    log_state: LogState | None = None

    def save_state(self, path: str | Path) -> Path:
        """Write both states."""
        return self.state.save(path) if self.log_state is None else self.log_state.save(path)


def read_log_state(path: str | Path) -> LogState:
    """Read the state of a watch of a scan log.

    Raises
    ------
    InputError
        The file is none, is damaged, or is of another format.
    """
    path = Path(path)
    try:
        body: Any = json.loads(path.read_text("utf-8"))
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r}")
        series, moves = (read_state(json.dumps(body[name])) for name in ("series", "moves"))
        if series.kind == "volumes" or moves.kind != "volumes":
            raise ValueError(f"kinds {series.kind!r} and {moves.kind!r}")
        leg_days = body.get("leg_days", "fill")
        check_use(leg_days)
        return LogState(series, moves, int(body["look_back_days"]), float(body["promise_h"]), leg_days)
    except OSError as error:
        raise InputError([Problem("unreadable-file", str(error), path.name)]) from error
    except (ValueError, TypeError, KeyError, AttributeError, UsageError) as error:
        message = f"This is no state of a watch of a scan log, or it is damaged: {error}."
        raise InputError([Problem("bad-watch-state", message, path.name, expected=FORMAT)]) from error
