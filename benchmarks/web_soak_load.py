"""The load of `web_soak.py`, in a process of its own: people who look at pages, and a machine that sends events.

One line of JSON on standard input says what to do; a line ``begun`` and one with all figures go to standard output.
While the server is away (``down`` and ``up`` on standard input) requests that fail are counted apart.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import Any

BATCH = 100
SENDERS = 12
SITES, LEGS = 3_300, 20_000
WITHIN_S = 30.0
CODES = ("receive", "depart", "arrive", "deliver")
AFTER_UP_S = 2.0


class Connection:
    """A connection kept open; as much of HTTP/1.1 as the server speaks."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(
        self, method: str, path: str, token: str, body: bytes = b"", tag: str = ""
    ) -> tuple[int, str, int]:
        """Return status, tag and bytes of an answer."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert self.reader is not None
        more = f"If-None-Match: {tag}\r\n" if tag else ""
        more += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Accept-Encoding: gzip\r\n{more}\r\n".encode()
            + body
        )
        try:
            return await asyncio.wait_for(self._answer(self.reader), WITHIN_S)
        except BaseException:
            self.close()
            raise

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, str, int]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        size = int(headers.get("content-length", 0))
        if size:
            await reader.readexactly(size)
        if headers.get("transfer-encoding") == "chunked":
            while chunk := int(await reader.readuntil(b"\r\n"), 16):
                size += len(await reader.readexactly(chunk + 2))
            await reader.readexactly(2)
        if headers.get("connection") == "close":
            self.close()
        return status, headers.get("etag", ""), size

    def close(self) -> None:
        """Let go."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Load:
    """All that is sent and counted."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked, self.port = asked, asked["port"]
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()
        self.while_down: Counter[str] = Counter()
        self.refused = self.resent = self.acknowledged = self.alerts = 0
        self.gone: list[tuple[float, float]] = []
        self.late_s = 0.0
        self.until = 0.0
        self.batches: asyncio.Queue[int] = asyncio.Queue()

    def away(self, begun: float) -> bool:
        """Return whether the server was away during a request that began then."""
        return any(begun < up + AFTER_UP_S for _, up in self.gone)

    def listen(self) -> None:
        """Hear when the server goes and comes."""
        for line in sys.stdin:
            if line.strip() == "down":
                self.gone.append((time.monotonic(), float("inf")))
            elif line.strip() == "up":
                self.gone[-1] = (self.gone[-1][0], time.monotonic())

    async def person(self, token: str, seed: int) -> None:
        """Look at pages, with pauses."""
        chance, tags, connection = random.Random(seed), dict[str, str](), Connection(self.port)
        await asyncio.sleep(chance.uniform(0, 3))
        while time.monotonic() < self.until:
            kind, path = chance.choice(self.asked["looks"])
            begun = time.monotonic()
            try:
                status, tag, _ = await connection.ask("GET", path, token, tag=tags.get(path, ""))
                tags[path] = tag or tags.get(path, "")
                wrong = "" if status in (200, 304) else f"{kind} {status}"
            except (TimeoutError, OSError, EOFError, asyncio.IncompleteReadError) as error:
                connection.close()
                wrong = f"{kind} {type(error).__name__}"
            if self.away(begun) or self.away(time.monotonic()):
                self.while_down[wrong or "answered"] += 1
            elif wrong:
                self.errors[wrong] += 1
            else:
                self.seconds[kind].append(time.monotonic() - begun)
            await asyncio.sleep(chance.uniform(1, 3))

    async def follower(self, token: str) -> None:
        """Follow alerts as server-sent events; come back where one was."""
        while time.monotonic() < self.until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(
                    f"GET /api/v1/alerts/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
                )
                while time.monotonic() < self.until:
                    line = await asyncio.wait_for(reader.readline(), 25)
                    if not line:
                        break
                    self.alerts += line.startswith(b"event: alert")
                writer.close()
            except (TimeoutError, OSError) as error:
                if not self.away(time.monotonic()):
                    self.errors[f"stream {type(error).__name__}"] += 1
            await asyncio.sleep(1)

    async def clock(self) -> int:
        """Put batches into the queue at the rate; return how many."""
        per_s, begun, n = self.asked["rate"] / BATCH, time.monotonic(), 0
        while time.monotonic() < self.until:
            while n < (time.monotonic() - begun) * per_s:
                self.batches.put_nowait(n)
                n += 1
            await asyncio.sleep(0.02)
        return n

    def body(self, number: int) -> bytes:
        """Return a batch of events: pieces on their way over legs, a step after the other."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        events = []
        for n in range(number * BATCH, (number + 1) * BATCH):
            step = n % 4
            piece = n // 4 + (3 - step) * 5_000
            leg = piece % LEGS
            site = leg % SITES if step < 2 else (leg * 7 + 1) % SITES
            events.append(
                f'{{"event_id":"{self.asked["name"]}-{n}","item_id":"ZT{piece:012d}","code":"{CODES[step]}",'
                f'"site_id":"H{site:04d}","service_class":"standard","at":"{at}"}}'
            )
        return f"[{','.join(events)}]".encode()

    async def sender(self) -> None:
        """Send batches until each is acknowledged: again where it was refused or the answer did not come."""
        connection, path = Connection(self.port), f"/api/v1/logs/{self.asked['log']}/events"
        while True:
            number = await self.batches.get()
            body, first = self.body(number), True
            while True:
                begun = time.monotonic()
                try:
                    status, _, _ = await connection.ask("POST", path, self.asked["machine"], body)
                except (TimeoutError, OSError, EOFError, asyncio.IncompleteReadError) as error:
                    connection.close()
                    if not self.away(begun) and not self.away(time.monotonic()):
                        self.errors[f"post {type(error).__name__}"] += 1
                    self.resent += 1
                    await asyncio.sleep(0.3)
                    continue
                if status == 202:
                    if first and not self.away(begun):
                        self.seconds["post"].append(time.monotonic() - begun)
                    self.acknowledged += 1
                    break
                first = False
                if status in (429, 503):
                    self.refused += 1
                else:
                    self.errors[f"post {status}"] += 1
                await asyncio.sleep(1.0)
            self.batches.task_done()

    async def run(self) -> dict[str, Any]:
        """Run it all."""
        threading.Thread(target=self.listen, daemon=True).start()
        self.until = time.monotonic() + self.asked["seconds"]
        tokens = self.asked["tokens"]
        people = [
            asyncio.create_task(self.person(tokens[k % len(tokens)], k)) for k in range(self.asked["users"])
        ]
        streams = [
            asyncio.create_task(self.follower(tokens[k % len(tokens)])) for k in range(self.asked["streams"])
        ]
        senders = [asyncio.create_task(self.sender()) for _ in range(SENDERS)]
        print("begun", flush=True)
        sent = await self.clock()
        over = time.monotonic()
        await self.batches.join()
        self.late_s = time.monotonic() - over
        await asyncio.gather(*people)
        for task in (*senders, *streams):
            task.cancel()
        return {
            "events": sent * BATCH,
            "acknowledged": self.acknowledged * BATCH,
            "refused": self.refused,
            "resent": self.resent,
            "drained_s": round(self.late_s, 1),
            "errors": dict(self.errors),
            "while_down": dict(self.while_down),
            "alerts": self.alerts,
            "ms": {kind: _percentiles(values) for kind, values in self.seconds.items()},
        }


def _percentiles(values: list[float]) -> dict[str, float]:
    values = sorted(values)
    at = {name: values[min(len(values) - 1, int(share * len(values)))] for name, share in
          (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}  # fmt: skip
    return {"n": len(values)} | {name: round(1000 * value, 1) for name, value in at.items()} | {
        "max": round(1000 * values[-1], 1)
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(json.loads(sys.stdin.readline())).run())), flush=True)
