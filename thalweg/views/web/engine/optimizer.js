// An optimizer's rows, from what Python has written in the catalogue.
import { count, unsupported } from "./weights.js";

/** @typedef {import("./lowering.js").Spec} Spec @typedef {import("./weights.js").Parameter} Parameter */

/**
 * The stretches of the vector that a row works on, and the numbers of each.
 * @param {string} over all, or each matrix or vector @param {boolean} flat whether only arrays of two axes are matrices, and not tables
 * @param {Parameter[]} trained @param {number} vector @returns {{ offset: number, size: number, [name: string]: number }[]}
 */
export function parts(over, flat, trained, vector) {
  if (over === "all") return [{ offset: 0, size: vector }];
  const isMatrix = (/** @type {Parameter} */ { shape, name }) =>
    flat ? shape.length === 2 && name !== "E" : shape.length > 1;
  return trained
    .filter((p) => isMatrix(p) === (over === "matrix"))
    .map(({ offset, shape }) => {
      const [size, columns, rows] = [count(shape), shape[shape.length - 1], shape[shape.length - 2] ?? 0];
      const scratch = 3 * size + 2 * Math.min(rows, columns) ** 2;
      return { offset, size, rows, columns, scratch, matrices: size / (rows * columns) };
    });
}

/** The optimizer's arguments, with the defaults of those that aren't given. @param {any} catalogue @param {Spec} spec */
export function settings(catalogue, spec) {
  const { name, ...given } = spec.optimizer;
  const found = catalogue.optimizers[name];
  if (!found) throw unsupported("the page's engine has no optimizer {name}", { name });
  for (const [key, value] of Object.entries(given)) {
    if (!(key in found.defaults)) {
      if (value === null) continue; // as if it weren't given
      throw unsupported("the page's engine has no argument {key} of the optimizer {name}", { key, name });
    }
    if (found.fixed.includes(key) && value !== found.defaults[key])
      throw unsupported("in the page's engine, {key} of the optimizer {name} is {value}", {
        key,
        name,
        value: found.defaults[key],
      });
  }
  return { ...found.defaults, ...Object.fromEntries(Object.entries(given).map(([key, value]) => [key, value ?? 0])) };
}

/**
 * The variant of the optimizer that its arguments ask for: its rows, and what its vectors begin with.
 * @param {any} catalogue @param {Spec} spec
 * @returns {{ rows: any[], slots: (string | null)[], names: string[], flat: boolean, given: any }}
 */
export function optimizer(catalogue, spec) {
  const given = settings(catalogue, spec);
  const { switches, variants } = catalogue.optimizers[spec.optimizer.name];
  return { ...variants[switches.map((/** @type {string} */ key) => (given[key] ? "1" : "0")).join("")], given };
}
