// The desk: one list, one thread, one customer, kept true by one stream of events.
//
// boot: {me {id, name}, shops {id: name}, csrf, topics {key: words}, limits {bytes, files, chars}, strings}
// A line of the list: {id, shop, customer, rank, subject, topic, state, urgent, facts, assignee_id, assignee, unread, stars, at, created, changed,
// last_seq, preview {seq, who, text, kind, state}}. A line of the thread: see thread.js.
// The stream (/desk/events) says `ticket` (a line of the list that changed), `line` (of the open thread), `counts`, `ping`, and `gone`
// when the agent may no longer be here. It goes on from cursors that the page keeps, so a lost connection loses nothing.

import { Words, openMenu, el, icon } from "../chat/dom.js";
import { Live } from "../chat/live.js";
import { Lightbox } from "../chat/pictures.js";
import { toast } from "../regulars.js";
import { Alerts } from "./alerts.js";
import { Beside } from "./beside.js";
import { Composer } from "./composer.js";
import { drawOwner, drawSolve, handMenu, solve, take } from "./handling.js";
import { listenForKeys } from "./keys.js";
import { List } from "./list.js";
import { drawMarks } from "./marks.js";
import { Palette } from "./palette.js";
import { actions } from "./panels.js";
import "./pieces.js";
import { asker } from "./server.js";
import { Sheet } from "./sheet.js";
import { Thread } from "./thread.js";
import { Company } from "./together.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const words = new Words(boot.strings, document.documentElement.lang);
const find = (id) => document.getElementById(id);
const screens = find("desk");
const NARROW = 700; // below it the three panes are three screens

const cursor = {}; // by shop: the newest change that the list has
let open = null; // the open ticket: {line, lines, more, colleagues, may_assign, drafts}
let asked = 0; // numbers the openings, so that a slow answer for an earlier one is dropped
let wasLost = false;

const ask = asker(boot.csrf, words);

/** What the parts may do with the desk; panels.js tells them. */
const desk = {
  words, boot, ask, toast, back,
  act: (ticket, action, json = {}) => ask(`/desk/tickets/${ticket}/${action}`, { method: "POST", json }),
  ticket: () => open?.line ?? null,
  opened: () => open,
  open: (id) => openTicket(id),
  sheet: (path) => sheet.show(path),
  refresh: (panel) => beside.refresh(panel),
  menu: showMenu,
  sure: askSure,
  done: (answer) => {
    if (answer?.open) openTicket(answer.open);
    if (answer && "show" in answer) list.show(answer.show);
    beside.refresh();
  },
  composer: { insert: (text) => composer.insert(text), kind: () => composer.kind, focus: () => composer.focus() },
};

desk.alerts = new Alerts(desk);
const company = new Company(desk, () => {
  list.draw();
  if (open) drawCompany();
});
desk.faces = (ticket) => company.faces(ticket);
const lightbox = new Lightbox();
const list = new List({ desk, took, counted, turned: () => live.open() });
const thread = new Thread({ desk, showPicture: (photos, index) => lightbox.show(photos, index), quote: (seq) => composer.quote(seq), sawAll });
const composer = new Composer({
  rewordLast: () => thread.rewordLast(),
  desk, titleOf: (action) => titleOf(action), lastSeq: () => thread.lastSeq, quoted: (seq) => thread.quoted(seq),
  answeredSince: (seq) => thread.answeredSince(seq, boot.me.name), writes: (yes) => company.writes(yes), answered: () => desk.alerts.answered(),
  show: (ticket, pending) => open?.line.id === ticket && thread.setPending(pending),
});
const beside = new Beside(desk);
const sheet = new Sheet(desk);

/** The list was read anew: the stream goes on from where it stands. */
function took({ lines, cursor: newest }) {
  for (const [shop, at] of Object.entries(newest)) cursor[shop] = Math.max(cursor[shop] ?? 0, at);
  desk.alerts.take(lines);
}

function counted(unread) {
  document.title = document.title.replace(/^(\(\d+\) )?/, unread ? `(${unread}) ` : "");
}

// ── The stream ───────────────────────────────────────────────────────────────────────────────────

const live = new Live({
  address: () => {
    const query = new URLSearchParams({ after: Object.entries(cursor).map((one) => one.join(":")).join(",") });
    if (list.shop) query.set("shop", list.shop);
    if (list.filters) query.set("filters", list.filters);
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
      desk.alerts.hear(line);
      if (open?.line.id !== line.id) return;
      open.line = line;
      drawHead();
      beside.soon();
    },
    line: (line) => thread.put(line),
    counts: (counts) => list.count(counts),
    looks: (looks) => company.set(looks),
    gone: () => location.reload(),
  },
  connected: (yes) => {
    const banner = find("banner");
    if (!yes) {
      wasLost = true;
      banner.className = "banner";
      banner.textContent = words.say("offline");
    }
    if (yes) company.set({}); // the stream tells anew who is there
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
addEventListener("offline", () => live.cut());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  live.kick();
  thread.see();
  beside.refresh();
});
setInterval(() => {
  list.draw();
  if (!document.hidden) beside.refresh();
}, 60000);

// ── Opening a ticket ─────────────────────────────────────────────────────────────────────────────

/** Show a ticket; `how`: "push" makes a step that the back gesture takes back, "stay" follows one. */
async function openTicket(id, how = "push") {
  const number = ++asked;
  if (how === "push" && history.state?.ticket !== id) {
    history[history.state?.ticket && innerWidth >= NARROW ? "replaceState" : "pushState"]({ ticket: id, deep: true }, "", `/desk/${id}`);
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
  screens.dataset.open = id;
  find("nothing").hidden = true;
  find("one").hidden = false;
  drawHead();
  thread.show(found, composer.pending(id));
  composer.attachTo(found);
  company.tell();
  list.select(id);
  live.open();
  beside.refresh();
  if (matchMedia("(pointer: fine)").matches && how === "push") composer.focus();
  else if (innerWidth < NARROW) find("thread-name").focus({ preventScroll: true });
}

function leave() {
  composer.leave();
  open = null;
  company.tell();
  beside.clear();
}

/** Show one of the three screens; on a wide page all are there and this changes nothing that shows. */
function screen(name) {
  screens.dataset.screen = name;
}

function back() {
  if (history.state?.deep) history.back();
  else arrive({ ticket: screens.dataset.screen === "customer" ? open?.line.id : null }, true);
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
  const left = open?.line.id;
  leave();
  delete screens.dataset.open;
  find("one").hidden = true;
  find("nothing").hidden = false;
  list.select(null);
  screen("list");
  if (innerWidth < NARROW && left) list.focus(left);
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

// ── The head of the thread and its buttons ───────────────────────────────────────────────────────

function drawHead() {
  const { line } = open;
  const solved = line.state === "resolved" || line.state === "closed";
  find("thread-name").textContent = line.customer || words.say("guest");
  const facts = [`#${line.id}`, boot.topics[line.topic] ?? line.topic, words.say(`state_${line.state}`)];
  if (Object.keys(boot.shops).length > 1) facts.push(boot.shops[line.shop]);
  find("thread-facts").replaceChildren(
    ...(line.urgent ? [el("span", { class: "badge bad" }, words.say("urgent")), " "] : []),
    ...drawMarks(line, desk).flatMap((mark) => [mark, " "]), facts.join(" · "));
  drawOwner(find("owner"), line, desk);
  drawSolve(find("resolve"), line, desk);
  composer.shut(line.state === "closed");
  drawCompany();
  composer.offer(actions.filter((one) => one.place === "composer" && one.when(line, desk)));
}

/** Who else is here, and who is writing. */
function drawCompany() {
  find("faces").replaceChildren(...[company.faces(open.line.id)].filter(Boolean));
  const writing = company.writing(open.line.id);
  find("writing").hidden = !writing;
  find("writing-words").textContent = writing;
}

find("owner").addEventListener("click", (event) => {
  if (!open) return;
  if (open.line.assignee_id) handMenu(open.line, desk, event.currentTarget);
  else take(open.line, desk);
});
for (const id of ["resolve", "reopen"]) find(id).addEventListener("click", () => open && solve(open.line, desk));

const titleOf = (action) => (typeof action.title === "function" ? action.title(open?.line ?? null, desk) : words.say(action.title));
const offered = (place) => actions.filter((one) => one.place === place && (place === "me" || open) && one.when(open?.line ?? null, desk))
  .sort((one, other) => one.danger - other.danger);
const asItem = (opener) => (action) => ({ icon: action.icon, title: titleOf(action), key: action.key, danger: action.danger, run: () => action.run(open?.line ?? null, desk, opener) });

find("more").addEventListener("click", (event) => showMenu(event.currentTarget, offered("thread").map(asItem(event.currentTarget))));

/** A small menu under a button: items as panels.js says, {heading}, or a {row} of short ones. */
function showMenu(opener, items) {
  const menu = find("menu");
  menu.replaceChildren(...items.filter(Boolean).map(({ heading, row, name, icon: picture, title, key, run, danger }) => heading
    ? el("p", { class: "menu-title" }, heading)
    : row ? el("div", { class: "menu-row", role: "group", "aria-label": name }, ...row.map((one) =>
      el("button", { type: "button", role: "menuitemradio", "aria-checked": String(Boolean(one.chosen)), onclick: () => setTimeout(one.run) }, one.words)))
    : el("button", { type: "button", role: "menuitem", class: danger ? "danger" : null, onclick: () => setTimeout(run) },
        icon(picture), el("span", {}, title), key ? el("kbd", { class: "only-keys", "aria-hidden": "true" }, key.toUpperCase()) : null)));
  const { left, top, bottom } = opener.getBoundingClientRect();
  const below = bottom + 4 + menu.scrollHeight < innerHeight || top < innerHeight / 2;
  openMenu(menu, below ? { x: left, y: bottom + 4 } : { x: left, y: top - 4, above: true }, opener);
}

/** Ask before something that can't be undone; `yes` runs when they are sure. */
function askSure(question, name, yes) {
  const dialog = find("ask");
  find("ask-words").textContent = question;
  dialog.querySelector("[value=yes]").textContent = name;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "yes" && yes();
  dialog.showModal();
}

/** The agent has everything up to a line before their eyes. */
function sawAll(seq) {
  if (!open || document.hidden) return;
  const { id } = open.line;
  list.read(id);
  ask(`/desk/tickets/${id}/seen`, { method: "POST", json: { seq }, quiet: true }).catch(() => {});
}

// ── Keys ─────────────────────────────────────────────────────────────────────────────────────────

find("me").addEventListener("click", (event) => {
  const { right, bottom } = event.currentTarget.getBoundingClientRect();
  const own = offered("me").map(asItem(event.currentTarget));
  find("me-own").replaceChildren(...own.map((one) => el("button", { type: "button", role: "menuitem", onclick: () => setTimeout(one.run) }, icon(one.icon), one.title)));
  openMenu(find("me-menu"), { x: right - 200, y: bottom + 4 }, event.currentTarget);
});
for (const door of document.querySelectorAll("[data-go]")) door.addEventListener("click", () => location.assign(door.dataset.go));

for (const button of document.querySelectorAll("[data-notes]")) button.addEventListener("click", () => desk.alerts.setNotes(button.dataset.notes === "yes"));

const palette = new Palette(desk, () => [
  ...offered("thread").map(asItem(find("more"))), ...offered("composer").map(asItem(find("more"))),
  ...(open ? [{ icon: "reply", title: words.say("write_reply"), key: "r", run: () => composer.write("reply") }, { icon: "note", title: words.say("write_note"), key: "n", run: () => composer.write("note") }] : []),
  ...list.views().map((view) => ({ icon: "ticket", ...view })),
  ...offered("me").map(asItem(find("me"))),
  ...[...document.querySelectorAll("[data-go]")].map((door) => ({ icon: "open", title: door.textContent.trim(), run: () => location.assign(door.dataset.go) })),
  { icon: "help", title: find("show-keys").title, key: "?", run: () => find("show-keys").click() },
]);
find("show-palette").addEventListener("click", () => palette.open());
listenForKeys({ desk, list, composer, palette, actions: (every = false) => actions.filter((one) => every || ((one.place === "me" || open) && one.when(open?.line ?? null, desk))), titleOf });

const first = Number(location.pathname.match(/^\/desk\/(\d+)$/)?.[1]) || null;
await list.load();
if (first) arrive({ ticket: first }, true);
else {
  history.replaceState({ ticket: null }, "", "/desk");
  live.open();
}
