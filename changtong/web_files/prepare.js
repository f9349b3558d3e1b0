// A stress test: what the loss of each place strands, ranked and on the map; what would help; handed to the response.
import { get } from "./api.js";
import { byId, fill, make, refusal } from "./elements.js";
import { frame, openMap, under } from "./map.js";
import { bandOf, drawCases, flyTo, placesOf } from "./prepare_map.js";
import { showRemedies } from "./prepare_remedies.js";
import { askRun, figures, fileOf, has, pageOf, rowsOf, runChooser } from "./results.js";
import { sortTable } from "./sort_table.js";
import { count, named, say, share } from "./words.js";

const place = byId("prepare");
const state = { run: null, columns: null, cases: [], whole: null, worst: 0, kind: "", loss: false };
const view = await openMap(byId("map"), { land: place.dataset.land, worker: new URL(place.dataset.worker, location).href });
const amount = (value) => state.loss ? `${count(value, { short: true })} ${say("respond.cny")}` : count(value, { short: true });
const interval = (row) => row.most !== null && row.least !== null && row.most - row.least > 0.5 ? `${amount(row.least)} – ${amount(row.most)}` : "";

const ranking = sortTable(byId("ranking"), [
  { text: say("prepare.place"), of: (row) => row.label },
  { text: say("prepare.left"), number: true, of: (row) => row.figure, show: (row) => [amount(row.figure), interval(row) ? make("small", {}, ` ${interval(row)}`) : null] },
  { text: say("prepare.share"), number: true, of: (row) => state.whole ? row.figure / state.whole : null, show: (row) => share(state.whole ? row.figure / state.whole : null) },
  { text: say("prepare.own"), number: true, of: (row) => row.cut_off_pieces, show: (row) => count(row.cut_off_pieces, { short: true }) },
  { text: say("prepare.felt"), number: true, of: (row) => row.recovery_hours, show: (row) => row.recovered === false ? say("prepare.not_over") : row.recovery_hours === null ? "–" : say("prepare.hours", { hours: count(row.recovery_hours) }) },
  { text: say("prepare.known"), of: (row) => row.status, show: (row) => named("case_status", row.status) },
], { caption: say("prepare.ranking"), choose, filter: byId("word") });
const pairs = sortTable(byId("together"), [
  { text: say("prepare.place"), of: (row) => row.label },
  { text: say("prepare.left"), number: true, of: (row) => row.unserved_pieces, show: (row) => count(row.unserved_pieces, { short: true }) },
  { text: say("prepare.more_than_alone"), number: true, of: (row) => row.more_than_alone, show: (row) => count(Math.max(0, row.more_than_alone), { short: true }) },
], { caption: say("prepare.pairs"), choose: (row) => choose({ ...row, kind: "together", case: `together:${row.sites}`, figure: row.unserved_pieces, pair: row }) });

/** The network of a run, where it is one of the server's; of one that a run made there is no map. */
async function columnsOf(run) {
  if (!run.network) return null;
  if (state.columns && state.run?.network === run.network) return state.columns;
  return get(`/api/v1/networks/${encodeURIComponent(run.network)}/map`).catch((error) => { if (error.status === 404) return null; throw error; });
}

async function show(run) {
  for (const id of ["rank", "pairs", "help"]) byId(id).hidden = !run;
  byId("chosen").replaceChildren();
  view.set("chosen", []); view.set("near", []);
  if (!run) {
    byId("new").open = true;
    fill(byId("result"), make("div", { class: "notice" }, make("p", {}, say("prepare.none_says"))));
    return;
  }
  let rows, told;
  try {
    state.columns = await columnsOf(run);
    rows = (await rowsOf(run, "ranking.csv")).rows;
    told = await rowsOf(run, "cases.csv", { sort: run.outcome.summary.measure === "loss" ? "-loss_most_cny" : "-unserved_most", columns: "case,cut_off_pieces,late_pieces,extra_cost_cny,recovery_hours,recovered,backlog_peak_pieces,gap_share" });
  } catch (error) { fill(byId("result"), refusal(error)); return; }
  const named_ = new Map((await rowsOf(run, "worst.csv")).rows.map((row) => [row.label, row])); // places of areas and sets stand here only
  const summary = run.outcome.summary, more = new Map(told.rows.map((row) => [row.case, row]));
  Object.assign(state, { run, loss: summary.measure === "loss", whole: summary.measure === "loss" ? null : state.columns?.pieces_per_day ?? null });
  state.cases = rows.map((row) => ({ ...row, ...more.get(row.case), case: row.case, ...(["area", "set"].includes(row.kind) ? { sites: named_.get(row.label)?.sites, legs: named_.get(row.label)?.legs } : {}) }));
  state.worst = Math.max(0, ...state.cases.map((row) => row.figure ?? 0));
  fill(byId("result"), figures([
    [say("prepare.cases"), count(summary.cases)],
    [say("prepare.worst"), amount(state.worst), state.whole ? share(state.worst / state.whole) : null],
    summary.cases > rows.length ? null : [say("prepare.harmless"), count(state.cases.filter((row) => (row.most ?? Infinity) < 1).length)],
    [say("prepare.unproved"), count(summary.unproved)]]),
  make("p", { class: "note" }, say(summary.worst_complete ? "prepare.complete" : "prepare.incomplete"),
    summary.cases > rows.length ? ` ${say("prepare.first_rows", { count: count(rows.length) })}` : null),
  state.columns ? null : make("p", { class: "notice" }, say("prepare.no_map")),
  make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")), has(run, "report.html") ? make("a", { href: pageOf(run, "report.html"), target: "_blank", rel: "noopener" }, say("results.report")) : null,
    make("a", { href: fileOf(run, "ranking.csv"), download: true }, say("results.as_csv"))));
  const kinds = [...new Set(state.cases.map((row) => row.kind))];
  fill(byId("kinds"), kinds.map((kind) => make("button", { type: "button", "aria-pressed": "false", "data-kind": kind, onclick: () => showKind(kind) }, `${named("case_kind", kind)} ${count(state.cases.filter((row) => row.kind === kind).length)}`)));
  if (state.columns) frame(view.map, state.columns.sites);
  showKind(kinds[0] ?? "");
  const { rows: combined } = await rowsOf(run, "together.csv");
  byId("pairs").hidden = !combined.length;
  pairs.show(combined);
  await showRemedies(byId("remedies"), run, { choose, columns: state.columns, mayAsk: place.dataset.ask === "yes" });
  byId("help").hidden = !byId("remedies").childElementCount;
}

function showKind(kind) {
  state.kind = kind;
  for (const button of byId("kinds").children) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  const rows = state.cases.filter((row) => row.kind === kind);
  ranking.show(rows);
  const scale = { whole: state.whole, worst: state.worst };
  if (state.columns) drawCases(view, state.columns, rows, scale);
  fill(byId("legend"), ["full", "high", "mid", "low", "none"].map((level) => make("li", {}, make("span", { class: `key ${level}` }), named(state.whole ? "loss_band" : "loss_of_worst", level))));
  state.bandOf = (row) => bandOf(row.figure, scale);
}

/** Choose a closure, a combination or a place of a remedy: its facts, the map flies there, and it may be responded to. */
function choose(row) {
  const found = placesOf(row, state.columns);
  (row.pair ? pairs : ranking).mark(row.pair ?? row);
  if (state.columns) flyTo(view, state.columns, found);
  const fact = (key, value) => value === null || value === undefined || value === "–" ? null : [make("dt", {}, key), make("dd", {}, value)];
  const asked = new URLSearchParams([["network", state.run.network ?? ""], ["label", row.label], ...found.sites.map((id) => ["site", id]), ...found.legs.map((id) => ["leg", id])]);
  const close = make("button", { type: "button", class: "plain", "aria-label": say("shell.close"), onclick: () => { byId("chosen").replaceChildren(); view.set("chosen", []); view.set("near", []); ranking.mark(null); pairs.mark(null); } }, "✕");
  fill(byId("chosen"), make("div", { class: "chosen-card" }, make("h3", {}, row.label, close),
    make("dl", { class: "facts" }, row.figure === undefined ? null : [fact(say("prepare.left"), amount(row.figure)), fact(say("prepare.interval"), interval(row) || null),
      fact(say("prepare.own"), count(row.cut_off_pieces)), fact(say("prepare.late"), count(row.late_pieces)),
      fact(say("prepare.cost"), count(row.extra_cost_cny)), fact(say("prepare.peak"), count(row.backlog_peak_pieces)), fact(say("runs.gap", { gap: "" }), share(row.gap_share))]),
    state.run.network && (found.sites.length || found.legs.length) && row.figure !== undefined ? make("a", { class: "button main", id: "respond-to", href: `/respond?${asked}` }, say("prepare.respond")) : null,
    state.columns && !found.sites.length && !found.legs.length ? make("p", { class: "note" }, say("prepare.no_place")) : null));
  byId("chosen").scrollIntoView({ block: "nearest" });
  byId("chosen").focus({ preventScroll: true });
}

view.map.on("click", (event) => {
  const { site, leg } = under(view.map, event.point), { sites, legs } = state.columns ?? {};
  const wanted = site !== undefined ? `site:${sites.id[site]}` : leg !== undefined ? `leg:${sites.id[legs.from[leg]]}>${sites.id[legs.to[leg]]}` : null;
  const row = wanted && state.cases.find((one) => one.case === wanted);
  if (row) choose(row);
});

const load = runChooser(byId("run"), "stress", show);
byId("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target.elements, button = event.submitter;
  button.disabled = true;
  const run = await askRun(byId("asked"), "stress", { network: form.namedItem("network").value }, {
    close: form.namedItem("close").value, ...(form.namedItem("recovery").checked ? { recovery: true } : {}), ...(form.namedItem("together").checked ? { together: 2 } : {}) });
  button.disabled = false;
  if (run) { byId("new").open = false; await load(run.id); }
});
try { await load(); } catch (error) { fill(byId("result"), refusal(error)); }
document.body.dataset.ready = "yes";
