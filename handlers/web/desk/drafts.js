// Drafts: what has been begun in each ticket, an answer and a note. The server keeps them, so they are there on the next device; what it
// hasn't got yet is kept in this browser, so that neither a lost connection nor a closed window loses a word.

const SAVE_PAUSE = 700;
const RETRY = 5000;

export class Drafts {
  #ask;
  #me;
  #known = new Map(); // what the server has: "1042:reply" → JSON of {text, reply_to}
  #timers = new Map();

  constructor(ask, me) {
    this.#ask = ask;
    this.#me = me;
    addEventListener("online", () => this.#saveAll());
    this.#saveAll();
  }

  /** What the server said when a ticket was opened. */
  took(ticket, drafts) {
    for (const kind of ["reply", "note"]) this.#known.delete(`${ticket}:${kind}`);
    for (const { kind, text, reply_to } of drafts) this.#known.set(`${ticket}:${kind}`, JSON.stringify({ text, reply_to }));
  }

  get(ticket, kind) {
    const name = `${ticket}:${kind}`;
    const kept = localStorage.getItem(this.#place(name)) ?? this.#known.get(name);
    return kept ? JSON.parse(kept) : { text: "", reply_to: null };
  }

  set(ticket, kind, text, reply_to) {
    const name = `${ticket}:${kind}`;
    const draft = JSON.stringify({ text: text.trim() ? text : "", reply_to });
    if (draft === (localStorage.getItem(this.#place(name)) ?? this.#known.get(name) ?? '{"text":"","reply_to":null}')) return;
    localStorage.setItem(this.#place(name), draft);
    this.#soon(name, SAVE_PAUSE);
  }

  /** It was sent: the server has ended the draft with it. */
  sent(ticket, kind) {
    const name = `${ticket}:${kind}`;
    clearTimeout(this.#timers.get(name));
    localStorage.removeItem(this.#place(name));
    this.#known.delete(name);
  }

  #place(name) {
    return `draft:${this.#me.id}:${name}`;
  }

  #soon(name, pause) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.#save(name), pause));
  }

  async #save(name) {
    const draft = localStorage.getItem(this.#place(name));
    if (draft === null) return;
    const [ticket, kind] = name.split(":");
    try {
      await this.#ask(`/desk/tickets/${ticket}/draft`, { method: "POST", json: { kind, ...JSON.parse(draft) }, quiet: true });
    } catch (error) {
      if (error.retry) this.#soon(name, RETRY);
      return;
    }
    this.#known.set(name, draft);
    if (localStorage.getItem(this.#place(name)) === draft) localStorage.removeItem(this.#place(name));
  }

  #saveAll() {
    const start = this.#place("");
    for (const key of Object.keys(localStorage)) if (key.startsWith(start)) this.#save(key.slice(start.length));
  }
}
