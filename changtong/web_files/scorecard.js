// One scorecard: items with points, evidence and source, rules, grades, departments; its versions, and what changed.
import { get } from "./api.js";
import { kindOf, nameOf, points, scoringOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table, tellRefusal } from "./elements.js";
import { showVersions } from "./scorecard_changes.js";
import { count, named, say, time } from "./words.js";

const place = byId("card"), { card, whole, marks } = place.dataset, base = `/api/v1/scorecards/${encodeURIComponent(card)}`;
const number = (text) => ({ text, number: true });
const figure = (key, value) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value));
const why = (text) => (text ? make("span", { class: "why" }, text) : null);
const steps = (text) => String(text ?? "").split(";").map((one) => one.trim().split(":").map(Number)).filter((one) => one.length === 2);
const levels = (one) => (one.levels ? why(say("scorecard.for_levels", { levels: one.levels })) : null);

function items(told) {
  const of = (section) => told.indicators.filter((one) => one.section_id === section.section_id), rules = (section) => told.rules.filter((one) => one.section_id === section.section_id);
  const source = (one) => (one.source ? make("code", {}, one.source) : say("scorecard.by_hand"));
  return told.sections.map((section) => make("section", { class: "card items", "data-section": section.section_id }, make("h2", {}, nameOf(section)),
    make("p", { class: "note" }, [section.weight ? say("scorecard.weight_is", { weight: points(section.weight) }) : null, section.start_points ? say("scorecard.begins", { points: points(section.start_points) }) : null, section.max_deduction ? say("scorecard.most_off", { points: points(section.max_deduction) }) : null].filter(Boolean).join(" · ")),
    of(section).length ? table([say("scorecard.item"), number(say("scorecard.points")), say("scorecard.evidence"), say("scorecard.source")], of(section).map((one) => [make("span", {}, make("b", {}, nameOf(one)), why(scoringOf({ ...one, steps: steps(one.steps) })), levels(one), why(one.if_missing && one.if_missing !== "zero" ? named("card_missing", one.if_missing) : "")), points(one.max_points), one.evidence_wanted ?? say("scorecard.no_evidence"), source(one)]), { caption: nameOf(section) }) : null,
    rules(section).length ? [make("h3", {}, say("scorecard.rules")), table([say("scorecard.rule"), say("scorecard.effect"), number(say("scorecard.points")), number(say("scorecard.at_most")), say("scorecard.source")], rules(section).map((one) => [make("span", {}, make("b", {}, nameOf(one)), levels(one)), named("card_effect", one.effect), points(one.points), points(one.effect === "veto" ? one.score_at_most : one.max_points), source(one)]), { caption: say("scorecard.rules") })] : null));
}

function rest(told) {
  const { head } = told, days = ["report_by", "review_by", "appeal_by", "final_by"].filter((name) => head[name]);
  return make("section", { class: "card" }, make("h2", {}, say("scorecard.counting")),
    make("p", {}, [say("scorecard.base", { points: points(head.base ?? 0) }), head.max_deduction ? say("scorecard.most_off", { points: points(head.max_deduction) }) : null, head.max_bonus ? say("scorecard.most_bonus", { points: points(head.max_bonus) }) : null, say("scorecard.rounded", { decimals: count(head.decimals ?? 2) })].filter(Boolean).join(" · ")),
    days.length ? make("p", {}, days.map((name) => `${named("card_column", name)} ${head[name]}`).join(" · ")) : null,
    told.bands.length ? [make("h3", {}, say("scorecard.bands")), table([say("scorecard.band"), number(say("scorecard.from_points"))], told.bands.map((one) => [nameOf(one), points(one.from_points)]), { caption: say("scorecard.bands") })] : null,
    told.departments.length ? [make("h3", {}, say("scorecard.departments")), table([say("scorecard.department"), number(say("scorecard.weight")), say("scorecard.organisation")], told.departments.map((one) => [nameOf(one), points(one.weight), one.from_facts ? say("scorecard.from_facts") : one.organisation ?? "–"]), { caption: say("scorecard.departments") })] : null,
    told.pass_through.length ? [make("h3", {}, say("scorecard.passed_up")), table([say("scorecard.level"), number(say("scorecard.deductions")), number(say("scorecard.bonus"))], told.pass_through.map((one) => [one.level, `${points(one.deductions_permille ?? 0)} ‰`, `${points(one.bonus_permille ?? 0)} ‰`]), { caption: say("scorecard.passed_up") })] : null);
}

/** The folder of the card with everything about it; a refusal is told here. */
async function save() {
  try {
    const answer = await fetch(`${base}/folder.zip`, { credentials: "same-origin", headers: { "Accept-Language": document.documentElement.lang } });
    if (!answer.ok) { const told = await answer.json(); tellRefusal({ title: told.title, message: told.detail }); return; }
    const address = URL.createObjectURL(await answer.blob()), link = make("a", { href: address, download: `${card}.zip` });
    link.click();
    URL.revokeObjectURL(address);
  } catch (error) { tellRefusal(error); }
}

try {
  const told = await get(base), newest = told.versions.find((one) => one.card === told.later), versions = make("section", { class: "card", id: "versions" });
  fill(place, make("h1", {}, say("assessment.card_title", { title: nameOf(told), year: told.year, version: told.version })), kindOf(told),
    newest ? make("p", { class: "notice", id: "later" }, say("scorecard.later_kept", { at: time(newest.kept_at) }), " ", make("a", { href: `/scorecards/${encodeURIComponent(newest.card)}?since=${encodeURIComponent(card)}` }, say("scorecard.later_link", { version: newest.version }))) : null,
    make("dl", { class: "figures" }, figure("scorecard.items", count(told.indicators.length)), figure("scorecard.rules", count(told.rules.length)), figure("scorecard.all_points", points(told.points)), figure("scorecard.subjects", count(told.subjects)), figure("scorecard.kept_at", time(told.kept_at))),
    make("p", { class: "row screen" }, make("a", { class: "button main", href: `/assessment?card=${encodeURIComponent(card)}` }, say("scorecard.to_assessments")), whole ? make("button", { type: "button", id: "export", onclick: save }, say("scorecard.export")) : null, marks && told.departments.length ? make("a", { class: "button", id: "to-marks", href: `/scorecards/${encodeURIComponent(card)}/marks` }, say("marks.title")) : null, make("button", { type: "button", onclick: () => print() }, say("assessment.print"))),
    items(told), rest(told), versions);
  await showVersions(versions, told);
} catch (error) { fill(place, make("h1", {}, say("scorecard.one")), refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
