// Deadlines: the mark on a ticket, what is waited for beside the customer, and a key to see to what is late.

import { addAction, addBadge, addPanel } from "./panels.js";

const MINUTE = 60000;

const late = (ticket) => ticket.facts.deadline?.missed && ticket.facts.deadline.escalation && !ticket.facts.deadline.by;

addBadge((ticket, { words }) => {
  const due = ticket.facts.deadline;
  if (!due) return null;
  const at = new Date(due.at);
  const missed = due.missed || at <= Date.now();
  const title = [words.say(`due_${due.kind}`, { time: clock(at, words) }), due.by ? words.say("seen_to", { name: due.by }) : ""].filter(Boolean).join(" · ");
  if (missed) return { words: words.say("late_by", { time: span(Date.now() - at, words) }), kind: "bad", icon: due.by ? "check" : "warn", title };
  return { words: clock(at, words), kind: due.warned ? "warn" : "", icon: "clock", title };
});

addPanel({ id: "deadlines", title: "deadlines", order: 20, load: (ticket) => `/desk/tickets/${ticket.id}/deadlines` });

addAction({ id: "see_to_it", title: "see_to_it", icon: "bell", key: "i", when: late, run: async (ticket, desk) => {
  const answer = await desk.ask(`/desk/escalations/${ticket.facts.deadline.escalation}/mine`, { method: "POST", json: {} }).catch(() => null);
  if (answer) desk.toast(answer.toast);
} });

/** 12' when it is near, 14:30 today, tomorrow 8:30, 25/11 8:30: short, for every row has one. */
function clock(at, words) {
  const left = at - Date.now();
  if (left > 0 && left < 90 * MINUTE) return span(left, words);
  const time = words.time(at);
  const midnight = new Date().setHours(24, 0, 0, 0);
  if (at < midnight && left > -86400000) return time;
  if (at >= midnight && at < midnight + 86400000) return words.say("tomorrow_at", { time });
  return `${String(at.getDate()).padStart(2, "0")}/${String(at.getMonth() + 1).padStart(2, "0")} ${time}`;
}

function span(length, words) {
  const minutes = Math.max(1, Math.ceil(length / MINUTE));
  if (minutes < 120) return words.say("minutes_short", { n: minutes });
  if (minutes < 2880) return words.say("hours_short", { n: Math.round(minutes / 60) });
  return words.say("days_short", { n: Math.round(minutes / 1440) });
}
