// One assessment, item by item: what was reported and reviewed, what is missing, what would gain most, what is put right.
import { get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { sayForm } from "./assessment_say.js";
import { apiOf, kindOf, nameOf, pathOf, points, scoringOf, stageOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table, tell, tellRefusal } from "./elements.js";
import { describe, wordOf } from "./record_fields.js";
import { filesCard, filesOf } from "./record_files.js";
import { count, named, say, time } from "./words.js";

const place = byId("assessment"), dialog = byId("ask"), { card, subject } = place.dataset;
const base = apiOf(card, subject), number = (text) => ({ text, number: true });
const head = make("div", {}), actions = make("section", { class: "card", "aria-labelledby": "h-do" }), items = make("section", { class: "card items" }), gaps = make("section", { class: "card" }), put = make("section", { class: "card", id: "put-right" });
let told = null, attachments = [], kept = null, files = null;

const figure = (key, value, more = "") => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value, more ? make("small", {}, ` ${more}`) : null));
const once = () => ({ "If-Match": `"${told.version}"`, "Idempotency-Key": crypto.randomUUID() });

function showHead() {
  const { result, due } = told, said = new Map(told.statements.map((one) => [one.stage, one])), notice = told.notices.at(-1);
  const step = (stage) => make("li", { class: said.has(stage) ? "done" : due?.stage === stage && due.overdue ? "late" : null }, make("b", {}, stageOf(stage)), said.has(stage) ? time(said.get(stage).said_at) : due?.stage === stage ? say(due.overdue ? "assessment.since" : "assessment.by", { by: due.by }) : "–");
  const sent = make("li", { class: notice ? "done" : null }, make("b", {}, say("assessment.notice")), notice ? `${time(notice.issued_at)}${notice.received_at ? ` · ${say("assessment.is_received")}` : ""}` : "–");
  fill(head, make("h1", {}, told.subject.name ?? subject), make("p", { class: "row" }, make("b", { id: "state" }, stageOf(told.state)), make("a", { class: "label", href: `/scorecards/${encodeURIComponent(card)}` }, say("assessment.card_title", { title: nameOf(told.card), year: told.card.year, version: told.card.version })),
    told.whole ? make("a", { href: `/assessment/${encodeURIComponent(card)}` }, say("assessment.to_round")) : null),
  kindOf(told.card), make("ol", { class: "path" }, step("self_report"), step("review"), sent, said.has("appeal") || told.state === "review" ? step("appeal") : null, step("final")),
  make("dl", { class: "figures" }, figure("assessment.score", points(result.score)), result.rank ? figure("assessment.rank", `${result.rank}${result.tied ? "=" : ""}`, say("assessment.of_peers", { peers: count(result.peers) })) : null,
    result.band ? figure("assessment.band", result.band) : null, figure("assessment.deducted", points(result.deducted)), told.gaps.length ? figure("assessment.most_gain", `+${points(Math.max(...told.gaps.map((one) => one.gain)))}`) : null),
  told.whole ? null : make("p", { class: "notice" }, say("assessment.own_only")), told.waiting_for.length ? make("p", { class: "notice" }, say("assessment.provisional", { departments: told.waiting_for.join(", ") })) : null,
  told.statements.filter((one) => one.note).map((one) => make("p", { class: "note" }, make("b", {}, stageOf(one.stage)), ` ${one.note}`)));
  document.body.dataset.state = told.state;
}

/** Evidence as it was written, files of ours by their link. */
function evidenceOf(text) {
  if (!text) return null;
  const parts = text.split(",").map((one) => one.trim()).filter(Boolean);
  return make("span", { class: "why" }, parts.map((part, k) => [k ? ", " : "", attachments.some((one) => one.id === part) ? make("a", { href: `/registers/attachment/${part}` }, say("assessment.file")) : part]));
}
const cellOf = (said) => (said ? make("span", {}, `${said.value} → ${say("assessment.points_of", { points: points(said.points) })}`, evidenceOf(said.evidence)) : "–");

function worth(gain, most) {
  const bar = make("b", {});
  bar.style.width = `${most ? Math.round((gain / most) * 100) : 0}%`;
  return make("span", { class: "worth" }, `+${points(gain)}`, make("i", { "aria-hidden": "true" }, bar));
}

function showItems() {
  const rows = told.items.map((one) => {
    const { self_report: own, review, final } = one.stages;
    const differs = own && review && own.points !== review.points, missing = one.scoring !== "marks" && !own && !review && !final;
    const flag = missing ? say("assessment.missing") : differs ? say("assessment.differs", { by: points(review.points - own.points) }) : "";
    return { kind: missing ? "missing" : differs ? "differs" : "", cells: [make("span", {}, make("b", {}, nameOf(one)), make("span", { class: "why" }, scoringOf(one)), one.evidence_wanted ? make("span", { class: "why" }, say("assessment.wanted", { what: one.evidence_wanted })) : null, flag ? make("small", { class: "late" }, flag) : null),
      cellOf(own), cellOf(review), cellOf(final), make("b", {}, points(one.points)), points(one.max_points), one.gap ? `+${points(one.gap.gain)}` : "–"] };
  });
  const shown = table([say("assessment.item"), stageOf("self_report"), stageOf("review"), stageOf("final"), number(say("assessment.points")), number(say("assessment.most")), number(say("assessment.gain"))], rows.map((one) => one.cells), { caption: say("assessment.items") });
  [...shown.querySelectorAll("tbody tr")].forEach((row, k) => { if (rows[k].kind) row.classList.add(rows[k].kind); });
  const facts = told.findings.length ? [make("h3", {}, say("assessment.findings")), table([say("assessment.finding"), say("assessment.day"), say("assessment.evidence"), number(say("assessment.points")), say("assessment.how")], told.findings.map((one) => [make("span", {}, nameOf(one), make("span", { class: "why" }, `${one.fact_id} ${one.text ?? ""}`)), one.date, one.evidence ?? "–", points(one.counted_points), named("assess_why", ["counts", "withdrawn"].includes(one.why) ? one.why : "other")]), { caption: say("assessment.findings") })] : null;
  fill(items, make("h2", {}, say("assessment.items")), shown, facts);
}

function showGaps() {
  const most = Math.max(0, ...told.gaps.map((one) => one.gain)), mayPut = told.may.includes("rectify"), there = new Set(told.rectifications.map((one) => one.cause));
  const title = (one) => nameOf([...told.items, ...told.findings].find((it) => it.indicator_id === one.ref || (one.cause === `fact:${it.fact_id}`)) ?? {}) || one.ref;
  const pick = (one) => (there.has(one.cause) ? say("assessment.is_put") : mayPut ? make("input", { type: "checkbox", name: "cause", value: one.cause, "aria-label": title(one) }) : "");
  const shown = told.gaps.length ? table([say("assessment.gap"), say("assessment.gain"), number(say("assessment.lost")), say("assessment.evidence"), say("assessment.put_right")], told.gaps.map((one) => [title(one), worth(one.gain, most), points(one.lost), evidenceOf(one.evidence) ?? "–", pick(one)]), { caption: say("assessment.gaps") }) : make("p", { class: "note" }, say("assessment.no_gaps"));
  fill(gaps, make("h2", {}, say("assessment.gaps")), make("p", { class: "note" }, say("assessment.gaps_say")), shown, mayPut && told.gaps.some((one) => !there.has(one.cause)) ? make("p", { class: "row end" }, make("button", { type: "button", id: "put", onclick: openPut }, say("assessment.open_put"))) : null);
}

function openPut() {
  const causes = [...gaps.querySelectorAll("[name=cause]:checked")].map((one) => one.value);
  if (!causes.length) { tell(say("assessment.choose_gaps"), { wrong: true }); return; }
  askFor(dialog, { title: say("assessment.open_put"), says: say("assessment.open_put_says", { count: count(causes.length) }), fields: [{ name: "days", label: say("assessment.days"), type: "number", min: 1, value: "30", required: true }, { name: "reason", label: say("registers.why"), type: "text" }], go: say("assessment.open_put") }, async (values) => {
    await post(`/api/v1/scorecards/${encodeURIComponent(card)}/rectifications`, { subjects: [subject], causes, on: new Date().toISOString().slice(0, 10), days: Number(values.days), reason: values.reason }, { "Idempotency-Key": crypto.randomUUID() });
    await refresh();
  });
}

function showPut() {
  const rows = told.rectifications.map((one) => [make("a", { href: `/registers/rectification/${one.record}` }, one.title), wordOf("rectification", one.state), make("span", { class: one.overdue ? "late" : null }, time(one.deadline), one.overdue ? ` ${say("assessment.late")}` : "")]);
  fill(put, make("h2", {}, say("assessment.rectifications")), rows.length ? table([say("assessment.gap"), say("assessment.stage"), say("assessment.until")], rows, { caption: say("assessment.rectifications") }) : make("p", { class: "note" }, say("assessment.no_put")), make("p", { class: "note" }, say("assessment.put_says")));
}

function showActions() {
  const stages = ["self_report", "review", "appeal", "final"].filter((one) => told.may.includes(one)), notice = told.notices.at(-1);
  const open = (stage) => { fill(actions, make("h2", { id: "h-do" }, stageOf(stage)), sayForm(told, stage, { mayAttach: kept?.rights.includes("add"), changed: () => files?.show(), done: refresh, cancel: showActions })); actions.querySelector("input")?.focus(); };
  const send = (path, title, says, fields, body) => askFor(dialog, { title, says, fields, go: title }, async (values) => { await post(`${base}/notices${path}`, body(values), once()); await refresh(); });
  const parts = [stages.map((one, k) => make("button", { type: "button", class: k ? null : "main", "data-stage": one, onclick: () => open(one) }, say(told.statements.some((it) => it.stage === one) ? "assessment.anew" : "assessment.begin", { stage: stageOf(one) }))),
    told.whole && told.may.includes("notice") ? make("button", { type: "button", id: "issue", onclick: () => send("", say("assessment.issue"), say("assessment.issue_says"), [{ name: "note", label: say("assessment.note"), type: "text" }], (values) => values) }, say("assessment.issue")) : null,
    told.may.includes("answer") && notice && !notice.received_at ? make("button", { type: "button", class: "main", id: "receive", onclick: () => send("/receive", say("assessment.receive"), say("assessment.receive_says"), [{ name: "words", label: say("assessment.answer"), type: "text" }], (values) => values) }, say("assessment.receive")) : null,
    notice ? make("a", { class: "button", href: `${pathOf(card, subject)}/notice` }, say("assessment.to_notice")) : null,
    told.whole ? make("a", { class: "button", href: `${base}/notice.docx?language=${document.documentElement.lang.startsWith("zh") ? "zh" : "en"}`, download: "notice.docx" }, say("assessment.docx")) : null];
  const has = parts.flat().some(Boolean);
  fill(actions, make("h2", { id: "h-do" }, say("registers.moves")), has ? make("div", { class: "row" }, parts) : make("p", { class: "note" }, say("assessment.nothing_to_do")));
}

async function refresh() {
  told = await get(base);
  attachments = kept ? await filesOf("assessment", told.record).catch(() => []) : [];
  for (const show of [showHead, showActions, showItems, showGaps, showPut]) show();
  await files?.show();
}

try {
  kept = (await describe("attachment")) ?? null;
  const first = await get(base);
  if (kept) files = filesCard({ kind: "assessment", id: first.record, rights: kept.rights, dialog });
  await refresh();
  fill(place, head, actions, items, gaps, put, files?.card ?? null);
} catch (error) { fill(place, make("h1", {}, say("assessment.one")), refusal(error)); tellRefusal(error); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
