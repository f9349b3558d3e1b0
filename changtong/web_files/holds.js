// The legal holds in force; lifted here, and put on a record by its id where one may not see the record itself.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { lift } from "./record_care.js";
import { userNames } from "./record_fields.js";
import { named, say, time } from "./words.js";

const place = byId("holds"), dialog = byId("ask"), rights = place.dataset.rights.split(" "), kinds = ["attachment", ...place.dataset.kinds.split(" ")];
const names = await userNames();

/** By the id alone: whoever may do so sees nothing of the record. */
function byItsId() {
  const key = crypto.randomUUID();
  askFor(dialog, { title: say("holds.by_id"), says: say("holds.by_id_says"), go: say("holds.put"), fields: [{ name: "kind", label: say("holds.kind"), required: true, choices: kinds.map((kind) => [kind, named("register", kind)]) },
    { name: "record", label: say("holds.record_id"), required: true, most: 64 }, { name: "reason", label: say("registers.why"), type: "text", required: true }] }, async ({ kind, record, reason }) => {
    await post(`/api/v1/records/${kind}/${encodeURIComponent(record)}/holds`, { reason }, { "Idempotency-Key": key });
    tell(say("holds.is_held"));
    await show();
  });
}

async function show() {
  const { holds } = await get("/api/v1/holds");
  const rows = holds.map((one) => [make("a", { href: `/registers/${one.kind}/${encodeURIComponent(one.record)}` }, named("register", one.kind)), one.reason, names.get(one.set_by) ?? one.set_by, time(one.set_at),
    rights.includes("remove") ? make("button", { type: "button", "data-lift": one.id, onclick: () => lift(dialog, one, show) }, say("holds.lift")) : "–"]);
  fill(place, rights.includes("add_unseen") ? make("p", { class: "row" }, make("button", { type: "button", id: "by-id", onclick: byItsId }, say("holds.by_id"))) : null,
    rows.length ? table([say("holds.record"), say("holds.reason"), say("holds.by"), say("holds.since"), say("holds.lift")], rows, { caption: say("holds.title") })
      : make("section", { class: "card empty" }, make("h2", {}, say("holds.none")), make("p", {}, say("holds.none_says"))));
}

try { await show(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
