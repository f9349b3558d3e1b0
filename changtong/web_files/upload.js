// Files brought in as a data set: sent with their kind and an id; what is wrong with them is told at once.
import { ask } from "./api.js";
import { fill, make, refusal, tell } from "./elements.js";
import { say } from "./words.js";

/** Open the dialog; `done` gets the id of what was kept. */
export function openUpload(dialog, kinds, done) {
  const wrong = make("div", { "aria-live": "assertive" });
  const progress = make("progress", { hidden: true });
  const form = make("form", { onsubmit: (event) => { event.preventDefault(); send(); } },
    make("h2", { id: "h-upload" }, say("studies.upload")),
    kinds.length > 1 ? make("label", {}, say("studies.kind"), make("select", { name: "kind" }, kinds.map((kind) => make("option", {}, kind)))) : make("input", { type: "hidden", name: "kind", value: kinds[0] }),
    make("label", {}, say("studies.id"), make("input", { name: "id", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}", autocomplete: "off" }), make("small", {}, say("studies.id_says"))),
    make("label", {}, say("studies.files"), make("input", { type: "file", name: "files", multiple: true, required: true }), make("small", {}, say("studies.files_say"))),
    progress, wrong,
    make("div", { class: "row end" }, make("button", { type: "button", onclick: () => dialog.close() }, say("shell.cancel")), make("button", { class: "main", type: "submit" }, say("studies.send"))));
  async function send() {
    const button = form.querySelector("button.main");
    button.disabled = true;
    progress.hidden = false;
    try {
      const kept = await ask("POST", "/api/v1/datasets", new FormData(form));
      dialog.close();
      tell(say("studies.kept", { id: kept.id }));
      done(kept.id);
    } catch (error) { fill(wrong, refusal(error)); } finally { button.disabled = false; progress.hidden = true; }
  }
  fill(dialog, form);
  dialog.showModal();
}
