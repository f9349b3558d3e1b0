"""One run: ``python -m changtong.api.run_process`` starts the command and tells how far it is.

The request comes as one line of JSON on standard input (`study_command`). The command runs in a process of
its own in the data folder; what it tells goes on as lines of JSON to standard output: ``progress`` now and
then, and at the end ``outcome``, ``problem`` (the input is wrong) or ``fault``. When standard input ends, the
server has gone, and so does the command: it will be begun anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from changtong.api.program import GONE, command_of, environment, stand_back

MOST_SUMMARY = 200_000
"""Bytes of a summary that is kept in the book; a larger one is a file of the result."""

MOST_NOTES = 50
FAULT_PLACE = re.compile(r"\w+ at [\w.]+:\d+")
SUMMARY_FILE = "summary.json"
KEPT, RESULT = "kept", "result"


def main() -> int:
    """Run what standard input asks for."""
    stand_back()
    line = sys.stdin.readline()
    if not line.endswith("\n"):  # the server was killed before it had asked
        return GONE
    request = json.loads(line)
    threading.Thread(target=_end_with_server, daemon=True).start()
    told = _Told()
    os.chdir(request["folder"])
    for name in request["folders"]:
        Path(name).mkdir(parents=True, exist_ok=True)
    for name, text in request["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")
    answer = Path(request["work"]) / "answer"
    with answer.open("wb") as out:
        code = told.follow(started(request["arguments"], request["keys"], out))
    _tell(**ended(code, answer, Path(request["work"]), told))
    return 0


def started(arguments: list[str], keys: str, out: Any) -> subprocess.Popen[str]:
    """Start a command of the program, in this folder."""
    return subprocess.Popen(
        command_of("changtong", *arguments), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace",
        env=environment(CHANGTONG_TELL="json", CHANGTONG_KEYS=keys),
    )  # fmt: skip


def _end_with_server() -> None:
    while sys.stdin.read(1):
        pass
    _end()


def _end() -> NoReturn:
    """End at once, with the command and whatever it has started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(GONE)


def _tell(**facts: Any) -> None:
    try:
        print(json.dumps(facts, ensure_ascii=False), flush=True)
    except BrokenPipeError:  # the server has gone, and standard input has not been seen to end yet
        _end()


class _Told:
    """What a command has told on standard error."""

    def __init__(self) -> None:
        self.text = ""
        self.notes: list[str] = []

    def follow(self, process: subprocess.Popen[str]) -> int:
        """Tell on, until the command has ended; return its exit code."""
        assert process.stderr is not None
        progress: dict[str, Any] = {"stage": "reading"}
        _tell(progress=progress)
        for line in process.stderr:
            facts = _facts(line)
            if "progress" in facts:
                progress = facts["progress"] | ({"note": self.notes[-1]} if self.notes else {})
                _tell(progress=progress)
            elif "note" in facts:
                self.notes = [*self.notes, str(facts["note"])[:2_000]][-MOST_NOTES:]
                _tell(progress=progress | {"note": self.notes[-1]})
            elif "text" in facts:
                self.text = str(facts["text"])
        return process.wait()


def _facts(line: str) -> dict[str, Any]:
    """Return what a line says; nothing where some library has written it."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ended(code: int, answer: Path, work: Path, told: _Told) -> dict[str, Any]:
    """Return how a command ended: 0 and 1 with an answer, 2 with what was wrong with its input.

    Parameters
    ----------
    code : int
    answer : Path
        What it wrote to standard output.
    work : Path
        Where it worked.
    told : _Told
    """
    said = answer.read_text("utf-8", "replace")
    answer.unlink()
    try:
        summary = json.loads(said) if said.strip() else {}
    except ValueError:
        return {"fault": {"error": f"the command ended with {code} and no JSON"}}
    facts = summary if isinstance(summary, dict) else {}
    if code in (0, 1) and "error" not in facts:
        return {"outcome": _outcome(code, summary, said, work, told)}
    if code == 2:
        detail = str(facts.get("message") or "The input is wrong.")
        return {
            "problem": {
                "code": facts.get("error", "bad-usage"),
                "detail": detail,
                "problems": facts.get("problems", []),
            }
        }
    place = FAULT_PLACE.match(str(facts.get("message", "")))  # the words may hold what somebody entered
    return {"fault": {"error": f"the command ended with {code}", "place": place[0] if place else ""}}


def _outcome(code: int, summary: Any, said: str, work: Path, told: _Told) -> dict[str, Any]:
    from changtong import __version__

    result = work / RESULT
    for kept in sorted((work / KEPT).iterdir()):
        result.mkdir(exist_ok=True)
        shutil.move(kept, result / kept.name)
    if len(said.encode()) > MOST_SUMMARY:
        result.mkdir(exist_ok=True)
        (result / SUMMARY_FILE).write_text(said, "utf-8")
        summary = None
    shutil.rmtree(work / KEPT)
    digest = None
    if (result / "study.json").is_file():
        digest = _facts((result / "study.json").read_text("utf-8")).get("input_digest")
    return {
        "good": code == 0,
        "summary": summary,
        "text": told.text,
        "notes": told.notes,
        "version": __version__,
        "input_digest": digest,
        "files": files_of(result),
    }


def files_of(folder: Path) -> dict[str, int]:
    """Return the files of a result, by their paths within it, with their sizes in bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


if __name__ == "__main__":
    sys.exit(main())
