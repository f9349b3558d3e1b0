// The list of runs, newest first.
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { nameOf, offers } from "./offers.js";
import { stateOf } from "./run_state.js";
import { say, seconds, time } from "./words.js";

const place = byId("runs");
const took = (run) => run.begun_at && run.ended_at ? seconds((new Date(run.ended_at) - new Date(run.begun_at)) / 1000) : "–";

async function show(after = "") {
  let found, known;
  try { known = await offers(); found = await get(`/api/v1/runs?limit=50&after=${after}`); } catch (error) { fill(place, refusal(error)); return; }
  if (!found.runs.length && !after) {
    fill(place, make("section", { class: "card empty" }, make("h2", {}, say("runs.none")), make("p", {}, say("runs.none_says"))));
    return;
  }
  fill(place, table([say("runs.study"), say("runs.network"), say("runs.state"), say("runs.made_at"), { text: say("runs.took"), number: true }],
    found.runs.map((run) => [make("a", { href: `/runs/${run.id}` }, nameOf(known.get(run.study)) || run.study), run.network ?? "–", stateOf(run), time(run.made_at), took(run)]), { caption: say("runs.title") }),
  found.next ? make("p", { class: "row end" }, make("button", { type: "button", onclick: () => show(found.next) }, say("runs.older"))) : null);
  place.removeAttribute("aria-busy");
}
await show();
document.body.dataset.ready = "yes";
