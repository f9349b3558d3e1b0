// What may be done with a case as a whole: each asks for its words, and is written upon what was read.
import { get } from "./api.js";
import { askFor } from "./ask_for.js";
import { measureField, measureValue } from "./case_measures.js";
import { said } from "./case_words.js";
import { make } from "./elements.js";
import { lang, say, time } from "./words.js";

const LEVELS = ["I", "II", "III", "IV", "none"];
const text = (name, key, required, more = {}) => ({ name, label: say(key), type: "text", required, most: 4000, ...more });
const levelName = (level) => (level === "none" ? say("cases.no_level") : `${level}`);

/** The moves that the server says one may make, in the order they are needed. */
export function movesOf({ told, plan, dialog, write }) {
  const ask = (title, says, fields, body, more = {}) => askFor(dialog, { title, says, fields, go: title, ...more }, (values) => write(body(values)));
  const proposed = told.proposal.level;
  const others = LEVELS.filter((one) => !told.levels.length || one !== told.level).sort((a, b) => Number(b === proposed) - Number(a === proposed));
  const level = { name: "level", label: say("cases.level"), required: true, choices: others.map((one) => [one, one === proposed ? say("cases.level_proposed", { level: levelName(one) }) : levelName(one)]) };
  const moves = {
    level: () => ask(say("cases.set_level"), say("cases.set_level_says", { level: levelName(proposed) }), [level, text("reason", "cases.reason", false, { says: say("cases.level_reason_says") })], (values) => ({ action: "level", ...values })),
    measure: () => openMeasures({ told, plan, dialog, write }),
    add_task: () => ask(say("cases.add_step"), "", [{ name: "department", label: say("cases.department"), required: true, choices: Object.entries(plan.department_names).map(([id, one]) => [id, one[lang]]) }, { name: "title", label: say("cases.step"), required: true, most: 200 }, { name: "within", label: say("cases.within"), type: "number", min: 1, value: "60", required: true }],
      ({ within, ...values }) => ({ action: "add_task", task: `own-${crypto.randomUUID().slice(0, 8)}`, ...values, within_min: Number(within) })),
    situation_report: () => openReport({ told, dialog, write }),
    note: () => ask(say("cases.add_note"), "", [text("text", "cases.text", true)], (values) => ({ action: "note", ...values })),
    suspend: () => ask(say("cases.suspend"), say("cases.suspend_says"), [text("reason", "cases.reason", true)], (values) => ({ action: "suspend", ...values })),
    resume: () => ask(say("cases.resume"), say("cases.resume_says"), [text("reason", "cases.reason", true)], (values) => ({ action: "resume", ...values })),
    end: () => openEnd({ plan, dialog, write }),
    close: () => ask(say("cases.close"), say("cases.close_says"), [text("lessons", "cases.lessons", false)], (values) => ({ action: "close", lessons: values.lessons.split("\n").map((one) => one.trim()).filter(Boolean) }), { danger: true }),
  };
  const titles = { level: say(told.levels.length ? "cases.change_level" : "cases.set_level"), measure: say("cases.add_measures"), add_task: say("cases.add_step"), situation_report: say("cases.new_report", { number: told.situation_reports + 1 }), note: say("cases.add_note"), suspend: say("cases.suspend"), resume: say("cases.resume"), end: say("cases.end"), close: say("cases.close") };
  return Object.keys(moves).filter((name) => told.may.includes(name)).map((name) => ({ name, title: titles[name], open: moves[name], danger: name === "end" || name === "close" }));
}

/** A situation report takes the next number; figures of runs that are chosen are kept with it. */
async function openReport({ told, dialog, write }) {
  const runs = (study) => get(`/api/v1/runs?state=done&limit=30&study=${study}`).then((found) => found.runs, () => []);
  const [plans, days] = await Promise.all([runs("plan"), runs("indicators")]);
  const choice = (name, key, found) => ({ name, label: say(key), choices: [["", say("cases.without_figures")], ...found.map((one) => [one.id, [time(one.ended_at), one.network, one.id.slice(-6)].filter(Boolean).join(" · ")])] });
  askFor(dialog, { title: say("cases.new_report", { number: told.situation_reports + 1 }), says: say("cases.new_report_says"), fields: [choice("plan_run", "cases.figures_plan", plans), choice("indicators_run", "cases.figures_days", days)], go: say("cases.put_on_record") },
    ({ plan_run, indicators_run }) => write({ action: "situation_report", plan_run: plan_run || null, indicators_run: indicators_run || null }));
}

/** The end asks for each condition of the plan: met, or why it ends all the same. */
function openEnd({ plan, dialog, write }) {
  const ticks = make("fieldset", { class: "met" }, make("legend", {}, say("cases.met")), plan.end.length ? plan.end.map((one) => make("label", { class: "tick" }, make("input", { type: "checkbox", name: "met", value: one.id }), make("span", {}, said(one), make("small", {}, ` ${one[`terms_${lang}`]}`)))) : make("p", { class: "note" }, say("cases.no_conditions")));
  askFor(dialog, { title: say("cases.end"), says: say("cases.end_says"), more: ticks, fields: [text("reason", "cases.reason", true), text("although", "cases.although", false)], go: say("cases.end"), danger: true },
    (values) => write({ action: "end", ...values, met: [...ticks.querySelectorAll(":checked")].map((one) => one.value) }));
}

function openMeasures({ told, plan, dialog, write }) {
  const fields = plan.measures.map((one) => measureField(one, told.measures[one.id]));
  const box = make("div", { class: "form" }, fields);
  askFor(dialog, { title: say("cases.add_measures"), says: say("cases.measures_say"), more: box, fields: [text("text", "cases.source", false)], go: say("cases.add_measures") }, (values) => {
    const measures = {};
    for (const one of plan.measures) {
      const value = measureValue(one, box), before = told.measures[one.id] ?? null;
      if (value !== before) measures[one.id] = value;
    }
    if (!Object.keys(measures).length) throw new Error(say("registers.nothing"));
    return write({ action: "measure", measures, ...values });
  });
}
