// A plan proposed to be issued: a second person approves it on the page it leads to.
import { post } from "./api.js";
import { askFor } from "./ask_for.js";
import { say } from "./words.js";

const AHEAD_MS = 3600000;

/** `plan` is a run (`run_id`), of a frontier with the `point`. */
export function propose(dialog, plan, title) {
  const at = new Date(Date.now() - new Date().getTimezoneOffset() * 60000 + AHEAD_MS).toISOString().slice(0, 16);
  askFor(dialog, { title: say("issued.propose"), says: say("issued.propose_says"), go: say("issued.propose"), fields: [
    { name: "title", label: say("issued.name"), required: true, most: 200, value: title.slice(0, 200) },
    { name: "valid_from", label: say("issued.valid_from"), required: true, type: "datetime-local", value: at },
    { name: "within", label: say("issued.within"), required: true, type: "number", min: 1, value: 60 },
  ] }, async (values) => {
    const made = await post("/api/v1/issued-plans", { ...plan, title: values.title, valid_from: new Date(values.valid_from).toISOString(), acknowledge_within_min: Number(values.within) }, { "Idempotency-Key": crypto.randomUUID() });
    location.href = `/issued/${made.id}`;
  });
}
