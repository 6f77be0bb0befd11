// The thread: messages, notes and what happened in between, in order. A message: {seq, changed, id, who: customer|agent|note, staff, at,
// text, edited, history, reply_to, location, group, state: queued|sent|failed|unknown, reason, files [{id, kind, name, size, width, height,
// duration, state, url}]}. What happened: {seq, changed, at, event, words}. Messages of one album are drawn as one bubble.

import { drawMedia, linked } from "../chat/bubble.js";
import { el, icon } from "../chat/dom.js";

const TOGETHER = 5 * 60000; // messages of one person within this stand close together

export class Thread {
  #hands;
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

  /** hands: words, ask; showPicture(photos, index), retry(message), sawAll(seq) */
  constructor(hands) {
    this.#hands = hands;
    this.#older.querySelector("button").addEventListener("click", () => this.#loadOlder());
    this.#scroller.addEventListener("scroll", () => this.see());
    document.getElementById("history").addEventListener("click", (event) => event.target.id === "history" && event.target.close());
  }

  /** Messages whose files were still being fetched: the stream tells when they are there. */
  get waiting() {
    return [...this.#lines.values()].filter((line) => line.files?.some((file) => file.state === "waiting")).map((line) => line.seq);
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
    this.#log.replaceChildren();
    this.#older.hidden = !more;
    this.#draw();
    this.#scroller.scrollTop = 0;
    this.see();
  }

  put(line) {
    const fresh = !this.#lines.has(line.seq);
    this.#lines.set(line.seq, line);
    this.cursor = Math.max(this.cursor, line.changed);
    this.#draw(fresh);
    if (fresh) this.see();
  }

  setPending(pending) {
    this.#pending = pending;
    this.#draw(true);
    if (pending.some((one) => one.state === "sending")) this.#scroller.scrollTop = 0;
  }

  /** Tell what has been read, once the end of the thread is before the reader's eyes. */
  see() {
    const last = Math.max(0, ...this.#lines.keys());
    if (document.hidden || last <= this.#seen || this.#scroller.scrollTop < -120 || !this.#scroller.offsetParent) return;
    this.#seen = last;
    this.#hands.sawAll(last);
  }

  async #loadOlder() {
    const ticket = this.#ticket;
    const before = Math.min(...this.#lines.keys());
    try {
      const found = await this.#hands.ask(`/desk/tickets/${ticket}/older?before=${before}`);
      if (ticket !== this.#ticket) return;
      for (const line of found.lines) this.#lines.set(line.seq, line);
      this.#older.hidden = !found.more;
      this.#draw();
    } catch {
      // The button stays.
    }
  }

  #draw(rise = false) {
    const arrived = new Set([...this.#lines.values()].map((line) => line.id).filter(Boolean));
    const lines = [...this.#lines.values()].sort((one, other) => one.seq - other.seq);
    const waiting = this.#pending.filter((one) => !arrived.has(one.id));
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
      const signature = JSON.stringify([block, head, this.#quoted(block[0])?.text]);
      let known = this.#drawn.get(key);
      if (known?.signature !== signature) {
        const row = block[0].event ? this.#drawEvent(block[0], head) : this.#drawBlock(block, head);
        if (rise && !known) row.classList.add("live");
        if (known) {
          if (place === known.row) place = row;
          known.row.replaceWith(row);
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
    if (day) row.append(el("div", { class: "day" }, day));
    if (unread) row.append(el("div", { class: "unread" }, this.#hands.words.say("new_below")));
  }

  #drawEvent(line, head) {
    const row = el("div", { class: "row happened" });
    this.#heads(row, head);
    const at = new Date(line.at);
    row.append(el("p", {}, line.words, " · ", el("time", { datetime: line.at }, this.#hands.words.time(at))));
    return row;
  }

  /** One bubble of one message, or of an album's. The customer stands left, the shop right; notes are tinted. */
  #drawBlock(block, head) {
    const { words } = this.#hands;
    const [line] = block;
    const row = el("div", { class: `row ${line.who === "customer" ? "shop" : "me"} ${line.who === "note" ? "aside" : ""} ${head.first ? "first" : ""} ${head.last ? "last" : ""}` });
    if (line.seq) row.id = `line-${line.seq}`;
    this.#heads(row, head);
    const media = block.flatMap((one) => [...one.files, ...(one.location ? [{ kind: "location", name: one.location.title ?? one.location.name, ...one.location }] : [])]);
    const there = media.filter((file) => file.url || file.shown || file.kind === "location");
    const bubble = el("div", { class: "bubble" });
    const pictured = there.some((file) => ["photo", "video", "location"].includes(file.kind));
    const text = block.map((one) => one.text).filter(Boolean).join("\n");
    bubble.classList.toggle("with-picture", pictured);
    bubble.classList.toggle("no-words", !text && there.at(-1)?.kind !== "location");
    if (line.who === "note") bubble.append(el("span", { class: "who" }, icon("note"), `${words.say("note")} · ${line.staff}`));
    else if (line.who === "agent" && head.first) bubble.append(el("span", { class: "who" }, line.staff));
    else bubble.append(el("span", { class: "hidden-words" }, `${line.who === "agent" ? line.staff : words.say("customer")}: `));
    const quoted = this.#quoted(line);
    if (quoted) bubble.append(this.#quote(quoted));
    bubble.append(...drawMedia(there, this.#hands).flat().filter(Boolean));
    bubble.append(...media.filter((file) => !there.includes(file)).map((file) => this.#missing(file)));
    if (text) bubble.append(el("div", { class: "words has-words", dir: "auto" }, ...linked(text)));
    bubble.append(this.#meta(block, bubble));
    const stack = el("div", { class: "stack" }, bubble);
    const trouble = this.#trouble(block.findLast((one) => one.state === "failed" || one.state === "unknown"));
    if (trouble) stack.append(trouble);
    row.append(stack);
    return row;
  }

  #quoted(line) {
    return line.reply_to ? this.#lines.get(line.reply_to) : null;
  }

  #quote(line) {
    const { words } = this.#hands;
    const excerpt = line.text || words.say(line.files?.[0]?.kind ?? "location");
    return el("button", { type: "button", class: "quote", title: words.say("quote"), onclick: () => {
      const row = document.getElementById(`line-${line.seq}`);
      row?.scrollIntoView({ block: "center" });
      row?.classList.add("flash");
      setTimeout(() => row?.classList.remove("flash"), 1200);
    } }, el("span", {}, excerpt));
  }

  #missing(file) {
    const { words } = this.#hands;
    if (file.state === "waiting") {
      return el("div", { class: "missing" }, el("span", { class: "spinner" }), el("span", {}, words.say("fetching")));
    }
    const why = file.state === "too_big" ? words.say("too_big", { size: words.size(file.size ?? 0) }) : words.say("not_fetched");
    return el("div", { class: "missing" }, icon("warn"), el("span", {}, el("b", {}, file.name || words.say(file.kind)), el("small", {}, why)));
  }

  #meta(block, bubble) {
    const { words } = this.#hands;
    const line = block.at(-1);
    const at = new Date(line.at);
    const meta = el("span", { class: "meta" });
    const edited = block.find((one) => one.edited);
    if (edited) meta.append(el("button", { type: "button", class: "edits", onclick: () => this.#showHistory(edited) }, words.say("edited")));
    meta.append(el("time", { datetime: line.at, title: at.toLocaleString(document.documentElement.lang) }, words.time(at)));
    const picture = { sending: "clock", queued: "clock", sent: "check", failed: "warn", unknown: "warn" }[line.state];
    if (picture) meta.append(icon(picture), el("span", { class: "hidden-words" }, words.say(line.state)));
    bubble.style.setProperty("--meta-width", `${42 + (picture ? 18 : 0) + (edited ? words.say("edited").length * 6 + 8 : 0)}px`);
    return meta;
  }

  #trouble(line) {
    if (!line) return null;
    const { words, retry } = this.#hands;
    if (line.key) { // it never left this browser
      return el("div", { class: "trouble", role: "alert" }, el("span", {}, line.error || words.say("unsent")),
        line.again ? el("button", { type: "button", onclick: line.again }, words.say("try_again")) : null,
        el("button", { type: "button", class: "discard", onclick: line.discard }, words.say("discard")));
    }
    const again = el("button", { type: "button" }, words.say("retry"));
    again.addEventListener("click", async () => {
      again.disabled = true;
      await retry(line.id);
      again.disabled = false;
    });
    const why = line.state === "unknown" ? words.say("unknown_long") : `${words.say("failed")}. ${line.reason ?? ""}`;
    return el("div", { class: `trouble ${line.state}`, role: "alert" }, el("span", {}, why), again);
  }

  #showHistory(line) {
    const { words } = this.#hands;
    document.getElementById("history-list").replaceChildren(...line.history.map((old) => el("li", {},
      el("small", { class: "muted" }, words.say("until", { time: `${words.time(new Date(old.until))}, ${words.day(new Date(old.until))}` })),
      el("p", { dir: "auto" }, old.text))));
    document.getElementById("history").showModal();
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
