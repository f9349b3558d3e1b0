// The scorecards that are kept, by card, each version with what it is; and where one may, another is kept from files.
import { get } from "./api.js";
import { nameOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { keepForm } from "./scorecard_keep.js";
import { count, named, say, time } from "./words.js";

const place = byId("cards");
const number = (text) => ({ text, number: true });

/** Which of the versions of a year was kept last: the others say that a later one is there. */
function standing(one, versions) {
  const newest = versions.filter((it) => it.year === one.year).at(-1);
  return newest === one ? say("scorecard.newest") : make("span", { class: "note" }, say("scorecard.later", { version: newest.version }));
}

function group(versions) {
  const last = versions.at(-1), kind = (one) => (one.provenance === "official" ? say("scorecard.official") : named("inspect", one.provenance));
  return make("section", { class: "card", "data-of": last.card_id }, make("h2", {}, nameOf(last)), make("p", { class: "note" }, `${last.card_id} · ${last.organisation}`),
    table([say("scorecard.version"), say("scorecard.year"), say("scorecard.kind"), say("scorecard.standing"), number(say("scorecard.subjects")), say("scorecard.kept_at"), ""],
      [...versions].reverse().map((one) => [make("a", { href: `/scorecards/${encodeURIComponent(one.card)}` }, say("scorecard.version_of", { version: one.version })), String(one.year), kind(one), standing(one, versions), count(one.subjects), time(one.kept_at), make("a", { href: `/assessment?card=${encodeURIComponent(one.card)}` }, say("scorecard.to_assessments"))]), { caption: nameOf(last) }));
}

async function every() {
  const found = [];
  for (let after = ""; after !== null;) {
    const { cards, next } = await get(`/api/v1/scorecards?after=${encodeURIComponent(after)}`);
    found.push(...cards);
    after = next;
  }
  return found.sort((a, b) => a.kept_at.localeCompare(b.kept_at));
}

try {
  const groups = Map.groupBy(await every(), (one) => `${one.organisation}/${one.card_id}`), mayAdd = place.dataset.add;
  fill(place, groups.size ? [...groups.values()].map(group) : make("section", { class: "card empty" }, make("h2", {}, say("scorecard.none")), make("p", {}, say(mayAdd ? "scorecard.none_keep" : "scorecard.none_says"))),
    mayAdd ? keepForm({ isOpen: !groups.size }) : null);
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
