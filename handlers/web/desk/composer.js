// Writing: answers and notes. What is sent carries a key of its own, so that trying again after a lost connection adds nothing twice.

import { el, icon } from "../chat/dom.js";
import { Drafts } from "./drafts.js";
import { Files } from "./files.js";
import { Mentioning } from "./mentioning.js";

const TALLEST = 200; // pixels

export class Composer {
  #hands;
  #form = document.getElementById("composer");
  #area = document.getElementById("words");
  #send = document.getElementById("send");
  #tools = document.getElementById("tools");
  #about = document.getElementById("about");
  #crossed = document.getElementById("crossed");
  #kinds = [...document.querySelectorAll("[data-kind]")];
  #drafts;
  #files;
  #mentioning;
  #ticket = null;
  #customer = "";
  #kind = "reply";
  #replyTo = null; // the seq that the answer quotes
  #begun = null; // the last line of the thread when the answer was begun
  #pending = new Map(); // by ticket: what has not arrived at the server yet

  /** hands: desk, titleOf(action), rewordLast(), lastSeq(), answeredSince(seq), quoted(seq); show(ticket, pending), writes(yes), answered() */
  constructor(hands) {
    this.#hands = hands;
    const { desk } = hands;
    this.#drafts = new Drafts(desk.ask, desk.boot.me);
    this.#files = new Files({ words: desk.words, limits: desk.boot.limits, area: this.#area, pane: document.getElementById("one"), changed: () => {
      this.#shape();
      this.focus();
    } });
    this.#mentioning = new Mentioning(this.#area, () => (this.#kind === "note" ? desk.opened()?.colleagues.filter((one) => one.id !== desk.boot.me.id) ?? [] : []));
    for (const tab of this.#kinds) tab.addEventListener("click", () => this.write(tab.dataset.kind));
    this.#kinds[0].parentElement.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      this.write(this.#kind === "note" ? "reply" : "note");
      this.#kinds.find((tab) => tab.dataset.kind === this.#kind).focus();
    });
    this.#area.addEventListener("input", () => this.#changed());
    this.#area.addEventListener("keydown", (event) => {
      if (event.isComposing || this.#mentioning.key(event)) return;
      if (event.key === "ArrowUp" && !this.#area.value) {
        event.preventDefault();
        hands.rewordLast();
      }
      if (event.key === "Escape" && this.#replyTo !== null) {
        event.stopPropagation();
        this.quote(null);
      }
      if (event.key !== "Enter") return;
      const meant = event.metaKey || event.ctrlKey || (!event.shiftKey && !matchMedia("(pointer: coarse)").matches);
      if (!meant) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#go();
    });
    document.getElementById("about-drop").addEventListener("click", () => this.quote(null));
  }

  get kind() {
    return this.#kind;
  }

  attachTo({ line, drafts }) {
    this.#ticket = line.id;
    this.#files.take();
    this.#customer = line.customer || this.#hands.desk.words.say("customer");
    this.#drafts.took(line.id, drafts);
    const begun = (kind) => this.#drafts.get(line.id, kind).text;
    this.#takeUp(!begun("reply") && begun("note") ? "note" : "reply");
  }

  /** The ticket is left. */
  leave() {
    if (this.#ticket) this.#keep();
    this.#ticket = null;
  }

  /** Change between answer and note; each keeps its own draft. */
  write(kind) {
    if (!this.#ticket) return;
    if (kind !== this.#kind) {
      this.#keep();
      this.#takeUp(kind);
    }
    this.focus();
  }

  /** Answer one message (its seq; null: none) in particular. */
  quote(seq) {
    if (seq !== null && this.#kind !== "reply") this.write("reply");
    this.#replyTo = seq;
    this.#drawAbout();
    this.#keep();
    this.focus();
  }

  /** Put words where the cursor stands. */
  insert(text) {
    const { selectionStart: from, selectionEnd: to, value } = this.#area;
    const gap = from && !/\s$/.test(value.slice(0, from)) ? " " : "";
    this.#area.setRangeText(gap + text, from, to, "end");
    this.#changed();
    this.focus();
  }

  /** Buttons of the parts beside the text. */
  offer(actions) {
    const known = actions.map((one) => one.id).join();
    if (this.#tools.dataset.known === known) return;
    this.#tools.dataset.known = known;
    const { desk, titleOf } = this.#hands;
    this.#tools.replaceChildren(...actions.map((action) => {
      const button = el("button", { type: "button", class: "round", title: titleOf(action), "aria-label": titleOf(action) }, icon(action.icon));
      button.addEventListener("click", () => desk.ticket() && action.run(desk.ticket(), desk, button));
      return button;
    }));
  }

  focus() {
    this.#area.focus({ preventScroll: true });
  }

  shut(yes) {
    document.getElementById("shut").hidden = !yes;
    document.getElementById("write").classList.toggle("shut-off", yes && this.#kind === "reply");
  }

  pending(ticket) {
    return this.#pending.get(ticket) ?? [];
  }

  /** The connection is back: what waited goes again. */
  resume() {
    for (const all of this.#pending.values()) for (const one of all) if (one.state === "failed" && one.again) one.again();
  }

  #takeUp(kind) {
    const { words } = this.#hands.desk;
    this.#kind = kind;
    this.#form.classList.toggle("aside", kind === "note");
    for (const tab of this.#kinds) {
      const chosen = tab.dataset.kind === kind;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this.#area.placeholder = kind === "note" ? words.say("note_hint") : words.say("reply_hint", { name: this.#customer });
    const { text, reply_to: replyTo } = this.#drafts.get(this.#ticket, kind);
    this.#area.value = text;
    this.#replyTo = replyTo;
    this.#begun = text ? this.#hands.lastSeq() : null;
    this.#crossed.hidden = true;
    this.#drawAbout();
    this.#shape();
    this.shut(this.#hands.desk.ticket()?.state === "closed");
  }

  #drawAbout() {
    const quoted = this.#replyTo === null ? null : this.#hands.quoted(this.#replyTo);
    this.#about.hidden = !quoted;
    if (!quoted) return;
    document.getElementById("about-who").textContent = quoted.who;
    document.getElementById("about-words").textContent = quoted.text;
  }

  #keep() {
    this.#drafts.set(this.#ticket, this.#kind, this.#area.value, this.#replyTo);
  }

  #changed() {
    const written = Boolean(this.#area.value.trim());
    this.#begun = written ? this.#begun ?? this.#hands.lastSeq() : null;
    if (!written) this.#crossed.hidden = true;
    this.#shape();
    this.#keep();
    this.#hands.writes(written);
  }

  #shape() {
    this.#area.style.height = "auto";
    this.#area.style.height = `${Math.min(TALLEST, this.#area.scrollHeight + 2)}px`;
    this.#area.style.overflowY = this.#area.scrollHeight > TALLEST ? "auto" : "hidden";
    this.#send.disabled = !this.#area.value.trim() && !this.#files.all.length;
  }

  // ── Sending ────────────────────────────────────────────────────────────────────────────────────

  #go() {
    const { desk, writes, answered } = this.#hands;
    const text = this.#area.value.trim();
    if (!text && !this.#files.all.length) return;
    if (this.#hasCrossed()) return;
    const ticket = this.#ticket;
    const files = this.#files.take().map((file) => ({ ...file, state: "stored", url: file.shown }));
    const one = {
      key: uuid(), who: this.#kind === "note" ? "note" : "agent", kind: this.#kind, staff: desk.boot.me.name, at: new Date().toISOString(),
      text, files, reply_to: this.#replyTo, state: "sending", history: [], reactions: [],
    };
    one.discard = () => this.#take(ticket, one);
    this.#pending.set(ticket, [...this.pending(ticket), one]);
    this.#drafts.sent(ticket, this.#kind);
    this.#area.value = "";
    this.#replyTo = null;
    this.#begun = null;
    this.#drawAbout();
    this.#shape();
    writes(false);
    if (this.#kind === "reply") answered();
    this.#post(ticket, one);
  }

  /** A colleague has answered since this answer was begun: say so once, then it may go. */
  #hasCrossed() {
    if (this.#kind !== "reply" || this.#begun === null) return false;
    const name = this.#hands.answeredSince(this.#begun);
    if (!name) return false;
    this.#begun = this.#hands.lastSeq();
    this.#crossed.textContent = this.#hands.desk.words.say("crossed", { name });
    this.#crossed.hidden = false;
    return true;
  }

  async #post(ticket, one) {
    one.state = "sending";
    one.again = null;
    this.#crossed.hidden = true;
    this.#show(ticket);
    const form = new FormData();
    form.append("key", one.key);
    form.append("text", one.text);
    if (one.reply_to !== null) form.append("reply_to", one.reply_to);
    for (const file of one.files) form.append("file", file.blob, file.name);
    try {
      await this.#hands.desk.ask(`/desk/tickets/${ticket}/${one.kind}`, { method: "POST", form, quiet: true });
      one.state = one.kind === "note" ? null : "queued"; // the stream brings the message itself; this one hides when it is there
      setTimeout(() => this.#take(ticket, one), 10000);
    } catch (error) {
      one.state = "failed";
      one.error = error.status ? error.message : "";
      one.again = error.retry ? () => this.#post(ticket, one) : null;
    }
    this.#show(ticket);
  }

  #take(ticket, one) {
    this.#pending.set(ticket, this.pending(ticket).filter((other) => other !== one));
    this.#show(ticket);
  }

  #show(ticket) {
    this.#hands.show(ticket, this.pending(ticket));
  }
}

/** crypto.randomUUID is only there on https. */
function uuid() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
