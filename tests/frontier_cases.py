"""Networks for tests of the frontier between cost and carbon."""

from __future__ import annotations

import polars as pl

from changtong.network.model import Network, build_network


def ways(rows: list[tuple[str, float, float, float]], pieces: float) -> Network:
    """Return A and B with a way for each row: mode, km, CNY a piece and pieces a day of its first leg."""
    middle = [f"M{k}" for k in range(len(rows))]
    legs = [
        ("A", site, mode, km, cost, room)
        for site, (mode, km, cost, room) in zip(middle, rows, strict=True)
    ] + [(site, "B", "road", 1.0, 0.1, 1e6) for site in middle]  # fmt: skip
    names = ("from_site", "to_site", "mode", "distance_km", "cost_cny_per_piece", "capacity_pieces_per_day")
    return build_network(
        {
            "sites": pl.DataFrame(
                {"site_id": ["A", "B", *middle], "kind": ["outlet", "outlet", *["transfer"] * len(middle)]}
            ),
            "legs": pl.DataFrame(legs, schema=names, orient="row"),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [pieces]}),
        },
        name="ways",
    )
