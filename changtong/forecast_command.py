"""The forecast command: volumes of every leg and site some weeks ahead, as a folder or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from changtong.command_options import AsJson, Language, PageLanguage
from changtong.console import StageProgress, print_result
from changtong.errors import UsageError
from changtong.written_files import check_writable, write_beside

if TYPE_CHECKING:
    from changtong.forecast.result import Forecast

FILES = (".csv", ".parquet")


def forecast(
    volumes: Annotated[Path, typer.Argument(metavar="VOLUMES", help="date, from_site, to_site, pieces.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            "--out",
            metavar="FOLDER/",
            help="Where to write: a folder, with a page; or a file that ends in .csv or .parquet.",
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="First day of the forecast; days before it count."),
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", help="Days of the forecast.")] = 31,
    closures: Annotated[
        Path | None,
        typer.Option(
            "--closures", metavar="FILE", help="CSV of known closures, past and ahead (docs/forecast.md)."
        ),
    ] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Forecast the volumes of every leg and site, with intervals of 80 %."""
    as_file = output.suffix in FILES or (bool(output.suffix) and not output.is_dir())
    (check_file if as_file else check_folder)(output)
    from changtong.forecast.volumes_ahead import forecast_volumes

    progress = StageProgress("Forecasting")
    try:
        made = forecast_volumes(volumes, until=until, days=days, closures=closures, progress=progress)
    finally:
        progress.close()
    if as_file:
        write_file(made, output)
        facts, where = {"file": str(output)}, output
    else:
        where = write_folder(made, output, language.value)
        facts = {"folder": str(output), "report": str(where)}
    print_result(made.summary() | facts, f"{made}\n  → {where}", as_json=as_json)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than a forecast, before long work is done for it."""
    from changtong.forecast.result import FORECAST_FOLDER
    from changtong.network.io import check_replaceable

    check_replaceable(folder, **FORECAST_FOLDER)


def write_folder(made: Forecast, folder: Path, language: Literal["zh", "en"]) -> Path:
    """Write a forecast with its page to a folder; return the page.

    Parameters
    ----------
    made : Forecast
    folder : Path
    language : {"zh", "en"}
        The language the page opens in.
    """
    from changtong.report import write_forecast_report

    made.save(folder, extra=lambda into: write_forecast_report(made, into / "report.html", language=language))
    return folder / "report.html"


def check_file(path: Path) -> None:
    """Refuse a file that may not be made or replaced, before long work is done for it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UsageError
        Another ending than .csv or .parquet, a folder, a file that is no forecast, no place to write.
    """
    if path.suffix not in FILES:
        expected = "a folder, or a name that ends in .csv or .parquet"
        raise UsageError(f"-o {path}: expected {expected}.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; expected a file.", "not-a-forecast")
    if path.exists() and path.stat().st_size and not _is_forecast(path):
        raise UsageError(f"{path} is there and is no forecast; it was left as it is.", "not-a-forecast")
    check_writable(path)


def _is_forecast(path: Path) -> bool:
    import polars as pl

    from changtong.forecast.result import COLUMNS

    try:
        if path.suffix == ".parquet":
            return tuple(pl.read_parquet_schema(path)) == COLUMNS
        return tuple(pl.read_csv(path, n_rows=1).columns) == COLUMNS
    except (OSError, pl.exceptions.PolarsError):
        return False


def write_file(made: Forecast, path: Path) -> None:
    """Write the rows of a forecast to a file, whole or not at all.

    Parameters
    ----------
    made : Forecast
    path : Path
        By its ending CSV (UTF-8 with byte order mark) or Parquet.
    """

    def write(beside: Path) -> None:
        if path.suffix == ".parquet":
            made.frame.write_parquet(beside)
        else:
            made.frame.write_csv(beside, include_bom=True, float_precision=3)

    write_beside(path, write)
