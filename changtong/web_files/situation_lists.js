// Headline numbers of a normal day, and what the map shows as a table.
import { make, table } from "./elements.js";
import { count, say, share } from "./words.js";

const ROWS = 200;

/** Headline numbers of a normal day. */
export function normalFigures(state, inside) {
  const { sites, legs, levels, legLevels } = state.normal, pieces = state.columns.pieces_per_day;
  const of = (all, names, rows) => rows.filter((row) => names.includes(all[row])).length;
  const legRows = legs.from.map((_, row) => row).filter((row) => inside[legs.from[row]] || inside[legs.to[row]]);
  const one = (key, value, more = "") => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value, more ? make("small", {}, ` ${more}`) : null));
  const all = state.rows.length === sites.id.length;
  return [all ? one("situation.pieces", count(pieces, { short: true })) : null,
    one("situation.sites", count(state.rows.length), all ? "" : `/ ${count(sites.id.length)}`),
    one("situation.legs", count(legRows.length)),
    one("situation.shut_sites", count(of(levels, ["shut"], state.rows))),
    one("situation.full_sites", sites.load ? count(of(levels, ["high", "full"], state.rows)) : "–"),
    one("situation.full_legs", legs.load ? count(of(legLevels, ["high", "full"], legRows)) : "–")];
}

/** The sites that pass, the largest first, with what is drawn of them. */
export function siteTable(state, drawn, levelWords) {
  const { sites, levels, kind, of } = drawn, link = (row) => make("a", { href: `#site=${encodeURIComponent(sites.id[row])}`, onclick: (event) => { event.preventDefault(); state.choose(row); } }, state.nameOf(row));
  const number = (key) => ({ text: say(key), number: true });
  const used = (row) => (sites.load?.[row] !== null && sites.load && sites.room[row] ? sites.load[row] / sites.room[row] : null);
  const size = kind === "normal" ? used : (row) => sites.load[row];
  const rows = [...state.rows].sort((a, b) => (size(b) ?? -1) - (size(a) ?? -1)).slice(0, ROWS);
  const more = { normal: [[number("situation.load_of_room")], (row) => [share(used(row))]],
    hour: [[number("live.scans"), number("live.backlog"), number("live.late")], (row) => [count(of.scans[row]), count(of.backlog[row]), share(of.late[row])]],
    forecast: [[number("live.incoming"), number("live.interval_head")], (row) => [count(of.pieces[row]), `${count(of.low[row])} – ${count(of.high[row])}`]] }[kind];
  return table([say("situation.sites"), say("situation.state"), ...more[0]],
    rows.map((row) => [link(row), levelWords(levels[row]), ...more[1](row)]), { caption: say("situation.table_says") });
}
