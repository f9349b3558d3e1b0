"""The answer to a request as a letter (DOCX): what was decided, why, what was done, what one can do."""

from __future__ import annotations

from datetime import datetime

from changtong.data_requests.request_register import KeptRequest, reveal_data_request
from changtong.data_requests.requests import DataRequest, RequestEvent
from changtong.data_requests.rules import Named, request_rules
from changtong.errors import InputError, Problem
from changtong.report.daily_docx import GREY, DocxPage, load_docx
from changtong.report.daily_words import foreign
from changtong.report.texts import Both, Language, text
from changtong.storage.people import organisation_of
from changtong.storage.store import Desk

MARK = "changtong data-requests"


def answer_document(
    desk: Desk, request_id: str, reason: str, at: datetime, *, language: Language = "zh"
) -> bytes:
    """Return the answer to a request that is decided, with the person's name; the look is on record.

    Parameters
    ----------
    desk : Desk
    request_id, reason : str
    at : datetime
        The letter's date.
    language : {"zh", "en"}

    Returns
    -------
    bytes
        DOCX.

    Raises
    ------
    InputError
        ``wrong-state``: nothing has been decided yet.
    UsageError
        ``reason-missing``, ``missing-library``.
    NotFoundError, DeniedError
    """
    library = load_docx()
    kept = reveal_data_request(desk, request_id, reason)
    decided = kept.request.last("decide")
    if decided is None or kept.request.state not in ("decided", "answered"):
        told = f"The request is {kept.request.state}: there is no decision to tell."
        raise InputError([Problem("wrong-state", told, expected="decide first")])
    with desk.work(writes=False) as work:
        owner = organisation_of(work, kept.organisation)
    of_owner = Both(foreign(owner["name_zh"]), foreign(owner["name_en"] or owner["name_zh"]))
    return _letter(DocxPage(library, language), kept, decided, of_owner, at, language)


def _letter(
    page: DocxPage, kept: KeptRequest, decided: RequestEvent, owner: Both, at: datetime, language: Language
) -> bytes:
    one, rules = kept.request, request_rules()

    def say(both: Both, size: float = 10, colour: str = "") -> None:
        page.line(both.said_in(language), size=size, colour=colour)

    title = text("request_answer.title").said_in(language)
    page.head(title, MARK, at)
    page.line(title, size=16, bold=True)
    say(text("request_answer.to", name=foreign(one.name)), 11)
    kind = rules.kinds[one.kind]
    day = str(rules.day_of(one.received_at))
    say(text("request_answer.received", day=day, kind=Both(kind.zh, kind.en), basis=_basis(kind)))
    page.heading(text("request_answer.decision").said_in(language), 1)
    say(text(f"request_answer.{decided.decision}"), 11)
    if decided.ground:
        ground = rules.grounds[decided.ground]
        say(text("request_answer.ground", ground=Both(ground.zh, ground.en), basis=_basis(ground)))
    if decided.text:
        say(text("request_answer.reason", reason=foreign(decided.text)))
    done = _done(one)
    if done and decided.decision != "refuse":
        page.heading(text("request_answer.done").said_in(language), 1)
        for event in done:
            page.line(f"{rules.day_of(event.at)}  {foreign(event.text)}", size=10)
    page.heading(text("request_answer.remedies").said_in(language), 1)
    say(text("request_answer.remedies_say"))
    say(text("request_answer.sign", owner=owner, day=str(rules.day_of(at))), 11)
    say(text("request_answer.number", id=one.id), 7.5, GREY)
    page.number_pages(title)
    return page.to_bytes()


def _basis(one: Named) -> Both:
    return Both(f"（{one.basis}）", f" ({one.basis_en})") if one.basis else Both("", "")


def _done(one: DataRequest) -> list[RequestEvent]:
    """Return what was carried out since the request was opened, or opened again, last."""
    since = 0
    for place, event in enumerate(one.events):
        since = place if event.action == "reopen" else since
    return [event for event in one.events[since:] if event.action == "step"]
