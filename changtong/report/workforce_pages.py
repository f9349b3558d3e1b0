"""The pages of rosters (coverage, duties of people), workloads (fairness, moves), and hours beside limits."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from changtong.report.charts import draw_bar
from changtong.report.forecast_view import say_note
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, has_text, named, percent, same, text, whole
from changtong.workforce.hours import Hours
from changtong.workforce.roster_result import Roster
from changtong.workforce.workload import Workload

MOST_CHARTS = 12
MOST_PEOPLE = 60
MOST_ROWS = 300
MOST_TOLD = 60
MOST_WEEKS = 30
MOST_MARKS = 16
"""Days named under a chart."""

HEIGHT = 100


def write_roster_page(roster: Roster, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page of rosters.

    Parameters
    ----------
    roster : Roster
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    s = roster.summary()
    lines = [
        text(
            "workforce.head", name=s["name"], begin=s["begin"], end=s["end"], centres=s["centres"],
            days=whole(s["person_days"]), regular=whole(s["regular_days"]),
            temporary=whole(s["temporary_days"]),
        ),
        text(
            "workforce.proof", what=named("workforce_first", s["first"]), value=whole(s["objective"]),
            bound=whole(s["bound"]), gap=percent(s["gap"]),
        ),
        text("workforce.even", spread=s["spread_days"]),
    ]  # fmt: skip
    if not roster.complete:
        lines.append(
            text("workforce.lacking", pieces=whole(s["lacking_pieces"]), hours=whole(s["lacking_hours"]))
        )
    rules = s["rules"] | {"provenance": named("workforce_provenance", s["rules"]["provenance"])}
    lines.append(text("workforce.rules", **rules))
    lines += [say_note(note) for note in s["notes"]]
    shown = (
        roster.centres.sort("pieces", "site", descending=[True, False])["site"].head(MOST_CHARTS).to_list()
    )
    if roster.centres.height > MOST_CHARTS:
        lines.append(text("workforce.more", count=MOST_CHARTS))
    parts = {
        "tables": [_centres(roster), _under(roster)],
        "centres": [_centre(roster, site) for site in shown],
    }
    return _write(path, language, text("workforce.title"), lines, parts)


def _write(
    path: str | Path, language: Language, title: Both, lines: list[Both], parts: dict[str, Any]
) -> Path:
    data = page_data(title)
    page = render_page(
        "workforce.html.j2",
        styles=["style.css", "workforce.css"],
        scripts=["page.js", "stress.js"],
        context={"language": language, "title": title, "lines": lines, "data": data, **parts},
    )
    return write_page(path, page)


def _table(
    title: Both | None, heads: list[Both], rows: list[list[Any]], *, words: tuple[int, ...] = ()
) -> dict[str, Any]:
    """Return a table; ``words`` are the columns that hold words, not numbers."""
    return {"title": title, "heads": heads, "rows": rows, "words": words, "kind": "stacked"}


def _centres(roster: Roster) -> dict[str, Any]:
    heads = [
        text("workforce.centre"), text("workforce.status"), text("workforce.objective"),
        text("workforce.bound"),
        text("workforce.gap"), text("workforce.regular"), text("workforce.temporary"), text("workforce.use"),
        text("workforce.span"), text("workforce.lack"),
    ]  # fmt: skip
    said = {
        "optimal": text("workforce.optimal"),
        "feasible": text("workforce.feasible"),
        "lacking": text("workforce.short"),
    }
    rows = [
        [
            row["site"], said[row["status"]], whole(row["objective"]), whole(row["bound"]),
            percent(row["gap"]),
            whole(row["regular_days"]), whole(row["temporary_days"]), percent(row["use_share"]),
            f"{row['least_days']}–{row['most_days']}", whole(row["lacking_pieces"]),
        ]
        for row in roster.centres.iter_rows(named=True)
    ]  # fmt: skip
    return _table(None, heads, rows, words=(1,))


def _under(roster: Roster) -> dict[str, Any]:
    of_all = roster.tables["understaffing"].group_by("volume_factor").agg(
        pl.col("pieces").sum(), pl.col("late_pieces").sum()
    ).sort("volume_factor")  # fmt: skip
    rows = [
        [f"× {f:g}", whole(late), percent(late / all_) if all_ else "–"]
        for f, all_, late in of_all.iter_rows()
    ]
    heads = [text("workforce.factor"), text("workforce.late"), text("workforce.late_share")]
    return _table(text("workforce.under"), heads, rows) | {"kind": ""}


def _centre(roster: Roster, site: str) -> dict[str, Any]:
    hours = roster.tables["hours"].filter(pl.col("site") == site)
    people = roster.tables["people"].filter(pl.col("site") == site)["person_id"].head(MOST_PEOPLE).to_list()
    work = roster.tables["roster"].filter((pl.col("site") == site) & pl.col("person_id").is_in(people))
    days = sorted({*work["date"], *hours.filter(pl.col("hour") == 23)["date"]})
    duty = {(p, d): name for p, d, name in work.select("person_id", "date", "duty").iter_rows()}
    pieces, capacity = hours["pieces"].to_list(), hours["capacity_pieces"].to_list()
    marks = sorted(set(hours["date"]))
    to_come = [0.0] * (24 * len(marks) - len(pieces))  # whole days, as the marks under the chart
    every = 1 + len(marks) // MOST_MARKS
    return {
        "site": site,
        "chart": draw_coverage([*pieces, *to_come], [*capacity, *to_come], site),
        "peak": text("workforce.peak", pieces=whole(max([*pieces, 0.0])), can=whole(max([*capacity, 0.0]))),
        "marks": [f"{day:%m-%d}" if k % every == 0 else "" for k, day in enumerate(marks)],
        "matrix_title": text("workforce.matrix", shown=len(people)),
        "shifts": text("workforce.shifts", shifts=_shifts(roster)),
        "matrix": {
            "heads": [text("workforce.person"), *map(day_head, days)],
            "rows": [[person, *(duty.get((person, day)) or OFF for day in days)] for person in people],
            "kind": "duties",
        },
    }  # fmt: skip


OFF = Markup("<small>·</small>")
"""A day without a duty."""


def day_head(day: date) -> Both:
    """Return a day with its day of the week, over a column of a matrix.

    Parameters
    ----------
    day : date
    """
    week = text("workforce.weekdays")
    return Both(f"{day:%m-%d} {week.zh[day.weekday()]}", f"{day:%m-%d} {week.en.split()[day.weekday()]}")


def _shifts(roster: Roster) -> str:
    """Say the shifts with their hours: what their ids mean."""
    return ", ".join(f"{one.id} {_clock(one.start_h)}–{_clock(one.end_h)}" for one in roster.rules.shifts)


def _clock(hour: float) -> str:
    minutes = round(60 * hour) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def draw_coverage(pieces: list[float], capacity: list[float], name: str) -> Markup:
    """Draw pieces that come in as bars and what can be sorted as a line, hour by hour.

    Parameters
    ----------
    pieces, capacity : list of float
        By hour.
    name : str
        Read out by screen readers.
    """
    top = max([*pieces, *capacity, 1.0])
    scale = HEIGHT * 0.96 / top
    bars = "".join(f"M{t} {HEIGHT}v{-p * scale:.1f}h1V{HEIGHT}z" for t, p in enumerate(pieces) if p > 0)
    line = "M0 " + "".join(f"{HEIGHT - c * scale:.1f}H{t + 1}V" for t, c in enumerate(capacity))
    line = line.rstrip("V").replace("M0 ", "M0 ", 1)
    days = "".join(f"M{t} 0V{HEIGHT}" for t in range(0, len(pieces) + 1, 24))
    return Markup(
        f'<svg class="coverage" viewBox="0 0 {max(1, len(pieces))} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{{}}"><path class="day" d="{days}"/><path class="in" d="{bars}"/>'
        f'<path class="can" d="{line}"/></svg>'
    ).format(name)


def write_workload_page(made: Workload, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page of workloads.

    Parameters
    ----------
    made : Workload
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    s = made.summary()
    lines = [
        text(
            "workforce.head_load", name=s["name"], begin=s["begin"], end=s["end"], outlets=s["outlets"],
            couriers=s["couriers"], outliers=s["outliers"],
        )
    ]  # fmt: skip
    if made.outlets.height > MOST_TOLD:
        lines.append(text("workforce.shown", shown=MOST_TOLD, total=made.outlets.height, file="outlets.csv"))
    known = made.couriers.drop_nulls("pieces_per_day")
    loads = {
        outlet: part["pieces_per_day"].to_list()
        for (outlet,), part in known.partition_by("outlet", as_dict=True).items()
    }
    most = max([1.0, *known["pieces_per_day"]])
    outlets = [
        [r["outlet"], r["couriers"], whole(r["median_pieces_per_day"]), f"{r['gini']:.3f}",
         f"{r['jain']:.3f}",
         "–" if r["most_to_median"] is None else f"{r['most_to_median']:.2f}", f"{r['gini_after']:.3f}",
         draw_strip(loads.get(r["outlet"], []), most, r["median_pieces_per_day"])]
        for r in made.outlets.head(MOST_TOLD).iter_rows(named=True)
    ]  # fmt: skip
    heads = [
        text("workforce.outlet"), text("workforce.couriers"), text("workforce.median"),
        text("workforce.gini"),
        text("workforce.jain"), text("workforce.most"), text("workforce.after"), text("workforce.strip"),
    ]  # fmt: skip
    kinds = {"high": text("workforce.high"), "low": text("workforce.low")}
    off = made.couriers.filter(pl.col("outlier").is_not_null()).head(MOST_ROWS)
    outliers = [
        [r["outlet"], r["courier"], kinds[r["outlier"]], Both(r["reasons_zh"], r["reasons_en"])]
        for r in off.iter_rows(named=True)
    ]
    off_heads = [
        text("workforce.outlet"), text("workforce.courier"), text("workforce.kind"), text("workforce.reasons")
    ]  # fmt: skip
    moves = [
        [r["outlet"], r["area"], whole(r["pieces_per_day"]), r["from_courier"], r["to_courier"]]
        for r in made.moves.head(MOST_ROWS).iter_rows(named=True)
    ]
    move_heads = [
        text("workforce.outlet"), text("workforce.area"), text("workforce.pieces"), text("workforce.from"),
        text("workforce.to"),
    ]  # fmt: skip
    tables = [
        _table(text("workforce.even_loads"), heads, outlets)
        | {"note": text("workforce.even_note", most=whole(most))},
        _table(text("workforce.outliers"), off_heads, outliers, words=(1, 2, 3))
        | {"note": text("workforce.outliers_note")},
        _table(text("workforce.moves"), move_heads, moves, words=(1, 3, 4)),
    ]
    tables = [one for one in tables if one["rows"]]
    return _write(path, language, text("workforce.title_load"), lines, {"tables": tables, "centres": []})


def draw_strip(values: list[float], most: float, middle: float | None) -> Markup:
    """Draw each courier's load as a line on one scale, the median as a thick one; for a table cell.

    Parameters
    ----------
    values : list of float
    most : float
        The end of the scale.
    middle : float or None
    """
    ones = "".join(f"M{100 * value / most:.1f} 2V10" for value in values)
    thick = "" if middle is None else f'<path class="middle" d="M{100 * middle / most:.1f} 0V12"/>'
    return Markup(
        '<svg class="strip" viewBox="-1 0 102 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="base" d="M0 6H100"/><path class="one" d="{ones}"/>{thick}</svg>'
    )


def write_hours_page(made: Hours, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page of hours and rest beside limits.

    Parameters
    ----------
    made : Hours
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    s, limits = made.summary(), made.limits
    lines = [
        text(
            "workforce.head_hours", name=s["name"], people=s["people"], records=whole(s["records"]),
            breaches=s["breaches"], broken=s["people_in_breach"], notices=s["notices"],
        ),
        text(
            "workforce.limits", id=limits.id, version=limits.version, zone=limits.zone,
            provenance=named("workforce_provenance", limits.provenance),
        ),
    ]  # fmt: skip
    if made.merged:
        lines.append(text("workforce.merged", count=made.merged))
    if made.breaches.is_empty():
        lines.append(text("workforce.none_broken"))
    tables = [_by_person(made), _broken(made), _weeks(made)]
    title = text("workforce.title_hours")
    return _write(path, language, title, lines, {"tables": [one for one in tables if one], "centres": []})


def _by_person(made: Hours) -> dict[str, Any] | None:
    """Return who breaks which limit how often, and by how much at worst: the most frequent first."""
    if made.breaches.is_empty():
        return None
    rest = pl.col("kind").str.contains("rest")
    table = (
        _told_once(made.breaches)
        .group_by("person_id", "severity", "kind", "limit_h", "law", "article", "provenance")
        .agg(
            pl.len().alias("times"),
            pl.when(rest).then(pl.col("hours").min()).otherwise(pl.col("hours").max()).first().alias("worst"),
            pl.col("period").min().alias("first"), pl.col("period").max().alias("last"),
        )
        .sort(
            pl.col("severity") != "breach", "times", "person_id", "kind",
            descending=[False, True, False, False],
        )
    )  # fmt: skip
    rows = [
        [
            r["person_id"], _severity(r["severity"]), named("workforce_kind", r["kind"]), whole(r["times"]),
            f"{r['worst']:.1f}", f"{r['limit_h']:g}", _period(r["first"]), _period(r["last"]), _law(r),
        ]
        for r in table.head(MOST_TOLD).iter_rows(named=True)
    ]  # fmt: skip
    heads = [
        text("workforce.person_code"), text("workforce.severity"), text("workforce.kind_hours"),
        text("workforce.times"), text("workforce.worst"), text("workforce.limit"), text("workforce.first"),
        text("workforce.last"), text("workforce.law"),
    ]  # fmt: skip
    note = text("workforce.by_person_note")
    if table.height > MOST_TOLD:
        more = text("workforce.shown", shown=MOST_TOLD, total=table.height, file="breaches.csv")
        note = Both(note.zh + more.zh, f"{note.en} {more.en}")
    return _table(text("workforce.by_person"), heads, rows, words=(1, 2, 6, 7, 8)) | {"note": note}


def _severity(name: str) -> Markup:
    cls = "tag-assumed" if name == "breach" else "tag-derived"
    return Markup('<span class="tag {}">{}</span>').format(cls, escape(named("workforce_severity", name)))


def _period(period: str) -> Both:
    """Say a day or a month as it is, a week by its Monday."""
    return text("workforce.week_of", day=period.removesuffix(" …")) if period.endswith("…") else same(period)


def _broken(made: Hours) -> dict[str, Any] | None:
    told = _told_once(made.breaches)
    heads = [
        text("workforce.person_code"), text("workforce.severity"), text("workforce.kind_hours"),
        text("workforce.period"), text("workforce.hours"), text("workforce.limit"), text("workforce.law"),
    ]  # fmt: skip
    rows = [
        [
            r["person_id"], _severity(r["severity"]), named("workforce_kind", r["kind"]),
            _period(r["period"]), f"{r['hours']:.1f}", f"{r['limit_h']:g}", _law(r),
        ]
        for r in told.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    if not rows:
        return None
    shown = text("workforce.each", shown=len(rows), total=told.height)
    return _table(text("workforce.breaches"), heads, rows, words=(1, 2, 3, 6)) | {"more": shown}


def _told_once(breaches: pl.DataFrame) -> pl.DataFrame:
    """Leave notices out where the same person breaks a harder limit of the kind in the same span."""
    what = ["person_id", "kind", "period"]
    broken = breaches.filter(pl.col("severity") == "breach").select(what).unique()
    notices = breaches.filter(pl.col("severity") != "breach").join(broken, on=what, how="anti")
    return pl.concat([breaches.filter(pl.col("severity") == "breach"), notices])


def _law(row: dict[str, Any]) -> Both:
    if not row["law"]:
        return named("workforce_provenance", row["provenance"])
    code = row["law"].lower().replace(" ", "-")
    law = named("workforce_law", code) if has_text(f"workforce_law.{code}") else same(row["law"])
    return Both(f"{law.zh}第 {row['article']} 条", f"{law.en} art. {row['article']}")


def _weeks(made: Hours) -> dict[str, Any] | None:
    heads = [
        text("workforce.person_code"), text("workforce.week"), text("workforce.hours"),
        text("workforce.overtime"), text("workforce.rest"), text("workforce.bar"),
    ]  # fmt: skip
    longest = made.weeks.sort("hours", "person_id", descending=[True, False]).head(MOST_WEEKS)
    most = max([1.0, *longest["hours"]])
    rows = [
        [
            r["person_id"],
            str(r["week"]),
            f"{r['hours']:.1f}",
            f"{r['overtime_h']:.1f}",
            "–" if r["longest_rest_h"] is None else f"{r['longest_rest_h']:.1f}",
            draw_bar(r["hours"] / most, "high" if r["overtime_h"] > 0 else "mid"),
        ]
        for r in longest.to_dicts()
    ]
    part = _table(text("workforce.weeks"), heads, rows, words=(1,))
    if made.weeks.height > MOST_WEEKS:
        note = text("workforce.shown", shown=MOST_WEEKS, total=made.weeks.height, file="weeks.csv")
        part |= {"note": note}
    return part if rows else None
