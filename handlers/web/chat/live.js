// The stream of what happens: server-sent events, opened again within a second wherever the last one ended, so nothing is missed.

const FIRST_WAIT = 250;
const LONGEST_WAIT = 1000;
const PATIENCE = 120000;
const LONGEST_WAIT_LATER = 3000;
const SILENCE = 40000; // the server says "ping" every 15 s; a line silent for so long is dead though nobody hung up

export class Live {
  #address;
  #handlers;
  #connected;
  #source = null;
  #timer = null;
  #wait = FIRST_WAIT;
  #lostAt = 0;
  #heard = 0;
  #pings = false;

  /** address() gives the URL with the newest cursor; handlers by event name; connected(true|false) on each change. */
  constructor({ address, handlers, connected }) {
    this.#address = address;
    this.#handlers = handlers;
    this.#connected = connected;
    setInterval(() => {
      if (this.#pings && this.#source && Date.now() - this.#heard > SILENCE) this.#lost();
    }, 5000);
  }

  open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(this.#address());
    this.#source = source;
    this.#heard = Date.now();
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#lostAt = 0;
      this.#heard = Date.now();
      this.#connected(true);
    });
    source.addEventListener("error", () => source === this.#source && this.#lost());
    source.addEventListener("ping", () => {
      this.#heard = Date.now();
      this.#pings = true;
    });
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, (event) => {
        this.#heard = Date.now();
        handle(JSON.parse(event.data));
      });
    }
  }

  /** Try at once if the line is down: the network came back, or the page did. */
  kick() {
    if (this.#source?.readyState !== EventSource.OPEN) this.open();
  }

  /** The device says that it has no network. */
  cut() {
    this.#lost();
  }

  #lost() {
    this.#source?.close();
    this.#source = null;
    this.#lostAt ||= Date.now();
    this.#connected(false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), this.#wait * (0.85 + 0.3 * Math.random()));
    this.#wait = Math.min(this.#wait * 1.6, Date.now() - this.#lostAt > PATIENCE ? LONGEST_WAIT_LATER : LONGEST_WAIT);
  }
}
