// The audit: its chain verified, its entries filtered, page by page, and as a file.
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { userNames } from "./record_fields.js";
import { count, named, say, time } from "./words.js";

const place = byId("part"), asked = new URLSearchParams(location.search);
const names = await userNames();
const kindName = (kind) => { const own = named("right_kind", kind); return own === kind ? named("register", kind) : own; };
function actionName(action) {
  if (action.startsWith("refused:")) return say("audit_action.refused", { what: named("right", action.slice(8)) });
  const own = named("audit_action", action);
  return own === action ? named("value", action) : own;
}
const shown = make("div", { id: "entries" }), verdict = make("div", { id: "verdict", "aria-live": "polite" });

function wanted() {
  const found = new URLSearchParams();
  for (const [name, value] of new FormData(byId("filters"))) if (value) found.set(name, name === "since" || name === "until" ? new Date(value).toISOString() : value);
  return found;
}

const detail = (entry) => make("details", {}, make("summary", {}, say("administration.content")), make("pre", { class: "keep" }, JSON.stringify(entry.detail, null, 1)));
async function show(after = 0, before = []) {
  const query = wanted();
  byId("csv").href = `/api/v1/audit?${new URLSearchParams([...query, ["format", "csv"], ["limit", "10000"]])}`;
  if (after) query.set("after", after);
  try {
    const told = await get(`/api/v1/audit?${query}`), entries = [...before, ...told.entries];
    fill(shown, entries.length ? table([{ text: say("administration.number"), number: true }, say("administration.when"), say("administration.who"), say("administration.what"), say("administration.record"), say("administration.why")], entries.map((entry) => [
      count(entry.n), time(entry.at), names.get(entry.actor) ?? entry.actor, `${actionName(entry.action)} · ${kindName(entry.kind)}`, make("div", {}, make("code", {}, entry.record), detail(entry)), entry.reason]), { caption: say("administration.audit") })
      : make("p", { class: "empty" }, say("administration.no_entries")),
    told.next ? make("p", { class: "row end" }, make("button", { type: "button", id: "earlier", onclick: () => show(told.next, entries) }, say("administration.more"))) : null);
  } catch (error) { fill(shown, refusal(error)); }
}

async function verify(event) {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  fill(verdict, make("p", { class: "note" }, say("shell.loading")));
  const noted = event.target.elements.namedItem("head").value.trim(), records = event.target.elements.namedItem("records").checked;
  try {
    const told = await get(`/api/v1/audit/check?records=${records}${noted ? `&head=${encodeURIComponent(noted)}` : ""}`);
    fill(verdict, make("div", { class: told.whole ? "notice" : "notice wrong", role: told.whole ? null : "alert" },
      make("b", {}, told.whole ? say("administration.whole", { count: count(told.entries) }) : say("administration.broken", { count: count(told.found) })),
      told.findings.length ? make("ul", {}, told.findings.map((one) => make("li", {}, `${say("administration.entries", { n: one.n, last: one.last })}: ${one.what} ${one.record}`))) : null,
      told.head ? make("p", {}, say("administration.head"), make("br"), make("code", { id: "head" }, told.head)) : null));
  } catch (error) { fill(verdict, refusal(error)); } finally { button.disabled = false; }
}

const input = (name, label, more = {}) => make("label", {}, label, make("input", { name, autocomplete: "off", value: asked.get(name) ?? null, ...more }));
fill(place, make("section", { class: "card" }, make("form", { class: "filters", id: "verify", onsubmit: verify }, input("head", say("administration.noted_head")),
  make("label", { class: "tick" }, make("input", { type: "checkbox", name: "records" }), say("administration.verify_records")), make("button", { type: "submit" }, say("administration.verify"))), verdict),
make("form", { class: "filters", id: "filters", onsubmit: (event) => { event.preventDefault(); history.replaceState(null, "", `?${new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value))}`); show(); } },
  names.size ? make("label", {}, say("administration.who"), make("select", { name: "actor" }, make("option", { value: "" }, say("shell.all")), [...names].map(([id, name]) => make("option", { value: id, selected: asked.get("actor") === id }, name)))) : input("actor", say("administration.who")),
  input("action", say("administration.action")), input("kind", say("administration.of_kind")), input("record", say("administration.record")),
  input("since", say("administration.since"), { type: "datetime-local" }), input("until", say("administration.before"), { type: "datetime-local" }),
  make("button", { type: "submit", class: "main" }, say("administration.show")), make("a", { class: "button", id: "csv", href: "/api/v1/audit?format=csv", download: "audit.csv" }, say("administration.download"))),
make("section", { class: "card" }, shown));
await show();
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
