// Small data sets in the plane: the twin of play/planar.py, which an exported program holds. Points are (rows, 2) or (rows, 1) in one array.
import { Generator } from "./numpy_random.js";

/** @typedef {{ points: Float64Array, y: Float64Array }} Drawn2 */
/** @typedef {(rows: number, noise: number, draw: Generator, classes: number) => Drawn2} Make */

const PI = Math.PI;
const sin = Math.sin;
const cos = Math.cos;
const sqrt = Math.sqrt;
const exp = Math.exp;
const sign = Math.sign;

/** @param {number} rows @param {number} classes */
function inTurn(rows, classes) {
  return Float64Array.from({ length: rows }, (_, n) => n % classes);
}

/** Points moved by noise. @param {Float64Array} points @param {number} noise @param {Generator} draw */
function shaken(points, noise, draw) {
  const moved = draw.normal(points.length);
  return points.map((v, n) => v + moved[n] * noise);
}

/**
 * @param {number} rows
 * @param {(n: number) => [number, number]} place
 */
function placed(rows, place) {
  const points = new Float64Array(2 * rows);
  for (let n = 0; n < rows; n++) points.set(place(n), 2 * n);
  return points;
}

const TOPS = [[1.5, 1.5, 1], [-1.8, 0.2, 1], [0.6, -2.0, 1], [-0.6, 2.2, -1], [2.2, -0.6, -1]];

/** @type {{ [name: string]: Make }} */
export const PLANAR = {
  blobs(rows, noise, draw, classes) {
    const y = inTurn(rows, classes);
    const points = placed(rows, (n) => {
      const angle = (2 * PI * y[n]) / classes + PI / 4;
      return [1.8 * cos(angle), 1.8 * sin(angle)];
    });
    return { points: shaken(points, 0.2 + noise, draw), y };
  },
  moons(rows, noise, draw) {
    const y = inTurn(rows, 2);
    const along = draw.random(rows);
    const points = placed(rows, (n) => {
      const side = 1 - 2 * y[n];
      return [1.8 * (side * (cos(PI * along[n]) - 0.5)), 1.8 * (side * (sin(PI * along[n]) - 0.25))];
    });
    return { points: shaken(points, noise, draw), y };
  },
  circles(rows, noise, draw) {
    const y = inTurn(rows, 2);
    const turn = draw.random(rows);
    const ring = draw.uniform(2.0, 2.8, rows);
    const disc = draw.random(rows);
    const points = placed(rows, (n) => {
      const radius = y[n] === 1 ? ring[n] : 1.2 * sqrt(disc[n]);
      return [radius * cos(2 * PI * turn[n]), radius * sin(2 * PI * turn[n])];
    });
    return { points: shaken(points, noise, draw), y };
  },
  spiral(rows, noise, draw, classes) {
    const y = inTurn(rows, classes);
    const along = draw.random(rows).map(sqrt);
    const points = placed(rows, (n) => {
      const angle = 3.5 * PI * along[n] + (2 * PI * y[n]) / classes;
      return [2.8 * along[n] * sin(angle), 2.8 * along[n] * cos(angle)];
    });
    return { points: shaken(points, noise, draw), y };
  },
  xor(rows, noise, draw) {
    const x = draw.uniform(-2.6, 2.6, 2 * rows);
    const y = Float64Array.from({ length: rows }, (_, n) => (x[2 * n] * x[2 * n + 1] > 0 ? 1 : 0));
    return { points: shaken(x.map((v) => v + 0.2 * sign(v)), noise, draw), y };
  },
  plane(rows, noise, draw) {
    const points = draw.uniform(-3.0, 3.0, 2 * rows);
    const clean = Float64Array.from({ length: rows }, (_, n) => (points[2 * n] + points[2 * n + 1]) / 6);
    return { points, y: shaken(clean, noise, draw) };
  },
  hills(rows, noise, draw) {
    const points = draw.uniform(-3.0, 3.0, 2 * rows);
    const height = (/** @type {number} */ x0, /** @type {number} */ x1) => TOPS.reduce((sum, [a, b, up]) => sum + up * exp(-((x0 - a) ** 2 + (x1 - b) ** 2)), 0);
    const clean = Float64Array.from({ length: rows }, (_, n) => height(points[2 * n], points[2 * n + 1]));
    return { points, y: shaken(clean, noise, draw) };
  },
  line(rows, noise, draw) {
    const points = draw.uniform(-3.0, 3.0, rows);
    return { points, y: shaken(points.map((x) => 0.8 * sin(2 * x) + 0.1 * x), noise, draw) };
  },
};

/**
 * The numbers of the rows to learn from, and of those to validate on, drawn at random.
 * @param {number} rows
 * @param {number} share
 * @param {number} seed
 */
export function divided(rows, share, seed) {
  const order = new Generator(seed).permutation(rows);
  const held = halfEven(share * rows);
  return { train: order.slice(held).sort(), held: order.slice(0, held).sort() };
}

/** Python's round. @param {number} value */
export function halfEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/** @type {{ [name: string]: (x0: number, x1: number) => number }} */
const WAYS = {
  x0: (x0) => x0,
  x1: (_, x1) => x1,
  "x0²": (x0) => x0 * x0,
  "x1²": (_, x1) => x1 * x1,
  "x0·x1": (x0, x1) => x0 * x1,
  "sin x0": (x0) => sin(x0),
  "sin x1": (_, x1) => sin(x1),
};

/**
 * The inputs that a network gets of points, by their names.
 * @param {Float64Array} points
 * @param {number} columns of the points
 * @param {string[]} inputs
 */
export function expanded(points, columns, inputs) {
  const ways = inputs.map((name) => WAYS[name]);
  const rows = points.length / columns;
  const found = new Float32Array(rows * ways.length);
  for (let n = 0; n < rows; n++) {
    ways.forEach((way, k) => (found[n * ways.length + k] = way(points[n * columns], points[n * columns + columns - 1])));
  }
  return found;
}
