"""Plans of a frontier as plan folders: what they hold, who reads them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from frontier_cases import ways

from changtong.carbon_frontier import carbon_frontier
from changtong.carbon_frontier_plans import plan_at, save_plans
from changtong.cli import main
from changtong.errors import UsageError
from changtong.footprint.estimate import estimate_carbon
from changtong.network.io import write_network
from changtong.network.model import Network
from changtong.outages import close_sites
from changtong.routes import read_routes
from changtong.simulate_command import planned_outages


def three_ways() -> Network:
    """Rail is dear and clean, for 40 of 100 pieces; a detour by rail is in between."""
    return ways([("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 40.0), ("rail", 2500.0, 2.0, 30.0)], 100.0)


def test_the_command_keeps_every_plan_for_the_other_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, out, plans = (str(tmp_path / name) for name in ("net", "frontier", "plans"))
    write_network(three_ways(), net)
    assert main(["carbon-frontier", net, "-o", out, "--plans", plans, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["plans_folder"] == plans
    assert said["points"] == 3
    index = pl.read_csv(Path(plans) / "frontier-plans.csv")
    assert index["folder"].to_list() == ["plan-1", "plan-2", "plan-3"]
    for row, point in zip(index.to_dicts(), said["plans"], strict=True):
        folder = Path(plans) / row["folder"]
        kept = json.loads((folder / "plan.json").read_text("utf-8"))
        assert kept["cost_cny"] == pytest.approx(point["cost_cny"])
        assert kept["carbon_kgco2e"] == pytest.approx(point["kgco2e"])
        assert (row["cost_cny"], row["kgco2e"]) == (kept["cost_cny"], kept["carbon_kgco2e"])
        assert {"report.html", "orders.csv", "orders.html", "routes.npz"} <= {
            f.name for f in folder.iterdir()
        }
    first = str(Path(plans) / "plan-1")
    assert main(["simulate", net, "--plan", first, "-o", str(tmp_path / "run"), "--json"]) == 0
    capsys.readouterr()
    assert main(["carbon", net, "--plan", first, "-o", str(tmp_path / "carbon"), "--json"]) == 0
    carbon = json.loads(capsys.readouterr().out)
    assert carbon["kgco2e"] == pytest.approx(said["cheapest"]["kgco2e"])  # no figure for hubs: legs alone


def test_routes_of_the_ends_are_the_cheap_and_the_clean_way(tmp_path: Path) -> None:
    """One way for a destination: by lorry at the cheap end, by train where there is room at the clean one."""
    network = ways([("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 1e6)], 100.0)
    found = carbon_frontier(network)
    save_plans(found, tmp_path / "plans")
    for name, way in (("plan-1", "road"), ("plan-2", "rail")):
        routes = read_routes(tmp_path / "plans" / name / "routes.npz")
        made = estimate_carbon(network, routes=routes)
        used = made.legs.filter((pl.col("pieces_per_day") > 0) & (pl.col("distance_km") > 1.0))
        assert used["mode"].to_list() == [way]


def test_an_older_folder_is_replaced_whole(tmp_path: Path) -> None:
    found = carbon_frontier(three_ways())
    save_plans(found, tmp_path / "plans")
    (tmp_path / "plans" / "notes.txt").write_text("mine", "utf-8")
    two = carbon_frontier(ways([("road", 1000.0, 1.0, 1e6), ("rail", 1000.0, 3.0, 1e6)], 100.0))
    said = save_plans(two, tmp_path / "plans")
    assert said.height == 2
    assert {file.name for file in (tmp_path / "plans").iterdir()} == {
        "plan-1", "plan-2", "frontier-plans.csv", "notes.txt",
    }  # fmt: skip


def test_a_folder_of_others_is_refused_before_anything_is_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = str(tmp_path / "net")
    write_network(three_ways(), net)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("keep me", "utf-8")
    out = tmp_path / "frontier"
    assert main(["carbon-frontier", net, "-o", str(out), "--plans", str(tmp_path / "other")]) == 2
    assert "not-a-frontier-plans-folder" in capsys.readouterr().err
    assert not out.exists()
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["letter.txt"]
    assert main(["carbon-frontier", net, "-o", str(out), "--plans", str(out)]) == 2
    assert "same folder" in capsys.readouterr().err
    assert not out.exists()


def test_there_is_no_plan_beyond_the_last() -> None:
    found = carbon_frontier(three_ways())
    for point in (0, found.points.height + 1):
        with pytest.raises(UsageError, match="it has plans 1 to 3"):
            plan_at(found, point)


def test_plans_beside_a_closed_site_know_their_outage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, out, plans = (str(tmp_path / name) for name in ("net", "frontier", "plans"))
    write_network(three_ways(), net)
    assert main(["carbon-frontier", net, "--close", "M0", "-o", out, "--plans", plans]) == 0
    for folder in sorted(Path(plans).glob("plan-*")):
        assert planned_outages(folder) == close_sites(three_ways(), ["M0"])
        assert json.loads((folder / "plan.json").read_text("utf-8"))["unserved_pieces"] == pytest.approx(30.0)
    capsys.readouterr()
    run = ["simulate", net, "--plan", str(Path(plans) / "plan-1"), "-o", str(tmp_path / "run"), "--json"]
    assert main(run) == 0
