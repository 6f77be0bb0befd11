// Dead letters: run one again and say what came of it.

import { toast } from "../regulars.js";

const page = document.querySelector(".letters");
const csrf = document.querySelector('meta[name="csrf"]').content;

page.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-replay]");
  if (!button) return;
  const letter = button.closest(".letter");
  button.disabled = true;
  try {
    const answer = await fetch("/desk/dead-letters/replay", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ account: letter.dataset.account, key: letter.dataset.key }),
    });
    const told = await answer.json();
    if (answer.ok && told.done) {
      toast(page.dataset.done);
      letter.remove();
      if (!page.querySelector(".letter")) setTimeout(() => location.reload(), 1500);
      return;
    }
    toast(answer.ok ? page.dataset.again : (told.error ?? page.dataset.lost));
  } catch {
    toast(page.dataset.lost);
  }
  button.disabled = false;
});
