"""Where the tables that the indicators read come from: queries of an engine, or kernels over the log's files.

Both give the same rows: ``site_numbers``, ``site_days``, and for each day ``day_items``, ``due_items`` and
``stays``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files

import polars as pl
import pyarrow as pa

from changtong.errors import UsageError
from changtong.events.engine import DuckDBEngine, Engine
from changtong.events.item_days import DayLimits, day_tables
from changtong.events.item_scans import ItemScans, Part, Window

WORTH_KERNELS = 5_000_000
"""Scans of a log from which loading the kernels is worth it."""

KERNEL_SHARE = 0.85
"""Of the engine's memory, for scans that are brought to their items; DuckDB has little to do meanwhile."""

SHARE_ON_DISK = 0.15
"""The same where shares of the items wait on disk: a small share at a time, beside what is made of it."""

MOST_SITES = 4_000_000
"""Sites whose numbers still fit beside time and code in the 63 bits of a scan."""


def sql_text(name: str) -> str:
    """Return the SQL of one file of ``sql/``.

    Examples
    --------
    >>> sql_text("accepted").splitlines()[0][:30]
    '-- Accepted pieces (揽收量): items '
    """
    return (files("changtong.events") / "sql" / f"{name}.sql").read_text("utf-8")


def read_days(engine: Engine, window: Window, days: Sequence[DayLimits]) -> Callable[[int], None]:
    """Read the scans of days; return what makes the tables of the k-th, for which ``asked`` stands."""
    if (
        isinstance(engine, DuckDBEngine)
        and engine.files
        and engine.query("SELECT COUNT(*) AS n FROM events")["n"][0] >= WORTH_KERNELS
    ):
        return by_kernel(engine, window, days)
    return by_query(engine)


def by_query(engine: Engine) -> Callable[[int], None]:
    """Read the scans by queries; return what makes the tables of a day for which ``asked`` stands."""
    name_scans(engine)
    engine.table("item_times", sql_text("item_times"))
    engine.table("site_days", sql_text("site_days"))

    def tables(_: int) -> None:
        engine.view("items", sql_text("items"))
        engine.view("due_items", sql_text("due_items"))
        engine.table("day_items", sql_text("day_items"))
        engine.table("stays", sql_text("stays"))

    return tables


def name_scans(engine: Engine) -> None:
    """Name the scans of ``read_events`` that nobody declared wrong, and number their sites."""
    name_valid_events(engine)
    engine.table("seen_sites", sql_text("seen_sites"))
    engine.table("site_numbers", sql_text("site_numbers"))
    _check_sites(engine)
    engine.view("scans", sql_text("scans"))


def name_valid_events(engine: Engine) -> None:
    """Name the rows of ``read_events`` that nobody declared wrong."""
    any_void = engine.query("SELECT COUNT(*) AS n FROM voided")["n"][0] > 0
    engine.view("valid_events", sql_text("valid_events" if any_void else "valid_events_plain"))


def by_kernel(engine: DuckDBEngine, window: Window, days: Sequence[DayLimits]) -> Callable[[int], None]:
    """Read the scans of the log's files by kernels; return what names the tables of the k-th day.

    Where all items fit into memory at once, so do the tables of a day: nothing is copied. Else they go to
    DuckDB, some items at a time, which puts on disk what does not fit.
    """
    codes = engine.query("SELECT code, code_no, arriving, leaving, away FROM codes")
    voided = engine.query("SELECT event_id FROM voided")["event_id"].to_list()
    listed = engine.query("SELECT DISTINCT site_id FROM sites WHERE site_id IS NOT NULL")["site_id"].to_list()
    numbers = dict(codes.select("code", "code_no").iter_rows())
    scans = ItemScans(
        engine.files, window, numbers, listed, voided=voided, memory_gib=KERNEL_SHARE * engine.memory_gib,
        threads=engine.threads,
    )  # fmt: skip
    if scans.passes > 1:
        scans.share_memory((SHARE_ON_DISK if scans.on_disk else 0.5) * engine.memory_gib)

    def made(parts: list[Part], k: int) -> tuple[pa.Table, pa.Table]:
        return day_tables(parts, scans.classes, window.base_ms, days[k], codes, engine.threads)

    if scans.passes == 1:
        parts = scans.read(0)

        def name_day(k: int) -> None:
            items, stays = made(parts, k)
            engine.arrow("due_items", items)
            engine.arrow("stays", stays)

    else:
        engine.limit(0.5)
        for number in range(scans.passes):
            some = scans.read(number)
            for k in range(len(days)):
                for name, rows in zip(("items", "stays"), made(some, k), strict=True):
                    engine.append(f"{name}_{k}", rows)
            del some
        engine.limit(0.75)  # what the kernels held does not all go back to the system

        def name_day(k: int) -> None:
            engine.view("due_items", f"SELECT * FROM items_{k}")
            engine.view("stays", f"SELECT * FROM stays_{k}")

    rows = {"site_id": scans.site_ids, "site_no": range(1, len(scans.site_ids) + 1)}
    engine.frame("seen_sites", pl.DataFrame(rows, schema={"site_id": pl.String, "site_no": pl.Int64}))
    engine.table("site_numbers", sql_text("site_numbers"))
    _check_sites(engine)
    engine.frame("site_days", scans.site_days)

    def tables(k: int) -> None:
        name_day(k)
        engine.view("day_items", "SELECT * FROM due_items WHERE of_day = 1")

    return tables


def _check_sites(engine: Engine) -> None:
    if engine.query("SELECT COUNT(*) AS n FROM site_numbers")["n"][0] > MOST_SITES:
        raise UsageError(f"The log has more than {MOST_SITES:,} sites.")
