"""Temperature readings and their limits, read with every problem told; instants in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from zoneinfo import ZoneInfo

import polars as pl

from changtong._tables import COLD_SET
from changtong.errors import InputError, Problem, UsageError
from changtong.network.assembly import Assembly
from changtong.network.findings import Findings, rows_where
from changtong.network.table_files import TableSource, assemble_files

ZONED_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
NAIVE_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
INSTANT = pl.Datetime("ms", "UTC")


@dataclass(frozen=True)
class ColdData:
    """Readings in order and the limits they are held against.

    Attributes
    ----------
    readings : polars.DataFrame
        item_id, at (UTC), celsius, product: by item and time, each instant once.
    limits : polars.DataFrame
        See ``docs/coverage.md``.
    repeated : int
        Rows that said the same as another and were left out.
    """

    readings: pl.DataFrame
    limits: pl.DataFrame
    repeated: int


def built_in_limits() -> pl.DataFrame:
    """Return the limits of the package as they are written there, each with its kind, source and note."""
    data = files("changtong.rural").joinpath("cold_limits.csv").read_bytes()
    return pl.read_csv(data, infer_schema_length=None)


def read_cold_data(
    readings: TableSource, limits: TableSource | None = None, *, zone: str | None = None
) -> ColdData:
    """Read and check temperature readings.

    Parameters
    ----------
    readings : path or frame
        ``item_id``, ``at``, ``celsius``, ``product``.
    limits : path or frame, optional
        The built-in ones by default.
    zone : str, optional
        Time zone of instants without an offset, for example ``Asia/Shanghai``.

    Raises
    ------
    InputError
        With every problem of both tables.
    UsageError
        An unknown zone.
    """
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, LookupError) as error:
            raise UsageError(f"the time zone {zone!r} is unknown.", "bad-time-zone") from error
    given = _with_text_instants(readings) if isinstance(readings, pl.DataFrame) else readings
    findings = Findings()
    sources = {"readings": given, "limits": built_in_limits() if limits is None else limits}
    made = assemble_files(sources, findings, COLD_SET)
    _check_limits(made)
    read = made.tables["readings"]
    read = read.with_columns(at=_instants(read["at"], zone, made), product=pl.col("product").cast(pl.String))
    read = read.with_row_index("row").sort("item_id", "at", "row")
    again = (
        (pl.col("item_id") == pl.col("item_id").shift(1)) & (pl.col("at") == pl.col("at").shift(1))
    ).fill_null(False)
    same = pl.col("celsius") == pl.col("celsius").shift(1)
    _check_two(read.filter(again & ~same), made)
    _check_products(read, made)
    if findings.errors:
        raise InputError(findings.errors)
    once = read.filter(~again)
    return ColdData(
        once.select("item_id", "at", "celsius", "product"), made.tables["limits"], read.height - once.height
    )


def _with_text_instants(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with instants of a time type as text, with their offset where they have one."""
    if "at" not in frame.columns or not isinstance(frame.schema["at"], pl.Datetime):
        return frame
    zoned = frame.schema["at"].time_zone is not None
    return frame.with_columns(
        at=pl.col("at").dt.to_string("%Y-%m-%dT%H:%M:%S%.6f" + ("%:z" if zoned else ""))
    )


def _instants(text: pl.Series, zone: str | None, made: Assembly) -> pl.Series:
    """Return instants in UTC; each that cannot be read is reported."""
    plain = pl.col("at").str.replace(" ", "T").str.replace(r"[zZ]$", "+00:00")
    plain = plain.str.replace(r"([+-]\d{2})(\d{2})$", "${1}:${2}")
    zoned = pl.coalesce(
        plain.str.to_datetime(form, time_unit="ms", time_zone="UTC", strict=False) for form in ZONED_FORMATS
    )
    naive = pl.coalesce(plain.str.to_datetime(form, time_unit="ms", strict=False) for form in NAIVE_FORMATS)
    frame = text.to_frame().select("at", zoned=zoned, naive=naive)
    here = pl.col("naive").dt.replace_time_zone(zone or "UTC", ambiguous="null", non_existent="null")
    frame = frame.with_columns(here=here.dt.convert_time_zone("UTC"))
    readable = frame["naive"].is_not_null() & frame["zoned"].is_null()

    def report(mask: pl.Series, code: str, words: str, expected: str) -> None:
        made.findings.add_rows(
            rows_where(mask),
            lambda row: Problem(
                code,
                f'"{text[row]}" {words}.',
                made.file("readings"),
                made.row("readings", row),
                "at",
                expected=expected,
            ),
        )

    wrong = text.is_not_null() & frame["zoned"].is_null() & frame["naive"].is_null()
    report(wrong, "bad-time", "is no instant", "ISO 8601, for example 2024-07-01T08:30:00+08:00")
    if zone is None:
        report(readable, "time-without-zone", "has no offset", "an offset, or the zone of all (--zone)")
        return frame["zoned"]
    report(readable & frame["here"].is_null(), "ambiguous-time", "is skipped or twice there", "an offset")
    return pl.select(pl.coalesce(frame["zoned"], frame["here"]).alias("at")).to_series()


def _check_limits(made: Assembly) -> None:
    limits = made.tables["limits"]
    reversed_ = limits["low_celsius"] > limits["high_celsius"]
    half = limits.select("reference_celsius", "shelf_life_h", "q10").select(
        pl.any_horizontal(pl.all().is_null()) & pl.any_horizontal(pl.all().is_not_null())
    )
    for mask, column, message, expected in (
        (reversed_, "high_celsius", "the highest temperature is below the lowest", "low not above high"),
        (
            half.to_series(),
            "q10",
            "only some of reference, shelf life and Q10 are given",
            "all three or none",
        ),
    ):
        made.findings.add_rows(
            rows_where(mask),
            lambda row, column=column, message=message, expected=expected: Problem(  # type: ignore[misc]
                "bad-limit",
                f"{limits['product'][row]}: {message}.",
                made.file("limits"),
                made.row("limits", row),
                column,
                expected=expected,
            ),
        )


def _check_two(rows: pl.DataFrame, made: Assembly) -> None:
    rows = rows.sort("row")
    made.findings.add_rows(
        range(rows.height),
        lambda k: Problem(
            "two-temperatures",
            f"{rows['item_id'][k]} has another temperature at {rows['at'][k]:%Y-%m-%d %H:%M:%S} UTC already.",
            made.file("readings"),
            made.row("readings", int(rows["row"][k])),
            "celsius",
            expected="one reading of an item at an instant",
        ),
    )


def _check_products(read: pl.DataFrame, made: Assembly) -> None:
    """Report items that change their product on the way."""
    first = pl.col("product").first().over("item_id")
    other = read.filter(pl.col("product") != first).sort("row").unique("item_id", maintain_order=True)
    made.findings.add_rows(
        range(other.height),
        lambda k: Problem(
            "two-products",
            f"{other['item_id'][k]} is of another product in an earlier reading.",
            made.file("readings"),
            made.row("readings", int(other["row"][k])),
            "product",
            expected="one product for an item",
        ),
    )
