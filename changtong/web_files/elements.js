// Elements made by hand. All text is set as text, never as HTML: names are foreign data.
import { say } from "./words.js";

export function make(tag, attributes = {}, ...parts) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const part of parts.flat(3)) if (part !== null && part !== undefined && part !== false) node.append(part);
  return node;
}
export const byId = (id) => document.getElementById(id);
export function fill(node, ...parts) { node.replaceChildren(...parts.flat(3).filter((part) => part !== null && part !== undefined && part !== false)); return node; }

/** Say something at the foot of the page for a while; `undo` adds a button that takes back what was done. */
export function tell(text, { wrong = false, undo = null } = {}) {
  const place = byId("told");
  const note = make("p", { class: wrong ? "toast wrong" : "toast" }, text);
  if (undo) note.append(make("button", { type: "button", onclick: async () => { note.remove(); await undo(); } }, say("shell.undo")));
  place.append(note);
  setTimeout(() => note.remove(), undo ? 12000 : 7000);
}

/** What a refusal, or one problem of it, says in the page's language, and below it smaller what exactly, in English. */
export const wordsOf = (one, detail = one.message) => (one.title ? [one.title, make("small", { class: "detail", lang: "en" }, detail)] : [detail]);

/** What stands above the list of problems. */
const firstLine = (error) => error.message.split("\n")[0];

/** Tell at the foot of the page that what was asked for did not work, and why. */
export function tellRefusal(error) {
  const [why, ...detail] = wordsOf(error, firstLine(error));
  tell(make("span", {}, say("shell.failed", { why }), detail), { wrong: true });
}

/** Tell a refusal: the words, and each thing that is wrong. */
export function refusal(error) {
  const problems = error.problems ?? [];
  const parts = [make("p", {}, wordsOf(error, problems.length ? firstLine(error) : error.message))];
  if (problems.length) {
    parts.push(make("ul", {}, problems.map((one) => make("li", {},
      make("b", {}, [one.file, one.row, one.column].filter((part) => part !== undefined && part !== null).join(" · ")), " ",
      wordsOf(one, `${one.message}${one.expected ? ` (${one.expected})` : ""}${one.hint ? ` ${one.hint}` : ""}`)))));
  }
  if (error.requestId) parts.push(make("p", { class: "note" }, say("shell.request", { id: error.requestId })));
  return make("div", { class: "notice wrong", role: "alert" }, parts);
}

/** A table with a heading row; cells are text or elements; numbers stand right. */
export function table(heads, rows, { caption = "" } = {}) {
  const isNumber = heads.map((head) => typeof head === "object" && head.number);
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, make("table", {},
    caption ? make("caption", { class: "unseen" }, caption) : null,
    make("thead", {}, make("tr", {}, heads.map((head, k) => make("th", { scope: "col", class: isNumber[k] ? "n" : null }, head.text ?? head)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, k) => make(k ? "td" : "th", { scope: k ? null : "row", class: isNumber[k] ? "n" : null }, cell)))))));
}
