// Signing in, and changing one's password.
import { post } from "./api.js";
import { byId, fill, wordsOf } from "./elements.js";
import { say } from "./words.js";

const wrong = byId("wrong");
function show(...parts) { fill(wrong, parts); wrong.hidden = false; }

byId("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button");
  button.disabled = true;
  try {
    const session = await post("/api/v1/session", Object.fromEntries(new FormData(form)));
    location.href = session.must_change_password ? "/password" : form.dataset.onward;
  } catch (error) {
    if (error.code === "second-factor-needed") {
      byId("code").hidden = false;
      form.code.focus();
    } else form.password.select();
    show(wordsOf(error));
  } finally { button.disabled = false; }
});

byId("password")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.new.value !== form.again.value) { show(say("password.differ")); form.again.focus(); return; }
  try {
    await post("/api/v1/session/password", { old: form.old.value, new: form.new.value });
    location.href = "/sign-in";
  } catch (error) {
    const problems = error.problems ?? [];
    show(problems.length ? problems.map((one) => wordsOf(one)) : wordsOf(error));
  }
});
document.body.dataset.ready = "yes";
