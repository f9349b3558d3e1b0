"""Relief policies: three answers, what is missing, amounts, deadlines; wrong files."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError
from changtong.report.relief_page import relief_page
from changtong.workforce.relief_match import match_relief, read_firms, relief_amount, what_is_missing
from changtong.workforce.relief_rules import Amount, Condition, Group, Leaf, read_policies
from tests.pages import Page

HERE = Path(__file__).parent.parent
FIRMS = HERE / "examples" / "relief" / "firms.csv"
SHIPPED = HERE / "changtong" / "workforce" / "relief_policies.toml"


def matched(firm: str, policy: str, day: date = date(2022, 6, 20)) -> dict[str, object]:
    known = read_policies()
    rows = match_relief(read_firms(FIRMS, known), known, day).rows
    return rows.filter((pl.col("firm_id") == firm) & (pl.col("policy_id") == policy)).row(0, named=True)


def test_the_shipped_example_by_hand() -> None:
    # 4 % laid off is within 5.5 %; a large firm gets half of 960,000
    one = matched("F1", "unemployment-refund-2022")
    assert (one["status"], one["amount_cny"], one["missing_en"]) == ("qualifies", 480_000.0, "")
    # 15 % is above 5.5 %, but 18 insured are at most 30: 20 % counts; others than large get 90 %
    assert matched("F2", "unemployment-refund-2022")["amount_cny"] == 10_800.0
    # 8 % with 60 insured: neither way, and nothing of it can be changed
    assert matched("F3", "unemployment-refund-2022")["status"] == "not"
    near = matched("F2", "staying-bonus-example")
    assert near["status"] == "could"
    assert near["missing_en"] == "share of employees kept is 85 %, must be at least 90 %, 5 points away"
    assert near["missing_zh"] == "留岗比例 85 %，须不低于 90 %，差 5 个百分点"
    assert matched("F4", "staying-bonus-example")["status"] == "not"


def test_what_is_missing_is_said_in_words() -> None:
    policies = SHIPPED.read_text("utf-8").replace(
        'op = "in", values = ["small", "micro"] }',
        'op = "in", values = ["small", "micro"], changeable = true }',
    )
    known = read_text(policies)
    firm = pl.DataFrame(
        {"firm_id": ["A"], "size": ["large"], "region": ["310000"], "staff": ["5"], "headcount_kept": ["1"],
         "revenue_change": ["-0.4"]}
    )  # fmt: skip
    rows = match_relief(read_firms(firm, known), known, date(2022, 6, 20)).rows
    one = rows.filter(pl.col("policy_id") == "staying-bonus-example").row(0, named=True)
    assert one["missing_zh"] == "企业规模 大型，须为 小型 或 微型；无欠税未知（须为 是）"
    assert one["missing_en"] == (
        "size of the firm is large, must be small or micro; no taxes overdue not known (must be yes)"
    )


def test_the_page_says_who_gets_what_until_when_and_what_is_missing() -> None:
    known = read_policies()
    made = match_relief(read_firms(FIRMS, known), known, date(2022, 6, 20))
    rows = Page(relief_page(made, known)).said
    assert "符合条件 4 家次，已知金额合计 84.9 万元" in rows  # 480,000 + 350,000 + 10,800 + 8,000
    assert "还可争取 4 家次，已知金额 4.92 万元" in rows  # 20 and 62 people, 600 each; two amounts not known
    assert "2022-09-30，还有 102 天" in rows
    assert "留岗比例 85 %，须不低于 90 %，差 5 个百分点" in rows
    assert "37,200 以上" in rows  # firm three: another amount is not known


def test_the_page_after_the_last_day() -> None:
    known = read_policies()
    made = match_relief(read_firms(FIRMS, known), known, date(2023, 6, 20))
    page = Page(relief_page(made, known, language="en")).said
    assert "No policy can be applied for on that day." in page
    assert "What firms can get" not in page


def test_a_policy_has_its_days() -> None:
    assert matched("F1", "vat-necessities-2022", date(2022, 5, 1))["status"] == "qualifies"
    assert matched("F1", "vat-necessities-2022", date(2022, 4, 30))["status"] == "not_in_force"
    last = matched("F2", "staying-bonus-example", date(2022, 9, 30))
    assert (last["status"], last["days_left"]) == ("could", 0)
    assert matched("F2", "staying-bonus-example", date(2022, 10, 1))["status"] == "not_in_force"


LEAVES = [Leaf("a", "=", (True,)), Leaf("b", "=", (True,)), Leaf("c", "=", (True,), changeable=True)]
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda part: st.builds(Group, st.booleans(), st.lists(part, min_size=1, max_size=3).map(tuple)),
    max_leaves=6,
)


def leaves(tree: Condition) -> set[Leaf]:
    return {tree} if isinstance(tree, Leaf) else set().union(*map(leaves, tree.parts))


@settings(max_examples=examples(50), deadline=None)
@given(TREES, st.tuples(*[st.sampled_from([True, False, None])] * 3))
def test_three_values_are_what_all_completions_say(tree: Condition, known: tuple[bool | None, ...]) -> None:
    """A tree without a fact twice is met for sure where every completion meets it."""
    facts = dict(zip("abc", known, strict=True))
    open_ones = [name for name, value in facts.items() if value is None]
    answers = {
        tree.answer(facts | dict(zip(open_ones, values, strict=True)))
        for values in itertools.product([True, False], repeat=len(open_ones))
    }
    answer = tree.answer(facts)
    if answer is not None:
        assert answers == {answer}
    missing = what_is_missing(tree, facts)
    if missing is not None:  # bringing about what is missing meets the condition
        assert tree.answer(facts | {leaf.fact: True for leaf in missing}) is True
        assert all(facts[leaf.fact] is None or leaf.changeable for leaf in missing)
        assert (missing == []) == (answer is True)
    else:
        best = {leaf.fact: True for leaf in leaves(tree) if facts[leaf.fact] is None or leaf.changeable}
        assert tree.answer(facts | best) is not True


def test_not_is_carried_down() -> None:
    text = SHIPPED.read_text("utf-8").partition("[[policies]]")[0] + (
        '[[policies]]\nid="p"\ntitle_zh="a"\ntitle_en="a"\nprovenance="example"\nsource="made up"\n'
        "begins=2022-01-01\nends=2022-12-31\n[policies.condition]\n"
        'not={any=[{fact="staff",op="<",value=5},{fact="size",op="in",values=["large"]}]}\n'
    )
    condition = read_text(text).policies[0].condition
    assert condition == Group(True, (Leaf("staff", ">=", (5.0,)), Leaf("size", "not_in", ("large",))))


def read_text(text: str):  # noqa: ANN201
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policies.toml"
        file.write_text(text, "utf-8")
        return read_policies(file)


def test_amounts() -> None:
    half = Amount(Leaf("size", "=", ("large",)), 0.5, "paid", 0.0, None)
    rest = Amount(None, 0.9, "paid", 100.0, 500.0)
    assert relief_amount([half, rest], {"size": "large", "paid": 1000.0}) == 500.0
    assert relief_amount([half, rest], {"size": "small", "paid": 100.0}) == 190.0
    assert relief_amount([half, rest], {"size": "small", "paid": 1e9}) == 500.0
    assert relief_amount([half, rest], {"paid": 100.0}) is None  # which of the two is not known
    assert relief_amount([half, rest], {"size": "small"}) is None
    assert relief_amount([half], {"size": "small", "paid": 1.0}) is None


def test_sums_and_calendar() -> None:
    known = read_policies()
    made = match_relief(read_firms(FIRMS, known), known, date(2022, 6, 20))
    assert made.calendar["policy_id"][0] == "staying-bonus-example"  # the nearest deadline first
    row = made.calendar.filter(pl.col("policy_id") == "vat-necessities-2022").row(0, named=True)
    assert (row["qualifies"], row["could"], row["amount_cny"]) == (2, 1, 358_000.0)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", ["empty-file"]),
        (b"firm_id,staff\n", ["empty-table"]),
        (b"firm,staff\nA,1\n", ["missing-column"]),
        (b"firm_id,staff,taxes_settled,size\nA,many,maybe,huge\n,1,,\nA,2,,\n",
         ["wrong-type", "wrong-type", "wrong-type", "missing-value", "duplicate-firm"]),
        (b"firm_id,staff,insured,layoff_share,revenue_change\nA,-1,-0.5,5.5,-1.1\nB,0,0,100%,-100%\n",
         ["out-of-range"] * 4),
        (b'firm_id,staff\nA,"1,2"\nB,nan\nC,1e999\n', ["wrong-type"] * 3),
    ],
)  # fmt: skip
def test_wrong_firms_are_told(tmp_path: Path, content: bytes, codes: list[str]) -> None:
    file = tmp_path / "firms.csv"
    file.write_bytes(content)
    with pytest.raises(InputError) as found:
        read_firms(file, read_policies())
    assert sorted(one.code for one in found.value.problems) == sorted(codes)


def test_firms_in_chinese_files(tmp_path: Path) -> None:
    file = tmp_path / "firms.csv"
    file.write_bytes(
        'firm_id,name,staff,taxes_settled,layoff_share\nA,某快递,"1,200",是,4%\n'.encode("gb18030")
    )
    one = read_firms(file, read_policies())[0]
    assert (one.name, one.facts["staff"], one.facts["taxes_settled"]) == ("某快递", 1200.0, True)
    assert one.facts["layoff_share"] == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('op = "<=", value = 0.055', 'op = "about", value = 0.055'),
        ('fact = "layoff_share", op = "<=", value = 0.055', 'fact = "layoffs", op = "<=", value = 0.055'),
        ("value = 0.055", 'value = "few"'),
        ('choices_zh = ["快递", "邮政", "其他"]', 'choices_zh = ["快递", "邮政"]'),
        ('choices_zh = ["快递", "邮政", "其他"]', "choices_zh = [1, 2, 3]"),
        ('source_zh = "虚构，用于演示企业仍可达到的门槛"', 'source_zh = ""'),
        ('value = "large"', 'value = "huge"'),
        ("begins = 2022-05-01", 'begins = "2022-05-01"'),
        ("ends = 2022-12-31", "ends = 2021-12-31"),
        ('provenance = "recalled"', 'provenance = "sure"'),
        ('rate = 0.5\nof = "unemployment_paid_cny"', "rate = 0.5"),
        ("most = 300000.0", "most = -1"),
        ('id = "vat-necessities-2022"', 'id = "staying-bonus-example"'),
        ("least = 0, most = 1 }", "least = 2, most = 1 }"),
        ("least = -1 }", 'least = "-1" }'),
        ('en = "no taxes overdue" }', 'en = "no taxes overdue", least = 0 }'),
        ("any = [", "any = 5\nall = ["),
        ('value = "31" }', 'value = "31", run = "__import__(\'os\')" }'),
    ],
)
def test_wrong_policies_are_told(old: str, new: str) -> None:
    text = SHIPPED.read_text("utf-8")
    assert old in text
    with pytest.raises(InputError) as found:
        read_text(text.replace(old, new))
    assert {one.code for one in found.value.problems} == {"bad-policy"}


def test_a_condition_nested_without_end_is_refused() -> None:
    deep = "{not=" * 40 + '{fact="staff",op="<",value=5}' + "}" * 40
    text = SHIPPED.read_text("utf-8").partition("[[policies]]")[0] + (
        '[[policies]]\nid="p"\ntitle_zh="a"\ntitle_en="a"\nprovenance="example"\nsource="made up"\n'
        f"begins=2022-01-01\nends=2022-12-31\ncondition={deep}\n"
    )
    with pytest.raises(InputError):
        read_text(text)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relief", "check", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["policies"]) == 3
    out = tmp_path / "matches.csv"
    assert main(["relief", "match", str(FIRMS), "--date", "2022-06-20", "-o", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    known = read_policies()
    made = match_relief(read_firms(FIRMS, known), known, date(2022, 6, 20))
    assert facts["matches"] == json.loads(json.dumps(made.to_json()["matches"]))
    assert pl.read_csv(out).height == 12
    assert main(["relief", "match", str(FIRMS), "--date", "20/6"]) == 2
    assert main(["relief", "match", str(tmp_path / "none.csv")]) == 2
    page = tmp_path / "page.html"
    assert (
        main(["relief", "page", str(FIRMS), "--date", "2022-06-20", "-o", str(page), "--language", "en"]) == 0
    )
    assert 'data-language="en"' in page.read_text("utf-8")
    assert main(["relief", "page", str(FIRMS), "-o", str(tmp_path / "page.csv")]) == 2
    assert main(["relief", "page", "-o", str(page)]) == 2
