// The newest notice to one that is assessed, as it was issued, with the items and gaps behind it, to be printed.
import { get } from "./api.js";
import { apiOf, kindOf, nameOf, points, stageOf } from "./assessment_words.js";
import { byId, fill, make, refusal, table } from "./elements.js";
import { count, say, time } from "./words.js";

const place = byId("notice"), { card, subject } = place.dataset;
const number = (text) => ({ text, number: true });

function show(told) {
  const notice = told.notices.at(-1);
  if (!notice) { fill(place, make("h1", {}, say("assessment.notice")), make("p", { class: "note" }, say("assessment.no_notice"))); return; }
  const said = told.statements.find((one) => one.stage === told.state), isOlder = said && said.said_at > notice.issued_at;
  const title = say("assessment.card_title", { title: nameOf(told.card), year: told.card.year, version: told.card.version });
  fill(place, make("p", { class: "row end screen" }, make("button", { type: "button", class: "main", onclick: () => print() }, say("assessment.print"))), make("h1", {}, say("assessment.notice_title")), make("p", {}, make("b", {}, told.subject.name ?? subject)),
    kindOf(told.card), isOlder ? make("p", { class: "notice wrong" }, say("assessment.changed_since")) : null,
    make("p", {}, say(notice.rank ? "assessment.notice_says" : "assessment.notice_says_alone", { card: title, stage: stageOf(notice.stage), score: points(notice.score), rank: `${notice.rank ?? ""}${notice.tied ? "=" : ""}`, peers: count(notice.peers), band: notice.band ?? "–" })),
    notice.complete ? null : make("p", { class: "notice" }, say("assessment.notice_provisional")), notice.note ? make("p", {}, notice.note) : null,
    make("h2", {}, say("assessment.items")), table([say("assessment.item"), number(say("assessment.points")), number(say("assessment.most"))], told.items.map((one) => [nameOf(one), points(one.points), points(one.max_points)]), { caption: say("assessment.items") }),
    told.findings.length ? [make("h2", {}, say("assessment.findings")), table([say("assessment.finding"), say("assessment.day"), number(say("assessment.points"))], told.findings.map((one) => [nameOf(one), one.date, points(one.counted_points)]), { caption: say("assessment.findings") })] : null,
    make("h2", {}, say("assessment.rectifications")), told.rectifications.length ? table([say("assessment.gap"), say("assessment.until")], told.rectifications.map((one) => [one.title, time(one.deadline)]), { caption: say("assessment.rectifications") }) : make("p", {}, say("assessment.no_put")),
    make("p", {}, told.deadlines.appeal_by ? say("assessment.may_appeal_by", { by: told.deadlines.appeal_by }) : say("assessment.may_appeal")),
    notice.received_at ? make("p", { id: "received" }, say("assessment.received_says", { at: time(notice.received_at), words: notice.answer || "–" })) : null,
    make("p", { class: "sign-here" }, make("span", {}, say("assessment.sign_issuer", { at: time(notice.issued_at) })), make("span", {}, say("assessment.sign_subject"))));
}

try { show(await get(apiOf(card, subject))); } catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
