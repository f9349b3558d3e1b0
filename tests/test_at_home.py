"""Pieces that begin and end at one site, where the site is slowed."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from changtong.network.model import Network, build_network
from changtong.outages import Outage
from changtong.planning.at_home import held_at_home, sent_after_all
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings

NAMES = ["daily_life", "ordinary"]


def small(capacity: float) -> Network:
    """One city (20 h a day) with 40 pieces of its own, 20 from elsewhere; a fifth is of the higher class."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {"site_id": ["city", "other"], "sort_pieces_per_h": [capacity / 20.0, None]}
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": ["other"],
                    "to_site": ["city"],
                    "cost_cny_per_piece": [1.0],
                    "flow_pieces_per_day": [20.0],
                }
            ),
            "demand": pl.DataFrame(
                {"from_site": ["city", "other"], "to_site": ["city"] * 2, "pieces_per_day": [40.0, 20.0]}
            ),
            "service_classes": pl.DataFrame({"service_class": NAMES, "rank": [1, 2], "share": [0.2, 0.8]}),
        },
        "small",
    )


@pytest.mark.parametrize("method", ["exact", "large"])
@pytest.mark.parametrize(
    ("share", "lost", "at_home"),
    [
        (1.0, [0.0, 0.0], [0.0, 0.0]),
        (0.5, [0.0, 30.0], [0.0, 14.0]),  # 8 and 4 of the higher class, then 18 of the 32 at home
        (0.15, [3.0, 48.0], [0.0, 32.0]),  # 8 of the higher class at home, 1 of the 4 from elsewhere
        (0.1, [6.0, 48.0], [2.0, 32.0]),
        (0.0, [12.0, 48.0], [8.0, 32.0]),
    ],
)
def test_classes_in_order_within_what_a_slowed_site_sorts(
    method: str, share: float, lost: list[float], at_home: list[float]
) -> None:
    outage = [] if share == 1.0 else [Outage("slowed", sites=("city",), capacity_share=share)]
    made = plan(small(60.0), outage, settings=PlanSettings(method=method, seconds=20.0))
    assert made.classes["unserved_pieces"].to_list() == pytest.approx(lost, abs=1e-3)
    stays = made.unserved.filter(pl.col("from_site") == pl.col("to_site"))
    by_class = dict(stays.select("service_class", "pieces").iter_rows())
    assert [by_class.get(name, 0.0) for name in ("daily_life", "ordinary")] == pytest.approx(
        at_home, abs=1e-3
    )
    city = made.site_loads.row(0, named=True)
    assert city["planned_pieces"] <= share * 60.0 + 1e-3
    assert made.unserved["pieces"].sum() == pytest.approx(sum(lost), abs=1e-2)
    reasons = set(stays["reason"])
    assert reasons <= ({"closed-site"} if share == 0.0 else {"full-site"})


def test_room_the_plan_leaves_goes_to_who_waited() -> None:
    """What was kept free for pieces from elsewhere is given back when their only leg is shut."""
    outages = [
        Outage("slowed", sites=("city",), capacity_share=0.5),
        Outage("road shut", legs=(("other", "city"),)),
    ]
    made = plan(small(60.0), outages, settings=PlanSettings(method="large", seconds=20.0))
    stays = made.unserved.filter(pl.col("from_site") == pl.col("to_site"))
    assert stays["pieces"].to_list() == pytest.approx([10.0])  # 30 sorted of the 40 at home
    assert made.site_loads["planned_pieces"][0] == pytest.approx(30.0)


@given(st.data())
def test_never_above_capacity_and_no_class_behind_a_lower_one(data: st.DataObject) -> None:
    n, k = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    pieces = st.lists(st.floats(0.0, 100.0), min_size=n * k, max_size=n * k)
    local, through = (np.array(data.draw(pieces)).reshape(n, k) for _ in range(2))
    capacity = np.array(data.draw(st.lists(st.floats(0.0, 500.0), min_size=n, max_size=n)))
    held = held_at_home(local, through, capacity)
    served = local - held
    assert (held >= 0.0).all()
    assert (served >= -1e-9).all()
    assert (served.sum(axis=1) <= capacity + 1e-6).all()
    for c in range(k - 1):
        behind = held[:, c] > 1e-9
        assert (served[behind, c + 1 :] <= 1e-9).all()
    spare = capacity - served.sum(axis=1)
    after = sent_after_all(held, spare)
    assert (after <= held + 1e-9).all()
    assert (after >= -1e-9).all()
    assert ((held - after).sum(axis=1) <= np.maximum(spare, 0.0) + 1e-6).all()
