"""What the columns of a foreign file mean: a TOML file beside it, read and checked at once."""

from __future__ import annotations

import codecs
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem
from changtong.events.codes import code_of_word, known_codes
from changtong.events.times import time_form, zone_of

FIELDS = (
    "item_id", "receptacle_id", "vehicle_id", "code", "site_id", "next_site_id", "service_class", "at",
    "recorded_at", "event_id",
)  # fmt: skip
"""What a column may be; every other column stays outside."""

NEEDED = ("code", "at")
IDS = ("item_id", "receptacle_id", "vehicle_id")
_KEYS = {
    "format", "encoding", "separator", "time_zone", "time_format", "recorded_format", "earliest", "latest",
    "check_s10", "site_needed", "keep_damaged", "columns", "attributes", "codes", "service_classes",
    "defaults",
}  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """How to read a file of scans.

    Attributes
    ----------
    columns : dict
        Our field (see ``FIELDS``) to the file's column.
    attributes : dict
        Name of an attribute to the file's column: kept as JSON text.
    codes : dict
        The file's words to canonical codes, beside the canonical and the domestic words.
    service_classes : dict
        The file's words to service classes; words that are not there stay as they are.
    defaults : dict
        ``service_class`` or ``site_id`` of rows that have none.
    time_zone : str or None
        Zone of times written without one; None: such times go to the quarantine.
    time_format, recorded_format : str
        ``iso``, ``epoch_s``, ``epoch_ms`` or directives, see :func:`changtong.events.times.time_form`.
    encoding, separator : str
        Of a CSV file.
    earliest, latest : datetime
        Times outside go to the quarantine.
    check_s10 : bool
        Whether items that look like S10 numbers must have their check digit.
    site_needed : bool
        Whether a row without a site goes to the quarantine.
    keep_damaged : bool
        Whether sites and classes are kept in whose names letters were lost before.
    id_needed : bool
        Whether a row without an item, a receptacle or a vehicle goes to the quarantine even where it
        names a site.
    """

    columns: dict[str, str]
    attributes: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    service_classes: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    time_format: str = "iso"
    recorded_format: str | None = None
    encoding: str = "utf-8"
    separator: str = ","
    earliest: datetime = datetime(1990, 1, 1, tzinfo=UTC)
    latest: datetime | None = None
    check_s10: bool = True
    site_needed: bool = True
    keep_damaged: bool = False
    id_needed: bool = True

    def code_of(self, word: str) -> str | None:
        """Return the code of a word: the file's own, else a canonical or domestic one; None where unknown."""
        return self.codes.get(word) or code_of_word(word)

    @property
    def last_instant(self) -> datetime:
        """Latest time a scan may have: tomorrow, unless the mapping says otherwise."""
        return self.latest or datetime.now(UTC) + timedelta(days=1)


def default_mapping(columns: list[str], time_zone: str | None, file: str = "the columns") -> Mapping:
    """Return the mapping of a file whose columns bear our own names.

    Raises
    ------
    InputError
        ``bad-mapping``: they do not, and without a mapping nobody knows what they mean.
    """
    raw = {"columns": {name: name for name in FIELDS if name in columns}}
    named = raw["columns"]
    if columns and not (all(name in named for name in NEEDED) and any(name in named for name in IDS)):
        message = f"Its columns are {', '.join(columns[:20])}{' …' if len(columns) > 20 else ''}."
        expected = f"{', '.join(NEEDED)} and one of {', '.join(IDS)}"
        hint = "Or say with --mapping FILE what its columns mean (docs/scan-log.md)."
        raise InputError([Problem("bad-mapping", message, file=file, expected=expected, hint=hint)])
    return parse_mapping(raw, file, time_zone) if columns else Mapping({}, time_zone=time_zone)


def read_mapping(path: Path, time_zone: str | None = None) -> Mapping:
    """Read a mapping file.

    Parameters
    ----------
    path : Path
        TOML: ``time_zone``, ``encoding``, ``[columns]`` and so on, see docs/scan-log.md.
    time_zone : str, optional
        Zone where the file names none.

    Raises
    ------
    InputError
        Every problem of the file at once.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = Problem(
            "bad-mapping", f"The mapping cannot be read: {error}.", file=str(path), expected="a TOML file"
        )
        raise InputError([problem]) from error
    return parse_mapping(raw, str(path), time_zone)


def parse_mapping(raw: dict[str, Any], file: str = "mapping", time_zone: str | None = None) -> Mapping:
    """Return a mapping from what TOML says; see :func:`read_mapping`."""
    problems: list[Problem] = []

    def wrong(column: str, message: str, expected: str = "") -> None:
        problems.append(Problem("bad-mapping", message, file=file, column=column, expected=expected))

    for key in raw.keys() - _KEYS:
        wrong(key, f"There is no setting {key!r}.", ", ".join(sorted(_KEYS)))
    tables: dict[str, Any] = {}
    for name in ("columns", "attributes", "codes", "service_classes", "defaults"):
        table = raw.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            wrong(name, f"[{name}] must hold text only.")
            table = {}
        tables[name] = {str(k): v for k, v in table.items()}
    for name in tables["columns"].keys() - set(FIELDS):
        wrong(name, f"There is no field {name!r}.", ", ".join(FIELDS))
    for name in NEEDED:
        if name not in tables["columns"]:
            wrong(name, f"[columns] does not say which column is {name!r}.")
    if not any(name in tables["columns"] for name in IDS):
        wrong("item_id", "[columns] names no column of an item, a receptacle or a vehicle.")
    for word, code in tables["codes"].items():
        if code not in known_codes():
            wrong(
                "codes", f"{word!r} stands for {code!r}, which is no code.", ", ".join(sorted(known_codes()))
            )
    for name in tables["defaults"].keys() - {"service_class", "site_id"}:
        wrong(name, f"{name!r} has no default.", "service_class or site_id")
    texts: dict[str, Any] = {}
    for name in ("encoding", "separator", "time_zone", "time_format", "recorded_format"):
        if name in raw and not isinstance(raw[name], str):
            wrong(name, f"{name} must be text.")
        elif name in raw:
            texts[name] = raw[name]
    for name in ("earliest", "latest"):
        if name in raw:
            value = raw[name]
            if isinstance(value, date) and not isinstance(value, datetime):
                value = datetime(value.year, value.month, value.day)
            if not isinstance(value, datetime):
                wrong(name, f"{name} must be a date or a time.")
                continue
            texts[name] = value if value.tzinfo else value.replace(tzinfo=UTC)
    for name in ("check_s10", "site_needed", "keep_damaged"):
        if name in raw and not isinstance(raw[name], bool):
            wrong(name, f"{name} must be true or false.")
        elif name in raw:
            texts[name] = raw[name]
    texts.setdefault("time_zone", time_zone)
    problems += _check_texts(texts, file)
    if problems:
        raise InputError(problems)
    return Mapping(**tables, **texts)


def _check_texts(texts: dict[str, Any], file: str) -> list[Problem]:
    problems: list[Problem] = []
    try:
        codecs.lookup(texts.get("encoding", "utf-8"))
    except LookupError:
        message = f"There is no encoding {texts['encoding']!r}."
        problems.append(
            Problem("bad-mapping", message, file=file, column="encoding", expected="utf-8, gb18030 …")
        )
    if len(texts.get("separator", ",").encode()) != 1 or texts.get("separator") in ('"', "\n", "\r"):
        message = "The separator must be one character of ASCII."
        problems.append(Problem("bad-mapping", message, file=file, column="separator"))
    for name in ("time_format", "recorded_format"):
        if name in texts:
            try:
                time_form(texts[name])
            except InputError as error:
                problems += error.problems
    if texts["time_zone"] is not None:
        try:
            zone_of(texts["time_zone"])
        except InputError as error:
            problems += error.problems
    return problems
