"""Two servers on one PostgreSQL, both sent events; one is killed: nothing is lost, nothing doubled."""

from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from registers_cases import (
    cheap_hashes,
    new_database,
    person,
    postgres,
    postgres_is_here,
    small_store,
)
from test_api_intake import event
from test_serve import WAIT_S, serving

from changtong.events.log import open_log
from changtong.rights.scope import Scope

__all__ = ["cheap_hashes", "postgres"]

BATCHES, EVENTS = 60, 20


class Sender(threading.Thread):
    """Sends batches one after the other; sends again what got no answer, as senders are told to."""

    def __init__(self, name: str, token: str, base: str) -> None:
        super().__init__(daemon=True)
        self.log_id, self.base, self.answered, self.cut_off = name, base, 0, 0
        self._headers = {"Authorization": f"Bearer {token}"}
        self.last: dict[str, Any] = {}

    def url(self, *more: str) -> str:
        return "/".join((self.base, "api/v1/logs", self.log_id, *more))

    def make(self) -> None:
        made = httpx.put(self.url(), json={"alerts": {"on": False}}, headers=self._headers, timeout=WAIT_S)
        assert made.status_code == 201, made.text

    def run(self) -> None:
        while self.answered < BATCHES:
            batch = [event(self.answered * EVENTS + k) for k in range(EVENTS)]
            try:
                told = httpx.post(self.url("events"), json=batch, headers=self._headers, timeout=WAIT_S)
            except httpx.TransportError:
                self.cut_off += 1
                time.sleep(0.05)
                continue
            if told.status_code != 202:
                self.last = told.json()
                return
            self.answered += 1

    def settled(self) -> dict[str, Any]:
        until = time.monotonic() + WAIT_S
        while True:
            told: dict[str, Any] = httpx.get(self.url(), headers=self._headers, timeout=WAIT_S).json()
            if told["in_log_to"] == told["accepted_to"]:
                return told
            assert time.monotonic() < until, told
            time.sleep(0.1)


def reach(sender: Sender, batches: int) -> None:
    until = time.monotonic() + WAIT_S
    while sender.answered < batches:
        assert sender.is_alive(), sender.last
        assert time.monotonic() < until
        time.sleep(0.01)


def ids(folder: Path) -> list[Any]:
    import polars as pl

    found: list[Any] = pl.read_parquet(open_log(folder).files())["event_id"].to_list()
    return found


def people(postgres: str, tmp_path: Path) -> tuple[str, str]:  # noqa: F811
    url = new_database(postgres, f"t{uuid.uuid4().hex}")
    store, admin = small_store(url, tmp_path / "files")
    with store:
        duty = person(store, admin, "duty", "spb-gd", ("duty_officer", Scope(region="440000")))
        return url, duty._token


@pytest.mark.slow
@pytest.mark.skipif(not postgres_is_here(), reason="PostgreSQL is not installed")
def test_a_killed_server_loses_and_doubles_no_event_and_the_other_goes_on(
    postgres: str, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    url, token = people(postgres, tmp_path)
    logs = [tmp_path / "log-one", tmp_path / "log-two"]
    folders = [tmp_path / "one", tmp_path / "two"]
    registers = ("--registers", url, "--workers", "2")
    with serving(folders[1], logs[1], *registers) as (other, other_base):
        with serving(folders[0], logs[0], *registers) as (process, base):
            senders = [Sender("scans", token, base), Sender("scans", token, other_base)]
            for sender in senders:
                sender.make()
                sender.start()
            reach(senders[0], BATCHES // 2)
            process.send_signal(signal.SIGKILL)
            process.wait(WAIT_S)
        with serving(folders[0], logs[0], *registers) as (process, base):
            senders[0].base = base
            for sender in senders:
                sender.join(WAIT_S)
                assert sender.answered == BATCHES, sender.last
            assert (senders[0].cut_off > 0, senders[1].cut_off) == (True, 0)
            for sender in senders:
                assert sender.settled()["rows"] == BATCHES * EVENTS
            for one in (process, other):
                one.send_signal(signal.SIGTERM)
                assert one.wait(WAIT_S) == 0
    for folder, log in zip(folders, logs, strict=True):
        events = [json.loads(line)["event"] for line in log.read_text("utf-8").splitlines()]
        assert "fault" not in events
        assert not list((folder / "intake").rglob("s*.csv"))
        told = ids(folder / "logs" / "scans")
        assert (len(told), len(set(told))) == (BATCHES * EVENTS, BATCHES * EVENTS)
