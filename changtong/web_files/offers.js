// What may be studied, as the API tells it, in the page's language.
import { get } from "./api.js";
import { lang } from "./words.js";

let asked = null;
/** All studies, by name. */
export async function offers() {
  asked ??= get("/api/v1/studies").then((told) => new Map(told.studies.map((one) => [one.name, one])));
  return asked;
}
export const nameOf = (one) => one?.[lang] ?? one?.en ?? one?.name ?? "";
export const saysOf = (one) => one?.[`says_${lang}`] || one?.says_en || "";
