"""One self-contained page: data put in safely, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from changtong.report.texts import named, text


class _PackageFiles(BaseLoader):
    """Templates from this folder, wherever the package is installed."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Any]:
        try:
            return read_file(template), template, lambda: True
        except FileNotFoundError as error:
            raise TemplateNotFound(template) from error


@cache
def read_file(name: str) -> str:
    """Read one of this folder's files."""
    return resources.files("changtong.report").joinpath(name).read_text(encoding="utf-8")


def write_page(path: str | Path, page: str) -> Path:
    """Write a page to a file, whose folder is made where needed; return the file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def embed_json(value: object) -> Markup:
    """Write a value as JSON that cannot end the script element it stands in.

    ``<``, ``>`` and ``&`` become escapes, so neither ``</script>`` nor ``<!--`` can
    appear (HTML standard, restrictions for contents of script elements); U+2028 and
    U+2029 as well.
    """
    raw = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        raw = raw.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(raw)


def content_policy(*, scripts: Sequence[str], styles: Sequence[str], asks: bool = False) -> str:
    """Return a Content-Security-Policy that allows these inline texts and nothing else.

    With ``asks`` the page may ask the server it came from, and have a worker of it.
    """

    def sources(parts: Sequence[str]) -> str:
        digests = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts)
        return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"

    return (
        f"default-src 'none'; script-src {sources(scripts)}; style-src {sources(styles)}; "
        "base-uri 'none'; form-action 'none'"
    ) + ("; connect-src 'self'; worker-src 'self'" if asks else "")


def page_policy(page: str) -> str:
    """Return the policy that a page of `render_page` states of itself, for a header that says the same."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return html.unescape(found.group(1))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_PackageFiles(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=text, named=named)
    return environment


def render_page(
    template: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    context: Mapping[str, object],
    asks: bool = False,
) -> str:
    """Fill a template; style sheets and scripts are named files of this folder, put in whole.

    ``asks``: as of `content_policy`.
    """
    style_texts = [read_file(name) for name in styles]
    script_texts = [read_file(name) for name in scripts]
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            policy=content_policy(scripts=script_texts, styles=style_texts, asks=asks),
            styles=[Markup(part) for part in style_texts],
            scripts=[Markup(part) for part in script_texts],
        )
    )
