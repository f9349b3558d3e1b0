// The open work of one person handed to another: first what would go and what stays, then it goes as one.
import { post } from "./api.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { userNames } from "./record_fields.js";
import { count, named, say } from "./words.js";

const place = byId("over"), path = "/api/v1/supervision/hand-over";
const names = [...(await userNames()).values()].sort();
const wrong = make("div", { "aria-live": "assertive" }), result = make("div", { "aria-live": "polite", id: "result" });
let key = crypto.randomUUID();

function forget() { fill(result); fill(wrong); key = crypto.randomUUID(); }
const pick = (name, label) => make("label", {}, label, make("select", { name, required: true, onchange: forget }, make("option", { value: "" }, say("registers.not_given")), names.map((one) => make("option", { value: one }, one))));

async function busy(button, act) {
  button.disabled = true;
  try { await act(); } catch (error) { fill(wrong, refusal(error)); wrong.scrollIntoView({ block: "center" }); } finally { button.disabled = false; }
}

const asked = () => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
const record = (one) => make("a", { href: `/registers/${one.kind}/${encodeURIComponent(one.record)}` }, named("register", one.kind));
const why = (code) => named("hand_over_why", code);

function show(told, isDone) {
  const go = make("button", { type: "button", class: "danger", id: "go", onclick: () => busy(go, async () => show(await post(path, asked(), { "Idempotency-Key": key }), true)) }, say("hand_over.go", { count: count(told.moved.length) }));
  fill(result, make("section", { class: "card", "aria-labelledby": "h-told" }, make("h2", { id: "h-told", tabindex: "-1" }, say(isDone ? "hand_over.is_done" : "hand_over.tried")),
    make("p", { id: "moved" }, told.moved.length || told.stays.length ? say("hand_over.moved", { count: count(told.moved.length) }) : say("hand_over.nothing")),
    told.moved.length ? table([say("hand_over.record_column"), say("hand_over.id")], told.moved.map((one) => [record(one), one.record]), { caption: say("hand_over.tried") }) : null,
    told.stays.length ? [make("h3", {}, say("hand_over.stays", { count: count(told.stays.length) })), table([say("hand_over.record_column"), say("hand_over.why")], told.stays.map((one) => [record(one), why(one.code)]), { caption: say("hand_over.why") })] : null,
    !isDone && told.moved.length ? make("p", { class: "row end" }, go) : null));
  byId("h-told").focus();
}

const form = make("form", { class: "form", onsubmit: (event) => { event.preventDefault(); busy(form.querySelector("button.main"), async () => { fill(wrong); show(await post(path, { ...asked(), dry_run: true }), false); }); } },
  wrong, make("fieldset", {}, make("legend", {}, say("hand_over.who")), pick("giver", say("hand_over.giver")), pick("taker", say("hand_over.taker")),
    make("label", {}, say("registers.why"), make("input", { name: "reason", required: true, maxlength: 2000, autocomplete: "off" }))),
  make("div", { class: "row end" }, make("button", { type: "submit", class: "main" }, say("hand_over.try"))));
fill(place, form, result);
document.body.dataset.ready = "yes";
