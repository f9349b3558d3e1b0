// What has happened in a case: levels, measures, the log, whether it is as it was written, and the closing review.
import { get } from "./api.js";
import { entryText, levelSign, measureName, valueName } from "./case_words.js";
import { fill, make, refusal, table } from "./elements.js";
import { count, lang, named, say, seconds, time } from "./words.js";

export function showLevels(into, { told }) {
  fill(into, make("h2", {}, say("cases.levels")), told.levels.length ? table([say("cases.level"), say("cases.at"), say("cases.by"), say("cases.reason")], [...told.levels].reverse().map((one) => [levelSign(one.level), time(one.at), one.by, [one.reason, one.proposed !== one.level ? make("small", {}, ` ${say("cases.proposed_was", { level: one.proposed === "none" ? say("cases.no_level") : one.proposed })}`) : null]]), { caption: say("cases.levels") }) : make("p", { class: "note" }, say("cases.no_levels")));
}

export function showMeasures(into, { told, plan }) {
  const rows = Object.entries(told.measures);
  fill(into, make("h2", {}, say("cases.measures")), rows.length ? table([say("cases.measure"), say("cases.value")], rows.map(([name, value]) => [measureName(plan, name), valueName(value)]), { caption: say("cases.measures") }) : null,
    told.proposal.missing.length ? make("p", { class: "note" }, say("cases.missing", { what: told.proposal.missing.map((name) => measureName(plan, name)).join(lang === "en" ? ", " : "、") })) : null);
}

export function showLog(into, { entries, plan, tasks }) {
  fill(into, make("h2", {}, say("cases.log")), table([say("cases.at"), say("cases.by"), say("cases.action"), say("cases.content")], [...entries].reverse().map((one) => [time(one.at), one.by, named("case_action", one.action), entryText(one, plan, tasks)]), { caption: say("cases.log") }));
}

/** Situation reports on record, each as a document that says what was known then. */
export function showReports(into, { entries, base }) {
  const reports = entries.filter((one) => one.action === "situation_report").reverse();
  into.hidden = !reports.length;
  const file = (one) => `${base}/situation-reports/${one.data.number}.docx?language=${lang}`;
  fill(into, make("h2", {}, say("cases.reports")), table([say("cases.report_number"), say("cases.at"), say("cases.by"), say("cases.figures"), say("cases.document")], reports.map((one) => [String(one.data.number), time(one.at), one.by, figuresOf(one.data.figures), make("a", { href: file(one), download: `situation-report-${one.data.number}.docx` }, say("cases.docx"))]), { caption: say("cases.reports") }));
}
const figuresOf = (kept = {}) => [kept.plan ? say("cases.figures_plan") : null, kept.indicators ? say("cases.figures_of_day", { day: kept.day }) : null].filter(Boolean).join(" · ") || "–";

/** Whether the log is as it was written, looked at when it is asked for. */
export function showCheck(into, { base }) {
  const answer = make("div", { "aria-live": "polite" });
  fill(into, make("h2", {}, say("cases.check")), make("p", { class: "note" }, say("cases.check_says")), make("p", {}, make("button", { type: "button", onclick: async () => {
    try {
      const told = await get(`${base}/check`);
      fill(answer, make("p", { class: told.whole ? "notice" : "notice wrong" }, say(told.whole ? "cases.is_whole" : "cases.is_altered", { entries: count(told.entries) })), make("p", { class: "note" }, say("cases.head"), " ", make("code", {}, told.head)),
        told.whole ? null : make("ul", {}, told.findings.map((one) => make("li", {}, Object.values(one).filter((value) => value !== null).join(" · ")))));
    } catch (error) { fill(answer, refusal(error)); }
  } }, say("cases.check_go"))), answer);
}

export async function showReview(into, { told, base }) {
  into.hidden = !told.ended_at;
  if (into.hidden) return;
  try {
    const made = await get(`${base}/review`), figure = (key, value) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value));
    const late = [...made.reports_late.map((one) => one.clock), ...made.tasks_late.map((one) => one[lang] ?? one.task)];
    fill(into, make("h2", {}, say("cases.review")), make("dl", { class: "figures" }, figure("cases.took", seconds(made.took_s)), figure("cases.to_level", seconds(made.to_level_s) ?? "–"), figure("cases.reports_met", `${count(made.reports_met)} / ${count(made.reports_met + made.reports_late.length)}`), figure("cases.done_steps", `${count(made.tasks_done)} / ${count(made.tasks)}`), figure("cases.steps_late", count(made.tasks_late.length)), figure("cases.median_step", seconds(made.median_task_s) ?? "–")),
      late.length ? make("p", {}, make("b", {}, say("cases.was_late")), " ", late.join(lang === "en" ? "; " : "；")) : null,
      made.lessons.length ? [make("h3", {}, say("cases.lessons_learnt")), make("ul", {}, made.lessons.map((one) => make("li", {}, one)))] : null,
      make("p", { class: "screen" }, make("a", { class: "button", href: `${base}/review.docx?language=${lang}`, download: "review.docx" }, say("cases.review_docx"))));
  } catch (error) { fill(into, make("h2", {}, say("cases.review")), refusal(error)); }
}
