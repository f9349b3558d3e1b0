// The list of issued plans, newest first.
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { count, named, say, time } from "./words.js";

const place = byId("plans");
async function show(after = "") {
  let found;
  try { found = await get(`/api/v1/issued-plans?limit=50&after=${encodeURIComponent(after)}`); } catch (error) { fill(place, refusal(error)); return; }
  const plans = found.issued_plans;
  if (!plans.length && !after) { fill(place, make("section", { class: "card empty" }, make("h2", {}, say("issued.none")), make("p", {}, say("issued.none_says")))); return; }
  const part = (some, all) => (all ? `${count(some)} / ${count(all)}` : "–");
  const answered = ({ state, answers: got }) => (state === "withdrawn" ? part(got.stop_seen, got.stop_seen + got.stop_waits) : part(got.acknowledged, got.acknowledged + got.cannot + got.sent)); // of a withdrawn one: the withdrawal
  fill(place, table([say("issued.plan"), say("issued.state"), say("issued.valid_from"), { text: say("issued.acknowledged"), number: true }, { text: say("issued.overdue"), number: true }],
    plans.map((plan) => [make("a", { href: `/issued/${plan.id}` }, plan.title), named("issued_state", plan.state), time(plan.valid_from), plan.issued_at ? answered(plan) : "–", plan.issued_at ? count(plan.answers.overdue + plan.answers.stop_overdue) : "–"]), { caption: say("issued.title") }),
  found.next ? make("p", { class: "row end" }, make("button", { type: "button", onclick: () => show(found.next) }, say("runs.older"))) : null);
  place.removeAttribute("aria-busy");
}
await show();
document.body.dataset.ready = "yes";
