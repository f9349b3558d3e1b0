// A run watched through server-sent events until it has ended; a lost connection is taken up again.
import { get } from "./api.js";
import { tell } from "./elements.js";
import { say } from "./words.js";

export function watch(id, show, wrong) {
  return new Promise((done) => {
    const stream = new EventSource(`/api/v1/runs/${id}/events`);
    let lost = false;
    stream.addEventListener("run", (event) => {
      const run = JSON.parse(event.data);
      lost = false;
      show(run);
      if (run.ended_at) { stream.close(); done(run); }
    });
    stream.addEventListener("over", () => { stream.close(); location.reload(); });
    stream.addEventListener("error", async () => {
      if (stream.readyState === EventSource.CLOSED) {
        try { const run = await get(`/api/v1/runs/${id}`); show(run); if (run.ended_at) { done(run); return; } } catch (error) { wrong(error); }
        done(null);
        return;
      }
      if (!lost) { lost = true; tell(say("shell.offline"), { wrong: true }); }
    });
  });
}
