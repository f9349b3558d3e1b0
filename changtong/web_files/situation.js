// The page the program opens on: map, headline numbers, filters, one site or leg; a scan log's hours on it.
import { get } from "./api.js";
import { byId, fill, make, refusal, table, tellRefusal } from "./elements.js";
import { livePicture } from "./live.js";
import { placesOf } from "./live_drawn.js";
import { LEVELS, frame, legFeatures, levelOf, openMap, placed, siteFeatures, under } from "./map.js";
import { siteSearch } from "./site_search.js";
import { normalFigures, siteTable } from "./situation_lists.js";
import { count, named, say, time } from "./words.js";

const BUSIEST = 2500, FILTERS = ["region", "kind", "operator", "level", "legs"];
const place = byId("situation");
const state = { columns: null, drawn: null, rows: [], network: "", normal: null, isNew: true, chosen: null, leg: null };
const asked = new URLSearchParams(location.search);
const view = await openMap(byId("map"), { land: place.dataset.land, worker: new URL(place.dataset.worker, location).href });
state.view = view;
state.askedClass = asked.get("class") ?? "";
state.rowOf = (id) => (id === null || id === undefined || !state.columns ? undefined : placesOf(state.columns).sites.get(id));
state.nameOf = (row) => state.columns.sites.name?.[row] ?? state.columns.sites.id[row];
Object.assign(state, { show, tellChosen, showWay });
state.choose = (row) => choose(row);
/** Keep what is chosen in the address, so that it can be shared. */
state.keep = (values) => {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || (value === "" && name !== "log")) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  history.replaceState(null, "", address);
};
/** Columns and levels that are drawn: measured, forecast, or of a normal day. */
const now = () => state.drawn ?? state.normal;
const live = livePicture(state);
const levelWords = (level) => (level === "shut" || !live.words ? say(`situation.level_${level}`) : named("measure", `${live.words}_${level}`));

const kept = asked.get("network") ?? localStorage.getItem("network");
const chooser = byId("network");
if ([...chooser.options].some((one) => one.value === kept)) chooser.value = kept;
chooser.addEventListener("change", () => load(chooser.value));
await load(chooser.value);

async function load(network) {
  localStorage.setItem("network", network);
  fill(byId("figures"), make("div", {}, make("dt", {}, say("shell.loading"))));
  try {
    state.columns = await get(`/api/v1/networks/${encodeURIComponent(network)}/map`);
  } catch (error) { fill(byId("figures"), refusal(error)); return; }
  const { sites, legs } = state.columns;
  state.network = network;
  const levels = sites.id.map((_, row) => levelOf(sites.load?.[row], sites.room[row], sites.status?.[row]));
  const legLevels = legs.from.map((a, row) => levels[a] === "shut" || levels[legs.to[row]] === "shut"
    ? "shut" : levelOf(legs.load?.[row], legs.room[row]));
  state.normal = { kind: "normal", sites, legs, levels, legLevels };
  state.drawn = null;
  byId("read-at").textContent = say("situation.read_at", { at: time(new Date().toISOString()) });
  offerFilters();
  if (state.isNew) for (const id of [...FILTERS, "measure"]) if ([...byId(id).options].some((one) => one.value === asked.get(id))) byId(id).value = asked.get(id);
  if (!state.isNew) state.keep({ network, log: null, at: null, class: null, region: null, kind: null, operator: null, level: null });
  const [log, at] = state.isNew ? [asked.get("log"), asked.get("at")] : [null, null];
  state.isNew = false;
  await live.network(network, log, at);
  view.map.resize(); // the bar of hours takes some of its room
  frame(view.map, sites);
}

function offerFilters() {
  const { sites } = state.columns;
  const options = (values, words) => [make("option", { value: "" }, say("shell.all")),
    ...values.map((value) => make("option", { value }, words(value)))];
  const present = (column) => [...new Set((column ?? []).filter((value) => value !== null))].sort();
  const provinces = new Map();
  sites.admin_code?.forEach((code, row) => {
    if (!code) return;
    const province = code.slice(0, 2);
    if (!provinces.has(province) || code.endsWith("0000")) provinces.set(province, code.endsWith("0000") ? sites.name?.[row] : named("province", province));
  });
  fill(byId("region"), options([...provinces.keys()].sort(), (code) => provinces.get(code) ?? code));
  fill(byId("kind"), options(present(sites.kind), (kind) => named("kind", kind)));
  const operators = present(sites.operator);
  byId("operators").hidden = !operators.length;
  fill(byId("operator"), options(operators, (name) => name));
  fill(byId("level"), options(LEVELS, (level) => say(`situation.level_${level}`)));
}
/** The words of levels are those of what is drawn. */
function tellLevels() {
  for (const level of LEVELS) {
    document.querySelector(`[data-level=${level}]`).lastChild.textContent = levelWords(level);
    byId("level").querySelector(`[value=${level}]`).textContent = levelWords(level);
  }
  byId("level-head").textContent = live.words === "forecast" ? say("live.incoming") : live.words ? named("measure", live.words) : say("situation.level");
  live.tellBasis();
}

function show() {
  const { sites, legs, levels, legLevels } = now();
  const [region, kind, operator, level, wanted] = FILTERS.map((id) => byId(id).value);
  const inside = sites.id.map((_, row) => (!region || sites.admin_code?.[row]?.startsWith(region))
    && (!kind || sites.kind?.[row] === kind) && (!operator || sites.operator?.[row] === operator)
    && (!level || levels[row] === level));
  state.rows = sites.id.map((_, row) => row).filter((row) => inside[row]);
  let shown = wanted === "none" ? [] : legs.from.map((_, row) => row).filter((row) => inside[legs.from[row]] && inside[legs.to[row]]
    && placed(sites, legs.from[row]) && placed(sites, legs.to[row]));
  const busy = legs.busy ?? legs.load; // of the day: its hours show the same legs
  if (wanted === "busiest") shown = shown.filter((row) => busy?.[row] > 0).sort((a, b) => busy[b] - busy[a]).slice(0, BUSIEST);
  if (sites.lon && sites.lat) {
    view.set("sites", siteFeatures(sites, state.rows, levels));
    view.set("legs", legFeatures(sites, legs, shown, legLevels));
  }
  tellLevels();
  fill(byId("figures"), live.figures(state.rows) ?? normalFigures(state, inside));
  if (byId("as-table").open) listed();
}

const listed = () => fill(byId("table"), siteTable(state, now(), levelWords));

// --- one site or one leg -------------------------------------------------------------------
function facts(rows) {
  return make("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value]) => [make("dt", {}, key), make("dd", {}, value)]));
}
function panel(title, ...parts) {
  const box = byId("selection");
  const close = make("button", { type: "button", class: "plain", "aria-label": say("shell.close"), onclick: unchoose }, "✕");
  fill(box, make("h2", { tabindex: "-1" }, make("span", {}, title), close), parts);
  box.hidden = false;
  byId("side").scrollTo({ top: 0 });
  box.scrollIntoView({ block: "nearest" });
}
/** What is measured at the chosen site, at the time that the slider stands at. */
function tellChosen() {
  if (state.leg !== null && byId("leg-now")) fill(byId("leg-now"), legFacts(state.leg));
  const row = state.rowOf(state.chosen), place = byId("site-now");
  if (place && row !== undefined) fill(place, facts([[byId("level-head").textContent, levelWords(now().levels[row])]]), live.site(state.chosen));
}
/** The way of an item over the map. */
function showWay(rows) {
  const { sites } = state.columns, at = rows.filter((row) => row !== undefined && placed(sites, row)).map((row) => [sites.lon[row], sites.lat[row]]);
  view.set("near", at.length > 1 ? [{ type: "Feature", geometry: { type: "LineString", coordinates: at }, properties: { change: "", wide: 2, order: 0 } }] : []);
}
function unchoose() {
  state.chosen = state.leg = null;
  byId("selection").hidden = true;
  view.set("chosen", []);
  view.set("near", []);
  history.replaceState(null, "", location.pathname + location.search);
}

async function choose(row, { fly = true } = {}) {
  const { sites, legs, legLevels } = now();
  const id = sites.id[row], nameOf = (site) => { const at = sites.id.indexOf(site); return sites.name?.[at] ?? site; };
  history.replaceState(null, "", `#site=${encodeURIComponent(id)}`);
  if (placed(sites, row)) {
    const joined = legs.from.map((_, leg) => leg).filter((leg) => (legs.from[leg] === row || legs.to[leg] === row) && ((legs.busy ?? legs.load)?.[leg] ?? 1) > 0
      && placed(sites, legs.from[leg]) && placed(sites, legs.to[leg]));
    view.set("near", legFeatures(sites, legs, joined, legLevels));
    const at = [sites.lon[row], sites.lat[row]];
    view.set("chosen", [{ type: "Feature", geometry: { type: "Point", coordinates: at }, properties: {} }]);
    if (fly) view.map.easeTo({ center: at, zoom: Math.max(view.map.getZoom(), 6) });
  }
  const main = facts([
    ["ID", id], [say("situation.kind"), named("kind", sites.kind?.[row])], [say("situation.admin_code"), sites.admin_code?.[row]],
    [say("situation.operator"), sites.operator?.[row]],
    [say("situation.normal_of_room"), `${count(state.normal.sites.load?.[row])} / ${count(sites.room[row])}`]]);
  const declare = make("a", { class: "button main", href: `/respond?network=${encodeURIComponent(state.network)}&site=${encodeURIComponent(id)}` }, say("situation.declare_here"));
  state.chosen = id;
  state.leg = null;
  panel(sites.name?.[row] ?? id, main, declare, make("div", { id: "site-now" }), make("p", { class: "note" }, say("shell.loading")));
  tellChosen();
  try {
    const told = await get(`/api/v1/networks/${encodeURIComponent(state.network)}/sites/${encodeURIComponent(id)}`);
    if (!location.hash.endsWith(encodeURIComponent(id))) return;
    const link = (site) => make("a", { href: `#site=${encodeURIComponent(site)}`, onclick: (event) => { event.preventDefault(); choose(sites.id.indexOf(site)); } }, nameOf(site));
    const way = (key, side) => side.pieces_per_day ? make("details", {}, make("summary", {}, `${say(key)} (${count(side.pieces_per_day, { short: true })})`),
      table([say("situation.sites"), { text: say("situation.pieces"), number: true }], side.most.map((one) => [link(one.site_id), count(one.pieces_per_day)]))) : null;
    const used = (side) => side.legs.filter((leg) => leg.flow_pieces_per_day).sort((a, b) => b.flow_pieces_per_day - a.flow_pieces_per_day);
    const trips = (key, side) => used(side).length ? make("details", {}, make("summary", {}, `${say(key)} (${count(used(side).length)})`),
      table([say("situation.sites"), say("situation.mode"), { text: say("situation.pieces"), number: true }], used(side).slice(0, 60).map((leg) => [link(leg.site_id), named("mode", leg.mode), count(leg.flow_pieces_per_day)]))) : null;
    byId("selection").lastChild.remove(); // that it loads
    byId("selection").append(...[trips("situation.legs_out", told.out), trips("situation.legs_in", told.in),
      way("situation.out", told.out), way("situation.into", told.in)].filter(Boolean));
  } catch (error) { tellRefusal(error); }
}

/** What is known of a leg, at the time that the slider stands at. */
function legFacts(row) {
  const { legs, legLevels, kind } = now(), share = (load) => `${count(load)} / ${count(legs.room[row])}`;
  return facts([
    [say("situation.mode"), named("mode", legs.mode?.[row])],
    [say("situation.distance"), legs.distance_km[row] === null ? null : `${count(legs.distance_km[row])} km`],
    [say("situation.duration"), legs.travel_h[row] === null ? null : `${legs.travel_h[row]} h`],
    [say("situation.level"), say(`situation.level_${legLevels[row]}`)],
    ...(kind === "hour" ? [[say("live.leg_hour"), count(legs.load[row])], [say("live.leg_so_far"), share(legs.so_far[row])], [say("situation.normal_of_room"), share(state.normal.legs.load?.[row])]] : [[say("situation.load_of_room"), share(legs.load?.[row])]])]);
}
function chooseLeg(row) {
  state.chosen = null;
  state.leg = row;
  const { sites, legs } = now(), nameOf = (at) => sites.name?.[at] ?? sites.id[at];
  panel(`${nameOf(legs.from[row])} → ${nameOf(legs.to[row])}`, make("div", { id: "leg-now" }, legFacts(row)),
    make("a", { class: "button main", href: `/respond?network=${encodeURIComponent(state.network)}&leg=${encodeURIComponent(`${sites.id[legs.from[row]]}>${sites.id[legs.to[row]]}`)}` }, say("situation.declare_here")));
}

view.map.on("click", (event) => {
  const { site, leg } = under(view.map, event.point);
  if (site !== undefined) choose(site, { fly: false });
  else if (leg !== undefined) chooseLeg(leg);
  else unchoose();
});
const popup = new view.maplibre.Popup({ closeButton: false, closeOnClick: false, offset: 12 });
view.map.on("mousemove", "sites", (event) => {
  const { row } = event.features[0].properties, { sites, levels } = now();
  view.map.getCanvas().style.cursor = "pointer";
  popup.setLngLat([sites.lon[row], sites.lat[row]]).setText(`${sites.name?.[row] ?? sites.id[row]} · ${levelWords(levels[row])} · ${count(sites.load?.[row], { short: true })}`).addTo(view.map);
});
view.map.on("mouseleave", "sites", () => { view.map.getCanvas().style.cursor = ""; popup.remove(); });

// --- filters and search --------------------------------------------------------------------
for (const id of FILTERS) byId(id).addEventListener("change", () => { state.keep({ [id]: id === "legs" && byId(id).value === "busiest" ? null : byId(id).value }); show(); });
byId("as-table").addEventListener("toggle", () => { if (byId("as-table").open) listed(); });

siteSearch(byId("find"), byId("found"), () => state.columns, choose);

/** Choose the site of the address: when the page opens, and when a link within it leads to another. */
function follow() {
  const linked = new URLSearchParams(location.hash.slice(1)).get("site");
  if (linked && linked !== state.chosen && state.columns?.sites.id.includes(linked)) choose(state.columns.sites.id.indexOf(linked));
}
follow();
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/input|select|textarea/i.test(event.target.tagName)) { event.preventDefault(); byId("find").focus(); }
});
document.body.dataset.ready = "yes";
