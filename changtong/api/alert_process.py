"""A watch of a scan log, in a process of its own: ``python -m changtong.api.alert_process``.

A question is a line of JSON: ``folder`` (the log), ``state`` (a file), ``until`` and ``settings``; the answer
has the alerts of the days fed. What the watch remembers is written beside the state, as ``.new``: who asked
puts it in place when the alerts are kept. Killed before, the same days are fed again, with the same alerts.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from changtong.api.network_process import answer_lines
from changtong.api.program import stand_back

NEW = ".new"


def main() -> int:
    """Answer until nobody asks any more."""
    stand_back()
    return answer_lines(watched, ends_at_once=True)


def watched(question: dict[str, Any]) -> dict[str, Any]:
    """Feed a watch with the days that are over.

    Parameters
    ----------
    question : dict
        ``folder``, ``state``, ``until`` (ISO date: the first day that does not count) and ``settings``: days,
        hourly, look_back_days, promise_h, leg_days, as the command `alerts` has them.

    Returns
    -------
    dict
        ``rows`` and ``notes``.
    """
    from changtong.events.alerts.log_state import read_log_state
    from changtong.events.log import open_log
    from changtong.studies import run_study

    state, settings = Path(question["state"]), question["settings"]
    found = run_study(
        "alerts",
        open_log(question["folder"]),
        state=read_log_state(state) if state.exists() else None,
        until=date.fromisoformat(question["until"]),
        days=settings["days"],
        hours=1 if settings["hourly"] else 24,
        look_back_days=settings["look_back_days"],
        promise_h=settings["promise_h"],
        leg_days=settings["leg_days"],
    ).result
    state.parent.mkdir(parents=True, exist_ok=True)
    found.save_state(state.with_name(state.name + NEW))
    told = json.loads(found.to_json())
    return {"rows": told["rows"], "notes": told["notes"]}


if __name__ == "__main__":
    sys.exit(main())
