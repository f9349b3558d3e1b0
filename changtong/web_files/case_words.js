// What pages of cases have in common: a title with the mark of a drill, levels, when something is due, what an entry says.
import { make } from "./elements.js";
import { lang, named, say, seconds, time } from "./words.js";

/** The mark that stands wherever something of a drill is shown. */
export const drillSign = (one) => (one.is_drill ? make("span", { class: "drill" }, say("cases.is_drill")) : null);
export const levelSign = (level) => make("span", { class: `level ${level}` }, level === "none" ? say("cases.no_level") : level);
export const caseTitle = (one) => [make("a", { href: `/cases/${encodeURIComponent(one.case_id)}` }, one.title), drillSign(one) ? [" ", drillSign(one)] : null, make("small", {}, ` ${one.case_id}`)];
export const said = (one) => one?.[lang] ?? one?.zh ?? "";

/** Draw a part anew; who stands on a link or button in it stands there afterwards too. */
export async function keepFocus(place, redraw) {
  const among = () => [...place.querySelectorAll("a[href], button")], at = among().indexOf(document.activeElement), text = document.activeElement?.textContent;
  await redraw();
  const there = at >= 0 ? among()[at] : null;
  if (there && there.textContent === text) there.focus({ preventScroll: true });
}

/** When something is due, and how long that still is, or since when it is overdue. */
export function dueOf(due, state, now) {
  if (!due) return "–";
  const left_s = (new Date(due) - now) / 1000;
  if (state === "overdue") return make("span", { class: "due overdue" }, say("cases.overdue_by", { time: seconds(-left_s), at: time(due) }));
  if (state === "running" && left_s > 0) return make("span", {}, make("b", {}, say("cases.left", { time: seconds(left_s) })), make("small", {}, ` ${time(due)}`));
  return time(due);
}

/** A measure as the plan names it; one that the plan does not look at by its code. */
export const measureName = (plan, name) => said(plan.measures.find((it) => it.id === name)) || name;
export const valueName = (value) => (value === null || value === undefined ? say("shell.unknown") : typeof value === "boolean" ? named("value", value ? "yes" : "no") : named("case_colour", String(value)));
const measured = (values, plan) => Object.entries(values ?? {}).map(([name, value]) => `${measureName(plan, name)}: ${valueName(value)}`).join("; ");
const sitesOf = (sites) => Object.entries(sites ?? {}).map(([site, one]) => `${site}: ${named("site_danger", one.state)}${one.text ? ` (${one.text})` : ""}`).join("; ");

/** What an entry of the log says, in one line. */
export function entryText(entry, plan, tasks) {
  const data = entry.data, clock = plan.clocks.find((one) => one.id === data.clock);
  const task = tasks.get(data.task) ?? plan.tasks.find((one) => one.id === data.task) ?? data;
  const parts = {
    open: () => [data.event?.text, measured(data.measures, plan), sitesOf(data.sites)],
    level: () => [data.level === "none" ? say("cases.no_level") : data.level, data.proposed !== data.level ? say("cases.proposed_was", { level: data.proposed === "none" ? say("cases.no_level") : data.proposed }) : null, data.reason],
    task: () => [`${said(task) || data.task}: ${named("case_do", data.do)}`, data.text],
    site: () => [sitesOf(data.sites)],
    measure: () => [measured(data.measures, plan), data.text],
    report: () => [said(clock) || say("cases.other_report"), named("case_form", data.form), data.to, data.text],
    end: () => [data.reason, data.although],
    close: () => data.lessons,
    situation_report: () => [String(data.number)],
  };
  return (parts[entry.action]?.() ?? [data.text, data.reason]).filter(Boolean).join(" · ");
}
