// A dialog that asks for a few words before something is done; what is refused is told in it.
import { fill, make, refusal } from "./elements.js";
import { say } from "./words.js";

/** Ask; `fields` are {name, label, required, type, value, says, choices}; `act` gets the values and may refuse. */
export function askFor(dialog, { title, says = "", fields = [], go, danger = false, more = null }, act) {
  const wrong = make("div", { "aria-live": "assertive" });
  const form = make("form", { onsubmit: async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      await act(Object.fromEntries(fields.map((one) => [one.name, form.elements.namedItem(one.name).value.trim()])));
      dialog.close();
    } catch (error) { fill(wrong, refusal(error)); } finally { button.disabled = false; }
  } },
  make("h2", { id: "h-ask" }, title), says ? make("p", { class: "note" }, says) : null, more,
  fields.map((one) => make("label", {}, one.label, one.choices ? make("select", { name: one.name, required: one.required }, one.choices.map(([value, text]) => make("option", { value }, text))) : make(one.type === "text" ? "textarea" : "input", { name: one.name, type: one.type === "text" ? null : one.type ?? null, rows: one.type === "text" ? 2 : null, required: one.required, maxlength: one.most ?? null, min: one.min ?? null, value: one.type === "text" ? null : one.value ?? null, step: one.step ?? null }, one.type === "text" ? one.value ?? "" : null), one.says ? make("small", {}, one.says) : null)),
  wrong,
  make("div", { class: "row end" }, make("button", { type: "button", onclick: () => dialog.close() }, say("shell.cancel")), make("button", { type: "submit", class: danger ? "danger" : "main" }, go)));
  fill(dialog, form);
  dialog.showModal();
}
