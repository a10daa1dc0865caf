// A network that trains in this thread, by the native engine's kernels.
import { Lowering } from "./lowering.js";
import { Machine, Table } from "./machine.js";
import { optimizer } from "./optimizer.js";
import { count, end, up } from "./weights.js";

const STEPS = 256; // of one call: after it, what isn't finite and what has become denormal is looked for
const WORKSPACE = 1 << 20; // bytes of a block's values: about a core's own cache
const LEAST = 64; // rows of a block
const MANY = 1024; // rows that are predicted at once, at most
const LEAST_NORMAL = 2 ** -126;

/** The module's code and catalogue, and instances that wait for another network. */
export class Kernels {
  /** @param {WebAssembly.Module} module @param {any} catalogue */
  constructor(module, catalogue) {
    this.module = module;
    this.catalogue = catalogue;
    this.waiting = /** @type {Machine[]} */ ([]);
  }
  /**
   * What a function makes with an instance, which it keeps unless it throws or `lent`.
   * @template T @param {(machine: Machine) => T} use @param {boolean} [lent] @returns {T}
   */
  withMachine(use, lent = false) {
    const machine = this.waiting.pop() ?? new Machine(this.module, this.catalogue);
    let kept = false;
    try {
      const made = use(machine);
      kept = !lent;
      return made;
    } finally {
      if (!kept) this.takeBack(machine);
    }
  }
  /** @param {Machine} machine */
  takeBack(machine) {
    machine.clear();
    this.waiting.push(machine);
  }
}

/** @param {BufferSource} bytes thalweg.wasm @param {any} catalogue @returns {Promise<Kernels>} */
export async function load(bytes, catalogue) {
  return new Kernels(await WebAssembly.compile(bytes), catalogue);
}

export class Network {
  /**
   * @param {Kernels} kernels @param {Spec} spec @param {ArrayLike<number>[]} weights as get_weights() has them
   * @param {Float32Array} x @param {Float32Array} y @param {number} rows
   */
  static create(kernels, spec, weights, x, y, rows) {
    return kernels.withMachine((machine) => new Network(kernels, machine, spec, weights, x, y, rows));
  }

  /** See `create`. @param {Kernels} kernels @param {Machine} machine @param {Spec} spec
   * @param {ArrayLike<number>[]} weights @param {Float32Array} x @param {Float32Array} y @param {number} rows */
  constructor(kernels, machine, spec, weights, x, y, rows) {
    const { catalogue } = kernels;
    const training = new Lowering(catalogue, spec, "training");
    const { slots, names, given } = optimizer(catalogue, spec);
    this.kernels = kernels;
    this.machine = machine;
    this.spec = spec;
    this.rows = rows;
    this.batch = Math.min(spec.batch, rows);
    this.layout = training.parameters;
    const inputs = count(spec.input);
    this.targets = training.gathers[1].numbers.size;
    this.units = count(training.outputs[spec.layers.length - 1].shape);
    fits("x", x, rows, inputs);
    this.fit(y, rows);
    const vector = up(end(this.layout), catalogue.layout.alignment);
    const trained = up(end(this.layout.filter((p) => p.trained)), catalogue.layout.alignment);
    const region = (/** @type {number} */ size) => ({ at: machine.room(4 * size), size });
    this.regions = { parameters: region(vector), gradients: region(trained), x: region(x.length), y: region(y.length) };
    this.slots = slots.map(() => region(trained));
    this.slotNames = names;
    this.beginnings = slots.map((beginning) => (beginning === "w" ? "w" : beginning ? given[beginning] : 0));
    const own = Object.fromEntries(this.slots.map((slot, n) => [`slot${n}`, slot]));
    const block = training.meets ? up(this.batch, 16) : blockOf(training, this.batch);
    const shuffle = spec.shuffle && this.batch < rows;
    const job = { rows, batch: this.batch, block, seed: spec.seed, shuffle, steps: STEPS };
    this.training = new Table(machine, training, { ...this.regions, ...own }, job);
    this.lowered = {
      evaluation: new Lowering(catalogue, spec, "evaluation"),
      inference: new Lowering(catalogue, spec, "inference"),
    };
    this.evaluation = this.answering(this.lowered.evaluation, inputs);
    this.inference = this.answering(this.lowered.inference, inputs);
    machine.floats(this.regions.x.at, x.length).set(x);
    machine.floats(this.regions.y.at, y.length).set(y);
    this.iteration = 0;
    this.epochs = 0;
    this.step = 0;
    this.setWeights(weights);
    this.beginnings.forEach((beginning, n) => {
      const to = machine.floats(this.slots[n].at, trained);
      if (beginning === "w") to.set(this.vector.subarray(0, trained));
      else to.fill(beginning);
    });
    this.before = { vector: new Float32Array(vector), slots: slots.map(() => new Float32Array(trained)) };
  }

  /** The table that computes answers, or loss and metric, of a block of rows. @param {Lowering} lowered @param {number} inputs */
  answering(lowered, inputs) {
    const block = Math.min(MANY, blockOf(lowered, MANY));
    const region = (/** @type {number} */ size) => ({ at: this.machine.room(4 * size), size });
    const regions = { parameters: this.regions.parameters, x: region(block * inputs), y: region(block * this.targets) };
    return new Table(this.machine, lowered, regions, {
      rows: block,
      batch: block,
      block,
      seed: 0,
      shuffle: false,
      steps: 1,
    });
  }

  get stepsPerEpoch() {
    return Math.ceil(this.rows / this.batch);
  }

  /** All parameters, in the engine's own order. Setting writes them. */
  get vector() {
    const { at, size } = this.regions.parameters;
    return this.machine.floats(at, size);
  }
  set vector(values) {
    this.vector.set(values);
  }

  /** @param {ArrayLike<number>[]} weights */
  setWeights(weights) {
    const arrays = this.arrays();
    if (arrays.length !== weights.length)
      throw new RangeError(`there are ${arrays.length} arrays of weights, got ${weights.length}`);
    for (const [n, { values, name }] of arrays.entries()) {
      if (values.length !== weights[n].length)
        throw new RangeError(`${name} has ${values.length} numbers, got ${weights[n].length}`);
      values.set(weights[n]);
    }
  }

  /** Every array of weights, as views that hold until the network is closed. */
  arrays() {
    return this.layout.map(({ layer, name, shape, offset }) => {
      const values = this.machine.floats(this.regions.parameters.at + 4 * offset, count(shape));
      return { layer, name, shape, values };
    });
  }

  /** The optimizer's vectors, of what is trained, and what they began with: a number, or "w" for the weights. */
  optimizerVectors() {
    return this.slots.map(({ at, size }, n) => ({ name: this.slotNames[n], values: this.machine.floats(at, size), beginning: this.beginnings[n] }));
  }

  /**
   * Trains. records: loss and metric of each epoch that ended; losses: of each step. If a number isn't finite, the
   * last finite weights are kept, and the steps up to them count.
   * @param {number} steps @param {(iteration: number) => number} rateOf
   */
  run(steps, rateOf) {
    const result = {
      done: 0,
      finite: true,
      records: /** @type {Score[]} */ ([]),
      losses: /** @type {number[]} */ ([]),
      before: /** @type {Float32Array | null} */ (null), // the last one of steps that were repeated
    };
    while (result.done < steps && result.finite) this.some(Math.min(STEPS, steps - result.done), rateOf, result);
    return result;
  }

  /**
   * One call of the machine; once more step by step, up to the last finite one, if it doesn't end well.
   * @param {number} steps @param {(iteration: number) => number} rateOf @param {any} result
   */
  some(steps, rateOf, result) {
    this.keep();
    const rates = Array.from({ length: steps }, (_, n) => rateOf(this.iteration + n));
    const at = { epoch: this.epochs, batch: this.step, iteration: this.iteration };
    const table = this.training;
    const { at: place, size } = table.regions.totals;
    const totals = table.machine.doubles(place, size).slice();
    const { done, finite } = table.run(at, rates);
    if (finite && this.vector.every(Number.isFinite)) {
      this.count(done, totals, result);
      if (steps === 1) result.before = this.before.vector.slice();
      return;
    }
    this.restore();
    table.machine.doubles(place, size).set(totals);
    if (steps === 1) result.finite = false;
    for (let n = 0; n < steps && result.finite; n++) this.some(1, rateOf, result);
  }

  /** @param {number} done @param {Float64Array} before the running sums @param {any} result */
  count(done, before, result) {
    const { training: table, stepsPerEpoch } = this;
    const running = table.machine.doubles(table.losses, 2 * done);
    const { loss, penalty } = table.layout.totals;
    let [earlier, ended] = [before[loss] + before[penalty], 0];
    for (let n = 0; n < done; n++) {
      if (this.step === 0) earlier = 0;
      const total = running[2 * n] + running[2 * n + 1];
      const rows = Math.min(this.batch, this.rows - this.step * this.batch);
      result.losses.push((total - earlier) / rows);
      earlier = total;
      this.step += 1;
      if (this.step < stepsPerEpoch) continue;
      this.step = 0;
      this.epochs += 1;
      result.records.push(this.score(table, ended));
      ended += 1;
    }
    this.iteration += done;
    result.done += done;
    for (const { at, size } of this.slots) flush(table.machine.floats(at, size));
  }

  /** Mean loss, penalties included, and metric of a finished epoch. @param {Table} table @param {number} n @returns {Score} */
  score(table, n) {
    const { loss, penalty, rows, metric } = table.layout.totals;
    const sums = table.machine.doubles(table.records + 8 * table.sums * n, table.sums);
    return {
      loss: (sums[loss] + sums[penalty]) / sums[rows],
      metric: this.spec.metric ? sums[metric] / sums[rows] : null,
    };
  }

  keep() {
    this.before.vector.set(this.vector);
    this.slots.forEach(({ at, size }, n) => this.before.slots[n].set(this.machine.floats(at, size)));
  }
  restore() {
    this.vector = this.before.vector;
    this.slots.forEach(({ at, size }, n) => this.machine.floats(at, size).set(this.before.slots[n]));
  }

  /**
   * Every layer's output for these rows. @param {Float32Array} x @param {number} rows @returns {Float32Array[]}
   */
  outputs(x, rows) {
    const { outputs } = this.lowered.inference;
    const found = outputs.map(({ shape }) => new Float32Array(rows * count(shape)));
    this.each(this.inference, x, null, rows, (first, many) => {
      outputs.forEach(({ buffer }, n) => {
        const values = this.machine.floats(this.inference.place(buffer), many * buffer.size);
        found[n].set(values, first * buffer.size);
      });
    });
    return found;
  }

  /** The last layer's output. @param {Float32Array} x @param {number} rows */
  predict(x, rows) {
    const { buffer } = this.lowered.inference.outputs[this.spec.layers.length - 1];
    const found = new Float32Array(rows * buffer.size);
    this.each(this.inference, x, null, rows, (first, many) => {
      found.set(this.machine.floats(this.inference.place(buffer), many * buffer.size), first * buffer.size);
    });
    return found;
  }

  /** What layers over steps compute for a row: h of a recurrence, q and k of an attention. @param {Float32Array} x */
  insides(x) {
    this.predict(x, 1);
    const read = (/** @type {Buffer} */ b) => this.machine.floats(this.inference.place(b), b.size).slice();
    return [...this.lowered.inference.insides].map(([layer, buffers]) => {
      const values = Object.entries(buffers).map(([name, buffer]) => [name, read(buffer)]);
      return /** @type {any} */ ({ layer, ...Object.fromEntries(values) });
    });
  }

  /** Mean loss, penalties included, and metric on these rows; NaN if the loss isn't finite. @param {Float32Array} x @param {Float32Array} y @param {number} rows */
  evaluate(x, y, rows) {
    let [loss, metric] = [0, 0];
    this.each(this.evaluation, x, y, rows, (_, many, finite) => {
      if (!finite) loss = NaN; // and there is no score of these rows
      const score = this.score(this.evaluation, 0);
      loss += score.loss * many;
      metric += (score.metric ?? 0) * many;
    });
    return { loss: loss / rows, metric: this.spec.metric ? metric / rows : null };
  }

  /**
   * @param {Table} table @param {Float32Array} x @param {Float32Array | null} y @param {number} rows
   * @param {(first: number, many: number, finite: boolean) => void} done
   */
  each(table, x, y, rows, done) {
    const inputs = count(this.spec.input);
    fits("x", x, rows, inputs);
    if (y) this.fit(y, rows);
    for (let first = 0; first < rows; first += table.block) {
      const many = Math.min(table.block, rows - first);
      const part = (/** @type {Float32Array} */ of, /** @type {number} */ size) =>
        of.subarray(first * size, (first + many) * size);
      this.machine.floats(table.regions.x.at, many * inputs).set(part(x, inputs));
      if (y) this.machine.floats(table.regions.y.at, many * this.targets).set(part(y, this.targets));
      table.set({ data_rows: many, batch: many });
      const { finite } = table.run({ epoch: 0, batch: 0, iteration: 0 }, [0]);
      done(first, many, finite);
    }
  }

  /** The gradients of the last step, as `arrays` has the weights; of those that are trained. */
  gradients() {
    return this.layout
      .filter(({ trained }) => trained)
      .map(({ layer, name, shape, offset }) => {
        const values = this.machine.floats(this.regions.gradients.at + 4 * offset, count(shape));
        return { layer, name, shape, values };
      });
  }

  /**
   * What a step on these rows computes in each layer with weights: its inputs x, h, a and dh = ∂L/∂h, where L is the
   * mean loss. The weights don't change.
   * @param {Float32Array} x @param {Float32Array} y @param {number} rows
   */
  trace(x, y, rows) {
    const lowered = new Lowering(this.kernels.catalogue, this.spec, "trace");
    fits("x", x, rows, count(this.spec.input));
    this.fit(y, rows);
    return this.kernels.withMachine((machine) => {
      // another's memory, so that this one's doesn't grow
      const data = (/** @type {Float32Array} */ values) => {
        const at = machine.room(4 * values.length);
        machine.floats(at, values.length).set(values);
        return { at, size: values.length };
      };
      const gradients = { at: machine.room(4 * this.regions.gradients.size), size: this.regions.gradients.size };
      const regions = { parameters: data(this.vector), gradients, x: data(x), y: data(y) };
      const job = { rows, batch: rows, block: up(rows, 16), seed: this.spec.seed, shuffle: false, steps: 1 };
      const table = new Table(machine, lowered, regions, job);
      table.run({ epoch: 0, batch: 0, iteration: this.iteration }, [0]);
      return [...lowered.steps].map(([layer, values]) => {
        const read = (/** @type {Buffer} */ b) => machine.floats(table.place(b), rows * b.size).slice();
        return { layer, x: read(values.x), h: read(values.h), a: read(values.a), dh: read(values.dh) };
      });
    }, true);
  }

  /** Throws unless these are targets of so many rows: class numbers below the outputs, if the loss takes such. @param {Float32Array} y @param {number} rows */
  fit(y, rows) {
    fits("y", y, rows, this.targets);
    const outputs = this.units;
    if (this.targets === outputs) return;
    const wrong = y.find((value) => !(Number.isInteger(value) && value >= 0 && value < outputs));
    if (wrong !== undefined) throw new RangeError(`a class is a whole number from 0 to ${outputs - 1}, got ${wrong}`);
  }

  /** Gives the memory back; nothing may be called after this. */
  close() {
    this.kernels.takeBack(this.machine);
  }
}

/** @typedef {{ loss: number, metric: number | null }} Score */
/** @typedef {import("./lowering.js").Spec} Spec @typedef {import("./lowering.js").Buffer} Buffer */

/** Rows of a block, of equal blocks whose values stay near. @param {Lowering} lowered @param {number} batch */
function blockOf(lowered, batch) {
  const most = Math.max(LEAST, Math.floor(WORKSPACE / (4 * Math.max(1, lowered.perRow))));
  return up(Math.ceil(batch / Math.ceil(batch / most)), 16);
}

/** @param {string} name @param {Float32Array} values @param {number} rows @param {number} size */
function fits(name, values, rows, size) {
  if (values.length !== rows * size)
    throw new RangeError(`${name} has ${values.length} numbers, not ${rows} × ${size}`);
}

/** Denormal numbers, which no processor computes with at full speed, become 0, as in the native engine. @param {Float32Array} values */
function flush(values) {
  for (let n = 0; n < values.length; n++) if (values[n] < LEAST_NORMAL && values[n] > -LEAST_NORMAL) values[n] = 0;
}
