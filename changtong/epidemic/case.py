"""A tracing case: what a trace found, as a list for each site and as tasks with an owner and a deadline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.tables import INSTANT, TableReader, local, shipped
from changtong.events.keys import pseudonyms
from changtong.safety.decision import Decision, PlannedTask
from changtong.safety.table_folder import save_tables
from changtong.spreadsheets import without_formulas

KIND = "epidemic-case"
FILE, OWNER_FILE = "case_tasks.csv", "owners.csv"
WHEN = ("undelivered", "exposed", "delivered")
CASE_ID = re.compile(r"[\w.-]{1,64}")

TASK_SCHEMA: dict[str, pl.DataType] = {
    "task": pl.String(),
    "when": pl.String(),
    "due_h": pl.Float64(),
    "zh": pl.String(),
    "en": pl.String(),
    "provenance": pl.String(),
    "source": pl.String(),
}
OWNER_SCHEMA: dict[str, pl.DataType] = {"site_id": pl.String(), "owner": pl.String()}


class Traced(Protocol):
    """What a case needs of a trace."""

    @property
    def receiving(self) -> pl.DataFrame: ...  # noqa: D102

    @property
    def sites(self) -> pl.DataFrame: ...  # noqa: D102

    @property
    def items(self) -> pl.DataFrame: ...  # noqa: D102

    def summary(self) -> dict[str, Any]: ...  # noqa: D102


@dataclass(frozen=True)
class CaseTask:
    """A task that every site in a situation gets.

    Attributes
    ----------
    task, when : str
        ``when``: undelivered (found items lie there), exposed (they were there while exposed), delivered.
    due_h : float
        Hours from the opening of the case.
    zh, en, provenance : str
    """

    task: str
    when: str
    due_h: float
    zh: str
    en: str
    provenance: str


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes
    ----------
    id : str
    opened_at : datetime
    sites : polars.DataFrame
        A row a site: ``site_id``, ``items`` (found items there now or last), ``undelivered``, ``delivered``,
        ``exposed`` (whether exposed items were there), ``exposed_from``, ``exposed_until``, ``last_seen``,
        ``tasks``.
    tasks : polars.DataFrame
        ``id``, ``site_id``, ``task``, ``owner``, ``due_at``, ``deadline`` (its day), ``zh``, ``en``,
        ``items``, ``provenance``.
    lists : polars.DataFrame
        Found items by the site where they are or were seen last: ``site_id``, ``item`` (pseudonym),
        ``state``, ``last_seen``, ``exposed_at``, ``step``, ``tied_to`` (the item before it), ``via`` (kind of
        place they met in), ``container`` (pseudonym of that bag or vehicle), ``overlap_min``.
    facts : dict
        Of the trace.
    zone : str
    """

    id: str
    opened_at: datetime
    sites: pl.DataFrame
    tasks: pl.DataFrame
    lists: pl.DataFrame
    facts: dict[str, Any]
    zone: str

    def decision(self, source: str = "") -> Decision:
        """Return the tasks as a decision that ``safety tasks`` and the registers take.

        Parameters
        ----------
        source : str
            What it rests on.
        """
        planned = tuple(
            PlannedTask(
                row["id"], f"{row['zh']} / {row['en']}", row["owner"], row["site_id"], row["deadline"]
            )
            for row in self.tasks.iter_rows(named=True)
        )
        day = self.opened_at.astimezone(ZoneInfo(self.zone)).date()
        title = f"溯源处置 {self.id}"
        said = source or "changtong epidemic case"
        return Decision(self.id, title, said, "synthetic", day, self.zone, (1,), (), planned)

    def to_json(self) -> dict[str, Any]:
        """Return the case as one JSON object."""
        by_task = self.tasks.group_by("task").len().sort("task")
        return {
            "case": self.id,
            "opened_at": self.opened_at.isoformat(),
            "sites": self.sites.height,
            "items": int(self.sites["items"].sum()),
            "undelivered": int(self.sites["undelivered"].sum()),
            "tasks": self.tasks.height,
            "by_task": dict(by_task.iter_rows()),
            "receiving": local(self.sites, self.zone).to_dicts(),
            "trace": self.facts,
        }

    def __str__(self) -> str:
        facts = self.to_json()
        lines = [
            f"Case {self.id}: {facts['items']:,} items at {facts['sites']:,} sites, "
            + f"{facts['undelivered']:,} not yet delivered; {facts['tasks']:,} tasks"
        ]
        lines += [f"  {task}: {count:,} sites" for task, count in facts["by_task"].items()]
        for row in self.sites.head(10).iter_rows(named=True):
            lines.append(f"  {row['site_id']}: {row['undelivered']:,} to hold of {row['items']:,} items")
        return "\n".join(lines)

    def save(self, folder: str | Path) -> Path:
        """Write ``sites.csv``, ``tasks.csv``, ``decision.toml``, and ``lists/`` with a file a site.

        Parameters
        ----------
        folder : path
        """

        def more(into: Path) -> None:
            (into / "decision.toml").write_text(decision_toml(self.decision()), "utf-8", newline="\n")
            (into / "lists").mkdir()
            lists = local(self.lists, self.zone)
            for (site,), rows in lists.group_by("site_id", maintain_order=True):
                if site is not None:
                    name = f"{file_name(str(site))}.csv"
                    without_formulas(rows).write_csv(into / "lists" / name, include_bom=True)

        tables = {"sites": local(self.sites, self.zone), "tasks": local(self.tasks, self.zone)}
        return save_tables(folder, KIND, tables, {"case": self.id}, more, also={"decision.toml", "lists"})


def file_name(site: str) -> str:
    """Return a site's id as the name of a file: other signs as their code.

    Parameters
    ----------
    site : str

    Examples
    --------
    >>> file_name("S/1"), file_name("X3101")
    ('S%2F1', 'X3101')
    """
    return "".join(c if re.fullmatch(r"[\w-]", c) else f"%{ord(c):02X}" for c in site)


def read_case_tasks(reader: TableReader) -> tuple[CaseTask, ...]:
    """Return the tasks of a folder, or the shipped ones.

    Parameters
    ----------
    reader : TableReader
    """
    path = reader.place(FILE) or shipped(FILE)
    needed = ("task", "when", "due_h", "zh", "en", "provenance")
    frame = reader.table(path, TASK_SCHEMA, needed, key=("task",))
    reader.one_of(frame, "when", WHEN, FILE)
    reader.within(frame, "due_h", 0.0, 24.0 * 366, FILE)
    return tuple(
        CaseTask(row["task"], row["when"], row["due_h"], row["zh"], row["en"], row["provenance"])
        for row in frame.iter_rows(named=True)
    )


def open_case(
    traced: Traced,
    case_id: str,
    opened_at: datetime,
    tasks: tuple[CaseTask, ...],
    *,
    owner: str,
    owners: Mapping[str, str] | None = None,
    zone: str = "Asia/Shanghai",
) -> Case:
    """Make a case of a trace.

    Parameters
    ----------
    traced : Trace
        Of :func:`changtong.events.trace_log.trace`, onward.
    case_id : str
    opened_at : datetime
        From which the hours of tasks count.
    tasks : tuple of CaseTask
    owner : str
        Who does what at a site that is not in ``owners``.
    owners : mapping, optional
        Site -> who.
    zone : str
    """
    sites = _sites(traced)
    rows = []
    for site in sites.iter_rows(named=True):
        there = {
            "undelivered": site["undelivered"], "delivered": site["delivered"],
            "exposed": site["items"] if site["exposed"] else 0,
        }  # fmt: skip
        for task in tasks:
            if not (there[task.when] or (task.when == "exposed" and site["exposed"])):
                continue
            due = opened_at + timedelta(hours=task.due_h)
            rows.append(
                {
                    "id": f"{task.task}-{site['site_id']}", "site_id": site["site_id"], "task": task.task,
                    "owner": (owners or {}).get(site["site_id"], owner), "due_at": due,
                    "deadline": due.astimezone(ZoneInfo(zone)).date(), "zh": task.zh, "en": task.en,
                    "items": there[task.when], "provenance": task.provenance,
                }
            )  # fmt: skip
    schema: dict[str, Any] = {
        "id": pl.String, "site_id": pl.String, "task": pl.String, "owner": pl.String, "due_at": INSTANT,
        "deadline": pl.Date, "zh": pl.String, "en": pl.String, "items": pl.Int64, "provenance": pl.String,
    }  # fmt: skip
    made = pl.DataFrame(rows, schema)
    counts = made.group_by("site_id").agg(pl.len().cast(pl.Int64).alias("tasks"))
    sites = sites.join(counts, on="site_id", how="left").with_columns(pl.col("tasks").fill_null(0))
    return Case(case_id, opened_at, sites, made, _lists(traced.items), traced.summary(), zone)


def _lists(items: pl.DataFrame) -> pl.DataFrame:
    """Return found items as people look for them: pseudonyms and instants, not numbers."""
    ordered = items.with_columns(pl.col("last_site_id").cast(pl.String)).sort(
        "last_site_id", "state", "last_ms", maintain_order=True
    )
    keys = {
        name: pl.Series(name, pseudonyms(ordered[name].fill_null(0).to_numpy()), pl.String)
        for name in ("item", "tied_to", "container")
    }
    return ordered.select(
        pl.col("last_site_id").alias("site_id"), keys["item"], pl.col("state").cast(pl.String),
        _at("last_ms").alias("last_seen"), _at("exposed_ms").alias("exposed_at"), "step", keys["tied_to"],
        pl.col("via").cast(pl.String), keys["container"], (pl.col("overlap_s") / 60).alias("overlap_min"),
    )  # fmt: skip


def _sites(traced: Traced) -> pl.DataFrame:
    """Return every site that must do something: where found items lie, and where they were while exposed."""
    received = traced.receiving.filter(pl.col("site_id").is_not_null()).select(
        pl.col("site_id").cast(pl.String),
        pl.col("items").cast(pl.Int64),
        pl.col("not_delivered").cast(pl.Int64).alias("undelivered"),
        _at("last_seen_ms").alias("last_seen"),
    )
    held = traced.sites.select(
        pl.col("site_id").cast(pl.String),
        pl.lit(True).alias("exposed"),
        _at("from_ms").alias("exposed_from"),
        _at("to_ms").alias("exposed_until"),
    )
    return (
        received.join(held, on="site_id", how="full", coalesce=True)
        .with_columns(
            pl.col("items", "undelivered").fill_null(0),
            pl.col("exposed").fill_null(False),
        )
        .with_columns((pl.col("items") - pl.col("undelivered")).alias("delivered"))
        .select(
            "site_id",
            "items",
            "undelivered",
            "delivered",
            "exposed",
            "exposed_from",
            "exposed_until",
            "last_seen",
        )
        .sort("undelivered", "items", "site_id", descending=[True, True, False])
    )


def _at(column: str) -> pl.Expr:
    return pl.from_epoch(pl.col(column).cast(pl.Int64), "ms").dt.replace_time_zone("UTC").cast(INSTANT)


def decision_toml(decision: Decision) -> str:
    """Return a decision as the TOML that `read_decision` reads.

    Parameters
    ----------
    decision : Decision
    """

    def said(value: object) -> str:
        if isinstance(value, date):
            return value.isoformat()
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    head = {
        key: getattr(decision, key) for key in ("id", "title", "source", "provenance", "decided_on", "zone")
    }
    lines = [f"{key} = {said(value)}" for key, value in head.items()]
    lines.append(f"remind_days = {list(decision.remind_days)}")
    for task in decision.tasks:
        facts = {key: getattr(task, key) for key in ("id", "title", "owner", "subject", "deadline")}
        lines += ["", "[[tasks]]", *(f"{key} = {said(value)}" for key, value in facts.items())]
    return "\n".join(lines) + "\n"


def default_case_id(opened_at: datetime) -> str:
    """Return a case's id from its instant.

    Parameters
    ----------
    opened_at : datetime
    """
    return f"case-{opened_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
