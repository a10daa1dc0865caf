// The live page's own words and small pictures, which are data: phrases.json and pictures.json.
import { svg } from "../dom.js";
import { said } from "../words.js";

/** @type {{ [name: string]: { en: string, zh: string } }} */
const PHRASES = {};
/** @type {{ [kind: string]: any }} */
const PICTURES = {};

/** @param {string} name of a file with data, such as "lessons" */
export async function read(name) {
  return (await fetch(`/web/play/${name}.json`)).json();
}

/** Reads the words: nothing can be said before. */
export async function loadWords() {
  Object.assign(PHRASES, await read("phrases"));
  Object.assign(PICTURES, await read("pictures"));
}

/**
 * A phrase in the page's language; {0}, {1} are replaced by the values.
 * @param {string} name
 * @param {...(string | number)} values
 * @returns {string}
 */
export function say(name, ...values) {
  return values.reduce((/** @type {string} */ text, value, n) => text.replace(`{${n}}`, String(value)), said(PHRASES[name]));
}

/** @param {string} name */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: PICTURES.icons[name] }));
}

/** A sketch of a set of data: its points by class. @param {string} name */
export function sketch(name) {
  return svg("svg", { viewBox: "0 0 40 40", "aria-hidden": "true", class: "sketch" }, PICTURES.data[name].map((/** @type {string} */ d) => svg("path", { d })));
}
