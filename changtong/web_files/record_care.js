// Whether a record is held, and whose it is: a hold set and lifted, the record handed to another organisation.
import { get, post } from "./api.js";
import { organisationChoice, organisationTree } from "./admin_names.js";
import { askFor } from "./ask_for.js";
import { fill, make, tell } from "./elements.js";
import { count, lang, named, say, time } from "./words.js";

const reason = () => ({ name: "reason", label: say("registers.why"), type: "text", required: true });

/** Ask for a reason and lift a hold. */
export function lift(dialog, one, done) {
  askFor(dialog, { title: say("holds.lift"), says: say("holds.lift_says"), go: say("holds.lift"), fields: [reason()] }, async (values) => {
    await post(`/api/v1/holds/${encodeURIComponent(one.id)}/lift`, values);
    tell(say("holds.lifted"));
    await done();
  });
}

/** Ask for a reason and put a record on hold. */
export function hold(dialog, kind, id, done) {
  const key = crypto.randomUUID();
  askFor(dialog, { title: say("holds.put"), says: say("holds.put_says"), go: say("holds.put"), fields: [reason()] }, async (values) => {
    await post(`/api/v1/records/${kind}/${encodeURIComponent(id)}/holds`, values, { "Idempotency-Key": key });
    tell(say("holds.is_held"));
    await done();
  });
}

/** How many records of each register. */
export const ofKinds = (kinds) => Object.entries(kinds).map(([kind, many]) => `${named("register", kind)} ${count(many)}`).join(lang === "zh" ? "、" : ", ");

/** To whom first; then what would go, before it does. */
export function handOver(dialog, path, { title, says, choices }, moved) {
  let asked = null, told = null;
  askFor(dialog, { title, says, go: say("hand_over.try"), fields: [{ name: "to", label: say("hand_over.to_organisation"), required: true, choices }, reason()] }, async (values) => {
    asked = values;
    told = await post(path, { ...values, dry_run: true });
  });
  dialog.addEventListener("close", () => {
    if (!told) return;
    if (!told.records) { tell(say("hand_over.none")); return; }
    askFor(dialog, { title: say("hand_over.sure"), says: say("hand_over.would", { kinds: ofKinds(told.kinds) }), go: say("hand_over.go", { count: count(told.records) }), danger: true }, async () => {
      await post(path, asked);
      tell(say("hand_over.done", { count: count(told.records) }));
      await moved();
    });
  }, { once: true });
}
async function handOverRecord(dialog, path, moved) {
  const choices = (await organisationTree()).map(organisationChoice);
  handOver(dialog, path, { title: say("hand_over.record"), says: say("hand_over.record_says"), choices }, moved);
}

export function careCard({ kind, id, holds, handsOver, who, dialog, moved }) {
  const card = make("section", { class: "card", id: "care", "aria-labelledby": "h-care" });
  async function show() {
    const seen = holds.includes("view") ? (await get(`/api/v1/holds?kind=${kind}&record=${encodeURIComponent(id)}`)).holds : [];
    const one = (each) => make("li", { class: "row", "data-hold": each.id }, make("b", {}, each.reason), make("span", { class: "note" }, `${who(each.set_by)} · ${time(each.set_at)}`),
      holds.includes("remove") ? make("button", { type: "button", onclick: () => lift(dialog, each, show) }, say("holds.lift")) : null);
    fill(card, make("h2", { id: "h-care" }, say("holds.care")), seen.length ? make("ul", { class: "plainlist" }, seen.map(one)) : make("p", { class: "note" }, say("holds.free")),
      make("p", { class: "row" }, holds.includes("add") ? make("button", { type: "button", id: "hold", onclick: () => hold(dialog, kind, id, show) }, say("holds.put")) : null,
        handsOver ? make("button", { type: "button", id: "hand-over", onclick: () => handOverRecord(dialog, `/api/v1/records/${kind}/${encodeURIComponent(id)}/hand-over`, moved) }, say("hand_over.record")) : null));
  }
  return { card, show };
}
