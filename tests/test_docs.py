"""The documents: commands run, options exist, links lead somewhere, every code and file is told of."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer

from changtong._tables import (
    ASSESSMENT_SET,
    CARBON_SET,
    COLD_SET,
    COUNTY_SET,
    NETWORK_SET,
    PACKAGING_SET,
    PRODUCE_SET,
)
from changtong.cli import app, main
from changtong.network.io import read_network
from changtong.outage_files import KNOWN, read_outages
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.report import write_orders

HERE = Path(__file__).parent.parent
PAGES = sorted([*HERE.glob("*.md"), *HERE.glob("docs/**/*.md"), *HERE.glob("examples/**/*.md")])
CODE = re.compile(r"[a-z]+(?:-[a-z]+)*")
CALLS = {
    "Problem",
    "problem",
    "_wrong",
    "wrong",
    "fault",
    "warn_rows",
    "_wrong_rows",
    "explain_plainly",
    "UsageError",
    "denied",
}

NAMED = re.compile(r"(?:[`$ ]|^)changtong ([a-z]+(?:-[a-z]+)*)([^`\n|#]*)", re.M)

pytestmark = pytest.mark.skipif(not PAGES, reason="the documents are not here: needs a checkout")


def console_lines() -> list[tuple[str, list[str]]]:
    """Return the commands of blocks marked ``console``, page by page."""
    found = []
    for page in PAGES:
        blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.S)
        lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
        if lines:
            found.append((str(page.relative_to(HERE)), lines))
    return found


@pytest.mark.parametrize(("page", "lines"), console_lines(), ids=[page for page, _ in console_lines()])
def test_commands_of_the_documents_run(
    page: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(HERE / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "changtong"
        if arguments[0] == "plan":
            arguments += ["--seconds", "2"]  # what they print is not looked at, only that they run
        assert main(arguments) == 0, line


def test_commands_named_anywhere_exist_with_their_options() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    seen = set()
    for page in PAGES:
        for name, rest in re.findall(
            r"(?:[`$ ]|^)changtong ([a-z]+(?:-[a-z]+)*)([^`\n|#]*)", page.read_text("utf-8"), re.M
        ):
            if name not in commands:
                assert not rest.strip().startswith(("-", "NET")), (page.name, name)
                continue
            seen.add(name)
            command = commands[name]
            if hasattr(command, "commands"):  # a group: its command comes next
                command = command.commands[rest.split()[0]] if rest.split() else command
            options = {option for parameter in command.params for option in parameter.opts}
            for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
                assert option in options, (page.name, name, option)
    assert seen == set(commands)


def test_every_column_of_cold_chain_and_produce_is_told_of() -> None:
    page = (HERE / "docs" / "coverage.md").read_text("utf-8")
    for tables in (COLD_SET, PRODUCE_SET):
        for table in tables.tables.values():
            assert [column for column in table.columns if f"`{column}`" not in page] == []


def test_every_column_of_carbon_factors_is_told_of() -> None:
    page = (HERE / "docs" / "footprint.md").read_text("utf-8")
    for tables in (CARBON_SET, PACKAGING_SET):
        for table in tables.tables.values():
            assert [column for column in table.columns if f"`{column}`" not in page] == []


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), (page.name, target)


def test_every_page_is_in_the_index() -> None:
    listed = set(re.findall(r"\(([a-zA-Z.-]+\.md)", (HERE / "docs" / "index.md").read_text("utf-8")))
    assert listed == {page.name for page in (HERE / "docs").glob("*.md")} - {"index.md"}


def used_codes() -> tuple[set[str], set[str]]:
    """Return codes used where problems are made, and every text constant of the package."""
    used: set[str] = set()
    texts: set[str] = set()
    for path in (HERE / "changtong").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            values = [*node.args, *(word.value for word in node.keywords if word.arg == "code")]
            if name in CALLS:
                used |= {
                    value.value
                    for value in values
                    if isinstance(value, ast.Constant)
                    and isinstance(value.value, str)
                    and "-" in value.value
                    and CODE.fullmatch(value.value)
                }
    return used, texts


def test_codes_and_their_page_agree() -> None:
    headings = set(re.findall(r"^### (\S+)$", (HERE / "docs" / "errors.md").read_text("utf-8"), re.M))
    used, texts = used_codes()
    texts |= {
        f"unknown-{what}"
        for tables in (NETWORK_SET, COUNTY_SET, COLD_SET, PRODUCE_SET, ASSESSMENT_SET, CARBON_SET)
        for what in tables.parents.values()
    }
    assert used - headings == set()
    assert headings - texts == set()


def test_every_column_of_outages_is_told_of_and_the_example_is_read() -> None:
    page = (HERE / "docs" / "outages.md").read_text("utf-8")
    assert [name for name in KNOWN if f"`{name}`" not in page] == []
    tiny = read_network(HERE / "examples" / "tiny")
    assert len(read_outages(HERE / "examples" / "tiny" / "outages.toml", tiny)) == 3


def test_every_column_and_key_of_a_plan_is_told_of(tmp_path: Path) -> None:
    page = (HERE / "docs" / "plan.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", page, re.M | re.S))
    tiny = read_network(HERE / "examples" / "tiny")
    made = plan(tiny, close_sites(tiny, ["A"]))
    folder = made.save(tmp_path / "plan", extra=lambda into: write_orders(made, into) and None)
    for name, frame in made.tables().items():
        columns = set(frame.columns)
        if name == "orders":
            columns |= set((folder / "orders.csv").read_text("utf-8-sig").splitlines()[0].split(","))
        told = set(re.findall(r"`(\w+)`", sections[name]))
        assert columns - told == set(), name
    keys = set(re.findall(r"`(\w+)`", page.partition("## The summary")[2].partition("## Tables")[0]))
    assert made.summary().keys() - keys == set()


def test_the_block_in_the_page_on_outages_can_be_read(tmp_path: Path) -> None:
    page = (HERE / "docs" / "outages.md").read_text("utf-8")
    block = re.search(r"```toml\n(.*?)```", page, re.S)
    assert block is not None
    (tmp_path / "o.toml").write_text(block[1], "utf-8")
    tiny = read_network(HERE / "examples" / "tiny")
    assert [outage.share_left for outage in read_outages(tmp_path / "o.toml", tiny)] == [0.0, 1.0, 1.0]
