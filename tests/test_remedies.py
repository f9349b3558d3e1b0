"""Remedies: gains by hand, costs as data, networks with a remedy built in still hold together."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from network_cases import TINY
from pages import Page
from stress_cases import Counting

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.executors.local import InProcess, LocalProcesses
from changtong.network.checks import check_network
from changtong.network.io import read_network, write_network
from changtong.network.model import Network, build_network
from changtong.outages import close_sites
from changtong.resilience.additions import (
    MoreOnLeg,
    Remedy,
    more_leg_capacity,
    more_site_capacity,
    new_leg,
    twin_site,
)
from changtong.resilience.candidates import Search, candidates
from changtong.resilience.cases import Case, make_cases
from changtong.resilience.costs import read_costs
from changtong.resilience.demands import Demand, demands_of_forecast
from changtong.resilience.remedies import Against, what_would_help, worst_cases
from changtong.resilience.result import StressSettings
from changtong.studies import run_study


def two_ways(spare: float = 40.0) -> Network:
    """Return 100 pieces from A to B over X, beside them a way over Y with room for ``spare``."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {"site_id": ["A", "B", "X", "Y"], "sort_pieces_per_h": [10.0, 10.0, 10.0, 10.0]}
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": ["A", "X", "A", "Y"],
                    "to_site": ["X", "B", "Y", "B"],
                    "cost_cny_per_piece": [1.0, 1.0, 1.0, 1.0],
                    "capacity_pieces_per_day": [150.0, 150.0, 150.0, spare],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [100.0]}),
        },
        name="two ways",
    )


X_SHUT = [Case("site:X", "site", "X", (2,))]


def test_gains_by_hand() -> None:
    """With X shut 60 pieces stay behind; each piece more from Y to B saves one, up to 60."""
    network, costs = two_ways(), read_costs()
    tried = [
        more_leg_capacity(network, 3, 20.0, costs),
        new_leg(network, "A", "B", 50.0, costs),
        more_site_capacity(network, 0, 20.0, costs),
        twin_site(network, 2, 0.5, costs),
    ]
    found = what_would_help(network, X_SHUT, remedies=tried).table
    rows = {row["remedy"]: row for row in found.iter_rows(named=True)}
    assert all(row["expected_before"] == pytest.approx(60.0, abs=1e-3) for row in rows.values())
    after = {name: row["expected_after"] for name, row in rows.items()}
    assert after["Y>B +20"] == pytest.approx(40.0, abs=1e-3)
    assert after["new leg A>B +50"] == pytest.approx(10.0, abs=1e-3)
    assert after["A sorts +20"] == pytest.approx(60.0, abs=1e-3)
    assert after["X+ (50% of X)"] == pytest.approx(0.0, abs=1e-3)
    assert rows["Y>B +20"]["expected_gain_per_cny"] == pytest.approx(
        20.0 / (20.0 * costs["leg_piece"]), rel=1e-3
    )
    assert found["remedy"].to_list()[:2] == ["Y>B +20", "new leg A>B +50"]
    assert set(found["cost_provenance"]) == {"assumed"}


def test_expected_and_worst_losses_by_weight_and_demand() -> None:
    network = two_ways()
    cases = [*X_SHUT, Case("site:Y", "site", "Y", (3,))]
    remedy = more_leg_capacity(network, 3, 20.0, read_costs())
    against = Against(weights=(3.0, 1.0), demands=(0.5, 1.0, 1.5))
    result = what_would_help(network, cases, remedies=[remedy], against=against)
    found = result.table.row(0, named=True)
    assert found["expected_before"] == pytest.approx(0.75 * (10.0 + 60.0 + 110.0) / 3, abs=1e-2)
    assert found["expected_after"] == pytest.approx(0.75 * (0.0 + 40.0 + 90.0) / 3, abs=1e-2)
    assert found["worst_before"] == pytest.approx(110.0, abs=1e-2)
    assert found["worst_after"] == pytest.approx(90.0, abs=1e-2)
    assert found["least_gain"] == pytest.approx(7.5, abs=1e-2)
    by_demand = result.by_demand.to_dict(as_series=False)
    assert by_demand["demand"] == ["×0.5", "×1", "×1.5"]
    assert by_demand["pieces_per_day"] == pytest.approx([50.0, 100.0, 150.0])
    assert by_demand["left_open"] == pytest.approx([0.0, 0.0, 0.0], abs=1e-3)
    assert by_demand["worst_before"] == pytest.approx([10.0, 60.0, 110.0], abs=1e-2)
    losses = result.losses.filter((pl.col("case") == "site:X") & (pl.col("demand") == "×1"))
    assert losses.select("left_before", "left_after").row(0) == pytest.approx((60.0, 40.0), abs=1e-2)


def test_likelier_demands_weigh_more() -> None:
    network = two_ways()
    remedy = more_leg_capacity(network, 3, 20.0, read_costs())
    against = Against(demands=(Demand("calm", 0.4, weight=3.0), Demand("as today", weight=1.0)))
    found = what_would_help(network, X_SHUT, remedies=[remedy], against=against).table.row(0, named=True)
    assert found["expected_before"] == pytest.approx(0.25 * 60.0, abs=1e-2)
    assert found["expected_after"] == pytest.approx(0.25 * 40.0, abs=1e-2)
    assert found["least_gain"] == pytest.approx(0.0, abs=1e-2)


def test_candidates_point_at_what_holds_pieces_back() -> None:
    network = two_ways()
    kinds = {(one.kind, one.name.split(" ")[0]) for one in candidates(network, X_SHUT)}
    assert ("capacity", "Y>B") in kinds
    assert ("leg", "new") in kinds
    assert ("site", "X+") in kinds
    assert not any(name.startswith("A>X") for _, name in kinds)


def test_a_network_with_a_remedy_keeps_its_rows() -> None:
    network, costs = two_ways(), read_costs()
    for remedy in (twin_site(network, 2, 0.5, costs), new_leg(network, "B", "A", 5.0, costs)):
        made = remedy.build(network)
        assert made.site_ids[:4] == network.site_ids
        ends = ["from_site", "to_site"]
        before = network.legs.select(pl.col(ends).cast(pl.String))
        assert made.legs.select(pl.col(ends).cast(pl.String)).head(4).equals(before)
        assert not check_network(made).errors
    twin = twin_site(network, 2, 0.5, costs).build(network)
    assert twin.areas is not None
    assert twin.legs.filter(pl.col("to_site") == "X+")["capacity_pieces_per_day"].to_list() == [75.0]
    assert twin.sites.filter(pl.col("site_id") == "X+")["sort_pieces_per_h"].to_list() == [5.0]


def test_what_cannot_be_tried_has_its_error() -> None:
    def breaks(network: Network) -> Network:
        raise ValueError("no room")

    result = what_would_help(two_ways(), X_SHUT, remedies=[Remedy("hall", "site", 1.0, 1.0, breaks)])
    row = result.table.row(0, named=True)
    assert row["error"].startswith("ValueError: no room")
    assert row["expected_gain_per_cny"] is None
    assert result.failed.height == 1
    assert "no room" in str(result)


def test_bad_questions_are_told() -> None:
    network = two_ways()
    with pytest.raises(UsageError, match="no case"):
        what_would_help(network, [])
    for wrong in (
        Against(weights=(1.0, 2.0)), Against(weights=(-1.0,)), Against(demands=(0.0,)), Against(demands=()),
        Against(demands=(Demand("x", weight=0.0),)), Against(demands=(float("nan"),)),
    ):  # fmt: skip
        with pytest.raises(InputError):
            what_would_help(network, X_SHUT, remedies=[], against=wrong)
    for search in ({"kinds": ("trucks",)}, {"kinds": ()}, {"most": 0}):
        with pytest.raises(UsageError):
            Search(**search)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sizes are shares"):
        Search(sizes=(0.0,))
    with pytest.raises(UsageError, match="leave outages out"):
        run_study("remedies", network, close_sites(network, ["X"]))


def test_no_remedy_makes_things_worse() -> None:
    network = two_ways(spare=0.5)
    cases = list(make_cases(network))
    found = what_would_help(network, cases, remedies=candidates(network, cases)).table
    assert found.height > 2
    assert (found["expected_after"] <= found["expected_before"] + 1e-3).all()


def test_a_remedy_on_the_line_has_none_better_for_no_more_money() -> None:
    network, costs = two_ways(), read_costs()
    tried = [
        more_leg_capacity(network, 3, 20.0, costs),  # saves 20
        more_leg_capacity(network, 3, 10.0, costs),  # saves 10 for half
        Remedy("dear", "capacity", 10.0, 100.0, MoreOnLeg("Y", "B", 10.0)),  # saves 10 for 100
        more_site_capacity(network, 0, 20.0, costs),  # saves nothing
    ]
    table = what_would_help(network, X_SHUT, remedies=tried).table
    line = dict(table.select("remedy", "efficient").iter_rows())
    assert line == {"Y>B +20": True, "Y>B +10": True, "dear": False, "A sorts +20": False}


def test_a_trifle_is_not_named_first() -> None:
    network = two_ways()
    trifle = Remedy("trifle", "capacity", 0.55, 0.001, MoreOnLeg("Y", "B", 0.55))
    much = Remedy("much", "capacity", 30.0, 10.0, MoreOnLeg("Y", "B", 30.0))
    result = what_would_help(network, X_SHUT, remedies=[trifle, much])
    assert result.table["remedy"].to_list() == ["trifle", "much"]
    assert result.best()["remedy"] == "much"  # type: ignore[index]
    assert what_would_help(network, X_SHUT, remedies=[trifle]).best()["remedy"] == "trifle"  # type: ignore[index]
    assert result.best("site") is None


def test_only_what_was_asked_for_is_looked_for() -> None:
    network = two_ways()
    assert {one.kind for one in candidates(network, X_SHUT, Search(("capacity",)))} == {"capacity"}
    sites = candidates(network, X_SHUT, Search(("sites",), (0.1, 0.2, 1.0)))
    assert [one.share for one in sites] == [0.1, 0.2, 1.0]
    assert len(candidates(network, list(make_cases(network)), Search(("sites",), (0.5,), most=2))) == 2


@pytest.mark.slow
def test_processes_find_what_this_process_finds() -> None:
    network, cases = two_ways(), list(make_cases(two_ways()))
    against = Against(demands=(0.8, 1.2))
    here, there = (
        what_would_help(network, cases, against=against, executor=executor).table
        for executor in (InProcess(), LocalProcesses(2))
    )
    assert here.height > 4
    assert here.equals(there, null_equal=True)


def test_the_large_way_finds_the_same(tmp_path: Path) -> None:
    network, asked = two_ways(), Counting()
    settings = StressSettings(method="large", gap_share=1e-4, unserved_cny=100.0)
    tried = [more_leg_capacity(network, 3, 20.0, read_costs())]
    result = what_would_help(network, X_SHUT, remedies=tried, settings=settings, executor=asked)
    row = result.table.row(0, named=True)
    assert (row["expected_before"], row["expected_after"]) == pytest.approx((60.0, 40.0), abs=0.5)
    assert set(asked.asked) <= {"site:X"}  # it got the closures, not the remedies
    assert any("gap" in note for note in result.notes)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    network, folder, cases = two_ways(), tmp_path / "r", list(make_cases(two_ways()))
    with pytest.raises(KeyboardInterrupt):  # the network as it is was not planned: nothing can be said
        what_would_help(network, cases, folder=folder, executor=Counting(stop_after=0))
    cut = Counting(stop_after=4)
    part = what_would_help(network, cases, folder=folder, executor=cut)
    assert part.termination == "interrupted"
    assert part.table["error"].drop_nulls().unique().to_list() == ["not tried: stopped before"]
    assert part.failed.height == 0
    part.save(folder)
    rest = Counting()
    whole = what_would_help(network, cases, folder=folder, executor=rest)
    assert len(rest.asked) == 1 + whole.table.height - 4
    assert whole.table.equals(what_would_help(network, cases).table, null_equal=True)
    with pytest.raises(UsageError, match="another question"):
        what_would_help(network, cases[:2], folder=folder)
    more = Counting()  # a demand more: only its trials
    what_would_help(network, cases, folder=folder, executor=more, against=Against(demands=(1.0, 0.5)))
    assert len(more.asked) == 1 + whole.table.height


def test_the_closures_that_hurt_most_are_kept() -> None:
    network = two_ways()
    cases = make_cases(network)
    worst = worst_cases(network, cases, 2, executor=InProcess())
    assert [case.name for case in worst] == ["site:A", "site:B"]
    all_of_them = worst_cases(network, cases, 9, executor=InProcess())
    assert [case.name for case in all_of_them] == ["site:A", "site:B", "site:X"]  # Y loses nothing
    assert [case.name for case in worst_cases(network, cases[3:], 9, executor=InProcess())] == ["site:Y"]


# -- prices and demands ---------------------------------------------------------


def test_prices_of_ones_own(tmp_path: Path) -> None:
    network, file = two_ways(), tmp_path / "prices.csv"
    file.write_text("item,cny_per_day,provenance\nleg_piece,2.5,tender 2026\nsite,100,\n", "utf-8")
    costs = read_costs(file)
    leg = more_leg_capacity(network, 3, 20.0, costs)
    assert (leg.cost, leg.provenance) == (50.0, "tender 2026")
    assert more_site_capacity(network, 0, 20.0, costs).provenance == "assumed"
    assert twin_site(network, 2, 0.5, costs).provenance == "assumed"  # its sorting is
    assert not what_would_help(network, X_SHUT, remedies=[leg], against=Against(costs=costs)).assumed
    file.write_text("item,cny_per_day\nlorry,1\nsite,-5\nsite,x\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_costs(file)
    assert [problem.code for problem in caught.value.problems] == [
        "unknown-value", "out-of-range", "out-of-range",
    ]  # fmt: skip
    with pytest.raises(InputError, match="does not exist"):
        read_costs(tmp_path / "none.csv")


def forecast(*rows: tuple[str, str, float, float, float]) -> pl.DataFrame:
    """Return a forecast of sites: site, date, pieces, low, high going out; and a row coming in."""
    made = [
        {
            "kind": "site", "from_site": site, "to_site": None, "site": site, "date": date, "pieces": pieces,
            "low_pieces": low, "high_pieces": high, "state": "active", "method": "sum of legs",
        }
        for site, date, pieces, low, high in rows
    ]  # fmt: skip
    coming = made[0] | {"from_site": None, "to_site": made[0]["site"], "pieces": 1e6}
    return pl.DataFrame([*made, coming], infer_schema_length=None)


def test_a_forecast_and_its_error_as_demands(tmp_path: Path) -> None:
    network = two_ways()
    flow = pl.Series("flow_pieces_per_day", [100.0, 100.0, 0.0, 0.0])
    network = network.with_tables(legs=network.legs.with_columns(flow))
    days = forecast(
        ("A", "2026-01-01", 100.0, 80.0, 120.0),
        ("A", "2026-01-02", 140.0, 100.0, 160.0),
        ("X", "2026-01-01", 50.0, 50.0, 50.0),
        ("Z", "2026-01-01", 9.0, 9.0, 9.0),
    )
    made = demands_of_forecast(network, days)
    assert [one.name for one in made] == ["forecast low", "forecast", "forecast high"]
    assert [one.weight for one in made] == [0.3, 0.4, 0.3]
    assert [one.by_origin["A"] for one in made] == pytest.approx([0.9, 1.2, 1.4])
    assert [one.pieces(network) for one in made] == pytest.approx([90.0, 120.0, 140.0])
    assert made[1].factor == pytest.approx(170.0 / 200.0)  # of origins the forecast does not know
    days.write_csv(tmp_path / "f.csv", include_bom=True)
    assert demands_of_forecast(network, tmp_path / "f.csv") == made
    result = what_would_help(
        network, X_SHUT, remedies=[more_leg_capacity(network, 3, 20.0, read_costs())],
        against=Against(demands=made),
    )  # fmt: skip
    row = result.table.row(0, named=True)
    assert row["expected_before"] == pytest.approx(0.3 * 50.0 + 0.4 * 80.0 + 0.3 * 100.0, abs=1e-2)
    assert row["least_gain"] == pytest.approx(20.0, abs=1e-2)


def test_what_is_no_forecast_of_this_network() -> None:
    network = two_ways()
    with pytest.raises(InputError, match="what its legs carry"):
        demands_of_forecast(network, forecast(("A", "2026-01-01", 1.0, 1.0, 1.0)))
    flow = pl.Series("flow_pieces_per_day", [100.0, 100.0, 0.0, 0.0])
    network = network.with_tables(legs=network.legs.with_columns(flow))
    with pytest.raises(InputError, match="no site of the forecast"):
        demands_of_forecast(network, forecast(("Q", "2026-01-01", 1.0, 1.0, 1.0)))
    with pytest.raises(InputError, match="is missing"):
        demands_of_forecast(network, pl.DataFrame({"site": ["A"]}))


# -- the command and the page ---------------------------------------------------


def test_the_command_says_what_python_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, net = tmp_path / "out", tmp_path / "net"
    write_network(two_ways(), net)
    arguments = [
        "remedies", str(net), "-o", str(out), "--executor", "here", "--demand", "0.9,1.1", "--worst", "2",
        "--add", "capacity,sites", "--sizes", "0.5", "--json",
    ]  # fmt: skip
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    network = read_network(net)
    against = Against(demands=(0.9, 1.1))
    worst = worst_cases(network, make_cases(network), 2, demands=against.demands, executor=InProcess())
    alone = what_would_help(
        network, worst, remedies=Search(("capacity", "sites"), (0.5,)), against=against,
        settings=StressSettings(worst=2),
    )  # fmt: skip
    assert said["remedies"] == alone.table.to_dicts()
    assert said["best"] == alone.best()
    assert said["costs_assumed"] is True
    names = {path.name for path in out.iterdir()}
    assert {"remedies.csv", "losses.csv", "demands.csv", "costs.csv", "remedies.json", "report.html"} <= names
    table = pl.read_csv(out / "remedies.csv")
    assert table["remedy"].to_list() == alone.table["remedy"].to_list()
    assert set(table["cost_provenance"]) == {"assumed"}
    assert main(arguments[:-1]) == 0
    shown = capsys.readouterr().out
    assert "ASSUMED" in shown
    assert alone.table["remedy"][0] in shown


def test_the_worst_of_a_stress_test_are_taken_from_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stress, out = str(tmp_path / "stress"), str(tmp_path / "out")
    assert main(["stress", str(TINY), "-o", stress, "--executor", "here", "--worst", "3", "--json"]) == 0
    worst = [row["label"] for row in json.loads(capsys.readouterr().out)["worst"]]
    asked = ["remedies", str(TINY), "-o", out, "--stress", stress, "--executor", "here", "--add", "sites"]
    assert main([*asked, "--worst", "2", "--weights", "3,1", "--json"]) == 0
    closures = json.loads(capsys.readouterr().out)["closures"]
    assert [(row["label"], row["weight"]) for row in closures] == [(worst[0], 0.75), (worst[1], 0.25)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--add", "lorries"], "Unknown kind of remedy"),
        (["--sizes", "big"], "expected numbers by comma"),
        (["--demand", "0,1"], "demand factors lie above 0"),
        (["--demand", "1", "--forecast", "f.csv"], "give one"),
        (["--forecast", "none.csv"], "does not exist"),
        (["--costs", "none.csv"], "does not exist"),
        (["--stress", "nowhere"], "no worst.csv"),
        (["--stress", "nowhere", "--close", "legs"], "leave --close"),
        (["--weights", "1,2", "--worst", "3"], "no weights of 3 closures"),
    ],
)
def test_a_user_s_mistakes_are_told(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["remedies", str(TINY), "-o", str(tmp_path / "o"), "--executor", "here", *more]) == 2
    assert said in capsys.readouterr().err


def test_the_folder_of_others_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").touch()
    assert main(["remedies", str(TINY), "-o", str(tmp_path), "--executor", "here"]) == 2
    assert "not-a-remedies-folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_page_says_what_helps_and_what_is_assumed() -> None:
    from changtong.report.remedies_report import remedies_page

    network = two_ways()
    sites = network.sites.with_columns(name=pl.Series(["<b>a</b>", "b", "x", "y"]))
    result = what_would_help(
        network.with_tables(sites=sites), list(make_cases(network)), against=Against(demands=(0.9, 1.1))
    )
    html = remedies_page(result, language="en")
    page = Page(html)
    assert "<b>a</b>" not in html  # names are data, never markup
    assert "style=" not in html
    for url in ("http://", "https://"):
        assert url not in html.replace("http://www.w3.org/2000/svg", "")
    assert "补强方案" in page.said
    assert "costs assumed" in page.said
    assert html.count('<circle class="dot') == result.table.height
    rows = page.tables["table-2"][2:]
    assert [int(row[0]) for row in rows] == result.table["rank"].to_list()
    assert all("assumed" in row[4] for row in rows)
    for row, mine in zip(rows, result.table.iter_rows(named=True), strict=True):
        assert float(row[5].replace(",", "")) == pytest.approx(mine["expected_after"], abs=0.51)
    nothing = what_would_help(network, X_SHUT, remedies=[])
    assert "None of 0 remedies" in remedies_page(nothing, language="en")
