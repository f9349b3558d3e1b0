"""The demo ends with the web app: its network is there, and Ctrl-C ends it in good order."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from changtong.demo_app import serve_demo
from changtong.errors import UsageError
from changtong.network.io import read_network

TINY = Path(__file__).parents[1] / "examples" / "tiny"
RUNS_IT = """
import sys
from pathlib import Path
from changtong.demo_app import serve_demo
from changtong.network.io import read_network
sys.exit(serve_demo(read_network(sys.argv[1]), Path(sys.argv[2]), lambda line: print(line, flush=True)))
"""


@pytest.mark.slow
def test_the_network_of_the_demo_is_in_the_app_until_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    command = [sys.executable, "-c", RUNS_IT, str(TINY), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        try:
            address = re.findall(r"http://localhost:\d+/", one.stdout.readline())[0]
            password = re.findall(r"password: (\S+);", one.stdout.readline())[0]
            asked = {"user": "admin", "password": password}
            with httpx.Client(base_url=address) as browser:
                answer = browser.post("/api/v1/session", json=asked)
                assert answer.status_code == 201
                csrf = {"X-CSRF-Token": answer.json()["csrf_token"]}
                change = {"old": password, "new": "three green vans at dawn"}
                assert browser.post("/api/v1/session/password", json=change, headers=csrf).is_success
                asked["password"] = change["new"]
                assert browser.post("/api/v1/session", json=asked).status_code == 201
                assert browser.get("/api/v1/networks").json()["networks"] == ["china"]
        finally:
            one.send_signal(signal.SIGINT)
            assert one.wait(60) == 0


def test_a_folder_that_a_server_works_on_is_told(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "registers.db").write_text("no registers")
    with pytest.raises(UsageError, match="did not become ready"):
        serve_demo(read_network(TINY), tmp_path / "app", print)
