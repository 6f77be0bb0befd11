// The conversation on the screen: bubbles in order, grouped by writer and day, the line above what is new, and the scroll that
// never jumps. The scroller is a reversed column: its zero is the bottom (chat.css says why).

import { makeRow, paint } from "./bubble.js";
import { el } from "./dom.js";

const GROUP_MINUTES = 5;
const NEAR = 60; // pixels from the bottom that still count as being there

export class Log {
  #entries = []; // {bubble, frame}, the confirmed by number, then what waits, by the order of writing
  #byId = new Map();
  #byRef = new Map();
  #hands;
  #parts;
  #shopSeen = 0;
  #dividerId = null;
  #loading = null;
  #typingTimer = null;
  cursor = 0;
  seen;
  unread = 0;
  more = false;

  /** parts: {scroller, list, intro, older, typing}; fetchOlder(number) answers {bubbles, more}; changed() after every change. */
  constructor({ parts, hands, fetchOlder, changed, seen, cursor }) {
    this.#parts = parts;
    this.#hands = hands;
    this.fetchOlder = fetchOlder;
    this.changed = changed;
    this.seen = seen;
    this.cursor = cursor;
    parts.scroller.addEventListener("scroll", () => changed(), { passive: true });
    new IntersectionObserver((seenOnes) => seenOnes.some((one) => one.isIntersecting) && this.loadOlder(),
      { root: parts.scroller, rootMargin: "600px 0px 0px 0px" }).observe(parts.older);
  }

  /** The first bubbles of the page. */
  fill(bubbles, more) {
    this.more = more;
    for (const bubble of bubbles) this.#put(bubble);
    const fresh = this.#entries.find(({ bubble }) => this.#isNews(bubble) && bubble.number > this.seen);
    if (fresh && this.seen > 0) {
      this.#dividerId = fresh.bubble.id;
      this.unread = this.#entries.filter(({ bubble }) => this.#isNews(bubble) && bubble.number > this.seen).length;
    }
    this.#arrange();
    if (this.#dividerId) {
      const { scroller } = this.#parts;
      const above = fresh.frame.row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
      if (above < 0) scroller.scrollTop += above - 8;
    }
    this.#parts.list.setAttribute("aria-busy", "false");
  }

  /** A bubble from the server, new or changed. Told twice, or late, it changes nothing. */
  receive(bubble) {
    this.cursor = Math.max(this.cursor, bubble.seq);
    const known = this.#byId.get(bubble.id);
    if (known && known.bubble.seq >= bubble.seq) return;
    const oldest = this.oldest;
    if (!known && this.more && oldest !== null && bubble.number < oldest) return; // loading older brings it
    const isNew = !known && !(bubble.ref && this.#byRef.has(bubble.ref));
    this.#keepPlace(() => {
      if (isNew && bubble.from === "shop") this.#hideTyping();
      const entry = this.#put(bubble);
      if (isNew) entry.frame.row.classList.add("live");
      if (isNew && this.#isNews(bubble) && bubble.number > this.seen && !this.isRead) {
        if (this.unread === 0) this.#dividerId = bubble.id;
        this.unread += 1;
      }
      this.#arrange();
    });
    this.changed();
  }

  /** A bubble of the customer's that the server doesn't have yet. */
  expect(bubble) {
    this.#dividerId = null;
    const entry = this.#put(bubble);
    entry.frame.row.classList.add("live");
    this.#arrange();
    this.toBottom();
    this.changed();
  }

  /** What became of a waiting bubble: "sending", "sent" or "failed". */
  mark(ref, state, { order, error, retry } = {}) {
    const entry = this.#byRef.get(ref);
    if (!entry || entry.bubble.number) return;
    this.#keepPlace(() => {
      Object.assign(entry.bubble, { state, error, retry, order: order ?? entry.bubble.order });
      this.#arrange();
    });
  }

  discard(ref) {
    const entry = this.#byRef.get(ref);
    if (!entry) return;
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#byRef.delete(ref);
    this.#byId.delete(entry.bubble.id);
    this.#keepPlace(() => {
      entry.frame.row.remove();
      this.#arrange();
    });
    this.changed();
  }

  /** The shop has read up to a number: two ticks. */
  shopHasSeen(number) {
    this.#shopSeen = Math.max(this.#shopSeen, number);
    this.#arrange();
  }

  typing(milliseconds) {
    clearTimeout(this.#typingTimer);
    this.#keepPlace(() => { this.#parts.typing.hidden = false; });
    this.#typingTimer = setTimeout(() => {
      this.#hideTyping();
      this.changed();
    }, milliseconds);
    this.changed();
  }

  get isTyping() {
    return !this.#parts.typing.hidden;
  }

  get atBottom() {
    return Math.abs(this.#parts.scroller.scrollTop) < NEAR;
  }

  /** The customer has the newest in view. */
  get isRead() {
    return this.atBottom && document.visibilityState === "visible";
  }

  get isEmpty() {
    return this.#entries.length === 0;
  }

  get oldest() {
    return this.#entries.find(({ bubble }) => bubble.number)?.bubble.number ?? null;
  }

  /** The highest number of a bubble that isn't the customer's own. */
  get newest() {
    return this.#entries.findLast(({ bubble }) => this.#isNews(bubble))?.bubble.number ?? 0;
  }

  /** The quick answers in force: the newest bubble that says anything about them. */
  get quick() {
    return this.#entries.findLast(({ bubble }) => bubble.number && bubble.quick && !bubble.deleted)?.bubble.quick ?? null;
  }

  /** The customer's last bubble of words, for the Up key. */
  get lastOwn() {
    return this.#entries.findLast(({ bubble }) => bubble.from === "me" && bubble.number && bubble.text && !bubble.deleted)?.bubble ?? null;
  }

  read() {
    this.unread = 0;
    this.seen = Math.max(this.seen, this.newest);
  }

  toBottom() {
    this.#parts.scroller.scrollTop = 0;
  }

  /** Bring a bubble into view and light it up, loading older ones until it is there. */
  async show(id) {
    for (let tries = 0; tries < 20 && !this.#byId.has(id) && this.more; tries += 1) await this.loadOlder();
    const row = this.#byId.get(id)?.frame.row;
    if (!row) return;
    row.scrollIntoView({ block: "center" });
    row.classList.remove("flash");
    requestAnimationFrame(() => row.classList.add("flash"));
    setTimeout(() => row.classList.remove("flash"), 1300);
  }

  loadOlder() {
    if (!this.more || this.oldest === null) return Promise.resolve();
    this.#loading ??= this.#loadOlder().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #loadOlder() {
    const { list, older } = this.#parts;
    let page;
    try {
      page = await this.fetchOlder(this.oldest);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1500)); // the banner tells; the next scroll, or this wait, asks again
      return;
    }
    list.setAttribute("aria-busy", "true"); // a screen reader isn't read the past as if it were news
    this.more = page.more;
    this.#keepPlace(() => {
      for (const bubble of page.bubbles) this.#put(bubble);
      this.#arrange();
    });
    requestAnimationFrame(() => list.setAttribute("aria-busy", "false"));
    const gap = older.getBoundingClientRect().bottom - this.#parts.scroller.getBoundingClientRect().top;
    if (this.more && gap > -600) requestAnimationFrame(() => this.loadOlder());
  }

  #isNews(bubble) {
    return bubble.from !== "me" && !bubble.deleted && Boolean(bubble.number);
  }

  #hideTyping() {
    clearTimeout(this.#typingTimer);
    this.#keepPlace(() => { this.#parts.typing.hidden = true; });
  }

  #put(bubble) {
    let entry = this.#byId.get(bubble.id) ?? (bubble.ref ? this.#byRef.get(bubble.ref) : undefined);
    if (entry) {
      const old = entry.bubble;
      this.#byId.delete(old.id);
      // A picture that was sent from here is shown from here: the same size, and no blink when the server's copy is named.
      const media = bubble.media?.map((item, index) => {
        const mine = old.media?.[index];
        return mine?.shown ? { ...item, shown: mine.shown, width: mine.width ?? item.width, height: mine.height ?? item.height } : item;
      });
      entry.bubble = { ...bubble, media };
    } else {
      entry = { bubble, frame: makeRow(this.#hands) };
      entry.frame.grip.addEventListener("click", () => this.#hands.menu(entry.bubble, entry.frame));
      this.#hands.hold(entry.frame.bubble, () => this.#hands.menu(entry.bubble, entry.frame));
      this.#entries.push(entry);
    }
    this.#byId.set(bubble.id, entry);
    if (bubble.ref) this.#byRef.set(bubble.ref, entry);
    return entry;
  }

  /** Put the rows in order, paint what changed, and draw days, groups and the line above what is new. */
  #arrange() {
    const { list, intro, older } = this.#parts;
    this.#entries.sort((a, b) => place(a.bubble) - place(b.bubble) || (a.bubble.order ?? 0) - (b.bubble.order ?? 0));
    let before = null;
    let last = null;
    for (const entry of this.#entries) {
      const { bubble, frame } = entry;
      const { row } = frame;
      bubble.seen = bubble.from === "me" && bubble.number > 0 && bubble.number <= this.#shopSeen;
      paint(frame, bubble, this.#hands);
      const at = new Date(bubble.at);
      const day = at.toDateString() === before?.day ? null : this.#hands.words.day(at);
      const isUnread = bubble.id === this.#dividerId;
      heading(frame, "day", day);
      heading(frame, "unread", isUnread ? this.#hands.words.say("unread") : null);
      const joined = before && !day && !isUnread && before.bubble.from === bubble.from && before.bubble.name === bubble.name
        && at - before.at < GROUP_MINUTES * 60000 && bubble.from !== "system";
      row.classList.toggle("first", !joined);
      if (frame.parts.who.firstChild?.className === "who") frame.parts.who.hidden = Boolean(joined);
      before?.frame.row.classList.toggle("last", !joined || Boolean(before.bubble.buttons?.length));
      const next = last ? last.nextSibling : list.firstChild;
      if (next !== row) list.insertBefore(row, next);
      last = row;
      before = { bubble, frame, at, day: at.toDateString() };
    }
    before?.frame.row.classList.add("last");
    older.hidden = !this.more;
    intro.hidden = this.more;
  }

  /** Change something and leave what the customer is reading where it is. */
  #keepPlace(change) {
    const { scroller, list } = this.#parts;
    if (this.atBottom) return change();
    const top = scroller.getBoundingClientRect().top;
    const anchor = [...list.children].find((row) => row.getBoundingClientRect().bottom > top);
    const was = anchor?.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - was;
  }
}

const place = (bubble) => bubble.number || Number.MAX_SAFE_INTEGER;

/** The line above a row ("day" or "unread"), made, changed or taken away. */
function heading(frame, name, words) {
  if ((frame.painted[name] ?? null) === words) return;
  frame.painted[name] = words;
  frame.row.querySelector(`:scope > .${name}`)?.remove();
  if (words) frame.row.insertBefore(el("div", { class: name, role: "separator", "aria-label": words }, el("span", {}, words)), frame.row.lastElementChild);
}
