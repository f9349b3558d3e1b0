// The files of a record: listed, added, downloaded, and pictures shown, each look for a reason that goes on record.
import { ask, download, get } from "./api.js";
import { askFor } from "./ask_for.js";
import { fill, make, refusal, tell } from "./elements.js";
import { count, say, time } from "./words.js";

export const filesOf = async (kind, id) => (await get(`/api/v1/records/${kind}/${encodeURIComponent(id)}/attachments`)).records;
const contentOf = (one, values) => download(`/api/v1/records/attachment/${one.id}/content`, values);

/** Keep a file with a record; returns the attachment. */
export async function attach(kind, id, file) {
  const form = new FormData();
  form.append("file", file);
  return ask("POST", `/api/v1/records/${kind}/${encodeURIComponent(id)}/attachments`, form, { "Idempotency-Key": crypto.randomUUID() });
}

function forReason(dialog, title, act) {
  askFor(dialog, { title, says: say("registers.reveal_says"), fields: [{ name: "reason", label: say("registers.why"), required: true, type: "text" }], go: title }, act);
}

export function saveAs(dialog, one) {
  forReason(dialog, say("registers.download"), async (values) => {
    const href = URL.createObjectURL(await contentOf(one, values));
    make("a", { href, download: String(one.values.name ?? one.id) }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  });
}

const isPicture = (one) => String(one.values.media_type).startsWith("image/");

/** Show the pictures in a place; who looks and why is on record for each. */
function showPictures(dialog, pictures, into) {
  forReason(dialog, say("registers.show_photos"), async (values) => {
    const shown = [];
    for (const one of pictures) {
      const image = make("img", { src: URL.createObjectURL(await contentOf(one, values)), alt: say("registers.photo_of", { at: time(one.created_at) }) });
      shown.push(make("li", {}, image, make("small", {}, time(one.values.taken_at ?? one.created_at))));
    }
    fill(into, shown);
  });
}

/** The card of a record's files. */
export function filesCard({ kind, id, rights, dialog, changed = () => {} }) {
  const card = make("section", { class: "card", "aria-labelledby": "h-files" }), photos = make("ul", { class: "photos" });
  async function show() {
    const records = await filesOf(kind, id), pictures = records.filter(isPicture), mayLook = rights.includes("reveal");
    const list = records.map((one) => make("li", { class: "row", "data-file": one.id }, make("a", { href: `/registers/attachment/${one.id}` }, String(one.values.name ?? one.id)), make("span", { class: "note" }, `${count(one.values.size_bytes)} B · ${time(one.created_at)}`),
      mayLook ? make("button", { type: "button", onclick: () => saveAs(dialog, one) }, say("registers.download")) : null));
    const wrong = make("div", { "aria-live": "assertive" });
    const chosen = make("input", { type: "file", accept: ".jpg,.jpeg,.png,.webp,.pdf,.txt", onchange: async () => {
      try {
        await attach(kind, id, chosen.files[0]);
        await show();
        changed();
        tell(say("registers.saved"));
      } catch (error) { fill(wrong, refusal(error)); }
    } });
    fill(card, make("h2", { id: "h-files" }, say("registers.attachments")), list.length ? make("ul", { class: "plainlist" }, list) : make("p", { class: "note" }, say("registers.no_attachments")),
      pictures.length && mayLook ? make("p", {}, make("button", { type: "button", id: "show-photos", onclick: () => showPictures(dialog, pictures, photos) }, say("registers.show_photos"))) : null, photos, wrong,
      rights.includes("add") ? make("label", {}, say("registers.attach"), chosen, make("small", {}, say("registers.attach_says"))) : null);
  }
  return { card, show };
}
