// What an answer depends on: how it changes if one column alone takes other values.
import { h, onWidth, svg } from "../dom.js";
import { plotted, probe } from "../plot.js";
import { ticks } from "../format.js";
import { word } from "../words.js";
import { rangeOf } from "./form.js";
import { answered, brief, dated, share, shown } from "./values.js";

const POINTS = 33; // of a curve
const FIRST = 6; // columns that are shown at once
const MOST_BARS = 12;

/**
 * @typedef {object} Curve
 * @property {PredictorColumn} column
 * @property {number} now the row's value
 * @property {number[]} at
 * @property {number[]} y
 * @property {number} spread how far apart the answers are
 */

/**
 * The curve of each column, those that change the answer most first.
 * @param {Predictor} model
 * @param {number[]} row
 * @param {number} output whose answer is followed
 * @returns {Generator<number, Curve[]>}
 */
export function* curvesOf(model, row, output) {
  const curves = [];
  for (const [place, column] of model.columns.entries()) {
    const at = valuesOf(column, row[place]);
    const y = [];
    const values = [...row];
    for (const value of at) {
      values[place] = value;
      y.push(model.answer(values)[output]);
      yield place;
    }
    curves.push({ column, now: row[place], at, y, spread: Math.max(...y) - Math.min(...y) });
  }
  return curves.sort((one, other) => other.spread - one.spread);
}

/**
 * The values that a column runs through.
 * @param {PredictorColumn} column
 * @param {number} now
 */
function valuesOf(column, now) {
  if (column.kind === "boolean") return [1, 0, ...(column.gaps || Number.isNaN(now) ? [NaN] : [])];
  if (column.categories) {
    const more = [...(column.rest || now === -1 ? [-1] : []), ...(column.gaps || now === -2 ? [-2] : [])];
    return [...column.categories.keys(), ...more];
  }
  const [low, high] = reach(column, now);
  return Array.from({ length: POINTS }, (_, k) => low + ((high - low) * k) / (POINTS - 1));
}

/**
 * The range of training, with the row's value.
 * @param {PredictorColumn} column
 * @param {number} now
 * @returns {Range2}
 */
function reach(column, now) {
  const [low, high] = rangeOf(column);
  const [from, to] = Number.isNaN(now) ? [low, high] : [Math.min(low, now), Math.max(high, now)];
  return from < to ? [from, to] : [from - 1, to + 1];
}

/**
 * Draws curves into an element, the first of them at once.
 * @param {HTMLElement} element
 * @param {Predictor} model
 * @param {Curve[]} curves
 * @param {number} now the answer for the row
 * @param {{ all: boolean }} state whether all are shown
 */
export function drawCurves(element, model, curves, now, state) {
  const numbers = curves.flatMap((curve) => curve.y);
  const [low, high] = [Math.min(...numbers, now), Math.max(...numbers, now)];
  /** @type {Range2} */
  const y = model.target.classes.length ? [0, 1] : low < high ? [low - 0.05 * (high - low), high + 0.05 * (high - low)] : [low - 1, high + 1];
  const seen = state.all ? curves : curves.slice(0, FIRST);
  const figures = seen.map((curve) => figureOf(model, curve, now, y));
  const rest = curves.length - seen.length;
  const more = rest > 0 && h("button", { type: "button", class: "quiet", onclick: () => {
    state.all = true;
    drawCurves(element, model, curves, now, state);
  } }, word("Show all {0} columns", curves.length));
  element.replaceChildren(h("div", { class: "figures" }, figures), ...(more ? [more] : []));
}

/**
 * @param {Predictor} model
 * @param {Curve} curve
 * @param {number} now
 * @param {Range2} y
 */
function figureOf(model, curve, now, y) {
  const name = brief(curve.column.name, 120);
  const [low, high] = [Math.min(...curve.y), Math.max(...curve.y)];
  const note = curve.spread > 1e-6 * (1 + Math.abs(now)) ? word("{0} to {1}", answered(model, low), answered(model, high)) : word("It changes nothing here.");
  const body = h("div", { class: "figure-body" });
  const isBars = curve.column.categories || curve.column.kind === "boolean";
  if (isBars) body.append(barsOf(model, curve, y));
  else onWidth(body, (width) => body.replaceChildren(...lineOf(model, curve, now, y, width)));
  return h("figure", { class: "figure", "data-column": curve.column.name },
    h("figcaption", {}, h("span", { class: "figure-title", title: curve.column.name }, name), h("p", { class: "figure-note" }, note)), body);
}

/**
 * @param {Predictor} model
 * @param {Curve} curve
 * @param {number} now
 * @param {Range2} y
 * @param {number} width
 */
function lineOf(model, curve, now, y, width) {
  const { column, at } = curve;
  const text = (/** @type {number} */ value) => shown(column, value);
  const places = ticks(at[0], at[at.length - 1], Math.max(2, Math.round(width / 110)));
  const plot = plotted(h("div"), {
    width, height: 170, x: [at[0], at[at.length - 1]], y, right: column.kind === "date" ? 40 : 18,
    ...(column.kind === "date" ? { xTicks: [at[0], at[at.length - 1]].map((value) => ({ at: value, text: dated(value).slice(0, 10) })) } : { xTicks: places.map((value) => ({ at: value, text: shown({ ...column, unit: "" }, value) })) }),
    ...(model.target.classes.length ? { yTicks: [0, 0.5, 1].map((value) => ({ at: value, text: share(value) })) } : {}),
    summary: `${column.name}: ${word("from {0}, {1}, to {2}, {3}", text(at[0]), answered(model, curve.y[0]), text(at[at.length - 1]), answered(model, curve.y[curve.y.length - 1]))}`,
  });
  const points = at.map((value, k) => `${plot.x(value)},${plot.y(curve.y[k])}`);
  plot.marks.append(svg("path", { class: "curve answer-curve", d: `M${points.join("L")}` }));
  if (!Number.isNaN(curve.now)) plot.marks.append(svg("circle", { class: "answer-now", cx: plot.x(curve.now), cy: plot.y(now), r: 5 }));
  const line = probe(plot, {
    nearest: (x) => Math.min(at.length - 1, Math.max(0, Math.round((x / plot.width) * (at.length - 1)))),
    moved: (k, right) => (k === null ? at.length >> 1 : Math.min(at.length - 1, Math.max(0, k + right))),
    place: (k) => [plot.x(at[k]), plot.y(curve.y[k])],
    say: (k) => `${text(at[k])}: ${answered(model, curve.y[k])}`,
  });
  return [plot.node, line];
}

/**
 * @param {Predictor} model
 * @param {Curve} curve
 * @param {Range2} y
 */
function barsOf(model, curve, y) {
  const order = [...curve.at.keys()];
  const isNow = (/** @type {number} */ k) => Object.is(curve.at[k], curve.now);
  if (order.length > MOST_BARS) { // the row's own, and those that differ most from each other
    order.sort((one, other) => curve.y[other] - curve.y[one]);
    order.splice(MOST_BARS / 2, order.length - MOST_BARS);
    const own = [...curve.at.keys()].find(isNow);
    if (own !== undefined && !order.includes(own)) order.splice(MOST_BARS / 2, 0, own);
  }
  const wide = (/** @type {number} */ value) => `${(100 * (value - y[0])) / (y[1] - y[0])}%`;
  const lines = order.map((k) => h("li", { class: isNow(k) ? "is-now" : null },
    h("span", { class: "bar-label" }, shown(curve.column, curve.at[k])),
    h("span", { class: "bar-place" }, h("i", { class: "bar", style: { left: 0, width: wide(curve.y[k]) } })),
    h("span", { class: "bar-value" }, answered(model, curve.y[k]))));
  const left = curve.at.length - order.length;
  return h("div", {}, h("ul", { class: "bars" }, lines), left > 0 && h("p", { class: "axis-label" }, word("{0} others lie in between.", left)));
}
