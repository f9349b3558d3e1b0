"""How fast ids go into a vault and come back, and what room they take."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from changtong import create_vault, resolve
from changtong.events.hashing import hash_fields
from changtong.events.keys import key_words
from changtong.events.sources import text_of
from changtong.events.vault.keep_ids import KeptIds

KEY = bytes(range(32))
PART = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=1_000_000)
    count = parser.parse_args().ids
    with tempfile.TemporaryDirectory() as folder, create_vault(Path(folder) / "ids.vault", KEY) as vault:
        keys = np.zeros(0, np.int64)
        for first in range(0, count, PART):
            text = text_of(pa.array([f"990{k:012d}" for k in range(first, min(count, first + PART))]))
            keys, bad = np.empty(len(text.starts), np.int64), np.empty(len(text.starts), np.bool_)
            hash_fields(*key_words(KEY[:16]), *text, keys, bad)
            begin, used = time.perf_counter(), time.process_time()
            kept = KeptIds(vault)
            kept.note(text, keys, ~bad)
            kept.finish(str(first))
            spent, used = time.perf_counter() - begin, time.process_time() - used
            size = vault.path.stat().st_size / 1e6
            print(
                f"{len(vault):>12,} ids, {kept.added:,} new in {spent:.2f} s ({used:.2f} of the processor), {size:,.0f} MB"
            )
        right = vault.grant("benchmark", datetime.now(UTC) + timedelta(days=1))
        begin = time.perf_counter()
        found = resolve(vault, [int(keys[0])], right, "measuring")
        print(f"{found.ids.height} id found in {time.perf_counter() - begin:.2f} s")
        begin = time.perf_counter()
        print(f"{vault.check():,} ids checked in {time.perf_counter() - begin:.2f} s")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at the most")


if __name__ == "__main__":
    main()
