// What of plans side by side is looked at and not read: what waits hour by hour when played forward, and the legs that change.
import { lines } from "./chart.js";
import { fill, make } from "./elements.js";
import { placed } from "./map.js";
import { has, rowsOf } from "./results.js";
import { count, named, say } from "./words.js";

const MOST_LINES = 6, MOST_LEGS = 400, CHANGES = ["less", "dropped", "more", "opened"];
const NS = "http://www.w3.org/2000/svg";
const HOURS = "simulation/hours.csv";

/** Fill a place with what waits in each plan that was played forward. */
export async function showBacklogs(place, runs) {
  const played = runs.map((run, k) => ({ run, number: k + 1 })).filter(({ run }) => has(run, HOURS)).slice(0, MOST_LINES);
  if (!played.length) { fill(place, make("p", { class: "note" }, say("respond.none_played"))); return; }
  const series = await Promise.all(played.map(async ({ run, number }) => {
    const { rows } = await rowsOf(run, HOURS, { columns: "hour,waiting_pieces" });
    return { number, points: rows.map((row) => [row.hour, row.waiting_pieces]) };
  }));
  const chart = lines(series, { title: say("respond.backlog"), xTitle: say("respond.hours_on"), yTitle: say("respond.waiting"), xText: (value) => count(value), yText: (value) => count(value, { short: true }) });
  fill(place, make("h3", {}, say("respond.backlog")), chart,
    make("p", { class: "note" }, series.map(({ number, points }) => say("respond.most_waiting", { number, pieces: count(Math.max(...points.map(([, y]) => y)), { short: true }) })).join(" · ")));
}

/** Fill a place with a small map of each plan: the legs that change most. */
export function showMaps(place, plans, { sites, legs }, land) {
  const rows = sites.id.map((_, row) => row).filter((row) => placed(sites, row));
  const lons = rows.map((row) => sites.lon[row]), lats = rows.map((row) => sites.lat[row]);
  const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
  const [west, east, south, north] = [least(lons), most(lons), least(lats), most(lats)], more = Math.max(east - west, north - south, 0.1) * 0.06;
  const wide = 420, flat = Math.cos((south + north) / 2 * Math.PI / 180), scale = wide / ((east - west + 2 * more) * flat), tall = (north - south + 2 * more) * scale;
  const x = (lon) => ((lon - west + more) * flat * scale).toFixed(1), y = (lat) => ((north + more - lat) * scale).toFixed(1);
  const node = (tag, attributes, ...parts) => { const made = document.createElementNS(NS, tag); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); made.append(...parts); return made; };
  const coast = land.features[0].geometry.coordinates.map(([ring]) => ring).filter((ring) => least(ring.map(([lon]) => lon)) < east + more && most(ring.map(([lon]) => lon)) > west - more && least(ring.map(([, lat]) => lat)) < north + more && most(ring.map(([, lat]) => lat)) > south - more)
    .map((ring) => `M${ring.map(([lon, lat]) => `${x(lon)} ${y(lat)}`).join("L")}Z`).join("");
  fill(place, make("h3", {}, say("respond.maps")), make("div", { class: "small-maps" }, plans.map(({ title, changes }) => {
    const shown = changes.sort((a, b) => b.moved - a.moved).slice(0, MOST_LEGS), top = shown[0]?.moved || 1;
    const drawn = CHANGES.flatMap((change) => shown.filter((one) => one.change === change).map((one) => node("path", { class: `leg ${change}`, "stroke-width": (0.8 + 3.2 * Math.sqrt(one.moved / top)).toFixed(1),
      d: `M${x(sites.lon[legs.from[one.row]])} ${y(sites.lat[legs.from[one.row]])}L${x(sites.lon[legs.to[one.row]])} ${y(sites.lat[legs.to[one.row]])}` })));
    return make("figure", {}, node("svg", { class: "small-map", viewBox: `0 0 ${wide} ${tall.toFixed(0)}`, role: "img", "aria-label": title }, node("path", { class: "land", d: coast }), ...drawn), make("figcaption", {}, title));
  })), make("p", { class: "changes" }, CHANGES.map((change) => make("span", {}, make("i", { class: change }), named("change", change)))), make("p", { class: "note" }, say("respond.maps_say", { count: MOST_LEGS })));
}
