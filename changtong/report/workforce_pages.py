"""The pages of rosters (coverage, duties of people), workloads (fairness, moves), and hours beside limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

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
        text("workforce.proof", value=whole(s["objective"]), bound=whole(s["bound"]), gap=percent(s["gap"])),
        text("workforce.even", spread=s["spread_days"]),
    ]  # fmt: skip
    if not roster.complete:
        lines.append(
            text("workforce.lacking", pieces=whole(s["lacking_pieces"]), hours=whole(s["lacking_hours"]))
        )
    lines.append(text("workforce.rules", **s["rules"]))
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


def _table(title: Both | None, heads: list[Both], rows: list[list[Any]], *, numbers: bool) -> dict[str, Any]:
    return {"title": title, "heads": heads, "rows": rows, "numbers": numbers}


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
    return _table(None, heads, rows, numbers=True)


def _under(roster: Roster) -> dict[str, Any]:
    of_all = roster.tables["understaffing"].group_by("volume_factor").agg(
        pl.col("pieces").sum(), pl.col("late_pieces").sum()
    ).sort("volume_factor")  # fmt: skip
    rows = [
        [f"× {f:g}", whole(late), percent(late / all_) if all_ else "–"]
        for f, all_, late in of_all.iter_rows()
    ]
    heads = [text("workforce.factor"), text("workforce.late"), same("%")]
    return _table(text("workforce.under"), heads, rows, numbers=True)


def _centre(roster: Roster, site: str) -> dict[str, Any]:
    hours = roster.tables["hours"].filter(pl.col("site") == site)
    people = roster.tables["people"].filter(pl.col("site") == site)["person_id"].head(MOST_PEOPLE).to_list()
    work = roster.tables["roster"].filter((pl.col("site") == site) & pl.col("person_id").is_in(people))
    days = sorted({*work["date"], *hours.filter(pl.col("hour") == 23)["date"]})
    duty = {(p, d): name for p, d, name in work.select("person_id", "date", "duty").iter_rows()}
    return {
        "site": site,
        "chart": draw_coverage(hours["pieces"].to_list(), hours["capacity_pieces"].to_list(), site),
        "matrix_title": text("workforce.matrix", shown=len(people)),
        "days": [f"{day:%m-%d}" for day in days],
        "people": [(person, [duty.get((person, day)) for day in days]) for person in people],
    }


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
    outlets = [
        [r["outlet"], r["couriers"], whole(r["median_pieces_per_day"]), f"{r['gini']:.3f}",
         f"{r['jain']:.3f}",
         "–" if r["most_to_median"] is None else f"{r['most_to_median']:.2f}", f"{r['gini_after']:.3f}"]
        for r in made.outlets.head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    heads = [
        text("workforce.outlet"), text("workforce.couriers"), text("workforce.median"),
        text("workforce.gini"),
        text("workforce.jain"), text("workforce.most"), text("workforce.after"),
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
        _table(None, heads, outlets, numbers=True),
        _table(text("workforce.outliers"), off_heads, outliers, numbers=False),
        _table(text("workforce.moves"), move_heads, moves, numbers=False),
    ]
    return _write(path, language, text("workforce.title_load"), lines, {"tables": tables, "centres": []})


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
    for name, frame in (("breaches.csv", made.breaches), ("weeks.csv", made.weeks)):
        if frame.height > MOST_ROWS:
            lines.append(text("workforce.shown", shown=MOST_ROWS, total=frame.height, file=name))
    tables = [_broken(made), _weeks(made)]
    title = text("workforce.title_hours")
    return _write(path, language, title, lines, {"tables": [one for one in tables if one], "centres": []})


def _broken(made: Hours) -> dict[str, Any] | None:
    heads = [
        text("workforce.person_code"), text("workforce.severity"), text("workforce.kind_hours"),
        text("workforce.period"), text("workforce.hours"), text("workforce.limit"), text("workforce.law"),
    ]  # fmt: skip
    rows = [
        [
            r["person_id"], named("workforce_severity", r["severity"]), named("workforce_kind", r["kind"]),
            r["period"], f"{r['hours']:.1f}", f"{r['limit_h']:g}", _law(r),
        ]
        for r in _told_once(made.breaches).head(MOST_ROWS).iter_rows(named=True)
    ]  # fmt: skip
    return _table(text("workforce.breaches"), heads, rows, numbers=False) if rows else None


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
        text("workforce.overtime"), text("workforce.rest"),
    ]  # fmt: skip
    rows = [
        [
            r["person_id"],
            str(r["week"]),
            f"{r['hours']:.1f}",
            f"{r['overtime_h']:.1f}",
            "–" if r["longest_rest_h"] is None else f"{r['longest_rest_h']:.1f}",
        ]
        for r in made.weeks.sort("hours", "person_id", descending=[True, False]).head(MOST_ROWS).to_dicts()
    ]
    return _table(text("workforce.weeks"), heads, rows, numbers=False) if rows else None
