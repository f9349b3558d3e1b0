// One record: its fields, what can be done with it, its change with the version that was read, its files and history.
import { ask, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { columnName, describe, field, mark, shown, typedOf, userNames, valueOf, wordOf } from "./record_fields.js";
import { careCard } from "./record_care.js";
import { filesCard } from "./record_files.js";
import { stepsOf } from "./record_steps.js";
import { showTicket } from "./record_ticket.js";
import { named, say, time } from "./words.js";

const place = byId("record"), dialog = byId("ask"), { kind, id, audit, holds, handsOver } = place.dataset;
const path = `/api/v1/records/${kind}/${encodeURIComponent(id)}`;
const [about, names, session] = await Promise.all([describe(kind), userNames(), get("/api/v1/session")]);
const me = names.has(session.user_id) ? { id: session.user_id, name: names.get(session.user_id) } : null;
const who = (user) => names.get(user) ?? user;
const state = make("p", { class: "row" }), body = make("section", { class: "card", "aria-labelledby": "h-fields" }), steps = make("section", { class: "card", "aria-labelledby": "h-moves" });
let record = null;

const nameOf = (one) => [one.values.title, one.values.name, one.values.site_id].find((text) => text && typeof text === "string") ?? one.id;

function show(told) {
  record = told;
  byId("h-record").textContent = nameOf(record);
  fill(state, about.state && record.values[about.state] ? make("b", { id: "state" }, wordOf(kind, record.values[about.state])) : null,
    make("span", { class: "note" }, say("registers.version", { version: record.version, by: who(record.updated_by), at: time(record.updated_at) })));
  showFields();
  showSteps();
}

function facts(told) {
  const hidden = new Set(told.hidden);
  return make("dl", { class: "facts" }, about.columns.filter((one) => { const value = told.values[one.name]; return value !== null && value !== undefined && value !== ""; }).map((one) => make("div", { class: one.type === "json" ? "wide" : null }, make("dt", {}, columnName(one), hidden.has(one.name) ? make("small", {}, ` (${say("registers.masked")})`) : null),
    make("dd", { "data-column": one.name }, hidden.has(one.name) ? String(told.values[one.name]) : shown(kind, one, told.values[one.name], names)))));
}

function showFields(told = record) {
  const isShut = !about.rights.includes("change") || about.own_way;
  fill(body, make("h2", { id: "h-fields" }, say("registers.fields")), facts(told),
    about.own_way ? make("p", { class: "note" }, say("registers.own_way")) : null, ownPage(),
    make("p", { class: "row end" },
      told.hidden.length && about.rights.includes("reveal") ? make("button", { type: "button", onclick: () => askFor(dialog, { title: say("registers.reveal"), says: say("registers.reveal_says"), fields: [{ name: "reason", label: say("registers.why"), required: true, type: "text" }], go: say("registers.reveal") },
        async (values) => showFields(await post(`${path}/reveal`, values))) }, say("registers.reveal")) : null,
      isShut ? null : make("button", { type: "button", id: "edit", onclick: showForm }, say("registers.edit"))));
}

/** The page that shows a record of a register with its own way as people work with it. */
function ownPage() {
  const to = { case: ["/cases", say("registers.to_cases")], scorecard: ["/scorecards", say("registers.to_cards")], issued_plan: ["/issued", say("registers.to_issued")] }[kind];
  return to ? make("p", {}, make("a", { class: "button", href: `${to[0]}/${encodeURIComponent(id)}` }, to[1])) : null;
}

/** Columns that a person may change: what a ledger keeps is moved by steps. */
function changeable() {
  const isKept = about.columns.some((one) => one.kept_by_ledger === "mark" && record.values[one.name]);
  return about.columns.filter((one) => !["only", "mark"].includes(one.kept_by_ledger) && !(isKept && one.kept_by_ledger) && !(one.name === about.state && about.moves.length));
}

function showForm() {
  let read = record;
  const columns = changeable(), wrong = make("div", { "aria-live": "assertive" });
  const typedNow = (column) => typedOf(column, read.values[column.name]);
  const form = make("form", { class: "form", onsubmit: async (event) => {
    event.preventDefault();
    const values = {};
    mark(form, null);
    try {
      for (const one of columns) if (form.elements.namedItem(one.name).value.trim() !== typedNow(one)) values[one.name] = valueOf(one, form.elements.namedItem(one.name));
      if (!Object.keys(values).length) { fill(wrong, make("p", { class: "notice" }, say("registers.nothing"))); return; }
      show(await ask("PATCH", path, { values, reason: form.elements.why_changed.value.trim() }, { "If-Match": `"${read.version}"` }));
      tell(say("registers.saved"));
    } catch (error) {
      if (error.status === 412 && error.current) {
        fill(wrong, conflict(columns, read, error.current, form));
        read = error.current;
      } else if (error.status) { fill(wrong, refusal(error)); mark(form, error); } else fill(wrong, make("p", { class: "notice wrong", role: "alert" }, error.message));
      wrong.scrollIntoView({ block: "center" });
    }
  } }, wrong, make("fieldset", {}, make("legend", {}, say("registers.fields")), columns.map((one) => field(kind, one, record.values[one.name]))),
  make("label", {}, say("registers.why"), make("input", { name: "why_changed", autocomplete: "off" })),
  make("div", { class: "row end" }, make("button", { type: "button", onclick: () => show(read) }, say("shell.cancel")), make("button", { type: "submit", class: "main" }, say("registers.save"))));
  fill(body, make("h2", { id: "h-fields" }, say("registers.edit")), form);
  form.querySelector("input, select, textarea")?.focus();
}

/** What is there now beside what was typed; fields nobody typed in take what is there now. */
function conflict(columns, before, now, form) {
  const rows = [];
  for (const one of columns) {
    const control = form.elements.namedItem(one.name), old = typedOf(one, before.values[one.name]), there = typedOf(one, now.values[one.name]);
    if (control.value.trim() === old) control.value = there;
    if (there !== old || control.value.trim() !== there) rows.push([columnName(one), shown(kind, one, now.values[one.name], names), control.value || "–"]);
  }
  return make("div", { class: "notice wrong", role: "alert", id: "conflict" }, make("b", {}, say("registers.conflict")), make("p", {}, say("registers.conflict_says")),
    make("p", { class: "note" }, say("registers.version", { version: now.version, by: who(now.updated_by), at: time(now.updated_at) })), table([say("registers.field"), say("registers.there"), say("registers.typed")], rows, { caption: say("registers.conflict") }));
}

function showSteps() {
  const offered = stepsOf(about, record, me);
  steps.hidden = Boolean(about.own_way) || !about.moves.length;
  fill(steps, make("h2", { id: "h-moves" }, say("registers.moves")), offered.length ? make("div", { class: "row" }, offered.map((one, k) => make("button", { type: "button", class: k ? null : "main", "data-step": one.name, onclick: () => {
    const version = record.version, key = crypto.randomUUID();
    askFor(dialog, { title: one.title, says: one.says, fields: one.fields, go: one.title }, async (values) => {
      const given = Object.fromEntries(Object.entries(values).filter(([, text]) => text));
      show(await post(`${path}/moves`, { ...one.body, ...given }, { "If-Match": `"${version}"`, "Idempotency-Key": key }));
      tell(say("registers.saved"));
      if (history.open) showHistory();
    });
  } }, one.title))) : make("p", { class: "note" }, say("registers.no_moves")));
}

const past = make("div", {});
const history = make("details", { class: "card", ontoggle: () => { if (history.open) showHistory(); } }, make("summary", {}, make("b", {}, say("registers.history"))), past);
async function showHistory() {
  try {
    const { entries } = await get(`${path}/history`);
    const changed = (entry) => [...Object.entries(entry.values).map(([name, [old, now]]) => `${named("column", name)}: ${old ?? "–"} → ${now ?? "–"}`), ...entry.texts.map((name) => named("column", name))];
    fill(past, table([say("registers.when"), say("registers.by"), say("registers.what"), say("registers.changes")],
      entries.map((entry) => [time(entry.at), who(entry.by), named("value", entry.action), make("div", {}, changed(entry).map((line) => make("div", {}, line)), entry.reason ? make("small", {}, entry.reason) : null)]), { caption: say("registers.history") }));
  } catch (error) { fill(past, refusal(error)); }
}

try {
  fill(place, make("h1", { id: "h-record" }), state, steps, body);
  show(await get(path));
  if (kind === "rights_ticket") {
    const ticket = make("section", { class: "card", id: "ticket" });
    body.before(ticket);
    await showTicket(ticket, id, about.rights, who, async () => show(await get(path)));
  }
  const kept = await describe("attachment");
  const holders = kept?.columns.find((one) => one.name === "about_kind").choices ?? [];
  if (holders.includes(kind)) {
    const files = filesCard({ kind, id, rights: kept.rights, dialog });
    place.append(files.card);
    await files.show();
  }
  if (holds || handsOver) {
    const care = careCard({ kind, id, holds: holds.split(" "), handsOver, who, dialog, moved: async () => show(await get(path)) });
    place.append(care.card);
    await care.show();
  }
  if (audit) place.append(history);
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
