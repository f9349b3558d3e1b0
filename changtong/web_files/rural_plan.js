// A county's plan: routes of both levels on the map, with vehicles, load, times and cost; its sheets; another beside it.
import { byId, fill, make, table } from "./elements.js";
import { frame, siteFeatures, under } from "./map.js";
import { figures, fileOf, pageOf, rowsOf, runsOf, wholeRun, has } from "./results.js";
import { comparePlans } from "./rural_compare.js";
import { offerSheets } from "./rural_sheets.js";
import { days } from "./rural_words.js";
import { sortTable } from "./sort_table.js";
import { count, named, say, share } from "./words.js";

const TIER = { trunk: "high", local: "mid", bus: "full" };
const KIND = { county: "shut", township: "high", village: "mid" };
const clock = (text) => text?.slice(0, 5) ?? "–";

/** The answers a run holds: the folder of each, its words and its figures. */
export function answersOf(run) {
  const folders = [...new Set(Object.keys(run.outcome.files).filter((name) => name.endsWith("/routes.csv")).map((name) => name.split("/")[0]))];
  const order = (folder) => ["with_buses", "shared"].indexOf(folder) + 1 || 3;
  return folders.sort((a, b) => order(a) - order(b)).map((folder) => {
    const firm = folder.startsWith("alone-") ? decodeURIComponent(folder.slice(6)) : "";
    const key = firm ? `alone_${firm}` : folder === "with_buses" ? "shared_with_buses" : folder;
    return { folder, name: firm || folder, text: firm ? say("rural.alone", { firm }) : named("county_answer", folder), told: run.outcome.summary.answers[key] };
  });
}

export function planView(view) {
  const state = { run: null, answer: null, sites: null, at: new Map(), routes: [], stops: new Map(), vehicles: new Map(), active: false };
  const nameOf = (id) => state.sites?.name[state.at.get(id)] || id;
  const loadOf = (row) => { const room = state.vehicles.get(row.vehicle_type); return room ? Math.max(row.delivered_pieces, row.collected_pieces) / room : null; };
  const list = sortTable(byId("routes"), [
    { text: say("rural.route"), of: (row) => row.route_id },
    { text: say("rural.tier"), of: (row) => named("tier", row.tier) },
    { text: say("rural.vehicle"), of: (row) => `${row.vehicle_type} ${row.vehicle ?? ""}` },
    { text: say("rural.days"), of: (row) => row.weekdays, show: (row) => days(row.weekdays) },
    { text: say("rural.time"), of: (row) => row.departs, show: (row) => `${clock(row.departs)}–${clock(row.returns)}` },
    { text: say("rural.load"), number: true, of: loadOf, show: (row) => [count(row.delivered_pieces), make("small", {}, ` ${share(loadOf(row))}`)] },
    { text: "km", number: true, of: (row) => row.distance_km, show: (row) => count(row.distance_km) },
    { text: say("rural.cost"), number: true, of: (row) => row.cost_cny, show: (row) => count(row.cost_cny) },
  ], { caption: say("rural.routes"), choose, filter: byId("route-word"), words: (row) => [row.route_id, row.vehicle_type, ...(state.stops.get(row.route_id) ?? []).map((one) => nameOf(one.site_id))].join(" ") });

  const wanted = () => { const day = byId("weekday").value; return state.routes.filter((row) => !day || row.weekdays.includes(day)); };
  function wayOf(row) {
    const stops = (state.stops.get(row.route_id) ?? []).map((one) => one.site_id);
    return [row.from_site, ...stops, ...(row.tier === "bus" ? [] : [row.from_site])].map((id) => state.at.get(id)).filter((at) => at !== undefined && state.sites.lon[at] !== null).map((at) => [state.sites.lon[at], state.sites.lat[at]]);
  }
  const line = (row, more) => ({ type: "Feature", id: state.routes.indexOf(row), geometry: { type: "LineString", coordinates: wayOf(row) }, properties: { row: state.routes.indexOf(row), level: TIER[row.tier] ?? "none", order: row.tier === "trunk" ? 2 : 1, wide: row.tier === "trunk" ? 3 : 2, change: "", ...more } });
  function draw() {
    if (!state.active || !state.sites) return;
    const left = new Set(state.unserved.map((row) => row.site_id));
    const levels = state.sites.id.map((id, row) => left.has(id) ? "full" : KIND[state.sites.kind[row]] ?? "none");
    view.set("sites", siteFeatures(state.sites, state.sites.id.map((_, row) => row), levels));
    view.set("legs", wanted().map((row) => line(row)).filter((one) => one.geometry.coordinates.length > 1));
  }
  function choose(row) {
    list.mark(row);
    const way = wayOf(row);
    if (way.length > 1) {
      view.set("near", [line(row, { wide: 3 })]);
      const xs = way.map(([x]) => x), ys = way.map(([, y]) => y);
      view.map.fitBounds([[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]], { padding: 70, maxZoom: 12 });
    }
    const stops = state.stops.get(row.route_id) ?? [];
    fill(byId("route"), make("div", { class: "chosen-card" }, make("h3", {}, `${row.route_id} · ${row.vehicle_type} ${row.vehicle ?? ""} · ${days(row.weekdays)}`,
      make("button", { type: "button", class: "plain", "aria-label": say("shell.close"), onclick: () => { byId("route").replaceChildren(); view.set("near", []); list.mark(null); } }, "✕")),
    make("p", { class: "note" }, say("rural.route_says", { from: nameOf(row.from_site), departs: clock(row.departs), returns: clock(row.returns), km: count(row.distance_km), cost: count(row.cost_cny) })),
    table([say("rural.stop"), say("rural.arrives"), { text: say("rural.brings"), number: true }, { text: say("rural.takes"), number: true }, { text: say("rural.cold"), number: true }],
      stops.map((one) => [`${one.stop}. ${nameOf(one.site_id)}`, clock(one.arrives), count(one.delivered_pieces), count(one.collected_pieces), count((one.delivered_cold_pieces ?? 0) + (one.collected_cold_pieces ?? 0))]), { caption: row.route_id })));
    byId("route").focus({ preventScroll: true });
    byId("route").scrollIntoView({ block: "nearest" });
  }

  async function show(run) {
    state.run = run;
    const { rows: sites } = await rowsOf(run, "county/sites.csv");
    const column = (name) => sites.map((row) => row[name] ?? null);
    state.sites = { id: column("site_id"), name: column("name"), kind: column("kind"), lon: column("lon"), lat: column("lat"), load: column("people").map((one) => one ?? 0) };
    state.at = new Map(state.sites.id.map((id, row) => [id, row]));
    state.vehicles = new Map((await rowsOf(run, "county/vehicles.csv")).rows.map((row) => [row.vehicle_type, row.capacity_pieces]));
    const answers = answersOf(run);
    fill(byId("answer"), answers.map((one) => make("option", { value: one.folder }, one.text)));
    if (state.active) frame(view.map, state.sites);
    await showAnswer();
    await offerOthers();
  }
  async function showAnswer() {
    const { run } = state, answer = answersOf(run).find((one) => one.folder === byId("answer").value);
    const [routes, stops, unserved] = await Promise.all(["routes.csv", "stops.csv", "unserved.csv"].map((name) => rowsOf(run, `${answer.folder}/${name}`)));
    Object.assign(state, { answer, routes: routes.rows, unserved: unserved.rows, stops: Map.groupBy ? Map.groupBy(stops.rows, (row) => row.route_id) : new Map() });
    const told = answer.told, alone = run.outcome.summary.alone;
    byId("route").replaceChildren();
    view.set("near", []);
    fill(byId("plan-told"), figures([
      [say("rural.cost_week"), count(told.cost_cny), alone?.cost_cny && !answer.folder.startsWith("alone") ? say("rural.against_alone", { share: share(told.cost_cny / alone.cost_cny - 1) }) : null],
      [say("rural.km_week"), count(told.distance_km)], [say("rural.hours_week"), count(told.hours)], [say("rural.pieces_week"), count(told.pieces)],
      [say("rural.unserved"), count(told.unserved_pieces)], [say("rural.vehicle_days"), count(told.vehicle_days)], [say("rural.stations"), count(told.stations)], [say("rural.carbon_week"), count(told.kgco2e)]]),
    make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")), has(run, "report.html") ? make("a", { href: pageOf(run, "report.html"), target: "_blank", rel: "noopener" }, say("results.report")) : null,
      make("a", { href: fileOf(run, `${answer.folder}/routes.csv`), download: true }, say("results.as_csv"))));
    offerSheets(byId("sheets"), run, answer);
    const tiers = [...new Set(state.routes.map((row) => row.tier))];
    fill(byId("plan-legend"), tiers.map((tier) => make("li", {}, make("span", { class: `key square ${TIER[tier] ?? ""}` }), named("tier", tier))), ["township", "village"].map((kind) => make("li", {}, make("span", { class: `key ${KIND[kind]}` }), named("kind", kind))), make("li", {}, make("span", { class: "key full" }), say("rural.place_unserved")));
    listed();
    fill(byId("unserved"), state.unserved.length ? table([say("rural.village"), say("rural.firm"), { text: say("rural.pieces_week"), number: true }, say("rural.why")],
      state.unserved.map((row) => [nameOf(row.site_id), row.firm ?? "–", count(row.pieces_per_week), named("unserved_code", row.code)]), { caption: say("rural.unserved") }) : make("p", { class: "note" }, say("rural.all_served")));
  }
  function listed() { list.show(wanted()); draw(); }
  async function offerOthers() {
    const found = [];
    for (const { id } of (await runsOf("rural plan", 10)).slice(0, 10)) {
      const run = id === state.run.id ? state.run : await wholeRun(id);
      for (const answer of answersOf(run)) found.push({ run, answer });
    }
    fill(byId("other"), make("option", { value: "" }, say("studies.choose")), found.map((one, k) => make("option", { value: String(k) }, `${one.run.outcome.summary.county} · ${one.answer.text} · ${one.run.id.slice(-5)}`)));
    byId("other").onchange = () => comparePlans(byId("compared"), { run: state.run, answer: state.answer }, found[Number(byId("other").value)] ?? null);
    byId("compared").replaceChildren();
  }
  byId("answer").addEventListener("change", async () => { await showAnswer(); byId("compared").replaceChildren(); });
  byId("weekday").addEventListener("change", listed);
  return {
    show, run: () => state.run,
    pressed(point) { const { leg } = under(view.map, point); if (leg !== undefined && state.routes[leg]) choose(state.routes[leg]); },
    titleOf: (row) => state.sites ? `${state.sites.name[row] || state.sites.id[row]} · ${named("kind", state.sites.kind[row])}` : "",
    active(is) { state.active = is; if (is && state.sites) { frame(view.map, state.sites); draw(); } },
  };
}
