"use strict";
// A map or diagram on a canvas that can be moved and zoomed; what stands on it is drawn by its owner.
const geography = (canvas, { sites, land, metres, kind }, paint) => {
  const pen = canvas.getContext("2d");
  const view = { k: 1, x: 0, y: 0, home: null, wide: 1, high: 1, ratio: 1 };
  const toX = (site) => sites.x[site] * view.k + view.x;
  const toY = (site) => sites.y[site] * view.k + view.y;

  const shore = new Path2D();
  for (const ring of land) {
    let x = 0, y = 0;
    for (let i = 0; i < ring.length; i += 2) {
      x += ring[i]; y += ring[i + 1];
      if (i) shore.lineTo(x, y); else shore.moveTo(x, y);
    }
    shore.closePath();
  }
  let waiting = false;
  function draw() {
    waiting = false;
    const { colours } = view, unit = view.k * view.ratio;
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.fillStyle = kind === "map" ? colours.sea : colours.land;
    pen.fillRect(0, 0, view.wide, view.high);
    pen.setTransform(unit, 0, 0, unit, view.x * view.ratio, view.y * view.ratio);
    pen.fillStyle = colours.land;
    pen.fill(shore, "evenodd");
    pen.strokeStyle = colours["land-edge"]; pen.lineWidth = 0.7 / view.k;
    pen.stroke(shore);
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    paint(pen);
  }
  function redraw() {
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  }
  function readColours(names) {
    const style = getComputedStyle(document.documentElement);
    view.colours = {};
    for (const name of names) view.colours[name] = style.getPropertyValue(`--${name}`).trim();
    view.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  }
  function drawScale(unit) {
    if (!metres) return;
    const kmPerPixel = metres / 1000 / view.k;
    const raw = kmPerPixel * 110, power = 10 ** Math.floor(Math.log10(raw));
    const km = [5, 2, 1].map((step) => step * power).find((value) => value <= raw);
    const long = km / kmPerPixel, x = view.wide - 14 - long, y = view.high - 14;
    pen.strokeStyle = view.colours.muted; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x, y - 5); pen.lineTo(x, y); pen.lineTo(x + long, y); pen.lineTo(x + long, y - 5); pen.stroke();
    pen.font = view.font; pen.fillStyle = view.colours.muted; pen.textBaseline = "bottom"; pen.textAlign = "left";
    pen.fillText(`${km.toLocaleString("en-US")} ${unit}`, x + 5, y - 2);
  }

  // --- moving about ------------------------------------------------------------------
  function fit() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let site = 0; site < sites.x.length; site += 1) if (sites.placed[site]) {
      left = Math.min(left, sites.x[site]); right = Math.max(right, sites.x[site]);
      top = Math.min(top, sites.y[site]); bottom = Math.max(bottom, sites.y[site]);
    }
    if (left > right) [left, top, right, bottom] = [0, 0, 1, 1];
    const margin = Math.min(44, view.wide * 0.07);
    const k = Math.min((view.wide - 2 * margin) / Math.max(right - left, 1), (view.high - 2 * margin) / Math.max(bottom - top, 1));
    view.home = { k, x: view.wide / 2 - k * (left + right) / 2, y: view.high / 2 - k * (top + bottom) / 2 };
  }
  function goHome() { Object.assign(view, view.home); redraw(); }
  function zoom(factor, x = view.wide / 2, y = view.high / 2) {
    const k = Math.min(view.home.k * 150, Math.max(view.home.k * 0.6, view.k * factor));
    view.x = x - (x - view.x) * k / view.k; view.y = y - (y - view.y) * k / view.k; view.k = k;
    redraw();
  }
  function pan(x, y) { view.x += x; view.y += y; redraw(); }
  function bring(site) {
    const x = toX(site), y = toY(site);
    if (x < 0 || y < 0 || x > view.wide || y > view.high) pan(view.wide / 2 - x, view.high / 2 - y);
  }
  function resize() {
    const box = canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const away = view.home && Math.abs(view.k / view.home.k - 1) > 0.01;
    Object.assign(view, { ratio: Math.min(2, devicePixelRatio || 1), wide: box.width, high: box.height });
    canvas.width = Math.round(view.wide * view.ratio); canvas.height = Math.round(view.high * view.ratio);
    fit();
    if (away) redraw(); else goHome();
  }

  // --- pointer and wheel: drag, pinch, point, pick --------------------------------------
  const fingers = new Map();
  let moved = 0;
  const owner = { point: () => {}, pick: () => {} };
  const local = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, local(event)); moved = fingers.size > 1 ? 99 : 0;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = local(event), was = fingers.get(event.pointerId);
    if (!was) { if (event.pointerType === "mouse") owner.point(at); return; }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      zoom(Math.hypot(at[0] - other[0], at[1] - other[1]) / (Math.hypot(was[0] - other[0], was[1] - other[1]) || 1), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      pan((at[0] - was[0]) / 2, (at[1] - was[1]) / 2);
    } else {
      moved += Math.abs(at[0] - was[0]) + Math.abs(at[1] - was[1]);
      if (moved > 5) { pan(at[0] - was[0], at[1] - was[1]); canvas.classList.add("dragging"); owner.point(null); }
    }
    fingers.set(event.pointerId, at);
  });
  const release = (event) => {
    const at = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    if (at && event.type !== "pointercancel" && moved <= 5) owner.pick(at, event.pointerType === "mouse" ? 7 : 16);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => owner.point(null));
  canvas.addEventListener("dblclick", (event) => zoom(2, ...local(event)));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.004), ...local(event));
  }, { passive: false });

  return { view, toX, toY, redraw, draw, readColours, drawScale, goHome, zoom, pan, bring, resize, owner };
};
