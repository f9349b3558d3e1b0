"""A server and workers on one PostgreSQL: each run is computed once, and a worker that dies loses none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from api_cases import fill_folder, plan_request
from registers_cases import OWN, cheap_hashes, new_database, postgres, postgres_is_here  # noqa: F401
from test_serve import free_port

from changtong.api import run_book
from changtong.api.dataset_book import DatasetBook
from changtong.api.one_server import OneServer
from changtong.api.run_book import NewRun, RunBook
from changtong.cli import main
from changtong.rights.scope import Scope
from changtong.storage.engine import writing
from changtong.storage.rows import now

needs_postgres = pytest.mark.skipif(not postgres_is_here(), reason="PostgreSQL is not installed")
WAIT_S = 300.0


@pytest.fixture
def database(postgres: str) -> str:  # noqa: F811
    return new_database(postgres, f"t{uuid.uuid4().hex}")


def new(key: str = "", network: str = "tiny") -> NewRun:
    return NewRun("u", "/spb/", "000000", "plan", {"network": network}, key)


@needs_postgres
def test_the_book_in_postgresql_does_what_the_file_does(database: str, tmp_path: Path) -> None:
    shared, file = RunBook(database), RunBook(tmp_path / "runs.db")
    assert (shared.is_shared, file.is_shared) == (True, False)
    for book in (shared, file):
        first, is_new = book.add(new("k"))
        assert is_new
        assert book.add(new("k"))[0].id == first.id
        second, _ = book.add(new(network="other"))
        newest = [run.id for run in book.page((Scope(),), 10)[0]]
        assert newest == [second.id, first.id]
        assert [run.id for run in book.page((Scope(),), 10, network="other")[0]] == [second.id]
        assert book.page((Scope("/sd/"),), 10)[0] == ()
        begun = book.begin(first.id, "one")
        assert begun is not None
        assert begun.attempts == 1
        assert book.begin(first.id, "two") is None  # it is held
        assert not book.end(first.id, "done", worker="two", outcome={})
        assert book.end(first.id, "done", worker="one", outcome={"x": [1]})
        assert (book.get(first.id).state, book.get(first.id).outcome) == ("done", {"x": [1]})
        book.close()
    RunBook(database).close()  # made already
    DatasetBook(database).close()


@needs_postgres
def test_who_says_nothing_for_a_minute_has_lost_its_run(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = RunBook(database)
    run, _ = book.add(new())
    assert book.begin(run.id, "one") is not None
    assert book.hold(run.id, "one")
    assert book.unheld() == ()
    monkeypatch.setattr(run_book, "HELD_FOR", timedelta(seconds=-1))
    assert book.hold(run.id, "one")
    assert book.unheld() == (run.id,)
    monkeypatch.undo()
    again = book.begin(run.id, "two")
    assert again is not None
    assert again.attempts == 2
    assert not book.hold(run.id, "one")
    assert not book.end(run.id, "done", worker="one", outcome={})
    book.leave(run.id)
    time.sleep(0.01)
    assert (book.get(run.id).state, book.get(run.id).attempts, book.unheld()) == ("waiting", 1, (run.id,))
    book.close()


@contextmanager
def started(*words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("ab") as stream,
        subprocess.Popen([sys.executable, "-m", "changtong", *words], stderr=stream) as one,
    ):
        try:
            yield one
        finally:
            one.kill()


def lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def until(what: object, within_s: float = WAIT_S) -> None:
    end = time.monotonic() + within_s
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.1)


def held_no_more(database: str, worker: str) -> None:
    """Let the minute pass for which a run is held without a word."""
    book = RunBook(database)
    with writing(book.engine) as connection:
        of_it = run_book.runs.c.worker == worker
        connection.execute(run_book.runs.update().where(of_it).values(held_until=now()))
    book.close()


@pytest.mark.slow
@needs_postgres
def test_a_worker_that_is_killed_loses_no_run_and_none_is_computed_twice(
    database: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    token = fill_folder(data)["duty-gd"]
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    headers = {"Authorization": f"Bearer {token}"}
    logs = [tmp_path / f"log-{name}" for name in ("server", "one", "two")]
    given = ("--data", str(data), "--runs", database)

    def ready() -> bool:
        try:
            return httpx.get(f"{base}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def states() -> dict[str, str]:
        told = httpx.get(f"{base}/api/v1/runs?limit=50", headers=headers).json()["runs"]
        return {run["id"]: run["state"] for run in told}

    with started("serve", *given, "--port", str(port), log=logs[0]):
        until(ready)
        with started("work", *given, log=logs[1]) as one, started("work", *given, log=logs[2]):
            for log in logs[1:]:
                until(lambda log=log: any(line["event"] == "working" for line in lines(log)))
            asked = [
                httpx.post(f"{base}/api/v1/runs", json=plan_request(), headers=headers).json()["id"]
                for _ in range(6)
            ]
            until(lambda: any(line["event"] == "run" for line in lines(logs[1])))
            one.send_signal(signal.SIGKILL)
            one.wait()
            held_no_more(database, str(lines(logs[1])[0]["worker"]))
            until(lambda: all(states()[run_id] == "done" for run_id in asked))
    told = [line for log in logs for line in lines(log) if line["event"] == "run"]
    assert sorted(str(line["run"]) for line in told if line["state"] == "done") == sorted(asked)
    assert {len([line for line in lines(log) if line["event"] == "run"]) > 0 for log in logs} == {True}
    assert [line for log in logs for line in lines(log) if line["event"] == "fault"] == []


def test_what_is_no_folder_and_no_database_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["work", "--data", str(tmp_path), "--runs", "postgresql://u@127.0.0.1:1/x"]) == 2
    assert "no data folder" in capsys.readouterr().err
    assert (
        main(["serve", "--data", str(tmp_path / "new"), "--runs", "here.db", "--port", str(free_port())]) == 2
    )
    assert "postgresql://" in capsys.readouterr().err


@needs_postgres
def test_one_server_has_its_runs_in_a_database(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = OneServer(database)
    (tmp_path / "data").mkdir()
    for _ in range(2):  # refused it leaves nothing behind, its own folder's lock neither
        assert main(["serve", "--data", str(tmp_path / "data"), "--runs", database]) == 2
        assert "runs-in-use" in capsys.readouterr().err
    held.close()
    OneServer(database).close()
