// Marks of one's own department on a scorecard: put down, handed in, and beside those of the others once all are in.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { nameOf, points } from "./assessment_words.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { count, say } from "./words.js";

const place = byId("marks"), { card } = place.dataset, base = `/api/v1/scorecards/${encodeURIComponent(card)}`;
const WHOLE = "";
const list = (text) => String(text ?? "").split(/[,，;；]/).map((one) => one.trim()).filter(Boolean);
const isMarked = (item, department) => item.scoring === "marks" && (!list(item.departments).length || list(item.departments).includes(department));
const number = (text) => ({ text, number: true });
let told, status, own, department;
const nameOfSubject = (id) => status.assessed.find((one) => one.subject_id === id)?.name ?? id;
const subjectName = (id, name) => [name, name === id ? null : make("small", { class: "note" }, ` ${id}`)];

/** What a department marks: items of the card, or the whole where another department takes what the card gives. */
function columnsOf() {
  const items = told.indicators.filter((one) => isMarked(one, department.department_id)).map((one) => ({ id: one.indicator_id, name: nameOf(one), most: one.max_points }));
  return items.length || !told.departments.some((one) => one.from_facts) ? items : [{ id: WHOLE, name: say("marks.whole"), most: null }];
}

function form(columns, given, isDone) {
  const at = new Map(given.map((one) => [`${one.subject_id} ${one.indicator_id ?? WHOLE}`, one])), versions = new Map(given.map((one) => [one.subject_id, one.version]));
  const kept = (subject, column) => at.get(`${subject} ${column.id}`), wrong = make("div", { "aria-live": "assertive" });
  const cell = (subject, column) => (isDone ? points(kept(subject, column)?.points) : make("input", { type: "number", inputmode: "decimal", min: 0, max: column.most, step: "any", name: `${subject} ${column.id}`, value: kept(subject, column)?.points ?? null,
    "aria-label": say("marks.mark_of", { subject: nameOfSubject(subject), item: column.name, most: points(column.most) }) }));
  const node = make("form", { id: "give", onsubmit: async (event) => {
    event.preventDefault();
    const marks = [];
    for (const { subject_id: subject } of status.assessed) {
      const said = columns.map((column) => [column, node.elements.namedItem(`${subject} ${column.id}`).value.trim()]);
      if (said.every(([column, text]) => text === String(kept(subject, column)?.points ?? ""))) continue;
      for (const [column, text] of said) {
        if (text) marks.push({ subject_id: subject, points: Number(text), indicator_id: column.id || null, evidence: kept(subject, column)?.evidence ?? null, version: versions.get(subject) ?? null });
      }
    }
    if (!marks.length) { tell(say("marks.nothing_new")); return; }
    try {
      const { marked } = await post(`${base}/marks/${encodeURIComponent(department.department_id)}`, { marks }, { "Idempotency-Key": crypto.randomUUID() });
      await show();
      tell(say("marks.saved", { count: count(marked) }));
    } catch (error) { fill(wrong, refusal(error)); wrong.scrollIntoView({ block: "nearest" }); }
  } }, table([say("scorecard.subjects"), ...columns.map((one) => number(one.most === null ? one.name : say("marks.item_of", { item: one.name, most: points(one.most) })))],
    status.assessed.map(({ subject_id: subject, name }) => [subjectName(subject, name), ...columns.map((column) => cell(subject, column))]), { caption: say("marks.own") }), wrong,
  isDone ? null : make("p", { class: "row" }, make("button", { class: "main", type: "submit", id: "save" }, say("marks.save")), make("button", { type: "button", id: "hand-in", onclick: () => handIn(given.length) }, say("marks.hand_in"))));
  return node;
}

function handIn(given) {
  askFor(byId("ask"), { title: say("marks.hand_in"), says: say(given ? "marks.hand_in_says" : "marks.none_says"), go: say(given ? "marks.hand_in" : "marks.sets_none") }, async () => {
    await post(`${base}/marks/${encodeURIComponent(department.department_id)}/hand-in`, { sets_none: !given });
    await show();
    tell(say("marks.handed_in"));
  });
}

/** How far marks lie apart; null of a single one. */
function spreadOf(marks) {
  const given = marks.filter((one) => one !== undefined);
  return given.length > 1 ? Math.max(...given) - Math.min(...given) : null;
}

/** Marks of all departments, once all have handed in. */
async function shown() {
  const found = await get(`${base}/disagreements`);
  if (found.waiting_for.length) return null;
  const items = new Map(told.indicators.map((one) => [one.indicator_id, nameOf(one)])), names = new Map(told.departments.map((one) => [one.department_id, nameOf(one)]));
  const item = (one) => (one.indicator_id ? items.get(one.indicator_id) ?? one.indicator_id : say("marks.whole"));
  const departments = [...new Set(found.marks.map((one) => one.department_id))], rows = new Map();
  for (const one of found.marks) {
    const key = `${one.subject_id} ${one.indicator_id ?? ""}`;
    rows.set(key, { ...(rows.get(key) ?? { one }), [one.department_id]: one.points });
  }
  return make("section", { class: "card", id: "all-marks" }, make("h2", {}, say("marks.all")),
    make("p", { class: "note" }, found.disagreements.length ? say("marks.disagree", { count: count(found.disagreements.length) }) : say("marks.agree")),
    table([say("scorecard.subjects"), say("scorecard.item"), ...departments.map((one) => number(names.get(one) ?? one)), number(say("marks.spread"))],
      [...rows.values()].map((row) => [row, spreadOf(departments.map((one) => row[one]))]).sort(([, a], [, b]) => (b ?? -1) - (a ?? -1)).map(([row, spread]) => [subjectName(row.one.subject_id, nameOfSubject(row.one.subject_id)), item(row.one), ...departments.map((one) => points(row[one])), spread ? make("b", {}, points(spread)) : points(spread)]), { caption: say("marks.all") }));
}

async function show() {
  [told, status] = await Promise.all([get(base), get(`${base}/status`)]);
  const session = await get("/api/v1/session");
  own = told.departments.filter((one) => one.organisation === session.organisation && !one.from_facts);
  department = own.find((one) => one.department_id === department?.department_id) ?? own[0];
  const parts = [make("h1", {}, say("marks.title_of", { title: nameOf(told) })), make("p", { class: "notice" }, status.marks_are_blind ? say("marks.blind", { waiting: status.waiting_for.map((id) => nameOf(told.departments.find((one) => one.department_id === id) ?? {}) || id).join(document.documentElement.lang === "en" ? ", " : "、") }) : say("marks.are_shown"))];
  if (!department) parts.push(make("section", { class: "card empty" }, make("h2", {}, say("marks.not_yours")), make("p", {}, say("marks.not_yours_says"))));
  else {
    const columns = columnsOf(), { marks } = await get(`${base}/marks/${encodeURIComponent(department.department_id)}`), isDone = !status.marks_are_blind || !status.waiting_for.includes(department.department_id);
    parts.push(make("section", { class: "card" }, make("h2", {}, say("marks.own_of", { department: nameOf(department) })),
      own.length > 1 ? make("label", {}, say("scorecard.department"), make("select", { id: "department", onchange: (event) => { department = own.find((one) => one.department_id === event.target.value); show().catch(failed); } }, own.map((one) => make("option", { value: one.department_id, selected: one === department }, nameOf(one))))) : null,
      isDone ? make("p", { class: "note" }, say("marks.is_done")) : null, columns.length ? form(columns, marks, isDone) : make("p", {}, say("marks.no_items"))));
  }
  fill(place, parts, status.marks_are_blind ? null : await shown());
}
const failed = (error) => fill(place, make("h1", {}, say("marks.title")), refusal(error));

try { await show(); } catch (error) { failed(error); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
