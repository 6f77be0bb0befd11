// Turns at a shared till: another cashier by PIN, one's own PIN, and the totals of the shift.

import { el, icon } from "../chat/dom.js";
import { toast } from "../regulars.js";

const DIGITS = 6;
const find = (id) => document.getElementById(id);

export class Turns {
  #tools;
  #who = null; // whose PIN is typed; null while one chooses a PIN of one's own
  #pin = "";
  #first = null; // a PIN of one's own as it was typed first, once it is asked for again
  #shift = null;

  /** tools: {words, ask, money, number, count, shop, queue, changed()} */
  constructor(tools) {
    this.#tools = tools;
    find("turn").addEventListener("click", () => this.#people());
    find("own-pin").addEventListener("click", () => this.#type(null));
    find("pin-pad").addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (key) this.#press(key);
    });
    find("pin-sheet").addEventListener("keydown", (event) => {
      if (/^\d$/.test(event.key)) this.#press(event.key);
      if (event.key === "Backspace") this.#press("back");
    });
    find("shift").addEventListener("click", () => this.#look());
    find("shift-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#close();
    });
    find("shift-counted").addEventListener("input", () => this.#difference());
  }

  async #people() {
    const { ask, shop, words } = this.#tools;
    try {
      const { cashiers, has_pin: has, may_choose: may } = await ask(`/till/cashiers/${shop}`);
      const others = cashiers.filter((one) => !one.here);
      find("turn-list").replaceChildren(...others.map((one) => el("button", { type: "button", class: "choice", onclick: () => this.#type(one) },
        icon("user"), el("b", { class: "name" }, one.name), icon("forward"))));
      find("turn-none").hidden = others.length > 0;
      find("own-pin").hidden = !may;
      find("own-pin").textContent = words.say(has ? "pin_change" : "pin_choose");
      find("turn-sheet").showModal();
    } catch (error) {
      toast(error.message);
    }
  }

  #type(who) {
    find("turn-sheet").close();
    this.#who = who;
    this.#begin();
    find("pin-words").hidden = Boolean(who);
    find("pin-sheet").showModal();
  }

  /** Empty, to be typed from its first digit; `first`: it is a PIN of one's own a second time. */
  #begin({ first = null, error = "" } = {}) {
    const { words } = this.#tools;
    this.#pin = "";
    this.#first = first;
    find("pin-title").textContent = this.#who ? words.say("pin_of", { name: this.#who.name }) : words.say(first ? "pin_again" : "pin_new");
    find("pin-error").textContent = error;
    if (error) navigator.vibrate?.([30, 60, 30]);
    this.#dots();
  }

  #dots() {
    find("pin-dots").replaceChildren(...Array.from({ length: DIGITS }, (_, at) => el("i", { class: at < this.#pin.length ? "on" : null })));
    find("pin-dots").setAttribute("aria-label", this.#tools.words.say("pin_typed", { n: this.#pin.length }));
  }

  #press(key) {
    if (key === "back") this.#pin = this.#pin.slice(0, -1);
    else if (this.#pin.length < DIGITS) this.#pin += key;
    navigator.vibrate?.(8);
    this.#dots();
    if (this.#pin.length === DIGITS) this.#enter();
  }

  async #enter() {
    const { ask, words, queue } = this.#tools;
    const pin = this.#pin;
    if (!this.#who && this.#first === null) return this.#begin({ first: pin });
    if (!this.#who && this.#first !== pin) return this.#begin({ error: words.say("pin_differs") });
    this.#pin = "";
    try {
      if (!this.#who) {
        await ask("/till/pin", { json: { pin } });
        find("pin-sheet").close();
        toast(words.say("pin_set"));
        return;
      }
      // What was rung up is the one's who rang it up: it goes in before the turn passes on.
      await queue.send();
      if (queue.waiting.length) throw new Error(words.say("turn_waits"));
      await ask("/till/switch", { json: { staff: this.#who.id, pin } });
      location.reload();
    } catch (error) {
      this.#begin({ error: error.message });
    }
  }

  async #look() {
    const { ask, shop } = this.#tools;
    try {
      this.#shift = await ask(`/till/shift/${shop}`);
      this.#draw();
      find("shift-counted").value = "";
      this.#difference();
      find("shift-sheet").showModal();
    } catch (error) {
      toast(error.message);
    }
  }

  #draw() {
    const { words, money, count, number } = this.#tools;
    const shift = this.#shift;
    const line = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    find("shift-since").textContent = shift.since ? words.say("shift_since", { time: shift.since }) : words.say("shift_empty");
    find("shift-sums").replaceChildren(
      line(count("sales", shift.count), money(shift.amount)),
      ...(shift.discount ? [line(words.say("voucher"), `−${money(shift.discount)}`)] : []),
      ...(shift.points ? [line(count("points", shift.points), `−${money(shift.points_paid)}`)] : []),
      ...(shift.undone ? [line(words.say("undone_mark"), number(shift.undone))] : []),
      line(words.say("points_given"), number(shift.earned)),
    );
    find("shift-paid").textContent = money(shift.paid);
    find("shift-close").disabled = !shift.last || shift.closed;
    find("shift-close").hidden = shift.closed;
    find("shift-counted").disabled = shift.closed;
  }

  #counted() {
    const digits = find("shift-counted").value.replace(/\D/g, "");
    return digits ? Number(digits) : null;
  }

  #difference() {
    const { words, money } = this.#tools;
    const counted = this.#counted();
    if (counted !== null) find("shift-counted").value = this.#tools.number(counted);
    const off = counted === null ? 0 : counted - (this.#shift?.paid ?? 0);
    find("shift-off").textContent = counted === null ? "" : off ? words.say(off > 0 ? "shift_over" : "shift_under", { amount: money(Math.abs(off)) }) : words.say("shift_even");
    find("shift-off").classList.toggle("error", off !== 0);
  }

  async #close() {
    const { ask, words, changed, queue } = this.#tools;
    try {
      await queue.send();
      if (queue.waiting.length) throw new Error(words.say("turn_waits"));
      this.#shift = await ask("/till/shift", { json: { last: this.#shift.last, counted: this.#counted() } });
      this.#draw();
      find("shift-off").textContent = words.say("shift_closed");
      find("shift-off").classList.remove("error");
      changed();
    } catch (error) {
      find("shift-off").textContent = error.message;
      find("shift-off").classList.add("error");
    }
  }
}
