"""The house: linters, types, layers, public names, nothing of this or that machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import changtong

HERE = Path(__file__).parent.parent
CHECKOUT = (HERE / ".git").exists()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True)


@pytest.mark.house
@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        pytest.param(("mypy",), marks=pytest.mark.slow),
        ("importlinter.cli", "lint-imports"),
    ],
    ids=["ruff", "mypy", "layers"],
)
def test_linters_are_content(command: tuple[str, ...]) -> None:
    if command[0] == "importlinter.cli":
        made = run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()")
    else:
        made = run(sys.executable, "-m", *command)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-2000:]


def test_public_names_exist() -> None:
    for name in changtong.__all__:
        assert getattr(changtong, name) is not None
    assert sorted(changtong.__all__) == changtong.__all__


def test_importing_the_package_pulls_in_no_solver() -> None:
    heavy = ("highspy", "numba", "scipy", "polars", "statsforecast", "pandas", "holidays")
    code = f"import changtong, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_help_loads_nothing_heavy() -> None:
    heavy = ("highspy", "numba", "scipy", "polars", "numpy", "statsforecast", "pandas", "holidays")
    heavy += ("fastapi", "uvicorn", "dbos", "sqlalchemy")
    code = (
        "import sys, changtong.cli as c; c.main(['--help']); "
        f"print('HEAVY', [m for m in {heavy} if m in sys.modules])"
    )
    assert "HEAVY []" in run(sys.executable, "-c", code).stdout


def tracked() -> list[Path]:
    if not CHECKOUT:
        return []
    names = run("git", "ls-files").stdout.splitlines()
    return [HERE / name for name in names if (HERE / name).is_file()]


def test_no_file_of_code_is_too_long() -> None:
    long = [p.name for p in tracked() if p.suffix == ".py" and p.read_text("utf-8").count("\n") > 600]
    assert long == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    words = re.compile("/wo" + "rk/|/ro" + "ot/|index-" + 'url|resolved": "http')
    found = [
        path.name
        for path in tracked()
        if path.suffix in {".py", ".md", ".toml", ".lock", ".json", ".txt", ""}
        if path.name not in {"LICENSE", "test_house.py"} and path.stat().st_size < 2_000_000
        if words.search(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []
