"""Filled forms are taken in exactly once, nothing is lost, conflicts are kept, photos lose their position."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safety_cases import (
    POSITION,
    SCAN,
    chunk,
    exif,
    file_of,
    filled,
    jpeg,
    photo,
    png,
    uuid,
    webp,
    write_file,
)
from test_safety_forms import SMALL

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.safety.collect import collect
from changtong.safety.collection import read_collection, revision_states, writing
from changtong.safety.photos import MOST_BYTES, NoPhoto, has_camera_data, media_type, without_camera_data
from changtong.safety.received import read_received


def kept(folder: Path) -> dict[str, str]:
    """Every file of a collection with its content, but for when files were read and the lock."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock" and "received" not in path.parts
    }


# --- photos ------------------------------------------------------------------------------


def test_position_goes_and_pixels_stay() -> None:
    comment, mpf = b"\xff\xfe\x00\x05abc", b"\xff\xe2\x00\x06MPF\0"
    profile = b"\xff\xe2\x00\x10ICC_PROFILE\0\x01\x01"
    dirty = jpeg(exif(), comment, mpf, profile, after=jpeg(exif()))
    clean = without_camera_data(dirty)
    assert POSITION in dirty
    assert POSITION not in clean
    assert clean == jpeg(profile)
    assert SCAN in clean
    assert not has_camera_data(clean)
    assert has_camera_data(dirty)
    text, gone = chunk(b"tEXt", POSITION), chunk(b"eXIf", POSITION)
    assert without_camera_data(png(text, gone)) == png()
    extra = b"EXIF" + (len(POSITION)).to_bytes(4, "little") + POSITION
    made = without_camera_data(webp(extra))
    assert POSITION not in made
    assert made[20] == 0  # the flags of EXIF and XMP
    assert without_camera_data(made) == made


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("turned", [1, 3, 6, 8, 77])
def test_a_photo_stays_upright(turned: int, order: str) -> None:
    clean = without_camera_data(jpeg(exif(turned, order)))
    assert POSITION not in clean
    again = without_camera_data(clean)
    assert again == clean
    if turned in (3, 6, 8):
        assert clean == jpeg(
            b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"
            + bytes([turned])
            + bytes(6)
        )
    else:
        assert clean == jpeg()


@given(st.binary(max_size=300), st.integers(0, 120))
def test_broken_photos_are_refused_and_never_crash(noise: bytes, at: int) -> None:
    for whole in (jpeg(exif(6)), png(chunk(b"tEXt", b"x")), webp()):
        for content in (whole[:at], whole[:at] + noise, whole[:2] + noise):
            try:
                made = without_camera_data(content)
            except NoPhoto:
                continue
            assert media_type(made) == media_type(content)
    with pytest.raises(NoPhoto):
        without_camera_data(png()[:-1])


# --- exactly once ------------------------------------------------------------------------


def test_what_comes_in_is_kept_with_its_findings_and_photos(tmp_path: Path) -> None:
    made = collect([write_file(tmp_path / "a.json", filled(1), filled(2))], tmp_path / "C")
    assert (made.files, made.read, made.new, made.known, made.set_aside) == (1, 2, 2, 0, 0)
    assert (made.photos_new, made.photos_cleaned) == (1, 2)  # the same photo twice is kept once
    c = read_collection(tmp_path / "C")
    assert c.inspections["state"].to_list() == ["current", "current"]
    assert (
        c.findings.select("finding_id", "hazard_kind", "grade", "needs_rectification").rows()
        == [
            (f"{uuid(1)}/r05", "fire", "general", True),
            (f"{uuid(2)}/r05", "fire", "general", True),
        ]
        or c.findings.height == 2
    )
    stored = tmp_path / "C" / c.photos["file"][0]
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == c.photos["sha256"][0] == stored.stem
    assert POSITION not in stored.read_bytes()
    assert pl.read_csv(tmp_path / "C" / "findings.csv").height == 2
    assert (tmp_path / "C").stat().st_mode & 0o077 == 0


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    file = write_file(tmp_path / "a.json", filled(1), filled(2, answers={}))
    collect([file], tmp_path / "C")
    before = kept(tmp_path / "C")
    again = collect([file, file], tmp_path / "C")
    assert (again.read, again.new, again.known, again.photos_new) == (4, 0, 4, 0)
    assert kept(tmp_path / "C") == before


def test_positions_are_kept_on_request_only(tmp_path: Path) -> None:
    file = write_file(tmp_path / "a.json", filled(1))
    made = collect([file], tmp_path / "C", keep_position=True)
    assert made.photos_cleaned == 0
    assert POSITION in (tmp_path / "C" / made.collection.photos["file"][0]).read_bytes()


def test_a_newer_revision_takes_the_place_of_the_one_it_was_made_from(tmp_path: Path) -> None:
    first = filled(1, revision=1)
    second = filled(1, revision=2, history=(1,), answers={"r07": {"value": True}})
    for order in ((first, second), (second, first)):
        folder = tmp_path / str(order[0]["revision_id"])
        for k, one in enumerate(order):
            made = collect([write_file(tmp_path / f"{k}.json", one)], folder)
        assert made.summary()["conflicts"] == 0
        assert made.summary()["superseded"] == 1
        assert made.collection.findings["item_id"].to_list() == ["r07"]
        assert len(list((folder / "filled").iterdir())) == 2  # the older one is still there


def test_changes_in_two_places_are_both_kept_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = filled(1, revision=1)
    one = filled(1, revision=2, history=(1,), answers={"r07": {"value": True}, "r05": {"value": True}})
    other = filled(1, revision=3, history=(1,), answers={"r09": {"value": True}, "r05": {"value": True}})
    file = write_file(tmp_path / "a.json", first, one, other)
    assert main(["safety", "collect", str(file), "-o", str(tmp_path / "C"), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["conflicts"], facts["conflicts_in"]) == (1, [uuid(1)])
    c = read_collection(tmp_path / "C")
    assert sorted(c.inspections["state"]) == ["conflict", "conflict", "superseded"]
    assert sorted(c.findings["item_id"]) == ["r05", "r07", "r09"]  # found in both: one finding
    # a later revision made from both settles it
    both = filled(1, revision=4, history=(1, 2, 3), answers={"r07": {"value": True}, "r09": {"value": True}})
    made = collect([write_file(tmp_path / "b.json", both)], tmp_path / "C")
    assert made.summary()["conflicts"] == 0
    assert sorted(made.collection.inspections["state"]) == [
        "current",
        "superseded",
        "superseded",
        "superseded",
    ]


def test_a_revision_that_says_two_things_is_a_conflict_and_so_is_a_circle(tmp_path: Path) -> None:
    one, other = filled(1), filled(1, answers={"r07": {"value": True}})
    made = collect([write_file(tmp_path / "a.json", one, other)], tmp_path / "C")
    assert made.summary()["conflicts"] == 1
    circle = [("a", "i", "1", frozenset({"2"})), ("b", "i", "2", frozenset({"1"}))]
    assert revision_states(circle) == {"a": "conflict", "b": "conflict"}
    assert revision_states([("a", "i", "1", frozenset({"1"}))]) == {"a": "current"}  # it names itself


VERSIONS = [
    filled(1, revision=1),
    filled(1, revision=2, history=(1,), answers={"r07": {"value": True}}),
    filled(1, revision=3, history=(1,), answers={}),
    filled(2, revision=1, photos={}),
    filled(3, revision=1, site_id=""),
    {"inspection_id": "broken"},
]


@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(st.sampled_from(range(6)), min_size=1, max_size=5), min_size=1, max_size=4),
    st.randoms(),
)
def test_however_files_are_cut_and_ordered_the_folder_is_the_same_and_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[list[int]], dice: Any
) -> None:
    place = tmp_path_factory.mktemp("cuts")
    files = [write_file(place / f"{k}.json", *[VERSIONS[n] for n in cut]) for k, cut in enumerate(cuts)]
    made = [collect([file], place / "one") for file in files]
    for run, cut in zip(made, cuts, strict=True):
        assert run.read == len(cut) == run.new + run.known + run.set_aside
    wanted = {n for cut in cuts for n in cut}
    assert sum(run.new for run in made) == len(wanted - {5}) == made[-1].collection.inspections.height
    assert len(list((place / "one").glob("set_aside/*"))) == int(5 in wanted)
    dice.shuffle(files)
    collect(files, place / "other")
    assert kept(place / "one") == kept(place / "other")


# --- what cannot be taken in -------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe nothing",
        b"[]",
        b'{"changtong": {"kind": "filled-forms", "version": 2}, "inspections": []}',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[" * 100_000,
        json.dumps(file_of(filled(1, site_name="\ud800"))).encode(),
    ],
    ids=["bytes", "list", "version", "twice", "nan", "deep", "half a sign"],
)
def test_a_file_that_is_none_is_set_aside_as_it_came(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    made = collect([tmp_path / "a.json", tmp_path / "none.json"], tmp_path / "C")
    assert (made.read, made.new, made.set_aside) == (2, 0, 2)
    assert {p.code for p in made.problems} == {"bad-filled"}
    assert [path.read_bytes() for path in (tmp_path / "C" / "set_aside").iterdir()] == [content]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("inspection_id", "../../etc/passwd"),
        ("revision_id", 7),
        ("history", ["x"]),
        ("form", {"id": "fire"}),
        ("inspectors", "I1"),
        ("site_id", "S" * 65),
        ("finished", "yes"),
        ("answers", {"r01": "yes"}),
        ("answers", {"r01": {"value": [1]}}),
        ("answers", {"r01": {"value": "x" * 5000}}),
        ("photos", {"p": {"data": "no base64!"}}),
        ("photos", {str(k): photo(b"") for k in range(61)}),
    ],
)
def test_a_part_that_is_wrong_is_set_aside_and_the_others_are_taken(
    tmp_path: Path, key: str, value: Any
) -> None:
    made = collect([write_file(tmp_path / "a.json", filled(1) | {key: value}, filled(2))], tmp_path / "C")
    assert (made.new, made.set_aside) == (1, 1)
    assert [(p.row, p.column) for p in made.problems] == [(1, key)]


def test_a_bad_photo_is_set_aside_and_its_inspection_kept(tmp_path: Path) -> None:
    large = jpeg() + bytes(MOST_BYTES)
    bad = filled(1, photos={"p1": photo(b"GIF89a"), "p2": photo(large), "p3": photo(jpeg()[:-3])})
    made = collect([write_file(tmp_path / "a.json", bad)], tmp_path / "C")
    assert (made.new, made.photos_set_aside, made.photos_new) == (1, 3, 0)
    assert [p.code for p in made.problems] == ["bad-photo"] * 3
    held = {path.read_bytes() for path in (tmp_path / "C" / "set_aside").iterdir()}
    assert held == {b"GIF89a", large, jpeg()[:-3]}
    assert made.collection.photos["file"].is_null().all()


def test_names_of_people_stay_out_of_the_tables(tmp_path: Path) -> None:
    answers = {
        "r08": {"value": True, "photos": ["p1"], "note": "液体"},
        "r08_sender": {"value": "王小明", "note": "王小明的备注"},
        "r08_waybill": {"value": "YT1234567890"},
        "unheard_of": {"value": "李小红"},
    }
    collect([write_file(tmp_path / "a.json", filled(1, answers=answers))], tmp_path / "C")
    tables = "".join(path.read_text("utf-8-sig") for path in (tmp_path / "C").glob("*.csv"))
    assert "液体" in tables
    for secret in ("王小明", "YT1234567890", "李小红"):
        assert secret not in tables
        assert any(secret in path.read_text("utf-8") for path in (tmp_path / "C" / "filled").iterdir())


def test_forms_of_ones_own_are_kept_with_the_answers(tmp_path: Path) -> None:
    mine = tmp_path / "forms"
    mine.mkdir()
    (mine / "small.toml").write_text(SMALL, "utf-8")
    said = filled(
        1, form={"id": "small", "version": "1.0", "digest": "0" * 64}, answers={"guard": {"value": "no"}}
    )
    file = write_file(tmp_path / "a.json", said)
    unknown = collect([file], tmp_path / "A").collection
    assert unknown.problems["code"].to_list() == ["unknown-form"]
    assert (unknown.inspections["form_known"][0], unknown.answers.height) == (False, 1)
    known = collect([file], tmp_path / "B", forms_folder=mine).collection
    assert known.findings["red_line"].to_list() == ["art4-1"]
    assert "form-differs" in known.problems["code"].to_list()
    # a new version comes; answers to the old one can still be read, from the collection alone
    (mine / "small.toml").write_text(
        SMALL.replace('"1.0"', '"2.0"').replace('bad = ["no"]', 'bad = ["yes"]'), "utf-8"
    )
    assert read_collection(tmp_path / "B").findings["red_line"].to_list() == ["art4-1"]


def test_wherever_a_run_is_cut_off_the_next_one_ends_where_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from changtong.safety import collect as module
    from changtong.safety import collection

    file = write_file(tmp_path / "a.json", filled(1), filled(2, photos={"p1": photo(png())}), {"a": 1})
    collect([file], tmp_path / "whole")
    wanted, put, cut = kept(tmp_path / "whole"), collection.put_file, 0
    while True:
        left = cut

        def stopping(path: Path, content: bytes) -> bool:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return put(path, content)

        place = tmp_path / f"cut{cut}"
        monkeypatch.setattr(module, "put_file", stopping)
        monkeypatch.setattr(collection, "put_file", stopping)
        try:
            collect([file], place)
            break
        except KeyboardInterrupt:
            pass
        monkeypatch.setattr(module, "put_file", put)
        monkeypatch.setattr(collection, "put_file", put)
        collect([file], place)
        assert kept(place) == wanted, cut
        cut += 1
    assert cut >= 10  # every file that is written was one to be cut off before


def test_only_a_collection_is_added_to_and_by_one_process_at_a_time(tmp_path: Path) -> None:
    file = write_file(tmp_path / "a.json", filled(1))
    with pytest.raises(UsageError, match="no collection"):
        collect([file], tmp_path)
    collect([file], tmp_path / "C")
    with writing(tmp_path / "C"), pytest.raises(UsageError, match="Another process"):
        collect([file], tmp_path / "C")
    with pytest.raises(InputError, match="not-a-collection"):
        read_collection(tmp_path)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_file(tmp_path / "a.json", filled(1))
    assert main(["safety", "check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inspections"][0]["findings"][0]["item_id"] == "r05"
    assert main(["safety", "collect", str(file), "-o", str(tmp_path / "C")]) == 0
    assert "1 new, 0 known, 0 set aside" in capsys.readouterr().out
    assert main(["safety", "check", str(write_file(tmp_path / "b.json", filled(1, finished=False)))]) == 1
    assert main(["safety", "check", str(tmp_path / "none.json")]) == 2
    assert main(["safety", "check", str(write_file(tmp_path / "c.json", {}))]) == 2
    assert main(["safety", "forms", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["forms"]) == 9
    assert main(["safety", "form", "fire", "-o", str(tmp_path / "fire.json")]) == 0
    assert json.loads((tmp_path / "fire.json").read_text("utf-8"))["title"].endswith("1.0")
    assert main(["safety", "form", "fire", "-o", str(tmp_path / "fire.txt")]) == 2


def test_base64_of_a_photo_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(json.dumps(file_of(filled(1))).encode())
    (one,) = read_received((tmp_path / "a.json").read_bytes(), "a.json").inspections
    assert base64.b64encode(one.photos["p1"]).decode() == filled(1)["photos"]["p1"]["data"]
