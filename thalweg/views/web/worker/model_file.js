// The model as a file that load_model reads: safetensors with the description as JSON in its header, and a SHA-256 of all.
import { up } from "../engine/weights.js";
import { isFormula } from "../engine/own_kernels.js";
import { parts } from "./knobs.js";
import { real } from "./sentences.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** An array of a file. @typedef {{ name: string, shape: number[], values: Float32Array }} Stored */

/**
 * JSON as Python writes it: { real: v } is a float; with spaces before each line, or in one line with sorted keys.
 * @param {any} value @param {boolean} [lines] @param {number} [depth] @returns {string}
 */
export function json(value, lines = false, depth = 1) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (value.real !== undefined) return real(value.real);
  const keys = lines ? Object.keys(value) : Object.keys(value).sort();
  const inner = Array.isArray(value) ? value.map((v) => json(v, lines, depth + 1)) : keys.map((key) => `${JSON.stringify(key)}: ${json(value[key], lines, depth + 1)}`);
  const [first, next, last] = lines && inner.length ? [depth, depth, depth - 1].map((spaces, n) => `${n === 1 ? "," : ""}\n${" ".repeat(spaces)}`) : ["", ", ", ""];
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return open + first + inner.join(next) + last + close;
}

/** Numbers as floats. @param {any} values @returns {any} */
export const reals = (values) => (Array.isArray(values) ? values.map(reals) : { real: values });

/** An object's description with other arguments; a float stays one. @param {any} described @param {{ [key: string]: any }} given */
function filled(described, given) {
  const { config } = described;
  const changed = Object.entries(given).map(([key, value]) => [key, typeof value === "number" && (config[key] === null || config[key]?.real !== undefined) ? { real: value } : value]);
  return { ...described, config: { ...config, ...Object.fromEntries(changed) } };
}

/** @param {any} known @param {any} given a name, or one with arguments */
function named(known, given) {
  const { name, rest } = parts(given);
  return filled(known[name], rest);
}

/** The sizes of a layer. @param {any} spec @param {any} exercise @returns {{ [key: string]: any }} */
function sizes(spec, exercise) {
  switch (spec.kind) {
    case "dense": return { units: spec.units, use_bias: spec.use_bias };
    case "conv2d": return { filters: spec.filters, kernel_size: [spec.kernel_size, spec.kernel_size], padding: spec.padding, use_bias: spec.use_bias };
    case "max_pool": return { pool_size: [spec.pool_size, spec.pool_size], strides: [spec.pool_size, spec.pool_size] };
    case "dropout": return { rate: spec.rate };
    case "embedding": return { input_dim: exercise.vocabulary.length, output_dim: spec.units };
    case "recurrent": return { units: spec.units, return_sequences: spec.sequences };
    case "attention": return { num_heads: spec.heads, key_dim: spec.units, value_dim: spec.units };
    default: return {};
  }
}

/** The layers' descriptions. @param {PageNetwork} network @param {any} facts */
function layersOf({ layers, given, state, exercise }, facts) {
  const array = (/** @type {any} */ values) => ({ class_name: "FromArray", config: { values: reals(values) } });
  return layers.map(({ kind, name, spec, activation }, n) => {
    const of = given[n] ?? {};
    const own = /** @type {any} */ ({ name, ...sizes(spec, exercise) });
    if (activation) own.activation = isFormula(activation.name) ? { formula: activation.name, constants: {} } : activation.name;
    if ("kernel_initializer" in facts.layers[kind].config) {
      own.kernel_initializer = of.weights ? array(of.weights) : named(facts.initializers, of.initializer ?? state.initializer);
      if (state.l1 || state.l2) own.kernel_regularizer = { class_name: "L1L2", config: { l1: { real: state.l1 }, l2: { real: state.l2 } } };
    }
    if (of.bias) own.bias_initializer = array(of.bias);
    return filled(facts.layers[kind], own);
  });
}

/** What a model was compiled with. @param {PageNetwork} network @param {any} facts */
function compiled({ knobs, state, engine, metric, layers }, facts) {
  const { half, name, kind, sparse } = knobs.loss.described;
  const units = layers[layers.length - 1].shape.at(-1);
  const scheduled = state.schedule !== null && parts(state.schedule).name !== "constant";
  const schedule = scheduled ? named(facts.schedules, state.schedule) : null;
  const first = schedule && facts.rates.find((/** @type {string} */ key) => key in schedule.config);
  const rate = schedule ? filled(schedule, { [first]: state.learning_rate }) : { real: state.learning_rate };
  const optimizer = named(facts.optimizers, state.optimizer);
  optimizer.config.learning_rate = rate;
  const loss = kind === "FormulaLoss" ? filled(facts.losses.formula, { text: name }) : facts.losses[half ? "half" : knobs.lossName];
  return { optimizer, iterations: engine.iteration, loss, metrics: [metric === "accuracy" ? facts.metrics.accuracy[units === 1 ? 0 : sparse ? 1 : 2] : facts.metrics[metric]] };
}

/** All of a model but its arrays. @param {PageNetwork} network */
function described(network) {
  const { exercise, layers, state, engine, tools } = network;
  const { model: facts } = tools.site.exports;
  const { shape } = exercise;
  const common = { ...facts.head, thalweg: tools.site.version, seed: state.seed, epochs_trained: engine.epochs, layers: layersOf(network, facts), compile: compiled(network, facts) };
  const attends = layers.map(({ kind }) => kind === "MultiHeadAttention");
  if (!attends.includes(true)) return { ...common, name: "sequential", input_shape: shape };
  const tensor = (/** @type {number} */ of) => ({ tensor: [of, 0] });
  const calls = attends.map((twice, n) => ({ of: n, with: { tuple: Array(twice ? 2 : 1).fill(tensor(n - 1)) }, named: { dict: [] } }));
  return { ...common, name: "functional", inputs: [{ name: "input", shape }], taken: tensor(-1), calls, outputs: tensor(layers.length - 1) };
}

/** The name of a layer's array in a file. @param {import("./page_network.js").Layer} layer @param {string} array the engine's name */
function called({ name, spec }, array) {
  if (spec.kind === "recurrent") return `${name}/${spec.cell}_cell/${/** @type {any} */ ({ W: "kernel", R: "recurrent_kernel", b: "bias" })[array]}`;
  return `${name}/${array.replace(/^E$/, "W").replace(/^output/, "attention_output")}`;
}

/** The weights, and the optimizer's vectors, which have a place for every weight. @param {PageNetwork} network @returns {Stored[]} */
function arraysOf({ engine, layers, initial }) {
  const weights = engine.arrays();
  const alignment = engine.kernels.catalogue.layout.alignment;
  let end = 0;
  const places = weights.map(({ values }) => {
    const start = up(end, alignment);
    end = start + values.length;
    return start;
  });
  const vectors = engine.optimizerVectors().map(({ name, values, beginning }) => {
    const found = new Float32Array(up(end, alignment));
    engine.layout.forEach(({ trained, offset }, n) => {
      const { length } = weights[n].values;
      if (trained) found.set(values.subarray(offset, offset + length), places[n]);
      else if (beginning === "w") found.set(initial[n], places[n]);
      else found.fill(beginning, places[n], places[n] + length);
    });
    return { name: `/optimizer/${name}`, shape: [found.length], values: found };
  });
  return [...vectors, ...weights.map(({ layer, name, shape, values }) => ({ name: called(layers[layer], name), shape, values }))];
}

/** The file. @param {Course} course */
export function modelFile({ network }) {
  const arrays = arraysOf(network).sort((one, other) => (one.name < other.name ? -1 : 1));
  const text = json(described(network));
  const encode = (/** @type {string} */ of) => new TextEncoder().encode(of);
  const bytes = (/** @type {Stored} */ { values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const tuple = (/** @type {number[]} */ shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const digest = sha256(joined([encode(text), ...arrays.flatMap((array) => [encode(`\0${array.name}\0float32\0${tuple(array.shape)}\0`), bytes(array)])]));
  let at = 0;
  const entries = arrays.map(({ name, shape, values }) => [name, { dtype: "F32", shape, data_offsets: [at, (at += values.byteLength)] }]);
  const head = encode(JSON.stringify({ __metadata__: { thalweg: `${digest} ${text}` }, ...Object.fromEntries(entries) }));
  const size = up(head.length, 8);
  const length = new Uint8Array(new BigUint64Array([BigInt(size)]).buffer);
  return joined([length, head, new Uint8Array(size - head.length).fill(32), ...arrays.map(bytes)]);
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const found = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    found.set(piece, at);
    at += piece.length;
  }
  return found;
}

/** The first 32 bits of the fraction of a number. @param {number} value */
const fraction = (value) => Math.floor((value - Math.floor(value)) * 2 ** 32);
const PRIMES = [2];
for (let n = 3; PRIMES.length < 64; n += 2) if (PRIMES.every((p) => n % p)) PRIMES.push(n);

/** SHA-256 in hexadecimal: a page that isn't from https or this machine has no crypto.subtle. @param {Uint8Array} bytes */
function sha256(bytes) {
  const padded = new Uint8Array(up(bytes.length + 9, 64));
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(8 * bytes.length));
  const constants = Int32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)));
  const hash = Int32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)));
  const turned = (/** @type {number} */ x, /** @type {number} */ by) => (x >>> by) | (x << (32 - by));
  const w = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let n = 0; n < 64; n++) {
      const [x, y] = [w[n - 15], w[n - 2]];
      w[n] = n < 16 ? view.getInt32(block + 4 * n) : w[n - 16] + (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) + w[n - 7] + (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10));
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[n] + w[n]) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((value, n) => (hash[n] += value));
  }
  return Array.from(hash, (value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
}
