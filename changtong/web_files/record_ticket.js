// A rights ticket beside its record: its clocks, the steps that its state offers, the firm's answers, what has happened.
import { ask, download, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { handOver } from "./admin_names.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { lang, named, say, time } from "./words.js";

const FIRM = ["reply", "evidence", "propose"], WITH_REASON = ["reject", "reopen", ...FIRM];

/** Show a ticket in a place; `rights` are those on tickets anywhere, `changed` is called after each step. */
export async function showTicket(place, id, rights, who, changed) {
  const path = `/api/v1/rights-tickets/${encodeURIComponent(id)}`, dialog = byId("ask");
  const reason = (required) => ({ name: "reason", label: say("tickets.reason"), type: "text", required });
  const me = await get("/api/v1/session/user");
  let ticket = null;

  async function done(told) { show(told); tell(say("tickets.done")); await changed(); }

  function step(action) {
    const key = { "Idempotency-Key": crypto.randomUUID() };
    if (FIRM.includes(action)) { answer(action, key); return; }
    const early = action === "close" && ticket.state !== "settled";
    askFor(dialog, { title: named("ticket_step", action), go: named("ticket_step", action), fields: [action === "transfer" ? { name: "to", label: say("tickets.to"), required: true } : null, reason(early || WITH_REASON.includes(action))].filter(Boolean) },
      async (values) => done(await post(`${path}/moves`, { action, ...values }, key)));
  }

  function answer(action, key) {
    const files = make("input", { type: "file", name: "files", multiple: true, accept: ".jpg,.jpeg,.png,.webp,.pdf,.txt" });
    askFor(dialog, { title: named("ticket_step", action), go: named("ticket_step", action), fields: [reason(true)], more: action === "evidence" ? make("label", {}, say("tickets.files"), files) : null }, async (values) => {
      const form = new FormData();
      form.append("action", action);
      form.append("text", values.reason);
      for (const file of files.files) form.append("file", file);
      await done(await ask("POST", `${path}/answers`, form, key));
    });
  }

  function assign() {
    askFor(dialog, { title: say("tickets.assign"), says: say("tickets.assign_says"), go: say("tickets.assign"), fields: [{ name: "handler", label: say("tickets.handler"), value: who(ticket.handler) ?? "" }, reason(false)] },
      async (values) => done(await post(`${path}/assign`, values)));
  }

  const clock = (one) => make("li", { class: one.stage === "overdue" ? "call" : null }, make("b", {}, lang === "zh" ? one.zh : one.en), " ",
    make("span", { class: one.stage === "overdue" ? "wrong" : "note" }, say(one.days_left < 0 ? "tickets.overdue" : "tickets.left", { days: Math.abs(one.days_left), day: one.last_day })));
  const files = (event) => event.files.map((file) => make("button", { type: "button", class: "plain", onclick: () => askFor(dialog, { title: say("registers.download"), says: say("registers.reveal_says"), go: say("registers.download"), fields: [reason(true)] },
    async (values) => handOver(await download(`${path}/evidence/${encodeURIComponent(file)}`, values), file)) }, file));

  function show(told) {
    ticket = told;
    const isHandler = [me.id, me.name].includes(ticket.handler); // of the firm nobody else answers
    const offered = ticket.next.filter((action) => (FIRM.includes(action) ? isHandler : rights.includes("change") || rights.includes("decide")));
    fill(place, make("h2", {}, say("tickets.title")),
      ticket.clocks.length ? make("ul", { class: "plainlist", id: "clocks" }, ticket.clocks.map(clock)) : make("p", { class: "note" }, say("tickets.no_clocks")),
      make("div", { class: "row" }, offered.map((action) => make("button", { type: "button", "data-step": action, onclick: () => step(action) }, named("ticket_step", action))),
        rights.includes("change") ? make("button", { type: "button", id: "assign", onclick: assign }, say("tickets.assign")) : null),
      ticket.events.length ? table([say("registers.when"), say("registers.by"), say("registers.what"), say("registers.changes")], ticket.events.map((event) => [time(event.at), who(event.by) ?? event.by, named("ticket_step", event.action), make("div", {}, event.to ? `→ ${event.to} ` : "", event.reason, files(event))]), { caption: say("tickets.title") }) : null);
  }

  try { show(await get(path)); } catch (error) { fill(place, refusal(error)); }
}
