// Care: beside the customer, in the menu of one's account, and a mark on those who asked to be forgotten.

import { addAction, addBadge, addPanel } from "./panels.js";

addPanel({ id: "care", title: "care", order: 20, load: (ticket) => `/desk/tickets/${ticket.id}/care` });

addAction({ id: "care", title: "care_tasks", icon: "phone", place: "me", run: (ticket, desk) => desk.sheet("/desk/care") });

addBadge((ticket, { words }) => {
  const by = ticket.facts.forget_by;
  if (!by) return null;
  const at = new Date(by);
  const day = `${String(at.getDate()).padStart(2, "0")}/${String(at.getMonth() + 1).padStart(2, "0")}`;
  return { words: words.say("forget_by", { day }), kind: "warn", icon: "user", title: words.say("forget_title") };
});
