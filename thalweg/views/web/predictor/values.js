// Values of columns and of the target as texts.
import { numeral } from "../format.js";
import { word } from "../words.js";

/**
 * A number with up to six digits, those before the point in threes.
 * @param {number} value
 */
export function amount(value) {
  const size = Math.abs(value);
  if (value !== 0 && !(size >= 1e-4 && size < 1e12)) return numeral(value, 6);
  return new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 }).format(value).replace("-", "−");
}

/**
 * Seconds since 1970 as a date, with the time if there is one.
 * @param {number} seconds
 */
export function dated(seconds) {
  const moment = new Date(1000 * seconds);
  if (Number.isNaN(moment.getTime())) return "?";
  const text = moment.toISOString().slice(0, 16).replace("T", " ");
  return text.endsWith(" 00:00") ? text.slice(0, 10) : text;
}

/**
 * @param {PredictorColumn} column
 * @param {number} value
 */
export function isMissing(column, value) {
  return column.categories ? value === -2 : Number.isNaN(value);
}

/**
 * The value of a column, for people.
 * @param {PredictorColumn} column
 * @param {number} value
 */
export function shown(column, value) {
  if (isMissing(column, value)) return word("missing");
  if (column.categories) return value < 0 ? word("another one") : brief(column.categories[value]);
  if (column.kind === "boolean") return value ? word("yes") : word("no");
  return column.kind === "date" ? dated(value) : `${amount(value)}${column.unit ? ` ${column.unit}` : ""}`;
}

/**
 * An answer of the model: a share of a class, or a number with its unit.
 * @param {Predictor} model
 * @param {number} value
 */
export function answered(model, value) {
  return model.target.classes.length ? share(value) : `${amount(value)}${model.target.unit ? ` ${model.target.unit}` : ""}`;
}

/**
 * A probability: never 100 % or 0 % unless it is.
 * @param {number} value
 */
export function share(value) {
  if (value > 0.999 && value < 1) return "> 99.9 %";
  if (value < 0.001 && value > 0) return "< 0.1 %";
  return `${Number((100 * value).toPrecision(3))} %`;
}

/**
 * The beginning of a long text.
 * @param {string} text
 * @param {number} [most]
 */
export function brief(text, most = 80) {
  const signs = Array.from(text.slice(0, 2 * most + 2));
  return signs.length > most ? `${signs.slice(0, most).join("")}…` : text;
}
