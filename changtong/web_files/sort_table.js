// A table whose rows are sorted by a click on a heading, found by a word, and chosen; long ones grow by a button.
import { fill, make } from "./elements.js";
import { count, say } from "./words.js";

const AT_ONCE = 100;

/**
 * `columns`: { key, text, number, of(row) → what is sorted by, show(row) → what is shown }. `choose(row)` is called
 * with the row whose name (the first column) is pressed. Returns { show(rows), mark(row) }.
 */
export function sortTable(place, columns, { caption, choose = null, filter = null, words = (row) => columns[0].of(row), empty = null }) {
  const state = { rows: [], by: null, down: true, shown: AT_ONCE, marked: null };
  const heads = columns.map((one) => make("th", { scope: "col", class: one.number ? "n" : null },
    make("button", { type: "button", class: "sorter", onclick: () => { state.down = state.by === one ? !state.down : Boolean(one.number); state.by = one; state.shown = AT_ONCE; draw(); } }, one.text)));
  const body = make("tbody"), told = make("p", { class: "note", role: "status" });
  const more = make("button", { type: "button", onclick: () => { state.shown += AT_ONCE * 3; draw(); } }, say("results.more_rows"));
  fill(place, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", { class: "sorted" }, make("caption", { class: "unseen" }, caption), make("thead", {}, make("tr", {}, heads)), body)), told, more);
  filter?.addEventListener("input", () => { state.shown = AT_ONCE; draw(); });

  function order(rows) {
    if (!state.by) return rows;
    const of = state.by.of, sign = state.down ? -1 : 1;
    return [...rows].sort((a, b) => {
      const x = of(a), y = of(b);
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y)));
    });
  }
  function draw() {
    const wanted = filter?.value.trim().toLowerCase() ?? "";
    const found = order(wanted ? state.rows.filter((row) => String(words(row)).toLowerCase().includes(wanted)) : state.rows);
    heads.forEach((head, k) => { if (columns[k] === state.by) head.setAttribute("aria-sort", state.down ? "descending" : "ascending"); else head.removeAttribute("aria-sort"); });
    fill(body, found.slice(0, state.shown).map((row) => make("tr", { class: row === state.marked ? "marked" : null }, columns.map((one, k) => {
      const shown = one.show ? one.show(row) : one.of(row);
      if (k) return make("td", { class: one.number ? "n" : null }, shown);
      return make("th", { scope: "row" }, choose ? make("button", { type: "button", class: "picker", "aria-pressed": String(row === state.marked), onclick: () => choose(row) }, shown) : shown);
    }))));
    told.textContent = found.length ? say("results.rows", { shown: count(Math.min(found.length, state.shown)), all: count(found.length) }) : empty ?? say("results.no_rows");
    more.hidden = found.length <= state.shown;
  }
  return {
    show(rows) { state.rows = rows; state.shown = AT_ONCE; state.marked = null; draw(); },
    mark(row) { state.marked = row; draw(); },
  };
}
