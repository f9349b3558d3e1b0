"use strict";
// Finished inspections sent to the server the page came from: one at a time, so that each is taken or told by itself. What was
// sent twice is kept once there. Without a network, or signed out, everything stays on the device and is sent later.
(() => {
  const { server, say, make, waiting, text, taken } = window.inspections;
  const button = document.getElementById("sync"), told = document.getElementById("sync-told"), wrong = document.getElementById("sync-wrong");
  let busy = false;
  const tell = (key, values = {}, ...more) => told.replaceChildren(...say(key, values), ...more);

  async function sync() {
    if (busy) return;
    busy = true;
    button.disabled = true;
    wrong.replaceChildren();
    try { await sendAll(); } finally { busy = false; button.disabled = false; }
  }
  async function sendAll() {
    const records = await waiting();
    if (!records.length) { told.replaceChildren(); return; }
    let session;
    try {
      const answer = await fetch(server.session, { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) {
        tell("inspection.sync_signed_out", { count: records.length }, " ", make("a", say("inspection.sync_sign_in"), { href: server.sign_in }));
        return;
      }
      session = await answer.json();
    } catch { tell("inspection.sync_waits", { count: records.length }); return; }
    let sent = 0, left = 0;
    for (const [k, record] of records.entries()) {
      tell("inspection.sync_running", { count: records.length - k });
      let answer, facts;
      try {
        answer = await fetch(server.sync, {
          method: "POST", credentials: "same-origin", body: await text(record),
          headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf_token },
        });
        facts = await answer.json();
      } catch { tell("inspection.sync_waits", { count: records.length - sent }); return; }
      if (answer.ok && !facts.set_aside) { await taken(record); sent += 1; } else left += 1;
      for (const problem of facts.problems ?? []) wrong.append(make("li", `${record.filled.site_name || record.filled.site_id}: ${problem.message}`));
      if (!answer.ok && !(facts.problems ?? []).length) wrong.append(make("li", `${record.filled.site_name || record.filled.site_id}: ${facts.detail ?? answer.status}`));
    }
    tell(left ? "inspection.sync_some" : "inspection.sync_done", { sent, left });
  }

  button.addEventListener("click", sync);
  addEventListener("online", sync);
  addEventListener("inspection-finished", sync);
  if (navigator.serviceWorker) navigator.serviceWorker.register(server.worker).catch(() => {});
  setTimeout(sync, 500); // the device's own database opens first
})();
