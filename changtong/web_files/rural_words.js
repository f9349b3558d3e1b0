// Days of the week as a plan writes them, "135", in short words.
import { lang, named } from "./words.js";

export const days = (text) => [...(text ?? "")].map((one) => named("weekday_short", one)).join(lang === "zh" ? "" : " ");
