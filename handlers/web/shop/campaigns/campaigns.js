// A variable clicked is put where the writing stands.

let last = document.getElementById("f-text_vi");

document.addEventListener("focusin", (event) => {
  if (event.target.matches?.("#campaign textarea")) last = event.target;
});

document.addEventListener("click", (event) => {
  const chip = event.target.closest?.("[data-put]");
  if (!chip || !last) return;
  last.focus();
  last.setRangeText(chip.dataset.put, last.selectionStart, last.selectionEnd, "end");
  last.dispatchEvent(new Event("input", { bubbles: true }));
});
