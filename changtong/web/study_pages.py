"""Studies as pages: the areas they stand in, and the form of each, made from what the API says it takes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks
from changtong.errors import NotFoundError
from changtong.rights.decide import actions_anywhere
from changtong.web.pages import must_be_offered, page
from changtong.web.words import FILES

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Group:
    """Studies that belong together.

    Attributes
    ----------
    name : str
        Of its wording: ``group.<name>``.
    studies : tuple of str
    """

    name: str
    studies: tuple[str, ...]


@cache
def study_areas() -> Mapping[str, tuple[Group, ...]]:
    """Return the groups of each area."""
    raw = tomllib.loads(FILES.joinpath("areas.toml").read_text(encoding="utf-8"))
    return {
        area: tuple(Group(one["name"], tuple(one["studies"])) for one in groups)
        for area, groups in raw.items()
    }


@cache
def headlines() -> Mapping[str, list[str]]:
    """Return which numbers of its summary stand on the card of a study."""
    return tomllib.loads(FILES.joinpath("headlines.toml").read_text(encoding="utf-8"))


def area_of(study: str) -> str:
    """Return the area a study stands in; the data's, where none claims it."""
    holds = (area for area, groups in study_areas().items() for group in groups if study in group.studies)
    return next(holds, "data")


@router.get("/areas/{area}")
def area_page(request: Request, asks: Asks, area: str) -> Response:
    """Show what may be studied in an area."""
    groups = study_areas().get(area)
    if groups is None:
        raise NotFoundError("There is no area of this name.")
    must_be_offered(asks, area)
    more: dict[str, Any] = {"groups": groups, "headlines": headlines()}
    more["sees_requests"] = "view" in actions_anywhere(asks.person, "data_request", asks.at)
    return page(request, "area.html.j2", area=area, title=f"area.{area}", asks=asks, **more)


@router.get("/data")
def data_page(request: Request, asks: Asks) -> Response:
    """Show what studies are of, and take uploads."""
    must_be_offered(asks, "data")
    return page(request, "data_sets.html.j2", area="data", title="data.title", asks=asks)


@router.get("/studies/{name}")
def study_page(request: Request, asks: Asks, name: str) -> Response:
    """Show the form of a study; one that the API does not offer is told by its script."""
    must_be_offered(asks, "runs")
    return page(request, "study.html.j2", area=area_of(name), title="studies.title", asks=asks, name=name)
