"""One run in a process of its own: ``python -m changtong.api.run_process``.

The request comes as one line of JSON on standard input; what the run tells goes as lines of JSON to
standard output: ``progress`` now and then, and at the end ``outcome``, ``problem`` (the input is wrong) or
``fault``. When standard input ends, the server has gone, and so does the run: it will be begun anew.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from changtong.errors import ChangtongError, InputError, InternalError, Problem

TELL_EVERY_S = 0.5
GONE = 9
"""Exit code of a run whose server has gone."""


def main() -> int:
    """Run what standard input asks for."""
    request = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    threading.Thread(target=_end_with_server, daemon=True).start()
    teller = Teller(out)
    try:
        teller.tell(outcome=run(request, teller))
    except InternalError as error:
        teller.tell(fault=_described(error))
    except ChangtongError as error:
        problems = [one.to_dict() for one in error.problems] if isinstance(error, InputError) else []
        teller.tell(problem={"code": error.code, "detail": str(error), "problems": problems})
    except Exception as error:
        teller.tell(fault=_described(error))
    return 0


def _end_with_server() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(GONE)


def _described(error: Exception) -> dict[str, Any]:
    from changtong.api.request_log import described

    return described(error)


class Teller:
    """Tells how far a run is; not more often than anybody looks."""

    def __init__(self, out: Any) -> None:
        self._out, self._told_at = out, 0.0

    def tell(self, **facts: Any) -> None:
        """Write a line."""
        print(json.dumps(facts, ensure_ascii=False, allow_nan=False), file=self._out, flush=True)

    def stage(self, stage: str) -> None:
        """Tell that a part of the work begins."""
        self._told_at = time.monotonic()
        self.tell(progress={"stage": stage})

    def round(self, done: int, lower: float, upper: float, seconds: float) -> None:
        """Tell of a round of the planner."""
        if time.monotonic() - self._told_at < TELL_EVERY_S:
            return
        self._told_at = time.monotonic()
        gap = max(0.0, upper - lower) / max(abs(upper), 1e-12)
        self.tell(
            progress={"stage": "planning", "round": done, "gap_share": min(gap, 10.0), "seconds": seconds}
        )


def run(request: Mapping[str, Any], teller: Teller) -> dict[str, Any]:
    """Run a study as the command line does, keep its folder, and return what is told of it.

    Parameters
    ----------
    request : mapping
        ``study``, ``network`` (a folder), ``outages`` (rows), ``parameters``, ``language``, ``folder``.
    teller : Teller

    Raises
    ------
    InputError
        All that is wrong with the network or the outages.
    """
    from changtong.kernels import prepare_kernels
    from changtong.network.io import read_network
    from changtong.outage_files import read_outage_rows
    from changtong.outages import closed_by_status
    from changtong.planning.result import PlanSettings
    from changtong.studies import run_study

    teller.stage("reading")
    compiled = prepare_kernels(lambda _: teller.stage("compiling"))
    network = read_network(request["network"])
    outages = read_outage_rows(request["outages"], network) if request["outages"] else ()
    if not outages and not closed_by_status(network):
        expected = "an outage, or a site of the network that is closed"
        raise InputError([Problem("no-outage", "Nothing is shut.", column="outages", expected=expected)])
    compiled()
    if request["study"] == "plan-verified":
        prepare_kernels(lambda _: teller.stage("compiling"), "simulation")()
    teller.stage("planning")
    study = run_study(
        request["study"],
        network,
        outages,
        folder=Path(request["folder"]),
        language=request["language"],
        settings=PlanSettings(**request["parameters"]),
        progress=teller.round,
    )
    verified = study.name == "plan-verified"
    plan = study.result.plan if verified else study.result
    summary = plan.summary() | ({"verified": study.result.summary()} if verified else {})
    return {
        "summary": summary,
        "text": str(plan),
        "version": study.version,
        "input_digest": study.input_digest,
        "files": files_of(Path(request["folder"])),
    }


def files_of(folder: Path) -> dict[str, int]:
    """Return the files of a result, by their paths within it, with their sizes in bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


if __name__ == "__main__":
    sys.exit(main())
