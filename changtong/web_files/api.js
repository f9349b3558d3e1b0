// What pages ask of the API: with the token that shows it is our page, and refusals as errors.
const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

export class Refused extends Error {
  constructor(status, told) {
    super(told.detail ?? String(status));
    Object.assign(this, { status, code: told.code ?? "", title: told.title ?? "", problems: told.problems ?? [], requestId: told.request_id ?? "", current: told.current ?? null });
  }
}

export async function ask(method, path, body = undefined, headers = {}) {
  const sent = { method, headers: { Accept: "application/json", "Accept-Language": document.documentElement.lang, ...headers }, credentials: "same-origin" };
  if (csrf && method !== "GET") sent.headers["X-CSRF-Token"] = csrf;
  if (body instanceof FormData) sent.body = body;
  else if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(path, sent);
  const isJson = answer.status !== 204 && (answer.headers.get("content-type") ?? "").includes("json");
  const told = isJson ? await answer.json() : null;
  if (answer.ok) return told;
  if (answer.status === 401 && !location.pathname.startsWith("/sign-in")) {
    location.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  }
  throw new Refused(answer.status, told ?? {});
}
/** A file that is read for a reason, as bytes. */
export async function download(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, "Accept-Language": document.documentElement.lang }, credentials: "same-origin", body: JSON.stringify(body) });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return answer.blob();
}
export const get = (path) => ask("GET", path);
export const post = (path, body, headers) => ask("POST", path, body, headers);
