// The language and the theme of all figures on a page, and who wants to know when they change.

/** @type {{ language: Language, theme: "auto" | "light" | "dark" }} */
const chosen = { language: "en", theme: "auto" };
/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {Language} */
export function language() {
  return chosen.language;
}

/** @param {Language} name */
export function setLanguage(name) {
  chosen.language = name;
  announce();
}

/** @returns {"auto" | "light" | "dark"} */
export function theme() {
  return chosen.theme;
}

/**
 * "auto" follows the system.
 * @param {"auto" | "light" | "dark"} name
 */
export function setTheme(name) {
  chosen.theme = name;
  for (const element of document.querySelectorAll(".thalweg")) wear(element);
  announce();
}

/**
 * Gives an element the theme of the page.
 * @param {Element} element
 */
export function wear(element) {
  if (chosen.theme === "auto") element.removeAttribute("data-theme");
  else element.setAttribute("data-theme", chosen.theme);
}

/**
 * Calls the listener after each change; returns what takes it away.
 * @param {() => void} listener
 * @returns {() => void}
 */
export function onSettings(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function announce() {
  for (const listener of listeners) listener();
}

/** Canvases hold their colours: they follow the system's theme, and are light on paper. */
export function followSystem() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
  let before = chosen.theme;
  addEventListener("beforeprint", () => {
    before = chosen.theme;
    setTheme("light");
  });
  addEventListener("afterprint", () => setTheme(before));
}
