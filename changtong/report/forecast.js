"use strict";
// Any leg or site of a forecast, drawn as forecast_charts.py draws all legs; a readout of each day.
(() => {
  const { data, say, make, wanted, onChange, start } = report;
  const { days, series, spans, n_past: nPast } = data;
  const byId = (id) => document.getElementById(id);
  const language = () => document.documentElement.dataset.language;
  const SHAPE = { wide: 820, high: 320, left: 62, right: 12, top: 44, bottom: 26 };
  const ROWS = [14, 29], LETTER = 6.6, WEEKS = [4, 8, 13, 26], MOST_LISTED = 400;
  const state = { chosen: 0, weeks: 8 };

  function drawn(tag, attributes, ...parts) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...parts);
    return node;
  }
  const said = (value) => value < 10 && value % 1 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
  function short(value) {
    const units = language() === "zh" ? [[" 亿", 1e8], [" 万", 1e4]] : [["M", 1e6], ["k", 1e3]];
    const [unit, size] = units.find((pair) => value >= pair[1]) ?? ["", 1];
    return Number((value / size).toPrecision(3)).toLocaleString("en-US") + unit;
  }
  function niceStep(most) {
    const raw = most / 4, power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= raw * (1 - 1e-9));
  }
  function runs(first, last, inside) {
    const found = [];
    for (let k = first; k < last; k += 1) {
      if (!inside(k)) continue;
      if (found.length && found[found.length - 1][1] === k - 1) found[found.length - 1][1] = k;
      else found.push([k, k]);
    }
    return found;
  }

  function chart(one, first) {
    const { wide, high, left, right, top, bottom } = SHAPE, count = days.length - first, base = high - bottom;
    const known = one.past.slice(first).filter((value) => value !== null);
    const most = Math.max(1, ...known, ...one.high, ...one.ahead);
    const step = niceStep(most), levels = Math.ceil(most / step - 1e-9);
    const x = (day) => left + (wide - right - left) * (day - first) / count;
    const y = (value) => base - (base - top) * value / (step * levels);
    const at = (day, value) => `${x(day + 0.5).toFixed(1)} ${y(value).toFixed(1)}`;
    const path = (name, points) => drawn("path", { class: name, d: `M${(points.length > 1 ? points : [...points, ...points]).join("L")}` });
    const upright = (name, where) => drawn("line", { class: name, x1: where, x2: where, y1: top, y2: base });
    const area = (name, from, to) => drawn("rect", { class: name, x: x(from), y: top, width: x(to + 1) - x(from), height: base - top });
    const parts = [];
    const near = spans.filter((span) => span.last >= first);
    for (const span of near) {
      if (span.kind === "make-up") { parts.push(drawn("path", { class: "make-up", d: `M${x(span.first + 0.5)} ${base - 7}l4 7h-8z` })); continue; }
      parts.push(area(`mark-${span.kind}`, Math.max(first, span.first), span.last));
      if (span.main !== null && span.main >= first) parts.push(upright("main-day", x(span.main + 0.5)));
    }
    for (let k = 0; k <= levels; k += 1) {
      const height = y(k * step);
      parts.push(drawn("line", { class: k ? "grid" : "axis", x1: left, x2: wide - right, y1: height, y2: height }));
      parts.push(drawn("text", { class: "level", x: left - 6, y: height + 4 }, short(k * step)));
    }
    const mondays = [];
    for (let k = first; k < days.length; k += 1) if (new Date(`${days[k]}T00:00Z`).getUTCDay() === 1) mondays.push(k);
    const every = Math.ceil(mondays.length / 10);
    mondays.filter((day, k) => k % every === 0).forEach((day) => {
      parts.push(drawn("line", { class: "day", x1: x(day), x2: x(day), y1: base, y2: base + 4 }));
      parts.push(drawn("text", { class: "day-name", x: x(day), y: base + 17 }, days[day].slice(5)));
    });
    const taken = ROWS.map(() => -1e9);
    for (const span of near) {
      if (span.kind === "make-up") continue;
      const named = span[language()], half = LETTER * named.length * (language() === "zh" ? 2 : 1) / 2;
      const middle = span.main !== null && span.main >= first ? span.main + 0.5 : (Math.max(first, span.first) + span.last + 1) / 2;
      const where = Math.min(Math.max(x(middle), left + half), wide - right - half);
      const row = taken.findIndex((end) => end + 6 <= where - half);
      if (row < 0) continue;
      taken[row] = where + half;
      parts.push(drawn("text", { class: `mark-name name-${span.kind}`, x: where, y: ROWS[row] }, named));
    }
    const shut = new Set(one.shut);
    for (const [from, to] of runs(first, days.length, (day) => shut.has(day))) parts.push(area("mark-shut", from, to));
    const upper = one.high.map((value, k) => at(nPast + k, value)), lower = one.low.map((value, k) => at(nPast + k, value));
    parts.push(drawn("path", { class: "f-band", d: `M${[...upper, ...lower.reverse()].join("L")}Z` }));
    parts.push(upright("begin", x(nPast)));
    for (const [from, to] of runs(first, nPast, (day) => one.past[day] !== null)) {
      parts.push(path("f-past", one.past.slice(from, to + 1).map((value, k) => at(from + k, value))));
    }
    parts.push(path("f-ahead", one.ahead.map((value, k) => at(nPast + k, value))));
    parts.push(upright("now", -9));
    return drawn("svg", {
      class: "days large", viewBox: `0 0 ${wide} ${high}`, role: "img", tabindex: "0", "aria-label": one[language()],
      "data-first": first, "data-left": left, "data-right": wide - right, "data-wide": wide,
    }, ...parts);
  }

  // --- what a day says -----------------------------------------------------------------------
  function dayText(one, day) {
    const when = days[day];
    if (day >= nPast) {
      const k = day - nPast;
      const told = say("forecast.read_ahead", { day: when, pieces: said(one.ahead[k]), low: said(one.low[k]), high: said(one.high[k]) });
      return [told, ...more(one, day)].join(" · ");
    }
    const value = one.past[day];
    const told = value === null ? `${when}: ${say("forecast.unknown_day")}` : say("forecast.read_past", { day: when, pieces: said(value) });
    return [told, ...more(one, day)].join(" · ");
  }
  function more(one, day) {
    const named = spans.filter((span) => day >= span.first && day <= span.last).map((span) => span[language()]);
    return one.shut.includes(day) ? [...named, say("forecast.read_shut")] : named;
  }
  function readable(svg, which, readout) {
    const first = Number(svg.dataset.first), left = Number(svg.dataset.left), right = Number(svg.dataset.right);
    const count = days.length - first, line = svg.querySelector(".now");
    let day = nPast;
    function show(wantedDay) {
      day = Math.min(days.length - 1, Math.max(first, wantedDay));
      const where = left + (right - left) * (day - first + 0.5) / count;
      line.setAttribute("x1", where);
      line.setAttribute("x2", where);
      readout.textContent = dayText(series[which()], day);
    }
    const point = (event) => {
      const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * Number(svg.dataset.wide) / box.width;
      show(first + Math.floor((x - left) / (right - left) * count));
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(day + step);
    });
    return () => show(day);
  }

  // --- choosing -----------------------------------------------------------------------------
  const search = byId("search"), choices = byId("choices"), weeks = byId("weeks");
  function matching() {
    const words = search.value.trim().toLowerCase().split(/[\s>→]+/).filter(Boolean);
    return series.map((one, i) => i).filter((i) => {
      const name = `${series[i].zh} ${series[i].en}`.toLowerCase();
      return words.every((word) => name.includes(word));
    });
  }
  function list() {
    const found = matching();
    choices.replaceChildren(...found.slice(0, MOST_LISTED).map((i) => make("option", series[i][language()], { value: String(i) })));
    byId("no-match").hidden = found.length > 0;
    if (found.length && !found.includes(state.chosen)) state.chosen = found[0];
    choices.value = String(state.chosen);
  }
  function draw() {
    const one = series[state.chosen], first = Math.max(0, nPast - 7 * state.weeks);
    const svg = chart(one, first);
    byId("chosen-name").textContent = one[language()];
    byId("chosen").replaceChildren(svg);
    readable(svg, () => state.chosen, byId("chosen-readout"))();
  }
  search.addEventListener("input", () => { list(); draw(); });
  choices.addEventListener("change", () => { state.chosen = Number(choices.value); draw(); });
  weeks.addEventListener("change", () => { state.weeks = Number(weeks.value); draw(); });
  const totalAgain = readable(document.querySelector("#total svg.days"), () => 0, byId("total-readout"));

  const asked = series.findIndex((one) => one.en === wanted.get("series") || one.zh === wanted.get("series"));
  state.chosen = asked >= 0 ? asked : Math.min(1, series.length - 1);
  byId("pick").hidden = false;
  onChange(() => {
    weeks.replaceChildren(...WEEKS.map((count) => make("option", say("forecast.weeks", { weeks: count }), { value: String(count) })));
    weeks.value = String(state.weeks);
    list();
    draw();
    totalAgain();
  });
  start();
})();
