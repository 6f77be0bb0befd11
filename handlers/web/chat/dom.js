// Making elements, and writing dates, lengths and sizes as the reader's language writes them.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `el("a", {class: "x", href, onclick}, "words", child)`. Attributes that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** One of the page's icons (icons.html writes them as symbols). */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`.trim());
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** The page's words: strings by key with {placeholders}, times and days in the reader's language and zone. */
export class Words {
  #strings;
  #weekday;

  constructor(strings, language) {
    this.#strings = strings;
    this.#weekday = new Intl.DateTimeFormat(language, { weekday: "long" });
  }

  say(key, values = {}) {
    return (this.#strings[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  /** 14:05 */
  time(at) {
    return `${two(at.getHours())}:${two(at.getMinutes())}`;
  }

  /** Today, yesterday, or "Thứ Hai, 16/11/2026". */
  day(at) {
    const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
    const ago = Math.round((midnight(new Date()) - midnight(at)) / 86400000);
    if (ago === 0) return this.say("today");
    if (ago === 1) return this.say("yesterday");
    return `${this.#weekday.format(at)}, ${two(at.getDate())}/${two(at.getMonth() + 1)}/${at.getFullYear()}`;
  }

  /** 1:07 */
  length(seconds) {
    const whole = Math.max(0, Math.round(seconds || 0));
    return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  }

  /** 340 KB, 2,4 MB */
  size(bytes) {
    if (bytes < 1048576) return `${Math.max(1, Math.round(bytes / 1024))} KB`;
    return `${(bytes / 1048576).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 })} MB`;
  }
}

const two = (number) => String(number).padStart(2, "0");

/** Open a small menu near a point or under a button; arrows move in it, Escape and a tap elsewhere close it. */
export function openMenu(menu, place, opener) {
  const close = (returnFocus) => {
    menu.hidden = true;
    opener?.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", away, true);
    menu.removeEventListener("keydown", keys);
    menu.removeEventListener("click", chosen);
    if (returnFocus) opener?.focus();
  };
  const away = (event) => {
    if (!menu.contains(event.target) && !opener?.contains(event.target)) close(false);
  };
  const chosen = () => close(false);
  const keys = (event) => {
    const items = [...menu.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
      event.preventDefault();
    } else if (event.key === "Escape" || event.key === "Tab") {
      close(true);
      event.preventDefault();
    }
  };
  menu.hidden = false;
  opener?.setAttribute("aria-expanded", "true");
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(place.x, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(place.above ? place.y - height : place.y, innerHeight - height - 8))}px`;
  document.addEventListener("pointerdown", away, true);
  menu.addEventListener("keydown", keys);
  menu.addEventListener("click", chosen);
  menu.querySelector("button")?.focus({ preventScroll: true });
}

/** A long press or a right click on a bubble. */
export function hold(bubble, act) {
  let timer = null;
  let held = false;
  const stop = () => clearTimeout(timer);
  bubble.addEventListener("pointerdown", (event) => {
    held = false;
    if (event.pointerType !== "touch") return;
    timer = setTimeout(() => {
      held = true;
      act();
    }, 480);
  });
  for (const name of ["pointerup", "pointercancel"]) bubble.addEventListener(name, stop);
  bubble.addEventListener("pointermove", (event) => Math.hypot(event.movementX, event.movementY) > 6 && stop());
  bubble.addEventListener("contextmenu", (event) => {
    const native = event.target.closest("a, img, video") || String(getSelection());
    if (event.pointerType !== "touch" && native) return;
    event.preventDefault();
    stop();
    if (!held) act();
  });
  // The finger that leaves after a long press doesn't also open the picture under it.
  bubble.addEventListener("click", (event) => {
    if (!held) return;
    held = false;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
