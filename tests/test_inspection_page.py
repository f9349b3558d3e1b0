"""The page for phones: self-contained, in both languages, and what is filled in on it comes back whole."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from changtong.errors import UsageError
from changtong.report.inspection_form import inspection_form_page, write_inspection_form
from changtong.report.texts import read_texts
from changtong.safety.collect import collect
from changtong.safety.form_file import find_form, form_of_text, shipped_forms
from tests.browser import CHROMIUM, FLAGS
from tests.pages import Page
from tests.test_safety_forms import SMALL

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.mark.parametrize("form", shipped_forms(), ids=lambda form: form.id)
def test_the_page_loads_nothing_and_runs_its_own_script_only(form: object) -> None:
    text = inspection_form_page(form)  # type: ignore[arg-type]
    page = Page(text)
    assert not [
        tag for tag, named in page.elements if named.get("src") or tag in ("link", "iframe", "object")
    ]
    assert not re.search(r"https?://", text)
    (policy,) = [named["content"] for tag, named in page.elements if named.get("http-equiv")]
    script = page.inline["script"][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    assert not re.search(r"innerHTML|eval\(|fetch\(|XMLHttpRequest", script)


def test_words_of_a_form_cannot_become_elements_or_end_the_script() -> None:
    evil = SMALL.replace("小表", "</script><b>x").replace("防护罩", "<img src=x>")
    page = Page(inspection_form_page(form_of_text(evil, "f"), sites=(("<i>", "</script>"),)))
    assert not [tag for tag, _ in page.elements if tag in ("b", "img", "i") and _ == {"src": "x"}]
    assert json.loads(page.inline["script"][0])["sites"] == [["<i>", "</script>"]]


def test_every_text_of_the_script_is_in_the_page(tmp_path: Path) -> None:
    page = Page(
        write_inspection_form(find_form("fire"), tmp_path / "f.html", language="en").read_text("utf-8")
    )
    known = json.loads(page.inline["script"][0])["texts"]
    asked = set(re.findall(r'"((?:inspection|page)\.[a-z_]+)"', page.inline["script"][1]))
    assert asked <= set(known)
    assert all(said["zh"] == read_texts()[key].zh for key, said in known.items())
    with pytest.raises(UsageError):
        inspection_form_page(find_form("fire"), language="fr")  # type: ignore[arg-type]


DRIVER = """<body><iframe src="form.html#language=en" width="390" height="844"></iframe>
<script>
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const PIXEL = "%PIXEL%";
(async () => {
  const page = document.querySelector("iframe").contentWindow;
  const at = (path) => page.document.querySelector(path);
  const until = async (test) => { for (let k = 0; k < 1000 && !test(); k += 1) await wait(20); };
  const answer = (text) => fetch("/said", { method: "POST", body: text });
  const type = (path, text) => { at(path).value = text; at(path).dispatchEvent(new page.Event("input")); };
  const files = [];
  const exported = async (press) => {
    const before = files.length;
    press();
    await until(() => files.length > before);
    return JSON.parse(await files.at(-1).text());
  };
  try {
    await until(() => page.document.readyState === "complete" && at("#list") && !at("#list").hidden);
    page.URL.createObjectURL = (made) => { files.push(made); return "#"; };
    await wait(300);
    at("#new").click();
    type("#field-site_id", "S1");
    type("#field-inspectors", "I1; I2");
    at("#item-guard [data-code=no]").click();
    const bad = at("#item-guard").classList.contains("bad");
    const shown = [at("#item-why").hidden, bad, at("#item-guard .wrong").textContent];
    type("#item-why textarea", "torn off");
    type("#item-expired input", "2,5");
    const bytes = Uint8Array.from(atob(PIXEL), (sign) => sign.charCodeAt(0));
    const list = new page.DataTransfer();
    list.items.add(new page.File([bytes], "a.png", { type: "image/png" }));
    at("#photo-guard").files = list.files;
    at("#photo-guard").dispatchEvent(new page.Event("change"));
    await until(() => at("#item-guard figure"));
    at("#finish").click();
    await until(() => !at("#list").hidden && at("#drafts li"));
    const kept = at("#drafts li").textContent;
    const first = await exported(() => at("#export-new").click());
    await until(() => at("#export-new").hidden);
    at("#drafts button").click(); // open it again and change it
    type("#item-why textarea", "torn off, lying beside");
    await wait(600);
    at("#told").replaceChildren();
    const second = await exported(() => at("#export-one").click());
    await until(() => at("#told").textContent); // told after the file is there: it would hide later words
    // on another phone: what is known stays, what was changed elsewhere is kept beside it
    at("#back").click();
    await until(() => !at("#list").hidden);
    const bring = async (content) => {
      at("#told").hidden = true;
      const brought = new page.DataTransfer();
      brought.items.add(new page.File([JSON.stringify(content)], "a.json"));
      at("#import").files = brought.files;
      at("#import").dispatchEvent(new page.Event("change"));
      await until(() => !at("#told").hidden);
      return at("#told").textContent;
    };
    const elsewhere = structuredClone(first);
    elsewhere.inspections[0].history = [first.inspections[0].revision_id];
    elsewhere.inspections[0].revision_id = "00000000-0000-4000-8000-000000000001";
    const brought = [];
    for (const content of [first, elsewhere, elsewhere, { a: 1 }]) brought.push(await bring(content));
    const drafts = [...page.document.querySelectorAll("#drafts li")].map((one) => one.textContent);
    const wide = [page.document.documentElement.scrollWidth, page.document.documentElement.clientWidth];
    answer(JSON.stringify({ shown, kept, first, second, brought, drafts, wide }));
  } catch (error) { answer(`failed: ${error.stack}`); }
})();
</script></body>"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def answered(pages: dict[str, str], folder: Path) -> str:
    """Serve pages to Chromium and return what the first of them sends back.

    Not by dumping the page after a made-up time: that time runs ahead of the browser's database.
    """
    said: list[str] = []
    ready = threading.Event()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path.lstrip("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((content or "").encode())

        def do_POST(self) -> None:
            said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()
            ready.set()

        def log_message(self, format: str, *values: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flags = [flag for flag in FLAGS.split() if not flag.startswith(("--virtual", "--dump"))]
    address = f"http://127.0.0.1:{server.server_port}/{next(iter(pages))}"
    command = [str(CHROMIUM), *flags, f"--user-data-dir={folder / 'profile'}", address]
    browser = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert ready.wait(90), "the page did not answer"
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        server.shutdown()
        server.server_close()
    return said[0]


@needs_chromium
def test_what_is_filled_in_on_the_page_is_taken_in_whole(tmp_path: Path) -> None:
    form = form_of_text(SMALL, "f")
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "small.toml").write_text(SMALL, "utf-8")
    pages = {"ask.html": DRIVER.replace("%PIXEL%", PIXEL), "form.html": inspection_form_page(form)}
    answer = answered(pages, tmp_path)
    assert answer.startswith("{"), answer
    said = json.loads(answer)
    assert said["shown"][:2] == [False, True]
    assert "photo is needed" in said["shown"][2]
    assert "S1" in said["kept"]
    assert said["wide"][0] <= said["wide"][1]
    assert [re.findall(r"(\d) (?:new|newer|known|in conflict)", text) for text in said["brought"]] == [
        ["0", "0", "1", "0"], ["0", "0", "0", "1"], ["0", "0", "1", "0"], [],
    ]  # fmt: skip
    assert ["Version in conflict" in draft for draft in said["drafts"]].count(True) == 1
    assert len(said["drafts"]) == 2
    files = []
    for name in ("first", "second"):
        (tmp_path / f"{name}.json").write_text(json.dumps(said[name]), "utf-8")
        files.append(tmp_path / f"{name}.json")
    made = collect([*files, files[0]], tmp_path / "C", forms_folder=tmp_path / "forms")
    assert (made.new, made.known, made.set_aside, made.photos_set_aside) == (2, 1, 0, 0)
    c = made.collection
    assert c.inspections.filter(state="current")["problems"].to_list() == [0]
    assert c.inspections["inspectors"].to_list() == ["I1; I2"] * 2
    assert c.findings.select("item_id", "answer").rows() == [("guard", "no"), ("expired", "2.5")]
    assert c.answers.filter(item_id="why")["value"].to_list() == ["torn off, lying beside"]
    assert (c.photos["media_type"].unique().to_list(), c.photos["cleaned"].any()) == (["image/jpeg"], False)
    first, second = said["first"]["inspections"][0], said["second"]["inspections"][0]
    assert second["history"] == [first["revision_id"]]
    assert first["form"] == {"id": "small", "version": "1.0", "digest": form.digest}
