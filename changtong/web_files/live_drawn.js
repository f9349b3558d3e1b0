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

/** Of a day's moves: which legs of the network each is, what they may carry in a day, and the day's load of each leg. */
function movesOf(columns, rows, told) {
  const kept = moves.get(told);
  if (kept?.columns === columns) return kept;
  const day = new Array(columns.legs.from.length).fill(0), { legs } = placesOf(columns);
  const levels = day.map((_, leg) => (columns.sites.status?.[columns.legs.from[leg]] === "closed" ? "shut" : "none"));
  const places = told.from.map((a, k) => legs.get(`${rows[a]} ${rows[told.to[k]]}`) ?? []);
  const rooms = places.map((here) => { const all = here.map((leg) => columns.legs.room[leg]); return all.includes(null) ? null : all.reduce((sum, one) => sum + one, 0); });
  places.forEach((here, k) => { for (const leg of here) day[leg] = told.pieces[k]; });
  const made = { columns, places, rooms, day, levels };
  moves.set(told, made);
  return made;
}

/** Load and level of each leg: of a whole day, or what moved in hour `k`, and by the day so far of a day's capacity. */
function legsOf(columns, rows, { legs, leg_hours: hours }, k) {
  const { places, rooms, day, levels: before } = movesOf(columns, rows, legs), levels = [...before];
  const soFar = hours ? new Array(legs.pieces.length).fill(0) : legs.pieces;
  const load = hours ? new Array(day.length).fill(0) : day, until = hours ? new Array(day.length).fill(0) : day;
  for (let hour = 0; hours && hour <= k; hour++) hours[hour].leg.forEach((at, n) => { soFar[at] += hours[hour].pieces[n]; });
  if (hours?.[k]) hours[k].leg.forEach((at, n) => { for (const leg of places[at]) load[leg] = hours[k].pieces[n]; });
  places.forEach((here, at) => { if (soFar[at] || !hours) for (const leg of here) { until[leg] = soFar[at]; levels[leg] = level(over(soFar[at], rooms[at]), "forecast"); } });
  return { legs: { ...columns.legs, load, busy: day, so_far: until }, levels };
}

/** Of a row of `told` to the row of the network; undefined where it has no such site. */
function rowsIn(columns, told) {
  const { sites } = placesOf(columns);
  return told.sites.id.map((id) => sites.get(id));
}

/** Columns as measured in hour `k`; without it (-1: no scan) everything is unknown. */
export function drawHour(columns, told, k, measure) {
  const { sites } = columns, n = sites.id.length, rows = rowsIn(columns, told);
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
  const moved = legsOf(columns, rows, told, k);
  return { kind: "hour", sites: { ...sites, load: { scans: of.scans, backlog: of.backlog, late: of.handled }[measure] }, legs: moved.legs, levels, legLevels: moved.levels, of, outside };
}

/** Columns of a day of a forecast: what comes in. */
export function drawForecast(columns, told) {
  const { sites } = columns, n = sites.id.length, rows = rowsIn(columns, told);
  const of = { pieces: new Array(n).fill(null), low: new Array(n).fill(null), high: new Array(n).fill(null) };
  rows.forEach((row, at) => { if (row !== undefined) for (const name of Object.keys(of)) of[name][row] = told.sites[name][at]; });
  const levels = sites.id.map((_, row) => (sites.status?.[row] === "closed" ? "shut" : level(over(of.pieces[row], sites.room[row]), "forecast")));
  const moved = legsOf(columns, rows, told, -1);
  return { kind: "forecast", sites: { ...sites, load: of.pieces }, legs: moved.legs, levels, legLevels: moved.levels, of, total: told.total, outside: 0 };
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
