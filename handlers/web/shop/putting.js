// A variable clicked is put where the writing stands, or stood last: into the words beside it, else into the first there are.

let last = null;

document.addEventListener("focusin", (event) => {
  if (event.target.matches?.("textarea[lang]")) last = event.target;
});

document.addEventListener("click", (event) => {
  const chip = event.target.closest?.("[data-put]");
  if (!chip) return;
  const near = chip.closest("[data-words]") ?? document;
  const words = last && near.contains(last) ? last : near.querySelector("textarea[lang]");
  if (!words) return;
  words.focus();
  words.setRangeText(chip.dataset.put, words.selectionStart, words.selectionEnd, "end");
  for (const kind of ["input", "change"]) words.dispatchEvent(new Event(kind, { bubbles: true }));
});
