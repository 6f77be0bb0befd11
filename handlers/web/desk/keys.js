// Single keys, which never fire while something is being typed. What there is stands in the sheet of `?`: the frame's own keys below, and
// those that the actions bring.

import { el } from "../chat/dom.js";

export function listenForKeys({ desk, list, composer, palette, actions, titleOf }) {
  const sheet = document.getElementById("keys");
  const own = {
    j: () => list.step(1), k: () => list.step(-1), r: () => composer.write("reply"), n: () => composer.write("note"),
    "/": () => document.getElementById("search").focus(), "?": show,
    ...Object.fromEntries([1, 2, 3, 4].map((place) => [place, () => list.chooseAt(place - 1)])),
  };

  /** The sheet: the frame's keys stand in the page, the actions' come after them. */
  function show() {
    const more = actions(true).filter((one) => one.key).map((one) =>
      el("div", { data: { own: "" } }, el("dt", {}, el("kbd", {}, one.key.toUpperCase())), el("dd", {}, titleOf(one))));
    for (const old of sheet.querySelectorAll("[data-own]")) old.remove();
    sheet.querySelector("dl").append(...more);
    sheet.showModal();
  }

  document.getElementById("show-keys").addEventListener("click", show);

  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette.open();
      return;
    }
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open], .menu:not([hidden])")) return;
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") {
      if (writing) writing.blur();
      else if (desk.ticket()) desk.back();
      return;
    }
    if (writing) return;
    const pressed = event.key.toLowerCase();
    const action = actions().find((one) => one.key === pressed);
    const run = own[pressed] ?? (action && (() => action.run(desk.ticket(), desk, document.getElementById("more"))));
    if (!run) return;
    event.preventDefault();
    run();
  });
}
