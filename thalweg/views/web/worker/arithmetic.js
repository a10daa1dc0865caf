// One unit's arithmetic on one row, with the tutorial's names.
import { factorOf, numpyLines } from "./numpy_lines.js";
import { floats } from "./encode.js";
import { sentence } from "./sentences.js";

/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** @typedef {import("./page_network.js").Layer} Layer */
/** @typedef {{ layer: number, unit: number, row: number }} Choice */
/** A step that was done: the weights before it, and how. @typedef {{ before: [Float32Array, Float32Array | null][], rows: number, iteration: number, learningRate: number }} Step */

const MOST_ROWS = 200; // of a batch whose step is written out

/** What a layer read and made of some rows, and −∂L/∂h: each row after the other. @typedef {{ x: Float64Array, h: Float64Array, a: Float64Array, terms: Float64Array }} Pass */

/** A training step on some rows; the weights don't change. @param {PageNetwork} network @param {number} first @param {number} count @returns {Map<Layer, Pass>} */
function executed(network, first, count) {
  const { x, rows } = network.exercise;
  const of = (/** @type {Float32Array} */ all) => all.slice((first * all.length) / rows, ((first + count) * all.length) / rows);
  const traced = network.engine.trace(of(x), of(network.y), count);
  return new Map(traced.map(({ layer, x: read, h, a, dh }) => [network.layers[layer], { x: Float64Array.from(read), h: Float64Array.from(h), a: Float64Array.from(a), terms: Float64Array.from(dh, (v) => -v) }]));
}

/** A layer's part of a step. @param {Map<Layer, Pass>} run @param {Layer} layer @returns {Pass} */
function passOf(run, layer) {
  return /** @type {Pass} */ (run.get(layer));
}

/** Whether the derivatives of loss and output activation cancel: they are computed as one. @param {PageNetwork} network */
function cancels(network) {
  const { after } = network.knobs.loss.described;
  return Boolean(after) && network.layers[network.layers.length - 1].activation?.name === after;
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function dot(a, b) {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n] * b[n];
  return sum;
}

/** Every units-th number from `unit` on. @param {ArrayLike<number>} array @param {number} units @param {number} unit */
function columnOf(array, units, unit) {
  return Float64Array.from({ length: array.length / units }, (_, n) => array[n * units + unit]);
}

/** A choice, as far as the network has such a layer, unit and row. @param {PageNetwork} network @param {Choice} choice @returns {Choice} */
function within(network, choice) {
  const { kernels, exercise } = network;
  const layer = choice.layer >= 0 && choice.layer < kernels.length ? choice.layer : kernels.length - 1;
  const { shape } = kernels[layer];
  return { layer, unit: Math.min(Math.max(choice.unit, 0), shape[shape.length - 1] - 1), row: Math.min(Math.max(choice.row, 0), exercise.rows - 1) };
}

/** The place of a map where a filter answers most. @param {Float64Array} h @param {Layer} layer @param {number} unit @returns {[number, number]} */
function largest(h, layer, unit) {
  const [, columns, units] = layer.shape;
  const size = columnOf(h, units, unit).map(Math.abs);
  const at = size.indexOf(Math.max(...size));
  return [Math.floor(at / columns), at % columns];
}

/** The pixels that a filter sees at a place of its map. @param {Float64Array} image @param {Layer} layer @param {[number, number]} place */
function patch(image, layer, [top, left]) {
  const [high, wide, channels] = layer.input;
  const size = layer.spec.kernel_size;
  const before = layer.spec.padding === "same" ? Math.floor((size - 1) / 2) : 0;
  return Float64Array.from({ length: size * size * channels }, (_, n) => {
    const [c, x, y] = [n % channels, left - before + (Math.floor(n / channels) % size), top - before + Math.floor(n / channels / size)];
    return x < 0 || x >= wide || y < 0 || y >= high ? 0 : image[(y * wide + x) * channels + c];
  });
}

/** The target of an output; of class numbers, 1 for the class and 0 for the others. @param {PageNetwork} network @param {number} row @param {number} at @param {number} unit */
function wanted(network, row, at, unit) {
  const wide = network.y.length / network.exercise.rows;
  const y = network.y.subarray(row * wide, (row + 1) * wide);
  if (network.exercise.task === "multiclass" && wide === 1) return Number(y[0] === unit);
  return wide === 1 ? y[0] : y[at];
}

/** @param {PageNetwork} network @param {Layer} layer @param {number} count @returns {string[]} */
function inputNames(network, layer, count) {
  const place = network.layers.indexOf(layer);
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  if (layer.kind === "Conv2D") return numbers.map((n) => `x${n}`);
  if (place === 0 && network.exercise.inputs.length === count) return network.exercise.inputs;
  return numbers.map((n) => `${place === 0 ? "x" : network.layers[place - 1].name} ${n}`);
}

/**
 * What the page shows for a unit and a row, at the weights now; with a step, what it really changed.
 * @param {PageNetwork} network
 * @param {Choice} asked
 * @param {Step | null} step
 */
export function arithmetic(network, asked, step) {
  const choice = within(network, asked);
  const { layer: number, unit, row } = choice;
  const layer = network.kernels[number];
  const run = executed(network, row, 1);
  const pass = passOf(run, layer);
  const activation = /** @type {import("./formulas.js").Activation} */ (layer.activation);
  const [kernel, bias] = network.kernelOf(layer);
  const units = layer.shape[layer.shape.length - 1];
  const convolution = layer.kind === "Conv2D";
  const place = convolution ? largest(pass.h, layer, unit) : null;
  const at = place ? (place[0] * layer.shape[1] + place[1]) * units + unit : unit;
  const x = place ? patch(pass.x, layer, place) : pass.x;
  const w = columnOf(kernel, units, unit);
  const [h, term, rate] = [pass.h[at], pass.terms[at], network.learningRate];
  const delta = x.map((v) => rate * term * v);
  /** @type {any} */
  const found = {
    layer: number, unit, row, layer_name: layer.name, activation: activation.name, x: floats(x), x_names: inputNames(network, layer, x.length), w: floats(w),
    b: bias ? bias[unit] : null, h, y_predict: outputAt(activation, pass.h, at, units), slope: activation.slope(h), error_term: term, delta_w: floats(delta),
    delta_b: bias ? rate * term : null, w_after: floats(w.map((v, n) => v + delta[n])), learning_rate: rate, loss: rowLoss(network, row),
  };
  const { notes, ...more } = errors(network, choice, layer, run, found, at);
  Object.assign(found, more);
  found.difference = found.y === null ? found.error : found.y - found.y_predict;
  const last = layer === network.layers[network.layers.length - 1];
  found.code = numpyLines(network, layer, found, convolution ? "[i, j]" : last && network.kernels[network.kernels.length - 1].shape.length === 1 && units > 1 ? "[k]" : "");
  if (place) found.place = place;
  else Object.assign(found, overRows(network, choice, layer, w, found.b));
  if (step) found.step = change(network, choice, kernel, bias, step, units);
  notes.push(...reservations(network, place));
  if (notes.length) found.note = { en: notes.map((/** @type {any} */ n) => n.en).join(" "), zh: notes.map((/** @type {any} */ n) => n.zh).join(" ") };
  return found;
}

/** The loss of one row, without penalties. @param {PageNetwork} network @param {number} row */
function rowLoss(network, row) {
  const inputs = network.exercise.x.length / network.exercise.rows;
  const output = Float64Array.from(network.engine.predict(network.exercise.x.slice(row * inputs, (row + 1) * inputs), 1));
  const { shape } = network.layers[network.layers.length - 1];
  const units = shape[shape.length - 1];
  const wide = network.y.length / network.exercise.rows;
  const places = output.length / units;
  const of = wide / places;
  let sum = 0;
  for (let n = 0; n < places; n++) sum += network.knobs.loss.value(network.y.subarray(row * wide + n * of, row * wide + (n + 1) * of), output.subarray(n * units, (n + 1) * units));
  return sum / places;
}

/** An activation's value at a place, among the units there. @param {import("./formulas.js").Activation} activation @param {Float64Array} h @param {number} at @param {number} units */
function outputAt(activation, h, at, units) {
  const first = at - (at % units);
  return activation.of(h.slice(first, first + units))[at - first];
}

/** ∂L/∂y_predict of an output, where L is the mean over places. @param {PageNetwork} network @param {number} row @param {Float64Array} output @param {number} at */
function slopeAt(network, row, output, at) {
  const { shape } = network.layers[network.layers.length - 1];
  const units = shape[shape.length - 1];
  const wide = network.y.length / network.exercise.rows;
  const places = output.length / units;
  const place = Math.floor(at / units);
  const y = network.y.subarray(row * wide + (place * wide) / places, row * wide + ((place + 1) * wide) / places);
  return network.knobs.loss.slope(y, output.slice(place * units, (place + 1) * units))[at % units] / places;
}

/** The activation's name in equations: f for a formula. @param {Layer} layer */
function called(layer) {
  const { name } = /** @type {import("./formulas.js").Activation} */ (layer.activation);
  return /^\w+$/.test(name) ? name : "f";
}

/** The error, where it comes from, and the equations of all quantities. @param {PageNetwork} network @param {Choice} choice @param {Layer} layer @param {any} run @param {any} found @param {number} at */
function errors(network, choice, layer, run, found, at) {
  const name = called(layer);
  const linear = name === "linear";
  /** @type {{ [name: string]: string }} */
  const formulas = {
    h: `h = x·w${layer.useBias ? " + b" : ""}`, y_predict: linear ? "y_predict = h" : `y_predict = ${name}(h)`,
    error_term: linear ? "error_term = error" : `error_term = error·${name}′(h)`, delta_w: "delta_w = learning_rate·error_term·x",
  };
  /** @type {any} */
  const result = { y: null, error: null, formulas, notes: [], joined: false };
  const last = layer === network.layers[network.layers.length - 1];
  if (last) {
    result.y = wanted(network, choice.row, at, choice.unit);
    if (cancels(network)) {
      const over = factorOf(network);
      const shared = over && over[1] > 1 ? `(y − y_predict)/${over[1]}` : "y − y_predict";
      Object.assign(result, { error: result.y - found.y_predict, joined: true });
      Object.assign(formulas, { error: "error = y − y_predict", error_term: `error_term = ${shared}` });
      result.notes.push(sentence("{name} and this cross-entropy together: their derivatives cancel, and what is left is y − y_predict.", { name }));
      return result;
    }
    const { kind, half } = network.knobs.loss.described;
    result.error = -slopeAt(network, choice.row, passOf(run, layer).a, at);
    formulas.error = kind === "SumSquaredError" && half ? "error = y − y_predict" : "error = −∂L/∂y_predict";
  } else {
    Object.assign(result, fromNext(network, layer, choice.unit, run));
    formulas.error = "error = −∂L/∂y_predict";
    if (result.next) formulas.error = "error = Σ error_term·w (next layer)";
    else if (found.slope) result.error = found.error_term / found.slope;
  }
  if (found.slope === null && !last) formulas.error_term = "error_term = −∂L/∂h";
  return result;
}

/** The error of a unit right before a dense layer: what its weights carry back. @param {PageNetwork} network @param {Layer} layer @param {number} unit @param {any} run */
function fromNext(network, layer, unit, run) {
  const place = network.layers.indexOf(layer);
  const follower = network.layers[place + 1];
  if (follower.kind !== "Dense" || layer.kind !== "Dense") return {};
  const [kernel] = network.kernelOf(follower);
  const units = follower.shape[0];
  const w = Float64Array.from(kernel.subarray(unit * units, (unit + 1) * units));
  const { terms } = passOf(run, follower);
  return { error: dot(w, terms), next: { layer_name: follower.name, w: floats(w), error_term: floats(terms) } };
}

/** What all rows ask of a unit together, and the weights after the step that they make. @param {PageNetwork} network @param {Choice} choice @param {Layer} layer @param {Float64Array} w @param {number | null} b */
function overRows(network, choice, layer, w, b) {
  const { state, exercise } = network;
  const { rows } = exercise;
  const random = state.dropout || state.layers.some((/** @type {any} */ l) => l.kind === "dropout" || l.kind === "batch_norm");
  if (state.optimizer !== "sgd" || state.l1 || state.l2 || state.batch < rows || rows > MOST_ROWS || random) return {};
  const pass = passOf(executed(network, 0, rows), layer);
  const units = layer.shape[layer.shape.length - 1];
  const terms = columnOf(pass.terms, units, choice.unit).map((term) => term * rows); // of the rows' mean loss
  const total = w.map((_, k) => terms.reduce((sum, term, n) => sum + term * pass.x[n * w.length + k], 0));
  const rate = network.learningRate;
  const found = { del_w: floats(total), w_new: floats(w.map((v, k) => v + (rate * total[k]) / rows)) };
  const sum = terms.reduce((a, c) => a + c, 0);
  return b === null ? found : { ...found, del_b: sum, b_new: b + (rate * sum) / rows };
}

/** What the last step really did to a unit's weights. @param {PageNetwork} network @param {Choice} choice @param {Float32Array} kernel @param {Float32Array | null} bias @param {Step} step @param {number} units */
function change(network, choice, kernel, bias, step, units) {
  const [old, oldBias] = step.before[choice.layer];
  const delta = columnOf(kernel.map((v, n) => v - old[n]), units, choice.unit);
  const found = { delta_w: floats(delta), delta_b: bias && oldBias ? bias[choice.unit] - oldBias[choice.unit] : null, iteration: step.iteration, rows: step.rows };
  const { optimizer, l1, l2 } = network.state;
  return optimizer === "sgd" && !l1 && !l2 ? { ...found, del_w: floats(delta.map((v) => (v * step.rows) / step.learningRate)) } : found;
}

/** What these numbers leave out. @param {PageNetwork} network @param {[number, number] | null} place */
function reservations(network, place) {
  const { state } = network;
  const kinds = new Set(state.layers.map((/** @type {any} */ given) => given.kind));
  const notes = [];
  if (place) notes.push(sentence("A kernel is used at every place; this is its arithmetic at row {row}, column {column} of the map, where it answers most.", { row: place[0], column: place[1] }));
  if (kinds.has("batch_norm")) notes.push(sentence("Batch normalisation has no other row to compare with here."));
  if (state.dropout || kinds.has("dropout")) notes.push(sentence("Dropout has drawn which units take part."));
  if (state.optimizer !== "sgd") notes.push(sentence("This is plain gradient descent; the optimizer makes its own step of it."));
  if (state.l1 || state.l2) notes.push(sentence("The penalty on large weights comes on top."));
  return notes;
}
