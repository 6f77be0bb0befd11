// The customer's web chat: this file joins the parts (log, composer, outbox, live, pictures) and speaks to the server.
//
// THE PROTOCOL
//
// GET /chat[?start=PAYLOAD] renders chat.html with <script id="boot">, JSON:
//   cursor    int, the highest `seq` the page holds              bubbles   the last 30 bubbles, oldest first
//   more      bool, older ones exist                             seen      int, the highest number the visitor has seen (0: none)
//   start     the payload to start with, or null                 quick     quick answers in force from a bubble older than these, or null
//   csrf      for the X-CSRF-Token header                        visitor   a short public id of the visitor: what waits to be sent
//   commands  [{command: "points", description}]                           in this browser belongs to nobody else
//   shop      {name}                                             limits    {bytes, files}: of one file, and how many at a time
//   shop_seen int, the shop has read up to this number (0: none) strings   from chat.html
//
// A bubble: {id: "123", number: int (its place), seq: int (its last change), from: "me" | "shop" | "system", name: the writing
//   agent's name or null, text: plain words, html: the same as markup or null, at: ISO-8601 UTC, media: [{url, kind: photo | voice |
//   audio | video | document | sticker | location, width, height, duration: seconds, name, size: bytes, lat, lon}], buttons:
//   [[{text, data} | {text, url} | {text, copy}]], quick: [[{text, request: "contact" | "photo" | null}]] or null ([] takes them
//   away, the newest that isn't null counts), reply_to: {id, excerpt} or null, edited, deleted: bool, ref: the client's uuid or null}
//
// POST /chat/send with X-CSRF-Token. JSON {ref, text, reply_to?: bubble id, auto?: true} | {ref, tap: {bubble, data}} |
//   {ref, edit: {bubble, text}}; {ref, react: {bubble, emoji or null}}; or multipart ref, caption, reply_to, file… (several files are one album, one bubble).
//   200 {ok: true}: taken; the bubble itself comes by the stream with this `ref`. The same `ref` again changes nothing and is 200.
//   4xx {error: words to show or null, retry: false when trying again is useless, code: "csrf" when the page's token is stale: then
//   the page loads itself again}; 429 with Retry-After waits and goes again; 5xx and no answer: again with the same `ref`, in order, until it is taken.
//   `auto`: the page sent it by itself (/start on a first visit or with a payload); it makes no bubble of the customer's.
//
// GET /chat/events?after=SEQ, server-sent events, everything with a higher seq first, then as it happens:
//   bubble  a bubble, new or changed          typing  {ms}: dots for so long, or until the shop's next bubble
//   toast   {ref, text, alert}: the answer to a tap (text may be empty: the button just stops turning)
//   seen    {number}: the shop has read up to here               ping  {} every 15 s
// GET /chat/history?before=NUMBER → {bubbles: [up to 30, oldest first], more}
// POST /chat/seen {number} with X-CSRF-Token → 204: the visitor has seen up to here.

import { copy, toast } from "../regulars.js";
import { Composer } from "./composer.js";
import { Words, el, hold, icon, openMenu } from "./dom.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Lightbox, Preview } from "./pictures.js";

const TAP_PATIENCE = 10000; // the server lets an answer to a tap go after 10 s
const OFFLINE_GRACE = 1200; // a line that is back sooner isn't worth a banner

const $ = (id) => document.getElementById(id);
const boot = JSON.parse($("boot").textContent);
const words = new Words(boot.strings, document.documentElement.lang);
const lightbox = new Lightbox();
const taps = new Map(); // ref → end of a turning button

// ── The conversation ────────────────────────────────────────────────────────────────────────────────

const hands = {
  words,
  shop: boot.shop,
  tap,
  retry: (bubble) => outbox.retry(bubble.ref),
  discard(bubble) {
    outbox.drop(bubble.ref);
    log.discard(bubble.ref);
  },
  async copy(text) {
    if (await copy(text)) toast(words.say("copied"));
  },
  showQuote: (id) => log.show(id),
  showPicture: (photos, index) => lightbox.show(photos, index),
  menu: openBubbleMenu,
  hold,
};

const log = new Log({
  parts: { scroller: $("scroller"), list: $("log"), intro: $("intro"), older: $("older"), typing: $("typing") },
  hands,
  seen: boot.seen ?? 0,
  cursor: boot.cursor,
  changed: refresh,
  async fetchOlder(number) {
    const answer = await fetch(`/chat/history?before=${number}`);
    if (!answer.ok) throw new Error(`history: ${answer.status}`);
    return answer.json();
  },
});

const outbox = new Outbox({
  visitor: boot.visitor,
  csrf: boot.csrf,
  changed(item) {
    if (item.state !== "sending") live.kick();
    if (item.shown) log.mark(item.ref, item.state, item);
    else if (item.state === "failed") {
      toast(item.error || words.say("failed_long"));
      outbox.drop(item.ref);
    }
  },
});

const live = new Live({
  address: () => `/chat/events?after=${log.cursor}`,
  connected: showConnection,
  handlers: {
    bubble(bubble) {
      if (bubble.ref) outbox.drop(bubble.ref);
      log.receive(bubble);
    },
    typing: ({ ms }) => log.typing(Math.min(ms, 15000)),
    toast: answerTap,
    seen: ({ number }) => log.shopHasSeen(number),
  },
});

const composer = new Composer({ commands: boot.commands, words, send: sendWords, lastOwn: () => log.lastOwn });
const preview = new Preview({ limits: boot.limits ?? { bytes: 10485760, files: 10 }, words, send: sendFiles });

// ── Sending ─────────────────────────────────────────────────────────────────────────────────────────

function sendWords(text, mode = null) {
  const ref = newRef();
  if (mode?.kind === "edit") {
    if (text !== mode.bubble.text) outbox.add({ ref, edit: { bubble: mode.bubble.id, text } }, { shown: false });
    return;
  }
  const reply = mode?.kind === "reply" ? mode.bubble : null;
  show(outbox.add({ ref, text, ...(reply && { reply_to: reply.id }) }), reply);
}

function sendFiles(files, caption) {
  show(outbox.add({ ref: newRef(), caption }, { files }));
  composer.focus();
}

/** Show what waits in the outbox as a bubble of its own. */
function show(item, reply = null) {
  const { body, files } = item;
  log.expect({
    id: `waiting-${item.ref}`, ref: item.ref, order: item.order, number: 0, seq: 0, from: "me", name: null, text: body.text ?? body.caption ?? "",
    html: null, at: item.at, media: files ?? [], buttons: [], quick: null, reply_to: reply && { id: reply.id, excerpt: excerpt(reply) },
    edited: false, deleted: false, state: item.state, error: item.error, retry: item.retry,
  });
}

async function tap(bubble, button, node) {
  if (node.getAttribute("aria-busy") === "true") return;
  const ref = newRef();
  const spinner = el("span", { class: "spinner" });
  node.setAttribute("aria-busy", "true");
  node.append(spinner);
  const end = () => {
    clearTimeout(timer);
    taps.delete(ref);
    node.removeAttribute("aria-busy");
    spinner.remove();
  };
  let taken = false;
  const timer = setTimeout(() => {
    end();
    if (!taken) toast(words.say("tap_lost"));
  }, TAP_PATIENCE);
  taps.set(ref, end);
  for (let wait = 300; taps.has(ref) && !taken; wait = Math.min(1000, wait * 1.6)) {
    const answer = await fetch("/chat/send", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": boot.csrf },
      body: JSON.stringify({ ref, tap: { bubble: bubble.id, data: button.data } }),
    }).catch(() => null);
    if (answer?.ok) taken = true;
    else if (answer && answer.status < 500) {
      end();
      toast((await answer.json().catch(() => ({}))).error || words.say("tap_lost"));
    } else await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function answerTap({ ref, text, alert }) {
  const mine = taps.get(ref);
  if (ref && !mine) return; // another tab's
  mine?.();
  if (!text) return;
  if (!alert) return toast(text);
  $("alert-words").textContent = text;
  if (!$("alert").open) $("alert").showModal();
}

// crypto.randomUUID exists on https and localhost only; a shop may try this in its own network.
function newRef() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function excerpt(bubble) {
  return bubble.text || (bubble.media?.length ? words.say(bubble.media[0].kind) : "");
}

// ── What stands around the conversation ─────────────────────────────────────────────────────────────

let quickShown = null;
let seenTimer = null;

/** After each change: quick answers, the pill, the title, and telling the server what has been seen. */
function refresh() {
  const quick = log.quick ?? boot.quick ?? [];
  if (JSON.stringify(quick) !== quickShown) {
    quickShown = JSON.stringify(quick);
    $("quick").replaceChildren(...quick.flat().map((button) => el("button", { type: "button", class: "button", onclick: () => answerQuick(button) }, button.text)));
    $("quick").hidden = quick.flat().length === 0;
  }
  if (log.isRead && (log.unread > 0 || log.newest > log.seen)) {
    log.read();
    clearTimeout(seenTimer);
    seenTimer = setTimeout(tellSeen, 400);
  }
  $("pill").hidden = log.atBottom;
  $("pill-count").hidden = log.unread === 0;
  $("pill-count").textContent = log.unread > 99 ? "99+" : log.unread;
  document.title = log.unread ? `(${log.unread}) ${boot.shop.name}` : boot.shop.name;
  const status = $("status");
  status.textContent = log.isTyping ? words.say("typing") : status.dataset.idle;
  status.classList.toggle("live", log.isTyping);
}

function tellSeen() {
  fetch("/chat/seen", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": boot.csrf },
    body: JSON.stringify({ number: log.seen }),
  }).catch(() => {}); // told again with the next one
}

function answerQuick(button) {
  if (button.request === "photo") $("pick-photos").click();
  else if (button.request === "contact") composer.focus({ phone: true });
  else sendWords(button.text);
}

let isConnected = true;
let bannerTimer = null;

function showConnection(connected) {
  if (connected) outbox.kick();
  if (connected === isConnected) return;
  isConnected = connected;
  clearTimeout(bannerTimer);
  const banner = $("banner");
  if (!connected) bannerTimer = setTimeout(() => showBanner("offline"), OFFLINE_GRACE);
  else if (!banner.hidden) {
    showBanner("online");
    bannerTimer = setTimeout(() => { banner.hidden = true; }, 1600);
  }
}

function showBanner(key) {
  $("banner").textContent = words.say(key);
  $("banner").classList.toggle("good", key === "online");
  $("banner").hidden = false;
}

function openBubbleMenu(bubble, frame) {
  if (frame.grip.hidden) return;
  const item = (picture, key, act) => el("button", { type: "button", role: "menuitem", onclick: act }, icon(picture), words.say(key));
  const given = bubble.reactions?.me;
  const react = (emoji) => outbox.add({ ref: newRef(), react: { bubble: bubble.id, emoji: emoji === given ? null : emoji } }, { shown: false });
  const menu = el("div", { class: "menu", role: "menu", "aria-label": words.say("more") },
    bubble.from === "shop" && bubble.number ? el("div", { class: "reacts" }, ...boot.reactions.slice(0, 5).map((emoji) =>
      el("button", { type: "button", role: "menuitemcheckbox", "aria-checked": String(emoji === given), "aria-label": emoji, onclick: () => react(emoji) }, emoji))) : null,
    bubble.number ? item("reply", "reply", () => composer.reply(bubble, excerpt(bubble))) : null,
    bubble.text ? item("copy", "copy", () => hands.copy(bubble.text)) : null,
    bubble.from === "me" && bubble.text && !bubble.media?.length && bubble.number ? item("edit", "edit", () => composer.edit(bubble)) : null);
  if (!menu.children.length) return;
  for (const old of document.querySelectorAll(".menu[data-bubble]")) old.remove();
  menu.dataset.bubble = bubble.id;
  document.body.append(menu);
  const box = frame.bubble.getBoundingClientRect();
  openMenu(menu, { x: bubble.from === "me" ? box.right - 184 : box.left, y: Math.min(box.bottom, innerHeight - 220) + 4 }, frame.grip);
}

// ── Pictures in: the menu, the camera, paste and drop ───────────────────────────────────────────────

$("attach").addEventListener("click", () => {
  const box = $("attach").getBoundingClientRect();
  openMenu($("attach-menu"), { x: box.left, y: box.top - 8, above: true }, $("attach"));
});
for (const name of ["photos", "camera", "files"]) {
  $("attach-menu").querySelector(`[data-pick="${name}"]`).addEventListener("click", () => $(`pick-${name}`).click());
  $(`pick-${name}`).addEventListener("change", (event) => {
    preview.add([...event.target.files], takeText());
    event.target.value = "";
  });
}
document.addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  preview.add([...event.clipboardData.files], takeText());
});
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => !event.relatedTarget && document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!holdsFiles(event)) return;
  event.preventDefault();
  preview.add([...event.dataTransfer.files], takeText());
});

/** Words already written become the picture's caption. */
function takeText() {
  const text = composer.text;
  composer.text = "";
  return text;
}

// ── Begin ───────────────────────────────────────────────────────────────────────────────────────────

$("show-card").addEventListener("click", () => sendWords("/card"));
$("pill").addEventListener("click", () => log.toBottom());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  live.kick();
  outbox.kick();
  refresh();
});
addEventListener("online", () => {
  live.kick();
  outbox.kick();
});
addEventListener("offline", () => showConnection(false));
addEventListener("pageshow", (event) => event.persisted && live.open());
addEventListener("beforeunload", (event) => outbox.hasFiles && event.preventDefault());
// Short messages stand just above the foot, however high it has grown.
new ResizeObserver(() => {
  document.body.style.setProperty("--toast-bottom", `${innerHeight - $("composer").closest("footer").getBoundingClientRect().top + 12}px`);
}).observe($("composer").closest("footer"));
// iOS lays its keyboard over the page: the chat is made as high as what is left.
window.visualViewport?.addEventListener("resize", () => {
  const covered = innerHeight - visualViewport.height > 80;
  document.documentElement.style.setProperty("--app-height", covered ? `${visualViewport.height}px` : "100%");
  if (covered) scrollTo(0, 0);
});

log.fill(boot.bubbles, boot.more ?? boot.bubbles.length >= 30);
log.shopHasSeen(boot.shop_seen ?? 0);
const arrived = new Set(boot.bubbles.map((bubble) => bubble.ref));
for (const item of outbox.items) {
  if (arrived.has(item.ref)) outbox.drop(item.ref);
  else if (item.shown) show(item);
}
if (boot.start !== null || !boot.bubbles.length) {
  const waiting = outbox.items.some((item) => item.body.auto);
  const text = `/start ${boot.start ?? ""}`.trim();
  if (!waiting || boot.start !== null) outbox.add({ ref: newRef(), text, auto: true }, { shown: false });
  history.replaceState(null, "", "/chat"); // a reload doesn't start again
  if (!boot.bubbles.length) log.typing(4000);
}
refresh();
document.body.classList.remove("starting");
live.open();
outbox.kick();
if (matchMedia("(pointer: fine)").matches) composer.focus();
