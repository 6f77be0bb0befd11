// Today's list: what this cashier entered, newest first; the newest can be taken back for a while.

import { el, icon } from "../chat/dom.js";

export class Day {
  #tools;
  #list = document.getElementById("day-list");
  #count = document.getElementById("day-count");
  #paid = document.getElementById("day-paid");
  #brief = document.getElementById("day-brief");

  /** tools: {words, ask, money, number, count, shop, undo(sale)} */
  constructor(tools) {
    this.#tools = tools;
  }

  async load() {
    const { words, ask, money, count, shop } = this.#tools;
    const { sales, paid, count: made } = await ask(`/till/today/${shop}`);
    this.#count.textContent = made ? count("sales", made) : "";
    this.#paid.textContent = made ? money(paid) : "";
    this.#brief.hidden = !made;
    this.#brief.querySelector("span").textContent = `${words.say("today")} · ${made ? count("sales", made) : ""}`;
    this.#brief.querySelector("b").textContent = money(paid);
    this.#list.replaceChildren(...sales.map((sale, index) => this.#entry(sale, index === 0)));
    if (!sales.length) {
      this.#list.append(el("div", { class: "empty" }, icon("store"), el("b", {}, words.say("today_empty")), el("p", {}, words.say("today_empty_words"))));
    }
  }

  #entry(sale, newest) {
    const { words, money, number, count, undo } = this.#tools;
    const more = [];
    if (sale.discount) more.push(words.say("minus", { amount: money(sale.discount) }));
    if (sale.points) more.push(`−${count("points", sale.points)}`);
    if (sale.earned && !sale.undone) more.push(words.say("earned", { n: number(sale.earned) }));
    return el("div", { class: sale.undone ? "entry undone" : "entry" },
      el("time", {}, sale.at),
      el("span", { class: "name" }, sale.name || sale.phone || words.say(sale.customer ? "unnamed" : "unknown")),
      el("span", { class: "amount" }, money(sale.paid)),
      el("span", { class: "more" }, el("span", {}, sale.order), ...more.map((words) => el("span", {}, words)),
        sale.undone ? el("span", { class: "badge" }, words.say("undone_mark")) : null),
      newest && !sale.undone && sale.undo_seconds > 0
        ? el("button", { type: "button", class: "button small", onclick: () => undo(sale) }, icon("undo"), words.say("undo"))
        : null,
    );
  }
}
