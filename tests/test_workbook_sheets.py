"""XLSX where lists are read: what a sheet holds as texts, and the same lists as CSV and as a workbook."""

from __future__ import annotations

import csv
import shutil
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from duty_cases import roster_folder

from changtong.duty.read_duty import read_duty
from changtong.duty.roster import make_roster
from changtong.duty.roster_files import read_roster_folder, save_roster
from changtong.errors import InputError
from changtong.network.findings import Findings
from changtong.network.row_files import read_row_file
from changtong.outlets.outlet_months import read_outlet_months
from changtong.workbook_sheets import label_of, read_sheet
from changtong.workbooks import MAIN, PACKAGE, RELATED, Cell, write_workbook
from changtong.workforce.relief_match import read_firms
from changtong.workforce.relief_rules import read_policies
from changtong.workforce.workforce_folder import read_workforce

EXAMPLES = Path(__file__).parent.parent / "examples"

STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="3">'
    '<numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm"/>'
    '<numFmt numFmtId="166" formatCode="0.00&quot; 元/day&quot;"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    "<cellXfs>" + "".join(f'<xf numFmtId="{one}"/>' for one in (0, 14, 164, 165, 20, 22, 166)) + "</cellXfs>"
    "</styleSheet>"
)
SHARED = (
    f'<sst xmlns="{MAIN}"><si><t>name</t></si><si><r><t>王</t></r><r><t>小明</t></r>'
    "<rPh><t>wang</t></rPh></si></sst>"
)
CELLS = """
<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="inlineStr"><is><t>on</t></is></c>
<c r="C3" t="str"><v>more</v></c></row>
<row r="4"><c r="A4" t="s"><v>1</v></c><c r="B4" s="1"><v>45231</v></c>
<c r="C4"><v>1.3800138E10</v></c></row>
<row r="6"><c r="A6" t="b"><v>1</v></c><c r="B6" s="2"><v>45231</v></c><c r="C6"><v>0.1</v></c></row>
<row r="7"><c r="A7" t="e"><v>#N/A</v></c><c r="B7" s="3"><v>45231</v></c><c r="C7" s="6"><v>3</v></c></row>
<row r="8"><c r="B8" s="4"><v>0.3541666666666667</v></c><c r="C8" s="5"><v>45231.75</v></c></row>
<row r="9"><c r="B9"/></row>
"""


def book(path: Path, sheets: dict[str, str], properties: str = "") -> Path:
    """Write a workbook as a spreadsheet program does: shared texts, styles, parts with names of their own."""
    names = list(sheets)
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}">{properties}<sheets>'
        + "".join(f'<sheet name="{one}" sheetId="{k}" r:id="R{k}"/>' for k, one in enumerate(names))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="R{k}" Type="{RELATED}/worksheet" Target="/xl/worksheets/s{9 - k}.xml"/>'
            for k in range(len(names))
        )
        + "</Relationships>",
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": SHARED,
    }
    for k, rows in enumerate(sheets.values()):
        parts[f"xl/worksheets/s{9 - k}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def test_a_sheet_is_read_as_it_is_seen(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"封面": "", "Months": CELLS})
    sheet = read_sheet(path, "months")
    assert sheet.name == "Months"
    assert [[*row, "", "", ""][:3] for row in sheet.rows] == [
        ["name", "on", "more"],
        ["王小明", "2023-11-01", "13800138000"],
        ["", "", ""],
        ["true", "2023-11-01", "0.1"],
        ["#N/A", "2023-11", "3"],
        ["", "08:30", "2023-11-01T18:00:00"],
    ]
    assert label_of(path, "months") == "a.xlsx[Months]"
    assert label_of(path, "people") == "a.xlsx[封面]"  # the first one where none has the name
    assert read_sheet(path, "people").rows == ()
    assert label_of(tmp_path / "a.csv", "months") == "a.csv"
    early = book(tmp_path / "b.xlsx", {"x": CELLS}, '<workbookPr date1904="1"/>')
    assert read_sheet(early, "x").rows[1][1] == "2027-11-02"  # four years and a day later


@pytest.mark.parametrize("kind", ["text", "cut off", "no book", "entity", "empty zip", "no sheet"])
def test_what_is_no_workbook_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.xlsx"
    book(path, {"x": CELLS})
    if kind == "text":
        path.write_text("name,on\n", "utf-8")
    elif kind == "cut off":
        path.write_bytes(path.read_bytes()[:600])
    elif kind == "no sheet":
        book(path, {})
    elif kind == "entity":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", '<!DOCTYPE a [<!ENTITY b "c">]><workbook/>')
    else:
        with zipfile.ZipFile(path, "w") as archive:
            if kind == "no book":
                archive.writestr("word/document.xml", "<a/>")
    with pytest.raises(InputError) as wrong:
        read_sheet(path, "x")
    assert [(one.code, one.file) for one in wrong.value.problems] == [("unreadable-file", "a.xlsx")]
    findings = Findings()
    assert read_row_file(path, "x", (), {}, findings, {}) is None
    assert [one.code for one in findings.errors] == ["unreadable-file"]


def test_rows_and_columns_that_are_none_are_told_with_their_sheet(tmp_path: Path) -> None:
    def problems(rows: list[list[Cell]]) -> list[tuple[str, str | None, int | None, str | None]]:
        write_workbook(tmp_path / "a.xlsx", [("名单", rows)])
        findings = Findings()
        read_row_file(tmp_path / "a.xlsx", "x", ("a", "b"), {}, findings, {})
        return [(one.code, one.file, one.row, one.column) for one in findings.errors]

    assert problems([]) == [("empty-file", "a.xlsx[名单]", None, None)]
    assert problems([["a", "a"], ["1", "2"]]) == [("duplicate-column", "a.xlsx[名单]", 0, "a")]
    assert problems([["a", None, "b"], ["1", None, "2"], [None, "x", None], ["1", "", "2", "3"]]) == [
        ("bad-row", "a.xlsx[名单]", 2, None), ("bad-row", "a.xlsx[名单]", 3, None),
    ]  # fmt: skip
    findings, forms = Findings(), dict[str, str]()
    write_workbook(tmp_path / "a.xlsx", [("名单", [["a", "b"], [1, "2026-03-01"], [None, None], ["x", ""]])])
    types = {"a": pl.Float64(), "b": pl.Date()}
    frame = read_row_file(tmp_path / "a.xlsx", "x", types, types, findings, forms)
    assert frame is not None
    # a column with a cell that does not fit comes as text, so that this cell is told later
    assert frame.to_dict(as_series=False) == {"a": ["1", None, "x"], "b": [date(2026, 3, 1), None, None]}
    assert forms == {"a.xlsx": "xlsx, sheet 名单"}


def as_book(file: Path, *, numbers: bool = False) -> Path:
    """Make a CSV file a workbook of two sheets, the second named as the table; the CSV goes."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        texts = list(csv.reader(stream))
    rows: list[list[Cell]] = [list(texts[0])]
    for row in texts[1:]:
        rows.append(
            [float(one) if numbers and one.replace(".", "", 1).isdigit() else one or None for one in row]
        )
    path = write_workbook(file.with_suffix(".xlsx"), [("说明", [["填表说明"]]), (file.stem, rows)])
    file.unlink()
    return path


def test_a_duty_folder_of_workbooks_is_that_of_csv_files(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "duty", tmp_path / "duty")
    before = read_duty(tmp_path / "duty")
    for name in ("people", "shifts", "posts", "leave", "carried"):
        as_book(tmp_path / "duty" / f"{name}.csv", numbers=name == "carried")
    assert read_duty(tmp_path / "duty") == before
    roster_folder(tmp_path / "roster")
    shutil.copyfile(EXAMPLES / "duty" / "people.csv", tmp_path / "duty" / "people.csv")
    with pytest.raises(InputError, match="ambiguous-table"):
        read_duty(tmp_path / "duty")


def test_wrong_cells_of_staff_name_sheet_row_and_column(tmp_path: Path) -> None:
    duty = roster_folder(tmp_path / "roster", ("li",)) / "duty"
    (duty / "people.csv").write_text(
        "person_id,name,group,roles,share\nli,王,A,officer,2\nli,张,A,officer,\nw u,赵,A,officer,\n", "utf-8"
    )
    as_book(duty / "people.csv")
    with pytest.raises(InputError) as wrong:
        read_duty(duty)
    told = [(one.code, one.file, one.row, one.column) for one in wrong.value.problems]
    assert told == [
        ("out-of-range", "people.xlsx[people]", 1, "share"),
        ("wrong-type", "people.xlsx[people]", 3, "person_id"),
    ]


def test_workforce_outlets_and_firms_are_read_from_workbooks(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "workforce", tmp_path / "w")
    before = read_workforce(tmp_path / "w")
    for name in ("people", "absences", "attendance"):
        as_book(tmp_path / "w" / f"{name}.csv")
    after = read_workforce(tmp_path / "w")
    assert all(
        getattr(after, name).equals(getattr(before, name)) for name in ("people", "absences", "attendance")
    )
    write_workbook(
        tmp_path / "w" / "absences.xlsx", [("请假", [["person_id", "date"], ["nobody", "2026-03-01"]])]
    )
    with pytest.raises(InputError) as wrong:
        read_workforce(tmp_path / "w")
    told = [(one.code, one.file, one.row, one.column) for one in wrong.value.problems]
    assert told == [("unknown-person", "absences.xlsx[请假]", 1, "person_id")]
    write_workbook(tmp_path / "w" / "absences.xlsx", [("请假", [["person_id", "date"], [None, "soon"]])])
    with pytest.raises(InputError) as wrong:
        read_workforce(tmp_path / "w")
    assert {(one.code, one.file, one.row, one.column) for one in wrong.value.problems} == {
        ("missing-value", "absences.xlsx[请假]", 1, "person_id"),
        ("wrong-type", "absences.xlsx[请假]", 1, "date"),
    }

    months: list[list[Cell]] = [
        ["outlet_id", "month", "pieces"],
        ["A", "2024-01", 100],
        ["A", "2024-02", 90.5],
    ]
    write_workbook(tmp_path / "months.xlsx", [("months", months)])
    (tmp_path / "m.csv").write_text("outlet_id,month,pieces\nA,2024-01,100\nA,2024-02,90.5\n", "utf-8")
    book_, plain = (read_outlet_months(tmp_path / name) for name in ("months.xlsx", "m.csv"))
    assert book_.values["pieces"].tolist() == plain.values["pieces"].tolist() == [[100.0, 90.5]]
    write_workbook(tmp_path / "months.xlsx", [("台账", [*months, ["A", "2024-13", 1]])])
    with pytest.raises(InputError) as wrong:
        read_outlet_months(tmp_path / "months.xlsx")
    assert [(one.code, one.file, one.row) for one in wrong.value.problems] == [
        ("bad-month", "months.xlsx[台账]", 3)
    ]

    policies = read_policies()
    firms: list[list[Cell]] = [["firm_id", "name", "region"], ["F1", "甲", 440305]]
    write_workbook(tmp_path / "firms.xlsx", [("企业", firms)])
    (one,) = read_firms(tmp_path / "firms.xlsx", policies)
    assert (one.id, one.name, one.facts["region"]) == ("F1", "甲", "440305")
    write_workbook(tmp_path / "firms.xlsx", [("企业", [*firms, ["F1", "乙", None], [None, "丙", None]])])
    with pytest.raises(InputError) as wrong:
        read_firms(tmp_path / "firms.xlsx", policies)
    assert [(one.code, one.file, one.row) for one in wrong.value.problems] == [
        ("duplicate-firm", "firms.xlsx[企业]", 2), ("missing-value", "firms.xlsx[企业]", 3),
    ]  # fmt: skip


def test_a_roster_of_workbooks_is_kept_as_text(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "duty", tmp_path / "duty")
    as_book(tmp_path / "duty" / "people.csv")
    read = read_duty(tmp_path / "duty")
    made = make_roster(read, date(2026, 3, 2), date(2026, 3, 3), seconds=2)
    assert made.found
    save_roster(made, tmp_path / "ROSTER", tmp_path / "duty", made_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert not list((tmp_path / "ROSTER" / "duty").glob("*.xlsx"))
    assert read_roster_folder(tmp_path / "ROSTER")[0].people == read.people
