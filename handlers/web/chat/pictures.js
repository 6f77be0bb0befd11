// Pictures and files both ways: picked, taken, pasted or dropped; looked at before they go; made smaller when they are very large;
// and shown large on a tap.

import { el, icon } from "./dom.js";
import { toast } from "../regulars.js";

const LONGEST_SIDE = 2048;
const HEAVY = 1572864; // bytes; a picture within the side but heavier than this is squeezed too
const QUALITY = 0.86;
const STILL = /^image\/(jpeg|png|webp|avif|heic|heif|bmp)$/;

/** {blob, name, kind, width, height, shown}: what will be sent. Throws when the picture can't be opened and is one. */
export async function prepare(file) {
  const kind = file.type.startsWith("image/") ? "photo" : file.type.startsWith("video/") ? "video" : file.type.startsWith("audio/") ? "audio" : "document";
  const plain = { blob: file, name: file.name, kind, size: file.size, shown: URL.createObjectURL(file) };
  if (kind !== "photo") return plain;
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  if (!STILL.test(file.type) || (scale === 1 && file.size < HEAVY)) {
    bitmap.close();
    return { ...plain, width, height };
  }
  const canvas = el("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const paper = canvas.getContext("2d");
  paper.fillStyle = "#FFFFFF"; // what was see-through would turn black in a JPEG
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (!blob || (scale === 1 && blob.size >= file.size)) return { ...plain, width, height };
  URL.revokeObjectURL(plain.shown);
  return { blob, name: file.name.replace(/\.\w+$/, "") + ".jpg", kind, size: blob.size, width: canvas.width, height: canvas.height,
    shown: URL.createObjectURL(blob) };
}

export class Preview {
  #dialog = document.getElementById("preview");
  #thumbs = document.getElementById("thumbs");
  #caption = document.getElementById("caption");
  #files = [];
  #limits;
  #words;
  #send;

  /** send(files, caption) when the customer says so. limits: {bytes, files}. */
  constructor({ limits, words, send }) {
    this.#limits = limits;
    this.#words = words;
    this.#send = send;
    this.#dialog.querySelector("form").addEventListener("submit", () => this.#go());
    document.getElementById("preview-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#empty());
    this.#caption.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      this.#dialog.querySelector("form").requestSubmit();
    });
  }

  async add(files, caption = "") {
    for (const file of files) {
      if (this.#files.length >= this.#limits.files) {
        toast(this.#words.say("too_many", { n: this.#limits.files }));
        break;
      }
      let ready;
      try {
        ready = await prepare(file);
      } catch {
        toast(this.#words.say("unreadable", { name: file.name }));
        continue;
      }
      if (ready.blob.size > this.#limits.bytes) {
        URL.revokeObjectURL(ready.shown);
        toast(this.#words.say("too_big", { name: file.name, size: this.#words.size(this.#limits.bytes) }));
        continue;
      }
      this.#files.push(ready);
      this.#thumbs.append(this.#thumb(ready));
    }
    if (!this.#files.length || this.#dialog.open) return;
    if (caption) this.#caption.value = caption;
    this.#dialog.showModal();
    this.#caption.focus();
  }

  #thumb(file) {
    const remove = el("button", { type: "button", class: "round", "aria-label": `${this.#words.say("remove")} ${file.name}` }, icon("close"));
    const thumb = file.kind === "photo"
      ? el("div", { class: "thumb" }, el("img", { src: file.shown, alt: file.name }), remove)
      : el("div", { class: "thumb file" }, icon("file"), el("span", {}, file.name), el("small", { class: "muted" }, this.#words.size(file.size)), remove);
    remove.addEventListener("click", () => {
      this.#files = this.#files.filter((one) => one !== file);
      URL.revokeObjectURL(file.shown);
      thumb.remove();
      if (!this.#files.length) this.#dialog.close();
    });
    return thumb;
  }

  #go() {
    const files = this.#files;
    this.#files = []; // these live on in their bubble
    this.#send(files, this.#caption.value.trim());
  }

  #empty() {
    for (const file of this.#files) URL.revokeObjectURL(file.shown);
    this.#files = [];
    this.#thumbs.replaceChildren();
    this.#caption.value = "";
  }
}

export class Lightbox {
  #dialog = document.getElementById("lightbox");
  #image = document.getElementById("lightbox-image");
  #back = document.getElementById("lightbox-back");
  #next = document.getElementById("lightbox-next");
  #photos = [];
  #index = 0;
  #downAt = 0;

  constructor() {
    document.getElementById("lightbox-close").addEventListener("click", () => this.#dialog.close());
    this.#back.addEventListener("click", () => this.#step(-1));
    this.#next.addEventListener("click", () => this.#step(1));
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#step(-1);
      if (event.key === "ArrowRight") this.#step(1);
    });
    this.#image.addEventListener("pointerdown", (event) => { this.#downAt = event.clientX; });
    this.#image.addEventListener("pointerup", (event) => {
      const swipe = event.clientX - this.#downAt;
      if (Math.abs(swipe) > 50 && this.#photos.length > 1) this.#step(swipe > 0 ? -1 : 1);
      else if (Math.abs(swipe) < 10) this.#dialog.close();
    });
    this.#image.draggable = false;
    this.#dialog.addEventListener("close", () => this.#image.removeAttribute("src"));
  }

  show(photos, index) {
    this.#photos = photos;
    this.#index = index;
    this.#step(0);
    this.#dialog.showModal();
  }

  #step(by) {
    this.#index = Math.min(this.#photos.length - 1, Math.max(0, this.#index + by));
    const photo = this.#photos[this.#index];
    this.#image.src = photo.shown ?? photo.url;
    this.#image.alt = photo.name ?? "";
    this.#back.hidden = this.#index === 0;
    this.#next.hidden = this.#index === this.#photos.length - 1;
  }
}
