// Sales rung up while there was no connection. They are kept on this device (localStorage), sent in order once it is back, each
// under the key it was rung up with, so that the server enters it once however often it is told. What the server refuses stays
// here, marked, until the cashier decides.
//
// An item: {key, at, amount, customer, phone, query, name, state: "waiting" | "refused", error}. `query` is what was scanned or
// typed where nobody could be looked up; it is looked up first, and what it meant is kept, so that a second try says the same.

const EVERY_MS = 4000;

/** The server could not be reached, or not in time: nothing is known of what it did. */
export class Lost extends Error {}

export class Queue {
  #prefix;
  #ask;
  #changed;
  #sending = false;

  /** ask(path, {json}) throws Lost without a connection; changed(sale) hears of each change, with the sale where one went in. */
  constructor({ shop, member, ask, changed }) {
    this.#prefix = `regulars.till.${shop}.${member}.`;
    this.#ask = ask;
    this.#changed = changed;
    addEventListener("online", () => this.send());
    setInterval(() => this.waiting.length && this.send(), EVERY_MS);
  }

  /** All of them, oldest first. */
  get items() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix));
    return keys.map((key) => JSON.parse(localStorage.getItem(key))).sort((one, other) => one.at - other.at);
  }

  get waiting() {
    return this.items.filter((item) => item.state === "waiting");
  }

  add(item) {
    const kept = { at: Date.now(), state: "waiting", error: null, ...item };
    this.#save(kept);
    this.#changed(null);
    return kept;
  }

  /** Try a refused one again; `walkIn`: for nobody known. */
  retry(key, { walkIn = false } = {}) {
    const item = this.items.find((one) => one.key === key);
    if (!item) return;
    if (walkIn) Object.assign(item, { customer: null, phone: null, query: null, name: "" });
    this.#save({ ...item, state: "waiting", error: null });
    this.#changed(null);
    this.send();
  }

  drop(key) {
    localStorage.removeItem(this.#prefix + key);
    this.#changed(null);
  }

  /** Send what waits, oldest first, until the connection is lost again. */
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (const item of this.waiting) {
        const sale = await this.#one(item);
        if (sale) this.drop(item.key);
        this.#changed(sale);
      }
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    } finally {
      this.#sending = false;
    }
  }

  async #one(item) {
    try {
      if (item.query) {
        const { card, phone } = await this.#ask("/till/find", { json: { query: item.query } });
        Object.assign(item, { customer: card?.id ?? null, phone: card ? null : phone?.number ?? null, query: null });
        this.#save(item);
      }
      const { key, customer, phone, amount, at } = item;
      return await this.#ask("/till/sell", { json: { key, customer, phone, amount, vouchers: [], points: 0, at } });
    } catch (error) {
      if (error instanceof Lost) throw error;
      this.#save({ ...item, state: "refused", error: error.message });
      return null;
    }
  }

  #save(item) {
    localStorage.setItem(this.#prefix + item.key, JSON.stringify(item));
  }
}
