// The live picture: a scan log chosen for the network, its hours on a slider, a forecast's days after them.
import { get } from "./api.js";
import { byId, fill, make, refusal } from "./elements.js";
import { followAlerts } from "./live_alerts.js";
import { forecastOf, hourAt, hoursOf, shifted } from "./live_days.js";
import { drawForecast, drawHour, sumHour } from "./live_drawn.js";
import { forecastFigures, hourFigures } from "./live_figures.js";
import { siteHours, siteWaits } from "./live_site.js";
import { timeSlider } from "./time_slider.js";
import { count, lang, say, seconds, share, time } from "./words.js";

const STALE_S = 3600, AHEAD_S = 300, LOOK_MS = 30000, FITS = 0.5, SHOWN_GAPS = 6;
const clock = (hour) => `${String(hour).padStart(2, "0")}:00`;

/** Day and hour of a log's newest scan, in its zone; of one that does not say it, its last day is taken as whole. */
function newestHour(log) {
  if (!log.last_event) return [log.last_day, 23];
  const form = new Intl.DateTimeFormat("en-CA", { timeZone: log.zone, hour: "2-digit", hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" });
  const of = Object.fromEntries(form.formatToParts(new Date(log.last_event)).map((one) => [one.type, one.value]));
  return [`${of.year}-${of.month}-${of.day}`, Number(of.hour)];
}

export function livePicture(stage) {
  const live = { logs: [], log: null, forecasts: [], told: null, k: -1, before: [], asked: 0 };
  const slider = timeSlider(wordsOf, showStop);
  const alerts = followAlerts(stage, () => live.log?.may_change ?? false);
  const measure = () => byId("measure").value, klass = () => byId("class").value;
  const isIn = (day) => live.log && day >= live.log.first_day && day <= live.log.last_day && !live.log.days_without.includes(day);

  function wordsOf(stop) {
    return stop.run ? say("live.forecast_at", { day: stop.day }) : say("live.hour_at", { day: stop.day, from: clock(stop.hour), to: clock(stop.hour + 1) });
  }
  function stops() {
    const all = [], { log } = live;
    if (log?.first_day) {
      const [last, to] = newestHour(log);
      for (let day = log.first_day; day <= last; day = shifted(day, 1)) {
        for (let hour = 0; hour < (day === last ? to + 1 : 24); hour++) all.push({ key: `${day}T${String(hour).padStart(2, "0")}`, day, hour, run: null });
      }
    }
    const last = all.at(-1)?.day ?? "", ahead = new Map();
    for (const one of [...live.forecasts].reverse()) for (const day of one.days) if (day > last) ahead.set(day, one);
    for (const [day, one] of [...ahead].sort(([a], [b]) => (a < b ? -1 : 1))) all.push({ key: day, day, hour: null, run: one.run, made: one.made_at });
    return all;
  }

  async function network(id, wanted, at) {
    const asked = ++live.asked;
    live.log = live.told = null;
    stage.drawn = null;
    try {
      const [logs, forecasts] = await Promise.all(["logs", "forecasts"].map((what) => get(`/api/v1/networks/${encodeURIComponent(id)}/${what}`)));
      if (asked !== live.asked) return;
      live.logs = logs.logs.filter((one) => one.fits > 0);
      live.forecasts = forecasts.forecasts;
    } catch (error) { fill(byId("age"), refusal(error)); return; }
    const kept = wanted ?? localStorage.getItem(`log of ${id}`), best = live.logs[0]?.fits >= FITS ? live.logs[0].id : "";
    fill(byId("log"), make("option", { value: "" }, say("live.no_log")), live.logs.map((one) => make("option", { value: one.id }, say("live.log_fits", { id: one.id, share: share(one.fits) }))));
    byId("log").value = kept === "" || live.logs.some((one) => one.id === kept) ? kept : best;
    await choose(at);
  }
  async function choose(at) {
    const id = byId("log").value;
    live.log = live.logs.find((one) => one.id === id) ?? null;
    live.told = stage.drawn = null;
    byId("measures").hidden = !live.log;
    offerClasses(stage.askedClass ? [stage.askedClass] : [], stage.askedClass);
    stage.askedClass = "";
    const all = stops();
    byId("timebar").hidden = !live.log || !all.length;
    tellAge();
    alerts.of(live.log?.id ?? "", live.log?.zone);
    if (live.log && all.length) await slider.set(all, at);
    else { stage.show(); stage.tellChosen(); }
  }

  async function showStop(stop) {
    const asked = ++live.asked, wanted = () => asked === live.asked;
    const making = () => { byId("basis").textContent = say("live.making"); };
    try {
      if (stop.run) {
        const told = await forecastOf(stop.run, stop.day);
        if (!wanted()) return;
        live.told = null;
        stage.drawn = drawForecast(stage.columns, told);
      } else {
        const told = await hoursOf(live.log.id, stop.day, { klass: klass(), wanted, making });
        if (!wanted()) return;
        live.told = told;
        offerClasses(told.classes);
        live.k = hourAt(told, stop.hour);
        live.before = [["live.day_before", -1], ["live.week_before", -7]].map(([, by]) => ({ day: shifted(stop.day, by), told: null }));
        draw();
        compare(stop, wanted);
      }
    } catch (error) {
      if (!wanted()) return;
      stage.drawn = null;
      stage.show();
      fill(byId("basis"), refusal(error));
      return;
    }
    stage.show();
    stage.tellChosen();
    stage.keep({ at: slider.isNewest ? null : stop.key });
  }
  function draw() { if (live.told) stage.drawn = drawHour(stage.columns, live.told, live.k, measure()); }
  /** Fetch what an hour is compared with; the map does not wait for it. */
  function compare(stop, wanted) {
    for (const one of live.before) {
      if (isIn(one.day)) hoursOf(live.log.id, one.day, { klass: klass(), wanted }).then((told) => { if (wanted()) { one.told = told; stage.show(); } }).catch(() => {});
    }
  }

  /** Offer the classes of a day beside the one that is chosen; a log whose scans name none has no choice. */
  function offerClasses(classes, chosen = klass()) {
    const all = [...new Set(chosen ? [...classes, chosen] : classes)].sort();
    fill(byId("class"), make("option", { value: "" }, say("shell.all")), all.map((id) => make("option", { value: id }, id)));
    byId("class").value = chosen;
    byId("classes").hidden = !all.length;
  }

  function tellAge() {
    const { log } = live;
    if (!log) { byId("age").textContent = live.logs.length ? "" : say("live.nothing_fits"); fill(byId("gaps")); return; }
    const isStale = log.age_s > STALE_S, isAhead = log.age_s < -AHEAD_S;
    const newest = log.age_s === null ? (log.rows ? say("live.unknown_age") : say("live.empty_log")) : isAhead ? say("live.ahead") : say("live.newest", { age: seconds(Math.max(0, log.age_s)) });
    fill(byId("age"), newest, " ",
      log.age_s === null || isAhead ? null : make("b", { class: isStale ? "fresh stale" : "fresh" }, isStale ? `⚠ ${say("live.stale")}` : say("live.fresh")),
      log.waiting ? ` · ${say("live.waiting_rows", { count: count(log.waiting) })}` : null);
    const gaps = log.days_without;
    fill(byId("gaps"), gaps.length ? say("live.gaps", { count: gaps.length, days: gaps.slice(-SHOWN_GAPS).join(lang === "zh" ? "、" : ", ") }) : "");
  }
  async function look() {
    const { log } = live;
    if (!log || document.hidden) return;
    try {
      const told = await get(`/api/v1/logs/${encodeURIComponent(log.id)}`), has = told.batches !== log.batches;
      if (live.log !== log) return;
      Object.assign(log, told);
      tellAge();
      if (!has || !told.last_day) return;
      await hoursOf(log.id, told.last_day, { klass: klass(), anew: true, wanted: () => live.log === log });
      if (slider.isNewest || slider.stop?.day === told.last_day) await slider.set(stops(), slider.isNewest ? null : slider.stop.key);
    } catch { /* what is shown grows old, and the next look says so */ }
  }
  setInterval(look, LOOK_MS);
  byId("log").addEventListener("change", () => {
    localStorage.setItem(`log of ${stage.network}`, byId("log").value);
    stage.keep({ log: byId("log").value, at: null, class: null });
    choose(null);
  });
  byId("class").addEventListener("change", () => { stage.keep({ class: klass() }); if (slider.stop) showStop(slider.stop); });
  byId("measure").addEventListener("change", () => { stage.keep({ measure: measure() }); draw(); stage.show(); stage.tellChosen(); });

  return {
    network, alerts,
    /** Which words say a level, now. */
    get words() { return !stage.drawn ? null : stage.drawn.kind === "forecast" ? "forecast" : measure(); },
    /** Headline numbers of the rows that pass; null on a normal day. */
    figures(rows) {
      if (!stage.drawn) return null;
      const all = rows.length === stage.columns.sites.id.length;
      if (stage.drawn.kind === "forecast") return forecastFigures(stage.drawn, rows, all);
      const ids = new Set(rows.map((row) => stage.columns.sites.id[row])), passes = (id) => ids.has(id), { stop } = slider;
      const [day, week] = live.before.map(({ told }) => (told ? sumHour(told, hourAt(told, stop.hour), passes) : null));
      return hourFigures(sumHour(live.told, live.k, passes), [[say("live.day_before"), day], [say("live.week_before"), week]]);
    },
    /** What is measured, what is forecast, and what is of a normal day. */
    tellBasis() {
      const { stop } = slider, made = live.forecasts.length || !live.log ? null : make("a", { href: "/studies/forecast" }, say("live.make_forecast"));
      if (!stage.drawn) { byId("basis").textContent = say("live.basis_normal"); return; }
      if (stop.run) { byId("basis").textContent = say("live.basis_forecast", { day: stop.day, made: time(stop.made) }); return; }
      fill(byId("basis"), live.k < 0 ? make("b", { class: "stale" }, `${say("live.gap_hour")} `) : null,
        say("live.basis_hour", { log: live.log.id, at: wordsOf(stop), zone: live.log.zone }), klass() ? ` ${say("live.basis_class", { class: klass() })}` : null,
        stage.drawn.outside ? ` ${say("live.outside", { count: count(stage.drawn.outside) })}.` : null,
        made ? [" ", say("live.none_ahead"), " ", made] : null);
    },
    /** What the panel of a site says besides. */
    site(id) {
      if (!stage.drawn || !live.log) return [];
      const { stop } = slider, of = stage.alertsOf?.(id) ?? [];
      return [of.length ? make("details", { open: true }, make("summary", {}, say("live.site_alerts")), make("ul", { class: "alerts" }, of.map(alerts.entry))) : null,
        stop.run ? null : siteHours(live.told, id, stop.hour),
        stop.run || !live.log.may_change ? null : siteWaits(live.log, id, stop, stage, klass())];
    },
  };
}
