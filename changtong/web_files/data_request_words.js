// What the rules of requests say, in the page's language: kinds and grounds with their basis, clocks in days left.
import { get } from "./api.js";
import { make } from "./elements.js";
import { lang, say } from "./words.js";

export const rules = await get("/api/v1/data-requests/rules");
const said = (one) => (lang === "zh" ? one.zh : one.en);
const basis = (one) => (lang === "zh" ? one.basis : one.basis_en);

/** A kind or a ground by its id. */
export function ruleName(list, id) {
  const one = rules[list].find((each) => each.id === id);
  return one ? said(one) : id;
}
export function ruleBasis(list, id) {
  const one = rules[list].find((each) => each.id === id);
  return one ? basis(one) : "";
}

/** A clock: what, how many days are left, and what sets it. */
export function clock(one) {
  const isLate = one.stage === "overdue";
  return make("li", { class: isLate ? "call" : null, "data-clock": one.clock }, make("b", {}, said(one)), " ",
    make("span", { class: isLate ? "wrong" : "note" }, say(isLate ? "data_requests.overdue" : "data_requests.left", { days: Math.abs(one.days_left), day: one.last_day })),
    basis(one) ? make("small", {}, ` ${basis(one)}`) : make("small", {}, ` ${say("data_requests.own_limit")}`), one.is_provisional ? make("small", {}, ` ${say("data_requests.provisional")}`) : null);
}
