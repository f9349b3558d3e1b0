"""Orders add up: with the legs' flows, with what is unserved, with the sort plan, and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from changtong.network.io import read_network
from changtong.network.reference import busiest_hub, reference_network
from changtong.outages import close_sites
from changtong.planning.orders import ACTIONS, COLUMNS
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings
from changtong.report import write_orders
from changtong.report.orders_page import SHEET_FOLDER, SHEETS_ON_ONE_PAGE, sheet_file
from tests.fake_plans import national_plan
from tests.pages import Page

TINY = Path(__file__).parent.parent / "examples" / "tiny"


@pytest.fixture(scope="module")
def hub_closed() -> Plan:
    city = reference_network(level="city")
    settings = PlanSettings(gap_share=0.02, seconds=10)
    return plan(city, close_sites(city, [busiest_hub(city)]), settings=settings)


@pytest.fixture(scope="module")
def tiny() -> Plan:
    network = read_network(TINY)
    return plan(network, close_sites(network, ["H2"]), settings=PlanSettings(gap_share=0.01, seconds=5))


def rows(result: Plan, action: str) -> pl.DataFrame:
    return result.orders.filter(pl.col("action") == action)


def test_the_six_sites_by_hand(tiny: Plan) -> None:
    said = {
        (site, action, destination, service_class, next_site): (round(pieces), trips)
        for site, action, destination, service_class, next_site, pieces, trips in tiny.orders.select(
            "site", "action", "destination", "service_class", "next_site", "pieces", "trips"
        ).iter_rows()
    }
    assert said == {
        ("A", "hold", "B", "daily_life", None): (20, None),
        ("A", "hold", "B", "ordinary", None): (80, None),
        ("A", "hold", "D", "daily_life", None): (10, None),
        ("B", "stop", None, None, "H2"): (80, -1),
        ("B", "hold", "A", "ordinary", None): (80, None),
        ("C", "stop", None, None, "H1"): (40, -1),
        ("C", "extra-trip", None, None, "D"): (50, 1),
        ("C", "send", "D", None, "D"): (50, None),
        ("C", "hold", "D", "ordinary", None): (40, None),
        ("D", "stop", None, None, "H2"): (20, -1),
        ("D", "extra-trip", None, None, "C"): (20, 1),
        ("D", "send", "C", None, "C"): (20, None),
        ("H1", "stop", None, None, "H2"): (200, -2),
        ("H1", "stop", None, None, "A"): (80, -1),
        ("H1", "send", "D", None, "C"): (50, None),
        ("H2", "stop", None, None, "B"): (100, -1),
        ("H2", "stop", None, None, "D"): (100, -1),
        ("H2", "stop", None, None, "H1"): (100, -1),
    }
    full = tiny.orders.filter(pl.col("note_code") == "leg-full")
    assert set(full["blocked_by"]) == {"C>D"}


def test_columns_and_actions_are_as_told(hub_closed: Plan) -> None:
    assert dict(hub_closed.orders.schema) == {name: kind() for name, kind in COLUMNS.items()}
    assert set(hub_closed.orders["action"]) <= set(ACTIONS)


def test_held_pieces_are_what_is_unserved(hub_closed: Plan) -> None:
    held = rows(hub_closed, "hold")
    pairs = hub_closed.unserved.group_by("from_site", "to_site", "service_class").agg(pl.col("pieces").sum())
    assert held["pieces"].sum() == pytest.approx(
        pairs.filter(pl.col("pieces") >= 0.5)["pieces"].sum(), abs=1e-6
    )
    assert hub_closed.value("unserved") - held["pieces"].sum() <= 0.5 * pairs.height


def test_trips_are_the_change_of_whole_vehicles_on_every_leg(hub_closed: Plan) -> None:
    flows = hub_closed.leg_flows
    vehicle = flows["vehicle_pieces"].to_numpy()
    before = np.ceil(flows["baseline_pieces"].to_numpy() / vehicle - 1e-6)
    planned = flows["planned_pieces"].to_numpy()
    after = np.ceil(np.where(planned > 0.5, planned, 0.0) / vehicle - 1e-6)
    more = after > before
    extra = rows(hub_closed, "extra-trip")
    assert extra.height == more.sum()
    assert extra["trips"].sum() == int((after - before)[more].sum())
    assert extra["leg_trips"].sum() == int(after[more].sum())
    assert extra["leg_pieces"].sum() == pytest.approx(planned[more].sum())
    stop = rows(hub_closed, "stop")
    gone = (flows["baseline_pieces"].to_numpy() > 0.5) & (after == 0)
    assert stop["pieces"].sum() == pytest.approx(flows["baseline_pieces"].to_numpy()[gone].sum())


def test_sends_are_the_changed_rows_of_the_sort_plan(hub_closed: Plan) -> None:
    wanted = hub_closed.sort_plan.filter(pl.col("changed"))
    keys = ["site", "destination", "next_site"]
    as_text = pl.col(keys).cast(pl.String)
    sends = rows(hub_closed, "send")
    assert sorted(sends.select(as_text).rows()) == sorted(wanted.select(as_text).rows())
    assert sends["pieces"].sum() == pytest.approx(wanted["pieces"].sum())


@pytest.mark.slow
def test_many_sites_get_a_page_each(tmp_path: Path) -> None:
    made = national_plan()
    _, index = write_orders(made, tmp_path)
    text = index.read_text(encoding="utf-8")
    links = re.findall(rf'href="({SHEET_FOLDER}/[^"]+)"', text)
    sites = made.orders["site"].cast(pl.String).unique().to_list()
    assert len(links) == len(set(links)) == len(sites) > SHEETS_ON_ONE_PAGE
    assert len(text.encode()) < 1_000_000
    assert {entry.name for entry in (tmp_path / SHEET_FOLDER).iterdir()} == {
        link.rpartition("/")[2] for link in links
    }
    page = Page((tmp_path / links[0]).read_text(encoding="utf-8"))
    assert [a["id"] for tag, a in page.elements if tag == "article"] == ["site-2"]
    assert not [tag for tag, _ in page.elements if tag in ("script", "link", "img")]


def test_a_site_named_like_a_path_stays_in_the_folder() -> None:
    ids = ["../../etc/passwd", "a/b", "a\\b", "河北", "", "CON", "H3301"]
    names = [sheet_file(number, site) for number, site in enumerate(ids, start=1)]
    assert names[0] == "00001-etc-passwd.html"
    assert names[3] == "00004-site.html"
    assert all(re.fullmatch(r"\d{5}-[A-Za-z0-9-]+\.html", name) for name in names)
