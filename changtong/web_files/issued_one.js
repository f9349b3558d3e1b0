// One issued plan: who proposed, approved and issued it, what each site was told and has answered; followed as it changes.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { byId, fill, make, refusal, table, tellRefusal } from "./elements.js";
import { count, lang, named, say, time } from "./words.js";

const place = byId("plan"), id = place.dataset.plan, base = `/api/v1/issued-plans/${encodeURIComponent(id)}`;
const dialog = byId("ask");
let plan = null, shownOrders = 0;

fill(byId("state"), ["", "sent", "overdue", "acknowledged", "cannot", "withdrawn", "stop_waits", "stop_overdue"].map((state) => make("option", { value: state }, state ? named("order_state", state) : say("shell.all"))));
byId("state").addEventListener("change", () => showOrders());
dialog.addEventListener("close", () => showOrders()); // answered, or changed by others while it was open

function show(told) {
  plan = told;
  const step = (key, at, by) => make("li", { class: at ? "done" : null }, make("b", {}, say(key)), at ? `${by ? `${by} · ` : ""}${time(at)}` : "–");
  const { answers } = plan, parts = answers.stop_seen + answers.stop_waits ? ["stop_seen", "stop_waits"] : ["acknowledged", "cannot", "sent", "withdrawn"];
  const all = parts.reduce((sum, state) => sum + answers[state], 0);
  const next = { proposed: "approve", approved: "issue" }[plan.state]; // what it waits for, and who looks may not do
  const waits = !next || plan.may.includes(next) ? "" : next === "approve" ? "issued.waits_for_approval" : "issued.waits_for_issue";
  const change = (path, body) => post(`${base}/${path}`, body, { "If-Match": `"${plan.version}"` }).then(show);
  const button = (key, says, path, fields = [], danger = false) => make("button", { type: "button", class: danger ? "danger" : "main", onclick: () => askFor(dialog, { title: say(key), says, fields, go: say(key), danger }, (values) => change(path, fields.length ? values : undefined)) }, say(key));
  fill(place, make("h1", {}, plan.title),
    make("p", { class: "row" }, make("b", { id: "plan-state" }, named("issued_state", plan.state)), plan.network ? make("span", { class: "label" }, plan.network) : null, make("span", { class: "note" }, `${say("issued.valid_from")} ${time(plan.valid_from)}`),
      plan.run_id ? make("a", { href: `/runs/${plan.run_id}` }, say("issued.run")) : null),
    make("ol", { class: "steps" }, step("issued.proposed", plan.proposed_at, plan.proposed_by), step("issued.approved", plan.approved_at, plan.approved_by), step("issued.issued", plan.issued_at, plan.issued_by), step("issued.completed", plan.completed_at),
      plan.withdrawn_at ? step("issued.withdrawn", plan.withdrawn_at, plan.withdrawn_by) : null),
    plan.withdrawn_reason ? make("p", { class: "notice" }, plan.withdrawn_reason) : null,
    plan.notes.map((note) => make("p", { class: "notice" }, note.code === "leaves-unserved" ? say("issued.leaves", { pieces: count(note.pieces) }) : note.says)),
    plan.replaces ? make("p", {}, make("a", { href: `/issued/${plan.replaces}` }, say("issued.replaces"))) : null,
    plan.replaced_by ? make("p", {}, make("a", { href: `/issued/${plan.replaced_by}` }, say("issued.replaced_by"))) : null,
    plan.issued_at && all ? make("div", {}, make("div", { class: "answers", role: "img", "aria-label": answeredText(answers) }, parts.filter((state) => answers[state]).map((state) => grown(state, answers[state] / all))),
      make("p", { class: "note" }, answeredText(answers))) : null,
    waits ? make("p", { class: "note", id: "waits" }, say(waits)) : null,
    make("div", { class: "row" }, plan.may.includes("approve") ? button("issued.approve", say("issued.approve_says"), "approve") : null,
      plan.may.includes("issue") ? button("issued.issue", say("issued.issue_says", { sites: count(plan.sites) }), "issue") : null,
      plan.may.includes("withdraw") ? button("issued.withdraw", say("issued.withdraw_says"), "withdraw", [{ name: "reason", label: say("issued.reason"), required: true, type: "text", most: 1000 }], true) : null));
  document.body.dataset.state = plan.state;
}
function grown(state, part) {
  const node = make("span", { class: state });
  node.style.flexGrow = part;
  return node;
}
const answeredText = (answers) => ["acknowledged", "cannot", "sent", "withdrawn", "overdue", "late", "stop_seen", "stop_waits", "stop_overdue"].filter((state) => answers[state]).map((state) => `${named("order_state", state)} ${count(answers[state])}`).join(" · ");

async function showOrders(after = "") {
  const number = ++shownOrders, state = byId("state").value;
  let found;
  try { found = await get(`${base}/orders?limit=100&state=${state}&after=${encodeURIComponent(after)}`); } catch (error) { fill(byId("orders"), refusal(error)); return; }
  if (number !== shownOrders) return;
  const does = (counts) => Object.entries(counts ?? {}).map(([action, many]) => `${named("action", action)} ${count(many)}`).join(" · ");
  const rows = found.orders.map((order) => [
    make("button", { type: "button", class: "plain", onclick: () => openOrder(order.site) }, `${order.site_name ?? ""} ${order.site}`),
    does(order.counts), stateOf(order), time(order.stop_due_at ?? order.due_at)]);
  const made = table([say("issued.site"), say("issued.what"), say("issued.state"), say("issued.due")], rows, { caption: say("issued.orders") });
  [...made.querySelectorAll("tbody tr")].forEach((row, k) => row.classList.toggle("overdue", found.orders[k].overdue || found.orders[k].stop_overdue));
  fill(byId("orders"), rows.length ? made : make("p", { class: "note" }, say("issued.no_orders")),
    found.next ? make("button", { type: "button", onclick: () => showOrders(found.next) }, say("shell.next")) : null);
}

/** How far an order is, who said so and when; of a withdrawn one who read that, and what was answered before. */
function stateOf(order) {
  const who = (by, at, words) => (by ? make("small", {}, ` ${by} · ${time(at)}${words ? ` · ${words}` : ""}`) : null);
  const before = who(order.answered_by, order.answered_at, order.words);
  if (!order.stop_due_at) return make("span", {}, named("order_state", order.overdue ? "overdue" : order.state), before);
  const stop = order.stop_seen_at ? "stop_seen" : order.stop_overdue ? "stop_overdue" : "stop_waits";
  return make("span", {}, named("order_state", stop), who(order.stop_seen_by, order.stop_seen_at, order.stop_words), before ? make("small", {}, ` (${say("issued.answered_before")}`, before, ")") : null);
}

async function openOrder(site) {
  let order;
  try { order = await get(`${base}/orders/${encodeURIComponent(site)}`); } catch (error) { tellRefusal(error); return; }
  const words = (row) => row.words?.[lang] ?? row[`words_${lang}`] ?? row.action;
  const rows = table([say("issued.what"), { text: say("situation.pieces"), number: true }], order.rows.slice(0, 300).map((row) => [make("span", {}, row.told === "withdrawn" ? make("s", {}, words(row)) : words(row)), count(row.pieces)]));
  const read = { "If-Match": `"${order.version}"` }; // what is answered is what was read: it may be withdrawn meanwhile
  const answer = (path, more = {}) => (values) => post(`${base}/orders/${encodeURIComponent(site)}/${path}`, { ...Object.fromEntries(Object.entries(values).filter(([, value]) => value)), ...more }, read);
  const title = `${order.site_name ?? ""} ${order.site}`;
  const by = { name: "said_by", label: say("issued.said_by"), most: 200, says: say("issued.said_by_says") };
  if (!order.may.includes("acknowledge")) {
    fill(dialog, make("h2", { id: "h-ask" }, title), rows, make("form", { method: "dialog", class: "row end" }, make("button", {}, say("shell.close"))));
    dialog.showModal();
    return;
  }
  askFor(dialog, { title, more: [rows, !order.may.includes("cannot") ? null : make("button", { type: "button", class: "danger", onclick: () => { dialog.close(); askFor(dialog, { title, fields: [{ name: "reason", label: say("issued.reason"), required: true, type: "text", most: 1000 }, by], go: say("issued.cannot"), danger: true }, answer("cannot")); } }, say("issued.cannot_do"))],
    fields: [{ name: "words", label: say("issued.words"), most: 1000 }, by], go: say(order.stop_due_at ? "issued.acknowledge_stop" : "issued.acknowledge") }, answer("acknowledge", { withdrawal: Boolean(order.stop_due_at) }));
}

try { show(await get(base)); await showOrders(); } catch (error) { fill(place, refusal(error)); }
const stream = new EventSource(`${base}/events`);
stream.addEventListener("plan", (event) => {
  show(JSON.parse(event.data));
  if (!dialog.open) showOrders();
  if (plan.state === "withdrawn" && !plan.answers.stop_waits) stream.close(); // the server ends it, too: not asked for again
});
stream.addEventListener("over", () => stream.close());
document.body.dataset.ready = "yes";
