"""Tell which libraries of a lock have known weaknesses, without a network.

::

    python tools/library_advisories.py requirements.lock all.zip

``all.zip`` is the export of OSV's ecosystem PyPI (one JSON file an advisory), fetched on a machine that
may. Each weakness is a line: library, version, ids, the versions that mend it. Ends with 1 where there is
any, 2 where the files cannot be read. Withdrawn advisories do not count.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def locked(text: str) -> dict[str, str]:
    """Return the version of each library of a lock."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.M)
    return {canonicalize_name(name): version for name, version in pins}


def is_hit(version: str, affected: dict[str, Any]) -> bool:
    """Return whether a version is one of those that an advisory says are weak."""
    if version in affected.get("versions", ()):
        return True
    return any(
        _in_range(Version(version), one["events"])
        for one in affected.get("ranges", ())
        if one["type"] == "ECOSYSTEM"
    )


def _in_range(version: Version, events: list[dict[str, str]]) -> bool:
    """Walk from event to event, in the order of their versions; the last that counts decides."""
    weak = False
    walked = [(_version(one[kind]), kind) for one in events for kind in one]
    for at, kind in sorted((step for step in walked if step[0] is not None), key=lambda step: step[0]):
        if kind == "introduced" and version >= at:
            weak = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            weak = False
    return weak


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def advisories(archive: Path) -> Iterator[dict[str, Any]]:
    """Read the advisories of an archive."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.endswith(".json"):
                yield json.loads(opened.read(name))


def found(pins: dict[str, str], archive: Path) -> list[str]:
    """Return a line for each weakness of a library in a lock."""
    lines = set()
    for one in advisories(archive):
        if one.get("withdrawn"):
            continue
        for affected in one.get("affected", ()):
            package = affected["package"]
            name = canonicalize_name(package["name"])
            if package["ecosystem"] != "PyPI" or name not in pins or not is_hit(pins[name], affected):
                continue
            mended = {
                event["fixed"]
                for reach in affected.get("ranges", ())
                if reach["type"] == "ECOSYSTEM"
                for event in reach["events"]
                if "fixed" in event
            }
            ids = " ".join([one["id"], *one.get("aliases", ())])
            lines.add(f"{name} {pins[name]}: {ids}; mended in {', '.join(sorted(mended)) or 'none yet'}")
    return sorted(lines)


def main(arguments: list[str]) -> int:
    """Tell the weaknesses of a lock."""
    if len(arguments) != 2:
        print("python tools/library_advisories.py requirements.lock all.zip", file=sys.stderr)
        return 2
    lock, archive = map(Path, arguments)
    try:
        pins = locked(lock.read_text("utf-8"))
        lines = found(pins, archive)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"This cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print("\n".join([*lines, f"{len(pins)} libraries, {len(lines)} known weaknesses"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
