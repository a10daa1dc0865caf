// Lowers a page's network to rows of kernels, by the same names as Python's instructions. What has a formula (activations,
// losses, metrics, optimizers) comes from the catalogue, which Python writes; here are the layers that hold weights or
// depend on their neighbours. A row's sizes are numbers, so one kernel serves every width.

import { EXTENTS, checked } from "./extents.js";
import { optimizer, parts } from "./optimizer.js";
import { isFormula, ownActivation, ownLoss } from "./own_kernels.js";
import { CELLS, SEQUENCES } from "./sequences.js";
import { count, end, layout, shapes, unsupported, up, views } from "./weights.js";

/**
 * A stretch of a region of memory: `size` elements, of each row of a block if `perRow`.
 * @typedef {{ region: string, offset: number, size: number, perRow: boolean }} Buffer
 * @typedef {{ kernel: string, operands: { [name: string]: Buffer | null }, numbers: { [name: string]: number },
 *   own?: import("./own_kernels.js").OwnKernel }} Row
 * @typedef {{ rows: Row[], sliced: boolean }} Segment
 * @typedef {"training" | "evaluation" | "inference" | "trace"} Kind trace: training without an update, all values kept
 * @typedef {{ buffer: Buffer, shape: number[], gate: Buffer | null }} Value
 */

/**
 * A network and its training. The last layer is the output layer.
 * @typedef {{
 *   input: number[], layers: Layer[], loss: string, metric: "accuracy" | "mae" | "margin" | null, batch: number,
 *   optimizer: { name: string, [argument: string]: any }, l1?: number, l2?: number, seed: number, shuffle: boolean,
 * }} Spec input: a row's shape; "margin" is the accuracy where an output above 0 means yes
 * @typedef {{ kind: "dense", units: number, activation: string, use_bias?: boolean }} Dense
 * @typedef {{ kind: "conv2d", filters: number, kernel_size: number, padding: string, activation: string,
 *   use_bias?: boolean }} Conv2D
 * @typedef {{ kind: "max_pool", pool_size: number }} MaxPool
 * @typedef {{ kind: "dropout", rate: number }} Dropout
 * @typedef {{ kind: "embedding", entries: number, units: number }} Embedding
 * @typedef {{ kind: "recurrent", cell: string, units: number, sequences: boolean }} Recurrent
 * @typedef {{ kind: "attention", heads: number, units: number }} Attention
 * @typedef {{ kind: "flatten" } | { kind: "batch_norm" } | { kind: "average" }} Plain
 * @typedef {Dense | Conv2D | MaxPool | Dropout | Embedding | Recurrent | Attention | Plain} Layer
 */

const CELL = new RegExp(`^(${Object.keys(CELLS).join("|")})(_adjoint)?$`); // of their kernels, which share their extents

export class Lowering {
  /** @param {any} catalogue @param {Spec} spec @param {Kind} kind */
  constructor(catalogue, spec, kind) {
    this.catalogue = catalogue;
    this.visible = kind === "trace";
    this.trains = kind === "training" || this.visible;
    this.prepare = /** @type {Row[]} */ ([]);
    this.gathers = /** @type {Row[]} */ ([]);
    this.forward = /** @type {Row[]} */ ([]);
    this.backward = /** @type {Row[]} */ ([]);
    this.collect = /** @type {Row[]} */ ([]);
    this.moving = /** @type {Row[]} */ ([]);
    this.finish = /** @type {Row[]} */ ([]);
    this.matrices = /** @type {Row[]} */ ([]);
    this.tables = /** @type {Row[]} */ ([]);
    this.perRow = 0; // floats of the workspace for each row of a block, and those that don't depend on rows
    this.once = 0;
    this.streams = 0;
    this.meets = false; // whether a layer reads all rows of the batch, which are then one block
    this.parameters = layout(spec, catalogue.layout.alignment);
    this.outputs = /** @type {Value[]} */ ([]);
    this.insides = /** @type {Map<number, { [name: string]: Buffer }>} */ (new Map()); // of layers over steps
    this.steps = /** @type {Map<number, { [name: string]: Buffer }>} */ (new Map()); // x, h, a, dh of layers with weights
    this.optimizer = optimizer(catalogue, spec);
    this.x = this.gather("x", count(spec.input));
    this.network(spec, kind);
  }

  /** @param {Spec} spec @param {Kind} kind */
  network(spec, kind) {
    const ending = kind === "inference" ? null : this.loss(spec);
    /** @type {Value} */
    let value = { buffer: this.x, shape: spec.input, gate: null };
    const backs = [];
    for (const [number, layer] of spec.layers.entries()) {
      const made = this.layer(
        layer,
        number,
        value,
        ending !== null && ending.joined && number === spec.layers.length - 1,
      );
      backs.push(made.back);
      value = made.value;
      this.outputs.push(value);
    }
    if (!ending) return;
    const { a, d } = ending.add(value.buffer);
    this.penalties(spec);
    if (!this.trains) return;
    let adjoint = { buffer: d, gated: false };
    for (const [n, back] of [...backs.entries()].reverse()) {
      const wanted = this.parameters.some((p) => p.layer < n);
      adjoint = /** @type {any} */ (back(adjoint.buffer, adjoint.gated, wanted));
      if (!wanted) break;
    }
    const last = this.steps.get(spec.layers.length - 1);
    if (last) last.a = a;
    if (!this.visible) this.update();
  }

  // --- memory ---------------------------------------------------------------------------------------------------

  /** @param {number} size @returns {Buffer} */
  value(size) {
    const offset = this.perRow;
    this.perRow += size;
    return { region: "workspace", offset, size, perRow: true };
  }
  /** @param {number} size @returns {Buffer} */
  once_(size) {
    const offset = this.once;
    this.once += up(size, this.catalogue.layout.alignment);
    return { region: "once", offset, size, perRow: false };
  }
  /** @param {number} layer @param {string} name @returns {{ w: Buffer, dw: Buffer } | null} */
  parameter(layer, name) {
    const found = this.parameters.find((p) => p.layer === layer && p.name === name);
    return found ? views(found) : null;
  }
  /** @param {string} data @param {number} size */
  gather(data, size) {
    const to = this.value(size);
    const X = { region: data, offset: 0, size, perRow: true };
    this.row(this.gathers, "gather", { X, x: to }, { size, x_by_columns: 0, X_far: 0 });
    return to;
  }

  // --- rows -----------------------------------------------------------------------------------------------------

  /**
   * @param {Row[]} phase @param {string} name of one of the catalogue's structural kernels, or of those over steps
   * @param {{ [name: string]: Buffer | null }} operands @param {{ [name: string]: number }} numbers
   */
  row(phase, name, operands, numbers) {
    const own = SEQUENCES[name];
    const extents = EXTENTS[name.replace(CELL, "recurrence")](numbers);
    checked(name, operands, extents);
    phase.push({ kernel: own ? name : this.catalogue.structure[name], operands, numbers, own });
  }
  /**
   * A row of what the catalogue describes; names stand for their numbers.
   * @param {Row[]} phase @param {any} template @param {{ [name: string]: Buffer | null }} operands
   * @param {{ [name: string]: number }} [names]
   */
  templated(phase, template, operands, names = {}) {
    const known = (/** @type {{ [name: string]: string | number }} */ values) => {
      const pairs = Object.entries(values).map(([key, value]) => [
        key,
        typeof value === "string" ? names[value] : value,
      ]);
      if (pairs.some(([, value]) => value === undefined))
        throw new RangeError(`${template.kernel}: a name isn't known`);
      return /** @type {{ [name: string]: number }} */ (Object.fromEntries(pairs));
    };
    checked(template.kernel, operands, known(template.extents));
    phase.push({ kernel: template.kernel, operands, numbers: known({ ...template.sizes, ...template.constants }) });
  }

  /**
   * A row of a kernel of a formula's. @param {Row[]} phase @param {string} kernel
   * @param {import("./own_kernels.js").OwnKernel} own @param {{ [name: string]: Buffer }} operands @param {number} size
   */
  own(phase, kernel, own, operands, size) {
    checked(kernel, operands, Object.fromEntries(own.words.map((name) => [name, name === "sums" ? 1 : size])));
    phase.push({ kernel, operands, numbers: { size }, own });
  }

  // --- layers ---------------------------------------------------------------------------------------------------

  /**
   * @param {any} layer @param {number} number @param {Value} x @param {boolean} joined whether the loss computes its
   *   activation
   * @returns {{ value: Value, back: (d: Buffer, gated: boolean, wanted: boolean) => any }}
   */
  layer(layer, number, x, joined) {
    switch (layer.kind) {
      case "dense":
        return this.dense(layer, number, x, joined);
      case "conv2d":
        return this.conv2d(layer, number, x, joined);
      case "max_pool":
        return this.maxPool(layer, x);
      case "flatten":
        return {
          value: { ...x, shape: [count(x.shape)] },
          back: (buffer, gated) => ({ buffer, gated }),
        };
      case "dropout":
        return this.dropout(layer, x);
      case "batch_norm":
        return this.batchNorm(number, x);
      case "embedding":
        return this.embedding(layer, number, x);
      case "recurrent":
        return this.recurrent(layer, number, x);
      case "attention":
        return this.attention(layer, number, x);
      case "average":
        return this.average(x);
      default:
        throw unsupported("the page's engine has no layer {kind}", { kind: layer.kind });
    }
  }

  /** @param {any} layer @param {number} number @param {Value} x @param {boolean} joined */
  dense(layer, number, x, joined) {
    const { units } = layer;
    const activation = joined ? "linear" : layer.activation;
    const shape = [...x.shape.slice(0, -1), units];
    const relu = activation === "relu" && !this.visible ? 1 : 0;
    const { h, back } = this.product(x, this.parameter(number, "W"), this.parameter(number, "b"), relu);
    const made = this.activated(activation, h, shape, relu);
    return {
      value: made.value,
      back: (/** @type {Buffer} */ d, /** @type {boolean} */ gated, /** @type {boolean} */ wanted) => {
        const dh = gated ? d : made.back(d);
        this.steps.set(number, { x: x.buffer, h, a: made.value.buffer, dh });
        return back(dh, wanted);
      },
    };
  }

  /**
   * h = x·W + b at each position of x, and the way back.
   * @param {Value} x @param {any} W @param {{ w: Buffer, dw: Buffer } | null} b @param {number} [relu]
   */
  product(x, W, b, relu = 0) {
    const inputs = x.shape[x.shape.length - 1];
    const [units, positions] = [W.w.size / inputs, count(x.shape) / inputs];
    const h = this.value(units * positions);
    const sizes = { inputs, units, positions };
    const operands = { x: x.buffer, W: W.w, b: b && b.w, h };
    this.row(this.forward, "affine", operands, { ...sizes, x_by_columns: 0, relu });
    return {
      h,
      back: (/** @type {Buffer} */ dh, /** @type {boolean} */ wanted) => {
        this.weightGradient(x.buffer, dh, W.dw, sizes);
        if (b) this.row(this.backward, "bias_gradient", { dh, db: b.dw }, { units, positions, dh_by_columns: 0 });
        if (!wanted) return null;
        const Wt = this.once_(inputs * units);
        const dx = this.value(inputs * positions);
        this.row(this.prepare, "transpose", { W: W.w, Wt }, { inputs, units, first: 0 });
        const gate = { dh, W: Wt, dx, a: x.gate };
        this.row(this.backward, "input_gradient", gate, { ...sizes, transposed: 1, first: 0 });
        return { buffer: dx, gated: x.gate !== null };
      },
    };
  }

  /** @param {Buffer} x @param {Buffer} dh @param {Buffer} dW @param {{ [name: string]: number }} sizes */
  weightGradient(x, dh, dW, sizes) {
    const facts = { x_by_columns: 0, dW_weights: 0, dW_offset: dW.offset };
    this.row(this.backward, "weight_gradient", { x, dh, dW }, { ...sizes, ...facts });
  }

  /** @param {any} layer @param {number} number @param {Value} x @param {boolean} joined */
  conv2d(layer, number, x, joined) {
    const { filters: O, kernel_size: k, padding } = layer;
    const activation = joined ? "linear" : layer.activation;
    const [H, Wd, C] = x.shape;
    const same = padding === "same";
    const [OH, OW] = same ? [H, Wd] : [H - k + 1, Wd - k + 1];
    const before = same ? Math.floor((k - 1) / 2) : 0;
    const W = /** @type {any} */ (this.parameter(number, "W"));
    const b = this.parameter(number, "b");
    const relu = activation === "relu" && !this.visible ? 1 : 0;
    const [outer, size] = [{ H, Wd, C, OH, OW, O, kh: k, kw: k, sh: 1, sw: 1 }, OH * OW * O];
    const sizes = { ...outer, dilation_h: 1, dilation_w: 1, top: before, left: before, groups: 1 };
    const h = this.value(size);
    const operands = { x: x.buffer, W: W.w, b: b && b.w, h, a: null };
    this.row(this.forward, "convolution", operands, { ...sizes, relu });
    const made = this.activated(activation, h, [OH, OW, O], relu);
    return {
      value: made.value,
      back: (/** @type {Buffer} */ d, /** @type {boolean} */ gated, /** @type {boolean} */ wanted) => {
        const dh = gated ? d : made.back(d);
        this.steps.set(number, { x: x.buffer, h, a: made.value.buffer, dh });
        this.row(this.backward, "kernel_gradient", { x: x.buffer, dh, dW: W.dw }, sizes);
        const places = { units: O, positions: OH * OW, dh_by_columns: 0 };
        if (b) this.row(this.backward, "bias_gradient", { dh, db: b.dw }, places);
        if (!wanted) return null;
        const flipped = this.once_(k * k * C * O);
        const dx = this.value(H * Wd * C);
        this.row(this.prepare, "flip", { W: W.w, flipped }, { kh: k, kw: k, C, O, sh: 1, sw: 1 });
        const gate = { x: dh, flipped, b: null, h: dx, a: x.gate };
        this.row(this.backward, "transposed_convolution", gate, { ...sizes, relu: 0 });
        return { buffer: dx, gated: x.gate !== null };
      },
    };
  }

  /** @param {any} layer @param {Value} x */
  maxPool(layer, x) {
    const [H, Wd, C] = x.shape;
    const p = layer.pool_size;
    const [OH, OW] = [Math.floor(H / p), Math.floor(Wd / p)];
    const strides = { kh: p, kw: p, sh: p, sw: p, dilation_h: 1, dilation_w: 1, top: 0, left: 0 };
    const sizes = { H, Wd, C, OH, OW, ...strides, x_by_columns: 0, relu: 0 };
    const a = this.value(OH * OW * C);
    this.row(this.forward, "max_pooling", { x: x.buffer, a }, sizes);
    return {
      value: { buffer: a, shape: [OH, OW, C], gate: null },
      back: (/** @type {Buffer} */ da, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        if (!wanted) return null;
        const dx = this.value(H * Wd * C);
        this.row(this.backward, "max_pooling_adjoint", { x: x.buffer, a, da, dx }, sizes);
        return { buffer: dx, gated: false };
      },
    };
  }

  /** @param {any} layer @param {Value} x */
  dropout(layer, x) {
    this.streams += 1; // it advances whether or not the layer acts
    const { rate } = layer;
    if (!this.trains || !rate)
      return { value: x, back: (/** @type {Buffer} */ buffer, gated = false) => ({ buffer, gated }) };
    const size = count(x.shape);
    const a = this.value(size);
    this.row(this.forward, "dropout", { h: x.buffer, a }, { size, stream: this.streams, rate, marked: 1 });
    return {
      value: { buffer: a, shape: x.shape, gate: null },
      back: (/** @type {Buffer} */ da, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        if (!wanted) return null;
        this.row(this.backward, "dropout_adjoint", { a, da, dh: da }, { size, rate });
        return { buffer: da, gated: false };
      },
    };
  }

  /** @param {number} number @param {Value} x */
  batchNorm(number, x) {
    const channels = x.shape[x.shape.length - 1];
    const positions = count(x.shape) / channels;
    const { epsilon, momentum } = this.catalogue.batch_norm;
    const [gamma, beta, μ, σ] = ["γ", "β", "μ", "σ²"].map((name) => /** @type {any} */ (this.parameter(number, name)));
    const sizes = { positions, channels, epsilon };
    const a = this.value(count(x.shape));
    const result = { buffer: a, shape: x.shape, gate: null };
    if (!this.trains) {
      const operands = { x: x.buffer, mean: μ.w, variance: σ.w, gamma: gamma.w, beta: beta.w, a };
      this.row(this.forward, "normalization", operands, sizes);
      return { value: result, back: () => null };
    }
    this.meets = true;
    const [mean, variance, parts, sums] = [1, 1, 2, 2].map((n) => this.once_(n * channels));
    const of = { x: x.buffer, mean, variance };
    this.row(this.forward, "batch_moments", { x: x.buffer, parts }, { positions, channels });
    const operands = { ...of, parts, gamma: gamma.w, beta: beta.w, a, shortcut: null };
    this.row(this.forward, "batch_normalization", operands, { ...sizes, relu: 0 });
    this.row(this.moving, "moving_average", { value: mean, moving: μ.w }, { size: channels, momentum });
    this.row(this.moving, "moving_average", { value: variance, moving: σ.w }, { size: channels, momentum });
    return {
      value: result,
      back: (/** @type {Buffer} */ da, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        this.row(this.backward, "batch_sums", { ...of, da, sums, more: null, a: null, dn: null }, sizes);
        this.row(this.collect, "channel_gradient", { sums, dp: beta.dw }, { size: channels, place: 0 });
        this.row(this.collect, "channel_gradient", { sums, dp: gamma.dw }, { size: channels, place: 1 });
        if (!wanted) return null;
        const dx = this.value(count(x.shape));
        this.row(this.backward, "batch_normalization_adjoint", { ...of, gamma: gamma.w, da, sums, dx }, sizes);
        return { buffer: dx, gated: false };
      },
    };
  }

  // --- layers over steps ----------------------------------------------------------------------------------------

  /** @param {any} layer @param {number} number @param {Value} x numbers of rows of the table */
  embedding({ entries, units: columns }, number, x) {
    const n = count(x.shape);
    const E = /** @type {any} */ (this.parameter(number, "E"));
    const h = this.value(n * columns);
    const sizes = { entries, columns, n };
    this.row(this.forward, "embedding", { ids: x.buffer, W: E.w, h }, sizes);
    return {
      value: { buffer: h, shape: [...x.shape, columns], gate: null },
      back: (/** @type {Buffer} */ dh) => {
        const [counts, touched] = this.visible ? [null, null] : [this.once_(entries), this.once_(entries + 1)];
        this.row(this.backward, "embedding_gradient", { ids: x.buffer, dh, dW: E.dw, counts, touched }, sizes);
        if (counts) this.restored(E, counts, { entries, columns });
        return null;
      },
    };
  }

  /**
   * Keeps the rows of a table that don't occur in the batch as they are, unless the optimizer needs all of them.
   * @param {{ w: Buffer, dw: Buffer }} table @param {Buffer} counts @param {{ [name: string]: number }} sizes
   */
  restored({ w, dw }, counts, sizes) {
    const { rows, slots } = this.optimizer;
    const byRows = rows.every((/** @type {any} */ row) => row.over === "all");
    for (const x of byRows ? [w, ...slots.map((_, n) => ({ ...w, region: `slot${n}` }))] : []) {
      const held = this.once_(w.size);
      this.row(this.moving, "hold", { x, held }, { size: w.size });
      this.row(this.tables, "restore", { x, held, counts }, sizes);
    }
    this.row(byRows ? this.tables : this.moving, "restore", { x: dw, held: null, counts }, sizes);
  }

  /** @param {any} layer @param {number} number @param {Value} x */
  recurrent({ cell, units: n, sequences }, number, x) {
    this.streams += 2; // of dropout of inputs and states, which the page doesn't have
    const { gates, keeps } = CELLS[cell];
    const [W, R, b] = ["W", "R", "b"].map((name) => /** @type {any} */ (this.parameter(number, name)));
    const [steps, size] = [x.shape[0], gates * n];
    const half = (/** @type {Buffer} */ of, /** @type {number} */ k) => ({ ...of, offset: of.offset + k * size, size });
    const [given, own] = [0, 1].map((k) => k * size < b.w.size && { w: half(b.w, k), dw: half(b.dw, k) });
    const { h: gate, back } = this.product(x, W, given || null);
    const [before, h] = [0, 1].map(() => this.value(steps * n));
    const kept = keeps ? this.value(steps * n) : null;
    const end = sequences ? null : this.value(n);
    const sizes = { steps, n, gates, each: Number(sequences) };
    const of = { x: gate, R: R.w, before, h, kept };
    this.row(this.forward, cell, { ...of, c: own ? own.w : null, end }, sizes);
    this.insides.set(number, { h });
    return {
      value: { buffer: end ?? h, shape: sequences ? [steps, n] : [n], gate: null },
      back: (/** @type {Buffer} */ dh, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        const dx = this.value(steps * size);
        const dr = own ? this.value(steps * size) : dx;
        this.row(this.backward, `${cell}_adjoint`, { ...of, dh, dx, dr }, sizes);
        this.weightGradient(before, dr, R.dw, { inputs: n, units: size, positions: steps });
        const places = { units: size, positions: steps, dh_by_columns: 0 };
        if (own) this.row(this.backward, "bias_gradient", { dh: dr, db: own.dw }, places);
        return back(dx, wanted);
      },
    };
  }

  /** Of x on itself. @param {any} layer @param {number} number @param {Value} x */
  attention({ heads, units: depth }, number, x) {
    const steps = x.shape[0];
    const of = (/** @type {string} */ part, /** @type {Value} */ value) =>
      this.product(value, this.parameter(number, `${part}/W`), this.parameter(number, `${part}/b`));
    const looks = ["query", "key", "value"].map((part) => of(part, x));
    const [q, k, v] = looks.map(({ h }) => h);
    const [o, sums] = [steps * heads * depth, 2 * steps * heads].map((size) => this.value(size));
    const sizes = { queries: steps, keys: steps, heads, groups: heads, depth, width: depth, scale: depth ** -0.5, rate: 0 };
    const plain = { mask_row: 0, mask_head: 0, mask_query: 0, causal: 0, window: 0, stream: 0 };
    const operands = { q, k, v, mask: null, o, sums };
    this.row(this.forward, "attention", operands, { ...sizes, ...plain });
    this.insides.set(number, { q, k });
    const made = of("output", { buffer: o, shape: [steps, heads * depth], gate: null });
    return {
      value: { buffer: made.h, shape: x.shape, gate: null },
      back: (/** @type {Buffer} */ d, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        const { buffer: dO } = /** @type {any} */ (made.back(d, true));
        const errors = looks.map(({ h }) => this.value(h.size));
        const [dq, dk, dv] = errors;
        this.row(this.backward, "attention_adjoint", { ...operands, do: dO, dq, dk, dv }, { ...sizes, ...plain });
        const [dx, ...others] = looks.map(({ back }, n) => back(errors[n], wanted));
        if (!dx) return null;
        for (const other of others)
          this.row(this.backward, "add", { x: dx.buffer, y: other?.buffer ?? null }, { size: count(x.shape) });
        return dx;
      },
    };
  }

  /** The mean over the steps. @param {Value} x */
  average(x) {
    const [steps, C] = x.shape;
    const window = { H: 1, Wd: steps, C, OH: 1, OW: 1, kh: 1, kw: steps, sh: 1, sw: steps };
    const sizes = { ...window, dilation_h: 1, dilation_w: 1, top: 0, left: 0, x_by_columns: 0 };
    const a = this.value(C);
    this.row(this.forward, "average_pooling", { x: x.buffer, a }, sizes);
    return {
      value: { buffer: a, shape: [C], gate: null },
      back: (/** @type {Buffer} */ da, /** @type {boolean} */ _, /** @type {boolean} */ wanted) => {
        if (!wanted) return null;
        const dx = this.value(steps * C);
        this.row(this.backward, "average_pooling_adjoint", { da, dx }, { ...sizes, da_by_columns: 0 });
        return { buffer: dx, gated: false };
      },
    };
  }

  /**
   * An activation of h; with `relu`, h is already max(h, 0), and whoever computes its adjoint can leave out what is 0.
   * @param {string} name @param {Buffer} h @param {number[]} shape @param {number} relu
   * @returns {{ value: Value, back: (da: Buffer) => Buffer }}
   */
  activated(name, h, shape, relu) {
    const own = isFormula(name) ? ownActivation(name) : null;
    const found = own ? { ...own, reads: "h" } : this.catalogue.activations[name];
    if (!found) throw unsupported("the page's engine has no activation {name}", { name });
    const size = count(shape);
    const units = shape[shape.length - 1];
    const names = { size, units, positions: size / units };
    let a = h;
    if (found.forward && !relu) {
      a = found.reads === "h" || this.visible ? this.value(size) : h; // over h, if nobody reads it again
      if (own) this.own(this.forward, `${name}, forward`, own.forward, { h, a }, size);
      else this.templated(this.forward, found.forward, { h, a }, names);
    }
    return {
      value: { buffer: a, shape, gate: relu ? a : null },
      back: (da) => {
        if (found.backward) {
          const operands = { v: found.reads === "h" ? h : a, da, dh: da };
          if (own) this.own(this.backward, `${name}, backward`, own.backward, operands, size);
          else this.templated(this.backward, found.backward, operands, names);
        }
        return da;
      },
    };
  }

  // --- loss and update ------------------------------------------------------------------------------------------

  /**
   * The loss and the metric; `joined`: the loss is given what the last layer's activation would be given.
   * @param {Spec} spec
   */
  loss(spec) {
    const { catalogue } = this;
    const shape = /** @type {number[]} */ (shapes(spec).at(-1));
    const [units, activation] = [count(shape), /** @type {any} */ (spec.layers.at(-1)).activation ?? "linear"];
    const own = isFormula(spec.loss) ? ownLoss(spec.loss) : null; // of the targets and metrics of a squared error
    const found = catalogue.losses[own ? "mean_squared_error" : spec.loss]?.[units === 1 ? "one" : "many"];
    if (!found) throw unsupported("the page's engine has no loss {name}", { name: spec.loss });
    const template = found.endings[activation] ?? found.endings.linear;
    const metric = spec.metric && template[spec.metric];
    if (spec.metric && !metric)
      throw unsupported("the page's engine has no metric {name} of this loss", { name: spec.metric });
    if (shape.length > 1 && "classes" in { ...template.loss.sizes, ...metric?.sizes })
      throw unsupported("classes take a dense layer at the end: put flatten and dense after the last layer");
    const names = { units, "1/units": 1 / units };
    const { coefficient } = template.loss.constants; // of a sum over the outputs: its mean over the places counts
    const over = typeof coefficient === "number" ? { coefficient: (coefficient * /** @type {number} */ (shape.at(-1))) / units } : {};
    const scored = { ...template.loss, constants: { ...template.loss.constants, ...over } };
    const { totals } = catalogue.layout;
    const sum = (/** @type {number} */ offset) => ({ region: "totals", offset, size: 1, perRow: false });
    return {
      joined: /** @type {boolean} */ (template.joined),
      /** @param {Buffer} p what the last layer has computed @returns {{ a: Buffer, d: Buffer }} the output, and ∂L/∂p */
      add: (p) => {
        const y = this.gather("y", found.targets === "one" ? 1 : units);
        const d = this.value(units);
        const a = template.joined ? this.value(units) : null;
        const operands = { y, weight: null, sums: sum(totals.loss), dp: d, a };
        if (own) this.own(this.forward, spec.loss, own, { p, y, sums: operands.sums, dp: d }, units);
        else this.templated(this.forward, scored, { p, ...operands }, names);
        const judged = { p: a ?? p, y, weight: null, sums: sum(totals.metric) };
        if (metric) this.templated(this.forward, metric, judged, names);
        return { a: a ?? p, d };
      },
    };
  }

  /** @param {Spec} spec */
  penalties(spec) {
    const { l1 = 0, l2 = 0 } = spec;
    if (!l1 && !l2) return;
    const { penalties, layout } = this.catalogue;
    const sums = { region: "totals", offset: layout.totals.penalty, size: 1, perRow: false };
    const kernels = this.parameters.filter((p) => /(^|\/)W$/.test(p.name));
    for (const [key, result] of /** @type {[string, any][]} */ ([
      ["penalty", null],
      ["gradient", "dw"],
    ])) {
      if (result && !this.trains) continue;
      for (const p of kernels) {
        const { w, dw } = views(p);
        const template = { ...penalties[key], constants: { l1, l2 } };
        this.templated(this.finish, template, result ? { w, dw } : { w, sums }, { size: w.size });
      }
    }
  }

  update() {
    const { rows, flat, given } = this.optimizer;
    const names = Object.fromEntries(Object.entries(given).map(([k, v]) => [k, Number(v)]));
    const trained = this.parameters.filter((p) => p.trained);
    const vector = end(trained);
    for (const row of rows) {
      const phase = "turn" in row.sizes ? this.matrices : this.finish; // turns are those of whole arrays
      for (const part of parts(row.over, flat, trained, vector)) {
        const step = names.rms_rate ? names.rms_rate * Math.sqrt(Math.max(part.rows, part.columns)) : 1;
        const operands = Object.fromEntries(
          Object.entries(row.operands).map(([name, place]) => [name, this.vector(place, part)]),
        );
        this.templated(phase, row, operands, { ...names, step, ...part });
      }
    }
  }

  /** @param {any} place "w", "dw", "scratch" or the number of an optimizer's vector @param {any} part @returns {Buffer} */
  vector(place, { offset, size, scratch }) {
    if (place === "scratch") return this.once_(scratch);
    const region = place === "w" ? "parameters" : place === "dw" ? "gradients" : `slot${place}`;
    return { region, offset, size, perRow: false };
  }

  /** The finish, divided where what follows works on whole arrays. @returns {Segment[]} */
  get segments() {
    const found = [
      { rows: this.moving, sliced: false },
      { rows: this.finish, sliced: true },
      { rows: this.matrices, sliced: false },
      { rows: this.tables, sliced: false },
    ];
    return found.filter(({ rows }) => rows.length > 0);
  }
}
