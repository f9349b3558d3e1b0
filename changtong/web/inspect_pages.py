"""Inspections on the phone: which forms there are, and each as a page that works without a network."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from changtong.api.people import Asks, Caller
from changtong.errors import ChangtongError, NotFoundError
from changtong.report.inspection_form import SITES_LISTED, inspection_form_page
from changtong.report.page import page_policy
from changtong.safety.form_file import find_form, shipped_forms
from changtong.storage.pages import Query
from changtong.web.assets import content
from changtong.web.pages import page, page_language

router = APIRouter(include_in_schema=False)

SERVER = {
    "sync": "/api/v1/sync", "session": "/api/v1/session", "worker": "/service-worker.js", "back": "/inspect",
    "sign_in": "/sign-in?next=/inspect",
}  # fmt: skip


@router.get("/inspect")
def forms_page(request: Request, asks: Asks) -> Response:
    """List the forms."""
    newest = {form.id: form for form in sorted(shipped_forms(), key=lambda form: form.version)}
    return page(
        request,
        "inspect.html.j2",
        area="safety",
        title="inspect.title",
        asks=asks,
        forms=list(newest.values()),
    )


@router.get("/inspect/{form_id}")
def form_page(request: Request, asks: Asks, form_id: str) -> Response:
    """Show a form to fill in; kept by the browser, it opens without a network."""
    try:
        form = find_form(form_id, None)
    except ChangtongError:
        raise NotFoundError("There is no form of this id.") from None
    html = inspection_form_page(form, language=page_language(request), sites=_sites(asks), server=SERVER)
    policy = f"{page_policy(html)}; frame-ancestors 'none'"
    return Response(html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


def _sites(asks: Caller) -> tuple[tuple[str, str], ...]:
    """Return sites that the caller may see, to be offered while one is typed."""
    found = []
    for record in asks.desk.every("site", Query()):
        found.append((str(record.values["site_id"]), str(record.values.get("name_zh") or "")))
        if len(found) == SITES_LISTED:
            break
    return tuple(found)


@router.get("/service-worker.js")
def service_worker(asks: Asks) -> Response:
    """Return the worker that keeps the forms for when there is no network."""
    headers = {"Content-Security-Policy": "default-src 'none'; connect-src 'self'"}
    return Response(content("service_worker.js"), media_type="text/javascript", headers=headers)
