"use strict";
// Inspections filled in on a phone. Nothing is loaded and nothing is sent: drafts stay in this browser's own
// database until they are exported to a file. Every text is set as text, never as HTML.
(() => {
  const { form, texts, file, photo: photoLimits, sites, server } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const items = new Map(form.items.map((item) => [item.id, item]));

  // --- words ---------------------------------------------------------------------------
  let language = root.dataset.language;
  const wanted = new URLSearchParams(location.hash.slice(1)).get("language");
  const kept = (key) => { try { return localStorage.getItem(`changtong-${key}`); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(`changtong-${key}`, value); } catch { /* private window */ } };
  if (["zh", "en"].includes(wanted)) language = wanted;
  else if (["zh", "en"].includes(kept("language"))) language = kept("language");

  const fill = (said, values) => said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  function make(tag, content = [], attributes = {}) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    for (const part of [content].flat()) if (part !== null && part !== undefined) node.append(part);
    return node;
  }
  const both = (zh, en) => zh === en ? [zh] : [make("span", zh, { lang: "zh-CN" }), make("span", en, { lang: "en" })];
  const say = (key, values = {}) => both(fill(texts[key].zh, values), fill(texts[key].en, values));
  const plain = (key, values = {}) => fill(texts[key][language], values);
  const relabel = [];
  function aria(node, key) {
    const set = () => node.setAttribute("aria-label", plain(key));
    relabel.push([node, set]);
    set();
  }
  function applyLanguage() {
    root.dataset.language = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    document.title = [form.title[language], plain("inspection.title"), plain("page.brand")].join(" · ");
    for (const node of document.querySelectorAll("[data-aria]")) node.setAttribute("aria-label", plain(node.dataset.aria));
    for (const node of document.querySelectorAll("[data-set-language]")) {
      node.setAttribute("aria-pressed", String(node.dataset.setLanguage === language));
    }
    for (let k = relabel.length - 1; k >= 0; k -= 1) {
      if (relabel[k][0].isConnected) relabel[k][1](); else relabel.splice(k, 1);
    }
  }
  for (const node of document.querySelectorAll("[data-set-language]")) {
    node.addEventListener("click", () => { language = node.dataset.setLanguage; keep("language", language); applyLanguage(); });
  }
  function tell(key, values) {
    byId("told").replaceChildren(...say(key, values));
    byId("told").hidden = false;
  }

  // --- ids and times -------------------------------------------------------------------
  function newId() { // a random UUID, made here: two phones never make the same one
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }
  function now() { // local time with its offset
    const at = new Date(), shift = -at.getTimezoneOffset(), two = (n) => String(n).padStart(2, "0");
    const zone = `${shift < 0 ? "-" : "+"}${two(Math.floor(Math.abs(shift) / 60))}:${two(Math.abs(shift) % 60)}`;
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${zone}`;
  }
  let device = kept("device");
  if (!/^[0-9a-f-]{36}$/.test(device ?? "")) { device = newId(); keep("device", device); }

  // --- drafts on the device ------------------------------------------------------------
  // A record: {key, stamp, exported, conflict, filled, photos: {id: {media_type, taken_at, bytes: ArrayBuffer}}}.
  // A save looks whether another window has saved since: then this one becomes a version of its own.
  const memory = new Map();
  let database = null;
  const asked = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  async function openDatabase() {
    try {
      const request = indexedDB.open("changtong-inspections", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("records", { keyPath: "key" });
      database = await asked(request);
      if (navigator.storage?.persist) navigator.storage.persist().catch(() => {});
    } catch {
      byId("kept").hidden = false;
    }
  }
  async function allRecords() {
    const records = database
      ? await asked(database.transaction("records").objectStore("records").getAll()) : [...memory.values()];
    return records.filter((one) => one.filled.form.id === form.id)
      .sort((one, other) => other.filled.begun_at.localeCompare(one.filled.begun_at) || one.key.localeCompare(other.key));
  }
  async function putRecord(record) {
    const before = record.stamp;
    record.stamp = newId();
    if (!database) { memory.set(record.key, structuredClone(record)); return; }
    try {
      const done = database.transaction("records", "readwrite");
      const store = done.objectStore("records");
      const there = await asked(store.get(record.key));
      if (there && there.stamp !== before) {
        record.key = newId();
        record.conflict = true;
        tell("inspection.forked");
      }
      await asked(store.put(record));
    } catch {
      byId("kept").hidden = false;
      memory.set(record.key, structuredClone(record));
    }
  }
  async function dropRecord(key) {
    memory.delete(key);
    if (database) await asked(database.transaction("records", "readwrite").objectStore("records").delete(key));
  }

  // --- what the answers mean -----------------------------------------------------------
  const said = (value) => value === undefined || value === null ? "" : String(value);
  const answerOf = (filled, id) => filled.answers[id] ?? {};
  function isAsked(filled, item) {
    if (!item.when) return true;
    const other = items.get(item.when.item);
    return isAsked(filled, other) && item.when.among.includes(said(answerOf(filled, other.id).value));
  }
  function isBad(item, value) {
    if (item.kind === "number") {
      return typeof value === "number" && ((item.below !== undefined && value < item.below) || (item.above !== undefined && value > item.above));
    }
    return (item.bad ?? []).includes(said(value));
  }
  const hasPhotos = (answer) => (answer.photos ?? []).length > 0;
  function isGiven(item, answer) {
    if (item.kind === "photo" || item.kind === "signature") return hasPhotos(answer);
    return answer.value !== undefined && answer.value !== null && answer.value !== "";
  }
  function isWrong(item, value) {
    if (value === undefined || value === null || value === "") return null;
    if (item.kind === "number") {
      const right = typeof value === "number" && value >= (item.least ?? -Infinity) && value <= (item.most ?? Infinity);
      return right ? null : say("inspection.no_number", { least: item.least ?? "…", most: item.most ?? "…" });
    }
    if (item.kind === "waybill") {
      return /^[0-9A-Za-z][0-9A-Za-z -]{4,38}[0-9A-Za-z]$/.test(value.trim()) ? null : say("inspection.no_waybill");
    }
    return null;
  }
  function missingOf(filled) {
    const missing = [];
    for (const key of ["site_id", "inspectors"]) if (!said(filled[key]).trim()) missing.push([`field-${key}`, say(key === "site_id" ? "inspection.site_id" : "inspection.inspectors")]);
    for (const item of form.items) {
      if (!isAsked(filled, item)) continue;
      const answer = answerOf(filled, item.id), bad = isGiven(item, answer) && isBad(item, answer.value);
      const lacks = (!isGiven(item, answer) && item.required) || isWrong(item, answer.value)
        || (item.evidence === "photo_always" && !hasPhotos(answer)) || (item.evidence === "photo_when_bad" && bad && !hasPhotos(answer))
        || (item.evidence === "note_when_bad" && bad && !said(answer.note).trim());
      if (lacks) missing.push([`item-${item.id}`, [...(item.number ? [`${item.number} `] : []), ...both(item.zh, item.en)]]);
    }
    return missing;
  }

  // --- the list ------------------------------------------------------------------------
  async function showList() {
    await settle();
    current = null;
    byId("edit").hidden = true;
    byId("list").hidden = false;
    byId("missing").hidden = true;
    const records = await allRecords();
    byId("none").hidden = records.length > 0;
    byId("drafts").replaceChildren(...records.map(entry));
    const fresh = records.filter((one) => !one.exported && !one.synced);
    for (const [id, key, some] of [["export-new", "inspection.export_new", fresh], ["export-all", "inspection.export_all", records]]) {
      byId(id).replaceChildren(...say(key, { count: some.length }));
      byId(id).hidden = !some.length || (id === "export-all" && fresh.length === records.length);
      byId(id).onclick = () => exportRecords(some);
    }
  }
  function entry(record) {
    const { filled } = record;
    const state = [make("span", say(filled.finished ? "inspection.finished" : "inspection.draft"), { class: "tag" })];
    if (record.exported && !record.synced) state.push(make("span", say("inspection.was_exported"), { class: "tag tag-official" }));
    if (record.synced) state.push(make("span", say("inspection.synced"), { class: "tag tag-official" }));
    if (!record.exported && !record.synced && filled.history.length) state.push(make("span", say("inspection.changed_since"), { class: "tag" }));
    if (record.conflict) state.push(make("span", say("inspection.conflict"), { class: "tag tag-bad" }));
    const open = make("button", say("inspection.open"), { type: "button" });
    open.addEventListener("click", () => showRecord(record));
    const remove = make("button", say("inspection.remove"), { type: "button", class: "plain" });
    remove.addEventListener("click", async () => {
      if (remove.dataset.sure) { await dropRecord(record.key); await showList(); return; }
      remove.dataset.sure = "1";
      remove.replaceChildren(...say("inspection.remove_sure"), ...(record.exported || record.synced ? [] : [" (", ...say("inspection.not_exported"), ")"]));
    });
    return make("li", [
      make("b", filled.site_name || filled.site_id || "–"),
      make("p", `${filled.site_name ? `${filled.site_id} · ` : ""}${filled.begun_at.slice(0, 16).replace("T", " ")}`, { class: "quiet" }),
      make("p", state.flatMap((part) => [part, " "])),
      make("div", [open, remove], { class: "row" }),
    ]);
  }

  // --- one inspection ------------------------------------------------------------------
  let current = null, timer = 0, saving = Promise.resolve();
  function newRecord() {
    const filled = {
      inspection_id: newId(), revision_id: newId(), history: [], device_id: device,
      form: { id: form.id, version: form.version, digest: form.digest },
      site_id: "", site_name: "", inspectors: kept("inspectors") ?? "", begun_at: now(), saved_at: now(), finished: false, answers: {},
    };
    return { key: newId(), stamp: "", exported: false, conflict: false, filled, photos: {} };
  }
  function touch() { // something was changed: after an export that is a new revision, made from the exported one
    const record = current;
    if (!record) return;
    if (record.exported || record.synced) {
      record.filled.history.push(record.filled.revision_id);
      record.filled.revision_id = newId();
      record.exported = false;
      record.synced = false;
    }
    record.filled.saved_at = now();
    byId("saved").replaceChildren();
    clearTimeout(timer);
    timer = setTimeout(settle, 400);
    record.dirty = true;
    refresh();
  }
  function settle() {
    clearTimeout(timer);
    const record = current;
    if (record?.dirty) {
      record.dirty = false;
      const copy = structuredClone(record);
      saving = saving.then(async () => {
        copy.key = record.key;
        copy.stamp = record.stamp;
        copy.conflict = record.conflict;
        await putRecord(copy);
        record.key = copy.key;
        record.stamp = copy.stamp;
        record.conflict = copy.conflict;
        if (current === record && !record.dirty) byId("saved").replaceChildren(...say("inspection.saved"));
      });
    }
    return saving;
  }
  addEventListener("pagehide", settle);
  document.addEventListener("visibilitychange", () => { if (document.hidden) settle(); });

  const shown = new Map();
  function showRecord(record) {
    current = record;
    shown.clear();
    byId("told").hidden = true;
    byId("missing").hidden = true;
    byId("list").hidden = true;
    byId("edit").hidden = false;
    byId("saved").replaceChildren();
    byId("head").replaceChildren(field("site_id", { list: "sites", autocomplete: "off" }), field("site_name"), field("inspectors"),
      make("p", [...say("inspection.begun_at"), " ", record.filled.begun_at.slice(0, 16).replace("T", " ")], { class: "quiet" }),
      make("datalist", sites.map(([id, name]) => make("option", name, { value: id })), { id: "sites" }));
    const parts = [];
    let section = "";
    for (const item of form.items) {
      if (item.section && item.section !== section) {
        const head = form.sections.find((one) => one.id === item.section);
        parts.push(make("h2", both(head.zh, head.en)));
        section = item.section;
      }
      parts.push(card(item));
    }
    byId("items").replaceChildren(...parts);
    refresh();
    scrollTo(0, 0);
  }
  function field(key, attributes = {}) {
    const label = { site_id: say("inspection.site_id"), site_name: say("inspection.site_name"), inspectors: say("inspection.inspectors") }[key];
    const input = make("input", [], { id: `field-${key}`, maxlength: { site_id: "64", site_name: "200", inspectors: "400" }[key], ...attributes });
    input.value = current.filled[key];
    input.addEventListener("input", () => {
      current.filled[key] = input.value;
      if (key === "inspectors") keep("inspectors", input.value);
      const name = key === "site_id" ? sites.find(([id]) => id === input.value)?.[1] : undefined;
      if (name) { current.filled.site_name = name; byId("field-site_name").value = name; }
      touch();
    });
    return make("label", [...label, input], { class: "field" });
  }
  function change(item, part) {
    current.filled.answers[item.id] = { ...answerOf(current.filled, item.id), ...part };
    touch();
  }

  function card(item) {
    const ask = make("div", [item.when ? null : make("b", item.number ?? ""), make("div", [
      make("h3", both(item.zh, item.en), { id: `ask-${item.id}` }),
      item.help_zh || item.help_en ? make("p", both(item.help_zh ?? "", item.help_en ?? ""), { class: "help" }) : null,
      item.basis ? make("p", [...say("inspection.basis"), item.basis], { class: "help" }) : null,
      item.personal ? make("p", say("inspection.personal"), { class: "help" }) : null,
      item.finding?.red_line ? make("span", say("inspection.major"), { class: "tag tag-bad" }) : null,
    ])], { class: "ask" });
    const wrong = make("p", [], { class: "wrong", role: "status" });
    const more = make("div", [], { class: "more" });
    const node = make("div", [ask, answerPart(item), wrong, more], { class: item.when ? "item inner" : "item", id: `item-${item.id}`, role: "group", "aria-labelledby": `ask-${item.id}` });
    const parts = { node, wrong, ...moreParts(item, more) };
    shown.set(item.id, parts);
    drawPhotos(item);
    return node;
  }
  function answerPart(item) {
    const value = answerOf(current.filled, item.id).value;
    const labelled = { "aria-labelledby": `ask-${item.id}` };
    if (item.kind === "tick") {
      const input = make("input", [], { type: "checkbox" });
      input.checked = value === true;
      input.addEventListener("change", () => change(item, { value: input.checked }));
      return make("label", [input, ...say("inspection.fault")], { class: "tick" });
    }
    if (item.kind === "yes_no") {
      return segments(item, [["yes", say("inspection.yes")], ["no", say("inspection.no")], ["na", say("inspection.na")]]);
    }
    if (item.kind === "choice") return segments(item, item.options.map((one) => [one.code, both(one.zh, one.en)]));
    if (item.kind === "number") {
      const input = make("input", [], { type: "text", inputmode: "decimal", autocomplete: "off", ...labelled });
      input.value = said(value);
      input.addEventListener("input", () => {
        const text = input.value.trim().replace(",", "."), number = Number(text);
        // what is no number is kept as it was typed, and told: nothing is dropped without a word
        change(item, { value: text === "" ? null : Number.isFinite(number) ? number : input.value });
      });
      return make("div", [input, ...(item.unit ? both(item.unit.zh, item.unit.en) : [])], { class: "number" });
    }
    if (item.kind === "text" || item.kind === "waybill") {
      const input = item.kind === "text" ? make("textarea", [], { maxlength: "4000", rows: "2", ...labelled })
        : make("input", [], { maxlength: "40", autocomplete: "off", autocapitalize: "characters", ...labelled });
      input.value = said(value);
      input.addEventListener("input", () => change(item, { value: input.value }));
      return input;
    }
    return item.kind === "signature" ? signature(item) : null;
  }
  function segments(item, choices) {
    const group = make("div", [], { class: "segments", role: "group", "aria-labelledby": `ask-${item.id}` });
    const press = () => {
      const value = answerOf(current.filled, item.id).value;
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.code === value));
    };
    for (const [code, label] of choices) {
      const button = make("button", label, { type: "button", "data-code": code });
      button.addEventListener("click", () => { // the same again takes it back
        change(item, { value: answerOf(current.filled, item.id).value === code ? null : code });
        press();
      });
      group.append(button);
    }
    press();
    return group;
  }
  function moreParts(item, more) {
    // what is written down needs no note beside it; pictures belong to the item it is about
    const bare = item.kind === "signature" || (["text", "waybill"].includes(item.kind) && item.evidence === "none");
    if (bare) return { photos: null };
    const answer = answerOf(current.filled, item.id);
    const note = make("textarea", [], { rows: "2", maxlength: "4000", id: `note-${item.id}` });
    note.value = said(answer.note);
    note.addEventListener("input", () => change(item, { note: note.value }));
    const label = make("label", [make("span", say("inspection.note")), note], { class: "field" });
    const opener = make("button", say("inspection.note"), { type: "button", class: "plain" });
    opener.addEventListener("click", () => { label.hidden = false; opener.hidden = true; note.focus(); });
    label.hidden = !said(answer.note);
    opener.hidden = !label.hidden;
    const input = make("input", [], { type: "file", accept: "image/*", multiple: "", id: `photo-${item.id}` });
    input.addEventListener("change", async () => {
      for (const one of [...input.files]) await addPhoto(item, one);
      input.value = "";
    });
    const taken = make("label", [...say("inspection.photo"), input], { class: "button" });
    const photos = make("div", [], { class: "photos" });
    const asks = make("div");
    if (form.rows_ask.includes("rectify")) {
      const group = make("div", [], { class: "segments", role: "group" });
      aria(group, "inspection.rectify");
      const press = () => {
        const value = answerOf(current.filled, item.id).rectify;
        for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.code === String(value)));
      };
      for (const code of [true, false]) {
        const button = make("button", say(code ? "inspection.yes" : "inspection.no"), { type: "button", "data-code": String(code) });
        button.addEventListener("click", () => { change(item, { rectify: answerOf(current.filled, item.id).rectify === code ? null : code }); press(); });
        group.append(button);
      }
      press();
      asks.append(make("p", [...say("inspection.rectify"), make("br"), group], { class: "quiet" }));
    }
    if (form.rows_ask.includes("opinion")) {
      const opinion = make("textarea", [], { rows: "2", maxlength: "4000" });
      opinion.value = said(answer.opinion);
      opinion.addEventListener("input", () => change(item, { opinion: opinion.value }));
      asks.append(make("label", [...say("inspection.opinion"), opinion], { class: "field" }));
    }
    more.append(label, make("div", [opener, taken], { class: "row" }), photos, asks);
    return { photos, asks, label, opener, taken };
  }

  // Looks at every item again: which are asked, which are bad, what is needed.
  function refresh() {
    if (!current) return;
    const { filled } = current;
    let asked_ = 0, answered = 0, found = 0;
    for (const item of form.items) {
      const parts = shown.get(item.id), answer = answerOf(filled, item.id);
      if (!parts) continue;
      const visible = isAsked(filled, item), given = isGiven(item, answer), bad = given && isBad(item, answer.value);
      parts.node.hidden = !visible;
      parts.node.classList.toggle("bad", bad);
      parts.wrong.replaceChildren(...(isWrong(item, answer.value) ?? []));
      if (parts.asks) parts.asks.hidden = !bad;
      if (parts.label) {
        const needed = bad && item.evidence === "note_when_bad";
        if (needed) { parts.label.hidden = false; parts.opener.hidden = true; }
        parts.label.firstChild.replaceChildren(...say(needed ? "inspection.note_needed" : "inspection.note"));
        const wants = item.evidence === "photo_always" || (bad && item.evidence === "photo_when_bad");
        if (wants && !hasPhotos(answer)) parts.wrong.append(...say("inspection.photo_needed"));
      }
      if (visible) { asked_ += 1; answered += given ? 1 : 0; found += bad ? 1 : 0; }
    }
    byId("progress").replaceChildren(...say("inspection.progress", { answered, asked: asked_ }));
    byId("found").replaceChildren(...say("inspection.findings", { count: found }));
    byId("found").classList.toggle("some", found > 0);
    byId("finish").replaceChildren(...say(filled.finished ? "inspection.finished" : "inspection.finish"));
    byId("share").hidden = !navigator.canShare;
  }

  // --- photos and signatures -----------------------------------------------------------
  // Drawing a photo anew leaves everything behind that the camera wrote into it, position included.
  async function addPhoto(item, blob) {
    const record = current;
    if (Object.keys(record.photos).length >= form.most_photos) { tell("inspection.photo_many", { most: form.most_photos }); return; }
    let scaled;
    try { scaled = await scaledDown(blob); } catch { tell("inspection.photo_bad"); return; }
    if (current !== record) return;
    const id = newId();
    record.photos[id] = { media_type: "image/jpeg", taken_at: now(), bytes: await scaled.arrayBuffer() };
    change(item, { photos: [...(answerOf(record.filled, item.id).photos ?? []), id] });
    drawPhotos(item);
  }
  async function scaledDown(blob) {
    const picture = await createImageBitmap(blob, { imageOrientation: "from-image" });
    let side = photoLimits.longest_side, made = null;
    for (let turn = 0; turn < 4; turn += 1, side = Math.round(side * 0.7)) {
      const share = Math.min(1, side / Math.max(picture.width, picture.height));
      const canvas = make("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * share));
      canvas.height = Math.max(1, Math.round(picture.height * share));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      made = await new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", 0.8); });
      if (made.size <= photoLimits.bytes) break;
    }
    picture.close();
    return made;
  }
  function dropPhoto(item, id) {
    delete current.photos[id];
    change(item, { photos: (answerOf(current.filled, item.id).photos ?? []).filter((one) => one !== id) });
    drawPhotos(item);
  }
  function drawPhotos(item) {
    const parts = shown.get(item.id);
    if (!parts?.photos) return;
    const ids = answerOf(current.filled, item.id).photos ?? [];
    parts.photos.replaceChildren(...ids.map((id) => {
      const canvas = make("canvas", [], { width: "192", height: "192", role: "img" });
      aria(canvas, "inspection.photo");
      const held = current.photos[id];
      if (held) {
        createImageBitmap(new Blob([held.bytes], { type: held.media_type })).then((picture) => {
          const share = Math.max(192 / picture.width, 192 / picture.height);
          const [wide, high] = [picture.width * share, picture.height * share];
          canvas.getContext("2d").drawImage(picture, (192 - wide) / 2, (192 - high) / 2, wide, high);
        }).catch(() => {});
      }
      const remove = make("button", say("inspection.photo_remove"), { type: "button", class: "plain" });
      remove.addEventListener("click", () => dropPhoto(item, id));
      return make("figure", [canvas, remove]);
    }));
  }
  function signature(item) {
    const canvas = make("canvas", [], { width: "900", height: "300", class: "sign", role: "img" });
    aria(canvas, "inspection.sign");
    const pen = canvas.getContext("2d");
    pen.lineWidth = 5;
    pen.lineCap = "round";
    let drawing = false;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
    };
    const old = () => answerOf(current.filled, item.id).photos ?? [];
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      drawing = true;
      pen.beginPath();
      pen.moveTo(...place(event));
    });
    canvas.addEventListener("pointermove", (event) => { if (drawing) { pen.lineTo(...place(event)); pen.stroke(); } });
    canvas.addEventListener("pointerup", () => {
      if (!drawing) return;
      drawing = false;
      const record = current;
      canvas.toBlob(async (blob) => {
        if (current !== record) return;
        const id = newId(), bytes = await blob.arrayBuffer();
        for (const one of old()) delete record.photos[one];
        record.photos[id] = { media_type: "image/png", taken_at: now(), bytes };
        change(item, { photos: [id] });
      }, "image/png");
    });
    const held = current.photos[old()[0]];
    if (held) createImageBitmap(new Blob([held.bytes], { type: held.media_type })).then((picture) => pen.drawImage(picture, 0, 0)).catch(() => {});
    const clear = make("button", say("inspection.clear"), { type: "button", class: "plain" });
    clear.addEventListener("click", () => {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      for (const one of old()) delete current.photos[one];
      change(item, { photos: [] });
    });
    return make("div", [canvas, clear]);
  }

  // --- out and in ----------------------------------------------------------------------
  const inBase64 = (bytes) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([bytes]));
  });
  const names = (text) => text.split(/[;；]/).map((one) => one.trim()).filter(Boolean);
  async function asFilled(record) {
    const used = new Set(Object.values(record.filled.answers).flatMap((answer) => answer.photos ?? []));
    const photos = {};
    for (const [id, photo] of Object.entries(record.photos)) {
      if (used.has(id)) photos[id] = { media_type: photo.media_type, taken_at: photo.taken_at, data: await inBase64(photo.bytes) };
    }
    return { ...record.filled, inspectors: names(record.filled.inspectors), photos };
  }
  async function asFile(records) {
    const inspections = [];
    for (const record of records) inspections.push(await asFilled(record));
    const content = { changtong: file, exported_at: now(), device_id: device, inspections };
    const name = `inspection-${form.id}-${now().slice(0, 16).replace(/[-:T]/g, "")}-${device.slice(0, 4)}.json`;
    return new File([JSON.stringify(content)], name, { type: "application/json" });
  }
  async function markExported(records) {
    for (const record of records) { record.exported = true; await putRecord(record); }
  }
  async function exportRecords(records) {
    await settle();
    const made = await asFile(records);
    const link = make("a", [], { href: URL.createObjectURL(made), download: made.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    await markExported(records);
    if (!current) await showList();
    tell("inspection.exported_note", { count: records.length, file: made.name });
  }
  async function shareCurrent() {
    await settle();
    const record = current, made = await asFile([record]);
    if (!navigator.canShare?.({ files: [made] })) { await exportRecords([record]); return; }
    try { await navigator.share({ files: [made], title: made.name }); } catch { return; } // not shared: nothing is marked
    await markExported([record]);
    tell("inspection.exported_note", { count: 1, file: made.name });
  }
  async function importFile(blob) {
    let content;
    try { content = JSON.parse(await blob.text()); } catch { content = null; }
    if (content?.changtong?.kind !== file.kind || !Array.isArray(content.inspections)) { tell("inspection.import_failed"); return; }
    const counts = { fresh: 0, newer: 0, known: 0, conflicts: 0, others: 0 };
    for (const one of content.inspections) {
      if (one?.form?.id !== form.id || one.form.version !== form.version || !Array.isArray(one.history) || typeof one.answers !== "object") { counts.others += 1; continue; }
      const same = (await allRecords()).filter((record) => record.filled.inspection_id === one.inspection_id);
      let record;
      try { record = asRecord(one); } catch { counts.others += 1; continue; }
      const older = same.find((other) => one.history.includes(other.filled.revision_id));
      if (same.some((other) => other.filled.revision_id === one.revision_id || other.filled.history.includes(one.revision_id))) counts.known += 1;
      else if (older) { await putRecord({ ...record, key: older.key, stamp: older.stamp }); counts.newer += 1; }
      else if (same.length) { await putRecord({ ...record, conflict: true }); counts.conflicts += 1; }
      else { await putRecord(record); counts.fresh += 1; }
    }
    await showList();
    tell("inspection.imported_note", counts);
  }
  function asRecord(one) {
    const photos = {};
    for (const [id, photo] of Object.entries(one.photos ?? {})) {
      const bytes = Uint8Array.from(atob(photo.data), (sign) => sign.charCodeAt(0)).buffer;
      photos[id] = { media_type: photo.media_type, taken_at: photo.taken_at, bytes };
    }
    const { photos: _, ...filled } = one;
    filled.inspectors = (one.inspectors ?? []).join("; ");
    return { key: newId(), stamp: "", exported: true, conflict: false, filled, photos };
  }

  byId("new").addEventListener("click", () => showRecord(newRecord()));
  byId("back").addEventListener("click", showList);
  byId("export-one").addEventListener("click", async () => { current.dirty = true; await exportRecords([current]); });
  byId("share").addEventListener("click", shareCurrent);
  byId("import").addEventListener("change", async (event) => {
    for (const one of [...event.target.files]) await importFile(one);
    event.target.value = "";
  });
  byId("finish").addEventListener("click", () => {
    const missing = missingOf(current.filled), box = byId("missing");
    const end = async () => { current.filled.finished = true; touch(); await showList(); dispatchEvent(new Event("inspection-finished")); };
    if (!missing.length) { end(); return; }
    const anyway = make("button", say("inspection.finish_anyway"), { type: "button" });
    anyway.addEventListener("click", end);
    box.replaceChildren(make("p", say("inspection.missing", { count: missing.length })),
      make("ul", missing.map(([id, label]) => make("li", make("a", label, { href: `#${id}` })))), anyway);
    box.hidden = false;
    box.scrollIntoView({ block: "center" });
  });

  // For the script that sends to a server, where there is one: records that wait, one as a file's text, and what was taken.
  window.inspections = {
    server, say, make,
    waiting: async () => { await settle(); return (await allRecords()).filter((one) => one.filled.finished && !one.synced); },
    text: async (record) => (await asFile([record])).text(),
    taken: async (record) => {
      const there = (await allRecords()).find((one) => one.key === record.key);
      if (!there || there.filled.revision_id !== record.filled.revision_id) return; // changed meanwhile: it waits again
      there.synced = true;
      await putRecord(there);
      if (!current) await showList();
    },
  };

  applyLanguage();
  openDatabase().then(() => current || showList()); // someone quick may have begun already
})();
