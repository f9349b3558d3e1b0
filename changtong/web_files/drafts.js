// Outages that are being put together: rows as the API takes them, their changes, and taking one back.
import { fill, make, tell } from "./elements.js";
import { say, time } from "./words.js";

/** Keep outages of a network in this tab until they are planned with; `changed` is told of each change. */
export function openDrafts(place, nameOf, changed) {
  let key = "", drafts = [];
  function kept() { sessionStorage.setItem(key, JSON.stringify(drafts)); show(); changed(drafts); }

  /** Go on with the outages of a network. */
  function of(network) {
    key = `drafts:${network}`;
    try { drafts = JSON.parse(sessionStorage.getItem(key)) ?? []; } catch { drafts = []; }
    show();
    changed(drafts);
  }
  const placesOf = (one) => JSON.stringify([one.sites ?? [], one.legs ?? [], one.area ?? null, one.admin_codes ?? []]);
  function add(rows) {
    const fresh = rows.filter((row) => !drafts.some((one) => placesOf(one) === placesOf(row)));
    if (!fresh.length) { tell(say("respond.there_already")); return; }
    drafts.push(...fresh.map((row) => ({ capacity_share: row.extra_h || row.passes_per_day !== undefined ? undefined : 0, ...row, label: row.label ?? labelOf(row) })));
    kept();
  }
  function remove(at) {
    const [gone] = drafts.splice(at, 1);
    kept();
    tell(say("respond.removed", { what: gone.label }), { undo: () => { drafts.splice(at, 0, gone); kept(); } });
  }
  function clear() {
    const gone = drafts;
    drafts = [];
    kept();
    tell(say("respond.cleared"), { undo: () => { drafts = gone; kept(); } });
  }
  function labelOf(row) {
    if (row.sites?.length) return row.sites.length > 3 ? `${nameOf(row.sites[0])} +${row.sites.length - 1}` : row.sites.map(nameOf).join(" ");
    if (row.legs?.length) return row.legs[0].split(">").map(nameOf).join(" → ");
    return say("respond.area");
  }

  function show() {
    fill(place, drafts.map((one, at) => {
      const number = (value, key_, most, take) => make("label", {}, say(key_), make("input", {
        type: "number", min: 0, max: most, step: "any", value, "aria-label": `${one.label}: ${say(key_)}`,
        onchange: (event) => { if (event.target.reportValidity()) { take(Number(event.target.value || 0)); kept(); } },
      }));
      const times = one.start || one.end ? make("small", {}, `${time(one.start)} – ${time(one.end)}`) : null;
      return make("li", { class: (one.capacity_share ?? 1) > 0 ? "slowed" : null },
        make("b", {}, one.label), make("button", { type: "button", class: "plain", "aria-label": `${say("respond.remove")} ${one.label}`, onclick: () => remove(at) }, "✕"),
        times, make("div", { class: "more" },
          number(Math.round((one.capacity_share ?? 1) * 1000) / 10, "respond.capacity", 100, (value) => { one.capacity_share = value / 100; }),
          number(one.extra_h ?? 0, "respond.extra", 720, (value) => { if (value) one.extra_h = value; else delete one.extra_h; })));
    }));
  }
  return { of, add, clear, rows: () => drafts };
}
