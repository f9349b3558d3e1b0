"""The benchmarks by one command; what they measure stands in docs/benchmarks.md.

``python benchmarks/run.py`` runs all of it (hours: peers have 10 minutes for each solve, logs are made) and puts what each
part measured between its marks on the page: what is written by hand, and what other parts measured, stays. A part that
cannot run (data absent, program failed) leaves its last figures where they are. ``--only WORD`` runs the parts whose key or
title has the word and prints them; with ``--write`` it puts them onto the page. ``--quick`` runs small sizes in minutes and
prints them. ``--list`` tells what there is. Each part is a program of its own in this folder and can be run alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from page import put
from parts import Part, Places, all_parts, chosen_parts, quick_parts
from peers import machine

from changtong.written_files import write_beside

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Outcome:
    """What a part gave: its answer, or why there is none."""

    part: Part
    seconds: float
    shown: str
    why: str


def run_part(part: Part) -> Outcome:
    """Run one part in a process of its own."""
    if part.needs is not None and not part.needs.exists():
        return Outcome(part, 0.0, "", f"skipped: its data, {part.needs.name}, is not here")
    begin = time.perf_counter()
    command = [sys.executable, str(HERE / part.command[0]), *part.command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    took = time.perf_counter() - begin
    try:
        shown = part.show(done.stdout)
    except (ValueError, LookupError):
        shown = ""
    if not shown:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Outcome(part, took, "", f"failed with exit code {done.returncode}: {last[:200]}")
    why = "" if done.returncode == 0 else f"exit code {done.returncode}: an answer disagrees"
    return Outcome(part, took, shown, why)


def as_text(outcome: Outcome, where: str) -> str:
    """Return what stands on the page: the command, when and where it ran, and what it measured."""
    command = " ".join((outcome.part.command[0], *(_short(word) for word in outcome.part.command[1:])))
    lines = [f"`python benchmarks/{command}`, {outcome.seconds:,.0f} s in all; {where}.", ""]
    if outcome.why:
        lines += [f"**{outcome.why}**", ""]
    return "\n".join([*lines, outcome.shown]).rstrip()


def _short(word: str) -> str:
    """Name a folder or a database without the machine's own way to it."""
    if "://" in word:
        return word.split("://")[0] + "://…"
    return Path(word).name.upper() if word.startswith("/") else word


def run_all(parts: Sequence[Part], where: str, page: Path | None) -> list[Outcome]:
    """Run parts; put what each measured onto the page at once, or print it."""
    outcomes = []
    for part in parts:
        print(f"{part.key}: {part.title} …", file=sys.stderr, flush=True)
        outcome = run_part(part)
        outcomes.append(outcome)
        print(f"  {outcome.seconds:,.0f} s {outcome.why}", file=sys.stderr, flush=True)
        text = as_text(outcome, where)
        if page is None:
            print(f"## {part.title}\n\n{text}\n", flush=True)
        elif outcome.shown:  # read again: somebody may have written on it since
            before = page.read_text("utf-8") if page.exists() else ""
            write_beside(page, put(before, part.key, part.title, text))
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 where a part failed or an answer disagrees."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes; printed, never written")
    parser.add_argument("--only", metavar="WORD", help="parts whose key or title has the word; printed")
    parser.add_argument("--write", action="store_true", help="with --only: put them onto the page")
    parser.add_argument("--list", action="store_true", help="tell what there is, and run nothing")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page; docs/benchmarks.md")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of mcf/, jd_network/ and two_echelon/"
    )
    parser.add_argument("--work", type=Path, help="where logs and registers are made; else thrown away")
    parser.add_argument("--url", default="", help="an empty PostgreSQL database, for the registers")
    options = parser.parse_args(arguments)
    if options.write and (options.quick or not options.only):
        parser.error(
            "--write goes with --only, and not with --quick: small sizes are no figures for the page."
        )
    with ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = all_parts(Places(options.data.resolve(), work.resolve(), options.url))
        found = chosen_parts(quick_parts(found) if options.quick else found, options.only)
        if not found:
            parser.error(f"No part has {options.only!r} in its key or title: --list tells what there is.")
        if options.list:
            for part in found:
                print(
                    f"{part.key:<22} {part.title}: {' '.join((part.command[0], *map(_short, part.command[1:])))}"
                )
            return 0
        is_printed = options.quick or (options.only and not options.write)
        outcomes = run_all(found, f"{machine()}, {date.today()}", None if is_printed else options.page)
    return 1 if any(one.why and not one.why.startswith("skipped") for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
