// A run's state as a sign with a word.
import { make } from "./elements.js";
import { named } from "./words.js";

export const stateOf = (run) => make("span", { class: `state ${run.state}` }, named("runs", run.state));
