// What is done with one message: answered, reacted to, reworded, taken away, copied, sent again.

import { el } from "../chat/dom.js";
import { copy, toast } from "../regulars.js";

export class Saying {
  #desk;
  #quote;
  #edit = document.getElementById("edit");
  #area = document.getElementById("edit-words");
  #note = document.getElementById("edit-note");
  #edited = null;

  /** quote(seq) answers a message in particular. */
  constructor(desk, quote) {
    this.#desk = desk;
    this.#quote = quote;
    document.getElementById("edit-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    document.getElementById("edit-cancel").addEventListener("click", () => this.#edit.close());
    this.#area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      this.#save();
    });
  }

  menu(block, opener) {
    const { words, boot } = this.#desk;
    const line = block.find((one) => one.text) ?? block[0];
    const text = block.map((one) => one.text).filter(Boolean).join("\n");
    const given = line.reactions?.agent?.[0];
    this.#desk.menu(opener, [
      line.who === "customer" ? { row: boot.reactions.map((emoji) => ({ words: emoji, chosen: emoji === given, run: () => this.#post(line, "react", { emoji: emoji === given ? null : emoji }) })), name: words.say("react") } : null,
      line.deleted ? null : { icon: "reply", title: words.say("answer_this"), run: () => this.#quote(line.seq) },
      text ? { icon: "copy", title: words.say("copy_words"), run: async () => (await copy(text)) && toast(words.say("copied")) } : null,
      line.may_change && !line.deleted ? { icon: "edit", title: words.say("reword"), run: () => this.reword(line) } : null,
      line.may_change && line.who === "agent" && !line.deleted ? { icon: "trash", title: words.say("take_away"), danger: true, run: () => this.#desk.sure(words.say("take_away_ask"), words.say("take_away"), () => this.#post(line, "delete")) } : null,
    ]);
  }

  reword(line) {
    const { words } = this.#desk;
    this.#edited = line;
    this.#area.value = line.text;
    this.#note.textContent = line.who === "note" ? "" : words.say("reword_hint");
    document.getElementById("edit-error").textContent = "";
    this.#edit.showModal();
    this.#area.focus();
    this.#area.setSelectionRange(line.text.length, line.text.length);
  }

  showHistory(line) {
    const { words } = this.#desk;
    document.getElementById("history-list").replaceChildren(...line.history.map((old) => el("li", {},
      el("small", { class: "muted" }, words.say("until", { time: `${words.time(new Date(old.until))}, ${words.day(new Date(old.until))}` })),
      el("p", { dir: "auto" }, old.text))));
    document.getElementById("history").showModal();
  }

  retry(line) {
    return this.#post(line, "retry");
  }

  async #save() {
    const text = this.#area.value.trim();
    if (text === this.#edited.text) return this.#edit.close();
    try {
      await this.#desk.ask(`/desk/messages/${this.#edited.id}/edit`, { method: "POST", json: { text }, quiet: true });
    } catch (error) {
      document.getElementById("edit-error").textContent = error.status ? error.message : this.#desk.words.say("lost");
      return undefined;
    }
    return this.#edit.close();
  }

  #post(line, what, json = {}) {
    return this.#desk.ask(`/desk/messages/${line.id}/${what}`, { method: "POST", json }).catch(() => {});
  }
}
