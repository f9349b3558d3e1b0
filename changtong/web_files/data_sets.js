// The data sets: what there is by kind, what is in each and what it is used in; uploaded and removed here.
import { ask, get } from "./api.js";
import { askFor } from "./ask_for.js";
import { kindOf, kinds } from "./data_kinds.js";
import { byId, fill, make, refusal, table, tell } from "./elements.js";
import { nameOf, offers } from "./offers.js";
import { userNames } from "./record_fields.js";
import { openUpload } from "./upload.js";
import { count, lang, say, size, time } from "./words.js";

const IN_FOLDER = ["network", "log"]; // those that may have been put into the data folder by hand
const place = byId("data"), adds = Boolean(place.dataset.adds), changes = Boolean(place.dataset.changes);
const order = new Intl.Collator(lang, { numeric: true });

async function all(kind = "") {
  const found = [];
  let after = "";
  do {
    const { datasets, next } = await get(`/api/v1/datasets?${new URLSearchParams({ kind, limit: 200, after })}`);
    found.push(...datasets);
    after = next;
  } while (after);
  return found;
}

/** What there is, by kind. */
async function known() {
  const some = await Promise.all([all(), ...IN_FOLDER.map(all)]);
  return Object.groupBy(new Map(some.flat().map((one) => [`${one.kind}/${one.id}`, one])).values(), (one) => one.kind);
}

function remove(one) {
  askFor(byId("ask"), { title: say("data.remove_title", { id: one.id }), says: say("data.remove_says"), go: say("data.remove"), danger: true }, async () => {
    // the tag of what was read is made of its digest
    await ask("DELETE", `/api/v1/datasets/${one.kind}/${encodeURIComponent(one.id)}`, undefined, { "If-Match": `"${one.digest.slice(0, 32)}"` });
    tell(say("data.removed", { id: one.id }));
    await show();
  });
}

function inside(one) {
  const address = (name) => `/api/v1/datasets/${one.kind}/${encodeURIComponent(one.id)}/files/${name.split("/").map(encodeURIComponent).join("/")}`;
  const rows = Object.entries(one.files).sort(([a], [b]) => order.compare(a, b)).map(([name, bytes]) => [make("a", { href: address(name), download: true }, name), size(bytes)]);
  return [table([say("data.file"), { text: say("data.size"), number: true }], rows, { caption: say("data.file") }),
    one.notes.length ? [make("h4", {}, say("data.noticed")), make("ul", {}, one.notes.map((note) => make("li", { lang: "en" }, note.message ?? JSON.stringify(note))))] : null,
    make("p", { class: "note" }, say("data.digest"), " ", make("code", {}, one.digest))];
}

function usedIn(one) {
  const links = [...studies.values()].flatMap((study) => study.inputs.filter((input) => kindOf(input) === one.kind).slice(0, 1).map((input) => ({ study, input })));
  if (!links.length) return null;
  return make("details", {}, make("summary", {}, say("data.used_in", { count: links.length })), make("ul", { class: "uses" }, links.map(({ study, input }) =>
    make("li", {}, make("a", { href: `/studies/${encodeURIComponent(study.name)}?${new URLSearchParams({ [input.name]: one.id })}` }, nameOf(study))))));
}

function card(one) {
  const kept = one.files !== undefined;
  const facts = kept ? [say("data.facts", { files: count(Object.keys(one.files).length), size: size(one.bytes) }), time(one.made_at), people.get(one.user) ?? ""].filter(Boolean).join(" · ") : "";
  return make("details", { class: "set", id: `${one.kind}/${one.id}`, open: location.hash === `#${one.kind}/${one.id}` },
    make("summary", {}, make("b", {}, one.id), one.sample ? [" ", make("span", { class: "label" }, say("data.sample"))] : null, " ", make("span", { class: "note" }, facts)),
    kept ? inside(one) : make("p", { class: "note" }, say("data.by_hand")), usedIn(one),
    kept && adds && (changes || one.user === session.user_id) ? make("p", { class: "row" }, make("button", { type: "button", class: "danger", onclick: () => remove(one) }, say("data.remove"))) : null);
}

const kindName = (kind) => (known_kinds.has(kind) ? nameOf(known_kinds.get(kind)) : say("data.log"));

/** Ask anew, and show what there is. */
async function show(wanted = place.querySelector("#kind")?.value ?? "") {
  groups = await known();
  draw(wanted);
}

function draw(wanted) {
  const names = Object.keys(groups).sort((a, b) => order.compare(kindName(a), kindName(b)));
  const shown = names.filter((kind) => !wanted || kind === wanted);
  fill(place,
    make("div", { class: "row" },
      adds ? make("button", { type: "button", class: "main", id: "upload-one", onclick: () => openUpload(byId("upload"), [...known_kinds.keys()], opened) }, say("data.upload")) : null,
      names.length > 1 ? make("label", {}, say("studies.kind"), make("select", { id: "kind", onchange: (event) => draw(event.target.value) },
        ["", ...names].map((kind) => make("option", { value: kind, selected: kind === wanted }, kind ? `${kindName(kind)} (${groups[kind].length})` : say("data.all_kinds"))))) : null),
    names.length ? shown.map((kind) => make("section", { class: "card", "data-kind": kind }, make("h2", {}, kindName(kind)), groups[kind].sort((a, b) => order.compare(a.id, b.id)).map(card)))
      : make("section", { class: "card empty" }, make("h2", {}, say("data.none")), make("p", {}, adds ? say("data.none_says") : say("data.ask_others"))));
}

async function opened(id, kind) {
  location.hash = `${kind}/${id}`;
  await show("");
  byId(`${kind}/${id}`)?.scrollIntoView({ block: "center" });
}

let studies, known_kinds, people, session, groups;
try {
  [studies, known_kinds, people, session] = await Promise.all([offers(), kinds(), userNames(), get("/api/v1/session")]);
  await show();
  if (location.hash.length > 1) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView({ block: "center" });
} catch (error) { fill(place, refusal(error)); }
place.removeAttribute("aria-busy");
document.body.dataset.ready = "yes";
