"""What operators are given: the unit, the container file, the pages; all they name is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from api_cases import Client, app, duty, service, service_and_tokens, tokens
from packaging.requirements import Requirement
from registers_cases import cheap_hashes

from changtong.api.data_folder import FOLDERS, DataFolder
from changtong.api.people import OPEN_ROUTES
from changtong.api.run_queue import STOP_WITHIN_S as RUNS_STOP_WITHIN_S
from changtong.api.server import STOP_WITHIN_S
from changtong.cli import app as program

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

HERE = Path(__file__).parent.parent
UNIT, CONTAINER = HERE / "packaging" / "changtong.service", HERE / "packaging" / "Containerfile"
OPERATION, SECURITY = HERE / "docs" / "operation.md", HERE / "docs" / "security.md"

SECTIONS = {
    1: (2, 9, 11, 3, 2), 2: (3, 3, 4, 1), 3: (0, 2, 4, 6, 5, 0, 2), 4: (3, 1, 2, 4), 5: (1, 3, 2, 3),
    6: (3, 12, 4, 4, 5, 3, 0, 4), 7: (3, 4, 2, 5, 2, 2), 8: (2, 3, 1, 1), 9: (3, 4),
    10: (2, 2, 4, 11, 5, 2, 3), 11: (2, 3, 3, 4, 1, 1), 12: (3, 2, 4), 13: (1, 5, 2, 5), 14: (2, 4, 3),
    15: (3, 3, 7), 16: (1, 5, 4, 3, 3), 17: (1, 4, 2),
}  # fmt: skip
"""Requirements of levels 1 and 2 in each section of ASVS 5.0.0; those of level 3 come after them."""

pytestmark = pytest.mark.skipif(not UNIT.exists(), reason="the files are not here: needs a checkout")


def settings(name: str) -> list[str]:
    """Return the values of a setting of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.M)


def options_of(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def serve_options() -> set[str]:
    command = typer.main.get_command(program).commands["serve"]  # type: ignore[attr-defined]
    return {option for parameter in command.params for option in parameter.opts}


def test_the_unit_starts_what_there_is() -> None:
    (start,) = settings("ExecStart")
    words = shlex.split(start)
    assert words[0].endswith("/changtong")
    assert words[1] == "serve"
    assert options_of(words) == {"--data", "--host", "--port"}
    (shown,) = re.findall(r'CHANGTONG_OPTIONS="([^"]*)"', UNIT.read_text("utf-8"))
    assert options_of(words) | options_of(shlex.split(shown)) <= serve_options()


def test_the_unit_waits_longer_than_the_server_needs_to_stop() -> None:
    assert float(settings("TimeoutStopSec")[0]) >= STOP_WITHIN_S + RUNS_STOP_WITHIN_S + 10
    assert settings("KillSignal") == ["SIGTERM"]


def test_the_unit_takes_all_privileges_away() -> None:
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID"):
        assert settings(name) == ["yes"], name
    assert settings("ProtectSystem") == ["strict"]
    assert settings("CapabilityBoundingSet") == [""]
    assert settings("UMask") == ["0077"]
    assert settings("User") == ["changtong"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("has_credential", [False, True])
def test_systemd_understands_the_unit(tmp_path: Path, has_credential: bool) -> None:
    text = UNIT.read_text("utf-8").replace("/opt/changtong/bin/changtong", "/bin/true")
    (credential,) = re.findall(r"LoadCredentialEncrypted=\S+:\S+", OPERATION.read_text("utf-8"))
    if has_credential:
        text = text.replace("[Service]\n", f"[Service]\n{credential}\n")
    unit = tmp_path / "changtong.service"
    unit.write_text(text, "utf-8")
    made = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    told = [line for line in made.stderr.splitlines() if str(unit) in line or "changtong.service" in line]
    assert (made.returncode, told) == (0, [])


def test_the_container_file_names_what_there_is() -> None:
    text = CONTAINER.read_text("utf-8")
    (entry,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", text, re.M)
    words = re.findall(r'"([^"]*)"', entry)
    assert words[:2] == ["changtong", "serve"]
    assert options_of(words) <= serve_options()
    assert ("GET", re.findall(r"127\.0\.0\.1:8000(/\w+)", text)[0]) in OPEN_ROUTES
    copied = [line.split()[1:-1] for line in re.findall(r"^COPY (?!--from).*$", text, re.M)]
    assert copied
    for line in copied:
        assert [name for name in line if not (HERE / name).exists()] == []
    last = text.rsplit("\nFROM ", 1)[1]
    assert "\nUSER changtong\n" in last
    assert last.index("\nUSER ") < last.index("\nENTRYPOINT ")
    for module in re.findall(r"python -m (changtong[.\w]*)", text):
        assert (HERE / (module.replace(".", "/") + ".py")).exists()


def test_kernels_of_the_image_lie_where_writing_is_borne() -> None:
    """Numba declares no kernel whose place it cannot write to: with a read-only root that is a volume."""
    text = CONTAINER.read_text("utf-8")
    (cache,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", text)
    (volumes,) = re.findall(r"^VOLUME (.*)$", text, re.M)
    assert volumes.split() == ["/data", cache]
    assert text.index("RUN python -m changtong.kernels") < text.index("\nVOLUME ")  # later changes are lost
    assert "--read-only" in OPERATION.read_text("utf-8")


def test_what_a_server_is_installed_with_has_the_extra_that_its_studies_need() -> None:
    page = OPERATION.read_text("utf-8")
    assert len(re.findall(r"pip install '?changtong-\S+", page)) == 3
    assert len(re.findall(r"pip install 'changtong-\S+\.whl\[forecast\]'", page)) == 3
    assert "[forecast]" in CONTAINER.read_text("utf-8")


def test_pins_of_the_container_are_those_of_the_lock() -> None:
    """What the container file takes from the lock names every package, and none twice for one Python."""
    (script,) = re.findall(r"sed -n '(.*?)' requirements.lock", CONTAINER.read_text("utf-8"))
    lock = HERE / "requirements.lock"
    made = subprocess.run(["sed", "-n", script, lock], capture_output=True, text=True, check=True)
    pins = [Requirement(line) for line in made.stdout.splitlines()]
    assert len(pins) == len(re.findall(r"^\S", lock.read_text("utf-8"), re.M)) > 50
    for version in ("3.11", "3.12"):
        here = {"python_version": version, "python_full_version": f"{version}.0"}
        names = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(here)]
        assert len(names) == len(set(names)) > 50
    assert all(re.fullmatch(r"==[0-9][^ ,]*", str(pin.specifier)) for pin in pins)


def test_alert_rules_ask_for_metrics_that_are_told(duty: Client) -> None:
    duty("GET", "/api/v1/runs")
    told = duty("GET", "/metrics").text
    families = set(re.findall(r"^# TYPE (\S+) ", told, re.M))
    asked = set(re.findall(r"\bchangtong_[a-z_]+", "".join(
        re.findall(r"```yaml\n(.*?)```", OPERATION.read_text("utf-8"), re.S)
    )))  # fmt: skip
    assert len(asked) >= 5
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= families


def test_what_lies_in_the_data_folder_is_told_of() -> None:
    folder = DataFolder(Path("DATA"))
    files = [value.name for name, kind in vars(DataFolder).items() if isinstance(kind, property)
             for value in [getattr(folder, name)]]  # fmt: skip
    page = OPERATION.read_text("utf-8")
    assert len(files) >= 7
    assert [name for name in (*FOLDERS, *files) if f"`{name}`" not in page and f"`{name}/`" not in page] == []


def requirements() -> dict[str, tuple[str, str]]:
    """Return state and place of each requirement of the page; rows that stand for several count for each."""
    found: dict[str, tuple[str, str]] = {}
    rows = re.findall(r"^\| (\d[\d.-]*) \| .+ \| (.+) \| (.+) \|$", SECURITY.read_text("utf-8"), re.M)
    for numbers, state, where in rows:
        first, _, last = numbers.partition("-")
        section, begin = first.rsplit(".", 1)
        assert not last or last.rsplit(".", 1)[0] == section
        for number in range(int(begin), int(last.rsplit(".", 1)[1] if last else begin) + 1):
            assert f"{section}.{number}" not in found
            found[f"{section}.{number}"] = state, where
    return found


def test_every_requirement_of_levels_1_and_2_is_answered() -> None:
    wanted = {
        f"{chapter}.{section}.{number}"
        for chapter, counts in SECTIONS.items()
        for section, count in enumerate(counts, 1)
        for number in range(1, count + 1)
    }
    assert len(wanted) == 253
    found = requirements()
    assert set(found) == wanted
    assert {state for state, _ in found.values()} == {"met", "partly", "not met", "n/a"}


def test_what_the_answers_name_is_there() -> None:
    """Modules and tests exist; a test that is said to show something is no empty file."""
    for number, (_, where) in requirements().items():
        for name in re.findall(r"`([\w./-]+\.(?:py|js|j2|csv|txt|lock|json))`", where):
            places = [HERE / "changtong" / name, HERE / "tests" / name, HERE / name]
            assert any(place.is_file() for place in places), (number, name)
