"""Notices of results to who is assessed, from the registers: issued, written, received."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage
from changtong.console import print_result, say
from changtong.registers_options import RegistersStore, TokenFile, open_desk
from changtong.scorecard_options import CardId, Note, Reason, Subject, Version

Document = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE.docx", help="Write it as a document, with its reasons."),
]
Answer = Annotated[
    str, typer.Option("--words", metavar="TEXT", help="What is answered; no names of persons.")
]


def notice(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    note: Note = "",
    output: Document = None,
    language: PageLanguage = Language.zh,
    version: Version = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Issue a notice once a result is reviewed or decided: it keeps the result as it is now."""
    from changtong.scorecards.notices import issue_result, notice_document
    from changtong.storage.scorecard_notices import notices_of
    from changtong.written_files import check_writable, write_beside

    if output is not None:
        check_writable(output)
    store, desk = open_desk(registers, token)
    with store:
        content = None if output is None else notice_document(desk, card, subject, language.value)
        made = issue_result(desk, card, subject, note=note, version=version, reason=reason)
        if output is not None and content is not None:
            write_beside(output, content)
            say(f"→ {output}")
    told = notices_of(made)[-1]
    facts = {"subject_id": subject, "version": made.version, "notice": told}
    text = f"{subject}: notice of {told['stage']}, score {told['score']:g}, version {made.version}"
    print_result(facts, text, as_json=as_json)


def receive(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    words: Answer = "",
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Say that the newest notice has been received; an appeal is said by `scorecard appeal`."""
    from changtong.storage.scorecard_notices import notices_of, receive_notice

    store, desk = open_desk(registers, token)
    with store:
        made = receive_notice(desk, card, subject, words=words, version=version)
    told = notices_of(made)[-1]
    facts = {"subject_id": subject, "version": made.version, "notice": told}
    print_result(facts, f"{subject}: received {told['received_at']}, version {made.version}", as_json=as_json)
