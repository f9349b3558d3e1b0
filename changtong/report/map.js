"use strict";
// The network before, after and as a difference: own drawing on a canvas, no library.
(() => {
  const { data, say, whole, percent, make, wanted } = report;
  const { CHANGES, legName, legRoom, loadShare, isClosed, siteParts, legParts } = describe;
  const { sites, legs } = data;
  const byId = (id) => document.getElementById(id);
  const canvas = byId("canvas");
  const pen = canvas.getContext("2d");
  const nSites = sites.id.length;
  const nLegs = legs.from.length;
  const LEVELS = ["none", "low", "mid", "high", "full"];
  const WIDTHS = (nLegs > 2500 ? [0.5, 0.8, 1.4, 2.4, 4] : [0.8, 1.4, 2.2, 3.4, 5.2]);
  const MAIN_LEGS = 450;
  const hasBefore = legs.before.some((pieces) => pieces) || sites.before.some((pieces) => pieces);

  const state = { view: hasBefore && legs.change.some((code) => code) ? "difference" : "after", filter: nLegs > 2500 ? "main" : "all", k: 1, x: 0, y: 0, home: null, site: -1, leg: -1 };
  if (["before", "after", "difference"].includes(wanted.get("view"))) state.view = wanted.get("view");
  if (!hasBefore) byId("views").querySelectorAll("[data-view]").forEach((node) => { node.disabled = node.dataset.view !== "after"; });

  // --- what each site and leg is, in each view ---------------------------------------
  const siteRoom = (site, view) => (view === "before" ? sites.roomBefore : sites.room)[site];
  const flow = (leg, view) => view === "difference"
    ? Math.abs((legs.after[leg] ?? 0) - (legs.before[leg] ?? 0)) : legs[view][leg] ?? 0;
  const siteFlow = (site, view) => view === "difference"
    ? Math.abs((sites.after[site] ?? 0) - (sites.before[site] ?? 0)) : sites[view][site] ?? 0;
  function level(share) {
    if (share === null) return 0;
    return share < 0.5 ? 1 : share < 0.8 ? 2 : share < 0.95 ? 3 : 4;
  }
  function legStyle(leg) {
    if (state.view === "difference") return legs.change[leg];
    return level(loadShare(flow(leg, state.view), legRoom(leg, state.view)));
  }
  function siteStyle(site) {
    if (state.view === "difference") {
      const more = (sites.after[site] ?? 0) - (sites.before[site] ?? 0);
      return Math.abs(more) < 1 ? 0 : more > 0 ? 1 : 2;
    }
    return level(loadShare(siteFlow(site, state.view), siteRoom(site, state.view)));
  }
  const reference = (count, value) => {
    const values = Array.from({ length: count }, (_, i) => value(i)).sort((a, b) => a - b);
    return Math.max(1, values[Math.floor(values.length * 0.9995)] ?? 1);
  };
  const largest = {};
  function scales() {
    const view = state.view;
    largest[view] ??= {
      leg: reference(nLegs, (leg) => flow(leg, view)), site: reference(nSites, (site) => siteFlow(site, view)),
    };
    return largest[view];
  }
  function widthClass(leg) {
    const ratio = flow(leg, state.view) / scales().leg;
    return ratio < 0.012 ? 0 : ratio < 0.05 ? 1 : ratio < 0.18 ? 2 : ratio < 0.5 ? 3 : 4;
  }

  // --- paths, built once per view, filter and detail ----------------------------------
  const ranked = {};
  function order() {
    ranked[state.view] ??= Array.from({ length: nLegs }, (_, leg) => leg).sort((a, b) => flow(b, state.view) - flow(a, state.view));
    return ranked[state.view];
  }
  const detail = () => Math.max(0, Math.floor(Math.log2(state.k / state.home.k) + 0.25));
  function chosenLegs() {
    const kept = order().filter((leg) => flow(leg, state.view) > 0);
    if (state.filter === "changed") return kept.filter((leg) => legs.change[leg] !== 0);
    if (state.filter === "full") {
      const view = state.view === "difference" ? "after" : state.view;
      return kept.filter((leg) => level(loadShare(flow(leg, view), legRoom(leg, view))) === 4);
    }
    return state.filter === "main" ? kept.slice(0, MAIN_LEGS * 4 ** detail()) : kept;
  }
  function trace(path, leg) {
    const x1 = sites.x[legs.from[leg]], y1 = sites.y[legs.from[leg]];
    const x2 = sites.x[legs.to[leg]], y2 = sites.y[legs.to[leg]];
    path.moveTo(x1, y1);
    path.quadraticCurveTo((x1 + x2) / 2 - (y2 - y1) * 0.09, (y1 + y2) / 2 + (x2 - x1) * 0.09, x2, y2);
  }
  const built = new Map();
  const MOVING_LEGS = 2500;
  let moving = 0;
  function stir() {
    clearTimeout(moving);
    moving = setTimeout(() => { moving = 0; redraw(); }, 160);
  }
  function paths() {
    const key = `${state.view} ${state.filter} ${state.filter === "main" ? Math.min(detail(), 6) : 0}`;
    return pathsOf(key, Infinity);
  }
  // While the map moves only the largest legs are drawn; all of them once it rests.
  function pathsNow() {
    const all = paths();
    if (!moving || all.drawn.length <= MOVING_LEGS * 2) return all;
    return pathsOf(`${state.view} ${state.filter} moving`, MOVING_LEGS);
  }
  function pathsOf(key, most) {
    if (!built.has(key)) {
      const bins = new Map();
      const drawn = chosenLegs().slice(0, most);
      for (const leg of drawn) {
        const bin = legStyle(leg) * WIDTHS.length + widthClass(leg);
        if (!bins.has(bin)) bins.set(bin, new Path2D());
        trace(bins.get(bin), leg);
      }
      const sorted = [...bins].sort((a, b) => a[0] % WIDTHS.length - b[0] % WIDTHS.length || a[0] - b[0]);
      built.set(key, { bins: sorted, drawn });
    }
    return built.get(key);
  }
  const land = new Path2D();
  for (const ring of data.land) {
    let x = 0, y = 0;
    for (let i = 0; i < ring.length; i += 2) {
      x += ring[i]; y += ring[i + 1];
      if (i) land.lineTo(x, y); else land.moveTo(x, y);
    }
    land.closePath();
  }

  // --- drawing -----------------------------------------------------------------------
  const colours = {};
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["sea", "land", "land-edge", "ink", "muted", "halo", "closed", "accent", "focus",
      ...LEVELS.map((name) => `level-${name}`), ...CHANGES]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
  const styleColour = (style) => colours[state.view === "difference" ? CHANGES[style] : `level-${LEVELS[style]}`];
  let ratio = 1, wide = 1, high = 1, waiting = false, font = "12px sans-serif";
  const toX = (site) => sites.x[site] * state.k + state.x;
  const toY = (site) => sites.y[site] * state.k + state.y;
  const grow = () => Math.min(2.2, Math.max(0.8, (state.k / state.home.k) ** 0.4));
  const radius = (site) => ((nSites < 300 ? 2.4 : 0.9) + 8 * Math.sqrt(Math.min(1, siteFlow(site, state.view) / scales().site))) * grow();

  function strokeBin(path, style, width) {
    const name = state.view === "difference" ? CHANGES[style] : LEVELS[style];
    const unit = 1 / state.k;
    pen.strokeStyle = styleColour(style);
    pen.lineWidth = width * unit;
    pen.setLineDash(name === "dropped" ? [5 * unit, 4 * unit] : []);
    pen.stroke(path);
    if (name === "full" || name === "opened") {
      const inner = Math.max(0.5, width * 0.3);
      pen.strokeStyle = colours.halo;
      pen.lineWidth = inner * unit;
      pen.setLineDash(name === "full" ? [3 * unit, 5 * unit] : []);
      if (width > 1) pen.stroke(path);
    }
    pen.setLineDash([]);
  }
  function drawLegs() {
    const chosen = state.site >= 0 || state.leg >= 0;
    pen.globalAlpha = chosen ? 0.12 : 1;
    for (const [bin, path] of pathsNow().bins) {
      const style = Math.floor(bin / WIDTHS.length), size = bin % WIDTHS.length;
      const quiet = state.view === "difference" ? style === 0 : style < 3;
      if (!chosen) pen.globalAlpha = size === 0 ? (quiet ? 0.4 : 0.75) : size === 1 && quiet ? 0.6 : 0.92;
      strokeBin(path, style, WIDTHS[size] * grow() * (size ? 1 : 0.9));
    }
    pen.globalAlpha = 1;
    if (!chosen) return;
    for (const leg of state.leg >= 0 ? [state.leg] : legsOf(state.site)) {
      const path = new Path2D();
      trace(path, leg);
      strokeBin(path, legStyle(leg), Math.max(1.4, WIDTHS[widthClass(leg)]) * grow() + (state.leg >= 0 ? 1.5 : 0));
    }
  }
  function drawSites() {
    const groups = new Map();
    for (let site = 0; site < nSites; site += 1) {
      if (!sites.placed[site] || isClosed(site)) continue;
      const x = toX(site), y = toY(site);
      if (x < -20 || y < -20 || x > wide + 20 || y > high + 20) continue;
      const style = siteStyle(site);
      if (!groups.has(style)) groups.set(style, new Path2D());
      const path = groups.get(style), size = radius(site);
      path.moveTo(x + size, y);
      path.arc(x, y, size, 0, 7);
    }
    for (const [style, path] of [...groups].sort((a, b) => a[0] - b[0])) {
      pen.fillStyle = styleColour(style);
      pen.strokeStyle = colours.halo;
      pen.lineWidth = 0.8;
      pen.fill(path);
      if (nSites < 1500 || detail() > 1) pen.stroke(path);
    }
  }
  function shape(kind, x, y, size) {
    pen.beginPath();
    if (kind === "diamond") { pen.moveTo(x, y - size); pen.lineTo(x + size, y); pen.lineTo(x, y + size); pen.lineTo(x - size, y); pen.closePath(); }
    else if (kind === "triangle") { pen.moveTo(x, y - size); pen.lineTo(x + size, y + size * 0.8); pen.lineTo(x - size, y + size * 0.8); pen.closePath(); }
    else pen.arc(x, y, size, 0, 7);
  }
  function drawMarks() {
    pen.lineWidth = 2;
    for (const [, standIn] of data.standIns) if (sites.placed[standIn]) {
      pen.strokeStyle = colours.opened; shape("ring", toX(standIn), toY(standIn), radius(standIn) + 3); pen.stroke();
    }
    for (const [relay] of data.relays) if (sites.placed[relay]) {
      pen.fillStyle = colours.opened; pen.strokeStyle = colours.halo;
      shape("diamond", toX(relay), toY(relay), 6); pen.fill(); pen.stroke();
    }
    for (const key of Object.keys(sites.share)) {
      const site = Number(key), x = toX(site), y = toY(site);
      if (!sites.placed[site]) continue;
      if (!isClosed(site)) { pen.fillStyle = colours["level-high"]; pen.strokeStyle = colours.closed; shape("triangle", x, y, 7); pen.fill(); pen.stroke(); continue; }
      const size = Object.keys(sites.share).length > 60 ? 5 : 9;
      pen.fillStyle = colours.halo; pen.strokeStyle = colours.closed; pen.lineWidth = 2.5;
      shape("ring", x, y, size); pen.fill(); pen.stroke();
      pen.strokeStyle = colours["level-full"];
      pen.beginPath(); const arm = size * 0.5;
      pen.moveTo(x - arm, y - arm); pen.lineTo(x + arm, y + arm); pen.moveTo(x + arm, y - arm); pen.lineTo(x - arm, y + arm); pen.stroke();
    }
    if (state.site >= 0) {
      pen.strokeStyle = colours.focus; pen.lineWidth = 3;
      shape("ring", toX(state.site), toY(state.site), Math.max(radius(state.site), isClosed(state.site) ? 9 : 3) + 4); pen.stroke();
    }
  }
  const labelOrder = {};
  function labelled() {
    labelOrder[state.view] ??= Array.from({ length: nSites }, (_, site) => site).filter((site) => sites.placed[site])
      .sort((a, b) => isClosed(b) - isClosed(a) || siteFlow(b, state.view) - siteFlow(a, state.view));
    return state.site >= 0 ? [state.site, ...labelOrder[state.view]] : labelOrder[state.view];
  }
  function drawLabels() {
    const most = Math.min(60, Math.round(wide * high / 15000) + detail() * 8);
    const least = nSites > 60 ? scales().site * 0.06 / 4 ** detail() : 0;
    const taken = [];
    pen.textBaseline = "middle"; pen.lineJoin = "round";
    let put = 0;
    for (const site of labelled()) {
      if (put >= most) break;
      if (siteFlow(site, state.view) < least && !isClosed(site) && site !== state.site) continue;
      const x = toX(site), y = toY(site), closed = isClosed(site);
      if (x < 0 || y < 0 || x > wide - 10 || y > high) continue;
      const name = sites.name[site].length > 18 ? `${sites.name[site].slice(0, 17)}…` : sites.name[site];
      pen.font = closed || site === state.site ? `700 ${font.replace("12px", "13px")}` : font;
      const long = pen.measureText(name).width;
      const gap = Math.max(closed ? 9 : 2, radius(site)) + 4;
      const left = x + gap + long > wide - 50 ? x - gap - long : x + gap;
      const box = [left - 3, y - 9, left + long + 3, y + 9];
      if (left < 2 || taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      taken.push(box);
      put += 1;
      pen.strokeStyle = colours.halo; pen.lineWidth = 3.5; pen.strokeText(name, left, y);
      pen.fillStyle = closed ? colours["level-full"] : colours.ink; pen.fillText(name, left, y);
    }
  }
  function drawScale() {
    if (!data.metres) return;
    const kmPerPixel = data.metres / 1000 / state.k;
    const raw = kmPerPixel * 110, power = 10 ** Math.floor(Math.log10(raw));
    const km = [5, 2, 1].map((step) => step * power).find((value) => value <= raw);
    const long = km / kmPerPixel, x = wide - 14 - long, y = high - 14;
    pen.strokeStyle = colours.muted; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x, y - 5); pen.lineTo(x, y); pen.lineTo(x + long, y); pen.lineTo(x + long, y - 5); pen.stroke();
    pen.font = font; pen.fillStyle = colours.muted; pen.textBaseline = "bottom";
    pen.fillText(`${km.toLocaleString("en-US")} ${say("js.km")}`, x + 5, y - 2);
  }
  function draw() {
    waiting = false;
    const unit = state.k * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = data.kind === "map" ? colours.sea : colours.land;
    pen.fillRect(0, 0, wide, high);
    pen.setTransform(unit, 0, 0, unit, state.x * ratio, state.y * ratio);
    pen.fillStyle = colours.land;
    pen.fill(land, "evenodd");
    pen.strokeStyle = colours["land-edge"]; pen.lineWidth = 0.7 / state.k;
    pen.stroke(land);
    drawLegs();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawSites();
    drawMarks();
    drawLabels();
    drawScale();
  }
  function redraw() {
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  }

  // --- moving about ------------------------------------------------------------------
  function fit() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let site = 0; site < nSites; site += 1) if (sites.placed[site]) {
      left = Math.min(left, sites.x[site]); right = Math.max(right, sites.x[site]);
      top = Math.min(top, sites.y[site]); bottom = Math.max(bottom, sites.y[site]);
    }
    if (left > right) [left, top, right, bottom] = [0, 0, 1, 1];
    const margin = Math.min(44, wide * 0.07);
    const k = Math.min((wide - 2 * margin) / Math.max(right - left, 1), (high - 2 * margin) / Math.max(bottom - top, 1));
    state.home = { k, x: wide / 2 - k * (left + right) / 2, y: high / 2 - k * (top + bottom) / 2 };
  }
  function goHome() { Object.assign(state, { k: state.home.k, x: state.home.x, y: state.home.y }); redraw(); }
  function zoom(factor, x = wide / 2, y = high / 2) {
    const k = Math.min(state.home.k * 150, Math.max(state.home.k * 0.6, state.k * factor));
    state.x = x - (x - state.x) * k / state.k; state.y = y - (y - state.y) * k / state.k; state.k = k;
    stir();
    redraw();
  }
  function pan(x, y) { state.x += x; state.y += y; stir(); redraw(); }
  function resize() {
    const box = canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const away = state.home && (Math.abs(state.k / state.home.k - 1) > 0.01);
    ratio = Math.min(2, devicePixelRatio || 1); wide = box.width; high = box.height;
    canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
    fit();
    if (!away) goHome();
    redraw();
  }
  function show(site, closer = false) {
    if (closer && sites.placed[site]) {
      const k = Math.max(state.k, state.home.k * 4);
      Object.assign(state, { k, x: wide / 2 - sites.x[site] * k, y: high / 2 - sites.y[site] * k });
    }
    select(site, -1);
  }

  // --- what is under the pointer -------------------------------------------------------
  const legLists = [];
  for (let leg = 0; leg < nLegs; leg += 1) for (const end of [legs.from[leg], legs.to[leg]]) (legLists[end] ??= []).push(leg);
  const legsOf = (site) => (legLists[site] ?? []).filter((leg) => flow(leg, state.view) > 0);
  function siteAt(x, y, reach) {
    let best = -1, nearest = reach;
    for (let site = 0; site < nSites; site += 1) {
      if (!sites.placed[site]) continue;
      const distance = Math.hypot(toX(site) - x, toY(site) - y) - Math.min(radius(site), 10);
      if (distance < nearest) { nearest = distance; best = site; }
    }
    return best;
  }
  function legAt(x, y, reach) {
    let best = -1, nearest = reach;
    for (const leg of paths().drawn) {
      const x1 = toX(legs.from[leg]), y1 = toY(legs.from[leg]), x2 = toX(legs.to[leg]), y2 = toY(legs.to[leg]);
      if (Math.min(x1, x2) - 40 > x || Math.max(x1, x2) + 40 < x || Math.min(y1, y2) - 40 > y || Math.max(y1, y2) + 40 < y) continue;
      const cx = (x1 + x2) / 2 - (y2 - y1) * 0.09, cy = (y1 + y2) / 2 + (x2 - x1) * 0.09;
      for (let step = 0; step < 8; step += 1) {
        const distance = toSegment(x, y, bend(x1, cx, x2, step / 8), bend(y1, cy, y2, step / 8), bend(x1, cx, x2, (step + 1) / 8), bend(y1, cy, y2, (step + 1) / 8));
        if (distance < nearest) { nearest = distance; best = leg; }
      }
    }
    return best;
  }
  const bend = (a, c, b, t) => (1 - t) ** 2 * a + 2 * t * (1 - t) * c + t * t * b;
  function toSegment(x, y, x1, y1, x2, y2) {
    const dx = x2 - x1, dy = y2 - y1;
    const t = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    return Math.hypot(x - x1 - t * dx, y - y1 - t * dy);
  }
  function select(site, leg) {
    Object.assign(state, { site, leg });
    byId("hover").hidden = true;
    details();
    redraw();
  }

  // --- the panel and the hover box ------------------------------------------------------
  function details() {
    const panel = byId("details");
    panel.hidden = state.site < 0 && state.leg < 0;
    if (panel.hidden) { panel.replaceChildren(); return; }
    const close = make("button", "✕", { type: "button", class: "close", "aria-label": say("js.close") });
    close.addEventListener("click", () => { select(-1, -1); canvas.focus(); });
    panel.replaceChildren(close, ...(state.site >= 0 ? siteParts(state.site, () => full(false)) : legParts(state.leg)));
    panel.scrollTop = 0;
    if (state.site >= 0 && getComputedStyle(panel).position === "absolute") {
      const x = toX(state.site), y = toY(state.site);
      if (x < panel.offsetLeft + panel.offsetWidth + 35 && y > panel.offsetTop - 10) pan(panel.offsetLeft + panel.offsetWidth + 40 - x, 0);
    }
  }
  function hover(x, y) {
    const box = byId("hover");
    const site = siteAt(x, y, 7), leg = site < 0 ? legAt(x, y, 5) : -1;
    box.hidden = site < 0 && leg < 0;
    canvas.style.cursor = box.hidden ? "" : "pointer";
    if (box.hidden) return;
    const view = state.view === "difference" ? "after" : state.view;
    const [name, pieces, room] = site >= 0 ? [sites.name[site], sites[view][site], siteRoom(site, view)] : [legName(leg), legs[view][leg], legRoom(leg, view)];
    const words = state.view === "difference"
      ? `${whole((site >= 0 ? sites : legs).before[site >= 0 ? site : leg])} → ${whole(pieces)} ${say("js.pieces")}`
      : `${whole(pieces)} ${say("js.pieces")}${room ? ` · ${percent(pieces / room)}` : ""}`;
    box.replaceChildren(make("b", name), make("br", null), words);
    const right = x > wide * 0.6;
    box.style.left = right ? "" : `${x + 14}px`; box.style.right = right ? `${wide - x + 14}px` : "";
    box.style.top = `${Math.min(y + 12, high - 60)}px`;
  }

  // --- pointer, wheel, keys ------------------------------------------------------------
  const fingers = new Map();
  let moved = 0, hoverAt = null;
  const local = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, local(event)); moved = fingers.size > 1 ? 99 : 0;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = local(event), was = fingers.get(event.pointerId);
    if (!was) {
      if (event.pointerType === "mouse") { if (!hoverAt) requestAnimationFrame(() => { const to = hoverAt; hoverAt = null; if (to) hover(...to); }); hoverAt = at; }
      return;
    }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      zoom(Math.hypot(at[0] - other[0], at[1] - other[1]) / (Math.hypot(was[0] - other[0], was[1] - other[1]) || 1), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      pan((at[0] - was[0]) / 2, (at[1] - was[1]) / 2);
    } else {
      moved += Math.abs(at[0] - was[0]) + Math.abs(at[1] - was[1]);
      if (moved > 5) { pan(at[0] - was[0], at[1] - was[1]); canvas.classList.add("dragging"); byId("hover").hidden = true; }
    }
    fingers.set(event.pointerId, at);
  });
  const release = (event) => {
    const at = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    if (!at || event.type === "pointercancel" || moved > 5) return;
    const reach = event.pointerType === "mouse" ? 7 : 16;
    const site = siteAt(...at, reach);
    select(site, site < 0 ? legAt(...at, reach) : -1);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { hoverAt = null; byId("hover").hidden = true; });
  canvas.addEventListener("dblclick", (event) => zoom(2, ...local(event)));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas && !isFull()) return;
    event.preventDefault();
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.004), ...local(event));
  }, { passive: false });
  function step(by) {
    const list = labelOrder[state.view] ?? labelled();
    if (!list.length) return;
    const next = (list.indexOf(state.site) + by + list.length) % list.length;
    const site = list[state.site < 0 ? 0 : next];
    if (toX(site) < 0 || toY(site) < 0 || toX(site) > wide || toY(site) > high) Object.assign(state, { x: wide / 2 - sites.x[site] * state.k, y: high / 2 - sites.y[site] * state.k });
    select(site, -1);
  }
  const keys = {
    ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: goHome, Home: goHome,
    n: () => step(1), p: () => step(-1), Escape: () => { if (state.site < 0 && state.leg < 0) full(false); select(-1, -1); },
  };
  canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
  });

  // --- controls and legend ---------------------------------------------------------------
  const frame = byId("map-frame");
  const isFull = () => frame.classList.contains("full");
  function full(on) {
    if (on === isFull()) return;
    frame.classList.toggle("full", on); document.body.style.overflow = on ? "hidden" : ""; resize(); goHome();
  }
  byId("zoom-in").addEventListener("click", () => zoom(1.6));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  byId("home").addEventListener("click", goHome);
  byId("full").addEventListener("click", () => full(!isFull()));
  addEventListener("keydown", (event) => { if (event.key === "Escape" && isFull()) full(false); });
  function setView(view) {
    state.view = view;
    for (const node of byId("views").children) node.setAttribute("aria-pressed", String(node.dataset.view === view));
    legend();
    redraw();
  }
  byId("views").addEventListener("click", (event) => { const view = event.target.closest("[data-view]")?.dataset.view; if (view) setView(view); });
  byId("filter").addEventListener("change", (event) => { state.filter = event.target.value; redraw(); });
  const find = byId("find");
  find.addEventListener("focus", () => {
    if (byId("site-list").children.length) return;
    byId("site-list").append(...[...new Set(labelled().map((site) => sites.name[site]))].slice(0, 4000).map((name) => make("option", null, { value: name })));
  });
  find.addEventListener("change", () => {
    const asked = find.value.trim().toLowerCase();
    if (!asked) return;
    const whole = sites.name.findIndex((name, i) => name.toLowerCase() === asked || sites.id[i].toLowerCase() === asked);
    const site = whole >= 0 ? whole : labelled().find((i) => sites.name[i].toLowerCase().includes(asked)) ?? -1;
    if (site >= 0) show(site, true);
  });
  function fillFilter() {
    byId("filter").replaceChildren(...["main", "all", "changed", "full"].filter((code) => code !== "main" || nLegs > 2500)
      .map((code) => { const option = make("option", say(`js.filter_${code}`), { value: code }); option.selected = code === state.filter; return option; }));
  }
  const SVG = "http://www.w3.org/2000/svg";
  function drawn(tag, attributes) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }
  function swatch(...parts) { const svg = drawn("svg", { viewBox: "0 0 30 14", "aria-hidden": "true" }); svg.append(...parts); return svg; }
  function line(name) {
    const width = { none: 1.5, low: 1.5, same: 1.5, mid: 2.5, less: 3, more: 3, high: 3.5, full: 5, opened: 5, dropped: 3 }[name];
    const colour = colours[CHANGES.includes(name) ? name : `level-${name}`];
    const parts = [drawn("line", { x1: 0, y1: 7, x2: 30, y2: 7, stroke: colour, "stroke-width": width, ...(name === "dropped" ? { "stroke-dasharray": "5 4" } : {}) })];
    if (name === "full" || name === "opened") parts.push(drawn("line", { x1: 0, y1: 7, x2: 30, y2: 7, stroke: colours.halo, "stroke-width": 1.5, ...(name === "full" ? { "stroke-dasharray": "3 5" } : {}) }));
    return swatch(...parts);
  }
  function legend() {
    const items = state.view === "difference"
      ? ["more", "less", "opened", "dropped", "same"].map((name) => [line(name), say(`js.d_${name}`)])
      : ["low", "mid", "high", "full", "none"].map((name) => [line(name), say(`js.l_${name}`)]);
    const shares = Object.values(sites.share);
    if (shares.includes(0)) items.push([swatch(drawn("circle", { cx: 15, cy: 7, r: 5.5, fill: colours.halo, stroke: colours.closed, "stroke-width": 2 }), drawn("path", { d: "M12 4l6 6m0-6l-6 6", stroke: colours["level-full"], "stroke-width": 2 })), say("js.m_closed")]);
    if (shares.some((share) => share > 0)) items.push([swatch(drawn("path", { d: "M15 1l6 11h-12z", fill: colours["level-high"], stroke: colours.closed })), say("js.m_slowed")]);
    if (data.standIns.length) items.push([swatch(drawn("circle", { cx: 15, cy: 7, r: 5.5, fill: "none", stroke: colours.opened, "stroke-width": 2 })), say("js.m_stand_in")]);
    if (data.relays.length) items.push([swatch(drawn("path", { d: "M15 1l6 6-6 6-6-6z", fill: colours.opened })), say("js.m_relay")]);
    byId("legend").replaceChildren(...items.map((parts) => make("li", parts)));
  }

  report.onChange(() => {
    readColours();
    font = `12px ${getComputedStyle(document.body).fontFamily}`;
    fillFilter();
    legend();
    details();
    if (state.home) draw();
  });
  report.start();
  setView(hasBefore ? state.view : "after");
  new ResizeObserver(resize).observe(canvas);
  resize();
  const asked = sites.id.indexOf(wanted.get("site"));
  if (asked >= 0) show(asked);
})();
