// What a register's description says of its columns: how a value is shown, and how it is asked for.
import { get } from "./api.js";
import { make } from "./elements.js";
import { lang, named, say, time } from "./words.js";

export async function describe(kind) {
  return (await get("/api/v1/records")).kinds.find((one) => one.kind === kind);
}
export const columnName = (column) => named("column", column.name);
export function wordOf(kind, code) {
  const own = named("value", `${kind}_${code}`);
  return own === `${kind}_${code}` ? named("value", code) : own;
}

let people = null;
/** Names of users by id; empty where one may not see them. */
export async function userNames() {
  people ??= get("/api/v1/users").then(({ users }) => new Map(users.map((one) => [one.id, one.name])), () => new Map());
  return people;
}

/** A value as people read it; a reference leads to its record. */
export function shown(kind, column, value, names = new Map()) {
  if (value === null || value === undefined || value === "") return "–";
  if (column.type === "boolean") return named("value", value ? "yes" : "no");
  if (column.type === "instant") return time(value);
  if (column.type === "json") return make("pre", {}, typeof value === "string" ? value : JSON.stringify(value, null, 1));
  if (column.references === "user") return names.get(value) ?? value;
  if (column.references) return make("a", { href: `/registers/${column.references}/${encodeURIComponent(value)}` }, value);
  if (column.choices.length) return wordOf(kind, value);
  return String(value);
}

const pad = (number) => String(number).padStart(2, "0");
function local(iso) {
  const at = new Date(iso);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** What stands in the control of a column for a value. */
export function typedOf(column, value) {
  if (value === null || value === undefined) return "";
  if (column.type === "instant") return local(value);
  if (column.type === "json") return typeof value === "string" ? value : JSON.stringify(value);
  if (column.type === "boolean") return value === true || value === "true" || value === "yes" ? "true" : "false";
  return String(value);
}

/** The control of a column, with its range, choices and description. */
export function field(kind, column, value, choices = column.choices) {
  const id = `f-${column.name}`, typed = typedOf(column, value);
  const common = { name: column.name, id, required: column.required, "aria-describedby": `says-${column.name}` };
  const options = column.type === "boolean" ? [["true", named("value", "yes")], ["false", named("value", "no")]] : choices.map((one) => [one, wordOf(kind, one)]);
  let control;
  if (options.length) {
    control = make("select", common, column.required && typed ? null : make("option", { value: "" }, say("registers.not_given")), options.map(([one, text]) => make("option", { value: one, selected: one === typed }, text)));
  } else if (column.type === "json" || column.name === "description") {
    control = make("textarea", { ...common, rows: 2 }, typed);
  } else {
    const number = column.type === "number" || column.type === "integer";
    control = make("input", { ...common, type: number ? "number" : column.type === "instant" ? "datetime-local" : column.type === "date" ? "date" : "text", min: number ? column.minimum : null, max: number ? column.maximum : null,
      step: column.type === "integer" ? 1 : number ? "any" : null, value: typed, autocomplete: "off" });
  }
  control.addEventListener("input", () => { control.setCustomValidity(""); control.removeAttribute("aria-invalid"); });
  const range = column.minimum !== null && column.maximum !== null ? say("registers.range", { least: column.minimum, most: column.maximum }) : "";
  return make("div", { class: "field" }, make("label", { for: id }, columnName(column), column.required ? " *" : ""), control,
    make("small", { id: `says-${column.name}` }, [lang === "en" ? column.description : column.description_zh, range].filter(Boolean).join(" ")), make("div", { class: "wrong", "data-wrong": column.name }));
}

/** What was typed for a column, as the API takes it; null where it is empty. */
export function valueOf(column, control) {
  const text = control.value.trim();
  if (!text) return null;
  if (column.type === "number" || column.type === "integer") return Number(text);
  if (column.type === "boolean") return text === "true";
  if (column.type === "instant") return new Date(text).toISOString();
  if (column.type !== "json") return text;
  try { return JSON.parse(text); } catch {
    control.setCustomValidity(say("registers.bad_json"));
    control.reportValidity();
    throw new Error(say("registers.bad_json"));
  }
}

/** Mark the fields that a refusal names, and say there what is wrong with each. */
export function mark(form, error) {
  for (const place of form.querySelectorAll("[data-wrong]")) place.replaceChildren();
  for (const control of form.elements) control.removeAttribute("aria-invalid");
  let first = null;
  for (const problem of error?.problems ?? []) {
    const name = problem.column?.split(".").at(-1), control = name ? form.elements.namedItem(name) : null;
    if (!(control instanceof HTMLElement)) continue;
    control.setAttribute("aria-invalid", "true");
    control.closest("details")?.setAttribute("open", "");
    form.querySelector(`[data-wrong="${CSS.escape(name)}"]`)?.append(problem.title || problem.message);
    first ??= control;
  }
  first?.focus();
}
