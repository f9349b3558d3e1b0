// Users: who there is, shut out and let in, first passwords, roles given and taken back.
import { ask, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { organisationChoice, organisationName, organisationTree, rightsTable, whereOf } from "./admin_names.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { named, say, time } from "./words.js";

const place = byId("part"), dialog = byId("ask");
const list = make("div", {}), one = make("div", { "aria-live": "polite" });
let organisations = [], users = [], roles = [], chosen = null;
const nameOf = (id) => { const found = organisations.find((each) => each.id === id); return found ? organisationName(found) : id; };
const choices = () => organisations.map(organisationChoice);
const pathOf = (user) => `/api/v1/users/${encodeURIComponent(user.name)}`;

function showList(wanted = "") {
  const shown = users.filter((user) => `${user.name} ${nameOf(user.organisation)}`.toLowerCase().includes(wanted.toLowerCase()));
  fill(list, table([say("administration.name"), say("administration.organisation"), say("administration.state"), say("administration.factor")], shown.map((user) => [
    make("button", { type: "button", class: "link", "data-user": user.name, onclick: () => open(user) }, user.name), nameOf(user.organisation),
    say(user.is_active ? "administration.active" : "administration.locked"), named("value", user.second_factor ? "yes" : "no")]), { caption: say("administration.users") }));
}

async function change(user, body, told) {
  try {
    const made = await ask("PATCH", pathOf(user), body, { "If-Match": `"${user.version}"` });
    users = users.map((each) => (each.id === made.id ? made : each));
    await open(made);
    showList(byId("find").value);
    tell(told, body.is_active === false ? { undo: () => change(made, { is_active: true }, say("administration.done")) } : {});
  } catch (error) {
    if (error.status !== 412 || !error.current) throw error;
    users = users.map((each) => (each.id === error.current.id ? error.current : each));
    await open(error.current);
    tell(say("administration.changed_meanwhile"), { wrong: true });
  }
}

async function open(user) {
  chosen = user;
  const button = (key, act, more = {}) => make("button", { type: "button", "data-do": key, ...more, onclick: act }, say(key));
  const heading = make("h2", { tabindex: "-1" }, say("administration.one_user", { name: user.name }));
  const held = make("div", {});
  fill(one, make("section", { class: "card", id: "user" }, heading, make("p", { class: "row" },
    make("b", { id: "user-state" }, say(user.is_active ? "administration.active" : "administration.locked")), make("span", { class: "note" }, nameOf(user.organisation))),
  make("div", { class: "row" },
    user.is_active ? button("administration.lock", () => change(user, { is_active: false }, say("administration.lock_done", { name: user.name }))) : button("administration.unlock", () => change(user, { is_active: true }, say("administration.done"))),
    button("administration.new_password", () => askFor(dialog, { title: say("administration.new_password"), says: say("administration.add_user_says"), go: say("administration.save"),
      fields: [{ name: "password", label: say("administration.first_password"), type: "password", required: true }] }, ({ password }) => change(user, { password }, say("administration.done")))),
    button("administration.end_sessions", () => askFor(dialog, { title: say("administration.end_sessions"), says: say("administration.end_sessions_says"), go: say("administration.end_sessions"), danger: true }, () => change(user, {}, say("administration.done")))),
    user.second_factor ? button("administration.clear_factor", () => askFor(dialog, { title: say("administration.clear_factor"), says: say("administration.clear_factor_says"), go: say("administration.clear_factor"), danger: true },
      () => change(user, { clear_second_factor: true }, say("administration.done")))) : null),
  make("h3", {}, say("administration.roles")), held, make("p", { class: "row end" }, button("administration.give", () => giveRole(user), { class: "main" }))));
  heading.focus();
  await showRoles(user, held);
}

async function showRoles(user, held) {
  const { grants } = await get(`${pathOf(user)}/grants`);
  fill(held, grants.length ? table([say("administration.role"), say("administration.scope"), say("administration.until"), ""], grants.map((grant) => [named("role", grant.role), whereOf(grant, organisations),
    grant.until ? time(grant.until) : say("administration.no_end"), make("button", { type: "button", "data-take": grant.role, "aria-label": `${say("administration.take_back")}: ${named("role", grant.role)}`, onclick: () => askFor(dialog,
      { title: say("administration.take_back"), says: say("administration.take_back_says"), go: say("administration.take_back"), danger: true, fields: [{ name: "reason", label: say("administration.give_reason"), type: "text", required: true }] },
      async (values) => { await post(`/api/v1/grants/${grant.id}/take-back`, values); await showRoles(user, held); tell(say("administration.done")); }) }, say("administration.take_back"))]), { caption: say("administration.roles") })
    : make("p", { class: "note" }, say("administration.no_roles")));
}

function giveRole(user) {
  const key = crypto.randomUUID();
  askFor(dialog, { title: say("administration.give"), says: say("administration.give_says"), go: say("administration.give"), fields: [
    { name: "role", label: say("administration.role"), choices: roles.map((each) => [each.role, named("role", each.role)]) },
    { name: "organisation", label: say("administration.give_organisation"), choices: [["", "–"], ...choices()] },
    { name: "region", label: say("administration.give_region") },
    { name: "everywhere", label: say("administration.everywhere_must"), choices: [["", say("administration.no")], ["yes", say("administration.yes_everywhere")]] },
    { name: "until", label: say("administration.give_until"), type: "datetime-local" },
    { name: "reason", label: say("administration.give_reason"), type: "text" }] }, async (values) => {
    await post(`${pathOf(user)}/grants`, { role: values.role, organisation: values.organisation || null, region: values.region, everywhere: values.everywhere === "yes",
      until: values.until ? new Date(values.until).toISOString() : null, reason: values.reason }, { "Idempotency-Key": key });
    await open(chosen);
    tell(say("administration.done"));
  });
}

function addUser() {
  askFor(dialog, { title: say("administration.add_user"), says: say("administration.add_user_says"), go: say("administration.add_user"), fields: [
    { name: "name", label: say("administration.name"), required: true, most: 64 },
    { name: "organisation", label: say("administration.organisation"), choices: choices(), required: true },
    { name: "password", label: say("administration.first_password"), type: "password", required: true }] }, async (values) => {
    const made = await post("/api/v1/users", values);
    users = [...users, made].sort((a, b) => (a.name < b.name ? -1 : 1));
    showList();
    await open(made);
  });
}

try {
  [organisations, users, roles] = await Promise.all([organisationTree(), get("/api/v1/users").then((told) => told.users), get("/api/v1/roles").then((told) => told.roles)]);
  fill(place, make("div", { class: "filters" }, make("label", {}, say("administration.find"), make("input", { id: "find", type: "search", oninput: (event) => showList(event.target.value) })),
    make("button", { type: "button", class: "main", id: "add-user", onclick: addUser }, say("administration.add_user"))), one, make("section", { class: "card" }, list),
  make("section", { class: "card" }, make("h2", {}, say("administration.may")), roles.map((role) => make("details", {}, make("summary", {}, named("role", role.role)), rightsTable(role)))));
  showList();
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
