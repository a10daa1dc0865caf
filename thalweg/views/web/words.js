// What the pages say, in the reader's language. The English text is the key of the catalogue, thalweg/words/zh.po;
// catalogue.js, made when a page is, holds what its modules say: a test reads it off these calls, so they take literals.
import { CHINESE } from "./catalogue.js";
import { language } from "./settings.js";

/**
 * A word or sentence of the page; {0}, {1} are replaced by the values.
 * @param {string} english
 * @param {...(string | number)} values
 * @returns {string}
 */
export function word(english, ...values) {
  return wordIn("", english, ...values);
}

/**
 * The same for a text that has several translations, told apart by their context.
 * @param {string} context
 * @param {string} english
 * @param {...(string | number)} values
 * @returns {string}
 */
export function wordIn(context, english, ...values) {
  const text = (language() === "zh" && CHINESE[context ? `${context}\u0004${english}` : english]) || english;
  return values.reduce((/** @type {string} */ t, v, n) => t.replace(`{${n}}`, () => String(v)), text);
}

/**
 * A document's text in the language of the page.
 * @param {Words | number | boolean | null | undefined} text
 * @returns {string}
 */
export function said(text) {
  if (text === null || text === undefined) return "";
  if (typeof text === "object") return String(text[language()] ?? text.en ?? "");
  return String(text);
}

/** @param {Language} name */
export function tag(name) {
  return name === "zh" ? "zh-Hant-TW" : "en";
}
