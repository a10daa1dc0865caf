// The lines of NumPy beside a unit's numbers.
import { sizeOf } from "./exercise.js";

/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** @typedef {import("./page_network.js").Layer} Layer */

/**
 * @param {PageNetwork} network
 * @param {Layer} layer
 * @param {any} found the unit's numbers
 * @param {string} place what stands behind a name of a unit among several: "[k]", "[i, j]" or nothing
 */
export function numpyLines(network, layer, found, place) {
  const inner = place.includes(",") ? place : "";
  const [h, yPredict, target, error] = [`h${inner}`, `y_predict${inner}`, `y${place}`, `error${inner}`];
  const [value, slope] = functions(layer, h, yPredict);
  const lines = { y_predict: `${yPredict} = ${value}`, slope };
  const sloped = slope === "1" || slope === "" ? "" : ` * ${slope}`;
  if (layer !== network.layers[network.layers.length - 1]) {
    const of = found.next && slope ? "error = np.dot(W_next[k], error_term_next)" : "";
    return { ...lines, error: of, error_term: of && `error_term = error${sloped}` };
  }
  const all = { ...lines, error: `${error} = ${target} - ${yPredict}` };
  const term = `error_term${inner} = `;
  const factor = factorOf(network);
  if (found.joined && factor) return { ...all, error_term: term + times(factor, error) }; // their derivatives cancel
  if (!slope) return { ...all, error_term: "" };
  if (!factor || found.joined || network.knobs.loss.described.kind.includes("Crossentropy")) return { ...all, error_term: `${term}-loss_prime(y, y_predict)${place}${sloped}` };
  return { ...all, error_term: term + times(factor, error) + sloped };
}

/**
 * What the error is multiplied by in the error term, before the activation's slope; null if the loss isn't made of it.
 * @param {PageNetwork} network
 * @returns {[number, number] | null} a fraction
 */
export function factorOf(network) {
  const { kind, half } = network.knobs.loss.described;
  const factors = network.tools.site.factors[kind];
  if (!factors) return null;
  const { shape } = network.layers[network.layers.length - 1];
  const units = shape[shape.length - 1];
  const [top, bottom] = half ? [1, 1] : factors[0] === factors[1] ? [factors[0], 1] : [factors[0], units];
  const under = bottom * sizeOf(shape.slice(0, -1));
  const shared = top === 2 && under % 2 === 0 ? 2 : 1;
  return [top / shared, under / shared];
}

/** A product as it is written in code: nothing before it for 1. @param {[number, number]} factor @param {string} of */
function times([top, bottom], of) {
  return `${top > 1 ? `${top} * ` : ""}${of}${bottom > 1 ? ` / ${bottom}` : ""}`;
}

/** The activation of h, and its derivative. @param {Layer} layer @param {string} h @param {string} yPredict */
function functions(layer, h, yPredict) {
  const { name, rowwise, described } = /** @type {import("./formulas.js").Activation} */ (layer.activation);
  if (name === "linear") return [h, "1"];
  if (rowwise) return [`${name}(h_all)[k]`, ""];
  if (!described.texts) return [`${name}(${h})`, `${name}_prime(${h})`];
  const [value, slope] = described.texts.map((/** @type {string} */ text) => text.replace(/ ?(\*\*|[*/]) ?/g, " $1 ").replace(/\b[ha]\b/g, (one) => (one === "h" ? h : yPredict)));
  return [value, /^[\w.]+$|^\w+\([^()]*\)$/.test(slope) ? slope : `(${slope})`];
}
