"""Colours, kinds, languages, what is over: how a warning's words are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changtong.emergency.cap import Area, Info, Key, Message, read_cap
from changtong.emergency.colours import colour_of, kind_of
from changtong.emergency.in_force import in_force, said_once
from changtong.emergency.warning_rules import read_warning_rules
from changtong.errors import InputError
from tests.test_emergency_cap import NOON, alert, at

RULES = read_warning_rules()
PLAIN = Info("zh-CN", ("Met",), "暴雨", "Expected", "Minor", "Likely")


@pytest.mark.parametrize(
    ("headline", "level", "where"),
    [
        ("郑州市气象台发布暴雨红色预警", "red", "headline"),
        ("暴雨黄色预警升级为橙色预警信号", "orange", "headline"),
        ("红色暴雨预警", "red", "headline"),
        ("发布大风蓝色预警[IV级/一般]", "blue", "headline"),
        ("Red rainstorm warning signal", "red", "headline"),
        ("Yellow River flood: orange warning", "orange", "headline"),
        ("Yellow River flood warning", "blue", "severity"),  # a river, no colour
        ("红色旅游区道路湿滑", "blue", "severity"),
        ("", "blue", "severity"),
    ],
)
def test_the_colour_is_what_the_headline_says_else_assumed(headline: str, level: str, where: str) -> None:
    found = colour_of(replace(PLAIN, headline=headline), RULES)
    assert (found.level, found.said_in, found.assumed) == (level, where, where == "severity")


def test_parameters_and_codes_come_before_the_headline_and_unknown_stays_unknown() -> None:
    said = replace(PLAIN, headline="暴雨红色预警", parameters=(("awareness_level", "3; orange; Severe"),))
    assert (colour_of(said, RULES).level, colour_of(said, RULES).said_in) == ("orange", "parameter")
    several = colour_of(replace(PLAIN, headline="暴雨红色预警、大风蓝色预警"), RULES)
    assert (several.level, several.several) == ("red", True)
    assert colour_of(replace(PLAIN, severity="Unknown"), RULES).level == "unknown"


@pytest.mark.parametrize(
    ("event", "headline", "kind"),
    [
        ("雷雨大风", "", "thunderstorm"), ("Flash Flood Watch", "", "flood"),
        ("气象", "发布台风预警", "typhoon"),
        ("地质灾害气象风险", "暴雨引发", "geology"), ("Marshall", "", "other"), ("snowfall", "", "snow"),
    ],
)  # fmt: skip
def test_kinds_by_the_event_then_the_headline(event: str, headline: str, kind: str) -> None:
    assert kind_of(replace(PLAIN, event=event, headline=headline), RULES) == kind
    coded = replace(PLAIN, event="x", event_codes=(("eventType", "11B06"),))
    assert kind_of(coded, RULES) == "gale"


def test_the_same_in_two_languages_counts_once_and_what_only_one_says_is_kept() -> None:
    area = (Area("郑州", circles=((113.6, 34.7, 25.0),)),)
    zh = replace(PLAIN, areas=area)
    en = replace(
        PLAIN, language="en-US", event="rainstorm", areas=(replace(area[0], description="Zhengzhou"),)
    )
    wind = replace(zh, event="大风")
    only = replace(en, event="hail", severity="Severe")
    assert said_once([en, zh, wind, only]) == (zh, wind, only)
    assert said_once([zh, en], ("en",)) == (en,)
    assert said_once([zh, en], ("fr",)) == (zh,)  # none of those wanted: what comes first
    message = Message(Key("a", "1", NOON), "Actual", "Alert", "Public", infos=(zh, en))
    assert [one.info for one in in_force([message], NOON).now] == [zh]


def test_what_says_that_it_is_over_is_over() -> None:
    clear = alert().replace(b"<urgency>", b"<responseType>AllClear</responseType><urgency>")
    past = alert().replace(b"<urgency>Expected", b"<urgency>Past")
    for content in (clear, past):
        found = in_force([read_cap(content)], NOON + timedelta(hours=1))
        assert (found.now, [key.identifier for key in found.over]) == ((), ["1"])
    with pytest.raises(InputError) as caught:
        read_cap(clear.replace(b"AllClear", b"Clear"))
    assert [problem.code for problem in caught.value.problems] == ["unknown-value"]


def test_a_warning_that_ends_before_it_begins_is_told_and_counts_from_when_it_was_sent() -> None:
    found = in_force([read_cap(alert(onset=5.0, expires=3.0))], NOON + timedelta(hours=1))
    assert [problem.code for problem in found.problems] == ["times-reversed"]
    (one,) = found.now
    assert (one.begins, one.ends) == (NOON, datetime.fromisoformat(at(3.0)).astimezone(UTC))


def test_rules_of_ones_own_stand_in_their_place_and_every_wrong_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        'version = "1"\nprovenance = "example"\nsource = "us"\n'
        '[[kind]]\nid = "rainstorm"\nzh = "暴雨"\nen = "rain"\nwords = ["暴雨"]\n'
        '[[rule]]\nkind = "rainstorm"\nlevel = "red"\nsite_extra_h = 2\n',
        "utf-8",
    )
    own = read_warning_rules(file)
    assert own.rule("rainstorm", "red").site_extra_h == 2.0  # type: ignore[union-attr]
    assert own.rule("rainstorm", "blue") is None
    file.write_text(
        'version = "1"\nprovenance = "guess"\nsource = "us"\nkind = []\n'
        '[severity]\nSevere = "purple"\n'
        '[[rule]]\nkind = "rain"\nlevel = "rot"\nsite_capacity_share = 1.5\nleg_extra = 3\n',
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_warning_rules(file)
    found = caught.value.problems
    assert {problem.code for problem in found} == {"bad-warning-rules"}
    told = {problem.column for problem in found}
    assert {"provenance", "Severe", "kind", "level", "site_capacity_share", "rule"} <= told
    for broken in (b"[[", "级别 = 1".encode("gbk")):
        file.write_bytes(broken)
        with pytest.raises(InputError):
            read_warning_rules(file)
