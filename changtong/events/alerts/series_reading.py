"""Series by site as ``watch`` takes them: one row for each site and day or hour.

| column | type | meaning |
|---|---|---|
| site_id | text | where |
| begin_ms | integer | beginning of the day or hour, UTC, epoch milliseconds |
| scans | number | scans at the site in it |
| handled_pieces | number or null | pieces that left the site in it |
| backlog_pieces | number or null | pieces at the site at its end |
| dwell_median_h | number or null | median hours at the site of pieces that left in it |
| late_share | number or null | share of them beyond their promise, 0 to 1 |

The last four columns may be missing. A site without a row in a day or hour in which others have one had
no scan.
"""

from __future__ import annotations

import polars as pl

from changtong.errors import InputError, Problem

REQUIRED = ("site_id", "begin_ms", "scans")
OPTIONAL = ("handled_pieces", "backlog_pieces", "dwell_median_h", "late_share")
LISTED_ROWS = 100
HOUR_MS = 3_600_000


def read_series(series: pl.DataFrame, hours: int, zone: str) -> pl.DataFrame:
    """Check series and return them typed, by ``begin_ms`` and ``site_id``.

    Parameters
    ----------
    series : polars.DataFrame
        As above.
    hours : int
        Length of a period: 24 (local days) or 1.
    zone : str
        Time zone of the days.

    Raises
    ------
    InputError
        Missing columns, values that cannot be, periods that do not begin with a local day or hour, a
        site twice in a period: all at once.
    """
    missing = [name for name in REQUIRED if name not in series.columns]
    if missing:
        raise InputError(
            [
                Problem(
                    "missing-column",
                    f"No column {name!r}.",
                    "series",
                    column=name,
                    expected=", ".join(REQUIRED),
                )
                for name in missing
            ]
        )
    numbers = ("scans", *OPTIONAL)
    given = series.with_columns(pl.lit(None).alias(name) for name in OPTIONAL if name not in series.columns)
    typed = given.select(
        pl.col("site_id").cast(pl.String).str.strip_chars(),
        pl.col("begin_ms").cast(pl.Int64, strict=False),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in numbers),
    )
    column = pl.col("begin_ms")
    local = pl.from_epoch(column, "ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    begins = typed.select(
        pl.when(hours == 24).then(local.dt.truncate("1d") == local).otherwise(column % HOUR_MS == 0)
    ).to_series()
    bad = [
        ("no-site", "site_id", typed["site_id"].is_null() | (typed["site_id"] == ""), "a site"),
        ("wrong-type", "begin_ms", typed["begin_ms"].is_null(), "epoch milliseconds"),
        ("bad-period", "begin_ms", ~begins, "the beginning of a local day" if hours == 24 else "a full hour"),
        ("wrong-type", "scans", typed["scans"].is_null(), "a number"),
        ("late-share", "late_share", typed["late_share"] > 1.0, "0 to 1"),
        (
            "duplicate-series",
            "site_id",
            ~typed.select(pl.struct("site_id", "begin_ms").is_first_distinct()).to_series(),
            "each site once in a period",
        ),
    ]
    for name in numbers:
        bad.append(("negative", name, typed[name] < 0, "0 or more"))
        bad.append(("not-finite", name, ~typed[name].is_finite(), "a finite number"))
        bad.append(
            ("wrong-type", name, typed[name].is_null() & given[name].is_not_null(), "a number or nothing")
        )
    problems = [
        Problem(code, f"{given[name][int(row)]!r} will not do.", "series", int(row) + 1, name, expected)
        for code, name, rows, expected in bad
        for row in rows.fill_null(False).arg_true().head(LISTED_ROWS)
    ]
    if problems:
        raise InputError(problems)
    return typed.sort("begin_ms", "site_id")
