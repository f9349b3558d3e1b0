// One emergency case: level and why, steps by role, reporting clocks, sites, who did what when; what one may do with it.
import { get, post } from "./api.js";
import { movesOf } from "./case_moves.js";
import { showClocks, showSites, showSteps } from "./case_steps.js";
import { showCheck, showLevels, showLog, showMeasures, showReports, showReview } from "./case_past.js";
import { drillSign, keepFocus, levelSign } from "./case_words.js";
import { byId, fill, make, refusal, tell } from "./elements.js";
import { count, lang, named, say, time } from "./words.js";

const place = byId("case"), dialog = byId("ask"), { case: id, log } = place.dataset;
const base = `/api/v1/cases/${encodeURIComponent(id)}`, AGAIN_MS = 30_000;
const part = (name, key) => make("section", { class: "card", id: name, "aria-label": say(key) });
const head = make("div", {}), act = make("section", { class: "card screen", id: "act", "aria-labelledby": "h-act" });
const parts = { steps: part("steps", "cases.steps"), clocks: part("clocks", "cases.clocks"), sites: part("sites", "cases.sites"), levels: part("levels", "cases.levels"), measures: part("measures", "cases.measures"), reports: part("reports", "cases.reports"), review: part("review", "cases.review"), contacts: make("section", { class: "card paper-only", id: "contacts" }), log: part("log", "cases.log"), check: part("check", "cases.check") };
const state = { told: null, plan: null, entries: [] };

/** Write an entry upon what was read: where the log went on, nothing is written and the newer state is shown. */
async function write(body) {
  try {
    await post(`${base}/entries`, body, { "Idempotency-Key": crypto.randomUUID(), "If-Match": `"${state.told.entries}"` });
    tell(say("cases.written"));
  } catch (error) {
    if (error.status === 412) await refresh();
    throw error;
  }
  await refresh();
}

function showHead() {
  const { told, plan } = state;
  const figure = (key, value, more = null) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value, more));
  const open = told.tasks.filter((one) => ["assigned", "accepted"].includes(one.state)).length;
  fill(head, told.is_drill ? make("p", { class: "banner" }, say("cases.drill_banner")) : null,
    make("h1", {}, told.title, told.is_drill ? [" ", drillSign(told)] : null),
    make("p", { class: "row" }, levelSign(told.level), make("b", { id: "state" }, named("case_state", told.state)), make("span", { class: "label" }, plan[`title_${lang}`]), make("small", {}, say("cases.as_of", { at: time(told.at) })),
      make("button", { type: "button", class: "screen", onclick: () => print() }, say("cases.print"))),
    told.level_to_confirm ? make("p", { class: "notice wrong", id: "to-confirm" }, make("b", {}, say("cases.confirm_this", { level: told.proposal.level === "none" ? say("cases.no_level") : told.proposal.level })), " ", told.proposal[`reason_${lang}`]) : make("p", { class: "note" }, told.proposal[`reason_${lang}`]),
    make("dl", { class: "figures" }, figure("cases.known_at", time(told.known_at)), figure("cases.opened", time(told.opened_at)), figure("cases.open_steps", count(open)), figure("cases.overdue", told.overdue ? make("span", { class: "late" }, count(told.overdue)) : "0"),
      figure("cases.done_steps", `${count(told.tasks.filter((one) => one.state === "done").length)} / ${count(told.tasks.length)}`), told.ended_at ? figure("cases.ended_at", time(told.ended_at)) : null),
    make("section", { class: "card" }, make("h2", {}, say("cases.happened")), make("p", {}, told.event.text), told.event.source === "words" ? null : make("p", { class: "note" }, say("cases.from", { source: named("case_source", told.event.source), id: told.event.alert ?? told.event.warning ?? told.event.file ?? "" })),
      make("p", { class: "note" }, say("cases.by_plan", { title: plan[`title_${lang}`], version: plan.version, kind: named("provenance_kind", plan.provenance), source: (lang === "zh" && plan.source_zh) || plan.source }))));
  document.body.dataset.state = told.state;
}

function showMoves() {
  const offered = movesOf({ ...state, dialog, write });
  act.hidden = !offered.length;
  fill(act, make("h2", { id: "h-act" }, say("cases.may")), make("div", { class: "row" }, offered.map((one, k) => make("button", { type: "button", class: one.danger ? "danger" : k ? null : "main", "data-move": one.name, onclick: one.open }, one.title))));
}

/** For the sheet on the wall: who is called, by role; names and numbers are never in a case. */
function showContacts() {
  const { contacts, department_names: names } = state.plan, here = contacts.filter((one) => !one.levels.length || one.levels.includes(state.told.level));
  fill(parts.contacts, make("h2", {}, say("cases.contacts")), make("p", {}, (here.length ? here : contacts).map((one) => `${lang === "en" ? one.role_en : one.role_zh} (${names[one.department]?.[lang] ?? one.department})`).join(" · ") || "–"));
}

async function refresh() {
  const [told, { entries }] = await Promise.all([get(`${base}?at=now`), get(`${base}/entries`)]);
  Object.assign(state, { told, entries });
  showHead();
  showMoves();
  const shared = { ...state, dialog, write, tasks: new Map(told.tasks.map((one) => [one.task, one])), base };
  showSteps(parts.steps, shared);
  showClocks(parts.clocks, shared);
  showSites(parts.sites, shared);
  showLevels(parts.levels, shared);
  showMeasures(parts.measures, shared);
  showReports(parts.reports, shared);
  showContacts();
  showLog(parts.log, shared);
  await showReview(parts.review, shared);
}

/** Who may not see the log sees that there is a case, and its level. */
async function showHeading() {
  const { cases } = await get("/api/v1/cases?all=true"), told = cases.find((one) => one.case_id === id);
  fill(place, make("h1", {}, told.title, told.is_drill ? [" ", drillSign(told)] : null), make("p", { class: "row" }, levelSign(told.level), make("b", { id: "state" }, named("case_state", told.state)), make("small", {}, time(told.opened_at))), make("p", { class: "notice" }, say("cases.heading_only")));
}

try {
  if (log) {
    state.plan = await get(`${base}/plan`);
    await refresh();
    fill(place, head, act, Object.values(parts));
    showCheck(parts.check, { base });
    setInterval(() => { if (!document.hidden && !dialog.open) keepFocus(place, refresh).catch(() => tell(say("shell.offline"), { wrong: true })); }, AGAIN_MS);
  } else await showHeading();
} catch (error) { fill(place, make("h1", {}, say("cases.one")), refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
