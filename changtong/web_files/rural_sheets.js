// Sheets for drivers: those that were made of an answer, or one click that makes them; a page of paper each.
import { byId, fill, make } from "./elements.js";
import { askRun, pageOf, runsOf, wholeRun } from "./results.js";
import { say, time } from "./words.js";

const LOOK = 20;
async function sheetsOf(plan, answer) {
  for (const { id } of await runsOf("rural sheets", LOOK)) {
    const run = await wholeRun(id), asked = run.request.parameters?.answer;
    const of = asked ?? (plan.outcome.summary.answers.shared_with_buses ? "with_buses" : "shared");
    if (run.request.routes?.run === plan.id && of === answer.name) return run;
  }
  return null;
}

export async function offerSheets(place, plan, answer) {
  const asked = make("div", { "aria-live": "polite" });
  const show = (run) => fill(place, Object.keys(run.outcome.files).filter((name) => name.endsWith(".html")).slice(0, 1).map((name) => make("p", { class: "row" },
    make("a", { class: "button main", id: "sheets-page", href: pageOf(run, name), target: "_blank", rel: "noopener" }, say("rural.open_sheets")), make("span", { class: "note" }, say("rural.sheets_says", { at: time(run.made_at) })),
    Object.keys(run.outcome.files).length > 1 ? make("a", { href: `/runs/${run.id}` }, say("results.the_run")) : null)));
  const go = make("button", { type: "button", id: "make-sheets", onclick: async () => {
    go.disabled = true;
    const run = await askRun(asked, "rural sheets", { routes: { run: plan.id } }, { answer: answer.name });
    go.disabled = false;
    if (run) show(run);
  } }, say("rural.make_sheets"));
  fill(place, byId("rural").dataset.ask ? make("p", {}, go) : null, asked);
  const made = await sheetsOf(plan, answer);
  if (made) show(made);
}
