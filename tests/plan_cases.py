"""Random small networks with classes, promises, today's flow, and outages that overlap."""

import polars as pl
from hypothesis import strategies as st

from changtong.network.model import Network, build_network
from changtong.outages import Outage


@st.composite
def planned_networks(draw: st.DrawFn, *, hurried: bool = False) -> tuple[Network, tuple[Outage, ...]]:
    """Networks of 3 to 5 sites; anything may be tight, shut, slow or unreachable.

    ``hurried``: many legs with room, short promises, and cheap legs that are slow.
    """
    n = draw(st.integers(4, 5) if hurried else st.integers(3, 5))
    ids = [f"S{i}" for i in range(n)]
    every = [(a, b) for a in ids for b in ids if a != b]
    legs = draw(
        st.lists(
            st.sampled_from(every), unique=True, min_size=9 if hurried else 2, max_size=12 if hurried else 9
        )
    )
    pairs = draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=4))
    n_classes = draw(st.integers(1, 2))
    sampled = st.sampled_from
    hours = [draw(sampled([1.0, 2.0, 5.0, 7.5])) for _ in legs]
    costs = [10.0 - h if hurried else float(draw(st.integers(1, 9))) for h in hours]
    names = ["first", "second"][:n_classes]
    demand = [(a, b, draw(sampled([*names, None])), float(draw(sampled([2.0, 5.0, 11.0])))) for a, b in pairs]
    tables = {
        "sites": pl.DataFrame(
            {
                "site_id": ids,
                "transit": [hurried or draw(sampled([True, True, False])) for _ in ids],
                "sort_pieces_per_h": [
                    draw(sampled([None] if hurried else [None, None, 0.4, 1.0])) for _ in ids
                ],
                "sort_hours_per_day": [20.0] * n,
                "handling_h": [0.0] * n,
            },
            schema_overrides={"sort_pieces_per_h": pl.Float64},
        ),
        "legs": pl.DataFrame(
            {
                "from_site": [a for a, _ in legs],
                "to_site": [b for _, b in legs],
                "capacity_pieces_per_day": [draw(sampled([None, 3.0, 8.0, 20.0])) for _ in legs],
                "travel_h": hours,
                "cost_cny_per_piece": costs,
                "kgco2e_per_piece": [float(draw(sampled([0.1, 0.2, 0.7]))) for _ in legs],
                "flow_pieces_per_day": [float(draw(sampled([0, 0, 2, 5, 8]))) for _ in legs],
            },
            schema_overrides={"capacity_pieces_per_day": pl.Float64},
        ),
        "demand": pl.DataFrame(
            demand,
            schema=["from_site", "to_site", "service_class", "pieces_per_day"],
            schema_overrides={"service_class": pl.String},
            orient="row",
        ),
        "service_classes": pl.DataFrame(
            {
                "service_class": names,
                "rank": list(range(1, n_classes + 1)),
                "promise_h": [draw(sampled([3.0, 6.0, 8.0] if hurried else [None, 3.0, 8.0])) for _ in names],
                "share": [0.25, 0.75] if n_classes == 2 else [1.0],
            },
            schema_overrides={"promise_h": pl.Float64},
        ),
    }
    outages = () if hurried and draw(st.booleans()) else draw(outage_lists(ids, legs))
    return build_network(tables, name="random"), outages


def outage_lists(ids: list[str], legs: list[tuple[str, str]]) -> st.SearchStrategy[tuple[Outage, ...]]:
    """Up to three outages on the same few sites and legs, so that they overlap."""
    share = st.sampled_from([0.0, 0.5, 1.0])
    hours = st.sampled_from([0.0, 1.5])
    site = st.builds(
        lambda s, x, h: Outage("site", sites=(s,), capacity_share=x, extra_h=h),
        st.sampled_from(ids),
        share,
        hours,
    )
    leg = st.builds(
        lambda s, x, h: Outage("leg", legs=(s,), capacity_share=x, extra_h=h),
        st.sampled_from(legs),
        share,
        hours,
    )
    entry = st.builds(
        lambda s, x: Outage("entry", sites=(s,), passes_per_day=x, pieces_per_pass=2.0),
        st.sampled_from(ids),
        st.integers(0, 4),
    )
    return st.lists(site | leg | entry, max_size=3).map(tuple)


def orders() -> st.SearchStrategy[tuple[str, ...]]:
    """Lists of objectives: unserved, then any others in any order."""
    others = ("late", "cost", "carbon", "changed_legs", "max_load")
    return st.lists(st.sampled_from(others), unique=True, max_size=5).map(lambda rest: ("unserved", *rest))
