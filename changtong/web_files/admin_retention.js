// Retention: what rules would erase, erasing with a second person, certificates, and the keys that seal them.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { handOver } from "./admin_names.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { count, named, say, time } from "./words.js";

const EXAMPLE = `[hazard]
name_zh = "已关闭隐患"
basis = "decision 12 of the office"
provenance = "example"
source = "made up"
since = "updated_at"
states = ["closed"]
delete_after_days = 1825
`;
const place = byId("part"), dialog = byId("ask");
const due = make("div", { id: "due", "aria-live": "polite" }), certificates = make("div", {}), keys = make("div", { id: "keys" });
const rules = make("textarea", { class: "rules", id: "rules", spellcheck: "false", oninput: () => fill(due) });

async function lookDue() {
  try {
    const told = await post("/api/v1/erasures/due", { rules: rules.value });
    const total = told.registers.reduce((sum, one) => sum + one.erased, 0);
    fill(due, table([say("administration.register"), { text: say("administration.erased"), number: true }, { text: say("administration.left"), number: true }, say("administration.held")], told.registers.map((one) => [
      named("register", one.register), count(one.erased), count(one.left), Object.entries(one.held).map(([why, many]) => `${why}: ${count(many)}`).join(", ") || "–"]), { caption: say("administration.due") }),
    total ? make("p", { class: "row end" }, make("button", { type: "button", class: "danger", id: "erase", onclick: erase }, say("administration.erase"))) : null);
  } catch (error) { fill(due, refusal(error)); }
}

function erase() {
  askFor(dialog, { title: say("administration.erase"), says: say("administration.erase_says"), go: say("administration.erase"), danger: true, fields: [
    { name: "user", label: say("administration.second"), required: true }, { name: "password", label: say("administration.second_password"), type: "password", required: true },
    { name: "code", label: say("administration.second_code") }] }, async (values) => {
    const made = await post("/api/v1/erasures", { rules: rules.value, second: values });
    fill(due);
    await showCertificates();
    tell(say("administration.erased_done", { id: made.id }));
  });
}

async function showCertificates() {
  const { erasures } = await get("/api/v1/erasures");
  fill(certificates, erasures.length ? make("ul", { class: "plainlist" }, erasures.map((id) => make("li", { class: "row" }, make("code", {}, id), make("button", { type: "button", "aria-label": `${say("administration.download_zip")} ${id}`, onclick: async () =>
    handOver(new Blob([JSON.stringify(await get(`/api/v1/erasures/${id}`), null, 1)], { type: "application/json" }), `erasure-${id}.json`) }, say("administration.download_zip"))))) : make("p", { class: "note" }, say("administration.no_certificates")));
}

function showKeys(told) {
  fill(keys, told.keys.length ? table([say("administration.name"), say("administration.state"), say("administration.made_at")], told.keys.map((one) => [one.name, one.state, time(one.made_at)]), { caption: say("administration.keys") })
    : make("p", { class: "note" }, say("administration.no_keys")),
  make("p", { class: "row end" }, make("button", { type: "button", id: "new-key", onclick: () => askFor(dialog, { title: say(told.keys.length ? "administration.next_key" : "administration.new_key"), says: say("administration.key_says"), go: say("administration.new_key") },
    async () => { showKeys(await post("/api/v1/keys")); tell(say("administration.done")); }) }, say(told.keys.length ? "administration.next_key" : "administration.new_key"))));
}

try {
  fill(place, make("section", { class: "card" }, make("label", {}, say("administration.rules"), rules), make("p", { class: "note" }, say("administration.rules_says")),
    make("div", { class: "row" }, make("button", { type: "button", class: "main", id: "look-due", onclick: lookDue }, say("administration.due")), make("button", { type: "button", id: "example", onclick: () => { rules.value = EXAMPLE; fill(due); } }, say("administration.rules_example"))), due),
  make("section", { class: "card" }, make("h2", {}, say("administration.certificates")), certificates), make("section", { class: "card" }, make("h2", {}, say("administration.keys")), keys));
  await showCertificates();
  showKeys(await get("/api/v1/keys"));
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
