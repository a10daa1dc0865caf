// The landscape under a training, made a part at a time between its bursts.
import { floats } from "./encode.js";
import { taken } from "./exercise.js";
import { Generator } from "./numpy_random.js";
import { refused, sentence } from "./sentences.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** A part of the vector of weights with a shape. @typedef {{ offset: number, shape: number[], size: number, key: string }} Part */

export const PATH = 64; // weights that are remembered of the way
export const REMEMBERED = 50_000; // weights of the largest network whose way is remembered
const AGAIN = 4; // s from one landscape to the next, when the ball has left it
const AHEAD = 300; // epochs that the copy trains
const SECONDS = 0.6; // … and for how long at most
const LARGEST = 1e12; // length of the weights around which there is a landscape: a network with larger ones has diverged
const SIDE = 25;
const WEIGHT_SIDE = 33; // of the picture of one weight or two

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function dot(a, b) {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n] * b[n];
  return sum;
}

/** @param {ArrayLike<number>} a */
function norm(a) {
  return Math.sqrt(dot(a, a));
}

/** np.linspace @param {[number, number]} range @param {number} count */
function spaced([low, high], count) {
  return Float64Array.from({ length: count }, (_, n) => (n === count - 1 ? high : n * ((high - low) / (count - 1)) + low));
}

/** A landscape, and where on it some weights lie. */
export class Valley {
  /** @param {any} figure @param {Float64Array} origin @param {Float64Array[]} onto rows that bring weights to the plane */
  constructor(figure, origin, onto) {
    this.figure = figure;
    this.origin = origin;
    this.onto = onto;
  }

  /** a, b and the loss. @param {Float32Array} vector @param {number} loss */
  ball(vector, loss) {
    const away = Float64Array.from(vector, (v, n) => v - this.origin[n]);
    return [...this.onto.map((row) => dot(row, away)), loss];
  }

  /** Whether the ball is in the picture. @param {number[]} ball */
  holds([a, b]) {
    const { a: across, b: along } = this.figure;
    const within = (/** @type {number} */ v, /** @type {ArrayLike<number>} */ axis) => axis[0] <= v && v <= axis[axis.length - 1];
    return within(a, across) && (along.length === 1 || within(b, along));
  }
}

/** The loss for any weights, on a network of its own. */
export class Terrain {
  /** @param {PageNetwork} network */
  constructor(network) {
    const { exercise, y, tools } = network;
    const most = tools.site.constants["terrain.ROWS"];
    this.network = network;
    this.solution = network.engine.vector.slice();
    const weights = network.weights();
    this.engine = network.made(weights.map((a) => a.slice()));
    this.rows = Math.min(exercise.rows, most);
    const chosen = exercise.rows > most ? new Generator(0).choice(exercise.rows, most) : null;
    this.x = chosen ? taken(exercise.x, exercise.x.length / exercise.rows, chosen) : exercise.x;
    this.y = chosen ? taken(y, y.length / exercise.rows, chosen) : y;
    const arrays = network.engine.arrays();
    const start = network.engine.vector.byteOffset;
    const parts = network.layers.flatMap((layer) => layer.arrays.map((shape, n) => ({ shape, n, at: layer.first + n })).slice(0, layer.trained));
    /** Those that gradients change: not the moving averages of a normalisation. @type {Part[]} */
    this.trained = parts.map(({ shape, n, at }) => ({ shape, key: "Wb"[n], size: arrays[at].values.length, offset: (arrays[at].values.byteOffset - start) / 4 }));
  }

  /** @param {ArrayLike<number>} vector */
  loss(vector) {
    this.engine.vector = Float32Array.from(vector);
    const { loss } = this.engine.evaluate(this.x, this.y, this.rows);
    return Number.isFinite(loss) ? loss : NaN;
  }

  /** Seconds of one evaluation: the least of three. */
  seconds() {
    const times = [0, 1, 2].map(() => {
      const begun = performance.now();
      this.loss(this.solution);
      return (performance.now() - begun) / 1000;
    });
    return Math.min(...times);
  }

  /** Normal random numbers, those of each unit scaled to the length of its weights; 0 for vectors such as biases. @param {Generator} draw */
  direction(draw) {
    const found = new Float32Array(this.solution.length);
    for (const { offset, shape, size } of this.trained.filter((part) => part.shape.length > 1)) {
      const units = shape[shape.length - 1];
      const noise = draw.normal(size);
      for (let u = 0; u < units; u++) {
        let [own, drawn] = [0, 0];
        for (let n = u; n < size; n += units) {
          own += this.solution[offset + n] ** 2;
          drawn += noise[n] ** 2;
        }
        for (let n = u; n < size; n += units) found[offset + n] = noise[n] * (Math.sqrt(own) / (Math.sqrt(drawn) || 1));
      }
    }
    return found;
  }

  close() {
    this.engine.close();
  }
}

/**
 * The two directions in which rows spread most, with their spreads: eigenvectors of the rows' products, by Jacobi's turns.
 * @param {Float64Array[]} rows
 */
export function principal(rows) {
  const count = rows.length;
  const a = rows.map((x) => rows.map((y) => dot(x, y)));
  const v = rows.map((_, i) => rows.map((__, j) => Number(i === j)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let rest = 0;
    for (let p = 0; p < count; p++) {
      for (let q = p + 1; q < count; q++) {
        if (Math.abs(a[p][q]) < 1e-300) continue;
        rest += a[p][q] ** 2;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < count; k++) [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        for (let k = 0; k < count; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
        for (let k = 0; k < count; k++) [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
      }
    }
    if (rest < 1e-26 * a.reduce((sum, row, n) => sum + row[n] ** 2, 0)) break;
  }
  const order = a.map((row, n) => ({ n, value: row[n] })).sort((x, y) => y.value - x.value).slice(0, 2);
  const spread = order.map(({ value }) => Math.sqrt(Math.max(value, 0)));
  const directions = order.map(({ n }) => {
    const sum = new Float64Array(rows[0].length);
    rows.forEach((row, k) => row.forEach((x, i) => (sum[i] += v[k][n] * x)));
    const length = norm(sum) || 1;
    return sum.map((x) => x / length);
  });
  return { spread, directions };
}

/** The least and greatest coordinates that show all places with a margin. @param {number[][]} places @param {number} margin @returns {[number, number][]} */
function extents(places, margin) {
  const sides = [0, 1].map((k) => [Math.min(0, ...places.map((p) => p[k])), Math.max(0, ...places.map((p) => p[k]))]);
  const widest = Math.max(...sides.map(([low, high]) => (high - low) / 2));
  return sides.map(([low, high]) => {
    const half = Math.max((high - low) / 2, widest / 4, 1e-6) * (1 + margin);
    return [(low + high) / 2 - half, (low + high) / 2 + half];
  });
}

/** Rows that bring weights to a plane of two directions, by least squares. @param {Float32Array} first @param {Float32Array} second @returns {Float64Array[]} */
function ontoPlane(first, second) {
  const [aa, ab, bb] = [dot(first, first), dot(first, second), dot(second, second)];
  const determinant = aa * bb - ab * ab;
  if (!(determinant > 1e-12 * aa * bb)) return [first, second].map((d) => Float64Array.from(d, (v) => v / (dot(d, d) || 1)));
  return [
    Float64Array.from(first, (v, n) => (bb * v - ab * second[n]) / determinant),
    Float64Array.from(second, (v, n) => (aa * v - ab * first[n]) / determinant),
  ];
}

/** A landscape that is being made: `work` does a part of it at each call. */
export class Survey {
  /** @param {Course} course */
  constructor(course) {
    const { network, path } = course;
    this.constants = course.constants;
    this.seconds = SECONDS;
    this.begun = performance.now() / 1000;
    /** @type {Valley | null} */
    this.valley = null;
    /** @type {import("./sentences.js").Text | null} */
    this.error = null;
    this.walked = path.slice();
    this.terrain = new Terrain(network);
    this.parts = this.making(network);
  }

  get done() {
    return Boolean(this.valley ?? this.error);
  }

  /** Whether it is done, and was begun long enough ago to be made anew. */
  get old() {
    return this.done && performance.now() / 1000 - this.begun > AGAIN;
  }

  /** Works for some seconds. @param {number} seconds */
  work(seconds) {
    const end = performance.now() + 1000 * seconds;
    try {
      while (!this.done && performance.now() < end) {
        const { value, done } = this.parts.next();
        if (done) this.valley = value;
      }
    } catch (error) {
      if (!(error instanceof Error && "text" in error)) throw error;
      this.error = /** @type {any} */ (error).text;
    }
    if (this.done) this.close();
  }

  close() {
    this.parts.return(/** @type {any} */ (undefined)); // the copy that trains ahead gives its memory back
    this.terrain?.close();
    this.terrain = /** @type {any} */ (null);
  }

  /** @param {PageNetwork} network @returns {Generator2} */
  *making(network) {
    const { terrain } = this;
    const numbers = terrain.trained.reduce((sum, part) => sum + part.size, 0);
    if (numbers <= 2) return yield* this.ofWeights(numbers);
    const here = terrain.solution;
    if (!(norm(here) < LARGEST)) throw refused("the weights are too large for a landscape around them");
    const ahead = yield* this.ahead(network);
    const way = [...this.walked, here, ...ahead];
    const moved = way[0].some((v, n) => Math.abs(v - way[way.length - 1][n]) > 1e-8 + 1e-5 * Math.abs(way[way.length - 1][n]));
    /** @type {[Float32Array, Float32Array]} */
    let axes;
    /** @type {[number, number][]} */
    let ranges = [[-1, 1], [-1, 1]];
    if (way.length >= 3 && here.length <= REMEMBERED && moved) [axes, ranges] = this.plane(way);
    else {
      const draw = new Generator(0);
      axes = [terrain.direction(draw), terrain.direction(draw)];
    }
    const onto = ontoPlane(...axes);
    const figure = yield* this.drawn(here, axes, ranges, onto, SIDE);
    return new Valley(framed(figure), Float64Array.from(here), onto);
  }

  /** The plane through the weights in which the way has moved most. @param {Float32Array[]} way @returns {[[Float32Array, Float32Array], [number, number][]]} */
  plane(way) {
    const here = this.terrain.solution;
    const away = way.map((vector) => Float64Array.from(vector, (v, n) => v - here[n]));
    const { spread, directions } = principal(away);
    if (!(spread[1] > 1e-6 * spread[0])) { // a straight line: any direction across will do
      const across = Float64Array.from(this.terrain.direction(new Generator(0)));
      const along = dot(across, directions[0]);
      const left = across.map((v, n) => v - along * directions[0][n]);
      directions[1] = left.map((v) => v / (norm(left) || 1));
    }
    const ranges = extents(away.map((x) => directions.map((d) => dot(x, d))), this.constants["planes.MARGIN"]);
    return [[Float32Array.from(directions[0]), Float32Array.from(directions[1])], ranges];
  }

  /** The weights that the next epochs will bring, from here on with the optimizer's first memory. @param {PageNetwork} network */
  *ahead(network) {
    const twin = network.made(network.weights().map((a) => a.slice()));
    /** @type {Float32Array[]} */
    const way = [];
    let spent = 0;
    const pictures = Math.floor(PATH / 2);
    const epochs = Math.max(1, Math.floor(AHEAD / pictures));
    try {
      for (let n = 0; n < pictures; n++) {
        for (let e = 0; e < epochs; e++) {
          const begun = performance.now();
          const { finite } = twin.run(twin.stepsPerEpoch, network.rate);
          spent += (performance.now() - begun) / 1000;
          if (!finite) return way;
          if (spent > this.seconds) return [...way, twin.vector.slice()];
          yield;
        }
        way.push(twin.vector.slice());
      }
      return way;
    } finally {
      twin.close();
    }
  }

  /** Points along a side, an odd number. @param {number} size */
  affordable(size) {
    const least = this.constants["planes.LEAST"];
    const most = Math.floor(Math.sqrt(1 / Math.max(this.terrain.seconds(), 1e-9)));
    const side = Math.max(least, Math.min(size, most));
    return side % 2 ? side : side > least ? side - 1 : side + 1;
  }

  /**
   * The loss on a grid, and the path.
   * @param {ArrayLike<number>} origin
   * @param {[Float32Array, Float32Array]} axes
   * @param {[number, number][]} ranges
   * @param {Float64Array[]} onto
   * @param {number} size
   */
  *drawn(origin, [first, second], ranges, onto, size) {
    const { terrain } = this;
    const side = this.affordable(size);
    const [a, b] = ranges.map((range) => spaced(range, side));
    const { fround } = Math;
    const loss = new Float32Array(side * side);
    const at = new Float32Array(first.length);
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        const [u, v] = [fround(a[i]), fround(b[j])];
        for (let n = 0; n < at.length; n++) at[n] = origin[n] + fround(u * first[n]) + fround(v * second[n]);
        loss[i * side + j] = terrain.loss(at);
      }
      yield;
    }
    const walked = [...this.walked, terrain.solution];
    const path = walked.flatMap((vector) => onto.map((row) => vector.reduce((sum, v, n) => sum + row[n] * (v - origin[n]), 0)));
    const height = floats(walked.map((vector) => terrain.loss(vector)));
    const points = [{ name: "solution", a: 0, b: 0, loss: terrain.loss(terrain.solution) }];
    return { a: floats(a), b: floats(b), loss: floats(loss, side, side), path: floats(path, walked.length, 2), path_loss: height, rows: terrain.rows, points };
  }

  /** The whole landscape of one weight or two: the axes are the weights themselves. @param {number} numbers @returns {Generator2} */
  *ofWeights(numbers) {
    const { terrain } = this;
    const places = terrain.trained.flatMap((part) => Array.from({ length: part.size }, (_, n) => part.offset + n));
    const names = terrain.trained.flatMap((part) => Array.from({ length: part.size }, (_, n) => `${part.key}${part.size > 1 ? n + 1 : ""}`.toLowerCase()));
    const axes = [0, 1].map((k) => Float32Array.from({ length: terrain.solution.length }, (_, n) => Number(n === places[k])));
    const half = places.map((place) => Math.max(4, 1.6 * Math.max(...[...this.walked, terrain.solution].map((vector) => Math.abs(vector[place])))));
    const ranges = /** @type {[number, number][]} */ ([[-half[0], half[0]], numbers === 2 ? [-half[1], half[1]] : [0, 0]]);
    const origin = new Float64Array(terrain.solution.length);
    const onto = axes.map((axis) => Float64Array.from(axis));
    /** @type {any} */
    const figure = yield* this.drawn(origin, /** @type {[Float32Array, Float32Array]} */ (axes), ranges, onto, WEIGHT_SIDE);
    if (numbers === 1) {
      const side = figure.a.length;
      Object.assign(figure, { b: floats([0]), loss: floats(figure.loss.filter((/** @type {number} */ _, /** @type {number} */ n) => n % side === 0), side, 1) });
    }
    figure.points = [];
    return new Valley({ ...framed(figure), a_label: names[0], b_label: names[1] ?? "" }, origin, onto);
  }
}

/** @typedef {globalThis.Generator<void, Valley, void>} Generator2 */

/** A figure of the kind "landscape". @param {any} figure */
function framed(figure) {
  return { ...figure, kind: "landscape", title: sentence("Loss landscape"), a_label: sentence("along the way"), b_label: sentence("across") };
}
