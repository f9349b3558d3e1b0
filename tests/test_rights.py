"""Who may do what where: every role, action, kind and scope, against rules written down a second time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.rights.decide import (
    Grant,
    Person,
    Reach,
    Role,
    Target,
    decide,
    is_party,
    kinds_and_actions,
    named_within,
    rights_table,
    scopes,
)
from changtong.rights.organisations import AUTHORITIES, FIRMS, may_hold, may_stand_below
from changtong.rights.scope import Scope, region_prefix

NOW = datetime(2026, 6, 1, tzinfo=UTC)

READ = {"view", "verify"}
WORKERS = {"duty_officer", "planner", "inspector", "assessor"}

# what each role is for, in words of sets and not of the table's rows: kind -> action -> roles
MAY: dict[str, dict[str, set[str]]] = {
    "run": {
        "view": {"viewer", "duty_officer", "planner"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
    },
    "organisation": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"administrator"},
        "change": {"administrator"},
        "hand_over": {"administrator"},
    },
    "user": {"view": WORKERS | {"administrator"}, "add": {"administrator"}, "change": {"administrator"}},
    "grant": {"view": {"administrator"}, "add": {"administrator"}, "remove": {"administrator"}},
    "site": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner", "inspector"},
        "reveal": {"duty_officer", "inspector"},
    },
    "inspection": {
        "view": WORKERS,
        "add": {"planner", "inspector"},
        "change": {"planner", "inspector"},
        "decide": {"duty_officer", "inspector"},
        "reveal": {"inspector"},
    },
    "hazard": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "inspector"},
        "change": {"duty_officer", "inspector"},
        "decide": {"inspector"},
        "reveal": {"duty_officer", "inspector"},
    },
    "task": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner", "inspector"},
        "decide": {"duty_officer", "planner"},
    },
    "rectification": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "inspector", "assessor"},
        "change": {"duty_officer", "inspector"},
        "decide": {"inspector", "assessor"},
    },
    # that there is a file, many may know; what it shows may be persons
    "attachment": {
        "view": WORKERS,
        "add": WORKERS,
        "reveal": {"duty_officer", "inspector", "assessor"},
    },
    "hold": {
        "view": WORKERS | {"administrator"},
        "add": {"duty_officer", "inspector", "assessor", "administrator"},
        # by its id alone, on a record that one may not view: who does the work views what they hold
        "add_unseen": {"administrator"},
        "remove": {"administrator"},
    },
    "pseudonym": {"reveal": {"duty_officer", "inspector"}},
    "campaign": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
    },
    "find": {
        "view": {"duty_officer", "inspector", "assessor"},
        "add": {"duty_officer", "inspector"},
        "change": {"duty_officer", "inspector"},
        "reveal": {"duty_officer", "inspector"},
    },
    "scorecard": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"assessor"},
        "conduct": {"assessor"},
        "report": WORKERS,
        "assess": {"assessor"},
        "mark": {"assessor"},
        "decide": {"assessor"},
    },
    "assessment": {"view": WORKERS | {"viewer"}},
    "case": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner", "inspector"},
        "decide": {"duty_officer", "planner"},
    },
    # what is written in it may name people
    "case_entry": {"view": WORKERS},
    "statement": {"view": WORKERS | {"viewer"}},
    "mark": {"view": {"assessor"}},
    "hand_in": {"view": {"assessor"}},
    "permit": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
        "reveal": {"duty_officer", "inspector"},
    },
    "firm": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
    },
    "staff_permit": {
        "view": {"duty_officer", "planner", "inspector"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
        "reveal": {"duty_officer", "inspector"},
    },
    "site_state": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
    },
    "duty_room": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "change": {"duty_officer", "planner"},
    },
    "duty_roster": {"view": WORKERS - {"assessor"}, "reveal": {"duty_officer", "inspector"}},
    "duty_entry": {"view": WORKERS - {"assessor"}, "add": {"duty_officer"}},
    "issued_plan": {
        "view": WORKERS | {"viewer", "administrator"},
        "add": {"duty_officer", "planner"},
        "approve": {"duty_officer", "planner"},
        "issue": {"duty_officer", "planner"},
        "withdraw": {"duty_officer", "planner"},
    },
    # people of the site answer for it; who is on duty answers for others, who say so by telephone
    "issued_order": {
        "view": WORKERS | {"viewer", "administrator"},
        "acknowledge": {"duty_officer", "planner", "inspector"},
        "acknowledge_for": {"duty_officer"},
        "reveal": {"duty_officer"},
    },
    "issued_entry": {"view": WORKERS},
    # the office that follows it; who else a ticket names, is below
    "rights_ticket": {
        "view": {"duty_officer", "inspector"},
        "add": {"duty_officer", "inspector"},
        "change": {"duty_officer", "inspector"},
        "decide": {"duty_officer", "inspector"},
        "answer": set(),
        "reveal": {"duty_officer", "inspector"},
        "count": WORKERS | {"viewer"},
    },
    "data_request": {
        action: {"duty_officer", "inspector"} for action in ("view", "add", "change", "decide", "reveal")
    },
    "audit": {"view": {"administrator"}, "verify": {"administrator"}},
    "registers": {
        action: {"administrator"} for action in ("backup", "export", "search", "erase", "sweep", "change")
    },
}
OTHERS_ONLY = {
    ("inspection", "decide"),
    ("hazard", "decide"),
    ("task", "decide"),
    ("rectification", "decide"),
    ("scorecard", "assess"),
    ("scorecard", "mark"),
    ("scorecard", "decide"),
    *((kind, action) for kind in ("permit", "firm", "site_state") for action in ("add", "change")),
}
OWN_ONLY = {("scorecard", "report"), ("issued_order", "acknowledge")}
# what the assessors of an organisation that a card names as a department may do beyond their scope
NAMED = {(kind, "view") for kind in ("scorecard", "assessment", "mark", "hand_in")} | {("scorecard", "mark")}
# what nobody does who is not named
NAMED_ONLY = {("scorecard", "mark")}

ACTIONS = sorted({action for _, action in kinds_and_actions()} | {"delete", "anything"})
KINDS = sorted({kind for kind, _ in kinds_and_actions()} | {"unheard"})

# who asks: someone of the Shenzhen authority, someone of a firm's Guangdong branch
OWN = {"authority": "/spb/gd/sz/", "firm": "/sd/gd/"}
SCOPES = {
    "everywhere": Scope(),
    "nation by code": Scope(region="000000"),
    "province": Scope(region="440000"),
    "city": Scope(region="440300"),
    "county": Scope(region="440305"),
    "other province": Scope(region="110000"),
    "own authority": Scope("/spb/gd/sz/"),
    "firm": Scope("/sd/"),
    "branch": Scope("/sd/gd/"),
    "branch in the city": Scope("/sd/gd/", "440300"),
    "other firm": Scope("/fc/"),
    "name begins alike": Scope("/sd/g/"),
}
TARGETS = {
    "own, authority": ("/spb/gd/sz/", "440300"),
    "own, firm": ("/sd/gd/", "440000"),
    "descendant": ("/sd/gd/sz/ns/", "440305"),
    "descendant elsewhere": ("/sd/gd/x/", "450100"),
    "above": ("/sd/", "310000"),
    "other firm, same county": ("/fc/ft/", "440305"),
    "other firm elsewhere": ("/fc/", "330000"),
    "authority of another province": ("/spb/bj/", "110000"),
    "name begins alike": ("/sd/gdx/", "440305"),
}
INSIDE = {
    "everywhere": set(TARGETS),
    "nation by code": set(TARGETS),
    "province": {"own, authority", "own, firm", "descendant", "other firm, same county", "name begins alike"},
    "city": {"own, authority", "descendant", "other firm, same county", "name begins alike"},
    "county": {"descendant", "other firm, same county", "name begins alike"},
    "other province": {"authority of another province"},
    "own authority": {"own, authority"},
    "firm": {"own, firm", "descendant", "descendant elsewhere", "above", "name begins alike"},
    "branch": {"own, firm", "descendant", "descendant elsewhere"},
    "branch in the city": {"descendant"},
    "other firm": {"other firm, same county", "other firm elsewhere"},
    "name begins alike": set(),
}
IN_THE_FIRM = {"own, firm", "descendant", "descendant elsewhere", "above", "name begins alike"}
BESIDE = frozenset({"ga-gd", "gd-sz", "s", "sz2"})
"""Organisations that are nobody's here, though some names begin or end alike."""

CARDS = {
    "no card": frozenset(),
    "others": BESIDE,
    "own, authority": BESIDE | {"sz"},
    "own, firm": BESIDE | {"gd"},
}
"""Which organisations the card of a record names as its departments."""


def test_the_expectations_are_about_the_table_as_it_is() -> None:
    assert {(kind, action) for kind, actions in MAY.items() for action in actions} == set(kinds_and_actions())
    assert len(set(kinds_and_actions())) == len(kinds_and_actions())
    assert {(kind, action) for kind, action, _ in rights_table()} == set(kinds_and_actions())


def expected(role: Role, who: str, kind: str, action: str, scope: str, target: str, card: str) -> bool:
    """Say by the sets above, and not as it is decided, whether somebody may do something."""
    if role.value not in MAY.get(kind, {}).get(action, set()):
        return False
    own = target == f"own, {who}"
    if ((kind, action) in OTHERS_ONLY and own) or ((kind, action) in OWN_ONLY and not own):
        return False
    here = target in INSIDE[scope]
    if role is not Role.assessor or (kind, action) not in NAMED:
        return here
    firms_stay = who == "authority" or target in IN_THE_FIRM
    let_in = card == f"own, {who}" and firms_stay and (here or f"own, {who}" in INSIDE[scope])
    return let_in or (here and (kind, action) not in NAMED_ONLY)


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("who", OWN)
def test_every_role_action_kind_scope_and_card(role: Role, who: str, every: int) -> None:
    code = TARGETS[f"own, {who}"][1]
    tried = allowed = by_name = 0
    cells = product(KINDS, ACTIONS, SCOPES.items(), TARGETS, CARDS)
    for kind, action, (scope, where), target, card in islice(cells, 0, None, every):
        person = Person("p", OWN[who], (Grant(role, where),), code, is_authority=who == "authority")
        made = decide(person, action, Target(kind, *TARGETS[target], CARDS[card]), NOW)
        right = expected(role, who, kind, action, scope, target, card)
        assert made.allowed is right, (role, action, kind, scope, target, card)
        assert (made.why_not == "") is right
        tried += 1
        allowed += right
        by_name += right and target not in INSIDE[scope]
    assert tried == -(-len(KINDS) * len(ACTIONS) * len(SCOPES) * len(TARGETS) * len(CARDS) // every)
    assert allowed > 100 // every
    assert (by_name > 0) is (role is Role.assessor)


def test_without_a_grant_nothing_is_allowed() -> None:
    for (kind, action), place in product(kinds_and_actions(), TARGETS.values()):
        made = decide(Person("p", OWN["firm"]), action, Target(kind, *place), NOW)
        assert (made.allowed, made.why_not) == (False, "no-grant")


def test_a_grant_ends() -> None:
    grant = Grant(Role.inspector, Scope(), NOW)
    target = Target("hazard", "/sd/", "440300")
    person = Person("p", "/spb/", (grant,))
    assert decide(person, "view", target, NOW - timedelta(milliseconds=1)).allowed
    assert not decide(person, "view", target, NOW).allowed
    assert scopes(person, "view", "hazard", NOW) == ()


def test_one_grant_of_several_is_enough_and_the_reason_is_the_nearest() -> None:
    person = Person(
        "p", "/sd/", (Grant(Role.viewer, Scope(region="110000")), Grant(Role.inspector, Scope("/sd/")))
    )
    assert decide(person, "view", Target("hazard", "/fc/", "110101"), NOW).grant == person.grants[0]
    assert decide(person, "change", Target("hazard", "/sd/gd/", "440000"), NOW).grant == person.grants[1]
    assert decide(person, "change", Target("hazard", "/fc/", "110101"), NOW).why_not == "outside"
    assert decide(person, "decide", Target("hazard", "/sd/", "310000"), NOW).why_not == "own-organisation"
    assert decide(person, "decide", Target("hazard", "/sd/gd/", "440000"), NOW).allowed


paths = st.lists(st.sampled_from(["a", "ab", "b", "c"]), min_size=1, max_size=4).map(
    lambda p: f"/{'/'.join(p)}/"
)
codes = st.sampled_from(
    ["110000", "110101", "440000", "440300", "440305", "440305001", "440305001002", "450100"]
)
where = st.builds(Scope, st.one_of(st.just("/"), paths), st.one_of(st.just(""), codes))


@settings(deadline=None)  # what is first asked for reads the table; that is no failure
@given(st.lists(where, max_size=5), paths, codes)
def test_scopes_of_lists_hold_what_is_decided_one_by_one(found: list[Scope], path: str, code: str) -> None:
    person = Person("p", "/a/", tuple(Grant(Role.viewer, scope) for scope in found))
    listed = scopes(person, "view", "site", NOW)
    assert (
        any(s.covers(path, code) for s in listed)
        == decide(person, "view", Target("site", path, code), NOW).allowed
    )
    assert not any(a.includes(b) for a in listed for b in listed if a != b)


@given(where, where, paths, codes)
def test_a_scope_that_includes_another_covers_all_of_it(
    wide: Scope, narrow: Scope, path: str, code: str
) -> None:
    if wide.includes(narrow) and narrow.covers(path, code):
        assert wide.covers(path, code)


def test_lists_are_only_filtered_by_rights_that_reach_all_of_a_scope() -> None:
    person = Person("p", "/a/", (Grant(Role.assessor, Scope()),))
    with pytest.raises(ValueError, match="assess"):
        scopes(person, "assess", "scorecard", NOW)
    with pytest.raises(ValueError, match="mark"):
        scopes(person, "mark", "scorecard", NOW)
    viewing = [reaches for (_, action, _), reaches in rights_table().items() if action == "view"]
    listed = [reaches for reaches in viewing if reaches != (Reach.party,)]
    assert all(reaches[0] is Reach.scope for reaches in listed)
    assert {reach for reaches in listed for reach in reaches[1:]} == {Reach.named, Reach.party}


@pytest.mark.parametrize("role", Role)
def test_who_is_named_on_a_ticket_sees_it_and_no_more(role: Role) -> None:
    ticket = Target("rights_ticket", "/spb/gd/sz/", "440300", parties=frozenset({"p", "q"}))
    for who in ("p", "r"):
        person = Person(who, "/sd/gd/", (Grant(role, Scope("/sd/gd/")),), "440000")
        for kind, action in kinds_and_actions():
            made = decide(person, action, replace(ticket, kind=kind), NOW)
            named = kind == "rights_ticket" and action in ("view", "reveal") and who == "p"
            assert made.allowed is (named and role is not Role.administrator), (who, kind, action)
            assert not decide(replace(person, grants=()), action, replace(ticket, kind=kind), NOW).allowed
        assert is_party(person, "view", "rights_ticket", NOW) is (role is not Role.administrator)
        assert not is_party(person, "view", "site", NOW)
        ended = Person(who, "/sd/gd/", (Grant(role, Scope("/sd/gd/"), NOW),), "440000")
        assert not is_party(ended, "view", "rights_ticket", NOW)


@pytest.mark.parametrize("role", Role)
def test_who_deals_with_a_ticket_for_a_firm_answers_it_while_of_this_firm(role: Role) -> None:
    ticket = Target("rights_ticket", "/spb/gd/sz/", "440300", handlers=frozenset({"h"}), firm="gd")
    for who, path, of_firm in (
        ("h", "/sd/gd/ns/", True),
        ("h", "/sd/", False),
        ("h", "/fc/", False),
        ("o", "/sd/gd/", False),
    ):
        person = Person(who, path, (Grant(role, Scope(path)),), "440000")
        for kind, action in kinds_and_actions():
            made = decide(person, action, replace(ticket, kind=kind), NOW)
            handles = of_firm and kind == "rights_ticket" and action in ("view", "reveal", "answer")
            assert made.allowed is (handles and role is not Role.administrator), (who, path, kind, action)


@settings(deadline=None)
@given(
    st.lists(where, max_size=3), paths, paths, codes, codes, st.booleans(), st.sets(st.sampled_from("abc")),
    st.sampled_from(["scorecard", "assessment", "statement", "mark", "hand_in", "rectification"]),
)  # fmt: skip
def test_lists_hold_what_a_card_lets_in_as_it_is_decided_one_by_one(
    found: list[Scope],
    own: str,
    path: str,
    code: str,
    of_own: str,
    authority: bool,
    named: set[str],
    kind: str,
) -> None:
    grants = tuple(Grant(Role.assessor, scope) for scope in found)
    person = Person("p", own, grants, of_own, is_authority=authority)
    within = named_within(person, "view", kind, NOW)
    let_in = within is not None and person.organisation in named and within.covers(path, code)
    listed = let_in or any(scope.covers(path, code) for scope in scopes(person, "view", kind, NOW))
    assert listed == decide(person, "view", Target(kind, path, code, frozenset(named)), NOW).allowed
    over = tuple(Grant(Role.assessor, scope, NOW) for scope in found)
    assert named_within(Person("p", own, over, of_own, is_authority=authority), "view", kind, NOW) is None


def test_a_card_lets_a_department_in_only_where_its_role_holds_for_it() -> None:
    """A role for one county, given to a city's people, does not make them the city's department."""
    card = Target("scorecard", "/spb/gd/", "440000", frozenset({"scjg-sz"}))
    for scope, allowed in (
        (Scope(region="440300"), True),
        (Scope("/scjg-sz/"), True),
        (Scope(region="440000"), True),
        (Scope(region="440305"), False),
        (Scope("/spb/gd/sz/"), False),
        (Scope(region="450000"), False),
    ):
        person = Person("p", "/scjg-sz/", (Grant(Role.assessor, scope),), "440300", is_authority=True)
        assert decide(person, "mark", card, NOW).allowed is allowed, scope
        assert decide(person, "assess", card, NOW).allowed is (scope == Scope(region="440000"))
        assert decide(person, "decide", card, NOW).allowed is (scope == Scope(region="440000"))


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("440000", "44"),
        ("440300", "4403"),
        ("440305", "440305"),
        ("440305001", "440305001"),
        ("000000", ""),
        ("", ""),
        ("441900", "4419"),
        ("440305100", "440305100"),
        ("440305001000", "440305001"),
        ("440305001100", "440305001100"),
        ("440000000000", "44"),
    ],
)
def test_prefix_of_a_code(code: str, prefix: str) -> None:
    assert region_prefix(code) == prefix


@pytest.mark.parametrize("path", ["", "a", "/a", "a/", "//", "/a//b/", "/a b/", "/a/*/"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Scope(path)
    with pytest.raises(ValueError, match="code"):
        Scope(region="44x")


def test_who_stands_below_whom() -> None:
    for child, parent in product((*AUTHORITIES, *FIRMS), repeat=2):
        rank = (AUTHORITIES if child in AUTHORITIES else FIRMS).index
        if (child in AUTHORITIES) != (parent in AUTHORITIES):
            assert not may_stand_below(child, parent)
        elif child == parent:
            assert may_stand_below(child, parent) == (child == "branch")
        else:
            assert may_stand_below(child, parent) == (rank(parent) < rank(child)), (child, parent)
    assert [kind for kind in (*AUTHORITIES, *FIRMS) if may_stand_below(kind, None)] == [
        *AUTHORITIES,
        "headquarters",
    ]


def test_what_scopes_people_of_an_organisation_can_have() -> None:
    assert may_hold("nation", "/spb/", "000000", Scope())
    assert may_hold("province", "/spb/gd/", "440000", Scope(region="440300"))
    assert may_hold("province", "/spb/gd/", "440000", Scope("/sd/", "440300"))
    assert not may_hold("province", "/spb/gd/", "440000", Scope())
    assert not may_hold("province", "/spb/gd/", "440000", Scope(region="110000"))
    assert not may_hold("province", "/spb/gd/", "440000", Scope("/sd/"))
    for kind in FIRMS:
        assert may_hold(kind, "/sd/gd/", "440000", Scope("/sd/gd/sz/"))
        for scope in (Scope(), Scope(region="440000"), Scope("/sd/"), Scope("/fc/"), Scope("/sd/gdx/")):
            assert not may_hold(kind, "/sd/gd/", "440000", scope)
