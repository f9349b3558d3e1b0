// The page the program opens on: map, headline numbers, filters, one site or leg.
import { get } from "./api.js";
import { byId, fill, make, refusal, table, tellRefusal } from "./elements.js";
import { LEVELS, frame, legFeatures, levelOf, openMap, placed, siteFeatures, under } from "./map.js";
import { siteSearch } from "./site_search.js";
import { count, named, say, share, time } from "./words.js";

const BUSIEST = 2500, ROWS = 200;
const place = byId("situation");
const state = { columns: null, levels: null, legLevels: null, rows: [], network: "" };
const asked = new URLSearchParams(location.search);
const view = await openMap(byId("map"), { land: place.dataset.land, worker: new URL(place.dataset.worker, location).href });

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
  state.levels = sites.id.map((_, row) => levelOf(sites.load?.[row], sites.room[row], sites.status?.[row]));
  state.legLevels = legs.from.map((a, row) => state.levels[a] === "shut" || state.levels[legs.to[row]] === "shut"
    ? "shut" : levelOf(legs.load?.[row], legs.room[row]));
  byId("age").textContent = say("situation.read_at", { at: time(new Date().toISOString()) });
  offerFilters();
  show();
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
  fill(byId("level"), options(LEVELS.filter((level) => state.levels.includes(level)), (level) => say(`situation.level_${level}`)));
}

function show() {
  const { sites, legs } = state.columns;
  const [region, kind, operator, level, wanted] = ["region", "kind", "operator", "level", "legs"].map((id) => byId(id).value);
  const inside = sites.id.map((_, row) => (!region || sites.admin_code?.[row]?.startsWith(region))
    && (!kind || sites.kind?.[row] === kind) && (!operator || sites.operator?.[row] === operator)
    && (!level || state.levels[row] === level));
  state.rows = sites.id.map((_, row) => row).filter((row) => inside[row]);
  let shown = wanted === "none" ? [] : legs.from.map((_, row) => row).filter((row) => inside[legs.from[row]] && inside[legs.to[row]]
    && placed(sites, legs.from[row]) && placed(sites, legs.to[row]));
  if (wanted === "busiest") shown = shown.filter((row) => legs.load?.[row] > 0).sort((a, b) => legs.load[b] - legs.load[a]).slice(0, BUSIEST);
  if (sites.lon && sites.lat) {
    view.set("sites", siteFeatures(sites, state.rows, state.levels));
    view.set("legs", legFeatures(sites, legs, shown, state.legLevels));
  }
  figures(inside);
  if (byId("as-table").open) listed();
}

function figures(inside) {
  const { sites, legs, pieces_per_day: pieces } = state.columns;
  const of = (levels, names, rows) => rows.filter((row) => names.includes(levels[row])).length;
  const legRows = legs.from.map((_, row) => row).filter((row) => inside[legs.from[row]] || inside[legs.to[row]]);
  const one = (key, value, more = "") => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value, more ? make("small", {}, ` ${more}`) : null));
  const all = state.rows.length === sites.id.length;
  fill(byId("figures"),
    all ? one("situation.pieces", count(pieces, { short: true })) : null,
    one("situation.sites", count(state.rows.length), all ? "" : `/ ${count(sites.id.length)}`),
    one("situation.legs", count(legRows.length)),
    one("situation.shut_sites", count(of(state.levels, ["shut"], state.rows))),
    one("situation.full_sites", sites.load ? count(of(state.levels, ["high", "full"], state.rows)) : "–"),
    one("situation.full_legs", legs.load ? count(of(state.legLevels, ["high", "full"], legRows)) : "–"));
}

function listed() {
  const { sites } = state.columns;
  const used = (row) => sites.load && sites.room[row] ? sites.load[row] / sites.room[row] : null;
  const rows = [...state.rows].sort((a, b) => (used(b) ?? -1) - (used(a) ?? -1)).slice(0, ROWS);
  fill(byId("table"), table([say("situation.sites"), say("situation.state"), { text: say("situation.load_of_room"), number: true }],
    rows.map((row) => [
      make("a", { href: `#site=${encodeURIComponent(sites.id[row])}`, onclick: (event) => { event.preventDefault(); choose(row); } }, sites.name?.[row] ?? sites.id[row]),
      say(`situation.level_${state.levels[row]}`), share(used(row))]), { caption: say("situation.table_says") }));
}

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
function unchoose() {
  byId("selection").hidden = true;
  view.set("chosen", []);
  view.set("near", []);
  history.replaceState(null, "", location.pathname + location.search);
}

async function choose(row, { fly = true } = {}) {
  const { sites } = state.columns;
  const id = sites.id[row], nameOf = (site) => { const at = sites.id.indexOf(site); return sites.name?.[at] ?? site; };
  history.replaceState(null, "", `#site=${encodeURIComponent(id)}`);
  if (placed(sites, row)) {
    const { legs } = state.columns;
    const joined = legs.from.map((_, leg) => leg).filter((leg) => (legs.from[leg] === row || legs.to[leg] === row) && (legs.load?.[leg] ?? 1) > 0
      && placed(sites, legs.from[leg]) && placed(sites, legs.to[leg]));
    view.set("near", legFeatures(sites, legs, joined, state.legLevels));
    const at = [sites.lon[row], sites.lat[row]];
    view.set("chosen", [{ type: "Feature", geometry: { type: "Point", coordinates: at }, properties: {} }]);
    if (fly) view.map.easeTo({ center: at, zoom: Math.max(view.map.getZoom(), 6) });
  }
  const main = facts([
    ["ID", id], [say("situation.kind"), named("kind", sites.kind?.[row])], [say("situation.admin_code"), sites.admin_code?.[row]],
    [say("situation.operator"), sites.operator?.[row]],
    [say("situation.level"), say(`situation.level_${state.levels[row]}`)],
    [say("situation.load_of_room"), `${count(sites.load?.[row])} / ${count(sites.room[row])}`]]);
  const declare = make("a", { class: "button main", href: `/respond?network=${encodeURIComponent(state.network)}&site=${encodeURIComponent(id)}` }, say("situation.declare_here"));
  panel(sites.name?.[row] ?? id, main, declare, make("p", { class: "note" }, say("shell.loading")));
  try {
    const told = await get(`/api/v1/networks/${encodeURIComponent(state.network)}/sites/${encodeURIComponent(id)}`);
    if (!location.hash.endsWith(encodeURIComponent(id))) return;
    const link = (site) => make("a", { href: `#site=${encodeURIComponent(site)}`, onclick: (event) => { event.preventDefault(); choose(sites.id.indexOf(site)); } }, nameOf(site));
    const way = (key, side) => side.pieces_per_day ? make("details", {}, make("summary", {}, `${say(key)} (${count(side.pieces_per_day, { short: true })})`),
      table([say("situation.sites"), { text: say("situation.pieces"), number: true }], side.most.map((one) => [link(one.site_id), count(one.pieces_per_day)]))) : null;
    const used = (side) => side.legs.filter((leg) => leg.flow_pieces_per_day).sort((a, b) => b.flow_pieces_per_day - a.flow_pieces_per_day);
    const trips = (key, side) => used(side).length ? make("details", {}, make("summary", {}, `${say(key)} (${count(used(side).length)})`),
      table([say("situation.sites"), say("situation.mode"), { text: say("situation.pieces"), number: true }], used(side).slice(0, 60).map((leg) => [link(leg.site_id), named("mode", leg.mode), count(leg.flow_pieces_per_day)]))) : null;
    panel(sites.name?.[row] ?? id, main, declare, trips("situation.legs_out", told.out), trips("situation.legs_in", told.in),
      way("situation.out", told.out), way("situation.into", told.in));
  } catch (error) { tellRefusal(error); }
}

function chooseLeg(row) {
  const { sites, legs } = state.columns;
  const nameOf = (at) => sites.name?.[at] ?? sites.id[at];
  panel(`${nameOf(legs.from[row])} → ${nameOf(legs.to[row])}`, facts([
    [say("situation.mode"), named("mode", legs.mode?.[row])],
    [say("situation.distance"), legs.distance_km[row] === null ? null : `${count(legs.distance_km[row])} km`],
    [say("situation.duration"), legs.travel_h[row] === null ? null : `${legs.travel_h[row]} h`],
    [say("situation.level"), say(`situation.level_${state.legLevels[row]}`)],
    [say("situation.load_of_room"), `${count(legs.load?.[row])} / ${count(legs.room[row])}`]]),
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
  const { row } = event.features[0].properties, { sites } = state.columns;
  view.map.getCanvas().style.cursor = "pointer";
  popup.setLngLat([sites.lon[row], sites.lat[row]]).setText(`${sites.name?.[row] ?? sites.id[row]} · ${say(`situation.level_${state.levels[row]}`)} · ${count(sites.load?.[row], { short: true })}`).addTo(view.map);
});
view.map.on("mouseleave", "sites", () => { view.map.getCanvas().style.cursor = ""; popup.remove(); });

// --- filters and search --------------------------------------------------------------------
for (const id of ["region", "kind", "operator", "level", "legs"]) byId(id).addEventListener("change", show);
byId("as-table").addEventListener("toggle", () => { if (byId("as-table").open) listed(); });

siteSearch(byId("find"), byId("found"), () => state.columns, choose);

const linked = new URLSearchParams(location.hash.slice(1)).get("site");
if (linked && state.columns?.sites.id.includes(linked)) choose(state.columns.sites.id.indexOf(linked));
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/input|select|textarea/i.test(event.target.tagName)) { event.preventDefault(); byId("find").focus(); }
});
document.body.dataset.ready = "yes";
