// This step's arithmetic for one unit and one row, with the tutorial's names and the numbers put into its formulas.
import { h, scroller } from "../dom.js";
import { numeral } from "../format.js";
import { said, word, wordIn } from "../words.js";
import { el, menu, refill } from "./widgets.js";

/**
 * @typedef {import("./side.js").Side} Side
 * @typedef {import("./app.js").App} App
 */

const MOST = 6; // inputs that are written out; of more, the first ones and "…"

/**
 * The products behind a sum: 0.5·0.1 + (−0.2)·0.3 + ….
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} w
 */
function products(x, w) {
  const signed = (/** @type {number} */ v) => (v < 0 ? `(${numeral(v, 3)})` : numeral(v, 3));
  const parts = Array.from(x).slice(0, MOST).map((v, i) => `${signed(v)}·${signed(w[i])}`);
  return parts.join(" + ") + (x.length > MOST ? " + …" : "");
}

/** @param {number} v */
function factor(v) {
  return v < 0 ? `(${numeral(v)})` : numeral(v);
}

/** @param {ArrayLike<number>} values */
function list(values) {
  return `[${Array.from(values).slice(0, MOST).map((v) => numeral(v)).join(", ")}${values.length > MOST ? ", …" : ""}]`;
}

/**
 * One line: what, how, with numbers, and the result.
 * @param {string} name
 * @param {string} formula
 * @param {any} numbers
 * @param {string} result
 */
function line(name, formula, numbers, result) {
  return h("div", { class: "sum", "data-name": name }, el("code", formula), numbers && el("code", "= ", numbers), el("code", "= ", el("b", result)));
}

/** @param {Side} side @param {App} app @param {HTMLElement} panel */
export function showArithmetic(side, app, panel) {
  refill(panel, () => {
    const a = side.values.arithmetic;
    return a ? [chooser(side, app, a), said(a.note) && el("p.hint", said(a.note)), el("div.sums", forward(a), backward(a), update(a)), made(a)] : [];
  });
}

/** Which unit, which row. @param {Side} side @param {App} app @param {any} a */
function chooser(side, app, a) {
  const layers = (side.values.facts?.layers ?? []).filter((/** @type {any} */ l) => l.weights !== null && l.weights !== undefined);
  const count = (/** @type {number} */ n, /** @type {string} */ word) => Array.from({ length: n }, (_, i) => [String(i), `${word} ${i + 1}`]);
  const set = (/** @type {string} */ key) => (/** @type {string} */ v) => app.select({ [key]: Number(v) }, side);
  const rows = Math.min(side.values.facts?.rows ?? 1, 500);
  return h("div", { class: "inline chooser" },
    menu(`layer-${side.index}`, word("layer"), layers.map((/** @type {any} */ l, /** @type {number} */ i) => [String(i), i === layers.length - 1 ? word("Output") : word("Hidden layer {0}", i + 1)]), String(a.layer), set("layer"), { hidden: true }),
    menu(`unit-${side.index}`, word("unit"), count(layers[a.layer]?.units ?? 1, word("unit")), String(a.unit), set("unit"), { hidden: true }),
    menu(`row-${side.index}`, wordIn("chooser", "row"), count(rows, wordIn("chooser", "row")), String(a.row), set("row"), { hidden: true }));
}

/** @param {any} a */
function forward(a) {
  const bias = a.b === null || a.b === undefined ? "" : ` + ${factor(a.b)}`;
  return el("div", el("h4", word("Forward")), line("h", a.formulas.h, products(a.x, a.w) + bias, numeral(a.h)), line("y_predict", a.formulas.y_predict, "", numeral(a.y_predict)));
}

/** @param {any} a */
function backward(a) {
  const output = a.y !== null && a.y !== undefined;
  const through = a.next ? products(a.next.error_term, a.next.w) : "";
  const error = output && a.formulas.error.includes("y − y_predict") ? `${numeral(a.y)} − ${factor(a.y_predict)}` : through;
  const sloped = a.slope !== null && a.slope !== undefined && !a.formulas.error_term.includes("y − y_predict");
  return el("div", el("h4", word("Backward")),
    line("error", a.formulas.error, error, numeral(a.error)),
    a.next && el("p.hint", word("the next layer's error terms, through its weights")),
    line("error_term", a.formulas.error_term, sloped ? `${factor(a.error)}·${factor(a.slope)}` : "", numeral(a.error_term)));
}

/** @param {any} a */
function update(a) {
  const names = a.x_names ?? Array.from(a.x, (_, i) => `x${i + 1}`);
  const shown = Array.from(a.x).slice(0, 12);
  const cell = (/** @type {any} */ v) => el("td", v);
  const rows = shown.map((v, i) => el("tr", h("th", { scope: "row" }, names[i]), cell(numeral(/** @type {number} */ (v))), cell(numeral(a.w[i])), el("td.changed", numeral(a.delta_w[i])), cell(numeral(a.w_after[i]))));
  if (a.b !== null && a.b !== undefined) rows.push(el("tr", h("th", { scope: "row" }, word("bias")), cell("1"), cell(numeral(a.b)), el("td.changed", numeral(a.delta_b)), cell(numeral(a.b + a.delta_b))));
  return el("div.update", el("h4", word("Update")),
    line("delta_w", a.formulas.delta_w, `${numeral(a.learning_rate)}·${factor(a.error_term)}·${list(a.x)}`, list(a.delta_w)),
    scroller({}, el("table", el("thead", el("tr", ["", "x", "w", "delta_w", "w + delta_w"].map((t) => el("th", t)))), el("tbody", rows))));
}

/** What the step really did. @param {any} a */
function made(a) {
  return a.step && el("p.hint.made", word("In the last step really made ({0} rows)", a.step.rows), ": ", el("code", `delta_w = ${list(a.step.delta_w)}`));
}
