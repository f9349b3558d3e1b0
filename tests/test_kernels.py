"""Kernels are compiled once for each state of their sources, beside other work, and never in silence."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_cases import prepare

from changtong import kernels
from changtong.errors import UsageError
from changtong.file_locks import lock_file
from changtong.flows import kernel_cache


class Work:
    """A process that has ended."""

    def __init__(self, command: list[str], returncode: int, **options: Any) -> None:
        self.command, self.options, self.returncode = command, options, returncode

    def wait(self) -> int:
        return self.returncode


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Work]:
    made: list[Work] = []

    def popen(command: list[str], **options: Any) -> Work:
        made.append(Work(command, len(made), **options))
        return made[-1]

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernels.subprocess, "Popen", popen)
    return made


def test_they_are_compiled_until_they_are_there(
    started: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(kernels, "PARTS", {"flow": lambda: None})
    kernels.prepare_kernels(said.append)()
    assert started[0].command[1:] == ["-m", "changtong.kernels", "flow"]
    assert [line.split()[0] for line in said] == ["Compiling", "Compiled"]
    kernels.prepare_kernels(said.append)()
    assert (len(started), len(said)) == (1, 2)


def test_a_part_that_fails_is_compiled_again(started: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(kernels, "PARTS", {"flow": lambda: None, "sort-plan": lambda: None})
    kernels.prepare_kernels(said.append)()  # the second part fails: the planner compiles for itself
    assert [line.split()[0] for line in said] == ["Compiling"]
    kernels.prepare_kernels(said.append)
    assert [work.command[-1] for work in started] == ["flow", "sort-plan", "flow", "sort-plan"]


def test_who_gives_up_before_they_are_compiled_keeps_nobody_waiting(
    started: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(kernels, "PARTS", {"flow": lambda: None})
    kernels.prepare_kernels(said.append)  # and a wrong input ends the command
    begin = time.perf_counter()
    kernels.prepare_kernels(said.append)()  # of a process that lives on
    assert time.perf_counter() - begin < 30.0
    assert len(started) == 1
    assert kernels._stamp().exists()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose one kernel calls another file's function and knows a package's constant."""
    files = {
        "kernels.py": "",
        "planning/trees.py": (
            "from numba import njit\n"
            "from changtong.planning.ways import way\n"
            "if True:\n    from changtong.words import (\n        ONE,\n    )\n"
        ),
        "planning/ways.py": "import changtong.depth\n",
        "depth.py": "",
        "words/__init__.py": "from changtong.words.one import ONE\n",
        "words/one.py": "ONE = 1\n",
        "planning/report.py": "from changtong.planning.trees import grow\n# needs numba\n",
    }
    for name, text in files.items():
        (tmp_path / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name).write_text(text, "utf-8")
    monkeypatch.setattr(kernel_cache, "PACKAGE", tmp_path / "package")
    kernel_cache._digest.cache_clear()
    yield tmp_path / "package"
    monkeypatch.undo()
    kernel_cache._digest.cache_clear()


@pytest.mark.parametrize(
    "name", ["kernels.py", "planning/trees.py", "planning/ways.py", "depth.py", "words/one.py"]
)
def test_new_sources_are_compiled_anew(
    name: str, package: Path, started: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(kernels.subprocess, "run", lambda command, **_: ran.append(command[-1]))
    kernels.compile_kernels()
    assert sorted(ran) == sorted(kernels.ALL_PARTS)
    kernels.prepare_kernels(lambda _: None)
    assert started == []
    (package / name).write_text((package / name).read_text("utf-8") + "# another way\n", "utf-8")
    kernel_cache._digest.cache_clear()  # as in a new process
    kernels.prepare_kernels(lambda _: None)
    assert len(started) == len(kernels.PARTS)


def test_other_sources_leave_compiled_kernels_alone(package: Path) -> None:
    before = kernel_cache.kernel_folder()
    (package / "planning/report.py").write_text("# all new\n", "utf-8")
    kernel_cache._digest.cache_clear()
    assert kernel_cache.kernel_folder() == before


def test_every_file_with_a_kernel_is_among_the_sources() -> None:
    with_kernels = {file for file in kernel_cache.PACKAGE.rglob("*.py") if "@njit" in file.read_text("utf-8")}
    assert len(with_kernels) > 20
    assert with_kernels <= set(kernel_cache.kernel_sources())


def test_those_of_a_stress_test_are_told_of_too(started: list[Work]) -> None:
    said: list[str] = []
    kernels.prepare_kernels(said.append, "stress test")()
    assert [work.command[1:] for work in started] == [["-m", "changtong.kernels", "stress-test"]]
    assert said[0].startswith("Compiling the stress test's kernels")
    kernels.prepare_kernels(said.append, "stress test")()
    assert (len(started), len(said)) == (1, 2)
    kernels.prepare_kernels(said.append, "simulation")
    assert len(started) == 2  # others are not done with it


def test_a_stress_test_finds_its_kernels_compiled() -> None:
    from changtong.resilience import passes

    kernels.OTHER_PARTS["stress test"]["stress-test"]()
    assert passes.pass_value.signatures
    assert passes.sums_by_site.signatures


def test_of_two_processes_one_compiles_and_the_other_waits(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        said = [manager.list(), manager.list()]
        barrier = spawn.Barrier(2)
        works = [spawn.Process(target=prepare, args=(str(tmp_path), 5.0, barrier, one)) for one in said]
        for work in works:
            work.start()
        for work in works:
            work.join(60)
        assert [work.exitcode for work in works] == [0, 0]
        assert sorted((tmp_path / "ran").read_text().split()) == ["flow", "sort-plan"]
        assert sorted(one[0].split()[0] for one in said) == ["Another", "Compiling"]
        late = manager.list()
        again = spawn.Process(target=prepare, args=(str(tmp_path), 2.0, None, late))
        again.start()
        again.join(60)
        assert (again.exitcode, list(late)) == (0, [])


def test_one_that_is_killed_keeps_nobody_waiting(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        said = [manager.list(), manager.list()]
        works = [
            spawn.Process(target=prepare, args=(str(tmp_path), seconds, None, one))
            for seconds, one in zip((120.0, 0.0), said, strict=True)  # killed long before
        ]
        for work, one in zip(works, said, strict=True):
            work.start()
            while not one and work.is_alive():
                time.sleep(0.02)
        works[0].kill()
        works[1].join(60)
        assert works[1].exitcode == 0
        assert [line.split()[0] for line in said[1]] == ["Another", "Compiling", "Compiled"]
        works[0].join(60)


def test_without_a_place_for_a_lock_everyone_compiles(
    started: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(path: Path, mode: int = 0o600) -> int | None:
        raise UsageError("no locks here", "cannot-write")

    monkeypatch.setattr(kernels, "lock_file", no_lock)
    monkeypatch.setattr(kernels, "PARTS", {"flow": lambda: None})
    said: list[str] = []
    kernels.prepare_kernels(said.append)()
    assert [line.split()[0] for line in said] == ["Compiling", "Compiled"]


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    first = lock_file(tmp_path / "lock")
    assert first is not None
    assert lock_file(tmp_path / "lock") is None
    os.close(first)
    second = lock_file(tmp_path / "lock")  # the file is still there, and locks nothing
    assert second is not None
    os.close(second)
    with pytest.raises(UsageError) as caught:
        lock_file(tmp_path / "none" / "lock")
    assert caught.value.code == "cannot-write"
