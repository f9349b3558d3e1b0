// Plans as cards while they are computed, and side by side when they are done.
import { fill, make, table, wordsOf } from "./elements.js";
import { count, lang, named, say, seconds, share, time } from "./words.js";

const title = (run) => say(run.outcome?.summary.verified ?? run.request?.parameters?.verify ? "respond.title_verified" : "respond.title_plan");

/** The parts of a plan's card. */
export function planCard(run, { map, cancel, compare, propose }) {
  const head = make("div", { class: "row" }, make("a", { href: `/runs/${run.id}` }, title(run)),
    make("span", { class: `state ${run.state}` }, named("runs", run.state)), make("span", { class: "note" }, time(run.made_at)));
  if (run.problem) return [head, make("p", { class: "wrong" }, wordsOf(run.problem, run.problem.detail))];
  if (!run.ended_at) {
    const told = run.progress ?? {};
    const parts = [told.stage ? named("stage", told.stage) : null, told.round ? say("respond.round", { round: told.round }) : null,
      told.gap_share !== undefined ? say("runs.gap", { gap: share(told.gap_share) }) : null, told.seconds !== undefined ? seconds(told.seconds) : null];
    return [head, make("progress", {}), make("div", { class: "row" }, make("span", { class: "note" }, parts.filter(Boolean).join(" · ")),
      run.state === "cancelling" ? null : make("button", { type: "button", class: "danger", onclick: cancel }, say("shell.cancel")))];
  }
  const plan = run.outcome?.summary;
  if (!plan) return [head];
  return [head,
    make("p", { class: "big" }, say("respond.unserved", { pieces: count(plan.unserved_pieces, { short: true }), share: share(plan.unserved_pieces / plan.demand_pieces) })),
    make("p", { class: "note" }, [say("runs.gap", { gap: share(plan.gap_share) }), say("respond.late", { pieces: count(plan.late_pieces, { short: true }) }),
      say("respond.changed", { legs: count(plan.changed_legs) }), plan.outages.join(lang === "zh" ? "、" : ", ")].join(" · ")),
    make("div", { class: "row" }, make("button", { type: "button", onclick: map }, say("respond.on_map")), make("button", { type: "button", onclick: compare }, say("respond.compare")), make("button", { type: "button", onclick: propose }, say("issued.propose")),
      plan.verified ? null : make("a", { href: `/studies/simulate?${new URLSearchParams({ network: run.network, plan: run.id })}` }, say("respond.play")))];
}

/** Open the comparison of plans that are done. */
export function compare(dialog, runs, classOf) {
  const plans = runs.map((run) => run.outcome.summary);
  const classes = [...new Set(plans.flatMap((plan) => plan.classes.map((one) => one.service_class)))];
  const of = (plan, name) => plan.classes.find((one) => one.service_class === name);
  const rows = [
    [say("respond.outages"), (plan) => plan.outages.join(lang === "zh" ? "、" : ", "), null],
    [say("respond.unserved_all"), (plan) => plan.unserved_pieces, count],
    ...classes.map((name) => [`  ${classOf(name)}`, (plan) => of(plan, name)?.unserved_pieces, count]),
    [say("respond.late_all"), (plan) => plan.late_pieces, count],
    ...classes.map((name) => [`  ${classOf(name)}`, (plan) => of(plan, name)?.late_pieces, count]),
    [say("respond.cost"), (plan) => plan.cost_cny, (value) => `${count(value, { short: true })} ${say("respond.cny")}`],
    [say("respond.carbon"), (plan) => plan.carbon_kgco2e, (value) => `${count(value / 1000)} t`],
    [say("respond.changes"), (plan) => plan.changed_legs, count],
    [say("respond.gap_proved"), (plan) => plan.gap_share, share],
    [say("respond.fullest"), (plan) => plan.max_load_share, share],
    [say("respond.played"), (plan) => plan.verified ? say(plan.verified.holds ? "respond.holds" : "respond.holds_not") : say("respond.not_played"), null],
  ];
  const cells = rows.map(([title, value, shown]) => {
    const values = plans.map(value), numbers = values.filter((one) => typeof one === "number");
    const best = shown && numbers.length > 1 && new Set(numbers).size > 1 ? Math.min(...numbers) : null;
    return [title, ...values.map((one) => make("span", { class: best !== null && one === best ? "best" : null }, shown ? (one === undefined ? "–" : shown(one)) : one))];
  });
  const body = table(["", ...runs.map((run, k) => ({ text: `${say("respond.plan_number", { number: k + 1 })} · ${title(run)} ${time(run.made_at)}`, number: true }))], cells, { caption: say("respond.compare") });
  for (const node of body.querySelectorAll("span.best")) { node.classList.remove("best"); node.parentElement.classList.add("best"); }
  fill(dialog, make("div", { class: "row" }, make("h2", { id: "h-compare" }, say("respond.compare")), make("form", { method: "dialog", class: "row end" }, make("button", {}, say("shell.close")))),
    runs.length ? body : make("p", { class: "note" }, say("respond.none_done")), make("p", { class: "note" }, say("respond.compare_says")), make("div", { id: "backlogs" }), make("div", { id: "maps" }));
  dialog.showModal();
}
