"""Campaigns (专项行动): a definition with targets as data, and the progress of each region, which adds up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.rules_files import read_rules_file
from changtong.safety.rules_file import hazard_kinds
from changtong.safety.supervision import Supervision
from changtong.safety.table_folder import save_tables
from changtong.safety.toml_values import PROVENANCES, Values

KIND = "campaign"
SHIPPED = ("guns", "drugs", "personal-data")

PROGRESS_SCHEMA: dict[str, pl.DataType] = {
    "region": pl.String(),
    "sites": pl.Int64(),
    "target_sites": pl.Int64(),
    "visited": pl.Int64(),
    "visits": pl.Int64(),
    "share": pl.Float64(),
    "missing": pl.Int64(),
    "finds": pl.Int64(),
    "finds_open": pl.Int64(),
    "finds_closed": pl.Int64(),
    "reached": pl.Boolean(),
}
"""One row a region, and one, ``all``, for all of them. ``share``: visited of those aimed at, at most 1 a
region; ``missing``: sites still to be visited for the target; ``finds``: hazards of the campaign's kinds."""

FIND_SCHEMA: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "region": pl.String(),
    "site_id": pl.String(),
    "kind": pl.String(),
    "grade": pl.String(),
    "state": pl.String(),
    "found_on": pl.Date(),
}
ALL = "all"


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign aims at.

    Attributes
    ----------
    id, title_zh, title_en, provenance, source : str
    begin, end : date
        Both days are of the campaign.
    site_kinds : tuple of str
        Sites it is about; empty: all.
    hazard_kinds : tuple of str
        What it looks for.
    form : str
        The form that is filled in; empty: any.
    target_share : float
        Of the sites of each region that are to be visited.
    region_digits : int
        Digits of the admin code that make a region: 2 province, 4 city, 6 county.
    targets : dict
        Region -> another share.
    """

    id: str
    title_zh: str
    title_en: str
    provenance: str
    source: str
    begin: date
    end: date
    hazard_kinds: tuple[str, ...]
    site_kinds: tuple[str, ...] = ()
    form: str = ""
    target_share: float = 1.0
    region_digits: int = 6
    targets: tuple[tuple[str, float], ...] = ()


KEYS: dict[str, type] = {
    "id": str, "title_zh": str, "title_en": str, "provenance": str, "source": str, "begin": date, "end": date,
    "hazard_kinds": list, "site_kinds": list, "form": str, "target_share": float, "region_digits": int,
    "targets": dict,
}  # fmt: skip


def read_campaign(path: str | os.PathLike[str]) -> Campaign:
    """Read a campaign.

    Parameters
    ----------
    path : path
        TOML as in ``docs/safety.md``; or the name of a shipped one, `SHIPPED`.

    Raises
    ------
    InputError
        ``bad-campaign``, with every problem.
    """
    shipped = str(path) in SHIPPED
    if not shipped and not Path(path).exists():
        expected = f"{', '.join(SHIPPED)}, or a TOML file"
        raise InputError(
            [Problem("bad-campaign", "there is no such campaign.", str(path), expected=expected)]
        )
    file, content = read_rules_file(
        None if shipped else path, "changtong.safety", f"campaign_{path}.toml", "bad-campaign"
    )
    values = Values(file, "bad-campaign")
    needed = ("id", "title_zh", "title_en", "provenance", "source", "begin", "end", "hazard_kinds")
    head = values.table(content, KEYS, needed)
    values.one_of(head, "provenance", PROVENANCES)
    for key in ("hazard_kinds", "site_kinds"):
        if not all(isinstance(word, str) for word in head.get(key, [])):
            values.add("these are no texts.", key)
    for kind in head.get("hazard_kinds", []):
        values.one_of({"hazard_kinds": kind}, "hazard_kinds", tuple(hazard_kinds()))
    if "begin" in head and "end" in head and head["end"] < head["begin"]:
        values.add("it ends before it begins.", "end")
    if head.get("region_digits", 6) not in (2, 4, 6):
        values.add(
            f"{head['region_digits']} digits.", "region_digits", None, "2 (province), 4 (city) or 6 (county)"
        )
    digits = head.get("region_digits", 6)
    targets = values.table(head.get("targets", {}), dict.fromkeys(head.get("targets", {}), float), ())
    for name, share in [("target_share", head.get("target_share", 1.0)), *targets.items()]:
        if not 0 < share <= 1:
            values.add(f"{share:g} is not allowed.", name, None, "a share above 0, at most 1")
        if name != "target_share" and not (name.isdigit() and len(name) == digits):
            values.add(f"{name!r} is no region.", name, None, f"{digits} digits")
    values.finish()
    lists: dict[str, Any] = {key: tuple(head.get(key, ())) for key in ("hazard_kinds", "site_kinds")}
    plain = {key: head[key] for key in ("form", "target_share", "region_digits") if key in head}
    return Campaign(
        **{key: head[key] for key in needed if key != "hazard_kinds"},
        **plain,
        **lists,
        targets=tuple(sorted(targets.items())),
    )


@dataclass(frozen=True)
class Progress:
    """How far a campaign is.

    Attributes
    ----------
    campaign : Campaign
    day : date
        Up to and with this day.
    regions, finds, to_visit : polars.DataFrame
        As `PROGRESS_SCHEMA`, `FIND_SCHEMA`; sites that have not been visited yet, with their region.
    """

    campaign: Campaign
    day: date
    regions: pl.DataFrame
    finds: pl.DataFrame
    to_visit: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "campaign": self.campaign.id,
            "title_zh": self.campaign.title_zh,
            "title_en": self.campaign.title_en,
            "provenance": self.campaign.provenance,
            "begin": str(self.campaign.begin),
            "end": str(self.campaign.end),
            "day": str(self.day),
            "regions": self.regions.to_dicts(),
            "to_visit": self.to_visit.height,
        }

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the tables to a folder, whole or not at all.

        Parameters
        ----------
        folder : path
        """
        tables = {"regions": self.regions, "finds": self.finds, "to_visit": self.to_visit}
        return save_tables(folder, KIND, tables, {"campaign": self.campaign.id, "day": str(self.day)})

    def __str__(self) -> str:
        c = self.campaign
        lines = [f"{c.title_zh} {c.title_en}, {c.begin} – {c.end}, as of {self.day} ({c.provenance})"]
        lines.append(f"  {'region':<8} {'target':>7} {'visited':>8} {'share':>7} {'finds':>6} {'open':>5}")
        for row in self.regions.iter_rows(named=True):
            share = "–" if row["share"] is None else f"{row['share']:.0%}"
            lines.append(
                f"  {row['region']:<8} {row['target_sites']:>7} {row['visited']:>8} {share:>7} "
                f"{row['finds']:>6} {row['finds_open']:>5}{'' if row['reached'] else '  not reached'}"
            )
        return "\n".join(lines)


def campaign_progress(supervision: Supervision, campaign: Campaign, day: date) -> Progress:
    """Tell how far a campaign is in each region.

    A site is visited when it was inspected within the campaign, by an inspection that names the campaign or
    none. A find is a hazard of one of its kinds that was found within it.

    Parameters
    ----------
    supervision : Supervision
    campaign : Campaign
    day : date
    """
    until = min(day, campaign.end)
    sites = _sites(supervision, campaign)
    within = pl.col("on").is_between(campaign.begin, until)
    named = pl.col("campaign").fill_null("").is_in(["", campaign.id])
    visits = supervision.inspections.filter(within & named).group_by("site_id").agg(visits=pl.len())
    sites = sites.join(visits, "site_id", "left").with_columns(pl.col("visits").fill_null(0).cast(pl.Int64))
    finds = (
        supervision.hazards.filter(
            pl.col("kind").is_in(campaign.hazard_kinds) & (pl.col("state") != "withdrawn")
        )
        .filter(pl.col("found_on").is_between(campaign.begin, until))
        .join(sites.select("site_id", "region"), "site_id")
        .select([pl.col(name).cast(dtype) for name, dtype in FIND_SCHEMA.items()])
        .sort("region", "found_on", "hazard_id")
    )
    regions = _regions(sites, finds, campaign)
    to_visit = (
        sites.filter(pl.col("visits") == 0)
        .select("region", "site_id", "name", "kind")
        .sort("region", "site_id")
    )
    return Progress(campaign, day, regions, finds, to_visit)


def _sites(supervision: Supervision, campaign: Campaign) -> pl.DataFrame:
    kept = supervision.sites.filter(pl.col("status").fill_null("") != "closed")
    if campaign.site_kinds:
        kept = kept.filter(pl.col("kind").is_in(campaign.site_kinds))
    region = pl.col("admin_code").fill_null("").str.slice(0, campaign.region_digits)
    return kept.select(
        "site_id", "name", "kind", region=pl.when(region == "").then(pl.lit("unknown")).otherwise(region)
    )


def _regions(sites: pl.DataFrame, finds: pl.DataFrame, campaign: Campaign) -> pl.DataFrame:
    """Return a row a region and one for all, each the sum of what is above it."""
    found = finds.group_by("region").agg(
        finds=pl.len(),
        finds_closed=(pl.col("state") == "closed").sum(),
    )
    shares = dict(campaign.targets)
    share = pl.col("region").replace_strict(shares, default=campaign.target_share, return_dtype=pl.Float64)
    made = (
        sites.group_by("region")
        .agg(sites=pl.len(), visited=(pl.col("visits") > 0).sum(), visits=pl.col("visits").sum())
        .join(found, "region", "left")
        .with_columns(pl.col("finds", "finds_closed").fill_null(0).cast(pl.Int64))
        # up: 90 % of three sites are three; a hair less, so that 0.1 * 30 is 3 and not 4
        .with_columns(target_sites=(pl.col("sites") * share - 1e-9).ceil().cast(pl.Int64))
        .with_columns(
            finds_open=pl.col("finds") - pl.col("finds_closed"),
            missing=(pl.col("target_sites") - pl.col("visited").cast(pl.Int64)).clip(lower_bound=0),
        )
        .sort("region")
    )
    counts = ["sites", "target_sites", "visited", "visits", "missing", "finds", "finds_open", "finds_closed"]
    made = made.select("region", pl.col(counts).cast(pl.Int64))
    total = made.select(pl.lit(ALL).alias("region"), pl.col(counts).sum())
    done = pl.col("target_sites") - pl.col("missing")
    return (
        pl.concat([made, total])
        .with_columns(
            share=pl.when(pl.col("target_sites") > 0).then(done / pl.col("target_sites")),
            reached=pl.col("missing") == 0,
        )
        .select(list(PROGRESS_SCHEMA))
    )
