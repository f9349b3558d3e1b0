// One request: its clocks, the steps that its state offers, the letter, where the person's data are, what has happened.
import { download, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { handOver } from "./admin_names.js";
import { clock, ruleBasis, ruleName, rules } from "./data_request_words.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { userNames, wordOf } from "./record_fields.js";
import { lang, named, say, time } from "./words.js";

const place = byId("request"), dialog = byId("ask"), { id } = place.dataset, rights = place.dataset.rights.split(" ");
const path = `/api/v1/data-requests/${encodeURIComponent(id)}`, KIND = "data_request";
const names = await userNames();
const RIGHT = { decide: "decide" };
/** What brings a request on, the one that is offered first. */
const FIRST = ["identify", "answer", "decide"];
const reason = { name: "reason", label: say("registers.why"), type: "text", required: true };
const found = make("div", { "aria-live": "polite" });
let request = null;

const words = (required, label = say("data_requests.words")) => ({ name: "text", label, type: "text", required });
const pick = (name, codes, word) => ({ name, label: named("data_request_field", name), required: true, choices: codes.map((code) => [code, word(code)]) });
const plain = (code) => wordOf(KIND, code);
const METHODS = () => (request.on_behalf === "self" ? rules.methods.slice(0, -2) : rules.methods.slice(-2));

/** What each step asks for. */
function fieldsOf(action) {
  if (action === "identify") return [pick("method", METHODS(), plain), words(false)];
  if (action === "answer") return [pick("way", rules.ways, plain), words(false)];
  if (action !== "decide") return [words(true)];
  const isKnown = request.identity_method !== null;
  const decisions = isKnown ? rules.decisions : ["refuse"], grounds = rules.grounds.filter((one) => isKnown ? !one.before_identity : one.before_identity);
  const none = [["", say("data_requests.no_ground")], ...grounds.map((one) => [one.id, ruleName("grounds", one.id)])];
  return [pick("decision", decisions, plain), { name: "ground", label: named("data_request_field", "ground"), required: false, choices: isKnown ? none : none.slice(1), says: say("data_requests.ground_says") }, words(false, say("data_requests.why_not"))];
}

function step(action) {
  const key = crypto.randomUUID(), { version } = request;
  askFor(dialog, { title: named("data_request_step", action), says: named("data_request_says", action), go: named("data_request_step", action), fields: fieldsOf(action) }, async (values) => {
    const given = Object.fromEntries(Object.entries(values).filter(([, text]) => text));
    try { show(await post(`${path}/moves`, { action, ...given }, { "Idempotency-Key": key, "If-Match": `"${version}"` })); } catch (error) {
      if (error.status === 412 && error.current) show(error.current);
      throw error;
    }
    tell(say("registers.saved"));
  });
}

function letter() {
  askFor(dialog, { title: say("data_requests.letter"), says: say("registers.reveal_says"), go: say("registers.download"), fields: [reason] }, async (values) => handOver(await download(`${path}/document`, { ...values, language: lang }), `${id}.docx`));
}

function findData() {
  askFor(dialog, { title: say("data_requests.find"), says: say("data_requests.find_says"), go: say("data_requests.find_go"), fields: [reason] }, async (values) => {
    const told = await post(`${path}/find`, values);
    const rows = told.records.map((one) => [make("a", { href: `/registers/${one.kind}/${encodeURIComponent(one.record)}` }, named("register", one.kind)), one.columns.map((name) => named("column", name)).join(lang === "zh" ? "、" : ", ")]);
    fill(found, rows.length ? table([say("data_requests.record"), say("data_requests.columns")], rows, { caption: say("data_requests.find") }) : make("p", { class: "note" }, say("data_requests.not_found")),
      told.whole ? null : make("p", { class: "notice" }, say("data_requests.not_whole")));
  });
}

function facts() {
  const fact = (label, value, more = "") => make("div", {}, make("dt", {}, label), make("dd", {}, value || "–", more ? make("small", {}, ` ${more}`) : null));
  return make("dl", { class: "facts" }, fact(named("data_request_field", "name"), request.name), fact(named("data_request_field", "contact"), request.contact), fact(named("data_request_field", "text"), request.text),
    fact(named("data_request_field", "on_behalf"), plain(request.on_behalf)), fact(named("data_request_field", "channel"), plain(request.channel)), fact(say("data_requests.received"), time(request.received_at)),
    fact(say("data_requests.identity"), request.identity_method ? plain(request.identity_method) : say("data_requests.not_identified")),
    request.decision ? fact(named("data_request_field", "decision"), plain(request.decision), request.ground ? `${ruleName("grounds", request.ground)} ${ruleBasis("grounds", request.ground)}` : "") : null);
}

/** The personal data and the reasons, in the record's own way: for a reason, on record, on this page only. */
function reveal() {
  askFor(dialog, { title: say("registers.reveal"), says: say("registers.reveal_says"), go: say("registers.reveal"), fields: [reason] }, async (values) => {
    const told = (await post(`/api/v1/records/${KIND}/${encodeURIComponent(id)}/reveal`, values)).values;
    show({ ...request, name: told.name, contact: told.contact, text: told.text ?? "", events: request.events.map((one, k) => ({ ...one, text: told.events[k]?.text ?? one.text })) });
  });
}

function show(told) {
  request = told;
  const offered = request.next.filter((action) => rights.includes(RIGHT[action] ?? "change"));
  const first = FIRST.find((action) => offered.includes(action));
  const isDecided = ["decided", "answered"].includes(request.state), mayLook = rights.includes("reveal");
  const detail = (one) => [one.method, one.decision, one.way].filter(Boolean).map(plain).concat(one.ground ? [ruleName("grounds", one.ground)] : []).join(" · ");
  fill(place, make("p", { class: "row" }, make("b", { id: "state" }, plain(request.state)), make("span", {}, plain(request.kind)), make("span", { class: "note" }, ruleBasis("kinds", request.kind))),
    make("section", { class: "card", "aria-labelledby": "h-clocks" }, make("h2", { id: "h-clocks" }, say("data_requests.clocks")),
      request.clocks.length ? make("ul", { class: "plainlist", id: "clocks" }, request.clocks.map(clock)) : make("p", { class: "note" }, say("tickets.no_clocks"))),
    make("section", { class: "card", "aria-labelledby": "h-steps" }, make("h2", { id: "h-steps" }, say("registers.moves")),
      offered.length ? make("div", { class: "row" }, offered.map((action) => make("button", { type: "button", class: action === first ? "main" : null, "data-step": action, onclick: () => step(action) }, named("data_request_step", action)))) : make("p", { class: "note" }, say("registers.no_moves")),
      mayLook ? make("p", { class: "row" }, isDecided ? make("button", { type: "button", id: "letter", onclick: letter }, say("data_requests.letter")) : null, make("button", { type: "button", id: "find", onclick: findData }, say("data_requests.find"))) : null, found),
    make("section", { class: "card", "aria-labelledby": "h-facts" }, make("h2", { id: "h-facts" }, say("data_requests.request")), facts(),
      mayLook ? make("div", { class: "row end" }, make("button", { type: "button", id: "reveal", onclick: reveal }, say("registers.reveal"))) : null),
    make("section", { class: "card", "aria-labelledby": "h-past" }, make("h2", { id: "h-past" }, say("registers.history")),
      request.events.length ? table([say("registers.when"), say("registers.by"), say("registers.what"), say("registers.changes")], request.events.map((one) => [time(one.at), names.get(one.by) ?? one.by, named("data_request_step", one.action), make("div", {}, detail(one), one.text ? make("div", {}, make("small", {}, one.text)) : null)]), { caption: say("registers.history") }) : make("p", { class: "note" }, say("data_requests.nothing_done"))));
}

try { show(await get(path)); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
