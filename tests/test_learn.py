"""Learning from leg volumes: the inferred demand gives back the flow; areas are taken over."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.network.learn import infer_demand, learn_network
from changtong.network.leg_volumes import read_volumes
from changtong.outages import close_sites
from changtong.planning.plan import plan

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "jd_network"


def routed(demand: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Route demand by the flow's own proportions, piece by piece, until all have ended."""
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    split = flow / np.maximum(out, 1e-300)[:, None]
    passes = np.minimum(1.0, out / np.maximum(into, 1e-300)) * (into > 0)
    legs = np.zeros_like(flow)
    here = np.maximum(0.0, out - into)
    assert demand.sum() == pytest.approx(here.sum(), rel=1e-6)
    for _ in range(20_000):
        sent = here[:, None] * split
        legs += sent
        here = sent.sum(axis=0) * np.minimum(passes, 1 - 1e-9)
        if here.sum() < 1e-12:
            break
    return legs


@settings(max_examples=examples(60), deadline=None, derandomize=True)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_inferred_demand_gives_back_an_acyclic_flow(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flow = np.triu(rng.integers(0, 50, (n, n)) * (rng.random((n, n)) < 0.7), 1).astype(float)
    demand = infer_demand(flow)
    assert (demand >= 0).all()
    assert routed(demand, flow) == pytest.approx(flow, rel=1e-6, abs=1e-6)


def test_through_site_is_split_in_proportion() -> None:
    flow = np.zeros((4, 4))
    flow[0, 1], flow[1, 2], flow[1, 3] = 100, 60, 20
    demand = infer_demand(flow)
    assert demand[0] == pytest.approx([0, 20, 60, 20], rel=1e-6)


def volumes() -> pl.DataFrame:
    """W sends to A, B and C, which deliver regions; B has had larger days than lately."""
    rows = []
    for day in range(1, 15):
        rows += [
            (date(2021, 1, day), "W", "A", 100.0),
            (date(2021, 1, day), "W", "B", 300.0 if day == 2 else 100.0),
            (date(2021, 1, day), "V", "C", 50.0),
        ]
    return pl.DataFrame(rows, schema=["date", "from_site", "to_site", "pieces"], orient="row")


def test_capacity_is_the_largest_day_and_flow_the_last_week() -> None:
    network = learn_network(volumes())
    legs = network.legs.with_columns(pl.col("to_site").cast(pl.String)).sort("to_site")
    assert legs["capacity_pieces_per_day"].to_list() == [100.0, 300.0, 50.0]
    assert legs["flow_pieces_per_day"].to_list() == pytest.approx([100.0, 100.0, 50.0])


def test_until_leaves_out_that_day_and_later_ones() -> None:
    network = learn_network(volumes(), until="2021-01-02")
    assert network.legs["capacity_pieces_per_day"].max() == 100.0


def test_closed_region_goes_to_the_site_served_by_the_same_origin() -> None:
    network = learn_network(volumes())
    made = plan(network, close_sites(network, ["A"]))
    assert made.stand_ins.select("site", "stand_in", "basis").rows() == [("A", "B", "inferred")]
    assert made.stand_ins["pieces"].sum() == pytest.approx(100.0, rel=1e-6)
    assert made.value("unserved") == pytest.approx(0.0, abs=0.1)
    to_b = made.leg_flows.filter(pl.col("to_site").cast(pl.String) == "B")["planned_pieces"].sum()
    assert to_b == pytest.approx(200.0, abs=0.5)


def test_all_wrong_cells_are_told_at_once() -> None:
    wrong = pl.DataFrame(
        {
            "date": ["2021-01-01", "soon"],
            "from_site": ["A", "B"],
            "to_site": ["B", "A"],
            "pieces": ["many", "-3"],
        }
    )
    with pytest.raises(InputError) as caught:
        read_volumes(wrong)
    assert sorted((p.code, p.row, p.column) for p in caught.value.problems) == [
        ("negative", 2, "pieces"),
        ("wrong-type", 1, "pieces"),
        ("wrong-type", 2, "date"),
    ]


DAY = date(2021, 1, 1)


def rows_of_dates(cells: list[object]) -> pl.DataFrame:
    n = len(cells)
    names = {"from_site": ["A"] * n, "to_site": ["B"] * n, "pieces": [1.0] * n}
    return pl.DataFrame({"date": pl.Series(cells, dtype=pl.Object), **names})


@pytest.mark.parametrize(
    "cell",
    [DAY, datetime(2021, 1, 1, 23, 59), datetime(2021, 1, 1, tzinfo=UTC), " 2021-01-01 ", "2021-01-01T05:00",
     np.datetime64("2021-01-01"), np.str_("2021-01-01")],
)  # fmt: skip
def test_dates_as_python_objects_are_read(cell: object) -> None:
    assert read_volumes(rows_of_dates([cell, DAY]))["date"].to_list() == [DAY, DAY]


@pytest.mark.parametrize(
    "cell", [None, float("nan"), np.datetime64("NaT"), "soon", "", 20210101, [DAY], np.zeros(2), time(3)]
)
def test_objects_that_are_no_date_are_told_with_their_row(cell: object) -> None:
    with pytest.raises(InputError) as caught:
        read_volumes(rows_of_dates([DAY, cell, DAY]))
    assert [(p.code, p.row, p.column) for p in caught.value.problems] == [("wrong-type", 2, "date")]


class Frame:
    """Columns by name, as frames of other libraries have them."""

    def __init__(self, **columns: list[object]) -> None:
        self.columns, self._of = list(columns), columns

    def __getitem__(self, name: str) -> list[object]:
        return self._of[name]


def test_frames_of_other_libraries_are_read_by_their_columns() -> None:
    cells: dict[str, list[object]] = {
        "date": [DAY, "2021-01-02"],
        "from_site": ["A", "nan"],
        "to_site": ["B", "C"],
        "pieces": [Decimal("2.5"), "7"],
    }
    read = read_volumes(Frame(**cells))
    assert read.rows() == [(DAY, "A", "B", 2.5), (date(2021, 1, 2), "nan", "C", 7.0)]  # a name like any other
    assert read_volumes(pl.DataFrame(volumes()).lazy()).equals(read_volumes(volumes()))
    with pytest.raises(InputError, match="to_site"):
        read_volumes(Frame(date=[DAY], from_site=["A"], pieces=[1]))
    with pytest.raises(InputError) as caught:
        read_volumes(Frame(**(cells | {"from_site": [float("nan"), "A"], "pieces": [True, DAY]})))
    found = sorted((p.column, p.row) for p in caught.value.problems)
    assert found == [("from_site", 1), ("pieces", 1), ("pieces", 2)]


@pytest.mark.parametrize("nothing", [None, 7, {"date": [DAY]}])
def test_what_is_no_frame_is_told(nothing: object) -> None:
    with pytest.raises(UsageError, match="neither a frame nor a path"):
        read_volumes(nothing)


def test_missing_columns_are_named() -> None:
    with pytest.raises(InputError, match="to_site"):
        read_volumes(pl.DataFrame({"date": [], "from_site": [], "pieces": []}))


@pytest.mark.skipif(not REAL.exists(), reason="needs the jd_network data beside the project")
def test_a_real_closure_is_planned_within_capacities() -> None:
    network = learn_network(REAL / "leg_volumes.csv.gz", until="2021-07-16")
    made = plan(network, close_sites(network, ["DC9"]))
    assert made.value("unserved") == pytest.approx(0.0, abs=0.5)
    assert made.stand_ins["basis"].unique().to_list() == ["inferred"]
    facts = made.summary()
    assert facts["changed_legs_least"] <= facts["changed_legs"] <= 1.1 * facts["changed_legs_least"]
    flows = made.leg_flows
    away = (flows["planned_pieces"] - flows["baseline_pieces"]).abs()
    band = pl.max_horizontal(pl.col("baseline_pieces") * 0.01, pl.lit(0.5))
    assert (away > flows.select(band).to_series()).sum() == facts["changed_legs"]
    assert made.classes["demand_pieces"].sum() == pytest.approx(network.demand["pieces_per_day"].sum())


def test_costs_are_left_out_and_said_not_to_apply() -> None:
    network = learn_network(volumes())
    assert "cost_cny_per_piece" not in network.legs.columns or network.legs["cost_cny_per_piece"].sum() == 0.0
    made = plan(network, close_sites(network, ["A"]))
    methods = dict(made.objectives.select("objective", "method").iter_rows())
    assert [methods[name] for name in ("late", "cost", "carbon")] == ["not_applicable"] * 3
    assert made.summary()["cost_cny"] is None
    # W > A must change, and W > B takes the area over: two legs, proved
    assert (made.value("changed_legs"), methods["changed_legs"]) == (2.0, "exact")


def test_closed_source_is_taken_over_by_one_that_sends_to_the_same_places() -> None:
    """P and Q both send to X; R sends to Y. Closing P, Q collects what begins at P."""
    rows = []
    for day in range(1, 15):
        rows += [
            (date(2021, 1, day), "P", "X", 40.0),
            (date(2021, 1, day), "Q", "X", 200.0 if day == 2 else 50.0),
            (date(2021, 1, day), "R", "Y", 300.0 if day == 2 else 50.0),
        ]
    frame = pl.DataFrame(rows, schema=["date", "from_site", "to_site", "pieces"], orient="row")
    network = learn_network(frame)
    areas = network.areas
    assert areas is not None
    of_p = areas.filter(pl.col("site").cast(pl.String) == "P")
    assert of_p["stand_in"].cast(pl.String).to_list() == ["Q"]
    made = plan(network, close_sites(network, ["P"]))
    assert made.stand_ins.select("stand_in", "pieces").row(0) == ("Q", pytest.approx(40.0, abs=0.01))
    assert made.value("unserved") == pytest.approx(0.0, abs=0.01)
