// A new record: the form that the register's description makes, sent once however often the button is pressed.
import { post } from "./api.js";
import { byId, fill, make, refusal } from "./elements.js";
import { describe, field, mark, valueOf } from "./record_fields.js";
import { named, say } from "./words.js";

const place = byId("record"), { kind } = place.dataset;
const key = crypto.randomUUID();

function show(about) {
  const columns = about.columns.filter((one) => !["only", "mark"].includes(one.kept_by_ledger));
  const control = (one) => one.name === about.state && about.first_states.length ? field(kind, one, one.default ?? about.first_states[0], about.first_states) : field(kind, one, one.default);
  const needed = columns.filter((one) => one.required), more = columns.filter((one) => !one.required);
  const wrong = make("div", { "aria-live": "assertive" });
  const form = make("form", { class: "form", onsubmit: async (event) => {
    event.preventDefault();
    mark(form, null);
    const button = form.querySelector("button.main");
    button.disabled = true;
    try {
      const values = {};
      // by namedItem: a column called "item" is a method of the collection
      for (const one of columns) { const value = valueOf(one, form.elements.namedItem(one.name)); if (value !== null) values[one.name] = value; }
      const own = Object.fromEntries([["organisation", form.elements.of_organisation.value.trim()], ["admin_code", form.elements.of_region.value.trim()]].filter(([, text]) => text));
      const { records } = await post(`/api/v1/records/${kind}`, { records: [{ values, ...own }] }, { "Idempotency-Key": key });
      location.href = `/registers/${kind}/${encodeURIComponent(records[0].id)}`;
    } catch (error) {
      fill(wrong, error.status ? refusal(error) : make("p", { class: "notice wrong", role: "alert" }, error.message));
      wrong.scrollIntoView({ block: "center" });
      mark(form, error);
    } finally { button.disabled = false; }
  } }, wrong, make("fieldset", {}, make("legend", {}, say("registers.fields")), needed.map(control)),
  make("details", {}, make("summary", {}, say("registers.optional")), make("fieldset", {}, make("legend", { class: "unseen" }, say("registers.optional")), more.map(control),
    make("label", {}, say("registers.whose"), make("input", { name: "of_organisation", pattern: "[A-Za-z0-9._\\-]{1,64}", autocomplete: "off" })), make("label", {}, say("registers.region"), make("input", { name: "of_region", pattern: "\\d{6,12}", autocomplete: "off" })))),
  make("div", { class: "row end" }, make("a", { class: "button", href: `/registers/${kind}` }, say("shell.cancel")), make("button", { type: "submit", class: "main" }, say("registers.add"))));
  fill(place, make("h1", {}, `${say("registers.add")} · ${named("register", kind)}`), form);
}

try { show(await describe(kind)); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
