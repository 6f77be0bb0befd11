// The palette (⌘K, Ctrl+K): everything that can be done, and everything the desk knows, by typing a few letters of it, marks or none.

import { el, icon } from "../chat/dom.js";

const SEARCH_PAUSE = 150;

/** As the server folds: lower case, no marks. */
export function fold(text) {
  return text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]+/g, "").replaceAll("đ", "d").normalize("NFC");
}

export class Palette {
  #desk;
  #offers;
  #dialog = document.getElementById("palette");
  #input = document.getElementById("palette-words");
  #list = document.getElementById("palette-list");
  #items = [];
  #nodes = [];
  #chosen = 0;
  #pause = null;
  #asked = 0;

  /** offers() gives what can be done now: [{title, icon, key?, run}]. */
  constructor(desk, offers) {
    this.#desk = desk;
    this.#offers = offers;
    this.#input.addEventListener("input", () => this.#look());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) this.#choose((this.#chosen + step + this.#items.length) % (this.#items.length || 1));
      else if (event.key === "Enter") this.#run(this.#items[this.#chosen]);
      else return;
      event.preventDefault();
    });
  }

  open() {
    if (this.#dialog.open) return this.#dialog.close();
    if (document.querySelector("dialog[open]")) return undefined;
    this.#input.value = "";
    this.#look();
    this.#dialog.showModal();
    return this.#input.focus();
  }

  #look() {
    clearTimeout(this.#pause);
    const number = ++this.#asked;
    const wanted = fold(this.#input.value.trim());
    const letters = wanted.split(/\s+/).filter(Boolean);
    const doable = this.#offers().filter((one) => letters.every((word) => fold(one.title).includes(word)));
    this.#draw(doable, wanted ? null : []);
    if (!wanted) return;
    this.#pause = setTimeout(async () => {
      const open = this.#desk.ticket();
      const query = new URLSearchParams({ q: this.#input.value.trim(), ...(open ? { ticket: open.id } : {}) });
      const found = await this.#desk.ask(`/desk/find/palette?${query}`, { quiet: true }).catch(() => ({ groups: [] }));
      if (number === this.#asked) this.#draw(doable, found.groups);
    }, SEARCH_PAUSE);
  }

  /** What a thing found does: a request is opened, a macro looked at, an article's words go into the answer. */
  #does({ ticket, macro, words }) {
    if (ticket) return () => this.#desk.open(ticket);
    if (macro) return () => this.#desk.sheet(`/desk/tickets/${this.#desk.ticket().id}/macros/${macro}`);
    return () => this.#desk.composer.insert(words);
  }

  /** found: groups of [{title, icon, items}], null while they are still being looked for. */
  #draw(doable, found) {
    const { words } = this.#desk;
    this.#items = [...doable, ...(found ?? []).flatMap((group) => group.items.map((one) => ({ ...one, icon: one.icon ?? group.icon, run: this.#does(one) })))];
    this.#nodes = this.#items.map((one, index) => {
      const node = el("li", { id: `palette-${index}`, role: "option", "aria-selected": "false", class: one.danger ? "danger" : null },
        icon(one.icon), el("span", {}, one.title), one.aside ? el("small", { class: "muted" }, one.aside) : null,
        one.key ? el("kbd", { class: "only-keys", "aria-hidden": "true" }, one.key.toUpperCase()) : null);
      node.addEventListener("click", () => this.#run(one));
      node.addEventListener("pointermove", () => this.#chosen !== index && this.#choose(index, false));
      return node;
    });
    const rows = this.#nodes.slice(0, doable.length);
    let at = doable.length;
    for (const { title, items } of found ?? []) {
      rows.push(el("li", { class: "heading muted", role: "presentation" }, title), ...this.#nodes.slice(at, at + items.length));
      at += items.length;
    }
    if (!rows.length) rows.push(el("li", { class: "none muted", role: "presentation" }, words.say(found ? "empty_search" : "looking")));
    this.#list.replaceChildren(...rows);
    this.#choose(0);
  }

  #choose(index, scroll = true) {
    this.#chosen = index;
    this.#nodes.forEach((node, at) => node.setAttribute("aria-selected", String(at === index)));
    const node = this.#nodes[index];
    if (node) this.#input.setAttribute("aria-activedescendant", node.id);
    else this.#input.removeAttribute("aria-activedescendant");
    if (scroll) node?.scrollIntoView({ block: "nearest" });
  }

  #run(item) {
    if (!item) return;
    this.#dialog.close();
    setTimeout(item.run);
  }
}
