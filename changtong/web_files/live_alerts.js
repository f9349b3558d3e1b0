// Alerts of a log: a list beside the map and rings on it, kept as they change by server-sent events.
import { askFor } from "./ask_for.js";
import { get, post } from "./api.js";
import { byId, fill, make, tell, tellRefusal } from "./elements.js";
import { placed } from "./map.js";
import { lang, named, say, timeIn } from "./words.js";

const ORDER = { severe: 0, warning: 1, attention: 2 };

/** `choose(row)` opens a site; `mayChange()` says whether alerts may be seen and closed. */
export function followAlerts(stage, mayChange) {
  let log = "", zone = "", alerts = new Map(), stream = null;
  const isOpen = (one) => one.handling !== "closed" && one.state !== "restored";
  const nameOf = (id) => { const row = stage.rowOf(id); return row === undefined ? id : stage.nameOf(row); };
  const placeOf = (one) => one.site_id ? nameOf(one.site_id) : one.from_site_id ? `${nameOf(one.from_site_id)} → ${nameOf(one.to_site_id)}` : "";
  const sorted = () => [...alerts.values()].filter((one) => byId("closed-too").checked || isOpen(one))
    .sort((a, b) => isOpen(b) - isOpen(a) || ORDER[a.tier] - ORDER[b.tier] || b.changed - a.changed);

  async function act(path, body) {
    try { keep(await post(path, body)); } catch (error) { tellRefusal(error); }
  }
  const openCase = (one) => (byId("alert-list").dataset.case && isOpen(one) ? make("a", { class: "button", href: `/case-new?alert=${encodeURIComponent(one.id)}` }, say("cases.open")) : null);
  function entry(one) {
    const row = stage.rowOf(one.site_id ?? one.from_site_id), place = placeOf(one), title = `${named("rule", one.rule)} ${place}`;
    return make("li", { class: `alert ${one.tier}`, "data-alert": one.id, "data-handling": one.handling },
      make("div", {}, make("b", { class: "tier" }, named("tier", one.tier)), " ",
        row === undefined ? title : make("button", { type: "button", class: "link", onclick: () => stage.choose(row) }, title)),
      make("p", {}, one[`evidence_${lang}`] ?? ""),
      make("p", { class: "note" }, `${named("alert_state", one.state)} · ${named("handling", one.handling)} · ${timeIn(zone)(one.began ?? one.made_at)}`, one.reason ? ` · ${one.reason}` : ""),
      mayChange() && one.handling !== "closed" ? make("div", { class: "row" },
        one.handling === "new" ? make("button", { type: "button", onclick: () => act(`/api/v1/alerts/${one.id}/seen`, {}) }, say("live.seen")) : null,
        make("button", { type: "button", onclick: () => askFor(byId("ask"), { title: title.trim(), says: say("live.close_says"), go: say("live.close_alert"),
          fields: [{ name: "reason", label: say("live.reason"), type: "text", required: true }] }, async (values) => keep(await post(`/api/v1/alerts/${one.id}/close`, values))) }, say("live.close_alert")), openCase(one)) : null);
  }
  function show() {
    const all = sorted(), open = [...alerts.values()].filter(isOpen);
    byId("alerts").hidden = !log;
    byId("alerts-count").textContent = open.length ? say("live.alerts_open", { count: open.length }) : "";
    fill(byId("alert-list"), all.length ? all.map(entry) : make("li", { class: "note" }, say("live.alerts_none")));
    const { sites } = stage.columns ?? {};
    const worst = new Map();
    for (const one of open) {
      const row = stage.rowOf(one.site_id);
      if (sites && row !== undefined && placed(sites, row) && !(ORDER[worst.get(row)] <= ORDER[one.tier])) worst.set(row, one.tier);
    }
    stage.view.set("alerts", [...worst].map(([row, tier]) => ({ type: "Feature", geometry: { type: "Point", coordinates: [sites.lon[row], sites.lat[row]] }, properties: { row, tier } })));
  }
  function keep(one, { isNews = false } = {}) {
    if (one.log !== log || alerts.get(one.id)?.changed > one.changed) return; // an answer may come after the news
    const isNew = !alerts.has(one.id);
    alerts.set(one.id, one);
    if (isNews && isNew && isOpen(one)) tell(say("live.alert_new", { rule: named("rule", one.rule), site: placeOf(one) }));
    show();
  }
  function listen(since) {
    stream?.close();
    stream = new EventSource(`/api/v1/alerts/events?since=${since}`);
    stream.addEventListener("alert", (event) => keep(JSON.parse(event.data), { isNews: true }));
    stream.addEventListener("over", () => { stream.close(); location.reload(); });
    stream.addEventListener("open", () => { byId("alerts-state").textContent = ""; });
    stream.addEventListener("error", () => { byId("alerts-state").textContent = say("live.alerts_lost"); });
  }
  byId("closed-too").addEventListener("change", show);
  addEventListener("pagehide", () => stream?.close());
  return {
    async of(wanted, inZone) {
      log = wanted;
      zone = inZone;
      alerts = new Map();
      stream?.close();
      stage.alertsOf = (id) => [...alerts.values()].filter((one) => isOpen(one) && (one.site_id === id || one.from_site_id === id || one.to_site_id === id));
      if (!log) { show(); return; }
      try {
        const told = await get(`/api/v1/alerts?limit=200&log=${encodeURIComponent(log)}`);
        if (log !== wanted) return;
        for (const one of told.alerts) alerts.set(one.id, one);
        show();
        listen(told.alerts[0]?.changed ?? 0);
      } catch (error) { tellRefusal(error); }
    },
    entry,
  };
}
