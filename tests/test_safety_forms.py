"""Forms are data with their provenance; a filled one is checked whole, and bad answers become findings."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from safety_cases import file_of, filled

from changtong.errors import InputError, NotFoundError
from changtong.safety.filled import check_filled
from changtong.safety.form import is_asked
from changtong.safety.form_file import find_form, form_of_text, read_forms, shipped_forms, version_order
from changtong.safety.form_schema import file_schema, form_schema
from changtong.safety.rules_file import hazard_kinds, red_lines

SMALL = """
id = "small"
version = "1.0"
title_zh = "小表"
title_en = "Small"
provenance = "synthetic"
source = "of a test"
most_photos = 2
[[items]]
id = "guard"
kind = "yes_no"
zh = "防护罩"
en = "Guard"
evidence = "photo_when_bad"
bad = ["no"]
finding = { kind = "machinery", grade = "major", red_line = "art4-1" }
[[items]]
id = "why"
kind = "text"
zh = "原因"
en = "Why"
when = { item = "guard", among = ["no"] }
[[items]]
id = "who"
kind = "text"
zh = "何人"
en = "Who"
required = "never"
personal = true
when = { item = "why", among = ["x"] }
[[items]]
id = "expired"
kind = "number"
zh = "过期"
en = "Expired"
least = 0
most = 10
above = 0
finding = { kind = "fire", grade = "general" }
"""


def small(**answers: Any) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in answers.items()}
    return {"inspection_id": "i", "site_id": "S", "inspectors": ["I"], "finished": True, "answers": given}


def codes(made: Any) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.column) for problem in made.problems]


# --- what is shipped ---------------------------------------------------------------------


def test_every_shipped_form_says_where_it_comes_from_and_only_red_lines_are_official() -> None:
    forms = {form.id: form for form in shipped_forms()}
    assert set(forms) == {
        "epidemic-outlet", "epidemic-sorting", "fire", "international", "machinery", "screening",
        "site-daily", "three-rules", "upu-security",
    }  # fmt: skip
    for form in forms.values():
        assert form.provenance in ("example", "synthetic")
        assert form.source
        for item in form.items:
            red = item.finding is not None and bool(item.finding.red_line)
            assert (item.provenance == "official") == red, (form.id, item.id)
            assert item.source


def test_the_real_site_form_has_its_eleven_numbers_without_the_tenth_and_says_so() -> None:
    form = find_form("site-daily")
    ticks = [item for item in form.items if item.kind == "tick"]
    assert [item.number for item in ticks] == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "11"]
    assert "10" in form.notes_en
    assert "10" in form.notes_zh
    assert form.rows_ask == ("rectify", "opinion")
    assert all(item.bad == ("true",) for item in ticks)
    personal = {item.id for item in form.items if item.personal}
    assert {"r08_sender", "r08_receiver", "r08_waybill", "r03_who"} <= personal


def test_every_red_line_that_could_be_read_is_asked_by_a_shipped_form() -> None:
    asked = {i.finding.red_line for f in shipped_forms() for i in f.items if i.finding and i.finding.red_line}
    assert asked == set(red_lines()) == {"art3-1", "art3-2", "art4-1", "art4-2", "art4-3"}
    assert all(line.provenance == "official" and line.article for line in red_lines().values())
    assert {i.finding.kind for f in shipped_forms() for i in f.items if i.finding} <= set(hazard_kinds())


# --- reading -----------------------------------------------------------------------------


def test_all_problems_of_a_form_are_told_at_once() -> None:
    text = SMALL.replace('version = "1.0"\n', "").replace('"synthetic"', '"offical"')
    text = text.replace('kind = "text"\nzh = "原因"', 'kind = "txt"\nzh = "原因"')
    text = text.replace('red_line = "art4-1"', 'red_line = "art9"').replace("most = 10", "most = -1")
    text = text.replace('item = "why"', 'item = "nobody"') + '\ncolour = "red"\n'
    with pytest.raises(InputError) as caught:
        form_of_text(text, "small.toml")
    told = {(p.row, p.column) for p in caught.value.problems}
    assert told == {
        (None, "version"), (None, "provenance"), (1, "red_line"), (2, "kind"), (3, "when"), (4, "least"),
        (4, "colour"),
    }  # fmt: skip
    assert {p.code for p in caught.value.problems} == {"bad-form"}
    hints = [p.hint for p in caught.value.problems]
    assert any("official" in hint for hint in hints)
    assert any('"text"' in hint for hint in hints)


@pytest.mark.parametrize(
    ("old", "new", "row", "key"),
    [
        ('bad = ["no"]', 'bad = ["never"]', 1, "bad"),
        ('bad = ["no"]', "", 1, "finding"),
        ('grade = "major"', 'grade = "general"', 1, "grade"),
        ('id = "why"', 'id = "guard"', 2, "id"),
        ('id = "guard"', 'id = "Guard!"', 1, "id"),
        ('kind = "yes_no"', 'kind = "choice"', 1, "options"),
        ("most_photos = 2", "most_photos = 4000", None, "most_photos"),
        ("most_photos = 2", 'rows_ask = ["name"]', None, "rows_ask"),
        ('zh = "原因"', 'zh = "原因"\nbelow = 3', 2, "below"),
        ('zh = "原因"', 'zh = "原因"\nsection = "s"', 2, "section"),
        ('title_en = "Small"', 'title_en = " "', None, "title_en"),
    ],
)
def test_one_wrong_thing_is_told_where_it_is(old: str, new: str, row: int | None, key: str) -> None:
    with pytest.raises(InputError) as caught:
        form_of_text(SMALL.replace(old, new, 1), "small.toml")
    assert (row, key) in {(p.row, p.column) for p in caught.value.problems}


def test_older_versions_stay_readable_and_the_newest_is_taken_by_default(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(SMALL, "utf-8")
    (tmp_path / "b.toml").write_text(SMALL.replace('"1.0"', '"1.10"'), "utf-8")
    (tmp_path / "c.toml").write_text(SMALL.replace('"1.0"', '"1.9"'), "utf-8")
    mine = read_forms(tmp_path)
    assert find_form("small", more=mine).version == "1.10"
    assert find_form("small", "1.0", more=mine).version == "1.0"
    assert version_order("2017.1") < version_order("2018") < version_order("2018.1")
    with pytest.raises(NotFoundError, match="screening"):
        find_form("screning")
    (tmp_path / "d.toml").write_text(SMALL, "utf-8")
    (tmp_path / "e.toml").write_text("nothing", "utf-8")
    with pytest.raises(InputError) as caught:
        read_forms(tmp_path)
    assert {p.file for p in caught.value.problems} == {"d.toml", "e.toml"}


def test_the_digest_is_of_what_a_form_says_not_of_how_it_is_written() -> None:
    one = form_of_text(SMALL, "f")
    assert form_of_text("# a remark\n" + SMALL, "f").digest == one.digest
    assert form_of_text(SMALL.replace("防护罩", "护罩"), "f").digest != one.digest


# --- filled in ---------------------------------------------------------------------------


def test_bad_answers_are_findings_with_kind_grade_and_red_line() -> None:
    form = form_of_text(SMALL, "f")
    made = check_filled(form, small(guard="no", why="broken", expired=2))
    assert [(f.item_id, f.hazard_kind, f.grade, f.red_line) for f in made.findings] == [
        ("guard", "machinery", "major", "art4-1"),
        ("expired", "fire", "general", ""),
    ]
    assert made.findings[0].finding_id == "i/guard"
    assert codes(made) == [("evidence-missing", "guard")]
    assert (made.asked, made.answered) == (3, 3)
    assert made.table().height == 2
    good = check_filled(form, small(guard="yes", expired=0))
    assert (good.complete, good.findings, good.asked) == (True, (), 2)
    assert check_filled(form, small(guard="na", expired=0)).findings == ()


def test_what_cannot_be_meant_is_an_error_and_what_is_missing_a_warning() -> None:
    form = form_of_text(SMALL, "f")
    made = check_filled(form, small(guard="maybe", expired=11, colour="red"))
    assert [(p.code, p.column, p.severity) for p in made.problems] == [
        ("unknown-item", "colour", "error"),
        ("bad-answer", "guard", "error"),
        ("bad-answer", "expired", "error"),
    ]
    assert made.findings == ()  # 11 is above 0, but no number that can be meant
    for value in (True, "2", float("nan")):
        assert codes(check_filled(form, small(guard="yes", expired=value))) == [("bad-answer", "expired")]
    empty = check_filled(form, {"answers": {}})
    assert {code for code, _ in codes(empty)} == {"answer-missing"}
    assert empty.errors == ()
    assert empty.answered == 0


def test_items_that_hang_on_others_are_asked_only_then() -> None:
    form = form_of_text(SMALL, "f")
    who = form.item("who")
    assert who is not None
    given = {"guard": {"value": "no"}, "why": {"value": "x"}}
    assert is_asked(form, who, given)
    assert not is_asked(form, who, given | {"guard": {"value": "yes"}})  # "why" itself is not asked any more
    assert ("answer-missing", "why") in codes(check_filled(form, small(guard="no", expired=0)))


def test_personal_answers_are_not_repeated_in_messages() -> None:
    form = find_form("site-daily")
    answers = {"r08": {"value": True, "photos": []}, "r08_waybill": {"value": "张三 13800000000 !"}}
    made = check_filled(form, filled(answers=answers))
    assert ("bad-answer", "r08_waybill") in codes(made)
    assert "张三" not in str(made)


def test_a_form_says_by_itself_that_no_rectification_is_needed() -> None:
    form = find_form("site-daily")
    said = filled(answers={"r05": {"value": True, "rectify": False}, "r07": {"value": True}})
    made = check_filled(form, said)
    assert [(f.item_id, f.needs_rectification) for f in made.findings] == [("r05", False), ("r07", True)]


def test_schemas_take_what_the_checker_takes_and_refuse_what_it_refuses() -> None:
    for form in shipped_forms():
        Draft202012Validator.check_schema(form_schema(form))
    good = filled()
    Draft202012Validator(file_schema()).validate(file_of(good))
    schema = Draft202012Validator(form_schema(find_form("site-daily")))
    schema.validate(good)
    for path, value in (
        (("answers", "r05", "value"), "yes"),
        (("answers", "r99"), {"value": True}),
        (("form", "version"), "1"),
        (("inspection_id",), "me"),
    ):
        bad = deepcopy(good)
        at: Any = bad
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        assert not schema.is_valid(bad), path
