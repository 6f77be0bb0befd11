// The parts' marks on a ticket, drawn alike in the list and over the thread.

import { el, icon } from "../chat/dom.js";
import { badges } from "./panels.js";

export function drawMarks(ticket, desk) {
  return badges.map((draw) => draw(ticket, desk)).filter(Boolean).map(({ words, kind = "", icon: picture = null, title = null }) =>
    el("span", { class: `badge ${kind}`.trim(), title }, picture ? icon(picture) : null, words));
}
