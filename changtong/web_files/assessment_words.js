// What pages of assessments have in common: names in the page's language, points, what a card is, what is due.
import { make } from "./elements.js";
import { lang, named, say } from "./words.js";

export const nameOf = (one) => (lang === "en" && one.name_en) || one.name_zh || one.name || "";
export const stageOf = (state) => named("assess_stage", state);
const numbers = new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: 2 });
export const points = (value) => (value === null || value === undefined ? "–" : numbers.format(value));
export const pathOf = (card, subject) => `/assessment/${encodeURIComponent(card)}/${encodeURIComponent(subject)}`;
export const apiOf = (card, subject) => `/api/v1/scorecards/${encodeURIComponent(card)}/assessments/${encodeURIComponent(subject)}`;

/** Whether a card is official, said in words; with where it comes from where that is known. */
export function kindOf(card) {
  const isOfficial = card.provenance === "official";
  const note = (lang === "en" ? card.note_en : card.note) || "";
  return make("p", { class: "notice", id: "provenance" }, make("b", {}, isOfficial ? say("assessment.official") : say("assessment.assumed", { kind: named("inspect", card.provenance) })), " ",
    card.source ? make("small", {}, say("assessment.source", { source: card.source }), " ", note) : null);
}

/** What is due until when; late where that is past. */
export function dueOf(due) {
  if (!due) return "–";
  return make("span", { class: due.overdue ? "late" : null }, say(due.overdue ? "assessment.was_due" : "assessment.is_due", { stage: stageOf(due.stage), by: due.by }));
}

/** How a value becomes points, in one line. */
export function scoringOf(item) {
  const unit = item.unit ? named("assess_unit", item.unit) : "";
  if (item.scoring === "marks") return say("assessment.by_marks");
  if (item.scoring === "steps") return `${item.steps.map(([value, got]) => say("assessment.step", { value: `${value}`, points: points(got) })).join(" · ")}${unit}`;
  return say("assessment.linear", { zero: `${item.zero_at}`, full: `${item.full_at}`, unit });
}
