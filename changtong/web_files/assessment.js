// The assessments that one may see: by card, with the stage reached, what is due, rectifications and the last notice.
import { get } from "./api.js";
import { dueOf, kindOf, nameOf, pathOf, points, stageOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { describe } from "./record_fields.js";
import { say, time } from "./words.js";

const place = byId("assessments"), asked = new URLSearchParams(location.search);
const STATES = ["open", "self_report", "review", "appeal", "final"];

function filters() {
  const select = make("select", { name: "state" }, make("option", { value: "" }, say("shell.all")), STATES.map((one) => make("option", { value: one, selected: one === asked.get("state") }, stageOf(one))));
  select.addEventListener("change", () => {
    if (select.value) asked.set("state", select.value); else asked.delete("state");
    asked.delete("after");
    location.search = asked.toString();
  });
  return make("div", { class: "filters" }, make("label", {}, say("assessment.stage"), select));
}

const put = (counts) => [say("assessment.counts", counts), counts.overdue ? make("b", { class: "late" }, ` ${say("assessment.overdue", counts)}`) : null];
function noticeOf(notice) {
  if (!notice) return "–";
  return say(notice.received_at ? "assessment.received_at" : "assessment.issued_at", { at: time(notice.received_at ?? notice.issued_at), score: points(notice.score) });
}

function ofCard(rows, seesRanking) {
  const [first] = rows;
  const title = nameOf({ name_zh: first.title_zh, name_en: first.title_en });
  return make("section", { class: "card", "data-card": first.card }, make("h2", {}, say("assessment.card_title", { title, year: first.year, version: first.card_version })), kindOf(first),
    make("p", { class: "row" }, seesRanking ? make("a", { class: "button", href: `/assessment/${encodeURIComponent(first.card)}` }, say("assessment.to_round")) : null, make("a", { class: "button", href: `/scorecards/${encodeURIComponent(first.card)}` }, say("assessment.to_card"))),
    table([say("assessment.subject"), say("assessment.stage"), say("assessment.due"), say("assessment.rectifications"), say("assessment.notice")],
      rows.map((one) => [make("a", { href: pathOf(one.card, one.subject_id) }, one.name ?? one.subject_id), stageOf(one.state), dueOf(one.due), make("span", {}, put(one.rectifications)), noticeOf(one.notice)]), { caption: title }));
}

async function show() {
  const query = new URLSearchParams([...asked].filter(([name]) => ["state", "card", "after"].includes(name)));
  const [{ assessments, next }, mark, statement] = await Promise.all([get(`/api/v1/scorecards/assessments?${query}`), describe("mark"), describe("scorecard")]);
  const seesRanking = Boolean(mark && statement);
  if (!assessments.length) {
    const mayKeep = statement?.rights.includes("add");
    fill(place, filters(), make("section", { class: "card empty" }, make("h2", {}, say("assessment.none")), make("p", {}, say(mayKeep ? "assessment.none_keep" : "assessment.none_says")), mayKeep ? make("p", {}, make("a", { class: "button main", href: "/scorecards" }, say("scorecard.title"))) : null));
    return;
  }
  const late = (one) => (one.due?.overdue ? 0 : 1);
  assessments.sort((a, b) => late(a) - late(b) || (a.due?.by ?? "9").localeCompare(b.due?.by ?? "9"));
  const cards = Map.groupBy(assessments, (one) => one.card);
  const onward = new URLSearchParams(asked);
  if (next) onward.set("after", next);
  fill(place, filters(), [...cards.values()].map((rows) => ofCard(rows, seesRanking)), next ? make("p", { class: "row end" }, make("a", { class: "button", rel: "next", href: `?${onward}` }, say("shell.next"))) : null);
}

try { await show(); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
