// What is done with a ticket besides writing in it: taken on, handed on, solved, closed.

import { el, icon } from "../chat/dom.js";
import { addAction } from "./panels.js";

const ENDED = ["resolved", "closed"];
const ended = (ticket) => ENDED.includes(ticket?.state);

export function drawOwner(button, ticket, desk) {
  const { words, boot } = desk;
  const mine = ticket.assignee_id === boot.me.id;
  button.replaceChildren(icon("user"), el("span", {}, ticket.assignee_id ? (mine ? words.say("mine") : ticket.assignee) : words.say("take")));
  if (ticket.assignee_id) button.append(icon("down"));
  button.classList.toggle("main", !ticket.assignee_id && !ended(ticket));
  button.setAttribute("aria-haspopup", ticket.assignee_id ? "menu" : "false");
}

export function drawSolve(button, ticket, desk) {
  const again = ended(ticket);
  button.classList.toggle("main", !again && Boolean(ticket.assignee_id));
  button.replaceChildren(icon(again ? "retry" : "check"), el("span", {}, desk.words.say(again ? "reopen" : "state_resolved")));
}

export function take(ticket, desk) {
  return desk.act(ticket.id, "claim").catch(() => {});
}

export async function solve(ticket, desk) {
  const again = ended(ticket);
  await desk.act(ticket.id, again ? "reopen" : "resolve").then(
    () => desk.toast(desk.words.say(again ? "reopened_done" : "solved", { n: ticket.id })), () => {});
}

export function handMenu(ticket, desk, opener) {
  const { words, boot } = desk;
  const { colleagues, may_assign: allowed } = desk.opened();
  const mayHand = allowed || ticket.assignee_id === boot.me.id || !ticket.assignee_id;
  const give = (to, name) => () =>
    desk.act(ticket.id, "assign", { to }).then(() => desk.toast(words.say(to ? "handed" : "given_back", { n: ticket.id, name })), () => {});
  const others = colleagues.filter((one) => one.id !== ticket.assignee_id);
  desk.menu(opener, [
    mayHand && others.length ? { heading: words.say("hand_to") } : null,
    ...(mayHand ? others.map((one) => ({
      icon: "user", title: one.id === boot.me.id ? `${one.name} (${words.say("you").toLowerCase()})` : one.name, run: give(one.id, one.name),
    })) : []),
    mayHand && ticket.assignee_id ? { icon: "users", title: words.say("give_back"), run: give(null) } : null,
    mayHand ? null : { heading: ticket.assignee },
  ]);
}

addAction({ id: "take", title: "take", icon: "user", key: "a", run: take,
  when: (ticket, desk) => ticket.assignee_id !== desk.boot.me.id && !ended(ticket) });
addAction({ id: "hand", title: "hand_to", icon: "users", key: "h", run: (ticket, desk) => handMenu(ticket, desk, document.getElementById("owner")) });
addAction({ id: "solve", title: (ticket, desk) => desk.words.say(ended(ticket) ? "reopen" : "state_resolved"), icon: "check", key: "e", run: solve });
addAction({ id: "urgent", title: (ticket, desk) => desk.words.say(ticket?.urgent ? "unmark_urgent" : "mark_urgent"), icon: "warn",
  run: (ticket, desk) => desk.act(ticket.id, "priority", { priority: ticket.urgent ? "normal" : "urgent" }).catch(() => {}) });
addAction({ id: "unread", title: "mark_unread", icon: "chat", key: "u", run: (ticket, desk) =>
  desk.act(ticket.id, "unread").then(() => {
    desk.toast(desk.words.say("unread_done"));
    desk.back();
  }, () => {}) });
addAction({ id: "close", title: "close", icon: "close", danger: true, when: (ticket) => ticket.state !== "closed", run: (ticket, desk) =>
  desk.sure(desk.words.say("close_ask", { n: ticket.id }), desk.words.say("close"), () =>
    desk.act(ticket.id, "close").then(() => desk.toast(desk.words.say("closed_done", { n: ticket.id })), () => {})) });
