"""Outages from a file and back: TOML, CSV or JSON to `Outage`, every problem at once; `Outage` to TOML."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.network.model import Network
from changtong.network.polygons import polygons_of
from changtong.outages import (
    EXAMPLE_TIME,
    MOST_EXTRA_H,
    PIECES_PER_PASS,
    Outage,
    check_outage,
    resolve_site,
)
from changtong.written_files import write_beside

KNOWN = (
    "label", "sites", "legs", "area", "admin_codes", "start", "end", "capacity_share", "extra_h",
    "passes_per_day", "pieces_per_pass",
)  # fmt: skip
EXPECTED_FILE = (
    "TOML with [[outage]] tables (.toml), CSV with one outage a row (.csv), or a JSON array of them (.json)"
)


def read_outages(path: str | Path, network: Network) -> tuple[Outage, ...]:
    """Read outages from TOML (``[[outage]]`` tables), CSV (one row each) or JSON (an array of objects).

    In CSV, ``sites``, ``legs`` (``A>B``) and ``admin_codes`` hold several values
    separated by ``;``. ``area`` is GeoJSON, or the name of a GeoJSON file beside this file.

    Parameters
    ----------
    path : path
        The file; docs/outages.md has every column and examples.
    network : Network
        What the sites, legs and codes must exist in.

    Raises
    ------
    InputError
        With every problem found: unknown sites (and near names), times without zone,
        places that match nothing, …
    """
    path = Path(path)
    return read_outage_rows(outage_rows(path), network, path)


def outage_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of outages as they are, one at least; `read_outage_rows` reads them.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``, ``empty-table`` and what is wrong with the file itself.
    """
    rows = _rows(path)
    if not rows:
        raise InputError(
            [Problem("empty-table", "no outage in the file.", file=path.name, expected=EXPECTED_FILE)]
        )
    return rows


def read_outage_rows(
    rows: Sequence[Mapping[str, Any]], network: Network, path: str | Path = "outages"
) -> tuple[Outage, ...]:
    """Read outages that are rows already, each with the columns of a file.

    Parameters
    ----------
    rows : sequence of mappings
    network : Network
        What the sites, legs and codes must exist in.
    path : path
        The file they are from: what problems name, and beside which files of areas are.

    Raises
    ------
    InputError
        With every problem found, as `read_outages`.
    """
    path = Path(path)
    problems: list[Problem] = []
    outages = []
    for k, row in enumerate(rows, 1):
        reader = _Row(dict(row), k, path, network, [])
        outage = reader.outage()
        problems += reader.problems
        problems += [
            replace(problem, file=path.name, row=k)
            for problem in check_outage(network, outage)
            if not (problem.code == "no-place" and reader.problems)  # its place is wrong: said already
        ]
        outages.append(outage)
    if problems:
        raise InputError(problems)
    return tuple(outages)


def write_outages(outages: Iterable[Outage], path: str | Path, *, remark: str = "") -> Path:
    """Write outages as TOML that `read_outages` reads back as they are.

    Parameters
    ----------
    outages : iterable of Outage
        One at least.
    path : path
    remark : str
        Lines of comment at the head.

    Raises
    ------
    UsageError
        ``cannot-write``.
    """
    head = [f"# {line}" for line in _printable(remark).splitlines()]
    parts = ["\n".join(["[[outage]]", *_lines(one)]) for one in outages]
    return write_beside(Path(path), "\n\n".join(["\n".join(head), *parts] if head else parts) + "\n")


def _lines(outage: Outage) -> list[str]:
    """Return the keys of an outage that say something."""
    said: dict[str, str | None] = {
        "label": _text(outage.label),
        "sites": _texts(outage.sites) if outage.sites else None,
        "legs": "[" + ", ".join(_leg_text(*leg) for leg in outage.legs) + "]" if outage.legs else None,
        "area": None if outage.area is None else _text(json.dumps(outage.area)),
        "admin_codes": _texts(outage.admin_codes) if outage.admin_codes else None,
        "start": None if outage.start is None else outage.start.isoformat(),
        "end": None if outage.end is None else outage.end.isoformat(),
        "capacity_share": None if outage.capacity_share is None else repr(float(outage.capacity_share)),
        "extra_h": repr(float(outage.extra_h)) if outage.extra_h else None,
    }
    if outage.passes_per_day is not None:
        said |= {
            "passes_per_day": str(outage.passes_per_day), "pieces_per_pass": repr(outage.pieces_per_pass),
        }  # fmt: skip
    return [f"{key} = {value}" for key, value in said.items() if value is not None]


def _printable(text: str) -> str:
    return "".join(sign if sign == "\n" or sign.isprintable() else " " for sign in text)


def _leg_text(tail: str, head: str) -> str:
    """Return a leg as one text, which is read faster, or as two where its ends could be mistaken."""
    plain = not any(sign in one for one in (tail, head) for sign in ">→") and not tail.endswith("-")
    return _text(f"{tail}>{head}") if plain else _texts((tail, head))


@functools.lru_cache(maxsize=1 << 16)
def _text(text: str) -> str:
    return json.dumps(_printable(text).replace("\n", " "), ensure_ascii=False)


def _texts(texts: Iterable[str]) -> str:
    return "[" + ", ".join(_text(one) for one in texts) + "]"


def _rows(path: Path) -> list[dict[str, Any]]:
    ending = path.suffix.lower()
    readers = {".toml": _toml_rows, ".csv": _csv_rows, ".json": _json_rows}
    if ending not in readers:
        message = f"outages are not read from {ending or 'a file without ending'}."
        raise InputError([Problem("unreadable-file", message, file=path.name, expected=EXPECTED_FILE)])
    if not path.is_file():
        message = "the file does not exist." if not path.exists() else "this is no file."
        raise InputError([Problem("missing-file", message, file=str(path), expected=EXPECTED_FILE)])
    return readers[ending](path)


def _json_rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: Any = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it is no array of objects")
    except (OSError, ValueError, RecursionError) as error:
        expected = "a JSON array of outages, in UTF-8"
        raise InputError(
            [Problem("unreadable-file", f"{error}", file=path.name, expected=expected)]
        ) from error
    return rows


def _toml_rows(path: Path) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        expected = "TOML in UTF-8"
        raise InputError(
            [Problem("unreadable-file", f"{error}", file=path.name, expected=expected)]
        ) from error
    rows: Any = content.pop("outage", [])
    problems = [
        Problem("unknown-column", f"{key!r} is not known.", path.name, None, key, expected="[[outage]]")
        for key in content
    ]
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(
            Problem("wrong-type", "outage is no table.", path.name, None, "outage", expected="[[outage]]")
        )
    if problems:
        raise InputError(problems)
    return list(rows)


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    findings = Findings()
    try:
        with path.open("rb") as stream:
            header = stream.readline(10_000).decode("utf-8", "replace").lower()
        if not any(name in header for name in KNOWN):
            message = "the first line names no column of outages."
            problem = Problem("missing-column", message, path.name, 0, expected=", ".join(KNOWN))
            raise InputError([problem])
        frame = read_csv_file(path, KNOWN, {}, findings, {})
    except OSError as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
    if findings.errors or frame is None:
        raise InputError(findings.errors)
    rows = []
    for row in frame.iter_rows(named=True):
        filled = {key.strip(): str(cell).strip() for key, cell in row.items() if cell is not None}
        if any(filled.values()):
            rows.append({key: cell for key, cell in filled.items() if cell})
    return rows


@dataclass
class _Row:
    """One outage as written, and what is wrong with it."""

    cells: dict[str, Any]
    number: int
    path: Path
    network: Network
    problems: list[Problem]

    def outage(self) -> Outage:
        """Return the outage; where ``problems`` is not empty it must not be used."""
        for key in self.cells.keys() - set(KNOWN):
            near = get_close_matches(key, KNOWN, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(KNOWN)}."
            self.wrong("unknown-column", f"{key!r} is not known.", key, hint=hint)
        legs = [leg for text in self.many("legs") if (leg := self.leg(text)) is not None]
        passes = self.number_of("passes_per_day", 1e9)
        if passes is not None and passes != int(passes):
            self.wrong("wrong-type", f"{passes!r} is no whole number.", "passes_per_day", expected="vehicles")
        return Outage(
            label=str(self.cells.get("label", f"outage {self.number}")),
            sites=tuple(site for text in self.many("sites") if (site := self.site(text, "sites"))),
            legs=tuple(legs),
            area=self.area(),
            admin_codes=tuple(str(code) for code in self.many("admin_codes")),
            start=self.time("start"),
            end=self.time("end"),
            capacity_share=self.number_of("capacity_share", 1.0),
            extra_h=self.number_of("extra_h", MOST_EXTRA_H) or 0.0,
            passes_per_day=None if passes is None else int(passes),
            pieces_per_pass=self.number_of("pieces_per_pass", 1e9) or PIECES_PER_PASS,
        )

    def wrong(self, code: str, message: str, column: str, *, expected: str = "", hint: str = "") -> None:
        self.problems.append(
            Problem(code, message, self.path.name, self.number, column, expected=expected, hint=hint)
        )

    def many(self, column: str) -> list[Any]:
        """Return the values of a list; in CSV and in a plain text they are separated by ``;``."""
        value = self.cells.get(column, [])
        if isinstance(value, str | int):
            return [part.strip() for part in str(value).split(";") if part.strip()]
        if isinstance(value, list):
            return value
        self.wrong("wrong-type", f"{value!r} will not do.", column, expected='a list such as ["A", "B"]')
        return []

    def site(self, text: Any, column: str) -> str:
        try:
            return resolve_site(self.network, str(text))
        except NotFoundError as error:
            self.wrong("unknown-site", str(error), column, expected="a site id or a unique name")
            return ""

    def leg(self, leg: Any) -> tuple[str, str] | None:
        ends = leg if isinstance(leg, list) else str(leg).replace("→", ">").replace("->", ">").split(">")
        if len(ends) != 2:
            self.wrong("bad-leg", f"{leg!r} is not a leg.", "legs", expected="A>B")
            return None
        tail, head = self.site(ends[0], "legs"), self.site(ends[1], "legs")
        return (tail, head) if tail and head else None

    def number_of(self, column: str, high: float) -> float | None:
        value = self.cells.get(column)
        if value is None:
            return None
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if 0.0 <= number <= high:
            return number
        expected = f"a number, 0 to {high:,.0f}"
        hint = f"Write {float(value[:-1]) / 100:g}." if _is_percent(value) else ""
        self.wrong("out-of-range", f"{value!r} will not do.", column, expected=expected, hint=hint)
        return None

    def area(self) -> dict[str, Any] | None:
        value = self.cells.get("area")
        if value is None:
            return None
        source = "the area"
        try:
            if isinstance(value, str) and not value.lstrip().startswith("{"):
                source = value
                value = (self.path.parent / value).read_text("utf-8-sig")
            area = json.loads(value) if isinstance(value, str) else value
            rings = [ring for polygon in polygons_of(area) for ring in polygon]
            if not rings or any(len(ring) < 4 or len(ring[0]) < 2 for ring in rings):
                raise ValueError("a ring needs at least four positions")
            [float(number) for ring in rings for position in ring for number in position]
        except OSError:
            self.wrong("missing-file", f"{source} cannot be read.", "area", expected="a GeoJSON file")
        except (ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
            why = error.problems[0].message if isinstance(error, InputError) else str(error)
            message = f"{source} cannot be understood ({why})."
            self.wrong("bad-area", message, "area", expected="GeoJSON of a Polygon or MultiPolygon")
        else:
            return dict(area)
        return None

    def time(self, column: str) -> datetime | None:
        value = self.cells.get(column)
        if value is None or value == "":
            return None
        time = read_time(value)
        if time is None:
            self.wrong("time-without-zone", f"{value!s} will not do.", column, expected=EXAMPLE_TIME)
        return time


def read_time(value: object) -> datetime | None:
    """Return an instant with its time zone, or None where there is no zone or no time."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def _is_percent(value: object) -> bool:
    return isinstance(value, str) and value.endswith("%") and value[:-1].strip().replace(".", "").isdigit()
