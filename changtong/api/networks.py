"""Networks over the API: the map, one site, and what an outage strands, before anything is planned."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from changtong.api.offered import MOST_OUTAGES, check_outage_shapes
from changtong.api.people import Asks, Caller, Serves
from changtong.api.service import Service
from changtong.errors import NotFoundError

router = APIRouter(prefix="/api/v1/networks", tags=["networks"])


class Outages(BaseModel):
    """What is shut or slowed, as for a plan."""

    model_config = ConfigDict(extra="forbid")
    outages: list[dict[str, Any]] = Field(max_length=MOST_OUTAGES)


@router.get("/{network_id}/map")
def read_map(
    asks: Asks,
    serves: Serves,
    network_id: str,
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """Read what a map draws: sites and legs as columns, with room and today's load."""
    tag, packed = serves.networks.map_of(folder_of(asks, serves, network_id))
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie"}
    if f'"{tag}"' in [one.strip() for one in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    if "gzip" not in accept_encoding:
        return Response(gzip.decompress(packed), media_type="application/json", headers=headers)
    return Response(packed, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})


@router.get("/{network_id}/sites/{site_id}")
def read_site(asks: Asks, serves: Serves, network_id: str, site_id: str) -> dict[str, Any]:
    """Read one site: its columns, its legs, and the sites it sends most to and gets most from."""
    return serves.networks.ask(folder_of(asks, serves, network_id), {"ask": "site", "site_id": site_id})


@router.post("/{network_id}/stranded")
def count_stranded(asks: Asks, serves: Serves, network_id: str, asked: Outages) -> dict[str, Any]:
    """Count what outages strand, on a day like today. Nothing is kept."""
    folder = folder_of(asks, serves, network_id)
    check_outage_shapes(asked.outages)
    return serves.networks.ask(folder, {"ask": "stranded", "outages": asked.outages})


def seen_networks(asks: Caller, serves: Service) -> list[str]:
    """Return the networks that the caller may see; none for those who see no runs anywhere."""
    return serves.places.ids("network", asks.sees_of) if asks.sees() else []


def folder_of(asks: Caller, serves: Service, network_id: str) -> Path:
    """Return a network's folder; one the caller may not see is told as one that is not there.

    Raises
    ------
    NotFoundError
    """
    if not asks.sees():
        raise NotFoundError("There is no network of this id.")
    return serves.places.network(network_id, asks.sees_of)
