// An optimizer's rows, from what Python has written in the catalogue.
import { count, unsupported } from "./weights.js";

/** @typedef {import("./lowering.js").Spec} Spec @typedef {import("./weights.js").Parameter} Parameter */

/** @param {string} over @param {Parameter[]} trained @param {number} vector */
export function parts(over, trained, vector) {
  if (over === "all") return [{ offset: 0, size: vector }];
  return trained
    .filter((p) => p.shape.length > 1 === (over === "matrix"))
    .map(({ offset, shape }) => {
      const [columns, rows] = [shape[shape.length - 1], shape[shape.length - 2] ?? 0];
      return { offset, size: count(shape), rows, columns, matrices: count(shape) / (rows * columns) };
    });
}

/** The optimizer's arguments, with the defaults of those that aren't given. @param {any} catalogue @param {Spec} spec */
export function settings(catalogue, spec) {
  const { name, ...given } = spec.optimizer;
  const found = catalogue.optimizers[name];
  if (!found) throw unsupported("the page's engine has no optimizer {name}", { name });
  for (const [key, value] of Object.entries(given)) {
    if (!(key in found.defaults))
      throw unsupported("the page's engine has no argument {key} of the optimizer {name}", { key, name });
    if (found.fixed.includes(key) && value !== found.defaults[key])
      throw unsupported("in the page's engine, {key} of the optimizer {name} is {value}", {
        key,
        name,
        value: found.defaults[key],
      });
  }
  return { ...found.defaults, ...Object.fromEntries(Object.entries(given).filter(([, v]) => v !== null)) };
}

/**
 * The variant of the optimizer that its arguments ask for: its rows, and what its vectors begin with.
 * @param {any} catalogue @param {Spec} spec @returns {{ rows: any[], slots: (string | null)[], given: any }}
 */
export function optimizer(catalogue, spec) {
  const given = settings(catalogue, spec);
  const { switches, variants } = catalogue.optimizers[spec.optimizer.name];
  return { ...variants[switches.map((/** @type {string} */ key) => (given[key] ? "1" : "0")).join("")], given };
}
