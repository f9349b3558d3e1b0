"""Routes found quickly: a group of them is looked through only where a path begins like one of its own."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match
from starlette.types import Scope


class Headed(APIRouter):
    """The routes of a router, passed by at once for a path that begins like none of them.

    The framework tries the routes one by one, by regular expression: with some hundred of them that is a
    fifth of what a small answer takes.

    Parameters
    ----------
    router : APIRouter
        With all its routes.
    """

    def __init__(self, router: APIRouter) -> None:
        super().__init__(redirect_slashes=False)
        self.include_router(router)
        self.heads = tuple(sorted({path.partition("{")[0] for path in _paths(router.routes)}))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a route fits."""
        if not scope.get("path", "").startswith(self.heads):
            return Match.NONE, {}
        return super().matches(scope)


def _paths(routes: list[BaseRoute]) -> Iterator[str]:
    """Yield the paths of routes; of one without a path nothing: then all of its router is looked through."""
    for route in routes:
        yield getattr(route, "path", "")
