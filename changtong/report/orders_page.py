"""Orders to the sites: a CSV for systems and Excel, and sheets to print, one per site.

Up to `SHEETS_ON_ONE_PAGE` sheets stand on one page. Above that ``orders.html`` is an index
and each site has a page of its own, which can be sent to it alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from changtong.report.page import render_page
from changtong.report.plan_report import check_options, first_end, first_start, say_time
from changtong.report.plan_tables import say_cause
from changtong.report.plan_view import PlanLike, plan_number, site_names
from changtong.report.texts import Both, Language, named, same, text, whole
from changtong.spreadsheets import without_formulas

ACTIONS = ("stop", "send", "extra-trip", "hold", "resume")
CSV_COLUMNS = (
    "plan_id", "valid_from", "valid_until", "site", "site_name", "action", "action_zh", "destination",
    "destination_name", "service_class", "next_site", "next_site_name", "pieces", "trips", "leg_pieces",
    "leg_trips", "from_h", "note_code", "note_zh", "note_en", "blocked_by",
)  # fmt: skip
FURTHER = {
    "service_class": pl.String, "leg_pieces": pl.Float64, "leg_trips": pl.Int64, "blocked_by": pl.String,
}  # fmt: skip
"""Columns of orders that a plan may lack."""

SHEETS_ON_ONE_PAGE = 200
SHEET_FOLDER = "order-sheets"
Row = dict[str, Any]


def write_orders(
    plan: PlanLike,
    folder: Path | str,
    *,
    language: Language = "zh",
    valid_from: datetime | None = None,
) -> tuple[Path, Path]:
    """Write ``orders.csv`` and ``orders.html`` into a folder.

    The CSV is UTF-8 with a byte order mark, so that Excel opens Chinese names rightly;
    a text that Excel would run as a formula gets an apostrophe before it. The page has
    one A4 sheet per site in Chinese and English, and a switch to one of them; with more
    than `SHEETS_ON_ONE_PAGE` sites it is an index to one page each in ``order-sheets``.

    Parameters
    ----------
    plan : Plan
        The plan; its ``orders`` have one row per thing a site must do.
    folder : path-like
        Made where needed; files of these names are replaced.
    language : {"zh", "en"}
        Named first on the sheets.
    valid_from : datetime, optional
        When the orders take effect, with a time zone; the start of the first outage
        where not given, a line to fill in where that is unknown.

    Returns
    -------
    tuple of Path
        The CSV and the page.

    Raises
    ------
    UsageError
        For an unknown language or a time without a zone.

    """
    check_options(language, valid_from)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = valid_from or first_start(plan)
    table, page = folder / "orders.csv", folder / "orders.html"
    table.write_bytes(b"\xef\xbb\xbf" + orders_table(plan, start).write_csv().encode("utf-8"))
    sheets = site_sheets(plan, start)
    context = _context(plan, language, start, sheets)
    if len(sheets) > SHEETS_ON_ONE_PAGE:
        _write_sheets(folder / SHEET_FOLDER, context, sheets)
        context |= {"pages": [f"{SHEET_FOLDER}/{sheet['file']}" for sheet in sheets]}
    page.write_text(_render(context), encoding="utf-8", newline="\n")
    return table, page


def _write_sheets(folder: Path, context: Row, sheets: list[Row]) -> None:
    folder.mkdir(exist_ok=True)
    for sheet in sheets:
        page = _render(context | {"sheets": [sheet], "alone": True})
        (folder / sheet["file"]).write_text(page, encoding="utf-8", newline="\n")


def _render(context: Row) -> str:
    return render_page("orders.html.j2", styles=["orders.css"], scripts=[], context=context)


def orders_table(plan: PlanLike, start: datetime | None) -> pl.DataFrame:
    """Return the orders with names, plan number and both languages, safe to open in Excel."""
    names, end = site_names(plan.network), first_end(plan)
    known = pl.DataFrame(
        {"id": list(names), "name": list(names.values())}, schema={"id": pl.String, "name": pl.String}
    )
    frame = _orders_as_text(plan).with_columns(pl.col("pieces", "leg_pieces").round(3))
    for column in ("site", "destination", "next_site"):
        frame = frame.join(
            known.rename({"id": column, "name": f"{column}_name"}),
            on=column,
            how="left",
            maintain_order="left",
        )

    def said(column: str, section: str, language: Language) -> pl.Expr:
        codes = frame[column].drop_nulls().unique().to_list()
        words = {code: named(section, code).said_in(language) for code in codes}
        return pl.col(column).replace_strict(words, default=None, return_dtype=pl.String)

    frame = frame.with_columns(
        plan_id=pl.lit(plan_number(plan)),
        valid_from=pl.lit("" if start is None else start.isoformat(timespec="minutes")),
        valid_until=pl.lit("" if end is None else end.isoformat(timespec="minutes")),
        action_zh=said("action", "action", "zh"),
        note_zh=said("note_code", "note", "zh"),
        note_en=said("note_code", "note", "en"),
    ).select(CSV_COLUMNS)
    return without_formulas(frame)


def _orders_as_text(plan: PlanLike) -> pl.DataFrame:
    """Return the orders with every column, codes and ids as text."""
    lacking = [
        pl.lit(None, kind).alias(name) for name, kind in FURTHER.items() if name not in plan.orders.columns
    ]
    return plan.orders.with_columns(lacking).with_columns(
        pl.col("site", "destination", "next_site", "action", "note_code", "service_class", "blocked_by").cast(
            pl.String
        )
    )


def render_orders(plan: PlanLike, *, language: Language = "zh", start: datetime | None = None) -> str:
    """Return the sheets as one page; it has no script at all."""
    return _render(_context(plan, language, start, site_sheets(plan, start)))


def _context(plan: PlanLike, language: Language, start: datetime | None, sheets: list[Row]) -> Row:
    end = first_end(plan)
    return {
        "language": language,
        "plan_name": plan.name,
        "plan_number": plan_number(plan),
        "network_name": plan.network.name,
        "outages": "；".join(dict.fromkeys(str(outage.label) for outage in plan.outages)),
        "valid_from": None if start is None else say_time(start),
        "valid_until": None if end is None else say_time(end),
        "sheets": sheets,
        "pages": [],
        "alone": False,
        "count": text("sheet.count", sites=whole(len(sheets)), orders=whole(len(plan.orders))),
    }


def site_sheets(plan: PlanLike, start: datetime | None) -> list[Row]:
    """Return one sheet per site that has orders, in the order of the network's sites."""
    names = site_names(plan.network)
    keys = ("site", "action", "service_class", "next_site", "from_h", "note_code", "blocked_by")
    groups = (
        _orders_as_text(plan)
        .group_by(*keys, maintain_order=True)
        .agg(
            pl.col("destination").drop_nulls(),
            pl.col("pieces").alias("each"),
            pl.col("pieces", "trips", "leg_pieces", "leg_trips").sum().name.suffix("_sum"),
        )
    )
    by_site: dict[str, list[Row]] = {}
    for row in groups.iter_rows(named=True):
        by_site.setdefault(row["site"], []).append(row)
    words = _Words(names, _class_names(plan), start)
    kinds = dict(zip(names, _kinds(plan), strict=True))
    loads = {str(row[0]): row[1:] for row in plan.site_loads.select(LOADS).iter_rows()}
    sheets = []
    for number, (site, name) in enumerate(names.items(), start=1):
        if site not in by_site:
            continue
        blocks = _blocks(by_site[site], words)
        before, after, most = loads.get(site, (None, None, None))
        sheets.append(
            {
                "anchor": f"site-{number}",
                "file": sheet_file(number, site),
                "id": site,
                "name": name,
                "kind": kinds[site],
                "blocks": blocks,
                "has_trips": any(block["has_trips"] for block in blocks),
                "orders": sum(max(1, len(row["destination"])) for row in by_site[site]),
                "handles": (whole(before), whole(after), whole(most)),
            }
        )
    return sheets


def sheet_file(number: int, site: str) -> str:
    """Return the file name of a site's sheet: its number, and what of its id any system can name."""
    return f"{number:05d}-{re.sub(r'[^A-Za-z0-9]+', '-', site).strip('-') or 'site'}.html"


LOADS = ("site_id", "baseline_pieces", "planned_pieces", "capacity_pieces")


@dataclass(frozen=True)
class _Words:
    """What the lines of a sheet are said with."""

    names: dict[str, str]
    classes: dict[str, Both]
    start: datetime | None


def _class_names(plan: PlanLike) -> dict[str, Both]:
    found = {}
    for row in plan.network.service_classes.iter_rows(named=True):
        name = row.get("name") or row["service_class"]
        found[str(row["service_class"])] = Both(zh=row.get("name_zh") or name, en=name)
    return found


def _kinds(plan: PlanLike) -> list[Both]:
    sites = plan.network.sites
    if "kind" not in sites.columns:
        return [same("")] * len(sites)
    return [named("kind", kind) if kind else same("") for kind in sites["kind"].cast(pl.String).to_list()]


def _blocks(rows: list[Row], words: _Words) -> list[Row]:
    """Group a site's rows by action; within one, the largest first."""
    blocks = []
    codes = [*ACTIONS, *dict.fromkeys(row["action"] for row in rows if row["action"] not in ACTIONS)]
    for code in codes:
        mine = [row for row in rows if row["action"] == code]
        if not mine:
            continue
        mine.sort(key=lambda row: (-(row["pieces_sum"] or 0.0), row["next_site"] or ""))
        lines = [_line(code, row, words) for row in mine]
        known = code in ACTIONS
        total = sum(row["pieces_sum"] or 0.0 for row in mine)
        blocks.append(
            {
                "style": code if known else "other",
                "title": text(f"sheet.{code}_head") if known else text("sheet.other_head") + f": {code}",
                "lines": lines,
                "has_trips": any(line["trips"] != "–" for line in lines),
                "total": whole(total) if len(lines) > 1 and total else None,
            }
        )
    return blocks


def _line(code: str, row: Row, words: _Words) -> Row:
    names, pieces = words.names, row["each"]
    places = [names.get(site, site) for site in row["destination"]]
    if code == "hold" and len(places) > 1:
        # a site must know how much of each to keep back: it may be a part of what it has
        places = [f"{name} {whole(each)}" for name, each in zip(places, pieces, strict=True)]
    why = named("note", row["note_code"]) if row["note_code"] else same("")
    if row["blocked_by"]:
        cause = say_cause(row["blocked_by"], names)
        why = Both(zh=f"{why.zh}：{cause}", en=f"{why.en}: {cause}")
    trips = row["trips_sum"]
    whole_leg = same("")
    if row["leg_trips_sum"]:
        whole_leg = text(
            "sheet.leg_total", trips=whole(row["leg_trips_sum"]), pieces=whole(row["leg_pieces_sum"])
        )
    return {
        "next": None if row["next_site"] is None else names.get(row["next_site"], row["next_site"]),
        "destinations": places,
        "class": words.classes.get(row["service_class"] or "", same(row["service_class"] or "")),
        "pieces": whole(row["pieces_sum"]) if row["pieces_sum"] else "–",
        "trips": (f"+{trips:,.0f}" if trips > 0 else f"−{-trips:,.0f}") if trips else "–",
        "leg": whole_leg,
        "from": _say_from(row["from_h"], words.start),
        "why": why,
    }


def _say_from(hours: float | None, start: datetime | None) -> Both:
    if not hours:
        return text("sheet.at_once") if start is None else same(f"{start:%m-%d %H:%M}")
    if start is None:
        return text("sheet.hours_later", hours=f"{hours:g}")
    return same(f"{start + timedelta(hours=hours):%m-%d %H:%M}")
