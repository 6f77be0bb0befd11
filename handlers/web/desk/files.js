// The files that go with what is written: picked, pasted or dropped, looked at before they go.

import { el, icon } from "../chat/dom.js";
import { prepare } from "../chat/pictures.js";
import { toast } from "../regulars.js";

export class Files {
  #words;
  #limits;
  #changed;
  #strip = document.getElementById("strip");
  #pick = document.getElementById("pick");
  #turn = 0; // a picture that takes long to be made ready must not come into another ticket
  all = [];

  /** changed() after each that came or went. `area` is where files are pasted, `pane` where they are dropped. */
  constructor({ words, limits, area, pane, changed }) {
    this.#words = words;
    this.#limits = limits;
    this.#changed = changed;
    document.getElementById("attach").addEventListener("click", () => this.#pick.click());
    this.#pick.addEventListener("change", () => {
      this.add([...this.#pick.files]);
      this.#pick.value = "";
    });
    area.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    for (const name of ["dragover", "dragleave", "drop"]) {
      pane.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        pane.classList.toggle("dropping", name === "dragover");
        if (name === "drop") this.add([...event.dataTransfer.files]);
      });
    }
    addEventListener("beforeunload", (event) => this.all.length && event.preventDefault());
  }

  async add(files) {
    const turn = this.#turn;
    for (const file of files) {
      if (this.all.length >= this.#limits.files) {
        toast(this.#words.say("upload_many", { n: this.#limits.files }));
        break;
      }
      let ready;
      try {
        ready = await prepare(file);
      } catch {
        toast(this.#words.say("unreadable", { name: file.name }));
        continue;
      }
      if (turn !== this.#turn) return;
      if (ready.blob.size > this.#limits.bytes) {
        toast(this.#words.say("upload_big", { name: file.name, size: this.#words.size(this.#limits.bytes) }));
        continue;
      }
      this.all.push(ready);
      this.#strip.append(this.#thumb(ready));
    }
    this.#strip.hidden = !this.all.length;
    this.#changed();
  }

  /** Give them away, or let them go. */
  take() {
    const files = this.all;
    this.#turn++;
    this.all = [];
    this.#strip.replaceChildren();
    this.#strip.hidden = true;
    return files;
  }

  #thumb(file) {
    const remove = el("button", { type: "button", class: "round", "aria-label": `${this.#words.say("remove")} ${file.name}` }, icon("close"));
    const thumb = file.kind === "photo"
      ? el("div", { class: "thumb" }, el("img", { src: file.shown, alt: file.name }), remove)
      : el("div", { class: "thumb file" }, icon("file"), el("span", {}, file.name), el("small", { class: "muted" }, this.#words.size(file.size)), remove);
    remove.addEventListener("click", () => {
      this.all = this.all.filter((one) => one !== file);
      URL.revokeObjectURL(file.shown);
      thumb.remove();
      this.#strip.hidden = !this.all.length;
      this.#changed();
    });
    return thumb;
  }
}
