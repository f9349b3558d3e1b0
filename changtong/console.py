"""What the command line shows: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from changtong.error_words import error_words
from changtong.errors import ChangtongError, InputError

LINE_EVERY_S = 5.0
"""Where standard error is no terminal (a log, a pipe), progress is a line this often."""

TELL = "CHANGTONG_TELL"
"""Set to ``json`` by a program that reads standard error: each line there is an object with ``progress``,
``note`` (a message) or ``text`` (a result in words, beside its JSON)."""

TELL_EVERY_S = 0.5
"""To such a program, progress is told this often."""


def _to_program() -> bool:
    return os.environ.get(TELL) == "json"


def _tell(**facts: Any) -> None:
    print(json.dumps(facts, ensure_ascii=False), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print a message on standard error."""
    if _to_program():
        _tell(note=text.strip())
    else:
        print(text, file=sys.stderr, flush=True)


def print_result(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result on standard output: one JSON object, or words."""
    if text and _to_program():
        _tell(text=text)
    print(json.dumps(facts, ensure_ascii=False, allow_nan=False) if as_json else text)


def explain(error: ChangtongError, *, as_json: bool) -> None:
    """Say what is wrong: one JSON object on standard output, or words on standard error."""
    problems = [p.to_dict() for p in error.problems] if isinstance(error, InputError) else []
    explain_plainly(error.code, str(error), problems, as_json=as_json)


def explain_plainly(
    code: str, message: str, problems: list[dict[str, object]] | None = None, *, as_json: bool
) -> None:
    """Say what is wrong, from its code and words."""
    if as_json:
        print_result({"error": code, "message": message, "problems": problems or []}, "", as_json=True)
        return
    say(f"error [{code}]: {message}")
    say_in_chinese(code, problems or ())


def say_in_chinese(code: str, problems: Iterable[Mapping[str, object]] = ()) -> None:
    """Say what a code means, and that of each kind of problem, to a user whose language is Chinese."""
    if not _speaks_chinese():
        return
    say(error_words(code).zh)
    for kind in dict.fromkeys(str(one["code"]) for one in problems):
        say(f"[{kind}] {error_words(kind).zh}")


def _speaks_chinese() -> bool:
    """Say whether messages are wanted in Chinese, by the first that is set as the system does."""
    named = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((name for name in named if name), "").lower().startswith("zh")


class _Line:
    """One line on standard error that is written anew; in a log a new line now and then.

    A program is told the facts instead of the words.
    """

    def __init__(self) -> None:
        self.to_program = _to_program()
        self.live = sys.stderr.isatty() and not self.to_program
        self.shown_at = time.perf_counter()
        self.open = False

    def begin(self, stage: str) -> None:
        """Tell a program that work begins; a person sees it soon enough."""
        if self.to_program:
            self.show("", stage, {}, now=True)

    def show(self, text: str, stage: str, facts: dict[str, float], *, now: bool = False) -> None:
        """Show a text, unless one was shown a moment ago; facts may be share, seconds_left, gap_share, …"""
        at = time.perf_counter()
        every_s = TELL_EVERY_S if self.to_program else 0.2 if self.live else LINE_EVERY_S
        if not now and at - self.shown_at < every_s:
            return
        self.shown_at = at
        if self.to_program:
            _tell(progress={"stage": stage} | {name: round(fact, 6) for name, fact in facts.items()})
        elif self.live:
            print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
            self.open = True
        else:
            say(text.strip())

    def close(self) -> None:
        """End the line."""
        if self.open:
            print(file=sys.stderr, flush=True)
            self.open = False


class FlowProgress:
    """Progress of the planner: round, gap, seconds, time left of the limit.

    The planner tells of its rounds only. When it has told nothing for a while it is at the
    sort plan, the orders or the pages, and that is said instead.
    """

    def __init__(self, limit_s: float, goal: float, *, silence_s: float = 4.0) -> None:
        self.limit_s, self.goal, self.silence_s = limit_s, goal, silence_s
        self.line = _Line()
        self.line.begin("planning")
        self._told_at = time.perf_counter()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._say_what_follows, daemon=True)

    def __call__(self, done: int, lower: float, upper: float, seconds: float) -> None:
        self._told_at = time.perf_counter()
        if not self._watch.is_alive() and not self._ended.is_set():
            self._watch.start()
        gap = max(0.0, upper - lower) / max(abs(upper), 1e-12)
        left = max(0.0, self.limit_s - seconds)
        self.line.show(
            f"  round {done:>4}  gap {min(gap, 9.99):>8.3%} of {self.goal:.3%}"
            f"  {seconds:5.1f} s, at most {left:3.0f} s left",
            "planning",
            {"round": done, "gap_share": min(gap, 9.99), "seconds": seconds, "seconds_left": left},
        )

    def _say_what_follows(self) -> None:
        while not self._ended.wait(self.silence_s / 4):
            silent = time.perf_counter() - self._told_at
            if silent >= self.silence_s:
                text = f"  flow found; sort plan, orders and pages: {silent:.0f} s …"
                self.line.show(text, "sort plan, orders and pages", {"seconds": silent})

    def close(self) -> None:
        """End the line."""
        self._ended.set()
        if self._watch.is_alive():
            self._watch.join()
        self.line.close()


class StageProgress:
    """Progress of work in stages: which one, and the time left as far as the share done tells."""

    def __init__(self, what: str) -> None:
        self.what, self.begin = what, time.perf_counter()
        self.line = _Line()
        self.line.show(f"{what} …", what, {"share": 0.0}, now=True)

    def __call__(self, stage: str, share: float) -> None:
        spent = time.perf_counter() - self.begin
        left, facts = "", {"share": share}
        if share > 0.05:
            facts["seconds_left"] = spent / share - spent
            left = f", about {facts['seconds_left']:.0f} s left"
        told = f"{self.what}: {stage}" if stage else self.what
        self.line.show(f"{self.what}: {stage}, {share:.0%} done{left}", told, facts)

    def close(self) -> None:
        """End the line, with the time it took."""
        text = f"{self.what}: done in {time.perf_counter() - self.begin:.1f} s"
        self.line.show(text, self.what, {"share": 1.0}, now=self.line.live)
        self.line.close()


class StepProgress:
    """Progress of work in equal steps: how many are done, and the time left."""

    def __init__(self, what: str) -> None:
        self.what, self.begin = what, time.perf_counter()
        self.line = _Line()
        self.line.begin(what.strip())

    def __call__(self, done: int, total: int) -> None:
        spent = time.perf_counter() - self.begin
        left, facts = "", {"share": done / total if total else 1.0}
        if done:
            facts["seconds_left"] = spent / done * (total - done)
            left = f", about {facts['seconds_left']:.0f} s left"
        self.line.show(f"{self.what}: {done:,} of {total:,}{left}", self.what.strip(), facts)

    def close(self) -> None:
        """End the line."""
        self.line.close()
