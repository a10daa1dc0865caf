// The language and the theme of all figures on a page, and who wants to know when they change.

/** At first the browser's. @type {{ language: Language, theme: "auto" | "light" | "dark" }} */
const chosen = { language: navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en", theme: "auto" };
/** @type {Set<() => void>} */
const listeners = new Set();
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

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
  const dark = chosen.theme === "auto" ? SYSTEM.matches : chosen.theme === "dark";
  element.setAttribute("data-theme", dark ? "dark" : "light");
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

/** From now on all that is drawn has the system's theme, unless another is chosen, and is light on paper. */
export function followSystem() {
  setTheme(chosen.theme);
  SYSTEM.addEventListener("change", () => setTheme(chosen.theme));
  let before = chosen.theme;
  addEventListener("beforeprint", () => {
    before = chosen.theme;
    document.body.classList.add("paper"); // as wide as paper: figures are drawn for that width
    setTheme("light");
  });
  addEventListener("afterprint", () => {
    document.body.classList.remove("paper");
    setTheme(before);
  });
}
