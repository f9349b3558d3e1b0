"""Replications on the page of a simulation: the median and the band of 80 % stand where the frames say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from network_cases import TINY

from changtong.cli import main
from changtong.errors import UsageError
from changtong.network.io import read_network
from changtong.outages import close_sites
from changtong.report import simulation_charts, write_simulation_report
from changtong.report.simulation_report import render_simulation_report
from changtong.simulation.replications import Replications, simulate_replications
from changtong.simulation.result import Simulation
from changtong.simulation.simulate import SimulationSettings, simulate
from tests.pages import Page

OPTIONS = SimulationSettings(hours=60.0, warm_up_h=24.0)


@cache
def played() -> tuple[Simulation, Replications]:
    network = read_network(TINY)
    shut = close_sites(network, ["H1"])
    many = simulate_replications(network, shut, settings=OPTIONS, replications=5, seed=2)
    return simulate(network, shut, settings=OPTIONS), many


def chart(html: str) -> str:
    found = re.search(r'<svg class="hours large".*?</svg>', html, re.DOTALL)
    assert found is not None
    return found[0]


def points(path: str) -> np.ndarray:
    return np.array([[float(part) for part in point.split(" ")] for point in path.split("L")])


def test_the_bands_of_the_queue_are_quantiles_of_the_single_runs() -> None:
    network = read_network(TINY)
    shut = close_sites(network, ["H1"])
    many = simulate_replications(network, shut, settings=OPTIONS, replications=2, seed=2)
    hours = many.hours
    # of two runs the median is their mean; the ends of the band lie a tenth inside
    assert (hours["queue_high"] + hours["queue_low"]).to_numpy() == pytest.approx(
        2 * hours["queue_median"].to_numpy()
    )
    held = hours.select(pl.col("waiting_median") - pl.col("queue_median")).to_series()
    assert float(held.min()) >= -1e-6  # type: ignore[arg-type]


def test_median_and_band_stand_where_the_frames_say() -> None:
    run, many = played()
    drawn = chart(render_simulation_report(run, replications=many))
    band = re.search(r'class="rep-band" d="M([^"]+)Z"', drawn)
    middle = re.search(r'class="line s-median" d="M([^"]+)"', drawn)
    assert band is not None
    assert middle is not None
    upper_and_lower, line = points(band[1]), points(middle[1])
    count = run.hours.height
    assert len(upper_and_lower) == 2 * count
    base = simulation_charts.HIGH - simulation_charts.BOTTOM
    top = max(many.hours["queue_high"].max(), run.hours["waiting_pieces"].max())  # type: ignore[type-var]
    step = simulation_charts.nice_step(float(top))  # type: ignore[arg-type]
    unit = (base - simulation_charts.TOP) / (step * np.ceil(float(top) / step))  # type: ignore[arg-type]
    for seen, name in (
        (line, "median"),
        (upper_and_lower[:count], "high"),
        (upper_and_lower[count:][::-1], "low"),
    ):
        wanted = unit * many.hours[f"queue_{name}"].to_numpy()
        assert base - seen[:, 1] == pytest.approx(wanted, abs=0.06)
        assert seen[:, 0] == pytest.approx(line[:, 0])


def test_the_table_says_medians_and_bands() -> None:
    run, many = played()
    page = Page(render_simulation_report(run, replications=many))
    rows, facts = page.tables["replication-table"][1:], many.summary()
    assert rows[1][1:] == [
        f"{run.summary()['late_pieces']:,.0f}",
        f"{facts['late_pieces']:,.0f}",
        f"{facts['late_pieces_low']:,.0f} – {facts['late_pieces_high']:,.0f}",
    ]
    assert f"It holds in {facts['holds_share']:.0%}".replace("%", " %") in page.said


def test_without_replications_there_is_no_band() -> None:
    html = render_simulation_report(played()[0])
    assert 'class="rep-band"' not in html
    assert "replication-table" not in html


def test_replications_of_another_run_are_refused(tmp_path: Path) -> None:
    run, many = played()
    other = replace(many, hours=many.hours.head(3))
    with pytest.raises(UsageError, match="other hours"):
        write_simulation_report(run, tmp_path / "p.html", replications=other)


def test_the_command_draws_them(tmp_path: Path) -> None:
    words = ["simulate", str(TINY), "--close", "H1", "-o", str(tmp_path / "run"), "--hours", "30"]
    main([*words, "--replications", "3", "--json"])
    assert 'class="rep-band"' in chart((tmp_path / "run" / "report.html").read_text("utf-8"))
    assert "queue_median" in (tmp_path / "run" / "replications_hours.csv").read_text("utf-8-sig")
