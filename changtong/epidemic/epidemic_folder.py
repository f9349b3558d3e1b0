"""A folder of epidemic control: its tables, read with every problem told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.epidemic import gates, measures, passes, staff, state_book
from changtong.epidemic.crossings import (
    POST_FILE,
    PRESENCE_FILE,
    ZONE_FILE,
    read_posts,
    read_presence,
    read_zones,
)
from changtong.epidemic.settings import Settings, read_settings
from changtong.epidemic.settling_rules import FILE as SETTLING_FILE
from changtong.epidemic.settling_rules import SettlingRule, read_settling_rules
from changtong.epidemic.state_book import StateBook, read_state_book
from changtong.epidemic.state_kinds import STATES_FILE, TRANSITIONS_FILE, read_state_kinds
from changtong.epidemic.tables import TableReader, words
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.network.misnamed_files import misnamed_files
from changtong.network.model import Network

SITE_FILE = "sites.csv"
SITE_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
    "admin_code": pl.String(),
    "international": pl.Boolean(),
    "staff_needed": pl.Int64(),
    "settling_m2": pl.Float64(),
    "since": pl.Date(),
}
FILES = (
    SITE_FILE, state_book.FILE, gates.FILE, passes.PASS_FILE, passes.FIRM_FILE, staff.FILE, POST_FILE,
    PRESENCE_FILE, SETTLING_FILE,
)  # fmt: skip

OTHER_FILES = (
    ZONE_FILE, STATES_FILE, TRANSITIONS_FILE, measures.FILE, "case_tasks.csv", "risk_rules.csv",
    "epidemic.toml",
)  # fmt: skip
"""Files of the folder that alone do not make it one of epidemic control."""


@dataclass(frozen=True)
class Epidemic:
    """What is known of epidemic control.

    Attributes
    ----------
    name : str
    settings : Settings
    book : StateBook
        Which state each site is in, and when.
    sites, areas, passes, firms, staff, zones, posts, presence : polars.DataFrame
        As the schemas of their files; empty where there is none.
    settling_rules : tuple of SettlingRule
    has_passes, has_staff, has_settling_rules : bool
        Whether there is such a table: an empty one says that there are none, no table says nothing.
    """

    name: str
    settings: Settings
    book: StateBook
    sites: pl.DataFrame
    areas: pl.DataFrame
    passes: pl.DataFrame
    firms: pl.DataFrame
    staff: pl.DataFrame
    zones: pl.DataFrame
    posts: pl.DataFrame
    presence: pl.DataFrame
    settling_rules: tuple[SettlingRule, ...]
    has_passes: bool
    has_staff: bool
    has_settling_rules: bool

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name, for a digest; plates are not among them, only what compares them."""
        spells = [
            (s.site_id, s.state, str(s.begin), str(s.end), s.reason, s.authority, s.capacity_share, s.extra_h)
            for s in self.book
        ]
        states = pl.DataFrame(spells, [f"c{k}" for k in range(8)], orient="row", infer_schema_length=None)
        rules = pl.DataFrame({"rule": [repr(rule) for rule in self.settling_rules]}, {"rule": pl.String})
        kinds = [repr(kind) for kind in self.book.kinds.kinds.values()]
        said = pl.DataFrame(
            {"said": [*kinds, repr(self.settings), repr(sorted(self.book.kinds.ways.items()))]}
        )
        names = ("sites", "areas", "passes", "firms", "staff", "zones", "posts", "presence")
        return {name: getattr(self, name) for name in names} | {
            "states": states,
            "rules": rules,
            "said": said,
        }

    def site_kinds(self) -> dict[str, str | None]:
        """Return the kind of each site of the folder."""
        return dict(self.sites.select("site_id", "kind").iter_rows())


def read_epidemic(
    folder: str | os.PathLike[str] | None, *, known: Mapping[str, pl.DataFrame] | None = None
) -> Epidemic:
    """Read a folder: any of its tables may be missing, but one must be there.

    Parameters
    ----------
    folder : path or None
        None: all tables come from ``known``.
    known : mapping, optional
        Tables that come from elsewhere, by file name: they count instead of the folder's. Passes as
        `passes.with_keys` makes them.

    Raises
    ------
    InputError
        With every problem of all tables; ``missing-folder``, ``not-an-epidemic-folder``.
    """
    place = None if folder is None else Path(folder)
    there = dict(known or {})
    if place is not None:
        _check_folder(place, there)
    reader = TableReader(place)
    if place is not None:
        reader.problems += misnamed_files(place, (*FILES, *OTHER_FILES))
    settings = read_settings(reader)
    kinds = read_state_kinds(reader)
    sites = _sites(reader, there)
    spells = _known(there, state_book.FILE, lambda: _states(reader))
    book = read_state_book(spells, kinds, reader)
    areas = _known(there, gates.FILE, lambda: gates.read_areas(reader))
    held = _known(there, passes.PASS_FILE, lambda: passes.read_passes(reader))
    _check_scopes(held, areas, reader)
    zones = read_zones(reader)
    made = Epidemic(
        name="registers" if place is None else place.resolve().name,
        settings=settings,
        book=book,
        sites=sites,
        areas=areas,
        passes=held,
        firms=_known(there, passes.FIRM_FILE, lambda: passes.read_firms(reader)),
        staff=_known(there, staff.FILE, lambda: staff.read_staff(reader)),
        zones=zones,
        posts=read_posts(reader, zones),
        presence=read_presence(reader, zones),
        settling_rules=read_settling_rules(reader),
        has_passes=passes.PASS_FILE in there or reader.place(passes.PASS_FILE) is not None,
        has_staff=staff.FILE in there or reader.place(staff.FILE) is not None,
        has_settling_rules=reader.place(SETTLING_FILE) is not None,
    )
    reader.finish()
    return made


def _check_folder(place: Path, there: Mapping[str, Any]) -> None:
    if not place.is_dir():
        what = "this is no folder." if place.exists() else "there is no such folder."
        raise InputError([Problem("missing-folder", what, str(place))])
    if not there and not any((place / name).is_file() for name in FILES):
        message = "it has none of the tables of epidemic control."
        expected = "one of " + ", ".join(FILES)
        raise InputError([Problem("not-an-epidemic-folder", message, str(place), expected=expected)])


def _known(there: Mapping[str, pl.DataFrame], name: str, read: Any) -> pl.DataFrame:
    found: pl.DataFrame = there[name] if name in there else read()
    return found


def _states(reader: TableReader) -> pl.DataFrame:
    path = reader.place(state_book.FILE)
    return reader.table(path, state_book.SCHEMA, ("site_id", "state", "from"), spans=(("from", "until"),))


def _sites(reader: TableReader, there: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if SITE_FILE in there:
        return there[SITE_FILE]
    frame = reader.table(reader.place(SITE_FILE), SITE_SCHEMA, ("site_id",), key=("site_id",))
    reader.within(frame, "lon", -180, 180, SITE_FILE)
    reader.within(frame, "lat", -90, 90, SITE_FILE)
    reader.within(frame, "staff_needed", 1, 1e6, SITE_FILE)
    reader.within(frame, "settling_m2", 0, 1e7, SITE_FILE)
    return frame


def _check_scopes(held: pl.DataFrame, areas: pl.DataFrame, reader: TableReader) -> None:
    """Tell areas in passes that the table of areas does not have, where there is one."""
    names = areas["area_id"].drop_nulls().to_list()
    near = NearestNames(names)
    for row, cell in held.select("row", "areas").iter_rows():
        for area in words(cell):
            if area not in names:
                message = f"there is no area {area!r}."
                reader.add(
                    "unknown-area",
                    message,
                    passes.PASS_FILE,
                    row,
                    "areas",
                    f"an area of {gates.FILE}",
                    near.hint(area),
                )


def check_sites(epidemic: Epidemic, network: Network) -> None:
    """Tell sites of states and areas that the network does not have.

    Parameters
    ----------
    epidemic : Epidemic
    network : Network

    Raises
    ------
    InputError
        ``unknown-site``.
    """
    ids = set(network.site_ids)
    near = NearestNames(network.site_ids)
    problems = []
    named = [(state_book.FILE, spell.row, spell.site_id, "site_id") for spell in epidemic.book]
    named += [
        (gates.FILE, row["row"], site, "sites")
        for row in epidemic.areas.iter_rows(named=True)
        for site in words(row["sites"])
    ]
    for file, row, site, column in named:
        if site not in ids:
            message = f"there is no site {site!r} in the network."
            problems.append(Problem("unknown-site", message, file, row, column, hint=near.hint(site)))
    if problems:
        raise InputError(problems)
