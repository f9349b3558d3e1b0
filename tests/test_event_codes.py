"""Codes and identifiers: each vocabulary maps to one code, numbers are tested as their standards say."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changtong.errors import NotFoundError
from changtong.events import codes
from changtong.events.formats import foreign_rows, identifiers, instants
from changtong.events.formats.epcis_terms import is_uri, text_of, uri_of

HERE = Path(__file__).parent.parent
SHARED = HERE.parent / "shared" / "data"
CODES = [
    "accept", "inspect", "screen", "register", "receive", "sort", "pack", "unpack", "load", "depart",
    "arrive", "unload", "out_for_delivery", "attempt", "deliver", "return", "hold", "release", "customs_in",
    "customs_out", "cancel", "note", "void",
]  # fmt: skip
DOMESTIC = {
    "揽收": "accept", "验视": "inspect", "安检": "screen", "实名登记": "register", "收件": "receive",
    "到件": "receive", "分拣": "sort", "装袋": "pack", "拆袋": "unpack", "装车": "load", "发车": "depart",
    "到车": "arrive", "卸车": "unload", "派件": "out_for_delivery", "投递不成功": "attempt",
    "签收": "deliver", "退回": "return", "封控滞留": "hold", "解除滞留": "release", "送海关": "customs_in",
    "海关放行": "customs_out",
}  # fmt: skip
EMSEVT = {
    "EMA": "accept", "EMB": "receive", "EMC": "depart", "EMD": "receive", "EMJ": "receive", "EMK": "depart",
    "EDA": "hold", "EDB": "customs_in", "EME": "hold", "EDC": "customs_out", "EMF": "depart",
    "EDD": "receive", "EDE": "depart", "EMG": "receive", "EDF": "hold", "EDG": "out_for_delivery",
    "EMH": "attempt", "EDH": "receive", "EMI": "deliver", "EDX": "cancel", "EXA": "customs_in",
    "EXB": "hold", "EXC": "customs_out", "EXD": "hold", "EXX": "cancel",
}  # fmt: skip


def test_the_codes_are_those_of_the_log_with_a_stage_each() -> None:
    assert [entry.code for entry in codes.scan_codes()] == CODES
    assert {entry.stage for entry in codes.scan_codes()} <= set(codes.STAGES)
    assert codes.scan_code("hold").zh == "封控滞留"
    with pytest.raises(NotFoundError, match="flown"):
        codes.scan_code("flown")


def test_domestic_words_emsevt_events_and_ips_types_map_to_codes() -> None:
    assert {word: codes.code_of_word(word) for word in DOMESTIC} == DOMESTIC
    assert {event: codes.code_of_emsevt(event.lower()) for event in EMSEVT} == EMSEVT
    assert codes.code_of_word("已揽收") == codes.code_of_word(" 揽收扫描 ") == "accept"
    assert (
        codes.code_of_word("OUT_FOR_DELIVERY") == codes.code_of_word("Out for delivery") == "out_for_delivery"
    )
    assert [codes.code_of_ips(number) for number in (1, "012", "36", "37", 8)] == [
        "accept", "depart", "attempt", "deliver", "pack",
    ]  # fmt: skip
    for unknown in ("", "飞走", "\0", "扫描", "已"):
        assert codes.code_of_word(unknown) is None
    assert codes.code_of_emsevt("EMZ") is None
    assert codes.code_of_ips("800") is None  # an account, no scan
    assert codes.code_of_ips("²") is None


@pytest.mark.parametrize("entry", codes.scan_codes(), ids=lambda entry: entry.code)
def test_each_code_is_read_back_from_all_it_is_called(entry: codes.ScanCode) -> None:
    for word in (entry.code, entry.zh, entry.en, *entry.words):
        assert codes.code_of_word(word) == entry.code
    assert {codes.code_of_emsevt(event) for event in entry.emsevt} <= {entry.code}
    assert {codes.code_of_ips(event) for event in entry.ips} <= {entry.code}
    steps = [*entry.cbv_also, *([entry.cbv_business_step] if entry.cbv_business_step else [])]
    for step in steps:
        bare = codes.bare_business_step(step)
        for form in ("", *codes.CBV_FORMS):
            assert codes.code_of_business_step(form + bare) == entry.code


def test_every_ips_type_that_is_a_scan_is_in_the_catalogue() -> None:
    catalogue = SHARED / "postal_scans" / "event_types.csv"
    if not catalogue.is_file():
        pytest.skip("the catalogue of IPS event types is not here")
    rows = csv.reader(catalogue.read_text("utf-8-sig").splitlines(), delimiter=";")
    listed = {row[0] for row in rows}
    used = {event for entry in codes.scan_codes() for event in entry.ips}
    assert used - listed == set()
    items = {number for number in listed if int(number) < 200 or 1000 <= int(number) < 1103}
    assert items - used == set()  # every event of an item or receptacle is decided on


@pytest.mark.parametrize("number", ["EB000717618HK", "EE471108151FR", "RR473124829GB"])
def test_known_item_numbers_are_right_and_no_other_check_digit_is(number: str) -> None:
    assert identifiers.s10_problem(number) is None
    for digit in "0123456789":
        changed = number[:10] + digit + number[11:]
        assert (identifiers.s10_problem(changed) is None) == (changed == number)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 99_999_999), st.integers(0, 7), st.integers(1, 9))
def test_one_wrong_digit_is_nearly_always_found(serial: int, place: int, by: int) -> None:
    digits = f"{serial:08d}"
    other = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]
    check = identifiers.s10_check_digit(digits)
    assert 0 <= check <= 9
    plain = sum(w * int(d) for w, d in zip((8, 6, 4, 2, 3, 5, 9, 7), digits, strict=True)) % 11
    assert check == {0: 5, 1: 0}.get(plain, 11 - plain)
    if identifiers.s10_check_digit(other) == check:  # only 10 and 11, which share digits with 0 and 5, slip
        assert check in (0, 5)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=40))
def test_any_text_has_a_verdict(text: str) -> None:
    assert identifiers.s10_problem(text) in (None, "s10-form", "s10-check-digit")
    assert (identifiers.read_s9(text) is None) == (identifiers.s9_problem(text) == "s9-form")


def test_a_receptacle_says_where_it_comes_from_and_what_it_weighs() -> None:
    told = identifiers.read_s9("PTLISHDZALGBACN37043001100063")
    assert told == identifiers.Receptacle(
        "PTLISH", "DZALGB", "A", "CN", 3, 7043, 1, True, False, pytest.approx(6.3)
    )
    assert identifiers.read_s9("USORDADZALGDAUN30050001900005").is_highest is None  # type: ignore[union-attr]
    for wrong in (
        "",
        "PTLISHDZALGBACN3704300110006",
        "PTLISHDZALGBACN37043001100063X",
        "ptlishDZALGBACN37043001100063",
    ):
        assert identifiers.s9_problem(wrong) == "s9-form"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=30))
def test_any_identifier_becomes_a_uri_and_comes_back(text: str) -> None:
    assert is_uri(uri_of(text))
    assert text_of(uri_of(text)) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(instants.FIRST_MS, instants.END_MS - 1),
    st.sampled_from(["+00:00", "+08:00", "-03:30", "+14:00", "-13:59"]),
)
def test_an_instant_comes_back_in_any_offset(at_ms: int, offset: str) -> None:
    assert instants.instant_ms(instants.instant_text(at_ms, offset)) == at_ms


@pytest.mark.parametrize(
    "text",
    ["", "now", "2022-06-17", "2022-06-17T08:00:00", "2022-13-17T08:00:00Z", "1970-01-01T00:00:00Z",
     "2022-06-17T24:00:00Z", "9999-12-31T00:00:00Z", "0000-01-01T00:00:00Z", "2022-06-17T08:00:00+25:00",
     "2022-06-17T08:00:60Z", "٢٠٢٢-06-17T08:00:00Z"],
)  # fmt: skip
def test_what_is_no_instant_is_none(text: str) -> None:
    assert instants.instant_ms(text) is None


def test_every_problem_of_a_row_is_told_of() -> None:
    page = HERE / "docs" / "errors.md"
    if not page.is_file():
        pytest.skip("the documents are not here: needs a checkout")
    headings = set(re.findall(r"^### (\S+)$", page.read_text("utf-8"), re.M))
    assert set(foreign_rows.REASONS) - headings == set()


def test_the_codes_of_the_sql_are_those_that_move_something() -> None:
    """``codes.sql`` runs on engines that do not read our table: it names the same codes."""
    from changtong.events.codes import known_codes
    from changtong.events.indicators import sql_text

    named = set(re.findall(r"^    \('(\w+)'", sql_text("codes"), re.M))
    assert named == known_codes() - {"note", "void"}
