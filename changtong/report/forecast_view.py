"""A forecast as its page reads it: series with their history, marked days, rows of the tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.forecast.closures import Closure, shut_days
from changtong.forecast.result import Forecast
from changtong.report.texts import Both, joined, named, percent, read_texts, same, text, whole

Floats = NDArray[np.float64]
Row = dict[str, Any]

PAST_DAYS = 182
RECENT_DAYS = 28
MOST_SITES, MOST_LEGS = 100, 300
TABLE_ROWS = 60
DAY = timedelta(days=1)
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Series:
    """A leg, a side of a site, or all legs together.

    Attributes
    ----------
    kind : {"total", "site", "leg"}
    name : Both
    past : array, (days before,)
        NaN where nothing is known.
    ahead, low, high : array, (days,)
    shut : array, (days before and ahead,)
        Known closures.
    """

    kind: str
    name: Both
    past: Floats
    ahead: Floats
    low: Floats
    high: Floats
    shut: NDArray[np.bool_]

    @property
    def recent(self) -> float:
        """Mean of the last days known; NaN without any."""
        told = self.past[-RECENT_DAYS:]
        told = told[np.isfinite(told)]
        return float(told.mean()) if len(told) else float("nan")


@dataclass(frozen=True)
class Span:
    """Marked days that belong together, as days from the first one of the page; ``main`` within."""

    kind: str
    name: Both
    first: int
    last: int
    main: int | None


@dataclass(frozen=True)
class View:
    """What the page shows: its days, series by size (the total first), marked days."""

    days: tuple[date, ...]
    n_past: int
    series: tuple[Series, ...]
    spans: tuple[Span, ...]
    n_sites: int
    n_legs: int

    @property
    def total(self) -> Series:
        """All legs together."""
        return self.series[0]


def collect(forecast: Forecast) -> View:
    """Lay out what the page shows."""
    begin = max(forecast.until - PAST_DAYS * DAY, forecast.until - forecast.history_days * DAY)
    n_past = (forecast.until - begin).days
    days = tuple(begin + k * DAY for k in range(n_past + forecast.days))
    legs = list(forecast.legs.select("from_site", "to_site").unique(maintain_order=True).iter_rows())
    past = _past(forecast, legs, begin, n_past)
    shut = shut_days(forecast.closures, legs, begin, len(days))
    made = _ahead(forecast)
    series = [_series("total", text("forecast.all_legs"), np.arange(len(legs)), past, shut, made[0][1])]
    touching: dict[tuple[str, bool], list[int]] = {}
    for row, ends in enumerate(legs):
        for inbound in (False, True):
            touching.setdefault((ends[int(inbound)], inbound), []).append(row)
    sites, of_legs = [], []
    for row, (first, numbers) in enumerate(made[1:]):
        if first["kind"] == "leg":
            name = same(f"{first['from_site']} → {first['to_site']}")
            of_legs.append(_series("leg", name, np.array([row]), past, shut, numbers))
        else:
            inbound = first["to_site"] is not None
            name = text("forecast.into" if inbound else "forecast.out_of", site=first["site"])
            at = np.array(touching[first["site"], inbound])
            sites.append(_series("site", name, at, past, shut, numbers))
    series += _largest(sites)[:MOST_SITES] + _largest(of_legs)[:MOST_LEGS]
    return View(days, n_past, tuple(series), tuple(_spans(forecast, begin)), len(sites), len(of_legs))


def _past(forecast: Forecast, legs: list[tuple[str, str]], begin: date, n_past: int) -> Floats:
    """Return (legs, days before); NaN on days without any row."""
    past = np.full((len(legs), n_past), np.nan)
    frame = forecast.history.filter(pl.col("date") >= begin)
    row_of = pl.DataFrame(
        {"from_site": [a for a, _ in legs], "to_site": [b for _, b in legs], "row": np.arange(len(legs))}
    )
    rows = frame.join(row_of, on=["from_site", "to_site"])
    column = (rows["date"] - begin).dt.total_days().to_numpy()
    past[:, np.unique(column)] = 0.0
    past[rows["row"].to_numpy(), column] = rows["pieces"].to_numpy()
    return past


def _ahead(forecast: Forecast) -> list[tuple[Row, Floats]]:
    """Return (first row, (3, days) of forecast, low, high), the total first, then legs, then sites."""
    numbers = forecast.frame.select("pieces", "low_pieces", "high_pieces").to_numpy()
    blocks = numbers.reshape(-1, forecast.days, 3).transpose(0, 2, 1)
    firsts = forecast.frame.gather_every(forecast.days).to_dicts()
    both = list(zip(firsts, blocks, strict=True))
    return [*(b for b in both if b[0]["kind"] == "total"), *(b for b in both if b[0]["kind"] != "total")]


def _series(
    kind: str, name: Both, legs: NDArray[np.int64], past: Floats, shut: NDArray[np.bool_], numbers: Floats
) -> Series:
    closed = np.asarray(shut[legs].all(axis=0), bool)
    return Series(kind, name, past[legs].sum(axis=0), numbers[0], numbers[1], numbers[2], closed)


def _largest(series: list[Series]) -> list[Series]:
    def size(one: Series) -> float:
        return -max(float(one.ahead.mean()), float(np.nan_to_num(one.recent)))

    return sorted(series, key=size)


def _spans(forecast: Forecast, begin: date) -> Iterable[Span]:
    """Put marked days that follow each other and belong together into spans."""
    open_: list[Row] = []
    rows = forecast.calendar.filter(pl.col("date") >= begin).sort("date").to_dicts()
    for row in [*rows, None]:
        goes_on = (
            row is not None
            and bool(open_)
            and row["date"] == open_[-1]["date"] + DAY
            and (row["event"], row["name"]) == (open_[-1]["event"], open_[-1]["name"])
        )
        if open_ and not goes_on:
            yield _span(open_, begin)
            open_ = []
        if row is not None:
            open_.append(row)


def _span(rows: list[Row], begin: date) -> Span:
    event, name = rows[0]["event"], rows[0]["name"]
    kind = {"great": "great", "small": "great", "make-up": "make-up"}.get(event, "rest")
    said = named("forecast_name", name) if name else text(f"forecast_event.{event}")
    main = [
        row["date"] for row in rows if row["offset"] == 0 and (row["part"] == "main" or event == "spring")
    ]
    first, last = ((row["date"] - begin).days for row in (rows[0], rows[-1]))
    return Span(kind, said, first, last, (main[0] - begin).days if main else None)


def table_rows(forecast: Forecast, view: View, kind: str) -> list[Row]:
    """Return the rows of the table of sites or legs, the largest first."""
    made = []
    for one in [one for one in view.series if one.kind == kind][:TABLE_ROWS]:
        top = int(one.ahead.argmax())
        recent, mean = one.recent, float(one.ahead.mean())
        made.append(
            {
                "name": one.name,
                "recent": whole(recent),
                "mean": whole(mean),
                "change": _signed_share(mean / recent - 1.0) if recent > 0 else "–",
                "peak": whole(float(one.ahead[top])),
                "date": f"{view.days[view.n_past + top]:%m-%d}",
                "interval": f"{whole(float(one.low[top]))} – {whole(float(one.high[top]))}",
            }
        )
    return made


def _signed_share(share: float) -> str:
    said = percent(abs(share))
    return said if said == "0 %" else f"+{said}" if share > 0 else f"−{said}"


def error_rows(forecast: Forecast) -> list[Row]:
    """Return the rows of the table of errors."""
    made = []
    for row in forecast.errors.iter_rows(named=True):
        last = row["to_day"]
        if last is None:
            until = text("forecast.horizon_last", from_day=row["from_day"])
        else:
            until = text("forecast.horizon_to", from_day=row["from_day"], to_day=last)
        gain = row["wape"] / row["naive_wape"] - 1.0 if row["naive_wape"] > 0 else float("nan")
        made.append(
            {
                "kind": text(f"forecast.kind_{row['kind']}"),
                "horizon": until,
                "wape": percent(row["wape"]),
                "naive": percent(row["naive_wape"]),
                "gain": "–" if gain != gain else _signed_share(gain),
                "better": gain < 0,
                "share": row["wape"] / max(row["wape"], row["naive_wape"], 1e-9),
                "naive_share": row["naive_wape"] / max(row["wape"], row["naive_wape"], 1e-9),
            }
        )
    return made


def mark_rows(view: View) -> list[Row]:
    """Return the marked days ahead with what is expected of them."""
    made = []
    for span in view.spans:
        first, last = max(span.first, view.n_past), span.last
        if last < view.n_past:
            continue
        part = view.total.ahead[first - view.n_past : last - view.n_past + 1]
        top = first + int(part.argmax())
        begin, end = f"{view.days[first]:%m-%d}", f"{view.days[last]:%m-%d}"
        made.append(
            {
                "name": span.name,
                "when": begin if first == last else f"{begin} – {end}",
                "pieces": whole(float(part.mean())),
                "most": f"{view.days[top]:%m-%d}: {whole(float(part.max()))}",
            }
        )
    return made


def closure_rows(closures: Iterable[Closure]) -> list[Row]:
    """Return the known closures as said."""
    made = []
    for one in closures:
        if one.site is not None:
            what = text("forecast.closed_site", site=one.site)
        elif one.from_site is not None and one.to_site is not None:
            what = same(f"{one.from_site} → {one.to_site}")
        elif one.from_site is not None:
            what = text("forecast.out_of", site=one.from_site)
        else:
            what = text("forecast.into", site=str(one.to_site))
        last = text("forecast.closed_open") if one.last_day is None else same(one.last_day)
        made.append({"what": what, "first": one.first_day, "last": last, "label": one.label})
    return made


def say_day(day: date) -> Both:
    """Say a day of a year."""
    return Both(zh=f"{day.month} 月 {day.day} 日", en=f"{day.day} {MONTHS[day.month - 1]}")


def say_note(note: str) -> Both:
    """Say a note of a forecast in both languages; one that is not known stays as it is."""
    for key, said in read_texts().items():
        if not key.startswith("forecast_note."):
            continue
        parts = re.split(r"\{(\w+)\}", said.en)
        pattern = "".join(re.escape(p) if k % 2 == 0 else f"(?P<{p}>.+)" for k, p in enumerate(parts))
        found = re.fullmatch(pattern, note)
        if found is not None:
            values = {name: _say_words(value) for name, value in found.groupdict().items()}
            filled = text(key, **values)
            return Both(zh=filled.zh, en=note)
    return same(note)


def _say_words(value: str) -> Both:
    words = value.split(", ")
    known = read_texts()
    if all(f"forecast_name.{word}" in known for word in words):
        return joined([named("forecast_name", word) for word in words])
    return same(value)
