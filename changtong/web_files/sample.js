// Sample data, put in with one click where nobody has a network yet, and removed with one.
import { ask, get, post } from "./api.js";
import { byId, fill, make, tellRefusal } from "./elements.js";
import { say } from "./words.js";

const bar = byId("sample");

function offer(says, does, id, act) {
  const button = make("button", { type: "button", id, onclick: async () => {
    button.disabled = true;
    button.textContent = say("sample.working");
    try { await act(); location.reload(); } catch (error) { button.disabled = false; button.textContent = does; tellRefusal(error); }
  } }, does);
  fill(bar, make("p", {}, says), button);
  bar.hidden = false;
}

const [{ datasets }, session] = await Promise.all([get("/api/v1/datasets?kind=network&limit=200"), get("/api/v1/session")]);
if (!datasets.length) offer(say("sample.none"), say("sample.put_in"), "put-in-sample", () => post("/api/v1/datasets/sample", {}));
else if (datasets.some((one) => one.sample && one.organisation === session.organisation)) offer(say("sample.there"), say("sample.remove"), "remove-sample", () => ask("DELETE", "/api/v1/datasets/sample"));
