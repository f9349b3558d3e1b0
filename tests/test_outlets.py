"""Outlets: the index by hand, what is not known, shrinkage, stops, warnings that know no later month."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong._tables import OUTLETS_SET
from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.outlets.early_warning import warn_outlets
from changtong.outlets.evaluation import evaluate_warning
from changtong.outlets.features import stop_within
from changtong.outlets.hazard_model import fit_hazards
from changtong.outlets.index_rules import IndexRules, read_index_rules
from changtong.outlets.made_up import made_up_outlets
from changtong.outlets.months_of_days import months_of_days
from changtong.outlets.outlet_months import month_name, month_number, read_outlet_months
from changtong.outlets.ranking_quality import (
    area_under_curve,
    average_precision,
    calibration,
    threshold_for,
)
from changtong.outlets.stability import outlet_stability
from changtong.outlets.stoppages import find_stoppages

HERE = Path(__file__).parent.parent
EXAMPLE = HERE / "examples" / "outlets" / "months.csv"


def alike(outlets: int = 12, months: int = 6, **other: float) -> pl.DataFrame:
    """Outlets that are all the same in all months: nobody loses a point for being unlike."""
    counted = {
        "pieces": 3100.0, "due_pieces": 1000.0, "late_pieces": 40.0, "backlog_pieces": 25.0,
        "complaints": 1.0, "staff": 5.0, "left": 0.0, "arrears_cny": 100.0,
    } | other  # fmt: skip
    rows = [
        {"outlet_id": f"N{k:02d}", "month": month_name(month_number("2024-01") + m), **counted}
        for k in range(outlets)
        for m in range(months)
    ]
    return pl.DataFrame(rows)


def changed(frame: pl.DataFrame, outlet: str, month: str, **values: object) -> pl.DataFrame:
    here = (pl.col("outlet_id") == outlet) & (pl.col("month") == month)
    return frame.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


@cache
def small() -> pl.DataFrame:
    return made_up_outlets(150, 26, seed=11)


@cache
def rules(**stop: object) -> IndexRules:
    return read_index_rules()


# --- the index ---------------------------------------------------------------------------


def test_outlets_that_are_all_alike_lose_nothing() -> None:
    table = outlet_stability(alike()).table()
    assert table["index"].to_list() == [100.0] * 12
    assert set(table["band"]) == {"stable"}
    assert set(table["reasons_en"]) == {""}


def test_one_late_outlet_by_hand() -> None:
    made = outlet_stability(changed(alike(), "N03", "2024-06", late_pieces=400.0))
    row = made.table().row(0, named=True)
    # drawn: (400 + 300 x 0.07) / 1300; the rate of all twelve is (11 x 40 + 400) / 12000 = 0.07
    drawn = (400 + 300 * 0.07) / 1300
    others = (40 + 300 * 0.07) / 1300
    # the upper tenth of twelve values of which one differs lies among the alike: the least spread
    to_peers = (drawn - others) / 0.01
    past = (40 + 300 * 0.04) / 1300
    own_scale = max(np.sqrt(6 * 0.01**2 / (5 + 6)), 0.01)
    to_past = (drawn - past) / own_scale
    worse = 0.5 * to_peers + 0.5 * to_past
    assert made.standings[0].worse[3, 5] == pytest.approx(worse)
    assert row["outlet_id"] == "N03"
    assert row["lost_lateness"] == 20.0
    assert row["index"] == 80.0
    assert "lateness 40.0 %" in row["reasons_en"]
    assert "−20.0 分" in row["reasons_zh"]


def test_points_grow_with_the_spread_between_start_and_full() -> None:
    made = outlet_stability(changed(alike(), "N03", "2024-06", late_pieces=70.0))
    worse = made.standings[0].worse[3, 5]
    assert 0.75 < worse < 4.0
    assert made.lost[0, 3, 5] == pytest.approx(20.0 * (worse - 0.75) / 3.25)


def test_what_is_not_known_is_charged_shown_and_bounded() -> None:
    frame = alike().with_columns(
        pl.when(pl.col("outlet_id") == "N05").then(None).otherwise("arrears_cny").alias("arrears_cny"),
        pl.when(pl.col("outlet_id") == "N05").then(None).otherwise("complaints").alias("complaints"),
    )
    row = outlet_stability(frame).table().row(0, named=True)
    assert (row["outlet_id"], row["index"], row["low"], row["high"]) == ("N05", 92.5, 70.0, 100.0)
    assert row["known_share"] == 0.7
    assert row["reasons_en"] == "nothing known of complaints, arrears: −7.5 points"
    assert row["lost_arrears"] is None


def test_with_too_little_known_there_is_no_rating() -> None:
    mostly_unknown = ["late_pieces", "due_pieces", "staff", "left", "complaints"]
    here = pl.col("outlet_id") == "N05"
    frame = alike().with_columns(pl.when(~here).then(name).alias(name) for name in mostly_unknown)
    table = outlet_stability(frame).table()
    row = table.filter(pl.col("outlet_id") == "N05").row(0, named=True)
    assert (row["band"], row["index"], row["low"], row["high"]) == ("stable", 87.5, 50.0, 100.0)
    frame = frame.with_columns(pl.when(~here).then("arrears_cny").alias("arrears_cny"))
    row = outlet_stability(frame).table().filter(pl.col("outlet_id") == "N05").row(0, named=True)
    assert (row["band"], row["index"]) == ("not_rated", None)


def test_the_reasons_add_up_to_what_is_missing_from_100() -> None:
    import re

    for row in outlet_stability(small()).table().filter(pl.col("index").is_not_null()).iter_rows(named=True):
        said = sum(float(part) for part in re.findall(r"−([\d.]+) points", row["reasons_en"]))
        told = 100.0 - row["index"]
        assert abs(said - told) <= 0.35, row["reasons_en"]  # each part is rounded to a tenth


def test_few_pieces_are_drawn_to_their_like_and_many_are_not() -> None:
    frame = alike(months=4)
    tiny = changed(frame, "N03", "2024-04", due_pieces=10.0, late_pieces=4.0)
    big = changed(frame, "N03", "2024-04", due_pieces=100_000.0, late_pieces=40_000.0)
    for table, least, most in ((tiny, 0.0, 0.06), (big, 0.38, 0.4)):
        standing = outlet_stability(table).standings[0]
        assert standing.value[3, 3] == 0.4
        assert least < standing.drawn[3, 3] <= most
    assert (
        "few counted"
        in outlet_stability(changed(frame, "N03", "2024-04", due_pieces=50.0, late_pieces=45.0)).table()[
            "reasons_en"
        ][0]
    )


def test_a_season_that_all_share_is_no_falling_volume() -> None:
    down = alike(months=8).with_columns(
        pl.when(pl.col("month") >= "2024-07").then(1000.0).otherwise("pieces").alias("pieces")
    )
    made = outlet_stability(down)
    assert made.lost[4, :, 7].max() == 0.0
    alone = outlet_stability(
        alike(months=8).with_columns(
            pl.when((pl.col("month") >= "2024-07") & (pl.col("outlet_id") == "N01"))
            .then(1000.0)
            .otherwise("pieces")
            .alias("pieces")
        )
    )
    assert alone.lost[4, 1, 7] == 20.0


def test_months_that_are_left_out_are_gaps_not_neighbours() -> None:
    frame = alike(months=9).filter(
        ~((pl.col("outlet_id") == "N01") & pl.col("month").is_in(["2024-07", "2024-08"]))
    )
    made = outlet_stability(changed(frame, "N01", "2024-06", late_pieces=900.0))
    last = made.standings[0]
    assert np.isnan(made.index[1, 6])
    usual = np.mean([last.drawn[1, m] for m in range(6)])
    assert last.usual[1, 8] == pytest.approx(usual)


def test_too_few_outlets_and_months_to_compare_are_told() -> None:
    with pytest.raises(UsageError) as found:
        outlet_stability(alike(outlets=1, months=1))
    assert found.value.code == "not-enough-months"
    one = outlet_stability(alike(outlets=1, months=9))  # its own past is enough
    assert one.table()["index"].to_list() == [100.0]


# --- stops -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ({"pieces": 0.0}, True),
        ({"pieces": 500.0}, True),  # below a fifth of 3,100
        ({"pieces": 700.0}, False),
        ({"pieces": None}, False),
    ],
)
def test_when_an_outlet_stops(values: dict[str, object], begins: bool) -> None:
    frame = changed(alike(), "N02", "2024-06", **values)
    found = find_stoppages(read_outlet_months(frame), rules().stop)
    assert bool(found.begins[2, 5]) is begins
    assert found.begins.sum() == int(begins)


def test_a_state_stops_an_outlet_and_an_absent_one_only_where_the_rules_say_so() -> None:
    frame = alike().with_columns(state=pl.lit("open"))
    closed = find_stoppages(
        read_outlet_months(changed(frame, "N02", "2024-05", state="suspended")), rules().stop
    )
    assert np.argwhere(closed.begins).tolist() == [[2, 4]]
    gone = read_outlet_months(frame.filter(~((pl.col("outlet_id") == "N02") & (pl.col("month") > "2024-04"))))
    assert not find_stoppages(gone, rules().stop).begins.any()
    counted = find_stoppages(gone, rules().with_absent("stopped").stop)
    assert np.argwhere(counted.begins).tolist() == [[2, 4]]


def test_an_outcome_counts_only_where_it_is_known() -> None:
    frame = changed(alike(), "N02", "2024-06", pieces=None)
    frame = changed(frame, "N03", "2024-04", pieces=None)
    frame = changed(frame, "N04", "2024-05", pieces=0.0)
    found = find_stoppages(read_outlet_months(frame), rules().stop)
    known, stops = stop_within(found, 2, 3)
    assert not known[2]
    assert known[3]
    assert not stops[3]
    assert known[4]
    assert stops[4]


# --- the warning -------------------------------------------------------------------------


def later_shuffled(frame: pl.DataFrame, after: str, seed: int) -> pl.DataFrame:
    """Deal the rows after a month out anew among the outlets."""
    before, later = frame.filter(pl.col("month") <= after), frame.filter(pl.col("month") > after)
    ids = later["outlet_id"].shuffle(seed=seed)
    return pl.concat([before, later.with_columns(ids)]).unique(["outlet_id", "month"], keep="first")


@pytest.mark.parametrize("seed", [0, 1])
def test_later_months_change_no_earlier_warning(seed: int) -> None:
    before = warn_outlets(small(), until="2023-10")
    after = warn_outlets(later_shuffled(small(), "2023-10", seed), until="2023-10")
    assert before.table.drop("firm").equals(after.table.drop("firm"))
    assert before.warner.thresholds == after.warner.thresholds


def test_later_months_change_neither_the_index_nor_what_a_test_has_learned() -> None:
    shuffled = later_shuffled(small(), "2023-10", 1)
    one, other = outlet_stability(small()), outlet_stability(shuffled)
    end = one.months.place("2023-10") + 1
    np.testing.assert_array_equal(one.index[:, :end], other.index[:, :end])
    first, second = (evaluate_warning(frame, split="2023-10") for frame in (small(), shuffled))
    np.testing.assert_array_equal(first.warner.model.coefficients, second.warner.model.coefficients)
    assert first.warner.thresholds == second.warner.thresholds
    assert first.scores != second.scores  # what is tested on did change


def test_a_warning_is_sure_of_later_ends_and_has_reasons() -> None:
    made = warn_outlets(small())
    table = made.table
    assert (table["chance_1"] <= table["chance_2"]).all()
    assert (table["chance_2"] <= table["chance_3"]).all()
    assert table["chance_3"].is_sorted(descending=True)
    assert table["is_warned"].any()
    assert table.filter("is_warned")["reasons_en"][0]
    threshold = made.warner.thresholds["model"]
    assert (table["is_warned"] == (table["chance_3"] >= threshold)).all()


def test_too_few_stops_are_no_ground_for_a_warning() -> None:
    with pytest.raises(UsageError) as found:
        warn_outlets(alike(months=12))
    assert found.value.code == "too-few-events"


def test_a_test_on_held_out_months_tells_everything() -> None:
    made = evaluate_warning(small()).to_json()
    for name in ("model", "index", "volume_drop"):
        one = made["scores"][name]
        assert 0.5 < one["auc"] <= 1.0
        assert 0 <= one["stops_warned"] <= one["stops"]
        assert one["median_lead_months"] is None or 1 <= one["median_lead_months"] <= 3
        assert one["false_alarms_per_outlet_year"] <= one["false_months_per_outlet_year"]
    assert sum(group["rows"] for group in made["calibration"]) == made["outlet_months"]
    assert sum(group["stops"] for group in made["calibration"]) == made["stops_within"]
    assert made["brier"] < made["brier_of_the_mean"]


def test_hazards_by_another_way() -> None:
    """The fit against a plain minimiser of the same loss."""
    from scipy.optimize import minimize

    draw = np.random.default_rng(3)
    x = draw.normal(size=(400, 3))
    y = (draw.random(400) < 1 / (1 + np.exp(-(x[:, 0] - 2)))).astype(float)
    weight = draw.integers(1, 4, 400).astype(float)
    made = fit_hazards(("a", "b", "c"), [(x, y, weight)], 2.0)
    z = made.standardised(x)

    def loss(beta: np.ndarray) -> float:
        logit = beta[0] + z @ beta[1:]
        return float(weight @ (np.logaddexp(0, logit) - y * logit) + (beta[1:] ** 2).sum())

    np.testing.assert_allclose(made.coefficients[0], minimize(loss, np.zeros(4), tol=1e-12).x, atol=1e-4)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_areas_and_precision_by_counting_pairs(rows: list[tuple[int, bool]]) -> None:
    score, happened = np.array([float(s) for s, _ in rows]), np.array([h for _, h in rows])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[happened] for b in score[~happened]]
    area = area_under_curve(score, happened)
    assert area == pytest.approx(np.mean(pairs)) if pairs else np.isnan(area)
    if happened.any():
        steps = [happened[score >= one].mean() for one in score[happened]]
        assert average_precision(score, happened) == pytest.approx(np.mean(steps))
    bound = threshold_for(score, happened, 2.0)
    assert (~happened[score >= bound]).sum() <= 2
    lower = score[score < bound]
    assert not lower.size or (~happened[score >= lower.max()]).sum() > 2
    assert sum(group["rows"] for group in calibration(score, happened)) == len(rows)


def test_made_up_outlets_are_the_same_for_the_same_seed() -> None:
    assert made_up_outlets(20, 8, seed=5).equals(made_up_outlets(20, 8, seed=5))
    assert not made_up_outlets(20, 8, seed=5).equals(made_up_outlets(20, 8, seed=6))


# --- months from days --------------------------------------------------------------------


def day_values(accepted: float, share: float, due: int) -> pl.DataFrame:
    rows = [
        ("accepted_pieces", accepted, None), ("delivered_pieces", 2 * accepted, None),
        ("backlog_pieces", 30.0, None), ("on_time_72h_share", share, due),
    ]  # fmt: skip
    return pl.DataFrame(
        [
            {"indicator": name, "dimension": "site", "member": "A", "hour": None, "value": value, "pieces": n}
            for name, value, n in rows
        ],
        schema={
            "indicator": pl.String, "dimension": pl.String, "member": pl.String, "hour": pl.Int64,
            "value": pl.Float64, "pieces": pl.Int64,
        },
    )  # fmt: skip


def test_months_of_days_and_registers_by_hand() -> None:
    days = [(date(2024, 4, 1) + timedelta(days=k), day_values(100.0, 0.9, 50)) for k in range(27)]
    days += [(date(2024, 5, 1), day_values(7.0, 0.9, 10))]
    beside = pl.DataFrame(
        {"outlet_id": ["A", "B"], "month": ["2024-04", "2024-04"], "complaints": [2.0, 3.0]}
    )
    made = months_of_days(days, [beside])
    assert made.months_left_out == ("2024-05",)
    row = made.table.filter(pl.col("outlet_id") == "A").row(0, named=True)
    assert row["pieces"] == pytest.approx(300 * 30)
    assert row["due_pieces"] == pytest.approx(50 * 30)
    assert row["late_pieces"] == pytest.approx(5 * 30)
    assert (row["backlog_pieces"], row["complaints"]) == (30.0, 2.0)
    other = made.table.filter(pl.col("outlet_id") == "B").row(0, named=True)
    assert (other["pieces"], other["complaints"]) == (None, 3.0)
    read_outlet_months(made.table)


def test_sites_that_hand_nothing_over_are_no_outlets() -> None:
    centre = day_values(0.0, 0.9, 0).with_columns(member=pl.lit("H1"))
    days = [
        (date(2024, 4, 1) + timedelta(days=k), pl.concat([day_values(100.0 if k else 0.0, 0.9, 50), centre]))
        for k in range(30)
    ]
    made = months_of_days(days)
    assert (made.table["outlet_id"].to_list(), made.no_outlets) == (["A"], ("H1",))
    beside = pl.DataFrame({"outlet_id": ["H1"], "month": ["2024-04"], "complaints": [2.0]})
    assert "H1" in months_of_days(days, [beside]).table["outlet_id"]  # whoever is named is one


# --- what people give --------------------------------------------------------------------


def told(source: pl.DataFrame | Path) -> list[tuple[str, int | None, str | None]]:
    with pytest.raises(InputError) as found:
        read_outlet_months(source)
    return [(one.code, one.row, one.column) for one in found.value.problems]


def test_every_problem_of_a_table_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "months.csv"
    file.write_text(
        "outlet_id,month,pieces,due_pieces,late_pieces,left\n"
        "A,2024-13,5,3,1,\nA,2024-02,5,3,9,\nA,2024-02,5,,1,\nB,2024-03,5,3,1,2\n",
        "utf-8",
    )
    found = told(file)
    assert ("bad-month", 1, "month") in found or ("duplicate-month", 3, None) in [
        (c, r, None) for c, r, _ in found
    ]
    file.write_text(
        "outlet_id,month,pieces,due_pieces,late_pieces,left\n"
        "A,2024-13,5,3,1,\nA,2024-02,5,3,9,\nA,2024-04,5,,1,\nB,2024-03,5,3,1,2\n",
        "utf-8",
    )
    assert [(code, row) for code, row, _ in told(file)] == [
        ("bad-month", 1), ("late-above-due", 2), ("missing-value", 3), ("missing-value", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b"outlet_id,month\n", "empty-table"),
        (b"month,pieces\n2024-01,5\n", "missing-column"),
        (b"outlet_id,month,pieces\nA,2024-01,-5\n", "negative"),
        (b"outlet_id,month,pieces\nA,2024-01,many\n", "wrong-type"),
        (b"outlet_id,month,state\nA,2024-01,shut\n", "unknown-value"),
        (b"outlet_id,month\nA,2024-01\nA,2024-01\n", "duplicate-month"),
        (b"outlet_id,month\nA,1995-01\nA,2095-01\n", "bad-month"),
    ],
)
def test_wrong_files_are_told(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "months.csv"
    file.write_bytes(content)
    assert code in [found for found, _, _ in told(file)]


def test_gbk_and_bom_are_read(tmp_path: Path) -> None:
    text = "outlet_id,month,name,pieces\nA,2024-01,城东网点,5\n"
    for number, content in enumerate((text.encode("gb18030"), text.encode("utf-8-sig"))):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(content)
        assert read_outlet_months(file).names == ("城东网点",)


def test_rules_of_ones_own_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    shipped = (HERE / "changtong" / "outlets" / "stability.toml").read_text("utf-8")
    file = tmp_path / "rules.toml"
    file.write_text(shipped.replace("weight = 20.0", "weight = 40.0"), "utf-8")
    assert sum(one.weight for one in read_index_rules(file).components) == pytest.approx(100.0)
    file.write_text(
        shipped.replace("own_weight = 0.5", "own_weight = 5").replace('id = "backlog"', 'id = "backlogs"'),
        "utf-8",
    )
    with pytest.raises(InputError) as found:
        read_index_rules(file)
    told_of = [(one.column, one.row) for one in found.value.problems]
    assert ("own_weight", None) in told_of
    assert ("id", 2) in told_of


def test_a_component_of_weight_nothing_is_left_out() -> None:
    used = rules()
    parts = tuple(
        replace(one, weight=0.0 if one.id == "arrears" else one.weight / 0.85) for one in used.components
    )
    frame = alike().with_columns(arrears_cny=pl.lit(None, pl.Float64))
    assert set(outlet_stability(frame, replace(used, components=parts)).table()["index"]) == {100.0}


# --- commands ----------------------------------------------------------------------------


def test_commands_say_the_same_as_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outlets", "index", str(EXAMPLE), "-o", str(tmp_path / "index"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bands"] == outlet_stability(EXAMPLE).summary()["bands"]
    page = (tmp_path / "index" / "report.html").read_text("utf-8")
    assert facts["least_stable"][0]["reasons_zh"] in page
    assert page.count('class="spark"') == 20  # 5 are below the best band; of those that are stable, a few
    assert main(["outlets", "warn", str(EXAMPLE), "-o", str(tmp_path / "warn"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    table = warn_outlets(EXAMPLE).table
    assert facts["warned"] == int(table["is_warned"].sum())
    assert [one["outlet_id"] for one in facts["likeliest"]] == table["outlet_id"].head(10).to_list()
    assert main(["outlets", "evaluate", str(EXAMPLE), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"] == evaluate_warning(EXAMPLE).scores


def test_commands_tell_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outlets", "index", str(EXAMPLE), "--month", "2030-01"]) == 2
    assert "bad-month" in capsys.readouterr().err
    assert main(["outlets", "warn", str(EXAMPLE), "--absent", "gone"]) == 2
    assert main(["outlets", "evaluate", str(EXAMPLE), "--split", "2025-05"]) == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    assert main(["outlets", "index", str(EXAMPLE), "-o", str(tmp_path / "other")]) == 2
    assert (tmp_path / "other" / "mine.txt").is_file()
    assert main(["outlets", "months", str(tmp_path), "-o", str(tmp_path / "m.csv")]) == 2
    assert "not-indicators" in capsys.readouterr().err


def test_every_column_is_told_of() -> None:
    page = (HERE / "docs" / "outlets.md").read_text("utf-8")
    for table in OUTLETS_SET.tables.values():
        assert [column for column in table.columns if f"`{column}`" not in page] == []
