"""Uploads that a virus scanner looks at: one that speaks clamd's protocol; what is not clean is not kept."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_cases import Client, app, service, service_and_tokens, tokens
from network_cases import TINY
from registers_cases import cheap_hashes
from safety_cases import file_of, filled, jpeg, photo

from changtong.api.service import Service
from changtong.api.virus_scan import BLOCK_BYTES, NESTED, ScannerAwayError, VirusScan, warning_of
from changtong.errors import InputError, UsageError

__all__ = ["app", "cheap_hashes", "service", "service_and_tokens", "tokens"]

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The text that all scanners tell as a virus and that is none; in two parts: this file is not told."""


class Clamd(socketserver.ThreadingTCPServer):
    """A stand-in: answers as clamd does (test_api_real_clamd.py), takes no more than StreamMaxLength."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, most_bytes: int = 100_000_000, says: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.most_bytes, self.says = most_bytes, says
        self.seen: list[bytes] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Asked(socketserver.StreamRequestHandler):
    """One request."""

    server: Clamd

    def handle(self) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += self.rfile.read(1)
        self.wfile.write(self._answer(command).encode())

    def _answer(self, command: bytes) -> str:
        if command == b"zPING\0":
            return self.server.says or "PONG\0"
        assert command == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack("!L", self.rfile.read(4))[0]:
            assert size <= BLOCK_BYTES
            content += self.rfile.read(size)
            if len(content) > self.server.most_bytes:
                return "INSTREAM size limit exceeded. ERROR\0"
        self.server.seen.append(content)
        return self.server.says or (
            "stream: Eicar-Test-Signature FOUND\0" if EICAR in content else "stream: OK\0"
        )


@pytest.fixture
def clamd() -> Iterator[Clamd]:
    with Clamd() as made:
        yield made
        made.shutdown()


@pytest.fixture
def scanned(service: Service, clamd: Clamd) -> Iterator[Clamd]:
    """The server with a scanner."""
    service.scan = VirusScan(clamd.place)
    yield clamd
    service.scan = None


@pytest.fixture
def inspector(app: Any, tokens: dict[str, str]) -> Client:
    return Client(app, token=tokens["inspector-gd"])


def test_what_is_clean_passes_and_all_that_is_found_is_told(clamd: Clamd, tmp_path: Path) -> None:
    scan = VirusScan(clamd.place)
    big = tmp_path / "big"
    big.write_bytes(b"x" * (BLOCK_BYTES + 5))
    assert scan.trouble() == ""
    scan.check({"none": b"", "big": big, "text": b"clean"})
    assert [len(one) for one in clamd.seen] == [0, BLOCK_BYTES + 5, 5]
    with pytest.raises(InputError) as caught:
        scan.check({"a.txt": EICAR, "b.txt": b"clean", "c.txt": b"..." + EICAR})
    assert [(one.code, one.file) for one in caught.value.problems] == [
        ("infected-file", "a.txt"), ("infected-file", "c.txt")
    ]  # fmt: skip
    assert "Eicar-Test-Signature" in str(caught.value)


def test_clamd_at_a_socket_of_the_system(tmp_path: Path) -> None:
    class Here(socketserver.ThreadingUnixStreamServer):
        most_bytes, says, daemon_threads = 1_000, "", True
        seen: list[bytes] = []

    place = str(tmp_path / "clamd.ctl")
    with Here(place, Asked) as made:
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        with pytest.raises(InputError, match="infected-file"):
            VirusScan(place).check({"a": EICAR})
        made.shutdown()


@pytest.mark.parametrize("says", ["stream: Can't allocate memory ERROR\0", "UNKNOWN\0", "stream: OK", "\0"])
def test_an_answer_that_is_not_clear_counts_as_none(says: str) -> None:
    with Clamd(says=says) as clamd:
        with pytest.raises(ScannerAwayError, match="nothing was kept"):
            VirusScan(clamd.place).check({"a": b"clean"})
        assert VirusScan(clamd.place).trouble()
        clamd.shutdown()


def test_a_file_larger_than_the_scanner_takes_is_refused() -> None:
    with Clamd(most_bytes=1_000) as clamd:
        with pytest.raises(ScannerAwayError, match="StreamMaxLength"):
            VirusScan(clamd.place).check({"a": b"x" * 1_001})
        clamd.shutdown()


@pytest.mark.parametrize(
    ("found", "code"), [("MaxFileSize", "scanner-away"), ("MaxScanTime", "scanner-away"),
                        ("MaxRecursion", "infected-file")],
)  # fmt: skip
def test_a_file_that_was_not_looked_at_wholly_is_not_kept(found: str, code: str) -> None:
    with Clamd(says=f"stream: Heuristics.Limits.Exceeded.{found} FOUND\0") as clamd:
        with pytest.raises((InputError, ScannerAwayError), match=found) as caught:
            VirusScan(clamd.place).check({"a": b"clean"})
        told = caught.value.problems[0].code if isinstance(caught.value, InputError) else caught.value.code
        assert told == code
        clamd.shutdown()


def test_what_is_told_of_a_scanner_at_the_start(clamd: Clamd) -> None:
    told = [warning_of(VirusScan(place)) for place in (clamd.place, free_place())]
    assert [one and one[0] for one in told] == ["scanner-leaves-out", "scanner-away"]
    (nested,) = clamd.seen
    assert nested.startswith(b"PK")
    assert nested.count(b"PK\x03\x04") == NESTED


@pytest.mark.parametrize("place", ["", "clamd", "clamd:", ":3310", "clamd:0", "clamd:70000", "clamd:x"])
def test_a_place_that_is_none(place: str) -> None:
    with pytest.raises(UsageError, match=r"host:port, is expected"):
        VirusScan(place)


def free_place() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def attach(inspector: Client, content: bytes) -> Any:
    at = "2026-06-01T08:00:00+08:00"
    hazard = {"records": [{"values": {"title": "no guard", "deadline": at, "found_at": at}}]}
    made = inspector("POST", "/api/v1/records/hazard", json=hazard)
    assert made.status_code == 201, made.text
    place = f"/api/v1/records/hazard/{made.json()['records'][0]['id']}/attachments"
    return inspector("POST", place, files={"file": ("a.txt", content)})


def test_attachments(service: Service, scanned: Clamd, inspector: Client) -> None:
    answer = attach(inspector, EICAR)
    assert (answer.status_code, answer.json()["problems"][0]["code"]) == (422, "infected-file")
    assert answer.json()["problems"][0]["file"] == "1 a.txt"
    service.scan = VirusScan(free_place())
    answer = attach(inspector, b"clean")
    assert (answer.status_code, answer.json()["code"]) == (503, "scanner-away")


def test_data_sets_are_looked_at_as_they_are_kept(
    service: Service, scanned: Clamd, app: Any, tokens: dict[str, str]
) -> None:
    duty = Client(app, token=tokens["duty-gd"])
    files = {path.name: path.read_bytes() for path in TINY.iterdir() if path.suffix == ".csv"}

    def sent(dataset_id: str, **more: bytes) -> Any:
        given = [("files", (name, content)) for name, content in {**files, **more}.items()]
        return duty("POST", "/api/v1/datasets", data={"kind": "network", "id": dataset_id}, files=given)

    bad = sent("bad", **{"sites.csv": files["sites.csv"] + EICAR})
    assert [(one["code"], one["file"]) for one in bad.json()["problems"]] == [("infected-file", "sites.csv")]
    before = len(scanned.seen)
    good = sent("good")
    assert good.status_code == 201, good.text
    assert sorted(scanned.seen[before:]) == sorted(files.values())
    service.scan = VirusScan(free_place())
    assert sent("later").json()["code"] == "scanner-away"
    listed = duty("GET", "/api/v1/datasets?kind=network").json()["datasets"]
    assert [one["id"] for one in listed] == ["good", "tiny"]
    assert list((service.folder.path / "datasets").glob(".*.part")) == []


def test_photos_of_inspections_that_phones_send(scanned: Clamd, inspector: Client) -> None:
    bad = filled(2, photos={"p1": photo(jpeg(after=EICAR))})
    answer = inspector("POST", "/api/v1/sync", json=file_of(filled(1), bad))
    assert [(one["code"], one["file"]) for one in answer.json()["problems"]] == [
        ("infected-file", "2 photo p1")
    ]
    assert sum(one.startswith(b"\xff\xd8") for one in scanned.seen) == 2
    told = inspector("POST", "/api/v1/sync", json=file_of(filled(1))).json()
    assert (told["new"], told["known"]) == (1, 0)  # nothing of the refused request was kept
