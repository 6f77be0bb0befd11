// Calling a colleague in a note: after "@" the names that fit are offered; Enter or Tab takes one.

import { el } from "../chat/dom.js";
import { avatar } from "./list.js";
import { fold } from "./palette.js";

const SHOWN_MOST = 6;

export class Mentioning {
  #area;
  #box = document.getElementById("mentions");
  #people;
  #fit = [];
  #chosen = 0;
  #from = -1;

  /** people() gives the colleagues who can be called now: [{id, name}], none while an answer is written. */
  constructor(area, people) {
    this.#area = area;
    this.#people = people;
    area.addEventListener("input", () => this.#look());
    area.addEventListener("click", () => this.#look());
    area.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
  }

  /** A key in the text; true when it was meant for the names. */
  key(event) {
    if (this.#box.hidden) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#choose((this.#chosen + step + this.#fit.length) % this.#fit.length);
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#fit[this.#chosen]);
    else if (event.key === "Escape") this.#close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #look() {
    const before = this.#area.value.slice(0, this.#area.selectionStart);
    const found = before.match(/(?:^|[^\p{L}\p{N}_@])@([\p{L}\p{N} ]{0,40})$/u);
    const typed = found ? fold(found[1]) : "";
    this.#fit = found ? this.#people().filter(({ name }) => this.#fits(fold(name), typed)).slice(0, SHOWN_MOST) : [];
    if (!this.#fit.length) return this.#close();
    this.#from = before.length - found[1].length - 1;
    this.#box.replaceChildren(...this.#fit.map((one, index) => {
      const node = el("li", { id: `mention-${index}`, role: "option" }, avatar(one.name, "small"), one.name);
      node.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.#take(one);
      });
      return node;
    }));
    this.#box.hidden = false;
    this.#area.setAttribute("aria-expanded", "true");
    return this.#choose(0);
  }

  #fits(name, typed) {
    return !typed || name.startsWith(typed) || name.split(" ").some((_, at, all) => all.slice(at).join(" ").startsWith(typed));
  }

  #choose(index) {
    this.#chosen = index;
    [...this.#box.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === index)));
    this.#area.setAttribute("aria-activedescendant", `mention-${index}`);
  }

  #take(one) {
    this.#area.setRangeText(`@${one.name} `, this.#from, this.#area.selectionStart, "end");
    this.#close();
    this.#area.dispatchEvent(new Event("input", { bubbles: true }));
    this.#area.focus();
  }

  #close() {
    this.#box.hidden = true;
    this.#area.setAttribute("aria-expanded", "false");
    this.#area.removeAttribute("aria-activedescendant");
  }
}
