"""The parts of a forecast by hand: days with marks, levels, effects, quantiles."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from forecast_cases import network

from changtong.errors import InputError
from changtong.forecast.calendar import Calendar, Mark, read_assumed_factors, read_promotions
from changtong.forecast.effects import learn_effects, running_level
from changtong.forecast.history import build_history
from changtong.forecast.intervals import Days, Scores, _joined, _trial, backtest_days, error_table
from changtong.forecast.projection import Rows
from changtong.network.leg_volumes import read_volumes


@pytest.mark.parametrize(
    ("day", "mark"),
    [
        (date(2021, 9, 26), Mark("make-up")),  # a Sunday worked for National Day
        (date(2021, 10, 5), Mark("rest-long")),
        (date(2021, 10, 2), Mark("rest-long")),
        (date(2021, 9, 20), Mark("rest-short")),  # Mid-Autumn, three days
        (date(2021, 9, 19), Mark("rest-short")),  # the Sunday that belongs to it
        (date(2021, 10, 16), None),  # a Saturday like any other
        (date(2021, 10, 13), None),
        (date(2022, 2, 1), Mark("spring", "", 0)),
        (date(2022, 1, 31), Mark("spring", "", -1)),
        (date(2023, 1, 22), Mark("spring", "", 0)),
        (date(2022, 6, 1), Mark("great", "opening", 0)),
        (date(2022, 6, 18), Mark("great", "main", 0)),
        (date(2021, 11, 1), Mark("great", "opening", 0)),
        (date(2021, 11, 7), Mark("great", "between")),
        (date(2021, 11, 9), Mark("great", "main", -2)),
        (date(2021, 12, 12), Mark("small", "main", 0)),
        (date(2021, 12, 17), None),
    ],
)
def test_marks_of_days(day: date, mark: Mark | None) -> None:
    assert Calendar(day, day).marks([day]) == [mark]


def test_years_without_announced_make_up_days_are_told() -> None:
    assert Calendar(date(2022, 1, 1), date(2022, 12, 31)).unannounced_years == ()
    assert Calendar(date(2090, 1, 1), date(2091, 1, 31)).unannounced_years == (2090, 2091)


def test_every_day_of_a_great_promotion_has_an_assumed_factor() -> None:
    factors = read_assumed_factors()
    great = [one for one in read_promotions() if one.kind == "great"]
    assert {one.name for one in read_promotions()} == {"618", "11.11", "12.12"}
    for one in great:
        assert {("opening", k) for k in range(one.opening_days)} <= factors.keys()
        assert {("main", k) for k in range(-one.lead_days, one.after_days + 1)} <= factors.keys()
    # 1 to 11 November at 1.4 times an ordinary day (State Post Bureau, 2023)
    days = [date(2023, 11, k) for k in range(1, 12)]
    marks = Calendar(days[0], days[-1]).marks(days)
    mean = np.mean([factors[mark.part, mark.offset] for mark in marks if mark is not None])
    assert mean == pytest.approx(1.4, abs=0.05)


def test_the_level_of_a_day_lies_between_those_before_and_after() -> None:
    pieces = np.array([[10.0] * 14 + [99.0] + [20.0] * 14, [4.0] * 29])
    ordinary = np.arange(29) != 14
    level = running_level(pieces, ordinary)
    assert level[0, 14] == pytest.approx(15.0)
    assert level[1] == pytest.approx(np.full(29, 4.0))
    assert level[0, 0] == pytest.approx(10.0)  # nothing before: after tells


def test_effects_are_ratios_of_sums_drawn_to_the_prior() -> None:
    begin = date(2023, 3, 6)

    def rule(day: date, leg: int) -> float:
        return (100.0, 300.0)[leg] * (2.0 if day == date(2023, 4, 5) else 1.0)

    volumes = network(begin, 60, rule, (("A", "B"), ("B", "C")))
    history = build_history(volumes, begin + timedelta(days=60))
    days = [begin + timedelta(days=k) for k in range(70)]
    marks = Calendar(days[0], days[-1]).marks(days)
    effects = learn_effects(history, marks)
    rest = days.index(date(2023, 4, 5))  # Tomb-Sweeping Day, alone this year
    labour = days.index(date(2023, 5, 1))
    assert effects.factors[:, rest] == pytest.approx(np.full(2, 2.0 ** (1 / 1.3)))
    assert effects.factors[:, labour] == pytest.approx(np.ones(2), abs=0.02)
    # a make-up day (6 May) and the last days of Labour Day are ahead; only the first one is new
    assert Mark("make-up") not in effects.unseen


def test_a_promotion_that_does_nothing_here_is_no_longer_assumed_after_its_first_days() -> None:
    begin, until = date(2023, 3, 6), date(2023, 6, 17)
    volumes = network(begin, (until - begin).days, lambda day, leg: 100.0, (("A", "B"), ("B", "C")))
    days = [begin + timedelta(days=k) for k in range((until - begin).days + 5)]
    marks = Calendar(days[0], days[-1]).marks(days)
    at = days.index(date(2023, 6, 18))
    after = learn_effects(build_history(volumes, until), marks).factors[0, at]
    before = learn_effects(build_history(volumes, date(2023, 6, 1)), marks).factors[0, at]
    assert before == pytest.approx(1.9)
    seen = [np.log(read_assumed_factors()[m.part, m.offset]) for m in set(marks[: at - 1]) if m and m.part]
    assert after == pytest.approx(1.9 ** (0.3 / (0.3 + np.sum(np.square(seen)))))


def test_quantiles_fall_back_to_coarser_groups() -> None:
    values = np.concatenate([np.linspace(-1, 1, 300), np.linspace(-4, 4, 50)])
    keys = np.array([[0, 0, 0]] * 300 + [[1, 0, 1]] * 50)
    scores = Scores(values, keys)
    assert scores.quantiles(0, 0, 0) == pytest.approx((-0.8, 0.8), abs=0.01)
    assert scores.quantiles(0, 2, 1) == pytest.approx((-0.8, 0.8), abs=0.01)  # by kind alone
    whole = np.quantile(values, [0.1, 0.9])
    assert scores.quantiles(1, 0, 1) == pytest.approx(tuple(whole))  # 50 are too few
    assert Scores(np.zeros(0), np.zeros((0, 3), int)).quantiles(0, 0, 0) == (-2.0, 2.0)


def test_days_that_err_together_widen_the_quantiles() -> None:
    keys = np.zeros((300, 3), int)
    alike = [Scores(np.linspace(-1, 1, 300), keys) for _ in range(4)]
    assert _joined(alike).widening == pytest.approx(1.0, abs=0.01)
    apart = [Scores(np.linspace(-1, 1, 300) + shift, keys) for shift in (-3.0, -1.0, 1.0, 3.0)]
    assert _joined(apart).widening > 1.1


def test_forecasts_that_saw_the_same_days_are_left_out_together() -> None:
    keys = np.zeros((300, 3), int)

    def at(first: int, shift: float) -> Scores:
        return Scores(np.linspace(-1, 1, 300) + shift, keys, first=first)

    # two pairs of neighbours: each agrees with its neighbour, not with the other pair
    pairs = [at(0, -2.0), at(7, -2.0), at(100, 2.0), at(107, 2.0)]
    assert _joined(pairs, 31).widening > 1.5 * _joined(pairs, 0).widening
    # where all are neighbours, the others still tell
    assert _joined([at(0, 0.0), at(7, 0.0)], 31).widening == pytest.approx(1.0, abs=0.01)


def test_errors_by_horizon_by_hand() -> None:
    rows = Rows(
        pieces=np.full((2, 9), 10.0),
        scale=np.full((2, 9), 2.0),
        kind=np.zeros(2, int),
        dead=np.zeros(2, bool),
    )
    seen, naive = np.full((2, 9), 12.0), np.full((2, 9), 15.0)
    seen[1, 7:], naive[1, 7:] = 6.0, 6.0  # in the second week
    open_ = np.ones((2, 9), bool)
    open_[0, 0] = False  # shut: no score
    known = np.arange(9) != 8
    trial = _trial(Days(40, known, np.zeros(9, bool)), rows, seen, naive, open_)
    assert sorted(trial.scores.values.tolist()) == [-2.0] + [1.0] * 14  # 16 known, one of them shut
    table = error_table({"leg": [trial]})
    assert table["from_day"].to_list() == [1, 8]
    assert table["wape"].to_list() == pytest.approx([2 / 12, (2 + 4) / 18])
    assert table["naive_wape"].to_list() == pytest.approx([3 / 12, 3 / 18])


def test_the_method_is_tried_on_earlier_days_only() -> None:
    assert backtest_days(500, 31) == [469 - 14 * k for k in range(8)]
    assert backtest_days(35, 31) == [28, 21, 14]
    assert backtest_days(12, 31) == []


def test_volumes_are_read_with_every_problem_at_once() -> None:
    wrong = pl.DataFrame(
        {
            "date": ["2023-01-01", "2023-01-01", "1/2/2023", "2023-01-03", "2023-01-04"],
            "from_site": ["A", "A", "A", "", "A"],
            "to_site": ["B", "B", "B", "B", "B"],
            "pieces": ["5", "6", "7", "-1", "inf"],
        }
    )
    with pytest.raises(InputError) as caught:
        read_volumes(wrong, unique=True)
    assert sorted((p.code, p.row, p.column) for p in caught.value.problems) == [
        ("duplicate-volume", 2, "date"),
        ("negative", 4, "pieces"),
        ("not-finite", 5, "pieces"),
        ("wrong-type", 3, "date"),
        ("wrong-type", 4, "from_site"),
    ]
