// A scorecard kept from the files of its folder; what is wrong with them is told all at once, each with its place.
import { post } from "./api.js";
import { fill, make, refusal } from "./elements.js";
import { say } from "./words.js";

const PIECE = 0x8000;

/** Text of a file: UTF-8, or GB 18030 as spreadsheets write it; nothing that is neither. */
async function textOf(file) {
  const bytes = await file.arrayBuffer();
  for (const encoding of ["utf-8", "gb18030"]) {
    try { return new TextDecoder(encoding, { fatal: true }).decode(bytes); } catch { /* the next one */ }
  }
  throw new Error(say("scorecard.no_text", { file: file.name }));
}
async function packed(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let k = 0; k < bytes.length; k += PIECE) text += String.fromCharCode(...bytes.subarray(k, k + PIECE));
  return btoa(text);
}

/** What is sent of the files that were chosen. */
async function bodyOf(files, reason) {
  const body = { files: {}, workbooks: {}, reason };
  for (const file of files) {
    if (/\.xlsx$/i.test(file.name)) body.workbooks[file.name.replace(/\.xlsx$/i, ".xlsx")] = await packed(file);
    else if (/\.(toml|csv|json)$/i.test(file.name)) body.files[file.name.replace(/\.\w+$/, (end) => end.toLowerCase())] = await textOf(file);
    else throw new Error(say("scorecard.other_file", { file: file.name }));
  }
  return body;
}

export function keepForm({ isOpen }) {
  const wrong = make("div", { "aria-live": "assertive", id: "keep-wrong" }), progress = make("progress", { hidden: true });
  let key = crypto.randomUUID();
  const form = make("form", { class: "form", id: "keep", onsubmit: async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    progress.hidden = false;
    fill(wrong);
    try {
      const made = await post("/api/v1/scorecards", await bodyOf(form.elements.namedItem("files").files, form.elements.namedItem("reason").value.trim()), { "Idempotency-Key": key });
      location.href = `/scorecards/${encodeURIComponent(made.card)}`;
    } catch (error) {
      fill(wrong, refusal(error));
      wrong.scrollIntoView({ block: "nearest" });
      key = crypto.randomUUID(); // other files are another request
    } finally { button.disabled = false; progress.hidden = true; }
  } }, make("p", { class: "note" }, say("scorecard.keep_says")),
  make("label", {}, say("scorecard.files"), make("input", { type: "file", name: "files", multiple: true, required: true, accept: ".toml,.csv,.xlsx,.json" }), make("small", {}, say("scorecard.files_say"))),
  make("label", {}, say("registers.why"), make("input", { name: "reason", autocomplete: "off" })), progress, wrong,
  make("div", { class: "row end" }, make("button", { type: "submit", class: "main" }, say("scorecard.keep"))));
  return make("details", { class: "card", open: isOpen }, make("summary", {}, make("b", {}, say("scorecard.keep"))), form);
}
