// Outages that are being put together: the list, its changes, and taking one back.
import { fill, make, tell } from "./elements.js";
import { say } from "./words.js";

/** Keep outages of a network in this browser until they are planned with; `changed` is told of each change. */
export function openDrafts(place, nameOf, changed) {
  let key = "", drafts = [];
  const keep = () => { sessionStorage.setItem(key, JSON.stringify(drafts)); show(); changed(rows()); };

  function of(network) {
    key = `drafts:${network}`;
    try { drafts = JSON.parse(sessionStorage.getItem(key)) ?? []; } catch { drafts = []; }
    show();
    changed(rows());
  }
  function add(draft) {
    const same = (one) => one.site === draft.site && one.leg === draft.leg && !one.area && !draft.area;
    if (drafts.some(same)) { tell(say("respond.there_already")); return; }
    drafts.push({ capacity: 0, extra: 0, ...draft });
    keep();
  }
  function remove(at) {
    const [gone] = drafts.splice(at, 1);
    keep();
    tell(say("respond.removed", { what: labelOf(gone) }), { undo: () => { drafts.splice(at, 0, gone); keep(); } });
  }
  function clear() {
    const gone = drafts;
    drafts = [];
    keep();
    tell(say("respond.cleared"), { undo: () => { drafts = gone; keep(); } });
  }
  const labelOf = (one) => one.label ?? (one.site ? nameOf(one.site) : one.leg ? one.leg.split(">").map(nameOf).join(" → ") : say("respond.area"));

  /** The outages as the API takes them. */
  const rows = () => drafts.map((one) => ({
    label: labelOf(one), ...(one.site ? { sites: [one.site] } : {}), ...(one.leg ? { legs: [one.leg] } : {}), ...(one.area ? { area: one.area } : {}),
    capacity_share: Number(one.capacity) / 100, ...(Number(one.extra) ? { extra_h: Number(one.extra) } : {}),
    ...(one.start ? { start: one.start } : {}), ...(one.end ? { end: one.end } : {}),
  }));

  function show() {
    fill(place, drafts.map((one, at) => {
      const number = (name, key_, most, unit) => make("label", {}, say(key_), make("input", {
        type: "number", min: 0, max: most, step: "any", value: one[name], "aria-label": `${labelOf(one)}: ${say(key_)} (${unit})`,
        onchange: (event) => { if (!event.target.reportValidity()) return; one[name] = event.target.value || 0; keep(); },
      }));
      return make("li", { class: Number(one.capacity) > 0 || Number(one.extra) > 0 ? "slowed" : null },
        make("b", {}, labelOf(one)), make("button", { type: "button", class: "plain", "aria-label": `${say("respond.remove")} ${labelOf(one)}`, onclick: () => remove(at) }, "✕"),
        make("div", { class: "more" }, number("capacity", "respond.capacity", 100, "%"), number("extra", "respond.extra", 720, "h")));
    }));
  }
  return { of, add, clear, rows, all: () => drafts };
}
