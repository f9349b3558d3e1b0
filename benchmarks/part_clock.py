"""What each part of the indicators takes, for ``scan_queries.py``."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.events import day_sources
from changtong.events.day_sources import sql_text
from changtong.events.engine import DuckDBEngine
from changtong.events.item_scans import ItemScans


def watch(engine: DuckDBEngine) -> dict[str, float]:
    """Have an engine, and the kernels it asks, note what each part of the indicators takes."""
    names = {
        sql_text(file.stem): file.stem for file in Path(str(files("changtong.events") / "sql")).glob("*.sql")
    }
    seconds: dict[str, float] = {}
    counted = ""

    def noted(work: Callable[..., Any], name_of: Callable[..., str]) -> Callable[..., Any]:
        def clocked(*given: Any) -> Any:
            zero = time.perf_counter()
            made = work(*given)
            name = name_of(*given)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - zero
            return made

        return clocked

    def query_name(text: str) -> str:
        return counted if names.get(text) == "quantiles" else names.get(text, "other queries")

    def view(name: str, text: str, plain: Callable[[str, str], None] = engine.view) -> None:
        nonlocal counted
        counted = names.get(text, "") if name == "counted" else counted
        plain(name, text)

    object.__setattr__(engine, "query", noted(engine.query, query_name))
    object.__setattr__(engine, "table", noted(engine.table, lambda name, _: f"table {name}"))
    object.__setattr__(engine, "view", view)
    for owner, work, name in (
        (ItemScans, "read", "scans read and brought to their items"),
        (day_sources, "day_tables", "items and stays of a day"),
    ):
        setattr(owner, work, noted(getattr(owner, work), lambda *_, name=name: name))
    return seconds
