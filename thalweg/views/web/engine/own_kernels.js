// Kernels of formulas that a visitor types: functions of JavaScript that the machine calls as it calls the others.
import { compiled, formula } from "./formula.js";

/** @typedef {(memory: ArrayBuffer, words: number[], rows: number, batchRows: number) => void} Body of a kernel */
/** @typedef {{ words: string[], reals: string[], defaults: {}, body: Body }} OwnKernel */

// A module that exports what it imports, a function of four int32: only such functions can stand in the machine's table.
const TRAMPOLINE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0, 2, 7, 1, 1, 0x6f, 1, 0x66, 0, 0, 7,
  5, 1, 1, 0x66, 0, 0,
]); // prettier-ignore

/**
 * The function that stands in the table: it reads the kernel's row, and the step's state.
 * @param {{ buffer: ArrayBuffer, catalogue: any }} machine @param {OwnKernel} kernel
 */
export function callable(machine, { words, body }) {
  const { rows, batch_rows } = machine.catalogue.layout;
  /** @param {number} row @param {number} _ @param {number} state */
  const called = (row, _, state) => {
    const memory = machine.buffer;
    const given = Array.from(new BigInt64Array(memory, row, words.length), Number);
    const step = new BigInt64Array(memory, state, Math.max(rows, batch_rows) + 1);
    body(memory, given, Number(step[rows]), Number(step[batch_rows]));
  };
  return new WebAssembly.Instance(new WebAssembly.Module(TRAMPOLINE), { o: { f: called } }).exports.f;
}

/** Whether this is a formula and not a name. @param {string} text */
export const isFormula = (text) => !/^\w+$/.test(text);

/**
 * An activation's two kernels, over h and da.
 * @param {string} text in x @returns {{ forward: OwnKernel, backward: OwnKernel }}
 */
export function ownActivation(text) {
  const { value, slope } = formula(text, { x: "h" });
  const [f, df] = [compiled(value, ["h"]), compiled(slope, ["h"])];
  const rest = { reals: [], defaults: {} };
  return {
    forward: {
      words: ["h", "a", "size"],
      ...rest,
      body: (memory, [h, a, size], rows) => {
        const [x, y] = [h, a].map((at) => new Float32Array(memory, at, rows * size));
        for (let n = 0; n < y.length; n++) y[n] = f(x[n], 0);
      },
    },
    backward: {
      words: ["v", "da", "dh", "size"],
      ...rest,
      body: (memory, [v, da, dh, size], rows) => {
        const [x, d, to] = [v, da, dh].map((at) => new Float32Array(memory, at, rows * size));
        for (let n = 0; n < to.length; n++) to[n] = d[n] * df(x[n], 0);
      },
    },
  };
}

/**
 * A loss and its gradient, the mean over a row's outputs.
 * @param {string} text in y_pred and y_true @returns {OwnKernel}
 */
export function ownLoss(text) {
  const { value, slope } = formula(text, { y_pred: "p", y_true: "y" });
  const [f, df] = [compiled(value, ["p", "y"]), compiled(slope, ["p", "y"])];
  return {
    words: ["p", "y", "sums", "dp", "size"],
    reals: [],
    defaults: {},
    body: (memory, [p, y, sums, dp, size], rows, batchRows) => {
      const [guess, target, d] = [p, y, dp].map((at) => new Float32Array(memory, at, rows * size));
      let total = 0;
      for (let n = 0; n < d.length; n++) {
        total += f(guess[n], target[n]);
        d[n] = df(guess[n], target[n]) / (size * batchRows);
      }
      new Float64Array(memory, sums, 1)[0] += total / size;
    },
  };
}
