// Being called back to the desk: a soft sound, and the browser's own notification when the desk isn't before one's eyes. Only for what
// concerns the agent: their own requests, those that nobody looks after yet, and notes that call them. Of several open windows one rings.
// Both choices are kept in this browser, for a shared counter's computer and one's own phone differ.

import { toast } from "../regulars.js";
import { addAction } from "./panels.js";

const ASK_AFTER = 3; // answers written before the question is put
const TONES = [660, 880];

export class Alerts {
  #desk;
  #channel = "BroadcastChannel" in window ? new BroadcastChannel("desk") : null;
  #rings = !navigator.locks; // whether this window is the one that does
  #known = new Map(); // by ticket: the newest line that was told of
  #watched = new Map(); // by window: the ticket before somebody's eyes
  #audio = null;

  constructor(desk) {
    this.#desk = desk;
    navigator.locks?.request("desk-rings", () => {
      this.#rings = true;
      return new Promise(() => {});
    });
    this.#channel?.addEventListener("message", ({ data }) => this.#watched.set(data.window, data.ticket));
    // Browsers let a page make sounds only after somebody touched it.
    addEventListener("pointerdown", () => this.#wake(), { once: true });
    addEventListener("keydown", () => this.#wake(), { once: true });
  }

  get #keys() {
    const own = this.#desk.boot.me.id;
    return { sound: `desk-sound:${own}`, notes: `desk-notes:${own}`, asked: `desk-notes-asked:${own}` };
  }

  get sound() {
    return localStorage.getItem(this.#keys.sound) !== "off";
  }

  get notes() {
    return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(this.#keys.notes) === "on";
  }

  /** Tell the other windows what this one shows. */
  watch(window, ticket) {
    this.#channel?.postMessage({ window, ticket });
  }

  /** A page of the list was read: what stands in it is old. */
  take(lines) {
    for (const line of lines) this.#known.set(line.id, Math.max(this.#known.get(line.id) ?? 0, line.last_seq));
  }

  /** A ticket changed: ring if a customer wrote or a note calls. */
  hear(line) {
    const before = this.#known.get(line.id) ?? 0;
    this.#known.set(line.id, Math.max(before, line.last_seq));
    if (line.last_seq <= before || !this.#rings) return;
    const { boot, words } = this.#desk;
    const called = line.facts.mentioned;
    const said = line.unread > 0 && line.preview.who === "customer" && line.preview.seq > before;
    if (!called && !(said && (!line.assignee_id || line.assignee_id === boot.me.id))) return;
    const read = !document.hidden && document.hasFocus() && this.#desk.ticket()?.id === line.id;
    if (read || [...this.#watched.values()].includes(line.id)) return;
    if (this.sound) this.#ring();
    if (this.notes && (document.hidden || !document.hasFocus())) {
      const title = called && !said ? words.say("called_you", { n: line.id }) : line.customer || words.say("guest");
      const note = new Notification(title, { body: said ? line.preview.text || words.say(line.preview.kind ?? "document") : line.subject, tag: `ticket-${line.id}`, renotify: true });
      note.onclick = () => {
        window.focus();
        this.#desk.open(line.id);
        note.close();
      };
    }
  }

  /** Put the question about notifications once, after some answers, beside the work and never over it. */
  answered() {
    const answered = Number(localStorage.getItem(this.#keys.asked) ?? 0);
    if (answered === -1 || !("Notification" in window) || Notification.permission !== "default") return;
    localStorage.setItem(this.#keys.asked, answered + 1);
    if (answered + 1 >= ASK_AFTER) document.getElementById("ask-notes").hidden = false;
  }

  async setNotes(on) {
    document.getElementById("ask-notes").hidden = true;
    localStorage.setItem(this.#keys.asked, -1);
    if (on && Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") {
      toast(this.#desk.words.say("notes_denied"));
      return;
    }
    localStorage.setItem(this.#keys.notes, on ? "on" : "off");
    if (on) toast(this.#desk.words.say("notes_on"));
  }

  setSound(on) {
    localStorage.setItem(this.#keys.sound, on ? "on" : "off");
    if (on) this.#ring();
  }

  #wake() {
    this.#audio ??= "AudioContext" in window ? new AudioContext() : null;
    this.#audio?.resume();
  }

  #ring() {
    this.#wake();
    const audio = this.#audio;
    if (!audio) return;
    TONES.forEach((tone, index) => {
      const from = audio.currentTime + index * 0.14;
      const voice = new OscillatorNode(audio, { frequency: tone, type: "sine" });
      const loud = new GainNode(audio, { gain: 0 });
      loud.gain.setValueAtTime(0, from);
      loud.gain.linearRampToValueAtTime(0.12, from + 0.02);
      loud.gain.exponentialRampToValueAtTime(0.001, from + 0.35);
      voice.connect(loud).connect(audio.destination);
      voice.start(from);
      voice.stop(from + 0.4);
    });
  }
}

addAction({ id: "sound", place: "me", icon: "bell", title: (_, desk) => desk.words.say(desk.alerts.sound ? "sound_off" : "sound_on"),
  run: (_, desk) => desk.alerts.setSound(!desk.alerts.sound) });
addAction({ id: "notes", place: "me", icon: "chat", when: () => "Notification" in window,
  title: (_, desk) => desk.words.say(desk.alerts.notes ? "notes_turn_off" : "notes_turn_on"), run: (_, desk) => desk.alerts.setNotes(!desk.alerts.notes) });
