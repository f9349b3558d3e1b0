"""The page and the notices of an assessment, and the command: what is said, that it fits and is safe."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import docx
import pytest
from assessment_cases import SECTION, card, deduct, fact, head, subject
from pages import Page

from browser import CHROMIUM, FRAME, opened
from changtong.assessment.assess import assess, what_if
from changtong.assessment.result import Assessment
from changtong.assessment.sensitivity import sensitivity
from changtong.cli import main
from changtong.report import write_assessment_notice
from changtong.report.assessment_report import assessment_page
from changtong.report.texts import LANGUAGES

HERE = Path(__file__).parent.parent
CARDS = HERE / "examples" / "assessment"


@cache
def made() -> Assessment:
    return assess(CARDS / "safe-delivery")


@cache
def full_page() -> str:
    moved = sensitivity(made(), draws=50)
    return assessment_page(made(), sensitivity=moved, what_if=what_if(made(), ["fact:H-01"]))


def test_the_page_says_scores_reasons_and_evidence() -> None:
    page = Page(full_page())
    for said in (
        "2025 年 平安寄递建设考核（合成示例）：乙省 居首，79.31 分",
        "Not an official card",
        "本软件自编",
        "1 个指标值缺失",
        "通报-31",  # the evidence of a veto
        "LOG-P2C1-real-name; scan log",
        "事实 H-03；2025-03-22 同一网点重大隐患；同一事实已按较大扣分计",
        "96.1 %（申诉）",
        "邮政管理部门 11；公安机关 6；交通运输部门 11.5",
        "智能安检联网",
        "共 102 项：101 项未结，2 项逾期。",
    ):
        assert said in page.said, said
    assert len([tag for tag, named in page.elements if named.get("class") == "subject"]) == 21


def test_each_table_of_lines_ends_with_the_score() -> None:
    """The terms written on the page add up to the score written on the page."""
    page = Page(full_page())
    found = 0
    for rows in page.tables.values():
        if not rows or rows[-1][0] != "合计得分Score":
            continue
        found += 1
        values = [row[1].replace("−", "-").replace("+", "") for row in rows[1:-1]]
        inner = [
            row[0].startswith(("领", "部门联", "实名收", "收寄", "过机", "逾期", "起始"))
            for row in rows[1:-1]
        ]
        hazard = [bool(re.match("重大事故隐患|禁寄|发生个人|典型|单项|本部分", row[0])) for row in rows[1:-1]]
        terms = [float(v) for v, i, h in zip(values, inner, hazard, strict=True) if not i and not h]
        assert sum(terms) == pytest.approx(float(rows[-1][1]), abs=1e-6), rows
    assert found == 21


def test_nothing_comes_from_outside_and_names_stay_text() -> None:
    names = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7*7 }}", "a\u202eb"]
    rows = [subject(f"f{k}") | {"name": name} for k, name in enumerate(names)]
    odd = card(
        head(name_zh="</script><b>", note="<i>" + "说" * 700, source="<u>"),
        subjects=rows,
        sections=[SECTION | {"name_zh": "<s>"}],
        rules=[deduct("r", 1.5) | {"name_zh": "<em>"}],
        facts=[fact("<f>", "f0", "r", evidence="<img src=y>", text="<a>")],
    )
    page = Page(assessment_page(assess(odd)))
    assert "img" not in [tag for tag, _ in page.elements]
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 3
    assert names[0] in page.said
    assert "{{ 7*7 }}" in page.said
    assert "\u202e" not in page.said
    for html in (full_page(),):
        assert not re.search(
            r"https?://|url\(|\bfetch\(|@import", html.replace("http://www.w3.org/2000/svg", "")
        )
        assert "unsafe" not in html


def test_a_page_of_ties_and_of_one() -> None:
    two = card(
        head(base=5.0),
        subjects=[subject("a"), subject("b")],
        sections=[SECTION],
        rules=[deduct("r", 1.0)],
    )
    assert "2 个并列第一，5.00 分" in Page(assessment_page(assess(two))).said
    one = two.with_tables(subjects=two.subjects.head(1))
    assert "居首，5.00 分" in Page(assessment_page(assess(one))).said


def test_a_notice_says_the_result_and_what_to_do(tmp_path: Path) -> None:
    for language in LANGUAGES:
        path = write_assessment_notice(made(), "P2C1D1", tmp_path / language, language=language)
        document = docx.Document(str(path))
        said = "\n".join(part.text for part in document.paragraphs)
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        assert "84.50" in said
        assert ("不是官方文件" if language == "zh" else "no official document") in said
        assert (
            "禁寄物品流入寄递渠道被通报" if language == "zh" else "Named for forbidden goods in the mail"
        ) in cells
        assert "通报-21;通报-22;通报-23;通报-24" in cells
        assert "+11.25" in cells
        assert "平安寄递办公室" in cells
        assert "2026-01-30" in cells


def test_the_command_writes_all_and_prints_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result"
    line = [
        "assess",
        str(CARDS / "firm-credit"),
        "-o",
        str(out),
        "--closing",
        "fact:F1",
        "--notice",
        "firm-a",
    ]
    assert main([*line, "--json", "--draws", "20"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["card"] == "firm-credit"
    # without F1: 80 - 1.5 - 0.02 + 0.015 = 78.495; (60 x 78.495 + 30 x 70) / 90 = 75.66, 1.33 more
    assert [(row["subject_id"], row["gain"]) for row in facts["what_if"]] == [
        ("firm-a", 1.33),
        ("brand-x", 0.01),
    ]
    names = {path.name for path in out.iterdir()}
    assert {"report.html", "scores.csv", "what_if.csv", "study.json", "notices", "sensitivity.csv"} <= names
    (out / "mine.txt").write_text("kept")
    assert main([*line[:4], "--within", "0"]) == 0
    said = capsys.readouterr().out
    assert "78.97" in said
    assert (out / "mine.txt").read_text() == "kept"
    assert not (out / "notices").exists()
    assert not (out / "sensitivity.csv").exists()


def test_wrong_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    credit, out = str(CARDS / "firm-credit"), str(tmp_path / "r")
    for more in (["--closing", "fact:F99"], ["--notice", "nobody"], ["--on", "soon"]):
        assert main(["assess", credit, "-o", out, *more]) == 2
        assert "error" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("x")
    assert main(["assess", credit, "-o", str(tmp_path / "other"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "not-an-assessment"
    assert main(["assess", str(tmp_path / "other"), "-o", out, "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {problem["code"] for problem in problems} >= {"bad-scorecard", "missing-table"}


def test_a_failure_leaves_the_last_result(tmp_path: Path) -> None:
    made().save(tmp_path / "r")
    before = (tmp_path / "r" / "assessment.json").read_text("utf-8")

    def breaks(into: Path) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        assess(made().card, closing=["fact:H-01"]).save(tmp_path / "r", extra=breaks)
    assert (tmp_path / "r" / "assessment.json").read_text("utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_telephone_and_a_desk(tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    page.write_text(
        full_page().replace('<details class="subject">', '<details class="subject" open>'), "utf-8"
    )
    outer = tmp_path / "outer.html"
    outer.write_text(FRAME.format(address=page.as_uri(), width=width), "utf-8")
    said = opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files", "--window-size=1400,1000")
    found = re.search(r"wide (\d+) of (\d+)", said)
    assert found is not None
    assert int(found[1]) <= int(found[2]) == width


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_language_is_switched(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(full_page(), "utf-8")
    said = opened(f"{page.as_uri()}#language=en", tmp_path)
    assert Page(said).elements[0][1]["data-language"] == "en"
