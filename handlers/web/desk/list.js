// The list: a view's tickets, the latest word first, or what a search found.

import { el, icon } from "../chat/dom.js";
import { drawMarks } from "./marks.js";

const AWAKE = ["new", "open", "waiting_customer"];
const HUES = 8;
const SEARCH_PAUSE = 200;

/** A letter in a colour that comes from the name, as parts.html draws it. */
export function avatar(name, kind = "") {
  const bytes = new TextEncoder().encode(name);
  const letter = [...(name.trim().split(/\s+/).at(-1) || "?")][0];
  return el("span", { class: `avatar ${kind}`.trim(), data: { hue: bytes.reduce((sum, byte) => sum + byte, 0) % HUES }, "aria-hidden": "true" }, letter);
}

export class List {
  #hands;
  #box = document.getElementById("tickets");
  #tabs = [...document.querySelectorAll("[data-view]")];
  #search = document.getElementById("search");
  #lines = new Map();
  #rows = new Map();
  #chips = document.getElementById("chips");
  #view = localStorage.getItem("desk-view") ?? "mine"; // one of everybody's; "" while a filter is on
  #filter = null; // {id of the saved view, name, filters}
  #saved = [];
  #selected = null;
  #more = false;
  #loading = 0;
  #came = []; // lines that changed while the list was on its way
  #failed = false;
  shop = "";

  /** hands: desk; took({lines, cursor}) after each reading, counted(unread), turned() when another view is shown */
  constructor(hands) {
    this.#hands = hands;
    if (this.#view !== "snoozed" && !this.#tabs.some((tab) => tab.dataset.view === this.#view)) this.#view = "mine";
    document.getElementById("filter").addEventListener("click", () => this.#openFilter());
    for (const tab of this.#tabs) tab.addEventListener("click", () => this.choose(tab.dataset.view));
    this.#tabs[0].parentElement.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = this.#tabs.at((this.#tabs.findIndex((tab) => tab.dataset.view === this.#view) + step) % this.#tabs.length);
      this.choose(next.dataset.view);
      next.focus();
    });
    let pause;
    this.#search.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => this.load(), SEARCH_PAUSE);
    });
    document.getElementById("shop")?.addEventListener("change", (event) => {
      this.shop = event.target.value;
      this.load();
    });
    this.#box.addEventListener("scroll", () => {
      const left = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
      if (left < 300 && this.#more && !this.#loading) this.#load(true);
    });
  }

  /** The views as the palette offers them. */
  views() {
    const { words } = this.#hands.desk;
    return [
      ...this.#tabs.map((tab, index) => ({ title: tab.firstChild.data.trim(), key: String(index + 1), run: () => this.choose(tab.dataset.view) })),
      { title: words.say("view_snoozed"), run: () => this.choose("snoozed") },
      ...this.#saved.map((one) => ({ title: one.name, run: () => this.show(one) })),
      { title: words.say("filters"), icon: "settings", run: () => this.#openFilter() },
    ];
  }

  chooseAt(place) {
    if (this.#tabs[place]) this.choose(this.#tabs[place].dataset.view);
  }

  choose(view) {
    this.#view = view;
    this.#filter = null;
    localStorage.setItem("desk-view", view);
    this.#search.value = "";
    this.#hands.turned();
    this.load();
  }

  /** Show what fits a filter, mostly a saved one; null: the view of before. */
  show(filter) {
    if (!filter) return this.choose(localStorage.getItem("desk-view") ?? "mine");
    this.#filter = filter;
    this.#search.value = "";
    this.#hands.turned();
    return this.load();
  }

  /** What the stream must look at to say whether a changed ticket belongs here. */
  get filters() {
    return this.#filter ? JSON.stringify(this.#filter.filters) : "";
  }

  #openFilter() {
    const query = new URLSearchParams(this.#filter?.id ? { view: this.#filter.id } : { filters: this.filters });
    this.#hands.desk.sheet(`/desk/filters?${query}`);
  }

  load() {
    this.#mark();
    return this.#load(false);
  }

  async #load(further) {
    const number = ++this.#loading;
    this.#came = [];
    const query = new URLSearchParams({ view: this.#view, search: this.#search.value.trim(), shop: this.shop, filters: this.filters });
    if (further) query.set("before", [...this.#lines.keys()].at(-1));
    else this.#box.setAttribute("aria-busy", "true");
    let newest = {};
    try {
      const found = await this.#hands.desk.ask(`/desk/tickets?${query}`, { quiet: further });
      if (number !== this.#loading) return;
      newest = found.cursor;
      if (!further) {
        this.#lines.clear();
        this.#box.scrollTop = 0;
      }
      this.#hands.took(further ? { ...found, cursor: {} } : found);
      for (const line of found.lines) this.#lines.set(line.id, line);
      this.#more = found.more;
      this.#failed = false;
      this.count({ views: found.counts, saved: found.saved });
    } catch {
      if (number !== this.#loading) return;
      this.#failed = !further;
    }
    this.#loading = 0;
    this.#box.removeAttribute("aria-busy");
    this.draw();
    for (const line of this.#came) if (line.changed > (newest[line.shop] ?? 0)) this.put(line);
    this.#came = [];
  }

  /** A ticket changed: it comes in, moves, or leaves. */
  put(line) {
    if (this.#loading) this.#came.push(line);
    const known = this.#lines.has(line.id);
    const belongs = this.#search.value.trim() ? known : this.#belongs(line);
    if (belongs) this.#lines.set(line.id, line);
    else this.#lines.delete(line.id);
    if (belongs || known) this.draw();
  }

  read(id) {
    const line = this.#lines.get(id);
    if (!line?.unread && !line?.facts.mentioned) return;
    line.unread = 0;
    line.facts.mentioned = false;
    this.draw();
  }

  /** How many tickets are in each view, and what is saved. */
  count({ views, saved }) {
    for (const place of document.querySelectorAll("[data-count]")) place.textContent = views[place.dataset.count] || "";
    this.#saved = saved;
    this.#drawChips(views.snoozed);
  }

  /** Below the views of everybody: what is put aside, saved views, and the filter that is on. */
  #drawChips(snoozed) {
    const { words } = this.#hands.desk;
    const chip = (title, count, on, run) => el("button", { type: "button", class: `chip${on ? " on" : ""}`, "aria-pressed": String(on), onclick: run }, title, count ? el("span", { class: "count" }, String(count)) : null);
    const chips = this.#saved.map((one) => chip(one.name, one.count, this.#filter?.id === one.id, () => (this.#filter?.id === one.id ? this.show(null) : this.show(one))));
    if (snoozed || this.#view === "snoozed") chips.unshift(chip(words.say("view_snoozed"), snoozed, !this.#filter && this.#view === "snoozed", () => this.choose("snoozed")));
    if (this.#filter && !this.#filter.id) chips.unshift(el("button", { type: "button", class: "chip on", "aria-pressed": "true", title: words.say("filters_off"), onclick: () => this.show(null) }, words.say("filtered"), icon("close")));
    const focused = [...this.#chips.children].indexOf(document.activeElement);
    this.#chips.replaceChildren(...chips);
    this.#chips.hidden = !chips.length;
    this.#chips.children[focused]?.focus();
    document.getElementById("filter").classList.toggle("on", Boolean(this.#filter));
  }

  select(id) {
    this.#selected = id;
    for (const [number, { row }] of this.#rows) {
      row.classList.toggle("chosen", number === id);
      if (number === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    this.#rows.get(id)?.row.scrollIntoView({ block: "nearest" });
  }

  focus(id) {
    this.#rows.get(id)?.row.focus({ preventScroll: true });
  }

  step(by) {
    const ids = this.#sorted().map((line) => line.id);
    const next = ids[Math.min(ids.length - 1, Math.max(0, ids.indexOf(this.#selected) + by))];
    if (next) this.#hands.desk.open(next);
  }

  #belongs(line) {
    if (this.shop && String(line.shop) !== this.shop) return false;
    if (this.#filter) return line.fits;
    const active = AWAKE.includes(line.state);
    switch (this.#view) {
      case "snoozed": return line.state === "snoozed";
      case "mine": return active && line.assignee_id === this.#hands.desk.boot.me.id;
      case "unassigned": return active && !line.assignee_id;
      case "open": return active;
      default: return line.state === "resolved" || line.state === "closed";
    }
  }

  #mark() {
    const searching = Boolean(this.#search.value.trim());
    for (const [index, tab] of this.#tabs.entries()) {
      const chosen = !searching && !this.#filter && tab.dataset.view === this.#view;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = tab.dataset.view === this.#view || (index === 0 && this.#view === "snoozed") ? 0 : -1;
    }
  }

  #sorted() {
    const own = !this.#filter && !this.#search.value.trim();
    const first = own && this.#view === "unassigned";
    if (own && this.#view === "snoozed") return [...this.#lines.values()].sort((one, other) => (one.snoozed_until ?? "").localeCompare(other.snoozed_until ?? "") || one.id - other.id);
    return [...this.#lines.values()].sort((one, other) =>
      (first ? other.priority - one.priority : 0) || other.at.localeCompare(one.at) || other.id - one.id);
  }

  /** Draw what changed; rows stay the same elements, so focus and a finger on them do too. */
  draw() {
    const lines = this.#sorted();
    this.#lines = new Map(lines.map((line) => [line.id, line]));
    this.#hands.counted(lines.filter((line) => line.unread).length);
    if (!lines.length) {
      this.#rows.clear();
      this.#box.replaceChildren(this.#failed ? this.#trouble() : this.#empty());
      return;
    }
    const rows = lines.map((line) => this.#row(line));
    for (const id of [...this.#rows.keys()]) if (!this.#lines.has(id)) this.#rows.delete(id);
    rows.forEach((row, index) => {
      if (this.#box.children[index] !== row) this.#box.insertBefore(row, this.#box.children[index] ?? null);
    });
    while (this.#box.children.length > rows.length) this.#box.lastChild.remove();
  }

  #row(line) {
    const ago = this.#ago(new Date(line.at));
    const faces = this.#hands.desk.faces(line.id);
    const signature = JSON.stringify([line, ago, faces?.outerHTML, drawMarks(line, this.#hands.desk).map((mark) => mark.outerHTML)]);
    let known = this.#rows.get(line.id);
    if (!known) {
      const row = el("a", { class: "ticket", href: `/desk/${line.id}` });
      row.addEventListener("click", (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.#hands.desk.open(line.id);
      });
      known = { row, signature: null };
      this.#rows.set(line.id, known);
    }
    if (known.signature !== signature) {
      known.signature = signature;
      known.row.className = `ticket${line.unread ? " fresh" : ""}${line.id === this.#selected ? " chosen" : ""}`;
      known.row.replaceChildren(...this.#parts(line, ago, faces));
    }
    return known.row;
  }

  #parts(line, ago, faces) {
    const { desk, desk: { words, boot: { me, topics, shops } } } = this.#hands;
    const name = line.customer || words.say("guest");
    const at = new Date(line.at);
    const owner = line.assignee_id === me.id ? words.say("mine") : line.assignee ?? words.say("nobody");
    return [
      avatar(line.customer || "?"),
      el("div", { class: "top" },
        el("b", {}, name),
        line.rank ? el("span", { class: "tier-dot", data: { rank: Math.min(line.rank, 3) }, "aria-hidden": "true" }) : null,
        el("span", { class: "number" }, `#${line.id}`),
        faces,
        el("time", { datetime: line.at, title: at.toLocaleString(document.documentElement.lang) }, ago)),
      el("div", { class: "said" }, this.#preview(line),
        line.facts.mentioned ? el("span", { class: "badge warn", "aria-label": words.say("called"), title: words.say("called") }, "@") : null,
        line.unread ? el("span", { class: "badge count", "aria-label": words.say("unread", { n: line.unread }) }, String(line.unread)) : null),
      el("div", { class: "marks" },
        line.urgent ? el("span", { class: "badge bad" }, words.say("urgent")) : null,
        ...drawMarks(line, desk),
        el("span", { class: `badge state-${line.state}` }, words.say(`state_${line.state}`)),
        el("span", { class: "topic" }, topics[line.topic] ?? line.topic),
        Object.keys(shops).length > 1 ? el("span", { class: "topic" }, shops[line.shop]) : null,
        line.stars ? el("span", { class: "stars", role: "img", "aria-label": words.say("stars", { n: line.stars }) }, `★ ${line.stars}`) : null,
        el("span", { class: `owner${line.assignee_id ? "" : " none"}` }, owner)),
    ];
  }

  #preview(line) {
    const { words } = this.#hands.desk;
    if (line.facts.draft && line.id !== this.#selected) {
      return el("span", { class: "preview draft" }, icon("edit"), el("span", {}, words.say("draft")));
    }
    const { who, text, kind, state } = line.preview;
    const picture = who === "agent" ? { queued: "clock", sent: "check", failed: "warn", unknown: "warn" }[state] : { photo: "image", voice: "mic", location: "pin" }[kind] ?? (kind ? "file" : null);
    return el("span", { class: `preview${state === "failed" || state === "unknown" ? " trouble-mark" : ""}` },
      who === "agent" ? el("span", { class: "hidden-words" }, `${words.say(state)}. `) : null,
      picture ? icon(picture) : null,
      el("span", { dir: "auto" }, text || (kind ? words.say(kind) : line.subject)));
  }

  /** now, 5 min, 14:05, yesterday, 21/11: short, for every row has one. */
  #ago(at) {
    const { words } = this.#hands.desk;
    const minutes = Math.floor((Date.now() - at) / 60000);
    if (minutes < 1) return words.say("now");
    if (minutes < 60) return words.say("minutes", { n: minutes });
    const midnight = new Date().setHours(0, 0, 0, 0);
    if (at >= midnight) return minutes < 360 ? words.say("hours", { n: Math.floor(minutes / 60) }) : words.time(at);
    if (at >= midnight - 86400000) return words.say("yesterday");
    const two = (number) => String(number).padStart(2, "0");
    const day = `${two(at.getDate())}/${two(at.getMonth() + 1)}`;
    return at.getFullYear() === new Date().getFullYear() ? day : `${day}/${at.getFullYear()}`;
  }

  #empty() {
    const { words } = this.#hands.desk;
    const what = this.#search.value.trim() ? "search" : this.#filter ? "filtered" : this.#view;
    const node = el("div", { class: "empty" }, icon(what === "search" ? "search" : what === "resolved" ? "ticket" : "check"),
      el("b", {}, words.say(`empty_${what}`)), el("p", {}, words.say(`empty_${what}_words`)));
    if (what === "mine") node.append(el("button", { type: "button", class: "button", onclick: () => this.choose("unassigned") }, words.say("show_unassigned")));
    if (what === "filtered") node.append(el("button", { type: "button", class: "button", onclick: () => this.show(null) }, words.say("filters_off")));
    return node;
  }

  #trouble() {
    const { words } = this.#hands.desk;
    return el("div", { class: "empty" }, icon("warn"), el("b", {}, words.say("list_failed")),
      el("button", { type: "button", class: "button", onclick: () => this.load() }, words.say("load_again")));
  }
}
