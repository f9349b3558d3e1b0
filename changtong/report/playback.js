"use strict";
// The backlog of every site hour by hour: a map that plays, its clock, and the charts' cursors.
(() => {
  const { data, say, whole, make, wanted, onChange, start } = report;
  const { sites, play, totals, phases, hours, when } = data;
  const byId = (id) => document.getElementById(id);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const last = hours.length - 1, nSites = sites.id.length, nPlayed = play.site.length;
  const language = () => document.documentElement.dataset.language;

  // --- frames, unpacked (site by site) --------------------------------------------------
  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
    return out;
  }
  function pieces({ top, bytes: text }) {
    const raw = new DataView(bytes(text).buffer), out = new Float32Array(raw.byteLength / 2);
    for (let i = 0; i < out.length; i += 1) out[i] = (raw.getUint16(2 * i, true) / 65535) ** 2 * top;
    return out;
  }
  function bits(text) {
    const raw = bytes(text);
    return (i) => (raw[i >> 3] >> (7 - (i & 7))) & 1;
  }
  const frames = hours.length;
  const waiting = pieces(play.waiting), above = pieces(play.above), held = pieces(play.held);
  const grown = bits(play.grown), burst = bits(play.burst);
  const rowOf = new Int32Array(nSites).fill(-1), heldRow = new Int32Array(nPlayed).fill(-1);
  play.site.forEach((site, row) => { rowOf[site] = row; });
  play.holding.forEach((row, i) => { heldRow[row] = i; });
  const USUAL = 0, GROWN = 1, BURST = 2, NAMES = ["usual", "grown", "burst"];
  const stateOf = (row, frame) => burst(row * frames + frame) ? BURST : grown(row * frames + frame) ? GROWN : USUAL;

  const state = { at: 0, playing: false, site: -1, since: 0 };
  const now = () => Math.min(last, Math.floor(state.at + 1e-6));
  function phaseAt(frame) {
    const middle = hours[frame] - data.frameH / 2;
    return phases.find((phase) => middle >= phase.from && middle < phase.to) ?? phases[phases.length - 1];
  }
  // Between two frames circles grow and shrink evenly, unless motion is unwanted.
  function aboveNow(row) {
    const frame = now(), share = state.at - frame, i = row * frames + frame;
    return share > 0.001 && frame < last ? above[i] + (above[i + 1] - above[i]) * share : above[i];
  }

  // --- drawing ----------------------------------------------------------------------------
  const top = Math.max(play.above.top, 1);
  const canvas = byId("canvas");
  const map = geography(canvas, data, paint);
  const { view, toX, toY } = map;
  const grow = () => Math.min(2.2, Math.max(0.8, (view.k / view.home.k) ** 0.4));
  const largest = () => Math.max(14, Math.min(view.wide, view.high) / 15);
  const radius = (amount) => largest() * grow() * Math.sqrt(amount / top);
  const dot = () => (nSites > 1500 ? 0.9 : nSites > 300 ? 1.5 : 2.6) * grow();
  function sizeOf(site) {
    const row = rowOf[site];
    return row >= 0 && stateOf(row, now()) ? Math.max(dot() + least, radius(aboveNow(row))) : dot();
  }
  const least = nSites > 1500 ? 0.7 : 1.3;
  const inView = (x, y, size) => x > -size && y > -size && x < view.wide + size && y < view.high + size;

  function paint(pen) {
    const { colours } = view, frame = now(), phase = phaseAt(frame);
    const shut = new Set(phase.shut), bins = [[], [], []];
    const dots = new Path2D();
    for (let site = 0; site < nSites; site += 1) {
      if (!sites.placed[site]) continue;
      const row = rowOf[site], here = row < 0 ? USUAL : stateOf(row, frame);
      if (here) { bins[here].push(site); continue; }
      if (shut.has(site)) continue;
      const x = toX(site), y = toY(site);
      if (inView(x, y, 4)) { dots.moveTo(x + dot(), y); dots.arc(x, y, dot(), 0, 7); }
    }
    pen.fillStyle = colours["level-none"];
    pen.fill(dots);
    for (const here of [GROWN, BURST]) for (const site of bins[here].sort((a, b) => sizeOf(b) - sizeOf(a))) circle(pen, site, here);
    for (const site of phase.slowed) if (sites.placed[site]) triangle(pen, toX(site), toY(site));
    for (const site of phase.shut) if (sites.placed[site]) cross(pen, toX(site), toY(site), phase.shut.length > 60 ? 4.5 : 8);
    if (state.site >= 0 && sites.placed[state.site]) {
      pen.strokeStyle = colours.focus; pen.lineWidth = 3;
      pen.beginPath(); pen.arc(toX(state.site), toY(state.site), Math.max(sizeOf(state.site), 8) + 4, 0, 7); pen.stroke();
    }
    labels(pen, bins, shut);
    map.drawScale(say("play.km"));
  }
  function circle(pen, site, here) {
    const x = toX(site), y = toY(site), size = sizeOf(site), { colours } = view;
    if (!inView(x, y, size)) return;
    pen.beginPath(); pen.arc(x, y, size, 0, 7);
    pen.globalAlpha = here === BURST ? 0.8 : 0.5;
    pen.fillStyle = here === BURST ? colours.burst : colours.grown;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = here === BURST ? colours.closed : colours.grown;
    pen.lineWidth = here === BURST ? 2.6 : size < 2.5 ? 0.6 : 1.2;
    pen.stroke();
    if (here === BURST && size > 5) {
      pen.strokeStyle = colours.halo; pen.lineWidth = 1.6;
      pen.beginPath(); pen.arc(x, y, size - 3, 0, 7); pen.stroke();
    }
  }
  function triangle(pen, x, y) {
    pen.fillStyle = view.colours["level-high"]; pen.strokeStyle = view.colours.closed; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x, y - 7); pen.lineTo(x + 7, y + 5.6); pen.lineTo(x - 7, y + 5.6); pen.closePath(); pen.fill(); pen.stroke();
  }
  function cross(pen, x, y, size) {
    pen.fillStyle = view.colours.halo; pen.strokeStyle = view.colours.closed; pen.lineWidth = 2.2;
    pen.beginPath(); pen.arc(x, y, size, 0, 7); pen.fill(); pen.stroke();
    const arm = size * 0.5;
    pen.strokeStyle = view.colours["level-full"];
    pen.beginPath(); pen.moveTo(x - arm, y - arm); pen.lineTo(x + arm, y + arm); pen.moveTo(x + arm, y - arm); pen.lineTo(x - arm, y + arm); pen.stroke();
  }
  function labels(pen, bins, shut) {
    const most = Math.min(24, Math.round(view.wide * view.high / 26000)), taken = [];
    const asked = [...(state.site >= 0 ? [state.site] : []), ...shut, ...bins[BURST], ...bins[GROWN]];
    pen.textBaseline = "middle"; pen.textAlign = "left"; pen.lineJoin = "round";
    for (const site of new Set(asked)) {
      if (taken.length >= most) break;
      if (!sites.placed[site] || (sizeOf(site) < 5 && !shut.has(site) && site !== state.site)) continue;
      const x = toX(site), y = toY(site);
      if (x < 0 || y < 0 || x > view.wide - 10 || y > view.high) continue;
      const name = sites.name[site].length > 18 ? `${sites.name[site].slice(0, 17)}…` : sites.name[site];
      pen.font = shut.has(site) || site === state.site ? `700 ${view.font}` : view.font;
      const long = pen.measureText(name).width, gap = Math.max(sizeOf(site), shut.has(site) ? 8 : 0) + 4;
      const left = x + gap + long > view.wide - 50 ? x - gap - long : x + gap;
      const box = [left - 3, y - 8, left + long + 3, y + 8];
      if (left < 2 || taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      taken.push(box);
      pen.strokeStyle = view.colours.halo; pen.lineWidth = 3.5; pen.strokeText(name, left, y);
      pen.fillStyle = view.colours.ink; pen.fillText(name, left, y);
    }
  }

  // --- the clock, the numbers below the map, the charts' cursors ------------------------------
  const slider = byId("hour"), button = byId("play");
  const hourSaid = (frame) => say("play.at_hour", { hour: Number(hours[frame].toFixed(2)).toLocaleString("en-US") });
  const charts = [...document.querySelectorAll("svg.hours")].map((svg) => ({ svg, line: svg.querySelector(".now"), ...svg.dataset }));
  let shown = -1;
  function tell(again = false) {
    const frame = now();
    if (frame === shown && !again) return;
    shown = frame;
    const time = when[language()][frame];
    slider.value = frame;
    slider.setAttribute("aria-valuetext", `${hourSaid(frame)}, ${time}, ${say("play.waiting")} ${whole(totals.waiting[frame])}`);
    byId("map-clock").replaceChildren(make("b", time), " ", make("small", hourSaid(frame)));
    byId("readout").replaceChildren(...[["waiting", "waiting"], ["above", "above"], ["held", "held"], ["under_way", "underWay"], ["sites_grown", "grown"], ["sites_burst", "burst"]]
      .map(([key, name]) => make("div", [make("dt", say(`play.${key}`)), make("dd", whole(totals[name][frame]))])));
    for (const { line, left, right, last: end } of charts) {
      const x = Number(left) + (right - left) * hours[frame] / end;
      line.setAttribute("x1", x); line.setAttribute("x2", x);
    }
    details();
  }
  function goTo(at) {
    state.at = Math.max(0, Math.min(last, at));
    tell();
    map.redraw();
  }
  const frameOf = (hour) => Math.max(0, hours.findIndex((end) => end >= hour - 1e-6));

  // --- playing ------------------------------------------------------------------------------
  const SPEEDS = [3, 6, 12, 24];
  const speed = byId("speed");
  function run(on) {
    if (on && state.at >= last) state.at = 0;
    state.playing = on;
    state.since = 0;
    button.classList.toggle("playing", on);
    button.dataset.aria = on ? "play.pause" : "play.play";
    button.setAttribute("aria-label", say(button.dataset.aria));
    byId("details").setAttribute("aria-live", on ? "off" : "polite");
    if (on) requestAnimationFrame(tick);
    else goTo(now());
  }
  let played = 0;
  function tick(time) {
    if (!state.playing) return;
    const passed = state.since ? Math.min(0.25, (time - state.since) / 1000) : 0;
    state.since = time;
    played = state.since && passed ? played + passed * Number(speed.value) / data.frameH : state.at;
    if (played >= last) { state.at = last; run(false); return; }
    goTo(still.matches ? Math.floor(played) : played);
    requestAnimationFrame(tick);
  }
  function step(by) { if (state.playing) run(false); goTo(now() + by); }
  const day = Math.max(1, Math.round(24 / data.frameH));

  // --- sites: what is under the pointer, what is chosen -------------------------------------------
  function siteAt([x, y], reach) {
    let best = -1, nearest = reach;
    for (let site = 0; site < nSites; site += 1) {
      if (!sites.placed[site]) continue;
      const away = Math.hypot(toX(site) - x, toY(site) - y), size = sizeOf(site);
      const distance = away < size ? away / size - 1 : away - size;
      if (distance < nearest) { nearest = distance; best = site; }
    }
    return best;
  }
  function facts(site) {
    const frame = now(), row = rowOf[site], phase = phaseAt(frame), i = row * frames + frame;
    const marks = [phase.shut.includes(site) ? "shut" : phase.slowed.includes(site) ? "slowed" : null, row < 0 ? "usual" : NAMES[stateOf(row, frame)]];
    const pairs = [];
    if (row >= 0) pairs.push(["waiting", waiting[i]], ["above", above[i]]);
    if (row >= 0 && heldRow[row] >= 0) pairs.push(["held", held[heldRow[row] * frames + frame]]);
    pairs.push(["most", sites.peak[site]], ["hold", sites.hold[site]]);
    return { marks: marks.filter(Boolean).map((key) => say(`play.${key}`)).join(" · "), pairs };
  }
  const amount = (key, value) => value === null ? say("play.no_hold") : whole(value);
  function hover(at) {
    const box = byId("hover"), site = at ? siteAt(at, 7) : -1;
    box.hidden = site < 0;
    canvas.style.cursor = box.hidden ? "" : "pointer";
    if (box.hidden) return;
    const { marks, pairs } = facts(site);
    box.replaceChildren(make("b", sites.name[site]), make("br", null), marks,
      ...pairs.flatMap(([key, value]) => [make("br", null), `${say(`play.${key}`)} ${amount(key, value)}`]));
    const [x, y] = at, right = x > view.wide * 0.6;
    box.style.left = right ? "" : `${x + 14}px`; box.style.right = right ? `${view.wide - x + 14}px` : "";
    box.style.top = `${Math.max(4, Math.min(y + 12, view.high - box.offsetHeight - 6))}px`;
  }
  function details() {
    const panel = byId("details"), { site } = state;
    panel.hidden = site < 0;
    if (site < 0) { panel.replaceChildren(); return; }
    const close = make("button", "✕", { type: "button", class: "close", "aria-label": say("play.close") });
    close.addEventListener("click", () => { choose(-1); canvas.focus(); });
    const { marks, pairs } = facts(site);
    panel.replaceChildren(close, make("h3", sites.name[site]), make("p", marks, { class: "note" }),
      make("dl", pairs.flatMap(([key, value]) => [make("dt", say(`play.${key}`)), make("dd", amount(key, value))])));
    if (rowOf[site] >= 0) panel.append(curve(rowOf[site], sites.hold[site]));
  }
  const SVG = "http://www.w3.org/2000/svg";
  function drawn(tag, attributes, ...parts) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...parts);
    return node;
  }
  function curve(row, hold) {
    const mine = waiting.subarray(row * frames, (row + 1) * frames), peak = Math.max(...mine, 1);
    const limit = hold !== null && hold <= peak * 2 ? hold : 0, most = Math.max(peak, limit);
    const x = (frame) => 300 * frame / Math.max(last, 1), y = (value) => 58 - 54 * value / most;
    const line = Array.from(mine, (value, frame) => `${x(frame).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    return drawn("svg", { viewBox: "0 0 300 60", class: "hours", "aria-hidden": "true" },
      drawn("path", { class: "area", d: `M0 58L${line}L300 58Z` }), drawn("path", { class: "line s-waiting", d: `M${line}` }),
      ...(limit ? [drawn("path", { class: "hold", d: `M0 ${y(limit)}H300` })] : []),
      drawn("line", { class: "now", x1: x(now()), x2: x(now()), y1: 0, y2: 58 }));
  }
  function choose(site) {
    state.site = site;
    byId("hover").hidden = true;
    details();
    map.redraw();
  }
  function next(by) {
    const frame = now(), shut = phaseAt(frame).shut;
    const grownNow = play.site.filter((site, row) => stateOf(row, frame)).sort((a, b) => above[rowOf[b] * frames + frame] - above[rowOf[a] * frames + frame]);
    const list = [...new Set([...shut, ...grownNow])].filter((site) => sites.placed[site]);
    if (!list.length) return;
    const site = list[state.site < 0 ? 0 : (list.indexOf(state.site) + by + list.length) % list.length];
    map.bring(site);
    choose(site);
  }

  // --- controls -------------------------------------------------------------------------------
  map.owner.point = hover;
  map.owner.pick = (at, reach) => choose(siteAt(at, reach));
  const keys = {
    " ": () => run(!state.playing), ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => step(day), ArrowDown: () => step(-day),
    PageUp: () => step(day), PageDown: () => step(-day), Home: () => step(-frames), End: () => step(frames),
    "+": () => map.zoom(1.5), "=": () => map.zoom(1.5), "-": () => map.zoom(1 / 1.5), 0: map.goHome,
    n: () => next(1), p: () => next(-1), Escape: () => choose(-1),
  };
  const onKey = (event) => {
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
  };
  canvas.addEventListener("keydown", onKey);
  slider.addEventListener("keydown", onKey);
  slider.addEventListener("input", () => { if (state.playing) run(false); goTo(Number(slider.value)); });
  button.addEventListener("click", () => run(!state.playing));
  byId("zoom-in").addEventListener("click", () => map.zoom(1.6));
  byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.6));
  byId("home").addEventListener("click", map.goHome);
  for (const node of document.querySelectorAll(".jump")) {
    node.addEventListener("click", () => { if (state.playing) run(false); goTo(frameOf(Number(node.dataset.hour))); });
  }
  for (const { svg, left, right, wide, last: end } of charts) {
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * wide / box.width;
      if (state.playing) run(false);
      goTo(frameOf(Math.max(0, (x - left) / (right - left)) * end));
    });
  }

  function swatch(...parts) { return drawn("svg", { viewBox: "0 0 30 14", "aria-hidden": "true" }, ...parts); }
  function legend() {
    const { colours } = view, middle = { cx: 15, cy: 7 };
    const items = [
      [swatch(drawn("circle", { ...middle, r: 2.4, fill: colours["level-none"] })), say("play.usual")],
      [swatch(drawn("circle", { ...middle, r: 6, fill: colours.grown, "fill-opacity": 0.5, stroke: colours.grown, "stroke-width": 1.2 })), say("play.grown")],
      [swatch(drawn("circle", { ...middle, r: 5.6, fill: colours.burst, "fill-opacity": 0.8, stroke: colours.closed, "stroke-width": 2.4 }), drawn("circle", { ...middle, r: 3, fill: "none", stroke: colours.halo, "stroke-width": 1.4 })), say("play.burst")],
    ];
    if (phases.some((phase) => phase.shut.length)) items.push([swatch(drawn("circle", { ...middle, r: 5.5, fill: colours.halo, stroke: colours.closed, "stroke-width": 2 }), drawn("path", { d: "M12 4l6 6m0-6l-6 6", stroke: colours["level-full"], "stroke-width": 2 })), say("play.shut")]);
    if (phases.some((phase) => phase.slowed.length)) items.push([swatch(drawn("path", { d: "M15 1l6 11h-12z", fill: colours["level-high"], stroke: colours.closed })), say("play.slowed")]);
    if (view.home && nPlayed) items.push(sizes());
    byId("legend").replaceChildren(...items.map((parts) => make("li", parts)));
  }
  const compact = (value) => new Intl.NumberFormat(language() === "zh" ? "zh-CN" : "en", { notation: "compact" }).format(value);
  // Circles of two round numbers of pieces, as large as on the whole map.
  function sizes() {
    const round = 10 ** Math.floor(Math.log10(top)), big = [5, 2, 1].map((step) => step * round).find((value) => value <= top);
    const size = (value) => largest() * Math.sqrt(value / top), r = size(big), small = size(big / 10);
    const wide = 2 * r + 2 * small + 8, high = 2 * r + 4;
    const svg = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, class: "sizes", "aria-hidden": "true" },
      drawn("circle", { cx: r + 2, cy: r + 2, r, fill: "none", stroke: view.colours.grown }),
      drawn("circle", { cx: 2 * r + small + 5, cy: 2 * r + 2 - small, r: small, fill: "none", stroke: view.colours.grown }));
    return [svg, `${compact(big)} / ${compact(big / 10)} ${say("play.pieces")}`];
  }

  onChange(() => {
    map.readColours(["sea", "land", "land-edge", "ink", "muted", "halo", "closed", "focus", "level-none", "level-high", "level-full", "grown", "burst"]);
    const chosen = speed.value || "6";
    speed.replaceChildren(...SPEEDS.map((rate) => make("option", say("play.per_second", { hours: rate }), { value: rate })));
    speed.value = chosen;
    legend();
    tell(true);
    if (view.home) map.draw();
  });
  byId("map").hidden = false;
  // The worst hour is what a reader sees first; nothing moves by itself.
  const asked = Number(wanted.get("hour"));
  const worst = totals.above.reduce((best, value, frame) => value > totals.above[best] ? frame : best, 0);
  state.at = wanted.get("hour") && Number.isFinite(asked) ? frameOf(asked) : worst;
  state.site = sites.id.indexOf(wanted.get("site"));
  start();
  new ResizeObserver(() => { map.resize(); legend(); }).observe(canvas);
  map.resize();
  legend();
})();
