// A slider over stops in time: hours that a log holds, then days of a forecast. It plays, and is moved by keys.
import { byId } from "./elements.js";
import { say } from "./words.js";

const STEP_MS = 1100;

/** `words(stop)` says a stop; `change(stop)` is awaited before the next while it plays. */
export function timeSlider(words, change) {
  const slide = byId("time"), play = byId("play"), day = byId("day"), now = byId("now"), said = byId("time-says");
  let stops = [], at = 0, newest = 0, playing = null;

  function tellPlaying() {
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? say("live.pause") : say("live.play"));
  }
  function mark() {
    const stop = stops[at];
    slide.value = String(at);
    if (!stop) return;
    const text = words(stop);
    said.textContent = text;
    slide.setAttribute("aria-valuetext", text);
    day.value = stop.day;
    now.setAttribute("aria-pressed", String(at === newest));
  }
  async function go(to, { stop = true } = {}) {
    if (stop) pause();
    at = Math.max(0, Math.min(stops.length - 1, to));
    mark();
    if (stops[at]) await change(stops[at], at === newest);
  }
  function pause() { clearTimeout(playing); playing = null; tellPlaying(); }
  function step() {
    playing = setTimeout(async () => {
      if (at >= stops.length - 1) { pause(); return; }
      try { await go(at + 1, { stop: false }); } catch { pause(); return; }
      if (playing) step();
    }, STEP_MS);
    tellPlaying();
  }
  async function start() {
    if (at >= stops.length - 1) await go(0, { stop: false });
    step();
  }
  const byDay = (days) => {
    const wanted = stops[at]?.hour, from = at;
    let to = at;
    while (stops[to + days] && stops[to]?.day === stops[from].day) to += days;
    const target = stops[to]?.day;
    const same = stops.findIndex((one) => one.day === target && (one.hour === wanted || one.hour === null));
    return go(same >= 0 ? same : to);
  };
  slide.addEventListener("input", () => go(Number(slide.value)));
  slide.addEventListener("keydown", (event) => {
    const moves = { PageUp: () => byDay(1), PageDown: () => byDay(-1), End: () => go(newest), " ": () => (playing ? pause() : start()) };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  play.addEventListener("click", () => (playing ? pause() : start()));
  now.addEventListener("click", () => go(newest));
  day.addEventListener("change", () => {
    const to = stops.findIndex((one) => one.day >= day.value);
    go(to >= 0 ? to : stops.length - 1);
  });
  tellPlaying();
  return {
    /** Take other stops; `key` is the one to stand at, else the newest that was measured. */
    async set(all, key) {
      const was = stops[at]?.key, followed = !stops.length || at === newest;
      stops = all;
      newest = Math.max(0, stops.findLastIndex((one) => !one.run));
      slide.max = String(Math.max(0, stops.length - 1));
      day.min = stops[0]?.day ?? "";
      day.max = stops.at(-1)?.day ?? "";
      const found = stops.findIndex((one) => one.key === (key ?? (followed ? null : was)));
      await go(found >= 0 ? found : newest);
    },
    get isNewest() { return at === newest; },
    get stop() { return stops[at]; },
  };
}
