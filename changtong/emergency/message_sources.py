"""Messages out of files, folders, archives and feeds; what cannot be read is set aside and told."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree.ElementTree import Element

from changtong.emergency.cap import LARGEST_BYTES, Message, read_alert, read_cap
from changtong.emergency.message_xml import UnreadableXmlError, parse_xml
from changtong.errors import InputError, Problem
from changtong.wording import Both

ATOM = "{http://www.w3.org/2005/Atom}"
BASE = "{http://www.w3.org/XML/1998/namespace}base"
CAP_TYPE = "application/cap+xml"
ENDINGS = (".xml", ".cap", ".atom", ".rss", ".zip")
MOST_MESSAGES = 5000
MOST_TOLD = 20
"""Problems of one feed that are told one by one."""

MOST_BYTES = 200_000_000
"""Of an archive, unpacked, and of all that a feed leads to."""

Fetch = Callable[[str], bytes]


@dataclass
class Messages:
    """What was read.

    Attributes
    ----------
    messages : list of Message
        In the order read.
    set_aside : list of Problem
        What could not be read, each with its file: nothing is passed over in silence.
    notes : list of Both
        Links that were not followed, feeds that hold nothing.
    digests : dict of str to str
        SHA-256 of what was read -> its name.
    """

    messages: list[Message] = field(default_factory=list)
    set_aside: list[Problem] = field(default_factory=list)
    notes: list[Both] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def take(self, content: bytes, name: str, follow: Callable[[str], tuple[bytes, str] | None]) -> None:
        """Take a message, or all a feed holds and leads to.

        Parameters
        ----------
        content : bytes
        name : str
        follow : callable
            Returns what a link leads to and its name; None where it is not followed.
        """
        self.digests[hashlib.sha256(content).hexdigest()] = name
        root = None if len(content) > LARGEST_BYTES else _root(content)
        if root is None:
            self._read(partial(read_cap, content, name))  # which tells why
            return
        if not _is_feed(root):
            self._read(partial(read_alert, root, name))
            return
        before = len(self.set_aside)
        inside = [one for one in root.iter() if _is_alert(one)]
        for number, alert in enumerate(inside, 1):
            if not self.full(name):
                self._read(partial(read_alert, alert, f"{name}#{number}"))
        links = _links(root)
        for link in links:
            if not self.full(name):
                self._follow(link, name, follow)
        self._shorten(before, name)
        if not inside and not links:
            self.notes.append(Both(f"{name}：订阅源中没有消息。", f"{name}: the feed holds no message."))

    def _shorten(self, before: int, name: str) -> None:
        """Keep the first problems of a feed, and say how many more there are."""
        more = len(self.set_aside) - before - MOST_TOLD
        if more > 0:
            del self.set_aside[before + MOST_TOLD :]
            text = f"{more:,} more of what it holds could not be read."
            self.set_aside.append(Problem("unreadable-file", text, name, expected="CAP messages"))

    def _follow(self, link: str, name: str, follow: Callable[[str], tuple[bytes, str] | None]) -> None:
        try:
            found = follow(link)
        except InputError as error:
            self.set_aside += error.problems
            return
        except (OSError, ValueError):  # no name of a file, or no address: what it is, it leads nowhere
            found = None
        if found is None:
            shown = _shown(link)
            self.notes.append(Both(f"{name}：未跟随链接 {shown}。", f"{name}: {shown} was not followed."))
            return
        digest = hashlib.sha256(found[0]).hexdigest()
        if digest not in self.digests:
            self.digests[digest] = found[1]
            self._read(partial(read_cap, *found))

    def _read(self, read: Callable[[], Message]) -> None:
        try:
            self.messages.append(read())
        except InputError as error:
            self.set_aside += error.problems

    def full(self, name: str = "") -> bool:
        """Tell whether no more messages are taken; with a name it is told of, too."""
        if len(self.messages) < MOST_MESSAGES:
            return False
        if name:
            note = Both(
                f"{name}：消息超过 {MOST_MESSAGES:,} 条，其余未读。",
                f"{name}: more than {MOST_MESSAGES:,} messages; the rest is left out.",
            )
            self.notes += [] if note in self.notes else [note]
        return True


def _root(content: bytes) -> Element | None:
    try:
        return parse_xml(content)
    except UnreadableXmlError:
        return None


def _is_feed(root: Element) -> bool:
    return root.tag in (f"{ATOM}feed", "rss", "feed") or root.tag.endswith(("}RDF", "}EDXLDistribution"))


def _links(root: Element) -> list[str]:
    """Return the links of a feed's entries that may lead to messages, those said to be CAP before others.

    Only entries at their place count: a feed nested without end costs no more than its size.
    """
    links: dict[str, None] = {}
    for entry in root.findall(f"{ATOM}entry"):
        if _holds_alert(entry):
            continue
        found = entry.findall(f"{ATOM}link")
        said = [one for one in found if one.get("type") == CAP_TYPE]
        plain = [one for one in found if one.get("rel", "alternate") == "alternate" and not _is_page(one)]
        base = urljoin(root.get(BASE, ""), entry.get(BASE, ""))
        named = [href for one in said or plain if (href := one.get("href", "").strip())]
        links |= dict.fromkeys(urljoin(base, href) for href in named)
    for item in [*root.findall("{*}item"), *root.findall("{*}channel/{*}item")]:
        if _holds_alert(item):
            continue
        closed = [one.get("url", "") for one in item.findall("{*}enclosure") if one.get("type") == CAP_TYPE]
        links |= dict.fromkeys(closed or [one.text or "" for one in item.findall("{*}link")])
    return [link.strip() for link in links if link.strip()]


def _holds_alert(entry: Element) -> bool:
    return any(_is_alert(one) for one in entry.iter())


def _is_alert(element: Element) -> bool:
    """Tell whether it is a message, of any version: what is none of 1.2 is told, not passed over."""
    return element.tag == "alert" or element.tag.endswith("}alert")


def _is_page(link: Element) -> bool:
    return link.get("type", "").startswith("text/html")


def read_messages(sources: Iterable[str | Path], fetch: Fetch | None = None) -> Messages:
    """Read messages out of sources.

    Parameters
    ----------
    sources : iterable of str or Path
        A file with a message, a saved feed (Atom, RSS, EDXL-DE), a zip archive, a folder of these, or the
        address of a feed or message. Of a saved feed, links to files beside it are followed, no others.
    fetch : callable, optional
        Brings what an address holds; without it addresses are refused.

    Raises
    ------
    InputError
        A source that is not there, or nothing at all could be read.

    Examples
    --------
    >>> read_messages([]).messages
    []
    """
    made = Messages()
    problems: list[Problem] = []
    for source in sources:
        if is_address(source):
            _take_address(made, str(source), fetch)
            continue
        path = Path(source)
        if not path.exists():
            problems.append(
                Problem(
                    "missing-file",
                    "it is not there.",
                    str(source),
                    expected="a CAP message, a folder of them",
                )
            )
            continue
        files = _files(path)
        if not files:
            expected = f"files ending in {', '.join(ENDINGS)}"
            problems.append(Problem("empty-folder", "no message in it.", str(source), expected=expected))
        for file in files:
            _take_file(made, file)
    if problems:
        raise InputError([*problems, *made.set_aside])
    if made.set_aside and not made.messages:
        raise InputError(made.set_aside)
    return made


def _shown(link: str) -> str:
    return without_secrets(link)[:200] if is_address(link) else link.partition("?")[0][:200]


def without_secrets(address: str) -> str:
    """Return an address without what may be a password or token in it.

    Examples
    --------
    >>> without_secrets("https://u:p@host/feed?key=1")
    'https://host/feed'
    """
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def is_address(source: str | Path) -> bool:
    """Tell whether a source is an address and not a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(source)) is not None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = (one for one in sorted(path.rglob("*")) if one.suffix.lower() in ENDINGS and one.is_file())
    return [one for one in found if not any(part.startswith(".") for part in one.relative_to(path).parts)]


def _take_file(made: Messages, file: Path) -> None:
    if file.suffix.lower() == ".zip":
        _take_archive(made, file)
        return
    try:
        content = _read_bounded(file)
    except OSError as error:
        expected = "a CAP message"
        made.set_aside.append(Problem("unreadable-file", f"{error.strerror}.", file.name, expected=expected))
        return

    def beside(link: str) -> tuple[bytes, str] | None:
        if urlsplit(link).scheme or link.startswith(("/", "\\")):
            return None
        name = unquote(urlsplit(link).path)
        target = (file.parent / name).resolve()
        if not target.is_relative_to(file.parent.resolve()) or not target.is_file():
            return None
        return _read_bounded(target), target.name

    made.take(content, file.name, beside)


def _read_bounded(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES + 1)


def _take_archive(made: Messages, file: Path) -> None:
    """Take the messages of a zip archive; what it holds is bounded as it is unpacked, not by what it says."""
    total = 0
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.is_dir() or Path(entry.filename).suffix.lower() not in (".xml", ".cap"):
                    continue
                with archive.open(entry) as opened:
                    content = opened.read(LARGEST_BYTES + 1)
                total += len(content)
                if total > MOST_BYTES or made.full():
                    text = (
                        f"more than {MOST_BYTES:,} bytes or {MOST_MESSAGES:,} messages; the rest is left out."
                    )
                    made.set_aside.append(Problem("too-large", text, file.name))
                    return
                made.take(content, f"{file.name}/{entry.filename}", lambda link: None)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        text = f"it cannot be unpacked ({error})."
        made.set_aside.append(Problem("unreadable-file", text, file.name, expected="a zip archive"))


def _take_address(made: Messages, address: str, fetch: Fetch | None) -> None:
    if fetch is None:
        problem = Problem("not-fetched", "addresses are not fetched here.", address, expected="a file")
        raise InputError([problem])
    content = fetch(address)
    total = len(content)

    def follow(link: str) -> tuple[bytes, str] | None:
        nonlocal total
        target = urljoin(address, link)
        if total > MOST_BYTES or urlsplit(target).netloc != urlsplit(address).netloc:
            return None
        found = fetch(target)
        total += len(found)
        return found, without_secrets(target)

    made.take(content, without_secrets(address), follow)
