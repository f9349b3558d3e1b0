// A computed roster is put in force in a duty room from its run: the files of the run become a version there.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { make, tell } from "./elements.js";
import { describe } from "./record_fields.js";
import { say } from "./words.js";

const OF_ROSTER = /^(duty\/)?[A-Za-z0-9_-]{1,60}\.(csv|toml|json)$/;
const OURS = new Set(["study.json", "summary.json"]);

async function filesOf(run) {
  const names = Object.keys(run.outcome.files).filter((name) => OF_ROSTER.test(name) && !OURS.has(name));
  const texts = await Promise.all(names.map((name) => fetch(`/api/v1/runs/${run.id}/files/${name}`, { credentials: "same-origin" }).then((answer) => answer.text())));
  return Object.fromEntries(names.map((name, k) => [name, texts[k]]));
}

/** What may be done with a run of duty rosters; null where it is none, or one may not. */
export async function rosterActions(run) {
  if (run.study !== "duty roster" || run.state !== "done" || !run.outcome?.good) return null;
  const kept = await describe("duty_room").catch(() => null);
  if (!kept?.rights.includes("change")) return null;
  const { rooms } = await get("/api/v1/duty-rooms"), dialog = make("dialog", { "aria-labelledby": "h-ask" });
  if (!rooms.length) return make("p", { class: "notice" }, say("cards.no_room"), " ", make("a", { href: "/duty" }, say("cards.to_duty")));
  const open = () => askFor(dialog, { title: say("cards.in_force"), says: say("cards.in_force_says"), go: say("cards.in_force"),
    fields: [{ name: "room", label: say("cards.room"), required: true, choices: rooms.map((one) => [one.room, one.title]) }, { name: "since", label: say("cards.since"), type: "date" }, { name: "reason", label: say("registers.why"), type: "text" }] }, async (values) => {
    const made = await post(`/api/v1/duty-rooms/${encodeURIComponent(values.room)}/rosters`, { files: await filesOf(run), since: values.since || null, reason: values.reason }, { "Idempotency-Key": crypto.randomUUID() });
    tell(make("span", {}, say("cards.is_in_force", { number: made.roster }), " ", make("a", { href: `/duty?room=${encodeURIComponent(values.room)}` }, say("cards.to_duty"))));
  });
  return make("div", {}, make("p", { class: "row" }, make("button", { type: "button", class: "main", id: "in-force", onclick: open }, say("cards.in_force"))), dialog);
}
