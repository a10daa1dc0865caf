// The form: a field for each column, with what training has seen of it.
import { number, quoted, read } from "../../../export/js/cells.js";
import { h } from "../dom.js";
import { word } from "../words.js";
import { amount, brief, isMissing } from "./values.js";

/**
 * What stands in a field at first: the middle of what training has seen.
 * @param {PredictorColumn} column
 * @returns {string}
 */
export function usual(column) {
  if (column.categories) return "0";
  if (column.kind === "boolean") return column.true_share < 0.5 ? "no" : "yes";
  if (column.kind === "number") return String(column.median);
  const middle = new Date((Date.parse(`${column.first}Z`) + Date.parse(`${column.last}Z`)) / 2).toISOString();
  return column.clock ? middle.slice(0, 16) : middle.slice(0, 10);
}

/**
 * What a field means; null for what can't be read. Of categories it holds the number: any text may be one.
 * @param {PredictorColumn} column
 * @param {string} text
 * @returns {number | null}
 */
export function meant(column, text) {
  if (column.categories) return Number(text);
  const strict = column.kind === "number" ? { ...column, unknown: undefined } : column; // what a file may have is a slip here
  try {
    return read(strict, text, 1);
  } catch {
    const plain = column.kind === "number" ? number(text) : null; // where the table's own numbers are written otherwise
    return plain !== null && Number.isFinite(plain) ? plain : null;
  }
}

/**
 * @param {PredictorColumn} column
 * @param {number} place
 * @param {{ [place: number]: string }} cells what stands in the fields, by the columns' places
 * @param {() => void} changed
 * @returns {HTMLElement}
 */
export function field(column, place, cells, changed) {
  const id = `column-${place}`;
  const note = h("p", { class: "ask-note", id: `${id}-note`, role: "status" });
  const control = choices(column, cells[place]) ?? h("input", {
    type: column.kind === "date" ? (column.clock ? "datetime-local" : "date") : "text",
    inputmode: column.kind === "number" ? "decimal" : null, step: column.clock ? "any" : null, autocomplete: "off", spellcheck: "false",
  });
  control.id = id;
  control.value = cells[place];
  control.setAttribute("aria-describedby", `${id}-hint ${id}-note`);
  const check = () => {
    const value = meant(column, control.value);
    note.textContent = noteOf(column, control.value, value);
    note.classList.toggle("is-wrong", value === null);
    control.setAttribute("aria-invalid", String(value === null));
  };
  control.addEventListener("input", () => {
    cells[place] = control.value;
    check();
    changed();
  });
  check();
  const unit = column.unit ? h("small", {}, column.unit) : null;
  return h("div", { class: "ask" },
    h("label", { for: id, title: column.name }, h("span", {}, brief(column.name, 300)), unit), control, h("p", { class: "ask-hint", id: `${id}-hint` }, hint(column)), note);
}

/**
 * The list of what a column may be; null for numbers and dates.
 * @param {PredictorColumn} column
 * @param {string} cell
 * @returns {HTMLSelectElement | null}
 */
function choices(column, cell) {
  const option = (/** @type {string} */ value, /** @type {string} */ text) => h("option", { value, selected: value === cell }, text);
  if (column.categories) {
    const known = column.categories.map((text, place) => option(String(place), brief(text)));
    return h("select", {}, known, option("-1", `(${word("another one")})`), option("-2", `(${word("missing")})`));
  }
  if (column.kind !== "boolean") return null;
  return h("select", {}, option("yes", word("yes")), option("no", word("no")), option("", `(${word("missing")})`));
}

/** @param {PredictorColumn} column */
function hint(column) {
  if (column.kind === "number") return word("In training {0} to {1}, median {2}", amount(column.low), amount(column.high), amount(column.median));
  if (column.kind === "date") return word("In training {0} to {1}", column.first.slice(0, 10), column.last.slice(0, 10));
  if (column.kind === "boolean") return word("In training yes in {0} % of the rows", Number((100 * column.true_share).toPrecision(3)));
  return column.rest ? word("The {0} most frequent of the training", column.categories?.length ?? 0) : word("{0} choices", column.categories?.length ?? 0);
}

/**
 * What there is to say of a value: it can't be read, is missing, or lies outside of what training has seen.
 * @param {PredictorColumn} column
 * @param {string} text
 * @param {number | null} value
 */
function noteOf(column, text, value) {
  if (value === null) return word("{0} is no {1}", brief(quoted(text), 60), nounOf(column));
  if (isMissing(column, value)) return column.gaps ? "" : word("No cell was missing in training: what the model makes of that, nobody has tested.");
  if (column.categories && value === -1) return column.rest ? "" : word("Training has seen no other: what the model makes of that, nobody has tested.");
  const [low, high] = rangeOf(column);
  return value < low || value > high ? word("Outside of what training has seen: the answer is an extrapolation.") : "";
}

/**
 * What a cell of a column has to be.
 * @param {PredictorColumn} column
 */
export function nounOf(column) {
  if (column.kind === "boolean") return word("yes or no");
  if (column.kind === "date") return word("date such as 2024-05-31");
  if (column.noun === "number") return word("number");
  const written = column.notation || "1234.5";
  return column.unit ? word("number written as {0} with {1}", written, column.unit) : word("number written as {0}", written);
}

/**
 * Least and greatest value in training.
 * @param {PredictorColumn} column
 * @returns {Range2}
 */
export function rangeOf(column) {
  if (column.kind === "number") return [column.low, column.high];
  if (column.kind === "date") return [Date.parse(`${column.first}Z`) / 1000, Date.parse(`${column.last}Z`) / 1000];
  return [-1, column.categories?.length ?? 1];
}

