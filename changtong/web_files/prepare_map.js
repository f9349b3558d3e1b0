// Closures on the map: size and colour say how much is left behind; the places of one closure, and the way there.
import { legFeatures, placed, siteFeatures } from "./map.js";

const OF_DAY = [["full", 0.05], ["high", 0.01], ["mid", 0.001]];
const OF_WORST = [["full", 0.5], ["high", 0.2], ["mid", 0.05]];

/** How much is left behind, as a level: of the day's pieces, or of the worst closure where it is money. */
export function bandOf(figure, { whole, worst }) {
  if (!(figure >= 0.5)) return "none";
  const part = figure / (whole ?? worst);
  return (whole ? OF_DAY : OF_WORST).find(([, least]) => part >= least)?.[0] ?? "low";
}

/** The sites and legs of a closure, by what it is called: a place, two, a province, or those of a combination. */
export function placesOf(row, columns) {
  const [kind, ...rest] = String(row.case ?? "").split(":"), name = rest.join(":");
  const known = new Set(columns?.sites.id ?? []);
  const parts = (text) => (text ?? "").split(";").map((one) => one.trim()).filter(Boolean);
  if (row.sites || row.legs) return { sites: parts(row.sites), legs: parts(row.legs) };
  if (kind === "site") return { sites: [name], legs: [] };
  if (kind === "leg") return { sites: [], legs: [name] };
  if (kind === "province" && columns?.sites.admin_code) return { sites: columns.sites.id.filter((_, k) => columns.sites.admin_code[k]?.startsWith(name)), legs: [] };
  if (kind === "operator" && columns?.sites.operator) return { sites: columns.sites.id.filter((_, k) => columns.sites.operator[k] === name), legs: [] };
  if (row.place) return row.place.includes(">") ? { sites: [], legs: [row.place] } : { sites: known.has(row.place) ? [row.place] : [], legs: [] };
  return { sites: [], legs: [] };
}

/** Draw the closures of one kind: sites by what their loss leaves behind, or legs. */
export function drawCases(view, columns, rows, scale) {
  const { sites, legs } = columns;
  const load = sites.id.map(() => 0), levels = sites.id.map(() => "none");
  const siteAt = new Map(sites.id.map((id, row) => [id, row]));
  const legAt = new Map(legs.from.map((a, row) => [`${sites.id[a]}>${sites.id[legs.to[row]]}`, row]));
  const legLoad = {}, legLevels = {};
  for (const row of [...rows].reverse()) { // the worst last: it stays where several hold a site
    const found = placesOf(row, columns), level = bandOf(row.figure, scale);
    for (const id of found.sites) { const at = siteAt.get(id); if (at !== undefined) { load[at] = row.figure ?? 0; levels[at] = level; } }
    for (const id of found.legs) { const at = legAt.get(id); if (at !== undefined) { legLoad[at] = row.figure ?? 0; legLevels[at] = level; } }
  }
  view.set("sites", siteFeatures({ ...sites, load }, sites.id.map((_, row) => row), levels));
  const hit = Object.keys(legLoad).map(Number).filter((row) => placed(sites, legs.from[row]) && placed(sites, legs.to[row]));
  view.set("legs", legFeatures(sites, { ...legs, load: legs.from.map((_, row) => legLoad[row] ?? 0) }, hit, legLevels));
}

/** Ring the sites, mark the legs, and go there. */
export function flyTo(view, columns, { sites: ids, legs: names }) {
  const { sites, legs } = columns, at = new Map(sites.id.map((id, row) => [id, row]));
  const rows = ids.map((id) => at.get(id)).filter((row) => row !== undefined && placed(sites, row));
  const ends = names.map((name) => name.split(">").map((id) => at.get(id))).filter((pair) => pair.every((row) => row !== undefined && placed(sites, row)));
  const point = (row) => [sites.lon[row], sites.lat[row]];
  view.set("chosen", rows.map((row) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: point(row) } })));
  view.set("near", ends.map((pair) => ({ type: "Feature", properties: { change: "", wide: 3, order: 1 }, geometry: { type: "LineString", coordinates: pair.map(point) } })));
  const all = [...rows, ...ends.flat()].map(point);
  if (!all.length) return;
  const xs = all.map(([x]) => x), ys = all.map(([, y]) => y);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (all.length === 1) view.map.flyTo({ center: all[0], zoom: Math.max(view.map.getZoom(), 7), animate: !still });
  else view.map.fitBounds([[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]], { padding: 80, maxZoom: 8, animate: !still });
}
