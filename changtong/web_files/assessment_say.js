// The form of a stage: values with evidence, files kept on the spot, findings that are disputed or withdrawn, a note.
import { post } from "./api.js";
import { apiOf, nameOf, points, scoringOf, stageOf } from "./assessment_words.js";
import { fill, make, refusal, tell } from "./elements.js";
import { attach } from "./record_files.js";
import { named, say } from "./words.js";

const PATHS = { self_report: "self-report", review: "review", appeal: "appeal", final: "final" };
const ORDER = ["self_report", "review", "final"];

/** What was said last of an item, at this stage or before. */
function before(item, stage) {
  const own = item.stages[stage];
  if (own) return own;
  const earlier = ORDER.filter((one) => item.stages[one]);
  return item.stages[earlier.at(-1)] ?? null;
}

function itemFields(item, stage, { record, mayAttach, changed }) {
  const last = before(item, stage), id = item.indicator_id;
  const says = stage === "review" || stage === "final" ? "assessment.reason" : "assessment.evidence";
  const value = make("input", { type: "number", step: "any", name: `value ${id}`, value: last?.value ?? "", autocomplete: "off" });
  const evidence = make("input", { name: `evidence ${id}`, value: item.stages[stage]?.evidence ?? "", maxlength: 200, autocomplete: "off" });
  const wrong = make("div", { class: "wide", "aria-live": "assertive" });
  const file = make("input", { type: "file", accept: ".jpg,.jpeg,.png,.webp,.pdf,.txt", name: `file ${id}`, onchange: async () => {
    if (!file.files.length) return;
    try {
      const kept = await attach("assessment", record, file.files[0]);
      evidence.value = [evidence.value.trim(), kept.id].filter(Boolean).join(", ");
      fill(wrong, make("small", {}, say("assessment.file_kept", { name: file.files[0].name })));
      changed();
    } catch (error) { fill(wrong, refusal(error)); }
  } });
  return make("fieldset", { class: "say", "data-item": id }, make("legend", {}, say("assessment.item_of", { name: nameOf(item), points: points(item.max_points) })),
    make("p", { class: "note wide" }, scoringOf(item), item.evidence_wanted ? ` ${say("assessment.wanted", { what: item.evidence_wanted })}` : ""),
    make("label", {}, say("assessment.value"), value), make("label", {}, say(says), evidence),
    mayAttach ? make("label", {}, say("assessment.add_file"), file) : null, wrong);
}

function factFields(told, stage) {
  if ((stage !== "appeal" && stage !== "final") || !told.findings.length) return null;
  return make("fieldset", { class: "say" }, make("legend", {}, say(stage === "appeal" ? "assessment.disputed" : "assessment.withdrawn")),
    told.findings.map((one) => make("label", { class: "tick wide" }, make("input", { type: "checkbox", name: "fact", value: one.fact_id }), `${nameOf(one)} (${one.fact_id}) ${points(one.counted_points)}`)));
}

/** The form of a stage; `done` gets nothing and reads anew. */
export function sayForm(told, stage, { mayAttach, changed, done, cancel }) {
  const wrong = make("div", { "aria-live": "assertive" }), key = crypto.randomUUID();
  const measured = told.items.filter((one) => one.scoring !== "marks");
  const form = make("form", { id: "say", onsubmit: async (event) => {
    event.preventDefault();
    const control = (name) => form.elements.namedItem(name).value.trim();
    const values = measured.filter((one) => control(`value ${one.indicator_id}`) !== "").map((one) => {
      const evidence = control(`evidence ${one.indicator_id}`);
      return { indicator_id: one.indicator_id, value: Number(control(`value ${one.indicator_id}`)), ...(evidence ? { evidence } : {}) };
    });
    const facts = [...form.querySelectorAll("[name=fact]:checked")].map((one) => one.value);
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      await post(`${apiOf(told.card.card, told.subject.subject_id)}/${PATHS[stage]}`, { ...(values.length ? { values } : {}), facts, note: control("note") }, { "If-Match": `"${told.version}"`, "Idempotency-Key": key });
      tell(say("assessment.said", { stage: stageOf(stage) }));
      await done();
    } catch (error) {
      fill(wrong, error.status === 412 ? make("p", { class: "notice wrong", role: "alert" }, say("assessment.changed")) : refusal(error));
      wrong.scrollIntoView({ block: "center" });
    } finally { button.disabled = false; }
  } }, make("p", { class: "note" }, named("assess_says", stage)), measured.map((one) => itemFields(one, stage, { record: told.record, mayAttach, changed })), factFields(told, stage),
  make("label", {}, say("assessment.note"), make("textarea", { name: "note", rows: 2, maxlength: 4000 })), wrong,
  make("div", { class: "row end" }, make("button", { type: "button", onclick: cancel }, say("shell.cancel")), make("button", { type: "submit", class: "main" }, say("assessment.put_down", { stage: stageOf(stage) }))));
  return form;
}
