// What every page can do: short messages at the bottom, light or dark, copying.

let shelf = null;

/** Show one short sentence for a few seconds; a screen reader says it. */
export function toast(words, milliseconds = 3500) {
  if (!shelf) {
    shelf = document.createElement("div");
    shelf.className = "toasts";
    shelf.setAttribute("role", "status");
    document.body.append(shelf);
  }
  const note = document.createElement("div");
  note.className = "toast";
  note.textContent = words;
  shelf.append(note);
  setTimeout(() => note.classList.add("leaving"), milliseconds);
  setTimeout(() => note.remove(), milliseconds + 250);
}

/** Copy text, also where the page isn't served over https; true when it worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden-words";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

// The choice is a cookie, so the server renders it and no page flashes in the other colour first.
function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
}

document.addEventListener("click", async (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-theme-toggle]")) toggleTheme();
  const source = target?.closest("[data-copy]");
  if (source && (await copy(source.dataset.copy)) && source.dataset.copied) toast(source.dataset.copied);
});

// The server of an htmx page answers `HX-Trigger: {"toast": "words"}`.
document.addEventListener("toast", (event) => toast(event.detail?.value ?? ""));
