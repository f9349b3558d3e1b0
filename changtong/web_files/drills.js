// Drills: which plans were drilled when, and one drill's level, clocks and tasks, and how it went.
import { byId, fill, make, refusal, table } from "./elements.js";
import { askRun, figures, pageOf, runsOf, wholeRun } from "./results.js";
import { sortTable } from "./sort_table.js";
import { count, lang, named, say, time } from "./words.js";

const place = byId("drills"), LISTED = 100, mayAsk = byId("drill").dataset.ask === "yes";
const state = { drills: [], evaluated: new Map() };
const titleOf = (summary) => summary.event?.[`script_title_${lang}`] || summary.title;
const plans = new Map([...byId("known").children].map((one) => [one.dataset.plan, one.textContent]));
const clockNames = new Map([...byId("known-clocks").children].map((one) => [one.dataset.clock, one.textContent]));
const said = (row) => row[lang] ?? row.zh ?? row.task ?? row.expected;

const list = sortTable(place, [
  { text: say("drills.drill"), of: (row) => titleOf(row.summary) },
  { text: say("drills.plan"), of: (row) => plans.get(row.summary.plan) ?? row.summary.plan },
  { text: say("drills.begun"), of: (row) => row.summary.opened_at, show: (row) => time(row.summary.opened_at) },
  { text: say("drills.state"), of: (row) => named("case_state", row.summary.state) },
  { text: say("drills.level"), of: (row) => row.summary.level ?? "–" },
  { text: say("drills.overdue"), number: true, of: (row) => row.summary.overdue, show: (row) => row.summary.overdue ? make("span", { class: "due overdue" }, count(row.summary.overdue)) : "0" },
], { caption: say("drills.played"), choose: (row) => open(row), filter: byId("word"), empty: say("drills.none") });

/** Plans, the one that was not drilled for longest first; never drilled stands above all. */
function showPlans() {
  const last = new Map();
  for (const { summary } of state.drills) if ((last.get(summary.plan) ?? "") < summary.opened_at) last.set(summary.plan, summary.opened_at);
  const rows = [...plans].map(([id, title]) => [title, last.get(id) ?? ""]).sort((a, b) => a[1].localeCompare(b[1]));
  fill(byId("plans"), table([say("drills.plan"), say("drills.last")], rows.map(([title, at]) => [title, at ? time(at) : make("b", {}, say("drills.never"))]), { caption: say("drills.next") }));
}

const dueOf = (row) => row.state === "overdue" || row.clock === "overdue" ? make("span", { class: "due overdue" }, say("drills.is_overdue", { at: time(row.due) })) : time(row.due);
const late = (row) => row.late_s > 0 ? say("drills.late", { minutes: count(row.late_s / 60) }) : "";

function open(row) {
  const { run, summary } = row, now = make("div", { "aria-live": "polite" });
  const look = summary.event?.clock === "own" || !mayAsk ? null : make("button", { type: "button", onclick: async () => { // the real clock goes on after the run
    const told = await askRun(now, "emergency status", { case: { run: run.id } });
    if (told) open(Object.assign(row, { summary: told.outcome.summary }));
  } }, say("drills.now"));
  list.mark(row);
  history.replaceState(null, "", `${location.pathname}?run=${run.id}`);
  const clocks = summary.clocks.filter((one) => !["not_asked", "not_known"].includes(one.state)), quiet = summary.clocks.length - clocks.length;
  const openFirst = (a, b) => Number(Boolean(a.ended_at ?? a.given_at)) - Number(Boolean(b.ended_at ?? b.given_at)) || (a.due ?? "9").localeCompare(b.due ?? "9");
  const result = make("div", { "aria-live": "polite" });
  fill(byId("drill"), make("section", { class: "card" }, make("h2", {}, titleOf(summary)),
    make("p", { class: "row" }, make("span", { class: "label" }, say("drills.is_drill")), make("span", {}, summary.title)),
    look ? make("p", {}, look) : null, now,
    figures([[say("drills.state"), named("case_state", summary.state)], [say("drills.level"), summary.level ?? "–", summary.level_to_confirm ? say("drills.to_confirm") : null],
      [say("drills.as_of"), time(summary.at)], [say("drills.overdue"), count(summary.overdue)],
      [say("drills.tasks_done"), `${count(summary.tasks.filter((one) => one.ended_at).length)} / ${count(summary.tasks.length)}`]]),
    make("p", { class: "note" }, summary.proposal?.[`reason_${lang}`] ?? ""),
    make("h3", {}, say("drills.levels")), summary.levels.length ? table([say("drills.level"), say("drills.at"), say("drills.by"), say("drills.reason")], summary.levels.map((one) => [one.level, time(one.at), one.by, one.reason])) : make("p", { class: "note" }, say("drills.no_level")),
    make("h3", {}, say("drills.clocks")), table([say("drills.clock"), say("drills.state"), say("drills.due"), say("drills.given")], [...clocks].sort(openFirst).map((one) => [clockNames.get(`${summary.plan}:${one.clock}`) ?? one.clock, named("clock_state", one.state), dueOf(one), [time(one.given_at), make("small", {}, ` ${late(one)}`)]]), { caption: say("drills.clocks") }),
    quiet ? make("p", { class: "note" }, say("drills.quiet", { count: count(quiet) })) : null,
    make("h3", {}, say("drills.tasks")), table([say("drills.task"), say("drills.state"), say("drills.due"), say("drills.done_at")], [...summary.tasks].sort(openFirst).map((one) => [said(one), named("task_state", one.state), dueOf(one), [time(one.ended_at), make("small", {}, ` ${late(one)}`)]]), { caption: say("drills.tasks") }),
    make("h3", {}, say("drills.sites")), make("p", {}, Object.entries(summary.sites ?? {}).map(([id, one]) => `${id}: ${named("site_danger", one.state)}`).join(" · ") || "–"),
    make("h3", {}, say("drills.went")), result, make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")))));
  showResult(result, row);
  byId("drill").focus({ preventScroll: true });
  byId("drill").scrollIntoView({ block: "start" });
}

/** What was expected of a drill and what was done: of the newest evaluation, or one click away. */
function showResult(box, { run }) {
  const made = state.evaluated.get(run.id);
  if (!made) {
    const told = make("div");
    const go = make("button", { type: "button", onclick: async () => {
      go.disabled = true;
      const ended = await askRun(told, "emergency evaluate", { drill: { run: run.id } });
      go.disabled = false;
      if (ended) { state.evaluated.set(run.id, ended); showResult(box, { run }); }
    } }, say("drills.evaluate"));
    fill(box, mayAsk ? make("p", {}, go) : make("p", { class: "note" }, say("drills.not_evaluated")), told);
    return;
  }
  const { outcomes, ...sums } = made.outcome.summary, page = Object.keys(made.outcome.files ?? {}).find((name) => name.endsWith(".html"));
  fill(box, figures(["done", "late", "missed", "pending"].map((name) => [named("expected_state", name), count(sums[name])])),
    table([say("drills.expected"), say("drills.state"), { text: say("drills.took"), number: true }, { text: say("drills.within"), number: true }],
      outcomes.map((one) => [said(one), named("expected_state", one.state), one.took_s === null ? "–" : count(one.took_s / 60), count(one.within_s / 60)]), { caption: say("drills.went") }),
    page ? make("p", {}, make("a", { href: pageOf(made, page), target: "_blank", rel: "noopener" }, say("results.report"))) : null);
}

try {
  const whole = async (study) => Promise.all((await runsOf(study, LISTED)).map((one) => wholeRun(one.id)));
  state.drills = (await whole("emergency drill")).map((run) => ({ run, summary: run.outcome.summary }));
  for (const one of (await whole("emergency evaluate")).reverse()) if (one.request.drill?.run) state.evaluated.set(one.request.drill.run, one);
  list.show(state.drills);
  showPlans();
  const wanted = new URLSearchParams(location.search).get("run"), found = state.drills.find((row) => row.run.id === wanted);
  if (found) open(found);
} catch (error) { fill(place, refusal(error)); byId("plans").replaceChildren(); }
document.body.dataset.ready = "yes";
