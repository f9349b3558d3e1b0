// A round: everybody ranked among equals, regions side by side, what the ranking still waits for.
import { get } from "./api.js";
import { kindOf, nameOf, pathOf, points, stageOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { count, named, say } from "./words.js";

const place = byId("round"), { card } = place.dataset, base = `/api/v1/scorecards/${encodeURIComponent(card)}`;
const SIZES = ["county", "city", "province"];
const number = (text) => ({ text, number: true });
const signed = (value) => (value === null || value === undefined ? "–" : value > 0 ? `+${points(value)}` : points(value));

function group(rows) {
  const [first] = rows, title = [first.level, first.peer_group].filter(Boolean).join(" · ");
  return make("section", { class: "card" }, make("h2", {}, title), make("p", { class: "note" }, say(first.peers > 1 ? "assessment.among" : "assessment.alone", { peers: count(first.peers) })),
    table([say("assessment.subject"), number(say("assessment.rank")), number(say("assessment.score")), say("assessment.band"), number(say("assessment.to_best")), number(say("assessment.to_last_year")), number(say("assessment.deducted")), say("assessment.stage")],
      rows.map((one) => [make("a", { href: pathOf(card, one.subject_id) }, one.name), `${one.rank}${one.tied ? "=" : ""}`, points(one.score), one.band ?? "–", points(one.gap_to_best), signed(one.change), points(one.deducted), stageOf(one.stage ?? "open")]), { caption: title }));
}

async function regions(into, by) {
  try {
    const told = (await get(`${base}/comparison?by=${by}`)).regions;
    fill(into, told.length ? table([say("assessment.region"), say("assessment.level"), number(say("assessment.subjects")), number(say("assessment.median")), number(say("assessment.to_peers")), number(say("assessment.spread"))],
      told.map((one) => [one.region, [one.level, one.peer_group].filter(Boolean).join(" · "), make("span", {}, count(one.subjects), one.few ? make("small", {}, ` ${say("assessment.few")}`) : null), points(one.median), signed(one.to_peers), `${points(one.worst)} – ${points(one.best)}`]), { caption: say("assessment.regions") })
      : make("p", { class: "note" }, say("assessment.no_regions")));
  } catch (error) { fill(into, refusal(error)); }
}

try {
  const told = await get(`${base}/result`);
  const groups = Map.groupBy(told.ranking, (one) => `${one.level}/${one.peer_group}`);
  const side = make("div", {}), size = make("select", { onchange: () => regions(side, size.value) }, SIZES.map((one) => make("option", { value: one }, named("assess_size", one))));
  fill(place, make("h1", {}, say("assessment.card_title", { title: nameOf(told), year: told.year, version: told.version })), kindOf(told), make("p", {}, make("a", { href: `/scorecards/${encodeURIComponent(card)}` }, say("assessment.to_card"))),
    told.complete ? null : make("p", { class: "notice" }, say("assessment.provisional", { departments: told.waiting_for.join(", ") })),
    make("p", { class: "note" }, say("assessment.fair")), [...groups.values()].map(group),
    make("section", { class: "card" }, make("h2", {}, say("assessment.regions")), make("p", { class: "note" }, say("assessment.regions_say")), make("div", { class: "filters" }, make("label", {}, say("assessment.size"), size)), side));
  await regions(side, size.value);
} catch (error) { fill(place, make("h1", {}, say("assessment.round")), refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
