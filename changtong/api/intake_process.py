"""Spool files into their log, in a process of its own: ``python -m changtong.api.intake_process``.

A question is a line of JSON: ``folder`` (the log), ``spool`` and ``keys``; the answer tells the number up to
which the log now has all. The files that wait are put together and taken in by the log's own ingest, as one
batch named by the numbers in it: killed before that batch is there, nothing happened; killed after it, the
next one finds the number in the log and removes the files.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from changtong.api.network_process import answer_lines
from changtong.api.program import GONE, stand_back

MOST_TAKEN_BYTES = 96_000_000
"""Of spool files taken together: what 90 MB hold takes a second or two."""

POINTS = "CHANGTONG_DIE_AT"
"""Environment: for tests of a kill, the point at which the process dies."""


def main() -> int:
    """Answer until nobody asks any more."""
    stand_back()

    def answered(question: dict[str, Any]) -> dict[str, Any]:
        return take(*(Path(question[name]) for name in ("folder", "spool", "keys")))

    return answer_lines(answered, ends_at_once=True)


def take(log_folder: Path, spool_folder: Path, keys: Path) -> dict[str, Any]:
    """Take into a log what waits for it.

    Parameters
    ----------
    log_folder, spool_folder : Path
    keys : Path
        Where the log's key is.

    Returns
    -------
    dict
        ``last`` number that the log has, counts of what was taken, ``seconds``.
    """
    from changtong.api.intake_rows import FIELDS_OF_SPOOL, SPOOL_MAPPING
    from changtong.api.intake_spool import SpoolFile, in_log, source_name, spooled
    from changtong.api.log_shelf import key_of_log
    from changtong.events.ingest import ingest
    from changtong.events.log import open_log

    begun = time.perf_counter()
    log = open_log(log_folder)
    reached = in_log(log)
    waiting = []
    for file in spooled(spool_folder):
        if file.number <= reached:
            file.path.unlink(missing_ok=True)
        else:
            waiting.append(file)
    total, some = 0, list[SpoolFile]()
    for file in waiting:
        if some and total + file.size_bytes > MOST_TAKEN_BYTES:
            break
        some.append(file)
        total += file.size_bytes
    for left in (*spool_folder.glob("intake-*.csv"), *spool_folder.glob(".intake-*")):
        left.unlink()  # of a process that was killed
    told = {"rows_read": 0, "rows_added": 0, "duplicates": 0, "quarantined": 0}
    if some:
        first, last = some[0].number, some[-1].number
        together = spool_folder / f".{source_name(first, last)}"
        place = together.with_name(source_name(first, last))
        with together.open("wb") as out:
            os.fchmod(out.fileno(), 0o600)
            # the log skips files that it knows: the name of the last, empty column makes each another one
            out.write(f"{','.join(FIELDS_OF_SPOOL)},{first}-{last}\n".encode())
            for file in some:
                out.write(file.path.read_bytes())
        together.replace(place)
        _die_at("before-ingest")
        found = ingest([place], log, SPOOL_MAPPING, key=key_of_log(log, keys))
        _die_at("after-ingest")
        told = {name: found.total(name) for name in told}
        for file in some:
            file.path.unlink(missing_ok=True)
            _die_at("while-removing")
        place.unlink()
        reached = last
    return {"last": reached, "files": len(some), "bytes": total} | told | {
        "seconds": time.perf_counter() - begun
    }  # fmt: skip


def _die_at(point: str) -> None:
    if os.environ.get(POINTS) == point:
        os._exit(GONE)


if __name__ == "__main__":
    sys.exit(main())
