// Files brought in as a data set: sent with their kind and an id; what is wrong with them is told at once.
import { ask } from "./api.js";
import { kinds } from "./data_kinds.js";
import { fill, make, refusal, tell } from "./elements.js";
import { nameOf } from "./offers.js";
import { say } from "./words.js";

/** The endings that a browser offers first; nothing where some name has none. */
const endings = (patterns) => (patterns.every((one) => /\.\w+$/.test(one)) ? [...new Set([...patterns.map((one) => one.slice(one.lastIndexOf("."))), ".zip"])].join(",") : "");

/** Open the dialog; `done` gets the id of what was kept, and its kind. */
export async function openUpload(dialog, names, done) {
  const known = await kinds(), some = names.filter((name) => known.has(name)).map((name) => known.get(name));
  const files = make("input", { type: "file", name: "files", multiple: true, required: true }), taken = make("small", {});
  const choose = (name) => {
    const patterns = known.get(name).files;
    files.accept = endings(patterns);
    taken.textContent = say("data.taken", { files: patterns.join(", ") });
  };
  const wrong = make("div", { "aria-live": "assertive" });
  const progress = make("progress", { hidden: true });
  const form = make("form", { onsubmit: (event) => { event.preventDefault(); send(); } },
    make("h2", { id: "h-upload" }, say("studies.upload")),
    some.length > 1 ? make("label", {}, say("studies.kind"), make("select", { name: "kind", onchange: (event) => choose(event.target.value) }, some.map((kind) => make("option", { value: kind.name }, nameOf(kind))))) : make("input", { type: "hidden", name: "kind", value: some[0].name }),
    make("label", {}, say("studies.id"), make("input", { name: "id", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}", autocomplete: "off" }), make("small", {}, say("studies.id_says"))),
    make("label", {}, say("studies.files"), files, taken),
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
      await done(kept.id, kept.kind);
    } catch (error) { fill(wrong, refusal(error)); } finally { button.disabled = false; progress.hidden = true; }
  }
  choose(some[0].name);
  fill(dialog, form);
  dialog.showModal();
}
