"""A virus scanner that looks at what is uploaded before it is kept: clamd, asked by its own protocol.

Nothing is kept that was not looked at: where the scanner does not answer, uploads are refused until it does.
"""

from __future__ import annotations

import os
import socket
import struct
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

from changtong.errors import InputError, Problem, UsageError

BLOCK_BYTES = 1 << 18
CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 120.0
MOST_ANSWER_BYTES = 4_096

LEFT_OUT = "Heuristics.Limits.Exceeded."
"""With ``AlertExceedsMax``, how clamd names what it did not look at wholly; without, it calls it clean."""

OF_ITS_SETTINGS = tuple(LEFT_OUT + name for name in ("MaxFileSize", "MaxScanSize", "MaxScanTime"))
"""Those that tell more of clamd's settings than of the file: the others are archives made to be that way."""

NESTED = 400
"""Archives in one another, more than clamd opens at any setting."""


class ScannerAwayError(UsageError):
    """The scanner does not answer, or not as it must: nothing is taken until it does."""

    def __init__(self, why: str) -> None:
        text = (
            f"Uploads are scanned for viruses here, and the scanner {why}: nothing was kept. Try again later."
        )
        super().__init__(text, "scanner-away")


class VirusScan:
    """A scanner of uploads.

    Parameters
    ----------
    place : str
        Path of clamd's socket (``/run/clamav/clamd.ctl``), or ``host:port``.

    Raises
    ------
    UsageError
        ``bad-usage``: it is neither.

    Examples
    --------
    >>> VirusScan("127.0.0.1:3310")
    VirusScan('127.0.0.1:3310')
    """

    def __init__(self, place: str) -> None:
        self.place = place
        host, colon, port = place.rpartition(":")
        self._address: str | tuple[str, int]
        if place.startswith("/"):
            self._address = place
        elif colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536:
            self._address = host.strip("[]"), int(port)
        else:
            text = f"--scan-uploads {place}: the path of clamd's socket, or host:port, is expected."
            raise UsageError(text)

    def __repr__(self) -> str:
        return f"VirusScan({self.place!r})"

    def trouble(self) -> str:
        """Return why the scanner cannot be asked, nothing where it can."""
        try:
            answer = self._asked(b"zPING\0", ())
        except ScannerAwayError as error:
            return str(error)
        return "" if answer == "PONG" else f"{self.place} does not answer as clamd does."

    def leaves_out(self) -> bool:
        """Return whether the scanner calls clean what it did not look at: it is given what it cannot.

        Raises
        ------
        ScannerAwayError
            ``scanner-away``.
        """
        return not self._found_in(BytesIO(_nested_archive())).startswith(LEFT_OUT)

    def check(self, files: Mapping[str, bytes | Path]) -> None:
        """Go on only where the scanner finds nothing in any of some files.

        Parameters
        ----------
        files : mapping
            Name as it is shown -> content, or where it lies.

        Raises
        ------
        InputError
            ``infected-file``: every file in which something was found.
        ScannerAwayError
            ``scanner-away``.
        """
        found = []
        for name, content in files.items():
            with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
                if what := self._found_in(stream):
                    text = f"The virus scanner found {what[:100]}."
                    found.append(Problem("infected-file", text, name, expected="a file without viruses"))
        if found:
            raise InputError(found)

    def _found_in(self, stream: IO[bytes]) -> str:
        """Return the name of what is in a stream, nothing where it is clean."""
        answer = self._asked(b"zINSTREAM\0", iter(lambda: stream.read(BLOCK_BYTES), b""))
        told = answer.removeprefix("stream: ")
        if told == "OK":
            return ""
        if told.startswith(OF_ITS_SETTINGS):
            setting = next(one for one in OF_ITS_SETTINGS if told.startswith(one)).removeprefix(LEFT_OUT)
            raise ScannerAwayError(f"did not look at the whole of a file ({setting} of clamd)")
        if told.endswith(" FOUND"):
            return told.removesuffix(" FOUND")
        if "size limit" in told:
            raise ScannerAwayError("takes no file of this size (StreamMaxLength of clamd)")
        raise ScannerAwayError("did not finish")

    def _asked(self, command: bytes, blocks: Iterable[bytes]) -> str:
        try:
            with self._connected() as line:
                # a scanner that has seen enough answers and hangs up: what it said is still there to be read
                with suppress(BrokenPipeError, ConnectionResetError):
                    line.sendall(command)
                    for block in blocks:
                        line.sendall(struct.pack("!L", len(block)) + block)
                    if command != b"zPING\0":
                        line.sendall(struct.pack("!L", 0))
                return _read_answer(line)
        except OSError as error:
            raise ScannerAwayError("is not to be reached") from error

    def _connected(self) -> socket.socket:
        if isinstance(self._address, tuple):
            line = socket.create_connection(self._address, CONNECT_WITHIN_S)
        else:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                line.settimeout(CONNECT_WITHIN_S)
                line.connect(self._address)
            except BaseException:
                line.close()
                raise
        line.settimeout(ANSWER_WITHIN_S)
        return line


def warning_of(scan: VirusScan) -> tuple[str, str] | None:
    """Return what is to be noted of a scanner at the start, a name and a text; None where all is well.

    One that is away may come later: uploads are refused until then.
    """
    try:
        if why := scan.trouble():
            return "scanner-away", why
        if scan.leaves_out():
            return "scanner-leaves-out", (
                "clamd calls clean what is larger than it looks at, or nested deeper: "
                "set `AlertExceedsMax yes` in clamd.conf, or such files are kept though nobody looked."
            )
    except ScannerAwayError as error:
        return "scanner-away", str(error)
    return None


def _nested_archive() -> bytes:
    """Return an archive that nothing opens to its end; always another, as clamd remembers files."""
    made = os.urandom(16)
    for _ in range(NESTED):
        with zipfile.ZipFile(around := BytesIO(), "w") as archive:
            archive.writestr("a", made)
        made = around.getvalue()
    return made


def _read_answer(line: socket.socket) -> str:
    """Read to the sign that ends an answer, or to the end."""
    answer = b""
    while b"\0" not in answer and len(answer) < MOST_ANSWER_BYTES:
        block = line.recv(1_024)
        if not block:
            break
        answer += block
    if b"\0" not in answer:
        raise ScannerAwayError("hung up")
    return answer.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
