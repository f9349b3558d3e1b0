// The duty rooms: who is on, calls that wait with a clock, notes, the days around; looked at again each half minute.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { byId, fill, make, refusal, table, tell, tellRefusal } from "./elements.js";
import { caseTitle, levelSign } from "./case_words.js";
import { describe, userNames } from "./record_fields.js";
import { named, say, seconds, time } from "./words.js";

const place = byId("duty"), dialog = byId("ask");
const AGAIN_MS = 30_000, TICK_MS = 1000;
const names = await userNames();
const who = (user) => names.get(user) ?? user;
const parts = { calls: make("section", { class: "card", id: "calls" }), ...(place.dataset.cases ? { cases: make("section", { class: "card", id: "cases" }) } : {}), now: make("section", { class: "card", id: "now" }), notes: make("section", { class: "card", id: "notes" }), days: make("section", { class: "card", id: "days" }) };
let base = "", mayEnter = false;

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });
const fresh = (first) => `${first}-${crypto.randomUUID().slice(0, 12)}`;
const lines = (text) => text.split("\n").map((one) => one.trim()).filter(Boolean);

/** Fill a part of the page from what the API tells; a refusal stands in that part alone. */
async function part(node, title, draw) {
  const heading = make("h2", {}, title);
  try { const drawn = await draw(); fill(node, heading, drawn); } catch (error) { fill(node, heading, refusal(error)); }
}

async function checkIn(person) {
  try {
    const told = await post(`${base}/check-ins`, person ? { person } : {}, once());
    tell(say("duty.checked_in", { person: told.person_id, post: told.post_id }));
    await Promise.all([showNow(), showDays()]);
  } catch (error) { tellRefusal(error); }
}

const showNow = () => part(parts.now, say("duty.now"), async () => {
  const { on_duty: there } = await get(`${base}/now`);
  const came = (one) => one.late_min ? say("duty.late", { state: named("value", one.state), minutes: one.late_min }) : named("value", one.state);
  const isHere = (one) => ["on_time", "late"].includes(one.state);
  return [there.length ? table([say("duty.person"), say("duty.post"), say("duty.shift"), say("duty.from"), say("duty.to"), say("duty.came"), ""],
    there.map((one) => [one.person_id, one.post_id, one.shift_id, time(one.begins_at), time(one.ends_at), came(one), isHere(one) || !mayEnter ? "" : make("button", { type: "button", onclick: () => checkIn(one.person_id) }, say("duty.check_in_for"))]), { caption: say("duty.now") })
    : make("p", { class: "note" }, say("duty.nobody"))];
});

async function answer(call) {
  try {
    const got = await post(`${base}/calls/${encodeURIComponent(call.call)}/answer`, {});
    tell(got.mine ? say("duty.mine") : say("duty.theirs", { by: who(got.by), at: time(got.at) }), { wrong: !got.mine });
    await showCalls();
  } catch (error) { tellRefusal(error); }
}

const showCalls = () => part(parts.calls, say("duty.calls"), async () => {
  const [{ calls }, due] = await Promise.all([get(`${base}/calls`), get(`${base}/due`).then((told) => told.due)]);
  const open = calls.filter((one) => !one.answered_by), past = calls.filter((one) => one.answered_by).reverse().slice(0, 10);
  const called = (call) => due.filter((one) => one.call === call.call).map((one) => one.person_id).join(", ");
  return [open.length ? open.map((one) => make("div", { class: "call", "data-call": one.call }, make("h3", {}, one.subject), make("p", { class: "clock", "data-since": one.at }, clock(one.at)), called(one) ? make("p", { class: "note" }, say("duty.goes_to", { people: called(one) })) : null,
    mayEnter ? make("button", { type: "button", class: "main", onclick: () => answer(one) }, say("duty.answer")) : null, openCase(one))) : make("p", { class: "note" }, say("duty.no_calls")),
  mayEnter ? make("p", { class: "row end" }, make("button", { type: "button", onclick: () => askFor(dialog, { title: say("duty.open_call"), go: say("duty.open_call"), fields: [{ name: "subject", label: say("duty.about"), required: true, type: "text" }, { name: "chain", label: say("duty.chain"), required: true }] },
    async (values) => { await post(`${base}/calls`, { call: fresh("call"), ...values }, once()); await showCalls(); }) }, say("duty.open_call"))) : null,
  past.length ? make("details", {}, make("summary", {}, say("duty.past_calls")), make("ul", { class: "plainlist" }, past.map((one) => make("li", {}, one.subject, " ", make("small", {}, say("duty.answered", { by: who(one.answered_by), at: time(one.answered_at) })))))) : null];
});

const openCase = (call) => (place.dataset.case ? [" ", make("a", { class: "button", href: `/case-new?text=${encodeURIComponent(call.subject)}` }, say("cases.open"))] : null);

/** Cases that are open, what is overdue in them first. */
const showCases = () => part(parts.cases, say("cases.title"), async () => {
  const { cases } = await get("/api/v1/cases"), overdue = cases.reduce((sum, one) => sum + (one.overdue ?? 0), 0);
  cases.sort((a, b) => (b.overdue ?? 0) - (a.overdue ?? 0));
  return [cases.length ? [make("p", { class: overdue ? "late" : "note" }, say("cases.open_count", { count: cases.length, overdue })), make("ul", { class: "plainlist" }, cases.slice(0, 5).map((one) => make("li", {}, levelSign(one.level), " ", caseTitle(one), one.overdue ? make("small", { class: "late" }, ` ${say("cases.overdue")} ${one.overdue}`) : null, one.level_to_confirm ? make("small", { class: "wait" }, ` ${say("cases.to_confirm")}`) : null)))] : make("p", { class: "note" }, say("cases.none")),
    make("p", { class: "row end" }, make("a", { href: "/cases" }, say("cases.to_cases")))];
});

const clock = (since) => say("duty.waits", { time: seconds(Math.max(0, (Date.now() - new Date(since)) / TICK_MS)) });
setInterval(() => { for (const one of document.querySelectorAll("[data-since]")) one.textContent = clock(one.dataset.since); }, TICK_MS);

async function receive(note) {
  try {
    const got = await post(`${base}/hand-overs/${encodeURIComponent(note.note)}/receive`, {});
    if (!got.mine) tell(say("duty.not_mine", { by: who(got.by) }), { wrong: true });
    await showNotes();
  } catch (error) { tellRefusal(error); }
}

const showNotes = () => part(parts.notes, say("duty.notes"), async () => {
  const { notes } = await get(`${base}/hand-overs`);
  const items = (title, list) => list.length ? make("div", {}, make("small", {}, title), make("ul", {}, list.map((one) => make("li", {}, one)))) : null;
  const openItems = say("duty.open_items").replace(/[（(].*/, ""), toWatch = say("duty.watch").replace(/[（(].*/, "");
  return [notes.length ? make("ul", { class: "plainlist" }, notes.reverse().slice(0, 20).map((one) => make("li", { "data-note": one.note }, make("p", { class: "note" }, say("duty.wrote", { by: who(one.by), at: time(one.at) })), items(openItems, one.open), items(toWatch, one.watch),
    one.received_by ? make("small", {}, say("duty.received", { by: who(one.received_by), at: time(one.received_at) })) : mayEnter ? make("button", { type: "button", onclick: () => receive(one) }, say("duty.receive")) : null)))
    : make("p", { class: "note" }, say("duty.no_notes")),
  mayEnter ? make("p", { class: "row end" }, make("button", { type: "button", onclick: () => askFor(dialog, { title: say("duty.write_note"), go: say("duty.write_note"), fields: [{ name: "open", label: say("duty.open_items"), type: "text" }, { name: "watch", label: say("duty.watch"), type: "text" }] },
    async (values) => { await post(`${base}/hand-overs`, { note: fresh("note"), open: lines(values.open), watch: lines(values.watch) }, once()); await showNotes(); }) }, say("duty.write_note"))) : null];
});

const showDays = () => part(parts.days, say("duty.roster"), async () => {
  const { duties } = await get(`${base}/duties?days=3`);
  if (!duties.length) return make("p", { class: "note" }, say("duty.no_roster"));
  const shown = table([say("duty.person"), say("duty.post"), say("duty.shift"), say("duty.from"), say("duty.to")], duties.map((one) => [one.person_id, one.post_id, one.shift_id, time(one.begins_at), time(one.ends_at)]), { caption: say("duty.roster") });
  const at = Date.now();
  shown.querySelectorAll("tbody tr").forEach((row, k) => { if (new Date(duties[k].begins_at) <= at && at < new Date(duties[k].ends_at)) row.classList.add("now"); });
  return shown;
});

const shownCases = () => (parts.cases ? showCases() : null);
const all = () => Promise.all([showCalls(), shownCases(), showNow(), showNotes(), showDays()]);

async function begin() {
  const [{ rooms }, kept, entry] = await Promise.all([get("/api/v1/duty-rooms"), describe("duty_room"), describe("duty_entry")]);
  mayEnter = Boolean(entry?.rights.includes("add"));
  const makeRoom = kept?.rights.includes("add") ? make("button", { type: "button", onclick: () => askFor(dialog, { title: say("duty.make"), go: say("duty.make"), fields: [{ name: "title", label: say("duty.name"), required: true }] },
    async (values) => { const made = await post("/api/v1/duty-rooms", values, once()); location.search = `?room=${made.room}`; }) }, say("duty.make")) : null;
  if (!rooms.length) { fill(place, make("section", { class: "card empty" }, make("h2", {}, say("duty.none")), make("p", {}, say("duty.none_says")), makeRoom), parts.cases ?? null); await shownCases(); return; }
  const chosen = new URLSearchParams(location.search).get("room"), room = rooms.find((one) => one.room === chosen) ?? rooms[0];
  const select = make("select", { onchange: () => { location.search = `?room=${encodeURIComponent(select.value)}`; } }, rooms.map((one) => make("option", { value: one.room, selected: one === room }, one.title)));
  base = `/api/v1/duty-rooms/${encodeURIComponent(room.room)}`;
  fill(place, make("div", { class: "filters" }, make("label", {}, say("duty.room"), select), mayEnter ? make("button", { type: "button", class: "main check-in", id: "check-in", onclick: () => checkIn("") }, say("duty.check_in")) : null, makeRoom), Object.values(parts));
  await all();
  setInterval(() => { if (!document.hidden && !dialog.open) { showCalls(); shownCases(); showNow(); } }, AGAIN_MS);
}

try { await begin(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
