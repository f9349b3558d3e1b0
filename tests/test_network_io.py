"""Reading and writing network folders: exact, whole, and forgiving where nothing is ambiguous."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from network_cases import TINY, networks, tables_equal, write_texts

from changtong.errors import InputError, UsageError
from changtong.network import io
from changtong.network.checks import check_network
from changtong.network.io import read_network, write_network
from changtong.network.model import Network, build_network

SITES = "site_id,name,lon,lat\nA,甲,113.4,34.8\nB,乙,114.1,30.2\n"
LEGS = "from_site,to_site,travel_h,cost_cny_per_piece\nA,B,2,1.5\nB,A,2,1.5\n"
DEMAND = "from_site,to_site,pieces_per_day\nA,B,1200\n"


def plain(folder: Path, *, encoding: str = "utf-8", **texts: str) -> Path:
    files = {"sites.csv": SITES, "legs.csv": LEGS, "demand.csv": DEMAND}
    return write_texts(folder, files | {f"{name}.csv": text for name, text in texts.items()}, encoding)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), format=st.sampled_from(["csv", "parquet"]))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, network: Network, format: str) -> None:
    folder = tmp_path_factory.mktemp("round") / "network"
    write_network(network, folder, format=format)
    tables_equal(network, read_network(folder))


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_tiny_example_round_trip(tmp_path: Path, format: str) -> None:
    network = read_network(TINY)
    assert write_network(network, tmp_path / "a" / "b", format=format) == (tmp_path / "a" / "b").resolve()
    tables_equal(network, read_network(tmp_path / "a" / "b"))


def test_tiny_example_is_what_its_readme_says() -> None:
    network = read_network(TINY)
    assert (network.sites.height, network.legs.height) == (6, 12)
    assert network.demand["pieces_per_day"].sum() == 300
    flow = network.legs.select(pl.col("flow_pieces_per_day") * pl.col("cost_cny_per_piece")).sum().item()
    assert flow == 1200
    begin = network.demand.group_by(site="from_site").agg(pieces=pl.col("pieces_per_day").sum())
    arrive = network.legs.group_by(site="to_site").agg(pieces=pl.col("flow_pieces_per_day").sum())
    load = dict(pl.concat([begin, arrive]).group_by("site").agg(pl.col("pieces").sum()).iter_rows())
    assert load == {"A": 240, "B": 180, "C": 60, "D": 120, "H1": 300, "H2": 300}


def test_package_describes_every_column(tmp_path: Path) -> None:
    network = read_network(TINY)
    folder = write_network(network, tmp_path / "net")
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    assert package["title"] == "Six sites"
    for resource in package["resources"]:
        header = (folder / resource["path"]).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert [field["name"] for field in resource["schema"]["fields"]] == header


def test_writing_replaces_a_network_folder_and_keeps_the_files_of_others(tmp_path: Path) -> None:
    folder = write_network(read_network(TINY), tmp_path / "net")
    (folder / "README.md").write_text("ours", encoding="utf-8")
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("kept", encoding="utf-8")
    write_network(
        build_network({"sites": pl.DataFrame({"site_id": ["X"]}), "legs": LEGLESS}, "one"),
        folder,
        format="parquet",
    )
    assert read_network(folder).site_ids == ("X",)
    assert not list(folder.glob("*.csv"))
    assert (folder / "notes" / "a.txt").read_text(encoding="utf-8") == "kept"
    assert (folder / "README.md").exists()
    assert os.listdir(tmp_path) == ["net"]  # nothing left beside it


LEGLESS = pl.DataFrame(
    {"from_site": [], "to_site": []}, schema={"from_site": pl.String, "to_site": pl.String}
)


def test_writing_refuses_a_folder_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        write_network(read_network(TINY), tmp_path)
    assert caught.value.code == "not-a-network-folder"
    assert os.listdir(tmp_path) == ["thesis.txt"]
    with pytest.raises(UsageError):
        write_network(read_network(TINY), tmp_path / "thesis.txt")
    with pytest.raises(UsageError, match="xlsx"):
        write_network(read_network(TINY), tmp_path / "new", format="xlsx")


@pytest.mark.parametrize("step", range(8))
def test_a_fault_while_writing_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old = read_network(TINY)
    folder = write_network(old, tmp_path / "net")
    calls = iter(range(100))

    def broken(path: Path) -> None:
        if next(calls) == step:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(io, "sync", broken)
    new = old.with_tables(demand=old.demand.head(1))
    if step < 7:  # 6 tables and the package; the eighth sync is after the exchange
        with pytest.raises(OSError, match="No space"):
            write_network(new, folder)
        tables_equal(old, read_network(folder))
    else:
        with pytest.raises(OSError, match="No space"):
            write_network(new, folder)
        tables_equal(new, read_network(folder))
    assert os.listdir(tmp_path) == ["net"]


KILLED = """
import os, sys
from changtong.network import io
network, calls = io.read_network(sys.argv[1]), iter(range(100))
def die(path):
    if next(calls) == int(sys.argv[2]):
        os._exit(9)
io.sync = die
io.write_network(network.with_tables(demand=network.demand.head(1)), sys.argv[1])
"""


@pytest.mark.parametrize("step", [1, 6])
def test_a_killed_process_leaves_the_old_folder(tmp_path: Path, step: int) -> None:
    old = read_network(TINY)
    folder = write_network(old, tmp_path / "net")
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(step)], check=False, timeout=60)
    assert done.returncode == 9
    tables_equal(old, read_network(folder))
    write_network(old, folder, format="parquet")  # and the next writer is not in its way
    tables_equal(old, read_network(folder))


def test_without_the_system_exchange_two_renamings_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "_system_exchange", lambda: None)
    network = read_network(TINY)
    folder = write_network(network, tmp_path / "net")
    write_network(network, folder, format="parquet")
    tables_equal(network, read_network(folder))
    assert os.listdir(tmp_path) == ["net"]
    renamed, real = [], Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        renamed.append(self)
        if len(renamed) == 2:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"):
        write_network(network.with_tables(demand=network.demand.head(1)), folder)
    tables_equal(network, read_network(folder))


def test_paths_outside_the_folder_are_refused(tmp_path: Path) -> None:
    plain(tmp_path / "net")
    (tmp_path / "secret.csv").write_text("site_id\nA\n", encoding="utf-8")
    for file in ("../secret.csv", str(tmp_path / "secret.csv"), "https://example.org/sites.csv", "link.csv"):
        resources = [{"name": "sites", "path": file}, {"name": "legs", "path": "legs.csv"}]
        (tmp_path / "net" / "datapackage.json").write_text(
            json.dumps({"resources": resources}), encoding="utf-8"
        )
        if file == "link.csv":
            (tmp_path / "net" / "link.csv").symlink_to(tmp_path / "secret.csv")
        with pytest.raises(InputError) as caught:
            read_network(tmp_path / "net")
        assert caught.value.problems[0].code == "path-outside", file


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "bad-package"),
        ('{"resources": [{"name": "sites", "path": ["a.csv"]}]}', "bad-package"),
        ("[]", "bad-package"),
    ],
)
def test_a_broken_package_is_named(tmp_path: Path, content: str, code: str) -> None:
    folder = plain(tmp_path / "net")
    (folder / "datapackage.json").write_text(content, encoding="utf-8")
    assert check_network(folder).errors[0].code == code


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8, commas"),
        ("utf-8-sig", "utf-8-sig, commas"),
        ("gb18030", "gb18030, commas"),
        ("gbk", "gb18030, commas"),
    ],
)
def test_encodings_are_read_and_said(tmp_path: Path, encoding: str, said: str) -> None:
    folder = plain(tmp_path / "net", encoding=encoding)
    assert read_network(folder).sites["name"].to_list() == ["甲", "乙"]
    report = check_network(folder)
    assert report.files["sites.csv"] == said
    assert ("other-encoding" in {problem.code for problem in report.warnings}) == (said[0] == "g")


def test_utf16_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = plain(tmp_path / "net", encoding="utf-16")
    problem = check_network(folder).errors[0]
    assert problem.code == "bad-encoding"
    assert "CSV UTF-8" in problem.expected


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators_are_read_and_said(tmp_path: Path, mark: str) -> None:
    folder = plain(tmp_path / "net", sites=SITES.replace(",", mark), legs="sep=,\n" + LEGS)
    assert read_network(folder).sites["lon"].to_list() == [113.4, 114.1]
    assert [problem.code for problem in check_network(folder).warnings] == ["other-separator"]


def test_spaces_and_blank_rows_of_spreadsheets_do_no_harm(tmp_path: Path) -> None:
    folder = plain(
        tmp_path / "net",
        sites="site_id ,name,lon,lat\r\nA ,甲,113.4 ,34.8\r\nB\u3000,乙,114.1,30.2\r\n,,,\r\n,,,\r\n",
        demand='from_site,to_site,pieces_per_day\n"A", B,1200\n',
    )
    network = read_network(folder)
    assert network.site_ids == ("A", "B")
    assert network.demand["to_site"].to_list() == ["B"]
    report = check_network(folder)
    assert report.ok
    assert report.counts["warning", "blank-row"] == 2
    assert report.counts["warning", "spaces-trimmed"] == 4


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ('"1,200"', "Write 1200, without a thousands separator."),
        ('"1，200"', "Write 1200, without a thousands separator."),
        ('"1,5"', "Write 1.5, with a decimal point."),
        ("1.2万", "Write 12000."),
        ("１２００", "Write 1200, in plain digits."),
        ("1200件", "Write 1200, without a unit."),
        ("N/A", "Leave the cell empty where the value is unknown."),
    ],
)
def test_numbers_people_write_get_a_hint_and_no_guess(tmp_path: Path, cell: str, hint: str) -> None:
    folder = plain(tmp_path / "net", demand=DEMAND.replace("1200", cell))
    with pytest.raises(InputError) as caught:
        read_network(folder)
    (problem,) = caught.value.problems
    assert (problem.code, problem.file, problem.row, problem.column) == (
        "wrong-type",
        "demand.csv",
        1,
        "pieces_per_day",
    )
    assert problem.hint == hint


def test_rows_with_too_many_cells_are_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "net", legs=LEGS + "A,B,1,2,3\n")
    problem = check_network(folder).errors[0]
    assert (problem.code, problem.row, problem.expected) == ("bad-row", 3, "4 cells, as in the header")
    unclosed = plain(tmp_path / "other", sites=SITES + '"C,x,1,2\n')
    assert check_network(unclosed).errors[0].code == "bad-row"


@pytest.mark.parametrize("text", ["", "\n"])
def test_files_without_a_header_are_named(tmp_path: Path, text: str) -> None:
    codes = [problem.code for problem in check_network(plain(tmp_path / "net", demand=text)).problems]
    assert codes == ["empty-file"]


def test_a_missing_folder_and_a_file_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", TINY / "README.md"):
        with pytest.raises(InputError) as caught:
            read_network(path)
        assert [problem.code for problem in caught.value.problems] == ["missing-folder"]


def test_the_same_table_twice_and_damaged_parquet_are_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "net")
    (folder / "legs.parquet").write_bytes(b"PAR1 damaged")
    assert check_network(folder).errors[0].code == "ambiguous-table"
    (folder / "legs.csv").unlink()
    assert check_network(folder).errors[0].code == "unreadable-file"


def test_foreign_parquet_with_text_ids_is_read(tmp_path: Path) -> None:
    folder = plain(tmp_path / "net")
    (folder / "demand.csv").unlink()
    pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [5]}).write_parquet(
        folder / "demand.parquet"
    )
    network = read_network(folder)
    assert network.demand.schema["to_site"] == network.site_type
    pl.DataFrame({"from_site": ["A"], "to_site": ["C"], "pieces_per_day": [5]}).write_parquet(
        folder / "demand.parquet"
    )
    assert [problem.code for problem in check_network(folder).errors] == ["unknown-site"]


def test_a_column_that_no_folder_holds_is_refused(tmp_path: Path) -> None:
    network = read_network(TINY)
    odd = network.with_tables(sites=network.sites.with_columns(tags=pl.lit([1, 2])))
    with pytest.raises(InputError) as caught:
        write_network(odd, tmp_path / "net")
    assert caught.value.problems[0].column == "tags"
    assert not (tmp_path / "net").exists()
    with pytest.raises(InputError):
        build_network(odd.tables(), "odd")
