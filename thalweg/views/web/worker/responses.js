// What a network answers all over the plane.
import { floats, halves, shaped } from "./encode.js";
import { sizeOf } from "./exercise.js";
import { refused } from "./sentences.js";

/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */

const SURFACE = 48; // points along a side of the surface,
const MAP = 24; // of a unit's map,
const CURVE = 121; // and along a line
const POINTS = 2000; // the most rows that are drawn
const UNITS_SHOWN = 64; // small maps of one layer's units

/** np.linspace @param {number} low @param {number} high @param {number} count */
function spaced(low, high, count) {
  return Float64Array.from({ length: count }, (_, n) => (n === count - 1 ? high : n * ((high - low) / (count - 1)) + low));
}

/** Points in rows of equal x1, the lowest first. @param {[number, number][]} ranges @param {number} side */
function grid(ranges, side) {
  const axes = ranges.map(([low, high]) => spaced(low, high, side));
  if (axes.length === 1) return axes[0];
  const points = new Float64Array(2 * side * side);
  for (let n = 0; n < side * side; n++) points.set([axes[0][n % side], axes[1][Math.floor(n / side)]], 2 * n);
  return points;
}

/** Columns of a matrix as maps in half precision. @param {ArrayLike<number>} rows @param {number} units @param {number} most @param {number[]} shape */
function maps(rows, units, most, shape) {
  const shown = Math.min(units, most);
  const places = rows.length / units;
  const values = new Float32Array(shown * places);
  for (let u = 0; u < shown; u++) for (let n = 0; n < places; n++) values[u * places + n] = rows[n * units + u];
  return halves(values, shown, ...shape);
}

export class Responses {
  /** @param {PageNetwork} network */
  constructor(network) {
    this.network = network;
    const { sight } = network.exercise;
    this.sight = sight;
    this.flat = sight?.ranges.length === 1;
    this.mapShape = this.flat ? [1, MAP] : [MAP, MAP];
    this.mapRows = sight && sight.rows(grid(sight.ranges, MAP));
    this.surfacePoints = sight ? grid(sight.ranges, this.flat ? CURVE : SURFACE) : new Float64Array(0);
    this.surfaceRows = sight ? sight.rows(this.surfacePoints) : new Float32Array(0);
  }

  /** Each hidden layer's units over the plane, or of an image what each filter makes of it. @param {number} row */
  units(row) {
    const { network } = this;
    if (!this.mapRows) return this.featureMaps(row);
    const outputs = network.outputs(this.mapRows, sizeOf(this.mapShape));
    return network.layers.slice(0, -1).flatMap((layer, place) => (layer.shape.length === 1 ? [{ layer: place, maps: maps(outputs[place], layer.shape[0], UNITS_SHOWN, this.mapShape) }] : []));
  }

  /** @param {number} row */
  featureMaps(row) {
    const { network } = this;
    if (network.exercise.shape.length !== 3) return [];
    const outputs = network.outputs(this.image(row), 1);
    return network.layers.flatMap(({ shape }, place) => (shape.length === 3 ? [{ layer: place, maps: maps(outputs[place], shape[2], UNITS_SHOWN, shape.slice(0, 2)) }] : []));
  }

  /** The inputs of a training row that there is. @param {number} row */
  image(row) {
    const { x, rows } = this.network.exercise;
    const wide = x.length / rows;
    const n = Math.min(Math.max(row, 0), rows - 1);
    return x.slice(n * wide, (n + 1) * wide);
  }

  /** Each input over the plane. */
  inputs() {
    return this.mapRows ? maps(this.mapRows, this.network.exercise.inputs.length, UNITS_SHOWN, this.mapShape) : null;
  }

  /** The outputs over the plane; with `data`, the rows too. @param {boolean} data */
  surface(data) {
    const { sight, network } = this;
    const { exercise } = network;
    if (!sight || this.flat) return null;
    const side = SURFACE;
    const values = network.engine.predict(this.surfaceRows, side * side);
    const outputs = values.length / side / side;
    /** @type {any} */
    const found = { x0: sight.ranges[0], x1: sight.ranges[1], names: sight.names, values: outputs === 1 ? floats(values, side, side) : floats(values, side, side, outputs), regression: exercise.classes === null };
    if (data) {
      for (const [prefix, points, y] of /** @type {[string, Float64Array, Float32Array][]} */ ([["", sight.points, exercise.y], ["held_", sight.heldPoints, exercise.heldY]])) {
        const count = Math.min(points.length / 2, POINTS);
        found[`${prefix}points`] = floats(points.subarray(0, 2 * count), count, 2);
        found[`${prefix}labels`] = this.labels(y, count);
      }
    }
    return found;
  }

  /** Of numbers, those of the first output. @param {Float32Array} y @param {number} count */
  labels(y, count) {
    const { classes, targetShape } = this.network.exercise;
    if (classes) return shaped(Int32Array.from(y.subarray(0, count)), count);
    const wide = sizeOf(targetShape);
    return floats(Float32Array.from({ length: count }, (_, n) => y[n * wide]), count);
  }

  /** The outputs over one input. @param {boolean} data */
  line(data) {
    const { sight, network } = this;
    const { exercise } = network;
    if (!sight || !this.flat) return null;
    const values = network.engine.predict(this.surfaceRows, CURVE);
    /** @type {any} */
    const found = { x: floats(this.surfacePoints), y_pred: floats(values, CURVE, values.length / CURVE) };
    if (data) {
      const wide = sizeOf(exercise.targetShape);
      for (const [prefix, points, y] of /** @type {[string, Float64Array, Float32Array][]} */ ([["", sight.points, exercise.y], ["held_", sight.heldPoints, exercise.heldY]])) {
        const count = Math.min(points.length, POINTS);
        found[`${prefix}points`] = floats(points.subarray(0, count), count);
        found[`${prefix}targets`] = floats(y.subarray(0, count * wide), count, wide);
      }
    }
    return found;
  }

  /** An image, what it should give and what it gives. @param {number} row */
  sample(row) {
    const { exercise, layers, engine } = this.network;
    if (exercise.shape.length !== 3) return null;
    const [high, wide] = exercise.shape;
    const n = Math.min(Math.max(row, 0), exercise.rows - 1);
    const of = sizeOf(exercise.targetShape);
    const squeezed = (/** @type {Float32Array} */ values, /** @type {number[]} */ shape) => floats(values, ...(shape.length === 3 ? shape.slice(0, 2) : shape));
    return {
      x: floats(this.image(n), high, wide), y: exercise.classes ? exercise.y[n] : squeezed(exercise.y.slice(n * of, (n + 1) * of), exercise.targetShape),
      y_pred: squeezed(engine.predict(this.image(n), 1).slice(), layers[layers.length - 1].shape),
    };
  }

  /** What the network takes a drawing for. @param {number[][]} image */
  drawing(image) {
    const { exercise, engine } = this.network;
    if (exercise.shape.length !== 3 || !exercise.classes) throw refused("only a network that tells digits apart takes a drawing");
    const small = shrunk(image);
    const answer = /** @type {number[]} */ (Array.from(engine.predict(small, 1)));
    return { image: floats(small, 8, 8), probabilities: floats(answer.length === 1 ? [1 - answer[0], answer[0]] : answer), classes: exercise.classes };
  }
}

/**
 * A drawing of 8×8, or of any larger square, as the data's 8×8: cut to the drawn part, centred, averaged.
 * @param {number[][]} image
 */
export function shrunk(image) {
  if (image.length === 8) return Float32Array.from(image.flat());
  const drawn = image.flatMap((line, y) => line.flatMap((v, x) => (v > 0.1 ? [[y, x]] : [])));
  let size = image.length;
  let [top, left] = [0, 0];
  if (drawn.length) {
    const [ys, xs] = [drawn.map(([y]) => y), drawn.map(([, x]) => x)];
    const [high, wide] = [ys, xs].map((all) => Math.max(...all) + 1 - Math.min(...all));
    size = Math.max(high, wide);
    [top, left] = [Math.min(...ys) - Math.floor((size - high) / 2), Math.min(...xs) - Math.floor((size - wide) / 2)];
    const inside = (/** @type {number} */ y, /** @type {number} */ x) => y >= Math.min(...ys) && y <= Math.max(...ys) && x >= Math.min(...xs) && x <= Math.max(...xs);
    image = Array.from({ length: size }, (_, y) => Array.from({ length: size }, (__, x) => (inside(y + top, x + left) ? image[y + top][x + left] : 0)));
  }
  const blocks = new Float64Array(64);
  for (let y = 0; y < 8 * size; y++) for (let x = 0; x < 8 * size; x++) blocks[Math.floor(y / size) * 8 + Math.floor(x / size)] += image[y >> 3][x >> 3] / size / size;
  const most = Math.max(...blocks, 1e-6);
  return Float32Array.from(blocks, (v) => Math.min(Math.max(v / most, 0), 1));
}
