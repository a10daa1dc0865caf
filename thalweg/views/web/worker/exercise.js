// What a network is to learn.
import { Generator } from "./numpy_random.js";
import { divided, expanded, halfEven, PLANAR } from "./planar.js";
import { refused } from "./sentences.js";
import { tabular } from "./table.js";

/** @typedef {import("./page_state.js").State} State */
/** Images as bytes 0 … 16, and what they are. @typedef {{ images: Uint8Array, labels: Uint8Array }} Digits */

/**
 * The part of a plane, or of a line, that pictures show.
 * @typedef {object} Sight
 * @property {string[]} names of the one or two inputs that vary
 * @property {[number, number][]} ranges
 * @property {(points: Float64Array) => Float32Array} rows
 * @property {Float64Array} points where the data lie
 * @property {Float64Array} heldPoints
 */
/**
 * @typedef {object} Exercise
 * @property {string} task "binary", "multiclass", "numbers" or "maps"
 * @property {number[]} shape of a row
 * @property {number[]} targetShape of a row's target; [] for class numbers
 * @property {Float32Array} x
 * @property {Float32Array} y class numbers, or numbers
 * @property {Float32Array} heldX
 * @property {Float32Array} heldY
 * @property {number} rows
 * @property {number} held
 * @property {string[]} inputs
 * @property {string[]} targets
 * @property {string[] | null} classes
 * @property {Sight | null} sight
 * @property {string[]} [vocabulary] the letters or words whose numbers are in x
 * @property {[number, number] | null} [targetScale] mean and deviation that were taken out of a table's target
 */

const IMAGE = 64;
const REACH = 3.3; // how far the pictures of generated data reach from the middle
const ROWS = 1000; // at most, of those that are written in the state
const COLUMNS = 64;
/** Differences between left and right, and between above and below. @type {{ [side: string]: number[][] }} */
export const KERNELS = { vertical: Array(3).fill([1, 0, -1]), horizontal: [[1, 1, 1], [0, 0, 0], [-1, -1, -1]] };
const NUMBERS = ["plane", "hills", "line"];

/** @param {number[]} shape */
export function sizeOf(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

/** The numbers of at most `most` of the rows, evenly spaced. @param {number} rows @param {number} most */
export function evenly(rows, most) {
  if (rows <= most) return Int32Array.from({ length: rows }, (_, n) => n);
  return Int32Array.from({ length: most }, (_, n) => Math.round((n * (rows - 1)) / (most - 1)));
}

/**
 * Some rows of an array.
 * @template {Float32Array | Float64Array} A
 * @param {A} array
 * @param {number} width
 * @param {Int32Array} rows
 * @returns {A}
 */
export function taken(array, width, rows) {
  const found = /** @type {A} */ (new /** @type {any} */ (array.constructor)(rows.length * width));
  rows.forEach((row, n) => found.set(array.subarray(row * width, (row + 1) * width), n * width));
  return found;
}

/**
 * Units of an output layer: one for two classes.
 * @param {Exercise} exercise
 */
export function outputsOf(exercise) {
  if (exercise.task === "binary") return 1;
  return exercise.classes ? exercise.classes.length : sizeOf(exercise.targetShape);
}

/**
 * @param {any} parts
 * @param {number} share
 * @param {number} seed
 * @returns {Exercise}
 */
function split(parts, share, seed) {
  const { x, y, shape, targetShape, points, sight, ...rest } = parts;
  const wide = sizeOf(shape);
  const { train, held } = divided(x.length / wide, share, seed);
  const of = sizeOf(targetShape);
  return {
    ...rest, shape, targetShape, rows: train.length, held: held.length,
    x: taken(x, wide, train), y: taken(y, of, train), heldX: taken(x, wide, held), heldY: taken(y, of, held),
    sight: sight && { ...sight, points: taken(points, sight.names.length, train), heldPoints: taken(points, sight.names.length, held) },
  };
}

/** @param {number} count */
function classNames(count) {
  return Array.from({ length: count }, (_, n) => String(n));
}

/**
 * A data set in the plane, or on a line.
 * @param {State} state
 */
function generated(state) {
  const { name, rows, noise, seed, share, classes: count = 2 } = state.data;
  const flat = name === "line";
  const allowed = state.inputs.filter((/** @type {string} */ n) => !flat || ["x0", "x0²", "sin x0"].includes(n));
  /** @type {string[]} */
  const inputs = allowed.length ? [...new Set(/** @type {string[]} */ (allowed))] : ["x0"];
  const columns = flat ? 1 : 2;
  const { points, y } = PLANAR[name](rows, noise, new Generator(seed), count);
  const numbers = NUMBERS.includes(name);
  const sight = { names: flat ? ["x0"] : ["x0", "x1"], ranges: Array(columns).fill([-REACH, REACH]), rows: (/** @type {Float64Array} */ p) => expanded(p, columns, inputs) };
  return split({
    task: numbers ? "numbers" : count === 2 ? "binary" : "multiclass", inputs, targets: ["y"], classes: numbers ? null : classNames(count),
    x: expanded(points, columns, inputs), y: Float32Array.from(y), shape: [inputs.length], targetShape: numbers ? [1] : [], points, sight,
  }, share, seed);
}

/**
 * Lists as (rows, columns); plain numbers are a column.
 * @param {string} what
 * @param {any} given
 */
function matrix(what, given) {
  const rows = Array.isArray(given) ? given.map((row) => (Array.isArray(row) ? row : [row])) : [];
  const width = rows[0]?.length ?? 0;
  const flat = rows.flat();
  if (!rows.length || rows.length > ROWS || !width || width > COLUMNS || flat.length !== rows.length * width || rows.some((row) => row.length !== width) || flat.some((v) => typeof v !== "number")) {
    throw refused("{what} is a list of 1 to {rows:,} rows of equal length, 1 to {columns} numbers each", { what, rows: ROWS, columns: COLUMNS });
  }
  return { values: Float32Array.from(flat), rows: rows.length, width };
}

/** @param {string[] | null} names @param {number} count @param {string} letter */
function namedColumns(names, count, letter) {
  if (names === null) return letter === "y" && count === 1 ? ["y"] : Array.from({ length: count }, (_, n) => `${letter}${n + 1}`);
  if (names.length !== count) throw refused("there are {count} columns of {letter} and {names} names", { count, letter, names: names.length });
  return names;
}

/** A range that shows these values with some room. @param {number[]} values @returns {[number, number]} */
function reachOf(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low) * 0.15 || Math.max(1.0, Math.abs(low));
  return [low - room, high + room];
}

/**
 * Rows that stand in the state.
 * @param {State} state
 */
function written(state) {
  const { data } = state;
  const x = matrix("data.x", data.x);
  const y = matrix("data.y", data.y);
  if (x.rows !== y.rows) throw refused("data.x and data.y need one row each for every example, got {rows} and {targets}", { rows: x.rows, targets: y.rows });
  const names = namedColumns(data.names, x.width, "x");
  let classes = null;
  let targets = ["y"];
  if (data.task === "classes") {
    const codes = [...new Set(y.values)].sort((a, b) => a - b);
    if (y.width !== 1 || codes.length < 2 || codes.some((code, n) => code !== n)) {
      throw refused("classes in data.y are whole numbers 0, 1, 2, … without gaps, at least two, one for each row");
    }
    classes = classNames(codes.length);
  } else targets = namedColumns(data.target_names, y.width, "y");
  const column = (/** @type {number} */ k) => Array.from({ length: x.rows }, (_, n) => x.values[n * x.width + k]);
  const sight = x.width > 2 ? null : { names, ranges: names.map((_, k) => reachOf(column(k))), rows: (/** @type {Float64Array} */ p) => Float32Array.from(p) };
  return split({
    task: classes ? (classes.length === 2 ? "binary" : "multiclass") : "numbers", inputs: names, targets, classes,
    x: x.values, y: y.values, shape: [x.width], targetShape: classes ? [] : [y.width], points: Float64Array.from(x.values), sight,
  }, data.share, data.seed);
}

/** Brightness 0 … 1. @param {Digits} digits @param {ArrayLike<number>} rows */
function images(digits, rows) {
  const found = new Float32Array(rows.length * IMAGE);
  for (let n = 0; n < rows.length; n++) for (let k = 0; k < IMAGE; k++) found[n * IMAGE + k] = digits.images[rows[n] * IMAGE + k] / 16;
  return found;
}

/** @param {any} parts @param {State} state */
function ofImages(parts, state) {
  const inputs = Array.from({ length: IMAGE }, (_, n) => `pixel ${Math.floor(n / 8)},${n % 8}`);
  return split({ ...parts, shape: [8, 8, 1], inputs, targets: [parts.classes ? "digit" : "edges"], sight: null }, state.data.share, state.data.seed);
}

/** Handwritten digits, to tell apart. @param {State} state @param {Digits} digits */
function toldApart(state, digits) {
  const kept = [...new Set(/** @type {number[]} */ (state.data.digits?.length ? state.data.digits : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))].sort((a, b) => a - b);
  if (kept.length < 2) throw refused("there have to be two digits at least to tell apart");
  const rows = Array.from(digits.labels, (label, n) => (kept.includes(label) ? n : -1)).filter((n) => n >= 0).slice(0, state.data.rows);
  const y = Float32Array.from(rows, (row) => kept.indexOf(digits.labels[row]));
  if (new Set(y).size < kept.length) throw refused("these are too few rows: some digits are missing");
  return ofImages({ task: kept.length === 2 ? "binary" : "multiclass", x: images(digits, rows), y, targetShape: [], classes: kept.map(String) }, state);
}

/** The map that a kernel makes of each digit. @param {State} state @param {Digits} digits */
function edgeMaps(state, digits) {
  const given = state.data.kernel;
  const kernel = matrix("data.kernel", typeof given === "string" ? KERNELS[given] : given);
  if (Math.max(kernel.rows, kernel.width) > 5) throw refused("data.kernel has 5 × 5 numbers at most");
  const count = Math.min(state.data.rows, digits.labels.length);
  const x = images(digits, Array.from({ length: count }, (_, n) => n));
  const [high, wide] = [9 - kernel.rows, 9 - kernel.width];
  const y = new Float32Array(count * high * wide);
  for (let n = 0, at = 0; n < count; n++) {
    for (let i = 0; i < high; i++) {
      for (let j = 0; j < wide; j++) {
        let sum = 0;
        for (let a = 0; a < kernel.rows; a++) for (let b = 0; b < kernel.width; b++) sum += x[n * IMAGE + (i + a) * 8 + j + b] * kernel.values[a * kernel.width + b];
        y[at++] = sum;
      }
    }
  }
  return ofImages({ task: "maps", x, y, targetShape: state.output ? [high * wide] : [high, wide, 1], classes: null }, state);
}

/** A text, whose next letter is to be told from those before it; its end is held back. @param {State} state @param {any} site */
function letters(state, site) {
  const { text, window, share } = state.data;
  const all = Array.from(/** @type {string} */ (text));
  const alphabet = [...new Set(all)].sort((a, b) => /** @type {number} */ (a.codePointAt(0)) - /** @type {number} */ (b.codePointAt(0)));
  const most = site.constants["bounds.LETTERS"];
  if (all.length <= window + 1 || alphabet.length < 3 || alphabet.length > most) {
    throw refused("a text to learn from is longer than {window} letters, and has 3 to {most} different ones", { window: window + 1, most });
  }
  const codes = all.map((letter) => alphabet.indexOf(letter));
  const count = codes.length - window;
  const rows = count - halfEven(share * count);
  const x = Float32Array.from({ length: count * window }, (_, n) => codes[Math.floor(n / window) + (n % window)]);
  const y = Float32Array.from(codes.slice(window));
  return {
    task: "multiclass", shape: [window], targetShape: [], inputs: Array.from({ length: window }, (_, n) => `−${window - n}`), targets: ["next"],
    classes: alphabet, vocabulary: alphabet, sight: null, rows, held: count - rows,
    x: x.slice(0, rows * window), y: y.slice(0, rows), heldX: x.slice(rows * window), heldY: y.slice(rows),
  };
}

/** Sentences that praise or blame. @param {State} state @param {any} site */
function sentences(state, site) {
  const { x, y, words } = site.sentences;
  const inputs = x[0].map((/** @type {number} */ _, /** @type {number} */ n) => `word ${n + 1}`);
  const parts = { task: "binary", x: Float32Array.from(x.flat()), y: Float32Array.from(y), shape: [inputs.length], targetShape: [], inputs, targets: ["praise"], sight: null };
  return split({ ...parts, classes: ["blame", "praise"], vocabulary: words }, state.data.share, state.data.seed);
}

/**
 * The exercise of a state.
 * @param {State} state
 * @param {{ site: any, digits: Digits | null, tables: Map<string, import("./table.js").Table> }} tools
 * @returns {Exercise}
 */
export function posed(state, { site, digits, tables }) {
  const { name } = state.data;
  if (name in PLANAR) return generated(state);
  if (name === "given") return written(state);
  if (name === "table") {
    const table = tables.get(state.data.source);
    if (!table) throw refused("this table is no longer here: open its file again");
    return tabular(state, table, site);
  }
  if (name === "text") return letters(state, site);
  if (name === "sentences") return sentences(state, site);
  if (!digits) throw refused("this page was made without the digits");
  return name === "digits" ? toldApart(state, digits) : edgeMaps(state, digits);
}
