// The customer's pane: who they are, then the parts' panels, then their points, vouchers and orders.

import { el } from "../chat/dom.js";
import { panels } from "./panels.js";
import { sendForms } from "./server.js";

const REST = 300;

export class Beside {
  #desk;
  #pause = null;
  #pane = document.getElementById("customer");
  #boxes = Object.fromEntries([...document.querySelectorAll("#customer [data-box]")].map((box) => [box.dataset.box, box]));
  #shown = new Map(); // what each part was last filled with
  #sent = new WeakSet(); // forms that went through: what stands in them is no longer being filled in

  constructor(desk) {
    this.#desk = desk;
    this.#pane.addEventListener("click", (event) => {
      const other = event.target.closest("[data-ticket]");
      const sheet = event.target.closest("[data-sheet]");
      if (event.metaKey || event.ctrlKey || !(other || sheet)) return;
      event.preventDefault();
      if (other) desk.open(Number(other.dataset.ticket));
      else desk.sheet(sheet.dataset.sheet);
    });
    sendForms(this.#pane, { ask: desk.ask, words: desk.words, done: (answer, form) => {
      this.#sent.add(form);
      desk.done(answer);
    } });
  }

  clear() {
    this.#shown.clear();
    for (const box of Object.values(this.#boxes)) box.replaceChildren();
  }

  /** The ticket has changed: once what changes it has come to rest, everything is loaded again. */
  soon() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.refresh(), REST);
  }

  /** Load everything of the open ticket again, or one panel. What somebody is filling in is left alone. */
  refresh(id = null) {
    const ticket = this.#desk.ticket();
    if (!ticket) return;
    if (!id) this.#customer(ticket);
    for (const panel of panels) if (!id || panel.id === id) this.#panel(panel, ticket);
  }

  async #customer(ticket) {
    const page = await this.#desk.ask(`/desk/tickets/${ticket.id}/customer`, { quiet: true }).catch(() => null);
    if (page === null || this.#desk.ticket()?.id !== ticket.id || this.#shown.get("") === page) return;
    this.#shown.set("", page);
    const parsed = el("template");
    parsed.innerHTML = page; // the server's own template, escaped there
    const rest = [...parsed.content.children].filter((one) => one.matches(".side"));
    this.#boxes.rest.replaceChildren(...rest);
    this.#boxes.who.replaceChildren(parsed.content);
  }

  async #panel(panel, ticket) {
    const box = this.#box(panel);
    let made = null;
    try {
      if (panel.render) made = await panel.render(ticket, this.#desk);
      else {
        const path = panel.load(ticket);
        made = path ? await this.#desk.ask(path, { quiet: true }) : null;
      }
    } catch {
      return; // The next look tries again.
    }
    if (this.#desk.ticket()?.id !== ticket.id || this.#isBeingFilled(box)) return;
    if (typeof made === "string") {
      if (this.#shown.get(panel.id) === made) {
        for (const form of box.querySelectorAll("form")) if (this.#sent.has(form)) form.reset();
        return;
      }
      this.#shown.set(panel.id, made);
      const parsed = el("template");
      parsed.innerHTML = made; // the server's own template, escaped there
      made = made.trim() ? parsed.content : null;
    }
    box.hidden = !made;
    const title = panel.title ? el("h4", { id: `panel-${panel.id}` }, this.#desk.words.say(panel.title)) : null;
    const focused = box.contains(document.activeElement) ? document.activeElement.id : "";
    box.replaceChildren(...[title, made].filter(Boolean));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  #box(panel) {
    const boxes = this.#boxes.panels;
    const known = boxes.querySelector(`[data-panel="${panel.id}"]`);
    if (known) return known;
    const box = el("section", { class: "side", data: { panel: panel.id, order: panel.order }, "aria-labelledby": panel.title ? `panel-${panel.id}` : null, hidden: true });
    boxes.insertBefore(box, [...boxes.children].find((one) => Number(one.dataset.order) > panel.order) ?? null);
    return box;
  }

  /** Whether somebody has begun something in it that isn't sent. */
  #isBeingFilled(box) {
    const field = document.activeElement;
    return box.contains(field) && field.matches("input, textarea") && field.value !== field.defaultValue && !this.#sent.has(field.form);
  }
}
