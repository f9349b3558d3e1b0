// Backups made, listed, verified, downloaded; everything exported; after how long an idle session ends.
import { ask, download, get, post } from "./api.js";
import { askFor } from "./ask_for.js";
import { handOver } from "./admin_names.js";
import { byId, fill, make, refusal, tell, tellRefusal } from "./elements.js";
import { count, named, say, time } from "./words.js";

const place = byId("part"), dialog = byId("ask"), list = make("div", { id: "backups" });

async function show() {
  const { backups } = await get("/api/v1/backups");
  fill(list, backups.length ? make("ul", { class: "plainlist" }, backups.map((id) => {
    const verdict = make("span", { class: "note", "aria-live": "polite" });
    return make("li", { class: "row" }, make("code", {}, id), make("button", { type: "button", "data-check": id, "aria-label": `${say("administration.check")} ${id}`, onclick: async () => {
      try {
        const told = await get(`/api/v1/backups/${id}`);
        const rows = typeof told.rows === "number" ? told.rows : Object.values(told.rows).reduce((sum, one) => sum + one, 0);
        fill(verdict, say("administration.check_done", { rows: count(rows), files: count(told.files), at: time(told.made_at) }));
      } catch (error) { fill(verdict, refusal(error)); }
    } }, say("administration.check")), make("a", { class: "button", href: `/api/v1/backups/${id}/content`, download: `${id}.zip`, "aria-label": `${say("administration.download_zip")} ${id}` }, say("administration.download_zip")), verdict);
  })) : make("p", { class: "note" }, say("administration.no_backups")));
}

async function backUp(event) {
  event.target.disabled = true;
  try { await post("/api/v1/backups"); await show(); tell(say("administration.done")); } catch (error) { tellRefusal(error); } finally { event.target.disabled = false; }
}

function exportAll() {
  askFor(dialog, { title: say("administration.export"), says: say("administration.export_says"), go: say("administration.export"), fields: [
    { name: "format", label: say("administration.kind"), choices: [["csv", "CSV"], ["jsonl", "JSON lines"]] },
    { name: "personal", label: say("administration.with_personal"), choices: [["", say("administration.without_personal")], ["yes", say("administration.with_personal")]] },
    { name: "reason", label: say("administration.give_reason"), type: "text", required: true }] },
  async (values) => handOver(await download("/api/v1/exports", { ...values, personal: values.personal === "yes" }), "registers.zip"));
}

try {
  const { idle_minutes: idle, second_factor_for: asked } = await get("/api/v1/settings");
  fill(place, make("section", { class: "card" }, make("h2", {}, say("administration.backup")), make("p", { class: "note" }, say("administration.backup_says")), list,
    make("p", { class: "row end" }, make("button", { type: "button", class: "main", id: "back-up", onclick: backUp }, say("administration.make_backup")))),
  make("section", { class: "card" }, make("h2", {}, say("administration.export")), make("p", { class: "note" }, say("administration.export_says")), make("p", { class: "row end" }, make("button", { type: "button", onclick: exportAll }, say("administration.export")))),
  make("section", { class: "card" }, make("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    try { await ask("PATCH", "/api/v1/settings", { idle_minutes: Number(event.target.elements.namedItem("idle").value), second_factor_for: event.target.elements.namedItem("factor").value }); tell(say("administration.done")); } catch (error) { tellRefusal(error); }
  } }, make("label", {}, say("administration.idle"), make("input", { name: "idle", type: "number", min: "1", max: "720", required: true, value: String(idle) })), make("label", {}, say("administration.need_factor"), make("select", { name: "factor" }, ["nobody", "administrators", "everybody"].map((one) => make("option", { value: one, selected: one === asked }, named("factor_for", one))))), make("button", { type: "submit" }, say("administration.save")))));
  await show();
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
