// The till's service worker: the page and its files as they were last seen, where there is no connection. Nothing but GETs of the
// page itself and of static files is kept; every call goes to the server or fails, and till.js knows what to do then.

const SHELF = "till-1";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  const page = request.mode === "navigate" && pathname === "/till";
  if (request.method !== "GET" || origin !== location.origin || !(page || pathname.startsWith("/static/"))) return;
  event.respondWith(fresh(request, event));
});

async function fresh(request, event) {
  try {
    const answer = await fetch(request);
    // A redirect to the login page must never stand in for the till; and who isn't signed in any more isn't shown it.
    if (answer.redirected || answer.type === "opaqueredirect") event.waitUntil(caches.delete(SHELF));
    if (answer.ok && !answer.redirected) {
      const copy = answer.clone();
      event.waitUntil(caches.open(SHELF).then((shelf) => shelf.put(request, copy)));
    }
    return answer;
  } catch (error) {
    const kept = await caches.match(request, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}
