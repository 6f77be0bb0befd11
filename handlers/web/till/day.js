// Today's list: what this cashier entered, newest first; the newest can be taken back for a while.

import { el, icon } from "../chat/dom.js";

export class Day {
  #tools;
  #list = document.getElementById("day-list");
  #count = document.getElementById("day-count");
  #paid = document.getElementById("day-paid");
  #brief = document.getElementById("day-brief");
  #queued = document.createElement("div");

  /** tools: {words, ask, money, number, count, shop, undo(sale), queue} */
  constructor(tools) {
    this.#tools = tools;
    this.#list.before(this.#queued);
  }

  /** What waits for a connection, and what was refused after it, above the day's list. */
  drawQueue() {
    const { queue, words, money } = this.#tools;
    const act = (name, words, doing) => el("button", { type: "button", class: "button small", onclick: doing }, icon(name), words);
    if (queue.items.length) this.#list.querySelector(".empty")?.remove();
    this.#queued.replaceChildren(...queue.items.reverse().map(({ key, at, name, amount, state, error }) => {
      const refused = state === "refused";
      return el("div", { class: `entry ${state}` },
        el("time", {}, words.time(new Date(at))),
        el("span", { class: "name" }, name || words.say("unknown")),
        el("span", { class: "amount" }, money(amount)),
        el("span", { class: "more" }, el("span", { class: refused ? "badge bad" : "badge" }, words.say(refused ? "refused_mark" : "queued_mark")), refused ? el("span", {}, error) : null),
        refused ? el("div", { class: "acts" },
          act("retry", words.say("retry"), () => queue.retry(key)),
          act("user", words.say("as_walk_in"), () => queue.retry(key, { walkIn: true })),
          act("trash", words.say("discard"), () => queue.drop(key))) : null);
    }));
  }

  async load() {
    const { words, ask, money, count, shop, queue } = this.#tools;
    const { sales, paid, count: made } = await ask(`/till/today/${shop}`);
    this.#count.textContent = made ? count("sales", made) : "";
    this.#paid.textContent = made ? money(paid) : "";
    this.#brief.hidden = !made;
    this.#brief.querySelector("span").textContent = `${words.say("today")} · ${made ? count("sales", made) : ""}`;
    this.#brief.querySelector("b").textContent = money(paid);
    this.#list.replaceChildren(...sales.map((sale, index) => this.#entry(sale, index === 0)));
    if (!sales.length && !queue.items.length) {
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
