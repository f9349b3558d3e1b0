// A field that finds sites by name or id: arrows, Enter and Escape work as in any list of choices.
import { fill, make } from "./elements.js";
import { say } from "./words.js";

const FOUND = 30;

export function siteSearch(field, list, columns, pick) {
  let at = -1;
  const close = () => { list.hidden = true; field.setAttribute("aria-expanded", "false"); field.removeAttribute("aria-activedescendant"); };
  const take = (row) => { close(); field.value = ""; pick(row); };
  field.addEventListener("input", () => {
    const text = field.value.trim().toLowerCase(), sites = columns()?.sites;
    at = -1;
    if (!text || !sites) { close(); return; }
    const rows = sites.id.map((_, row) => row).filter((row) => sites.id[row].toLowerCase().includes(text) || sites.name?.[row]?.toLowerCase().includes(text));
    fill(list, rows.slice(0, FOUND).map((row, k) => make("li", { role: "option", id: `${list.id}-${k}`, "data-row": row, onclick: () => take(row) }, `${sites.name?.[row] ?? ""} ${sites.id[row]}`)),
      rows.length ? null : make("li", { role: "option", "aria-disabled": "true" }, say("situation.nothing_found")));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
  });
  field.addEventListener("keydown", (event) => {
    const options = [...list.querySelectorAll("[data-row]")];
    if (event.key === "Escape") { close(); return; }
    if (list.hidden || !options.length) return;
    if (event.key === "Enter") { event.preventDefault(); take(Number(options[Math.max(0, at)].dataset.row)); return; }
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    at = event.key === "ArrowDown" ? (at + 1) % options.length : (at <= 0 ? options.length : at) - 1;
    options.forEach((node, k) => node.setAttribute("aria-selected", String(k === at)));
    field.setAttribute("aria-activedescendant", options[at].id);
    options[at].scrollIntoView({ block: "nearest" });
  });
}
