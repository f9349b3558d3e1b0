"""Scan logs of any size, as a data engineer would be handed them: CSV or Parquet, sound or damaged.

Columns, in this order (Chinese header, English header, what it is)::

    运单号      waybill_no      item: 15 digits beginning 990, or an S10 number to or from abroad
    总包号      bag_no          receptacle: B and 16 digits, on rows of bags under way
    车次        trip_no         vehicle: V and 12 digits, one for each trip of a leg
    扫描类型    scan_type       word of the scan, see ``SCAN_WORDS``; the code itself in English
    扫描站点    scan_site       site_id of the network
    下一站点    next_site       site_id, on pack, load, depart, hold, release
    扫描时间    scan_time       by the site's clock, Asia/Shanghai, YYYY-MM-DD HH:MM:SS
    上传时间    upload_time     when it was recorded, by the right clock, same form
    产品类型    product         name of the service class
    收件人电话  receiver_phone  personal, never to be kept; no such number exists

In Parquet the times are instants (milliseconds, zone Asia/Shanghai). Rows stand in the order of
their time, those recorded late where they were recorded.

What is modelled. Items are accepted by the time of day and the weekday, at sites and for
destinations by the network's demand, in its shares of classes. They take the ways of the sort plan
in force or of given routes. Sites handle them for their handling hours, more slowly at the peak.
Legs run as many trips as their departures allow and the log's pieces need, spread evenly over the
day; items of a trip share its departure and arrival, items of a bag their loading and unloading.
Couriers set out at 07:30 and 14:00. Sites differ in the scans they make. Mail to exchange offices
ends with its release by customs; mail from there begins with its reception from abroad.

Outages. A closed site scans nothing while it is closed, no trip leaves it or makes for it, and
vehicles under way to it wait outside; afterwards it works its backlog off first in, first out at
1.3 times its usual rate. A slowed site has that share of this rate. A closed leg runs no trip, a
slowed one that share of its trips, each longer by the extra hours. Open sites scan ``hold`` when
outages cost an item its trip and ``release`` before the next. Routes do not change by themselves.

What is not modelled: limits of vehicles and of storage, and sites that are overloaded without an
outage; rows of a bag or a vehicle alone (every row has an item); the journey of a returned item;
limits of vehicle passes (refused).
"""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.events.generator.files import (
    CHUNK,
    CsvOutput,
    Output,
    ParquetOutput,
    Pending,
    Piece,
    Rows,
    first_midnight_ms,
    make_texts,
    mapping_text,
    write_sites,
)
from changtong.events.generator.kernels import (
    CODES,
    DAY_S,
    GAP,
    ROW,
    ROWS_PER_ITEM,
    Scene,
    accepted_s,
    count_rows,
    sort_into,
    walk_items,
)
from changtong.events.generator.rows import Texts, item_texts, row_sites
from changtong.events.generator.scene import Stage, set_stage
from changtong.events.generator.settings import ScanSettings
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.routes import Routes

SAMPLE = 60_000
"""Items walked to know how many rows an item has."""

BLOCK = 40_000
"""Items walked together."""

SPAN_ROWS = 300_000
"""Rows of a span of time, about: what is sorted together."""

SPANS_S = (30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)

DAMAGE = {
    "duplicates": 0, "late": 1, "disordered": 2, "gaps": 3, "unknown_site": 4, "bad_time": 5, "bad_s10": 6,
    "of_skewed_sites": 8,
}  # fmt: skip
"""Kinds of damage and where they are counted."""

DAMAGE_SCHEMA = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("item_id", pa.string()), ("code", pa.string()),
     ("site_id", pa.string()), ("at_ms", pa.int64()), ("damage", pa.string())]
)  # fmt: skip
"""Table of damaged rows: where each stands (rows counted from 1, null for one that is missing), the
item's id as written, the code, site and time (by the right clock) it truly had, and what was done:
a kind of ``DAMAGE``, or ``copied`` for the row a duplicate repeats."""


@dataclass(frozen=True)
class ScanLog:
    """A log that was written, and the truth about it.

    Attributes
    ----------
    files : tuple of Path
        In order of time.
    rows : int
    items : int
        Accepted.
    codes : dict
        Rows by code.
    damage : dict
        Rows by kind of damage; ``gaps`` are rows that are missing; ``of_skewed_sites`` counts
        rows of sites whose clock is wrong.
    skewed_sites : dict
        Seconds by which the clock of a site is fast.
    network_share : float
        Items a day against the network's pieces a day: above 1 where more was asked for than the network
        carries, and its trips are as many times as many.
    network_pieces_per_day : float
        Of the network's demand that has a way.
    no_way_share, left_out_share : float
        Of the network's pieces: without a way to their end; at sites closed by their status.
    spilled_bytes : int
        Scans that waited in files.
    """

    files: tuple[Path, ...]
    rows: int
    items: int
    codes: dict[str, int]
    damage: dict[str, int]
    skewed_sites: dict[str, int]
    network_share: float
    network_pieces_per_day: float
    no_way_share: float
    left_out_share: float
    spilled_bytes: int = field(default=0, compare=False)

    def __str__(self) -> str:
        a_day = self.network_share * self.network_pieces_per_day
        damage = ", ".join(f"{kind} {count:,}" for kind, count in self.damage.items() if count) or "none"
        return (
            f"Scan log in {len(self.files)} files\n"
            f"  rows             {self.rows:>14,}\n"
            f"  items            {self.items:>14,}\n"
            f"  a day            {a_day:>14,.0f}  {self._beside()}\n"
            f"  delivered        {self.codes['deliver']:>14,}\n"
            f"  damaged rows     {damage}"
        )

    def _beside(self) -> str:
        """Say items a day beside the network's: a part of them, or more than it carries."""
        pieces, share = f"{self.network_pieces_per_day:,.0f} pieces a day", self.network_share
        if share <= 1.0:
            return f"({share:.2%} of the network's {pieces})"
        return f"({share:,.2f} times the network's {pieces}: more than it carries, its trips are scaled up)"

    def to_json(self) -> str:
        """Return everything as JSON; files by name."""
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found["files"] = [path.name for path in self.files]
        del found["spilled_bytes"]
        return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def generate_scans(
    network: Network,
    folder: str | Path,
    *,
    settings: ScanSettings | None = None,
    routes: Routes | None = None,
    outages: Sequence[Outage] = (),
) -> ScanLog:
    """Write a scan log of a network.

    Parameters
    ----------
    network : Network
        With demand.
    folder : path
        Gets ``scans-YYYY-MM-DD.csv`` (or ``.parquet``) for each day or one ``scans.csv``,
        ``sites.parquet``, ``truth.json``, ``mapping.toml``, and ``damage.parquet`` where asked for.
        Nothing is left there when it fails.
    settings : ScanSettings, optional
    routes : Routes, optional
        Those of a plan, for example. Today's where not given.
    outages : sequence of Outage

    Returns
    -------
    ScanLog
        The same input gives the same bytes.

    Raises
    ------
    InputError
        No demand, routes of another network, an outage that cannot be played.
    UsageError
        The folder holds scans already.

    Examples
    --------
    >>> log = generate_scans(network, "SCANS", settings=ScanSettings(events=10**6))  # doctest: +SKIP
    >>> print(log)  # doctest: +SKIP
    """
    settings, folder = settings or ScanSettings(), Path(folder)
    if folder.exists() and any(folder.glob("scans*")):
        raise UsageError(f"{folder} holds scans already; give another folder.")
    stage = set_stage(network, settings, routes, outages)
    stage, row_share = _sized(stage, settings)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as name:
        work = Path(name)
        log = _write(network, stage, settings, row_share, work)
        write_sites(network, work / "sites.parquet")
        (work / "truth.json").write_text(log.to_json(), "utf-8")
        (work / "mapping.toml").write_text(mapping_text(settings.header), "utf-8")
        names = [path.name for path in log.files] + ["sites.parquet", "truth.json", "mapping.toml"]
        if settings.damage_table:
            names.append("damage.parquet")
        for one in names:
            (work / one).replace(folder / one)
    return ScanLog(**{**vars(log), "files": tuple(folder / path.name for path in log.files)})


def _sized(stage: Stage, settings: ScanSettings) -> tuple[Stage, float]:
    """Return the stage with as many items as give the rows asked for, and the rows of an item."""
    scene = stage.scene._replace(n_items=SAMPLE)
    scratch = np.empty(ROWS_PER_ITEM, ROW)
    rows, items = count_rows(scene, 0, SAMPLE, 1, scratch)
    per_item = max(rows / items, 1e-9)
    n_items = max(1, round(settings.events / per_item))
    if n_items >= 2**32:
        raise UsageError(f"events is {settings.events:,}: that is {n_items:,} items; expected below 2³².")
    kept = {name: getattr(stage, name) for name in stage.__dataclass_fields__}
    return Stage(**{**kept, "scene": scene._replace(n_items=n_items)}), per_item


def _write(
    network: Network, stage: Stage, settings: ScanSettings, rows_per_item: float, work: Path
) -> ScanLog:
    """Write a log's files to a folder of work."""
    scene = stage.scene
    texts = make_texts(network, stage, settings)
    output: Output
    if settings.format == "csv":
        output = CsvOutput(texts, settings.header, GAP)
    else:
        output = ParquetOutput(texts, settings.header, first_midnight_ms(settings), GAP)
    books = _Books(work, settings, texts, network.site_ids)
    per_s = scene.n_items * rows_per_item / (DAY_S * settings.days)
    width_s = max((s for s in SPANS_S if s * per_s <= SPAN_ROWS), default=SPANS_S[0])
    pending = Pending(work, settings.pending_mib << 20)
    ready: deque[tuple[int, Future[list[Piece]]]] = deque()
    try:
        with ThreadPoolExecutor(settings.threads) as pool:

            def flush(keep: int) -> None:
                while len(ready) > keep:
                    day, making = ready.popleft()
                    books.write(output, day, making.result())

            for span in _spans_due(pool, scene, rows_per_item, width_s, pending, settings.threads):
                rows = pending.take(span)
                if len(rows):
                    making = pool.submit(_pieces, rows, span * width_s, width_s, output)
                    ready.append((span * width_s // DAY_S, making))
                flush(settings.threads)
            flush(0)
    finally:
        output.close()
        books.close()
    skewed = np.flatnonzero(stage.skew_s)
    offered = stage.pieces_per_day
    return ScanLog(
        files=tuple(books.files),
        rows=books.rows,
        items=scene.n_items,
        codes={code: int(n) for code, n in zip(CODES, books.codes, strict=True)},
        damage={kind: int(books.damage[bit]) for kind, bit in DAMAGE.items()},
        skewed_sites={network.site_ids[row]: int(stage.skew_s[row]) for row in skewed},
        network_share=scene.n_items / settings.days / offered,
        network_pieces_per_day=offered,
        no_way_share=stage.no_way_pieces_per_day / offered,
        left_out_share=stage.left_out_pieces_per_day / (offered + stage.left_out_pieces_per_day),
        spilled_bytes=pending.spilled_bytes,
    )


def _spans_due(
    pool: ThreadPoolExecutor, scene: Scene, rows_per_item: float, width_s: int, pending: Pending, threads: int
) -> Iterator[int]:
    """Walk all items, block by block, into ``pending``; give each span once no item can add to it."""
    n_spans = -(-scene.end_s // width_s)
    walks: deque[tuple[int, Future[tuple[int, NDArray[np.int64], Rows]]]] = deque()
    begun, given = 0, 0
    while begun < scene.n_items or walks:
        while begun < scene.n_items and len(walks) <= threads:
            last = min(begun + BLOCK, scene.n_items)
            walks.append(
                (begun, pool.submit(_walk_block, scene, begun, last, rows_per_item, width_s, n_spans))
            )
            begun = last
        pending.add(*walks.popleft()[1].result())
        following = walks[0][0] if walks else begun
        due = n_spans
        if following < scene.n_items:
            due = int(accepted_s(scene, following / scene.n_items)) // width_s
        while given < due:
            yield given
            given += 1


def _walk_block(
    scene: Scene, first: int, last: int, rows_per_item: float, width_s: int, n_spans: int
) -> tuple[int, NDArray[np.int64], Rows]:
    """Walk some items; return their rows sorted by span, from the first span any can be in."""
    found: list[Rows] = []
    span = int(accepted_s(scene, first / scene.n_items) // width_s)
    while first < last:
        room = int((last - first) * rows_per_item * 1.2) + 2 * ROWS_PER_ITEM
        rows = np.empty(room, ROW)
        n, first = walk_items(scene, first, last, rows)
        found.append(rows[:n])
    rows = found[0] if len(found) == 1 else np.concatenate(found)
    out = np.empty(len(rows), ROW)
    ptr = np.zeros(max(n_spans - span, 1) + 1, np.int64)
    sort_into(rows, len(rows), span * width_s, width_s, ptr, out)
    return span, ptr, out


def _pieces(rows: Rows, first_s: int, width_s: int, output: Output) -> list[Piece]:
    """Put a span's rows in order and turn them into pieces."""
    out = np.empty(len(rows), ROW)
    sort_into(rows, len(rows), first_s, 1, np.zeros(width_s + 1, np.int64), out)
    return [output.make(out[at : at + CHUNK]) for at in range(0, len(out), CHUNK)]


class _Books:
    """Writes pieces to the right files and counts what is in them."""

    def __init__(self, work: Path, settings: ScanSettings, texts: Texts, site_ids: Sequence[str]) -> None:
        self._work, self._settings, self._texts = work, settings, texts
        self.files: list[Path] = []
        self.rows, self._file_rows = 0, 0
        self.codes, self.damage = np.zeros(len(CODES), np.int64), np.zeros(9, np.int64)
        self._day = -1
        self._sites = pl.Series(site_ids, dtype=pl.String)
        self._table = (
            pq.ParquetWriter(work / "damage.parquet", DAMAGE_SCHEMA) if settings.damage_table else None
        )

    def write(self, output: Output, day: int, pieces: Sequence[Piece]) -> None:
        """Write pieces that belong to a day of the log."""
        settings = self._settings
        if not self.files or (settings.by_day and day != self._day):
            output.close()
            name = f"scans-{settings.first_day + timedelta(days=day)}" if settings.by_day else "scans"
            self.files.append(self._work / f"{name}.{output.suffix}")
            output.open(self.files[-1])
            self._day, self._file_rows = day, 0
        for piece in pieces:
            output.write(piece)
            if self._table is not None and len(piece.damaged):
                self._table.write_table(self._damaged(piece))
            self.rows += piece.lines
            self._file_rows += piece.lines
            self.codes += piece.codes
            self.damage += piece.damage

    def _damaged(self, piece: Piece) -> pa.Table:
        """Return the damaged rows of a piece."""
        rows = piece.damaged
        kinds = np.array([kind for kind, bit in DAMAGE.items() if bit < 8] + ["copied"])
        row = self._file_rows + piece.damaged_line + 1
        at_ms = first_midnight_ms(self._settings) + 1000 * rows["at"].astype(np.int64)
        columns = [
            [self.files[-1].name] * len(rows),
            pa.array(row, mask=piece.damaged_line < 0),
            item_texts(rows, self._texts),
            np.array(CODES)[rows["code"]],
            self._sites[row_sites(rows, self._texts)].to_list(),
            at_ms,
            kinds[np.log2(rows["flags"]).astype(np.int64)],
        ]
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=DAMAGE_SCHEMA)

    def close(self) -> None:
        """End the table of damaged rows."""
        if self._table is not None:
            self._table.close()
