// A new case: by words, by an alert of the scans, or by a warning that a run has looked at; its plan proposes a level.
import { get, post } from "./api.js";
import { measureField, measureValue } from "./case_measures.js";
import { said } from "./case_words.js";
import { byId, fill, make, refusal, tellRefusal } from "./elements.js";
import { rowsOf, wholeRun } from "./results.js";
import { lang, named, say } from "./words.js";

const place = byId("new"), asked = new URLSearchParams(location.search), key = crypto.randomUUID();
const MOST_SITES = 5000, LEVELS = ["I", "II", "III", "IV"];
const { plans } = await get("/api/v1/cases/plans");
const measures = make("fieldset", {}), from = make("div", {}), wrong = make("div", { "aria-live": "assertive" });
let source = null, plan = null;

/** An alert as the API tells it is an event as the command line reads one. */
async function ofAlert(id) {
  const alert = await get(`/api/v1/alerts/${encodeURIComponent(id)}`), sites = [alert.site_id, alert.from_site_id, alert.to_site_id].filter(Boolean);
  source = { told: { alert_id: alert.id, ...alert }, pick: alert.id };
  fill(from, make("p", { class: "notice" }, make("b", {}, say("cases.from_alert")), ` ${named("rule", alert.rule)} · ${sites.join(" → ")} · ${alert[`evidence_${lang}`] ?? ""}`));
  return `${named("rule", alert.rule)} ${sites.join(" → ")}`.trim();
}

/** Warnings that a run has laid over the network; the sites that the chosen one threatens are potential. */
async function ofRun(id, text) {
  const run = await wholeRun(id), summary = run.outcome?.summary ?? {}, listed = summary.warnings ?? [];
  if (!listed.length) { fill(from, make("p", { class: "notice wrong" }, say("cases.no_warnings"))); return; }
  const name = Object.keys(run.outcome.files ?? {}).find((file) => /^exposed_sites\.(csv|parquet)$/.test(file));
  const { rows } = name ? await rowsOf(run, name, { columns: "site_id,warning" }) : { rows: [] };
  const idOf = (one) => one.identifier ?? one.warning;
  const choose = make("select", { name: "warning" }, listed.map((one) => make("option", { value: idOf(one) }, [one.headline ?? one.event ?? idOf(one), one.level ? named("case_colour", one.level) : null].filter(Boolean).join(" · "))));
  const told = make("p", { class: "note" });
  const take = () => {
    const one = listed.find((it) => idOf(it) === choose.value), sites = [...new Set(rows.filter((row) => row.warning === choose.value).map((row) => row.site_id))].slice(0, MOST_SITES);
    source = { told: { status: summary.status ?? "Actual", warnings: [{ ...one, sites }] }, pick: choose.value };
    told.textContent = say("cases.threatens", { count: sites.length });
    text.value = one.headline ?? one.event ?? choose.value;
  };
  choose.addEventListener("change", take);
  const wanted = asked.get("warning");
  if (wanted && listed.some((one) => idOf(one) === wanted)) choose.value = wanted;
  fill(from, make("p", { class: "note" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run"))), make("label", {}, say("cases.from_warning"), choose), told);
  take();
}

async function showPlan(id) {
  plan = await get(`/api/v1/cases/plans/${encodeURIComponent(id)}`);
  const clocks = plan.clocks.filter((one) => one.starts === "known").map((one) => `${said(one)} (${named("case_form", one.form)})`);
  fill(measures, make("legend", {}, say("cases.measures")), make("p", { class: "note wide" }, say("cases.measures_new")), plan.measures.map((one) => measureField(one)));
  fill(byId("plan-says"), say("cases.plan_says", { kind: named("provenance_kind", plan.provenance), tasks: plan.tasks.length, clocks: clocks.join(lang === "en" ? ", " : "、") || "–" }), make("ul", {}, [...plan.conditions].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level)).map((one) => make("li", {}, make("b", {}, one.level), ` ${one[`terms_${lang}`]}`))));
}

const words = (text) => text.split(/[\s,，、;；]+/).filter(Boolean);

async function send(form) {
  const value = (name) => form.elements.namedItem(name).value.trim();
  const given = Object.fromEntries(plan.measures.map((one) => [one.id, measureValue(one, form)]).filter(([, it]) => it !== null));
  const sites = Object.fromEntries([...words(value("potential")).map((one) => [one, "potential"]), ...words(value("confirmed")).map((one) => [one, "confirmed"])]);
  const body = { plan: plan.id, event: value("event"), measures: given, sites, ...(value("known_at") ? { known_at: new Date(value("known_at")).toISOString() } : {}), ...(source ?? {}) };
  const made = await post("/api/v1/cases", body, { "Idempotency-Key": key });
  location.href = `/cases/${encodeURIComponent(made.case_id)}`;
}

try {
  const select = make("select", { name: "plan", required: true, onchange: () => showPlan(select.value).catch(tellRefusal) }, plans.map((one) => make("option", { value: one.id, selected: one.id === asked.get("plan") }, one[`title_${lang}`])));
  const text = make("textarea", { name: "event", rows: 3, required: true, maxlength: 4000 }, asked.get("text") ?? "");
  const form = make("form", { class: "form", onsubmit: async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try { await send(form); } catch (error) { fill(wrong, refusal(error)); wrong.scrollIntoView({ block: "center" }); } finally { button.disabled = false; }
  } }, wrong, from,
  make("fieldset", {}, make("legend", {}, say("cases.event")), make("label", {}, say("cases.event_text"), text), make("label", {}, say("cases.known_at"), make("input", { type: "datetime-local", name: "known_at" }), make("small", {}, say("cases.known_says")))),
  make("fieldset", {}, make("legend", {}, say("cases.plan")), make("label", {}, say("cases.plan"), select), make("div", { class: "note", id: "plan-says" })), measures,
  make("fieldset", {}, make("legend", {}, say("cases.sites")), make("label", {}, say("cases.sites_potential"), make("textarea", { name: "potential", rows: 2 })), make("label", {}, say("cases.sites_confirmed"), make("textarea", { name: "confirmed", rows: 2 }), make("small", {}, say("cases.sites_say")))),
  make("div", { class: "row end" }, make("a", { class: "button", href: "/cases" }, say("shell.cancel")), make("button", { type: "submit", class: "main" }, say("cases.open"))));
  fill(place, form);
  await showPlan(select.value);
  if (asked.get("alert")) text.value = await ofAlert(asked.get("alert"));
  else if (asked.get("run")) await ofRun(asked.get("run"), text);
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
