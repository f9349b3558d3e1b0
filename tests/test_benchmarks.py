"""The page of the benchmarks: a run replaces what it measured, and nothing else; every program is known."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent.parent
PROGRAMS = HERE / "benchmarks"
PAGE = HERE / "docs" / "benchmarks.md"

pytestmark = pytest.mark.skipif(not PROGRAMS.is_dir(), reason="the benchmarks are not here: needs a checkout")

WRITTEN = """# Benchmarks

By hand, before all.

## One

Prose on one.

<!-- measured: one -->
old figures
<!-- end of one -->

More prose, with the word measured.

## Two

| by | hand |
|---|---|

## Three

last
"""


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The modules of the folder, which are found there as they find each other."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROGRAMS))
        yield {name: importlib.import_module(name) for name in ("page", "parts", "part_tables", "run")}
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == PROGRAMS:
            del sys.modules[name]


@pytest.fixture
def put(modules: dict[str, ModuleType]) -> Any:
    return modules["page"].put


def test_a_part_replaces_what_stands_between_its_marks(put: Any) -> None:
    made = put(WRITTEN, "one", "One", "new figures\n")
    assert made == WRITTEN.replace("old figures", "new figures")
    assert put(made, "one", "Another title", "new figures") == made


def test_a_part_without_marks_comes_to_the_end_of_its_section(put: Any) -> None:
    block = "<!-- measured: two -->\n5 s\n<!-- end of two -->\n"
    made = put(WRITTEN, "two", "Two", "5 s")
    assert made == WRITTEN.replace("## Three", block + "\n## Three")
    last = put(made, "three", "Three", "7 s")
    assert last == made + "\n<!-- measured: three -->\n7 s\n<!-- end of three -->\n"
    again = put(put(last, "two", "Two", "6 s"), "three", "Three", "7 s")
    assert again == last.replace("5 s", "6 s")


def test_a_part_without_a_section_makes_one(put: Any, modules: dict[str, ModuleType]) -> None:
    made = put(WRITTEN, "tw", "Tw", "1 s")  # neither its key nor its title is another's beginning
    assert made == WRITTEN + "\n## Tw\n\n<!-- measured: tw -->\n1 s\n<!-- end of tw -->\n"
    assert modules["page"].keys_of(made) == ["one", "tw"]
    assert put("", "a", "A", "1 s").startswith("# Benchmarks\n\n## A\n")


SWAPPED = (
    WRITTEN.replace("<!-- measured: one -->", "@")
    .replace("<!-- end of one -->", "<!-- measured: one -->")
    .replace("@", "<!-- end of one -->")
)


@pytest.mark.parametrize(
    "page",
    [
        WRITTEN.replace("<!-- end of one -->\n", ""),
        WRITTEN.replace("<!-- measured: one -->\n", ""),
        WRITTEN + "\n<!-- measured: one -->\n<!-- end of one -->\n",
        SWAPPED,
    ],
)
def test_marks_that_are_no_pair_are_left_alone(put: Any, page: str) -> None:
    with pytest.raises(ValueError, match="no pair"):
        put(page, "one", "One", "1 s")


def test_a_text_with_marks_would_break_the_page(put: Any) -> None:
    with pytest.raises(ValueError, match="holds a mark"):
        put(WRITTEN, "one", "One", "<!-- end of one -->")


@pytest.fixture
def ran(modules: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run with four tiny programs; return what the page is then, and the exit code."""
    run, tables = modules["run"], modules["part_tables"]
    part = modules["parts"].Part
    programs = {
        "one.py": "import sys; print('1 s', sys.argv[1:])",
        "two.py": "print('{\"cost\": 2.5}')",
        "fails.py": "import sys; sys.exit('no such thing')",
        "odd.py": "import sys; print('3 s'); sys.exit(1)",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text, "utf-8")
    made = [
        part("one", "One", ("one.py",), tables.as_it_is, None, ("--small",)),
        part("two", "Two", ("two.py",), tables.of_json(tables.plain_table)),
        part("fails", "Three", ("fails.py",), tables.as_it_is),
        part("silent", "Three", ("one.py",), tables.of_json(tables.plain_table)),
        part("odd", "Odd", ("odd.py",), tables.as_printed),
        part("none", "None", ("one.py",), tables.as_it_is, tmp_path / "data"),
    ]
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "all_parts", lambda places: made)
    page = tmp_path / "page.md"
    page.write_text(WRITTEN, "utf-8")

    def go(*arguments: str) -> tuple[str, int]:
        code = run.main([*arguments, "--page", str(page)])
        return page.read_text("utf-8"), code

    return go


def test_one_part_is_brought_up_to_date_in_place(ran: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page, code = ran("--only", "one", "--write")
    assert code == 0
    assert "old figures" not in page
    before, after = page.split("<!-- measured: one -->")
    assert before == WRITTEN.split("<!-- measured: one -->")[0]
    assert after.split("<!-- end of one -->")[1] == WRITTEN.split("<!-- end of one -->")[1]
    assert "`python benchmarks/one.py`, 0 s in all; " in after
    assert "1 s []" in after
    assert capsys.readouterr().out == ""


def test_a_part_that_is_only_looked_at_is_printed(ran: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("--only", "one"), ("--quick",)):
        page, code = ran(*arguments)
        assert (page, code) == (WRITTEN, 0)
        assert "## One" in capsys.readouterr().out
    ran("--quick")
    assert "1 s ['--small']" in capsys.readouterr().out
    ran("--list")
    assert "fails.py" in capsys.readouterr().out


def test_all_parts_leave_what_they_could_not_measure(ran: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page, code = ran()
    assert code == 1
    told = capsys.readouterr().err
    for key, why in (("fails", "no such thing"), ("silent", "failed"), ("none", "skipped: its data, data")):
        assert f"measured: {key} " not in page
        assert why in told
    assert "| cost | 2.5 |" in page
    assert "**exit code 1: an answer disagrees**" in page
    assert page.index("measured: two") < page.index("## Three") < page.index("## Odd")
    assert page.startswith(WRITTEN.split("<!--")[0])
    assert "More prose, with the word measured." in page
    again, _ = ran("--only", "two", "--write")
    assert again == page


@pytest.mark.parametrize(
    "arguments", [("--write",), ("--quick", "--only", "one", "--write"), ("--only", "weather")]
)
def test_what_cannot_be_meant_is_told(ran: Any, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        ran(*arguments)
    assert caught.value.code == 2


def test_every_program_is_a_part(modules: dict[str, ModuleType]) -> None:
    parts = modules["parts"]
    found = parts.all_parts(parts.Places(HERE, HERE, "postgresql:///bench"))
    programs = {
        path.name for path in PROGRAMS.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")
    }
    assert programs - {"run.py", *parts.HELPERS} == {part.command[0] for part in found}
    keys = [part.key for part in found]
    assert len(set(keys)) == len(keys)
    assert len(parts.chosen_parts(found, "registers")) == 2
    assert {part.command[-1] for part in parts.quick_parts(found) if part.key == "mcf"} == {"1"}


def test_the_page_has_marks_of_parts_alone_each_in_its_section(modules: dict[str, ModuleType]) -> None:
    page = PAGE.read_text("utf-8")
    parts = modules["parts"]
    titles = {
        part.key: part.title for part in parts.all_parts(parts.Places(HERE, HERE, "postgresql:///bench"))
    }
    keys = modules["page"].keys_of(page)
    assert len(keys) > 5
    for key in keys:
        section = page[: page.index(f"<!-- measured: {key} -->")].rsplit("\n## ", 1)[1]
        assert section.split("\n")[0] == titles[key]
        assert modules["page"].put(page, key, "", "1 s").count("1 s\n<!-- end") == 1
