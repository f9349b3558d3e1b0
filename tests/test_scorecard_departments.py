"""Departments of other organisations that a card names: they mark on it, beyond their scope, and no more."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from assessment_cases import head
from registers_cases import (  # noqa: F401
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, POINTS, PROOF, marks, people, small_card, values
from test_scorecard_registers import code_of

from changtong.assessment.assess import assess
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.assessment.scorecard import Scorecard
from changtong.errors import ChangtongError, InputError
from changtong.rights.decide import Target, decide
from changtong.rights.scope import Scope
from changtong.scorecards.rectify import rectify
from changtong.scorecards.statements import (
    hand_in,
    keep_card,
    mark,
    own_marks,
    read_card,
    say,
    shown_marks,
)
from changtong.storage import scorecards as kept
from changtong.storage.card_departments import named_for
from changtong.storage.definitions import REGISTERS
from changtong.storage.pages import Query
from changtong.storage.people import NewOrganisation
from changtong.storage.rows import now
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store

OTHER = "spb-gd.test.2.2025"
CITY = Scope(region="440300")


def named_card(version: str = "1", **more: list[dict[str, object]]) -> Scorecard:
    """A province's card: two outlets in the city, a branch beyond it; a city's department marks too."""
    tables = {
        "subjects": [
            {"subject_id": key, "name": key, "level": "firm", "organisation": organisation}
            for key, organisation in (("a", "sd-ns"), ("b", "fc-ft"), ("c", "sd-gd"))
        ],
        "departments": [
            {"department_id": key, "name_zh": key, "weight": weight, "organisation": organisation}
            for key, weight, organisation in (
                ("postal", 50.0, "spb-gd"), ("police", 30.0, "ga-gd"), ("market", 20.0, "scjg-sz"),
            )
        ],
    }  # fmt: skip
    return small_card(head(version=version, decimals=6, disagreement_above=1.0), **tables | more)


@pytest.fixture
def desks(small: tuple[Store, Desk]) -> dict[str, Desk]:  # noqa: F811
    """Two cards, only one of which names the city's market supervision; other records in the city."""
    store, admin = small
    found = people(*small)
    for name, parent in (("scjg-sz", None), ("SCJG-SZ", None), ("scjg-sz2", None), ("jt-sz", "spb-gd")):
        new = NewOrganisation("深圳市某局", "city", "440300", parent, "", "market", name)
        admin.add_organisation(new)
    found["market"] = person(store, admin, "market", "scjg-sz", ("assessor", CITY))
    for name in ("SCJG-SZ", "scjg-sz2", "jt-sz"):
        found[name] = person(store, admin, f"of-{name}", name, ("assessor", CITY))
    found["narrow"] = person(store, admin, "narrow", "scjg-sz", ("assessor", Scope(region="440305")))
    roles = [(role, CITY) for role in ("viewer", "duty_officer", "planner", "inspector", "administrator")]
    found["no assessor"] = person(store, admin, "others", "scjg-sz", *roles)
    postal = found["postal"]
    keep_card(postal, named_card())
    others = [one for one in named_card().departments.to_dicts() if one["department_id"] != "market"]
    keep_card(postal, named_card("2", departments=others))
    worker = person(store, admin, "worker", "sd-gd", ("duty_officer", Scope("/sd/sd-gd/")))
    branch = worker.add("site", site(1), organisation="sd-gd")  # in the province, beyond the city
    worker.add("hazard", hazard(site=branch.id))
    say(postal, CARD, "c", "review", values=values(real_name=0.96), note="抽查省公司")
    rectify(postal, CARD, subjects=["c"], most=3)
    return found


def seen(desk: Desk, kind: str, limit: int = 500) -> list[str]:
    """Return the ids on the pages of a register; none where it may not be listed."""
    try:
        return [record.id for record in desk.every(kind, Query(limit=limit))]
    except ChangtongError:
        return []


def mark_all(desks: dict[str, Desk]) -> None:
    mark(desks["postal"], CARD, "postal", marks(a=POINTS, b=4.0, c=2.0))
    mark(desks["police"], CARD, "police", marks(a=5.0, b=6.0, c=2.0))
    mark(desks["market"], CARD, "market", marks(a=9.0, b=4.5, c=10.0))


def test_a_citys_department_marks_on_a_provinces_card(desks: dict[str, Desk], tmp_path: Path) -> None:
    """10 + 20 x (value - 0.9) / 0.1 + (50 m1 + 30 m2 + 20 m3) / 100 - 3 for a finding that stands."""
    market, postal = desks["market"], desks["postal"]
    card = market.get("scorecard", CARD)
    assert card["departments"]["market"] == {"organisation": "scjg-sz", "waited": True}
    standing = kept.read_marking(market, CARD)
    assert [one["subject_id"] for one in standing.assessments] == ["a", "b", "c"]
    assert code_of(lambda: hand_in(market, CARD, "market")) == "missing-mark"
    mark(market, CARD, "market", marks(a=9.0, b=4.0))
    mark(market, CARD, "market", marks(b=4.5, c=10.0), versions={"b": 1})
    assert own_marks(market, CARD, "market")["points"].to_list() == [9.0, 4.5, 10.0]
    mark(postal, CARD, "postal", marks(a=POINTS, b=4.0, c=2.0))
    mark(desks["police"], CARD, "police", marks(a=5.0, b=6.0, c=2.0))
    assert not hand_in(postal, CARD, "postal")
    assert not hand_in(market, CARD, "market")
    assert code_of(lambda: mark(market, CARD, "market", marks(a=1.0), versions={"a": 1})) == "handed-in"
    assert shown_marks(market, CARD).waiting_for == ("police",)
    assert shown_marks(market, CARD).marks.height == 0
    assert hand_in(desks["police"], CARD, "police")
    # all are in: the department sees the marks of all, and where they disagree
    shown = shown_marks(market, CARD)
    assert shown.marks.height == 9
    widest = shown.disagreements.row(0, named=True)
    assert (widest["subject_id"], widest["highest_by"], widest["spread"]) == ("c", "market", 8.0)
    assert shown.disagreements.equals(assess(read_card(postal, CARD)).disagreements)
    assert len(seen(market, "mark")) == 9
    assert own_marks(market, CARD, "market")["points"].to_list() == [9.0, 4.5, 10.0]
    # scores, by hand and from the folder
    result = assess(read_card(postal, CARD))
    by_hand = {"a": 7 + 0.5 * POINTS + 1.5 + 1.8, "b": 7 + 2 + 1.8 + 0.9, "c": 22 + 1 + 0.6 + 2}
    assert dict(result.scores.select("subject_id", "score").iter_rows()) == pytest.approx(by_hand)
    folder = write_scorecard(read_card(postal, CARD), tmp_path / "folder")
    assess(read_scorecard(folder)).save(tmp_path / "of-folder")
    result.save(tmp_path / "of-registers")
    for path in (tmp_path / "of-folder").iterdir():
        assert path.read_bytes() == (tmp_path / "of-registers" / path.name).read_bytes(), path.name
    # on record as that of others, and the audit is whole
    name = market.page("mark", Query(where={"department": "market"})).records[0]
    entries = desks["admin"].audit_entries("mark", name.id)
    assert {entry["action"] for entry in entries} <= {"add", "change"}
    assert {entry["actor"] for entry in entries} == {market.check()}
    assert desks["admin"].verify_audit(with_records=True).whole


HIDDEN = ("staff_permit", "duty_roster", "duty_entry", "data_request")
"""Who may work where, who is on duty, who asks about their data: nobody's business who only assesses."""


def test_it_sees_the_card_and_nothing_behind_it(desks: dict[str, Desk], small: tuple[Store, Desk]) -> None:  # noqa: F811
    """Every register, all of it: exactly the card, those assessed, its own marks; city's records as ever."""
    mark_all(desks)
    hand_in(desks["postal"], CARD, "postal")
    market = desks["market"]
    with small[0].engine.connect() as connection:
        table = registers["assessment"]
        on_card = set(connection.execute(sa.select(table.c.id).where(table.c.scorecard == CARD)).scalars())
        in_city = set(
            connection.execute(sa.select(table.c.id).where(table.c.admin_code.like("4403%"))).scalars()
        )
        mine = registers["mark"].c.department == "market"
        own = set(connection.execute(sa.select(registers["mark"].c.id).where(mine)).scalars())
        done = set(connection.execute(sa.select(registers["hand_in"].c.id)).scalars())
        everything = {
            kind: set(connection.execute(sa.select(registers[kind].c.id)).scalars()) for kind in REGISTERS
        }
    assert (len(on_card), len(in_city), len(own), len(done)) == (3, 4, 3, 1)
    expected = {"scorecard": {CARD}, "assessment": on_card | in_city, "mark": own, "hand_in": done}
    for kind in REGISTERS:
        if kind in HIDDEN:
            assert code_of(lambda kind=kind: market.page(kind)) == "not-allowed"  # type: ignore[misc]
            continue
        assert set(seen(market, kind)) == expected.get(kind, set()), kind
        rows = {row[0] for row in market.columns(kind, ["id"])}
        assert rows == expected.get(kind, set()), kind
        for one in everything[kind]:
            if one in expected.get(kind, set()):
                assert market.get(kind, one).id == one
            else:
                assert code_of(lambda kind=kind, one=one: market.get(kind, one)) == "not-found"  # type: ignore[misc]
    assert len(everything["statement"]) == 1
    assert len(everything["rectification"]) == len(everything["site"]) == len(everything["hazard"]) == 1
    assert len(everything["mark"]) == 9


def test_it_does_nothing_else_and_learns_nothing(
    desks: dict[str, Desk],
    small: tuple[Store, Desk],  # noqa: F811
    tmp_path: Path,
) -> None:
    market, postal = desks["market"], desks["postal"]
    mark(postal, CARD, "postal", marks(a=POINTS, b=4.0, c=2.0))
    hand_in(postal, CARD, "postal")
    card = market.get("scorecard", CARD)
    one = next(record for record in kept.read_marking(market, CARD).assessments if record["place"] == 2)
    theirs = postal.page("mark").records[0].id
    worker = desks["police"]
    refused = {
        "not-allowed": (
            lambda: say(market, CARD, "c", "self_report"),
            lambda: say(market, CARD, "c", "review"),
            lambda: say(market, CARD, "c", "appeal"),
            lambda: say(market, CARD, "c", "final"),
            # in the city, where the role holds: who conducts the card reviews, nobody else
            lambda: say(market, CARD, "a", "review"),
            lambda: say(market, CARD, "a", "final"),
            lambda: say(desks["jt-sz"], CARD, "a", "review"),
            lambda: market.change("scorecard", CARD, card.version, {"title": "x"}),
            lambda: market.change("scorecard", CARD, card.version, {"marks_shown_at": "2026-01-01T00:00Z"}),
            lambda: market.change("assessment", one.id, one.version, {"state": "appeal"}),
            lambda: market.reveal("scorecard", CARD, "curious"),
            lambda: market.attach("scorecard", CARD, "x.txt", b"text"),
            lambda: market.attach("assessment", one.id, "x.txt", b"text"),
            lambda: market.hold("scorecard", CARD, "court case 12"),
            lambda: market.hold("assessment", one.id, "court case 12"),
            lambda: market.audit_entries("scorecard", CARD),
            lambda: market.verify_audit(),
        ),
        "marks-only": (
            lambda: read_card(market, CARD),
            lambda: rectify(market, CARD),
            lambda: kept.rectify(market, CARD, []),
        ),
        "not-own-department": (
            lambda: mark(market, CARD, "postal", marks(a=1.0)),
            lambda: own_marks(market, CARD, "police"),
            lambda: hand_in(market, CARD, "police", sets_none=True),
        ),
        "not-found": (
            lambda: market.get("mark", theirs),
            lambda: market.hold("mark", theirs, "court case 12"),
            lambda: market.get("scorecard", OTHER),
            lambda: mark(market, OTHER, "market", marks(a=1.0)),
            lambda: hand_in(market, OTHER, "market"),
            lambda: shown_marks(market, OTHER),
            lambda: market.hand_over("hazard", worker.page("hazard").records[0].id, "scjg-sz", "ours"),
        ),
        "own-way": (lambda: market.hand_over("scorecard", CARD, "scjg-sz", "ours"),),
    }
    said = []
    for code, calls in refused.items():
        for number, call in enumerate(calls):
            with pytest.raises(ChangtongError) as caught:
                call()
            problems = getattr(caught.value, "problems", None)
            assert (problems[0].code if problems else caught.value.code) == code, (code, number, caught.value)
            said.append(str(caught.value))
    shown = shown_marks(market, CARD)
    said += [str(shown.marks.to_dicts()), repr([record.values for record in market.every("mark")])]
    assert not any("7.65" in text or PROOF in text or "抽查省公司" in text for text in said)
    entries = desks["admin"].audit_entries("scorecard", CARD)
    assert {"refused:mark", "refused:view"} <= {entry["action"] for entry in entries}
    assert kept.read_card(postal, CARD).scorecard.version == card.version
    assert desks["admin"].verify_audit(with_records=True).whole


def test_who_is_not_named_or_no_assessor_there_is_refused(desks: dict[str, Desk]) -> None:
    """A city's other bureau, names that are alike, another role, a role for a part of the city only."""
    mark_all(desks)
    for name in ("jt-sz", "SCJG-SZ", "scjg-sz2", "no assessor", "narrow"):
        desk = desks[name]
        assert not seen(desk, "scorecard"), name
        assert not seen(desk, "mark"), name
        for call in (
            lambda desk=desk: desk.get("scorecard", CARD),
            lambda desk=desk: kept.read_marking(desk, CARD),
            lambda desk=desk: read_card(desk, CARD),
            lambda desk=desk: mark(desk, CARD, "market", marks(a=1.0)),
            lambda desk=desk: own_marks(desk, CARD, "market"),
            lambda desk=desk: hand_in(desk, CARD, "market"),
        ):
            assert code_of(call) == "not-found", name
    # assessors who see the card by their scope mark only where they are named
    assert code_of(lambda: mark(desks["second"], CARD, "market", marks(a=1.0))) == "not-own-department"


def test_the_right_ends_with_the_role_and_is_not_on_a_version_without_it(desks: dict[str, Desk]) -> None:
    market, admin = desks["market"], desks["admin"]
    assert code_of(lambda: market.get("scorecard", OTHER)) == "not-found"
    mark(market, CARD, "market", marks(a=9.0))
    admin.move_organisation("scjg-sz", "spb-gd", "one bureau now")
    mark(market, CARD, "market", marks(a=8.0), versions={"a": 2})  # it is the same organisation
    for one in admin.grants("market"):
        admin.take_back(one["id"], "moved on")
    assert code_of(lambda: market.get("scorecard", CARD)) == "not-found"
    assert code_of(lambda: mark(market, CARD, "market", marks(b=8.0))) == "not-found"
    assert seen(market, "mark") == []
    assert admin.verify_audit(with_records=True).whole


def test_nobody_marks_themselves_though_the_card_names_them(desks: dict[str, Desk]) -> None:
    subjects = [
        {"subject_id": key, "name": key, "level": "firm", "organisation": organisation}
        for key, organisation in (("sz", "scjg-sz"), ("b", "fc-ft"))
    ]
    facts: list[dict[str, object]] = []
    card = keep_card(desks["postal"], named_card("3", subjects=subjects, facts=facts)).id
    market = desks["market"]
    assert code_of(lambda: mark(market, card, "market", marks(sz=10.0, b=1.0))) == "not-allowed"
    assert own_marks(market, card, "market").height == 0
    assert mark(market, card, "market", marks(b=1.0)) == 1
    assert code_of(lambda: say(market, card, "sz", "review")) == "not-allowed"


def test_organisations_of_departments_are_checked_when_a_card_is_kept(
    desks: dict[str, Desk],
    small: tuple[Store, Desk],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All at once; and a firm's people see nothing beyond the firm, however they came onto a card."""
    postal = desks["postal"]
    departments = [
        {"department_id": key, "name_zh": key, "weight": 50.0, "organisation": organisation}
        for key, organisation in (("postal", "spb-gd"), ("gone", "none"), ("firm", "fc"))
    ]
    card = named_card("4", departments=departments)
    subjects = card.subjects.with_columns(
        organisation=pl.when(pl.col("subject_id").cast(pl.String) == "b")
        .then(pl.lit("nobody"))
        .otherwise("organisation")
    )
    with pytest.raises(InputError) as caught:
        keep_card(postal, named_card("4", departments=departments, subjects=subjects.to_dicts()))
    told = {(problem.code, problem.message.partition(":")[0]) for problem in caught.value.problems}
    assert told == {
        ("unknown-reference", "department gone"),
        ("foreign-department", "department firm"),
        ("unknown-reference", "subject b"),
    }
    assert len(seen(postal, "scorecard")) == 2
    store, admin = small
    firm = person(store, admin, "fc-people", "fc", ("assessor", Scope("/fc/")))
    monkeypatch.setattr(kept, "FIRMS", ())  # as a card of before it was checked
    made = keep_card(postal, named_card("4", departments=[departments[0], departments[2]])).id
    assert seen(firm, "scorecard") == []
    assert code_of(lambda: firm.get("scorecard", made)) == "not-found"
    assert code_of(lambda: mark(firm, made, "firm", marks(a=1.0))) == "not-found"
    monkeypatch.undo()
    # on a firm's own card its branch is a department as any other
    head_office = person(store, admin, "sd-people", "sd", ("assessor", Scope("/sd/")))
    branch = person(store, admin, "sd-gd-people", "sd-gd", ("assessor", Scope("/sd/sd-gd/")))
    own = [{"department_id": "gd", "name_zh": "gd", "weight": 1.0, "organisation": "sd-gd"}]
    some = named_card().subjects.filter(pl.col("subject_id").cast(pl.String) == "a").to_dicts()
    facts: list[dict[str, object]] = []
    of_firm = keep_card(head_office, named_card("5", departments=own, subjects=some, facts=facts)).id
    assert mark(branch, of_firm, "gd", marks(a=3.0)) == 1
    assert hand_in(branch, of_firm, "gd")
    assert shown_marks(branch, of_firm).marks.height == 1


@pytest.mark.parametrize("limit", [2, 500])
def test_lists_are_what_is_decided_one_by_one(
    desks: dict[str, Desk],
    small: tuple[Store, Desk],  # noqa: F811
    limit: int,
) -> None:
    mark_all(desks)
    for name in ("postal", "police", "market"):
        hand_in(desks[name], CARD, name)
    sizes = []
    for name in ("postal", "second", "police", "market", "jt-sz", "SCJG-SZ", "narrow", "b", "viewer"):
        desk = desks[name]
        with small[0].engine.connect() as connection, desk.work(writes=False) as work:
            who = work.person
            for kind in ("scorecard", "assessment", "statement", "mark", "hand_in", "rectification"):
                mine = set()
                for row in connection.execute(sa.select(registers[kind])).mappings():
                    named = named_for(connection, kind, row)
                    target = Target(kind, row["path"], row["admin_code"], named)
                    if decide(who, "view", target, now()).allowed:
                        mine.add(row["id"])
                listed = seen(desk, kind, limit)
                assert len(listed) == len(set(listed))
                assert set(listed) == mine, (name, kind)
                sizes.append(len(mine))
    assert sizes.count(9) >= 2
