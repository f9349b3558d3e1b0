"""A file that people take for a table, and that would not be read, is an error: leave that nobody sees."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from changtong.duty.read_duty import read_duty
from changtong.epidemic.epidemic_folder import read_epidemic
from changtong.errors import InputError
from changtong.workforce.workforce_folder import read_workforce

EXAMPLES = Path(__file__).parent.parent / "examples"
READERS: dict[str, Callable[[Path], object]] = {
    "duty": read_duty, "epidemic": read_epidemic, "workforce": read_workforce,
}  # fmt: skip


def refused(folder: Path, kind: str) -> list[tuple[str, str | None]]:
    with pytest.raises(InputError) as found:
        READERS[kind](folder)
    return [(one.code, one.file) for one in found.value.problems]


@pytest.mark.parametrize(
    ("kind", "name", "called"),
    [
        ("duty", "leave.csv", "leaves.csv"),
        ("duty", "leave.csv", "Leave.CSV"),
        ("duty", "leave.csv", "leave.xls"),
        ("epidemic", "staff.csv", "staff.xlsx"),
        ("epidemic", "site_states.csv", "site-states.csv"),
        ("workforce", "absences.csv", "absence.csv"),
        ("workforce", "rules.toml", "rule.toml"),
    ],
)
def test_a_table_by_another_name_is_told(tmp_path: Path, kind: str, name: str, called: str) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(EXAMPLES / kind, folder)
    (folder / name).rename(folder / called)
    assert refused(folder, kind) == [("unknown-file", called)]


@pytest.mark.parametrize(
    ("kind", "name"), [("duty", "leave.csv"), ("epidemic", "passes.csv"), ("workforce", "absences.csv")]
)
def test_a_folder_in_the_place_of_a_table_is_told(tmp_path: Path, kind: str, name: str) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(EXAMPLES / kind, folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refused(folder, kind) == [("missing-file", name)]


def test_a_table_in_two_forms_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(EXAMPLES / "workforce", folder)
    (folder / "deliveries.csv.gz").write_bytes(gzip.compress((folder / "deliveries.csv").read_bytes()))
    with pytest.raises(InputError) as found:
        read_workforce(folder)
    told = [(one.code, one.message) for one in found.value.problems]
    assert told == [("ambiguous-table", "deliveries.csv and deliveries.csv.gz are both there.")]


@pytest.mark.parametrize("kind", READERS)
def test_copies_and_other_files_beside_the_tables_do_no_harm(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(EXAMPLES / kind, folder)
    for name in ("people-old.csv", "peoples.csv", "sitess.csv", "notes.txt", "leave", "fairness.csv"):
        (folder / name).write_text("of last year\n", "utf-8")
    READERS[kind](folder)
    (folder / "hourl").mkdir()  # no file, and no name that is read
    READERS[kind](folder)
