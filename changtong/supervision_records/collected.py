"""What a run of taking in filled forms brought to the registers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from changtong.errors import Problem

COUNTS = (
    "files", "read", "new", "known", "set_aside", "photos_new", "photos_cleaned", "photos_set_aside",
    "findings", "hazards_opened", "hazards_seen", "hazards_reopened",
)  # fmt: skip


@dataclass(frozen=True)
class CollectedRecords:
    """What a run took into the registers.

    Attributes
    ----------
    counts : dict
        By the names of `COUNTS`. ``read = new + known + set_aside``: filled forms, and files that cannot be
        read.
    conflicts : tuple of str
        Ids of inspections of this run that were changed in two places: both versions are kept.
    findings_left : tuple of dict
        Findings that opened no hazard, with the ``reason``: no_site, unknown_site, no_time, before_closing.
    problems : tuple of Problem
        Of what was set aside, and warnings.
    """

    counts: dict[str, int]
    conflicts: tuple[str, ...]
    findings_left: tuple[dict[str, str], ...]
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        """Whether all was taken in, and nothing is in conflict."""
        return not (self.counts["set_aside"] or self.counts["photos_set_aside"] or self.conflicts)

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return self.counts | {
            "conflicts_in": list(self.conflicts),
            "findings_left": list(self.findings_left),
            "problems": [problem.to_dict() for problem in self.problems],
        }

    def __str__(self) -> str:
        c = self.counts
        lines = [
            f"{c['read']} filled forms in {c['files']} files: {c['new']} new, {c['known']} known,"
            f" {c['set_aside']} set aside",
            f"{c['findings']} findings need rectification: {c['hazards_opened']} hazards opened,"
            f" {c['hazards_seen']} seen again, {c['hazards_reopened']} reopened,"
            f" {len(self.findings_left)} left",
        ]
        if c["photos_set_aside"]:
            lines.append(f"{c['photos_set_aside']} photos set aside")
        lines += [f"  conflict: {name} has several versions, all are kept" for name in self.conflicts]
        lines += [f"  left: {one['finding_id']} ({one['reason']})" for one in self.findings_left]
        return "\n".join(lines + [f"  {problem}" for problem in self.problems])


def collected_records(
    counts: Counter[str],
    conflicts: list[str],
    left: list[dict[str, str]],
    problems: list[Problem],
) -> CollectedRecords:
    """Return what was counted as a result.

    Parameters
    ----------
    counts : Counter
    conflicts : list of str
    left : list of dict
    problems : list of Problem
    """
    made = {name: counts[name] for name in COUNTS}
    return CollectedRecords(made, tuple(dict.fromkeys(conflicts)), tuple(left), tuple(problems))
