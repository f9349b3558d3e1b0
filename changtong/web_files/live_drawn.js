// What the map draws of an hour of a log or a day of a forecast: columns of the network with what was measured in them.
const LIMITS = { scans: [0.5, 0.85, 1], backlog: [0.1, 0.3, 1], late: [0.05, 0.15, 0.3], forecast: [0.5, 0.85, 1] };
const known = new WeakMap(), moves = new WeakMap();

/** Places of sites by id and of legs by their ends, once a network. */
export function placesOf(columns) {
  if (!known.has(columns)) {
    const legs = new Map();
    columns.legs.from.forEach((a, leg) => {
      const ends = `${a} ${columns.legs.to[leg]}`;
      legs.set(ends, [...(legs.get(ends) ?? []), leg]);
    });
    known.set(columns, { sites: new Map(columns.sites.id.map((id, row) => [id, row])), legs });
  }
  return known.get(columns);
}

function level(value, measure) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  const [low, mid, high] = LIMITS[measure];
  return value < low ? "low" : value < mid ? "mid" : value <= high ? "high" : "full";
}

const over = (value, room) => (room === null || room === undefined || value === null ? null : room > 0 ? value / room : value > 0 ? Infinity : 0);

/** Load and level of each leg of the network, by the moves of a day: its hours share them. */
function legsOf(columns, rows, told) {
  const kept = moves.get(told);
  if (kept?.columns === columns) return kept;
  const load = new Array(columns.legs.from.length).fill(0), { legs } = placesOf(columns);
  const levels = load.map((_, leg) => (columns.sites.status?.[columns.legs.from[leg]] === "closed" ? "shut" : "none"));
  told.from.forEach((a, k) => {
    const here = legs.get(`${rows[a]} ${rows[told.to[k]]}`) ?? [];
    const rooms = here.map((leg) => columns.legs.room[leg]);
    const room = rooms.includes(null) ? null : rooms.reduce((sum, one) => sum + one, 0);
    for (const leg of here) { load[leg] = told.pieces[k]; levels[leg] = level(over(told.pieces[k], room), "forecast"); }
  });
  moves.set(told, { columns, load, levels });
  return { load, levels };
}

/** Of a row of `told` to the row of the network; undefined where it has no such site. */
function rowsIn(columns, told) {
  const { sites } = placesOf(columns);
  return told.sites.id.map((id) => sites.get(id));
}

/** Columns as measured in hour `k`; without it (-1: no scan) everything is unknown. */
export function drawHour(columns, told, k, measure) {
  const { sites, legs } = columns, n = sites.id.length, rows = rowsIn(columns, told);
  const of = { scans: new Array(n).fill(0), handled: new Array(n).fill(0), backlog: new Array(n).fill(0), late: new Array(n).fill(null) };
  let outside = 0;
  if (k >= 0) {
    rows.forEach((row, at) => {
      if (row === undefined) { outside += told.sites.events[k][at] > 0; return; }
      of.scans[row] = told.sites.events[k][at];
      of.handled[row] = told.sites.handled[k][at];
      of.backlog[row] = told.sites.backlog[k][at];
      of.late[row] = told.sites.late_share[k][at];
    });
  }
  const value = { scans: (row) => (of.scans[row] ? over(of.handled[row] * 24, sites.room[row]) : null), backlog: (row) => (of.backlog[row] ? over(of.backlog[row], sites.room[row]) : null), late: (row) => of.late[row] }[measure];
  const levels = sites.id.map((_, row) => (sites.status?.[row] === "closed" ? "shut" : k < 0 ? "none" : level(value(row), measure)));
  const moved = legsOf(columns, rows, told.legs);
  return { kind: "hour", sites: { ...sites, load: { scans: of.scans, backlog: of.backlog, late: of.handled }[measure] }, legs: { ...legs, load: moved.load }, levels, legLevels: moved.levels, of, outside };
}

/** Columns of a day of a forecast: what comes in. */
export function drawForecast(columns, told) {
  const { sites, legs } = columns, n = sites.id.length, rows = rowsIn(columns, told);
  const of = { pieces: new Array(n).fill(null), low: new Array(n).fill(null), high: new Array(n).fill(null) };
  rows.forEach((row, at) => { if (row !== undefined) for (const name of Object.keys(of)) of[name][row] = told.sites[name][at]; });
  const levels = sites.id.map((_, row) => (sites.status?.[row] === "closed" ? "shut" : level(over(of.pieces[row], sites.room[row]), "forecast")));
  const moved = legsOf(columns, rows, told.legs);
  return { kind: "forecast", sites: { ...sites, load: of.pieces }, legs: { ...legs, load: moved.load }, levels, legLevels: moved.levels, of, total: told.total, outside: 0 };
}

/** Sums of an hour over sites that pass; the late share is weighed by what was handled where it is known. */
export function sumHour(told, k, passes) {
  if (k < 0) return null;
  const sum = { scans: 0, handled: 0, backlog: 0, late: null };
  let late = 0, weighed = 0;
  told.sites.id.forEach((id, at) => {
    if (!passes(id)) return;
    sum.scans += told.sites.events[k][at];
    sum.handled += told.sites.handled[k][at];
    sum.backlog += told.sites.backlog[k][at];
    const share = told.sites.late_share[k][at];
    if (share !== null) { late += share * told.sites.handled[k][at]; weighed += told.sites.handled[k][at]; }
  });
  if (weighed) sum.late = late / weighed;
  return sum;
}
