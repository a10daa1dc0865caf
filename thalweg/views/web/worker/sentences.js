// Sentences in both languages, and refusals: the twin of thalweg/words.
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
  return filledIn({ en: english, zh: CHINESE[english] || english }, values);
}

/** Templates in every language with their values. @param {Text} templates @param {{ [name: string]: any }} values @returns {Text} */
export function filledIn(templates, values) {
  const filled = (/** @type {string} */ template, /** @type {Language} */ language) =>
    template.replace(FIELD, (all, name, quoted, form) => {
      if (name === undefined) return all[0];
      const value = values[name];
      if (value !== null && typeof value === "object" && "en" in value) return value[language];
      return quoted ? inPython(value) : formatted(value, form);
    });
  return { en: filled(templates.en, "en"), zh: filled(templates.zh, "zh") };
}

/**
 * A number as Python formats it: ",", ".1f", ".0%", ".4g" and the like; below 0 with the field's sign.
 * @param {any} value
 * @param {string} [form]
 * @returns {string}
 */
function formatted(value, form = "") {
  if (typeof value === "number" && value < 0) return `−${formatted(-value, form)}`;
  const [, comma, digits, kind] = /^(,?)(?:\.(\d+))?([gf%]?)$/.exec(form) ?? [];
  if (kind === "g") return general(Number(value), Number(digits ?? 6));
  const number = kind === "%" ? 100 * value : Number(value);
  const text = digits === undefined ? String(value) : number.toFixed(Number(digits));
  const grouped = comma ? text.replace(/\B(?=(\d{3})+(?!\d))/g, ",") : text;
  return grouped + (kind === "%" ? "%" : "");
}

/** Python's {:.6g}: so many digits, without zeros at the end. @param {number} value @param {number} digits */
function general(value, digits) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  const rounded = Number(value.toPrecision(digits));
  const exponent = rounded === 0 ? 0 : Number(rounded.toExponential().split("e")[1]);
  if (exponent >= -4 && exponent < digits) return String(rounded).includes("e") ? rounded.toFixed(digits - 1 - exponent).replace(/0+$/, "") : String(rounded);
  const [mantissa, power] = rounded.toExponential().split("e");
  return `${mantissa}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

/** A number, or lists of numbers, as Python shows floats. @param {any} value @returns {string} */
export function real(value) {
  if (Array.isArray(value)) return `[${value.map(real).join(", ")}]`;
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf";
  const [digits, power] = value.toExponential().split("e");
  if (power < -4 || power >= 16) return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  return Number.isInteger(value) ? `${value}.0` : String(value);
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
  if (typeof value === "string") {
    const text = value.replaceAll("\\", "\\\\");
    return text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`;
  }
  if (typeof value === "number" && !Number.isInteger(value)) return real(value);
  if (Array.isArray(value)) return `[${value.map(inPython).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, v]) => `${inPython(key)}: ${inPython(v)}`).join(", ")}}`;
  return String(value);
}

/** A received value as an error names it: not longer than a line. @param {any} value */
export function shortened(value) {
  let text = "[[[…";
  try {
    text = inPython(value);
  } catch {} // nested more deeply than functions can call each other
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

/** The training has reached a value that isn't finite; `before`: the weights before the last step that was. */
export class DivergedError extends RefusedError {
  /** @param {Text} text @param {Float32Array | null} before */
  constructor(text, before) {
    super(text);
    this.before = before;
  }
}

/** @param {string} english @param {{ [name: string]: any }} [values] */
export function refused(english, values = {}) {
  return new RefusedError(sentence(english, values));
}

/** What the engine can't do, as a refusal in both languages. @param {import("../engine/weights.js").UnsupportedError} error */
export function refusedByEngine({ english, values }) {
  return new RefusedError(filledIn({ en: english, zh: CHINESE[english] || english }, values));
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
  throw refused("unknown {what} {name}. Choose from: {names}", { what, name: shortened(name), names: [...names].sort().join(", ") });
}
