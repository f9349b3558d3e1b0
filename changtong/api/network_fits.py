"""Which scan logs and forecasts are of a network, over the API, and a day of a forecast for its map."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from changtong.api.forecast_days import ForecastDays
from changtong.api.log_shelf import LogAbout
from changtong.api.logs import sees
from changtong.api.logs import shown as shown_log
from changtong.api.networks import folder_of
from changtong.api.people import Asks, Caller, Serves
from changtong.api.runs import result_file
from changtong.api.service import Service
from changtong.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["networks"])

MOST_GAPS = 400
FORECASTS = 20
"""Of a network, the newest runs that have one."""


@router.get("/networks/{network_id}/logs")
def list_logs_of(asks: Asks, serves: Serves, network_id: str) -> dict[str, Any]:
    """List the scan logs that the caller may see, those that fit a network best first.

    `fits` is the share of sites of a log's newest scans in the network, null without scans;
    `days_without` are days between its first and last that have none; `may_change` says whether the caller
    may look at single items and close alerts.
    """
    known = network_sites(serves, asks, network_id)
    abouts = (serves.shelf.about(log_id) for log_id in serves.shelf.ids())
    told = [_log_of(asks, serves, about, known) for about in abouts if sees(asks, about)]
    return {"logs": sorted(told, key=lambda one: (-(one["fits"] or 0.0), one["id"]))}


@router.get("/networks/{network_id}/forecasts")
def list_forecasts_of(asks: Asks, serves: Serves, network_id: str) -> dict[str, Any]:
    """List the forecasts that runs have made of sites of a network, the newest first."""
    known = network_sites(serves, asks, network_id)
    found, _ = serves.book.page(asks.sees(), FORECASTS, "", study="forecast", state="done", network="")
    told = []
    for run in found:
        try:
            days = days_of(asks, serves, run.id)
        except NotFoundError:  # deleted meanwhile, or cleared away
            continue
        fits = _share({name for name in days.sites if name}, known)
        if fits:
            made_at = None if run.ended_at is None else run.ended_at.isoformat()
            told.append({"run": run.id, "made_at": made_at, "days": list(days.parts), "fits": fits})
    return {"forecasts": told}


@router.get("/runs/{run_id}/forecast")
def read_forecast(
    asks: Asks, serves: Serves, run_id: str, day: date, accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """Read a day of a forecast for the map: pieces with the ends of the interval of 80 %, by site and leg."""
    packed = days_of(asks, serves, run_id).parts.get(day.isoformat())
    if packed is None:
        raise NotFoundError("The forecast does not reach this day.")
    headers = {"Cache-Control": "private, max-age=600", "Vary": "Accept-Encoding, Authorization, Cookie"}
    if "gzip" not in accept_encoding:
        return Response(gzip.decompress(packed), media_type="application/json", headers=headers)
    return Response(packed, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})


def network_sites(serves: Service, asks: Caller, network_id: str) -> frozenset[str]:
    """Return the ids of a network's sites, for those who may see it.

    Raises
    ------
    NotFoundError
    """
    return _ids_of(*serves.networks.map_of(folder_of(asks, serves, network_id)))


@lru_cache(maxsize=16)
def _ids_of(tag: str, packed: bytes) -> frozenset[str]:
    return frozenset(json.loads(gzip.decompress(packed))["sites"]["id"])


def _share(names: set[str] | frozenset[str], known: frozenset[str]) -> float | None:
    return round(len(names & known) / len(names), 4) if names else None


def _log_of(asks: Caller, serves: Service, about: LogAbout, known: frozenset[str]) -> dict[str, Any]:
    days = serves.shelf.log(about.id).days
    sites = serves.shelf.newest_sites(about.id, days[-1]) if days else frozenset()
    there = set(days)
    span = range((days[-1] - days[0]).days) if days else range(0)
    gaps = [day.isoformat() for k in span if (day := days[0] + timedelta(days=k)) not in there]
    return shown_log(serves, about) | {
        "fits": _share(sites, known),
        "days_without": gaps[-MOST_GAPS:],
        "may_change": asks.may("change", about.path, about.admin_code),
    }


def days_of(asks: Caller, serves: Service, run_id: str) -> ForecastDays:
    """Return the days of a run's forecast.

    Raises
    ------
    NotFoundError
        There is no such run, or it made none.
    """
    return serves.forecasts.days(run_id, result_file(asks, serves, run_id, "forecast.csv"))
