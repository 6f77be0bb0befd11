// What the customer wrote and the server hasn't taken yet. One after the other, in the order of writing, each with its own `ref`, so
// the server can be told the same thing twice and do it once. Words survive a reload (localStorage); files wait in memory.

const FIRST_WAIT = 300;
const LONGEST_WAIT = 1000; // a server back from a restart is found within a second …
const PATIENCE = 120000;
const LONGEST_WAIT_LATER = 2000; // … and after two minutes away asked half as often
const WORDS_TIMEOUT = 12000;
const FILES_TIMEOUT = 180000;

export class Outbox {
  #items = [];
  #prefix;
  #csrf;
  #changed;
  #running = false;
  #wake = null;
  #last = 0;

  /** changed(item) is told each new state: "sending", "sent" or "failed" (then with item.error and item.retry). */
  constructor({ visitor, csrf, changed }) {
    this.#prefix = `regulars.outbox.${visitor ?? ""}.`;
    this.#csrf = csrf;
    this.#changed = changed;
    this.#items = this.#load();
  }

  get items() {
    return [...this.#items];
  }

  get hasFiles() {
    return this.#items.some((item) => item.files && item.state === "sending");
  }

  /** Take {ref, text, …} or {ref, caption, files}. `shown: false` for what the page sends by itself. */
  add(body, { files = null, shown = true } = {}) {
    this.#last = Math.max(Date.now() * 1000, this.#last + 1);
    const item = { ref: body.ref, order: this.#last, at: new Date().toISOString(), body, files, shown, state: "sending" };
    this.#items.push(item);
    this.#save(item);
    this.kick();
    return item;
  }

  retry(ref) {
    const item = this.#items.find((one) => one.ref === ref);
    if (!item) return;
    this.#items = [...this.#items.filter((one) => one !== item), item];
    this.#last = Math.max(Date.now() * 1000, this.#last + 1);
    Object.assign(item, { order: this.#last, state: "sending", error: null });
    this.#save(item);
    this.#changed(item);
    this.kick();
  }

  /** Forget it: the customer discards it, or the server has shown that it arrived. */
  drop(ref) {
    this.#items = this.#items.filter((one) => one.ref !== ref);
    this.#forget(ref);
  }

  /** Try at once: the network is back. */
  kick() {
    this.#wake?.();
    this.#drain();
  }

  async #drain() {
    if (this.#running) return;
    this.#running = true;
    let wait = FIRST_WAIT;
    let since = 0;
    for (let item = this.#next(); item; item = this.#next()) {
      const pause = await this.#post(item);
      if (pause === 0) {
        wait = FIRST_WAIT;
        since = 0;
        continue;
      }
      since ||= Date.now();
      await this.#sleep(pause ?? wait * (0.85 + 0.3 * Math.random()));
      wait = Math.min(wait * 1.6, Date.now() - since > PATIENCE ? LONGEST_WAIT_LATER : LONGEST_WAIT);
    }
    this.#running = false;
  }

  #next() {
    return this.#items.find((item) => item.state === "sending");
  }

  /** 0 when the item is done with, milliseconds the server asked to wait, or null: try again after a while. */
  async #post(item) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), item.files ? FILES_TIMEOUT : WORDS_TIMEOUT);
    let answer, said;
    try {
      answer = await fetch("/chat/send", { method: "POST", signal: stop.signal, ...this.#request(item) });
      said = await answer.json().catch(() => ({}));
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
    if (!this.#items.includes(item)) return 0; // the stream showed it before the answer came
    if (answer.ok) {
      item.state = "sent";
      this.drop(item.ref);
      this.#changed(item);
      return 0;
    }
    if (answer.status === 429) return 1000 * Math.min(60, Number(answer.headers.get("Retry-After")) || 1);
    if (answer.status >= 500) return null;
    if (said.code === "csrf" && this.#mayReload()) {
      location.reload();
      return 60000;
    }
    Object.assign(item, { state: "failed", error: said.error ?? null, retry: said.retry !== false });
    this.#save(item);
    this.#changed(item);
    return 0;
  }

  #request(item) {
    const headers = { "X-CSRF-Token": this.#csrf };
    if (!item.files) return { headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(item.body) };
    const form = new FormData();
    for (const [name, value] of Object.entries(item.body)) if (value) form.set(name, value);
    for (const file of item.files) form.append("file", file.blob, file.name);
    return { headers, body: form };
  }

  // A page that was open across a change of the server's key holds a token nobody knows; a fresh page mends it, once a minute at most.
  #mayReload() {
    const last = Number(sessionStorage.getItem("regulars.reloaded") ?? 0);
    if (Date.now() - last < 60000) return false;
    sessionStorage.setItem("regulars.reloaded", String(Date.now()));
    return true;
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      this.#wake = done;
      function done() {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  // localStorage throws where the visitor forbids it: then words wait in memory like files do.
  #save(item) {
    if (item.files) return;
    try {
      localStorage.setItem(this.#prefix + item.ref, JSON.stringify(item));
    } catch { /* kept in memory */ }
  }

  #forget(ref) {
    try {
      localStorage.removeItem(this.#prefix + ref);
    } catch { /* nothing was kept */ }
  }

  #load() {
    try {
      const items = Object.keys(localStorage)
        .filter((key) => key.startsWith(this.#prefix))
        .map((key) => JSON.parse(localStorage.getItem(key)));
      return items.sort((a, b) => a.order - b.order);
    } catch {
      return [];
    }
  }
}
