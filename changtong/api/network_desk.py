"""Where networks are asked: one process answers for all, begun when it is needed, ended when it is idle."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from changtong.api.network_process import state_of
from changtong.api.problems import TooManyRequestsError
from changtong.api.request_log import log
from changtong.errors import ChangtongError, InputError, InternalError, NotFoundError, Problem, UsageError

COMMAND = ("-m", "changtong.api.network_process")
WITHIN_S = 60.0
IDLE_S = 900.0
"""After so long without a question the memory is given back."""

WAITING = 32


class NetworkDesk:
    """Asks a process that keeps networks in memory; one question at a time.

    Parameters
    ----------
    command : tuple of str
        What the process runs.
    within_s : float
        After so long without an answer the process is ended.
    waiting : int
        Questions that may wait; more are refused at once.
    """

    def __init__(
        self, command: tuple[str, ...] = COMMAND, within_s: float = WITHIN_S, waiting: int = WAITING
    ) -> None:
        self._command, self._within_s = command, within_s
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting = threading.Semaphore(waiting)
        self._asked_at = 0.0
        self._maps: dict[str, tuple[str, bytes]] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._end_when_idle, daemon=True).start()

    def ask(self, folder: Path, question: dict[str, Any]) -> dict[str, Any]:
        """Ask about a network.

        Parameters
        ----------
        folder : Path
            Of the network.
        question : dict
            As :func:`changtong.api.network_answers.answer` takes it.

        Raises
        ------
        InputError, NotFoundError, UsageError
            As the network or the question is wrong; ``too-many-requests`` where too many wait.
        InternalError
            It took too long, or the process died.
        """
        if not self._waiting.acquire(blocking=False):
            raise TooManyRequestsError(5)
        try:
            with self._one_at_a_time:
                told = self._told(json.dumps({"folder": str(folder), **question}))
        finally:
            self._waiting.release()
        if "answer" in told:
            answer: dict[str, Any] = told["answer"]
            return answer
        if "fault" in told:
            log("fault", logging.ERROR, **told["fault"])
            raise InternalError("A question to a process of its own failed.")
        raise _error_of(told["problem"])

    def map_of(self, folder: Path) -> tuple[str, bytes]:
        """Return a network's map and its tag: JSON, packed by gzip, kept until its files change."""
        tag = hashlib.sha256(json.dumps(state_of(folder)).encode()).hexdigest()[:32]
        known = self._maps.get(str(folder))
        if known is not None and known[0] == tag:
            return known
        columns = self.ask(folder, {"ask": "map"})
        text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
        self._maps[str(folder)] = (tag, gzip.compress(text.encode(), 6, mtime=0))
        return self._maps[str(folder)]

    def close(self, *, at_once: bool = False) -> None:
        """End the process.

        Parameters
        ----------
        at_once : bool
            Whether an answer under way is given up.
        """
        self._closed.set()
        process = self._process
        if at_once and process is not None:
            process.kill()
        with self._one_at_a_time:
            self._end()

    def _told(self, line: str) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._begin()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        self._asked_at = time.monotonic()
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            told = self._answers.get(timeout=self._within_s)
        except (OSError, queue.Empty):
            told = ""
        if not told:
            self._end()
            raise InternalError("The process that was asked did not answer.")
        answer: dict[str, Any] = json.loads(told)
        return answer

    def _begin(self) -> None:
        self._end()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            (sys.executable, *self._command),
            stdin=pipe,
            stdout=pipe,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _end_when_idle(self) -> None:
        while not self._closed.wait(IDLE_S / 10):
            with self._one_at_a_time:
                if self._process is not None and time.monotonic() - self._asked_at > IDLE_S:
                    self._end()


def _read(process: subprocess.Popen[str], answers: queue.SimpleQueue[str]) -> None:
    """Pass answers on; an empty one says that there are no more."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except ValueError:  # closed meanwhile
        pass
    answers.put("")


def _error_of(problem: dict[str, Any]) -> ChangtongError:
    """Return the error that a process tells of."""
    if problem["problems"]:
        return InputError([Problem(**one) for one in problem["problems"]])
    if problem["code"] == "not-found":
        return NotFoundError(problem["detail"])
    return UsageError(problem["detail"], problem["code"])
