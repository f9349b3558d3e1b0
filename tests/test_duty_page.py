"""The page and the workbook of a duty room: what is in them, and what is not."""

from __future__ import annotations

import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from duty_cases import roster_folder

from changtong.duty.room import hand_over, open_call
from changtong.duty.room_log import open_folder_room
from changtong.duty.roster_views import matrix_in_force, write_duty_workbook
from changtong.report.duty_page import write_duty_page

BEGIN = datetime(2026, 3, 2, 8, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_the_page_shows_what_is_open_at_the_instant_and_names_only_where_wanted(tmp_path: Path) -> None:
    room = open_folder_room(tmp_path / "room", "li", roster_folder(tmp_path / "roster"))
    open_call(room.rosters, room.log, "17", "<b>进水</b>", "flood", "li", BEGIN)
    hand_over(room.log, "later", "li", BEGIN + timedelta(hours=9), ["泵未修"], [])
    for named in (True, False):
        page = write_duty_page(
            room.rosters, room.log.entries(), BEGIN + timedelta(hours=1),
            tmp_path / "p.html", with_names=named,
        ).read_text("utf-8")  # fmt: skip
        assert "&lt;b&gt;进水&lt;/b&gt;" in page
        assert "<b>进水" not in page
        assert "泵未修" not in page  # it was written later
        assert ("王li" in page) is named
        assert "day/desk" not in page  # a shift by its name, not by codes


def test_the_workbook_has_who_serves_when(tmp_path: Path) -> None:
    room = open_folder_room(tmp_path / "room", "li", roster_folder(tmp_path / "roster"))
    days = room.rosters.period_at(BEGIN)
    people = matrix_in_force(room.rosters, *days)
    assert [(one.person_id, one.duties, one.by_day) for one in people] == [
        ("li", 1, ("day/desk", "", "")), ("wu", 1, ("", "day/desk", "")), ("he", 1, ("", "", "day/desk")),
    ]  # fmt: skip
    made = write_duty_workbook(people, *days, tmp_path / "r.xlsx")
    with zipfile.ZipFile(made) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "值班表" in archive.read("xl/workbook.xml").decode()
    assert sheet.count("day/desk") == 3
    assert "2026-03-04" in sheet
