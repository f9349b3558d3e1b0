// The requests of persons about their own data: what is due next first, days left of each.
import { get } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { wordOf } from "./record_fields.js";
import { count, say, time } from "./words.js";

const place = byId("requests"), showsAll = new URLSearchParams(location.search).has("all");
const KIND = "data_request";

function left(one) {
  const next = one.clocks[0];
  if (!next) return "–";
  const isLate = next.stage === "overdue";
  return make("span", { class: isLate ? "wrong" : null, "data-stage": next.stage }, say(isLate ? "data_requests.overdue" : "data_requests.left", { days: Math.abs(next.days_left), day: next.last_day }));
}

function show({ requests, overdue }) {
  const which = byId("which");
  if (showsAll) { which.href = location.pathname; which.textContent = say("data_requests.show_open"); }
  if (!requests.length) {
    fill(place, make("section", { class: "card empty" }, make("h2", {}, say("data_requests.none")), make("p", {}, say("data_requests.none_says"))));
    return;
  }
  const rows = requests.map((one) => [make("a", { href: `/data-requests/${encodeURIComponent(one.request_id)}` }, wordOf(KIND, one.kind)), one.name, wordOf(KIND, one.state), left(one), time(one.received_at)]);
  fill(place, make("p", { id: "count", class: overdue ? "wrong" : "note" }, say("data_requests.count", { count: count(requests.length), overdue: count(overdue) })),
    table([say("data_requests.kind"), say("data_requests.person"), say("data_requests.state"), say("data_requests.days"), say("data_requests.received")], rows, { caption: say("data_requests.title") }));
}

try { show(await get(`/api/v1/data-requests${showsAll ? "" : "?open=true"}`)); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
