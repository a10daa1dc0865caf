// A canvas for a digit: the strokes become 28×28 numbers 0 … 1, and the network's answer stands beside them.
import { h } from "../dom.js";
import { percent } from "../format.js";
import { word } from "../words.js";
import { button, el } from "./widgets.js";

/** @typedef {import("./side.js").Side} Side */

const SIZE = 196; // pixels of the canvas
const CELLS = 28;
const STEP = 14; // pixels that an arrow key draws

/**
 * @param {HTMLElement} panel
 * @param {(image: number[][]) => void} drawn
 */
export function drawingPad(panel, drawn) {
  const pad = h("canvas", { width: SIZE, height: SIZE, class: "pad", tabindex: 0, role: "application", "aria-label": word("Draw with mouse, pen or finger, or with the arrow keys; Shift lifts the pen.") });
  const context = pad.getContext("2d", { willReadFrequently: true });
  const bars = el("ol.probabilities");
  const clear = () => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIZE, SIZE);
    bars.replaceChildren();
  };
  clear();
  /** @type {[number, number] | null} */
  let last = null;
  let asked = 0;
  const place = (/** @type {PointerEvent} */ e) => /** @type {[number, number]} */ ([(e.offsetX * SIZE) / pad.clientWidth, (e.offsetY * SIZE) / pad.clientHeight]);
  const line = (/** @type {[number, number]} */ from, /** @type {[number, number]} */ to) => {
    Object.assign(context, { strokeStyle: "#fff", lineWidth: 18, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  const stroke = (/** @type {PointerEvent} */ e) => {
    if (!last) return;
    const next = place(e);
    line(last, next);
    last = next;
    if (performance.now() - asked < 80) return;
    asked = performance.now();
    drawn(pixels(context));
  };
  pad.addEventListener("pointerdown", (/** @type {PointerEvent} */ e) => {
    pad.setPointerCapture(e.pointerId);
    last = place(e);
    stroke(e);
  });
  pad.addEventListener("pointermove", stroke);
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, () => {
      if (last) drawn(pixels(context));
      last = null;
    });
  }
  /** @type {[number, number]} */
  let pen = [SIZE / 2, SIZE / 5]; // where the keys are
  pad.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!by) return;
    e.preventDefault();
    const next = /** @type {[number, number]} */ (pen.map((v, n) => Math.min(SIZE - STEP, Math.max(STEP, v + STEP * by[n]))));
    if (!e.shiftKey) {
      line(pen, next);
      drawn(pixels(context));
    }
    pen = next;
  });
  panel.replaceChildren(el("div.pad-row", el("div", pad, el("div.inline", button("clear", word("Clear"), clear, { class: "quiet" }), el("span.hint", word("Draw with mouse, pen or finger, or with the arrow keys; Shift lifts the pen.")))), bars));
  return {
    /** @param {any} answer probabilities by class */
    answer: (answer) => probabilities(bars, answer.probabilities, answer.classes ?? Array.from(answer.probabilities, (_, n) => n)),
  };
}

/**
 * A bar for each class; the likeliest stands out.
 * @param {HTMLElement} bars
 * @param {ArrayLike<number>} shares
 * @param {any[]} names
 */
export function probabilities(bars, shares, names) {
  const best = Math.max(...Array.from(shares));
  bars.replaceChildren(...Array.from(shares, (p, n) => el(p === best ? "li.best" : "li", el("span", names[n]), h("i", { style: { width: `${(100 * p).toFixed(1)}%` } }), el("span", percent(p)))));
}

/**
 * The mean brightness of each cell.
 * @param {CanvasRenderingContext2D} context
 */
function pixels(context) {
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  const step = SIZE / CELLS;
  return Array.from({ length: CELLS }, (_, row) =>
    Array.from({ length: CELLS }, (__, column) => {
      let sum = 0;
      for (let y = 0; y < step; y++) for (let x = 0; x < step; x++) sum += data[4 * ((row * step + y) * SIZE + column * step + x)];
      return Math.round((1000 * sum) / (255 * step * step)) / 1000;
    }),
  );
}
