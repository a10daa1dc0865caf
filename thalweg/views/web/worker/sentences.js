// Sentences in both languages, and refusals: the twin of thalweg/words and of play/requests/refusal.py.
import { CHINESE } from "../catalogue.js";

/** @typedef {{ en: string, zh: string }} Text */

const FIELD = /\{\{|\}\}|\{(\w+)(!r)?(?::([^}]*))?\}/g;

/**
 * A sentence in every language; the values stand in it as Python's str.format puts them.
 * @param {string} english a literal: its translation is looked up when the page is made
 * @param {{ [name: string]: any }} [values] a value that is itself a sentence is said in the same language
 * @returns {Text}
 */
export function sentence(english, values = {}) {
  const filled = (/** @type {string} */ template, /** @type {Language} */ language) =>
    template.replace(FIELD, (all, name, quoted, form) => {
      if (name === undefined) return all[0];
      const value = values[name];
      if (value !== null && typeof value === "object" && "en" in value) return value[language];
      return quoted ? inPython(value) : formatted(value, form);
    });
  return { en: filled(english, "en"), zh: filled(CHINESE[english] || english, "zh") };
}

/**
 * A number as Python formats it by "", "g" or ",".
 * @param {any} value
 * @param {string} [form]
 */
function formatted(value, form) {
  if (form === ",") return Number(value).toLocaleString("en-US");
  if (form === ",.0f") return Number(Math.round(value)).toLocaleString("en-US");
  if (form === "g") return shortNumber(value);
  return String(value);
}

/** Python's {:g}: six digits, without zeros at the end. @param {number} value */
function shortNumber(value) {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const [digits, power] = Number(value.toPrecision(6)).toExponential().split("e");
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/**
 * A value of JSON as Python shows it.
 * @param {any} value
 * @returns {string}
 */
export function inPython(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  if (Array.isArray(value)) return `[${value.map(inPython).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, v]) => `${inPython(key)}: ${inPython(v)}`).join(", ")}}`;
  return String(value);
}

/** A received value as an error names it: not longer than a line. @param {any} value */
export function shortened(value) {
  const text = inPython(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** What the page asked for and can't have. */
export class RefusedError extends Error {
  /** @param {Text} text */
  constructor(text) {
    super(text.en);
    this.text = text;
  }
}

/** The training has reached a value that isn't finite. */
export class DivergedError extends RefusedError {}

/**
 * @param {string} english
 * @param {{ [name: string]: any }} [values]
 */
export function refused(english, values = {}) {
  return new RefusedError(sentence(english, values));
}

/** An error as the page shows it. @param {any} error @returns {Text} */
export function told(error) {
  if (error instanceof DivergedError) return sentence("NaN: {error}", { error: error.text });
  if (error instanceof RefusedError) return error.text;
  if (error instanceof RangeError && /memory|allocation/i.test(error.message)) return sentence("this browser has too little memory for this network");
  const english = String(error?.message ?? error);
  return { en: english, zh: english };
}

/**
 * One of some names.
 * @param {string} what
 * @param {any} name
 * @param {string[]} names
 */
export function choose(what, name, names) {
  if (typeof name === "string" && names.includes(name)) return name;
  throw refused("unknown {what} {name}. Choose from: {names}", { what, name: inPython(name), names: [...names].sort().join(", ") });
}
