// A sheet: a dialog with a piece of HTML from the server, mostly a form. The focus goes back to where it came from.

import { sendForms } from "./server.js";

export class Sheet {
  #desk;
  #dialog = document.getElementById("sheet");
  #body = document.getElementById("sheet-body");

  constructor(desk) {
    this.#desk = desk;
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.#dialog.close();
      const other = event.target.closest("[data-sheet]");
      if (other) this.show(other.dataset.sheet);
    });
    this.#dialog.addEventListener("close", () => this.#body.replaceChildren());
    sendForms(this.#dialog, { ask: desk.ask, words: desk.words, done: (answer) => {
      if (!answer?.stay) this.#dialog.close();
      desk.done(answer);
    } });
  }

  async show(path) {
    const page = await this.#desk.ask(path).catch(() => null);
    if (page === null) return;
    this.#body.innerHTML = page; // the server's own template, escaped there
    if (!this.#dialog.open) this.#dialog.showModal();
    (this.#body.querySelector("[autofocus]") ?? this.#body.querySelector("input:not([type=hidden]), select, textarea, button"))?.focus();
  }
}
