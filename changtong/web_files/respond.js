// From an outage to a plan: declare what is shut, see what is stranded, compute plans, compare them.
import { get, post } from "./api.js";
import { compare, planCard } from "./compare.js";
import { showBacklogs, showMaps } from "./compare_more.js";
import { openDrafts } from "./drafts.js";
import { drawArea } from "./draw.js";
import { byId, fill, make, refusal, tell, tellRefusal } from "./elements.js";
import { frame, legFeatures, levelOf, openMap, placed, siteFeatures, under } from "./map.js";
import { nameOf, offers } from "./offers.js";
import { propose } from "./propose.js";
import { siteSearch } from "./site_search.js";
import { watch } from "./watch.js";
import { count, named, say, time } from "./words.js";

const BUSIEST = 1500;
const PROPOSING = ["warnings", "epidemic outages", "emergency outages"];
const place = byId("respond");
const asked = new URLSearchParams(location.search);
const state = { columns: null, network: "", runs: new Map(), shown: "", drawing: null, stranded: 0 };
const view = await openMap(byId("map"), { land: place.dataset.land, worker: new URL(place.dataset.worker, location).href });
const siteName = (id) => { const row = state.columns?.sites.id.indexOf(id) ?? -1; return row < 0 ? id : state.columns.sites.name?.[row] ?? id; };
const drafts = openDrafts(byId("drafts"), siteName, (rows) => { byId("go").disabled = !rows.length; byId("clear").hidden = !rows.length; strand(rows); });

const chooser = byId("network");
const kept = asked.get("network") ?? localStorage.getItem("network");
if ([...chooser.options].some((one) => one.value === kept)) chooser.value = kept;
chooser.addEventListener("change", () => load(chooser.value));
await load(chooser.value);
if (asked.has("site") || asked.has("leg")) {
  drafts.add([{ ...(asked.has("site") ? { sites: asked.getAll("site") } : {}), ...(asked.has("leg") ? { legs: asked.getAll("leg") } : {}), ...(asked.get("label") ? { label: asked.get("label").slice(0, 200) } : {}) }]);
  history.replaceState(null, "", location.pathname);
}

async function load(network) {
  localStorage.setItem("network", network);
  try { state.columns = await get(`/api/v1/networks/${encodeURIComponent(network)}/map`); } catch (error) { fill(byId("stranded"), refusal(error)); return; }
  state.network = network;
  frame(view.map, state.columns.sites);
  showNormal();
  drafts.of(network);
  await recall();
}

function busiest() {
  const { sites, legs } = state.columns;
  return legs.from.map((_, row) => row).filter((row) => (legs.load?.[row] ?? 1) > 0 && placed(sites, legs.from[row]) && placed(sites, legs.to[row]))
    .sort((a, b) => (legs.load?.[b] ?? 0) - (legs.load?.[a] ?? 0)).slice(0, BUSIEST);
}
function showNormal(shut = new Set(), legsShut = new Set()) {
  const { sites, legs } = state.columns;
  const levels = sites.id.map((id, row) => shut.has(id) ? "shut" : levelOf(sites.load?.[row], sites.room[row], sites.status?.[row]));
  const legLevels = legs.from.map((a, row) => legsShut.has(`${sites.id[a]}>${sites.id[legs.to[row]]}`) ? "shut" : levelOf(legs.load?.[row], legs.room[row]));
  const hit = legs.from.map((_, row) => row).filter((row) => legLevels[row] === "shut" && (legs.load?.[row] ?? 1) > 0 && placed(sites, legs.from[row]) && placed(sites, legs.to[row]));
  view.set("sites", siteFeatures(sites, sites.id.map((_, row) => row), levels));
  view.set("legs", legFeatures(sites, legs, [...new Set([...busiest(), ...hit])], legLevels));
}

// --- 2: what is stranded, at once ----------------------------------------------------------
async function strand(rows) {
  const number = ++state.stranded;
  const areas = rows.filter((row) => row.area).map((row) => ({ type: "Feature", properties: {}, geometry: row.area }));
  view.set("area", areas);
  if (!rows.length) {
    fill(byId("stranded"), make("p", { class: "note" }, say("respond.nothing")));
    showNormal();
    return;
  }
  let told;
  try { told = await post(`/api/v1/networks/${encodeURIComponent(state.network)}/stranded`, { outages: rows }); } catch (error) {
    if (number === state.stranded) fill(byId("stranded"), refusal(error));
    return;
  }
  if (number !== state.stranded) return; // something newer is asked
  showNormal(new Set(told.sites_shut), new Set(told.legs_shut));
  const one = (key, value, more = null) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value, more));
  fill(byId("stranded"), make("dl", { class: "figures" },
    one("respond.begin_or_end", count(told.pieces_begin_or_end, { short: true })),
    one("respond.pass", told.flow_known ? count(told.pieces_pass, { short: true }) : "–"),
    one("respond.sites_shut", count(told.sites_shut.length), told.sites_slowed ? make("small", {}, ` + ${say("respond.slowed", { count: count(told.sites_slowed) })}`) : null),
    one("respond.legs_shut", count(told.legs_shut.length), told.legs_slowed ? make("small", {}, ` + ${say("respond.slowed", { count: count(told.legs_slowed) })}`) : null)),
  make("p", { class: "note" }, Object.entries(told.pieces_by_class).filter(([, pieces]) => pieces > 0.5).map(([name, pieces]) => `${classOf(name)} ${count(pieces, { short: true })}`).join(" · ")),
  make("p", { class: "note" }, say("respond.stranded_says")));
}
function classOf(id) {
  const found = state.columns.classes.find((one) => one.id === id);
  return (document.documentElement.lang === "en" ? found?.name : found?.name_zh) ?? found?.name ?? id;
}

// --- 3: plans in the background --------------------------------------------------------------
byId("compute").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, button = byId("go");
  button.disabled = true;
  try {
    const run = await post("/api/v1/runs", {
      study: "plan", language: document.documentElement.lang === "en" ? "en" : "zh",
      inputs: { network: state.network, outages: drafts.rows() },
      parameters: { seconds: Number(form.seconds.value), gap: Number(form.gap.value) / 100, ...(form.how.value ? { verify: true } : {}) },
    }, { "Idempotency-Key": crypto.randomUUID() });
    follow(run);
  } catch (error) { byId("plans").prepend(refusal(error)); } finally { button.disabled = !drafts.rows().length; }
});

async function recall() {
  state.runs.clear();
  byId("plans").replaceChildren();
  view.set("near", []);
  const { runs } = await get(`/api/v1/runs?limit=6&study=plan&network=${encodeURIComponent(state.network)}`);
  for (const run of runs.reverse()) follow(run);
  await offerProposals();
}

/** Outages that studies have proposed for this network: of warnings, epidemic control and emergency cases. */
async function offerProposals() {
  const found = [];
  for (const study of PROPOSING) found.push(...(await get(`/api/v1/runs?limit=10&state=done&study=${encodeURIComponent(study)}`)).runs);
  const known = await offers(), mine = found.filter((run) => !run.network || run.network === state.network).sort((a, b) => b.made_at.localeCompare(a.made_at));
  byId("proposals").hidden = !mine.length;
  fill(byId("proposal"), make("option", { value: "" }, say("studies.choose")), mine.map((run) => make("option", { value: run.id }, `${nameOf(known.get(run.study))} · ${time(run.made_at)}`)));
}
byId("proposal").addEventListener("change", async (event) => {
  const id = event.target.value;
  if (!id) return;
  event.target.value = "";
  try {
    const { outages } = await get(`/api/v1/runs/${id}/outages`);
    if (outages.length) drafts.add(outages); else tell(say("respond.none_proposed"));
  } catch (error) { tellRefusal(error); }
});

function follow(run) {
  const card = make("article", { class: "plan-card", id: `plan-${run.id}` });
  byId("plans").prepend(card);
  const show = (told) => {
    state.runs.set(run.id, told);
    fill(card, planCard(told, { map: () => showPlan(told), cancel: () => cancel(run.id), compare: openCompare, propose: () => propose(byId("ask"), { run_id: told.id }, told.outcome.summary.outages.join(document.documentElement.lang === "en" ? ", " : "、")), classOf }));
    card.dataset.state = told.state;
  };
  show(run);
  if (run.ended_at) get(`/api/v1/runs/${run.id}`).then(show, (error) => fill(card, refusal(error)));
  else watch(run.id, show, (error) => fill(card, refusal(error)));
}
async function cancel(id) {
  try { await post(`/api/v1/runs/${id}/cancel`); } catch (error) { tellRefusal(error); }
}
function openCompare() {
  const done = [...state.runs.values()].filter((run) => run.state === "done" && run.outcome);
  compare(byId("compare"), done, classOf);
  showBacklogs(byId("backlogs"), done).catch((error) => fill(byId("backlogs"), refusal(error)));
  drawMaps(done).catch((error) => fill(byId("maps"), refusal(error)));
}
async function drawMaps(runs) {
  if (!runs.length) return;
  const land = await get(place.dataset.land);
  const plans = await Promise.all(runs.map(async (run, k) => ({ title: say("respond.plan_number", { number: k + 1 }), changes: await changesOf(run) })));
  showMaps(byId("maps"), plans, state.columns, land);
}

/** Return the legs that a plan changes: the row of each, how, and by how many pieces. */
async function changesOf(run) {
  const text = await (await fetch(`/api/v1/runs/${run.id}/files/leg_flows.csv`)).text();
  const [head, ...lines] = text.replace(/^\ufeff/, "").trim().split(/\r?\n/).map((line) => line.split(","));
  const at = Object.fromEntries(head.map((name, k) => [name, k]));
  const { sites, legs } = state.columns;
  const rowOf = new Map(legs.from.map((a, row) => [`${sites.id[a]}>${sites.id[legs.to[row]]}`, row]));
  return lines.map((line) => ({
    row: rowOf.get(`${line[at.from_site]}>${line[at.to_site]}`), change: line[at.change],
    moved: Math.abs(Number(line[at.planned_pieces]) - Number(line[at.baseline_pieces])),
  })).filter(({ row, change }) => row !== undefined && change !== "same" && placed(sites, legs.from[row]) && placed(sites, legs.to[row]));
}
/** Draw what a plan changes: legs opened, dropped, with more and with less. */
async function showPlan(run) {
  const { legs } = state.columns, changes = {}, moved = {};
  for (const one of await changesOf(run)) { changes[one.row] = one.change; moved[one.row] = one.moved; }
  const rows = Object.keys(changes).map(Number).sort((a, b) => moved[b] - moved[a]).slice(0, 2500);
  view.set("legs", []);
  view.set("near", legFeatures(state.columns.sites, { ...legs, load: legs.from.map((_, row) => moved[row] ?? 0) }, rows, null, changes));
  for (const card of document.querySelectorAll(".plan-card")) card.classList.toggle("shown", card.id === `plan-${run.id}`);
  const totals = rows.reduce((sum, row) => ({ ...sum, [changes[row]]: (sum[changes[row]] ?? 0) + 1 }), {});
  fill(byId("hint"), make("span", { class: "changes" }, ["opened", "more", "less", "dropped"].map((change) => make("span", {}, make("i", { class: change }), `${named("change", change)} ${count(totals[change] ?? 0)}`)),
    make("button", { type: "button", class: "plain", onclick: () => { view.set("near", []); strand(drafts.rows()); fill(byId("hint"), say("respond.hint")); } }, say("respond.back_to_today"))));
}

// --- 1: declaring ----------------------------------------------------------------------------
siteSearch(byId("find"), byId("found"), () => state.columns, (row) => drafts.add([{ sites: [state.columns.sites.id[row]] }]));
view.map.on("click", (event) => {
  if (state.drawing) return;
  const { sites, legs } = state.columns, { site, leg } = under(view.map, event.point);
  if (site !== undefined) offer(event, sites.name?.[site] ?? sites.id[site], { sites: [sites.id[site]] });
  else if (leg !== undefined) {
    const id = `${sites.id[legs.from[leg]]}>${sites.id[legs.to[leg]]}`;
    offer(event, id.split(">").map(siteName).join(" → "), { legs: [id] });
  }
});
const popup = new view.maplibre.Popup({ closeButton: true, closeOnClick: true, offset: 8 });
function offer(event, title, draft) {
  popup.setLngLat(event.lngLat).setDOMContent(make("div", {}, make("p", {}, make("b", {}, title)),
    make("button", { type: "button", class: "main", onclick: () => { popup.remove(); drafts.add([draft]); } }, say("respond.shut")))).addTo(view.map);
}
byId("draw").addEventListener("click", () => {
  if (state.drawing) { state.drawing(); return; }
  popup.remove();
  byId("draw").textContent = say("shell.cancel");
  fill(byId("hint"), say("respond.draw_says"));
  state.drawing = drawArea(view, (area) => {
    setTimeout(() => { state.drawing = null; }, 0); // the click that ends it is not one on a site
    byId("draw").textContent = say("respond.draw");
    fill(byId("hint"), say("respond.hint"));
    if (area) drafts.add([{ area }]); else strand(drafts.rows());
  });
});
byId("clear").addEventListener("click", drafts.clear);
document.body.dataset.ready = "yes";
