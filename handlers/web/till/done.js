// The last screen: what a sale came to, the code an unknown buyer scans, and taking the sale back while it can be.

import { el, icon } from "../chat/dom.js";
import { toast } from "../regulars.js";

const find = (id) => document.getElementById(id);
const line = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

export class Done {
  last = null; // the sale on the screen
  #left = 0; // seconds in which it can be taken back
  #undoing = null;
  #tools;
  #shop = JSON.parse(find("boot").textContent).shop;

  /** tools: {words, ask, money, number, count, show(screen), restart(), changed()} */
  constructor(tools) {
    this.#tools = tools;
    find("next").addEventListener("click", tools.restart);
    find("undo").addEventListener("click", () => this.askUndo(this.last));
    find("undo-sure").addEventListener("click", () => this.#undo());
    setInterval(() => {
      this.#left -= 1;
      if (!find("done").hidden) this.#countDown();
    }, 1000);
  }

  /** What a bill or a sale is made of; of a bill each voucher by its name. */
  sums({ amount, discount, vouchers, points, points_paid: worth }) {
    const { words, money, count } = this.#tools;
    const off = vouchers ?? (discount ? [{ name: words.say("voucher"), discount }] : []);
    return [
      line(words.say("bill"), money(amount)),
      ...off.map((one) => line(one.name, one.discount ? `−${money(one.discount)}` : "✓")),
      ...(points ? [line(count("points", points), `−${money(worth)}`)] : []),
    ];
  }

  /** A sale that is in, or was taken back. */
  sold(sale) {
    const { words, money, number } = this.#tools;
    this.last = sale;
    this.#left = sale.undo_seconds;
    const name = sale.name || sale.phone || words.say("unnamed");
    const title = sale.undone ? words.say("undone_mark")
      : !sale.customer ? words.say("collected", { amount: money(sale.paid) })
      : sale.earned ? words.say("earned", { n: number(sale.earned) }) : words.say("earned_none");
    const told = sale.undone ? words.say("undone", { amount: money(sale.amount) })
      : sale.customer ? words.say("now_has", { name, n: number(sale.balance) }) : "";
    find("receipt").hidden = !sale.claim;
    if (sale.claim) {
      find("receipt-code").src = `/till/receipt/${this.#shop}/${sale.id}.png`;
      find("receipt-words").textContent = words.say("scan_for", { n: number(sale.earned) });
    }
    const parts = sale.paid === sale.amount ? [] : this.sums(sale);
    find("done-sums").replaceChildren(...parts, line(words.say("collected_label"), money(sale.paid)));
    find("done-sums").hidden = sale.undone || (!sale.customer && !parts.length);
    this.#say(sale.undone ? "undone" : "", sale.undone ? "undo" : "check", title, told);
  }

  /** A bill that waits for a connection. */
  queued({ amount }) {
    const { words, money } = this.#tools;
    this.last = null;
    find("receipt").hidden = find("done-sums").hidden = true;
    this.#say("waits", "clock", words.say("queued", { amount: money(amount) }), words.say("queued_words"));
  }

  askUndo(sale) {
    const { words, money } = this.#tools;
    this.#undoing = sale;
    find("undo-ask").textContent = words.say("undo_ask", { amount: money(sale.amount) });
    find("undo-sheet").showModal();
  }

  #say(state, mark, title, told) {
    for (const one of ["waits", "undone"]) find("done").classList.toggle(one, one === state);
    find("tick").replaceChildren(icon(mark));
    find("done-title").textContent = title;
    find("done-words").textContent = told;
    this.#countDown();
    this.#tools.show("done");
    find("next").focus({ preventScroll: true });
  }

  #countDown() {
    const over = !this.last || this.last.undone || this.#left <= 0;
    find("undo").hidden = over;
    if (!over) find("undo-words").textContent = this.#tools.words.say("undo_left", { time: this.#tools.words.length(this.#left) });
  }

  async #undo() {
    const { words, ask, money, changed } = this.#tools;
    find("undo-sheet").close();
    try {
      const sale = await ask("/till/undo", { json: { sale: this.#undoing.id } });
      toast(words.say("undone", { amount: money(sale.amount) }));
      if (this.last?.id === sale.id) this.sold(sale);
    } catch (error) {
      toast(error.message);
    }
    changed();
  }
}
