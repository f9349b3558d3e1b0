// What would help against the worst closures of a stress test: tried remedies, or one click that tries them.
import { fill, make } from "./elements.js";
import { askRun, has, pageOf, rowsOf, runsOf, wholeRun } from "./results.js";
import { sortTable } from "./sort_table.js";
import { count, named, say } from "./words.js";

const LOOK = 20;

/** The newest remedies that were tried against a stress test. */
async function remediesOf(stress) {
  for (const { id } of await runsOf("remedies", LOOK)) {
    const run = await wholeRun(id);
    if (run.request.stress?.run === stress.id) return run;
  }
  return null;
}

export async function showRemedies(place, stress, { choose, columns, mayAsk }) {
  place.replaceChildren();
  const run = await remediesOf(stress);
  if (run) { await listed(run); return; }
  if (!mayAsk) return;
  const asked = make("div", { "aria-live": "polite" });
  const go = make("button", { type: "button", onclick: async () => {
    go.disabled = true;
    const made = await askRun(asked, "remedies", { network: stress.request.network, stress: { run: stress.id } });
    go.disabled = false;
    if (made) await listed(made);
  } }, say("prepare.try_remedies"));
  fill(place, make("p", { class: "note" }, say("prepare.help_says")), make("div", { class: "row" }, go), asked);

  async function listed(made) {
    const { rows } = await rowsOf(made, "remedies.csv");
    const at = new Map(columns?.sites.id.map((id, row) => [id, columns.sites.name?.[row] ?? id]) ?? []);
    const nameOf = (row) => `${named("remedy_kind", row.kind)} ${row.place.split(">").map((id) => at.get(id) ?? id).join(" → ")}`;
    const box = make("div");
    fill(place, make("p", { class: "note" }, say("prepare.remedies_says")), box, make("p", { class: "row" }, make("a", { href: `/runs/${made.id}` }, say("results.the_run")),
      has(made, "report.html") ? make("a", { href: pageOf(made, "report.html"), target: "_blank", rel: "noopener" }, say("results.report")) : null));
    const list = sortTable(box, [
      { text: say("prepare.remedy"), of: nameOf },
      { text: say("prepare.size"), number: true, of: (row) => row.size_pieces, show: (row) => count(row.size_pieces, { short: true }) },
      { text: say("prepare.price"), number: true, of: (row) => row.cost_cny_per_day, show: (row) => [count(row.cost_cny_per_day, { short: true }), make("small", {}, ` ${named("provenance_kind", row.cost_provenance)}`)] },
      { text: say("prepare.spared"), number: true, of: (row) => row.expected_before - row.expected_after, show: (row) => count(row.expected_before - row.expected_after, { short: true }) },
      { text: say("prepare.spared_worst"), number: true, of: (row) => row.worst_before - row.worst_after, show: (row) => count(row.worst_before - row.worst_after, { short: true }) },
    ], { caption: say("prepare.help"), choose: (row) => { list.mark(row); choose({ place: row.place, label: nameOf(row) }); } });
    list.show(rows.filter((row) => !row.error));
  }
}
