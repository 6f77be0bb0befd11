// The desk: one list, one thread, one customer, kept true by one stream of events.
//
// boot: {me {id, name}, shops {id: name}, csrf, topics {key: words}, limits {bytes, files, chars}, strings}
// A line of the list: {id, shop, customer, rank, subject, topic, state, urgent, assignee_id, assignee, unread, stars, at, created, changed,
// last_seq, preview {seq, who, text, kind, state}}. A line of the thread: see thread.js.
// The stream (/desk/events) says `ticket` (a line of the list that changed), `line` (of the open thread), `counts`, `ping`, and `gone`
// when the agent may no longer be here. It goes on from cursors that the page keeps, so a lost connection loses nothing.

import { Words, openMenu, el, icon } from "../chat/dom.js";
import { Live } from "../chat/live.js";
import { Lightbox } from "../chat/pictures.js";
import { toast } from "../regulars.js";
import { Composer } from "./composer.js";
import { List } from "./list.js";
import { Thread } from "./thread.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const words = new Words(boot.strings, document.documentElement.lang);
const find = (id) => document.getElementById(id);
const desk = find("desk");
const menu = find("menu");

const cursor = {}; // by shop: the newest change that the list has
let open = null; // the open ticket: {line, colleagues, may_assign}
let asked = 0; // numbers the openings, so that a slow answer for an earlier one is dropped
let wasLost = false;

/** Ask the server; its refusal is shown and thrown. */
async function ask(path, { method = "GET", json, form, quiet = false } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        Accept: path.endsWith("/customer") ? "text/html" : "application/json",
        ...(method === "GET" ? {} : { "X-CSRF-Token": boot.csrf }),
        ...(json ? { "Content-Type": "application/json" } : {}),
      },
      body: json ? JSON.stringify(json) : form,
    });
  } catch (error) {
    if (!quiet) toast(words.say("lost"));
    throw Object.assign(error, { retry: true });
  }
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    const message = told.error ?? words.say("lost");
    if (!quiet) toast(message);
    throw Object.assign(new Error(message), { status: answer.status, retry: answer.status >= 500 || answer.status === 429 });
  }
  return answer.headers.get("Content-Type")?.includes("json") ? answer.json() : answer.text();
}

const act = (ticket, action, json = {}) => ask(`/desk/tickets/${ticket}/${action}`, { method: "POST", json });

const lightbox = new Lightbox();
const list = new List({ words, me: boot.me, shops: boot.shops, topics: boot.topics, ask, open: (id) => openTicket(id), took, counted });
const thread = new Thread({ words, ask, showPicture: (photos, index) => lightbox.show(photos, index), retry, sawAll });
const composer = new Composer({ words, me: boot.me, limits: boot.limits, ask, show: (ticket, pending) => {
  if (open?.line.id === ticket) thread.setPending(pending);
} });

/** The list was read anew: the stream goes on from where it stands. */
function took(newest) {
  for (const [shop, at] of Object.entries(newest)) cursor[shop] = Math.max(cursor[shop] ?? 0, at);
}

function counted(unread) {
  document.title = document.title.replace(/^(\(\d+\) )?/, unread ? `(${unread}) ` : "");
}

// ── The stream ───────────────────────────────────────────────────────────────────────────────────

const live = new Live({
  address: () => {
    const query = new URLSearchParams({ after: Object.entries(cursor).map((one) => one.join(":")).join(",") });
    if (list.shop) query.set("shop", list.shop);
    if (open) {
      query.set("ticket", open.line.id);
      query.set("thread", thread.cursor);
      query.set("waiting", thread.waiting.join(","));
    }
    return `/desk/events?${query}`;
  },
  handlers: {
    ticket: (line) => {
      cursor[line.shop] = Math.max(cursor[line.shop] ?? 0, line.changed);
      list.put(line);
      if (open?.line.id !== line.id) return;
      const before = open.line;
      open.line = line;
      drawHead();
      if (line.state !== before.state || line.stars !== before.stars || line.customer_id !== before.customer_id) refreshCustomer();
    },
    line: (line) => thread.put(line),
    counts: (counts) => list.count(counts),
    gone: () => location.reload(),
  },
  connected: (yes) => {
    const banner = find("banner");
    if (!yes) {
      wasLost = true;
      banner.className = "banner";
      banner.textContent = words.say("offline");
    }
    if (yes && wasLost) {
      wasLost = false;
      banner.className = "banner good";
      banner.textContent = words.say("online");
      setTimeout(() => wasLost || (banner.hidden = true), 1500);
      composer.resume();
    }
    if (!yes) banner.hidden = false;
  },
});

addEventListener("online", () => live.kick());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  live.kick();
  thread.see();
  refreshCustomer();
});
setInterval(() => {
  list.draw();
  if (!document.hidden) refreshCustomer();
}, 60000);

// ── Opening a ticket ─────────────────────────────────────────────────────────────────────────────

/** Show a ticket; `how`: "push" makes a step that the back gesture takes back, "stay" follows one. */
async function openTicket(id, how = "push") {
  const number = ++asked;
  if (how === "push" && history.state?.ticket !== id) {
    history[history.state?.ticket && innerWidth >= 700 ? "replaceState" : "pushState"]({ ticket: id, deep: true }, "", `/desk/${id}`);
  }
  list.select(id);
  screen("thread");
  if (open?.line.id === id) return;
  leave();
  let found;
  try {
    found = await ask(`/desk/tickets/${id}`, { quiet: true });
  } catch (error) {
    if (number !== asked) return;
    toast(error.status === 404 ? words.say("ticket_gone") : error.status ? error.message : words.say("lost"));
    back();
    return;
  }
  if (number !== asked) return;
  open = found;
  desk.dataset.open = id;
  find("nothing").hidden = true;
  find("one").hidden = false;
  drawHead();
  thread.show(found, composer.pending(id));
  composer.attachTo(found.line);
  list.select(id);
  live.open();
  refreshCustomer();
  if (matchMedia("(pointer: fine)").matches && how === "push") composer.focus();
}

function leave() {
  composer.keep();
  open = null;
  find("customer").replaceChildren();
}

/** Show one of the three screens; on a wide page all are there and this changes nothing that shows. */
function screen(name) {
  desk.dataset.screen = name;
}

function back() {
  if (history.state?.deep) history.back();
  else arrive({ ticket: desk.dataset.screen === "customer" ? open?.line.id : null }, true);
}

function arrive(state, replace = false) {
  const ticket = state?.ticket ?? null;
  if (replace) history.replaceState({ ticket }, "", ticket ? `/desk/${ticket}` : "/desk");
  if (ticket) {
    openTicket(ticket, "stay");
    screen(state.customer ? "customer" : "thread");
    return;
  }
  asked++;
  leave();
  delete desk.dataset.open;
  find("one").hidden = true;
  find("nothing").hidden = false;
  list.select(null);
  screen("list");
  live.open();
}

addEventListener("popstate", (event) => arrive(event.state));
for (const button of document.querySelectorAll("[data-back]")) button.addEventListener("click", back);
find("show-customer").addEventListener("click", () => {
  if (!open) return;
  history.pushState({ ticket: open.line.id, customer: true, deep: true }, "", location.pathname);
  screen("customer");
  document.querySelector(".customer-pane [data-back]").focus({ preventScroll: true });
});

async function refreshCustomer() {
  if (!open) return;
  const id = open.line.id;
  try {
    const page = await ask(`/desk/tickets/${id}/customer`, { quiet: true });
    const panel = find("customer");
    if (open?.line.id !== id || panel.dataset.shown === page) return;
    panel.dataset.shown = page;
    panel.innerHTML = page; // the server's own template, escaped there
  } catch {
    // The next look tries again.
  }
}

find("customer").addEventListener("click", (event) => {
  const other = event.target.closest("[data-ticket]");
  if (!other || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  openTicket(Number(other.dataset.ticket));
});

// ── The head of the thread and its buttons ───────────────────────────────────────────────────────

function drawHead() {
  const { line } = open;
  const solved = line.state === "resolved" || line.state === "closed";
  find("thread-name").textContent = line.customer || words.say("guest");
  const facts = [`#${line.id}`, boot.topics[line.topic] ?? line.topic, words.say(`state_${line.state}`)];
  if (Object.keys(boot.shops).length > 1) facts.push(boot.shops[line.shop]);
  find("thread-facts").replaceChildren(
    ...(line.urgent ? [el("span", { class: "badge bad" }, words.say("urgent")), " "] : []), facts.join(" · "));
  const owner = find("owner");
  const mine = line.assignee_id === boot.me.id;
  owner.replaceChildren(icon("user"), el("span", {}, line.assignee_id ? (mine ? words.say("mine") : line.assignee) : words.say("take")));
  if (line.assignee_id) owner.append(icon("down"));
  owner.classList.toggle("main", !line.assignee_id && !solved);
  owner.setAttribute("aria-haspopup", line.assignee_id ? "menu" : "false");
  const resolve = find("resolve");
  resolve.classList.toggle("main", !solved && Boolean(line.assignee_id));
  resolve.replaceChildren(icon(solved ? "retry" : "check"), el("span", {}, words.say(solved ? "reopen" : "state_resolved")));
  composer.shut(line.state === "closed");
}

find("owner").addEventListener("click", (event) => {
  if (!open) return;
  if (!open.line.assignee_id) return take();
  handMenu(event.currentTarget);
});

async function take() {
  if (!open || open.line.assignee_id === boot.me.id) return;
  await act(open.line.id, "claim").catch(() => {});
}

function handMenu(opener) {
  const { line, colleagues, may_assign: allowed } = open;
  const mayHand = allowed || line.assignee_id === boot.me.id || !line.assignee_id;
  const give = (to, name) => async () => {
    await act(line.id, "assign", { to }).then(() => toast(words.say(to ? "handed" : "given_back", { n: line.id, name })), () => {});
  };
  const others = colleagues.filter((one) => one.id !== line.assignee_id);
  show(opener, [
    mayHand && others.length && el("p", { class: "menu-title" }, words.say("hand_to")),
    ...(mayHand ? others.map((one) => item("user", one.id === boot.me.id ? `${one.name} (${words.say("you").toLowerCase()})` : one.name, give(one.id, one.name))) : []),
    mayHand && line.assignee_id && item("users", words.say("give_back"), give(null)),
    !mayHand && el("p", { class: "menu-title" }, line.assignee),
  ]);
}

const item = (picture, text, run, kind = "") =>
  el("button", { type: "button", role: "menuitem", class: kind, onclick: run }, icon(picture), text);

function show(opener, items) {
  menu.replaceChildren(...items.filter(Boolean));
  const { left, bottom } = opener.getBoundingClientRect();
  openMenu(menu, { x: left, y: bottom + 4 }, opener);
}

find("resolve").addEventListener("click", solve);

async function solve() {
  if (!open) return;
  const { id, state } = open.line;
  const again = state === "resolved" || state === "closed";
  await act(id, again ? "reopen" : "resolve").then(() => toast(words.say(again ? "reopened_done" : "solved", { n: id })), () => {});
}

find("reopen").addEventListener("click", solve);

async function unread() {
  if (!open) return;
  const { id } = open.line;
  await act(id, "unread").then(() => {
    toast(words.say("unread_done"));
    back();
  }, () => {});
}

find("more").addEventListener("click", (event) => {
  if (!open) return;
  const { line } = open;
  show(event.currentTarget, [
    item("user", words.say("hand_to"), () => setTimeout(() => handMenu(find("owner")))),
    item("warn", words.say(line.urgent ? "unmark_urgent" : "mark_urgent"), () => act(line.id, "priority", { urgent: !line.urgent }).catch(() => {})),
    item("chat", words.say("mark_unread"), unread),
    line.state !== "closed" && item("close", words.say("close"), () => askClose(line.id), "danger"),
  ]);
});

function askClose(id) {
  const dialog = find("ask");
  find("ask-words").textContent = words.say("close_ask", { n: id });
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "yes") act(id, "close").then(() => toast(words.say("closed_done", { n: id })), () => {});
  };
  dialog.showModal();
}

function retry(message) {
  return ask(`/desk/messages/${message}/retry`, { method: "POST", json: {} }).catch(() => {});
}

/** The agent has everything up to a line before their eyes. */
function sawAll(seq) {
  if (!open || document.hidden) return;
  const { id } = open.line;
  list.read(id);
  ask(`/desk/tickets/${id}/seen`, { method: "POST", json: { seq }, quiet: true }).catch(() => {});
}

// ── Keys ─────────────────────────────────────────────────────────────────────────────────────────

find("show-keys").addEventListener("click", () => find("keys").showModal());

find("me").addEventListener("click", (event) => {
  const { right, bottom } = event.currentTarget.getBoundingClientRect();
  openMenu(find("me-menu"), { x: right - 200, y: bottom + 4 }, event.currentTarget);
});
for (const door of document.querySelectorAll("[data-go]")) door.addEventListener("click", () => location.assign(door.dataset.go));

const KEYS = {
  j: () => list.step(1), k: () => list.step(-1), r: () => composer.write("reply"), n: () => composer.write("note"),
  a: take, e: solve, u: unread, "/": () => find("search").focus(), "?": () => find("keys").showModal(),
  1: () => list.choose("mine"), 2: () => list.choose("unassigned"), 3: () => list.choose("open"), 4: () => list.choose("resolved"),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open], .menu:not([hidden])")) return;
  const writing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    if (writing) writing.blur();
    else if (open) back();
    return;
  }
  const run = writing ? null : KEYS[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
});

const first = Number(location.pathname.match(/^\/desk\/(\d+)$/)?.[1]) || null;
await list.load();
if (first) arrive({ ticket: first }, true);
else {
  history.replaceState({ ticket: null }, "", "/desk");
  live.open();
}
