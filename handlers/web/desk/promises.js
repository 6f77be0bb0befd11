// Promises: beside the customer, on a key, and as a mark in the list.

import { addAction, addBadge, addPanel } from "./panels.js";

addPanel({ id: "promises", title: "promises", order: 10, load: (ticket) => `/desk/tickets/${ticket.id}/promises` });

addAction({ id: "promise", title: "promise", icon: "bell", key: "p", run: (ticket, desk) => desk.sheet(`/desk/tickets/${ticket.id}/promise`) });

addBadge((ticket, { words }) => {
  const promise = ticket.facts.promise;
  // Two marks that hurry are one too many for a line: what is late already comes first.
  if (!promise || (ticket.facts.deadline?.missed && !promise.missed)) return null;
  const at = new Date(promise.at);
  const today = at.toDateString() === new Date().toDateString();
  const day = `${String(at.getDate()).padStart(2, "0")}/${String(at.getMonth() + 1).padStart(2, "0")}`;
  const title = words.say("promised_until", { name: promise.owner, what: promise.what });
  return { words: today ? words.time(at) : day, kind: promise.missed ? "bad" : "brand", icon: "bell", title };
});
