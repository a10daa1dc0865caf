// Where the arrays of weights lie in the parameter vector.
import { CELLS } from "./sequences.js";

/** @typedef {import("./lowering.js").Buffer} Buffer @typedef {import("./lowering.js").Spec} Spec */
/** @typedef {{ layer: number, name: string, shape: number[], offset: number, trained: boolean }} Parameter */

/** A network that the page's engine can't train; the message says why. */
export class UnsupportedError extends Error {
  /** @param {string} english of the catalogue of words, with names of values @param {{ [name: string]: any }} values */
  constructor(english, values) {
    super(
      english.replace(/\{(\w+)(!r)?\}/g, (_, name, quoted) => (quoted ? `'${values[name]}'` : String(values[name]))),
    );
    this.english = english;
    this.values = values;
  }
}

/** What the page's engine can't do, in a sentence. @param {string} english a literal @param {{ [name: string]: any }} values */
export const unsupported = (english, values = {}) => new UnsupportedError(english, values);

/** @param {number[]} shape */
export const count = (shape) => shape.reduce((a, b) => a * b, 1);
/** @param {number} n @param {number} unit */
export const up = (n, unit) => Math.ceil(n / unit) * unit;

/** @param {Parameter} p @returns {{ w: Buffer, dw: Buffer }} */
export function views({ offset, shape }) {
  const of = (/** @type {string} */ region) => ({ region, offset, size: count(shape), perRow: false });
  return { w: of("parameters"), dw: of("gradients") };
}

/** @param {Parameter[]} parameters */
export const end = (parameters) => Math.max(0, ...parameters.map((p) => p.offset + count(p.shape)));

/** The shape of a row of each layer's output. @param {Spec} spec @returns {number[][]} */
export function shapes(spec) {
  let shape = spec.input;
  return spec.layers.map((layer) => {
    if (layer.kind === "dense") shape = [...shape.slice(0, -1), layer.units];
    else if (layer.kind === "flatten") shape = [count(shape)];
    else if (layer.kind === "embedding") shape = [...shape, layer.units];
    else if (layer.kind === "recurrent") shape = layer.sequences ? [shape[0], layer.units] : [layer.units];
    else if (layer.kind === "average") shape = [shape[1]];
    else if (layer.kind === "conv2d") {
      const cut = layer.padding === "same" ? 0 : layer.kernel_size - 1;
      shape = seen(layer.kind, shape, layer.kernel_size, (size) => size - cut, layer.filters);
    } else if (layer.kind === "max_pool") {
      const p = layer.pool_size;
      shape = seen(layer.kind, shape, p, (size) => Math.floor(size / p), shape[2]);
    }
    return shape;
  });
}

/**
 * The shape of an image that a window has seen.
 * @param {string} kind @param {number[]} shape @param {number} size @param {(n: number) => number} left
 * @param {number} channels
 */
function seen(kind, shape, size, left, channels) {
  if (shape.length !== 3) throw unsupported("{kind} takes images: put it before flatten and dense layers", { kind });
  const [height, width] = shape.slice(0, 2).map(left);
  if (height < 1 || width < 1)
    throw unsupported("a window of {size} × {size} is larger than its image, {high} × {wide}", {
      size,
      high: shape[0],
      wide: shape[1],
    });
  return [height, width, channels];
}

/**
 * Where each array of weights lies in the vector: those that are trained come first. In the order of `get_weights()`.
 * @param {Spec} spec @param {number} alignment @returns {Parameter[]}
 */
export function layout(spec, alignment) {
  const found = /** @type {Parameter[]} */ ([]);
  const before = [spec.input, ...shapes(spec)];
  for (const [layer, given] of spec.layers.entries()) {
    const inputs = /** @type {number} */ (before[layer].at(-1));
    const add = (/** @type {string} */ name, /** @type {number[]} */ shape, trained = true) =>
      found.push({ layer, name, shape, offset: 0, trained });
    if (given.kind === "dense" || given.kind === "conv2d") {
      const units = given.kind === "dense" ? given.units : given.filters;
      const window = given.kind === "dense" ? [] : [given.kernel_size, given.kernel_size];
      add("W", [...window, inputs, units]);
      if (given.use_bias !== false) add("b", [units]);
    } else if (given.kind === "embedding") {
      add("E", [given.entries, given.units]);
    } else if (given.kind === "recurrent") {
      const size = CELLS[given.cell].gates * given.units;
      add("W", [inputs, size]);
      add("R", [given.units, size]);
      add("b", given.cell === "gru" ? [2, size] : [size]);
    } else if (given.kind === "attention") {
      const looks = [given.heads, given.units];
      for (const part of ["query", "key", "value"]) {
        add(`${part}/W`, [inputs, ...looks]);
        add(`${part}/b`, looks);
      }
      add("output/W", [...looks, inputs]);
      add("output/b", [inputs]);
    } else if (given.kind === "batch_norm") {
      for (const name of ["γ", "β", "μ", "σ²"]) add(name, [inputs], name === "γ" || name === "β");
    }
  }
  let offset = 0;
  for (const p of [...found].sort((a, b) => Number(b.trained) - Number(a.trained))) {
    p.offset = offset;
    offset += up(count(p.shape), alignment);
  }
  return found;
}
