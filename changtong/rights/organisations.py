"""The hierarchy of organisations: authorities from nation to county, firms from headquarters to outlets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from changtong.rights.scope import Scope, region_prefix

AUTHORITIES = ("nation", "province", "city", "county")
FIRMS = ("headquarters", "branch", "franchise", "outlet")

PARENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nation": (),
        "province": ("nation",),
        "city": ("nation", "province"),
        "county": ("nation", "province", "city"),
        "headquarters": (),
        "branch": ("headquarters", "branch"),
        "franchise": ("headquarters", "branch"),
        "outlet": ("headquarters", "branch", "franchise"),
    }
)
"""Kind of organisation -> kinds that may stand above it. An authority may also be topmost."""

MOST_LEVELS = 8


def may_stand_below(kind: str, parent_kind: str | None) -> bool:
    """Return whether an organisation of a kind may stand below one of another, or (None) at the top.

    Examples
    --------
    >>> may_stand_below("outlet", "franchise"), may_stand_below("outlet", "province")
    (True, False)
    """
    if parent_kind is None:
        return kind in AUTHORITIES or kind == "headquarters"
    return parent_kind in PARENTS[kind]


def may_hold(kind: str, path: str, admin_code: str, scope: Scope) -> bool:
    """Return whether a person of an organisation may be given a role with a scope at all.

    A firm's people see their own firm only. An authority's people see its region, or its own tree
    of authorities; only a nation's see everything.

    Parameters
    ----------
    kind, path, admin_code : str
        Of the person's organisation.
    scope : Scope
        Of the grant.

    Examples
    --------
    >>> may_hold("branch", "/sf/gd/", "440000", Scope("/sf/gd/"))
    True
    >>> may_hold("branch", "/sf/gd/", "440000", Scope(region="440000"))
    False
    >>> may_hold("city", "/post/gd/sz/", "440300", Scope(region="440000"))
    False
    """
    if scope.path.startswith(path):
        return True
    return kind in AUTHORITIES and region_prefix(scope.region).startswith(region_prefix(admin_code))
