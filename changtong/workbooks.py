"""Sheets as an XLSX workbook (ECMA-376).

Every text is an inline string: a spreadsheet shows it and runs none of it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of the parts: equal rosters give equal files."""

Cell = str | int | float | None


def write_workbook(path: Path, sheets: Sequence[tuple[str, Iterable[list[Cell]]]]) -> Path:
    """Write a workbook; the first row and the first two columns of each sheet stay in sight.

    Parameters
    ----------
    path : Path
    sheets : sequence of tuple
        Name and rows of each.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _parts([name for name, _ in sheets]).items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
        for number, (_, rows) in enumerate(sheets, 1):
            info = zipfile.ZipInfo(f"xl/worksheets/sheet{number}.xml", EPOCH)
            archive.writestr(info, _sheet(rows), zipfile.ZIP_DEFLATED)
    return path


def _sheet(rows: Iterable[list[Cell]]) -> str:
    made = [f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}"><sheetViews><sheetView '
            'workbookViewId="0"><pane xSplit="2" ySplit="1" topLeftCell="C2" state="frozen"/></sheetView>'
            "</sheetViews><sheetData>"]  # fmt: skip
    for row in rows:
        cells = []
        for value in row:
            if value is None:
                cells.append("<c/>")
            elif isinstance(value, str):
                plain = "".join(c for c in value if c >= " " or c in "\t\n")
                cells.append(f'<c t="inlineStr"><is><t xml:space="preserve">{escape(plain)}</t></is></c>')
            else:
                cells.append(f"<c><v>{value}</v></c>")
        made.append(f"<row>{''.join(cells)}</row>")
    return "".join([*made, "</sheetData></worksheet>"])


def _parts(names: list[str]) -> dict[str, str]:
    head, numbers = '<?xml version="1.0" encoding="UTF-8"?>', range(1, len(names) + 1)
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{k}" r:id="rId{k}"/>'
        for k, name in zip(numbers, names, strict=True)
    )
    links = "".join(
        f'<Relationship Id="rId{k}" Type="{RELATED}/worksheet" Target="worksheets/sheet{k}.xml"/>'
        for k in numbers
    )
    kinds = "".join(
        f'<Override PartName="/xl/worksheets/sheet{k}.xml" ContentType="{TYPE}.worksheet+xml"/>'
        for k in numbers
    )
    return {
        "[Content_Types].xml": f'{head}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>{kinds}</Types>',
        "_rels/.rels": f'{head}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}<workbook xmlns="{MAIN}" xmlns:r="{RELATED}">'
        f"<sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{PACKAGE}/relationships">'
        f"{links}</Relationships>",
    }
