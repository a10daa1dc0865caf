// A matrix in colours: a table of cells while its numbers can be read, a canvas beyond.
import { extent, tensor } from "../decode.js";
import { canvas, h, redrawn, scroller } from "../dom.js";
import { css, diverging, inkOn, sequential } from "../colours.js";
import { numeral, percent } from "../format.js";
import { said, word } from "../words.js";

const MOST_CELLS = 20; // in a row or column of a table

/** @param {HTMLElement} element @param {Matrix} figure @returns {Drawn} */
export function drawMatrix(element, figure) {
  return redrawn(element, figure, (/** @type {Matrix} */ f, width) => {
    const values = tensor(f.values);
    const [rows, columns] = values.shape;
    if (!rows || !columns) return h("p", { class: "empty" }, word("Nothing to show here."));
    const tint = tinted(element, f, values);
    const readable = rows <= MOST_CELLS && columns <= MOST_CELLS;
    return readable ? cells(f, values, tint) : dense(element, f, values, tint, width);
  });
}

/**
 * The colour of each cell.
 * @param {HTMLElement} element
 * @param {Matrix} figure
 * @param {Tensor} values
 * @returns {(i: number, j: number) => [number, number, number]}
 */
function tinted(element, figure, values) {
  const columns = values.shape[1];
  const [low, high] = extent(values);
  if (figure.diverging) {
    const most = Math.max(-low, high) || 1;
    const scale = diverging(element);
    return (i, j) => scale(0.5 + values[i * columns + j] / most / 2);
  }
  const scale = sequential(element);
  if (figure.normalise) return (i, j) => scale(values[i * columns + j] / (rowSum(values, i) || 1));
  const least = Math.min(0, low);
  return (i, j) => scale((values[i * columns + j] - least) / (high - least || 1));
}

/** @param {Tensor} values @param {number} i */
function rowSum(values, i) {
  const columns = values.shape[1];
  let sum = 0;
  for (let j = 0; j < columns; j++) sum += values[i * columns + j];
  return sum;
}

/** @param {Matrix} figure @param {Tensor} values @param {(i: number, j: number) => [number, number, number]} tint */
function cells(figure, values, tint) {
  const [rows, columns] = values.shape;
  const name = (/** @type {Words[]} */ names, /** @type {number} */ n) => said(names?.[n] ?? n);
  const head = h("tr", {}, h("th", { class: "corner" }), ...Array.from({ length: columns }, (_, j) => h("th", { scope: "col" }, name(figure.columns, j))));
  const body = Array.from({ length: rows }, (_, i) =>
    h("tr", {}, h("th", { scope: "row" }, name(figure.rows, i)), ...Array.from({ length: columns }, (_, j) => {
      const v = values[i * columns + j];
      const share = figure.normalise ? percent(v / (rowSum(values, i) || 1)) : null;
      const colour = tint(i, j);
      return h("td", { style: { "background-color": css(colour), color: inkOn(colour) } }, numeral(v, 3), share && h("small", {}, share));
    })),
  );
  const table = h("table", { class: `matrix${columns > 8 ? " matrix-small" : ""}` }, h("thead", {}, head), h("tbody", {}, body));
  return [
    figure.column_label ? h("p", { class: "axis-label axis-top" }, `${said(figure.column_label)} →`) : null,
    scroller({ tabindex: 0, role: "region", "aria-label": said(figure.title) }, table),
    figure.row_label ? h("p", { class: "axis-label" }, `↓ ${said(figure.row_label)}`) : null,
  ];
}

/**
 * @param {HTMLElement} element
 * @param {Matrix} figure
 * @param {Tensor} values
 * @param {(i: number, j: number) => [number, number, number]} tint
 * @param {number} width
 */
function dense(element, figure, values, tint, width) {
  const [rows, columns] = values.shape;
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const size = Math.max(1, Math.min(18, width / columns));
  const wide = size * columns;
  const high = Math.min(480, size * rows);
  let at = { i: 0, j: 0 };
  const read = () => {
    const say = (/** @type {Words[]} */ names, /** @type {number} */ n) => said(names?.[n] ?? n);
    readout.textContent = `${say(figure.rows, at.i)} · ${say(figure.columns, at.j)}: ${numeral(values[at.i * columns + at.j])}`;
  };
  const picture = canvas(wide, high, (context) => {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        context.fillStyle = css(tint(i, j));
        context.fillRect((j * wide) / columns, (i * high) / rows, wide / columns + 0.5, high / rows + 0.5);
      }
    }
  }, { role: "img", tabindex: 0, "aria-label": matrixSummary(figure, values), "aria-description": word("Point at the figure, or focus it and use the arrow keys, to read its values."), onpointermove: pointed, onpointerdown: pointed, onkeydown: moved });
  /** @param {PointerEvent} event */
  function pointed(event) {
    const i = Math.floor((event.offsetY / high) * rows);
    const j = Math.floor((event.offsetX / wide) * columns);
    if (i < 0 || j < 0 || i >= rows || j >= columns) return;
    at = { i, j };
    read();
  }
  /** @param {KeyboardEvent} event */
  function moved(event) {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    at = { i: Math.min(rows - 1, Math.max(0, at.i + by[0])), j: Math.min(columns - 1, Math.max(0, at.j + by[1])) };
    read();
  }
  return [
    figure.column_label ? h("p", { class: "axis-label axis-top" }, `${said(figure.column_label)} →`) : null,
    picture,
    figure.row_label ? h("p", { class: "axis-label" }, `↓ ${said(figure.row_label)}`) : null,
    readout,
  ];
}

/** @param {Matrix} figure @param {Tensor} values */
function matrixSummary(figure, values) {
  const [low, high] = extent(values);
  return `${said(figure.title)}: ${values.shape[0]} × ${values.shape[1]}, ${word("from {0} to {1}", numeral(low), numeral(high))}`;
}
