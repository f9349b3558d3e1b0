"""Reads two-echelon instances in the ``.dat`` form of the published sets.

Four sections, each begun by a line with ``!`` that names it and its fields: trucks, city freighters,
stores (the depot, then the satellites), customers. What separates numbers of one place is a comma, what
separates places is white space, a semicolon or a new line. The depot and the satellites may have sections
of their own. Where a file has no such lines the sections follow one another in this order, one a line.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from changtong.errors import InputError, Problem
from changtong.rural.two_echelon import Customer, Fleet, Place, Satellite, TwoEchelonInstance

TRUCKS, FREIGHTERS, STORES, CUSTOMERS = "trucks", "city freighters", "stores", "customers"
HANDLING = "handling costs"
DEPOT, SATELLITES = "depots", "satellites"
SECTIONS = (TRUCKS, FREIGHTERS, STORES, CUSTOMERS)
_NAMES = (
    (HANDLING, re.compile(r"handling", re.I)),
    (FREIGHTERS, re.compile(r"city\s*_?-?freighters?|freighters|2nd|second", re.I)),
    (TRUCKS, re.compile(r"trucks?|1st|first[ -]level", re.I)),
    (STORES, re.compile(r"stores?", re.I)),
    (SATELLITES, re.compile(r"satellites", re.I)),
    (DEPOT, re.compile(r"depot", re.I)),
    (CUSTOMERS, re.compile(r"customers?|clients?", re.I)),
)
_EXPECTED = {
    TRUCKS: "number of trucks, capacity, cost per distance, fixed cost",
    FREIGHTERS: "most a satellite, number, capacity, cost per distance, fixed cost",
    STORES: "x,y of the depot, then of each satellite (there also handling cost, capacity, opening cost)",
    CUSTOMERS: "x,y,demand of each customer",
}
_EXTRAS = ("handling", "capacity", "opening")
_EXTRA_WORDS = (
    ("handling", re.compile(r"handl", re.I)),
    ("capacity", re.compile(r"cap", re.I)),
    ("opening", re.compile(r"fix|open", re.I)),
)
MOST_BYTES = 50_000_000


@dataclass(slots=True)
class _Group:
    """Numbers of one place, with the line they stand on."""

    line: int
    values: list[float]


@dataclass(slots=True)
class _Section:
    line: int
    header: str
    groups: list[_Group] = field(default_factory=list)


def read_two_echelon(path: str | Path) -> TwoEchelonInstance:
    """Read an instance.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    TwoEchelonInstance

    Raises
    ------
    InputError
        Everything that is wrong with the file, with its lines: ``missing-file``, ``unreadable-file``,
        ``empty-file``, ``missing-section``, ``twice-named``, ``wrong-type``, ``field-count``, ``negative``,
        ``not-finite``, ``out-of-range``.
    """
    path = Path(path)
    text = _text(path)
    problems: list[Problem] = []
    sections = _split(text, path.name, problems)
    made = _Reader(path, sections, problems).instance()
    if problems or made is None:
        raise InputError(problems)
    return made


def _text(path: Path) -> str:
    try:
        if not path.exists():
            raise InputError([Problem("missing-file", "the file does not exist.", str(path))])
        if path.stat().st_size > MOST_BYTES:
            raise InputError(
                [Problem("unreadable-file", "the file is too large for an instance.", str(path))]
            )
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError([Problem("unreadable-file", f"cannot be read: {error}.", str(path))]) from error
    text = raw.decode("utf-8-sig", errors="replace") if b"\0" not in raw else ""
    if b"\0" in raw:
        raise InputError([Problem("unreadable-file", "is no text.", path.name)])
    if not text.strip():
        raise InputError([Problem("empty-file", "holds nothing.", path.name)])
    return text


def _split(text: str, name: str, problems: list[Problem]) -> dict[str, _Section]:
    """Part the lines into sections, by their names or, where none is named, by their order."""
    sections: dict[str, _Section] = {}
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    headings = _headings(lines)
    current: _Section | None = None
    for number, line in enumerate(lines, 1):
        if _is_comment(line):
            kind = headings.get(number)
            if kind is not None:
                if kind in sections:
                    before = sections[kind].line
                    problems.append(
                        Problem(
                            "twice-named", f"{kind} are named again; first on line {before}.", name, number
                        )
                    )
                current = sections.setdefault(kind, _Section(number, line))
            continue
        stripped = re.split(r"!|#|//", line)[0].strip()
        if not stripped:
            continue
        if not headings:
            kind = SECTIONS[min(len(sections), 3)]
            if len(sections) == 4:
                current = sections[CUSTOMERS]
            else:
                current = sections[kind] = _Section(number, "")
        if current is None:
            problems.append(
                Problem("missing-section", f"{stripped[:40]!r} stands before any section.", name, number)
            )
            continue
        _numbers(stripped, number, name, current, problems)
    return sections


def _is_comment(line: str) -> bool:
    return line.startswith(("!", "#", "//", "%"))


def _headings(lines: list[str]) -> dict[int, str]:
    """Return which section each heading begins, by its line, from 1.

    A heading begins with the name. A section that has no such heading may be named further inside one
    ("Number of customers"): where that line names no other section, and the next words are numbers.
    """
    comments = {n: line for n, line in enumerate(lines, 1) if _is_comment(line)}
    found = {n: kind for n, line in comments.items() if (kind := _named(line)) is not None}
    known = set(found.values()) | {HANDLING}
    if known & {STORES, DEPOT, SATELLITES}:
        known |= {STORES, DEPOT, SATELLITES}
    for n, line in comments.items():
        kinds = {kind for kind, pattern in _NAMES if pattern.search(_head(line))}
        if len(kinds) == 1 and not kinds & known and _leads_numbers(lines, n):
            found[n] = kinds.pop()
            known.add(found[n])
    return dict(sorted(found.items()))


def _leads_numbers(lines: list[str], heading: int) -> bool:
    """Return whether the next line with letters or numbers is no comment."""
    for line in lines[heading:]:
        if re.search(r"\w", line):
            return not _is_comment(line)
    return False


def _head(line: str) -> str:
    """Return the words of a comment before its colon, or its first ones."""
    return line.lstrip("!#/% -").split(":")[0][:40]


def _named(line: str) -> str | None:
    """Return the section a comment begins with the name of."""
    head = _head(line)
    for kind, pattern in _NAMES:
        if pattern.match(head):
            return kind
    return None


def _numbers(text: str, line: int, name: str, section: _Section, problems: list[Problem]) -> None:
    """Read the places of a line into a section."""
    joined = re.sub(r"\s*,\s*", ",", text)
    for part in re.split(r"[\s;]+", joined):
        if not part.strip(","):
            continue
        values = []
        for cell in part.rstrip(",").split(","):
            try:
                values.append(float(cell))
            except ValueError:
                problems.append(
                    Problem("wrong-type", f"{cell[:30]!r} is no number.", name, line, expected="a number")
                )
                values.append(math.nan)
        section.groups.append(_Group(line, values))


class _Reader:
    """Makes an instance of sections, and notes what is wrong with them."""

    def __init__(self, path: Path, sections: dict[str, _Section], problems: list[Problem]) -> None:
        self.path, self.name = path, path.name
        self.sections, self.problems = sections, problems
        self._join_stores()

    def instance(self) -> TwoEchelonInstance | None:
        for kind in SECTIONS:
            if kind not in self.sections or not self.sections[kind].groups:
                where = self.sections[kind].line if kind in self.sections else None
                self._wrong("missing-section", f"there are no {kind}.", where, _EXPECTED[kind])
        trucks = self._fleet(TRUCKS, ("number", "capacity"))
        freighters = self._fleet(FREIGHTERS, ("most a satellite", "number", "capacity"))
        stores = self._stores()
        customers = self._customers()
        if self.problems or trucks is None or freighters is None:
            return None
        return TwoEchelonInstance(
            self.path.stem,
            Fleet(int(trucks[0]), *trucks[1:]),
            Fleet(int(freighters[1]), *freighters[2:]),
            int(freighters[0]),
            Place(*stores[0][:2]),
            tuple(Satellite(Place(s[0], s[1]), *s[2:]) for s in stores[1:]),
            tuple(Customer(Place(c[0], c[1]), c[2]) for c in customers),
        )

    def _join_stores(self) -> None:
        """Make one section of the depot's and the satellites' own ones; either name alone stands for both."""
        sections = self.sections
        own = [kind for kind in (DEPOT, SATELLITES) if kind in sections]
        if STORES in sections:
            for kind in own:
                line, before = sections[kind].line, sections[STORES].line
                self._wrong("twice-named", f"{kind} are named again; first on line {before}.", line)
        elif len(own) == 2:
            depot, satellites = sections[DEPOT], sections[SATELLITES]
            first = self._regrouped(depot, (2,))
            if len(first) != 1:
                self._wrong("field-count", f"there are {len(first)} depots.", depot.line, "x,y of the depot")
            groups = [*first, *self._regrouped(satellites, (2, 3, 4, 5))]
            sections[STORES] = _Section(satellites.line, satellites.header, groups)
        elif own:
            sections[STORES] = sections[own[0]]

    def _wrong(self, code: str, message: str, line: int | None, expected: str = "") -> None:
        self.problems.append(Problem(code, message, self.name, line, expected=expected))

    def _fleet(self, kind: str, first: tuple[str, ...]) -> list[float] | None:
        """Return the numbers of a fleet; cost per distance 1 and no fixed cost where they are left out."""
        section = self.sections.get(kind)
        if section is None or not section.groups:
            return None
        values = [value for group in section.groups for value in group.values]
        line = section.groups[0].line
        if not len(first) <= len(values) <= len(first) + 2:
            self._wrong("field-count", f"{kind} have {len(values)} numbers.", line, _EXPECTED[kind])
            return None
        values += [1.0, 0.0][len(values) - len(first) :]
        for label, value in zip((*first, "cost per distance", "fixed cost"), values, strict=True):
            self._check(f"{label} of {kind}", value, line, whole=label in ("number", "most a satellite"))
            if label == "capacity" and value == 0:
                self._wrong("out-of-range", f"capacity of {kind} is 0.", line, "above 0")
        return values

    def _check(self, what: str, value: float, line: int, *, whole: bool = False) -> None:
        """Note a number that cannot be meant; what is no number was told already."""
        if math.isnan(value):
            if not any(p.row == line and p.code == "wrong-type" for p in self.problems):
                self._wrong("not-finite", f"{what} is not a number.", line, "a finite number")
        elif math.isinf(value):
            self._wrong("not-finite", f"{what} is infinite.", line, "a finite number")
        elif value < 0:
            self._wrong("negative", f"{what} is {value:g}.", line, "0 or more")
        elif whole and (value != int(value) or value < 1):
            self._wrong("out-of-range", f"{what} is {value:g}.", line, "a whole number from 1 on")
        elif value > 1e15:
            self._wrong("out-of-range", f"{what} is {value:g}.", line, "at most 1e15")

    def _position(self, what: str, values: list[float], line: int) -> None:
        for value in values[:2]:
            self._check(f"position of {what}", abs(value), line)

    def _stores(self) -> list[list[float]]:
        """Return x, y, handling cost, capacity and opening cost of the satellites, behind the depot."""
        section = self.sections.get(STORES)
        if section is None or not section.groups:
            return []
        groups = self._regrouped(section, (2, 3, 4, 5))
        order = _extras(section.header)
        made = []
        for number, group in enumerate(groups):
            what = f"satellite {number}" if number else "the depot"
            if not 2 <= len(group.values) <= 5:
                message = f"{what} has {len(group.values)} numbers."
                self._wrong("field-count", message, group.line, _EXPECTED[STORES])
                continue
            self._position(what, group.values, group.line)
            extra = {"handling": 0.0, "capacity": math.inf, "opening": 0.0}
            for label, value in zip(order, group.values[2:], strict=False):
                self._check(f"{label} of {what}", value, group.line)
                extra[label] = value
            made.append([*group.values[:2], *(extra[label] for label in _EXTRAS)])
        if HANDLING in self.sections:
            self._handling(made)
        if len(groups) < 2:
            self._wrong("missing-section", "there is no satellite.", section.line, _EXPECTED[STORES])
        return made

    def _handling(self, stores: list[list[float]]) -> None:
        """Take the handling costs of a section of their own: one a satellite."""
        section = self.sections[HANDLING]
        values = [value for group in section.groups for value in group.values]
        if len(values) != len(stores) - 1:
            message = f"there are {len(values)} handling costs."
            self._wrong("field-count", message, section.line, f"one a satellite, {len(stores) - 1}")
            return
        for number, (store, value) in enumerate(zip(stores[1:], values, strict=True), 1):
            self._check(f"handling cost of satellite {number}", value, section.line)
            store[2] = value

    def _customers(self) -> list[list[float]]:
        section = self.sections.get(CUSTOMERS)
        if section is None or not section.groups:
            return []
        groups = self._regrouped(section, (3,))
        made = []
        for number, group in enumerate(groups, 1):
            what = f"customer {number}"
            if len(group.values) != 3:
                message = f"{what} has {len(group.values)} numbers."
                self._wrong("field-count", message, group.line, "x,y,demand")
                continue
            self._position(what, group.values, group.line)
            self._check(f"demand of {what}", group.values[2], group.line)
            made.append(group.values)
        return made

    def _regrouped(self, section: _Section, sizes: tuple[int, ...]) -> list[_Group]:
        """Return one group a place; where white space alone separates numbers, a line is a place.

        A line with more numbers is as many places as fit: triples of customers; pairs of the depot and the
        satellites, unless the section's line names further numbers of a satellite.
        """
        groups = section.groups
        if any(len(group.values) != 1 for group in groups):
            return groups
        by_line: dict[int, _Group] = {}
        for group in groups:
            by_line.setdefault(group.line, _Group(group.line, [])).values.extend(group.values)
        size, named = sizes[0], len(sizes) > 1 and _names_extras(section.header)
        made = []
        for line, group in by_line.items():
            flat = group.values
            if len(flat) in sizes and (named or len(flat) % size or len(flat) == size):
                made.append(group)
            elif named:
                message = f"{len(flat)} numbers of places are not told apart."
                self._wrong("field-count", message, line, "commas within a place, or a line for each")
            else:
                made += [_Group(line, flat[i : i + size]) for i in range(0, len(flat), size)]
        return made


def _names_extras(header: str) -> bool:
    return any(pattern.search(header) for _, pattern in _EXTRA_WORDS)


def _extras(header: str) -> tuple[str, ...]:
    """Return what a satellite's numbers behind x and y are: as the header orders them, or as usual."""
    told = header.lower().rsplit("satellites", 1)[-1]
    found = sorted(
        (match.start(), label)
        for label, pattern in _EXTRA_WORDS
        if (match := pattern.search(told)) is not None
    )
    order = [label for _, label in found]
    return tuple(order + [label for label in _EXTRAS if label not in order])
