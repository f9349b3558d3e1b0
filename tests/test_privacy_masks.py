"""Masks: never more than the rule, twice is once, nothing passes unseen."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError, NotFoundError, UsageError
from changtong.privacy.find_personal_data import find_personal_data
from changtong.privacy.mask_file import mask_file
from changtong.privacy.mask_rules import KINDS, mask_rules, read_mask_rules
from changtong.privacy.masks import HIDDEN, mask, mask_address, mask_column, mask_name, mask_phone
from tests.privacy_cases import positives, write_xlsx

ROWS = (
    "运单号,收件人,tel,地址,备注,amount\n"
    "SF1,张小明,13800138000,湖北省武汉市洪山区关山大道111号光谷大厦3栋2单元1203室,打 13912345678 找人,-12.5\n"
    "SF2,欧阳娜娜,+86 138 0013 8000,乡下,=cmd,3\n"
    "13812345678,,ask,北京市朝阳区建国路88号3号楼502,,1\n"
)

words = st.text(
    st.sampled_from("省市区县路街道村镇号楼栋单元室座0123４５ABab张王小*-+()（） 、/,='@."), max_size=30
) | st.text(max_size=20)


@settings(max_examples=examples(300), deadline=None)
@given(words, st.sampled_from(KINDS))
def test_masking_twice_is_masking_once(text: str, kind: str) -> None:
    once = mask(kind, text)
    assert mask(kind, once) == once


@settings(max_examples=examples(300), deadline=None)
@given(words)
def test_a_mask_shows_no_more_than_its_rule(text: str) -> None:
    name = mask_name(text)
    assert sum(sign not in "*" and not sign.isspace() for sign in name) <= 1
    split = re.compile(r"[/,;、，；|\n]+")
    for part, masked in zip(split.split(text), split.split(mask_phone(text)), strict=True):
        positions = sum(sign.isdigit() or sign == "*" for sign in part)
        assert sum(sign.isdigit() for sign in masked) <= max(0, positions - 6)
    address = mask_address(text)
    assert address.endswith("****") or text.startswith(address)
    for sign in ("室", "单元", "栋", "座"):
        assert sign not in address
    for kind in ("id_number", "bank_card", "plate", "passport"):
        shown = sum(sign.isalnum() for sign in mask(kind, text))
        positions = sum(sign.isalnum() or sign == "*" for sign in text)
        assert shown <= max(0, positions - mask_rules()[kind].hide_at_least)


def test_hand_made_masks() -> None:
    cases = {
        "name": {"张三": "张*", "张小明": "张**", "欧阳娜娜": "欧***", "李": "*", "": "", "张先生": "张**"},
        "phone": {
            "13800138000": "138******00", "138-0013-8000": "138-****-**00",
            "+86 13800138000": "+86 1********00",
            "010-62345678": "010-******78", "62345678": "******78", "110": "***", "叫前台": "***",
            "13800138000/13900139000": "138******00/139******00", "138****8000": "138******00", "": "",
            "１３８００１３８０００": "１３８******００",
        },
        "address": {
            "广东省广州市天河区中山大道10号A座502室": "广东省广州市天河区中山大道10号****",
            "广东省广州市天河区中山大道10号": "广东省广州市天河区中山大道****",
            "某县某镇某村3组12号": "某县某镇某村****",
            "北京市朝阳区": "北京市朝阳区", "A座502": "****", "": "",
            "鼓楼区湖南路1号3楼": "鼓楼区湖南路1号****",
        },
        "id_number": {"11010519491231002X": "11****************", "110105": "******"},
        "bank_card": {"6200000000000005": "************0005"},
        "plate": {"粤BD12345": "粤B******", "京A·12345": "京A·*****"},
        "email": {"zhangsan@example.com": "z***@example.com", "a@b.com": "***@b.com", "no mail": "***"},
        "passport": {"E12345678": "E********"},
        "all": {"whatever": "***"},
    }  # fmt: skip
    for kind, pairs in cases.items():
        assert {text: mask(kind, text) for text in pairs} == pairs, kind


def test_columns_are_masked_as_their_values_are() -> None:
    for kind, source in (
        ("name", "name"),
        ("phone", "mobile"),
        ("address", "address"),
        ("id_number", "id_number"),
    ):
        values = [value for _, value in positives(60)[source]] + ["", "else"]
        assert mask_column(pl.Series("c", [*values, None]), kind).to_list() == [
            *(mask(kind, v) for v in values),
            None,
        ]
    assert mask_column(pl.Series([13800138000]), "phone").to_list() == ["138******00"]
    with pytest.raises(UsageError):
        mask_column(pl.Series(["x"]), "shoe size")


def test_rules_say_where_they_come_from_and_cannot_ask_for_less(tmp_path: Path) -> None:
    for rule in mask_rules().values():
        assert rule.source
        assert (rule.provenance == "official") == (rule.kind in ("name", "phone", "address"))
    built_in = Path(read_mask_rules.__code__.co_filename).with_name("mask_rules.toml").read_text("utf-8")
    changes = [
        ("hide_at_least = 6", "hide_at_least = 5"),
        ("keep_last = 2", "keep_last = -1"),
        ('provenance = "official"', 'provenance = "usual"'),
        ("[plate]", "[plates]"),
        ("keep_first = 1\nhide", "keep_first = 2\nhide"),
        ("keep_last = 2", "shown = 2"),
    ]
    for before, after in changes:
        (tmp_path / "r.toml").write_text(built_in.replace(before, after), "utf-8")
        with pytest.raises(InputError, match="bad-mask-rules"):
            read_mask_rules(tmp_path / "r.toml")
    (tmp_path / "r.toml").write_text(built_in.replace("keep_last = 2", "keep_last = 0"), "utf-8")
    assert mask("phone", "13800138000", read_mask_rules(tmp_path / "r.toml")) == "138********"


def test_a_file_is_masked_and_nothing_personal_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS, "utf-8")
    made = mask_file(tmp_path / "a.csv", tmp_path / "b.csv")
    text = (tmp_path / "b.csv").read_text("utf-8-sig")
    assert text.splitlines() == [
        "运单号,收件人,tel,地址,备注,amount",
        "SF1,张**,138******00,湖北省武汉市洪山区关山大道111号****,打 139******78 找人,-12.5",
        "SF2,欧***,'+86 1** **** **00,****,'=cmd,3",
        '13812345678,"",***,北京市朝阳区建国路88号****,"",1',
    ]
    told = {
        one.column: (one.kind, one.why, one.masked, one.hidden, one.found, one.left) for one in made.columns
    }
    assert told["tel"] == ("phone", "header", 3, 1, 0, 0)
    assert told["备注"] == ("text", "text", 0, 0, 1, 0)
    assert told["运单号"] == ("text", "text", 0, 0, 0, 1)
    assert made.left == 1
    assert find_personal_data([tmp_path / "b.csv"]).found == 0
    mask_file(tmp_path / "b.csv", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv", "c.csv"]


def test_every_format_gives_the_same(tmp_path: Path) -> None:
    frame = pl.read_csv(ROWS.encode(), infer_schema=False)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    (tmp_path / "a.tsv").write_text(ROWS.replace(",", "\t"), "gb18030")
    mask_file(tmp_path / "a.csv", tmp_path / "csv.parquet")
    mask_file(tmp_path / "a.parquet", tmp_path / "parquet.parquet")
    mask_file(tmp_path / "a.tsv", tmp_path / "tsv.parquet")
    mask_file(tmp_path / "a.jsonl", tmp_path / "j.jsonl")
    expected = pl.read_parquet(tmp_path / "csv.parquet").with_columns(pl.all().fill_null(""))
    for other in ("parquet.parquet", "tsv.parquet"):
        assert pl.read_parquet(tmp_path / other).with_columns(pl.all().fill_null("")).equals(expected)
    lines = pl.read_ndjson(tmp_path / "j.jsonl").with_columns(pl.all().fill_null(""))
    assert lines.equals(expected)


def test_json_lines_are_masked_where_they_stand(tmp_path: Path) -> None:
    document = {
        "id": 7, "ok": True, "none": None,
        "people": [{"name": "张小明", "phone": 13800138000, "tags": ["13912345678"]}],
        "price": 1.50,
    }  # fmt: skip
    (tmp_path / "a.jsonl").write_text(json.dumps(document) + "\n\n", "utf-8")
    mask_file(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert json.loads((tmp_path / "b.jsonl").read_text("utf-8")) == document | {
        "people": [{"name": "张**", "phone": "138******00", "tags": ["139******78"]}]
    }
    (tmp_path / "bad.jsonl").write_text('{"name": "张小明"}\n{"name": 13800138000', "utf-8")
    with pytest.raises(InputError) as caught:
        mask_file(tmp_path / "bad.jsonl", tmp_path / "c.jsonl")
    assert caught.value.problems[0].row == 2
    assert "138" not in str(caught.value)
    assert not (tmp_path / "c.jsonl").exists()


def test_columns_can_be_said_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,tel,code\nAnn,13800138000,x1\n", "utf-8")
    made = mask_file(
        tmp_path / "a.csv", tmp_path / "b.csv", columns={"who": "name", "tel": "keep", "code": "all"}
    )
    assert (tmp_path / "b.csv").read_text("utf-8-sig") == f"who,tel,code\nA**,13800138000,{HIDDEN}\n"
    assert {one.why for one in made.columns} == {"given"}
    with pytest.raises(UsageError, match="no kind"):
        mask_file(tmp_path / "a.csv", tmp_path / "b.csv", columns={"who": "shoe size"})
    with pytest.raises(NotFoundError, match="whom"):
        mask_file(tmp_path / "a.csv", tmp_path / "b.csv", columns={"whom": "name"})


def test_a_column_is_known_by_its_values(tmp_path: Path) -> None:
    cases = positives(50)
    rows = [f"{a},{b},{c},{k}" for k, ((_, a), (_, b), (_, c)) in enumerate(
        zip(cases["mobile"], cases["id_number"], cases["name"], strict=True))]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(["a,b,c,d", *rows]), "utf-8")
    made = mask_file(tmp_path / "a.csv", tmp_path / "b.csv")
    assert [one.kind for one in made.columns] == ["phone", "id_number", "name", "text"]
    assert {one.why for one in made.columns[:3]} == {"values"}


def test_what_cannot_be_masked_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS, "utf-8")
    (tmp_path / "headless.csv").write_text(ROWS.partition("\n")[2], "utf-8")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n13800138000,2,3\n", "utf-8")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "bad.xlsx").write_bytes(b"PK no")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    before = sorted(tmp_path.iterdir())
    for name in ("headless.csv", "ragged.csv", "binary.csv", "bad.parquet", "bad.xlsx"):
        with pytest.raises(InputError) as caught:
            mask_file(tmp_path / name, tmp_path / "out.csv")
        assert "138" not in str(caught.value)
    with pytest.raises(UsageError, match="JSON lines"):
        mask_file(tmp_path / "a.pdf", tmp_path / "out.csv")
    with pytest.raises(UsageError, match="another name"):
        mask_file(tmp_path / "a.csv", tmp_path / "a.csv")
    with pytest.raises(NotFoundError):
        mask_file(tmp_path / "none.csv", tmp_path / "out.csv")
    assert sorted(tmp_path.iterdir()) == before
    mask_file(tmp_path / "headless.csv", tmp_path / "out.csv", has_header=False)
    assert "张小明" not in (tmp_path / "out.csv").read_text("utf-8")


def test_an_empty_table_keeps_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,tel\n", "utf-8")
    assert mask_file(tmp_path / "a.csv", tmp_path / "b.csv").rows == 0
    assert (tmp_path / "b.csv").read_text("utf-8-sig") == "name,tel\n"


def test_workbooks_are_masked_into_csv(tmp_path: Path) -> None:
    write_xlsx(
        tmp_path / "a.xlsx", [["收件人", "tel"], ["张小明", "13800138000"], ["李四", "1.3800138000E10"]]
    )
    mask_file(tmp_path / "a.xlsx", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text("utf-8-sig") == "收件人,tel\n张**,138******00\n李*,138******00\n"


def test_the_command_says_what_it_took_columns_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text(ROWS, "utf-8")
    assert (
        main(
            [
                "mask",
                str(tmp_path / "a.csv"),
                "-o",
                str(tmp_path / "b.csv"),
                "--column",
                "keep=备注",
                "--json",
            ]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert {one["column"]: one["kind"] for one in told["columns"]}["备注"] == "keep"
    for wrong in ("备注", "=备注", "keep="):
        assert main(["mask", str(tmp_path / "a.csv"), "-o", str(tmp_path / "b.csv"), "--column", wrong]) == 2
    seen = capsys.readouterr()
    assert "13800138000" not in seen.out + seen.err


def test_many_batches_are_one_file(tmp_path: Path) -> None:
    draw = random.Random(3)
    lines = [f"{k},1{draw.randint(30, 39)}{draw.randrange(10**8):08d},note {'x' * 60}" for k in range(90_000)]
    (tmp_path / "a.csv").write_text("\n".join(["n,tel,note", *lines]), "utf-8")
    assert mask_file(tmp_path / "a.csv", tmp_path / "b.parquet").rows == 90_000
    told = pl.read_parquet(tmp_path / "b.parquet")
    assert told["n"].cast(pl.Int64).to_list() == list(range(90_000))
    assert told["tel"].str.contains(r"^1\d\d\*{6}\d\d$").all()
