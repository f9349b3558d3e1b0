"""Kernels are compiled once for each state of their sources, beside other work, and never in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from changtong import kernels
from changtong.flows import kernel_cache


class Work:
    """A process that has ended."""

    def __init__(self, command: list[str], returncode: int, **options: Any) -> None:
        self.command, self.options, self.returncode = command, options, returncode

    def poll(self) -> int:
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


def test_new_sources_are_compiled_anew(
    started: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_cache, "PACKAGE", tmp_path / "package")
    (tmp_path / "package" / "planning").mkdir(parents=True)
    source = tmp_path / "package" / "planning" / "trees.py"
    source.write_text("", "utf-8")
    ran: list[str] = []
    monkeypatch.setattr(kernels.subprocess, "run", lambda command, **_: ran.append(command[-1]))
    kernels.compile_kernels()
    assert sorted(ran) == sorted(kernels.ALL_PARTS)
    kernels.prepare_kernels(lambda _: None)
    assert started == []
    source.write_text("# another way", "utf-8")
    kernels.prepare_kernels(lambda _: None)
    assert len(started) == len(kernels.PARTS)


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
