// The doctor at a training: samples of single steps, as thalweg/recordings takes them.
import { diagnosed } from "./doctor.js";
import { evenly, taken } from "./exercise.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** @typedef {import("./page_network.js").Layer} Layer */
/** What was measured around a step; an array has a number for each layer with weights. @typedef {{ iteration: number, weightNorm: number[], gradientNorm: number[], weightSize: number[], ratio: number[], dead: number[], saturated: number[], equal: number[] }} Sample */

const seconds = () => performance.now() / 1000;
const MOST_ROWS = 256;
const BETWEEN = 0.25; // s from one sample to the next: one takes a few milliseconds
const FIRST = 12; // samples that are taken early,
const GROWTH = 1.5; // and by how much the steps between them grow
const AGAIN = 1; // s from one diagnosis to the next

/** @param {ArrayLike<number>[]} parts @param {(v: number) => number} of */
function summed(parts, of) {
  let sum = 0;
  for (const part of parts) for (let n = 0; n < part.length; n++) sum += of(part[n]);
  return sum;
}

/** Whether an activation is 0 for all h ≤ 0, and whether it is almost flat for large |h|. @param {Layer} layer @param {number} large */
function character(layer, large) {
  const { activation } = layer;
  if (!activation || activation.rowwise || !activation.described.value) return { dies: false, saturates: false };
  const d = 1e-3;
  const [low, lowEnd, before, after, high, highEnd] = activation.of(Float64Array.of(-large - d, -large, -d, d, large, large + d));
  const slope = Math.abs(after - before) / (2 * d);
  const flat = [lowEnd - low, highEnd - high].every((change) => Math.abs(change) / d < 0.05 * slope);
  return { dies: activation.of(Float64Array.of(-30, -10, -5, -2, -1, -0.1, 0)).every((a) => a === 0), saturates: flat };
}

/** The share of units that have a twin with the same weights and bias. @param {Float32Array} W @param {Float32Array | null} b @param {number} units @param {number} same */
function equalUnits(W, b, units, same) {
  const column = (/** @type {number} */ u) => [...Array.from({ length: W.length / units }, (_, n) => W[n * units + u]), ...(b ? [b[u]] : [])];
  const columns = Array.from({ length: units }, (_, u) => column(u));
  const sizes = columns.map((c) => Math.max(...c.map(Math.abs)));
  const twins = new Set();
  for (let u = 0; u < units; u++) {
    for (let v = u + 1; v < units; v++) {
      if (columns[u].every((w, n) => Math.abs(w - columns[v][n]) <= same * Math.max(sizes[u], sizes[v]))) twins.add(u).add(v);
    }
  }
  return twins.size / units;
}

/** When a training is sampled, and the newest findings about it. */
export class Checkup {
  /** @param {Course} course */
  constructor(course) {
    this.course = course;
    this.again = AGAIN;
    this.large = course.constants["measuring.SATURATED"];
    this.same = course.constants["measuring.SAME"];
    this.at = 0; // the step from which on the next of the early samples is taken
    this.sampled = -BETWEEN;
    this.rate = { most: 0, last: 0 };
    /** @type {Sample[]} */
    this.samples = [];
    /** @type {any[]} */
    this.known = [];
    this.about = "";
    this.made = -this.again;
  }

  /** Whether the step after these is one to sample. @param {number} steps */
  due(steps) {
    const now = seconds();
    const early = this.samples.length < FIRST && steps >= this.at;
    if (!early && now - this.sampled < BETWEEN) return false;
    this.at = Math.max(steps + 1, steps * GROWTH);
    this.sampled = now;
    return true;
  }

  /** The parts of layers that gradients change. @param {Float32Array[]} weights @returns {Float32Array[][]} */
  parts(weights) {
    return this.layers.map(({ first, trained }) => weights.slice(first, first + trained).map((a) => a.slice()));
  }

  /** Those with weights. */
  get layers() {
    return this.course.network.layers.filter(({ arrays }) => arrays.length);
  }

  /** One step, and a sample of it; returns what the engine has recorded. */
  step() {
    const { network, engine } = this.course;
    const iteration = engine.epochs * engine.stepsPerEpoch + engine.step;
    const before = this.parts(network.weights());
    const activity = this.activity();
    const records = network.run(1);
    this.take(iteration, before, this.parts(network.weights()), activity);
    return records;
  }

  /** Samples of the last finite step, whose weights before it are given, and of the one that failed. @param {Float32Array | null} earlier */
  failed(earlier) {
    const { network, engine } = this.course;
    const iteration = engine.epochs * engine.stepsPerEpoch + engine.step;
    const now = engine.vector.slice();
    const last = this.parts(network.weights());
    if (earlier) {
      engine.vector.set(earlier);
      this.take(iteration - 1, this.parts(network.weights()), last, this.activity(), false);
      engine.vector.set(now);
    }
    this.take(iteration, last, null, this.activity(), false);
  }

  /** Keeps a sample. @param {number} iteration @param {Float32Array[][]} before @param {Float32Array[][] | null} after @param {any} activity @param {boolean} [gradient] whether the engine has the step's */
  take(iteration, before, after, activity, gradient = true) {
    const { network, engine } = this.course;
    const places = this.layers.map((layer) => network.layers.indexOf(layer));
    const gradients = places.map((place) => (gradient ? engine.gradients().filter(({ layer }) => layer === place).map(({ values }) => values) : null));
    const size = (/** @type {Float32Array[]} */ parts) => summed(parts, Math.abs) / parts.reduce((n, part) => n + part.length, 0);
    const length = (/** @type {Float32Array[]} */ parts) => Math.sqrt(summed(parts, (v) => v * v));
    const sizes = before.map(size);
    const moved = before.map((parts, k) => (after ? size(parts.map((part, m) => after[k][m].map((v, n) => v - part[n]))) : NaN));
    this.samples = this.samples.filter((sample) => sample.iteration < iteration);
    this.samples.push({
      iteration, ...activity, weightNorm: before.map(length), gradientNorm: gradients.map((parts) => (parts ? length(parts) : NaN)), weightSize: sizes,
      ratio: sizes.map((w, k) => (w > 0 ? moved[k] / w : NaN)),
      equal: this.layers.map((layer, k) => (layer.weights < 0 ? NaN : equalUnits(before[k][0], before[k][1] ?? null, layer.shape[layer.shape.length - 1], this.same))),
    });
    if (this.samples.length > 512) this.samples = this.samples.filter((_, n) => n % 2 === 0);
  }

  /** What the units do on some rows. */
  activity() {
    const { network, engine, state } = this.course;
    const { x, rows } = network.exercise;
    const some = evenly(rows, Math.min(MOST_ROWS, Math.max(16, 6 * state.batch)));
    const wide = network.y.length / rows;
    const traced = engine.trace(taken(x, x.length / rows, some), taken(network.y, wide, some), some.length);
    const of = new Map(traced.map(({ layer, h }) => [network.layers[layer], h]));
    const dead = [];
    const saturated = [];
    for (const layer of this.layers) {
      const h = of.get(layer);
      const { dies, saturates } = character(layer, this.large);
      const units = layer.shape[layer.shape.length - 1];
      const greatest = new Float32Array(units).fill(-Infinity);
      let large = 0;
      h?.forEach((v, n) => {
        if (v > greatest[n % units]) greatest[n % units] = v;
        if (Math.abs(v) >= this.large) large += 1;
      });
      dead.push(h && dies ? greatest.filter((v) => v <= 0).length / units : NaN);
      saturated.push(h && saturates ? large / h.length : NaN);
    }
    return { dead, saturated };
  }

  /** What is wrong, the gravest first; looked at anew from time to time. @param {import("./sentences.js").Text | null} diverged */
  findings(diverged) {
    const about = `${this.samples.length} ${diverged?.en ?? ""}`;
    const now = seconds();
    if (about === this.about || (!diverged && now - this.made < this.again)) return this.known;
    this.about = about;
    this.made = now;
    this.known = diagnosed(this.course, this.samples, this.rate, diverged);
    return this.known;
  }
}
