"""Orders to the sites: a CSV for systems and Excel, and sheets to print, one per site."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from changtong.report.page import render_page
from changtong.report.plan_report import check_options, first_start, say_time
from changtong.report.plan_view import PlanLike, plan_number, site_names
from changtong.report.texts import Both, Language, named, same, text, whole

ACTIONS = ("stop", "send", "extra-trip", "hold", "resume")
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = (
    "plan_id", "valid_from", "site", "site_name", "action", "action_zh", "destination", "destination_name",
    "service_class", "next_site", "next_site_name", "pieces", "trips", "from_h",
    "note_code", "note_zh", "note_en",
)  # fmt: skip
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
    one A4 sheet per site in Chinese and English, and a switch to one of them.

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
    page.write_text(render_orders(plan, language=language, start=start), encoding="utf-8", newline="\n")
    return table, page


def orders_table(plan: PlanLike, start: datetime | None) -> pl.DataFrame:
    """Return the orders with names, plan number and both languages, safe to open in Excel."""
    names = site_names(plan.network)
    known = pl.DataFrame(
        {"id": list(names), "name": list(names.values())}, schema={"id": pl.String, "name": pl.String}
    )
    frame = _with_class(plan.orders).with_columns(
        pl.col("site", "destination", "next_site", "action", "note_code").cast(pl.String),
        pl.col("pieces").round(3),
    )
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
        action_zh=said("action", "action", "zh"),
        note_zh=said("note_code", "note", "zh"),
        note_en=said("note_code", "note", "en"),
    ).select(CSV_COLUMNS)
    return frame.with_columns(_defuse(column) for column, kind in frame.schema.items() if kind == pl.String)


def _with_class(orders: pl.DataFrame) -> pl.DataFrame:
    """Orders with the class they are for; null where they are for all."""
    if "service_class" not in orders.columns:
        return orders.with_columns(pl.lit(None, pl.String).alias("service_class"))
    return orders.with_columns(pl.col("service_class").cast(pl.String))


def _defuse(column: str) -> pl.Expr:
    risky = pl.col(column).str.slice(0, 1).is_in(list(FORMULA_SIGNS))
    return pl.when(risky).then("'" + pl.col(column)).otherwise(pl.col(column)).alias(column)


def render_orders(plan: PlanLike, *, language: Language = "zh", start: datetime | None = None) -> str:
    """Return the sheets as one page; it has no script at all."""
    sheets = site_sheets(plan, start)
    context = {
        "language": language,
        "plan_name": plan.name,
        "plan_number": plan_number(plan),
        "network_name": plan.network.name,
        "valid_from": None if start is None else say_time(start),
        "sheets": sheets,
        "count": text("sheet.count", sites=whole(len(sheets)), orders=whole(len(plan.orders))),
    }
    return render_page("orders.html.j2", styles=["orders.css"], scripts=[], context=context)


def site_sheets(plan: PlanLike, start: datetime | None) -> list[Row]:
    """Return one sheet per site that has orders, in the order of the network's sites."""
    names = site_names(plan.network)
    orders = _with_class(plan.orders).with_columns(
        pl.col("site", "destination", "next_site", "action", "note_code").cast(pl.String)
    )
    groups = orders.group_by("site", "action", "next_site", "from_h", "note_code", maintain_order=True).agg(
        pl.col("destination").drop_nulls(),
        pl.col("service_class").filter(pl.col("destination").is_not_null()),
        pl.col("pieces").alias("each"),
        pl.col("pieces", "trips").sum().name.suffix("_sum"),
    )
    by_site: dict[str, list[Row]] = {}
    for row in groups.iter_rows(named=True):
        by_site.setdefault(row["site"], []).append(row)
    kinds = dict(zip(names, _kinds(plan), strict=True))
    sheets = []
    for number, (site, name) in enumerate(names.items(), start=1):
        if site not in by_site:
            continue
        blocks = _blocks(by_site[site], names, start)
        sheets.append(
            {
                "anchor": f"site-{number}",
                "id": site,
                "name": name,
                "kind": kinds[site],
                "blocks": blocks,
                "has_trips": any(block["has_trips"] for block in blocks),
                "orders": sum(max(1, len(row["destination"])) for row in by_site[site]),
            }
        )
    return sheets


def _kinds(plan: PlanLike) -> list[Both]:
    sites = plan.network.sites
    if "kind" not in sites.columns:
        return [same("")] * len(sites)
    return [named("kind", kind) if kind else same("") for kind in sites["kind"].cast(pl.String).to_list()]


def _blocks(rows: list[Row], names: dict[str, str], start: datetime | None) -> list[Row]:
    """Group a site's rows by action; within one, the largest first."""
    blocks = []
    codes = [*ACTIONS, *dict.fromkeys(row["action"] for row in rows if row["action"] not in ACTIONS)]
    for code in codes:
        mine = [row for row in rows if row["action"] == code]
        if not mine:
            continue
        mine.sort(key=lambda row: (-(row["pieces_sum"] or 0.0), row["next_site"] or ""))
        lines = [
            {
                "next": None if row["next_site"] is None else names.get(row["next_site"], row["next_site"]),
                "destinations": [
                    names.get(site, site) + (f" ({kind})" if kind else "")
                    for site, kind in zip(row["destination"], row["service_class"], strict=True)
                ],
                "pieces": whole(row["pieces_sum"]) if row["pieces_sum"] else "–",
                "trips": whole(row["trips_sum"]) if row["trips_sum"] else "–",
                "from": _say_from(row["from_h"], start),
                "why": named("note", row["note_code"]) if row["note_code"] else same(""),
            }
            for row in mine
        ]
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


def _say_from(hours: float | None, start: datetime | None) -> Both:
    if not hours:
        return text("sheet.at_once") if start is None else same(f"{start:%m-%d %H:%M}")
    if start is None:
        return text("sheet.hours_later", hours=f"{hours:g}")
    return same(f"{start + timedelta(hours=hours):%m-%d %H:%M}")
