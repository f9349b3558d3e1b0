"""Warnings by the Common Alerting Protocol: read or refused, and which are in force."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.emergency.cap import NAMESPACE, Message, read_cap
from changtong.emergency.in_force import InForce, in_force
from changtong.errors import InputError, UsageError

NOON = datetime(2026, 7, 20, 12, tzinfo=UTC)


def at(hour: float) -> str:
    return (NOON + timedelta(hours=hour)).isoformat()


def alert(
    name: str = "1", *, sent: float = 0.0, kind: str = "Alert", status: str = "Actual",
    sender: str = "met@cn", references: tuple[tuple[str, float], ...] = (),
    about: str = "met@cn", expires: float | None = 6.0, onset: float | None = None,
    area: str = "<polygon>30,110 30,112 32,112 30,110</polygon>",
    info: bool = True,
) -> bytes:  # fmt: skip
    said = " ".join(f"{about},{other},{at(hour)}" for other, hour in references)
    times = f"<onset>{at(onset)}</onset>" if onset is not None else ""
    times += f"<expires>{at(expires)}</expires>" if expires is not None else ""
    body = f"""<info><language>zh-CN</language><category>Met</category><event>暴雨</event>
    <urgency>Expected</urgency><severity>Severe</severity><certainty>Very Likely</certainty>{times}
    <headline>暴雨橙色预警</headline><parameter><valueName>colour</valueName><value>orange</value></parameter>
    <area><areaDesc>郑州</areaDesc>{area}<circle>34.7,113.6 25</circle>
    <geocode><valueName>adcode</valueName><value>410100</value></geocode></area></info>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?><alert xmlns="{NAMESPACE}">
    <identifier>{name}</identifier><sender>{sender}</sender><sent>{at(sent)}</sent><status>{status}</status>
    <msgType>{kind}</msgType><scope>Public</scope><references>{said}</references>
    <incidents>unknown to us</incidents>{body if info else ""}</alert>""".encode()


def codes(source: bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_cap(source, "one.xml")
    assert all(problem.file == "one.xml" for problem in caught.value.problems)
    return [problem.code for problem in caught.value.problems]


def test_a_message_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "storm.xml").write_bytes(alert(references=(("0", -3.0),), kind="Update"))
    found = read_cap(tmp_path / "storm.xml")
    assert (found.key.sender, found.key.identifier, found.key.sent) == ("met@cn", "1", NOON)
    assert found.references[0].sent == NOON - timedelta(hours=3)
    assert found.file == "storm.xml"
    (info,) = found.infos
    assert (info.event, info.severity, info.certainty) == ("暴雨", "Severe", "Likely")
    assert info.parameters == (("colour", "orange"),)
    (area,) = info.areas
    assert area.polygons[0][0] == (110.0, 30.0)  # lon, lat: the standard writes lat,lon
    assert area.circles == ((113.6, 34.7, 25.0),)
    assert area.geocodes == (("adcode", "410100"),)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><alert>&y;</alert>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/hostname"><alert/>"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"", ["bad-xml"]),
        (alert()[:200], ["bad-xml"]),
        (BOMB, ["bad-xml"]),
        (OUTSIDE, ["bad-xml"]),
        (b'<?xml version="1.0" encoding="martian"?><alert/>', ["bad-xml"]),
        (alert().replace(b"cap:1.2", b"cap:1.1"), ["other-version"]),
        (b"<rss/>", ["other-version"]),
        (alert(kind="Warn", status="Real"), ["unknown-value", "unknown-value"]),
        (alert().replace(at(0.0).encode(), b"2026-07-20T12:00:00"), ["bad-time"]),
        (alert(kind="Cancel"), ["missing-element"]),
        (alert().replace(b"<event>", b"<evnt>").replace(b"</event>", b"</evnt>"), ["missing-element"]),
        (alert(area="<polygon>30,110 30,112 32,112</polygon>"), ["bad-polygon"]),
        (alert(area="<polygon>30,110 30,112 32,112 31,110</polygon>"), ["bad-polygon"]),
        (alert(area="<polygon>110,30 112,30 112,32 110,30</polygon>"), ["bad-polygon"]),  # lon,lat
        (alert(area="<circle>34,113 -5</circle>"), ["bad-circle"]),
        (alert(area="<circle>34,113</circle>"), ["bad-circle"]),
        (alert(kind="Update").replace(b"<references>", b"<references>met@cn;1"), ["bad-reference"]),
        (b"<a>" * 2_000_000, ["too-large"]),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_with_every_problem(source: bytes, expected: list[str]) -> None:
    assert codes(source) == expected


@pytest.mark.parametrize("midnight", ["2028-02-29T24:00:00+08:00", "2028-03-01T00:00:00+08:00"])
def test_the_end_of_a_day_is_the_begin_of_the_next(midnight: str) -> None:
    # 24:00:00 is an instant of XML; 2028 has a 29 February
    read = read_cap(alert(expires=6.0).replace(at(6.0).encode(), midnight.encode()))
    assert read.infos[0].expires == datetime(2028, 2, 29, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong", ["2027-02-29T24:00:00+08:00", "2028-02-28T24:00:00", "2028-02-28T24:30:00Z"]
)
def test_no_other_time_after_24_is_read(wrong: str) -> None:
    assert codes(alert(expires=6.0).replace(at(6.0).encode(), wrong.encode())) == ["bad-time"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_cap(tmp_path / "storm.xml")
    assert [(problem.code, problem.file) for problem in caught.value.problems] == [
        ("unreadable-file", "storm.xml")
    ]


def show(messages: list[bytes], hour: float, **options: object) -> InForce:
    return in_force([read_cap(one) for one in messages], NOON + timedelta(hours=hour), **options)  # type: ignore[arg-type]


def names(found: InForce) -> list[str]:
    return [one.message.key.identifier for one in found.now]


def test_warnings_begin_and_end_by_their_times() -> None:
    one = alert(onset=2.0, expires=6.0)
    assert [one.message.key.identifier for one in show([one], 1.0).coming] == ["1"]
    assert names(show([one], 1.0)) == []
    assert names(show([one], 2.0)) == ["1"]
    assert names(show([one], 6.0)) == []
    assert [key.identifier for key in show([one], 6.0).over] == ["1"]
    assert names(show([one], -1.0)) == []  # not sent yet
    endless = show([alert(expires=None)], 23.0)
    assert (names(endless), endless.now[0].ends_assumed) == (["1"], True)
    assert names(show([alert(expires=None)], 24.0)) == []
    assert names(show([alert(expires=None)], 24.0, without_expiry_h=48.0)) == ["1"]
    assert names(show([alert(info=False)], 1.0)) == []


def test_updates_and_cancellations_hold_whichever_came_first() -> None:
    first = alert("1", expires=24.0)
    second = alert("2", sent=1.0, kind="Update", references=(("1", 0.0),), expires=24.0)
    end = alert("3", sent=2.0, kind="Cancel", references=(("2", 1.0),), info=False)
    for some in itertools.permutations([first, second, end]):
        assert names(show(list(some), 0.5)) == ["1"]
        assert names(show(list(some), 1.5)) == ["2"]
        assert names(show(list(some), 3.0)) == []
        assert show(list(some), 3.0).problems == ()
    alone = show([second], 1.5)
    assert names(alone) == ["2"]
    assert [problem.code for problem in alone.problems] == ["unknown-reference"]


def test_nobody_ends_the_warning_of_another_sender() -> None:
    foreign = alert("9", sent=1.0, kind="Cancel", sender="x@y", references=(("1", 0.0),), info=False)
    found = show([alert(), foreign], 2.0)
    assert names(found) == ["1"]
    assert [problem.code for problem in found.problems] == ["foreign-reference"]


def test_exercises_do_not_count_unless_asked_for() -> None:
    drill = alert("2", status="Exercise")
    found = show([alert(), drill], 1.0)
    assert (names(found), [key.identifier for key in found.left_out]) == (["1"], ["2"])
    assert names(show([alert(), drill], 1.0, status="Exercise")) == ["2"]
    cancels = alert("3", sent=0.5, kind="Cancel", status="Exercise", references=(("1", 0.0),), info=False)
    assert names(show([alert(), cancels], 1.0)) == ["1"]  # a drill ends nothing real


def test_one_message_twice_counts_once_and_two_contents_are_told() -> None:
    assert names(show([alert(), alert()], 1.0)) == ["1"]
    found = show([alert(), alert(expires=9.0)], 7.0)
    assert names(found) == []
    assert [problem.code for problem in found.problems] == ["conflicting-message"]


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(UsageError):
        in_force([], datetime(2026, 7, 20))  # noqa: DTZ001


@settings(max_examples=examples(60), deadline=None, derandomize=True)
@given(st.data())
def test_order_and_doubles_never_matter(data: st.DataObject) -> None:
    pool: list[Message] = []
    for number in range(data.draw(st.integers(1, 7))):
        earlier = [(one.key.identifier, (one.key.sent - NOON) / timedelta(hours=1)) for one in pool]
        kind = data.draw(st.sampled_from(["Alert", "Update", "Cancel"])) if earlier else "Alert"
        about = (
            tuple(data.draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=2))) if earlier else ()
        )
        expires = data.draw(st.sampled_from([None, 2.0, 30.0]))
        refers = about if kind != "Alert" else ()
        text = alert(str(number), sent=float(number), kind=kind, references=refers, expires=expires)
        pool.append(read_cap(text))
    when = NOON + timedelta(hours=data.draw(st.floats(0.0, 12.0)))
    shuffled = data.draw(st.permutations(pool + pool[:2]))
    one, other = in_force(pool, when), in_force(shuffled, when)
    assert (one.now, one.coming, one.replaced, one.cancelled) == (
        other.now, other.coming, other.replaced, other.cancelled,
    )  # fmt: skip
    ended = set(one.replaced) | set(one.cancelled)
    assert not {warned.message.key for warned in one.now} & ended
