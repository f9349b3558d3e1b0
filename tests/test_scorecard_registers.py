"""Scorecards in the registers, on SQLite and on PostgreSQL alike: stages, blind marks, the same scores."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from assessment_cases import card, head, random_tables
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, POINTS, PROOF, marks, people, small_card, values

from changtong.assessment.assess import assess
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.assessment.scorecard import Scorecard
from changtong.errors import ChangtongError, ConflictError, DeniedError, InputError, NotFoundError
from changtong.rights.scope import Scope
from changtong.scorecards.rectify import rectify
from changtong.scorecards.statements import hand_in, keep_card, mark, own_marks, read_card, say
from changtong.storage import scorecards as kept
from changtong.storage.card_departments import OF_A_CARD
from changtong.storage.definitions import OWN_WAYS
from changtong.storage.export import export_all
from changtong.storage.pages import Query
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, Store


@pytest.fixture
def desks(small: tuple[Store, Desk]) -> dict[str, Desk]:
    found = people(*small)
    keep_card(found["postal"], small_card())
    return found


def code_of(call: Callable[[], object]) -> str:
    """Return the code of what is raised: of the first problem where there are several."""
    with pytest.raises(ChangtongError) as caught:
        call()
    problems = getattr(caught.value, "problems", None)
    return problems[0].code if problems else caught.value.code


def all_marked(desks: dict[str, Desk]) -> None:
    mark(desks["postal"], CARD, "postal", marks(a=POINTS, b=4.0))
    mark(desks["police"], CARD, "police", marks(a=5.0, b=6.0))
    assert not hand_in(desks["postal"], CARD, "postal")
    assert hand_in(desks["police"], CARD, "police")


def test_from_self_report_to_the_final_score_by_hand(desks: dict[str, Desk], tmp_path: Path) -> None:
    """10 + 20 x (value - 0.9) / 0.1 + (60 m1 + 40 m2) / 100 - 3 for a finding that stands."""
    say(desks["a"], CARD, "a", "self_report", values=values(real_name=1.0), note="自查")
    say(desks["b"], CARD, "b", "self_report", values=values(real_name=0.95))
    reported = assess(read_card(desks["postal"], CARD))
    assert {one: reported.score_of(one) for one in "ab"} == {"a": 27.0, "b": 17.0}
    say(desks["postal"], CARD, "a", "review", values=values(real_name=0.96), note="抽查")
    say(desks["postal"], CARD, "b", "review")
    all_marked(desks)
    say(desks["a"], CARD, "a", "appeal", values=values(real_name=1.0), facts=["F1"], note="已整改")
    appealed = read_card(desks["postal"], CARD)
    assert appealed.facts.filter(pl.col("fact_id") == "F1")["state"].item() == "appealed"
    by_marks = {"a": 0.6 * POINTS + 2.0, "b": 2.4 + 2.4}
    found = dict(assess(appealed).scores.select("subject_id", "score").iter_rows())
    assert found == pytest.approx({"a": 10 + 12 - 3 + by_marks["a"], "b": 10 + 10 - 3 + by_marks["b"]})
    say(desks["second"], CARD, "a", "final", values=values(real_name=0.97), facts=["F1"], note="部分采纳")
    say(desks["postal"], CARD, "b", "final")
    card = read_card(desks["postal"], CARD)
    result = assess(card)
    found = dict(result.scores.select("subject_id", "score").iter_rows())
    assert found == pytest.approx({"a": 10 + 14 + by_marks["a"], "b": 10 + 10 - 3 + by_marks["b"]})
    assert result.scores["stage"].to_list() == ["final", "final"]
    assert result.disagreements.height == 2
    # byte for byte what the exported folder gives
    folder = write_scorecard(card, tmp_path / "folder")
    assess(read_scorecard(folder)).save(tmp_path / "of-folder")
    result.save(tmp_path / "of-registers")
    names = sorted(path.name for path in (tmp_path / "of-folder").iterdir())
    assert len(names) > 8
    for name in names:
        one, other = (tmp_path / side / name for side in ("of-folder", "of-registers"))
        assert one.read_bytes() == other.read_bytes(), name
    assert desks["admin"].verify_audit(with_records=True).whole


def test_the_stages_go_their_ways_only_and_others_decide(desks: dict[str, Desk]) -> None:
    a, postal, second = desks["a"], desks["postal"], desks["second"]
    wrong = {
        "bad-state": lambda: say(a, CARD, "a", "appeal"),
        "not-allowed": lambda: say(postal, CARD, "a", "self_report"),
    }
    for code, call in wrong.items():
        assert code_of(call) == code
    assert code_of(lambda: say(postal, CARD, "a", "final")) == "bad-state"
    assert code_of(lambda: say(a, CARD, "a", "review")) == "not-allowed"
    # an assessor of the outlet itself: never for one's own
    assert code_of(lambda: say(desks["b"], CARD, "b", "review")) == "not-allowed"
    assert code_of(lambda: say(desks["b"], CARD, "a", "self_report")) == "not-found"
    say(a, CARD, "a", "self_report", values=values(real_name=0.99))
    say(a, CARD, "a", "self_report", values=values(real_name=0.98))  # said anew, until it is reviewed
    say(postal, CARD, "a", "review")
    assert code_of(lambda: say(a, CARD, "a", "self_report")) == "bad-state"
    say(a, CARD, "a", "appeal", facts=["F1"])
    assert code_of(lambda: say(postal, CARD, "a", "final")) == "own-review"
    say(second, CARD, "a", "final")
    for stage, desk in (("final", second), ("appeal", a), ("review", postal)):
        assert code_of(lambda stage=stage, desk=desk: say(desk, CARD, "a", stage)) == "bad-state"  # type: ignore[misc]
    one = kept.read_one(a, CARD, "a").assessments[0].id
    trail = [entry["action"] for entry in desks["admin"].audit_entries("assessment", one)]
    assert [one for one in trail if not one.startswith("refused")] == ["add"] + ["change"] * 5
    assert {"refused:report", "refused:assess", "refused:decide"} <= set(trail)
    assert not desks["admin"].audit_entries("scorecard", one)  # a refusal stands with what it is about
    assert desks["admin"].verify_audit(with_records=True).whole


def test_what_is_said_is_checked_and_nothing_is_written(desks: dict[str, Desk]) -> None:
    a = desks["a"]
    wrong = pl.DataFrame({"indicator_id": ["real-name", "joint", "nothing"], "value": ["high", "1", "2"]})
    with pytest.raises(InputError) as caught:
        say(a, CARD, "a", "self_report", values=wrong, facts=["F2"])
    (unknown,) = (problem for problem in caught.value.problems if problem.code == "unknown-fact")
    assert unknown.expected == "F1"
    codes = {problem.code for problem in caught.value.problems}
    assert {"wrong-type", "unknown-indicator", "value-for-marks", "unknown-fact"} == codes
    assert kept.read_one(a, CARD, "a").assessments[0]["state"] == "open"
    first = kept.read_one(a, CARD, "a").assessments[0].version
    say(a, CARD, "a", "self_report", values=values(real_name=0.99), version=first)
    with pytest.raises(ConflictError):
        say(a, CARD, "a", "self_report", values=values(real_name=0.98), version=first)


def test_marks_are_blind_on_every_doorway(
    desks: dict[str, Desk], small: tuple[Store, Desk], tmp_path: Path
) -> None:
    """Everybody but the department's own people: pages, records, lists, exports, audit, errors, results."""
    mark(desks["postal"], CARD, "postal", marks(a=POINTS, b=4.0))
    hand_in(desks["postal"], CARD, "postal")
    own = next(iter(desks["postal"].every("mark")))
    assert own["marks"][0]["points"] == POINTS
    seen: list[str] = []
    for name in ("police", "a", "b", "viewer", "admin"):
        desk = desks[name]
        for call in (
            lambda desk=desk: list(desk.every("mark")),
            lambda desk=desk: list(desk.every("mark", Query(where={"department": "postal"}))),
            lambda desk=desk: desk.get("mark", own.id),
            lambda desk=desk: desk.reveal("mark", own.id, "curious"),
            lambda desk=desk: desk.change("mark", own.id, own.version, {"department": "police"}),
            lambda desk=desk: desk.attach("mark", own.id, "x.txt", b"text"),
            lambda desk=desk: kept.read_card(desk, CARD),
            lambda desk=desk: own_marks(desk, CARD, "postal"),
            lambda desk=desk: desk.audit_entries("mark", own.id),
            lambda desk=desk: mark(desk, CARD, "postal", marks(a=1.0)),
            lambda desk=desk: hand_in(desk, CARD, "postal"),
            lambda desk=desk: desk.change("scorecard", CARD, 1, {"marks_shown_at": "2026-01-01T00:00:00Z"}),
        ):
            try:
                seen.append(f"{call()!r} {vars(call()) if hasattr(call(), '__dict__') else ''}")
            except ChangtongError as error:
                current = getattr(error, "current", None)
                seen.append(f"{type(error).__name__} {error} {vars(current) if current is not None else ''}")
        assert [record["department"] for record in _pages(desk)] == []
    for number, personal in enumerate((False, True)):
        export_all(*small, tmp_path / f"export{number}", "yearly", personal=personal)
        export_all(*small, tmp_path / f"lines{number}", "yearly", personal=personal, format="jsonl")
    exported = [path for path in tmp_path.rglob("*") if path.suffix in {".csv", ".jsonl"}]
    seen += [path.read_text("utf-8") for path in exported]
    assert sum(path.stem == "marks" for path in exported) == 4
    result = assess(read_card(desks["police"], CARD))
    result.save(tmp_path / "result")
    seen += [path.read_text("utf-8") for path in (tmp_path / "result").iterdir()]
    seen += [str(result), result.to_json(), str(result.explain("a"))]
    assert result.card.waiting_for == ("police",)
    folder = write_scorecard(read_card(desks["police"], CARD), tmp_path / "folder")
    seen += [path.read_text("utf-8") for path in folder.iterdir()]
    assert read_scorecard(folder).waiting_for == ("police",)
    with small[0].engine.connect() as connection:
        table = connection.exec_driver_sql("SELECT detail, reason FROM audit").fetchall()
    seen += [str(row) for row in table]
    shown = "\n".join(seen)
    assert not re.search(r"(?<![\d:])7\.65", shown)  # no second of an instant
    assert PROOF not in shown
    # what the marker herself sees gives the same result: nobody's score depends on who looks
    assert assess(read_card(desks["postal"], CARD)).to_json() == result.to_json()
    mark(desks["police"], CARD, "police", marks(a=5.0, b=6.0))
    assert hand_in(desks["police"], CARD, "police")
    assert {record["department"] for record in _pages(desks["police"])} == {"postal", "police"}
    assert "7.654321" in assess(read_card(desks["police"], CARD)).disagreements.write_csv()
    assert desks["admin"].verify_audit(with_records=True).whole


def test_a_blind_mark_cannot_be_held_by_who_may_not_see_it(desks: dict[str, Desk]) -> None:
    """A hold by id alone tells that there is a record: of a blind mark nobody else learns that."""
    mark(desks["postal"], CARD, "postal", marks(a=POINTS, b=4.0))
    own = next(iter(desks["postal"].every("mark")))
    said = set()
    for name in ("admin", "police", "viewer"):
        for record in (own.id, "there-is-none"):
            with pytest.raises(NotFoundError) as caught:
                desks[name].hold("mark", record, "court case 12")
            said.add(str(caught.value).replace(record, "ID"))
    assert len(said) == 1
    assert desks["admin"].holds() == []
    hand_in(desks["postal"], CARD, "postal")
    mark(desks["police"], CARD, "police", marks(a=5.0, b=6.0))
    assert hand_in(desks["police"], CARD, "police")  # marks are shown from here on
    held = desks["admin"].hold("mark", own.id, "court case 12")
    assert [one["id"] for one in desks["admin"].holds()] == [held]


def _pages(desk: Desk) -> list[object]:
    try:
        return list(desk.every("mark"))
    except DeniedError:
        return []


def test_marks_are_given_once_and_by_their_own_department(desks: dict[str, Desk]) -> None:
    postal, police = desks["postal"], desks["police"]
    assert code_of(lambda: mark(police, CARD, "postal", marks(a=1.0))) == "not-own-department"
    assert code_of(lambda: mark(postal, CARD, "postal", marks(a=11.0))) == "out-of-range"
    assert code_of(lambda: mark(postal, CARD, "postal", marks(nobody=1.0))) == "unknown-subject"
    assert code_of(lambda: hand_in(postal, CARD, "postal")) == "missing-mark"
    mark(postal, CARD, "postal", marks(a=8.0))
    assert code_of(lambda: hand_in(postal, CARD, "postal")) == "missing-mark"
    assert code_of(lambda: hand_in(postal, CARD, "postal", sets_none=True)) == "mark-not-allowed"
    with pytest.raises(ConflictError):  # what was read is to be named
        mark(postal, CARD, "postal", marks(a=9.0, b=1.0))
    assert own_marks(postal, CARD, "postal").height == 1
    mark(postal, CARD, "postal", marks(a=9.0, b=1.0), versions={"a": 1})
    with pytest.raises(ConflictError):
        mark(postal, CARD, "postal", marks(a=1.0), versions={"a": 1})
    hand_in(postal, CARD, "postal")
    assert code_of(lambda: mark(postal, CARD, "postal", marks(a=1.0), versions={"a": 2})) == "handed-in"
    assert code_of(lambda: hand_in(postal, CARD, "postal")) == "handed-in"
    hand_in(police, CARD, "police", sets_none=True)
    result = assess(read_card(postal, CARD))
    assert dict(result.scores.select("subject_id", "score").iter_rows()) == {"a": 16.0, "b": 8.0}
    assert code_of(lambda: mark(police, CARD, "police", marks(a=1.0))) == "handed-in"


def test_a_part_of_those_assessed_is_no_ranking(desks: dict[str, Desk], small: tuple[Store, Desk]) -> None:
    assert code_of(lambda: read_card(desks["b"], CARD)) == "not-found"
    assert code_of(lambda: read_card(desks["viewer"], CARD)) == "not-allowed"
    store, admin = small
    admin.add_organisation(NewOrganisation("交通运输厅", "province", "440000", id="jt-gd"))
    roles = [("assessor", Scope("/spb/spb-gd/", "440000")), ("assessor", Scope(region="440305"))]
    some = person(store, admin, "some", "jt-gd", *roles)
    with pytest.raises(DeniedError, match="1 of the 2"):
        read_card(some, CARD)
    assert [one["subject_id"] for one in some.every("assessment")] == ["a"]


def test_a_card_is_kept_once_whole_and_by_its_version(small: tuple[Store, Desk]) -> None:
    desks = people(*small)
    postal = desks["postal"]
    nobody = [{"subject_id": "a", "name": "a", "level": "firm"}]
    given = [{"department_id": "postal", "subject_id": "a", "indicator_id": "joint", "points": 1.0}]
    with pytest.raises(InputError) as caught:
        keep_card(postal, small_card(marks=given, subjects=nobody, facts=[]))
    assert {problem.code for problem in caught.value.problems} == {"begins-empty", "no-organisation"}
    unknown = [
        {"subject_id": k, "name": k, "level": "firm", "organisation": o}
        for k, o in (("a", "sd-ns"), ("b", "none"))
    ]
    assert code_of(lambda: keep_card(postal, small_card(subjects=unknown))) == "unknown-reference"
    assert list(postal.every("scorecard")) == []
    for who in ("a", "viewer", "admin"):
        assert code_of(lambda who=who: keep_card(desks[who], small_card())) == "not-allowed"  # type: ignore[misc]
    assert keep_card(postal, small_card()).id == CARD
    assert code_of(lambda: keep_card(postal, small_card())) == "duplicate-record"
    again = keep_card(postal, small_card(head(version="2", decimals=6)))
    assert again.id == "spb-gd.test.2.2025"
    assert [record["card_version"] for record in postal.every("scorecard")] == ["2", "1"]
    # no other way in
    for kind in OWN_WAYS:
        of_cards = kind == "scorecard" or kind in (
            *OF_A_CARD,
            "statement",
        )  # the others an assessor may not see
        row = next(iter(postal.every(kind)), None) if of_cards else None
        whole = dict(row.values) if row else {}
        assert code_of(lambda kind=kind, whole=whole: postal.add(kind, whole)) == "own-way"  # type: ignore[misc]
        if row is not None:
            with pytest.raises((DeniedError, InputError)):
                postal.change(kind, row.id, row.version, {next(iter(row.values)): "x"})


def test_rectifications_are_followed_to_their_end(desks: dict[str, Desk], small: tuple[Store, Desk]) -> None:
    postal, second = desks["postal"], desks["second"]
    made = rectify(postal, CARD, subjects=["a"], most=5)
    assert {record["gap"].rpartition("/")[2] for record in made} == {"fact:F1", "indicator:real-name"}
    assert rectify(postal, CARD, subjects=["a"], most=5) == ()
    worker = person(*small, "worker", "sd-ns", ("inspector", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    one = next(record for record in made if record["gap"].endswith("fact:F1"))
    states = {"open": "open", "done": "handed_in", "refused": "open", "under_way": "open"}
    seen = one
    for state in ("done", "refused", "under_way", "done"):
        desk = second if state == "refused" else worker
        with pytest.raises((DeniedError, InputError)):  # nobody accepts what is their own
            worker.change("rectification", one.id, seen.version, {"state": "accepted"})
        seen = desk.change("rectification", one.id, seen.version, {"state": state})
        kept_rows = read_card(postal, CARD).rectifications.filter(pl.col("cause") == "fact:F1")
        assert kept_rows["state"].to_list() == [states[state]]
    second.change("rectification", one.id, seen.version, {"state": "accepted"})
    row = read_card(postal, CARD).rectifications.filter(pl.col("cause") == "fact:F1").row(0, named=True)
    assert (row["state"], row["owner"]) == ("closed", "安全负责人")
    assert row["closed_at"] is not None


def random_in_registers(seed: int, desks: dict[str, Desk]) -> tuple[Scorecard, str]:
    """Put a random card into the registers the way people do; return it, and its id there."""
    about, tables = random_tables(seed)
    about = replace(about, version=str(seed))
    owners = {"d1": "spb-gd", "d2": "ga-gd", "d3": "jt-gd"}
    for one in tables["departments"]:
        one["organisation"] = owners.get(one["department_id"])
    for one in tables["subjects"]:
        one["organisation"] = "sd-ns"
    whole = card(about, **tables)
    begun = {name: rows for name, rows in tables.items() if name not in ("marks", "handed_in")}
    kept_as = keep_card(desks["d1"], card(about, **begun)).id
    for name in owners:
        mine = whole.marks.filter(pl.col("department_id").cast(pl.String) == name)
        if mine.height:
            mark(desks[name], kept_as, name, mine.drop("department_id"))
    for one in whole.handed_in["department_id"].cast(pl.String):
        has = whole.marks.filter(pl.col("department_id").cast(pl.String) == one).height > 0
        hand_in(desks[one], kept_as, one, sets_none=not has)
    return whole, kept_as


def test_folder_and_registers_score_alike(small: tuple[Store, Desk], tmp_path: Path) -> None:
    """Random cards: as they were, from the registers, and from the folder exported from these."""
    found = people(*small)
    small[1].add_organisation(NewOrganisation("交通运输厅", "province", "440000", id="jt-gd"))
    third = person(*small, "third", "jt-gd", ("assessor", Scope(region="440000")))
    desks = {"d1": found["postal"], "d2": found["police"], "d3": third}
    blind = 0
    for seed in range(6):
        whole, kept_as = random_in_registers(seed, desks)
        read = read_card(desks["d2"], kept_as)
        result = assess(read)
        blind += not result.complete
        columns = ["subject_id", "score", "rank", "band", "earned", "deducted", "bonus", "stage"]
        assert result.scores.select(columns).equals(assess(whole).scores.select(columns)), seed
        result.save(tmp_path / f"{seed}a")
        again = read_scorecard(write_scorecard(read, tmp_path / f"{seed}f"))
        assess(again).save(tmp_path / f"{seed}b")
        for path in (tmp_path / f"{seed}a").iterdir():
            assert path.read_bytes() == (tmp_path / f"{seed}b" / path.name).read_bytes(), (seed, path.name)
    assert 0 < blind < 6


def test_two_who_hand_in_at_once_open_the_marks(desks: dict[str, Desk]) -> None:
    """Neither waits for the other, and the last one of both shows the marks."""
    for name in ("postal", "police"):
        mark(desks[name], CARD, name, marks(a=5.0, b=6.0))
    shown: list[bool] = []
    threads = [
        threading.Thread(target=lambda name=name: shown.append(hand_in(desks[name], CARD, name)))  # type: ignore[misc]
        for name in ("postal", "police")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shown) == [False, True]
    assert read_card(desks["postal"], CARD).marks.height == 4


def test_two_who_review_at_once_do_not_overwrite(desks: dict[str, Desk]) -> None:
    said: list[str] = []

    def review(name: str) -> None:
        try:
            say(desks[name], CARD, "a", "review", values=values(real_name=0.95), version=1)
            said.append(name)
        except ConflictError:
            said.append("conflict")

    threads = [threading.Thread(target=review, args=(name,)) for name in ("postal", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said)[0] == "conflict"
    assert len(said) == 2
