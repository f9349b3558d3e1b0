// One's own sessions and tokens, second factor, and what one may do where.
import { ask, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { organisationName, organisationTree, rightsTable, whereOf } from "./admin_names.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { named, say, time } from "./words.js";

const place = byId("account"), dialog = byId("ask");
const passes = make("div", { id: "passes" }), told = make("div", { "aria-live": "polite" }), factor = make("div", { id: "factor", "aria-live": "polite" });
const once = (...parts) => make("div", { class: "once" }, parts);
const password = () => ({ name: "password", label: say("account.password"), type: "password", required: true });

async function showPasses() {
  const found = (await get("/api/v1/session/passes")).passes;
  fill(passes, table([say("account.kind"), say("account.made"), say("account.seen"), say("account.expires"), ""], found.map((one) => [
    make("span", {}, one.kind === "token" ? `${say("account.token")}: ${one.label}` : say("account.session"), one.is_this ? make("b", {}, ` (${say("account.this")})`) : null), time(one.made_at), time(one.seen_at), time(one.expires_at),
    one.is_this ? "" : make("button", { type: "button", "data-end": one.id, "aria-label": `${say("account.end")}: ${one.label || say("account.session")}`, onclick: async () => { await ask("DELETE", `/api/v1/session/passes/${one.id}`); await showPasses(); tell(say("account.ended")); } }, say("account.end"))]), { caption: say("account.passes") }),
  make("p", { class: "row end" }, found.length > 1 ? make("button", { type: "button", class: "danger", id: "end-others", onclick: () => askFor(dialog, { title: say("account.end_others"), says: say("account.end_others_says"), go: say("account.end_others"), danger: true },
    async () => { await ask("DELETE", "/api/v1/session/passes"); await showPasses(); tell(say("account.ended")); }) }, say("account.end_others")) : null,
  make("button", { type: "button", id: "make-token", onclick: makeToken }, say("account.make_token"))));
}

function makeToken() {
  askFor(dialog, { title: say("account.make_token"), says: say("account.make_token_says"), go: say("account.make_token"), fields: [
    { name: "label", label: say("account.label"), required: true }, { name: "days", label: say("account.days"), type: "number", min: "1", value: "30", required: true }, password()] }, async (values) => {
    const made = await post("/api/v1/session/tokens", { ...values, days: Number(values.days) });
    fill(told, once(make("p", {}, say("account.once")), make("code", { id: "token" }, made.token)));
    await showPasses();
  });
}

function showFactor(isOn) {
  fill(factor, make("p", {}, say(isOn ? "account.factor_on" : "account.factor_off")), isOn ? null : make("button", { type: "button", id: "begin-factor", onclick: () =>
    askFor(dialog, { title: say("account.factor_begin"), go: say("account.factor_begin"), fields: [password()] }, async (values) => confirmFactor(await post("/api/v1/session/second-factor", values))) }, say("account.factor_begin")));
}

function confirmFactor(made) {
  const wrong = make("div", { "aria-live": "assertive" });
  fill(factor, once(make("p", {}, say("account.factor_secret")), make("p", {}, make("code", { id: "secret" }, made.secret)), make("p", {}, say("account.recovery")), make("ul", {}, made.recovery.map((code) => make("li", {}, make("code", {}, code)))),
    make("form", { class: "row", onsubmit: async (event) => {
      event.preventDefault();
      try { await post("/api/v1/session/second-factor/confirm", { code: event.target.elements.namedItem("code").value.trim() }); showFactor(true); tell(say("administration.done")); } catch (error) { fill(wrong, refusal(error)); }
    } }, make("label", {}, say("account.code"), make("input", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", pattern: "\\d{6}", required: true })), make("button", { type: "submit", class: "main" }, say("account.confirm"))), wrong));
}

try {
  const [session, user, organisations, { roles }] = await Promise.all([get("/api/v1/session"), get("/api/v1/session/user"), organisationTree().catch(() => []), get("/api/v1/roles")]);
  const own = organisations.find((one) => one.id === user.organisation);
  fill(place, make("p", { class: "row" }, make("b", {}, say("account.of", { name: user.name, organisation: own ? organisationName(own) : user.organisation })), make("a", { class: "button", href: "/password" }, say("password.title"))), make("p", { class: "note" }, say("account.language")),
    make("section", { class: "card" }, make("h2", {}, say("account.passes")), make("p", { class: "note" }, say("account.passes_says")), told, passes),
    make("section", { class: "card" }, make("h2", {}, say("account.factor")), factor),
    make("section", { class: "card" }, make("h2", {}, say("account.roles")), session.roles.length ? session.roles.map((grant) => make("details", {}, make("summary", {}, make("b", {}, named("role", grant.role)), ` · ${whereOf(grant, organisations)} · ${grant.until ? time(grant.until) : say("administration.no_end")}`),
      rightsTable(roles.find((one) => one.role === grant.role)))) : make("p", { class: "note" }, say("account.no_roles"))));
  if (user.rests) factor.before(make("p", { class: "notice wrong", id: "rests" }, say("account.rests")));
  showFactor(user.second_factor);
  await showPasses();
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
