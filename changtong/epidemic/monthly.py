"""Inspections that international sites are due every month: made, due, missed, in the months of a zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import polars as pl

DUE_SCHEMA = {
    "site_id": pl.String, "month": pl.String, "inspections": pl.Int64, "needed": pl.Int64, "state": pl.String,
    "due_on": pl.Date, "days_left": pl.Int64, "last_on": pl.Date,
}  # fmt: skip


def month_end(day: date) -> date:
    """Return the last day of a month.

    Examples
    --------
    >>> month_end(date(2024, 2, 3)), month_end(date(2022, 12, 31))
    (datetime.date(2024, 2, 29), datetime.date(2022, 12, 31))
    """
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def months(begin: date, end: date) -> list[date]:
    """Return the first days of the months from one day's to another's.

    Examples
    --------
    >>> [str(month) for month in months(date(2021, 12, 31), date(2022, 2, 1))]
    ['2021-12-01', '2022-01-01', '2022-02-01']
    """
    made, month = [], begin.replace(day=1)
    while month <= end:
        made.append(month)
        month = month_end(month) + timedelta(days=1)
    return made


def inspections_due(
    sites: Mapping[str, date | None] | Iterable[str],
    visits: pl.DataFrame,
    day: date,
    *,
    since: date | None = None,
    per_month: int = 1,
) -> pl.DataFrame:
    """Return the months of each site with what was inspected and what is due.

    Parameters
    ----------
    sites : mapping or iterable of str
        International sites; of a mapping the day each began, or None.
    visits : polars.DataFrame
        ``site_id``, ``on``: days in the zone in which months are counted.
    day : date
        As of this day; later visits are not counted.
    since : date, optional
        The first month looked at. Where not given, that in which a site began; where this is not known, that
        of the first visit of any site, else ``day``'s.
    per_month : int
        Inspections needed in each calendar month.

    Returns
    -------
    polars.DataFrame
        A row a site and month. ``state``: ``done``, ``due`` (this month's, until ``due_on``), ``missed``
        (a month gone by without).
    """
    begun = dict(sites) if isinstance(sites, Mapping) else dict.fromkeys(sites)
    counted = visits.filter(pl.col("site_id").is_in(list(begun)) & (pl.col("on") <= day))
    first = since or counted["on"].min() or day
    assert isinstance(first, date)
    by_site: dict[str, list[date]] = {}
    for site, on in counted.select("site_id", "on").iter_rows():
        by_site.setdefault(site, []).append(on)
    rows = []
    for site in sorted(begun):
        made = by_site.get(site, [])
        begin = begun[site] or first
        for month in months(begin if since is None else max(begin, since), day):
            end = month_end(month)
            count = sum(month <= on <= end for on in made)
            before = [on for on in made if on <= end]
            state = "done" if count >= per_month else "due" if end >= day else "missed"
            rows.append(
                {
                    "site_id": site, "month": f"{month:%Y-%m}", "inspections": count, "needed": per_month,
                    "state": state, "due_on": end, "days_left": (end - day).days if state == "due" else None,
                    "last_on": max(before, default=None),
                }
            )  # fmt: skip
    return pl.DataFrame(rows, DUE_SCHEMA)
