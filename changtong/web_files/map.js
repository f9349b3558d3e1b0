// The map of a network: land, legs and sites, drawn by maplibre from columns; colours are the style sheet's.
import * as maplibre from "./vendor/maplibre-gl.mjs";

export const LEVELS = ["none", "low", "mid", "high", "full", "shut"];

/** How full a place is: its level, from load and room a day. */
export function levelOf(load, room, status) {
  if (status === "closed") return "shut";
  if (load === null || load === undefined || room === null || room === undefined) return "none";
  const used = room > 0 ? load / room : load > 0 ? Infinity : 0;
  return used > 1 ? "full" : used > 0.85 ? "high" : used > 0.5 ? "mid" : "low";
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
/** What is true of a feature now: its state, else what it came with. */
const now = (name) => ["coalesce", ["feature-state", name], ["get", name]];
const byLevel = () => ["match", now("level"), ...LEVELS.flatMap((name) => [name, colour(`level-${name}`)]), colour("level-none")];
/** Of the layers that draw once more, on top of all others, what is fullest now: the others have no width there. */
const ifFull = (width) => ["match", now("level"), ["high", "full", "shut"], width, 0];
const BIG = { sites: "size", legs: "wide" };

function paints() {
  const legs = {
    "line-color": byLevel(),
    "line-opacity": ["match", now("level"), "full", 0.9, "high", 0.75, "shut", 0.55, "low", 0.2, 0.3],
  };
  const wide = (few, many, of) => ["interpolate", ["linear"], ["zoom"], 3, of(["*", few, now("wide")]), 8, of(["*", many, now("wide")])];
  const sites = {
    "circle-color": ["case", ["==", now("level"), "shut"], colour("panel"), byLevel()],
    "circle-stroke-color": ["match", now("level"), "full", colour("level-full"), "shut", colour("level-shut"), colour("halo")],
    "circle-opacity": ["match", now("level"), "full", 0.75, 0.92],
  };
  const size = (of) => ["interpolate", ["linear"], ["zoom"], 3, of(["*", 0.55, now("size")]), 8, of(["*", 1.9, now("size")])];
  const edge = ["match", now("level"), "full", 2.5, "shut", 2, 0.6];
  const same = (value) => value;
  return {
    sea: { "background-color": colour("sea") },
    land: { "fill-color": colour("land"), "fill-outline-color": colour("land-edge") },
    legs: { ...legs, "line-width": wide(0.4, 1.6, same) },
    "legs-full": { ...legs, "line-width": wide(0.4, 1.6, ifFull) },
    near: {
      "line-color": ["match", ["get", "change"], "opened", colour("opened"), "dropped", colour("dropped"), "more", colour("more"), "less", colour("less"), colour("chosen")],
      "line-width": ["interpolate", ["linear"], ["zoom"], 3, ["*", 0.6, ["get", "wide"]], 8, ["*", 2, ["get", "wide"]]],
      "line-opacity": 0.85,
    },
    sites: { ...sites, "circle-radius": size(same), "circle-stroke-width": edge },
    "sites-full": { ...sites, "circle-radius": size(ifFull), "circle-stroke-width": ifFull(edge) },
    names: { "text-color": colour("ink"), "text-halo-color": colour("halo"), "text-halo-width": 1.4 },
    chosen: { "circle-color": "rgba(0,0,0,0)", "circle-radius": 13, "circle-stroke-color": colour("chosen"), "circle-stroke-width": 3 },
    alerts: {
      "circle-color": "rgba(0,0,0,0)", "circle-radius": ["match", ["get", "tier"], "severe", 22, "warning", 19, 16],
      "circle-stroke-color": ["match", ["get", "tier"], "attention", colour("warn"), colour("bad")],
      "circle-stroke-width": ["match", ["get", "tier"], "severe", 5, "warning", 3.5, 2.5],
    },
    area: { "fill-color": colour("chosen"), "fill-opacity": 0.15 },
    "area-edge": { "line-color": colour("chosen"), "line-width": 2, "line-dasharray": [2, 1] },
  };
}

const NOTHING = { type: "FeatureCollection", features: [] };

export async function openMap(place, { land, worker }) {
  maplibre.setWorkerUrl(worker);
  const shapes = await (await fetch(land)).json();
  const look = paints();
  const source = (data) => ({ type: "geojson", data, tolerance: 0, buffer: 8 });
  const map = new maplibre.Map({
    container: place, attributionControl: { compact: true, customAttribution: shapes.attribution },
    dragRotate: false, pitchWithRotate: false, maxZoom: 13, minZoom: 2, renderWorldCopies: false,
    center: [104, 35.5], zoom: 3.4, fadeDuration: 0, localIdeographFontFamily: "'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif",
    style: {
      version: 8,
      sources: { land: source(shapes), legs: source(NOTHING), sites: source(NOTHING), near: source(NOTHING), chosen: source(NOTHING), alerts: source(NOTHING), area: source(NOTHING) },
      layers: [
        { id: "sea", type: "background", paint: look.sea },
        { id: "land", type: "fill", source: "land", paint: look.land },
        { id: "area", type: "fill", source: "area", paint: look.area },
        { id: "area-edge", type: "line", source: "area", paint: look["area-edge"] },
        { id: "legs", type: "line", source: "legs", layout: { "line-sort-key": ["get", "order"], "line-cap": "round" }, paint: look.legs },
        { id: "legs-full", type: "line", source: "legs", layout: { "line-cap": "round" }, paint: look["legs-full"] },
        { id: "near", type: "line", source: "near", layout: { "line-sort-key": ["get", "order"], "line-cap": "round" }, paint: look.near },
        { id: "sites", type: "circle", source: "sites", layout: { "circle-sort-key": ["get", "order"] }, paint: look.sites },
        { id: "sites-full", type: "circle", source: "sites", paint: look["sites-full"] },
        { id: "alerts", type: "circle", source: "alerts", paint: look.alerts },
        { id: "chosen", type: "circle", source: "chosen", paint: look.chosen },
        {
          id: "names", type: "symbol", source: "sites", paint: look.names,
          layout: {
            "text-field": ["get", "name"], "text-size": 12, "text-offset": [0, 0.9], "text-anchor": "top",
            "symbol-sort-key": ["-", 0, ["get", "order"]], "text-optional": true, "text-padding": 6,
          },
        },
      ],
    },
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new maplibre.FullscreenControl(), "top-right");
  map.addControl(new maplibre.ScaleControl({ unit: "metric" }), "bottom-left");
  await new Promise((done) => map.once("load", done));
  map.on("idle", () => { place.dataset.drawn = Number(place.dataset.drawn ?? 0) + 1; }); // for those who wait until all is drawn
  const held = {};
  /** Draw features; where the same are drawn already, only what is true of them now is told: nothing is laid out anew. */
  function set(name, features) {
    const was = held[name];
    held[name] = features;
    if (!BIG[name] || !was || !alike(was, features)) {
      if (BIG[name]) map.removeFeatureState({ source: name });
      map.getSource(name).setData({ type: "FeatureCollection", features });
      return;
    }
    const big = BIG[name];
    features.forEach(({ id, properties }, k) => {
      const old = was[k].properties;
      if (old.level !== properties.level || old[big] !== properties[big]) map.setFeatureState({ source: name, id }, { level: properties.level, [big]: properties[big] });
    });
  }
  addEventListener("theme", () => {
    for (const [layer, values] of Object.entries(paints())) {
      for (const [name, value] of Object.entries(values)) map.setPaintProperty(layer, name, value);
    }
  });
  return { map, maplibre, set };
}

const samePlace = (a, b) => (Array.isArray(a) ? a.length === b.length && a.every((part, k) => samePlace(part, b[k])) : a === b);
/** Whether features are the same places in the same order. */
const alike = (was, features) => was.length === features.length
  && features.every((one, k) => one.id === was[k].id && samePlace(one.geometry.coordinates, was[k].geometry.coordinates));

/** Features of the sites that are shown: `rows` are their places in the columns. */
export function siteFeatures(sites, rows, levels) {
  let most = 1;
  for (const row of rows) most = Math.max(most, sites.load?.[row] ?? 0);
  const order = { none: 0, low: 1, mid: 2, high: 4, full: 5, shut: 6 };
  return rows.filter((row) => sites.lon?.[row] !== null && sites.lat?.[row] !== null).map((row) => ({
    type: "Feature", id: row,
    geometry: { type: "Point", coordinates: [sites.lon[row], sites.lat[row]] },
    properties: {
      row, name: sites.name?.[row] ?? sites.id[row], level: levels[row],
      size: 3 + 6 * Math.sqrt((sites.load?.[row] ?? 0) / most), order: order[levels[row]] + (sites.load?.[row] ?? 0) / most,
    },
  }));
}

/** Features of legs, the fullest drawn last. */
export function legFeatures(sites, legs, rows, levels, changes = null) {
  let most = 1;
  for (const row of rows) most = Math.max(most, legs.load?.[row] ?? 0);
  return rows.map((row) => {
    const a = legs.from[row], b = legs.to[row];
    return {
      type: "Feature", id: row,
      geometry: { type: "LineString", coordinates: [[sites.lon[a], sites.lat[a]], [sites.lon[b], sites.lat[b]]] },
      properties: {
        row, level: levels?.[row] ?? "none", change: changes?.[row] ?? "", order: LEVELS.indexOf(levels?.[row] ?? "none"),
        wide: 0.7 + 4 * Math.sqrt((legs.load?.[row] ?? 0) / most),
      },
    };
  });
}

export const placed = (sites, row) => sites.lon?.[row] !== null && sites.lon?.[row] !== undefined && sites.lat?.[row] !== null;

/** Show the whole network. */
export function frame(map, { lon, lat }) {
  const xs = (lon ?? []).filter((x) => x !== null), ys = (lat ?? []).filter((y) => y !== null);
  if (!xs.length) return;
  const least = (all) => all.reduce((a, b) => Math.min(a, b)), most = (all) => all.reduce((a, b) => Math.max(a, b));
  map.fitBounds([[least(xs), least(ys)], [most(xs), most(ys)]], { padding: 40, maxZoom: 9, animate: false });
}

/** The site or leg under the pointer: `{ site }`, `{ leg }` or nothing. */
export function under(map, point, reach = 5) {
  const near = [[point.x - reach, point.y - reach], [point.x + reach, point.y + reach]];
  const [site] = map.queryRenderedFeatures(near, { layers: ["sites"] });
  if (site) return { site: site.properties.row };
  const [leg] = map.queryRenderedFeatures(near, { layers: ["legs"] });
  return leg ? { leg: leg.properties.row } : {};
}
