"""The commands of the registers and of the audit: what a person meets who sets them up."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from registers_cases import ADMIN, OWN, WORDS, cheap_hashes  # noqa: F401

from changtong.cli import main
from changtong.storage.store import open_store


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    """Run a command with --json; return what it printed."""
    assert main([*arguments, "--json"]) == code, capsys.readouterr()
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert not any(word in said.out + said.err for word in (ADMIN, OWN, WORDS))
    made: dict[str, object] = json.loads(said.out)
    return made


@pytest.fixture
def words(tmp_path: Path) -> dict[str, str]:
    """Files with passwords."""
    found = {}
    for name, word in (("admin", ADMIN), ("own", OWN), ("first", WORDS)):
        (tmp_path / name).write_text(word + "\n", "utf-8")
        found[name] = str(tmp_path / name)
    return found


@pytest.fixture
def made(tmp_path: Path, words: dict[str, str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Registers, and a token of their administrator."""
    place, token = str(tmp_path / "r.sqlite"), str(tmp_path / "admin.token")
    ran(
        capsys, "registers", "create", place, "--administrator", "admin", "--organisation", "国家邮政局",
        "--organisation-id", "spb", "--password-file", words["admin"],
    )  # fmt: skip
    ran(capsys, "registers", "sign-in", place, "admin", "--password-file", words["admin"], "-o", token)
    return place, token


def test_from_nothing_to_a_backup(
    made: tuple[str, str], words: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, token = made
    assert stat.S_IMODE(Path(token).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(place).stat().st_mode) == 0o600
    who = (place, "--token", token)
    ran(
        capsys, "registers", "add-organisation", place, "广东省邮政管理局", "--token", token,
        "--kind", "province", "--admin-code", "440000", "--parent", "spb", "--organisation-id", "gd",
    )  # fmt: skip
    ran(
        capsys, "registers", "add-user", place, "li", "--token", token, "--organisation", "gd",
        "--password-file", words["first"],
    )  # fmt: skip
    given = ran(capsys, "registers", "give", place, "li", "inspector", "--token", token, "--region", "440000")
    roles = ran(capsys, "registers", "users", place, "li", "--token", token)["grants"]
    assert [(role["id"], role["role"], role["region"]) for role in roles] == [  # type: ignore[attr-defined]
        (given["grant"], "inspector", "440000")
    ]
    ran(
        capsys, "registers", "password", place, "li", "--old-password-file", words["first"],
        "--new-password-file", words["own"],
    )  # fmt: skip
    li = str(tmp_path / "li.token")
    ran(
        capsys, "registers", "sign-in", place, "li", "--password-file", words["own"], "-o", li, "--days", "30"
    )
    with open_store(place) as store:
        desk = store.desk(Path(li).read_text("utf-8").strip())
        desk.add("hazard", {"title": "t", "deadline": "2026-12-01T00:00Z", "found_at": "2026-11-01T00:00Z"})
    people = ran(capsys, "registers", "users", *who)["users"]
    assert {user["name"] for user in people} == {"admin", "li"}  # type: ignore[attr-defined]
    backup = str(tmp_path / "backup")
    kept = ran(capsys, "registers", "backup", *who, "-o", backup)
    again = str(tmp_path / "again.sqlite")
    back = ran(capsys, "registers", "restore", backup, "--to", again)
    assert back["head"] == kept["head"]
    rows = ran(capsys, "registers", "export", *who, "-o", str(tmp_path / "open"), "--reason", "yearly")[
        "rows"
    ]
    assert rows["hazards"] == 1  # type: ignore[index]
    assert ran(capsys, "registers", "upgrade", place) == {"versions": []}
    ran(capsys, "registers", "take-back", place, str(given["grant"]), "--token", token)
    ran(capsys, "registers", "change-user", place, "li", "--token", token, "--inactive")
    ran(capsys, "registers", "sign-in", place, "li", "--password-file", words["own"], "-o", f"{li}2", code=2)
    checked = ran(capsys, "audit", "verify", *who, "--records", "--head", str(kept["head"]))
    assert checked["whole"] is True
    secret = ran(capsys, "registers", "second-factor", *who)
    assert len(secret["recovery"]) == 10  # type: ignore[arg-type]
    ran(capsys, "registers", "sign-out", *who)
    assert not Path(token).exists()


def test_verify_names_what_was_altered_and_ends_with_1(
    made: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    place, token = made
    with open_store(place) as store, store.engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER audit_is_never_changed"))
        connection.execute(sa.text("UPDATE audit SET reason = 'x' WHERE n = 1"))
    found = ran(capsys, "audit", "verify", place, "--token", token, code=1)
    assert [(one["n"], one["what"]) for one in found["findings"]] == [(1, "altered")]  # type: ignore[attr-defined]
    assert main(["audit", "verify", place, "--token", token]) == 1
    assert "entry 1: altered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("registers create {place} {new} --password-file {own}", "registers-exist"),
        ("registers create new {new}", "no-password"),
        ("registers create new {new} --password-file none", "no-password"),
        ("registers sign-in {place} admin --password-file {own} -o t", "sign-in-failed"),
        ("registers sign-in nowhere admin --password-file {own} -o t", "no-registers"),
        ("registers users {place} --token none", "no-token"),
        ("registers users {place} --token {own}", "session-over"),
        ("registers give {place} admin viewer --token {token}", "bad-usage"),
        ("registers give {place} admin king --token {token} --everywhere", "unknown-role"),
        ("registers give {place} admin viewer --token {token} --region x", "bad-usage"),
        ("registers give {place} admin viewer --token {token} --region 44", "bad-input"),
        ("registers give {place} admin viewer --token {token} --everywhere --until x", "bad-usage"),
        ("registers export {place} --token {token} -o o --reason ' '", "reason-missing"),
        ("registers export {place} --token {token} -o o --reason x --format xls", "unknown-format"),
        ("registers restore nothing --to new", "not-a-backup"),
        ("registers upgrade nowhere", "no-registers"),
        ("audit verify {place} --token {token} --head x", "bad-head"),
    ],
)  # fmt: skip
def test_slips_are_explained(
    command: str, error: str, made: tuple[str, str], words: dict[str, str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    place, token = made
    top = "--administrator a --organisation x"
    filled = command.format(place=place, token=token, own=words["own"], new=top)
    assert ran(capsys, *shlex.split(filled), code=2)["error"] == error


def test_a_password_comes_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADMIN}\nmore\n"))
    place = str(tmp_path / "r.sqlite")
    ran(
        capsys,
        "registers",
        "create",
        place,
        "--administrator",
        "a",
        "--organisation",
        "x",
        "--password-file",
        "-",
    )
    with open_store(place) as store:
        assert store.sign_in("a", ADMIN).token


def test_a_weak_first_password_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weak").write_text("admin123456789")
    arguments = ["--administrator", "a", "--organisation", "x", "--password-file", str(tmp_path / "weak")]
    told = ran(capsys, "registers", "create", str(tmp_path / "r.sqlite"), *arguments, code=2)
    assert told["problems"][0]["code"] == "weak-password"  # type: ignore[index]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weak"]


def test_records_are_loaded_from_a_file_all_or_none(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, token = made
    ran(capsys, "registers", "give", place, "admin", "planner", "--token", token, "--everywhere")
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    head = "site_id,name,lon,details,admin_code"
    good.write_text(f'{head}\nA,甲,114.05,"{{""a"": 1}}",440305\nB,乙,,,\n', "utf-8-sig")
    bad.write_text(f"{head}\nC,丙,200,,\nD,,x,{{,44\nA,甲,,,\n", "utf-8")
    assert ran(capsys, "registers", "load", place, "site", str(good), "--token", token) == {"added": 2}
    told = ran(capsys, "registers", "load", place, "site", str(bad), "--token", token, code=2)
    problems = [(p["row"], p["column"], p["code"]) for p in told["problems"]]  # type: ignore[attr-defined]
    assert problems == [
        (1, "lon", "bad-value"), (2, "lon", "bad-value"), (2, "details", "bad-value"),
        (2, "name", "missing-value"), (2, "admin_code", "bad-value"), (3, "site_id", "duplicate-record"),
    ]  # fmt: skip
    page = ran(capsys, "registers", "list", place, "site", "--token", token, "--limit", "1")
    assert [row["site_id"] for row in page["records"]] == ["B"]  # type: ignore[attr-defined]
    rest = ran(capsys, "registers", "list", place, "site", "--token", token, "--after", str(page["next"]))
    assert [(row["admin_code"], row["details"]) for row in rest["records"]] == [("440305", {"a": 1})]  # type: ignore[attr-defined]
    assert rest["next"] == ""
    (tmp_path / "odd.csv").write_text("site_id,colour\nA,red\n", "utf-8")
    for file, code in (("odd.csv", "unknown-attribute"), ("none.csv", "missing-file")):
        told = ran(capsys, "registers", "load", place, "site", str(tmp_path / file), "--token", token, code=2)
        assert told["problems"][0]["code"] == code  # type: ignore[index]


RULES = """
[site]
name_zh = "关闭的场所"
basis = "made up"
provenance = "synthetic"
source = "made up"
since = "updated_at"
states = ["closed"]
delete_after_days = 0
"""


def test_personal_data_from_the_first_look_to_the_certificate(
    made: tuple[str, str], words: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, admin = made
    number, li, bo = "13800138000", str(tmp_path / "li.token"), str(tmp_path / "bo.token")
    ran(capsys, "registers", "add-user", place, "li", "--token", admin, "--organisation", "spb",
        "--password-file", words["first"])  # fmt: skip
    ran(capsys, "registers", "add-user", place, "bo", "--token", admin, "--organisation", "spb",
        "--password-file", words["first"])  # fmt: skip
    for name, role, token in (
        ("li", "inspector", li),
        ("li", "duty_officer", ""),
        ("bo", "administrator", bo),
    ):
        ran(capsys, "registers", "give", place, name, role, "--token", admin, "--everywhere")
        if token:
            ran(capsys, "registers", "password", place, name, "--old-password-file", words["first"],
                "--new-password-file", words["own"])  # fmt: skip
            ran(capsys, "registers", "sign-in", place, name, "--password-file", words["own"], "-o", token)
    (tmp_path / "sites.csv").write_text(
        f"id,site_id,name,status,contact_name,contact_phone\ns1,A,甲,closed,王小明,{number}\n", "utf-8"
    )
    ran(capsys, "registers", "load", place, "site", str(tmp_path / "sites.csv"), "--token", li)
    (row,) = ran(capsys, "registers", "list", place, "site", "--token", admin)["records"]  # type: ignore[misc]
    assert (row["contact_name"], row["contact_phone"]) == ("王**", "138******00")
    look = ["registers", "reveal", place, "site", "s1", "--reason", "a call", "--column", "contact_phone"]
    shown = ran(capsys, *look, "--token", li)
    assert (shown["contact_name"], shown["contact_phone"]) == ("王**", number)
    assert ran(capsys, *look, "--token", admin, code=2)["error"] == "not-allowed"
    (tmp_path / "a.txt").write_text("说明", "utf-8")
    kept = ran(capsys, "registers", "attach", place, "site", "s1", str(tmp_path / "a.txt"), "--token", li)
    got = str(tmp_path / "b.txt")
    ran(capsys, "registers", "content", place, str(kept["attachment"]), "--token", li, "--reason", "look",
        "-o", got)  # fmt: skip
    assert Path(got).read_text("utf-8") == "说明"
    found = ran(capsys, "registers", "find-personal-data", place, "--token", admin)
    assert found["found"] == 0
    assert {"table": "sites", "column": "contact_phone", "values": 1} in found["declared"]  # type: ignore[operator]
    assert ran(capsys, "registers", "idle-time", place, "--token", admin, "--minutes", "20") == {
        "idle_minutes": 20
    }
    factor = ["registers", "second-factor-for", place, "--token", admin]
    assert ran(capsys, *factor) == {"second_factor_for": "nobody"}
    assert ran(capsys, *factor, "--set", "nobody") == {"second_factor_for": "nobody"}
    assert main([*factor, "--set", "somebody"]) == 2
    assert main([*factor, "--set", "everybody"]) == 2  # one's own factor first
    assert "bad-setting" in capsys.readouterr().err
    keys, rules = str(tmp_path / "k"), str(tmp_path / "rules.toml")
    Path(rules).write_text(RULES, "utf-8")
    ran(capsys, "keys", "new", keys)
    erase = ["registers", "erase", place, "--rules", rules, "--token", admin]
    tried = ran(capsys, *erase, "--dry-run")
    assert [(one["register"], one["erased"]) for one in tried["registers"]] == [  # type: ignore[attr-defined]
        ("site", 1), ("attachment", 1),
    ]  # fmt: skip
    held = ran(capsys, "registers", "hold", place, "site", "s1", "--token", li, "--reason", "a court asks")
    (one,) = ran(capsys, "registers", "holds", place, "--token", admin)["holds"]  # type: ignore[misc]
    assert one["id"] == held["hold"]
    assert ran(capsys, *erase, "--dry-run")["registers"][0]["held"] == {"hold": 1}  # type: ignore[index]
    ran(capsys, "registers", "lift", place, str(held["hold"]), "--token", admin, "--reason", "decided")
    paper = str(tmp_path / "certificate.json")
    whole = [*erase, "--second", bo, "--keys", keys, "-o", paper]
    assert ran(capsys, *erase, code=2)["error"] == "bad-usage"
    assert ran(capsys, *whole, "--date", "2999-01-01", code=2)["error"] == "future-date"
    assert ran(capsys, *whole, "--date", "soon", code=2)["error"] == "bad-usage"
    mine = [*erase, "--second", admin, "--keys", keys, "-o", paper]
    assert ran(capsys, *mine, code=2)["error"] == "second-person-needed"
    assert not Path(paper).exists()
    certificate = ran(capsys, *whole)
    assert (certificate["files"], certificate["erased_by"], certificate["agreed_by"]) == (1, "admin", "bo")
    assert ran(capsys, *whole, code=2)["error"] == "bad-usage"  # a certificate is not written over
    assert ran(capsys, "registers", "verify-erasure", paper, "--keys", keys) == certificate
    assert ran(capsys, "registers", "sweep", place, "--token", admin) == {"files": 0}
    assert ran(capsys, "audit", "verify", place, "--token", admin, "--records")["whole"] is True


def test_sealed_values_and_organisations_by_command(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, token = made
    who = ("--token", token)
    for role in ("duty_officer", "planner"):
        ran(capsys, "registers", "give", place, "admin", role, *who, "--everywhere")
    keys, table = str(tmp_path / "k"), tmp_path / "t.csv"
    ran(capsys, "keys", "new", keys)
    table.write_text("tel\n13800138000\n", "utf-8")
    sealed = tmp_path / "sealed.csv"
    ran(
        capsys,
        "pseudonymise",
        str(table),
        "-o",
        str(sealed),
        "--keys",
        keys,
        "--column",
        "tel",
        "--reversible",
    )
    value = sealed.read_text("utf-8-sig").splitlines()[1]
    look = [
        "registers",
        "reveal-pseudonyms",
        place,
        *who,
        "--keys",
        keys,
        "--field",
        "tel",
        "--reason",
        "why",
    ]
    assert ran(capsys, *look, value)["values"] == {value: "13800138000"}
    made_of = tmp_path / "open.csv"
    assert ran(capsys, *look, "--table", str(sealed), "-o", str(made_of))["values"] == 1
    assert made_of.read_text("utf-8-sig").splitlines() == ["tel", "13800138000"]
    assert ran(capsys, *look, code=2)["error"] == "bad-usage"
    for name, kind, parent in (("a", "province", "spb"), ("b", "city", "a"), ("c", "province", "spb")):
        ran(capsys, "registers", "add-organisation", place, name, *who, "--kind", kind, "--admin-code",
            "440000", "--parent", parent, "--organisation-id", name)  # fmt: skip
    (tmp_path / "s.csv").write_text("id,site_id,name,organisation\ns1,A,甲,b\ns2,B,乙,b\n", "utf-8")
    ran(capsys, "registers", "load", place, "site", str(tmp_path / "s.csv"), *who)
    moved = ran(capsys, "registers", "move-organisation", place, "b", *who, "--parent", "c", "--reason", "r")
    assert moved == {"organisations": 1, "records": 2, "scopes": 0, "taken_back": 0}
    over = ["registers", "hand-over", place, *who, "--to", "a", "--reason", "r"]
    assert ran(capsys, *over, "site", "s1")["records"] == 1
    assert ran(capsys, *over, "--all-of", "b")["records"] == 1
    assert ran(capsys, *over, "site", code=2)["error"] == "bad-usage"
    assert ran(capsys, "audit", "verify", place, *who, "--records")["whole"] is True
