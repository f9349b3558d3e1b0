// One run: progress while it runs, then its numbers, pages and files.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { keptAs, kinds } from "./data_kinds.js";
import { byId, fill, make, refusal, table, tell, tellRefusal } from "./elements.js";
import { rosterActions } from "./roster_in_force.js";
import { nameOf, offers } from "./offers.js";
import { pageFor } from "./result_page.js";
import { named, say, seconds, share, time } from "./words.js";
import { watch } from "./watch.js";

const PAGES = ["report.html"]; // shown whole; the others by their links
const place = byId("run"), id = place.dataset.run;
const known = await offers().catch(() => new Map());

function progress(run) {
  const told = run.progress ?? {};
  const parts = [told.stage ? named("stage", told.stage) : null,
    told.gap_share !== undefined ? say("runs.gap", { gap: share(told.gap_share) }) : null,
    told.left_s !== undefined && told.left_s !== null ? say("runs.left", { time: seconds(told.left_s) }) : null];
  return make("div", {}, make("progress", told.share === undefined || told.share === null ? {} : { value: told.share, max: 1 }),
    make("p", { class: "note" }, parts.filter(Boolean).join(" · ")));
}

function files(run) {
  const names = Object.entries(run.outcome?.files ?? {});
  const address = (name) => name.split("/").map(encodeURIComponent).join("/");
  const pages = names.filter(([name]) => name.endsWith(".html") && !name.startsWith("order-sheets/")).sort(([a], [b]) => PAGES.indexOf(b) - PAGES.indexOf(a));
  const folders = Object.groupBy(names.filter(([name]) => name.includes("/")), ([name]) => name.slice(0, name.lastIndexOf("/")));
  const listed = (some) => table([say("runs.files"), { text: "kB", number: true }],
    some.map(([name, size]) => [make("a", { href: `/api/v1/runs/${id}/files/${address(name)}`, download: true }, name.slice(name.lastIndexOf("/") + 1)), (size / 1000).toFixed(1)]));
  return [
    pages.map(([name], k) => make("section", {}, make("p", { class: "row" }, make("h2", {}, name), make("a", { href: `/runs/${id}/page/${address(name)}`, target: "_blank", rel: "noopener" }, say("runs.open_page"))),
      k ? null : make("iframe", { class: "report", src: `/runs/${id}/page/${address(name)}`, title: name, sandbox: "allow-scripts allow-popups allow-downloads" }))),
    names.length ? make("section", { class: "card" }, make("h2", {}, say("runs.files")), listed(names.filter(([name]) => !name.includes("/"))),
      Object.entries(folders).map(([folder, inside]) => make("details", {}, make("summary", {}, `${folder}/ (${inside.length})`), listed(inside)))) : null];
}

function show(run) {
  const open = !run.ended_at;
  fill(place,
    make("h1", {}, nameOf(known.get(run.study)) || run.study),
    make("p", { class: "row" }, make("span", { class: `state ${run.state}`, id: "state" }, named("runs", run.state)), run.network ? make("span", { class: "label" }, run.network) : null,
      make("span", { class: "note" }, time(run.made_at)),
      open && run.state !== "cancelling" ? make("button", { type: "button", class: "danger", onclick: () => stop() }, say("runs.stop")) : null),
    pageFor(run) ? make("p", {}, make("a", { class: "button main", href: pageFor(run) }, say("runs.shown_at"))) : null,
    run.study === "warnings" && run.outcome && place.dataset.case ? make("p", {}, make("a", { class: "button", id: "open-case", href: `/case-new?run=${run.id}` }, say("cases.open"))) : null,
    open ? progress(run) : null,
    run.problem ? refusal({ title: run.problem.title, message: run.problem.detail, problems: run.problem.problems }) : null,
    run.outcome?.text ? make("pre", { class: "card scroll" }, run.outcome.text) : null,
    run.outcome ? files(run) : null,
    run.request ? make("details", { class: "card" }, make("summary", {}, say("runs.asked")), make("pre", { class: "scroll" }, JSON.stringify(run.request, null, 2))) : null);
  document.body.dataset.run = run.state;
}

/** What keeps the result as a data set; null where it is of no kind that there is. */
async function keeping(run) {
  if (run.state !== "done" || !place.dataset.adds) return null;
  const all = await kinds(), some = keptAs(known, run.study).filter((name) => all.has(name));
  if (!some.length) return null;
  const fields = [{ name: "id", label: say("studies.id"), required: true, most: 64, says: say("studies.id_says") },
    { name: "kind", label: say("studies.kind"), required: true, choices: some.map((name) => [name, nameOf(all.get(name))]) }];
  return make("p", {}, make("button", { type: "button", id: "keep", onclick: () => askFor(byId("ask"), { title: say("data.keep"), says: say("data.keep_says"), fields, go: say("data.keep_go") }, async (values) => {
    const kept = await post("/api/v1/datasets/from-run", { ...values, run: id });
    tell(make("span", {}, say("studies.kept", { id: kept.id }), " ", make("a", { href: `/data#${kept.kind}/${kept.id}` }, say("data.see"))));
  }) }, say("data.keep")));
}

async function stop() {
  try { await post(`/api/v1/runs/${id}/cancel`); } catch (error) { tellRefusal(error); }
}

await watch(id, show, (error) => fill(place, refusal(error)));
const ended = await get(`/api/v1/runs/${id}`);
show(ended);
try { place.querySelector("h1").after(...[await rosterActions(ended), await keeping(ended)].filter(Boolean)); } catch (error) { tellRefusal(error); }
document.body.dataset.ready = "yes";
