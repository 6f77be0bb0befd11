// How a ticket is filed (its panel), put aside, made one with another or parted: sheets of the server's.

import { addAction, addBadge, addPanel } from "./panels.js";

const ENDED = ["resolved", "closed"];

addPanel({ id: "filed", title: "filed", order: 80, load: (ticket) => `/desk/tickets/${ticket.id}/filed` });

addAction({ id: "snooze", title: "snooze", icon: "clock", key: "z", when: (ticket) => !ENDED.includes(ticket.state), run: (ticket, desk) => desk.sheet(`/desk/tickets/${ticket.id}/snooze`) });
addAction({ id: "merge", title: "merge", icon: "link", when: (ticket) => !ticket.merged_into, run: (ticket, desk) => desk.sheet(`/desk/tickets/${ticket.id}/merge`) });
addAction({ id: "split", title: "split", icon: "copy", when: (ticket) => !ticket.merged_into, run: (ticket, desk) => desk.sheet(`/desk/tickets/${ticket.id}/split`) });

addBadge((ticket, { words }) => (ticket.hurry === "high" || ticket.hurry === "low" ? { words: words.say(`hurry_${ticket.hurry}`), kind: ticket.hurry === "high" ? "warn" : "" } : null));
addBadge((ticket, { words }) => (ticket.snoozed_until ? { words: words.say("back_at", { time: soon(new Date(ticket.snoozed_until), words) }), icon: "clock" } : null));
for (const at of [0, 1]) addBadge((ticket) => (ticket.facts.tags?.[at] ? { words: `#${ticket.facts.tags[at]}` } : null));

/** 14:05 today, else 21/11. */
function soon(at, words) {
  if (at.toDateString() === new Date().toDateString()) return words.time(at);
  return `${String(at.getDate()).padStart(2, "0")}/${String(at.getMonth() + 1).padStart(2, "0")}`;
}
