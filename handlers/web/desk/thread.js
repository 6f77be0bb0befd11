// The thread: messages, notes and what happened in between, in order. A message: {seq, changed, id, sent_as: the key of the page that wrote it, who: customer|agent|note, staff,
// may_change, at, text, edited, history, deleted, reactions {customer|agent: [emoji]}, reply_to, location, group, state: queued|sent|failed|
// unknown, reason, files [{id, kind, name, size, width, height, duration, state, url}]}. What happened: {seq, changed, at, event, words}.
// Messages of one album are drawn as one bubble.

import { el } from "../chat/dom.js";
import { playOn } from "../chat/sound.js";
import { drawMessage } from "./message.js";
import { Saying } from "./saying.js";

const TOGETHER = 5 * 60000; // messages of one person within this stand close together

export class Thread {
  #hands;
  #saying;
  #log = document.getElementById("log");
  #scroller = document.getElementById("scroller");
  #older = document.getElementById("older");
  #lines = new Map();
  #pending = [];
  #drawn = new Map();
  #ticket = null;
  #unreadFrom = null; // the first line that was unread when the thread was opened
  #seen = 0;
  cursor = 0;

  /** hands: desk; showPicture(photos, index), quote(seq), sawAll(seq) */
  constructor({ desk, showPicture, quote, sawAll }) {
    this.#saying = new Saying(desk, quote);
    this.#hands = {
      desk, words: desk.words, showPicture, sawAll, quoted: (seq) => this.quoted(seq), jump: (seq) => this.#jump(seq),
      menu: (block, opener) => this.#saying.menu(block, opener), retry: (line) => this.#saying.retry(line), showHistory: (line) => this.#saying.showHistory(line),
    };
    this.#older.querySelector("button").addEventListener("click", () => this.#loadOlder());
    this.#scroller.addEventListener("scroll", () => this.see());
    this.#scroller.addEventListener("keydown", (event) => this.#walk(event));
    document.getElementById("history").addEventListener("click", (event) => event.target.id === "history" && event.target.close());
  }

  /** Messages whose files were still being fetched: the stream tells when they are there. */
  get waiting() {
    return [...this.#lines.values()].filter((line) => line.files?.some((file) => file.state === "waiting")).map((line) => line.seq);
  }

  get lastSeq() {
    return Math.max(0, ...this.#lines.keys());
  }

  show({ line, lines, more }, pending) {
    this.#ticket = line.id;
    this.#lines = new Map(lines.map((one) => [one.seq, one]));
    this.#pending = pending;
    this.cursor = line.changed;
    this.#seen = 0;
    const unread = lines.filter((one) => one.who === "customer").slice(-line.unread || Infinity);
    this.#unreadFrom = line.unread && unread.length ? unread[0].seq : null;
    this.#drawn.clear();
    // A screen reader says what comes, not what was there.
    this.#log.setAttribute("aria-busy", "true");
    this.#log.replaceChildren();
    this.#older.hidden = !more;
    this.#draw();
    setTimeout(() => this.#log.removeAttribute("aria-busy"));
    this.#scroller.scrollTop = 0;
    this.see();
  }

  put(line) {
    const fresh = !this.#lines.has(line.seq);
    const oldest = Math.min(...this.#lines.keys());
    this.cursor = Math.max(this.cursor, line.changed);
    if (fresh && line.seq < oldest && !this.#older.hidden) return; // loading the earlier ones brings it
    this.#lines.set(line.seq, line);
    for (const gone of line.left ?? []) this.#lines.delete(gone); // they went on in another ticket
    this.#draw(fresh);
    if (fresh) this.see();
  }

  setPending(pending) {
    this.#pending = pending;
    this.#draw(true);
    if (pending.some((one) => one.state === "sending")) this.#scroller.scrollTop = 0;
  }

  /** Who said it and its first words, to be quoted. */
  quoted(seq) {
    const line = this.#lines.get(seq);
    if (!line || line.event) return null;
    const { words, desk } = this.#hands;
    return { who: line.who === "customer" ? desk.ticket()?.customer || words.say("customer") : line.staff, text: line.text || words.say(line.files[0]?.kind ?? "location") };
  }

  /** The colleague who answered the customer after a line, if one did. */
  answeredSince(seq, myself) {
    return [...this.#lines.values()].find((line) => line.seq > seq && line.who === "agent" && line.staff !== myself)?.staff ?? null;
  }

  /** The last thing one has said oneself, to be reworded. */
  rewordLast() {
    const last = [...this.#lines.values()].filter((line) => line.may_change && line.staff === this.#hands.desk.boot.me.name && !line.deleted).sort((one, other) => one.seq - other.seq).at(-1);
    if (last) this.#saying.reword(last);
  }

  /** Tell what has been read, once the end of the thread is before the reader's eyes. */
  see() {
    const last = this.lastSeq;
    if (document.hidden || last <= this.#seen || this.#scroller.scrollTop < -120 || !this.#scroller.offsetParent) return;
    this.#seen = last;
    this.#hands.sawAll(last);
  }

  /** Arrow keys go from message to message; Enter opens the menu of the one that has the focus. */
  #walk(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || event.target.closest("input, textarea")) return;
    const grips = [...this.#log.querySelectorAll(".grip")];
    const at = grips.indexOf(document.activeElement);
    const next = at < 0 ? grips.at(-1) : grips[at + step];
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.closest(".row").scrollIntoView({ block: "nearest" });
  }

  async #loadOlder() {
    const ticket = this.#ticket;
    const before = Math.min(...this.#lines.keys());
    try {
      const found = await this.#hands.desk.ask(`/desk/tickets/${ticket}/older?before=${before}`);
      if (ticket !== this.#ticket) return false;
      for (const line of found.lines) this.#lines.set(line.seq, line);
      this.#older.hidden = !found.more;
      this.#draw();
      return found.lines.length > 0;
    } catch {
      return false; // The button stays.
    }
  }

  async #jump(seq) {
    while (!this.#lines.has(seq) && !this.#older.hidden) if (!(await this.#loadOlder())) return;
    const row = document.getElementById(`line-${seq}`);
    row?.scrollIntoView({ block: "center" });
    row?.classList.add("flash");
    setTimeout(() => row?.classList.remove("flash"), 1200);
  }

  #draw(rise = false) {
    const arrived = new Set([...this.#lines.values()].map((line) => line.sent_as));
    const lines = [...this.#lines.values()].sort((one, other) => one.seq - other.seq);
    const waiting = this.#pending.filter((one) => !arrived.has(one.key));
    const blocks = joined([...lines, ...waiting]);
    const kept = new Set();
    let place = this.#log.firstChild;
    let before = null;
    blocks.forEach((block, index) => {
      const key = block[0].key ?? `s${block[0].seq}`;
      const day = new Date(block[0].at).toDateString();
      const head = {
        day: !before || new Date(before[0].at).toDateString() !== day ? this.#hands.words.day(new Date(block[0].at)) : null,
        unread: block.some((line) => line.seq === this.#unreadFrom),
        first: !before || !close(before, block), last: !blocks[index + 1] || !close(block, blocks[index + 1]),
      };
      const signature = JSON.stringify([block, head, block[0].reply_to ? this.quoted(block[0].reply_to) : null]);
      let known = this.#drawn.get(key);
      if (known?.signature !== signature) {
        const row = block[0].event ? this.#drawEvent(block[0]) : drawMessage(block, head, this.#hands);
        this.#heads(row, head);
        if (rise && !known) row.classList.add("live");
        if (known) {
          const focused = known.row.contains(document.activeElement);
          if (place === known.row) place = row;
          playOn(known.row, row);
          known.row.replaceWith(row);
          if (focused) row.querySelector(".grip")?.focus({ preventScroll: true });
        }
        known = { row, signature };
        this.#drawn.set(key, known);
      }
      if (known.row === place) place = place.nextSibling;
      else this.#log.insertBefore(known.row, place);
      kept.add(key);
      before = block;
    });
    for (const [key, { row }] of this.#drawn) {
      if (kept.has(key)) continue;
      row.remove();
      this.#drawn.delete(key);
    }
  }

  #heads(row, { day, unread }) {
    const heads = [day ? el("div", { class: "day" }, day) : null, unread ? el("div", { class: "unread" }, this.#hands.words.say("new_below")) : null];
    row.prepend(...heads.filter(Boolean));
  }

  #drawEvent(line) {
    const at = new Date(line.at);
    const [words, ...reasons] = line.words.split("\n");
    const said = el("p", {}, words, " · ", el("time", { datetime: line.at }, this.#hands.words.time(at)));
    if (!reasons.length) return el("div", { class: "row happened" }, said);
    said.append(" · ", el("span", { class: "why" }, this.#hands.words.say("why")));
    return el("div", { class: "row happened" },
      el("details", {}, el("summary", {}, said), el("ul", {}, ...reasons.map((one) => el("li", {}, one)))));
  }
}

/** Lines in blocks: an album's parts are one. */
function joined(lines) {
  const blocks = [];
  for (const line of lines) {
    const last = blocks.at(-1);
    if (last && line.group && last[0].group === line.group && last[0].who === line.who) last.push(line);
    else blocks.push([line]);
  }
  return blocks;
}

function close([one], [other]) {
  return !one.event && !other.event && one.who === other.who && one.staff === other.staff && new Date(other.at) - new Date(one.at) < TOGETHER
    && new Date(one.at).toDateString() === new Date(other.at).toDateString();
}
