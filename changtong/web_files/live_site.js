// A site in the live picture: its hours, the items that wait longest there, and the way of one.
import { askFor } from "./ask_for.js";
import { get, post } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { count, named, say, share, timeIn } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const clock = (hour) => `${String(hour).padStart(2, "0")}:00`;

function bars(values, at) {
  const most = Math.max(1, ...values.map(([, value]) => value)), svg = document.createElementNS(NS, "svg");
  for (const [name, value] of [["viewBox", "0 0 240 48"], ["class", "bars"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
  for (const [hour, value] of values) {
    const bar = document.createElementNS(NS, "rect"), high = 46 * value / most;
    for (const [name, size] of [["x", hour * 10], ["y", 48 - high], ["width", 8], ["height", high]]) bar.setAttribute(name, size);
    if (hour === at) bar.setAttribute("class", "at");
    svg.append(bar);
  }
  return svg;
}

/** The hours of the day at a site: backlog as bars, all as a table. */
export function siteHours(told, id, at) {
  const place = told.sites.id.indexOf(id);
  if (place < 0) return make("p", { class: "note" }, say("live.gap_hour"));
  const hours = told.begin_ms.map((begin) => Math.floor((begin - told.first_ms) / 3600000));
  const of = (name, k) => told.sites[name][k][place];
  return make("details", { open: true }, make("summary", {}, say("live.hours")), make("p", { class: "note" }, say("live.backlog")),
    bars(hours.map((hour, k) => [hour, of("backlog", k)]), at),
    table([say("live.hour"), ...["live.scans", "live.backlog", "live.late"].map((key) => ({ text: say(key), number: true }))],
      hours.map((hour, k) => [clock(hour), count(of("events", k)), count(of("backlog", k)), share(of("late_share", k))]), { caption: say("live.hours") }));
}

const nameIn = (stage) => (site) => { const row = stage.rowOf(site); return row === undefined ? site : stage.nameOf(row); };

/** The items that wait longest, with a choice of class. */
export function siteWaits({ id: log, zone }, id, stop, stage, klass) {
  const nameOf = nameIn(stage), at = timeIn(zone);
  const place = make("div", {}, make("p", { class: "note" }, say("shell.loading")));
  const box = make("details", { id: "waits" }, make("summary", {}, say("live.waits")), place);
  async function look(klass) {
    const asked = new URLSearchParams({ site_id: id, day: stop.day, hour: stop.hour });
    if (klass) asked.set("service_class", klass);
    try {
      const told = await get(`/api/v1/logs/${encodeURIComponent(log)}/waiting?${asked}`);
      const classes = told.classes.length > 1 || klass ? make("label", {}, say("live.class"), make("select", { onchange: (event) => look(event.target.value) },
        make("option", { value: "" }, say("shell.all")), told.classes.map((one) => make("option", { value: one.id, selected: one.id === klass }, `${one.id} (${count(one.pieces)})`)))) : null;
      fill(place, make("p", { class: "note" }, say("live.waits_says", { count: count(told.pieces), at: at(told.as_of_ms) })), classes,
        told.items.length ? table([say("live.item"), say("live.since"), say("live.last_code"), say("live.next_site")], told.items.map((one) => [
          make("button", { type: "button", class: "link", "data-item": one.item, onclick: () => askTrack(log, one.item, stage, at) }, one.item),
          at(one.since_ms), named("scan", one.code), one.next_site_id ? nameOf(one.next_site_id) : "–"]), { caption: say("live.waits") })
          : make("p", { class: "note" }, say("live.waits_none")));
    } catch (error) { fill(place, refusal(error)); }
  }
  box.addEventListener("toggle", () => { if (box.open && !box.dataset.asked) { box.dataset.asked = "yes"; look(klass); } });
  return box;
}

function askTrack(log, item, stage, clockOf) {
  const nameOf = nameIn(stage);
  askFor(byId("ask"), { title: say("live.track"), says: say("live.track_says"), go: say("live.look"), fields: [{ name: "reason", label: say("live.reason"), required: true }] }, async ({ reason }) => {
    const told = await post(`/api/v1/logs/${encodeURIComponent(log)}/items/track`, { item, reason });
    const at = (ms) => (ms === null ? say("live.still") : clockOf(ms));
    const where = (one) => (one.site_id ? nameOf(one.site_id) : one.container ?? "–");
    const box = byId("track");
    fill(box, make("h2", { tabindex: "-1" }, make("span", {}, say("live.track")), make("button", { type: "button", class: "plain", "aria-label": say("shell.close"), onclick: () => { box.hidden = true; stage.showWay([]); } }, "✕")),
      make("p", { class: "note" }, item),
      table([say("live.at"), say("live.scan"), say("situation.sites")], told.scans.map((one) => [at(one.at_ms), named("scan", one.code), one.site_id ? nameOf(one.site_id) : "–"]), { caption: say("live.track") }),
      make("h3", {}, say("live.stays")),
      table([say("live.place"), say("live.since"), say("live.until")], told.stays.map((one) => [`${named("stay", one.kind)} ${where(one)}`, at(one.from_ms), at(one.to_ms)]), { caption: say("live.stays") }));
    box.hidden = false;
    stage.showWay(told.stays.filter((one) => one.kind === "site").map((one) => stage.rowOf(one.site_id)));
    setTimeout(() => { box.scrollIntoView({ block: "nearest" }); box.querySelector("h2").focus(); });
  });
}
