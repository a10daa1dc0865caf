// What kernels read and write, to be checked when rows are made: kernels themselves check nothing.
/** @typedef {import("./lowering.js").Buffer} Buffer */

/**
 * How many elements each operand of a structural kernel has, by the sizes that the kernel is given.
 * @type {{ [kernel: string]: (n: { [name: string]: number }) => { [operand: string]: number } }}
 */
export const EXTENTS = {
  gather: ({ size }) => ({ X: size, x: size }),
  affine: (n) => ({ x: n.inputs * n.positions, W: n.inputs * n.units, b: n.units, h: n.units * n.positions }),
  weight_gradient: (n) => ({ x: n.inputs * n.positions, dh: n.units * n.positions, dW: n.inputs * n.units }),
  bias_gradient: (n) => ({ dh: n.units * n.positions, db: n.units }),
  transpose: (n) => ({ W: n.inputs * n.units, Wt: n.inputs * n.units }),
  input_gradient: (n) => ({
    dh: n.units * n.positions,
    W: n.inputs * n.units,
    ...both("dx", "a", n.inputs * n.positions),
  }),
  convolution: (n) => ({ x: image(n), W: window(n) * n.C * n.O, b: n.O, ...both("h", "a", map(n) * n.O) }),
  transposed_convolution: (n) => ({ x: map(n) * n.O, flipped: window(n) * n.C * n.O, ...both("h", "a", image(n)) }),
  flip: (n) => both("W", "flipped", window(n) * n.C * n.O),
  kernel_gradient: (n) => ({ x: image(n), dh: map(n) * n.O, dW: window(n) * n.C * n.O }),
  max_pooling: (n) => ({ x: image(n), a: map(n) * n.C }),
  max_pooling_adjoint: (n) => ({ ...both("x", "dx", image(n)), ...both("a", "da", map(n) * n.C) }),
  dropout: ({ size }) => ({ h: size, a: size }),
  dropout_adjoint: ({ size }) => ({ a: size, da: size, dh: size }),
  batch_moments: (n) => ({ x: n.positions * n.channels, parts: 2 * n.channels }),
  batch_normalization: (n) => ({ ...normalized(n), parts: 2 * n.channels, a: n.positions * n.channels }),
  normalization: (n) => ({ ...normalized(n), a: n.positions * n.channels }),
  batch_sums: (n) => ({ ...normalized(n), da: n.positions * n.channels, sums: 2 * n.channels }),
  batch_normalization_adjoint: (n) => ({
    ...normalized(n),
    ...both("da", "dx", n.positions * n.channels),
    sums: 2 * n.channels,
  }),
  channel_gradient: ({ size }) => ({ sums: 2 * size, dp: size }),
  embedding: (n) => ({ ids: n.n, W: n.entries * n.columns, h: n.n * n.columns }),
  embedding_gradient: (n) => ({
    ids: n.n,
    dh: n.n * n.columns,
    dW: n.entries * n.columns,
    counts: n.entries,
    touched: n.entries + 1,
  }),
  average_pooling: (n) => ({ x: image(n), a: map(n) * n.C }),
  average_pooling_adjoint: (n) => ({ dx: image(n), da: map(n) * n.C }),
  attention: (n) => ({ ...looked(n), o: n.queries * n.heads * n.width, sums: 2 * n.queries * n.heads }),
  attention_adjoint: (n) => {
    const { q, k, v } = looked(n);
    const o = n.queries * n.heads * n.width;
    return { q, k, v, dq: q, dk: k, dv: v, ...both("o", "do", o), sums: 2 * n.queries * n.heads };
  },
  recurrence: (n) => {
    const [all, whole, size] = [n.steps * n.n, n.steps * n.gates * n.n, n.gates * n.n];
    const dh = n.each ? all : n.n;
    return { x: whole, dx: whole, dr: whole, R: n.n * size, c: size, before: all, h: all, kept: all, end: n.n, dh };
  },
  add: ({ size }) => both("x", "y", size),
  hold: ({ size }) => both("x", "held", size),
  restore: (n) => ({ ...both("x", "held", n.entries * n.columns), counts: n.entries }),
  moving_average: ({ size }) => ({ value: size, moving: size }),
};
const both = (/** @type {string} */ one, /** @type {string} */ other, /** @type {number} */ n) => ({
  [one]: n,
  [other]: n,
});
const image = (/** @type {any} */ n) => n.H * n.Wd * n.C;
const map = (/** @type {any} */ n) => n.OH * n.OW;
const window = (/** @type {any} */ n) => n.kh * n.kw;
const looked = (/** @type {any} */ n) => {
  const of = (/** @type {number} */ steps, /** @type {number} */ depth) => steps * n.heads * depth;
  return { q: of(n.queries, n.depth), k: of(n.keys, n.depth), v: of(n.keys, n.width) };
};
const normalized = (/** @type {any} */ { positions, channels }) => {
  const each = { mean: channels, variance: channels, gamma: channels, beta: channels };
  return { x: positions * channels, ...each };
};

/**
 * Throws unless every operand has as many elements as its kernel reads or writes.
 * @param {string} kernel @param {{ [name: string]: Buffer | null }} operands @param {{ [name: string]: number }} extents
 */
export function checked(kernel, operands, extents) {
  for (const [name, buffer] of Object.entries(operands))
    if (buffer && buffer.size !== extents[name])
      throw new RangeError(`${name} of ${kernel} has ${buffer.size} elements instead of ${extents[name]}`);
}
