// The emergency cases that one may see: state, level, what is open and overdue by now; read again each half minute.
import { caseTitle, keepFocus, levelSign } from "./case_words.js";
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { count, lang, named, say, time } from "./words.js";

const place = byId("cases"), all = byId("all"), AGAIN_MS = 30_000;
const number = (text) => ({ text, number: true });
const GRAVE = ["I", "II", "III", "IV", "none"];
let plans = new Map();

const many = (value) => (value === null || value === undefined ? "–" : count(value));
const late = (value) => (value ? make("span", { class: "due overdue" }, count(value)) : many(value));

function empty() {
  const way = (key) => make("li", {}, say(key));
  return make("section", { class: "card empty" }, make("h2", {}, say(all.checked ? "cases.none_at_all" : "cases.none")), make("p", {}, say("cases.none_says")),
    make("ol", { class: "ways" }, [way("cases.way_alert"), way("cases.way_warning"), way("cases.way_plan"), way("cases.way_drill")]),
    make("p", {}, place.dataset.add ? make("a", { class: "button main", href: "/case-new" }, say("cases.open")) : say("cases.ask_duty")));
}

function row(one) {
  const waits = one.level_to_confirm ? make("small", { class: "wait" }, ` ${say("cases.to_confirm")}`) : null;
  return [caseTitle(one), make("span", {}, levelSign(one.level), waits), named("case_state", one.state), many(one.open_tasks), late(one.overdue), plans.get(one.plan)?.[`title_${lang}`] ?? one.plan, time(one.opened_at)];
}

async function show() {
  const { cases } = await get(`/api/v1/cases${all.checked ? "?all=true" : ""}`);
  cases.sort((a, b) => (b.overdue ?? 0) - (a.overdue ?? 0) || GRAVE.indexOf(a.level) - GRAVE.indexOf(b.level) || b.opened_at.localeCompare(a.opened_at));
  fill(place, cases.length ? table([say("cases.case"), say("cases.level"), say("cases.state"), number(say("cases.open_steps")), number(say("cases.overdue")), say("cases.plan"), say("cases.opened")], cases.map(row), { caption: say("cases.title") }) : empty());
}
const again = () => show().catch((error) => fill(place, refusal(error)));

all.addEventListener("change", again);
plans = new Map((await get("/api/v1/cases/plans").catch(() => ({ plans: [] }))).plans.map((one) => [one.id, one]));
await again();
setInterval(() => { if (!document.hidden) keepFocus(place, again); }, AGAIN_MS);
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
