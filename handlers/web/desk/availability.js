// Here or away: the agent's own switch beside their account, where their shop has teams; and handing a ticket to one of them.

import { Words, el } from "../chat/dom.js";
import { toast } from "../regulars.js";
import { addAction, addBadge } from "./panels.js";
import { asker } from "./server.js";

const LOOK = 60000;
const SOON = 2000; // the page was quicker than its own heartbeat

const boot = JSON.parse(document.getElementById("boot").textContent);
const words = new Words(boot.strings, document.documentElement.lang);
const ask = asker(boot.csrf, words);
const button = el("button", { type: "button", class: "presence", hidden: true, onclick: () => flip() });
let now = { on: false };

document.getElementById("me").before(button);
look();
setInterval(() => document.hidden || look(), LOOK);
document.addEventListener("visibilitychange", () => document.hidden || look());

async function look() {
  draw(await ask("/desk/availability", { quiet: true }).catch(() => now));
}

/** Away where one is here, else here. */
async function flip() {
  const away = now.status === "here";
  button.disabled = true;
  try {
    draw(await ask("/desk/availability", { method: "POST", json: { away } }));
    if (now.status === "here" || away) toast(words.say(away ? "away_done" : "here_done"));
  } catch {
    // What went wrong was said; the next look draws how it is.
  }
  button.disabled = false;
}

function draw(found) {
  now = found;
  button.hidden = !now.on;
  if (!now.on) return;
  if (now.status === "offline") setTimeout(look, SOON);
  const title = `${now.load}. ${words.say(now.status === "here" ? "away_title" : "here_title")}`;
  button.className = `presence ${now.status}`;
  button.title = title;
  button.setAttribute("aria-label", `${now.words}. ${title}`);
  button.replaceChildren(el("span", { class: "dot" }), el("span", { class: "presence-words" }, now.words));
}

addAction({ id: "presence", place: "me", icon: "user", key: "w", when: () => now.on, run: flip,
  title: (_, desk) => desk.words.say(now.status === "here" ? "be_away" : "be_here") });

addAction({ id: "team", title: "hand_team", icon: "users", when: (ticket) => now.on && !["resolved", "closed"].includes(ticket.state),
  run: async (ticket, desk, opener) => {
    const { teams } = await desk.ask(`/desk/tickets/${ticket.id}/teams`).catch(() => ({ teams: [] }));
    desk.menu(opener, [{ heading: desk.words.say("hand_team") }, ...teams.map((team) => ({ icon: "users", title: team.name, run: () =>
      desk.act(ticket.id, "team", { team: team.id }).then(() => desk.toast(desk.words.say("handed_team", { n: ticket.id, name: team.name })), () => {}) }))]);
  } });

addBadge((ticket) => ticket.facts.team ? { words: ticket.facts.team, kind: "", icon: "users" } : null);
