"""A page put together: its language and theme, who looks at it, and a policy that lets only our files run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from changtong.api.people import Caller, csrf_of, token_of
from changtong.web.assets import version
from changtong.web.words import FILES, say
from changtong.wording import Language, language_of

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; font-src 'self'; manifest-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Area:
    """A place in the navigation.

    Attributes
    ----------
    name : str
        Of its wording and its sign.
    path : str
    """

    name: str
    path: str


AREAS = (
    Area("situation", "/"), Area("respond", "/respond"), Area("prepare", "/areas/prepare"),
    Area("rural", "/areas/rural"), Area("safety", "/areas/safety"), Area("people", "/areas/people"),
    Area("data", "/areas/data"), Area("runs", "/runs"),
)  # fmt: skip


class _Templates(BaseLoader):
    """Templates from the package, wherever it is installed."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Any]:
        try:
            text = FILES.joinpath(template).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise TemplateNotFound(template) from error
        return text, template, lambda: True


@cache
def _environment() -> Environment:
    return Environment(
        loader=_Templates(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page_language(request: Request) -> Language:
    """Return the language of the page that is asked for."""
    accepted = request.headers.get("accept-language", "")
    return language_of(request.query_params.get("lang"), request.cookies.get("lang"), accepted)


def page(
    request: Request,
    template: str,
    *,
    area: str,
    title: str,
    asks: Caller | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """Return a page.

    Parameters
    ----------
    request : Request
    template : str
        A file of ``web_files``.
    area : str
        The place in the navigation that it belongs to.
    title : str
        Key of its title's wording.
    asks : Caller, optional
        Who looks; nobody before signing in.
    status : int
    **context
        For the template.
    """  # fmt: skip
    language = page_language(request)
    theme = request.cookies.get("theme", "")
    html = _environment().get_template(template).render(
        t=partial(say, language), language=language, theme=theme if theme in ("light", "dark") else "",
        assets=f"/assets/{version()}", areas=AREAS, area=area, title=say(language, title), asks=asks,
        csrf=csrf_of(token_of(request)[0]) if asks is not None and asks.by_cookie else "", **context,
    )  # fmt: skip
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Vary": "Cookie, Accept-Language",
        "Content-Language": language,
    }
    return HTMLResponse(html, status, headers)
