// The console beyond its forms: rows that open, the panel's keys, the colour's two fields.

const panel = document.getElementById("panel");
let opener = null;

function closePanel() {
  if (!panel?.firstElementChild) return false;
  panel.replaceChildren();
  for (const row of document.querySelectorAll("tr[aria-selected]")) row.removeAttribute("aria-selected");
  opener?.focus();
  opener = null;
  return true;
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-close-panel]")) {
    event.preventDefault();
    closePanel();
    return;
  }
  for (const menu of document.querySelectorAll("details.switcher[open], details.more[open], details.sure[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  const row = target?.closest("tr[data-opens]");
  if (row && !target.closest("a, button") && !String(getSelection())) row.querySelector("a").click();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.switcher[open], details.more[open], details.sure[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (closePanel()) event.preventDefault();
    return;
  }
  const row = event.target instanceof Element ? event.target.closest("tr[data-opens]") : null;
  if (!row || event.target !== row) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    row.querySelector("a").click();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
});

// A panel that only changed does not slide in a second time.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === panel) panel.classList.toggle("again", Boolean(panel.firstElementChild));
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== panel) return;
  const shown = panel.querySelector("[data-person]");
  if (!shown) return;
  for (const row of document.querySelectorAll("tr[data-opens]")) {
    if (row.dataset.opens === shown.dataset.person) {
      row.setAttribute("aria-selected", "true");
      opener = row;
    } else row.removeAttribute("aria-selected");
  }
  (panel.querySelector("[aria-invalid]") ?? shown).focus({ preventScroll: !panel.querySelector("[aria-invalid]") });
});

// The picker and the written colour are one value; the server reads the written one.
const picker = document.querySelector("[data-colour]");
const written = document.getElementById("f-brand");
if (picker && written) {
  picker.addEventListener("input", () => { written.value = picker.value.toUpperCase(); });
  written.addEventListener("input", () => { if (/^#[0-9a-f]{6}$/i.test(written.value)) picker.value = written.value; });
}
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit();
});
