// The live page's own words, in English and in Chinese as in Taiwan: phrases.json.
import { said } from "../words.js";

/** @type {{ [name: string]: { en: string, zh: string } }} */
const PHRASES = {};

/** Reads the words: nothing can be said before. */
export async function loadPhrases() {
  Object.assign(PHRASES, await (await fetch("/web/play/phrases.json")).json());
}

/**
 * A phrase in the page's language; {0}, {1} are replaced by the values.
 * @param {string} name
 * @param {...(string | number)} values
 * @returns {string}
 */
export function phrase(name, ...values) {
  return values.reduce((/** @type {string} */ text, value, n) => text.replace(`{${n}}`, String(value)), said(PHRASES[name]));
}
