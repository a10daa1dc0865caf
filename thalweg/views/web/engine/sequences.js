// Kernels of layers over steps that are functions of JavaScript: recurrences, and what goes with attention and tables.
/** @typedef {import("./own_kernels.js").OwnKernel} OwnKernel @typedef {import("./own_kernels.js").Body} Body */

/**
 * What cells read and write: of one row and step, `sums` (R·h of each gate), `d` (∂L/∂h, then what of it goes on to the
 * step before, but for R's share) and `carry` (∂L/∂c); and the sequences. x: W·input + b of each gate, then the gates;
 * kept: c of an LSTM, the candidate's sum of a GRU; dx: ∂L/∂ of the gates' sums; dr: the same of R·h.
 * @typedef {{ sums: Float64Array, d: Float64Array, carry: Float64Array, x: Float32Array, before: Float32Array,
 *   h: Float32Array, kept: Float32Array, dx: Float32Array, dr: Float32Array }} Values
 */
/** Computes unit j of n, whose places in sequences are i, and k for the first gate. @typedef {(v: Values, j: number, i: number, k: number, n: number, first: boolean) => void} Step */

/** @param {number} x */
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Each cell: its gates, whether it keeps anything besides h, a step, and the step back. @type {{ [name: string]: { gates: number, keeps: boolean, step: Step, back: Step } }} */
export const CELLS = {
  simple_rnn: {
    gates: 1,
    keeps: false,
    step: ({ x, sums, h }, j, i) => void (h[i] = Math.tanh(x[i] + sums[j])),
    back: ({ h, d, dx }, j, i) => {
      dx[i] = d[j] * (1 - h[i] * h[i]);
      d[j] = 0;
    },
  },
  gru: {
    gates: 3, // z, r, g
    keeps: true,
    step: ({ x, sums, before, h, kept }, j, i, k, n) => {
      const z = (x[k] = sigmoid(x[k] + sums[j]));
      const r = (x[k + n] = sigmoid(x[k + n] + sums[j + n]));
      kept[i] = sums[j + 2 * n];
      const g = (x[k + 2 * n] = Math.tanh(x[k + 2 * n] + r * kept[i]));
      h[i] = z * before[i] + (1 - z) * g;
    },
    back: ({ x, before, kept, d, dx, dr }, j, i, k, n) => {
      const z = x[k];
      const r = x[k + n];
      const g = x[k + 2 * n];
      const dg = d[j] * (1 - z) * (1 - g * g);
      dx[k] = dr[k] = d[j] * (before[i] - g) * z * (1 - z);
      dx[k + n] = dr[k + n] = dg * kept[i] * r * (1 - r);
      dx[k + 2 * n] = dg;
      dr[k + 2 * n] = dg * r;
      d[j] *= z;
    },
  },
  lstm: {
    gates: 4, // i, f, g, o
    keeps: true,
    step: ({ x, sums, h, kept }, j, i, k, n, first) => {
      const taken = (x[k] = sigmoid(x[k] + sums[j]));
      const left = (x[k + n] = sigmoid(x[k + n] + sums[j + n]));
      const g = (x[k + 2 * n] = Math.tanh(x[k + 2 * n] + sums[j + 2 * n]));
      const o = (x[k + 3 * n] = sigmoid(x[k + 3 * n] + sums[j + 3 * n]));
      kept[i] = (first ? 0 : left * kept[i - n]) + taken * g;
      h[i] = o * Math.tanh(kept[i]);
    },
    back: ({ x, kept, d, carry, dx }, j, i, k, n, first) => {
      const taken = x[k];
      const left = x[k + n];
      const g = x[k + 2 * n];
      const o = x[k + 3 * n];
      const t = Math.tanh(kept[i]);
      const dc = carry[j] + d[j] * o * (1 - t * t);
      dx[k] = dc * g * taken * (1 - taken);
      dx[k + n] = first ? 0 : dc * kept[i - n] * left * (1 - left);
      dx[k + 2 * n] = dc * taken * (1 - g * g);
      dx[k + 3 * n] = d[j] * t * o * (1 - o);
      carry[j] = dc * left;
      d[j] = 0;
    },
  },
};

/** @param {string[]} words @param {Body} body @returns {OwnKernel} */
const kernel = (words, body) => ({ words, reals: [], defaults: {}, body });
const floats = (/** @type {ArrayBuffer} */ memory, /** @type {number} */ at, /** @type {number} */ size) =>
  at ? new Float32Array(memory, at, size) : new Float32Array(0);

/** The steps of a cell in their order; c: what is added to R·h; end: the last h. @param {string} name */
function forward(name) {
  const { gates, step } = CELLS[name];
  const words = ["x", "R", "c", "before", "h", "kept", "end", "steps", "n"];
  return kernel(words, (memory, [X, at, c, B, H, K, end, steps, n], rows) => {
    const size = gates * n;
    const [x, R, added] = [floats(memory, X, rows * steps * size), floats(memory, at, n * size), floats(memory, c, size)];
    const [before, h, kept] = [B, H, K].map((place) => floats(memory, place, rows * steps * n));
    const none = new Float64Array(0);
    const v = { x, before, h, kept, sums: new Float64Array(size), d: none, carry: none, dx: x, dr: x };
    const { sums } = v;
    for (let row = 0; row < rows; row++)
      for (let t = 0; t < steps; t++) {
        const i = (row * steps + t) * n;
        if (c) sums.set(added);
        else sums.fill(0);
        if (t) before.set(h.subarray(i - n, i), i);
        else before.fill(0, i, i + n);
        for (let a = 0; t && a < n; a++) {
          const s = before[i + a];
          for (let b = 0, k = a * size; b < size; b++, k++) sums[b] += s * R[k];
        }
        for (let j = 0; j < n; j++) step(v, j, i + j, gates * i + j, n, !t);
      }
    const ends = floats(memory, end, rows * n);
    for (let row = 0; end && row < rows; row++) ends.set(h.subarray(((row + 1) * steps - 1) * n, (row + 1) * steps * n), row * n);
  });
}

/** The same back. dh: of the last step, or of each, if `each`. @param {string} name */
function backward(name) {
  const { gates, back } = CELLS[name];
  const words = ["x", "R", "before", "h", "kept", "dh", "dx", "dr", "steps", "n", "each"];
  return kernel(words, (memory, [X, at, B, H, K, given, DX, DR, steps, n, each], rows) => {
    const size = gates * n;
    const [x, dx, dr] = [X, DX, DR].map((place) => floats(memory, place, rows * steps * size));
    const [before, h, kept] = [B, H, K].map((place) => floats(memory, place, rows * steps * n));
    const [R, dh] = [floats(memory, at, n * size), floats(memory, given, rows * n * (each ? steps : 1))];
    const v = { x, before, h, kept, dx, dr, sums: new Float64Array(0), d: new Float64Array(n), carry: new Float64Array(n) };
    const { d, carry } = v;
    for (let row = 0; row < rows; row++) {
      d.fill(0);
      carry.fill(0);
      for (let t = steps - 1; t >= 0; t--) {
        const i = (row * steps + t) * n;
        const from = each ? i : row * n;
        for (let j = 0; j < n; j++) {
          if (each || t === steps - 1) d[j] += dh[from + j];
          back(v, j, i + j, gates * i + j, n, !t);
        }
        for (let a = 0; a < n; a++) {
          let sum = 0;
          for (let b = 0, k = a * size; b < size; b++, k++) sum += R[k] * dr[gates * i + b];
          d[a] += sum;
        }
      }
    }
  });
}

/** Kernels by the names that the lowering gives them. @type {{ [name: string]: OwnKernel }} */
export const SEQUENCES = {
  ...Object.fromEntries(Object.keys(CELLS).flatMap((name) => [[name, forward(name)], [`${name}_adjoint`, backward(name)]])),
  add: kernel(["x", "y", "size"], (memory, [x, y, size], rows) => {
    const [to, from] = [x, y].map((at) => floats(memory, at, rows * size));
    for (let n = 0; n < to.length; n++) to[n] += from[n];
  }),
  hold: kernel(["x", "held", "size"], (memory, [x, held, size]) => floats(memory, held, size).set(floats(memory, x, size))),
  /** Rows of a table that don't occur in the batch become what was held, or 0. */
  restore: kernel(["x", "held", "counts", "entries", "columns"], (memory, [x, held, counts, entries, columns]) => {
    const [table, old] = [x, held].map((at) => floats(memory, at, entries * columns));
    floats(memory, counts, entries).forEach((occurs, n) => {
      const [first, after] = [n * columns, (n + 1) * columns];
      if (occurs) return;
      if (held) table.set(old.subarray(first, after), first);
      else table.fill(0, first, after);
    });
  }),
};
