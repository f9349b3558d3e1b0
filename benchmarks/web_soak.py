"""A server under load for a while: people on its pages beside events at a rate, killed and restarted in the middle.

``python benchmarks/web_soak.py [--seconds 600] [--users 200] [--rate 5000] [--level city]`` starts a server of its own
on this machine, on a made-up log and the built-in network, and prints percentiles, errors, memory, and what became of
every event: sent, in the log, lost, doubled. The load comes from a process of its own on the same cores. The exit code
is 1 where an event is lost or doubled, or a request failed while the server was there.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import argon2
import polars as pl

from changtong.events.log import open_log
from changtong.kernels import prepare_kernels
from changtong.network.io import write_network
from changtong.network.reference import reference_network
from changtong.rights.scope import Scope
from changtong.storage import passwords
from changtong.storage.people import NewOrganisation
from changtong.storage.store import create_store

PASSWORD, OWN = "a-first-password-of-all", "another-password-of-ones-own"
PERSONS = 40
STREAMS = 20
LOG, NETWORK = "soak", "soak"
TARGET_MS = 300.0
READY_S = 120.0


def make_folder(folder: Path, level: str) -> list[str]:
    """Make a data folder; return a token for each person, the machine's first."""
    passwords.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    (folder / "networks").mkdir(parents=True)
    write_network(reference_network(level=level), folder / "networks" / NETWORK)
    store = create_store(
        folder / "registers.db",
        "admin",
        PASSWORD,
        NewOrganisation("国家邮政局", "nation", "000000", id="spb"),
    )
    tokens = []
    with store:
        admin = store.desk(store.sign_in("admin", PASSWORD).token)
        for k in range(PERSONS + 1):
            admin.add_user(f"u{k}", PASSWORD, "spb")
            admin.give(f"u{k}", "duty_officer", Scope())
            store.desk(store.sign_in(f"u{k}", PASSWORD).token).change_password(PASSWORD, OWN)
            tokens.append(store.sign_in(f"u{k}", OWN).token)
    return tokens


class Server:
    """The server, and what it takes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.peak_mib = folder, port, 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.cpu_s: dict[int, float] = {}
        """Processor time of each process that was there, as last seen: what counts on a machine with other work."""
        threading.Thread(target=self._measure, daemon=True).start()

    def start(self) -> float:
        """Start; return the seconds until it can work."""
        begun = time.monotonic()
        with (self.folder.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "changtong", "serve", "--data", str(self.folder), "--port", str(self.port)],
                stdout=log, stderr=log,
            )  # fmt: skip
        while time.monotonic() - begun < READY_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                    return time.monotonic() - begun
            except OSError:
                time.sleep(0.1)
        raise SystemExit("The server does not become ready.")

    def kill(self) -> None:
        """Kill it, as a loss of power would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it in good order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def ask(self, method: str, path: str, token: str, value: Any = None) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        body = None if value is None else json.dumps(value).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def _measure(self) -> None:
        while True:
            time.sleep(1.0)
            if self.process is not None:
                mib, cpu_s = tree(self.process.pid)
                self.peak_mib = max(self.peak_mib, mib)
                self.cpu_s |= cpu_s


def tree(root: int) -> tuple[float, dict[int, float]]:
    """Return the memory that a process and all below it hold, MiB, and the processor time of each, seconds."""
    parents, pages, ticks = {}, {}, {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                pages[int(entry.name)] = int(Path(entry.path, "statm").read_text().split()[1])
                parents[int(entry.name)] = int(stat[1])
                ticks[int(entry.name)] = int(stat[11]) + int(stat[12])
            except (OSError, IndexError):
                continue
    inside = {root}
    while more := {pid for pid, parent in parents.items() if parent in inside and pid not in inside}:
        inside |= more
    mib = sum(pages.get(pid, 0) for pid in inside) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return mib, {pid: ticks[pid] / os.sysconf("SC_CLK_TCK") for pid in inside if pid in ticks}


def settled(server: Server, token: str, within_s: float = 300.0) -> float:
    """Wait until all that was accepted is in the log; return the seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < within_s:
        _, told = server.ask("GET", f"/api/v1/logs/{LOG}", token)
        if told["in_log_to"] == told["accepted_to"]:
            break
        time.sleep(0.5)
    return time.monotonic() - begun


def counted(folder: Path, name: str, events: int) -> dict[str, int]:
    """Count what became of the events of a run."""
    log = open_log(folder / "logs" / LOG)
    ids = (
        pl.scan_parquet(log.files()).select("event_id").filter(pl.col("event_id").str.starts_with(f"{name}-"))
    )
    numbers = ids.select(pl.col("event_id").str.split("-").list.last().cast(pl.Int64)).collect()["event_id"]
    unique = numbers.unique()
    return {
        "in_log": numbers.len(),
        "lost": events - unique.filter(unique < events).len(),
        "doubled": numbers.len() - unique.len(),
        "batches": len(log.batches),
        "sent_twice_found": sum(batch.duplicates for batch in log.batches),
    }


def looks(day: str, hour: int) -> list[tuple[str, str]]:
    """Return what people look at: the kind for the percentiles, and the path."""
    log = f"/api/v1/logs/{LOG}"
    return [
        ("page", "/"), ("page", "/runs"), ("page", "/respond"), ("json", f"/api/v1/networks/{NETWORK}/map"),
        ("json", log), ("json", f"{log}/map?day={day}&hour={hour}"), ("json", f"{log}/map?day={day}"),
        ("json", f"{log}/backlog?day={day}"), ("json", f"{log}/indicators?day={day}"),
        ("json", "/api/v1/alerts?limit=50"), ("json", "/api/v1/runs"),
    ]  # fmt: skip


def main() -> None:
    """Run it and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--level", default="city")
    parser.add_argument("--no-kill", action="store_true")
    asked = parser.parse_args()
    prepare_kernels(lambda _: None, "scan log")()
    with tempfile.TemporaryDirectory(prefix="changtong-soak-") as place, socket.socket() as free:
        folder = Path(place) / "data"
        machine, *tokens = make_folder(folder, asked.level)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        answer = soak(Server(folder, port), asked, machine, tokens)
    print(json.dumps(answer, indent=1))
    bad = answer["lost"] or answer["doubled"] or answer["errors"]
    raise SystemExit(1 if bad else 0)


def soak(server: Server, asked: argparse.Namespace, machine: str, tokens: list[str]) -> dict[str, Any]:
    """Let the load run, with a kill in the middle, and add everything up."""
    started_s = server.start()
    server.ask("PUT", f"/api/v1/logs/{LOG}", machine, {})
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    first = {"item_id": "ZT0", "code": "receive", "site_id": "H0000", "at": now.isoformat()}
    status, told = server.ask("POST", f"/api/v1/logs/{LOG}/events", machine, [first])
    if status != 202:
        raise SystemExit(f"The first event was refused: {told}")
    settled(server, machine)
    paths = looks(now.date().isoformat(), now.hour)
    for _, path in paths:
        if path.startswith("/api/"):
            while server.ask("GET", path, machine)[0] == 503:
                time.sleep(1.0)
    work = {"port": server.port, "seconds": asked.seconds, "users": asked.users, "streams": STREAMS, "rate": asked.rate,
            "log": LOG, "name": "e", "machine": machine, "tokens": tokens, "looks": paths}  # fmt: skip
    command = [sys.executable, str(Path(__file__).with_name("web_soak_load.py"))]
    again_s, before_s = None, sum(server.cpu_s.values())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(json.dumps(work) + "\n")
        load.stdin.flush()
        load.stdout.readline()
        if not asked.no_kill:
            time.sleep(asked.seconds / 2)
            load.stdin.write("down\n")
            load.stdin.flush()
            server.kill()
            again_s = server.start()
            load.stdin.write("up\n")
            load.stdin.flush()
        found: dict[str, Any] = json.loads(load.stdout.readline())
    cpu_s = sum(server.cpu_s.values()) - before_s
    behind_s = settled(server, machine)
    server.stop()
    found |= counted(server.folder, "e", found["events"])
    return {
        "seconds": asked.seconds, "users": asked.users, "rate": asked.rate, "started_s": round(started_s, 1),
        "ready_again_s": None if again_s is None else round(again_s, 1), "settled_s": round(behind_s, 1),
        "cpu_s": round(cpu_s, 1), "peak_mib": round(server.peak_mib), "target_p95_ms": TARGET_MS, "load_average": os.getloadavg()[0],
    } | found  # fmt: skip


if __name__ == "__main__":
    main()
