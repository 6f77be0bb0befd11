// The till: find a customer, enter the bill, vouchers and points, see what will happen, take the money, take it back.
//
// boot: {shop, member, csrf, point_value, amount_max, strings}. Calls (JSON, each with the shop's number): find {query} → {card, phone, voucher};
// preview {customer, amount, vouchers, without, part, points} → {discount, vouchers, others, part, points_max, points, points_paid, paid, earns};
// sell {customer, amount, vouchers, part, points, phone, key} and undo {sale} → a sale; confirm-phone {customer, phone} → {card, points}.
// The key is made for what is on the confirming sheet: pressing again after a lost answer is the same sale. Without a connection
// a bill without vouchers and points is noted in the queue (queue.js) under that key.

import { Words, el } from "../chat/dom.js";
import { toast } from "../regulars.js";
import { Buyer } from "./buyer.js";
import { Day } from "./day.js";
import { Done } from "./done.js";
import { Lost, Queue } from "./queue.js";
import { canScan, scan } from "./scanner.js";
import { Turns } from "./turns.js";
import { Vouchers } from "./vouchers.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const language = document.documentElement.lang;
const words = new Words(boot.strings, language);
const find = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString(language === "vi" ? "vi-VN" : "en-GB");
const money = (value) => {
  const text = number(Math.abs(value));
  return `${value < 0 ? "−" : ""}${language === "vi" ? `${text}\u00A0₫` : `₫${text}`}`;
};

const count = (what, value) => words.say(value === 1 ? `${what}_one` : what, { n: number(value) });

const fresh = () => ({ card: null, phone: null, query: null, codes: [], without: [], part: null, amount: 0, points: 0, seen: null, key: null });
let entry = fresh();
const buyer = new Buyer({ words, count, number, restart, askPhone });
let asked = 0; // numbers the previews, so that a slow answer for an earlier entry is dropped
let busy = false;

async function ask(path, { json } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method: json ? "POST" : "GET",
      headers: { Accept: "application/json", ...(json ? { "Content-Type": "application/json", "X-CSRF-Token": boot.csrf } : {}) },
      body: json ? JSON.stringify({ shop: boot.shop, ...json }) : undefined,
    });
  } catch {
    online(false);
    throw new Lost(words.say("lost"));
  }
  if (answer.status === 401) location.assign("/login?next=/till");
  const told = await answer.json().catch(() => null);
  if (answer.status >= 500 || told === null) {
    online(false);
    throw new Lost(words.say("lost"));
  }
  online(true);
  if (!answer.ok) throw new Error(told.error ?? words.say("lost"));
  return told;
}

/** Show whether there is a connection; once it is back, what waits is sent. */
function online(is) {
  const back = is && !find("offline").hidden;
  find("offline").hidden = is;
  if (back) queue.send();
}

const queue = new Queue({ shop: boot.shop, member: boot.member, ask, changed: queueChanged });

function queueChanged(sale) {
  const { length } = queue.items;
  find("queued").hidden = !length;
  find("queued").querySelector("span").textContent = count("queued_n", length);
  if (sale) toast(words.say("queued_in", { amount: money(sale.paid) }));
  day.drawQueue();
  if (sale) day.load().catch(() => {});
}

/** Run one act at a time, its button busy meanwhile; what goes wrong is said at `place`. */
async function acting(button, place, act) {
  if (busy) return;
  busy = true;
  tell(place, "");
  button.disabled = true;
  const wheel = setTimeout(() => button.prepend(el("span", { class: "spinner" })), 200);
  try {
    await act();
  } catch (error) {
    tell(place, error.message);
    navigator.vibrate?.([30, 60, 30]);
  } finally {
    busy = false;
    clearTimeout(wheel);
    button.querySelector(".spinner")?.remove();
    button.disabled = false;
    if (button === find("go-on")) draw();
  }
}

function tell(place, text) {
  find(place).textContent = text;
  find(place).hidden = !text;
}

function show(screen) {
  for (const one of ["find", "sale", "done"]) find(one).hidden = one !== screen;
  // On a phone the field would bring up the keyboard over the button to scan.
  if (screen === "find" && matchMedia("(pointer: fine)").matches) find("query").focus({ preventScroll: true });
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────────

async function look(query) {
  let found;
  try {
    found = await ask("/till/find", { json: { query } });
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    return begin({ query });
  }
  if (found.voucher && !found.voucher.free) throw new Error(words.say("voucher_taken"));
  begin(found);
}

function begin({ card = null, phone = null, voucher = null, query = null }) {
  entry = { ...fresh(), card, phone: card ? null : phone, codes: voucher ? [voucher] : [], query };
  find("query").value = "";
  show("sale");
  document.activeElement?.blur();
  change({});
}

function restart() {
  entry = fresh();
  done.last = null;
  show("find");
}

find("finder").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = find("query").value.trim();
  if (query) acting(event.submitter ?? find("finder").querySelector(".main"), "find-error", () => look(query));
});
find("letters").addEventListener("click", () => {
  const letters = find("query").inputMode === "tel";
  find("query").inputMode = letters ? "text" : "tel";
  find("query").placeholder = letters ? "K7MD2QXW" : "0903 123 456";
  find("letters").setAttribute("aria-pressed", String(letters));
  find("query").focus();
});
find("walk-in").addEventListener("click", () => begin({}));
find("shop")?.addEventListener("change", (event) => location.assign(`/till?shop=${event.target.value}`));

async function scanned(place, use) {
  try {
    const text = await scan(find("scanner"));
    if (text) await use(text);
  } catch (error) {
    tell(place, error instanceof DOMException ? words.say("camera_denied") : error.message);
  }
}
find("scan").addEventListener("click", () => scanned("find-error", look));
find("voucher-scan").addEventListener("click", () => scanned("voucher-error", useCode));
canScan().then((can) => {
  for (const id of ["scan", "voucher-scan"]) find(id).hidden = !can;
});

// ── The sale ─────────────────────────────────────────────────────────────────────────────────────

/** Change the entry, draw it, and ask what it would come to. */
function change(values) {
  Object.assign(entry, values, { key: null });
  if (!entry.amount) entry.seen = null;
  tell("sale-error", "");
  draw();
  if (entry.amount) preview().catch((error) => tell("sale-error", error.message));
}

let waiting = null;
async function preview() {
  const mine = ++asked;
  clearTimeout(waiting);
  await new Promise((resolve) => (waiting = setTimeout(resolve, 160)));
  if (mine !== asked) return;
  await see();
}

/** What the entry comes to, from the server; the points that can't pay any more are let go. */
async function see() {
  const mine = ++asked;
  let seen;
  try {
    seen = await ask("/till/preview", { json: {
      customer: entry.card?.id ?? null, amount: entry.amount, vouchers: entry.codes.map(({ code }) => code), without: entry.without,
      part: entry.part, points: entry.points,
    } });
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    if (entry.codes.length || entry.points) throw new Error(words.say("offline_extras"));
    seen = { amount: entry.amount, discount: 0, vouchers: [], others: [], points: 0, points_paid: 0, points_max: 0, paid: entry.amount, earns: null };
  }
  if (mine !== asked) return null;
  entry.seen = seen;
  entry.points = seen.points;
  tell("sale-error", vouchers.refused(seen));
  draw();
  return seen;
}

function draw() {
  buyer.draw(entry);
  find("figure").textContent = money(entry.amount);
  find("figure").classList.toggle("zero", !entry.amount);
  const { seen } = entry;
  const off = seen && seen.discount + seen.points_paid;
  find("figure-off").textContent = off ? `−${money(off)}` : "";
  vouchers.draw();
  find("part-row").hidden = !(seen?.part || entry.part !== null);
  if (entry.part === null && document.activeElement !== find("part")) find("part").value = "";
  const can = entry.card && entry.card.available > 0;
  find("points-words").textContent = entry.points ? count("points", entry.points) : words.say(can ? "use_points" : "no_points");
  find("pick-points").classList.toggle("used", entry.points > 0);
  find("pick-points").disabled = !can || !entry.amount;
  // What was seen of another amount says nothing of this one: while nothing comes off, the bill itself is to be paid.
  const paid = seen?.amount === entry.amount ? money(seen.paid) : off ? "…" : money(entry.amount);
  find("go-on").textContent = entry.amount ? words.say("go_on", { amount: paid }) : words.say("enter_amount");
  find("go-on").disabled = !entry.amount;
}

function press(key) {
  navigator.vibrate?.(8);
  if (key === "back") return change({ amount: Math.floor(entry.amount / 10) });
  const amount = Number(`${entry.amount}${key}`);
  if (amount > boot.amount_max) return tell("sale-error", words.say("too_much"));
  return change({ amount });
}
find("keypad").addEventListener("click", (event) => {
  const key = event.target.closest("button")?.dataset.key;
  if (key) press(key);
});

// ── Voucher, points, phone ───────────────────────────────────────────────────────────────────────

const sheet = (id) => find(`${id}-sheet`);

const vouchers = new Vouchers({ words, money, count, entry: () => entry, change });
find("voucher-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = find("voucher-code").value.trim();
  if (code) acting(event.submitter, "voucher-error", () => useCode(code));
});
find("part").addEventListener("input", () => {
  const typed = find("part").value.replace(/\D/g, "").slice(0, 10);
  find("part").value = typed ? number(Number(typed)) : "";
  change({ part: typed ? Number(typed) : null });
});
/** A voucher by its code: the found one's name is shown, but it doesn't change who the customer is. */
async function useCode(code) {
  const { voucher } = await ask("/till/find", { json: { query: code } });
  if (!voucher) throw new Error(words.say("no_voucher"));
  if (!voucher.free) throw new Error(words.say("voucher_taken"));
  vouchers.put(voucher);
  find("voucher-code").value = "";
}

find("pick-points").addEventListener("click", () => acting(find("pick-points"), "sale-error", async () => {
  const seen = await see();
  if (!seen) return;
  find("points-slider").max = seen.points_max;
  slide(entry.points || seen.points_max);
  sheet("points").showModal();
}));
function slide(points) {
  const slider = find("points-slider");
  slider.value = points;
  slider.style.setProperty("--at", `${slider.max > 0 ? (100 * points) / slider.max : 0}%`);
  find("points-figure").textContent = count("points", points);
  find("points-worth").textContent = `= ${money(points * boot.point_value)}`;
}
find("points-slider").addEventListener("input", (event) => slide(Number(event.target.value)));
find("points-all").addEventListener("click", () => slide(Number(find("points-slider").max)));
find("points-none").addEventListener("click", () => slide(0));
sheet("points").querySelector("form").addEventListener("submit", () => change({ points: Number(find("points-slider").value) }));

function askPhone() {
  find("phone-typed").value = "";
  tell("phone-error", "");
  sheet("phone").showModal();
}
find("phone-form").addEventListener("submit", (event) => {
  event.preventDefault();
  acting(event.submitter, "phone-error", async () => {
    const { card, points } = await ask("/till/confirm-phone", { json: { customer: entry.card.id, phone: find("phone-typed").value } });
    sheet("phone").close();
    toast(points ? words.say("phone_points", { n: number(points) }) : words.say("phone_done"));
    change({ card });
  });
});

// ── Selling ──────────────────────────────────────────────────────────────────────────────────────

const done = new Done({ words, ask, money, number, count, show, restart, changed: () => day.load().catch(() => {}) });

find("go-on").addEventListener("click", () => acting(find("go-on"), "sale-error", async () => {
  const seen = await see();
  if (!seen) throw new Error(words.say("lost"));
  entry.key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  find("confirm-sums").replaceChildren(...(seen.paid === seen.amount && !seen.vouchers.length ? [] : done.sums(seen)));
  find("confirm-due").textContent = money(seen.paid);
  const who = entry.card ? entry.card.name || entry.card.phone || words.say("unnamed") : entry.phone?.shown;
  find("confirm-gets").textContent = seen.earns === null ? words.say("offline_gets") : !seen.earns ? words.say("gets_none")
    : who ? words.say("gets", { name: who, n: number(seen.earns) }) : words.say("unknown_gets", { n: number(seen.earns) });
  find("sell").textContent = seen.paid ? words.say("collected", { amount: money(seen.paid) }) : words.say("nothing_due");
  tell("confirm-error", "");
  sheet("confirm").showModal();
  find("sell").focus();
}));

find("sell").addEventListener("click", () => acting(find("sell"), "confirm-error", async () => {
  const sold = { key: entry.key, customer: entry.card?.id ?? null, phone: entry.card ? null : entry.phone?.number ?? null, amount: entry.amount };
  const used = entry.seen.vouchers.map(({ code }) => code);
  let sale = null;
  try {
    if (entry.query) throw new Lost(words.say("lost"));
    sale = await ask("/till/sell", { json: { ...sold, vouchers: used, part: used.length ? entry.part : null, points: entry.points } });
  } catch (error) {
    // With vouchers or points only the server can say what it came to: press again, and it is the same sale.
    if (!(error instanceof Lost) || used.length || entry.points) throw error;
  }
  sheet("confirm").close();
  navigator.vibrate?.(60);
  if (sale) done.sold(sale);
  else {
    const name = entry.query ?? entry.card?.name ?? entry.card?.phone ?? entry.phone?.shown ?? "";
    done.queued(queue.add({ ...sold, query: entry.query, name }));
    queue.send();
  }
  day.load().catch(() => {});
}));

// ── The day, keys, sheets ────────────────────────────────────────────────────────────────────────

const day = new Day({ words, ask, money, number, count, shop: boot.shop, undo: (sale) => done.askUndo(sale), queue });
new Turns({ words, ask, money, number, count, shop: boot.shop, queue, changed: () => day.load().catch(() => {}) });
const showDay = (on) => find("till").classList.toggle("shows-day", on);
for (const id of ["show-today", "day-brief", "queued"]) {
  find(id).addEventListener("click", () => {
    day.load().catch((error) => error instanceof Lost || toast(error.message));
    showDay(true);
  });
}
find("hide-today").addEventListener("click", () => showDay(false));
day.load().catch(() => {});

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (find("till").classList.contains("shows-day") && event.key === "Escape") return showDay(false);
  if (find("sale").hidden) {
    if (event.key === "Escape" && !find("done").hidden) restart();
    return;
  }
  if (/^\d$/.test(event.key)) press(event.key);
  else if (event.key === "Backspace") press("back");
  else if (event.key === "Escape") restart();
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") find("go-on").click();
  else return;
  event.preventDefault();
});

addEventListener("offline", () => online(false));
addEventListener("online", () => day.load().catch(() => {}));
navigator.serviceWorker?.register("/till/worker.js", { scope: "/till" }).catch(() => {});
show("find");
queueChanged(null);
queue.send();
