"""Files that are uploaded: their names, their sizes and archives looked at before any reader sees them."""

from __future__ import annotations

import hashlib
import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from changtong.api.dataset_kinds import Kind
from changtong.errors import InputError, Problem

MOST_UPLOAD_BYTES = 256_000_000
"""Of a request that uploads."""

MOST_BYTES = 1_000_000_000
"""Of a data set, unpacked."""

MOST_RATIO = 100
"""How much an archive may grow; less is asked of the first `FREE_BYTES`."""

FREE_BYTES = 10_000_000
BLOCK = 1 << 20

RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.I)
"""Names that Windows keeps for devices."""

FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\u2028\u2029\u202a-\u202e\u2066-\u2069]')
IGNORED = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")


@dataclass
class Given:
    """One file that was sent.

    Attributes
    ----------
    name : str
    stream : binary file
    """

    name: str
    stream: IO[bytes]


@dataclass
class Kept:
    """What was written.

    Attributes
    ----------
    files : dict
        From name to bytes.
    digest : str
    """

    files: dict[str, int] = field(default_factory=dict)
    digest: str = ""


def keep_files(kind: Kind, given: list[Given], folder: Path) -> Kept:
    """Write what was sent into a folder that is empty: the files themselves, or those of one ZIP archive.

    Parameters
    ----------
    kind : Kind
    given : list of Given
    folder : Path

    Returns
    -------
    Kept

    Raises
    ------
    InputError
        ``bad-upload``: names, links, encrypted archives; ``too-large``; ``unknown-file``: what does not
        belong to the kind. All names that are wrong at once.
    """
    if len(given) == 1 and given[0].name.lower().endswith(".zip"):
        with _opened(given[0]) as archive:
            members = _members(archive, given[0].name)
            _check_names(kind, [name for name, _ in members])
            packed = sum(one.compress_size for _, one in members)
            most = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * packed))
            opened = ((name, archive.open(one)) for name, one in members)
            return _write(opened, folder, most)
    names = [_plain(one.name) for one in given]
    _check_names(kind, names)
    return _write(zip(names, (one.stream for one in given), strict=True), folder, MOST_BYTES)


@contextmanager
def _opened(given: Given) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever is wrong with it while it is read is told as that."""
    try:
        with zipfile.ZipFile(given.stream) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        text = f"The archive cannot be read ({type(error).__name__})."
        raise InputError([Problem("bad-upload", text, given.name[:100], expected="a ZIP archive")]) from error


def _members(archive: zipfile.ZipFile, name: str) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return the files of an archive by their names, without one folder that holds them all."""
    found = [one for one in archive.infolist() if not one.is_dir()]
    problems = []
    for one in found:
        if stat.S_ISLNK(one.external_attr >> 16):
            problems.append(Problem("bad-upload", "It is a link.", one.filename[:100], expected="a file"))
        elif one.flag_bits & 1:
            problems.append(Problem("bad-upload", "It is encrypted.", one.filename[:100]))
    if problems:
        raise InputError(problems)
    names = {_plain(one.filename): one for one in found}
    if len(names) < len(found):
        raise InputError([Problem("bad-upload", "Two files have the same name.", name[:100])])
    kept = {name: one for name, one in names.items() if not _is_ignored(name)}
    tops = {name.split("/")[0] for name in kept}
    if len(tops) == 1 and all("/" in name for name in kept):
        return [(name.split("/", 1)[1], one) for name, one in kept.items()]
    return list(kept.items())


def _is_ignored(name: str) -> bool:
    low = name.lower()
    return low.startswith(IGNORED[0]) or low.rsplit("/", 1)[-1] in IGNORED[1:]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def is_safe(name: str) -> bool:
    """Return whether a name stays within its folder, on every system.

    Examples
    --------
    >>> [is_safe(name) for name in ("sites.csv", "a/b.csv", "../a", "/a", "C:a", "nul.csv", "a.", "", ".x")]
    [True, True, False, False, False, False, False, False, False]
    """
    parts = name.split("/")
    return len(name) <= 150 and not FORBIDDEN.search(name) and all(_is_safe_part(part) for part in parts)


def _is_safe_part(part: str) -> bool:
    return bool(part) and part[0] not in ". " and part[-1] not in ". " and not RESERVED.fullmatch(part)


def _check_names(kind: Kind, names: list[str]) -> None:
    problems = []
    seen: set[str] = set()
    for name in names:
        shown = FORBIDDEN.sub("?", name)[:100]
        if not is_safe(name):
            problems.append(Problem("bad-upload", "This name will not do.", shown, expected="a plain name"))
        elif name.casefold() in seen:
            problems.append(Problem("bad-upload", "Two files have the same name.", shown))
        elif not kind.has(name):
            expected = ", ".join(kind.patterns)
            problems.append(
                Problem("unknown-file", f"It does not belong to a {kind.name}.", shown, expected=expected)
            )
        seen.add(name.casefold())
    if not names:
        problems.append(Problem("missing-file", "No file was sent.", expected=", ".join(kind.patterns)))
    if len(names) > kind.most:
        text = f"{len(names)} files are too many."
        problems.append(Problem("too-large", text, expected=f"{kind.most} at most"))
    if problems:
        raise InputError(problems[:100])


def _write(opened: Iterable[tuple[str, IO[bytes]]], folder: Path, most: int) -> Kept:
    """Write files until there are too many bytes: what an archive says of its sizes is not believed."""
    made, left = Kept(), most
    digests = {}
    for name, stream in opened:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with path.open("xb") as out:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > left:
                    text = f"More than {most:,} bytes, unpacked."
                    raise InputError([Problem("too-large", text, name, expected="a smaller data set")])
                digest.update(block)
                out.write(block)
        left -= size
        made.files[name] = size
        digests[name] = digest.hexdigest()
    whole = "".join(f"{name}\0{digests[name]}\n" for name in sorted(digests))
    made.files = dict(sorted(made.files.items()))
    made.digest = hashlib.sha256(whole.encode()).hexdigest()
    return made
