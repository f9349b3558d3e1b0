// Small charts drawn by hand as SVG: shapes and texts tell what colours do; a table stands beside each.
const NS = "http://www.w3.org/2000/svg";
function draw(tag, attributes = {}, ...parts) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) node.setAttribute(name, value);
  node.append(...parts.flat(2).filter((part) => part !== null && part !== undefined));
  return node;
}

/** Round steps for an axis: about `wanted` of them over a span. */
export function steps(least, most, wanted = 5) {
  const span = most - least || Math.abs(most) || 1, rough = span / wanted, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * size).find((one) => one >= rough) ?? rough;
  const first = Math.ceil(least / step) * step;
  return Array.from({ length: Math.floor((most - first) / step + 1e-9) + 1 }, (_, k) => first + k * step);
}

const isNarrow = () => matchMedia("(max-width: 700px)").matches; // texts keep their size on a phone

/** Bars, one a row, each with its range as a line with ends: { label, value, low, high, shown }. */
export function bars(rows, { title }) {
  const narrow = isNarrow(), wide = narrow ? 370 : 640, left = narrow ? 120 : 190, right = narrow ? 80 : 110, tall = 34, letters = narrow ? 10 : 16;
  const most = Math.max(...rows.flatMap((row) => [row.value, row.high ?? 0]), 1e-12);
  const x = (value) => left + (wide - left - right) * value / most;
  return draw("svg", { class: "chart", viewBox: `0 0 ${wide} ${rows.length * tall + 8}`, role: "img", "aria-label": title }, rows.map((row, k) => {
    const y = 4 + k * tall, middle = y + tall / 2 - 2;
    const ranged = row.low !== null && row.low !== undefined && row.high !== null && row.high !== undefined && row.high > row.low;
    return [
      draw("text", { x: left - 8, y: middle + 4, "text-anchor": "end" }, row.label.length > letters ? `${row.label.slice(0, letters - 1)}…` : row.label),
      draw("rect", { class: "bar", x: left, y: y + 5, width: Math.max(0, x(row.value) - left), height: tall - 14, rx: 2 }),
      ranged ? ["halo", "range"].map((name) => draw("path", { class: name, d: `M${x(row.low)} ${middle}H${x(row.high)}M${x(row.low)} ${middle - 6}v12M${x(row.high)} ${middle - 6}v12` })) : null,
      draw("text", { class: "value", x: x(Math.max(row.value, ranged ? row.high : 0)) + 6, y: middle + 4 }, row.shown)];
  }));
}

/** Points joined by a line; each is a button: { x, y, label }. Numbered, so that the table beside tells which is which. */
export function curve(points, { title, xTitle, yTitle, xText, yText, choose, chosen = null }) {
  const narrow = isNarrow(), wide = narrow ? 370 : 640, tall = 360, left = 84, right = 24, top = 20, bottom = 56;
  const pad = (values) => { const least = Math.min(...values), most = Math.max(...values), more = (most - least || Math.abs(most) || 1) * 0.08; return [least - more, most + more]; };
  const [x0, x1] = pad(points.map((one) => one.x)), [y0, y1] = pad(points.map((one) => one.y));
  const x = (value) => left + (wide - left - right) * (value - x0) / (x1 - x0), y = (value) => tall - bottom - (tall - top - bottom) * (value - y0) / (y1 - y0);
  const marks = points.map((one, k) => {
    const node = draw("g", { class: k === chosen ? "point chosen" : "point", role: "button", tabindex: "0", "aria-label": one.label, "aria-pressed": String(k === chosen) },
      draw("circle", { cx: x(one.x), cy: y(one.y), r: 12 }), draw("text", { x: x(one.x), y: y(one.y) + 4, "text-anchor": "middle" }, String(k + 1)));
    node.addEventListener("click", () => choose(k));
    node.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(k); } });
    return node;
  });
  return draw("svg", { class: "chart", viewBox: `0 0 ${wide} ${tall}`, role: "group", "aria-label": title },
    steps(x0, x1, narrow ? 2 : 5).map((at) => [draw("path", { class: "grid", d: `M${x(at)} ${top}V${tall - bottom}` }), draw("text", { x: x(at), y: tall - bottom + 18, "text-anchor": "middle" }, xText(at))]),
    steps(y0, y1, 5).map((at) => [draw("path", { class: "grid", d: `M${left} ${y(at)}H${wide - right}` }), draw("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, yText(at))]),
    draw("text", { class: "axis", x: (left + wide - right) / 2, y: tall - 12, "text-anchor": "middle" }, xTitle),
    draw("text", { class: "axis", x: 16, y: (top + tall - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 16 ${(top + tall - bottom) / 2})` }, yTitle),
    draw("path", { class: "curve", d: `M${points.map((one) => `${x(one.x)} ${y(one.y)}`).join("L")}` }), marks);
}

/** Lines over one axis, each numbered at its end as in the table beside: { name, points: [[x, y], …] }, six at most. */
export function lines(series, { title, xTitle, yTitle, xText, yText }) {
  const narrow = isNarrow(), wide = narrow ? 370 : 640, tall = 300, left = 76, right = 34, top = 16, bottom = 52;
  const all = series.flatMap((one) => one.points), x1 = Math.max(...all.map(([x]) => x)), y1 = Math.max(...all.map(([, y]) => y), 1e-9) * 1.05;
  const x = (value) => left + (wide - left - right) * value / x1, y = (value) => tall - bottom - (tall - top - bottom) * value / y1;
  return draw("svg", { class: "chart", viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": title },
    steps(0, x1, narrow ? 4 : 8).map((at) => [draw("path", { class: "grid", d: `M${x(at)} ${top}V${tall - bottom}` }), draw("text", { x: x(at), y: tall - bottom + 18, "text-anchor": "middle" }, xText(at))]),
    steps(0, y1, 4).map((at) => [draw("path", { class: "grid", d: `M${left} ${y(at)}H${wide - right}` }), draw("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, yText(at))]),
    draw("text", { class: "axis", x: (left + wide - right) / 2, y: tall - 12, "text-anchor": "middle" }, xTitle),
    draw("text", { class: "axis", x: 14, y: (top + tall - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(top + tall - bottom) / 2})` }, yTitle),
    series.map((one, k) => draw("path", { class: `line k${k}`, d: `M${one.points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}` })),
    endTexts(series, y, top).map(([k, at]) => draw("text", { class: "value", x: wide - right + 6, y: at + 4 }, String(series[k].number))));
}

/** Where the numbers of lines stand at their ends: beside each other's, never over them. */
function endTexts(series, y, top) {
  const ends = series.map((one, k) => [k, y(one.points.at(-1)[1])]).sort((a, b) => a[1] - b[1]);
  let last = top - 14;
  for (const one of ends) { one[1] = Math.max(one[1], last + 14); last = one[1]; }
  return ends;
}
