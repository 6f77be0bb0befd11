// Ready answers: all of them in a sheet (each macro looked at before it goes), and above the text those that fit the customer's last words.

import { el, icon } from "../chat/dom.js";
import { addAction, addPanel } from "./panels.js";
import { fold } from "./palette.js";

const sheet = document.getElementById("sheet");
const line = document.getElementById("fitting");
let shown = ""; // which ticket and message the line stands for
let desk = null;

addAction({ id: "macros", title: "macros", icon: "bolt", key: "m", place: "composer", when: (ticket) => ticket?.state !== "closed",
  run: async (ticket, hands) => {
    desk = hands;
    await hands.sheet(`/desk/tickets/${ticket.id}/macros`);
    const own = sheet.querySelector("[data-written]");
    if (own) own.value = document.getElementById("words").value;
  } });

// The line is no section of the customer's pane, but it is asked for when those are: when the ticket is opened or changes.
addPanel({ id: "fitting", order: 99, render: async (ticket, hands) => {
  desk = hands;
  const wanted = ticket.preview.who === "customer" && ticket.state !== "closed" ? `${ticket.id}:${ticket.preview.seq}` : "";
  if (wanted === shown) return null;
  shown = wanted;
  line.replaceChildren();
  const found = wanted ? await hands.ask(`/desk/tickets/${ticket.id}/suggestions`, { quiet: true }).catch(() => null) : null;
  if (!found || wanted !== shown) return null;
  line.replaceChildren(
    ...found.macros.map((one) => chip("bolt", one.name, () => hands.sheet(`/desk/tickets/${ticket.id}/macros/${one.id}`))),
    ...found.articles.map((one) => chip("help", one.title, () => hands.composer.insert(one.text), hands.words.say("article"))));
  return null;
} });

function chip(picture, title, run, hint = null) {
  return el("button", { type: "button", class: "chip", title: hint, onclick: run }, icon(picture), el("span", {}, title));
}

sheet.addEventListener("click", (event) => {
  const source = event.target.closest("[data-insert], [data-insert-from]");
  if (!source) return;
  const text = source.dataset.insert ?? document.getElementById(source.dataset.insertFrom).value;
  sheet.close();
  desk.composer.insert(text);
});

// Typing a few letters leaves the entries that have them; Enter takes the first.
sheet.addEventListener("input", (event) => {
  if (!event.target.matches("[data-narrow]")) return;
  const letters = fold(event.target.value).split(/\s+/).filter(Boolean);
  for (const entry of sheet.querySelectorAll(".sheet-list > *")) entry.hidden = !letters.every((word) => fold(entry.textContent).includes(word));
});
sheet.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches("[data-narrow]")) return;
  event.preventDefault();
  sheet.querySelector(".sheet-list > :not([hidden])")?.click();
});
