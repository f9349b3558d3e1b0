"""The sites of a log: what they are, where they belong, who runs them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.events.log import EventLog
from changtong.network.io import is_network_folder, read_network
from changtong.written_files import write_beside

COLUMNS = ("site_id", "name", "kind", "region", "operator")


def read_sites(path: Path) -> pl.DataFrame:
    """Read sites from a network folder, a CSV or a Parquet file.

    Raises
    ------
    InputError
        It cannot be read, has no ``site_id``, or names a site twice.
    """
    if path.is_dir() and is_network_folder(path):
        found = read_network(path).sites
    else:
        try:
            read = pl.read_parquet if path.suffix == ".parquet" else pl.read_csv
            found = read(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            problem = Problem(
                "unreadable-file", "The sites cannot be read.", file=str(path), expected="CSV or Parquet"
            )
            raise InputError([problem]) from error
    if "site_id" not in found.columns:
        raise InputError(
            [Problem("missing-column", "The sites have no site_id.", file=str(path), column="site_id")]
        )
    sites = found.select(
        (pl.col(name) if name in found.columns else pl.lit(None)).cast(pl.String).alias(name)
        for name in COLUMNS
    )
    twice = sites.filter(pl.col("site_id").is_duplicated() | pl.col("site_id").is_null())
    if twice.height:
        message = f"{twice.height} rows have no site_id, or one that stands twice."
        raise InputError([Problem("duplicate-site", message, file=str(path), column="site_id")])
    return sites


def give_sites(log: EventLog, sites: pl.DataFrame) -> None:
    """Write the sites into a log; those it had are replaced."""
    write_beside(log.path / "sites.parquet", sites.write_parquet, make_folder=False)
