// What stands on a study's card: the newest run one may see with its state and age, headline numbers, its report.
import { make } from "./elements.js";
import { stateOf } from "./run_state.js";
import { count, named, say, seconds, share, time } from "./words.js";

const SHARES = /(_share|^gap|^confidence)$/;
const OLD_S = 2 * 86_400;

function said(name, value) {
  if (typeof value !== "number") return String(value);
  if (SHARES.test(name)) return share(value);
  return Number.isInteger(value) || Math.abs(value) >= 100 ? count(value, { short: true }) : value.toFixed(2);
}
export function ageOf(iso) {
  const gone = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  return gone > OLD_S ? time(iso) : say("cards.ago", { time: seconds(gone) });
}

/** The newest run of a study, and the numbers of the newest that is done. */
export function newestOf(told, wanted) {
  if (!told) return make("p", { class: "newest note" }, say("cards.never"));
  const { last, done } = told, numbers = wanted.filter((name) => done?.numbers[name] !== undefined && done.numbers[name] !== null);
  return make("div", { class: "newest" }, make("p", { class: "row" }, stateOf(last), make("span", { class: "note" }, ageOf(last.ended_at ?? last.made_at))),
    done && numbers.length ? make("dl", { class: "numbers" }, numbers.map((name) => make("div", {}, make("dt", {}, named("headline", name)), make("dd", {}, said(name, done.numbers[name]))))) : null,
    done && done.good === false ? make("p", { class: "wrong" }, say("cards.no_good")) : null,
    make("p", { class: "row" }, make("a", { href: `/runs/${(done ?? last).id}` }, say("cards.newest")), done?.report ? make("a", { href: `/runs/${done.id}/page/${done.report}`, target: "_blank", rel: "noopener" }, say("cards.report")) : null));
}
