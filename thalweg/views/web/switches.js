// Buttons for language and theme.
import { CHINESE } from "./catalogue.js";
import { h } from "./dom.js";
import { language, onSettings, setLanguage, setTheme, theme } from "./settings.js";
import { tag, word } from "./words.js";

/** The name of the language that one can change to, in that language. */
const OTHER = { en: CHINESE["language\u0004English"], zh: "English" };

/** @returns {HTMLButtonElement} */
export function languageButton() {
  const button = h("button", { type: "button", class: "switch", onclick: () => setLanguage(other()) });
  const other = () => /** @type {Language} */ (language() === "en" ? "zh" : "en");
  const label = () => {
    button.textContent = OTHER[language()];
    button.lang = tag(other());
  };
  label();
  onSettings(label);
  return button;
}

/** @returns {HTMLButtonElement} */
export function themeButton() {
  const signs = { auto: "◐", light: "☀", dark: "☾" };
  const next = /** @type {const} */ ({ auto: "light", light: "dark", dark: "auto" });
  const button = h("button", { type: "button", class: "switch", onclick: () => setTheme(next[theme()]) });
  const label = () => {
    button.textContent = signs[theme()];
    const spoken = `${word("Theme")}: ${{ auto: word("System colours"), light: word("Light"), dark: word("Dark") }[theme()]}`;
    button.setAttribute("aria-label", spoken);
    button.title = spoken;
  };
  label();
  onSettings(label);
  return button;
}
