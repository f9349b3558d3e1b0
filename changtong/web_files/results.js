// Results of runs: one to choose, its tables, and a new one asked for with a click.
import { get, post } from "./api.js";
import { fill, make, refusal, tellRefusal, wordsOf } from "./elements.js";
import { stateOf } from "./run_state.js";
import { watch } from "./watch.js";
import { lang, named, say, share, time } from "./words.js";

const address = (name) => name.split("/").map(encodeURIComponent).join("/");
export const fileOf = (run, name) => `/api/v1/runs/${run.id}/files/${address(name)}`;
export const pageOf = (run, name) => `/runs/${run.id}/page/${address(name)}`;
export const has = (run, name) => name in (run.outcome?.files ?? {});

/** A table of a run as rows (objects by column), and how many it has in all; none where the run has no such file. */
export async function rowsOf(run, name, { sort = "", columns = "", limit = 5000 } = {}) {
  if (!has(run, name)) return { rows: [], all: 0 };
  const asked = new URLSearchParams({ limit, ...(sort ? { sort } : {}), ...(columns ? { columns } : {}) });
  const told = await get(`/api/v1/runs/${run.id}/tables/${address(name)}?${asked}`);
  const names = told.columns.map((one) => one.name), length = told.values[names[0]]?.length ?? 0;
  return { rows: Array.from({ length }, (_, k) => Object.fromEntries(names.map((one) => [one, told.values[one][k]]))), all: told.rows };
}

export const runsOf = async (study, limit = 50) => (await get(`/api/v1/runs?limit=${limit}&state=done&study=${encodeURIComponent(study)}`)).runs;
export const wholeRun = (id) => get(`/api/v1/runs/${id}`);

/** Fill a list of choices with the runs of a study that are done; the one of the address, or the newest, is chosen. Returns it, or null. */
export function runChooser(select, study, show, { key = "run", none = null } = {}) {
  const asked = new URLSearchParams(location.search);
  const text = (run) => [time(run.made_at), run.network, run.request ? null : run.id.slice(-5)].filter(Boolean).join(" · ");
  async function choose(id) {
    const kept = new URLSearchParams(location.search);
    if (id) kept.set(key, id); else kept.delete(key);
    history.replaceState(null, "", `${location.pathname}${kept.size ? `?${kept}` : ""}${location.hash}`);
    await show(id ? await wholeRun(id) : null);
  }
  async function load(wanted = asked.get(key)) {
    const runs = await runsOf(study);
    if (wanted && !runs.some((run) => run.id === wanted)) {
      try { runs.push(await wholeRun(wanted)); } catch (error) { tellRefusal(error); }
    }
    fill(select, none ? make("option", { value: "" }, none) : null, runs.map((run) => make("option", { value: run.id }, text(run))));
    select.disabled = !runs.length;
    const found = runs.find((run) => run.id === wanted) ?? (none ? null : runs[0]) ?? null;
    if (found) select.value = found.id;
    await choose(found?.id ?? "");
  }
  select.addEventListener("change", () => choose(select.value));
  return load;
}

/** Ask for a run and follow it in `place`; returns it when it is done, else null. */
export async function askRun(place, study, inputs, parameters = {}) {
  let run;
  try { run = await post("/api/v1/runs", { study, inputs, parameters, language: lang }, { "Idempotency-Key": crypto.randomUUID() }); } catch (error) { fill(place, refusal(error)); return null; }
  const ended = await watch(run.id, (told) => {
    const at = told.progress ?? {};
    const cancel = async () => { try { await post(`/api/v1/runs/${run.id}/cancel`); } catch (error) { tellRefusal(error); } };
    fill(place, make("div", { class: "asked" }, make("div", { class: "row" }, stateOf(told), make("a", { href: `/runs/${run.id}` }, say("results.the_run")),
      told.ended_at ? null : make("button", { type: "button", class: "danger", onclick: cancel }, say("shell.cancel"))),
    told.ended_at ? null : make("progress", at.share === undefined || at.share === null ? { "aria-label": named("runs", told.state) } : { value: at.share, max: 1, "aria-label": named("runs", told.state) }),
    make("p", { class: "note" }, [at.stage ? named("stage", at.stage) : null, at.share ? share(at.share) : null].filter(Boolean).join(" · ")),
    told.problem ? make("p", { class: "wrong" }, wordsOf(told.problem, told.problem.detail)) : null));
  }, (error) => fill(place, refusal(error)));
  if (ended?.state !== "done") return null;
  place.replaceChildren();
  return wholeRun(run.id);
}

/** Headline numbers. */
export const figures = (rows) => make("dl", { class: "figures" }, rows.filter(Boolean).map(([key, value, more]) => make("div", {}, make("dt", {}, key), make("dd", {}, value, more ? make("small", {}, ` ${more}`) : null))));
