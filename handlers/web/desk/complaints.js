// Complaints and goodwill: beside the customer, in the menu and beside the text, and the level as a mark in the list.

import { addAction, addBadge, addPanel } from "./panels.js";

const sheet = (ticket) => `/desk/tickets/${ticket.id}/goodwill/give`;

addPanel({ id: "complaint", title: "complaint", order: 5, load: (ticket) => (ticket.facts.level ? `/desk/tickets/${ticket.id}/complaint` : null) });
addPanel({ id: "goodwill", title: "goodwill", order: 15, load: (ticket) => `/desk/tickets/${ticket.id}/goodwill` });

addAction({ id: "goodwill", title: "give_goodwill", icon: "gift", key: "g", place: "composer", run: (ticket, desk) => desk.sheet(sheet(ticket)) });
addAction({ id: "complaint", title: "mark_complaint", icon: "warn", when: (ticket) => !ticket.facts.level, async run(ticket, desk) {
  const answer = await desk.ask(`/desk/tickets/${ticket.id}/complaint/mark`, { method: "POST", form: new FormData() }).catch(() => null);
  if (answer) desk.toast(answer.toast);
} });

addBadge((ticket, { words }) => {
  const level = ticket.facts.level;
  if (!level) return null;
  const kind = level === 1 || level === 2 ? "bad" : level === 3 ? "warn" : "";
  return { words: `S${level}`, kind, icon: level < 3 ? "warn" : null, title: words.say("level_title", { n: level }) };
});
