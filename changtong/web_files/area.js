// An area: its studies as cards, and what was run of them lately.
import { get } from "./api.js";
import { newestOf } from "./cards.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { nameOf, offers, saysOf } from "./offers.js";
import { stateOf } from "./run_state.js";
import { say, time } from "./words.js";

const place = byId("area");
try {
  const known = await offers(), cards = [...place.querySelectorAll("[data-study]")].filter((card) => known.has(card.dataset.study));
  const asked = new URLSearchParams(cards.map((card) => ["study", card.dataset.study]));
  const { newest } = cards.length ? await get(`/api/v1/studies/newest?${asked}`) : { newest: {} };
  for (const card of place.querySelectorAll("[data-study]")) {
    const one = known.get(card.dataset.study);
    if (!one) { card.remove(); continue; }
    fill(card, make("a", { href: `/studies/${encodeURIComponent(one.name)}` }, make("b", {}, nameOf(one)), make("small", {}, saysOf(one))), newestOf(newest[one.name], card.dataset.headlines.split(" ").filter(Boolean)));
  }
  place.removeAttribute("aria-busy");
  const names = new Set([...place.querySelectorAll("[data-study]")].map((card) => card.dataset.study));
  const { runs } = await get("/api/v1/runs?limit=100");
  const mine = runs.filter((run) => names.has(run.study)).slice(0, 10);
  fill(byId("recent"), mine.length ? table([say("runs.study"), say("runs.state"), say("runs.made_at")],
    mine.map((run) => [make("a", { href: `/runs/${run.id}` }, nameOf(known.get(run.study)) || run.study), stateOf(run), time(run.made_at)]))
    : make("p", { class: "note" }, say("runs.none_says")));
} catch (error) { fill(byId("recent"), refusal(error)); }
document.body.dataset.ready = "yes";
