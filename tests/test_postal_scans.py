"""IPS and EMSEVT exports: each row counted, damage reported, nothing guessed in silence."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.events.formats.emsevt import read_emsevt
from changtong.events.formats.foreign_rows import ROW_SCHEMA, ForeignRows
from changtong.events.formats.ips import read_ips

EXPORT = Path(__file__).parent.parent.parent / "shared" / "data" / "postal_scans" / "ips_export.txt"
needs_export = pytest.mark.skipif(not EXPORT.is_file(), reason="the IPS export is not here")

HEAD = (
    "RECPTCL_FID;MAILITM_FID;EVENT_TYPE_NM;date;établissement_postal;EVENT_TYPE_CD;next_établissement_postal"
)
BAG, OTHER_BAG = "PTLISHDZALGBACN37043001100063", "PTLISHDZALGBACN37043002100061"
ROW = f"{BAG};EB000717618HK;Livraison;2023-12-23 10:40:50.290;ALGER COLIS POSTAUX;37;"


def check_accounts(found: ForeignRows) -> None:
    assert dict(found.rows.schema) == dict(ROW_SCHEMA)
    assert found.read_count == found.good_count + found.bad_count
    told = set(found.rows["row"]) | set(found.problems["row"])
    assert told == set(range(1, found.read_count + 1))


def ips(*rows: str, head: str = HEAD, encoding: str = "utf-8", **options: object) -> ForeignRows:
    found = read_ips("\n".join([head, *rows, ""]).encode(encoding), "Africa/Algiers", **options)  # type: ignore[arg-type]
    check_accounts(found)
    return found


def changed(**cells: str) -> str:
    """Return the row with other cells, by field."""
    names = ("receptacle", "item", "name", "at", "office", "code", "next")
    values = dict(zip(names, ROW.split(";"), strict=True)) | cells
    return ";".join(values[name] for name in names)


@needs_export
def test_the_real_export_reads_with_its_damage_counted() -> None:
    found = read_ips(EXPORT, "Africa/Algiers")
    check_accounts(found)
    assert (found.read_count, found.good_count) == (3500, 3500)
    counts = found.problem_counts()
    assert counts["site-from-receptacle"] == 1412
    assert set(counts) == {"site-from-receptacle", "two-receptacles", "damaged-text"}
    codes = dict(found.rows["code"].value_counts().iter_rows())
    assert codes == {
        "depart": 2189, "receive": 718, "attempt": 207, "deliver": 194, "out_for_delivery": 131, "accept": 20,
        "customs_in": 12, "customs_out": 11, "note": 10, "pack": 8,
    }  # fmt: skip
    assert found.rows["site_id"].null_count() == 0
    refused = read_ips(EXPORT, "Africa/Algiers", missing_office="refuse", offices=["ALGÉRIE"])
    check_accounts(refused)
    assert refused.bad_count == 1412
    assert refused.problem_counts()["damaged-text"] < 30


@needs_export
def test_items_in_two_receptacles_are_those_of_a_plain_search() -> None:
    found = read_ips(EXPORT, "Africa/Algiers")
    reported = set(found.problems.filter(pl.col("code") == "two-receptacles")["row"])
    spans: dict[str, dict[str, list[int]]] = {}
    seen = found.rows.select("row", "item_id", "receptacle_id", "at_ms").rows()
    for _, item, bag, at_ms in seen:
        spans.setdefault(item, {}).setdefault(bag, []).append(at_ms)
    plain = {
        row
        for row, item, bag, at_ms in seen
        if any(min(times) <= at_ms <= max(times) for other, times in spans[item].items() if other != bag)
    }
    assert reported == plain
    assert len(plain) > 100


def test_a_row_becomes_a_scan_in_utc() -> None:
    found = ips(ROW)
    at = datetime(2023, 12, 23, 10, 40, 50, 290_000, ZoneInfo("Africa/Algiers"))
    assert found.rows.row(0) == (
        1, None, "EB000717618HK", BAG, None, "deliver", "ALGER COLIS POSTAUX", None,
        round(at.timestamp() * 1000), None, None, '{"ipsEvent":"37"}',
    )  # fmt: skip
    assert found.problems.is_empty()


@pytest.mark.parametrize(
    ("cells", "problem", "is_kept"),
    [
        ({"code": ""}, "no-code", False),
        ({"code": "800"}, "unknown-code", False),
        ({"code": "Livraison"}, "unknown-code", False),
        ({"at": ""}, "bad-time", False),
        ({"at": "23/12/2023 10:40"}, "bad-time", False),
        ({"at": "1899-12-30 00:00:00"}, "bad-time", False),
        ({"at": "2023-02-30 00:00:00"}, "bad-time", False),
        ({"item": "EB000717619HK"}, "s10-check-digit", False),
        ({"item": "", "receptacle": "NULL"}, "no-object", False),
        ({"item": "a\x01b"}, "bad-id", False),
        ({"item": "a\0b"}, "bad-text", False),
        ({"office": ""}, "no-site", False),
        ({"office": "NULL"}, "no-site", False),
        ({"office": "", "code": "12"}, "site-from-receptacle", True),
        ({"office": "", "code": "12", "receptacle": "BAG"}, "no-site", False),
        ({"receptacle": "BAG"}, "s9-form", True),
        ({"office": "ALG\ufffdRIE"}, "damaged-text", True),
        ({"next": "A;B"}, "bad-row", False),
        ({"name": '"open'}, "bad-row", False),
    ],
)
def test_what_is_wrong_with_a_row_is_reported_with_its_number(
    cells: dict[str, str], problem: str, is_kept: bool
) -> None:
    found = ips(changed(item="i1", receptacle=OTHER_BAG), changed(**cells))
    assert problem in found.problems["code"].to_list()
    assert set(found.problems["row"]) == {2}
    assert (2 in found.rows["row"]) == is_kept


def test_missing_offices_are_filled_kept_or_refused_as_asked() -> None:
    row = changed(office="", code="12")
    assert ips(row).rows["site_id"].to_list() == ["PTLISH"]
    assert ips(row, missing_office="keep").rows["site_id"].to_list() == [None]
    assert ips(row, missing_office="keep").problem_counts() == {"no-site": 1}
    assert ips(row, missing_office="refuse").bad_count == 1
    with pytest.raises(UsageError):
        ips(row, missing_office="guess")


def test_a_damaged_office_is_repaired_where_one_name_alone_fits() -> None:
    row = changed(office="ALG\ufffdRIE")
    assert ips(row, offices=["ALGÉRIE", "ALGER"]).rows["site_id"].to_list() == ["ALGÉRIE"]
    unsure = ips(row, offices=["ALGÉRIE", "ALGERIE"])
    assert unsure.rows["site_id"].to_list() == ["ALG\ufffdRIE"]
    assert unsure.problem_counts() == {"damaged-text": 1}


def test_duplicates_and_items_in_two_receptacles_at_once_are_reported_and_kept() -> None:
    again = ips(ROW, ROW, changed(code="36"))
    assert again.problems.select("row", "code").rows() == [(2, "duplicate-row")]
    between = changed(receptacle=OTHER_BAG, at="2023-12-23 11:00:00")
    later = changed(at="2023-12-23 12:00:00")
    assert ips(ROW, between).problems.is_empty()  # one bag after the other
    crossed = ips(ROW, between, later)
    assert crossed.problems.select("row", "code").rows() == [(2, "two-receptacles")]
    at_once = ips(ROW, changed(receptacle=OTHER_BAG))
    assert at_once.problems.select("row", "code").rows() == [(1, "two-receptacles"), (2, "two-receptacles")]
    assert at_once.good_count == 2


def test_hours_that_stand_twice_or_never_are_told() -> None:
    times = ("2024-10-27 02:30:00", "2024-03-31 02:30:00", "2024-03-31T02:30:00+01:00")
    rows = ["item,event,date,office", *(f"EB000717618HK,EMI,{time},A" for time in times)]
    found = read_emsevt("\n".join(rows).encode(), "Europe/Paris")
    check_accounts(found)
    assert found.problems.select("row", "code").rows() == [(1, "ambiguous-time"), (2, "bad-time")]
    first = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=0)
    assert found.rows["at_ms"].to_list()[0] == first.timestamp() * 1000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_out_and_lines_in_another_one_reported(encoding: str) -> None:
    found = ips(changed(office="BÉJAÏA"), ROW, encoding=encoding)
    assert found.rows["site_id"].to_list() == ["BÉJAÏA", "ALGER COLIS POSTAUX"]
    assert found.problem_counts() == ({"other-encoding": 1} if encoding == "cp1252" else {})
    mixed = (
        HEAD.encode()
        + b"\r\n"
        + ROW.encode("cp1252")
        + b"\r\n\r\n"
        + changed(office="BÉJAÏA").encode("cp1252")
    )
    assert read_ips(mixed, "Africa/Algiers").problems["row"].to_list() == [2]


def test_other_separators_and_headings_of_the_users_own_are_read() -> None:
    head = "bag,item,what,when,where,phone"
    row = f'{BAG},eb 000 717 618 hk,37,2023-12-23 10:40,"ALGER, GARE",0555'
    names = {"bag": "receptacle_id", "what": "code", "when": "at", "where": "site_id"}
    found = ips(row, head=head, columns=names)
    assert found.rows.select("item_id", "site_id").row(0) == ("EB000717618HK", "ALGER, GARE")
    assert found.dropped == ("phone",)
    with pytest.raises(UsageError, match="no field"):
        ips(row, head=head, columns={"bag": "sack"})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b"\n\n", "empty-file"),
        (b"one;two\n1;2\n", "missing-column"),
        (HEAD.encode() + b";date\n", "duplicate-column"),
        (b"\xff\xfe\x00", "bad-encoding"),
    ],
)
def test_files_that_are_no_export_are_refused(content: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_ips(path, "Africa/Algiers")
    assert {problem.code for problem in raised.value.problems} == {code}


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="time zone"):
        read_ips(HEAD.encode(), "Mars/Olympus")
    with pytest.raises(UsageError, match="encoding"):
        read_ips(HEAD.encode(), "Africa/Algiers", other_encoding="latin-99")
    with pytest.raises(InputError, match="unreadable-file"):
        read_ips(tmp_path / "none.txt", "Africa/Algiers")


def test_emsevt_events_are_read_with_their_reasons_and_without_names() -> None:
    rows = """item identifier;event code;event time;office;next office;receptacle;reason;action;signatory
EB000717618HK;EMC;2022-06-17 08:00;HKHKGA;FRCDGA;HKHKGAFRCDGAACN20001001100063;;;
EB000717618HK;EMH;2022-06-20T08:00:00+02:00;PARIS 1;;;12;G;
EB000717618HK;EMH;2022-06-20 08:00;PARIS 1;;;nobody at home;;
EB000717618HK;emi;2022-06-21 09:00;PARIS 1;;;;;Bob
WAYBILL 7;EMI;2022-06-21 09:00;PARIS 1;;;;;
EB000717618HK;EMZ;2022-06-21 09:00;PARIS 1;;;;;
EB000717618HK;EMI;2022-06-21 09:30;;;;;;
EE471108151FR;EMH;2022-06-20 08:00;PARIS 1;;;;;
"""
    found = read_emsevt(rows.encode(), "Asia/Hong_Kong")
    check_accounts(found)
    assert found.rows["code"].to_list() == ["depart", "attempt", "attempt", "deliver", "deliver", "attempt"]
    assert found.rows["attributes"].to_list()[:2] == [
        '{"emsevtEvent":"EMC"}', '{"action":"G","emsevtEvent":"EMH","reason":"12"}',
    ]  # fmt: skip
    assert found.problems.select("row", "code").rows() == [
        (3, "bad-value"), (5, "s10-form"), (6, "unknown-code"), (7, "no-site"), (8, "no-reason"),
    ]  # fmt: skip
    assert found.dropped == ("signatory",)
    assert "Bob" not in str(found.rows.to_dicts()) + str(found.problems.to_dicts())
    kept = read_emsevt(rows.encode(), "Asia/Hong_Kong", is_site_required=False)
    assert kept.good_count == found.good_count + 1


@pytest.mark.parametrize(
    "start", [b"UNA:+.? 'UNB+UNOA:1+A+B'", b"UNB+UNOA:1+A+B'", b"\xef\xbb\xbf\r\nUNB+UNOC:3"]
)
def test_the_edifact_message_is_refused_not_guessed(start: bytes) -> None:
    with pytest.raises(InputError, match="edifact-not-read"):
        read_emsevt(start, "Asia/Hong_Kong")


CELLS = st.sampled_from(
    ["", "37", "EMI", "NULL", BAG, "EB000717618HK", "2023-12-23 10:40:50", "9999-99-99 99:99:99",
     "0001-01-01 00:00:00", "=1+1", "\ufeff", '"', '""', '"a"', "\0", "\ufffd", "é", "\u2028",
     "2023-12-23T10:40:50Z", "1e9", "-1"]
) | st.text(st.characters(exclude_characters="\r\n;", exclude_categories=["Cs"]), max_size=5)  # fmt: skip


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(CELLS, min_size=6, max_size=8).map(";".join), max_size=5))
def test_any_cells_are_read_or_reported(rows: list[str]) -> None:
    content = "\n".join([HEAD, *rows]).encode()
    found = read_ips(content, "Africa/Algiers", missing_office="keep")
    check_accounts(found)
    assert found.read_count == sum(bool(row.strip()) for row in rows)
    in_english = content.replace("établissement_postal".encode(), b"office")
    check_accounts(read_emsevt(in_english, "Africa/Algiers", is_site_required=False))


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=40), st.integers(0, 300), st.integers(0, 300))
def test_damaged_exports_are_read_or_refused(noise: bytes, start: int, end: int) -> None:
    content = "\n".join([HEAD, ROW, changed(office="BÉJAÏA")]).encode()
    damaged = content[:start] + noise + content[max(start, end) :]
    for read in (read_ips, read_emsevt):
        try:
            found = read(damaged, "Africa/Algiers")
        except InputError:
            continue
        check_accounts(found)
