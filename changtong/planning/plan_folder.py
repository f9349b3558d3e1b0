"""What tells a plan folder, for those who read one without the planner."""

from __future__ import annotations

from pathlib import Path

SUMMARY_FILE, ROUNDS_FILE = "plan.json", "verification.csv"
"""A plan's summary; where it was played forward, the plans tried."""


def is_plan_folder(path: Path) -> bool:
    """Tell whether a folder holds a plan: only such a one is ever replaced."""
    return (path / SUMMARY_FILE).is_file()
