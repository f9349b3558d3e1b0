"""Results as pages: stress tests and drills, rural delivery, carbon."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.networks import seen_networks
from changtong.api.people import Asks, Caller, Serves
from changtong.emergency.plan_file import find_plan, shipped_names
from changtong.web.pages import must_be_offered, page

router = APIRouter(include_in_schema=False)


@router.get("/prepare")
def prepare_page(request: Request, asks: Asks, serves: Serves) -> Response:
    """Show stress tests: what each loss strands, and what would help."""
    must_be_offered(asks, "runs")
    networks = seen_networks(asks, serves)
    return page(
        request, "prepare.html.j2", area="prepare", title="prepare.title", asks=asks, networks=networks,
        may_ask=_may_ask(asks),
    )  # fmt: skip


@router.get("/prepare/drills")
def drills_page(request: Request, asks: Asks) -> Response:
    """Show drills, and which plans were drilled when."""
    must_be_offered(asks, "runs")
    plans = [find_plan(name) for name in shipped_names()]
    return page(
        request, "drills.html.j2", area="prepare", title="drills.title", asks=asks, plans=plans,
        may_ask=_may_ask(asks),
    )  # fmt: skip


@router.get("/rural")
def rural_page(request: Request, asks: Asks) -> Response:
    """Show coverage of villages and plans of counties."""
    must_be_offered(asks, "runs")
    return page(
        request, "rural.html.j2", area="rural", title="rural.title", asks=asks, may_ask=_may_ask(asks)
    )


@router.get("/carbon")
def carbon_page(request: Request, asks: Asks, serves: Serves) -> Response:
    """Show footprints, and what a tonne less costs."""
    must_be_offered(asks, "runs")
    networks = seen_networks(asks, serves)
    return page(
        request, "carbon.html.j2", area="prepare", title="carbon.title", asks=asks, networks=networks,
        may_ask=_may_ask(asks),
    )  # fmt: skip


def _may_ask(asks: Caller) -> bool:
    """Return whether a new run is offered: to who may ask for one."""
    return asks.may("add", asks.own.path, asks.own.admin_code)
