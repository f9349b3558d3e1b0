"""The command serve as a process: it is killed and begun again, stops in good order, and shares no folder."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_cases import fill_folder, plan_request

from changtong.api.program import GONE, command_of
from changtong.cli import main

WAIT_S = 120.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(data: Path, log: Path, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server of one's own; give its process and address."""
    port = free_port()
    command = [sys.executable, "-m", "changtong", "serve", "--data", str(data), "--port", str(port), *more]
    with log.open("ab") as stream, subprocess.Popen(command, stderr=stream) as process:
        try:
            base, until = f"http://127.0.0.1:{port}", time.monotonic() + WAIT_S
            while True:
                try:
                    assert httpx.get(f"{base}/readyz").status_code == 200
                    break
                except httpx.TransportError:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < until
                    time.sleep(0.1)
            yield process, base
        finally:
            process.kill()


def until(base: str, token: str, run_id: str, states: set[str]) -> dict[str, Any]:
    end = time.monotonic() + WAIT_S
    while True:
        answer = httpx.get(f"{base}/api/v1/runs/{run_id}", headers={"Authorization": f"Bearer {token}"})
        run: dict[str, Any] = answer.json()
        if run["state"] in states:
            return run
        assert time.monotonic() < end, run
        time.sleep(0.02)


def begun(base: str, token: str) -> str:
    """Ask for a run and wait until it runs."""
    headers = {"Authorization": f"Bearer {token}"}
    run_id = httpx.post(f"{base}/api/v1/runs", json=plan_request(), headers=headers).json()["id"]
    until(base, token, run_id, {"running"})
    return str(run_id)


def ends(log: Path, run_id: str) -> list[str]:
    """Return the states that the log tells of a run; every line of it is JSON."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line["state"] for line in lines if line["event"] == "run" and line["run"] == run_id]


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_run_outlives_its_server_and_ends_once(tmp_path: Path, how: signal.Signals) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    token = fill_folder(data)["duty-gd"]
    with serving(data, log) as (process, base):
        run_id = begun(base, token)
        process.send_signal(how)
        code = process.wait(WAIT_S)
    assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    assert ends(log, run_id) == ["running"]
    assert not (data / "runs" / run_id / "study.json").exists()
    with serving(data, log) as (process, base):
        run = until(base, token, run_id, {"done", "failed", "refused"})
        assert run["state"] == "done"
        assert run["attempts"] == (1 if how is signal.SIGTERM else 2)
        time.sleep(1.0)  # a second one would have begun by now
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    assert ends(log, run_id) == ["running", "running", "done"]
    with sqlite3.connect(data / "runs.db") as book:
        assert book.execute("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL").fetchone() == (1,)
    book.close()
    assert token not in log.read_text("utf-8")


PROCESSES = ("log", "network", "run")  # the others answer as log and network do


@pytest.mark.parametrize("asked", ["", '{"folder": "'])
@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_whose_server_was_killed_before_it_had_asked_says_nothing(name: str, asked: str) -> None:
    command = command_of(f"changtong.api.{name}_process")
    done = subprocess.run(command, input=asked.encode(), capture_output=True, timeout=WAIT_S)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert done.returncode in (0, GONE)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_whose_server_was_killed_before_it_was_told_says_nothing(tmp_path: Path, name: str) -> None:
    question = {"folder": str(tmp_path), "work": str(tmp_path), "folders": [], "files": {}, "keys": ""}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command_of(f"changtong.api.{name}_process"),
        stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(json.dumps(question | {"arguments": ["--version"]}).encode() + b"\n")
        process.stdin.flush()
        code = process.wait(WAIT_S)  # standard input is open: only what it tells goes nowhere
        assert process.stderr.read() == b""
    assert code in (GONE, -signal.SIGKILL)


def test_an_empty_folder_becomes_a_server_and_no_second_one_works_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, log = tmp_path / "new" / "data", tmp_path / "log"
    with serving(data, log) as (_, base):
        told = dict(line.split(": ", 1) for line in (data / "first-sign-in.txt").read_text().splitlines())
        assert httpx.post(f"{base}/api/v1/session", json=told).status_code == 201
        open_to_others = [p.name for p in data.rglob("*") if p.is_file() and p.stat().st_mode & 0o077]
        assert open_to_others == []
        assert main(["serve", "--data", str(data), "--port", str(free_port())]) == 2
        assert "data-in-use" in capsys.readouterr().err
    assert told["password"] not in log.read_text("utf-8")


def test_a_folder_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main(["serve", "--data", str(file)]) == 2
    assert "[cannot-write]" in (told := capsys.readouterr().err)
    assert "is no folder" in told
