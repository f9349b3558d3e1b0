"""The parts of alerts: life, thresholds, state, what is normal, drifts; by hand and beside brute force."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.events.alerts.drift import least_score, trends, weekly_medians
from changtong.events.alerts.levels import levels, network_factors, robust_distance, row_medians
from changtong.events.alerts.life import DAY_MS, Alert, Signal, Words, advance
from changtong.events.alerts.state import WatchState, Window, empty_window, freeze, read_state
from changtong.events.alerts.thresholds import Thresholds, read_thresholds

SHIPPED = read_thresholds()
RULE = "site-silent"  # confirmed by 2, calm after 2, severe after 3, settled after 28 days


def live(tiers: str, rule: str = RULE) -> tuple[list[Alert], Alert | None]:
    """Feed one letter a day: 1 to 3 a tier, c calm, m neither, ? unknown; return the ended and the open."""
    now: tuple[Alert, ...] = ()
    over: list[Alert] = []
    for day, letter in enumerate(tiers):
        tier = int(letter) if letter.isdigit() else 0
        seen = Signal(rule, ("A",), tier, letter == "c", float(day), 100.0, Words(f"第{day}天", f"day {day}"))
        now, ended = advance(now, [] if letter == "?" else [seen], day * DAY_MS, SHIPPED)
        over += ended
    assert len(now) <= 1
    return over, now[0] if now else None


def test_an_alert_is_potential_confirmed_and_restored() -> None:
    _, first = live("cc2")
    assert first is not None
    assert (first.state, first.tier, first.found_ms, first.warned_ms) == (
        "potential",
        2,
        2 * DAY_MS,
        2 * DAY_MS,
    )
    _, second = live("cc22")
    assert second is not None
    assert (second.state, second.confirmed_ms, second.words.en) == ("confirmed", 3 * DAY_MS, "day 3")
    _, one_calm = live("cc22c")
    assert one_calm is not None
    assert one_calm.state == "confirmed"
    (over,), none = live("cc22cc")
    assert none is None
    assert (over.state, over.restored_ms) == ("restored", 4 * DAY_MS)
    assert over.alert_id == second.alert_id == first.alert_id


def test_what_was_never_confirmed_is_gone_with_one_calm_day() -> None:
    (over,), none = live("2c")
    assert none is None
    assert (over.state, over.confirmed_ms, over.restored_ms) == ("restored", None, DAY_MS)


def test_a_day_between_begins_the_count_anew() -> None:
    _, alert = live("2m2")
    assert alert is not None
    assert alert.state == "potential"
    _, alert = live("22cmc")
    assert alert is not None
    assert alert.state == "confirmed"


def test_an_unknown_day_changes_nothing() -> None:
    _, before = live("2")
    assert live("2?")[1] == before
    _, after = live("2?2")
    assert after is not None
    assert (after.state, after.confirmed_ms, after.found_ms) == ("confirmed", 2 * DAY_MS, 0)


def test_the_tier_rises_and_never_falls() -> None:
    _, alert = live("12")
    assert alert is not None
    assert (alert.tier, alert.found_ms, alert.warned_ms) == (2, 0, DAY_MS)
    _, alert = live("31")
    assert alert is not None
    assert alert.tier == 3
    _, alert = live("222")
    assert alert is not None
    assert alert.tier == 3  # three days
    _, alert = live("111")
    assert alert is not None
    assert alert.tier == 1  # attention never becomes severe by lasting alone


def test_an_alert_that_lasts_is_settled_and_not_raised_again_the_same_day() -> None:
    over, alert = live("2" * 28)
    assert over == []
    assert alert is not None
    (settled,), none = live("2" * 29)
    assert none is None
    assert (settled.state, settled.restored_ms) == ("settled", None)
    (settled,), none = live("2" + "?" * 28)
    assert settled.state == "settled"


def test_thresholds_of_a_file_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("rule,name,value,provenance\nsite-silent,warning_share,0.2,our network 2024\n", "utf-8")
    own = read_thresholds(path)
    assert own.of("site-silent", "warning_share") == 0.2
    assert own.of("site-silent", "attention_share") == SHIPPED.of("site-silent", "attention_share")
    assert own.digest != SHIPPED.digest


def test_every_wrong_threshold_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "rule,name,value\nsite-silent,wrong,1\nlate-high,distance,x\ndrift,alpha,0.1\ndrift,alpha,0.1\n"
    )
    with pytest.raises(InputError) as caught:
        read_thresholds(path)
    assert [(p.code, p.row) for p in caught.value.problems] == [
        ("unknown-threshold", 1),
        ("wrong-type", 2),
        ("duplicate-threshold", 4),
    ]
    with pytest.raises(InputError, match="unreadable-file"):
        read_thresholds(tmp_path / "none.csv")


def test_every_shipped_threshold_says_where_it_comes_from() -> None:
    text = Path("changtong/events/alerts/thresholds.csv")
    if not text.exists():
        pytest.skip("needs a checkout")
    rows = [line.split(",") for line in text.read_text("utf-8").splitlines()[1:]]
    assert len(rows) == len(SHIPPED.values)
    assert all(row[4] and row[5] for row in rows)


numbers = st.floats(allow_nan=True, allow_infinity=False, width=64)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), max_size=4), st.integers(0, 2**52))
@settings(max_examples=examples(50), deadline=None)
def test_a_state_comes_back_to_the_last_bit(table: list[list[float]], at_ms: int) -> None:
    array = np.array(table, float).reshape(-1, 3)
    keys = tuple((f"站{k}", "B") for k in range(len(array)))
    _, alert = live("22")
    assert alert is not None
    windows = {"legs": Window(keys, freeze({"freed": array}))}
    state = WatchState("volumes", "Asia/Shanghai", SHIPPED.digest, at_ms, (alert,), windows)
    back = read_state(state.to_json())
    assert back.windows["legs"].keys == keys
    assert back.windows["legs"].arrays["freed"].tobytes() == array.tobytes()
    assert back.open_alerts == (alert,)
    assert back.to_json() == state.to_json()


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    window = empty_window({"freed": 2}).widen([("A",)])
    good = WatchState("days", "Asia/Shanghai", "x", 5, (), {"sites": window})
    path = good.save(tmp_path / "state.json")
    assert read_state(path).to_json() == good.to_json()
    whole = path.read_text("utf-8")
    body = json.loads(whole)
    bad = [
        whole[: len(whole) // 2],
        "[]",
        "{}",
        json.dumps(body | {"format": "other"}),
        json.dumps(body | {"kind": "?"}),
    ]
    for packed in ("", "!!", body["windows"]["sites"]["arrays"]["freed"]["packed"][:8]):
        body["windows"]["sites"]["arrays"]["freed"]["packed"] = packed
        bad.append(json.dumps(body))
    body["windows"]["sites"]["arrays"]["freed"]["length"] = 10**12
    bad.append(json.dumps(body))
    for text in bad:
        path.write_text(text, "utf-8")
        with pytest.raises(InputError, match="bad-watch-state"):
            read_state(path)
    with pytest.raises(InputError, match="unreadable-file"):
        read_state(tmp_path / "none.json")
    with pytest.raises(UsageError, match="time zone"):
        good.check("days", "UTC", "x")


def test_windows_cannot_be_written_into() -> None:
    window = empty_window({"freed": 2}).widen([("B",), ("A",)]).push({"freed": np.array([1.0, 2.0])})
    assert window.keys == (("A",), ("B",))
    with pytest.raises(ValueError, match="read-only"):
        window.arrays["freed"][0, 0] = 1.0


@given(
    st.lists(
        st.lists(st.one_of(st.just(float("nan")), st.integers(0, 9).map(float)), min_size=5, max_size=5),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=examples(100), deadline=None)
def test_row_medians_are_medians(table: list[list[float]]) -> None:
    middle, count = row_medians(np.array(table))
    for k, row in enumerate(table):
        known = [value for value in row if value == value]
        assert count[k] == len(known)
        assert middle[k] == pytest.approx(np.median(known)) if known else np.isnan(middle[k])


@given(st.integers(0, 2**31))
@settings(max_examples=examples(50), deadline=None)
def test_the_networks_day_without_a_site_is_that_of_the_others(seed: int) -> None:
    chance = np.random.default_rng(seed)
    level = chance.integers(1, 1000, 14).astype(float)
    seen = np.floor(level * chance.uniform(0.4, 2.0, 14))
    use = chance.random(14) < 0.9
    if use.sum() <= 8:
        use[:] = True
    factors, middle = network_factors(seen, level, use)
    at = [k for k in range(14) if use[k]]

    def weighted_median(which: list[int]) -> float:
        order = sorted(which, key=lambda k: seen[k] / level[k])
        half, run = sum(np.sqrt(level[k]) for k in which) / 2.0, 0.0
        for k in order:
            run += np.sqrt(level[k])
            if run >= half - 1e-9:
                return float(seen[k] / level[k])
        raise AssertionError

    assert middle == pytest.approx(weighted_median(at))
    for k in at:
        assert factors[k] == pytest.approx(np.clip(weighted_median([j for j in at if j != k]), 0.3, 3.0))


def test_few_sites_tell_nothing_of_the_networks_day() -> None:
    factors, middle = network_factors(np.zeros(8), np.ones(8), np.ones(8, bool))
    assert (factors == 1.0).all()
    assert middle == 1.0


def test_a_level_is_the_median_with_its_weekday() -> None:
    days = np.full((3, 56), 100.0)
    days[0, -7::-7] = 200.0  # today's weekday moves twice as much
    days[1, -7::-7] = 0.0  # and rests here
    days[2, :-13] = np.nan  # 13 days known
    found = levels(days)
    assert found[0] == pytest.approx(100.0 * (8 * 2 + 3) / 11)
    assert found[1] == 0.0
    assert np.isnan(found[2])


def test_distances_are_robust_deviations() -> None:
    same = np.array([[9.0, 10.0, 11.0, 500.0, np.nan]])
    # median 10.5; deviations 1.5, 0.5, 0.5, 489.5: median 1; of all 2
    wide = np.array([[8.0, 12.0, 8.0, 12.0]])
    distance, normal = robust_distance(np.array([16.43]), same, wide, 0.1)
    assert normal[0] == 10.5
    assert distance[0] == pytest.approx(5.93 / (1.4826 * 2.0))


@pytest.mark.parametrize("weeks", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.005])
def test_the_chance_of_a_trend_is_exact(weeks: int, alpha: float) -> None:
    first, second = np.triu_indices(weeks, 1)
    orders = np.array(list(itertools.permutations(range(weeks))))
    scores = np.sign(orders[:, second] - orders[:, first]).sum(axis=1)
    least = least_score(weeks, alpha)
    assert (scores >= least).mean() <= alpha
    assert (scores >= least - 2).mean() > alpha


def test_trends_by_hand() -> None:
    score, change = trends(np.array([[1.0, 3.0, 2.0, 7.0], [4.0, 3.0, 2.0, 1.0], [1.0, np.nan, 2.0, 3.0]]))
    assert score.tolist() == [4, -6, 0]
    # slopes 2, 0.5, 2, -1, 2, 5: median 2, over three steps 6
    assert change.tolist() == [6.0, -3.0, 0.0]


def test_weeks_with_fewer_than_four_days_are_unknown() -> None:
    days = np.arange(56.0)[None, :].copy()
    days[0, :4] = np.nan
    days[0, 7:10] = np.nan
    found = weekly_medians(days)[0]
    assert np.isnan(found[0])
    assert found[1] == 11.5
    assert found[7] == 52.0


def test_thresholds_are_frozen() -> None:
    with pytest.raises(TypeError):
        SHIPPED.values["drift", "alpha"] = 1.0  # type: ignore[index]
    assert isinstance(SHIPPED, Thresholds)
