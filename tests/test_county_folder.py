"""County folders: what is read, filled, refused and warned of, and the way back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changtong._tables import COUNTY_SET, tables_markdown
from changtong.errors import InputError, UsageError
from changtong.network.checks import check_network
from changtong.network.io import is_network_folder, read_network, write_network
from changtong.rural.county import County
from changtong.rural.county_folder import (
    build_county,
    check_county,
    is_county_folder,
    read_county,
    write_county,
)
from changtong.rural.sources import small_county

HERE = Path(__file__).parent.parent
EXAMPLE = HERE / "examples" / "county"
SITES = (
    "site_id,name,kind,lon,lat\nH,县,county,108.0,34.0\nT,站,township,108.1,34.0\nV,村,village,108.2,34.1\n"
)
PIECES = "site_id,firm,inbound_pieces_per_day\nV,post,12\n"
VEHICLES = "vehicle_type,capacity_pieces\nvan,100\n"


def plain(folder: Path, *, encoding: str = "utf-8", **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ({"sites": SITES, "pieces": PIECES, "vehicles": VEHICLES} | texts).items():
        (folder / f"{name}.csv").write_bytes(text.encode(encoding))
    return folder


def same(one: County, other: County) -> None:
    assert one.name == other.name
    for name, frame in one.tables().items():
        assert frame.schema == other.tables()[name].schema, name
        assert frame.equals(other.tables()[name], null_equal=True), name


def codes(report_of: Path | County) -> dict[str, str]:
    """Return code -> severity of all that is found."""
    return {problem.code: problem.severity for problem in check_county(report_of).problems}


def test_the_tables_page_is_current() -> None:
    assert (HERE / "docs" / "county-tables.md").read_text("utf-8") == tables_markdown(COUNTY_SET)


def test_the_example_is_the_small_county_and_has_nothing_wrong() -> None:
    same(read_county(EXAMPLE), small_county())
    report = check_county(EXAMPLE)
    assert (report.ok, report.problems) == (True, ())
    county = small_county()
    kinds = dict(county.sites["kind"].value_counts().iter_rows())
    assert kinds == {"county": 1, "township": 3, "village": 12}
    assert (county.hub, county.firms) == ("HUB", ("post", "sunda"))
    assert county.vehicles["cold_pieces"].max() > 0
    assert county.vehicles["electric"].any()
    assert "villages                     12" in str(county)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_round_trip_is_exact(tmp_path: Path, format: str) -> None:
    folder = write_county(small_county(), tmp_path / "county", format=format)
    same(read_county(folder), small_county())
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    assert package["changtong"] == {"version": 1, "kind": "county"}
    for resource in package["resources"]:
        names = [field["name"] for field in resource["schema"]["fields"]]
        assert names == list(COUNTY_SET.tables[resource["name"]].columns)


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seats=st.lists(st.tuples(st.floats(100, 101), st.floats(30, 31)), min_size=1, max_size=6),
    pieces=st.lists(st.floats(0, 1e6), min_size=6, max_size=6),
)
def test_any_numbers_come_back_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, seats: list[tuple[float, float]], pieces: list[float]
) -> None:
    sites = pl.DataFrame(
        {
            "site_id": [f"V{k}" for k in range(len(seats))] + ["H"],
            "kind": ["village"] * len(seats) + ["county"],
            "lon": [lon for lon, _ in seats] + [100.5],
            "lat": [lat for _, lat in seats] + [30.5],
        }
    )
    given_pieces = pl.DataFrame(
        {
            "site_id": [f"V{k}" for k in range(len(seats))],
            "firm": ["a"] * len(seats),
            "outbound_pieces_per_day": pieces[: len(seats)],
        }
    )
    vehicles = pl.DataFrame({"vehicle_type": ["van"], "capacity_pieces": [1.0]})
    county = build_county({"sites": sites, "pieces": given_pieces, "vehicles": vehicles}, "any")
    folder = tmp_path_factory.mktemp("round") / "county"
    same(read_county(write_county(county, folder)), county)


def test_bare_files_are_filled_and_each_default_is_noted(tmp_path: Path) -> None:
    county = read_county(plain(tmp_path / "here"))
    assert county.name == "here"
    assert county.sites["visits_per_week"].to_list() == [7, 7, 7]
    assert county.vehicles.select("tier", "starts", "shift_h").row(0) == ("any", "06:00", 8.0)
    assert county.vehicles["count"].to_list() == [None]  # as many as wanted, not filled
    assert county.buses.height == county.roads.height == 0
    noted = set(county.provenance.select("table", "column").iter_rows())
    assert {("sites", "opening"), ("vehicles", "speed_km_per_h"), ("pieces", "inbound_cold_share")} <= noted
    assert set(county.provenance["kind"]) == {"assumed"}


@pytest.mark.parametrize(("encoding", "code"), [("gb18030", "other-encoding"), ("utf-8-sig", None)])
def test_encodings_are_read_and_told(tmp_path: Path, encoding: str, code: str | None) -> None:
    folder = plain(tmp_path / "c", encoding=encoding)
    assert read_county(folder).sites["name"].to_list() == ["县", "站", "村"]
    assert (code in codes(folder)) == (code is not None)


def test_separators_and_spaces_are_read_and_told(tmp_path: Path) -> None:
    folder = plain(tmp_path / "c", pieces="site_id;firm;inbound_pieces_per_day\n V ;post;12\n")
    assert read_county(folder).pieces.row(0)[:3] == ("V", "post", 12.0)
    assert codes(folder) == {"other-separator": "warning", "spaces-trimmed": "warning"}


def test_all_problems_of_all_tables_are_told_at_once(tmp_path: Path) -> None:
    folder = plain(
        tmp_path / "c",
        sites=SITES + "H2,,county,108.0,34.0\nV,twice,village,108,34\nX,,hamlet,108,34\nW,,village,,34\n"
        "Y,,village,108,34\n",
        pieces=PIECES + "Vv,post,3\nV,post,4\nY,post,-1\nT,,5\n",
        vehicles="vehicle_type,capacity_pieces,cold_pieces,starts,ends\nvan,100,120,09:00,08:00\n",
        buses="bus_id,spare_pieces,weekdays\nB,10,1355\nB2,10,12\n",
        bus_stops="bus_id,stop,site_id,at\nB,1,H,08:00\nB,2,V,07:50\nC,1,H,09:00\nB2,1,H,10:00\n",
        roads="from_site,to_site,distance_km\nH,V,20\nH,V,20\nT,T,1\n",
    )
    with pytest.raises(InputError) as caught:
        read_county(folder)
    found = [(p.code, p.file, p.row, p.column) for p in caught.value.problems]
    assert sorted(found) == sorted(
        [
            ("several-hubs", "sites.csv", 4, "kind"),
            ("duplicate-site", "sites.csv", 5, "site_id"),
            ("unknown-value", "sites.csv", 6, "kind"),
            ("missing-value", "sites.csv", 7, "lon"),
            ("unknown-site", "pieces.csv", 2, "site_id"),
            ("duplicate-pieces", "pieces.csv", 3, "site_id"),
            ("negative", "pieces.csv", 4, "inbound_pieces_per_day"),
            ("missing-value", "pieces.csv", 5, "firm"),
            ("cold-over-capacity", "vehicles.csv", 1, "cold_pieces"),
            ("window-reversed", "vehicles.csv", 1, "ends"),
            ("bad-weekdays", "buses.csv", 1, "weekdays"),
            ("stops-out-of-order", "bus_stops.csv", 2, "at"),
            ("unknown-bus", "bus_stops.csv", 3, "bus_id"),
            ("duplicate-road", "roads.csv", 2, "from_site"),
            ("self-loop", "roads.csv", 3, "to_site"),
        ]
    )
    assert all(problem.expected for problem in caught.value.problems)
    hints = {problem.code: problem.hint for problem in caught.value.problems}
    assert hints["unknown-site"] == 'Did you mean "V"?'
    assert {problem.code for problem in check_county(folder).errors} == {code for code, *_ in found}


@pytest.mark.parametrize(
    ("texts", "code", "severity"),
    [
        ({"sites": SITES.replace("county", "township")}, "no-hub", "error"),
        ({"vehicles": "vehicle_type,capacity_pieces,count\nvan,100,0\n"}, "no-usable-vehicle", "error"),
        ({"buses": "bus_id,spare_pieces\nB,3\n"}, "too-few-stops", "error"),
        ({"buses": "bus_id,spare_pieces\nH,3\n"}, "bus-named-as-site", "error"),
        ({"pieces": "site_id,firm,inbound_pieces_per_day\nV,shared,12\n"}, "reserved-name", "error"),
        ({"pieces": "site_id,firm,inbound_pieces_per_day\nV,with_buses,12\n"}, "reserved-name", "error"),
        ({"sites": SITES + "F,,village,112,34\n"}, "far-from-hub", "warning"),
        ({"vehicles": "vehicle_type,capacity_pieces,firm\nvan,9,pots\n"}, "firm-without-pieces", "warning"),
        ({"vehicles": "vehicle_type,capacity_pieces,firm\nvan,9,pots\n"}, "firm-without-vehicle", "warning"),
        ({"vehicles": "vehicle_type,capacity_pieces,tier\nvan,9,trunk\n"}, "no-local-vehicle", "warning"),
        ({"vehicles": "vehicle_type,capacity_pieces,tier\nvan,9,local\n"}, "no-trunk-vehicle", "warning"),
        (
            {"pieces": "site_id,firm,outbound_pieces_per_day,outbound_cold_share\nV,post,12,0.5\n"},
            "cold-without-space",
            "warning",
        ),
        ({"pieces": "site_id,firm,inbound_pieces_per_day\nT,post,12\n"}, "village-without-pieces", "warning"),
        ({"sites": SITES.replace("village", "township")}, "no-villages", "warning"),
        ({"sites": SITES + "V2,村,village,108.2,34.1\n"}, "same-place", "warning"),
        ({"roads": "from_site,to_site,distance_km\nH,V,2\n"}, "shorter-than-straight", "warning"),
        ({"roads": "from_site,to_site,distance_km,travel_h\nH,V,30,0.1\n"}, "odd-speed", "warning"),
        (
            {
                "buses": "bus_id,spare_pieces\nB,3\n",
                "bus_stops": "bus_id,stop,site_id,at\nB,1,T,08:00\nB,2,V,08:20\n",
            },
            "bus-without-hub",
            "warning",
        ),
    ],
)
def test_each_check_finds_what_it_is_for(
    tmp_path: Path, texts: dict[str, str], code: str, severity: str
) -> None:
    assert code not in codes(plain(tmp_path / "right"))
    assert codes(plain(tmp_path / "wrong", **texts))[code] == severity


def test_a_swapped_position_is_told_from_a_far_one(tmp_path: Path) -> None:
    turned = SITES.replace("108.", "74.").replace("34.", "17.")  # a latitude that could be a longitude
    folder = plain(tmp_path / "c", sites=turned + "S,,village,17.2,74.1\n")
    found = [p for p in check_county(folder).problems if p.code != "village-without-pieces"]
    assert [(p.code, p.row, p.column) for p in found] == [("swapped-coordinates", 4, "lat")]
    hub = turned.replace("H,县,county,74.0,17.0", "H,县,county,17.0,74.0")
    found = check_county(plain(tmp_path / "d", sites=hub)).problems
    assert [(p.code, p.row) for p in found] == [("swapped-coordinates", 1)]  # not all others far from it


def test_roads_one_way_and_hub_pieces_are_allowed(tmp_path: Path) -> None:
    roads = "from_site,to_site,distance_km\nH,V,25\nV,H,31\n"
    folder = plain(tmp_path / "c", roads=roads, pieces=PIECES + "H,post,40\n")
    assert codes(folder) == {}


def test_missing_tables_and_folders(tmp_path: Path) -> None:
    folder = plain(tmp_path / "c")
    (folder / "vehicles.csv").unlink()
    (folder / "legs.csv").write_text("a\n")
    report = check_county(folder)
    assert ("error", "missing-table") in report.counts
    assert any("no table of a county" in problem.message for problem in report.warnings)
    nowhere = check_county(tmp_path / "nowhere").problems
    assert [(p.code, "county-tables.md" in p.expected) for p in nowhere] == [("missing-folder", True)]


def test_kinds_of_folders_are_told_apart(tmp_path: Path) -> None:
    county = write_county(small_county(), tmp_path / "county")
    tiny = HERE / "examples" / "tiny"
    assert (is_county_folder(county), is_network_folder(county)) == (True, False)
    assert (is_county_folder(tiny), is_network_folder(tiny)) == (False, True)
    with pytest.raises(UsageError) as caught:
        write_network(read_network(tiny), county)
    assert caught.value.code == "not-a-network-folder"
    net = shutil.copytree(tiny, tmp_path / "tiny")
    with pytest.raises(UsageError) as caught:
        write_county(small_county(), net)
    assert caught.value.code == "not-a-county-folder"
    assert check_network(net).ok
    same(read_county(county), small_county())


def test_writing_keeps_the_files_of_others(tmp_path: Path) -> None:
    folder = write_county(small_county(), tmp_path / "c")
    (folder / "notes.txt").write_text("ours")
    write_county(small_county(), folder, format="parquet")
    assert (folder / "notes.txt").read_text() == "ours"
    assert not (folder / "sites.csv").exists()


def test_frames_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="list"):
        build_county({"sites": []}, "x")  # type: ignore[dict-item]
