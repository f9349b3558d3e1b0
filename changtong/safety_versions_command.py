"""Commands for versions of an inspection that are in conflict: look at them side by side, settle them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage
from changtong.console import print_result
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.safety.versions import Versions

Collected = Annotated[Path, typer.Argument(metavar="COLLECTED/", help="A collection of inspections.")]
Which = Annotated[
    str | None,
    typer.Option("--inspection", metavar="ID", help="This one; needed where several are in conflict."),
]


def _found(folder: Path, which: str | None) -> tuple[Versions, ...]:
    from changtong.safety.versions import versions_in_conflict

    found = versions_in_conflict(folder)
    chosen = tuple(one for one in found if which is None or one.inspection_id == which)
    if which is not None and not chosen:
        raise UsageError(f"{which} has no versions in conflict.", "no-conflict")
    return chosen


def show_versions(
    folder: Collected,
    which: Which = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="A page to look at.")
    ] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Show inspections with versions in conflict, side by side; exit code 1 where there are any."""
    if output is not None and output.suffix != ".html":
        raise UsageError(f"{output.name}: the file must end in .html.", "unknown-ending")
    found = _found(folder, which)
    text = "\n".join(map(str, found)) or "No versions are in conflict."
    made: dict[str, object] = {"inspections": [one.to_json() for one in found]}
    if output is not None:
        from changtong.report.versions_page import write_versions_page

        write_versions_page(found, output, language=language.value)
        text, made = f"{text}\n  → {output}", made | {"file": str(output)}
    print_result(made, text, as_json=as_json)
    if found:
        raise typer.Exit(1)


def settle_versions(
    folder: Collected,
    take: Annotated[
        str, typer.Option("--take", metavar="VERSION", help="The revision that counts, or how its id begins.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who settles it.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.json", help="The new version, for safety collect.")
    ],
    rows: Annotated[
        list[str] | None,
        typer.Option("--row", metavar="ROW=VERSION", help="In this row another counts; may be repeated."),
    ] = None,
    which: Which = None,
    as_json: AsJson = False,
) -> None:
    """Write a new version made from all in conflict; `safety collect` takes it in, and all are kept."""
    from changtong.safety.collection import put_file
    from changtong.safety.versions import settle

    if output.suffix != ".json":
        raise UsageError(f"{output.name}: the file must end in .json.", "unknown-ending")
    found = _found(folder, which)
    if len(found) != 1:
        ids = ", ".join(one.inspection_id for one in found[:10])
        said = f"Say which one with --inspection: {ids}." if found else "No versions are in conflict."
        raise UsageError(said, "no-conflict")
    chosen: dict[str, str] = {}
    for text in rows or ():
        row, sign, version = text.partition("=")
        if not sign or row in chosen:
            raise UsageError(f"{text!r}: expected ROW=VERSION, each row once.", "unknown-row")
        chosen[row] = version
    made = settle(found[0], folder, take=take, rows=chosen, by=by, at=datetime.now().astimezone())
    put_file(output, (json.dumps(made, ensure_ascii=False, indent=1) + "\n").encode())
    new = made["inspections"][0]
    facts = {key: new[key] for key in ("inspection_id", "revision_id", "history", "settled")}
    text = f"{new['inspection_id']}: {new['revision_id']} follows {new['settled']['taken']}"
    text += "".join(f"\n  {row}: {one}" for row, one in new["settled"]["rows"].items())
    print_result(facts | {"file": str(output)}, f"{text}\n  → {output}", as_json=as_json)
