// Writing: answers and notes, with files looked at before they go. What is typed is kept per ticket and kind in this browser until it is
// sent; what is sent carries a key of its own, so that trying again after a lost connection adds nothing twice.

import { el, icon } from "../chat/dom.js";
import { prepare } from "../chat/pictures.js";
import { toast } from "../regulars.js";

const TALLEST = 200; // pixels

export class Composer {
  #hands;
  #form = document.getElementById("composer");
  #area = document.getElementById("words");
  #send = document.getElementById("send");
  #strip = document.getElementById("strip");
  #pick = document.getElementById("pick");
  #kinds = [...document.querySelectorAll("[data-kind]")];
  #tools = document.getElementById("tools");
  #ticket = null;
  #customer = "";
  #kind = "reply";
  #files = [];
  #pending = new Map(); // by ticket: what has not arrived at the server yet

  /** hands: desk, titleOf(action), words, me, limits, ask; show(ticket, pending) */
  constructor(hands) {
    this.#hands = hands;
    for (const tab of this.#kinds) tab.addEventListener("click", () => this.write(tab.dataset.kind));
    this.#area.addEventListener("input", () => this.#changed());
    this.#area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      const meant = event.metaKey || event.ctrlKey || (!event.shiftKey && !matchMedia("(pointer: coarse)").matches);
      if (!meant) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#go();
    });
    document.getElementById("attach").addEventListener("click", () => this.#pick.click());
    this.#pick.addEventListener("change", () => {
      this.#add([...this.#pick.files]);
      this.#pick.value = "";
    });
    this.#area.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.#add(files);
    });
    const pane = document.getElementById("one");
    for (const name of ["dragover", "dragleave", "drop"]) {
      pane.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        pane.classList.toggle("dropping", name === "dragover");
        if (name === "drop") this.#add([...event.dataTransfer.files]);
      });
    }
    addEventListener("beforeunload", (event) => this.#files.length && event.preventDefault());
  }

  attachTo(line) {
    this.#ticket = line.id;
    this.#drop();
    this.#customer = line.customer || this.#hands.words.say("customer");
    this.#takeUp("reply");
  }

  /** Change between answer and note; each keeps its own draft. */
  write(kind) {
    if (!this.#ticket) return;
    this.keep();
    this.#takeUp(kind);
    this.focus();
  }

  #takeUp(kind) {
    this.#kind = kind;
    this.#form.classList.toggle("aside", kind === "note");
    for (const tab of this.#kinds) {
      const chosen = tab.dataset.kind === kind;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this.#area.placeholder = kind === "note" ? this.#hands.words.say("note_hint") : this.#hands.words.say("reply_hint", { name: this.#customer });
    this.#area.value = localStorage.getItem(this.#draft()) ?? "";
    this.#shape();
  }

  get kind() {
    return this.#kind;
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

  /** Keep what is typed. */
  keep() {
    if (!this.#ticket) return;
    const text = this.#area.value;
    if (text.trim()) localStorage.setItem(this.#draft(), text);
    else localStorage.removeItem(this.#draft());
  }

  pending(ticket) {
    return this.#pending.get(ticket) ?? [];
  }

  /** The connection is back: what waited goes again. */
  resume() {
    for (const all of this.#pending.values()) for (const one of all) if (one.state === "failed" && one.again) one.again();
  }

  #draft() {
    return `draft:${this.#hands.me.id}:${this.#ticket}:${this.#kind}`;
  }

  #changed() {
    this.#shape();
    this.keep();
  }

  #shape() {
    this.#area.style.height = "auto";
    this.#area.style.height = `${Math.min(TALLEST, this.#area.scrollHeight + 2)}px`;
    this.#area.style.overflowY = this.#area.scrollHeight > TALLEST ? "auto" : "hidden";
    this.#send.disabled = !this.#area.value.trim() && !this.#files.length;
  }

  // ── Files ──────────────────────────────────────────────────────────────────────────────────────

  async #add(files) {
    const { words, limits } = this.#hands;
    const ticket = this.#ticket;
    for (const file of files) {
      if (this.#files.length >= limits.files) {
        toast(words.say("upload_many", { n: limits.files }));
        break;
      }
      let ready;
      try {
        ready = await prepare(file);
      } catch {
        toast(words.say("unreadable", { name: file.name }));
        continue;
      }
      if (ticket !== this.#ticket) return;
      if (ready.blob.size > limits.bytes) {
        toast(words.say("upload_big", { name: file.name, size: words.size(limits.bytes) }));
        continue;
      }
      this.#files.push(ready);
      this.#strip.append(this.#thumb(ready));
    }
    this.#strip.hidden = !this.#files.length;
    this.#shape();
    this.focus();
  }

  #thumb(file) {
    const { words } = this.#hands;
    const remove = el("button", { type: "button", class: "round", "aria-label": `${words.say("remove")} ${file.name}` }, icon("close"));
    const thumb = file.kind === "photo"
      ? el("div", { class: "thumb" }, el("img", { src: file.shown, alt: file.name }), remove)
      : el("div", { class: "thumb file" }, icon("file"), el("span", {}, file.name), el("small", { class: "muted" }, words.size(file.size)), remove);
    remove.addEventListener("click", () => {
      this.#files = this.#files.filter((one) => one !== file);
      URL.revokeObjectURL(file.shown);
      thumb.remove();
      this.#strip.hidden = !this.#files.length;
      this.#shape();
    });
    return thumb;
  }

  #drop() {
    this.#files = [];
    this.#strip.replaceChildren();
    this.#strip.hidden = true;
  }

  // ── Sending ────────────────────────────────────────────────────────────────────────────────────

  #go() {
    const text = this.#area.value.trim();
    if (!text && !this.#files.length) return;
    const ticket = this.#ticket;
    const one = {
      key: uuid(), who: this.#kind === "note" ? "note" : "agent", kind: this.#kind, staff: this.#hands.me.name, at: new Date().toISOString(),
      text, files: this.#files.map((file) => ({ ...file, state: "stored", url: file.shown })), state: "sending", history: [],
    };
    one.discard = () => this.#take(ticket, one);
    this.#pending.set(ticket, [...this.pending(ticket), one]);
    this.#area.value = "";
    localStorage.removeItem(this.#draft());
    this.#drop();
    this.#shape();
    this.#post(ticket, one);
  }

  async #post(ticket, one) {
    one.state = "sending";
    one.again = null;
    this.#show(ticket);
    const form = new FormData();
    form.append("key", one.key);
    form.append("text", one.text);
    for (const file of one.files) form.append("file", file.blob, file.name);
    try {
      const { id } = await this.#hands.ask(`/desk/tickets/${ticket}/${one.kind}`, { method: "POST", form, quiet: true });
      one.id = id; // the stream brings the message itself; this one hides when it is there
      one.state = one.kind === "note" ? null : "queued";
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
