// Carbon: the footprint by mode and level with its range, what the range comes from, the factors; the frontier.
import { get } from "./api.js";
import { bars } from "./chart.js";
import { showFrontier } from "./carbon_frontier.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { askRun, figures, fileOf, has, pageOf, rowsOf, runChooser } from "./results.js";
import { count, lang, named, say, share } from "./words.js";

const kilograms = (value) => value === null || value === undefined ? "–" : Math.abs(value) >= 10000 ? `${count(value / 1000)} t` : `${Math.abs(value) < 10 ? Number(value.toFixed(2)) : count(value)} kg`;
const range = (row) => row.low_kgco2e === null || row.low_kgco2e === undefined ? say("carbon.no_range") : `${kilograms(row.low_kgco2e)} – ${kilograms(row.high_kgco2e)}`;
const nameOf = (row) => row[`name_${lang}`] || row.name || row.input || row.factor;

/** An assumed input in words: those of its table, and of which class or mode. */
function assumedOf(text) {
  const [what, ...of] = text.split(" ");
  return [named("carbon_input", what), of.join(" ") === "all" || of.join(" ") === "by size" ? "" : of.join(" ")].filter(Boolean).join(" ");
}

/** How lopsided a range is, in words. */
function lopsided(told) {
  const down = told.kgco2e - told.low_kgco2e, up = told.high_kgco2e - told.kgco2e;
  if (told.low_kgco2e === null || told.low_kgco2e === undefined) return say("carbon.range_unknown");
  const values = { down: share(down / told.kgco2e), up: share(up / told.kgco2e) };
  if (down > 2 * up) return say("carbon.rather_lower", values);
  return up > 2 * down ? say("carbon.rather_higher", values) : say("carbon.even", values);
}

function breakdown(rows, by) {
  const known = rows.filter((row) => row.by === by && row.kgco2e !== null), missing = rows.filter((row) => row.by === by && row.kgco2e === null);
  return make("section", {}, make("h3", {}, named("carbon_by", by)),
    bars(known.map((row) => ({ label: nameOf(row), value: row.kgco2e, low: row.low_kgco2e, high: row.high_kgco2e, shown: share(row.share) })), { title: named("carbon_by", by) }),
    table([say("carbon.part"), { text: say("carbon.amount"), number: true }, { text: say("carbon.range"), number: true }, { text: say("carbon.of_all"), number: true }],
      [...known, ...missing].map((row) => [nameOf(row), kilograms(row.kgco2e), row.kgco2e === null ? say("carbon.no_figure") : range(row), share(row.share)]), { caption: named("carbon_by", by) }));
}

/** Names of sites by id, where the network is one of the server's. */
async function siteNames(run) {
  if (!run.network) return (id) => id;
  const { sites } = await get(`/api/v1/networks/${encodeURIComponent(run.network)}/map`);
  const names = new Map(sites.id.map((id, row) => [id, sites.name?.[row] ?? id]));
  return (id) => names.get(id) ?? id;
}

async function showFootprint(run) {
  const place = byId("foot");
  if (!run) { fill(place, make("div", { class: "notice" }, make("p", {}, say("carbon.none_says")))); byId("new").open = true; return; }
  const told = run.outcome.summary;
  try {
    const [parts, inputs, factors, legs] = await Promise.all([rowsOf(run, "breakdown.csv"), rowsOf(run, "inputs.csv"), rowsOf(run, "factors/transport.csv"),
      rowsOf(run, "legs.csv", { sort: "-kgco2e", limit: 20, columns: "from_site,to_site,mode,factor,kgco2e,low_kgco2e,high_kgco2e,g_per_piece" })]);
    const siteOf = await siteNames(run);
    const used = factors.rows.filter((row) => told.factors_used.includes(row.factor));
    fill(place, figures([
      [say("carbon.a_day"), kilograms(told.kgco2e), range(told)], [say("carbon.a_piece"), say("carbon.grams", { grams: count(told.g_per_piece) })], [say("carbon.transport"), kilograms(told.transport_kgco2e)],
      [say("carbon.hubs"), told.hubs_kgco2e === null ? say("carbon.no_figure") : kilograms(told.hubs_kgco2e), told.hubs_unknown ? say("carbon.sites_unknown", { count: count(told.hubs_unknown) }) : null],
      [say("carbon.cost_day"), count(told.cost_cny)]]),
    make("p", { class: "notice" }, lopsided(told), told.pieces_on_unknown_legs ? [" ", say("carbon.unknown_legs", { count: count(told.pieces_on_unknown_legs) })] : null, told.lost_pieces ? [" ", say("carbon.lost", { count: count(told.lost_pieces) })] : null),
    make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")), has(run, "report.html") ? make("a", { href: pageOf(run, "report.html"), target: "_blank", rel: "noopener" }, say("results.report")) : null,
      make("a", { href: fileOf(run, "breakdown.csv"), download: true }, say("results.as_csv"))),
    make("div", { class: "two" }, breakdown(parts.rows, "mode"), breakdown(parts.rows, "level")),
    make("h3", {}, say("carbon.where_from")), make("p", { class: "note" }, say("carbon.where_from_says")),
    table([say("carbon.input"), { text: say("carbon.down"), number: true }, { text: say("carbon.up"), number: true }], inputs.rows.map((row) => [nameOf(row), row.down_share === null ? say("carbon.exact") : kilograms(-row.down_kgco2e), row.up_share === null ? say("carbon.exact") : `+${kilograms(row.up_kgco2e)}`]), { caption: say("carbon.where_from") }),
    make("h3", {}, say("carbon.factors")), make("p", { class: "note" }, say("carbon.factors_says", { version: told.factors_version, assumed: told.assumed_inputs.map(assumedOf).join(lang === "zh" ? "、" : ", ") || "–" })),
    table([say("carbon.factor"), { text: say("carbon.wtw"), number: true }, { text: say("carbon.range"), number: true }, say("carbon.provenance"), say("carbon.source")],
      used.map((row) => [[nameOf(row), make("small", {}, ` ${row.factor}`)], (row.ttw + row.wtt).toFixed(4), row.low === null ? "–" : `${row.low.toFixed(4)} – ${row.high.toFixed(4)}`, named("provenance_kind", row.kind), [row.source, row.year ? ` (${row.year})` : ""]]), { caption: say("carbon.factors") }),
    make("h3", {}, say("carbon.legs")), table([say("carbon.leg"), say("situation.mode"), { text: say("carbon.amount"), number: true }, { text: say("carbon.range"), number: true }, { text: say("carbon.a_piece"), number: true }],
      legs.rows.filter((row) => row.kgco2e > 0).map((row) => [`${siteOf(row.from_site)} → ${siteOf(row.to_site)}`, named("mode", row.mode), kilograms(row.kgco2e), range(row), say("carbon.grams", { grams: count(row.g_per_piece) })]), { caption: say("carbon.legs") }));
  } catch (error) { fill(place, refusal(error)); }
}

const load = { carbon: runChooser(byId("foot-run"), "carbon", showFootprint, { key: "footprint" }), "carbon-frontier": runChooser(byId("front-run"), "carbon-frontier", (run) => showFrontier(byId("front"), run), { key: "frontier" }) };
byId("ask")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const study = event.submitter.value, network = event.target.elements.namedItem("network").value;
  for (const button of event.target.querySelectorAll("button")) button.disabled = true;
  const run = await askRun(byId("asked"), study, { network }, study === "carbon" ? {} : { plans: true });
  for (const button of event.target.querySelectorAll("button")) button.disabled = false;
  if (run) { byId("new").open = false; await load[study](run.id); }
});
await Promise.all(Object.values(load).map((one) => one().catch((error) => fill(byId("asked"), refusal(error)))));
document.body.dataset.ready = "yes";
