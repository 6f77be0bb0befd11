// The vouchers of a bill. Those that are best together are used by themselves, out of the customer's own and the codes that were
// shown; each stands on the bill and goes off it by one tap. The sheet lists all of them, with why another isn't used.

import { el, icon } from "../chat/dom.js";

const find = (id) => document.getElementById(id);

export class Vouchers {
  #tools;

  /**
   * tools: {words, money, count, entry(), change(values), use(code)}. Of the entry: `card`, `codes` (vouchers shown at the counter), `without` (codes
   * of the customer's own that were left out), `part`, `seen` (what the server said: vouchers, others).
   */
  constructor(tools) {
    this.#tools = tools;
    find("pick-voucher").addEventListener("click", () => this.#open());
    find("voucher-none").addEventListener("click", () => {
      const { card } = tools.entry();
      tools.change({ codes: [], without: (card?.vouchers ?? []).map(({ code }) => code), part: null });
      find("voucher-sheet").close();
    });
  }

  /** On the bill: how many, and each with what it takes off. */
  draw() {
    const { words, money, count, entry } = this.#tools;
    const { card, codes, seen } = entry();
    const used = seen?.vouchers ?? [];
    const known = card?.vouchers.length || codes.length;
    find("voucher-words").textContent = used.length ? count("vouchers", used.length) : words.say(known && !seen ? "vouchers_wait" : "voucher");
    find("pick-voucher").classList.toggle("used", used.length > 0);
    find("used").hidden = !used.length;
    find("used").replaceChildren(...used.map(({ code, name, discount }) =>
      el("button", { type: "button", class: "chip", title: words.say("take_out", { name }), onclick: () => this.#takeOut(code) },
        el("span", {}, name), el("b", { class: "amount" }, discount ? `−${money(discount)}` : "✓"), icon("close"))));
    if (find("voucher-sheet").open) this.#list();
  }

  /** A code that was shown: into the bill. */
  put(voucher) {
    const { entry, change } = this.#tools;
    const { codes, without } = entry();
    change({ codes: [...codes.filter(({ code }) => code !== voucher.code), voucher], without: without.filter((code) => code !== voucher.code) });
  }

  /** What the server refused of the codes that were shown, in words; one that doesn't work at all is let go. */
  refused(seen) {
    const { entry } = this.#tools;
    const shown = new Set(entry().codes.map(({ code }) => code));
    const odd = seen.others.filter(({ code }) => shown.has(code));
    const wrong = new Set(odd.filter(({ reason }) => reason === "invalid").map(({ code }) => code));
    entry().codes = entry().codes.filter(({ code }) => !wrong.has(code));
    return odd[0]?.why ?? "";
  }

  #takeOut(code) {
    const { entry, change } = this.#tools;
    const { card, codes, without } = entry();
    const own = card?.vouchers.some((voucher) => voucher.code === code);
    change({ codes: codes.filter((voucher) => voucher.code !== code), without: own ? [...without, code] : without });
  }

  #open() {
    find("voucher-code").value = "";
    find("voucher-error").hidden = true;
    this.#list();
    find("voucher-sheet").showModal();
  }

  #list() {
    const { entry } = this.#tools;
    const { card, codes } = entry();
    const own = (card?.vouchers ?? []).filter(({ free }) => free);
    const shown = codes.filter(({ code }) => !own.some((voucher) => voucher.code === code));
    find("voucher-list").replaceChildren(...[...shown, ...own].map((voucher) => this.#row(voucher)));
    find("voucher-none").hidden = !entry().seen?.vouchers.length;
  }

  #row(voucher) {
    const { words, money, entry } = this.#tools;
    const { codes, without, seen } = entry();
    const { code, name, terms } = voucher;
    const used = seen?.vouchers.find((one) => one.code === code);
    const why = seen?.others.find((one) => one.code === code)?.why;
    const out = without.includes(code);
    const may = out || used || codes.some((one) => one.code === code);
    return el("button", {
      type: "button", class: "choice", "aria-pressed": String(Boolean(used)), disabled: !may,
      onclick: () => (out ? this.put(voucher) : this.#takeOut(code)),
    }, icon(used ? "check" : "ticket"),
      el("span", { class: "name" }, el("b", {}, name), el("span", { class: "small muted" }, terms),
        out || why ? el("span", { class: "small why" }, out ? words.say("left_out") : why) : null),
      used ? el("b", { class: "amount" }, used.discount ? `−${money(used.discount)}` : "") : null);
  }
}
