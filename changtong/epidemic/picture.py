"""The whole picture at an instant: states, gates, what is missing, what settles, who crosses, what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from changtong.epidemic.epidemic_folder import Epidemic
from changtong.epidemic.reports import Report
from changtong.epidemic.state_outages import StateOutages
from changtong.network.model import Network

PARTS = ("states", "passes", "firms", "staff", "crossings", "checklist", "settling", "inspections-due")


@dataclass(frozen=True)
class Picture:
    """Everything that is known at an instant.

    Attributes
    ----------
    epidemic : Epidemic
    network : Network
    at : datetime
    outages : StateOutages
    reports : dict
        Name -> report, of those of `PARTS` that there are tables for.
    """

    epidemic: Epidemic
    network: Network
    at: datetime
    outages: StateOutages
    reports: dict[str, Report]

    def to_json(self) -> dict[str, Any]:
        """Return the summaries of all parts as one JSON object."""
        parts = {name: self.reports[name].facts for name in PARTS if name in self.reports}
        return {"at": self.at.isoformat(), "outages": self.outages.to_json()} | parts

    def __str__(self) -> str:
        lines = [str(self.reports[name]).splitlines()[0] for name in PARTS if name in self.reports]
        return "\n".join([*lines, str(self.outages).splitlines()[0]])
