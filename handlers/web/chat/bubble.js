// One bubble as elements. A row is made once and painted again when its bubble changes: only the part that changed is replaced, so
// a picture doesn't blink and a voice message plays on while its buttons go.

import { el, icon } from "./dom.js";
import { sound } from "./sound.js";

const ALLOWED = { B: [], STRONG: [], I: [], EM: [], U: [], S: [], DEL: [], CODE: [], PRE: [], BLOCKQUOTE: [], BR: [], SPAN: [], A: ["href"] };
const SAFE_LINK = /^(https?:|tel:|mailto:|\/(?!\/))/i;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|[\u{1F3FB}-\u{1F3FF}])*\s?){1,3}$/u;
const FRAMED = ["photo", "video", "location"]; // shown to the edge of their bubble
const BIGGEST = { width: 280, height: 340 };

/** The row of a bubble, empty until painted. */
export function makeRow(hands) {
  const parts = {};
  for (const name of ["who", "quote", "media", "words", "meta"]) parts[name] = el("div", { class: `part-${name}` });
  const bubble = el("div", { class: "bubble" }, ...Object.values(parts));
  parts.buttons = el("div", { class: "part-buttons" });
  parts.trouble = el("div");
  parts.reactions = el("div", { class: "reactions" });
  const grip = el("button", { type: "button", class: "round grip", "aria-label": hands.words.say("more"), "aria-haspopup": "menu" }, icon("more"));
  bubble.append(grip);
  const stack = el("div", { class: "stack" }, bubble, parts.reactions, parts.buttons, parts.trouble);
  const row = el("div", { class: "row" }, stack);
  return { row, bubble, parts, grip, painted: {} };
}

/** Paint what changed. `hands` is what a tap can do: tap, copy, showQuote, showPicture, retry, discard, words, shop. */
export function paint(frame, bubble, hands) {
  const { row, parts, painted } = frame;
  const part = (name, key, make) => {
    const signature = JSON.stringify(key);
    if (painted[name] === signature) return;
    painted[name] = signature;
    parts[name].replaceChildren(...[make()].flat().filter(Boolean));
    parts[name].hidden = parts[name].childElementCount === 0;
  };
  const media = bubble.deleted ? [] : (bubble.media ?? []);
  const pictured = media.some((item) => FRAMED.includes(item.kind));
  const written = Boolean(bubble.text || bubble.html || bubble.deleted);

  row.id = `b-${bubble.id}`;
  for (const side of ["me", "shop", "system"]) row.classList.toggle(side, bubble.from === side);
  row.classList.toggle("waiting", bubble.state === "sending");
  row.classList.toggle("jumbo", !media.length && !bubble.deleted && !bubble.reply_to && ONLY_EMOJI.test(bubble.text ?? ""));
  frame.bubble.classList.toggle("with-picture", pictured);
  frame.bubble.classList.toggle("no-words", !written && media.at(-1)?.kind !== "location");
  // Words below a picture are as wide as it is.
  frame.bubble.style.width = pictured ? `${framedWidth(media) + 6}px` : "";
  frame.grip.hidden = bubble.from === "system" || bubble.deleted || Boolean(bubble.state && bubble.state !== "sent");

  part("who", [bubble.from, bubble.name], () => {
    if (bubble.from === "shop" && bubble.name) return el("span", { class: "who" }, bubble.name);
    return el("span", { class: "hidden-words" }, bubble.from === "me" ? `${hands.words.say("you")}: ` : `${hands.shop.name}: `);
  });
  part("quote", [bubble.reply_to, bubble.deleted], () => {
    if (!bubble.reply_to || bubble.deleted) return null;
    return el("button", { type: "button", class: "quote", onclick: () => hands.showQuote(bubble.reply_to.id) },
      el("span", {}, bubble.reply_to.excerpt));
  });
  part("media", media.map((item) => [item.kind, item.shown ?? item.url, item.width, item.height, item.name]), () => drawMedia(media, hands));
  part("words", [bubble.text, bubble.html, bubble.deleted], () => drawWords(bubble, hands));
  part("meta", [bubble.at, bubble.edited, bubble.state, bubble.seen, bubble.deleted], () => drawMeta(bubble, frame, hands));
  part("reactions", bubble.deleted ? {} : (bubble.reactions ?? {}), () => Object.entries((!bubble.deleted && bubble.reactions) || {}).map(([who, emoji]) =>
    el("span", { class: `reaction ${who}`, role: "img", "aria-label": `${emoji} ${who === "me" ? hands.words.say("you") : hands.shop.name}` }, emoji)));
  part("buttons", bubble.deleted ? [] : (bubble.buttons ?? []), () => drawButtons(bubble, hands));
  part("trouble", [bubble.state, bubble.error, bubble.retry], () => drawTrouble(bubble, hands));
}

function drawWords(bubble, hands) {
  if (bubble.deleted) return el("div", { class: "words has-words gone" }, hands.words.say("deleted"));
  if (!bubble.text && !bubble.html) return null;
  const node = el("div", { class: "words has-words", dir: "auto" });
  if (bubble.html) node.append(cleaned(bubble.html));
  else node.append(...linked(bubble.text));
  for (const code of node.querySelectorAll("code")) code.addEventListener("click", () => hands.copy(code.textContent));
  return node;
}

/** Markup from the server with everything but plain emphasis and safe links taken out: a second lock on the same door. */
function cleaned(html) {
  const inert = new DOMParser().parseFromString(html, "text/html").body;
  const copy = (from, to) => {
    for (const child of from.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
      if (child.nodeType !== Node.ELEMENT_NODE) continue;
      if (!(child.tagName in ALLOWED)) {
        if (!["SCRIPT", "STYLE", "TEMPLATE"].includes(child.tagName)) copy(child, to);
        continue;
      }
      const href = child.tagName === "A" && SAFE_LINK.test(child.getAttribute("href") ?? "") ? child.getAttribute("href") : null;
      const kept = el(child.tagName.toLowerCase(), href ? { href, target: "_blank", rel: "noopener" } : {});
      copy(child, kept);
      to.append(kept);
    }
  };
  const out = document.createDocumentFragment();
  copy(inert, out);
  return out;
}

/** Plain words, with web addresses made tappable. */
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]])/g).map((piece, index) =>
    index % 2 ? el("a", { href: piece, target: "_blank", rel: "noopener" }, piece) : piece);
}

function drawMeta(bubble, frame, hands) {
  const at = new Date(bubble.at);
  const meta = el("span", { class: "meta" });
  if (bubble.edited && !bubble.deleted) meta.append(el("span", {}, hands.words.say("edited")));
  meta.append(el("time", { datetime: bubble.at, title: at.toLocaleString(document.documentElement.lang) }, hands.words.time(at)));
  if (bubble.from === "me" && !bubble.deleted) {
    const state = bubble.state ?? (bubble.seen ? "seen" : "sent");
    const picture = { sending: "clock", sent: "check", seen: "double-check", failed: "warn" }[state];
    meta.append(icon(picture, state === "seen" ? "double" : ""), el("span", { class: "hidden-words" }, hands.words.say(state)));
  }
  // What the last line of words must leave free, in pixels of the 11 px type: the figures, the mark and the word "edited".
  const width = 40 + (bubble.from === "me" ? 20 : 0) + (bubble.edited ? hands.words.say("edited").length * 6 + 6 : 0);
  frame.bubble.style.setProperty("--meta-width", `${width}px`);
  return meta;
}

function drawButtons(bubble, hands) {
  if (!bubble.buttons?.length) return null;
  const drawOne = (button) => {
    const words = el("span", {}, button.text);
    if (button.url) return el("a", { class: "button", href: SAFE_LINK.test(button.url) ? button.url : "#", target: "_blank", rel: "noopener" }, words, icon("open"));
    if (button.copy) return el("button", { type: "button", class: "button", onclick: () => hands.copy(button.copy) }, words, icon("copy"));
    const node = el("button", { type: "button", class: "button" }, words);
    node.addEventListener("click", () => hands.tap(bubble, button, node));
    return node;
  };
  return el("div", { class: "buttons", role: "group", "aria-label": hands.words.say("message_buttons") },
    ...bubble.buttons.map((line) => el("div", {}, ...line.map(drawOne))));
}

function drawTrouble(bubble, hands) {
  if (bubble.state !== "failed") return null;
  return el("div", { class: "trouble", role: "alert" },
    el("span", {}, bubble.error || hands.words.say("failed_long")),
    bubble.retry === false ? null : el("button", { type: "button", onclick: () => hands.retry(bubble) }, hands.words.say("retry")),
    el("button", { type: "button", class: "discard", onclick: () => hands.discard(bubble) }, hands.words.say("discard")));
}

export function drawMedia(media, hands) {
  const photos = media.filter((item) => item.kind === "photo");
  const rest = media.filter((item) => item.kind !== "photo").map((item) => drawOther(item, hands));
  if (!photos.length) return rest;
  const drawn = photos.map((item, index) => drawPhoto(item, () => hands.showPicture(photos, index), hands));
  return [photos.length > 1 ? el("div", { class: "album" }, ...drawn) : drawn[0], ...rest];
}

/** The size a picture is shown at: known before it is loaded, so nothing moves when it comes. */
function fit({ width, height }, most = BIGGEST) {
  if (!width || !height) return { width: 240, height: 180 };
  const scale = Math.min(most.width / width, most.height / height);
  return { width: Math.max(200, Math.round(width * scale)), height: Math.max(72, Math.round(height * scale)) };
}

function framedWidth(media) {
  const framed = media.filter((item) => FRAMED.includes(item.kind));
  if (framed.length > 1 || framed[0].kind === "location") return BIGGEST.width;
  return fit(framed[0]).width;
}

function sized(node, size) {
  node.style.width = `${size.width}px`;
  node.style.aspectRatio = `${size.width} / ${size.height}`;
  return node;
}

function drawPhoto(item, open, hands) {
  const size = fit(item);
  const image = el("img", { src: item.shown ?? item.url, width: size.width, height: size.height, alt: item.name || hands.words.say("photo"),
    decoding: "async", class: item.shown ? null : "loading" });
  const ready = () => image.classList.remove("loading");
  image.addEventListener("load", ready);
  image.addEventListener("error", ready);
  return sized(el("button", { type: "button", class: "picture", "aria-label": hands.words.say("photo_open"), onclick: open }, image), size);
}

function drawOther(item, hands) {
  const { words } = hands;
  switch (item.kind) {
    case "voice":
    case "audio":
      return sound(item, words);
    case "video": {
      const size = fit(item);
      return sized(el("video", { class: "film", src: item.url, controls: true, playsinline: true, preload: "metadata",
        width: size.width, height: size.height, "aria-label": item.name || words.say("video") }), size);
    }
    case "sticker": {
      if (!item.url) return null;
      const size = { width: 150, height: 150 };
      return sized(el("div", { class: "picture sticker" },
        el("img", { src: item.url, width: size.width, height: size.height, alt: item.name || words.say("sticker") })), size);
    }
    case "location": {
      const point = `${Number(item.lat).toFixed(5)}, ${Number(item.lon).toFixed(5)}`;
      return el("a", { class: "place", href: `https://www.google.com/maps?q=${Number(item.lat)},${Number(item.lon)}`, target: "_blank", rel: "noopener" },
        el("span", { class: "map", "aria-hidden": "true" }, icon("pin")),
        el("span", { class: "where" }, el("b", {}, item.name || words.say("location")), el("small", {}, item.name ? words.say("open_map") : point)));
    }
    default:
      return el("a", { class: "paper", href: item.shown ?? item.url, download: item.name || "", target: "_blank", rel: "noopener" },
        el("span", { class: "paper-icon" }, icon("file")),
        el("span", {}, el("b", {}, item.name || words.say("document")), el("small", {}, item.size ? words.size(item.size) : words.say("download"))));
  }
}
