"use strict";
// The page around the map: language, theme, search in the sort-plan changes. No outside request.
const report = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const listeners = [];
  const wanted = new URLSearchParams(location.hash.slice(1));

  function kept(key) {
    try { return localStorage.getItem(`changtong-${key}`); } catch { return null; }
  }
  function keep(key, value) {
    try { localStorage.setItem(`changtong-${key}`, value); } catch { /* private window: not kept */ }
  }

  let language = root.dataset.language;
  if (["zh", "en"].includes(wanted.get("language"))) language = wanted.get("language");
  else if (["zh", "en"].includes(kept("language"))) language = kept("language");
  let theme = wanted.get("theme") ?? kept("theme")
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  const say = (key, values = {}) => {
    const known = data.texts[key];
    if (!known) return key.slice(key.indexOf(".") + 1);
    return known[language].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
  const whole = (value) => value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
  const percent = (share) => share === null || share === undefined ? "–" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

  // All text is set as text, never as HTML: names are foreign data.
  function make(tag, content, attributes = {}) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    for (const part of [content].flat()) if (part !== null && part !== undefined) node.append(part);
    return node;
  }

  function applyLanguage() {
    root.dataset.language = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    document.title = [document.title.split(" · ")[0], say("page.title"), say("page.brand")].join(" · ");
    for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
    for (const node of document.querySelectorAll("[data-aria]")) node.setAttribute("aria-label", say(node.dataset.aria));
    for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = say(node.dataset.placeholder);
    for (const node of document.querySelectorAll(".map-buttons [data-aria]")) node.title = say(node.dataset.aria);
    for (const node of document.querySelectorAll("[data-set-language]")) {
      node.setAttribute("aria-pressed", String(node.dataset.setLanguage === language));
    }
    for (const listener of listeners) listener();
  }
  function applyTheme() {
    root.dataset.theme = theme;
    for (const listener of listeners) listener();
  }
  for (const node of document.querySelectorAll("[data-set-language]")) {
    node.addEventListener("click", () => { language = node.dataset.setLanguage; keep("language", language); applyLanguage(); });
  }
  document.getElementById("theme").addEventListener("click", () => {
    theme = theme === "dark" ? "light" : "dark"; keep("theme", theme); applyTheme();
  });
  document.getElementById("print").addEventListener("click", () => print());

  // Sections fold; on a phone only the first is open. All are printed.
  const folds = [...document.querySelectorAll("section > details")];
  if (matchMedia("(max-width: 640px)").matches) for (const fold of folds) fold.open = fold === folds[0];
  addEventListener("beforeprint", () => {
    for (const fold of folds) fold.open = true;
    root.dataset.theme = "light"; // paper is white; the map is drawn again at once
    for (const listener of listeners) listener();
  });
  addEventListener("afterprint", applyTheme);
  function unfold(id) {
    const fold = document.querySelector(`#${id} > details`);
    if (fold) fold.open = true;
  }
  for (const link of document.querySelectorAll(".contents a")) link.addEventListener("click", () => unfold(link.hash.slice(1)));

  // The searchable table of sort-plan changes.
  const changes = data.changes;
  const names = data.sites.name;
  const placeName = (index) => index < 0 ? "–" : names[index];
  const className = (index) => index < 0 ? say("js.all_classes") : data.classes[index][language];
  const search = document.getElementById("changes-search");
  let rowsWanted = 50;

  function matching() {
    const asked = search.value.trim().toLowerCase();
    const rows = [];
    const hit = asked ? names.map((name, i) => name.toLowerCase().includes(asked) || data.sites.id[i].toLowerCase() === asked) : null;
    for (let i = 0; i < changes.site.length; i += 1) {
      if (!hit || hit[changes.site[i]] || hit[changes.for[i]] || hit[changes.to[i]] || hit[changes.was[i]]) rows.push(i);
    }
    return rows;
  }
  function fillChanges() {
    if (!search) return;
    const rows = matching();
    const body = document.querySelector("#changes-table tbody");
    body.replaceChildren(...rows.slice(0, rowsWanted).map((i) => make("tr", [
      make("th", placeName(changes.site[i]), { scope: "row" }), make("td", placeName(changes.for[i])),
      make("td", className(changes.class[i]), { class: "short" }),
      make("td", changes.was[i] < 0 ? say("js.unknown") : placeName(changes.was[i])),
      make("td", make("b", placeName(changes.to[i]))), make("td", whole(changes.pieces[i]), { class: "n" }),
    ])));
    if (!rows.length) body.replaceChildren(make("tr", make("td", say("js.no_match"), { colspan: "6" })));
    const said = [say("js.rows", { shown: whole(Math.min(rows.length, rowsWanted)), matching: whole(rows.length) })];
    if (changes.total > changes.site.length) {
      said.push(say("js.rows_cut", { embedded: whole(changes.site.length), total: whole(changes.total) }));
    }
    document.getElementById("changes-count").textContent = said.join(" ");
    document.getElementById("changes-more").hidden = rows.length <= rowsWanted;
  }
  if (search) {
    let timer = 0;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => { rowsWanted = 50; fillChanges(); }, 120);
    });
    document.getElementById("changes-more").addEventListener("click", () => { rowsWanted += 200; fillChanges(); });
    listeners.push(fillChanges);
  }
  function searchChanges(name) {
    if (!search) return;
    search.value = name;
    rowsWanted = 50;
    fillChanges();
    unfold("changes");
    document.getElementById("changes").scrollIntoView();
  }

  return {
    data, say, whole, percent, make, wanted, searchChanges,
    onChange: (listener) => listeners.push(listener),
    start: () => { root.dataset.theme = theme; applyLanguage(); },
  };
})();
