// The network of a state, over the engine.
import { outputsOf, sizeOf } from "./exercise.js";
import { drawn } from "./initializers.js";
import { Knobs } from "./knobs.js";
import { Generator } from "./numpy_random.js";
import { DivergedError, refused, refusedByEngine, sentence } from "./sentences.js";
import { layout, shapes, UnsupportedError } from "../engine/weights.js";
import { Network } from "../engine/network.js";

/** @typedef {import("./page_state.js").State} State */
/** @typedef {import("./exercise.js").Exercise} Exercise */
/** @typedef {import("./formulas.js").Activation} Activation */

/**
 * A layer as the page sees it; `spec` is what the engine is told.
 * @typedef {object} Layer
 * @property {any} spec
 * @property {string} name
 * @property {string} kind Keras's
 * @property {number[]} input shape of a row
 * @property {number[]} shape of a row that it makes
 * @property {Activation | null} activation
 * @property {boolean} useBias
 * @property {number} weights the place among the layers with kernels; -1 for others
 * @property {number} first the place of its first array
 * @property {number[][]} arrays their shapes
 * @property {number} trained how many of them gradients change; they come first
 * @property {string[]} names of the arrays, as the engine has them
 */

/** Keras's class, and how layers of it are called. @type {{ [kind: string]: [string, string] }} */
const KERAS = {
  dense: ["Dense", "dense"], conv2d: ["Conv2D", "conv2d"], max_pool: ["MaxPooling2D", "max_pooling2d"], flatten: ["Flatten", "flatten"],
  dropout: ["Dropout", "dropout"], batch_norm: ["BatchNormalization", "batch_normalization"], embedding: ["Embedding", "embedding"],
  simple_rnn: ["SimpleRNN", "simple_rnn"], gru: ["GRU", "gru"], lstm: ["LSTM", "lstm"], attention: ["MultiHeadAttention", "multi_head_attention"],
  average: ["GlobalAveragePooling1D", "global_average_pooling1d"],
};

const IMAGES = "images";
const IDS = "letters or words";
const STEPS = "steps";
/** What layers take that don't take any rows. @type {{ [kind: string]: string }} */
const TAKES = { conv2d: IMAGES, max_pool: IMAGES, embedding: IDS, recurrent: STEPS, attention: STEPS, average: STEPS };
const EMBEDDED = 8; // numbers for each letter or word, unless the state says it
/** What layers without a kernel of weights compute, by Keras's class. @type {{ [kind: string]: string }} */
const EQUATIONS = {
  MaxPooling2D: "a = max over each window", Flatten: "a = x in one row", Dropout: "a = x·mask/(1 − rate)", BatchNormalization: "a = γ·(x − μ)/σ + β",
  Embedding: "x = E[number]", SimpleRNN: "h = tanh(x·W + h·R + b)", GRU: "h = z·h + (1 − z)·g", LSTM: "c = f·c + i·g, h = o·tanh(c)",
  MultiHeadAttention: "a = softmax(q·kᵀ/√d)·v", GlobalAveragePooling1D: "a = mean over the steps",
};

/** The engine's names. @type {{ [metric: string]: import("../engine/lowering.js").Spec["metric"] }} */
const METRICS = { accuracy: "accuracy", binary_accuracy: "margin", mae: "mae" };

/**
 * The layers of a state, with what it implies: an embedding in front, flattening and dropout in between; and what their
 * weights begin as.
 * @param {State} state
 * @param {Exercise} exercise
 * @param {Knobs} knobs
 * @returns {{ spec: any, given: any }[]}
 */
export function chosen(state, exercise, knobs) {
  const [images, ids, steps, flat] = [IMAGES, IDS, STEPS, ""];
  const entries = exercise.vocabulary?.length;
  /** @type {{ spec: any, given: any }[]} */
  const found = [];
  let rows = exercise.shape.length === 3 ? images : entries ? ids : flat;
  const add = (/** @type {any} */ spec, given = null) => void found.push({ spec, given });
  const kinds = state.layers.map((/** @type {any} */ { kind }) => kind);
  if (rows === ids && kinds[0] !== "embedding") {
    add({ kind: "embedding", units: EMBEDDED, entries });
    rows = steps;
  }
  state.layers.forEach((/** @type {any} */ given, /** @type {number} */ n) => {
    const { kind } = given;
    if ((TAKES[kind] ?? rows) !== rows) {
      throw TAKES[kind] === images
        ? refused("layer {place}, {kind}, takes images: use the digits, and put it before flatten and dense layers", { place: n + 1, kind })
        : refused("layer {place}, {kind}, is for a text or sentences: an embedding comes first, then what goes through the steps", { place: n + 1, kind });
    }
    if (kind === "dense" && rows !== flat) add({ kind: "flatten" });
    const { weights: _, bias: __, initializer: ___, ...spec } = given;
    if (kind === "embedding") spec.entries = entries;
    if (kind === "recurrent") spec.sequences = kinds.slice(n + 1).some((/** @type {string} */ later) => TAKES[later] === steps);
    add(spec, given);
    if (["dense", "flatten", "average"].includes(kind) || spec.sequences === false) rows = flat;
    else if (kind === "embedding") rows = steps;
    if (kind === "dense" && state.dropout) add({ kind: "dropout", rate: state.dropout });
  });
  if (state.output !== null) {
    if (rows !== flat) add({ kind: "flatten" });
    add({ kind: "dense", units: outputsOf(exercise), activation: knobs.ending, use_bias: state.output.use_bias }, state.output);
  }
  if (!found.some(({ spec }) => spec.kind === "dense" || spec.kind === "conv2d")) throw refused("there is no layer with weights to train");
  return found;
}

/** @param {any} values @param {number[]} shape @param {string} what */
function givenWeights(values, shape, what) {
  /** @type {number[]} */
  const sizes = [];
  for (let v = values; Array.isArray(v); v = v[0]) sizes.push(v.length);
  const flat = [values].flat(6);
  if (flat.length !== sizeOf(sizes)) throw refused("given weights have rows of different lengths");
  if (String(sizes) !== String(shape)) throw refused("{what} has weights of shape ({shape}), but those given have the shape ({given})", { what, shape: shape.join(", "), given: sizes.join(", ") });
  return Float64Array.from(flat);
}

/** What the engine makes, or its refusal as the page's. @template T @param {() => T} make @returns {T} */
function ofEngine(make) {
  try {
    return make();
  } catch (error) {
    throw error instanceof UnsupportedError ? refusedByEngine(error) : error;
  }
}

export class PageNetwork {
  /**
   * @param {import("./course.js").Tools} tools
   * @param {State} state
   * @param {Exercise} exercise
   * @param {PageNetwork} [before] another with the same layers, whose weights it goes on with
   */
  constructor(tools, state, exercise, before) {
    this.tools = tools;
    this.state = state;
    this.exercise = exercise;
    if (!exercise.rows) throw refused("all rows are held out to validate on: take more rows, or a smaller share of them");
    this.knobs = new Knobs(tools.site, state, exercise);
    const chain = chosen(state, exercise, this.knobs);
    this.given = chain.map(({ given }) => given);
    this.layers = this.described(chain.map(({ spec }) => spec));
    this.checkSize();
    const last = this.layers[this.layers.length - 1];
    this.metric = exercise.classes === null ? "mae" : exercise.task === "binary" && this.knobs.ending === "linear" ? "binary_accuracy" : "accuracy";
    this.notes = this.knobs.doubts(last.activation?.name ?? "linear", last.shape[last.shape.length - 1]);
    this.y = this.encoded(exercise.y, last.shape);
    this.heldY = this.encoded(exercise.heldY, last.shape);
    /** Of the first batch. @type {number | undefined} */
    this.firstLoss = undefined;
    this.rate = this.knobs.rate;
    this.rate(0);
    this.initial = before ? before.weights().map((a) => a.slice()) : this.drawn(this.given);
    this.engine = this.made(this.initial);
    this.kernels = this.layers.filter((layer) => layer.weights >= 0);
  }

  /** What the engine is told. */
  get spec() {
    const { state, knobs, exercise } = this;
    const { half, name } = knobs.loss.described;
    const activated = (/** @type {Layer} */ { spec, activation }) => (activation ? { ...spec, activation: activation.name } : spec);
    return {
      input: exercise.shape, layers: this.layers.map(activated), loss: half ? this.tools.site.halved[0] : name, metric: METRICS[this.metric], optimizer: knobs.optimizer,
      l1: state.l1, l2: state.l2, seed: state.seed, batch: state.batch, shuffle: state.shuffle,
    };
  }

  /** An engine's network with these weights. @param {Float32Array[]} weights */
  made(weights) {
    const { tools, exercise } = this;
    return ofEngine(() => Network.create(tools.kernels, this.spec, weights, exercise.x, this.y, exercise.rows));
  }

  /** @param {any[]} specs @returns {Layer[]} */
  described(specs) {
    /** @type {{ [name: string]: number }} */
    const counts = {};
    const spec = /** @type {any} */ ({ input: this.exercise.shape, layers: specs });
    const after = ofEngine(() => shapes(spec));
    const arrays = layout(spec, 1);
    let [kernels, first] = [0, 0];
    return specs.map((spec, n) => {
      const [kind, called] = KERAS[spec.cell ?? spec.kind];
      const number = (counts[called] = (counts[called] ?? -1) + 1);
      const own = arrays.filter((array) => array.layer === n);
      const hasKernel = spec.kind === "dense" || spec.kind === "conv2d";
      const activation = hasKernel ? spec.activation : spec.cell && "tanh";
      const layer = {
        spec, kind, input: after[n - 1] ?? this.exercise.shape, shape: after[n], arrays: own.map(({ shape }) => shape), names: own.map(({ name }) => name), first, trained: own.filter(({ trained }) => trained).length,
        name: number ? `${called}_${number}` : called, useBias: Boolean(spec.use_bias), activation: activation ? this.knobs.activation(activation) : null, weights: hasKernel ? kernels++ : -1,
      };
      first += own.length;
      return layer;
    });
  }

  get parameters() {
    return this.layers.reduce((sum, layer) => sum + layer.arrays.reduce((s, shape) => s + sizeOf(shape), 0), 0);
  }

  checkSize() {
    const { constants } = this.tools.site;
    const parameters = constants["bounds.PARAMETERS"];
    if (this.parameters > parameters) throw refused("this network has {count:,} weights; a page takes {parameters:,} at most: use fewer units or layers", { count: this.parameters, parameters });
    const rows = Math.min(this.state.batch, this.exercise.rows);
    const products = this.layers.map(({ spec, names, arrays, input, shape }) => {
      const matrices = arrays.filter((_, n) => /(^|\/)[WR]$/.test(names[n])).reduce((sum, of) => sum + sizeOf(of), 0);
      const looks = spec.kind === "attention" ? 2 * input[0] * spec.heads * spec.units : 0;
      return (matrices + looks) * (spec.kind === "conv2d" ? shape[0] * shape[1] : input.length === 2 ? input[0] : 1);
    });
    const work = 2 * rows * products.reduce((a, b) => a + b, 0);
    const most = constants["bounds.STEP_WORK"];
    if (work > most) throw refused("one step would take {work:,.0f} billion operations; {most:g} are the most: use a smaller batch or network", { work: work / 1e9, most: most / 1e9 });
  }

  /** Initial weights, drawn with the state's seed in the order of the layers. @param {any[]} given @returns {Float32Array[]} */
  drawn(given) {
    const { site } = this.tools;
    const draw = new Generator(this.state.seed);
    return this.layers.flatMap((layer, n) => {
      if (layer.weights < 0) return layer.arrays.map((shape, k) => this.begun(layer, layer.names[k], shape, draw));
      const { weights, bias, initializer } = given[n];
      const [kernel, offsets] = layer.arrays;
      const values = weights === null ? drawn(initializer ?? this.state.initializer, kernel, draw, site) : givenWeights(weights, kernel, layer.name);
      if (bias !== null && !offsets) throw refused("a layer has given biases and use_bias false");
      const found = [Float32Array.from(values)];
      if (offsets) found.push(bias === null ? new Float32Array(offsets[0]) : Float32Array.from(givenWeights(bias, offsets, layer.name)));
      return found;
    });
  }

  /** What an array begins as, of a layer for which a state says nothing. @param {Layer} layer @param {string} name @param {number[]} shape @param {Generator} draw */
  begun({ spec }, name, shape, draw) {
    const given = name.endsWith("W") ? this.state.initializer : { E: "uniform", R: "orthogonal" }[name];
    if (given) return Float32Array.from(drawn(given, shape, draw, this.tools.site));
    const found = new Float32Array(sizeOf(shape)).fill(Number(name === "γ" || name === "σ²"));
    return spec.cell === "lstm" ? found.fill(1, spec.units, 2 * spec.units) : found; // it forgets nothing at first
  }

  /** Targets as the loss takes them. @param {Float32Array} y @param {number[]} output @returns {Float32Array} */
  encoded(y, output) {
    const { exercise, knobs } = this;
    const units = output[output.length - 1];
    const { sparse, name } = knobs.loss.described;
    if (exercise.task === "multiclass" && !sparse) {
      const classes = outputsOf(exercise);
      if (units !== classes) throw refused("there are {classes} classes, but the network has {units} outputs", { classes, units });
      const rows = new Float32Array(y.length * classes);
      y.forEach((label, n) => (rows[n * classes + label] = 1));
      return rows;
    }
    const wanted = exercise.classes ? [1] : exercise.targetShape;
    const needed = sparse ? [...output.slice(0, -1), 1] : output;
    if (String(wanted) !== String(needed)) {
      throw refused("the targets have the shape (rows, {shape}), but the network's output for {loss} needs (rows, {needed})", { shape: wanted.join(", "), loss: name, needed: needed.join(", ") });
    }
    this.checkTargets(y, units);
    return y;
  }

  /** Refuses numbers that the loss can't have as targets. @param {Float32Array} y @param {number} units */
  checkTargets(y, units) {
    const { sparse, noise, name } = this.knobs.loss.described;
    const isClass = (/** @type {number} */ v) => v >= 0 && v < units && Number.isInteger(v);
    const isShare = (/** @type {number} */ v) => noise === null || (v >= 0 && v <= 1) || (v > -noise && v < 1 + noise);
    const place = y.findIndex((v) => !(sparse ? isClass(v) : isShare(v)));
    if (place < 0) return;
    const value = y[place];
    if (sparse) throw refused("labels have to be whole numbers from 0 to {last} for a network with {units} outputs, got {value:g}", { last: units - 1, units, value });
    throw refused("targets of {loss} have to be between 0 and 1, give or take less than {noise:g}, got {value:g}", { loss: name, noise, value });
  }

  /** All weights, as get_weights has them. @returns {Float32Array[]} */
  weights() {
    return this.engine.arrays().map((/** @type {any} */ array) => array.values);
  }

  /** Copies of a layer's weights and biases. @param {Layer} layer @returns {[Float32Array, Float32Array | null]} */
  kernelOf(layer) {
    const weights = this.weights();
    return [weights[layer.first].slice(), layer.useBias ? weights[layer.first + 1].slice() : null];
  }

  get learningRate() {
    return this.rate(this.engine.iteration);
  }

  /** Trains. @param {number} steps */
  run(steps) {
    const outcome = this.engine.run(steps, this.rate);
    this.firstLoss ??= outcome.losses[0];
    if (outcome.finite) return outcome.records;
    const { epochs, step } = this.engine;
    throw new DivergedError(sentence("a value was no longer finite in epoch {epoch}, batch {batch}: lower the learning rate", { epoch: epochs + 1, batch: step + 1 }), outcome.before);
  }

  /** @param {Float32Array} x @param {Float32Array} y @param {number} count */
  evaluate(x, y, count) {
    const found = this.engine.evaluate(x, y, count);
    return Number.isFinite(found.loss) ? found : null;
  }

  /** Every layer's output, as engine and page agree on the layers. @param {Float32Array} rows @param {number} count @returns {Float32Array[]} */
  outputs(rows, count) {
    return this.engine.outputs(rows, count);
  }

  close() {
    this.engine.close();
  }

  /** What the page is told of a new network. */
  facts() {
    const { exercise, state, layers } = this;
    const last = layers[layers.length - 1];
    return {
      task: exercise.task, rows: exercise.rows, held: exercise.held, inputs: exercise.inputs, targets: exercise.targets, classes: exercise.classes,
      parameters: this.parameters, steps_per_epoch: this.engine.stepsPerEpoch, loss: state.loss === "auto" ? this.knobs.loss.described.name : state.loss,
      output_activation: last.activation?.name ?? null, shape: exercise.shape, target_scale: exercise.targetScale ?? null, metric: this.metric,
      layers: layers.map((layer) => ({
        name: layer.name, kind: layer.kind, units: layer.shape[layer.shape.length - 1], activation: layer.activation?.name ?? null, shape: layer.shape,
        weights: layer.weights < 0 ? null : layer.weights, formula: this.equation(layer),
      })),
    };
  }

  /** What a layer computes, in a line. @param {Layer} layer */
  equation(layer) {
    if (!layer.activation || layer.weights < 0) return EQUATIONS[layer.kind] ?? "";
    const { name } = layer.activation;
    return `h = ${layer.kind === "Dense" ? "x·W" : "x∗W"}${layer.useBias ? " + b" : ""}, a = ${name === "linear" ? "h" : `${name}(h)`}`;
  }
}
