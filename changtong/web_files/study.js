// The form of a study: its inputs from the data folder or from earlier runs, its parameters, and then a run.
import { get, post } from "./api.js";
import { byId, fill, make, refusal, tell } from "./elements.js";
import { nameOf, offers, saysOf } from "./offers.js";
import { kinds } from "./data_kinds.js";
import { openUpload } from "./upload.js";
import { lang, say, time } from "./words.js";

const place = byId("study"), name = place.dataset.study;
const asked = new URLSearchParams(location.search);
const uploaded = await kinds().catch(() => new Map());
const known = await offers().catch((error) => { fill(place, refusal(error)); return null; });
const offer = known?.get(name);
if (known && !offer) fill(place, make("section", { class: "card empty" }, make("h2", {}, say("studies.none"))));
if (offer) await show();
document.body.dataset.ready = "yes";

/** What an input may be: ids of networks, logs and data sets, and earlier runs whose result it can be. */
async function choices(input) {
  const found = [];
  for (const source of input.sources) {
    if (source === "rows") continue;
    if (source.startsWith("run ")) {
      const study = source.slice(4).split("/")[0];
      const { runs } = await get(`/api/v1/runs?limit=30&state=done&study=${encodeURIComponent(study)}`);
      found.push(...runs.map((run) => ({ value: JSON.stringify({ run: run.id }), text: `${nameOf(known.get(run.study)) || run.study} · ${time(run.made_at)}${run.network ? ` · ${run.network}` : ""}`, group: say("studies.of_runs") })));
    } else {
      const { datasets } = await get(`/api/v1/datasets?kind=${encodeURIComponent(source)}`);
      found.push(...datasets.map((one) => ({ value: JSON.stringify(one.id), text: one.id, group: say("studies.of_data") })));
    }
  }
  return found;
}

async function inputField(input) {
  const select = make("select", { name: input.name, "aria-describedby": `says-${input.name}`, multiple: input.many, required: input.required, size: input.many ? 4 : null });
  const uploads = input.sources.filter((source) => uploaded.has(source));
  async function offer_(chosen = null) {
    const found = await choices(input);
    const groups = Object.groupBy(found, (one) => one.group);
    fill(select, input.many ? null : make("option", { value: "" }, input.required ? say("studies.choose") : say("studies.not_given")),
      Object.entries(groups).map(([group, ones]) => make("optgroup", { label: group }, ones.map((one) => make("option", { value: one.value }, one.text)))));
    const wanted = chosen ?? asked.get(input.name);
    const option = [...select.options].find((one) => one.value === JSON.stringify(wanted) || one.value === JSON.stringify({ run: wanted }));
    if (option) option.selected = true;
    else if (input.required && !input.many && found.length === 1) select.value = found[0].value;
  }
  await offer_();
  return make("div", { class: "field" }, make("label", {}, nameOf(input), input.required ? " *" : "", make("div", { class: "row" }, select)),
    uploads.length ? make("button", { type: "button", onclick: () => openUpload(byId("upload"), uploads, (id) => offer_(id)) }, say("studies.upload")) : null,
    make("small", { id: `says-${input.name}` }, input.says_en && lang === "en" ? input.says_en : ""));
}

function parameterField(one) {
  const id = `p-${one.name}`, standard = one.default ?? "";
  const common = { name: one.name, id, "aria-describedby": `says-${one.name}`, required: one.required };
  let control;
  if (one.type === "boolean") {
    control = make("label", { class: "tick" }, make("input", { ...common, required: false, type: "checkbox", checked: Boolean(one.default) }), nameOf(one));
  } else if (one.choices.length && !one.many) {
    control = make("label", {}, nameOf(one), one.required ? " *" : "", make("select", common, one.required ? null : make("option", { value: "" }, standard === "" ? say("studies.not_given") : say("studies.standard", { value: standard })),
      one.choices.map((choice) => make("option", { value: choice }, choice))));
  } else {
    const number = one.type !== "text" && !one.many;
    control = make("label", {}, nameOf(one), one.required ? " *" : "", make("input", {
      ...common, type: number ? "number" : "text", min: number ? one.least : null, max: number ? one.most : null, step: one.type === "integer" ? 1 : number ? "any" : null,
      placeholder: one.many ? say("studies.several") : standard === "" ? "" : say("studies.standard", { value: standard }), autocomplete: "off",
    }));
  }
  return make("div", { class: "field" }, control, make("small", { id: `says-${one.name}` }, saysOf(one)));
}

async function show() {
  document.title = `${nameOf(offer)} · ${document.title.split(" · ").at(-1)}`;
  document.querySelector(".where").textContent = nameOf(offer);
  const inputs = await Promise.all(offer.inputs.map(inputField));
  const needed = offer.parameters.filter((one) => one.required), more = offer.parameters.filter((one) => !one.required);
  const wrong = make("div", { "aria-live": "assertive" });
  const form = make("form", { class: "form", onsubmit: (event) => { event.preventDefault(); send(form, wrong); } }, wrong,
    inputs.length ? make("fieldset", {}, make("legend", {}, say("studies.inputs")), inputs) : null,
    needed.length ? make("fieldset", {}, make("legend", {}, say("studies.parameters")), needed.map(parameterField)) : null,
    more.length ? make("details", {}, make("summary", {}, say("studies.further")), make("fieldset", {}, make("legend", { class: "unseen" }, say("studies.further")), more.map(parameterField))) : null,
    make("div", { class: "row" }, make("button", { class: "main", type: "submit" }, say("studies.go")), make("code", { class: "note" }, offer.command)));
  fill(place, make("h1", {}, nameOf(offer)), make("p", {}, saysOf(offer)), form);
}

function valueOf(one, text) {
  if (one.many) return text.split(/[\n,，;；]/).map((part) => part.trim()).filter(Boolean).map((part) => one.type === "text" ? part : Number(part));
  return one.type === "text" ? text : Number(text);
}

async function send(form, wrong) {
  const inputs = {}, parameters = {};
  for (const one of offer.inputs) {
    const chosen = [...form.elements.namedItem(one.name).selectedOptions].map((option) => option.value).filter(Boolean).map((value) => JSON.parse(value));
    if (chosen.length) inputs[one.name] = one.many ? chosen : chosen[0];
  }
  for (const one of offer.parameters) {
    const control = form.elements.namedItem(one.name); // `item` is a method of the collection
    if (one.type === "boolean") { if (control.checked !== Boolean(one.default)) parameters[one.name] = control.checked; } else if (control.value.trim()) parameters[one.name] = valueOf(one, control.value.trim());
  }
  const button = form.querySelector("button.main");
  button.disabled = true;
  try {
    const run = await post("/api/v1/runs", { study: name, inputs, parameters, language: lang }, { "Idempotency-Key": crypto.randomUUID() });
    location.href = `/runs/${run.id}`;
  } catch (error) {
    fill(wrong, refusal(error));
    wrong.scrollIntoView({ block: "center" });
    for (const problem of error.problems ?? []) {
      const field = form.elements.namedItem(problem.column?.split(".")[1] ?? "");
      if (field instanceof HTMLElement) { field.setAttribute("aria-invalid", "true"); field.closest("details")?.setAttribute("open", ""); }
    }
    tell(say("shell.failed", { why: error.title || error.message }), { wrong: true });
  } finally { button.disabled = false; }
}
