// Formulas that a visitor types: read, differentiated, and put among the kernels as functions of JavaScript. A formula
// is a tree: a number, a name, or an operation before its operands; the language is that of Python's formulas.
import { unsupported } from "./weights.js";

/** @typedef {number | string | [string, ...any[]]} Tree */

/** 1/(1 + e⁻ˣ), without overflow. @param {number} x */
const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
/** @param {number} x */
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The error function, by a series near 0 and a continued fraction. @param {number} x */
function erf(x) {
  const t = Math.abs(x);
  if (t < 2) {
    let [term, sum] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += (term *= (-x * x) / n) / (2 * n + 1);
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / Math.sqrt(Math.PI) / (t + fraction));
}

/** Each function of one number: its value, and its derivative as a tree of its argument. @type {{ [name: string]: [(x: number) => number, (u: Tree) => Tree] }} */
const FUNCTIONS = {
  exp: [Math.exp, (u) => ["exp", u]],
  expm1: [Math.expm1, (u) => ["exp", u]],
  log: [Math.log, (u) => ["/", 1, u]],
  log1p: [Math.log1p, (u) => ["/", 1, ["+", 1, u]]],
  sqrt: [Math.sqrt, (u) => ["/", 0.5, ["sqrt", u]]],
  abs: [Math.abs, (u) => ["sign", u]],
  sign: [Math.sign, () => 0],
  sin: [Math.sin, (u) => ["cos", u]],
  cos: [Math.cos, (u) => ["neg", ["sin", u]]],
  tan: [Math.tan, (u) => ["+", 1, ["**", ["tan", u], 2]]],
  arctan: [Math.atan, (u) => ["/", 1, ["+", 1, ["**", u, 2]]]],
  sinh: [Math.sinh, (u) => ["cosh", u]],
  cosh: [Math.cosh, (u) => ["sinh", u]],
  tanh: [Math.tanh, (u) => ["-", 1, ["**", ["tanh", u], 2]]],
  sigmoid: [sigmoid, (u) => ["*", ["sigmoid", u], ["sigmoid", ["neg", u]]]],
  softplus: [softplus, (u) => ["sigmoid", u]],
  erf: [erf, (u) => ["*", 2 / Math.sqrt(Math.PI), ["exp", ["neg", ["**", u, 2]]]]],
};
/** Other functions, as trees of their arguments. @type {{ [name: string]: [number, (...u: Tree[]) => Tree] }} */
const DEFINED = {
  square: [1, (u) => ["**", u, 2]],
  relu: [1, (u) => ["max", u, 0]],
  atan: [1, (u) => ["arctan", u]],
  pow: [2, (u, v) => ["**", u, v]],
  where: [3, (on, u, v) => ["where", on, u, v]],
};
/** @type {{ [name: string]: (...x: any[]) => any }} */
const OPERATIONS = {
  "**": (x, y) => x ** y,
  max: Math.max,
  min: Math.min,
  "<": (x, y) => x < y,
  "<=": (x, y) => x <= y,
  ">": (x, y) => x > y,
  ">=": (x, y) => x >= y,
  and: (x, y) => x && y,
  or: (x, y) => x || y,
  not: (x) => !x,
  ...Object.fromEntries(Object.entries(FUNCTIONS).map(([name, [value]]) => [name, value])),
};
const LONGEST = 500; // characters
const MOST = 2000; // operations of a derivative
const DEEPEST = 10; // functions within each other: tan doubles what is in it
const CONDITIONS = ["<", "<=", ">", ">=", "and", "or", "not"];
const TOKEN =
  /\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(\*\*|<=|>=|[-+*/(),<>])|(\S))/gy;

/** Reads a text by recursive descent: if … else, or, and, not, comparisons, + −, * /, sign, power, in this order. */
export class Reader {
  /** @param {string} text @param {{ [name: string]: string }} names what the text calls its variables, and what the tree does */
  constructor(text, names) {
    this.names = names;
    this.used = new Set();
    this.tokens = /** @type {string[]} */ ([]);
    for (const [, number, name, sign, other] of text.matchAll(TOKEN)) {
      if (other) throw unsupported("a formula can't contain the character {letter!r}", { letter: other });
      this.tokens.push(number ?? name ?? sign);
    }
    this.at = 0;
    this.depth = 0;
  }
  /** @param {...string} expected @returns {string | null} the next token, taken if it is one of these */
  take(...expected) {
    return expected.includes(this.tokens[this.at]) ? this.tokens[this.at++] : null;
  }
  /** @param {string} expected */
  need(expected) {
    if (!this.take(expected)) this.fail();
  }
  /** @returns {never} */
  fail() {
    const found = this.tokens[this.at];
    if (found === undefined) throw unsupported("the formula ends too early");
    throw unsupported("the formula can't be read from {token} on", { token: found });
  }
  /** @returns {Tree} */
  whole() {
    const tree = number(this.choice());
    if (this.at < this.tokens.length) this.fail();
    return tree;
  }
  /** @returns {Tree} */
  choice() {
    const value = this.either();
    if (!this.take("if")) return value;
    const on = condition(this.either());
    this.need("else");
    return ["where", on, number(value), number(this.choice())];
  }
  /** @returns {Tree} */
  either() {
    let left = this.both();
    while (this.take("or")) left = ["or", condition(left), condition(this.both())];
    return left;
  }
  /** @returns {Tree} */
  both() {
    let left = this.negation();
    while (this.take("and")) left = ["and", condition(left), condition(this.negation())];
    return left;
  }
  /** @returns {Tree} */
  negation() {
    return this.take("not") ? ["not", condition(this.negation())] : this.comparison();
  }
  /** @returns {Tree} */
  comparison() {
    let [left, result] = [this.sum(), /** @type {Tree | null} */ (null)];
    for (let sign; (sign = this.take("<", "<=", ">", ">="));) {
      const right = this.sum();
      const one = /** @type {Tree} */ ([sign, number(left), number(right)]);
      [left, result] = [right, result === null ? one : ["and", result, one]];
    }
    return result ?? left;
  }
  /** @returns {Tree} */
  sum() {
    let left = this.product();
    for (let sign; (sign = this.take("+", "-"));) left = [sign, number(left), number(this.product())];
    return left;
  }
  /** @returns {Tree} */
  product() {
    let left = this.signed();
    for (let sign; (sign = this.take("*", "/"));) left = [sign, number(left), number(this.signed())];
    return left;
  }
  /** @returns {Tree} */
  signed() {
    if (this.take("-")) return ["neg", number(this.signed())];
    return this.take("+") ? number(this.signed()) : this.power();
  }
  /** @returns {Tree} */
  power() {
    const base = this.atom();
    return this.take("**") ? ["**", number(base), number(this.signed())] : base;
  }
  /** @returns {Tree} */
  atom() {
    if (this.take("(")) {
      const inner = this.choice();
      this.need(")");
      return inner;
    }
    const token = this.tokens[this.at] ?? this.fail();
    if (/^[\d.]/.test(token)) {
      this.at += 1;
      return this.literal(token);
    }
    if (!/^[A-Za-z_]/.test(token) || ["if", "else", "and", "or", "not"].includes(token)) this.fail();
    this.at += 1;
    if (this.take("(")) return this.call(token);
    if (token in this.names) {
      this.used.add(token);
      return this.names[token];
    }
    if (token === "pi" || token === "e") return token === "pi" ? Math.PI : Math.E;
    const known = [...Object.keys(this.names), "pi", "e"].join(", ");
    throw unsupported("unknown name {name!r} in the formula. It knows: {known}", { name: token, known });
  }
  /** A number. @param {string} token @returns {Tree} */
  literal(token) {
    return Number(token);
  }
  /** @returns {Tree[]} */
  given() {
    const found = [];
    if (++this.depth > DEEPEST) throw unsupported("the formula is nested too deeply");
    do found.push(this.choice());
    while (this.take(","));
    this.need(")");
    this.depth -= 1;
    return found;
  }
  /** @param {string} name @returns {Tree} */
  call(name) {
    const given = this.given();
    const counted = name in FUNCTIONS ? 1 : name === "min" || name === "max" ? 2 : DEFINED[name]?.[0];
    if (counted === undefined) throw unsupported("unknown function {name} in the formula", { name });
    if (given.length !== counted && !(counted === 2 && name !== "pow" && given.length > 2)) {
      const values = { name, count: counted, given: given.length };
      if (counted === 1) throw unsupported("{name} takes 1 argument, got {given}", values);
      throw unsupported("{name} takes {count} arguments, got {given}", values);
    }
    const arguments_ = given.map((u, n) => (name === "where" && n === 0 ? condition(u) : number(u)));
    if (name in DEFINED) return DEFINED[name][1](...arguments_);
    if (counted === 1) return [name, arguments_[0]];
    return arguments_.reduce((one, other) => [name, one, other]);
  }
}

/** @param {Tree} tree */
const isCondition = (tree) => Array.isArray(tree) && CONDITIONS.includes(tree[0]);
/** @param {Tree} tree @returns {Tree} */
function condition(tree) {
  if (!isCondition(tree)) throw unsupported("a condition is a comparison such as x > 0");
  return tree;
}
/** @param {Tree} tree @returns {Tree} */
function number(tree) {
  if (isCondition(tree))
    throw unsupported("a comparison can only be the condition of where(…, …, …) or of … if … else …");
  return tree;
}

/**
 * The derivative of a tree with respect to a name, without what is 0.
 * @param {Tree} tree @param {string} name @returns {Tree}
 */
export function derivative(tree, name) {
  if (!Array.isArray(tree)) return tree === name ? 1 : 0;
  const [operation, u, v] = tree;
  if (operation === "where") {
    const [one, other] = [derivative(v, name), derivative(tree[3], name)];
    return one === 0 && other === 0 ? 0 : ["where", u, one, other];
  }
  const du = derivative(u, name);
  if (operation in FUNCTIONS) return times(FUNCTIONS[operation][1](u), du);
  if (operation === "neg") return du === 0 ? 0 : ["neg", du];
  const dv = derivative(v, name);
  if (du === 0 && dv === 0) return 0;
  switch (operation) {
    case "+":
      return du === 0 ? dv : dv === 0 ? du : ["+", du, dv];
    case "-":
      return dv === 0 ? du : du === 0 ? ["neg", dv] : ["-", du, dv];
    case "*": {
      const [one, other] = [times(v, du), times(u, dv)];
      return one === 0 ? other : other === 0 ? one : ["+", one, other];
    }
    case "/":
      return dv === 0 ? ["/", du, v] : ["/", ["-", times(du, v), times(u, dv)], ["**", v, 2]];
    case "**":
      if (dv === 0) return times(times(v, v === 2 ? u : ["**", u, typeof v === "number" ? v - 1 : ["-", v, 1]]), du);
      return ["*", tree, ["+", times(["log", u], dv), ["/", times(v, du), u]]];
    default: // max and min
      return ["where", [operation === "max" ? ">" : "<", u, v], du, dv];
  }
}

/** @param {Tree} u @param {Tree} v @returns {Tree} */
function times(u, v) {
  if (u === 0 || v === 0) return 0;
  return u === 1 ? v : v === 1 ? u : ["*", u, v];
}

/**
 * A tree as a function of these names.
 * @param {Tree} tree @param {string[]} names @returns {(...values: number[]) => number}
 */
export function compiled(tree, names) {
  if (typeof tree === "number") return () => tree;
  if (typeof tree === "string") return names.indexOf(tree) === 0 ? (x) => x : (_, y) => y;
  const [a, b, c] = tree.slice(1).map((part) => compiled(part, names));
  switch (tree[0]) {
    // those of most formulas as functions of their own, which a browser inlines
    case "+":
      return (x, y) => a(x, y) + b(x, y);
    case "-":
      return (x, y) => a(x, y) - b(x, y);
    case "*":
      return (x, y) => a(x, y) * b(x, y);
    case "/":
      return (x, y) => a(x, y) / b(x, y);
    case "neg":
      return (x, y) => -a(x, y);
    case "where":
      return (x, y) => (a(x, y) ? b(x, y) : c(x, y));
  }
  const operation = OPERATIONS[tree[0]];
  return b ? (x, y) => operation(a(x, y), b(x, y)) : (x, y) => operation(a(x, y));
}

/** How many operations a tree has, as far as `most`. @param {Tree} tree @param {number} most @returns {number} */
function operations(tree, most) {
  if (!Array.isArray(tree)) return 0;
  let found = 1;
  for (const part of tree.slice(1)) if (found <= most) found += operations(part, most - found);
  return found;
}

/** How tightly what is between operands binds. @type {{ [operation: string]: number }} */
const BINDING = {
  or: 1,
  and: 2,
  not: 3,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  neg: 7,
  "**": 8,
};

/**
 * A tree as a text that Python reads.
 * @param {Tree} tree @param {number} [around] the binding of what it stands in @param {number} [tight] operations that
 * bind so tightly stand without spaces @returns {string}
 */
export function written(tree, around = 0, tight = 6) {
  if (!Array.isArray(tree)) return typeof tree === "number" && tree < 0 && around > 5 ? `(${tree})` : String(tree);
  const [operation, ...parts] = tree;
  const own = BINDING[operation];
  if (own === undefined) return `${operation}(${parts.map((part) => written(part, 0, tight)).join(", ")})`;
  const [left, right] = operation === "**" ? [own + 1, own] : [own, own + 1];
  const sign = operation === "neg" ? "-" : operation;
  const text =
    parts.length === 1
      ? `${sign}${operation === "not" ? " " : ""}${written(parts[0], own, tight)}`
      : `${written(parts[0], left, tight)}${own < tight ? ` ${sign} ` : sign}${written(parts[1], right, tight)}`;
  return own < around ? `(${text})` : text;
}

/**
 * A formula and its derivative with respect to the first variable, in the tree's names.
 * @param {string} text @param {{ [name: string]: string }} names @returns {{ value: Tree, slope: Tree }}
 */
export function formula(text, names) {
  const values = { most: LONGEST, count: text.length };
  if (text.length > LONGEST) throw unsupported("a formula has at most {most} characters, this one has {count}", values);
  const reader = new Reader(text, names);
  const value = reader.whole();
  const [variable] = Object.keys(names);
  if (!reader.used.size)
    throw unsupported("the formula doesn't depend on {names}", { names: Object.keys(names).join(" or ") });
  const slope = derivative(value, names[variable]);
  if (slope === 0)
    throw unsupported("the derivative with respect to {name} is 0 everywhere: nothing can be learned", {
      name: variable,
    });
  if (operations(slope, MOST) > MOST)
    throw unsupported("the derivative with respect to {name} exceeds {most} operations", {
      name: variable,
      most: MOST,
    });
  const all = Object.values(names);
  const tried = Array.from({ length: 61 }, (_, n) => [n / 10 - 3, ((7 * n) % 61) / 10 - 3]);
  const finite = (/** @type {Tree} */ tree) => tried.some(([x, y]) => Number.isFinite(compiled(tree, all)(x, y)));
  if (!finite(value)) throw unsupported("the formula's value is not a finite number anywhere between -3 and 3");
  if (!finite(slope)) throw unsupported("the formula's derivative is not a finite number anywhere between -3 and 3");
  return { value, slope };
}

/**
 * An activation that is a formula in x, as the page's data have the others: its equations as trees, and as texts.
 * @param {string} text
 */
export function describedActivation(text) {
  const { value, slope } = formula(text, { x: "h" });
  const trees = { value: { let: [], value }, slope: { let: [], value: slope } };
  return { name: text, rowwise: false, numbers: {}, ...trees, texts: [written(value), written(slope)] };
}
