"""ClamAV's own clamd, alone and before a real server: the stand-in of the other tests is held to it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from api_cases import fill_folder
from network_cases import TINY
from test_api_virus_scan import EICAR
from test_serve import free_port, serving

from changtong.api.virus_scan import ScannerAwayError, VirusScan
from changtong.errors import InputError

CLAMD = shutil.which("clamd") or "/usr/sbin/clamd"
WAIT_S = 30.0

pytestmark = pytest.mark.skipif(not Path(CLAMD).exists(), reason="clamd is not installed")


@contextmanager
def clamd(folder: Path, *settings: str, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a clamd that knows one virus; its socket is ``clamd.ctl`` in the folder."""
    (folder / "db").mkdir(exist_ok=True)
    (folder / "db" / "test.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
    lines = [
        f"DatabaseDirectory {folder / 'db'}", f"LocalSocket {folder / 'clamd.ctl'}", "Foreground yes",
        f"TemporaryDirectory {folder}", *settings,
    ]  # fmt: skip
    if port:
        lines += [f"TCPSocket {port}", "TCPAddr 127.0.0.1"]
    (folder / "clamd.conf").write_text("\n".join(lines) + "\n")
    command = [CLAMD, "-c", str(folder / "clamd.conf")]
    with (folder / "clamd.log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as one:
        try:
            until = time.monotonic() + WAIT_S
            while VirusScan(str(folder / "clamd.ctl")).trouble():
                assert one.poll() is None, (folder / "clamd.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.02)
            yield one
        finally:
            one.kill()


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose sockets have short names: the system takes 107 bytes."""
    return tmp_path_factory.mktemp("clamd")


def test_what_it_did_not_look_at_is_not_taken_for_clean(place: Path) -> None:
    port = free_port()
    limits = ("StreamMaxLength 3M", "MaxFileSize 1M", "AlertExceedsMax yes")
    with clamd(place, *limits, port=port):
        for scan in (VirusScan(str(place / "clamd.ctl")), VirusScan(f"127.0.0.1:{port}")):
            assert not scan.leaves_out()
            assert not scan.leaves_out()  # it remembers files: what it is asked is new each time
            scan.check({"none": b"", "clean": b"x" * 900_000})
            with pytest.raises(InputError, match="Eicar-Test-Signature"):
                scan.check({"a": b"a,b\n" + EICAR})
            with pytest.raises(ScannerAwayError, match="MaxFileSize"):
                scan.check({"a": b"x" * 2_000_000})
            with pytest.raises(ScannerAwayError, match="StreamMaxLength"):
                scan.check({"a": b"x" * 9_000_000})
    with clamd(place, *limits[:2]):
        scan = VirusScan(str(place / "clamd.ctl"))
        scan.check({"a": b"x" * 2_000_000 + EICAR})  # what the doc and the line in the log warn of
        assert scan.leaves_out()


def archive(more: bytes) -> bytes:
    with zipfile.ZipFile(made := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as out:
        for path in TINY.glob("*.csv"):
            out.writestr(path.name, path.read_bytes() + (more if path.name == "sites.csv" else b""))
    return made.getvalue()


@pytest.mark.slow
def test_a_server_keeps_what_it_finds_clean_and_nothing_while_it_is_away(place: Path, tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    tokens = fill_folder(data)
    socket = str(place / "clamd.ctl")
    with clamd(place) as scanner, serving(data, log, "--scan-uploads", socket) as (_, base):

        def sent(name: str, content: bytes) -> httpx.Response:
            return httpx.post(
                f"{base}/api/v1/datasets",
                data={"kind": "network", "id": name}, files={"files": ("n.zip", content)},
                headers={"Authorization": f"Bearer {tokens['duty-gd']}"},
            )  # fmt: skip

        def attached(content: bytes) -> httpx.Response:
            headers = {"Authorization": f"Bearer {tokens['inspector-gd']}"}
            at = "2026-06-01T08:00:00+08:00"
            hazard = {"records": [{"values": {"title": "no guard", "deadline": at, "found_at": at}}]}
            made = httpx.post(f"{base}/api/v1/records/hazard", json=hazard, headers=headers)
            record = made.json()["records"][0]["id"]
            address = f"{base}/api/v1/records/hazard/{record}/attachments"
            return httpx.post(address, files={"file": ("a.txt", content)}, headers=headers)

        good = sent("good", archive(b""))
        assert good.status_code == 201, good.text
        bad = sent("bad", archive(EICAR)).json()
        assert [(one["code"], one["file"]) for one in bad["problems"]] == [("infected-file", "sites.csv")]
        assert attached(b"clean").status_code == 201
        assert attached(EICAR).json()["problems"][0]["code"] == "infected-file"
        scanner.kill()
        scanner.wait()
        for answer in (sent("later", archive(b"")), attached(b"clean")):
            assert (answer.status_code, answer.json()["code"]) == (503, "scanner-away")
        with clamd(place):
            assert sent("later", archive(b"")).status_code == 201
    events = [json.loads(line)["event"] for line in log.read_text("utf-8").splitlines()]
    assert "scanner-leaves-out" in events  # clamd as it comes
    assert "scanner-away" not in events
    assert not (data / "datasets").exists() or list((data / "datasets").glob(".*.part")) == []
