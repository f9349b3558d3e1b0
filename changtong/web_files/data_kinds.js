// The kinds of data sets, as the API tells them: their names, and the files that belong to each.
import { get } from "./api.js";

let asked = null;
/** All kinds that may be uploaded, by name. */
export async function kinds() {
  asked ??= get("/api/v1/datasets/kinds").then((told) => new Map(told.kinds.map((one) => [one.name, one])));
  return asked;
}

const named = (source) => source !== "rows" && !source.startsWith("run ");
/** The kind an input is of, by the first of its sources that is one; undefined where only runs will do. */
export const kindOf = (input) => input.sources.find(named);

/** The kinds that the result of a study can be kept as: of inputs that take its results. */
export function keptAs(offers, study) {
  const takes = (input) => input.sources.some((source) => source.startsWith("run ") && source.slice(4).split("/")[0] === study);
  return [...new Set([...offers.values()].flatMap((offer) => offer.inputs.filter(takes).map(kindOf)).filter(Boolean))];
}
