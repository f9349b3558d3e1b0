// The tree of organisations: one added, moved with all below it, its records handed over.
import { post } from "./api.js";
import { askFor } from "./ask_for.js";
import { organisationChoice, organisationName, organisationTree } from "./admin_names.js";
import { byId, fill, make, refusal, tell } from "./elements.js";
import { handOver } from "./record_care.js";
import { named, say } from "./words.js";

const KINDS = ["nation", "province", "city", "county", "headquarters", "branch", "franchise", "outlet"];
const place = byId("part"), dialog = byId("ask");
let all = [];
const others = (one) => all.filter((each) => each.id !== one.id).map(organisationChoice);
const reason = () => ({ name: "reason", label: say("administration.give_reason"), type: "text", required: true });

function add(parent) {
  const key = crypto.randomUUID();
  askFor(dialog, { title: say("administration.add_organisation"), go: say("administration.add_organisation"), fields: [
    { name: "parent", label: say("administration.parent"), choices: parent ? [[parent.id, organisationName(parent)]] : [["", say("administration.topmost")]] },
    { name: "kind", label: say("administration.kind"), choices: KINDS.map((kind) => [kind, named("organisation_kind", kind)]) },
    { name: "name_zh", label: say("administration.name_zh"), required: true }, { name: "name_en", label: say("administration.name_en") },
    { name: "admin_code", label: say("administration.admin_code"), required: true }] }, async (values) => {
    await post("/api/v1/organisations", { ...values, parent: values.parent || null }, { "Idempotency-Key": key });
    await show();
    tell(say("administration.done"));
  });
}

function move(one) {
  const parent = { name: "parent", label: say("administration.parent"), choices: others(one), required: true };
  askFor(dialog, { title: `${say("administration.move")}: ${organisationName(one)}`, says: say("administration.move_says"), go: say("administration.move"), danger: true, fields: [parent, reason()] }, async (values) => {
    await post(`/api/v1/organisations/${one.id}/move`, values);
    await show();
    tell(say("administration.done"));
  });
}

const leaf = (one) => make("li", { "data-organisation": one.id }, make("details", {}, make("summary", {}, make("b", {}, organisationName(one)), " ", make("span", { class: "note" }, `${named("organisation_kind", one.kind)} · ${one.admin_code} · ${one.id}`)),
  make("div", { class: "row" }, make("button", { type: "button", onclick: () => add(one) }, say("administration.add_below")),
    make("button", { type: "button", onclick: () => move(one) }, say("administration.move")),
    make("button", { type: "button", "data-hand-over": one.id, onclick: () => handOver(dialog, `/api/v1/organisations/${one.id}/hand-over`, { title: `${say("administration.hand_over")}: ${organisationName(one)}`, says: say("administration.hand_over_says"), choices: others(one) }, show) }, say("administration.hand_over")))),
below(one.id));
function below(parent) {
  const those = all.filter((one) => (all.some((each) => each.id === one.parent) ? one.parent : null) === parent);
  return those.length ? make("ul", { class: "tree" }, those.map(leaf)) : null;
}

async function show() {
  all = await organisationTree();
  fill(place, make("p", { class: "row end" }, make("button", { type: "button", class: "main", onclick: () => add(null) }, say("administration.add_organisation"))), make("section", { class: "card" }, below(null)));
}
try { await show(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
