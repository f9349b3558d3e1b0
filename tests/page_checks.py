"""What every page must hold to: axe finds nothing against it, and it is no wider than its screen."""

from __future__ import annotations

from typing import Any

import pytest

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def readable(one: Any, path: str, theme: str) -> None:
    """Open a page in a theme; axe finds nothing against it.

    Parameters
    ----------
    one : Looker
        Somebody at a page.
    path : str
    theme : {"light", "dark"}
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one.context.add_cookies([{"name": "theme", "value": theme, "url": one.base}])
    found = axe.run(one.open(path), options=RULES)
    assert not found.violations_count, f"{path}\n{found.generate_report()}"


def as_wide_as_its_screen(one: Any, path: str) -> None:
    """Open a page; it is no wider than its screen."""
    sides = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, screen = one.open(path).evaluate(sides)
    assert wide <= screen, path
