// Values of formulas: trees that play/pages/thalweg_as_json.py has made of thalweg's equations.

/** A number, a name, or an operation before its operands. @typedef {number | string | any[]} Branch */
/** @typedef {{ let: [string, Branch][], value: Branch }} Tree */
/** @typedef {{ [name: string]: number }} Names */

const abs = Math.abs;
const exp = Math.exp;
const log = Math.log;
const max = Math.max;
const min = Math.min;
const sqrt = Math.sqrt;
const tanh = Math.tanh;
const cosh = Math.cosh;

/** 1/(1 + e⁻ˣ), without overflow. @param {number} x */
function sigmoid(x) {
  const e = exp(-abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

/** @param {number} x */
function softplus(x) {
  return max(x, 0) + Math.log1p(exp(-abs(x)));
}

/** 1 − erf(x) for x ≥ 0: a series near 0, else a continued fraction. @param {number} x */
function erfc(x) {
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; abs(term) > 1e-17 * abs(sum); n++) sum += (term *= (-x * x) / n) / (2 * n + 1);
    return 1 - (2 / sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return exp(-x * x) / sqrt(Math.PI) / (x + fraction);
}

/** @param {number} x */
function erf(x) {
  return x < 0 ? erfc(-x) - 1 : 1 - erfc(x);
}

/** @param {number} x */
function rounded(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + abs(low % 2) : Math.round(x);
}

/** @param {number} x @param {number} y */
function remainder(x, y) {
  return x - y * Math.floor(x / y);
}

/** @type {{ [name: string]: (...x: any[]) => any }} */
const OPERATIONS = {
  "+": (x, y) => x + y,
  "-": (x, y) => x - y,
  "*": (x, y) => x * y,
  "/": (x, y) => x / y,
  "**": (x, y) => x ** y,
  neg: (x) => -x,
  not: (x) => !x,
  and: (...all) => all.every(Boolean),
  or: (...all) => all.some(Boolean),
  "<": (x, y) => x < y,
  "<=": (x, y) => x <= y,
  ">": (x, y) => x > y,
  ">=": (x, y) => x >= y,
  "==": (x, y) => x === y,
  "!=": (x, y) => x !== y,
  exp, log, sqrt, abs, tanh, cosh, max, min, sigmoid, softplus, erf,
  expm1: Math.expm1, log1p: Math.log1p, sign: Math.sign, sin: Math.sin, cos: Math.cos, tan: Math.tan, sinh: Math.sinh,
  arctan: Math.atan, arctan2: Math.atan2, floor: Math.floor, ceil: Math.ceil, round: rounded, mod: remainder,
  floor_divide: (x, y) => Math.floor(x / y),
  pow: (x, y) => x ** y,
  where: (on, x, y) => (on ? x : y),
  logcosh: (x) => (abs(x) < 1 ? Math.log1p(2 * Math.sinh(abs(x) / 2) ** 2) : abs(x) + Math.log1p(exp(-2 * abs(x))) - log(2)),
  tanh_shrink: (x) => x - tanh(x),
  normal: (x) => (x > 0 ? 1 - erfc(x / sqrt(2)) / 2 : erfc(-x / sqrt(2)) / 2),
  normal_density: (x) => exp(-0.5 * x * x) / sqrt(2 * Math.PI),
  mish_gate: (x) => tanh(softplus(x)),
  mish_gate_slope: (x) => {
    const u = exp(min(x, 30));
    const n = u * (u + 2);
    return ((4 * (n + 1)) / (n + 2) ** 2) * sigmoid(x);
  },
};

/**
 * The value of a formula.
 * @param {Tree} tree
 * @param {Names} names
 * @returns {number}
 */
export function evaluate(tree, names) {
  /** @type {Names} */
  const known = { pi: Math.PI, inf: Infinity, ...names };
  for (const [name, part] of tree.let) known[name] = branch(part, known);
  return branch(tree.value, known);
}

/** @param {Branch} part @param {Names} names @returns {any} */
function branch(part, names) {
  if (typeof part === "number") return part;
  if (typeof part === "string") return names[part];
  const operation = OPERATIONS[part[0]];
  if (!operation) throw new TypeError(`no operation ${part[0]}`);
  return operation(...part.slice(1).map((inner) => branch(inner, names)));
}

/** @param {ArrayLike<number>} h */
function softmax(h) {
  const top = Math.max(...Array.from(h));
  const powers = Float64Array.from(h, (v) => exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

/** The point of the simplex nearest to h. @param {ArrayLike<number>} h */
function sparsemax(h) {
  const sorted = Float64Array.from(h).sort().reverse();
  let sum = 0;
  let threshold = 0;
  sorted.forEach((v, n) => {
    sum += v;
    if (1 + (n + 1) * v > sum) threshold = (sum - 1) / (n + 1);
  });
  return Float64Array.from(h, (v) => max(v - threshold, 0));
}

/** An activation of a row of numbers, and what flows back through it. */
export class Activation {
  /** @param {any} described of play/pages/thalweg_as_json.py */
  constructor(described) {
    this.described = described;
    this.name = described.name;
    this.rowwise = described.rowwise;
  }

  /** @param {Float64Array} h one row @returns {Float64Array} */
  of(h) {
    const { value, numbers, name } = this.described;
    if (value) return h.map((v) => evaluate(value, { h: v, ...numbers }));
    if (name === "softmax") return softmax(h);
    if (name === "sparsemax") return sparsemax(h);
    if (name === "log_softmax") return softmax(h).map(log);
    return h.slice();
  }

  /** The derivative number by number; null for a function of a whole row. @param {number} h @returns {number | null} */
  slope(h) {
    if (this.rowwise) return null;
    const { value, slope, numbers } = this.described;
    return slope ? evaluate(slope, { h, a: evaluate(value, { h, ...numbers }), ...numbers }) : 1;
  }
}
