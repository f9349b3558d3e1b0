// Headline numbers of an hour beside the same hour of the day and the week before; by sign and word, not by colour alone.
import { make } from "./elements.js";
import { count, say, share } from "./words.js";

const SMALL = 0.005;

function difference(value, before, isShare) {
  if (value === null || before === null || before === undefined) return say("live.no_comparison");
  const by = value - before;
  if (isShare) {
    if (Math.abs(by) < SMALL / 10) return say("live.same");
    const points = say("live.points", { by: (Math.abs(by) * 100).toFixed(1) });
    return by > 0 ? say("live.more", { by: points }) : say("live.less", { by: points });
  }
  if (before === 0) return by === 0 ? say("live.same") : say("live.more", { by: count(by, { short: true }) });
  if (Math.abs(by / before) < SMALL) return say("live.same");
  const part = share(Math.abs(by / before));
  return by > 0 ? say("live.more", { by: part }) : say("live.less", { by: part });
}

/** `befores` are [words, sums or null] of what it is compared with. */
export function hourFigures(sums, befores) {
  const one = (key, value, name) => make("div", { "data-figure": name }, make("dt", {}, say(key)),
    make("dd", {}, name === "late" ? share(value) : count(value, { short: true }),
      befores.map(([words, before]) => make("small", { class: "against" }, `${words} `, make("b", {}, difference(value, before?.[name] ?? null, name === "late"))))));
  return [one("live.scans", sums?.scans ?? null, "scans"), one("live.handled", sums?.handled ?? null, "handled"),
    one("live.backlog", sums?.backlog ?? null, "backlog"), one("live.late", sums?.late ?? null, "late")];
}

export function forecastFigures(drawn, rows, all) {
  const whole = all && drawn.total.pieces !== null;
  const pieces = whole ? drawn.total.pieces : rows.reduce((sum, row) => sum + (drawn.of.pieces[row] ?? 0), 0);
  const interval = whole ? say("live.interval", { low: count(drawn.total.low, { short: true }), high: count(drawn.total.high, { short: true }) }) : say("live.interval_sites");
  return [make("div", { "data-figure": "forecast" }, make("dt", {}, say("live.incoming")), make("dd", {}, count(pieces, { short: true }), make("small", { class: "against" }, interval)))];
}
