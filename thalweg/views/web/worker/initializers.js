// Initial weights: the twin of thalweg/initializers, drawn from NumPy's numbers.
import { sizeOf } from "./exercise.js";
import { Generator } from "./numpy_random.js";
import { choose, inPython, refused } from "./sentences.js";

/** @param {number[]} shape @returns {[number, number]} */
function fans(shape) {
  const field = sizeOf(shape.slice(0, -2));
  return [shape[shape.length - 2] * field, shape[shape.length - 1] * field];
}

/** N(0, 1), every draw beyond two standard deviations drawn again. @param {number} count @param {Generator} draw */
function truncated(count, draw) {
  const sample = draw.normal(count);
  for (;;) {
    const outside = [...sample.keys()].filter((n) => Math.abs(sample[n]) > 2);
    if (!outside.length) return sample;
    const again = draw.normal(outside.length);
    outside.forEach((place, n) => (sample[place] = again[n]));
  }
}

/**
 * Q of a QR decomposition whose R has a positive diagonal: columns made orthogonal one after the other, twice.
 * @param {Float64Array} a (rows, columns), rows ≥ columns
 * @param {number} rows
 * @param {number} columns
 */
function orthonormal(a, rows, columns) {
  const dot = (/** @type {number} */ i, /** @type {number} */ j) => {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += a[r * columns + i] * a[r * columns + j];
    return sum;
  };
  for (let j = 0; j < columns; j++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < j; i++) {
        const share = dot(i, j);
        for (let r = 0; r < rows; r++) a[r * columns + j] -= share * a[r * columns + i];
      }
    }
    const length = Math.sqrt(dot(j, j));
    for (let r = 0; r < rows; r++) a[r * columns + j] /= length;
  }
  return a;
}

/** @param {number[]} shape @param {any} o @param {Generator} draw */
function orthogonal(shape, o, draw) {
  const columns = shape[shape.length - 1];
  const rows = sizeOf(shape) / columns;
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
  const q = orthonormal(draw.normal(long * short), long, short);
  if (rows >= columns) return q.map((v) => v * o.gain);
  return Float64Array.from({ length: rows * columns }, (_, n) => o.gain * q[(n % columns) * short + Math.floor(n / columns)]);
}

/** @type {{ [kind: string]: (shape: number[], o: any, draw: Generator, site: any) => Float64Array }} */
const KINDS = {
  zeros: (shape) => new Float64Array(sizeOf(shape)),
  ones: (shape) => new Float64Array(sizeOf(shape)).fill(1),
  constant: (shape, o) => new Float64Array(sizeOf(shape)).fill(o.value),
  identity: (shape, o) => {
    if (shape.length !== 2) throw refused("identity is for matrices (inputs, units), not for the kernel of a convolution");
    return Float64Array.from({ length: sizeOf(shape) }, (_, n) => (Math.floor(n / shape[1]) === n % shape[1] ? o.gain : 0));
  },
  random_normal: (shape, o, draw) => draw.normal(sizeOf(shape)).map((v) => o.mean + o.stddev * v),
  random_uniform: (shape, o, draw) => draw.uniform(o.minval, o.maxval, sizeOf(shape)),
  truncated_normal: (shape, o, draw) => truncated(sizeOf(shape), draw).map((v) => o.mean + o.stddev * v),
  orthogonal,
  variance_scaling: (shape, o, draw, site) => {
    const [fanIn, fanOut] = fans(shape);
    /** @type {{ [mode: string]: number }} */
    const counts = { fan_in: fanIn, fan_out: fanOut, fan_avg: (fanIn + fanOut) / 2 };
    const variance = o.scale / Math.max(1, counts[o.mode]);
    const limit = Math.sqrt(3 * variance);
    if (o.distribution === "uniform") return draw.uniform(-limit, limit, sizeOf(shape));
    if (o.distribution === "untruncated_normal") return draw.normal(sizeOf(shape)).map((v) => Math.sqrt(variance) * v);
    return truncated(sizeOf(shape), draw).map((v) => v * (Math.sqrt(variance) / site.truncated_stddev));
  },
};

/**
 * Weights of a shape, by the name of a rule, or its name and arguments.
 * @param {any} given
 * @param {number[]} shape
 * @param {Generator} draw
 * @param {any} site
 * @returns {Float64Array}
 */
export function drawn(given, shape, draw, site) {
  const { name, ...rest } = typeof given === "string" ? { name: given } : given;
  choose("initializer", name, Object.keys(site.initializers));
  const { kind, arguments: usual, fixed } = site.initializers[name];
  for (const key of Object.keys(rest)) choose(`argument of the initializer ${name}`, key, [...Object.keys(usual), "seed"]);
  const options = { ...usual, ...fixed, ...rest };
  checked(name, options);
  return KINDS[kind](shape, options, Number.isInteger(options.seed) ? new Generator(options.seed) : draw, site);
}

/** @param {string} name @param {any} o */
function checked(name, o) {
  for (const [key, value] of Object.entries(o)) {
    if (key === "mode") choose("mode", value, ["fan_in", "fan_out", "fan_avg"]);
    else if (key === "distribution") choose("distribution", value, ["truncated_normal", "untruncated_normal", "uniform"]);
    else if (key !== "seed" && typeof value !== "number") throw refused("the initializer {name}'s {key} has to be a number, got {value}", { name, key, value: inPython(value) });
  }
  if (o.stddev < 0 || o.scale <= 0 || o.maxval < o.minval) throw refused("the initializer {name} can't have these arguments: a spread is at least 0", { name });
}
