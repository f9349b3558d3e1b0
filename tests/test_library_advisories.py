"""The tool that holds the lock against advisories: ranges by hand, and our own lock read whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
TOOL = HERE / "tools" / "library_advisories.py"

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="the files are not here: needs a checkout")

LOCK = "flask-Thing==2.0.1 \\\n    --hash=sha256:00\nother==1.10\nwheelish==3.0 ; python_version < '4'\n"


def advisory(name: str, *events: dict[str, str], **more: object) -> dict[str, object]:
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [
            {"type": "ECOSYSTEM", "events": list(events)},
            {"type": "GIT", "events": [{"fixed": "a1"}]},
        ],
    }
    return {"id": "PYSEC-1", "affected": [affected], **more}


def told(tmp_path: Path, *given: dict[str, object]) -> tuple[int, list[str]]:
    lock, archive = tmp_path / "lock", tmp_path / "all.zip"
    lock.write_text(LOCK)
    with zipfile.ZipFile(archive, "w") as made:
        for number, one in enumerate(given):
            made.writestr(f"{number}.json", json.dumps(one))
    done = subprocess.run([sys.executable, TOOL, lock, archive], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def test_a_version_between_begin_and_end_of_a_weakness_is_told(tmp_path: Path) -> None:
    weak = advisory("Flask_Thing", {"introduced": "0"}, {"fixed": "2.0.2"}, aliases=["CVE-1"])
    assert told(tmp_path, weak) == (
        1, ["flask-thing 2.0.1: PYSEC-1 CVE-1; mended in 2.0.2", "3 libraries, 1 known weaknesses"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "hit"),
    [
        (({"introduced": "0"}, {"fixed": "1.10"}), False),
        (({"introduced": "1.9"}, {"fixed": "1.11"}), True),  # as versions, not as texts
        (({"introduced": "1.11"},), False),
        (({"introduced": "0"}, {"last_affected": "1.10"}), True),
        (({"introduced": "0"}, {"last_affected": "1.9"}), False),
        (({"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.5"}, {"fixed": "1.10.1"}), True),
    ],
)
def test_ranges(tmp_path: Path, events: tuple[dict[str, str], ...], hit: bool) -> None:
    assert told(tmp_path, advisory("other", *events))[0] == int(hit)


def test_what_was_withdrawn_or_is_of_another_library_is_not_told(tmp_path: Path) -> None:
    gone = advisory("other", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    assert told(tmp_path, gone, advisory("unknown", {"introduced": "0"})) == (
        0, ["3 libraries, 0 known weaknesses"]
    )  # fmt: skip


def test_the_lock_of_the_repository_is_read_whole(tmp_path: Path) -> None:
    lock = HERE / "requirements.lock"
    with zipfile.ZipFile(tmp_path / "all.zip", "w"):
        pass
    done = subprocess.run([sys.executable, TOOL, lock, tmp_path / "all.zip"], capture_output=True, text=True)
    count = len(set(re.findall(r"^(\S+?)==", lock.read_text("utf-8"), re.M)))
    assert (done.returncode, done.stdout.split()[0]) == (0, str(count))
    missing = subprocess.run(
        [sys.executable, TOOL, lock, tmp_path / "none.zip"], capture_output=True, text=True
    )
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)
