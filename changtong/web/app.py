"""The pages and the API together: what `changtong serve` serves."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from changtong.api.app import make_app
from changtong.api.people import OPEN_ROUTES
from changtong.api.routing import Headed
from changtong.api.service import Service
from changtong.errors import ChangtongError
from changtong.web import (
    administration_pages,
    assessment_pages,
    assets,
    card_pages,
    case_pages,
    data_request_pages,
    entry,
    inspect_pages,
    issued_pages,
    record_pages,
    respond,
    result_pages,
    run_pages,
    situation,
    study_pages,
    task_pages,
)
from changtong.web.refusals import refuse_for_people, refuse_http_for_people, refuse_values_for_people

OPEN_PAGES = frozenset({("GET", "/sign-in"), ("GET", "/assets/{of_version}/{name:path}")})
"""Pages that ask for nobody."""


def make_web_app(service: Service, names: frozenset[str] | None = None) -> FastAPI:
    """Return the application with its pages.

    Parameters
    ----------
    service : Service
    names : frozenset of str, optional
        Hosts it goes by; any without them.
    """
    app = make_app(service, names)
    app.state.open_routes = OPEN_ROUTES | OPEN_PAGES
    for router in (
        assets.router,
        entry.router,
        situation.router,
        respond.router,
        run_pages.router,
        study_pages.router,
        inspect_pages.router,
        issued_pages.router,
        record_pages.router,
        data_request_pages.router,
        result_pages.router,
        administration_pages.router,
        assessment_pages.router,
        task_pages.router,
        case_pages.router,
        card_pages.router,
    ):
        app.include_router(Headed(router))
    app.add_exception_handler(ChangtongError, refuse_for_people)
    app.add_exception_handler(RequestValidationError, refuse_values_for_people)
    app.add_exception_handler(HTTPException, refuse_http_for_people)
    return app
