// The registers that one may see, in groups, with how many records each has.
import { get } from "./api.js";
import { byId, fill, make, refusal } from "./elements.js";
import { count, named, say } from "./words.js";

const place = byId("registers");
try {
  const known = new Set((await get("/api/v1/records")).kinds.map((one) => one.kind));
  for (const card of place.querySelectorAll("[data-kind]")) {
    const { kind } = card.dataset;
    if (!known.has(kind)) { card.remove(); continue; }
    fill(card, make("a", { href: `/registers/${kind}` }, make("b", {}, named("register", kind)), make("small", { class: "of" }, "…")));
  }
  for (const group of place.querySelectorAll("section")) if (!group.querySelector("li")) group.remove();
  if (!place.children.length) fill(place, make("section", { class: "card empty" }, make("h2", {}, say("registers.none")), make("p", {}, say("registers.none_says"))));
  for (const card of place.querySelectorAll("[data-kind]")) {
    const { count: all } = await get(`/api/v1/records/${card.dataset.kind}?limit=1&count=true`);
    fill(card.querySelector(".of"), say("registers.of_count", { count: count(all) }));
  }
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
