"""What the guide has for other programs, given to them: nginx before the server, promtool the alert rules."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from api_cases import service, service_and_tokens, tokens
from registers_cases import OWN, cheap_hashes
from test_serve import free_port

from changtong.api.app import make_app
from changtong.api.headers import names_of
from changtong.api.service import Service

__all__ = ["cheap_hashes", "service", "service_and_tokens", "tokens"]

OPERATION = Path(__file__).parent.parent / "docs" / "operation.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PROMTOOL = shutil.which("promtool")
WAIT_S = 30.0

pytestmark = pytest.mark.skipif(not OPERATION.exists(), reason="the files are not here: needs a checkout")


def block(language: str, holds: str) -> str:
    """Return the block of the guide in a language that holds a word."""
    found = re.findall(rf"```{language}\n(.*?)```", OPERATION.read_text("utf-8"), re.S)
    (one,) = [text for text in found if holds in text]
    return str(one)


@contextlib.contextmanager
def answering(service: Service) -> Iterator[int]:
    """Run a server as `serve --proxy 127.0.0.1 --name post.example` does; give its port."""
    app, port = make_app(service, names_of(["post.example"], "127.0.0.1", "127.0.0.1")), free_port()
    config = uvicorn.Config(
        app, port=port, http="httptools", log_config=None, access_log=False, server_header=False,
        proxy_headers=True, forwarded_allow_ips="127.0.0.1", lifespan="off", timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@contextlib.contextmanager
def proxied(service: Service, folder: Path) -> Iterator[tuple[str, str]]:
    """Run nginx with the guide's configuration before a server; give its addresses in clear and by TLS."""
    clear, tls = free_port(), free_port()
    subprocess.run(
        ["openssl", "req",
         "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=post.example",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    with answering(service) as port:
        site = block("nginx", "proxy_pass")
        for before, after in (
            ("listen 80;", f"listen 127.0.0.1:{clear};"), ("listen 443 ", f"listen 127.0.0.1:{tls} "),
            ("/etc/ssl/private/post.example.key", f"{folder}/key.pem"),
            ("/etc/ssl/post.example.pem", f"{folder}/cert.pem"), ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ):  # fmt: skip
            assert site.count(before) == 1
            site = site.replace(before, after)
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
        ))  # fmt: skip
        conf = folder / "nginx.conf"
        conf.write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
        )
        assert NGINX is not None
        command = [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                yield f"http://127.0.0.1:{clear}", f"https://127.0.0.1:{tls}"
            finally:
                process.terminate()


def ready(client: httpx.Client) -> int:
    until = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (answer := client.get("/readyz")).status_code == 200:
                return answer.status_code
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.skipif(NGINX is None or not shutil.which("openssl"), reason="nginx or openssl is not installed")
def test_nginx_of_the_guide_before_a_server(service: Service, tokens: dict[str, str], tmp_path: Path) -> None:
    named = {"Host": "post.example"}
    with (
        proxied(service, tmp_path) as (clear, tls),
        httpx.Client(base_url=tls, verify=False, headers=named, timeout=WAIT_S) as client,  # noqa: S501
    ):
        assert ready(client) == 200
        there = httpx.get(f"{clear}/issues?a=1", headers=named)
        assert (there.status_code, there.headers["location"]) == (301, "https://post.example/issues?a=1")
        assert httpx.get(f"{clear}/api/v1/runs", headers=named).status_code == 403
        assert client.get("/readyz", headers={"Host": "evil.example"}).status_code == 421
        own = {"user": "duty-gd", "password": OWN}
        entered = client.post("/api/v1/session", json=own, headers={"Origin": "https://post.example"})
        assert entered.status_code == 201
        assert "__Host-changtong=" in entered.headers["set-cookie"]
        assert entered.headers["strict-transport-security"].startswith("max-age=31536000")
        token = {"Authorization": f"Bearer {tokens['duty-gd']}"}
        begun = time.monotonic()
        with client.stream("GET", "/api/v1/alerts/events", headers=token) as stream:
            assert next(stream.iter_lines()).startswith(":")
        assert time.monotonic() - begun < 8.0  # a buffer would keep it until much more has come
        large = client.post("/api/v1/runs", headers=token, content=b" " * 1_000_500)
        assert (large.status_code, large.json()["code"]) == (413, "too-large")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    (tmp_path / "rules.yml").write_text(block("yaml", "ChangtongDown"))
    behind = 'changtong_intake_behind_seconds{job="changtong", log="l"}'
    tests = {
        "rule_files": ["rules.yml"],
        "tests": [{
            "interval": "1m",
            "input_series": [
                {"series": 'up{job="changtong"}', "values": "1 1 0 0 0 0 0 0 0 0 0 0 0"},
                {"series": behind, "values": "5 5 100 100 100 100 100 100 100 100 100"},
                {"series": 'changtong_runs{job="changtong", state="failed"}', "values": "0+0x10"},
            ],
            "alert_rule_test": [
                {"eval_time": "3m", "alertname": "ChangtongDown"},
                {"eval_time": "5m", "alertname": "ChangtongDown", "exp_alerts": [
                    {"exp_labels": {"job": "changtong"}}
                ]},
                {"eval_time": "6m", "alertname": "ChangtongIntakeBehind"},
                {"eval_time": "8m", "alertname": "ChangtongIntakeBehind", "exp_alerts": [
                    {"exp_labels": {"job": "changtong", "log": "l"}}
                ]},
                {"eval_time": "10m", "alertname": "ChangtongRunsFail"},
            ],
        }],
    }  # fmt: skip
    (tmp_path / "tests.yml").write_text(json.dumps(tests))  # JSON is YAML
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "tests.yml"]):
        done = subprocess.run([PROMTOOL, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
