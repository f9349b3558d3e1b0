// What administration has in common: names of organisations, where a role holds, what a role may do.
import { get } from "./api.js";
import { make, table } from "./elements.js";
import { lang, named, say } from "./words.js";

export const organisationName = (one) => (lang === "en" && one.name_en) || one.name_zh;

/** As a choice of a form: its id, and what one reads. */
export const organisationChoice = (one) => [one.id, `${organisationName(one)} (${one.id})`];

/** All organisations that one may see, each after the one it belongs to. */
export async function organisationTree() {
  return (await get("/api/v1/organisations?tree=true")).organisations;
}

/** Where a role holds, in words. */
export function whereOf({ path, region }, organisations) {
  const id = path.split("/").filter(Boolean).at(-1);
  const found = organisations.find((one) => one.id === id);
  const parts = [id ? (found ? organisationName(found) : id) : null, region || null].filter(Boolean);
  return parts.length ? parts.join(" · ") : say("administration.everywhere");
}

const kindName = (kind) => { const own = named("right_kind", kind); return own === kind ? named("register", kind) : own; };

/** What a role may do, as a table. */
export function rightsTable(role) {
  const kinds = [...new Set(role.rights.map((one) => one.kind))];
  const said = (one) => { const limits = one.reach.filter((reach) => reach !== "scope"); return named("right", one.action) + (limits.length && !one.reach.includes("scope") ? ` (${limits.map((reach) => named("reach", reach)).join(", ")})` : ""); };
  const shown = table([say("administration.of_kind"), say("administration.rights")], kinds.map((kind) => [kindName(kind), role.rights.filter((one) => one.kind === kind).map(said).join(lang === "zh" ? "、" : ", ")]), { caption: named("role", role.role) });
  shown.classList.add("rights");
  return shown;
}

/** A link that hands over a file of bytes. */
export function handOver(blob, name) {
  const href = URL.createObjectURL(blob);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
