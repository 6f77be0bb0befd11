// Asking the server, and forms that are sent without leaving the page.

import { toast } from "../regulars.js";

/** A function that asks the server; its refusal is shown (unless quiet) and thrown, with `retry` where trying again may help. */
export function asker(csrf, words) {
  return async function ask(path, { method = "GET", json, form, quiet = false } = {}) {
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers: {
          Accept: "application/json, text/html;q=0.9",
          ...(method === "GET" ? {} : { "X-CSRF-Token": csrf }),
          ...(json ? { "Content-Type": "application/json" } : {}),
        },
        body: json ? JSON.stringify(json) : form,
      });
    } catch (error) {
      if (!quiet) toast(words.say("lost"));
      throw Object.assign(error, { retry: true });
    }
    if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      const message = told.error ?? words.say("lost");
      if (!quiet) toast(message);
      throw Object.assign(new Error(message), { status: answer.status, field: told.field, retry: answer.status >= 500 || answer.status === 429 });
    }
    return answer.headers.get("Content-Type")?.includes("json") ? answer.json() : answer.text();
  };
}

/** Send the forms below `root` that have `data-desk` as panels.js says (at once when a field with `data-submits` changes); done(answer, form) after each that went through. */
export function sendForms(root, { ask, words, done }) {
  root.addEventListener("change", (event) => event.target.matches("[data-desk] [data-submits]") && event.target.form.requestSubmit());
  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-desk]");
    if (!form) return;
    event.preventDefault();
    for (const old of form.querySelectorAll(".error[data-told]")) old.remove();
    for (const wrong of form.querySelectorAll(".field.wrong")) wrong.classList.remove("wrong");
    const sent = new FormData(form, event.submitter);
    const buttons = [...form.querySelectorAll("button")].filter((one) => !one.disabled);
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await ask(event.submitter?.getAttribute("formaction") ?? form.getAttribute("action"), { method: "POST", form: sent, quiet: true });
      if (answer?.toast) toast(answer.toast);
      done(answer, form);
    } catch (error) {
      tell(form, error.status ? error.message : words.say("lost"), error.field);
    }
    for (const button of buttons) button.disabled = false;
  });
}

/** Say what is wrong at the field it names, else above the form's buttons. */
function tell(form, message, field) {
  const note = document.createElement("p");
  note.className = "error bad small";
  note.dataset.told = "";
  note.setAttribute("role", "alert");
  note.textContent = message;
  const input = field ? form.elements.namedItem(field) : null;
  const place = (input instanceof Element ? input : input?.[0])?.closest(".field");
  if (place) {
    place.classList.add("wrong");
    place.append(note);
    (input instanceof Element ? input : input[0]).focus();
  } else (form.querySelector(".choices") ?? form.lastElementChild).before(note);
}
