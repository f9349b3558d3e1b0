"""A page put together: its language and theme, who looks at it, and a policy that lets only our files run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from changtong.api.people import Caller, csrf_of, token_of
from changtong.errors import DeniedError
from changtong.rights.decide import actions_anywhere
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
    needs : tuple of (str, str)
        Kind and action: who may do any of them somewhere is offered it; none: everybody is.
    """

    name: str
    path: str
    needs: tuple[tuple[str, str], ...] = ()

    def is_for(self, asks: Caller) -> bool:
        """Return whether there is something in it for who asks."""
        may = (action in actions_anywhere(asks.person, kind, asks.at) for kind, action in self.needs)
        return not self.needs or any(may)


RUNS = (("run", "view"),)
AREAS = (
    Area("situation", "/"), Area("respond", "/respond", (*RUNS, ("issued_plan", "view"))),
    Area("prepare", "/areas/prepare", RUNS), Area("rural", "/areas/rural", RUNS),
    Area("safety", "/areas/safety", (("hazard", "view"),)),
    Area("people", "/areas/people", (("duty_room", "view"),)),
    Area("data", "/areas/data", RUNS), Area("runs", "/runs", RUNS),
    Area("administration", "/administration", (("user", "add"), ("audit", "view"))),
)  # fmt: skip


def must_be_offered(asks: Caller, area: str) -> None:
    """Go on only if an area is for who asks.

    Raises
    ------
    DeniedError
        ``not-allowed``.
    """
    if not next(one for one in AREAS if one.name == area).is_for(asks):
        raise DeniedError(f"None of your roles has a use for this page ({area}).")


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


def _offers_sample(asks: Caller, area: str) -> bool:
    """Return whether a page works on networks, for somebody who may put in sample data and remove it."""
    of_runs = any(one.name == area and ("run", "view") in one.needs for one in AREAS) or area == "situation"
    return of_runs and "add" in actions_anywhere(asks.person, "run", asks.at)


def _may(asks: Caller | None, kind: str, action: str) -> bool:
    """Return whether who looks may do this with records of a register somewhere: what a page offers."""
    return asks is not None and action in actions_anywhere(asks.person, kind, asks.at)


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
        assets=f"/assets/{version()}", areas=[one for one in AREAS if asks and one.is_for(asks)], area=area,
        title=say(language, title), asks=asks, may=partial(_may, asks),
        offers_sample=asks is not None and _offers_sample(asks, area),
        csrf=csrf_of(token_of(request)[0]) if asks is not None and asks.by_cookie else "", **context,
    )  # fmt: skip
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Vary": "Cookie, Accept-Language",
        "Content-Language": language,
    }
    return HTMLResponse(html, status, headers)
