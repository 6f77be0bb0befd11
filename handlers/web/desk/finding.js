// The search over everything (f): as one types, grouped; Enter opens the first.

import { addAction } from "./panels.js";

const PAUSE = 180;
const sheet = document.getElementById("sheet");
let desk = null;
let pause;
let asked = 0;

addAction({ id: "find", title: "find", icon: "search", key: "f", place: "me", run: (_, hands) => {
  desk = hands;
  return desk.sheet("/desk/find");
} });

sheet.addEventListener("input", (event) => {
  if (!event.target.matches("[data-find]")) return;
  clearTimeout(pause);
  const number = ++asked;
  pause = setTimeout(async () => {
    const query = new URLSearchParams({ q: event.target.value.trim() });
    const page = await desk.ask(`/desk/find/list?${query}`, { quiet: true }).catch(() => null);
    const box = sheet.querySelector("[data-found]");
    if (page !== null && number === asked && box) box.innerHTML = page; // the server's own template, escaped there
  }, PAUSE);
});

sheet.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches("[data-find]")) return;
  event.preventDefault();
  sheet.querySelector("[data-found] button")?.click();
});

sheet.addEventListener("click", (event) => {
  const hit = event.target.closest("[data-found] button");
  if (!hit) return;
  if (hit.dataset.open) desk.open(Number(hit.dataset.open));
  else if (desk.ticket()) desk.composer.insert(hit.dataset.words);
}, true);
