// Coverage of villages: on the map by what is asked, as a table, the cheapest next steps.
import { bars } from "./chart.js";
import { byId, fill, make } from "./elements.js";
import { frame, siteFeatures, under } from "./map.js";
import { figures, fileOf, rowsOf } from "./results.js";
import { days } from "./rural_words.js";
import { sortTable } from "./sort_table.js";
import { count, lang, named, say, share } from "./words.js";

const BUILT_IN = "built-in definition"; // its name and label are English only
const comma = lang === "zh" ? "、" : ", ";
/** What colours mean: level → the words, and which level a village has. */
const WAYS = {
  served: { levels: ["mid", "full", "none"], of: (row) => row.served === null ? "none" : row.served ? "mid" : "full" },
  visits: { levels: ["low", "mid", "high", "full", "shut"], of: (row) => [[7, "low"], [5, "mid"], [3, "high"], [1, "full"]].find(([least]) => row.visits_per_week >= least)?.[1] ?? "shut" },
  hours: { levels: ["low", "mid", "high", "full", "none"], of: (row) => row.hours_to_delivery === null ? "none" : [[4, "low"], [12, "mid"], [24, "high"]].find(([most]) => row.hours_to_delivery <= most)?.[1] ?? "full" },
  pickup: { levels: ["low", "mid", "high", "full", "none"], of: (row) => row.pickup_km === null ? "none" : [[0.5, "low"], [1, "mid"], [2, "high"]].find(([most]) => row.pickup_km <= most)?.[1] ?? "full" },
};
const lackOf = (row) => [...(row.lacking ?? "").split(", ").filter(Boolean).map((one) => named("criterion", one)), ...(row.unknown ?? "").split(", ").filter(Boolean).map((one) => say("rural.not_known", { what: named("criterion", one) }))].join(comma);
const done = (row) => [row.weekdays ? say("rural.visit_more", { days: days(row.weekdays) }) : null, row.pickup_point ? say("rural.new_pickup") : null,
  row.more_firms ? say("rural.more_firms", { count: count(row.more_firms) }) : null, row.new_trips ? say("rural.new_trips", { count: count(row.new_trips) }) : null].filter(Boolean).join(comma);

export function coverageView(view) {
  const state = { rows: [], columns: null, active: true };
  const villages = sortTable(byId("villages"), [
    { text: say("rural.village"), of: (row) => row.name || row.site_id },
    { text: say("rural.covered"), of: (row) => row.served === null ? 1 : row.served ? 2 : 0, show: (row) => row.served ? say("rural.yes") : make("span", { class: row.served === null ? null : "due overdue" }, lackOf(row)) },
    { text: say("rural.visits"), number: true, of: (row) => row.visits_per_week, show: (row) => [count(row.visits_per_week), make("small", {}, ` ${days(row.weekdays)}`)] },
    { text: say("rural.hours"), number: true, of: (row) => row.hours_to_delivery, show: (row) => row.hours_to_delivery === null ? "–" : row.hours_to_delivery.toFixed(1) },
    { text: say("rural.pickup"), number: true, of: (row) => row.pickup_km, show: (row) => row.pickup_km ?? "–" },
    { text: say("rural.firms"), number: true, of: (row) => row.firms },
    { text: say("rural.people"), number: true, of: (row) => row.people, show: (row) => count(row.people) },
  ], { caption: say("rural.coverage"), choose: (row) => choose(row), filter: byId("cover-word") });
  const next = sortTable(byId("next"), [
    { text: say("rural.village"), of: (row) => row.name || row.site_id },
    { text: say("rural.to_do"), of: done },
    { text: say("rural.cost_week"), number: true, of: (row) => row.extra_cny_per_week, show: (row) => count(row.extra_cny_per_week) },
    { text: say("rural.people"), number: true, of: (row) => row.people, show: (row) => count(row.people) },
  ], { caption: say("rural.next"), choose: (row) => { next.mark(row); choose(state.rows.find((one) => one.site_id === row.site_id)); } });

  function draw() {
    const way = WAYS[byId("by").value], levels = state.rows.map(way.of);
    fill(byId("cover-legend"), way.levels.map((level) => make("li", {}, make("span", { class: `key ${level}` }), named("cover", `${byId("by").value}_${level}`))));
    if (state.active && state.columns) view.set("sites", siteFeatures(state.columns, state.rows.map((_, row) => row), levels));
  }
  function choose(row) {
    if (!row) return;
    villages.mark(row);
    if (row.lon === null || row.lat === null) return;
    view.set("chosen", [{ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [row.lon, row.lat] } }]);
    view.map.easeTo({ center: [row.lon, row.lat], zoom: Math.max(view.map.getZoom(), 9) });
  }
  const listed = () => villages.show(byId("lacking").checked ? state.rows.filter((row) => !row.served) : state.rows);

  async function show(run) {
    const told = run.outcome.summary;
    if (!("villages.csv" in (run.outcome.files ?? {}))) { fill(byId("cover-told"), make("p", { class: "notice" }, say("rural.old_coverage"))); byId("cover-rest").hidden = true; return; }
    state.rows = (await rowsOf(run, "villages.csv")).rows;
    const column = (name) => state.rows.map((row) => row[name]);
    state.columns = { id: column("site_id"), name: column("name"), lon: column("lon"), lat: column("lat"), load: column("people") };
    fill(byId("cover-told"), figures([
      [say("rural.villages_served"), share(told.village_share), `${count(told.served_villages)} / ${count(told.villages)}`], [say("rural.people_served"), share(told.people_share)],
      told.unknown_villages ? [say("rural.villages_unknown"), count(told.unknown_villages)] : null, ...told.asked.filter((name) => told.lacking[name]).map((name) => [say("rural.lack", { what: named("criterion", name) }), count(told.lacking[name])])]),
    make("p", { class: "note" }, say(told.plan ? "rural.of_plan" : "rural.of_tables", { county: told.county }), " ", told.definition.name === BUILT_IN ? say("rural.built_in") : say("rural.definition", { name: told.definition.name, label: told.definition.label })),
    make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")), make("a", { href: fileOf(run, "villages.csv"), download: true }, say("results.as_csv"))));
    if (state.active) frame(view.map, state.columns);
    draw();
    listed();
    const steps = (await rowsOf(run, "next_steps.csv")).rows;
    byId("next-says").textContent = told.next_steps ? say("rural.next_says", { cost: count(told.next_steps.extra_cny_per_week), share: share(told.next_steps.village_share) }) : say("rural.no_next");
    next.show(steps);
    fill(byId("bands"), bars(told.by_visits.map((one) => ({ label: say("rural.visits_of", { visits: one.band }), value: one.villages, shown: `${count(one.villages)} · ${share(one.village_share)}` })), { title: say("rural.visits") }));
  }
  byId("by").addEventListener("change", draw);
  byId("lacking").addEventListener("change", listed);
  return {
    show, pressed: (point) => choose(state.rows[under(view.map, point).site]),
    titleOf: (row) => { const one = state.rows[row]; return one ? [one.name || one.site_id, say("rural.visits_of", { visits: one.visits_per_week }), one.served ? say("rural.yes") : lackOf(one)].join(" · ") : ""; },
    active(is) { state.active = is; if (is && state.columns) { frame(view.map, state.columns); draw(); } },
  };
}
