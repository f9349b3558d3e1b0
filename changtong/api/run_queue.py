"""Work in the background: DBOS keeps what is queued, each run is computed in a process of its own.

The book of runs says what a run is and how it ended; DBOS says whose turn it is, and begins a run anew whose
server died (docs/decisions/0022).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from changtong.api.data_folder import DataFolder
from changtong.api.request_log import described, log
from changtong.api.run_book import HELD_FOR, Run, RunBook
from changtong.api.study_command import StudyCommand
from changtong.errors import NotFoundError
from changtong.storage.rows import new_id

QUEUE = "runs"
SERVER = "server"
"""Name of the worker within the server of a data folder: there is one at a time."""

HOLD_EVERY_S = HELD_FOR.total_seconds() / 4
COMMAND = ("-m", "changtong.api.run_process")
LOOK_EVERY_S = 0.2
STOP_WITHIN_S = 10.0


class JsonSerializer(Serializer):
    """What DBOS keeps of ours is JSON, which tools can read, and no pickle."""

    def serialize(self, data: Any) -> str:
        """Return a value as text."""
        return json.dumps(data, default=str)

    def deserialize(self, serialized_data: str) -> Any:
        """Return what a text says."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """Return what DBOS notes beside a value."""
        return "changtong-json"


class LeftForLater(BaseException):  # noqa: N818 - no error: DBOS keeps a workflow open that ends by this
    """The server stops: the run is begun anew when it is there again."""


class RunQueue:
    """The queue of a data folder; one in a process, as DBOS is.

    Parameters
    ----------
    folder : DataFolder
    book : RunBook
    command : callable
        What a run starts; NotFoundError where its study or an input is not there any more.
    workers : int, optional
        Runs at once in each process; as the queue has it where not given.
    worker : str
        Name of this process among those that work on the same runs.
    place : str, optional
        PostgreSQL, where the queue lies when several processes work on it; a file of the folder otherwise.
    """

    current: RunQueue | None = None

    def __init__(
        self,
        folder: DataFolder,
        book: RunBook,
        command: Callable[[Run], StudyCommand],
        workers: int | None = 1,
        *,
        worker: str = SERVER,
        place: str | None = None,
    ) -> None:
        self.folder, self.book, self.command, self.workers = folder, book, command, workers
        self.worker, self.place = worker, place
        self.stopping = threading.Event()
        self._busy: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Begin to work: first what was left, then what comes."""
        config: DBOSConfig = {
            "name": "changtong",
            "system_database_url": self.place or f"sqlite:///{self.folder.queue}",
            "application_version": "runs-1",  # runs of an older program are taken up by a newer one
            "executor_id": self.worker,
            "serializer": JsonSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        RunQueue.current = self
        DBOS(config=config)
        DBOS.launch()
        _log_as_we_do()
        DBOS.register_queue(
            QUEUE, worker_concurrency=self.workers or 1, polling_interval_sec=LOOK_EVERY_S,
            on_conflict="always_update" if self.workers else "never_update",
        )  # fmt: skip
        if self.worker == SERVER:
            for run_id in self.book.open_runs():
                self.enqueue(run_id)
        if self.place:
            threading.Thread(target=self._take_up, name="take-up", daemon=True).start()

    def _take_up(self) -> None:
        """Queue anew what a worker left that is gone: DBOS begins again only what was of the same name."""
        while not self.stopping.wait(HOLD_EVERY_S):
            try:
                for run_id in self.book.unheld():
                    waiting = DBOS.list_workflows(workflow_id_prefix=run_id, status=["ENQUEUED", "DELAYED"])
                    if not waiting:
                        self.enqueue(run_id, of_gone=True)
            except Exception as error:  # the database is away for a while: it is looked again
                log("fault", logging.ERROR, **described(error))

    def enqueue(self, run_id: str, *, of_gone: bool = False) -> None:
        """Queue a run of the book; one that is queued already is left as it is.

        Should DBOS think that a run has ended which the book knows to be open (the disk was full), it is
        queued under a further name.

        Parameters
        ----------
        run_id : str
        of_gone : bool
            Whether the worker that took it out of the queue is gone.
        """
        known = DBOS.get_workflow_status(run_id)
        again = known is not None and (of_gone or known.status not in ("ENQUEUED", "PENDING", "DELAYED"))
        with SetWorkflowID(f"{run_id}.{new_id()}" if again else run_id):
            DBOS.enqueue_workflow(QUEUE, work_on, run_id)

    def stop(self) -> None:
        """Stop; what runs is left to be resumed."""
        self.stopping.set()
        until = time.monotonic() + STOP_WITHIN_S
        while self._busy and time.monotonic() < until:
            time.sleep(0.05)
        DBOS.destroy()
        RunQueue.current = None

    @contextmanager
    def working_on(self, run_id: str) -> Iterator[bool]:
        """Take a run; false where this process works on it already."""
        with self._one_at_a_time:
            first = run_id not in self._busy
            self._busy.add(run_id)
        try:
            yield first
        finally:
            if first:
                self._busy.discard(run_id)

    def work_on(self, run_id: str) -> str:
        """Run one; return how it ended."""
        with self.working_on(run_id) as first:
            if not first:
                return "elsewhere"
            if self.stopping.is_set():
                raise LeftForLater
            run = self.book.begin(run_id, self.worker)
            if run is None:
                return self.book.get(run_id).state
            log("run", state="running", run=run.id, study=run.study, attempt=run.attempts)
            state = self._ended(run)
            log("run", state=state, run=run.id, study=run.study, attempt=run.attempts)
            return state

    def _ended(self, run: Run) -> str:
        """Compute a run and end it, whatever happens."""
        try:
            return self._compute(run)
        except NotFoundError as error:  # what it is of was taken away while it waited
            told: dict[str, Any] = {"problem": {"code": error.code, "detail": str(error), "problems": []}}
        except Exception as error:
            told = {"fault": described(error)}
        return self._end(run.id, "", told)

    def _compute(self, run: Run) -> str:
        """Let a process of its own compute it, and keep what it tells."""
        made = self.command(run)
        request = {
            "folder": str(self.folder.path), "keys": str(self.folder.keys),
            "work": str(self.folder.work(run.id)), "arguments": made.arguments, "files": made.files,
            "folders": made.folders,
        }  # fmt: skip
        command = (sys.executable, *COMMAND)
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", start_new_session=True
        ) as process:
            assert process.stdin is not None
            told = _Told()
            reader = threading.Thread(target=told.read, args=(process,), daemon=True)
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                reader.start()
                why = self._watch(run.id, reader, told)
            except BrokenPipeError:
                why = ""
            finally:
                _end_all(process)
            if reader.ident is not None:
                reader.join()
        if why == "stopping":
            self.book.leave(run.id)
            raise LeftForLater
        if why == "lost" or not self.book.hold(run.id, self.worker):
            return "elsewhere"  # its folder is another worker's now
        return self._end(run.id, why, told.last)

    def _watch(self, run_id: str, reader: threading.Thread, told: _Told) -> str:
        """Keep progress until the process has told all, or is to stop; return why it is to stop."""
        kept: dict[str, Any] = {}
        held_at = time.monotonic()
        while reader.is_alive():
            reader.join(LOOK_EVERY_S)
            if time.monotonic() - held_at > HOLD_EVERY_S:
                held_at = time.monotonic()
                if not self.book.hold(run_id, self.worker):
                    return "lost"
            if self.stopping.is_set() and not told.last:
                return "stopping"
            progress = told.progress
            if progress != kept:
                self.book.tell(run_id, progress)
                kept = progress
            if not told.last and self.book.get(run_id).cancel_asked:
                return "cancelled"
        return ""

    def _end(self, run_id: str, why: str, last: dict[str, Any]) -> str:
        end = partial(self.book.end, run_id, worker=self.worker)
        if "outcome" not in last or why == "cancelled":
            shutil.rmtree(self.folder.work(run_id), ignore_errors=True)  # nothing half written stays
        if why == "cancelled":
            end("cancelled")
        elif "outcome" in last:
            end("done", outcome=last["outcome"])
        elif "problem" in last:
            end("refused", problem=last["problem"])
        else:
            log("fault", logging.ERROR, run=run_id, **last.get("fault", {"error": "the process died"}))
            text = f"This is a fault of Changtong, not yours; the log keeps it under {run_id}."
            end("failed", problem={"code": "internal", "detail": text, "problems": []})
        return self.book.get(run_id).state


def _end_all(process: subprocess.Popen[str]) -> None:
    """End a process with those it has started: they are a group of their own."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # pragma: no cover - another system
            process.kill()


class _Told:
    """What a process has told: its last progress, and its end."""

    def __init__(self) -> None:
        self.progress: dict[str, Any] = {}
        self.last: dict[str, Any] = {}

    def read(self, process: subprocess.Popen[str]) -> None:
        """Read to the end."""
        assert process.stdout is not None
        for line in process.stdout:
            facts = json.loads(line)
            if "progress" in facts:
                self.progress = facts["progress"]
            else:
                self.last = facts


@DBOS.workflow(name="work_on_run")
def work_on(run_id: str) -> str:
    """Work on a run; what DBOS calls."""
    if RunQueue.current is None:
        raise LeftForLater
    return RunQueue.current.work_on(run_id)


def _log_as_we_do() -> None:
    """Let DBOS write through our log, in lines of JSON."""
    theirs = logging.getLogger("dbos")
    theirs.handlers[:] = []
    theirs.propagate = True
