// A convolution worked through: an image, a kernel, and what it answers at every place; the place that is chosen is summed up.
import { h } from "../dom.js";
import { word, wordIn } from "../words.js";
import { button, el, menu } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

const BRIGHT = 10;
const SIZES = [6, 12, 24];
/** @type {{ [name: string]: number[][] }} */
const KERNELS = { vertical: [[1, 0, -1], [1, 0, -1], [1, 0, -1]], horizontal: [[1, 1, 1], [0, 0, 0], [-1, -1, -1]] };

/** @param {number} rows @param {number} columns @param {(row: number, column: number) => number} value */
function matrix(rows, columns, value) {
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => value(i, j)));
}

/**
 * What a kernel answers at every place at which it lies within the image.
 * @param {number[][]} image
 * @param {number[][]} kernel
 */
export function convolved(image, kernel) {
  const sum = (/** @type {number} */ i, /** @type {number} */ j) => kernel.flat().reduce((total, w, n) => total + w * image[i + Math.floor(n / kernel.length)][j + (n % kernel.length)], 0);
  return matrix(image.length - kernel.length + 1, image[0].length - kernel.length + 1, sum);
}

/** The largest of each 2 × 2 places, after relu. @param {number[][]} map */
export function pooled(map) {
  return matrix(map.length >> 1, map[0].length >> 1, (i, j) => Math.max(0, map[2 * i][2 * j], map[2 * i][2 * j + 1], map[2 * i + 1][2 * j], map[2 * i + 1][2 * j + 1]));
}

export class Worked {
  constructor() {
    this.size = SIZES[0];
    this.image = "left"; // its bright side
    this.kernel = "vertical";
    this.place = [0, 0];
    /** Answers that were looked at, and their places on the image of now. @type {Set<number>} */
    this.seen = new Set();
    /** @type {Set<string>} */
    this.looked = new Set(["0,0"]);
  }

  /** The matrices, and the numbers of the place, by the names that a lesson's lines have for them. */
  values() {
    const { size, place: [i, j] } = this;
    const half = size / 2;
    const bright = { left: (/** @type {number} */ _, /** @type {number} */ c) => c < half, right: (/** @type {number} */ _, /** @type {number} */ c) => c >= half, top: (/** @type {number} */ r) => r < half }[this.image] ?? (() => false);
    const x = matrix(size, size, (row, column) => (bright(row, column) ? BRIGHT : 0));
    const kernel = KERNELS[this.kernel];
    const answer = convolved(x, kernel);
    const small = pooled(answer);
    return { x, kernel, answer, small, sum: answer[i][j], pooled: small[i >> 1][j >> 1], found: this.seen.has(3 * BRIGHT) && this.seen.has(-3 * BRIGHT) && size === SIZES[SIZES.length - 1] };
  }

  /** @param {App} app @param {Partial<Worked>} change */
  set(app, change) {
    Object.assign(this, { place: [0, 0] }, change);
    if (!change.place) this.looked.clear();
    else this.seen.add(this.values().sum);
    this.looked.add(String(this.place));
    app.changed();
  }
}

/** @param {App} app */
export function workedPanel(app) {
  const { worked } = app;
  const { x, kernel, answer, small, sum } = worked.values();
  const [row, column] = worked.place;
  const told = worked.size > SIZES[0] || app.done.has(app.lesson.id) || app.revealed === app.lesson.id;
  const looked = (/** @type {number} */ i, /** @type {number} */ j) => told || worked.looked.has(`${i},${j}`);
  const around = (/** @type {number} */ i, /** @type {number} */ j) => [0, 1, 2, 3].every((n) => looked(2 * i + (n >> 1), 2 * j + (n & 1)));
  const choice = (/** @type {string} */ key, /** @type {string} */ label, /** @type {string[][]} */ options, /** @type {string} */ value, /** @type {(v: string) => void} */ set) => menu(key, label, options, value, set);
  const products = kernel.flatMap((line, i) => line.map((w, j) => [x[row + i][column + j], w])).map(([v, w]) => `${v}·${w < 0 ? `(−${-w})` : w}`);
  const lines = [0, 3, 6].map((n) => products.slice(n, n + 3).join(" + "));
  return h("div", { class: "worked panel", "data-panel": "worked" },
    el("h3", word("Image, kernel, answer")),
    el("div.inline.worked-choices",
      choice("worked-image", word("image"), [["left", word("bright on the left")], ["right", word("bright on the right")], ["top", word("bright at the top")]], worked.image, (v) => worked.set(app, { image: v })),
      choice("worked-kernel", word("Kernel"), [["vertical", word("columns 1, 0, −1")], ["horizontal", word("rows 1, 0, −1")]], worked.kernel, (v) => worked.set(app, { kernel: v })),
      choice("worked-size", word("pixels"), SIZES.map((n) => [String(n), `${n} × ${n}`]), String(worked.size), (v) => worked.set(app, { size: Number(v) }))),
    el("div.worked-grids",
      figure(word("image"), x, (i, j) => (i >= row && i < row + 3 && j >= column && j < column + 3 ? "seen" : "")),
      figure(word("Kernel"), kernel),
      figure(wordIn("kernel", "answer"), answer, (i, j) => (i === row && j === column ? "seen" : ""), (i, j) => worked.set(app, { place: [i, j] }), looked),
      figure(word("max pooling 2 × 2, after relu"), small, (i, j) => (i === row >> 1 && j === column >> 1 ? "seen" : ""), undefined, around)),
    h("p", { class: "worked-sum", role: "status" }, word("At row {0}, column {1} of the answer:", row + 1, column + 1), el("code", `${lines.join(" +\n")}\n= `, el("b", String(sum).replace("-", "−")))));
}

/**
 * A matrix with its numbers, as far as they have room. With `chosen` its cells are buttons; the arrow keys go from one to the next.
 * @param {string} title
 * @param {number[][]} values
 * @param {(row: number, column: number) => string} [mark]
 * @param {(row: number, column: number) => void} [chosen]
 * @param {(row: number, column: number) => boolean} [known] whether its number is shown
 */
function figure(title, values, mark = () => "", chosen, known = () => true) {
  const columns = values[0].length;
  const most = Math.max(1, ...values.flat().map(Math.abs));
  const cell = (/** @type {number} */ v, /** @type {number} */ i, /** @type {number} */ j) => {
    const text = known(i, j) ? String(v).replace("-", "−") : "?";
    const look = { class: `${v < 0 && known(i, j) ? "negative" : ""} ${mark(i, j)}`, style: { "--share": known(i, j) ? (Math.abs(v) / most).toFixed(2) : 0 } };
    if (!chosen) return h("span", look, columns <= 6 ? text : "");
    return button(`place-${i}-${j}`, columns <= 6 ? text : "", () => chosen(i, j), { ...look, tabindex: mark(i, j) ? 0 : -1, "aria-pressed": String(Boolean(mark(i, j))), "aria-label": word("row {0}, column {1}: {2}", i + 1, j + 1, text), onkeydown: (/** @type {KeyboardEvent} */ e) => step(e, i, j) });
  };
  const step = (/** @type {KeyboardEvent} */ event, /** @type {number} */ i, /** @type {number} */ j) => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by || !chosen || values[i + by[0]]?.[j + by[1]] === undefined) return;
    event.preventDefault();
    const grid = /** @type {HTMLElement} */ (event.currentTarget).parentElement;
    /** @type {HTMLElement | null | undefined} */ (grid?.querySelector(`[data-key="place-${i + by[0]}-${j + by[1]}"]`))?.focus();
    chosen(i + by[0], j + by[1]);
  };
  const role = chosen ? { role: "group", "aria-label": title } : { role: "img", "aria-label": `${title}: ${columns <= 6 ? values.map((line, i) => line.map((v, j) => (known(i, j) ? v : "?")).join(" ")).join("; ") : `${values.length}×${columns}`}` };
  return h("div", { class: `worked-figure ${columns > 6 ? "is-fine" : ""}` }, el("h4", title), h("div", { class: "cells", style: { "--columns": columns }, ...role }, values.flatMap((line, i) => line.map((v, j) => cell(v, i, j)))));
}
