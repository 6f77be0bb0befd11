// Who is buying: the card above the bill, with what the cashier may tell them and how they are to be served.

import { el, icon } from "../chat/dom.js";

const find = (id) => document.getElementById(id);

export class Buyer {
  #tools;

  /** tools: {words, count, number, restart(), askPhone()}. */
  constructor(tools) {
    this.#tools = tools;
  }

  /** `card`: a known customer; `phone`: a number nobody has yet; `query`: what is looked up once there is a connection. */
  draw({ card, phone, query }) {
    const { words, count, number, restart, askPhone } = this.#tools;
    const title = query ?? (card ? card.name || card.phone || words.say("unnamed") : words.say(phone ? "guest" : "unknown"));
    const facts = [];
    if (card) {
      facts.push(el("span", { class: "tier", data: { rank: Math.min(card.rank, 3) } }, card.tier));
      facts.push(el("span", { class: "strong" }, count("points", card.available)));
      if (card.vouchers.length) facts.push(el("span", { class: "muted" }, count("vouchers", card.vouchers.length)));
      if (card.price_list) facts.push(this.#priceList(card.price_list));
      if (card.pending) facts.push(el("span", { class: "muted" }, words.say("pending", { n: number(card.pending) })));
    } else if (query) {
      facts.push(el("span", { class: "muted" }, words.say("offline_who")));
    } else {
      facts.push(el("span", { class: "muted" }, phone ? `${phone.shown} · ${words.say("guest_words")}` : words.say("unknown_words")));
    }
    const letter = card?.name ? card.name.trim().split(/\s+/).at(-1).slice(0, 1) : icon("user");
    const mark = el("span", { class: "avatar", "aria-hidden": "true", data: { hue: card ? card.id % 8 : 0 } }, letter);
    find("who").replaceChildren(
      mark,
      el("div", { class: "name" }, el("b", {}, title), el("div", { class: "facts" }, ...facts),
        card?.treat?.length ? el("ul", { class: "treat" }, ...card.treat.map((line) => el("li", {}, line))) : null,
        card && !card.proven ? el("button", { type: "button", class: "button small", onclick: askPhone }, icon("check"), find("phone-title").textContent) : null),
      el("button", { type: "button", class: "round", "aria-label": words.say("other"), title: words.say("other"), onclick: restart }, icon("close")),
    );
  }

  #priceList(list) {
    const { words } = this.#tools;
    const link = /^https?:\/\/\S+$/.test(list);
    return link
      ? el("a", { class: "strong", href: list, target: "_blank", rel: "noopener noreferrer" }, words.say("price_link"))
      : el("span", { class: "strong" }, words.say("price_list", { list }));
  }
}
