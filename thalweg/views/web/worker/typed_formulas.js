// Formulas that are small enough for a page: a step computes them for each number, and an exported program compiles them.
import { refused } from "./sentences.js";

/** @typedef {import("../engine/formula.js").Tree} Tree */

const MOST = { calls: 8, depth: 3, exponents: 24, operations: 40 }; // functions in all, and within each other; whole exponents together; operators
const POWER = 3; // functions that a power counts as whose exponent is no number
const OPERATORS = ["+", "-", "*", "/", "**", "neg", "not", "and", "or", "<", "<=", ">", ">="];

/** The number that an exponent is, as in x**2 and x**-0.5; null if it isn't one. @param {Tree} tree @returns {number | null} */
function exponentOf(tree) {
  if (Array.isArray(tree)) return tree[0] === "neg" ? exponentOf(tree[1]) : null;
  return typeof tree === "number" ? Math.abs(tree) : null;
}

/** @param {Tree} tree @returns {typeof MOST} */
function sizeOf(tree) {
  const found = { calls: 0, depth: 0, exponents: 0, operations: 0 };
  if (!Array.isArray(tree)) return found;
  const [operation, ...parts] = tree;
  for (const inner of parts.map(sizeOf)) {
    found.calls += inner.calls;
    found.exponents += inner.exponents;
    found.operations += inner.operations;
    found.depth = Math.max(found.depth, inner.depth);
  }
  const exponent = operation === "**" ? exponentOf(parts[1]) : 0;
  const calls = exponent === null ? POWER : Number(!OPERATORS.includes(operation));
  found.calls += calls;
  found.depth += Number(calls > 0);
  found.exponents += exponent ?? 0;
  found.operations += Number(OPERATORS.includes(operation));
  return found;
}

/** Refuses a formula for which a page would wait too long. @param {Tree} tree */
export function checkSize(tree) {
  const size = sizeOf(tree);
  if (Object.entries(MOST).every(([key, most]) => size[/** @type {keyof typeof MOST} */ (key)] <= most)) return;
  throw refused(
    "the formula is too large for the page: at most {calls} functions, {depth} within each other, exponents that add up to {exponents}, and {operations} operators; a power such as x**x counts as {power} functions",
    { ...MOST, power: POWER },
  );
}
