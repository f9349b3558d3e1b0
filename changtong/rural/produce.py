"""Produce projects (快递服务现代农业金牌项目): volumes against thresholds, growth, harvest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import polars as pl

from changtong._tables import PRODUCE_SET
from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.network.assembly import Assembly
from changtong.network.findings import Findings, NearestNames, rows_where
from changtong.network.table_files import TableSource, assemble_files
from changtong.rural.county import County

CODE_PATTERN = r"^[1-9]\d{5}$"
MOST_COLD_H = 168.0
"""The longest limit a county's table of pieces holds."""

PROJECT_SCHEMA: dict[str, pl.DataType] = {
    "project": pl.String(),
    "product": pl.String(),
    "admin_code": pl.String(),
    "level": pl.String(),
    "year": pl.Int64(),
    "pieces": pl.Float64(),
    "threshold_pieces": pl.Float64(),
    "state": pl.String(),
    "short_by_pieces": pl.Float64(),
    "growth_share": pl.Float64(),
    "growth_needed_share": pl.Float64(),
    "income_cny": pl.Float64(),
    "income_cny_per_piece": pl.Float64(),
}
"""One row a project and year. ``state``: reached, near or below; ``growth_share`` over the year before, null
where that year is missing or 0; ``growth_needed_share``: to reach the threshold."""

YEAR_SCHEMA: dict[str, pl.DataType] = {
    "year": pl.Int64(),
    "level": pl.String(),
    "projects": pl.Int64(),
    "reached": pl.Int64(),
    "near": pl.Int64(),
    "pieces": pl.Float64(),
    "income_cny": pl.Float64(),
}
"""One row a year and level; ``income_cny`` adds up what is known."""

STATES = {"reached": "reached", "near": "near", "below": "below"}


@dataclass(frozen=True)
class ProduceReport:
    """Projects against their thresholds.

    Attributes
    ----------
    projects, years : polars.DataFrame
        See the schemas.
    thresholds : polars.DataFrame
        Each with its source.
    """

    projects: pl.DataFrame
    years: pl.DataFrame
    thresholds: pl.DataFrame

    @property
    def latest(self) -> pl.DataFrame:
        """Each project's last year, largest volume first."""
        last = self.projects.filter(pl.col("year") == pl.col("year").max().over("project"))
        return last.sort(["pieces", "project"], descending=[True, False])

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        latest = self.latest
        states = dict(latest["state"].value_counts().iter_rows())
        return {
            "projects": latest.height,
            **{state: states.get(state, 0) for state in STATES},
            "pieces": float(latest["pieces"].sum()),
            "thresholds": self.thresholds.to_dicts(),
            "years": self.years.to_dicts(),
            "latest": latest.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"produce projects: {s['reached']:,} of {s['projects']:,} reached their threshold,"
            f" {s['near']:,} near, {s['below']:,} below (last year of each)"
        ]
        for row in self.thresholds.iter_rows(named=True):
            lines.append(
                f"  threshold, {row['level']}: {row['pieces_per_year']:,.0f} pieces a year ({row['kind']})"
            )
        for row in self.latest.iter_rows(named=True):
            growth = "" if row["growth_share"] is None else f", {row['growth_share']:+.1%} on the year before"
            short = "" if row["state"] == "reached" else f", short by {row['short_by_pieces']:,.0f}"
            lines.append(
                f"  {row['project']} ({row['product']}, {row['admin_code']}, {row['year']}): {row['state']},"
                f" {row['pieces']:,.0f} pieces{short}{growth}"
            )
        return "\n".join(lines)


def produce_projects(register: TableSource, thresholds: TableSource | None = None) -> ProduceReport:
    """Read a register of produce projects and hold each against its threshold.

    Parameters
    ----------
    register : path or frame
        ``project``, ``product``, ``admin_code``, ``level``, ``year``, ``pieces``, ``income_cny``.
    thresholds : path or frame, optional
        ``level``, ``pieces_per_year``, ``near_share``, ``kind``, ``source``; the published ones by default.

    Raises
    ------
    InputError
        With every problem of both tables.

    Examples
    --------
    >>> import polars as pl
    >>> row = {"project": "p", "product": "apples", "admin_code": "610524", "level": "county"}
    >>> produce_projects(pl.DataFrame([row | {"year": 2023, "pieces": 1.7e6}])).projects["state"].item()
    'near'
    """
    findings = Findings()
    sources = {"register": register, "thresholds": _published() if thresholds is None else thresholds}
    made = assemble_files(sources, findings, PRODUCE_SET)
    _check_codes(made)
    _check_same(made)
    if findings.errors:
        raise InputError(findings.errors)
    limits = made.tables["thresholds"].with_columns(pl.col("level").cast(pl.String))
    frame = made.tables["register"].with_columns(pl.col("level").cast(pl.String))
    frame = frame.join(limits.select("level", "pieces_per_year", "near_share"), on="level", how="left")
    before = frame.select("project", "pieces", year=pl.col("year") + 1).rename({"pieces": "before"})
    frame = frame.join(before, on=["project", "year"], how="left").sort("project", "year")
    goal, pieces = pl.col("pieces_per_year"), pl.col("pieces")
    reached = pl.when(pieces >= goal).then(pl.lit("reached"))
    state = (
        reached.when(pieces >= goal * pl.col("near_share")).then(pl.lit("near")).otherwise(pl.lit("below"))
    )
    projects = frame.with_columns(
        threshold_pieces=goal,
        state=state,
        short_by_pieces=(goal - pieces).clip(lower_bound=0),
        growth_share=pl.when(pl.col("before") > 0).then(pieces / pl.col("before") - 1),
        growth_needed_share=pl.when(pieces > 0).then((goal / pieces - 1).clip(lower_bound=0)),
        income_cny_per_piece=pl.when(pieces > 0).then(pl.col("income_cny") / pieces),
    ).select(pl.col(name).cast(dtype) for name, dtype in PROJECT_SCHEMA.items())
    years = projects.group_by("year", "level").agg(
        projects=pl.len(),
        reached=(pl.col("state") == "reached").sum(),
        near=(pl.col("state") == "near").sum(),
        pieces=pl.col("pieces").sum(),
        income_cny=pl.col("income_cny").sum(),
    )
    years = years.sort("year", "level").select(
        pl.col(name).cast(dtype) for name, dtype in YEAR_SCHEMA.items()
    )
    return ProduceReport(projects, years, limits)


def _published() -> pl.DataFrame:
    data = files("changtong.rural").joinpath("produce_thresholds.csv").read_bytes()
    return pl.read_csv(data, infer_schema_length=None)


def _check_codes(made: Assembly) -> None:
    """Report places that are no codes, or whose code is of the other level."""
    register = made.tables["register"]
    code, level = register["admin_code"], register["level"].cast(pl.String)
    city = code.str.ends_with("00")
    wrong = ~code.str.contains(CODE_PATTERN)
    wrong = wrong | ((level == "city") & ~city) | ((level == "county") & city)
    made.findings.add_rows(
        rows_where(wrong),
        lambda row: Problem(
            "bad-admin-code",
            f'"{code[row]}" is no code of a {level[row]}.',
            made.file("register"),
            made.row("register", row),
            "admin_code",
            expected="six digits of GB/T 2260; of a city the last two are 00",
        ),
    )


def _check_same(made: Assembly) -> None:
    """Report projects whose product, place or level differs from year to year."""
    register = made.tables["register"].with_row_index("row")
    same = ("product", "admin_code", "level")
    first = register.select("row", "project", *(pl.col(name).cast(pl.String) for name in same))
    differs = pl.any_horizontal(pl.col(name) != pl.col(name).first().over("project") for name in same)
    rows = first.filter(differs).unique("project", keep="first", maintain_order=True)
    made.findings.add_rows(
        range(rows.height),
        lambda k: Problem(
            "level-changed",
            f"{rows['project'][k]} has another product, place or level in an earlier row.",
            made.file("register"),
            made.row("register", int(rows["row"][k])),
            "project",
            expected="the same in each year; another project otherwise",
        ),
    )


@dataclass(frozen=True)
class Harvest:
    """What a project asks for in its peak weeks.

    Attributes
    ----------
    project : str
    peak_weeks : int
    pieces_per_day : float
        Further outbound pieces a day in these weeks.
    cold_pieces_per_day : float
        Of these, cold ones.
    villages : polars.DataFrame
        ``site_id``, ``pieces_per_day``, ``cold_pieces_per_day``.
    county : County
        The county with these pieces added: plan it to see what harvest takes.
    peak_share, cold_share, cold_h : float
        What was assumed: share of the year in these weeks, share that is cold, hours these may be under way.
    new_firm : str or None
        The firm that carries it, where it had no pieces in the county before.
    """

    project: str
    peak_weeks: int
    pieces_per_day: float
    cold_pieces_per_day: float
    villages: pl.DataFrame
    county: County
    peak_share: float
    cold_share: float
    cold_h: float
    new_firm: str | None = None

    def summary(self) -> dict[str, Any]:
        """Return what was added and what was assumed, as plain values."""
        return {
            "project": self.project,
            "name": self.county.name,
            "peak_weeks": self.peak_weeks,
            "pieces_per_day": self.pieces_per_day,
            "cold_pieces_per_day": self.cold_pieces_per_day,
            "villages": self.villages.height,
            "new_firm": self.new_firm,
            "assumed": {
                "peak_share": self.peak_share,
                "cold_share": self.cold_share,
                "cold_h": self.cold_h,
            },
        }

    def __str__(self) -> str:
        weeks = f"{self.peak_weeks} week{'s' if self.peak_weeks != 1 else ''}"
        count = self.villages.height
        lines = [
            f"{self.county.name}: {self.pieces_per_day:,.0f} pieces a day more from {count:,}"
            f" village{'s' if count != 1 else ''}, {self.cold_pieces_per_day:,.0f} of them cold",
            f"  assumed: {self.peak_share:.0%} of the year in {weeks}, {self.cold_share:.0%} of it cold,"
            f" under way {self.cold_h:g} h at most",
        ]
        if self.new_firm is not None:
            lines.append(f"  {self.new_firm} had no pieces in the county before: is the name right?")
        return "\n".join(lines)


def at_harvest(
    county: County,
    report: ProduceReport,
    project: str,
    *,
    peak_weeks: int = 4,
    peak_share: float = 0.5,
    cold_share: float = 0.5,
    cold_h: float = 24.0,
    villages: list[str] | None = None,
    firm: str | None = None,
) -> Harvest:
    """Add a project's pieces in its peak weeks to a county.

    Parameters
    ----------
    county : County
    report : ProduceReport
    project : str
        Its last year's pieces count.
    peak_weeks : int
        Weeks of the harvest.
    peak_share : float
        Share of the year's pieces sent in these weeks: assumed where nothing is known.
    cold_share : float
        Share of them that must be kept cold.
    cold_h : float
        Hours the cold ones may be under way, where the village has no shorter limit.
    villages : list of str, optional
        Where the produce grows; all villages by default. It is split by their people, or evenly where people
        are not known.
    firm : str, optional
        The firm that carries it; else all that are in the village by their outbound pieces there, or evenly.

    Raises
    ------
    NotFoundError
        No such project or village.
    UsageError
        A number out of range, or no village.
    """
    latest = report.latest.filter(pl.col("project") == project)
    if latest.height == 0:
        hint = NearestNames(report.latest["project"]).hint(project)
        raise NotFoundError(f"no project {project!r} in the register. {hint}".rstrip())
    if not 1 <= peak_weeks <= 52:
        raise UsageError(f"peak weeks {peak_weeks}: give 1 to 52.")
    for name, share in (("peak share", peak_share), ("cold share", cold_share)):
        if not 0 <= share <= 1:
            raise UsageError(f"{name} {share:g}: give 0 to 1.")
    if not 0 < cold_h <= MOST_COLD_H:
        raise UsageError(f"cold hours {cold_h:g}: give more than 0, at most {MOST_COLD_H:g}.")
    firm = None if firm is None else firm.strip()
    if firm == "":
        raise UsageError("firm: give a name.")
    growing = _growing(county, villages)
    pieces = float(latest["pieces"].item()) * peak_share / (peak_weeks * 7)
    each = growing.select(
        "site_id",
        pieces_per_day=pl.col("weight") * pieces,
        cold_pieces_per_day=pl.col("weight") * pieces * cold_share,
    )
    note = (
        f"{project} at harvest: {pieces:,.0f} pieces a day for {peak_weeks} weeks, {peak_share:.0%} of its"
        f" year, {cold_share:.0%} of them cold"
    )
    grown = _added(county, each, cold_share, cold_h, firm)
    row = {
        "table": "pieces",
        "column": "outbound_pieces_per_day",
        "kind": "assumed",
        "source": "register of produce projects",
        "note": note,
    }
    provenance = pl.concat([county.provenance, pl.DataFrame([row])], how="diagonal_relaxed")
    made = county.with_tables(
        name=f"{county.name}, {project} at harvest", pieces=grown, provenance=provenance
    )
    new = firm if firm is not None and firm not in county.firms else None
    cold = pieces * cold_share
    return Harvest(project, peak_weeks, pieces, cold, each, made, peak_share, cold_share, cold_h, new)


def _growing(county: County, villages: list[str] | None) -> pl.DataFrame:
    """Return the villages where the produce grows, with the share of each."""
    growing = county.sites.filter(pl.col("kind") == "village").select("site_id", "people")
    if villages is not None:
        missing = sorted(set(villages) - set(growing["site_id"]))
        if missing:
            named = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
            raise NotFoundError(f"no village {named} in the county.")
        growing = growing.filter(pl.col("site_id").is_in(villages))
    if growing.height == 0:
        raise UsageError("The county has no village for the produce to come from.")
    known = growing["people"].null_count() == 0 and float(growing["people"].sum()) > 0
    weight = pl.col("people") / pl.col("people").sum() if known else pl.lit(1.0) / growing.height
    return growing.with_columns(weight=weight)


def _added(
    county: County, each: pl.DataFrame, cold_share: float, cold_h: float, firm: str | None
) -> pl.DataFrame:
    """Return the county's pieces with those of the harvest added to its firms' rows."""
    pieces = county.pieces
    if firm is None:
        sent, count = pl.col("outbound_pieces_per_day"), pl.len().over("site_id")
        share = (
            pl.when(sent.sum().over("site_id") > 0)
            .then(sent / sent.sum().over("site_id"))
            .otherwise(1 / count)
        )
        there = pieces.select("site_id", "firm", share=share)
        bare = each.join(there, on="site_id", how="anti")
        if bare.height:
            named = ", ".join(bare["site_id"].to_list()[:5])
            raise UsageError(f"No firm has pieces at {named}: name the firm that carries the harvest.")
    else:
        there = each.select("site_id", firm=pl.lit(firm), share=pl.lit(1.0))
    more = each.join(there, on="site_id").select(
        "site_id", "firm", more=pl.col("pieces_per_day") * pl.col("share")
    )
    more = more.filter(pl.col("more") > 0)
    frame = pieces.join(more, on=["site_id", "firm"], how="full", coalesce=True, maintain_order="left_right")
    old, new = pl.col("outbound_pieces_per_day").fill_null(0.0), pl.col("more").fill_null(0.0)
    cold = old * pl.col("outbound_cold_share").fill_null(0.0) + new * cold_share
    shorter = pl.min_horizontal("cold_h", pl.lit(cold_h))  # an empty cell is no limit
    limit = pl.when(new * cold_share > 0).then(shorter).otherwise(pl.col("cold_h"))
    zero = pl.col("inbound_pieces_per_day", "inbound_cold_share").fill_null(0.0)
    return frame.with_columns(
        zero,
        outbound_pieces_per_day=old + new,
        outbound_cold_share=pl.when(old + new > 0).then(cold / (old + new)).otherwise(0.0),
        cold_h=limit,
    ).select(pieces.columns)
