// The records of a register: filtered and ordered by the address, a page at a time.
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { columnName, describe, shown, userNames, wordOf } from "./record_fields.js";
import { count, named, say } from "./words.js";

const place = byId("register"), { kind } = place.dataset;
const asked = new URLSearchParams(location.search);
const MOST_COLUMNS = 7;
const days = ["since", "until"];

function select(name, label, options) {
  return make("label", {}, label, make("select", { name }, options.map(([value, text]) => make("option", { value, selected: value === (asked.get(name) ?? "") }, text))));
}

function filters(about) {
  const usable = about.columns.filter((one) => one.filters && one.type !== "instant");
  const chosen = usable.filter((one) => one.choices.length);
  const typed = usable.filter((one) => !one.choices.length);
  const ordering = about.columns.find((one) => one.name === about.order);
  const isInstant = ordering?.type === "instant";
  const text = (one) => one.type === "boolean" ? select(one.name, columnName(one), [["", say("shell.all")], ["true", named("value", "yes")], ["false", named("value", "no")]])
    : make("label", {}, columnName(one), make("input", { name: one.name, value: asked.get(one.name) ?? "", autocomplete: "off" }));
  const isOpen = typed.some((one) => asked.get(one.name));
  const form = make("form", { class: "filters", "aria-label": say("registers.filter"), onsubmit: (event) => {
    event.preventDefault();
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value.trim()) wanted.set(name, value.trim());
    location.search = wanted.toString();
  } },
  chosen.map((one) => select(one.name, columnName(one), [["", say("shell.all")], ...one.choices.map((code) => [code, wordOf(kind, code)])])),
  isInstant ? days.map((name) => make("label", {}, say(name === "since" ? "registers.since" : "registers.until", { column: columnName(ordering) }), make("input", { type: "date", name, value: asked.get(name) ?? "" }))) : null,
  select("order", say("registers.order"), [["", say("registers.newest")], ["oldest", say("registers.oldest")]]),
  typed.length ? make("details", { open: isOpen }, make("summary", {}, say("registers.more_filters")), make("div", {}, typed.map(text))) : null,
  make("div", { class: "row" }, make("button", { type: "submit", class: "main" }, say("registers.go")), [...asked.keys()].some((name) => name !== "lang") ? make("a", { class: "button", href: location.pathname }, say("registers.clear")) : null));
  return form;
}

/** What the API is asked for: days become instants of this browser's midnight. */
function wanted(more) {
  const query = new URLSearchParams(asked);
  query.delete("lang");
  for (const name of days) if (query.get(name)) query.set(name, new Date(`${query.get(name)}T00:00`).toISOString());
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  return `/api/v1/records/${kind}?${query}`;
}

function columnsOf(about) {
  const first = about.columns.filter((one) => ["title", "name", "site_id", about.order, about.state].includes(one.name) && one.type !== "json");
  const rest = about.columns.filter((one) => !first.includes(one) && one.type !== "json" && one.kept_by_ledger !== "only");
  const weight = (one) => one.choices.length ? 0 : one.type === "instant" ? 1 : 2;
  rest.sort((a, b) => weight(a) - weight(b));
  const some = new Set([...first, ...rest].slice(0, MOST_COLUMNS));
  const kept = about.columns.filter((one) => some.has(one));
  return [...kept.filter((one) => ["title", "name"].includes(one.name)), ...kept.filter((one) => !["title", "name"].includes(one.name))];
}

async function show() {
  const about = await describe(kind);
  const parts = [make("div", { class: "row" }, about.rights.includes("add") && !about.own_way ? make("a", { class: "button main", href: `/register-new/${kind}` }, say("registers.add")) : null,
    (about.rights.includes("add") || about.rights.includes("change")) && !about.own_way && kind !== "attachment" ? make("a", { class: "button", href: `/register-load/${kind}` }, say("register_load.open")) : null,
    ["csv", "xlsx"].map((format) => make("a", { class: "button", href: wanted({ format, whole: "true" }), download: `${kind}.${format}` }, say("registers.save_as", { format: format.toUpperCase() }))),
    kind.startsWith("duty_") ? make("a", { class: "button", href: "/duty" }, say("registers.to_duty")) : null, kind.startsWith("issued_") ? make("a", { class: "button", href: "/issued" }, say("registers.to_issued")) : null,
    kind.startsWith("case") ? make("a", { class: "button", href: "/cases" }, say("registers.to_cases")) : null, kind === "scorecard" ? make("a", { class: "button", href: "/scorecards" }, say("registers.to_cards")) : null,
    kind === "data_request" ? make("a", { class: "button", href: "/data-requests" }, say("data_requests.title")) : null),
  about.own_way ? make("p", { class: "note" }, say("registers.own_way")) : null, filters(about)];
  fill(place, parts);
  let found;
  try { found = await get(wanted({ count: "true" })); } catch (error) { place.append(refusal(error)); return; }
  if (!found.records.length) {
    place.append(make("section", { class: "card empty" }, make("h2", {}, say("registers.empty")), make("p", {}, say("registers.empty_says"))));
    return;
  }
  const columns = columnsOf(about), names = columns.some((one) => one.references === "user") ? await userNames() : new Map();
  const cell = (record, column, k) => {
    const value = record.values[column.name], isEmpty = value === null || value === undefined || value === "";
    const inner = k === 0 ? (isEmpty ? record.id : typeof value === "string" && column.type !== "instant" && !column.choices.length ? value : shown(kind, { ...column, references: null }, value)) : shown(kind, column, value, names);
    return k === 0 ? make("a", { href: `/registers/${kind}/${encodeURIComponent(record.id)}` }, inner) : inner;
  };
  const numeric = (column) => column.type === "number" || column.type === "integer";
  place.append(make("p", { class: "note", id: "count" }, say("registers.of_count", { count: count(found.count) })),
    table(columns.map((one) => numeric(one) ? { text: columnName(one), number: true } : columnName(one)), found.records.map((record) => columns.map((column, k) => cell(record, column, k))), { caption: named("register", kind) }));
  const onward = new URLSearchParams(asked), home = new URLSearchParams(asked);
  home.delete("after");
  if (found.next) onward.set("after", found.next);
  place.append(make("p", { class: "row end" }, asked.get("after") ? make("a", { class: "button", href: `?${home}` }, say("registers.first")) : null, found.next ? make("a", { class: "button", rel: "next", href: `?${onward}` }, say("shell.next")) : null));
}

try { await show(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
