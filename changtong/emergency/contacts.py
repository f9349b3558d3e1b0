"""Whom to call about threatened sites: a table of contacts. Names and numbers are personal data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from changtong.emergency.warned_areas import inside_codes
from changtong.emergency.warning_rules import LEVELS
from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings, NearestNames
from changtong.network.model import Network
from changtong.privacy.masks import mask_name, mask_phone

CODE = "bad-contact"
PLACES = ("site_id", "admin_code", "organisation")
COLUMNS = (*PLACES, "name", "role", "phone", "order")
EXPECTED = "site_id, admin_code or organisation; name, role, phone, order"
FORCE_ORDER = ("force-12", "force-10", "red", "force-8", "orange", "force-7", "yellow", "blue", "unknown")
CALL_COLUMNS = ("site_id", "site_name", "level", "begins", "order", "name", "role", "phone")
MOST_ORDER = 1000


def read_contacts(path: str | Path, network: Network) -> pl.DataFrame:
    """Read a table of contacts.

    Each row says for which place (a site, all sites of an administrative unit, all sites of an organisation
    as the column ``organisation`` of the sites has it), who, and as which number they are called (``order``,
    1 first).

    Parameters
    ----------
    path : path
        CSV.
    network : Network
        Whose sites it names.

    Returns
    -------
    polars.DataFrame
        All columns as text, ``order`` as a whole number.

    Raises
    ------
    InputError
        ``bad-contact``, ``missing-column``, ``unknown-site``; every problem at once, no name and no number
        in it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError([Problem("missing-file", "it is not there.", str(path), expected=EXPECTED)])
    findings = Findings()
    frame = read_csv_file(path, COLUMNS, {}, findings, {})
    if findings.errors or frame is None:
        raise InputError(findings.errors)
    frame = frame.rename({name: name.strip().lower() for name in frame.columns})
    missing = [name for name in ("name", "phone") if name not in frame.columns]
    if not set(PLACES) & set(frame.columns):
        missing.append("site_id")
    if missing:
        raise InputError(
            [Problem("missing-column", f"no column {one}.", path.name, 0, one, EXPECTED) for one in missing]
        )
    frame = frame.select(
        (pl.col(one).cast(pl.String) if one in frame.columns else pl.lit(None, pl.String))
        .str.strip_chars().fill_null("").alias(one)
        for one in COLUMNS
    )  # fmt: skip
    problems = [problem for row, cells in enumerate(frame.iter_rows(named=True), 1)
                for problem in _row_problems(cells, row, path.name, network)]  # fmt: skip
    if problems:
        raise InputError(problems)
    return frame.with_columns(pl.col("order").cast(pl.Int64, strict=False).fill_null(MOST_ORDER)).unique(
        maintain_order=True
    )


def _row_problems(cells: dict[str, str], row: int, file: str, network: Network) -> list[Problem]:
    problems = []
    if not any(cells.values()):
        return []

    def wrong(text: str, column: str, expected: str, code: str = CODE, hint: str = "") -> None:
        problems.append(Problem(code, text, file, row, column, expected, hint))

    if not any(cells[name] for name in PLACES):
        wrong("no place.", "site_id", "a site_id, an admin_code or an organisation")
    site = cells["site_id"]
    if site and site not in network.site_type.categories:
        hint = NearestNames(network.site_ids).hint(site)
        wrong(f"there is no site {site!r}.", "site_id", "a site of the network", "unknown-site", hint)
    code = cells["admin_code"]
    if code and not (code.isascii() and code.isdigit() and len(code) in (2, 4, 6, 9, 12)):
        wrong("this is no administrative code.", "admin_code", "GB/T 2260, as 410100")
    if not cells["name"] and not cells["role"]:
        wrong("neither a name nor a role.", "name", "a name or a role")
    if not any(sign.isdigit() for sign in cells["phone"]):
        wrong("no number.", "phone", "a telephone number")
    order = cells["order"]
    if order and not (order.isascii() and order.isdigit() and 1 <= int(order) < MOST_ORDER):
        wrong("this is no place in an order.", "order", "a whole number, 1 first")
    return problems


def people_to_call(
    network: Network, sites: pl.DataFrame, contacts: pl.DataFrame
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return whom to call, the worst threatened sites first, and the sites nobody is known for.

    Parameters
    ----------
    network : Network
    sites : polars.DataFrame
        As of an exposure.
    contacts : polars.DataFrame

    Returns
    -------
    (polars.DataFrame, tuple of str)
        site_id, site_name, level (the worst), begins (the earliest), order, name, role, phone; ids.
    """
    rank = {level: k for k, level in enumerate(FORCE_ORDER)}
    assert set(rank) == set(LEVELS)
    threatened = (
        sites.with_columns(pl.col("level").replace_strict(rank, return_dtype=pl.Int64).alias("rank"))
        .group_by("site_id")
        .agg(pl.col("rank").min(), pl.col("begins").min())
        .with_columns(pl.col("rank").replace_strict(dict(enumerate(FORCE_ORDER))).alias("level"))
    )
    found = contacts.filter(pl.col("name") + pl.col("role") + pl.col("phone") != "")
    pairs = _pairs(network, threatened["site_id"].to_list(), found)
    calls = (
        pairs.join(threatened, on="site_id")
        .join(_names(network), on="site_id", how="left")
        .sort("rank", "begins", "site_id", "order", "phone")
        .select(CALL_COLUMNS)
        .unique(["site_id", "name", "phone"], maintain_order=True, keep="first")
    )
    known = set(calls["site_id"])
    return calls, tuple(sorted(site for site in threatened["site_id"] if site not in known))


def _names(network: Network) -> pl.DataFrame:
    ids = network.sites["site_id"].cast(pl.String)
    name = network.sites["name"].cast(pl.String) if "name" in network.sites.columns else ids
    return pl.DataFrame({"site_id": ids, "site_name": name})


def _pairs(network: Network, threatened: Sequence[str], contacts: pl.DataFrame) -> pl.DataFrame:
    """Return a row a threatened site and contact for it: by site, by unit, by organisation."""
    ids = pl.DataFrame({"site_id": list(threatened)}, schema={"site_id": pl.String})
    sites = network.sites.with_columns(pl.col("site_id").cast(pl.String)).join(ids, on="site_id", how="semi")
    people = ("name", "role", "phone", "order")
    by_site = ids.join(contacts.select("site_id", *people), on="site_id")
    parts = [by_site]
    if "admin_code" in sites.columns:
        codes = sites["admin_code"].cast(pl.String).fill_null("").to_list()
        for code in contacts.filter(pl.col("admin_code") != "")["admin_code"].unique().sort():
            inside = sites.filter(pl.Series(inside_codes(codes, [code]), dtype=pl.Boolean)).select("site_id")
            of_code = contacts.filter(pl.col("admin_code") == code).select(people)
            parts.append(inside.join(of_code, how="cross"))
    if "organisation" in sites.columns:
        of = sites.select("site_id", pl.col("organisation").cast(pl.String))
        named = contacts.filter(pl.col("organisation") != "").select("organisation", *people)
        parts.append(of.join(named, on="organisation").select("site_id", *people))
    return pl.concat(parts)


def masked(calls: pl.DataFrame) -> pl.DataFrame:
    """Return a list of calls in which names and numbers are masked.

    Parameters
    ----------
    calls : polars.DataFrame
    """
    hide = {"name": mask_name, "phone": mask_phone}
    return calls.with_columns(
        pl.Series(column, [mask(value) for value in calls[column]], pl.String)
        for column, mask in hide.items()
    )
