// Days of a scan log and of a forecast as the API tells them: kept while the page is open, waited for while they are made.
import { get } from "./api.js";

const KEPT = 40, AGAIN_MS = 2500;
const days = new Map();

function keep(key, told) {
  days.set(key, told);
  if (days.size > KEPT) days.delete(days.keys().next().value);
  return told;
}

/** The hours of a day of a log, of all pieces or of a class; `wanted` ends the waiting, `making` is called while the server computes it. */
export async function hoursOf(log, day, { klass = "", wanted = () => true, making = () => {}, anew = false } = {}) {
  const key = `${log} ${day} ${klass}`, of = new URLSearchParams(klass ? { day, service_class: klass } : { day });
  if (!anew && days.has(key)) return days.get(key);
  for (;;) {
    try {
      return keep(key, await get(`/api/v1/logs/${encodeURIComponent(log)}/hours?${of}`));
    } catch (error) {
      if (error.code !== "in-the-making" || !wanted()) throw error;
      making();
      await new Promise((done) => setTimeout(done, AGAIN_MS));
      if (!wanted()) throw error;
    }
  }
}

export async function forecastOf(run, day) {
  const key = `forecast ${run} ${day}`;
  return days.get(key) ?? keep(key, await get(`/api/v1/runs/${encodeURIComponent(run)}/forecast?day=${day}`));
}

/** The place of an hour of the day in its answer, or -1: it has no scan. */
export const hourAt = (told, hour) => told.begin_ms.findIndex((begin) => Math.floor((begin - told.first_ms) / 3600000) === hour);

export function shifted(day, by) {
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + by);
  return at.toISOString().slice(0, 10);
}
