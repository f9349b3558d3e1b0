"""Engines that run the SQL of the scan log: DuckDB inside the process, Spark on a cluster by a setting.

Both run the same files of ``changtong/events/sql``. An engine offers the views ``events`` and
``sites`` (docs/indicators.md) and keeps what a run makes under names of its own until it is told to forget.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import duckdb
import polars as pl
import pyarrow as pa

from changtong.errors import InputError, Problem, UsageError

EVENT_COLUMNS: dict[str, Any] = {
    "at_ms": pl.Int64, "recorded_ms": pl.Int64, "code": pl.String, "site_id": pl.String,
    "next_site_id": pl.String, "item": pl.Int64, "receptacle": pl.Int64, "vehicle": pl.Int64,
    "service_class": pl.String, "event_id": pl.String, "row_key": pl.Int64, "attributes": pl.String,
}  # fmt: skip
"""Columns of the view ``events``: one row for each event and item."""

SITE_COLUMNS: dict[str, Any] = dict.fromkeys(("site_id", "name", "kind", "region", "operator"), pl.String)
"""Columns of the view ``sites``."""

MEMORY_GIB = 3.25
"""For DuckDB itself: what Python and the results take comes on top, and all should stay below 4 GiB."""
THREADS = 2
LOCAL_SPARK_MEMORY = "4g"


class Engine(Protocol):
    """What an analysis of the scan log needs of a database.

    ``view``, ``table`` and ``frame`` give a name to a query, to its kept rows, and to a frame; ``query``
    returns rows; ``forget`` takes all these names away again.
    """

    name: str

    def view(self, name: str, select: str) -> None:
        """Give a name to a query."""

    def table(self, name: str, select: str) -> None:
        """Run a query once and keep its rows."""

    def frame(self, name: str, rows: pl.DataFrame) -> None:
        """Give a name to a frame."""

    def query(self, select: str) -> pl.DataFrame:
        """Return the rows of a query."""

    def forget(self) -> None:
        """Take away all that was named."""


class DuckDBEngine:
    """DuckDB on a connection that has the views ``events`` and ``sites``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Its limits stay as they are; ``open_duckdb`` makes one with limits.
    files : sequence of Path
        Those behind the view ``events``, where there is nothing else behind it.
    memory_gib, threads : float, int
        The connection's limits, and those of kernels that read the files in its place.
    """

    name = "duckdb"

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[Path] = (),
        *,
        memory_gib: float = MEMORY_GIB,
        threads: int = THREADS,
    ) -> None:
        self.connection = connection
        self.files = tuple(files)
        self.memory_gib, self.threads = memory_gib, threads
        self.made: list[tuple[str, str]] = []

    def view(self, name: str, select: str) -> None:
        """Give a name to a query."""
        self._make("VIEW", name, select)

    def table(self, name: str, select: str) -> None:
        """Run a query once and keep its rows."""
        self._make("TABLE", name, select)

    def frame(self, name: str, rows: pl.DataFrame) -> None:
        """Give a name to a frame."""
        given = f"given_{name}"
        self.connection.register(given, rows.to_arrow())
        try:
            self._make("TABLE", name, f"SELECT * FROM {given}")
        finally:
            self.connection.unregister(given)

    def arrow(self, name: str, rows: pa.Table) -> None:
        """Give a name to a table without copying it."""
        given = f"given_{name}"
        self.connection.register(given, rows)
        self._make("VIEW", name, f"SELECT * FROM {given}")

    def limit(self, share: float) -> None:
        """Leave DuckDB a share of its memory, from now on."""
        self.connection.execute(f"SET memory_limit = '{int(share * self.memory_gib * 1024)}MiB'")

    def append(self, name: str, rows: pa.Table) -> None:
        """Add rows to a table of that name, made where there is none."""
        given = f"given_{name}"
        self.connection.register(given, rows)
        try:
            if ("TABLE", name) in self.made:
                self.connection.execute(f"INSERT INTO temp.{name} SELECT * FROM {given}")
            else:
                self._make("TABLE", name, f"SELECT * FROM {given}")
        finally:
            self.connection.unregister(given)

    def query(self, select: str) -> pl.DataFrame:
        """Return the rows of a query."""
        rows = pl.from_arrow(self.connection.sql(select).to_arrow_table())
        assert isinstance(rows, pl.DataFrame)
        return rows

    def forget(self) -> None:
        """Take away all that was named."""
        while self.made:
            kind, name = self.made.pop()
            self.connection.execute(f"DROP {kind} IF EXISTS temp.{name}")
            self.connection.unregister(f"given_{name}")

    def _make(self, kind: str, name: str, select: str) -> None:
        if (kind, name) not in self.made:
            taken = self.connection.execute(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = ?", [name]
            ).fetchone()
            if taken is not None and taken[0]:
                raise _name_taken(name)
            self.made.append((kind, name))
        self.connection.execute(f"CREATE OR REPLACE TEMP {kind} {name} AS {select}")


class SparkEngine:
    """Spark 4 on a session that has the views ``events`` and ``sites``.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
    """

    name = "spark"

    def __init__(self, session: Any) -> None:
        self.session = session
        self.made: list[str] = []

    def view(self, name: str, select: str) -> None:
        """Give a name to a query."""
        self._named(name)
        self.session.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {select}")

    def table(self, name: str, select: str) -> None:
        """Run a query once and keep its rows."""
        # not CACHE TABLE: Spark finds a kept plan only where it is the very same, and a text with a WITH
        # never is, so every query would begin at the files again
        self._named(name)
        self.session.sql(select).localCheckpoint().createOrReplaceTempView(name)

    def frame(self, name: str, rows: pl.DataFrame) -> None:
        """Give a name to a frame."""
        kinds = {pl.String: "STRING", pl.Int64: "BIGINT", pl.Float64: "DOUBLE"}
        schema = ", ".join(f"{column} {kinds[type(dtype)]}" for column, dtype in rows.schema.items())
        self._named(name)
        self.session.createDataFrame(rows.rows(), schema).createOrReplaceTempView(name)

    def query(self, select: str) -> pl.DataFrame:
        """Return the rows of a query."""
        rows = pl.from_arrow(self.session.sql(select).toArrow())
        assert isinstance(rows, pl.DataFrame)
        return rows

    def forget(self) -> None:
        """Take away all that was named."""
        while self.made:
            self.session.catalog.dropTempView(self.made.pop())

    def _named(self, name: str) -> None:
        if name not in self.made:
            if self.session.catalog.tableExists(name):
                raise _name_taken(name)
            self.made.append(name)


def open_duckdb(
    files: Sequence[Path],
    sites: pl.DataFrame | None = None,
    *,
    memory_gib: float = MEMORY_GIB,
    threads: int = THREADS,
    spill_folder: Path | None = None,
) -> DuckDBEngine:
    """Open Parquet files of the scan log in DuckDB.

    Parameters
    ----------
    files : sequence of Path
        Parquet files with the columns of ``EVENT_COLUMNS``; none is an empty log.
    sites : polars.DataFrame, optional
        Columns of ``SITE_COLUMNS``; those missing are empty.
    memory_gib, threads : float, int
        Limits. What does not fit goes to ``spill_folder``.
    spill_folder : Path, optional
        Default: one of this process's own among the system's temporary files.

    Returns
    -------
    DuckDBEngine

    Examples
    --------
    >>> open_duckdb([]).query("SELECT COUNT(*) AS n FROM events")["n"][0]
    0
    """
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{int(memory_gib * 1024)}MiB'")
    connection.execute(f"SET threads = {int(threads)}")
    connection.execute("SET preserve_insertion_order = false")  # nothing here depends on it; saves memory
    if spill_folder is None:  # DuckDB's own default is the folder one happens to stand in
        spill_folder = Path(tempfile.gettempdir()) / f"changtong-duckdb-{os.getpid()}"
    connection.execute("SET temp_directory = ?", [str(spill_folder)])
    connection.from_arrow(_site_frame(sites).to_arrow()).create("sites")
    if files:
        try:
            events = connection.from_parquet([str(file) for file in files], hive_partitioning=False)
        except duckdb.Error as error:
            raise _cannot_read(error) from error
        _check_columns(events.columns)
        events.create_view("events")
    else:
        connection.from_arrow(pl.DataFrame(schema=EVENT_COLUMNS).to_arrow()).create("events")
    return DuckDBEngine(connection, files, memory_gib=memory_gib, threads=threads)


def open_spark(
    files: Sequence[str | Path],
    sites: pl.DataFrame | None = None,
    *,
    session: Any = None,
    master: str | None = None,
) -> SparkEngine:
    """Open Parquet files of the scan log in Spark.

    Parameters
    ----------
    files : sequence of str or Path
        As Spark names them: a shared store's addresses may stand here.
    sites : polars.DataFrame, optional
        Columns of ``SITE_COLUMNS``.
    session : pyspark.sql.SparkSession, optional
        One of your own, with its own settings.
    master : str, optional
        Where to run, for example ``local[2]``; default: what Spark's own settings say.

    Raises
    ------
    UsageError
        pyspark or Java is not there.
    """
    session = session or spark_session(master)
    if files:
        events = session.read.parquet(*[str(file) for file in files])
        _check_columns(events.columns)
    else:
        events = session.createDataFrame([], _spark_schema(EVENT_COLUMNS))
    events.createOrReplaceTempView("events")
    rows = _site_frame(sites).rows()
    session.createDataFrame(rows, _spark_schema(SITE_COLUMNS)).createOrReplaceTempView("sites")
    return SparkEngine(session)


def spark_session(master: str | None = None) -> Any:
    """Return a Spark session, started where there is none.

    Raises
    ------
    UsageError
        pyspark or Java is not there.
    """
    try:
        spark = import_module("pyspark.sql")
        builder = spark.SparkSession.builder.appName("changtong").config("spark.sql.session.timeZone", "UTC")
        if master is not None:
            builder = builder.master(master).config("spark.ui.enabled", "false")
            if master.startswith("local"):
                # on one machine many small parts cost more than they save; 1 GiB, the default, is spent on
                # collecting garbage
                builder = builder.config("spark.sql.shuffle.partitions", str(os.cpu_count() or 1))
                builder = builder.config("spark.driver.memory", LOCAL_SPARK_MEMORY)
        return builder.getOrCreate()
    except (ImportError, RuntimeError, OSError) as error:
        # pyspark's own error for a missing Java is a RuntimeError
        raise UsageError(
            "Spark cannot be started: it needs Java 17 or later and the extra changtong[spark].",
            code="no-spark",
        ) from error


def engine_of(source: Any) -> Engine:
    """Return the engine of a DuckDB connection or a Spark session; an engine stays as it is.

    Raises
    ------
    UsageError
        It is none of these.
    """
    if isinstance(source, duckdb.DuckDBPyConnection):
        return DuckDBEngine(source)
    if all(hasattr(source, method) for method in ("view", "table", "frame", "query", "forget")):
        engine: Engine = source
        return engine
    if hasattr(source, "sql") and hasattr(source, "createDataFrame"):
        return SparkEngine(source)
    raise UsageError("The source is no DuckDB connection, Spark session or engine.", code="no-engine")


def _site_frame(sites: pl.DataFrame | None) -> pl.DataFrame:
    """Return the sites with all columns, as text."""
    given = pl.DataFrame(schema=SITE_COLUMNS) if sites is None else sites
    if "site_id" not in given.columns:
        raise InputError([Problem("missing-column", "The sites have no site_id.", column="site_id")])
    return given.select(
        (pl.col(name) if name in given.columns else pl.lit(None)).cast(pl.String).alias(name)
        for name in SITE_COLUMNS
    )


def _check_columns(columns: Sequence[str]) -> None:
    """Raise where the events lack a column."""
    missing = [name for name in EVENT_COLUMNS if name not in columns]
    if missing:
        raise InputError(
            [Problem("missing-column", f"The events have no {name}.", column=name) for name in missing]
        )


def _name_taken(name: str) -> UsageError:
    """Return the error for a name that is somebody else's."""
    return UsageError(
        f"The connection has a table or view of its own named {name!r}, which the indicators "
        "need. Use a connection with the views events and sites only.",
        code="name-taken",
    )


def _cannot_read(error: duckdb.Error) -> InputError:
    """Return the project's error for a file that DuckDB cannot read."""
    return InputError([Problem("unreadable-file", f"A file of the log cannot be read: {error}")])


def _spark_schema(columns: dict[str, Any]) -> str:
    kinds = {pl.String: "STRING", pl.Int64: "BIGINT"}
    return ", ".join(f"{name} {kinds[dtype]}" for name, dtype in columns.items())
