// Where the customer writes: a field that grows, Enter on a desk and the button on a phone, the list of commands after "/", and the
// strip that says what is being answered or edited.

import { el } from "./dom.js";

const TALLEST = 148; // pixels, as chat.css has it

export class Composer {
  #field = document.getElementById("words");
  #button = document.getElementById("send");
  #list = document.getElementById("commands");
  #opener = document.getElementById("show-commands");
  #about = document.getElementById("about");
  #commands;
  #words;
  #send;
  #chosen = 0;
  #mode = null; // {kind: "reply" | "edit", bubble}

  /** send(text, mode) with mode null, {kind: "reply", bubble} or {kind: "edit", bubble}; lastOwn() for the Up key. */
  constructor({ commands, words, send, lastOwn }) {
    this.#commands = commands;
    this.#words = words;
    this.#send = send;
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#key(event, lastOwn));
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // A tap on the button mustn't close a phone's keyboard.
    this.#button.addEventListener("pointerdown", (event) => event.preventDefault());
    document.getElementById("about-end").addEventListener("click", () => this.#leaveMode());
    this.#opener.addEventListener("click", () => (this.#list.hidden ? this.#open(this.#commands) : this.#close()));
    document.addEventListener("pointerdown", (event) => {
      if (!this.#list.hidden && !this.#list.contains(event.target) && !this.#opener.contains(event.target) && event.target !== this.#field) this.#close();
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    this.#changed();
  }

  get text() {
    return this.#field.value;
  }

  set text(words) {
    this.#field.value = words;
    this.#changed();
  }

  focus({ phone = false } = {}) {
    if (phone) this.#field.inputMode = "tel";
    this.#field.focus({ preventScroll: true });
  }

  reply(bubble, excerpt) {
    this.#enterMode({ kind: "reply", bubble }, this.#words.say("replying"), excerpt);
  }

  edit(bubble) {
    this.#enterMode({ kind: "edit", bubble }, this.#words.say("editing"), bubble.text);
    this.text = bubble.text;
    this.#field.setSelectionRange(bubble.text.length, bubble.text.length);
  }

  #enterMode(mode, what, text) {
    if (this.#mode?.kind === "edit") this.text = "";
    this.#mode = mode;
    document.getElementById("about-what").textContent = what;
    document.getElementById("about-text").textContent = text;
    this.#about.hidden = false;
    this.focus();
  }

  #leaveMode() {
    if (this.#mode?.kind === "edit") this.text = "";
    this.#mode = null;
    this.#about.hidden = true;
  }

  #submit() {
    const text = this.#field.value.trim();
    if (!text) return;
    const mode = this.#mode;
    this.#leaveMode();
    this.text = "";
    this.#field.inputMode = "";
    this.#send(text, mode);
  }

  #changed() {
    const field = this.#field;
    field.style.height = "auto";
    field.style.height = `${Math.min(TALLEST, Math.max(44, field.scrollHeight + 2))}px`;
    field.style.overflowY = field.scrollHeight > TALLEST ? "auto" : "hidden";
    this.#button.disabled = !field.value.trim();
    const typed = /^\/(\w*)$/.exec(field.value)?.[1];
    if (typed === undefined) this.#close();
    else this.#open(this.#commands.filter(({ command }) => command.startsWith(typed.toLowerCase())));
  }

  #key(event, lastOwn) {
    if (event.isComposing || event.keyCode === 229) return; // a Vietnamese input method is still building the letter
    const open = !this.#list.hidden;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      this.#choose(this.#chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (open && (event.key === "Tab" || event.key === "Enter") && this.#list.children.length) {
      this.#list.children[this.#chosen].click();
    } else if (event.key === "Enter" && !event.shiftKey && matchMedia("(pointer: fine)").matches) {
      this.#submit();
    } else if (event.key === "ArrowUp" && !this.#field.value && lastOwn()) {
      this.edit(lastOwn());
    } else if (event.key === "Escape" && !open && this.#mode) {
      this.#leaveMode();
    } else return;
    event.preventDefault();
  }

  #open(commands) {
    if (!commands.length) return this.#close();
    this.#list.replaceChildren(...commands.map(({ command, description }, index) =>
      el("button", { type: "button", class: "command", role: "option", id: `command-${index}`, tabindex: -1,
        onclick: () => this.#pick(command) }, el("b", {}, `/${command}`), el("span", {}, description))));
    this.#list.hidden = false;
    this.#opener.setAttribute("aria-expanded", "true");
    this.#choose(0);
  }

  #choose(index) {
    const options = [...this.#list.children];
    this.#chosen = (index + options.length) % options.length;
    options.forEach((option, one) => option.setAttribute("aria-selected", String(one === this.#chosen)));
    options[this.#chosen].scrollIntoView({ block: "nearest" });
    this.#field.setAttribute("aria-activedescendant", options[this.#chosen].id);
  }

  #pick(command) {
    this.#close();
    this.#leaveMode();
    this.text = "";
    this.#send(`/${command}`, null);
  }

  #close() {
    this.#list.hidden = true;
    this.#opener.setAttribute("aria-expanded", "false");
    this.#field.removeAttribute("aria-activedescendant");
  }
}
