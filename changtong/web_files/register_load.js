// A file is tried first: what it would bring, and all that is wrong. Then it is loaded as it was tried, or not at all.
import { ask, Refused } from "./api.js";
import { handOver } from "./admin_names.js";
import { byId, fill, make, refusal, table, wordsOf } from "./elements.js";
import { count, say } from "./words.js";

const place = byId("load"), { kind, mayAdd } = place.dataset, path = `/api/v1/records/${kind}/load`;
const SHOWN = 200;
const wrong = make("div", { "aria-live": "assertive" }), result = make("div", { "aria-live": "polite", id: "result" });
const picked = make("input", { type: "file", name: "file", id: "file", accept: ".csv,.xlsx", required: true, "aria-describedby": "file-says", onclick: () => { picked.value = ""; chosen(null); }, onchange: () => chosen(picked.files[0]) });
const changes = make("input", { type: "checkbox", name: "changes", id: "changes", checked: !mayAdd, onchange: forget });
const reason = make("input", { name: "reason", id: "reason", maxlength: 2000, autocomplete: "off" });
let file = null, key = crypto.randomUUID();

/** What was tried counts no more once something else is asked for. */
function forget() { fill(result); fill(wrong); key = crypto.randomUUID(); }
function chosen(one) { file = one ?? null; forget(); }

function bodyOf(more) {
  const form = new FormData();
  form.append("file", file, file.name);
  form.append("changes", changes.checked ? "true" : "false");
  form.append("reason", reason.value.trim());
  for (const [name, value] of Object.entries(more)) form.append(name, value);
  return form;
}

async function busy(button, act) {
  button.disabled = true;
  place.setAttribute("aria-busy", "true");
  try { await act(); } catch (error) { fill(wrong, error.status ? refusal(error) : make("p", { class: "notice wrong", role: "alert" }, say("register_load.unread"))); wrong.scrollIntoView({ block: "center" }); } finally {
    button.disabled = false;
    place.removeAttribute("aria-busy");
  }
}

function counts(told) {
  const one = (name, label) => make("div", {}, make("dt", {}, label), make("dd", { "data-count": name }, count(told[name])));
  return make("dl", { class: "facts" }, one("added", say("register_load.added")), one("changed", say("register_load.changed")), one("unchanged", say("register_load.unchanged")), one("refused", say("register_load.refused")));
}

function problems(told) {
  const rows = told.problems.slice(0, SHOWN).map((one) => [one.row === null ? "–" : count(one.row), one.column ?? "–", make("div", {}, wordsOf(one, `${one.message}${one.expected ? ` (${one.expected})` : ""}${one.hint ? ` ${one.hint}` : ""}`))]);
  const save = make("button", { type: "button", id: "save-problems", onclick: () => busy(save, saveProblems) }, say("register_load.save_problems"));
  return [make("p", { class: "wrong", role: "alert" }, say("register_load.wrong", { count: count(told.problems.length) })), make("p", { class: "row" }, save),
    table([{ text: say("register_load.row"), number: true }, say("register_load.column"), say("register_load.problem")], rows, { caption: say("register_load.problem") }),
    told.problems.length > SHOWN ? make("p", { class: "note" }, say("register_load.more", { count: count(SHOWN) })) : null];
}

async function saveProblems() {
  const form = bodyOf({ dry_run: "true", format: "csv" });
  const answer = await fetch(path, { method: "POST", body: form, credentials: "same-origin", headers: { "X-CSRF-Token": document.querySelector("meta[name=csrf]")?.content ?? "", "Accept-Language": document.documentElement.lang } });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  handOver(await answer.blob(), `${kind}-problems.csv`);
}

async function tryIt() {
  fill(wrong);
  const told = await ask("POST", path, bodyOf({ dry_run: "true" })), whole = told.added + told.changed;
  const go = make("button", { type: "button", class: "main", id: "go", onclick: () => busy(go, () => load(told)) }, say("register_load.go", { count: count(whole) }));
  fill(result, make("section", { class: "card", "aria-labelledby": "h-tried" }, make("h2", { id: "h-tried", tabindex: "-1" }, say("register_load.tried")), counts(told),
    told.refused || told.problems.length ? problems(told) : whole ? [make("p", { class: "note" }, say("register_load.go_says")), make("p", { class: "row end" }, go)] : make("p", { class: "note" }, say("register_load.nothing"))));
  byId("h-tried").focus();
}

async function load(told) {
  fill(wrong);
  await ask("POST", path, bodyOf(changes.checked ? { seen: told.seen } : {}), { "Idempotency-Key": key });
  chosen(null);
  form.reset();
  fill(result, make("section", { class: "card", id: "done" }, make("h2", {}, say("register_load.done")), counts({ ...told, refused: 0 }), make("p", {}, make("a", { class: "button main", href: `/registers/${kind}` }, say("register_load.to_register")))));
}

const drop = make("div", { class: "drop", id: "drop", ondragover: (event) => { event.preventDefault(); drop.classList.add("over"); }, ondragleave: () => drop.classList.remove("over"),
  ondrop: (event) => { event.preventDefault(); drop.classList.remove("over"); if (event.dataTransfer.files.length) { picked.files = event.dataTransfer.files; chosen(event.dataTransfer.files[0]); } } },
make("label", { for: "file" }, say("register_load.file")), picked, make("small", { id: "file-says" }, say("register_load.file_says")));
const form = make("form", { class: "form", onsubmit: (event) => { event.preventDefault(); busy(form.querySelector("button.main"), tryIt); } }, drop,
  make("label", { for: "changes", class: "row" }, changes, make("span", {}, say("register_load.changes"))), make("small", {}, say("register_load.changes_say")),
  make("label", {}, say("registers.why"), reason), make("div", { class: "row end" }, make("button", { type: "submit", class: "main" }, say("register_load.try"))));
fill(place, make("section", { class: "card", "aria-labelledby": "h-file" }, make("h2", { id: "h-file" }, say("register_load.second")), wrong, form), result);
document.body.dataset.ready = "yes";
