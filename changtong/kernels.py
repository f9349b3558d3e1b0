"""The planner's kernels, compiled before a time limit runs, and where they are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "changtong"


def prepare_kernels(say: Callable[[str], None]) -> None:
    """Compile the planner's kernels where they are not yet, and say so; cache them where we may write.

    Parameters
    ----------
    say : callable
        Gets the message.
    """
    package = Path(__file__).parent
    if not os.access(package, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache() / "kernels"))
    place = Path(os.environ.get("NUMBA_CACHE_DIR", package / "planning" / "__pycache__"))
    if not any(place.rglob("descent.sweep_paths*.nbc")):
        say("Compiling the planner's kernels: once, about half a minute; later runs have them at hand …")
        begin = time.perf_counter()
        _compile()
        say(f"Compiled in {time.perf_counter() - begin:.0f} s.")


def _compile() -> None:
    """Plan a network of four sites, so that no time limit is spent on compiling."""
    import polars as pl

    from changtong.network.model import build_network
    from changtong.planning.plan import plan

    pairs = [("A", "X"), ("A", "Y"), ("B", "X"), ("B", "Y"), ("X", "Y")]
    tails, heads = zip(*(pairs + [(b, a) for a, b in pairs]), strict=True)
    legs = {"from_site": tails, "to_site": heads, "cost_cny_per_piece": [1.0, 1.1] * 5}
    network = build_network(
        {
            "sites": pl.DataFrame({"site_id": list("ABXY"), "transit": [False, False, True, True]}),
            "legs": pl.DataFrame(legs).with_columns(capacity_pieces_per_day=pl.lit(5.0)),
            "demand": pl.DataFrame(
                {"from_site": ["A", "B"], "to_site": ["B", "A"], "pieces_per_day": [12.0, 9.0]}
            ),
            "service_classes": pl.DataFrame(
                {"service_class": ["first", "second"], "rank": [1, 2], "share": [0.2, 0.8]}
            ),
        },
        name="four sites",
    )
    plan(
        network.with_tables(demand=network.demand.with_columns(pl.col("pieces_per_day").cast(pl.Float32))), ()
    )
