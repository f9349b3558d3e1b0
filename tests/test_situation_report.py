"""Situation reports with the figures of a plan that the planner made, and what makes no report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from changtong.cli import main
from changtong.emergency.case_folder import read_case
from changtong.network.io import read_network
from changtong.outage_files import read_outages

TINY = Path(__file__).parent.parent / "examples" / "tiny"
pytestmark = pytest.mark.skipif(not TINY.exists(), reason="the examples are not here: needs a checkout")


def at(minute: int) -> list[str]:
    return ["--by", "值班员", "--at", f"2026-07-21T00:{minute:02d}+08:00"]


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def test_the_figures_of_a_plan_around_the_sites_of_a_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, plan = str(tmp_path / "CASE"), str(tmp_path / "PLAN")
    command = ["emergency", "open", "flood", "--event", "C 中心进水", "-o", case, "--site", "C=confirmed"]
    assert main([*command, *at(0), "--json"]) == 0
    outages = tmp_path / "outages.toml"
    assert main(["emergency", "outages", case, str(TINY), "-o", str(outages), "--at", at(1)[-1]]) == 0
    assert "2026-07-21T00:00:00+08:00" in outages.read_text("utf-8")  # as people here read it
    (read,) = read_outages(outages, read_network(TINY))
    assert (read.sites, read.share_left) == (("C",), 0.0)
    capsys.readouterr()
    assert main(["plan", str(TINY), "--outages", str(outages), "-o", plan, "--json"]) == 0
    planned = said(capsys)
    for name, language in (("one.docx", "zh"), ("two.html", "en")):
        command = ["emergency", "situation-report", case, "-o", str(tmp_path / name), "--plan", plan]
        assert main([*command, "--language", language, *at(20)]) == 0
    page = (tmp_path / "two.html").read_text("utf-8")
    assert int(planned["changed_legs"]) > 0  # type: ignore[call-overload]
    assert f"{planned['changed_legs']:,}" in page
    assert "flood-20260721-000000" in page
    assert (
        'lang="zh-CN">预案来源：畅通编写' in page
    )  # where the plan comes from, in Chinese on a Chinese page
    assert [one.data["number"] for one in read_case(case).entries if "number" in one.data] == [1, 2]


def test_what_cannot_be_written_takes_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(tmp_path / "CASE")
    assert main(["emergency", "open", "flood", "--event", "x", "-o", case, *at(0)]) == 0
    entries = len(read_case(case).entries)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    wrong = (
        ["folder.html"], ["report.pdf"], ["file/below.html"], ["a.html", "--plan", str(tmp_path)],
        ["a.html", "--plan", str(tmp_path / "nowhere")], ["a.html", "--indicators", str(tmp_path / "file")],
    )  # fmt: skip
    for name, *more in wrong:
        capsys.readouterr()
        assert main(["emergency", "situation-report", case, "-o", str(tmp_path / name), *more, *at(9)]) == 2
        assert "Errno" not in capsys.readouterr().err
    assert len(read_case(case).entries) == entries
    assert main(["emergency", "situation-report", case, "-o", str(tmp_path / "a.html"), *at(9)]) == 0
