// Versions of a scorecard, and what changed from one to the other: rows added and removed, cells before and after.
import { get } from "./api.js";
import { nameOf } from "./assessment_words.js";
import { fill, make, refusal, table } from "./elements.js";
import { count, named, say, time } from "./words.js";

const cell = (value) => (value === null || value === undefined || value === "" ? "–" : String(value));

function changesOf({ changes }) {
  if (!changes.length) return make("p", { class: "notice" }, say("scorecard.no_changes"));
  const what = (row) => [make("b", {}, (row.table !== "head" && nameOf(row)) || row.key || named("card_table", row.table)), make("small", {}, ` ${named("card_table", row.table)}`)];
  return [make("p", { class: "note" }, say("scorecard.changes_count", { count: count(changes.length) })),
    table([say("scorecard.what"), say("scorecard.change"), say("scorecard.cell"), say("scorecard.before"), say("scorecard.after")], changes.map((row) => [what(row), named("card_change", row.change), row.column ? named("card_column", row.column) : "–", cell(row.before), cell(row.after)]), { caption: say("scorecard.changes") })];
}

export async function showVersions(into, told) {
  const others = told.versions.filter((one) => one.card !== told.card), answer = make("div", { "aria-live": "polite", id: "changes" });
  const label = (one) => say("scorecard.of_year", { year: one.year, version: one.version });
  const select = make("select", { id: "since" }, make("option", { value: "" }, say("scorecard.choose")), [...others].reverse().map((one) => make("option", { value: one.card }, label(one))));
  async function compare() {
    const query = new URLSearchParams(location.search);
    if (select.value) query.set("since", select.value); else query.delete("since");
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
    if (!select.value) { fill(answer); return; }
    try { fill(answer, changesOf(await get(`/api/v1/scorecards/${encodeURIComponent(told.card)}/changes?since=${encodeURIComponent(select.value)}`))); } catch (error) { fill(answer, refusal(error)); }
  }
  select.addEventListener("change", compare);
  const row = (one) => [one.card === told.card ? make("b", {}, label(one), ` ${say("scorecard.this_one")}`) : make("a", { href: `/scorecards/${encodeURIComponent(one.card)}` }, label(one)), time(one.kept_at), count(one.subjects)];
  fill(into, make("h2", {}, say("scorecard.versions")), make("p", { class: "note" }, say("scorecard.versions_say")), table([say("scorecard.version"), say("scorecard.kept_at"), { text: say("scorecard.subjects"), number: true }], [...told.versions].reverse().map(row), { caption: say("scorecard.versions") }),
    others.length ? make("div", { class: "screen" }, make("h3", {}, say("scorecard.changes")), make("label", {}, say("scorecard.since"), select), answer) : null);
  const wanted = new URLSearchParams(location.search).get("since");
  if (others.some((one) => one.card === wanted)) { select.value = wanted; await compare(); into.scrollIntoView({ block: "start" }); }
}
