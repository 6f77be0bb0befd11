// One message of a thread as elements, or an album's parts as one. The customer stands left, the shop right; notes are tinted.

import { drawMedia, linked } from "../chat/bubble.js";
import { el, hold, icon } from "../chat/dom.js";

const STATES = { sending: "clock", queued: "clock", sent: "check", failed: "warn", unknown: "warn" };

/** `head`: {first, last} of what one person said in a row. hands: desk, words, quoted(seq), jump(seq), menu(block, opener), showPicture, retry(line, button). */
export function drawMessage(block, head, hands) {
  const { words } = hands;
  const [line] = block;
  const row = el("div", { class: `row ${line.who === "customer" ? "shop" : "me"} ${line.who === "note" ? "aside" : ""} ${head.first ? "first" : ""} ${head.last ? "last" : ""}` });
  if (line.seq) row.id = `line-${line.seq}`;
  const media = block.flatMap((one) => [...one.files, ...(one.location ? [{ kind: "location", name: one.location.title ?? one.location.name, ...one.location }] : [])]);
  const there = media.filter((file) => file.url || file.shown || file.kind === "location");
  const pictured = there.some((file) => ["photo", "video", "location"].includes(file.kind));
  const text = block.map((one) => one.text).filter(Boolean).join("\n");
  const bubble = el("div", { class: "bubble" });
  bubble.classList.toggle("with-picture", pictured);
  bubble.classList.toggle("no-words", !text && there.at(-1)?.kind !== "location");
  bubble.classList.toggle("gone", Boolean(line.deleted));
  if (line.who === "note") bubble.append(el("span", { class: "who" }, icon("note"), `${words.say("note")} · ${line.staff}`));
  else if (line.who === "agent" && head.first) bubble.append(el("span", { class: "who" }, line.staff));
  else bubble.append(el("span", { class: "hidden-words" }, `${line.who === "agent" ? line.staff : words.say("customer")}: `));
  if (line.deleted) bubble.append(el("p", { class: "gone-words" }, icon("trash"), words.say("deleted")));
  const quoted = line.reply_to ? hands.quoted(line.reply_to) : null;
  if (quoted) {
    bubble.append(el("button", { type: "button", class: "quote", title: words.say("quote"), onclick: () => hands.jump(line.reply_to) },
      el("b", {}, quoted.who), el("span", {}, quoted.text)));
  }
  bubble.append(...drawMedia(there, hands).flat().filter(Boolean));
  bubble.append(...media.filter((file) => !there.includes(file)).map((file) => missing(file, words)));
  if (text) bubble.append(el("div", { class: "words has-words", dir: "auto" }, ...(line.who === "note" ? called(text, hands.desk) : linked(text))));
  bubble.append(meta(block, bubble, hands));
  const stack = el("div", { class: "stack" }, bubble);
  const faces = reactions(block, hands);
  if (faces) stack.append(faces);
  const trouble = drawTrouble(block.findLast((one) => one.state === "failed" || one.state === "unknown"), hands);
  if (trouble) stack.append(trouble);
  if (line.id) {
    const excerpt = (text || words.say(media[0]?.kind ?? "document")).slice(0, 60);
    const grip = el("button", { type: "button", class: "round grip", tabindex: "-1", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": words.say("message_more", { words: excerpt }) }, icon("more"));
    grip.addEventListener("click", () => hands.menu(block, grip));
    bubble.append(grip);
    hold(bubble, () => hands.menu(block, grip));
  }
  row.append(stack);
  return row;
}

/** A note's words, with the names it calls marked. */
function called(text, desk) {
  const names = (desk.opened()?.colleagues ?? []).map((one) => one.name).sort((one, other) => other.length - one.length);
  if (!names.length || !text.includes("@")) return linked(text);
  const plain = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text.split(new RegExp(`(@(?:${plain}))(?![\\p{L}\\p{N}])`, "u")).flatMap((piece, index) =>
    index % 2 ? [el("b", { class: piece === `@${desk.boot.me.name}` ? "called me" : "called" }, piece)] : linked(piece));
}

function missing(file, words) {
  if (file.state === "waiting") {
    return el("div", { class: "missing" }, el("span", { class: "spinner" }), el("span", {}, words.say("fetching")));
  }
  const why = file.state === "too_big" ? words.say("too_big", { size: words.size(file.size ?? 0) }) : words.say("not_fetched");
  return el("div", { class: "missing" }, icon("warn"), el("span", {}, el("b", {}, file.name || words.say(file.kind)), el("small", {}, why)));
}

function meta(block, bubble, { words, showHistory }) {
  const line = block.at(-1);
  const at = new Date(line.at);
  const node = el("span", { class: "meta" });
  const edited = block.find((one) => one.edited);
  if (edited) node.append(el("button", { type: "button", class: "edits", onclick: () => showHistory(edited) }, words.say("edited")));
  node.append(el("time", { datetime: line.at, title: at.toLocaleString(document.documentElement.lang) }, words.time(at)));
  const state = worst(block);
  const picture = STATES[state];
  if (picture) node.append(el("span", { title: words.say(state) }, icon(picture)), el("span", { class: "hidden-words" }, words.say(state)));
  bubble.style.setProperty("--meta-width", `${42 + (picture ? 18 : 0) + (edited ? words.say("edited").length * 6 + 8 : 0)}px`);
  return node;
}

const worst = (block) => ["failed", "unknown", "sending", "queued", "sent"].find((state) => block.some((one) => one.state === state));

function reactions(block, { words }) {
  const given = block.flatMap((one) => Object.entries(one.reactions ?? {}).flatMap(([who, all]) => all.map((emoji) => [emoji, who])));
  if (!given.length) return null;
  return el("div", { class: "reactions" }, ...given.map(([emoji, who]) =>
    el("span", { class: `reaction ${who}`, role: "img", title: words.say(who === "agent" ? "reacted_shop" : "reacted_customer"), "aria-label": `${emoji} ${words.say(who === "agent" ? "reacted_shop" : "reacted_customer")}` }, emoji)));
}

function drawTrouble(line, { words, retry }) {
  if (!line || line.deleted) return null;
  if (line.key) { // it never left this browser
    return el("div", { class: "trouble", role: "alert" }, el("span", {}, line.error || words.say("unsent")),
      line.again ? el("button", { type: "button", onclick: line.again }, words.say("try_again")) : null,
      el("button", { type: "button", class: "discard", onclick: line.discard }, words.say("discard")));
  }
  const again = el("button", { type: "button" }, words.say("retry"));
  again.addEventListener("click", async () => {
    again.disabled = true;
    await retry(line);
    again.disabled = false;
  });
  const why = line.state === "unknown" ? words.say("unknown_long") : `${words.say("failed")}. ${line.reason ?? ""}`;
  return el("div", { class: `trouble ${line.state}`, role: "alert" }, el("span", {}, why), again);
}
