// What is due, overdue and mine, of every register that has deadlines; each row leads to its record.
import { get } from "./api.js";
import { nameOf, pathOf, stageOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { userNames, wordOf } from "./record_fields.js";
import { count, named, say, time } from "./words.js";

const place = byId("tasks"), asked = new URLSearchParams(location.search);
const DAY_MS = 86_400_000, MOST = 200, AHEAD = [7, 30, 90, 366];
// register -> the column of its deadline, the one it is ordered by where that is another, the states in which it is open
const KINDS = {
  hazard: { due: "deadline", states: ["open", "rectifying", "rectified", "reopened"], waits: ["rectified"] },
  rectification: { due: "deadline", states: ["open", "under_way", "done", "refused"], waits: ["done"] },
  task: { due: "deadline", states: ["open", "under_way", "done"], waits: ["done"] },
  inspection: { due: "planned_at", states: ["planned", "under_way", "finished"], waits: ["finished"] },
  campaign: { due: "ends_at", states: ["planned", "running"], waits: [] },
};
const now = Date.now(), ahead = AHEAD.find((one) => String(one) === asked.get("ahead")) ?? 30;
const mine = asked.get("mine") === "yes", only = asked.get("kind") ?? "";

const titleOf = (one) => one.values.title ?? one.values.site_id ?? one.id;

/** The open ones of a register that are due until then. */
async function ofKind(kind, me, rights) {
  const { due, states, waits } = KINDS[kind], query = new URLSearchParams({ order: "oldest", limit: String(MOST) });
  for (const state of states) query.append("state", state);
  if (due !== "ends_at") query.set("until", new Date(now + ahead * DAY_MS).toISOString());
  if (mine && kind !== "inspection" && kind !== "campaign") query.set("owner", me);
  const found = await get(`/api/v1/records/${kind}?${query}`);
  const rows = found.records.filter((one) => !mine || one.values.owner === me || one.values.inspector === me);
  const limit = now + ahead * DAY_MS;
  return { more: Boolean(found.next), rows: rows.filter((one) => !one.values[due] || new Date(one.values[due]) <= limit).map((one) => ({
    kind, title: titleOf(one), href: `/registers/${kind}/${encodeURIComponent(one.id)}`, by: one.values[due] ?? null, owner: one.values.owner ?? null,
    state: wordOf(kind, one.values.state), waits: waits.includes(one.values.state) && rights.includes("decide"), grade: one.values.grade === "major" })) };
}

async function ofAssessments() {
  const { assessments, next } = await get("/api/v1/scorecards/assessments?limit=200");
  const limit = new Date(now + ahead * DAY_MS).toISOString();
  return { more: Boolean(next), rows: assessments.filter((one) => one.due && one.due.by <= limit).map((one) => ({
    kind: "assessment", title: `${one.name ?? one.subject_id} · ${nameOf({ name_zh: one.title_zh, name_en: one.title_en })}`, href: pathOf(one.card, one.subject_id), by: `${one.due.by}T23:59:59`, owner: null, state: stageOf(one.state), waits: false })) };
}

function part(key, rows, names) {
  const cells = rows.map((one) => [make("a", { href: one.href }, one.title), make("span", {}, named("register", one.kind), one.grade ? make("b", { class: "late" }, ` ${wordOf("hazard", "major")}`) : null), one.state, one.by ? time(one.by) : "–", one.owner ? names.get(one.owner) ?? one.owner : "–"]);
  return make("section", { class: "card", id: key }, make("h2", {}, named("tasks_part", key), ` (${count(rows.length)})`), rows.length ? table([say("tasks.what"), say("tasks.kind"), say("tasks.state"), say("tasks.by"), say("tasks.owner")], cells, { caption: named("tasks_part", key) }) : make("p", { class: "note" }, named("tasks_part", `no_${key}`)));
}

function filters(kinds, me) {
  const go = (name, value) => { if (value) asked.set(name, value); else asked.delete(name); location.search = asked.toString(); };
  const kind = make("select", { onchange: () => go("kind", kind.value) }, make("option", { value: "" }, say("shell.all")), kinds.map((one) => make("option", { value: one, selected: one === only }, named("register", one))));
  const span = make("select", { onchange: () => go("ahead", span.value) }, AHEAD.map((one) => make("option", { value: String(one), selected: one === ahead }, say("tasks.days", { days: count(one) }))));
  const own = make("input", { type: "checkbox", checked: mine, id: "mine", onchange: () => go("mine", own.checked ? "yes" : "") });
  return make("div", { class: "filters" }, make("label", {}, say("tasks.kind"), kind), make("label", {}, say("tasks.ahead"), span), me ? make("label", { class: "tick" }, own, say("tasks.only_mine")) : null);
}

async function show() {
  const [{ kinds }, session, names] = await Promise.all([get("/api/v1/records"), get("/api/v1/session"), userNames()]);
  const known = new Map(kinds.map((one) => [one.kind, one.rights])), offered = [...Object.keys(KINDS), "assessment"].filter((one) => known.has(one));
  const wanted = offered.filter((one) => !only || one === only).filter((one) => !mine || one !== "assessment");
  const found = await Promise.all(wanted.map((one) => (one === "assessment" ? ofAssessments() : ofKind(one, session.user_id, known.get(one)))));
  const rows = found.flatMap((one) => one.rows).sort((a, b) => (a.by ?? "9").localeCompare(b.by ?? "9"));
  const waits = rows.filter((one) => one.waits), rest = rows.filter((one) => !one.waits), isLate = (one) => one.by && new Date(one.by) < now;
  fill(place, filters(offered, session.user_id), make("dl", { class: "figures" }, [["overdue", rest.filter(isLate)], ["due", rest.filter((one) => !isLate(one))], ["waits", waits]].map(([key, some]) => make("div", {}, make("dt", {}, named("tasks_part", key)), make("dd", { class: key === "overdue" && some.length ? "late" : null }, count(some.length))))),
    found.some((one) => one.more) ? make("p", { class: "notice" }, say("tasks.more", { most: count(MOST) })) : null,
    part("overdue", rest.filter(isLate), names), part("due", rest.filter((one) => !isLate(one)), names), known.size && waits.length ? part("waits", waits, names) : null);
}

try { await show(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
