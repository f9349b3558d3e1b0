// Steps of a case by role, its reporting clocks and its sites, each with what may be done with it.
import { askFor } from "./ask_for.js";
import { dueOf, said } from "./case_words.js";
import { fill, make, table, tellRefusal } from "./elements.js";
import { lang, named, say, seconds, time } from "./words.js";

const text = (required) => ({ name: "text", label: say("cases.text"), type: "text", required, most: 4000 });
const doing = (buttons) => make("div", { class: "doing" }, buttons);
const button = (name, title, act) => make("button", { type: "button", "data-do": name, onclick: act }, title);
const marked = (shown, classes) => { shown.querySelectorAll("tbody tr").forEach((row, k) => { if (classes[k]) row.className = classes[k]; }); return shown; };

const WAYS = { assigned: ["accept", "done", "impossible"], accepted: ["done", "impossible"], done: ["reopen"], impossible: ["reopen"] };
const NEED_WORDS = ["impossible", "reopen"];

/** Buttons of a step: begun at a click; done may say how; skipped and opened again say why. */
function stepButtons(one, { told, dialog, write }) {
  if (!told.may.includes("task")) return "";
  return doing((WAYS[one.state] ?? []).map((move) => button(move, named("case_do", move), async () => {
    if (move === "accept") { try { await write({ action: "task", task: one.task, do: move }); } catch (error) { tellRefusal(error); } return; }
    askFor(dialog, { title: `${named("case_do", move)}: ${said(one)}`, says: NEED_WORDS.includes(move) ? say("cases.say_why") : "", fields: [text(NEED_WORDS.includes(move))], go: named("case_do", move) }, (values) => write({ action: "task", task: one.task, do: move, ...values }));
  })));
}

export function showSteps(into, shared) {
  const { told, plan } = shared, now = new Date(told.at), names = plan.department_names;
  const groups = Map.groupBy(told.tasks, (one) => one.department);
  const lateBy = (one) => (one.clock === "late" ? make("small", { class: "late" }, ` ${say("cases.late_by", { time: seconds(one.late_s) })}`) : null);
  const undone = (one) => (one.clock === "left" ? make("small", {}, ` ${named("clock_state", "left")}`) : null);
  const row = (one) => [said(one), [named("task_state", one.state), undone(one)], dueOf(one.due, one.clock, now), [one.by ? `${one.by} ` : "", one.ended_at ? time(one.ended_at) : "", lateBy(one), one.text ? make("small", {}, ` ${one.text}`) : null], stepButtons(one, shared)];
  const order = { overdue: 0, running: 1, waits: 2 };
  const sorted = (list) => [...list].sort((a, b) => (order[a.clock] ?? 3) - (order[b.clock] ?? 3) || a.due.localeCompare(b.due));
  fill(into, make("h2", {}, say("cases.steps")), told.tasks.length ? [...groups].map(([department, list]) => {
    const rows = sorted(list), name = names[department]?.[lang] ?? department;
    return [make("h3", {}, name), marked(table([say("cases.step"), say("cases.state"), say("cases.due"), say("cases.done_by"), say("cases.may")], rows.map(row), { caption: name }), rows.map((one) => (one.clock === "overdue" ? "over" : one.state === "withdrawn" ? "shut" : "")))];
  }) : make("p", { class: "note" }, say("cases.no_steps")));
}

function giveReport(one, clock, { dialog, write }) {
  const fields = [text(false), { name: "to", label: say("cases.to"), value: clock?.[`to_${lang}`] ?? "", most: 4000 }, { name: "form", label: say("cases.form"), required: true, choices: (clock?.form === "written" ? ["written", "oral"] : ["oral", "written"]).map((form) => [form, named("case_form", form)]) }];
  askFor(dialog, { title: `${say("cases.report_given")}${clock ? `: ${said(clock)}` : ""}`, says: say("cases.report_says"), fields, go: say("cases.report_given") }, (values) => write({ action: "report", clock: one?.clock ?? "", ...values }));
}

export function showClocks(into, shared) {
  const { told, plan } = shared, now = new Date(told.at), may = told.may.includes("report");
  const clocks = new Map(plan.clocks.map((one) => [one.id, one])), asked = told.clocks.filter((one) => one.state !== "not_asked" && one.state !== "not_known");
  const unknown = told.clocks.filter((one) => one.state === "not_known"), measure = new Map(plan.measures.map((one) => [one.id, said(one)]));
  const rows = asked.map((one) => {
    const clock = clocks.get(one.clock);
    return [said(clock) || one.clock, [named("clock_state", one.state), make("small", {}, ` ${named("case_form", clock.form)} → ${clock[`to_${lang}`]}`)], dueOf(one.due, one.state, now), one.given_at ? `${one.by} ${time(one.given_at)}` : "–", may && !one.given_at ? doing([button("report", say("cases.report_given"), () => giveReport(one, clock, shared))]) : ""];
  });
  fill(into, make("h2", {}, say("cases.clocks")), rows.length ? marked(table([say("cases.clock"), say("cases.state"), say("cases.due"), say("cases.given"), say("cases.may")], rows, { caption: say("cases.clocks") }), asked.map((one) => (one.state === "overdue" ? "over" : ""))) : make("p", { class: "note" }, say("cases.no_clocks")),
    unknown.length ? make("p", { class: "note screen" }, say("cases.clocks_unknown", { what: [...new Set(unknown.flatMap((one) => one.missing))].map((name) => measure.get(name) ?? name).join(lang === "en" ? ", " : "、") })) : null,
    may ? make("p", { class: "row end screen" }, make("button", { type: "button", onclick: () => giveReport(null, null, shared) }, say("cases.other_report"))) : null);
}

const SITE_WAYS = { potential: ["confirmed", "cleared"], confirmed: ["restored", "confirmed"], restored: ["potential", "confirmed"], cleared: ["potential", "confirmed"] };
const share = () => ({ name: "capacity", label: say("cases.capacity"), type: "number", min: 0, most: null, step: "any", value: "0", required: true, says: say("cases.capacity_says") });
const siteBody = (site, to, values) => ({ action: "site", site, state: to, text: values.text, ...(to === "confirmed" ? { capacity_share: Number(values.capacity) / 100 } : {}) });

export function showSites(into, { told, dialog, write }) {
  const may = told.may.includes("site"), sites = Object.entries(told.sites);
  const move = (site, to) => askFor(dialog, { title: `${site}: ${named("site_danger", to)}`, fields: [...(to === "confirmed" ? [share()] : []), text(false)], go: named("site_danger", to) }, (values) => write(siteBody(site, to, values)));
  const add = () => askFor(dialog, { title: say("cases.add_site"), fields: [{ name: "site", label: say("cases.site_id"), required: true, most: 100 }, { name: "state", label: say("cases.state"), required: true, choices: ["potential", "confirmed"].map((one) => [one, named("site_danger", one)]) }, share(), text(false)], go: say("cases.add_site") }, (values) => write(siteBody(values.site, values.state, values)));
  fill(into, make("h2", {}, say("cases.sites")), sites.length ? table([say("cases.site"), say("cases.state"), say("cases.since"), say("cases.may")], sites.map(([site, one]) => [[make("a", { href: `/?site=${encodeURIComponent(site)}` }, site), one.text ? make("small", {}, ` ${one.text}`) : null], [named("site_danger", one.state), one.state === "confirmed" ? ` · ${say("cases.can_do", { share: Math.round(one.capacity_share * 100) })}` : ""], time(one.since), may ? doing(SITE_WAYS[one.state].map((to) => button(to, named("site_danger", to), () => move(site, to)))) : ""]), { caption: say("cases.sites") }) : make("p", { class: "note" }, say("cases.no_sites")),
    may ? make("p", { class: "row end screen" }, make("button", { type: "button", id: "add-site", onclick: add }, say("cases.add_site"))) : null);
}
