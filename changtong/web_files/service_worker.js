// Keeps the pages of inspection forms for when there is no network; everything else is left to the network.
"use strict";
const KEPT = "inspections-1";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
  await self.clients.claim();
  // a page that was open before its worker is kept now
  for (const page of await self.clients.matchAll({ type: "window" })) if (isForm(new URL(page.url))) await fresh(page.url);
})()));

const isForm = (address) => address.origin === self.location.origin && /^\/inspect(\/[\w.-]+)?$/.test(address.pathname);

async function fresh(request) {
  const answer = await fetch(request, { credentials: "same-origin", redirect: "manual" });
  if (answer.status === 200) await (await caches.open(KEPT)).put(new URL(typeof request === "string" ? request : request.url).pathname, answer.clone());
  return answer;
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || event.request.mode !== "navigate" || !isForm(address)) return;
  event.respondWith((async () => {
    try { return await fresh(event.request); } catch (error) {
      const kept = await (await caches.open(KEPT)).match(address.pathname);
      if (kept) return kept;
      throw error;
    }
  })());
});
