// Measures of an event: a control for each by its kind, and what was put in; empty is not known.
import { said } from "./case_words.js";
import { make } from "./elements.js";
import { lang, named, say } from "./words.js";

const COLOURS = ["blue", "yellow", "orange", "red"];
const nameOf = (one) => `m-${one.id}`;

export function measureField(one, value = null) {
  const unit = one[`unit_${lang}`], label = unit ? `${said(one)} (${unit})` : said(one);
  const option = (code, text) => make("option", { value: code, selected: value !== null && String(value) === code }, text);
  const options = one.kind === "flag" ? [["true", named("value", "yes")], ["false", named("value", "no")]] : one.kind === "colour" ? COLOURS.map((colour) => [colour, named("case_colour", colour)]) : null;
  return make("label", {}, label, options ? make("select", { name: nameOf(one) }, option("", say("cases.not_known")), options.map(([code, text]) => option(code, text)))
    : make("input", { name: nameOf(one), type: "number", min: 0, max: one.kind === "share" ? 1 : null, step: one.kind === "count" ? 1 : "any", value, placeholder: say("cases.not_known"), autocomplete: "off" }));
}

/** What stands in the control of a measure; null where nothing does. */
export function measureValue(one, box) {
  const typed = box.querySelector(`[name="${CSS.escape(nameOf(one))}"]`)?.value.trim() ?? "";
  if (!typed) return null;
  return one.kind === "flag" ? typed === "true" : one.kind === "colour" ? typed : Number(typed);
}
