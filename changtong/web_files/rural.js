// Rural delivery: which villages are served and what is next, and plans of a county on the map.
import { get } from "./api.js";
import { byId, fill, make, refusal } from "./elements.js";
import { openMap } from "./map.js";
import { askRun, runChooser } from "./results.js";
import { coverageView } from "./rural_coverage.js";
import { planView } from "./rural_plan.js";
import { say } from "./words.js";

const place = byId("rural");
const view = await openMap(byId("map"), { land: place.dataset.land, worker: new URL(place.dataset.worker, location).href });
const popup = new view.maplibre.Popup({ closeButton: false, offset: 10 });
const coverage = coverageView(view), plan = planView(view);
let shown = coverage;

const nothing = (key) => make("div", { class: "notice" }, make("p", {}, say(key)));
const loadCoverage = runChooser(byId("cover-run"), "rural coverage", async (run) => {
  byId("cover-rest").hidden = !run;
  if (!run) { fill(byId("cover-told"), nothing("rural.no_coverage")); byId("new").open = true; return; }
  try { await coverage.show(run); } catch (error) { fill(byId("cover-told"), refusal(error)); }
}, { key: "coverage" });
const loadPlan = runChooser(byId("plan-run"), "rural plan", async (run) => {
  byId("plan-rest").hidden = !run;
  fill(byId("plan-none"), run ? [] : nothing("rural.no_plan"));
  if (!run) return;
  try { await plan.show(run); } catch (error) { fill(byId("plan-none"), refusal(error)); }
}, { key: "plan" });

function turn(to) {
  shown = to;
  for (const [button, section, one] of [["to-cover", "cover", coverage], ["to-plan", "plan", plan]]) {
    byId(button).setAttribute("aria-pressed", String(one === to));
    byId(section).hidden = one !== to;
  }
  for (const source of ["sites", "legs", "near", "chosen"]) view.set(source, []);
  coverage.active(to === coverage);
  plan.active(to === plan);
  history.replaceState(null, "", `${location.pathname}${location.search}${to === plan ? "#plan" : ""}`);
}
byId("to-cover").addEventListener("click", () => turn(coverage));
byId("to-plan").addEventListener("click", () => turn(plan));

view.map.on("click", (event) => shown.pressed(event.point));
view.map.on("mousemove", "sites", (event) => { const told = shown.titleOf(event.features[0].properties.row); if (told) popup.setLngLat(event.lngLat).setText(told).addTo(view.map); });
view.map.on("mouseleave", "sites", () => popup.remove());

byId("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const county = event.target.elements.namedItem("county").value, study = event.submitter.value;
  if (!county) return;
  for (const button of event.target.querySelectorAll("button")) button.disabled = true;
  const newest = study === "rural coverage" && byId("plan-run").value && plan.run()?.request.county === county ? { plan: { run: plan.run().id } } : {};
  const run = await askRun(byId("asked"), study, { county, ...newest });
  for (const button of event.target.querySelectorAll("button")) button.disabled = false;
  if (!run) return;
  byId("new").open = false;
  turn(study === "rural plan" ? plan : coverage);
  await (study === "rural plan" ? loadPlan : loadCoverage)(run.id);
});

try {
  const { datasets } = await get("/api/v1/datasets?kind=county");
  fill(byId("ask").elements.namedItem("county"), datasets.map((one) => make("option", { value: one.id }, one.id)));
  byId("no-county").hidden = datasets.length > 0;
} catch (error) { fill(byId("asked"), refusal(error)); }
turn(location.hash === "#plan" || new URLSearchParams(location.search).has("plan") && !new URLSearchParams(location.search).has("coverage") ? plan : coverage);
await Promise.all([loadCoverage(), loadPlan()].map((one) => one.catch((error) => fill(byId("asked"), refusal(error)))));
document.body.dataset.ready = "yes";
