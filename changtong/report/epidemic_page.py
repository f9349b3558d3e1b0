"""The page of epidemic control: sites by state on the map, and what is missing, settles, crosses and ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from changtong.epidemic.picture import Picture
from changtong.epidemic.reports import Report
from changtong.outages import Outage
from changtong.report.page import render_page
from changtong.report.plan_report import page_data
from changtong.report.projection import fit_conic
from changtong.report.texts import Both, Language, named, percent, same, text, whole
from changtong.written_files import write_beside

WIDE, PAD = 1000.0, 40.0
MOST_ROWS = 40
MOST_NAMED = 8
SETTLING = re.compile(r"静置 settling ([\d.]+)\+([\d.]+) h")
LABELLED = 25
SHAPES = ("M-4 0A4 4 0 1 1 4 0A4 4 0 1 1-4 0Z", "M0-9 8 6H-8Z", "M-7-7H7V7H-7Z", "M0-10 10 0 0 10-10 0Z")
"""By the strictness of a state: dot, triangle, square, diamond; told by shape and by colour."""


def write_epidemic_page(picture: Picture, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page.

    Parameters
    ----------
    picture : Picture
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    title = text("epidemic.title")
    view = _View(picture)
    context: dict[str, Any] = {
        "language": language,
        "name": picture.epidemic.name,
        "at": view.time(picture.at),
        "map": _map(picture),
        "legend": view.legend(),
        "not_open": view.not_open(),
        "parts": view.parts(),
        "data": page_data(title),
    }
    page = render_page(
        "epidemic.html.j2",
        styles=["style.css", "epidemic.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )
    return write_beside(Path(path), page)


Column = tuple[str, str, Callable[[Any], object] | None]


class _View:
    """What the page says, out of a picture."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.kinds = picture.epidemic.book.kinds.kinds
        self.zone = ZoneInfo(picture.epidemic.settings.zone)
        known = picture.network.sites
        columns = ["site_id", "name"]
        self.names: dict[str, str] = (
            dict(known.select(columns).drop_nulls().iter_rows()) if "name" in known.columns else {}
        )
        self.firms: dict[str, str] = dict(
            picture.epidemic.firms.select("firm_id", "name").drop_nulls().iter_rows()
        )
        self.names |= dict(picture.epidemic.sites.select(columns).drop_nulls().iter_rows())

    def time(self, at: datetime | None) -> str:
        """Say an instant in the zone of the folder."""
        return "–" if at is None else f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def state(self, state: str | None) -> Both:
        """Say a state."""
        return same("–") if state is None else Both(self.kinds[state].zh, self.kinds[state].en)

    def word(self, code: str) -> Both:
        """Say a code."""
        return named("epidemic_word", code)

    def table(self, frame: pl.DataFrame, columns: Sequence[Column], title: str = "") -> dict[str, Any]:
        """Return a table for the page: heads, rows as they are said, and how many are left out."""
        heads = [text(key) for _, key, _ in columns]
        words = [k for k, (_, _, say) in enumerate(columns) if say not in (whole, percent)]
        rows = [
            [self._cell(row[name], say) for name, _, say in columns]
            for row in frame.head(MOST_ROWS).iter_rows(named=True)
        ]
        said = text(title) if title else None
        made = {"title": said, "heads": heads, "rows": rows, "words": words, "kind": "stacked"}
        return made | {"left": max(frame.height - MOST_ROWS, 0)}

    def _cell(self, value: Any, say: Callable[[Any], object] | None) -> object:
        if say is not None:
            return say(value)
        if isinstance(value, datetime):
            return self.time(value)
        if isinstance(value, date):
            return value.isoformat()
        return "–" if value in (None, "") else value

    def legend(self) -> list[tuple[Markup, Both]]:
        """Return the states with their marks and counts."""
        counts = self.picture.reports["states"].facts["by_state"]
        made = []
        for kind in sorted(self.kinds.values(), key=lambda one: one.rank):
            drawn = _mark(0, 0, kind.rank, "")
            mark = f'<svg viewBox="-11 -11 22 22" class="epidemic-mark" aria-hidden="true">{drawn}</svg>'
            made.append(
                (Markup(mark), Both(f"{kind.zh} {counts[kind.state]}", f"{kind.en} {counts[kind.state]}"))
            )
        return made

    def not_open(self) -> dict[str, Any]:
        """Return the sites that are not open, the strictest first."""
        frame = self.picture.reports["states"].tables["states"].filter(pl.col("state") != "open")
        rank = {state: kind.rank for state, kind in self.kinds.items()}
        order = frame["state"].replace_strict(rank, return_dtype=pl.Int64, default=0)
        frame = frame.with_columns(order.alias("rank"), _site_name()).sort(
            "rank", "site_id", descending=[True, False]
        )
        columns: list[Column] = [
            ("site", "epidemic.site", None), ("state", "epidemic.state", self.state),
            ("from", "epidemic.from", self.time), ("until", "epidemic.until", self.time),
            ("reason", "epidemic.reason", None), ("next_state", "epidemic.next", self.state),
        ]  # fmt: skip
        return self.table(frame, columns, "epidemic.not_open")

    def parts(self) -> list[dict[str, Any]]:
        """Return the sections that there are tables for."""
        makers: list[tuple[str, Callable[[Report], dict[str, Any]]]] = [
            ("checklist", self._measures), ("settling", self._settling), ("crossings", self._crossings),
            ("inspections-due", self._due), ("passes", self._passes),
        ]  # fmt: skip
        made = [make(self.picture.reports[name]) for name, make in makers if name in self.picture.reports]
        lists = self._whitelists()
        return [self._outages(), *made, *([lists] if lists["tables"] else [])]

    def _part(self, title: str, tables: list[dict[str, Any]], said: Both | None = None) -> dict[str, Any]:
        return {"title": text(title), "tables": tables, "said": said, "notes": []}

    def _counted(self, counts: dict[str, int]) -> Both:
        said = [
            text("epidemic.by_state", state=self.word(state), count=count) for state, count in counts.items()
        ]
        return Both("；".join(one.zh for one in said) + "。", "; ".join(one.en for one in said) + ".")

    def _outages(self) -> dict[str, Any]:
        made = self.picture.outages
        rows = [
            {
                "label": self._limit(one),
                "share": "–" if one.capacity_share is None else percent(one.share_left),
                "hours": "–" if not one.extra_h else f"{one.extra_h:g}",
                "passes": "–" if one.passes_per_day is None else str(one.passes_per_day),
                "until": self.time(one.end),
            }
            for one in made.outages
        ]  # fmt: skip
        columns: list[Column] = [
            ("label", "epidemic.outage", None), ("share", "epidemic.share", None),
            ("hours", "epidemic.hours", None),
            ("passes", "epidemic.passes_day", None), ("until", "epidemic.until", None),
        ]  # fmt: skip
        schema: dict[str, Any] = dict.fromkeys(("share", "hours", "passes", "until"), pl.String)
        frame = pl.DataFrame(rows, {"label": pl.Object, **schema})
        part = self._part("epidemic.outages", [self.table(frame, columns)])
        return part | {"notes": list(made.notes)}

    def _limit(self, outage: Outage) -> Both:
        """Say a limit in each language: its label has both in one, and sites by their ids."""
        begins = {f"{kind.zh} {kind.en}": Both(kind.zh, kind.en) for kind in self.kinds.values()}
        head, _, rest = outage.label.partition(": ")
        if head in begins:
            places = [self.site(one) for one in outage.sites[:MOST_NAMED]]
            more = "" if len(outage.sites) <= MOST_NAMED else f" +{len(outage.sites) - MOST_NAMED}"
            return begins[head] + Both("：", ": ") + "、".join(places) + more
        if found := SETTLING.fullmatch(head):
            return text(
                "epidemic.settles", bag=found[1], item=found[2], sites="、".join(map(self.site, outage.sites))
            )
        if head == "通行证 passes":
            return text("epidemic.gate_of", name=self.gate(rest))
        return same(outage.label)

    def site(self, site: str) -> str:
        """Say a site by its name, with its id."""
        name = self.names.get(site)
        return f"{name} {site}" if name and name != site else site

    def place(self, row: dict[str, str | None]) -> str:
        """Say a zone of a site; a dash where there is none."""
        site, zone = row.values()
        return "–" if site is None else f"{self.site(site)} · {zone}"

    def holder(self, firm: str | None) -> str:
        """Say a firm by its name, where the whitelist has one."""
        return "–" if not firm else f"{self.firms[firm]} {firm}" if firm in self.firms else firm

    def gate(self, name: str) -> str:
        """Say gates by their names; several are joined by a plus."""
        return " + ".join(self.site(one) for one in name.split(" + "))

    def _measures(self, report: Report) -> dict[str, Any]:
        missing = report.tables["measures"].filter(pl.col("state") == "missing")
        said = pl.struct("zh", "en")
        columns: list[Column] = [
            ("site_id", "epidemic.site", self.site),
            ("said", "epidemic.measure", lambda row: Both(row["zh"], row["en"])),
            ("inspected_on", "epidemic.inspected", None),
        ]
        part = self._part(
            "epidemic.measures", [self.table(missing.with_columns(said.alias("said")), columns)]
        )
        never = report.tables["counts"].filter(pl.col("state") == "never_inspected")["site_id"].to_list()
        listed = ", ".join(never[:MOST_ROWS]) + (
            f" +{len(never) - MOST_ROWS}" if len(never) > MOST_ROWS else ""
        )
        return part | {"notes": [text("epidemic.never", sites=listed)] if never else []}

    def _settling(self, report: Report) -> dict[str, Any]:
        sites: list[Column] = [
            ("site_id", "epidemic.site", self.site), ("receptacles", "epidemic.bags", whole),
            ("items", "epidemic.items", whole), ("area_m2", "epidemic.area", whole),
            ("peak_m2", "epidemic.peak", whole), ("settling_m2", "epidemic.space", whole),
            ("short_m2", "epidemic.short", whole), ("violations", "epidemic.violations", whole),
        ]  # fmt: skip
        wrong: list[Column] = [
            ("id", "epidemic.thing", None), ("site_id", "epidemic.site", self.site),
            ("violation", "epidemic.violation", self.word), ("at", "epidemic.time", self.time),
            ("hours_short", "epidemic.hours_short", whole),
        ]  # fmt: skip
        tables = [
            self.table(report.tables["sites"], sites),
            self.table(report.tables["violations"], wrong, "epidemic.violations"),
        ]
        return self._part("epidemic.settling", tables) | {"notes": list(report.notes)}

    def _crossings(self, report: Report) -> dict[str, Any]:
        place, other = pl.struct("site_id", "zone"), pl.struct("other_site_id", "other_zone")
        frame = report.tables["crossings"].with_columns(place.alias("place"), other.alias("other"))
        columns: list[Column] = [
            ("person", "epidemic.person", None), ("crossing", "epidemic.crossing", self.word),
            ("place", "epidemic.where", self.place), ("other", "epidemic.against", self.place),
            ("from", "epidemic.from", self.time), ("until", "epidemic.until", self.time),
        ]  # fmt: skip
        return self._part("epidemic.crossings", [self.table(frame, columns)])

    def _due(self, report: Report) -> dict[str, Any]:
        frame = report.tables["months"].filter(pl.col("state") != "done").sort("due_on", "site_id")
        columns: list[Column] = [
            ("site_id", "epidemic.site", self.site), ("month", "epidemic.month", None),
            ("state", "epidemic.state", self.word), ("inspections", "epidemic.inspections", whole),
            ("due_on", "epidemic.due_on", None),
        ]  # fmt: skip
        said = self._counted(report.facts["by_state"])
        return self._part("epidemic.due", [self.table(frame, columns)], said)

    def _passes(self, report: Report) -> dict[str, Any]:
        gates: list[Column] = [
            ("name", "epidemic.gate", self.gate), ("passes", "epidemic.valid", whole),
            ("passes_per_day", "epidemic.passes_day", whole),
        ]  # fmt: skip
        use: list[Column] = [
            ("name", "epidemic.gate", self.gate), ("entering_pieces", "epidemic.pieces", whole),
            ("passes_used", "epidemic.used", whole), ("passes_valid", "epidemic.valid", whole),
            ("bottleneck", "epidemic.bottleneck", lambda so: text("epidemic.bottleneck") if so else "–"),
        ]  # fmt: skip
        ending: list[Column] = [
            ("pass_id", "epidemic.pass", None), ("holder", "epidemic.holder", self.holder),
            ("vehicle", "epidemic.vehicle", None), ("state", "epidemic.state", self.word),
            ("valid_until", "epidemic.until", self.time),
        ]  # fmt: skip
        twice: list[Column] = [
            ("vehicle", "epidemic.vehicle", None), ("pass_id", "epidemic.pass", None),
            ("other_pass_id", "epidemic.other", None), ("until", "epidemic.until", self.time),
        ]  # fmt: skip
        shown = (
            ("gates", "epidemic.gates", gates), ("use", "epidemic.use", use),
            ("ending", "epidemic.ending", ending), ("duplicates", "epidemic.duplicates", twice),
        )  # fmt: skip
        tables = [
            self.table(report.tables[name], columns, title)
            for name, title, columns in shown
            if name in report.tables
        ]
        return self._part("epidemic.passes", tables, self._counted(report.facts["by_state"]))

    def _whitelists(self) -> dict[str, Any]:
        tables = []
        reports = self.picture.reports
        if "firms" in reports:
            firms: list[Column] = [
                ("name", "epidemic.holder", None), ("state", "epidemic.state", self.word),
                ("valid_until", "epidemic.until", self.time), ("valid_passes", "epidemic.passes", whole),
            ]  # fmt: skip
            tables.append(self.table(reports["firms"].tables["firms"], firms, "epidemic.firms"))
        if "staff" in reports:
            staff: list[Column] = [
                ("site_id", "epidemic.site", self.site), ("may_work", "epidemic.staff_site", whole),
                ("needed", "epidemic.needed", whole),
                ("share", "epidemic.share", percent),
            ]  # fmt: skip
            tables.append(self.table(reports["staff"].tables["sites"], staff, "epidemic.staff"))
        return self._part("epidemic.whitelist", tables)


def _site_name() -> pl.Expr:
    return (
        pl.when(pl.col("name").is_null())
        .then(pl.col("site_id"))
        .otherwise(pl.concat_str("name", pl.lit(" "), "site_id", ignore_nulls=True))
        .alias("site")
    )


def _mark(x: float, y: float, rank: int, title: str) -> str:
    level = min(max(rank, 0), len(SHAPES) - 1)
    kind = "dot" if level == 0 else f"rank-{level}"
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<path class="{kind}" transform="translate({x:.1f} {y:.1f})" d="{SHAPES[level]}">{said}</path>'


def _map(picture: Picture) -> Markup | None:
    """Draw the network's sites by state; None where nothing has a position."""
    sites = picture.network.sites
    if not {"lon", "lat"} <= set(sites.columns):
        return None
    columns = ["site_id", "lon", "lat", *(["name"] if "name" in sites.columns else [])]
    known = sites.select(columns).drop_nulls(["lon", "lat"])
    if known.is_empty():
        return None
    lon, lat = (known[name].cast(pl.Float64).to_numpy() for name in ("lon", "lat"))
    x, y = fit_conic(lon, lat).project(lon, lat)
    span = max(float(np.ptp(x)), float(np.ptp(y)) * 1.4, 1.0)
    scale = (WIDE - 2 * PAD) / span
    high = max(float(np.ptp(y)) * scale + 2 * PAD, 160.0)
    left = (WIDE - float(np.ptp(x)) * scale) / 2
    xs, ys = (x - x.min()) * scale + left, (y - y.min()) * scale + PAD
    now = picture.epidemic.book.at(picture.at)
    kinds = picture.epidemic.book.kinds.kinds
    marks = []
    for row, px, py in zip(known.iter_rows(named=True), xs, ys, strict=True):
        site = str(row["site_id"])
        kind = kinds[now[site].state if site in now else "open"]
        name = str(row.get("name") or site)
        title = f"{name} ({site}): {kind.zh} {kind.en}"
        label = ""
        if kind.rank > 0 and len(now) <= LABELLED:
            at_end = px > WIDE * 0.75
            anchor, shift = ("end", -14) if at_end else ("start", 14)
            label = (
                f'<text x="{px + shift:.1f}" y="{py + 6:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
            )
        marks.append((kind.rank, _mark(px, py, kind.rank, title) + label))
    drawn = "".join(mark for _, mark in sorted(marks, key=lambda one: one[0]))
    said = escape(str(text("epidemic.map")))
    return Markup(
        f'<svg class="epidemic-map" viewBox="0 0 {WIDE:.0f} {high:.0f}" role="img" '
        f'aria-label="{said}">{drawn}</svg>'
    )
