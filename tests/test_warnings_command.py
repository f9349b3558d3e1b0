"""From sources to proposed outages: feeds, archives, what is set aside, people, the command."""

from __future__ import annotations

import http.server
import json
import stat
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from changtong.cli import main
from changtong.emergency.cap import read_cap
from changtong.emergency.contacts import people_to_call, read_contacts
from changtong.emergency.exposure import exposure
from changtong.emergency.fetching import Fetcher, FetchLimits, check_address
from changtong.emergency.in_force import in_force
from changtong.emergency.message_sources import read_messages
from changtong.emergency.pieces_at_risk import pieces_at_risk
from changtong.emergency.threats import find_threats
from changtong.errors import InputError
from changtong.network.io import read_network
from changtong.outage_files import read_outages, write_outages
from changtong.outages import Outage
from tests.test_emergency_cap import BOMB, NOON, alert
from tests.test_emergency_exposure import three

EXAMPLES = Path(__file__).parent.parent / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here: needs a checkout")
AT = "2026-07-20T09:00+08:00"
BODY = alert("in the feed").decode().split("?>", 1)[1]
FEED = (
    f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="text/xml">{BODY}</content></entry>'
    '<entry><link href="two.xml?token=secret"/></entry><entry><link href="https://elsewhere.example/x.xml"/>'
    '</entry><entry><link type="application/cap+xml" href="../outside.xml"/>'
    '<link href="page.html"/></entry></feed>'
)  # fmt: skip


def names(found: object) -> list[str]:
    return sorted(one.key.identifier for one in found.messages)  # type: ignore[attr-defined]


def test_a_folder_an_archive_and_a_saved_feed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.xml").write_bytes(alert("outside"))
    (folder / "feed.atom").write_text(FEED, "utf-8")
    (folder / "two.xml").write_bytes(alert("2"))
    (folder / "bomb.xml").write_bytes(BOMB)
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("../../three.xml", alert("3"))
        archive.writestr("readme.txt", "no message")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    found = read_messages([folder])
    assert set(names(found)) == {"in the feed", "2", "3"}  # nothing from outside the folder
    assert sorted((problem.code, problem.file) for problem in found.set_aside) == [
        ("bad-xml", "bomb.xml"), ("unreadable-file", "broken.zip"),
    ]  # fmt: skip
    assert len(found.notes) == 2
    assert "secret" not in " ".join(map(str, found.notes))


def test_nothing_readable_and_nothing_there_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"<a>")
    empty = tmp_path / "empty"
    empty.mkdir()
    for sources, codes in (
        ([tmp_path / "a.xml"], ["bad-xml"]),
        ([tmp_path / "none.xml", empty], ["missing-file", "empty-folder"]),
        (["https://example.com/feed"], ["not-fetched"]),  # no fetcher was given
    ):
        with pytest.raises(InputError) as caught:
            read_messages(sources)
        assert [problem.code for problem in caught.value.problems] == codes


@pytest.fixture
def server() -> Iterator[str]:
    pages = {"/feed": FEED.encode(), "/two.xml": alert("2"), "/large": b"x" * 50_000}

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in ("/round", "/away"):
                self.send_response(302)
                self.send_header("Location", "/round" if path == "/round" else "https://elsewhere.example/")
                self.end_headers()
                return
            self.send_response(200 if path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(path, b""))

        def log_message(self, *_: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


def test_a_feed_is_fetched_within_bounds(server: str) -> None:
    found = read_messages([f"{server}/feed"], Fetcher())
    assert set(names(found)) == {"in the feed", "2"}
    assert [problem.code for problem in found.set_aside] == ["not-fetched"]  # outside.xml: 404
    assert any("elsewhere.example" in note.en for note in found.notes)
    for path, limits in (
        ("/round", FetchLimits()), ("/away", FetchLimits()), ("/gone", FetchLimits()),
        ("/large", FetchLimits(bytes=1000)), ("/feed", FetchLimits(total_s=0.0)),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            Fetcher(limits)(f"{server}{path}?key=secret")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["ftp://a/b", "file:///etc/x", "http://a.example/", "https://", "https://[::1"]
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InputError):
        check_address(address)


def test_outages_written_are_read_back_as_they_are(tmp_path: Path) -> None:
    zone = datetime.fromisoformat(AT).tzinfo
    wanted = (
        Outage('a "quoted"\\ 预警', sites=("A", "H1"), capacity_share=0.5, extra_h=4.0),
        Outage("legs", legs=(("A", "H1"),), start=datetime(2026, 7, 20, tzinfo=zone), capacity_share=0.0),
        Outage("passes", admin_codes=("411000",), passes_per_day=3, pieces_per_pass=10.0, extra_h=1.0),
    )
    file = write_outages(wanted, tmp_path / "o.toml", remark="why\x07\nand = how")
    assert read_outages(file, read_network(EXAMPLES / "tiny")) == wanted


def test_pieces_at_risk_by_hand() -> None:
    """C from 23:00 to 02:00 local: an hour of the first day, two of the next; A > C 5, C > B 2 a day."""
    begins = datetime(2026, 7, 20, 15, tzinfo=UTC)
    rows = pl.DataFrame(
        {"site_id": ["C", "C"], "begins": [begins, begins + timedelta(hours=1)],
         "ends": [begins + timedelta(hours=2), begins + timedelta(hours=3)]},
        schema_overrides={name: pl.Datetime("us", "UTC") for name in ("begins", "ends")},
    )  # fmt: skip
    found = pieces_at_risk(three(), rows, begins - timedelta(hours=1))
    assert found["pieces"].to_list() == pytest.approx([7 / 24, 14 / 24])
    assert [str(day) for day in found["date"]] == ["2026-07-20", "2026-07-21"]
    later = pieces_at_risk(three(), rows, begins + timedelta(hours=2))
    assert later["pieces"].to_list() == pytest.approx([7 / 24])  # what is over is over


def test_codes_of_units_find_sites_where_there_is_no_shape() -> None:
    network = read_network(EXAMPLES / "tiny")
    coded = alert(area="").replace(b"<circle>34.7,113.6 25</circle>", b"")
    for code, sites in (("410100", {"A", "H1"}), ("410000000000", {"A", "C", "H1"}), ("430000", set())):
        message = read_cap(coded.replace(b"410100", code.encode()))
        warned = in_force([message], NOON + timedelta(hours=1)).now
        found = exposure(network, warned)
        assert set(found.sites["site_id"]) == sites
        assert set(found.sites["by"]) <= {"code"}
        assert any("no polygon or circle; sites by admin_code" in note.en for note in found.notes)


CONTACTS = (
    "site_id,admin_code,name,role,phone,order\nA,,张三,站长,13800000001,2\n,410000,李四,值班,0371-1,1\n"
)


def test_whom_to_call_and_for_whom_nobody_is_known(tmp_path: Path) -> None:
    network = read_network(EXAMPLES / "tiny")
    file = tmp_path / "c.csv"
    file.write_bytes(CONTACTS.encode("gbk"))
    threatened = pl.DataFrame(
        {"site_id": ["A", "B", "A"], "level": ["yellow", "blue", "red"], "begins": [NOON] * 3}
    )
    calls, nobody = people_to_call(network, threatened, read_contacts(file, network))
    assert calls.select("site_id", "level", "name").rows() == [("A", "red", "李四"), ("A", "red", "张三")]
    assert nobody == ("B",)
    for wrong in ("", "name,phone\nx,1\n", "site_id,name\nA,x\n",
                  "site_id,name,phone,order\nZ,张三,138,x\n,张三,,\n",
                  "site_id,admin_code,name,phone\nA,abc,,无\n"):  # fmt: skip
        file.write_text(wrong, "utf-8")
        with pytest.raises(InputError) as caught:
            read_contacts(file, network)
        assert "张三" not in str(caught.value)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    code = main(["warnings", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_on_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, out = EXAMPLES / "warnings", tmp_path / "W"
    given = (EXAMPLES / "tiny", here / "messages", "--track", here / "track.csv", "--polygons",
             here / "flood.geojson", "--contacts", here / "contacts.csv", "--at", AT)  # fmt: skip
    code, facts = run(capsys, *given, "-o", out)
    assert code == 0
    rows = {(row["kind"], row["level"]): row for row in facts["warnings"]}  # type: ignore[attr-defined]
    assert rows["rainstorm", "red"]["headline"].startswith("示例市")  # the update, in Chinese, once
    assert (rows["rainstorm", "red"]["sites"], rows["rainstorm", "red"]["state"]) == (2, "in force")
    assert rows["gale", "yellow"]["state"] == "coming"
    assert ("thunderstorm", "orange") not in rows  # cancelled
    assert ("flood", "red") not in rows  # an exercise
    assert (rows["flood", "orange"]["sites"], rows["typhoon", "force-12"]["state"]) == (1, "reaches nothing")
    assert facts["people"]["calls"] == 6  # type: ignore[index]
    for file in out.iterdir():
        if file.name != "calls.csv":
            assert "00000000001" not in file.read_text("utf-8"), file.name
            assert "示例甲" not in file.read_text("utf-8"), file.name
    assert stat.S_IMODE((out / "calls.csv").stat().st_mode) == 0o600
    network = read_network(EXAMPLES / "tiny")
    outages = read_outages(out / "outages.toml", network)
    assert len(outages) == facts["outages"]
    page = (out / "report.html").read_text("utf-8")
    assert '<span lang="zh-CN">暴雨，红色 一级（EXAMPLE-rain-2）</span>' in page
    assert '<span lang="en">rainstorm, red, level 1 (EXAMPLE-rain-2)</span>' in page
    assert '<span lang="zh-CN">台风，10 级风圈（example storm）</span>' in page
    messages = read_messages([here / "messages"]).messages
    from_python = find_threats(network, messages, datetime.fromisoformat(AT))
    assert set(from_python.outages) <= set(outages)  # the same, without track and polygon
    code, drill = run(
        capsys, EXAMPLES / "tiny", here / "messages", "--at", AT, "--status", "exercise", "-o", out
    )
    assert [row["warning"] for row in drill["warnings"]] == ["EXAMPLE-drill"]  # type: ignore[attr-defined]
    assert not (out / "calls.csv").exists()
    assert "演练：只含演练消息" in (out / "report.html").read_text("utf-8")
    shown = run(capsys, *given, "--show-people")[1]
    assert "00000000001" in json.dumps(shown)


def test_wrong_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, messages = EXAMPLES / "tiny", EXAMPLES / "warnings" / "messages"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    for arguments, error in (
        ((net,), "bad-usage"),
        ((net, messages, "--at", "2026-07-20 09:00"), "time-without-zone"),
        ((net, messages, "--plan-at", AT), "bad-usage"),
        ((net, messages, "--show-people"), "bad-usage"),
        ((net, messages, "-o", tmp_path / "other"), "not-a-warnings-folder"),
        ((net, tmp_path / "nothing.xml"), "bad-input"),
        ((net, messages, "--track", tmp_path / "no.csv", "--polygons", tmp_path / "no.json"), "bad-input"),
        ((net, messages, "--rules", tmp_path / "no.toml"), "bad-input"),
        ((net, messages, "--contacts", tmp_path / "no.csv"), "bad-input"),
        ((net, messages, "-o", tmp_path / "X", "--plan", tmp_path / "X"), "bad-usage"),
        ((net, "gopher://x"), "bad-input"),
    ):
        code, said = run(capsys, *arguments)
        assert (code, said["error"]) == (2, error), arguments
    assert not (tmp_path / "X").exists()


def test_what_is_set_aside_gives_exit_code_1_and_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.xml").write_bytes(alert())
    (tmp_path / "bad.xml").write_bytes(alert().replace(b"Actual", b"Real"))
    code, facts = run(capsys, EXAMPLES / "tiny", tmp_path, "--at", "2026-07-20T21:00+08:00")
    assert code == 1
    assert [one["file"] for one in facts["set_aside"]] == ["bad.xml"]  # type: ignore[attr-defined]
    assert len(facts["warnings"]) == 1  # type: ignore[arg-type]
