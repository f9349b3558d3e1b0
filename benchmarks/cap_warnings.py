"""Warnings over the whole country: from CAP messages to a proposed plan.

``python benchmarks/cap_warnings.py`` makes up one red alert in CAP 1.2 (a polygon of 200 points round Zhengzhou,
1.4 degrees across) and times, on the county network of China (3,234 sites): reading it, what is in force, what it
threatens (sites, legs between, pieces by class), proposed outages written and read again, and the plan
(aimed at ``--within`` seconds). ``--messages N`` makes N alerts of three colours all over the country instead,
some with county codes only, some updated or cancelled out of order, and plans nothing. Building the network and
compiling are not counted. The messages are synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from peers import machine

from changtong.emergency.cap import NAMESPACE
from changtong.emergency.message_sources import read_messages
from changtong.emergency.threats import WarningInputs, find_threats
from changtong.kernels import prepare_kernels
from changtong.network.model import Network
from changtong.network.reference import reference_network
from changtong.outage_files import read_outages, write_outages
from changtong.outages import in_force
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings

AT = datetime(2026, 7, 20, 4, tzinfo=UTC)
COLOURS = (("红色", "Extreme"), ("橙色", "Severe"), ("黄色", "Moderate"))


def _message(number: int, colour: int, area: str, *, about: int | None = None, kind: str = "Alert") -> str:
    word, severity = COLOURS[colour]
    sent = AT - timedelta(hours=2) + timedelta(seconds=number)
    references = ""
    if about is not None:
        before = AT - timedelta(hours=2) + timedelta(seconds=about)
        references = f"<references>bench@example.cn,{about},{before.isoformat()}</references>"
    info = f"""<info><language>zh-CN</language><category>Met</category><event>暴雨</event>
    <urgency>Expected</urgency><severity>{severity}</severity><certainty>Likely</certainty>
    <onset>{(AT - timedelta(hours=1)).isoformat()}</onset><expires>{(AT + timedelta(hours=20)).isoformat()}</expires>
    <headline>发布暴雨{word}预警</headline><area><areaDesc>area {number}</areaDesc>{area}</area></info>"""
    return f"""<alert xmlns="{NAMESPACE}"><identifier>{number}</identifier><sender>bench@example.cn</sender>
    <sent>{sent.isoformat()}</sent><status>Actual</status><msgType>{kind}</msgType><scope>Public</scope>
    {references}{"" if kind == "Cancel" else info}</alert>"""


def _polygon(lon: float, lat: float, radius: float, random: np.random.Generator) -> str:
    turns = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
    reach = radius * random.uniform(0.7, 1.0, len(turns))
    offsets = np.column_stack([reach * np.cos(turns), reach * np.sin(turns)])
    places = [f"{lat + b:.4f},{lon + a:.4f}" for a, b in offsets]
    return f"<polygon>{' '.join([*places, places[0]])}</polygon>"


def write_messages(network: Network, folder: Path, count: int, seed: int = 7) -> None:
    """Write made-up messages: nine in ten warn, one in ten updates or cancels an earlier one."""
    random = np.random.default_rng(seed)
    sites = network.sites.filter(network.sites["lon"].is_not_null())
    for number in range(count):
        colour = int(random.choice(3, p=[0.15, 0.35, 0.5]))
        row = sites.row(int(random.integers(sites.height)), named=True)
        area = _polygon(row["lon"], row["lat"], random.uniform(0.3, 2.5), random)
        if number % 5 == 4:
            area = f"<geocode><valueName>adcode</valueName><value>{row['admin_code']}</value></geocode>"
        about, kind = (number - 7, ("Update", "Cancel")[number % 2]) if number % 10 == 9 else (None, "Alert")
        text = _message(number, colour, area, about=about, kind=kind)
        (folder / f"{(number * 7919) % count:05d}.xml").write_text(text, "utf-8")
    (folder / "all.xml").write_text(_message(count, 2, _polygon(104.0, 36.0, 30.0, random)), "utf-8")


def run(count: int, within: float) -> dict[str, Any]:
    """Time one run from the folder of messages to the plan; of many messages to the outages."""
    prepare_kernels(lambda text: print(text, file=sys.stderr))()
    begun = time.perf_counter()
    network = reference_network(level="county")
    built_s = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if count > 1:
            write_messages(network, folder, count)
        else:
            area = _polygon(113.7, 34.7, 0.7, np.random.default_rng(7))
            (folder / "one.xml").write_text(_message(1, 0, area), "utf-8")
        clock = [time.perf_counter()]
        read = read_messages([folder])
        clock.append(time.perf_counter())
        found = find_threats(network, WarningInputs(messages=tuple(read.messages), read=read), AT)
        clock.append(time.perf_counter())
        outages = read_outages(write_outages(found.outages, folder / "outages.toml"), network)
        counted = in_force(outages, AT)
        clock.append(time.perf_counter())
        planned: dict[str, Any] = {}
        if count == 1:
            made = plan(network, counted, settings=PlanSettings(gap_share=1e-3, within_s=within))
            keys = ("gap_share", "sort_plan_gap_share", "unserved_pieces", "demand_pieces")
            planned = {key: made.summary()[key] for key in keys}
        clock.append(time.perf_counter())
    names = ("read_s", "threats_s", "outage_file_s", "plan_s")
    steps = dict(zip(names, np.diff(clock).round(2).tolist(), strict=True))
    return {
        "sites": network.sites.height,
        "legs": network.legs.height,
        "messages": len(read.messages),
        "in_force": len(found.found.now),
        "sites_threatened": found.sites,
        "legs_threatened": found.legs,
        "outages": len(counted),
        "built_s": round(built_s, 1),
        **steps,
        "total_s": round(clock[-1] - clock[0], 2),
        **planned,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "machine": machine(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1)
    parser.add_argument("--within", type=float, default=14.0)
    given = parser.parse_args()
    print(json.dumps(run(given.messages, given.within), indent=1))
