// What stands around every page: language, theme, who is signed in.
import { ask } from "./api.js";
import { byId, make, tellRefusal } from "./elements.js";
import { lang, say } from "./words.js";

const keep = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict${location.protocol === "https:" ? "; secure" : ""}`; };

byId("language").addEventListener("click", () => {
  keep("lang", lang === "zh" ? "en" : "zh");
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  location.replace(address);
});

const root = document.documentElement;
byId("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("theme", root.dataset.theme);
  dispatchEvent(new CustomEvent("theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new CustomEvent("theme")));

byId("sign-out")?.addEventListener("click", async () => {
  await ask("DELETE", "/api/v1/session");
  sessionStorage.clear(); // what was drafted is nothing for whoever signs in next
  location.href = "/sign-in";
});

const who = document.querySelector("details.who");
who?.addEventListener("toggle", async () => {
  if (!who.open || who.dataset.asked) return;
  who.dataset.asked = "yes";
  try {
    const session = await ask("GET", "/api/v1/session");
    byId("who").append(make("b", {}, session.user_name ?? session.user_id), ...session.roles.map((one) => make("span", { class: "label" }, one.role)));
  } catch (error) { tellRefusal(error); }
});
addEventListener("click", (event) => { if (who?.open && !who.contains(event.target)) who.open = false; });
addEventListener("keydown", (event) => { if (event.key === "Escape" && who?.open) { who.open = false; who.querySelector("summary").focus(); } });

addEventListener("unhandledrejection", (event) => tellRefusal(event.reason instanceof Error ? event.reason : { message: "" }));
