"""The application put together: the gate before every route, the routes, what stands around them."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from changtong import __version__
from changtong.api import (
    alerts,
    datasets,
    epcis_capture,
    health,
    issued_plans,
    log_views,
    logs,
    network_fits,
    networks,
    phone_sync,
    register_routes,
    result_tables,
    runs,
    sessions,
)
from changtong.api.headers import BodyLimit, HostCheck, SecurityHeaders
from changtong.api.openapi import PATH, described
from changtong.api.people import OPEN_ROUTES, gate
from changtong.api.problems import refuse, refuse_http, refuse_values
from changtong.api.request_log import RequestLog
from changtong.api.routing import Headed
from changtong.api.service import Service
from changtong.api.upload import MOST_UPLOAD_BYTES
from changtong.errors import ChangtongError


def make_app(service: Service, names: frozenset[str] | None = None) -> FastAPI:
    """Return the application of a service that is open.

    Parameters
    ----------
    service : Service
    names : frozenset of str, optional
        Hosts it goes by; any without them.
    """
    app = FastAPI(
        title="Changtong 畅通",
        version=__version__,
        dependencies=[Depends(gate)],
        openapi_url=None,  # the routes of the framework's own would stand before the gate
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.open_routes = OPEN_ROUTES
    parts = (
        health,
        sessions,
        networks,
        network_fits,
        phone_sync,
        runs,
        result_tables,
        datasets,
        logs,
        log_views,
        alerts,
        epcis_capture,
        issued_plans,
    )
    for router in (*(part.router for part in parts), *register_routes.ROUTERS):
        app.include_router(Headed(router))
    app.add_api_route(PATH, _openapi, methods=["GET"], tags=["health"])
    app.add_exception_handler(ChangtongError, refuse)
    app.add_exception_handler(RequestValidationError, refuse_values)
    app.add_exception_handler(HTTPException, refuse_http)
    # the last added is the outermost
    larger = {datasets.router.prefix: MOST_UPLOAD_BYTES, phone_sync.SYNC: phone_sync.MOST_SYNC_BYTES}
    app.add_middleware(BodyLimit, larger=larger, larger_like=register_routes.LARGER)
    app.add_middleware(HostCheck, names=names)
    app.add_middleware(RequestLog, counts=service.counts)
    app.add_middleware(SecurityHeaders)
    return app


def _openapi(request: Request) -> dict[str, Any]:
    """Describe this API in OpenAPI."""
    app: FastAPI = request.app
    return described(app, app.state.open_routes)
