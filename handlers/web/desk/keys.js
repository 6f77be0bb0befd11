// Single keys, which never fire while something is being typed. What they do is in the sheet of `?`; the parts' actions bring their own.

const VIEWS = ["mine", "unassigned", "open", "resolved"];

export function listenForKeys({ desk, list, composer, actions }) {
  const sheet = document.getElementById("keys");
  const keys = {
    j: () => list.step(1), k: () => list.step(-1), r: () => composer.write("reply"), n: () => composer.write("note"),
    "/": () => document.getElementById("search").focus(), "?": () => sheet.showModal(),
    ...Object.fromEntries(VIEWS.map((view, index) => [index + 1, () => list.choose(view)])),
  };
  document.getElementById("show-keys").addEventListener("click", () => sheet.showModal());

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open], .menu:not([hidden])")) return;
    const writing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (writing) writing.blur();
      else if (desk.ticket()) desk.back();
      return;
    }
    if (writing) return;
    const pressed = event.key.toLowerCase();
    const action = actions().find((one) => one.key === pressed);
    const run = keys[pressed] ?? (action && (() => action.run(desk.ticket(), desk, document.getElementById("more"))));
    if (!run) return;
    event.preventDefault();
    run();
  });
}
