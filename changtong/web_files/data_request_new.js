// A request that has come in, written down once however often the button is pressed.
import { post } from "./api.js";
import { ruleBasis, rules } from "./data_request_words.js";
import { byId, fill, make, refusal } from "./elements.js";
import { mark, wordOf } from "./record_fields.js";
import { named, say } from "./words.js";

const place = byId("request"), key = crypto.randomUUID(), KIND = "data_request";
const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

function field(name, control, says = "") {
  control.id = `f-${name}`;
  return make("div", { class: "field" }, make("label", { for: control.id }, named("data_request_field", name)), control, says ? make("small", {}, says) : null, make("div", { class: "wrong", "data-wrong": name }));
}
const choice = (name, codes, word) => make("select", { name, required: true }, codes.map((code) => make("option", { value: code }, word(code))));
const kindWord = (code) => [wordOf(KIND, code), ruleBasis("kinds", code)].filter(Boolean).join(" · ");

const wrong = make("div", { "aria-live": "assertive" });
const form = make("form", { class: "form", onsubmit: async (event) => {
  event.preventDefault();
  mark(form, null);
  const button = form.querySelector("button.main");
  button.disabled = true;
  try {
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
    values.received_at = new Date(values.received_at).toISOString();
    const made = await post("/api/v1/data-requests", values, { "Idempotency-Key": key });
    location.href = `/data-requests/${encodeURIComponent(made.request_id)}`;
  } catch (error) {
    fill(wrong, refusal(error));
    wrong.scrollIntoView({ block: "center" });
    mark(form, error);
  } finally { button.disabled = false; }
} }, wrong, make("fieldset", {}, make("legend", {}, say("data_requests.request")),
  field("kind", choice("kind", rules.kinds.map((one) => one.id), kindWord)), field("channel", choice("channel", rules.channels, (code) => wordOf(KIND, code))),
  field("on_behalf", choice("on_behalf", rules.on_behalf, (code) => wordOf(KIND, code)), say("data_requests.on_behalf_says")),
  field("received_at", make("input", { name: "received_at", type: "datetime-local", required: true, value: now }), say("data_requests.received_says"))),
make("fieldset", {}, make("legend", {}, say("data_requests.person")), make("p", { class: "note" }, say("data_requests.person_says")),
  field("name", make("input", { name: "name", required: true, maxlength: 200, autocomplete: "off" })), field("contact", make("input", { name: "contact", required: true, maxlength: 200, autocomplete: "off" })),
  field("text", make("textarea", { name: "text", rows: 3, maxlength: 4000 }))),
make("div", { class: "row end" }, make("a", { class: "button", href: "/data-requests" }, say("shell.cancel")), make("button", { type: "submit", class: "main" }, say("data_requests.write_down"))));
fill(place, form);
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
