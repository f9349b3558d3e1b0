"""Networks over the API: the map, one site, and what an outage strands, before anything is planned."""

from __future__ import annotations

import gzip
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from changtong.api.offered import MOST_OUTAGES, check_outage_shapes
from changtong.api.people import Asks, Caller, Serves
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
    _must_look(asks)
    tag, packed = serves.networks.map_of(serves.places.network(network_id, asks.sees_of))
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie"}
    if f'"{tag}"' in [one.strip() for one in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    if "gzip" not in accept_encoding:
        return Response(gzip.decompress(packed), media_type="application/json", headers=headers)
    return Response(packed, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})


@router.get("/{network_id}/sites/{site_id}")
def read_site(asks: Asks, serves: Serves, network_id: str, site_id: str) -> dict[str, Any]:
    """Read one site: its columns, its legs, and the sites it sends most to and gets most from."""
    _must_look(asks)
    return serves.networks.ask(
        serves.places.network(network_id, asks.sees_of), {"ask": "site", "site_id": site_id}
    )


@router.post("/{network_id}/stranded")
def count_stranded(asks: Asks, serves: Serves, network_id: str, asked: Outages) -> dict[str, Any]:
    """Count what outages strand, on a day like today. Nothing is kept."""
    _must_look(asks)
    check_outage_shapes(asked.outages)
    question = {"ask": "stranded", "outages": asked.outages}
    return serves.networks.ask(serves.places.network(network_id, asks.sees_of), question)


def _must_look(asks: Caller) -> None:
    """Go on only for those who see runs anywhere: to all others there are no networks."""
    if not asks.sees():
        raise NotFoundError("There is no network of this id.")
