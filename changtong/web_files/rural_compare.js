// Two plans of counties side by side: what is less is better, and said so with a sign and a word.
import { fill, make, table } from "./elements.js";
import { count, say, share, time } from "./words.js";

const ROWS = [["rural.cost_week", "cost_cny"], ["rural.unserved", "unserved_pieces"], ["rural.km_week", "distance_km"], ["rural.hours_week", "hours"], ["rural.vehicle_days", "vehicle_days"],
  ["rural.carbon_week", "kgco2e"], ["rural.stations", "stations"], ["rural.pieces_week", "pieces", false], ["rural.piece_cost", "cny_per_piece"]];
const shown = (value) => value === null || value === undefined ? "–" : Math.abs(value) < 10 ? String(Number(value.toFixed(2))) : count(value);

export function comparePlans(place, one, other) {
  if (!other) { place.replaceChildren(); return; }
  const title = ({ run, answer }) => [answer.text, make("small", {}, ` ${time(run.made_at)}`)];
  const rows = ROWS.map(([key, name, lessIsBetter = true]) => {
    const [a, b] = [one.answer.told[name], other.answer.told[name]];
    const change = typeof a === "number" && typeof b === "number" && a ? (b - a) / Math.abs(a) : null;
    const word = change === null || Math.abs(change) < 5e-4 ? "" : `${change > 0 ? "▲" : "▼"} ${share(Math.abs(change))}${lessIsBetter ? ` ${say(change < 0 ? "rural.better" : "rural.worse")}` : ""}`;
    return [say(key), shown(a), shown(b), word];
  });
  const body = table([say("rural.figure"), { text: title(one), number: true }, { text: title(other), number: true }, say("rural.change")], rows, { caption: say("rural.compare") });
  fill(place, body, make("p", { class: "note" }, say("rural.compare_says")));
}
