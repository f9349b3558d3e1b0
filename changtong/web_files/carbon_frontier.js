// The frontier of cost and carbon: plans as points, a table beside, and the plan of a point that is chosen.
import { get } from "./api.js";
import { curve } from "./chart.js";
import { fill, make, refusal } from "./elements.js";
import { propose } from "./propose.js";
import { figures, fileOf, has, pageOf, rowsOf } from "./results.js";
import { sortTable } from "./sort_table.js";
import { count, say, share } from "./words.js";

const tonnes = (kilograms) => (kilograms / 1000).toLocaleString(document.documentElement.lang, { maximumSignificantDigits: 4 });

export async function showFrontier(place, run) {
  if (!run) { fill(place, make("div", { class: "notice" }, make("p", {}, say("carbon.no_frontier_says")))); return; }
  const told = run.outcome.summary;
  let points, plans;
  try { [points, plans] = (await Promise.all([rowsOf(run, "frontier.csv"), rowsOf(run, "plans/frontier-plans.csv")])).map((one) => one.rows); } catch (error) { fill(place, refusal(error)); return; }
  const late = new Map(await Promise.all(plans.map(async (one) => [one.point, (await get(fileOf(run, `plans/${one.folder}/plan.json`)).catch(() => null))?.late_pieces ?? null])));
  const dialog = document.getElementById("propose"); // only for those who may ask for runs
  const box = make("div"), chart = make("div"), chosen = make("div", { "aria-live": "polite" });
  const list = sortTable(box, [
    { text: say("carbon.point"), of: (row) => row.point, show: (row) => say("carbon.point_of", { point: row.point }) },
    { text: say("carbon.cost_day"), number: true, of: (row) => row.cost_cny, show: (row) => count(row.cost_cny) },
    { text: say("carbon.tonnes_day"), number: true, of: (row) => row.kgco2e, show: (row) => tonnes(row.kgco2e) },
    { text: say("carbon.a_tonne_less"), number: true, of: (row) => row.cny_per_t_avoided, show: (row) => count(row.cny_per_t_avoided) },
    { text: say("carbon.left"), number: true, of: (row) => row.unserved_pieces, show: (row) => count(row.unserved_pieces) },
    { text: say("carbon.late"), number: true, of: (row) => late.get(row.point) ?? null, show: (row) => count(late.get(row.point)) },
    { text: say("carbon.gap"), number: true, of: (row) => row.gap_share, show: (row) => share(row.gap_share) },
  ], { caption: say("carbon.frontier"), choose });
  function draw(at) {
    fill(chart, curve(points.map((row) => ({ x: row.cost_cny, y: row.kgco2e, label: say("carbon.point_says", { point: row.point, cost: count(row.cost_cny), tonnes: tonnes(row.kgco2e) }) })), {
      title: say("carbon.frontier"), xTitle: say("carbon.cost_day"), yTitle: say("carbon.tonnes_day"), xText: (value) => count(value, { short: true }), yText: tonnes, choose: (k) => { choose(points[k]); chart.querySelectorAll(".point")[k].focus(); }, chosen: at }));
  }
  function choose(row) {
    list.mark(row);
    draw(points.indexOf(row));
    const plan = plans.find((one) => one.point === row.point), first = points[0];
    const page = plan && `plans/${plan.folder}/report.html`, orders = plan && `plans/${plan.folder}/orders.csv`;
    fill(chosen, make("div", { class: "chosen-card" }, make("h3", {}, say("carbon.point_of", { point: row.point })),
      make("p", {}, say("carbon.against_cheapest", { cost: count(row.cost_cny - first.cost_cny), carbon: share(1 - row.kgco2e / first.kgco2e) })),
      plan ? make("p", { class: "note" }, say("carbon.planned", { cost: count(plan.cost_cny), tonnes: tonnes(plan.kgco2e), left: count(plan.unserved_pieces) })) : make("p", { class: "note" }, say("carbon.no_plans")),
      make("p", { class: "row" }, page && has(run, page) ? make("a", { class: "button main", id: "point-plan", href: pageOf(run, page), target: "_blank", rel: "noopener" }, say("carbon.see_plan")) : null,
        plan && dialog ? make("button", { type: "button", id: "propose-point", onclick: () => propose(dialog, { run_id: run.id, point: row.point }, `${say("carbon.frontier")} · ${say("carbon.point_of", { point: row.point })}`) }, say("issued.propose")) : null,
        orders && has(run, orders) ? make("a", { class: "button", href: fileOf(run, orders), download: true }, say("carbon.orders")) : null)));
  }
  fill(place, figures([[say("carbon.cheapest"), count(told.cheapest.cost_cny), `${tonnes(told.cheapest.kgco2e)} t`], [say("carbon.cleanest"), count(told.cleanest.cost_cny), `${tonnes(told.cleanest.kgco2e)} t`],
    [say("carbon.most_avoided"), share(told.most_avoided_share)], [say("carbon.a_tonne_less"), count(told.cny_per_t_to_the_cleanest)]]),
  make("p", { class: "note" }, say("carbon.frontier_says")), make("div", { class: "two" }, chart, make("div", {}, box, chosen)),
  make("p", { class: "row" }, make("a", { href: `/runs/${run.id}` }, say("results.the_run")), has(run, "report.html") ? make("a", { href: pageOf(run, "report.html"), target: "_blank", rel: "noopener" }, say("results.report")) : null,
    make("a", { href: fileOf(run, "frontier.csv"), download: true }, say("results.as_csv"))));
  draw(null);
  list.show(points);
}
