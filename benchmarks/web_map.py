"""How the situation map keeps up in a browser: opened, a slider of hours moved, filtered, dragged.

``python benchmarks/web_map.py [--level county] [--events 1500000] [--size 1920x1080]`` starts a server of its own on
this machine, with the built-in network and a made-up scan log of three days, opens the page in Chromium and prints
one JSON object. Headless Chromium draws without a graphics card: every frame is computed by the processor, beside the
server. The longest task of the page (``script_ms``: its own code, and handing over the picture) and how soon the whole
picture stands (``drawn_ms``) are told apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from playwright import sync_api
from web_soak import NETWORK, OWN, Server, make_folder

from changtong.api.data_folder import DataFolder
from changtong.api.dataset_book import DatasetBook
from changtong.api.log_shelf import LogAbout, LogShelf

LOG, DAYS = "measured", 3
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
STEPS = 12
LONG_MS = 120_000

MOVE = """async (steps) => {
  new PerformanceObserver((seen) => { for (const one of seen.getEntries()) window.longest = Math.max(window.longest, one.duration); }).observe({ type: "longtask" });
  const slider = document.querySelector("#time"), map = document.querySelector("#map");
  const found = [], from = Number(slider.value);
  for (let k = 0; k < steps; k++) {
    const before = map.dataset.drawn;
    slider.value = String(from - 1 - k);
    window.longest = 0;
    const begun = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    while (map.dataset.drawn === before && performance.now() - begun < 10000) await new Promise((done) => setTimeout(done, 4));
    const drawn = performance.now() - begun;
    await new Promise((done) => setTimeout(done, 50));
    found.push({ script: window.longest, drawn });
    await new Promise((done) => setTimeout(done, 200));
  }
  return found;
}"""
FRAMES = """() => {
  window.frames_seen = [];
  let last = performance.now();
  const next = (now) => { window.frames_seen.push(now - last); last = now; window.frame_asked = requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""


def fill(folder: Path, level: str, events: float) -> None:
    """Add a log of three days that end yesterday to a data folder."""
    for name in ("logs", "datasets", "runs", "keys", "intake"):
        (folder / name).mkdir(exist_ok=True)
    place, net = folder.parent / "scans", folder / "networks" / NETWORK
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    run = [sys.executable, "-m", "changtong"]
    subprocess.run([*run, "scans", str(net), "-o", str(place), "--events", str(round(events)), "--days", str(DAYS),
                    "--first-day", first.isoformat(), "--format", "parquet"], check=True, capture_output=True)  # fmt: skip
    about = DataFolder(folder)
    shelf = LogShelf(about, DatasetBook(about.dataset_book))
    shelf.put(LogAbout(LOG, "/spb/", "000000", {"on": False}), "Asia/Shanghai", plain_ids=True)
    subprocess.run([*run, "ingest", *map(str, sorted(place.glob("scans-*.parquet"))), "--format", "parquet", "--mapping",
                    str(place / "mapping.toml"), "--log", str(shelf.log_folder(LOG))], check=True)  # fmt: skip


def measure(page: sync_api.Page, address: str) -> dict[str, Any]:
    """Open the page and use it."""
    page.goto(f"{address}/sign-in")
    page.fill("[name=user]", "u1")
    page.fill("[name=password]", OWN)
    page.click("#sign-in button")
    page.wait_for_url(f"{address}/")
    page.wait_for_selector("body[data-ready]")  # the day is made for the first time
    page.wait_for_function("Number(document.querySelector('#map').dataset.drawn) > 0")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    ready_ms = page.evaluate("performance.now()")
    page.wait_for_timeout(3_000)
    moved = page.evaluate(MOVE, STEPS)
    page.evaluate(FRAMES)
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(90):
        page.mouse.move(x + 200 * (k % 30) / 30 - 100, y + 2 * (k % 45))
    page.mouse.up()
    dragged = page.evaluate("window.frames_seen.splice(0)")
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(2_000)
    zoomed = page.evaluate("window.frames_seen.splice(0)")
    return {
        "ready_ms": round(ready_ms),
        "hour": times(moved),
        "drag": frames(dragged),
        "zoom": frames(zoomed),
    }


def times(moved: list[dict[str, float]]) -> dict[str, float]:
    """Return medians and the longest of moving the slider by an hour."""
    return {
        f"{name}_{what}_ms": round(of([one[name] for one in moved]))
        for name in ("script", "drawn")
        for what, of in (("median", statistics.median), ("longest", max))
    }


def frames(gaps: list[float]) -> dict[str, float]:
    """Return how often something new is shown."""
    return {
        "frames_per_s": round(1_000 / statistics.mean(gaps), 1),
        "median_ms": round(statistics.median(gaps)), "longest_ms": round(max(gaps)),
    }  # fmt: skip


def main() -> None:
    """Run it and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--level", default="county")
    parser.add_argument("--events", type=float, default=1_500_000)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    width, height = (int(part) for part in asked.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="changtong-map-") as place, socket.socket() as free:
        folder = Path(place) / "data"
        make_folder(folder, asked.level)
        fill(folder, asked.level, asked.events)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = Server(folder, port)
        server.start()
        try:
            with sync_api.sync_playwright() as play:
                browser = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(LONG_MS)
                found = measure(page, f"http://localhost:{port}")
                if asked.picture:
                    page.screenshot(path=asked.picture)
        finally:
            server.stop()
        legs = pl.read_csv(folder / "networks" / NETWORK / "legs.csv", infer_schema=False).height
        sites = pl.read_csv(folder / "networks" / NETWORK / "sites.csv", infer_schema=False).height
    print(
        json.dumps(
            {"sites": sites, "legs": legs, "events": round(asked.events), "size": asked.size} | found,
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
