// The loss of a row in double precision, and its derivative: of the numbers that the page shows, not of the training.
import { evaluate } from "./formulas.js";

const TINY = 1e-7;
const STEP = 1e-5; // of a derivative by differences

/** @param {number} v */
function kept(v) {
  return Math.min(Math.max(v, TINY), 1 - TINY);
}

/** @param {ArrayLike<number>} y @param {Float64Array} p @param {(y: number, p: number) => number} of */
function summed(y, p, of) {
  let sum = 0;
  for (let n = 0; n < p.length; n++) sum += of(y[n], p[n]);
  return sum;
}

/** @param {ArrayLike<number>} y @param {Float64Array} p */
function entropy(y, p) {
  const total = p.reduce((a, b) => a + b, 0);
  return -summed(y, p, (t, q) => t * Math.log(kept(q / total)));
}

/** Losses that need all outputs of a row: targets as a row, predictions, arguments. @type {{ [kind: string]: (y: ArrayLike<number>, p: Float64Array, o: any) => number }} */
const OF_ROWS = {
  CategoricalCrossentropy: entropy,
  SparseCategoricalCrossentropy: entropy,
  CategoricalFocalCrossentropy: (y, p, { alpha, gamma }) => {
    const total = p.reduce((a, b) => a + b, 0);
    return -summed(y, p, (t, v) => alpha * (1 - kept(v / total)) ** gamma * t * Math.log(kept(v / total)));
  },
  CategoricalGeneralizedCrossEntropy: (y, p, { q }) => (1 - summed(y, p, (t, v) => t * v) ** q) / q,
  CategoricalHinge: (y, p) => Math.max(Math.max(...Array.from(p, (v, n) => (1 - y[n]) * v)) - summed(y, p, (t, v) => t * v) + 1, 0),
  CosineSimilarity: (y, p) => -summed(y, p, (t, v) => t * v) / (Math.max(Math.sqrt(summed(y, p, (t) => t * t)), TINY) * Math.max(Math.sqrt(summed(y, p, (_, v) => v * v)), TINY)),
  Dice: (y, p) => 1 - (2 * summed(y, p, (t, v) => t * v)) / (summed(y, p, (t, v) => t + v) + TINY),
  Tversky: (y, p, { alpha, beta }) => 1 - summed(y, p, (t, v) => t * v) / (summed(y, p, (t, v) => t * v + alpha * (1 - v) * t + beta * v * (1 - t)) + TINY),
};

/** A loss by its description. */
export class RowLoss {
  /** @param {any} described of play/pages/thalweg_as_json.py */
  constructor(described) {
    this.described = described;
  }

  /** @param {number} units */
  coefficient(units) {
    const [one, two] = this.described.coefficients;
    return one === two ? one : one / units;
  }

  /** Targets as the equation takes them. @param {ArrayLike<number>} y @param {number} units */
  targets(y, units) {
    const row = this.described.sparse ? Array.from({ length: units }, (_, n) => Number(n === y[0])) : y;
    const smoothing = this.described.value ? 0 : this.described.arguments.label_smoothing ?? 0;
    return smoothing ? Array.from(row, (v) => v * (1 - smoothing) + smoothing / units) : row;
  }

  /** The loss of one vector of outputs. @param {ArrayLike<number>} y @param {Float64Array} p */
  value(y, p) {
    const { value, arguments: given, kind } = this.described;
    const t = this.targets(y, p.length);
    const sum = value ? summed(t, p, (y1, p1) => evaluate(value, { y: y1, p: p1, ...given })) : OF_ROWS[kind](t, p, given);
    return sum * this.coefficient(p.length);
  }

  /** ∂ℓ/∂p. @param {ArrayLike<number>} y @param {Float64Array} p @returns {Float64Array} */
  slope(y, p) {
    const { slope, arguments: given } = this.described;
    if (slope) {
      const t = this.targets(y, p.length);
      const factor = this.coefficient(p.length);
      return p.map((v, n) => factor * evaluate(slope, { y: t[n], p: v, ...given }));
    }
    return p.map((v, n) => {
      const [up, down] = [v + STEP, v - STEP].map((moved) => this.value(y, p.map((old, k) => (k === n ? moved : old))));
      return (up - down) / (2 * STEP);
    });
  }
}
