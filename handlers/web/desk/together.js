// Colleagues at the same desk: this window tells what it shows and whether something is being written; others are drawn where they are.

import { el, icon } from "../chat/dom.js";
import { avatar } from "./list.js";

const RENEW = 20000;
const TYPING_RENEW = 4000;
const TYPING_ENDS = 5000;
const SHOWN_MOST = 3;

export class Company {
  #desk;
  #looks = {};
  #window = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  #told = null; // what the server knows of this window
  #toldAt = 0;
  #typing = false;
  #ends = null;
  #changed;

  /** changed() when colleagues come, go or write. */
  constructor(desk, changed) {
    this.#desk = desk;
    this.#changed = changed;
    setInterval(() => this.#told?.ticket && this.tell(true), RENEW);
    document.addEventListener("visibilitychange", () => this.tell());
    addEventListener("pagehide", () => {
      if (!this.#told?.ticket) return;
      this.#told = null;
      navigator.sendBeacon("/desk/here", new URLSearchParams({ csrf: desk.boot.csrf, window: this.#window }));
    });
  }

  /** Tell the server what this window shows, where it has changed (or anew, to renew it). */
  tell(again = false) {
    const ticket = document.hidden ? null : this.#desk.ticket()?.id ?? null;
    if (this.#told && this.#told.ticket !== ticket) this.#typing = false;
    const shown = { ticket, typing: this.#typing && ticket !== null };
    const same = this.#told && this.#told.ticket === shown.ticket && this.#told.typing === shown.typing;
    const due = again || (shown.typing && Date.now() - this.#toldAt > TYPING_RENEW);
    if ((same || (!this.#told && !ticket)) && !due) return;
    this.#told = shown;
    this.#toldAt = Date.now();
    const form = new URLSearchParams({ window: this.#window });
    if (shown.ticket) form.set("ticket", shown.ticket);
    if (shown.typing) form.set("typing", "yes");
    this.#desk.ask("/desk/here", { method: "POST", form, quiet: true }).catch(() => {});
  }

  /** Something is being written, or (false) it was sent or taken back. */
  writes(yes) {
    clearTimeout(this.#ends);
    this.#typing = yes;
    if (yes) this.#ends = setTimeout(() => this.writes(false), TYPING_ENDS);
    this.tell();
  }

  /** All who look somewhere, by ticket: [{id, name, typing}]. */
  set(looks) {
    this.#looks = looks;
    this.#changed();
  }

  at(ticket) {
    return this.#looks[ticket] ?? [];
  }

  /** Letter avatars of those at a ticket; who writes has a pen. */
  faces(ticket) {
    const there = this.at(ticket);
    if (!there.length) return null;
    const faces = there.slice(0, SHOWN_MOST).map((one) => {
      const face = avatar(one.name, "tiny");
      return one.typing ? el("span", { class: "writing" }, face, icon("edit")) : face;
    });
    if (there.length > SHOWN_MOST) faces.push(el("span", { class: "avatar tiny more", "aria-hidden": "true" }, `+${there.length - SHOWN_MOST}`));
    return el("span", { class: "faces", role: "img", "aria-label": this.words(ticket), title: this.words(ticket) }, ...faces);
  }

  /** "Hoà is writing, Minh looks at this", or nothing. */
  words(ticket) {
    const { words } = this.#desk;
    const names = (typing) => this.at(ticket).filter((one) => one.typing === typing).map((one) => one.name).join(", ");
    const [writing, looking] = [names(true), names(false)];
    return [writing && words.say("is_writing", { name: writing }), looking && words.say("is_looking", { name: looking })].filter(Boolean).join(" · ");
  }

  writing(ticket) {
    const names = this.at(ticket).filter((one) => one.typing).map((one) => one.name).join(", ");
    return names ? this.#desk.words.say("is_writing", { name: names }) : "";
  }
}
