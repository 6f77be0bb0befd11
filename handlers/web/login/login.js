// Who signs out, or isn't signed in any more, leaves nothing of the till on the device: its worker's shelf held the page with
// their name. What waits for a connection (queue.js) stays: it goes in when they are back.

for (const name of (await globalThis.caches?.keys()) ?? []) if (name.startsWith("till-")) await caches.delete(name);
