"""Alerts as a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.events.alerts.life import TIERS, TIERS_ZH, Alert
from changtong.events.alerts.state import WatchState, read_state
from changtong.events.alerts.wording import RULE_NAMES
from changtong.network.io import write_whole_folder

INSTANTS = ("began", "found", "warned", "confirmed", "restored")
COLUMNS = (
    "alert_id", "rule", "tier", "state", "site_id", "from_site_id", "to_site_id", *INSTANTS,
    "value", "expected", "covered_by", "evidence_zh", "evidence_en",
)  # fmt: skip
_SCHEMA: dict[str, pl.DataType] = {
    name: pl.Int64() if name in INSTANTS else pl.Float64() if name in ("value", "expected") else pl.String()
    for name in COLUMNS
}
SHOWN_ALERTS = 12
OWN_FILES = {"alerts.csv", "alerts.json", "state.json"}
ALERTS_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "alerts.json").is_file(),
    "what": "alerts folder (it has no alerts.json)",
    "code": "not-alerts",
}


@dataclass(frozen=True)
class Alerts:
    """Alerts that were open or began while a watch was fed.

    Attributes
    ----------
    frame : polars.DataFrame
        ``alert_id``, ``rule``, ``tier`` (attention, warning, severe: the worst so far), ``state`` (potential,
        confirmed, restored, settled), ``site_id`` or ``from_site_id`` and ``to_site_id`` (all null: the whole
        network), the instants ``began``, ``found``, ``warned`` (at warning or above), ``confirmed``,
        ``restored`` (the beginning of the day or hour whose data showed it, in the zone of the days),
        ``value`` and ``expected``,
        ``covered_by`` (the alert of the site that explains a leg's), ``evidence_zh``, ``evidence_en``. The
        worst and newest first.
    state : WatchState
        To go on with.
    notes : tuple of str
        What a reader must know.
    periods, unknown_periods : int
        Days or hours fed, and those of them of which nothing is known.
    skipped_rows : int
        Rows of days that the state knew already, or after ``until``.
    """

    frame: pl.DataFrame
    state: WatchState
    notes: tuple[str, ...] = ()
    periods: int = 0
    unknown_periods: int = 0
    skipped_rows: int = 0

    @property
    def open(self) -> pl.DataFrame:
        """Those that are potential or confirmed, without those that a site's alert covers."""
        return self.frame.filter(
            pl.col("state").is_in(["potential", "confirmed"]) & pl.col("covered_by").is_null()
        )

    def summary(self) -> dict[str, Any]:
        """Return counts and what a reader must know, as plain values."""
        by = self.frame.group_by("rule", "tier", "state").len().sort("rule", "tier", "state")
        return {
            "alerts": self.frame.height,
            "open": self.open.height,
            "by_rule": by.to_dicts(),
            "periods": self.periods,
            "unknown_periods": self.unknown_periods,
            "skipped_rows": self.skipped_rows,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        shown = self.open.head(SHOWN_ALERTS)
        lines = [f"{self.frame.height} alerts, {self.open.height} open, over {self.periods} days or hours"]
        lines += [f"  {row['state']:<9} {row['evidence_en']}" for row in shown.to_dicts()]
        if self.open.height > SHOWN_ALERTS:
            lines.append(f"  … and {self.open.height - SHOWN_ALERTS} more")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> str:
        """Return summary and alerts as one JSON object; instants as ISO 8601."""
        rows = [
            {
                key: value.isoformat() if key in INSTANTS and value is not None else value
                for key, value in row.items()
            }
            for row in self.frame.to_dicts()
        ]
        return json.dumps(self.summary() | {"rows": rows}, ensure_ascii=False)

    def save_state(self, path: str | Path) -> Path:
        """Write the state to go on with beside its place, then put it there.

        Raises
        ------
        UsageError
            It cannot be written.
        """
        return self.state.save(path)

    def save(self, folder: str | Path) -> Path:
        """Write alerts.csv, alerts.json and state.json into a folder, all or nothing.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """

        def fill(beside: Path) -> None:
            self.frame.with_columns(pl.col(INSTANTS).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")).write_csv(
                beside / "alerts.csv", include_bom=True
            )
            (beside / "alerts.json").write_text(self.to_json(), "utf-8")
            self.save_state(beside / "state.json")

        return write_whole_folder(Path(folder), fill, own_files=OWN_FILES, **ALERTS_FOLDER)


def read_alerts(folder: str | Path) -> Alerts:
    """Read alerts that were saved in a folder.

    Raises
    ------
    NotFoundError
        The folder has no alerts.json.
    InputError
        ``unreadable-file``, or the state is damaged.
    """
    folder = Path(folder)
    if not (folder / "alerts.json").is_file():
        raise NotFoundError(f"{folder} holds no alerts: it has no alerts.json.")
    state = read_state(folder / "state.json")
    try:
        body = json.loads((folder / "alerts.json").read_text("utf-8"))
        rows = [[_read(name, row[name]) for name in COLUMNS] for row in body["rows"]]
        frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        frame = frame.with_columns(_in_zone(name, state.zone) for name in INSTANTS)
        counts = (int(body[name]) for name in ("periods", "unknown_periods", "skipped_rows"))
        return Alerts(frame, state, tuple(map(str, body["notes"])), *counts)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        problem = Problem(
            "unreadable-file", "These are no alerts.", file=str(folder / "alerts.json"),
            expected="what Alerts.save() writes",
        )  # fmt: skip
        raise InputError([problem]) from error


def _read(name: str, value: Any) -> Any:
    """Return a value as it stood in the frame; instants as epoch milliseconds."""
    if name in INSTANTS and value is not None:
        return round(datetime.fromisoformat(value).timestamp() * 1000)
    return value


def merge_alerts(earlier: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Return alerts of two feeds one after the other: the later word on each.

    Parameters
    ----------
    earlier, later : polars.DataFrame
        ``Alerts.frame``.

    Raises
    ------
    UsageError
        They are in different time zones.
    """
    if earlier.schema != later.schema:
        raise UsageError("The alerts are not of one watch: their time zones differ.", "other-watch")
    rows = pl.concat([earlier, later]).unique("alert_id", keep="last", maintain_order=True)
    return _ordered(rows)


def alerts_frame(alerts: Sequence[Alert], zone: str) -> pl.DataFrame:
    """Return alerts as a frame."""
    rows = []
    for alert in alerts:
        one, ends = len(alert.subject) == 1, len(alert.subject) == 2
        rows.append(
            (
                alert.alert_id, alert.rule, TIERS[alert.tier - 1], alert.state,
                alert.subject[0] if one else None,
                alert.subject[0] if ends else None,
                alert.subject[1] if ends else None,
                alert.began_ms, alert.found_ms, alert.warned_ms, alert.confirmed_ms, alert.restored_ms,
                alert.value, alert.expected, alert.covered_by,
                f"【{TIERS_ZH[alert.tier - 1]}·{RULE_NAMES[alert.rule].zh}】{alert.words.zh}",
                f"{TIERS[alert.tier - 1].capitalize()}, {RULE_NAMES[alert.rule].en}: {alert.words.en}",
            )
        )  # fmt: skip
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return _ordered(frame.with_columns(_in_zone(name, zone) for name in INSTANTS))


def _in_zone(name: str, zone: str) -> pl.Expr:
    return pl.from_epoch(pl.col(name), "ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("tier").replace_strict({tier: k for k, tier in enumerate(TIERS)}, return_dtype=pl.Int8)
    return frame.sort(rank, "found", "alert_id", descending=[True, True, False])
