"""Odd and hostile messages: each is read as the standard says, or told; none stops the others."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from changtong.cli import main
from changtong.emergency.cap import Area, Message, read_cap
from changtong.emergency.in_force import in_force
from changtong.emergency.message_sources import MOST_TOLD, read_messages
from changtong.emergency.threats import find_threats
from changtong.emergency.warned_areas import inside_warned_area
from changtong.errors import InputError
from tests.test_emergency_cap import NAMESPACE, NOON, alert, at
from tests.test_emergency_exposure import three

LATER = NOON + timedelta(hours=1)
EXAMPLES = Path(__file__).parent.parent / "examples"
ATOM = 'xmlns="http://www.w3.org/2005/Atom"'


def told(source: str | bytes) -> set[str]:
    with pytest.raises(InputError) as caught:
        read_cap(source if isinstance(source, bytes) else source.encode(), "one.xml")
    return {problem.code for problem in caught.value.problems}


def changed(old: str, new: str, *, name: str = "1") -> bytes:
    text = alert(name).decode()
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("<status>", "<status>Test</status><status>", "repeated-element"),
        ("cap:1.2", "cap:1.1", "other-version"),
        (f' xmlns="{NAMESPACE}"', "", "other-version"),
        (at(6.0), "2026-07-20T18:00:00", "bad-time"),
        (at(6.0), "0001-01-01T00:00:00+14:00", "bad-time"),
        ("30,110 30,112", "nan,110 30,112", "bad-polygon"),
        ("32,112 30,110", "32,112 31,110", "bad-polygon"),
        ("34.7,113.6 25", "34.7,113.6 -1", "bad-circle"),
        ("34.7,113.6 25", "34.7,113.6 inf", "bad-circle"),
        ("</area>", "<altitude>high</altitude></area>", "unknown-value"),
        ("暴雨", "a\0b", "bad-xml"),
        ("UTF-8", "Big5", "bad-xml"),
    ],
)
def test_what_the_standard_forbids_is_told(old: str, new: str, code: str) -> None:
    assert code in told(changed(old, new))


def test_what_is_nested_without_end_is_told() -> None:
    assert told("<a>" * 100_000 + "</a>" * 100_000) == {"other-version"}


@pytest.mark.parametrize("encoding", ["GB2312", "GBK", "gb18030", "UTF-16"])
def test_encodings_found_in_china_are_read(encoding: str) -> None:
    codec = "gb18030" if encoding.lower().startswith("gb") else encoding
    content = changed("UTF-8", encoding).decode().encode(codec)
    assert read_cap(content).infos[0].event == "暴雨"
    if codec == "gb18030":
        assert told(content[:-20] + b"\xff\xff") == {"bad-xml"}


def test_an_empty_shape_says_nothing_and_until_further_notice_is_the_last_year() -> None:
    empty = alert(area="<polygon/><polygon> </polygon>").replace(b"34.7,113.6 25", b"")
    (area,) = read_cap(empty).infos[0].areas
    assert (area.polygons, area.circles, area.geocodes) == ((), (), (("adcode", "410100"),))
    forever = read_cap(changed(at(6.0), "9999-12-31T23:59:59-00:00"))
    (counted,) = in_force([forever], LATER).now
    assert counted.ends.year == 9998
    json.loads(find_threats(three(), [forever], LATER).to_json())


def ended(*messages: bytes) -> tuple[list[str], list[str]]:
    found = in_force([read_cap(one) for one in messages], LATER)
    return [one.message.key.identifier for one in found.now], [one.code for one in found.problems]


def test_no_message_ends_itself_or_what_was_sent_after_it() -> None:
    itself = alert("2", kind="Update", references=(("2", 0.0),))
    assert ended(itself) == (["2"], ["impossible-reference"])
    too_early = alert("3", kind="Cancel", sent=-1.0, references=(("1", 0.0),))
    assert ended(alert("1"), too_early) == (["1"], ["impossible-reference"])
    one = alert("4", kind="Update", references=(("5", 0.0),))
    two = alert("5", kind="Update", references=(("4", 0.0),))
    assert ended(one, two) == (["4", "5"], ["impossible-reference", "impossible-reference"])


def test_what_says_nothing_and_what_is_not_sent_yet_is_told() -> None:
    assert ended(alert("1", info=False)) == ([], ["nothing-said"])
    found = in_force([read_cap(alert("1", sent=5.0))], LATER)
    assert [key.identifier for key in found.not_yet_sent] == ["1"]
    assert "1 not yet sent" in str(find_threats(three(), [read_cap(alert("1", sent=5.0))], LATER))


def test_heights_and_signatures_are_noted() -> None:
    high = read_cap(changed("</area>", "<altitude>20000</altitude></area>"))
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature></alert>'
    signed = read_cap(changed("</alert>", signature, name="2"))
    notes = find_threats(three(), [high, signed], LATER).notes
    assert [note.en for note in notes if "20,000 ft" in note.en or "signed" in note.en] == [
        "1 messages are signed: nobody has verified it.",
        "暴雨 (1): 郑州 is for heights from 20,000 ft on; the ground counts (assumed).",
    ]
    assert all(note.zh != note.en for note in notes)


@pytest.mark.parametrize("north", [1.0, -1.0])
def test_a_ring_round_a_pole_holds_it(north: float) -> None:
    around = tuple((lon, 60.0 * north) for lon in (0.0, 90.0, 180.0, -90.0, 0.0))
    lon, lat = np.array([-170.0, 10.0, 179.9, 10.0]), north * np.array([80.0, 89.9, 61.0, 59.0])
    for ring in (around, around[::-1]):
        assert inside_warned_area(lon, lat, Area("", polygons=(ring,))).tolist() == [True, True, True, False]
    near = Area("", circles=((0.0, 90.0 * north, 1200.0),))
    assert inside_warned_area(lon, lat, near).tolist() == [True, True, False, False]


def read(folder: Path, feed: str) -> tuple[list[Message], list[str], list[str]]:
    (folder / "feed.xml").write_text(feed, "utf-8")
    found = read_messages([folder / "feed.xml"])
    return found.messages, [one.code for one in found.set_aside], [note.en for note in found.notes]


def test_feeds_of_every_kind_and_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.xml").write_bytes(alert("a"))
    (tmp_path / "good.xml").write_bytes(alert("good"))
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        "<item><link>sub/a.xml</link></item></rdf:RDF>"
    )
    messages, wrong, _ = read(tmp_path, rdf)
    assert ([one.key.identifier for one in messages], wrong) == (["a"], [])
    based = f'<feed {ATOM} xml:base="sub/"><entry><link href="a.xml"/></entry><entry><link/></entry></feed>'
    assert [one.key.identifier for one in read(tmp_path, based)[0]] == ["a"]
    assert read(tmp_path, f"<feed {ATOM}/>")[2] == ["feed.xml: the feed holds no message."]
    links = ("a%00b.xml", "http://[bad", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "sub")
    entries = "".join(f'<entry><link href="{link}"/></entry>' for link in links)
    messages, _, notes = read(tmp_path, f"<feed {ATOM}>{entries}</feed>")
    assert (messages, len(notes)) == ([], len(links))


def test_a_feed_full_of_rubbish_hides_no_other_message(tmp_path: Path) -> None:
    old = '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1"/>'
    (tmp_path / "a.xml").write_text(f"<rss><channel><item>{old * 6000}</item></channel></rss>", "utf-8")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("../../evil.xml", alert("packed"))
    found = read_messages([tmp_path])
    assert [one.key.identifier for one in found.messages] == ["packed"]
    assert len(found.set_aside) == MOST_TOLD + 1
    assert "5,980 more" in found.set_aside[-1].message
    assert not (tmp_path.parent.parent / "evil.xml").exists()


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here: needs a checkout")
def test_a_plan_is_made_with_what_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warnings = EXAMPLES / "warnings"
    (tmp_path / "track.csv").write_text(
        "name,time,lon,lat,r7_km,r12_km\n"
        "Doksuri,2026-07-20T00:00+08:00,113.0,34.5,300,0.001\n"
        "Doksuri,2026-07-20T12:00+08:00,113.5,34.7,300,0.001\n",
        "utf-8",
    )
    command = ["warnings", str(EXAMPLES / "tiny"), str(warnings / "messages"), "--json"]
    command += ["--track", str(tmp_path / "track.csv"), "--at", "2026-07-20T09:00+08:00"]
    code = main([*command, "-o", str(tmp_path / "WARNED"), "--plan", str(tmp_path / "PLAN")])
    facts = json.loads(capsys.readouterr().out)
    assert code == (1 if facts["set_aside"] else 0)
    made = json.loads((tmp_path / "PLAN" / "plan.json").read_text("utf-8"))
    assert facts["plan"]["unserved_pieces"] == pytest.approx(made["unserved_pieces"])
    assert facts["plan"]["outages"] + facts["plan"]["left_out"] == facts["outages"] > 0
    again = ["plan", str(EXAMPLES / "tiny"), "--outages", str(tmp_path / "WARNED" / "outages.toml"), "--json"]
    assert main([*again, "--at", facts["plan"]["at"], "-o", str(tmp_path / "AGAIN")]) == 0
    by_hand = json.loads(capsys.readouterr().out)
    assert by_hand["unserved_pieces"] == pytest.approx(facts["plan"]["unserved_pieces"])
    rows = facts["warnings"]
    storm = [row["state"] for row in rows if row["kind"] == "typhoon" and row["level_from"] == "track"]
    assert sorted(storm) == ["in force", "reaches nothing"]  # counts once, as in force
    assert sum(facts["by_state"].values()) == len({(row["sender"], row["warning"]) for row in rows})
    assert 0 < facts["sites_in_circles"] <= facts["sites"]
