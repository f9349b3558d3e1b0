// Which steps a record may take from its state, by its register's own ledger or by its states, and what each asks for.
import { wordOf } from "./record_fields.js";
import { named, say } from "./words.js";

const text = (required) => ({ name: "text", label: say("registers.text"), type: "text", required });
const evidence = (required) => ({ name: "evidence", label: say("registers.evidence"), required });
const owner = () => ({ name: "owner", label: say("registers.owner"), required: true });
const deadline = (required) => ({ name: "deadline", label: say("registers.deadline"), type: "date", required });
const other = (record) => record.values.grade === "major" ? "general" : "major";
const grade = (record) => ({ name: "grade", label: say("registers.grade"), required: true, choices: [[other(record), wordOf("hazard", other(record))]] });

/** Taken over by oneself: assigned to who asks. */
const OWN = { take: { action: "assign" } };

// action -> states it goes from, right, what it asks for; as docs/safety.md has them
const HAZARD = {
  assign: [["open", "reopened", "rectifying"], "change", (record) => record.values.state === "rectifying" ? [owner()] : [owner(), deadline(false)]],
  take: [["open", "reopened", "rectifying"], "change", (record) => (record.values.state === "rectifying" ? [text(false)] : [deadline(false)])],
  done: [["rectifying"], "change", () => [text(false), evidence(true)]],
  seen: [["open", "rectifying", "rectified", "reopened"], "add", () => [text(true), evidence(false)]],
  pass: [["rectified"], "decide", () => [text(false)]],
  fail: [["rectified"], "decide", () => [text(true)]],
  reopen: [["closed"], "add", () => [text(true)]],
  extend: [["rectifying"], "decide", () => [deadline(true), text(true)]],
  regrade: [["open", "rectifying", "rectified", "reopened"], "decide", (record) => [grade(record), text(true)]],
  withdraw: [["open", "rectifying", "reopened"], "decide", () => [text(true)]],
};
const TASK = {
  report: [["open", "under_way"], "change", () => [text(true), evidence(true)]],
  accept: [["done"], "decide", () => [text(false)]],
  return: [["done"], "decide", () => [text(true)]],
  extend: [["open", "under_way"], "decide", () => [deadline(true), text(true)]],
  cancel: [["open", "under_way"], "decide", () => [text(true)]],
};

/** The steps of a record that the person has the right to somewhere; the API decides about this one. */
export function stepsOf(about, record, me = null) {
  if (about.own_way || !about.state) return [];
  const state = record.values[about.state];
  const ledger = about.kind === "hazard" ? HAZARD : about.kind === "task" && record.values.code ? TASK : null;
  if (ledger) {
    const isOffered = ([action, [states, right]]) => states.includes(state) && about.rights.includes(right) && (!OWN[action] || (me && record.values.owner !== me.id));
    return Object.entries(ledger).filter(isOffered)
      .map(([action, [, , fields]]) => ({ name: action, title: named("step", action), says: "", body: OWN[action] ? { ...OWN[action], owner: me.name } : { action }, fields: fields(record) }));
  }
  return about.moves.filter((one) => one.from === state && about.rights.includes(one.right)).map((one) => ({
    name: one.to, title: wordOf(about.kind, one.to), says: say("registers.move_says", { old: wordOf(about.kind, one.from), new: wordOf(about.kind, one.to) }),
    body: { to: one.to }, fields: [{ name: "reason", label: say("registers.why"), type: "text", required: false }],
  }));
}
