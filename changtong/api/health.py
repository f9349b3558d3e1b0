"""Whether the server lives, whether it can work, and what it counts."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from prometheus_client.registry import CollectorRegistry

from changtong.api.people import Serves
from changtong.errors import ChangtongError
from changtong.storage.engine import reading
from changtong.storage.migrate import check_version

router = APIRouter(tags=["health"])


@router.get("/healthz")
def alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"state": "alive"}


@router.get("/readyz")
def ready(serves: Serves, response: Response) -> dict[str, object]:
    """Say whether the registers and the book of runs can be read, and no stop is under way."""
    troubles = []
    try:
        with reading(serves.store.engine) as connection:
            check_version(connection)
        serves.book.counts()
    except ChangtongError as error:
        troubles.append(error.code)
    if serves.stopping.is_set():
        troubles.append("stopping")
    response.status_code = 503 if troubles else 200
    return {"state": "not ready" if troubles else "ready", "troubles": troubles}


@router.get("/metrics")
def metrics(serves: Serves) -> Response:
    """Tell counts in the format of Prometheus; asks for a token as any other route."""
    here = CollectorRegistry()
    states = Gauge("changtong_runs", "Runs in the book.", ("state",), registry=here)
    for state, count in serves.book.counts().items():
        states.labels(state).set(count)
    handled = Gauge("changtong_alerts", "Alerts in the book.", ("handling",), registry=here)
    for handling, count in serves.alerts.counts().items():
        handled.labels(handling).set(count)
    return Response(
        generate_latest(serves.counts.registry)
        + generate_latest(serves.intake.measured())
        + generate_latest(here),
        media_type=CONTENT_TYPE_LATEST,
    )
