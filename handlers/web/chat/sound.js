// A player for voice messages and audio; one plays at a time.

import { el, icon } from "./dom.js";

let playing = null;

export function sound(item, words) {
  const audio = el("audio", { src: item.shown ?? item.url, preload: "metadata" });
  const button = el("button", { type: "button", class: "round play", "aria-label": words.say("play") }, icon("play"));
  const slider = el("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": words.say("position") });
  const length = el("span", { class: "length" }, item.duration ? words.length(item.duration) : "0:00");
  const total = () => (Number.isFinite(audio.duration) ? audio.duration : item.duration || 0);

  const show = () => {
    const part = total() ? audio.currentTime / total() : 0;
    slider.value = Math.round(part * 1000);
    slider.style.setProperty("--done", `${part * 100}%`);
    length.textContent = words.length(audio.currentTime > 0 ? audio.currentTime : total());
  };
  const face = (name) => {
    button.replaceChildren(icon(name));
    button.setAttribute("aria-label", words.say(name));
  };
  button.addEventListener("click", () => (audio.paused ? audio.play().catch(() => face("play")) : audio.pause()));
  slider.addEventListener("input", () => {
    audio.currentTime = (slider.value / 1000) * total();
    show();
  });
  audio.addEventListener("loadedmetadata", show);
  audio.addEventListener("timeupdate", show);
  audio.addEventListener("play", () => {
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    face("pause");
  });
  audio.addEventListener("pause", () => face("play"));
  audio.addEventListener("ended", () => {
    audio.currentTime = 0;
    show();
  });
  const title = item.kind === "audio" && item.name ? el("span", { class: "name" }, item.name) : null;
  return el("div", { class: "sound", role: "group", "aria-label": words.say(item.kind) }, button, el("div", {}, title, slider), length, audio);
}

/** A voice that plays goes on when its message is drawn anew: moved in one step, an element isn't paused. */
export function playOn(drawn, anew) {
  for (const old of drawn.querySelectorAll(".sound")) {
    const source = old.querySelector("audio").src;
    [...anew.querySelectorAll(".sound audio")].find((audio) => audio.src === source)?.closest(".sound").replaceWith(old);
  }
}
