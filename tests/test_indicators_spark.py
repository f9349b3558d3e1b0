"""DuckDB and Spark run the same SQL files: every row of every indicator is the same on both."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scan_cases import SITES, epoch_ms, make_log, tiny_log, write_log

from changtong.errors import UsageError
from changtong.events.alerts.log_series import series_on
from changtong.events.engine import open_duckdb, open_spark, spark_session
from changtong.events.indicators import indicators

NEEDS_SPARK = pytest.mark.skipif(
    find_spec("pyspark") is None or shutil.which("java") is None,
    reason="needs Java 17 or later and the extra changtong[spark]",
)
PROMISES = pl.DataFrame({"service_class": ["express", "ordinary"], "promise_h": [24.0, 60.0]})
CODES = (
    "accept", "register", "inspect", "screen", "arrive", "sort", "hold", "pack", "depart", "out_for_delivery",
    "attempt", "return", "deliver", "cancel", "note",
)  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    # a short run is over before the better compiler pays
    os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    made = spark_session("local[1]")
    made.sparkContext.setLogLevel("ERROR")
    # for a handful of rows, compiling and splitting cost far more than they save
    for name, value in (
        ("spark.sql.codegen.wholeStage", "false"),
        ("spark.sql.codegen.factoryMode", "NO_CODEGEN"),
        ("spark.sql.shuffle.partitions", "1"),
        ("spark.sql.adaptive.enabled", "false"),
    ):
        made.conf.set(name, value)
    yield made
    made.stop()
    del os.environ["JDK_JAVA_OPTIONS"]


def random_log(seed: int) -> pl.DataFrame:
    """Return scans without sense or order, many at equal times, some without item, site or class."""
    draw = random.Random(seed)
    rows: list[tuple[int, int, str, str | None, str | None]] = []
    for number in range(1500):
        at = epoch_ms("05-06T00:00") + draw.randrange(-5 * 24 * 4, 25 * 4) * 900_000
        site = draw.choice(["A1", "A2", "B1", "B2", "C2", "Q7", None])
        rows.append((draw.randrange(0, 150), at, draw.choice(CODES), site, f"e{number}"))
    rows += [(7, epoch_ms("05-06T09:00"), "void", "A1", f"e{draw.randrange(1500)}") for _ in range(20)]
    return make_log(rows)


@pytest.mark.slow
@NEEDS_SPARK
@pytest.mark.parametrize("log", ["scans", "empty"])
def test_both_engines_return_the_same_rows(session: Any, log: str, tmp_path: Path) -> None:
    frame = tiny_log()[:0] if log == "empty" else pl.concat([tiny_log(), random_log(1)])
    files = write_log(frame, tmp_path)
    options: dict[str, Any] = {
        "promises": PROMISES,
        "look_back_days": 10,
        "day_before": False,
        "year_before": False,
    }
    ours = indicators(open_duckdb(files, SITES), "2022-05-06", **options)
    theirs = indicators(open_spark(files, SITES, session=session), "2022-05-06", **options)
    assert theirs.engine == "spark"
    assert log == "empty" or ours.values.height > 300
    assert_frame_equal(theirs.values, ours.values, check_exact=True)
    assert_frame_equal(theirs.flows, ours.flows, check_exact=True)
    assert_frame_equal(theirs.closed_sites, ours.closed_sites, check_exact=True)
    assert theirs.notes == ours.notes
    left = session.sql("SHOW VIEWS").toArrow().to_pydict()["viewName"]
    assert sorted(left) == ["events", "sites"]  # nothing of ours stays behind


@pytest.mark.slow
@NEEDS_SPARK
@pytest.mark.parametrize("hours", [24, 1])
def test_both_engines_return_the_same_series(session: Any, hours: int, tmp_path: Path) -> None:
    files = write_log(pl.concat([tiny_log(), random_log(2)]), tmp_path)
    span = date(2022, 5, 4), date(2022, 5, 6)
    options: dict[str, Any] = {"hours": hours, "look_back_days": 2, "promise_h": 30.0, "least_pieces": 2}
    ours = series_on(open_duckdb(files, SITES), *span, **options)
    theirs = series_on(open_spark(files, SITES, session=session), *span, **options)
    assert ours.series.height > 10
    assert ours.volumes.height > 10
    assert_frame_equal(theirs.series, ours.series, check_exact=True)
    assert_frame_equal(theirs.volumes, ours.volumes, check_exact=True)
    assert theirs.unlisted_sites == ours.unlisted_sites == 1
    assert [row.tableName for row in session.sql("SHOW TABLES").collect()] == ["events", "sites"]


@pytest.mark.slow
@NEEDS_SPARK
def test_a_name_of_the_users_own_is_not_taken_in_spark(session: Any) -> None:
    session.sql("CREATE OR REPLACE TEMPORARY VIEW stays AS SELECT 1 AS mine")
    try:
        with pytest.raises(UsageError, match="'stays'") as caught:
            indicators(open_spark([], SITES, session=session), "2022-05-06", year_before=False)
        assert caught.value.code == "name-taken"
        assert session.sql("SELECT mine FROM stays").collect()[0].mine == 1
    finally:
        session.catalog.dropTempView("stays")


def test_without_pyspark_the_error_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("changtong.events.engine.import_module", missing)
    with pytest.raises(UsageError, match=r"Java 17 or later and the extra changtong\[spark\]") as caught:
        spark_session("local[1]")
    assert caught.value.code == "no-spark"
