// One instance of the native engine in WebAssembly: its memory, its kernels, and tables of rows that its machine runs.
import { callable } from "./own_kernels.js";
import { unsupported, up } from "./weights.js";

/** @typedef {import("./lowering.js").Buffer} Buffer @typedef {import("./lowering.js").Row} Row */
/** @typedef {import("./lowering.js").Lowering} Lowering */
/** @typedef {{ [region: string]: { at: number, size: number } }} Regions addresses, and sizes in elements */

const PAGE = 65536;

export class Machine {
  /** @param {WebAssembly.Module} module @param {any} catalogue */
  constructor(module, catalogue) {
    this.catalogue = catalogue;
    this.exports = /** @type {any} */ (new WebAssembly.Instance(module, {}).exports);
    this.exports._initialize?.();
    this.places = /** @type {Map<string, number>} */ (new Map());
    this.start = this.exports.memory.buffer.byteLength; // below lie the stack and what kernels hold
    this.next = this.start;
  }

  /** Forgets all that was allocated. */
  clear() {
    new Uint8Array(this.buffer).fill(0, this.start, this.next);
    this.next = this.start;
  }

  /** Another object after memory has grown. */
  get buffer() {
    return /** @type {ArrayBuffer} */ (this.exports.memory.buffer);
  }

  /** @param {number} bytes @returns {number} the address of zeros, which starts at a cache line */
  room(bytes) {
    const at = this.next;
    this.next += up(Math.max(bytes, 1), 64);
    const missing = this.next - this.buffer.byteLength;
    try {
      if (missing > 0) this.exports.memory.grow(Math.ceil(missing / PAGE));
    } catch {
      this.next = at;
      throw unsupported("this network and its rows take more memory than the browser gives");
    }
    return at;
  }
  /** @param {number} at @param {number} size */
  floats(at, size) {
    return new Float32Array(this.buffer, at, size);
  }
  /** @param {number} at @param {number} size */
  doubles(at, size) {
    return new Float64Array(this.buffer, at, size);
  }
  /** @param {number[]} numbers @returns {number} the address of these int64 */
  words(numbers) {
    const at = this.room(8 * numbers.length);
    new BigInt64Array(this.buffer, at, numbers.length).set(numbers.map(BigInt));
    return at;
  }

  /**
   * The address of a kernel: its index in the table of functions, into which it is put the first time.
   * @param {string} name @param {import("./own_kernels.js").OwnKernel} [own] one that the module doesn't have
   */
  address(name, own) {
    let index = this.places.get(name);
    if (index === undefined) {
      const found = own ? callable(this, own) : this.exports[name];
      if (!found) throw new ReferenceError(`there is no kernel ${name}`);
      index = /** @type {number} */ (this.exports.__indirect_function_table.grow(1));
      this.exports.__indirect_function_table.set(index, found);
      this.places.set(name, index);
    }
    return index;
  }
}

/** The rows of a lowered network in memory, and what the machine is told of them. */
export class Table {
  /**
   * @param {Machine} machine @param {Lowering} lowered @param {Regions} regions that tables share
   * @param {{ rows: number, batch: number, block: number, seed: number, shuffle: boolean, steps: number }} job
   */
  constructor(machine, lowered, regions, job) {
    const { layout } = machine.catalogue;
    this.machine = machine;
    this.layout = layout;
    this.block = job.block;
    const unit = layout.alignment;
    const workspace = up(lowered.perRow * job.block, unit);
    this.once = workspace;
    const size = workspace + lowered.once;
    this.sums = layout.totals.metric + 1;
    const totals = up(this.sums, unit);
    this.regions = /** @type {Regions} */ ({
      ...regions,
      workspace: { at: machine.room(4 * size), size },
      totals: { at: machine.room(8 * totals), size: totals },
    });
    const perEpoch = Math.ceil(job.rows / job.batch);
    const { prepare, gathers, collect, segments } = lowered;
    const rows = [...gathers, ...lowered.forward, ...lowered.backward];
    const all = [...prepare, ...rows, ...collect, ...segments.flatMap((s) => s.rows)];
    this.table = machine.room(8 * layout.row * all.length);
    this.constants = machine.room(8 * layout.constants * all.length);
    all.forEach((row, n) => this.link(row, n));
    this.steps = job.steps;
    this.numbers = machine.room(16 * job.steps);
    this.losses = machine.room(16 * job.steps);
    this.records = machine.room(8 * this.sums * (Math.ceil(job.steps / perEpoch) + 1));
    this.job = machine.room(8 * layout.job_size);
    const vector = lowered.parameters.length ? this.regions.parameters.size : 0;
    const slices = sliced(vector, layout.slice, unit);
    this.set({
      itself: this.job, table: this.table, constants: this.constants, records: this.records,
      state: machine.room(8 * layout.state), reals: machine.room(8 * layout.reals),
      totals: this.regions.totals.at, totals_size: totals, sums: this.sums, losses: this.losses,
      shared: machine.room(8 * layout.shared), lanes: 1, threads: 1, own: 1,
      prepare: prepare.length, gathers: gathers.length, rows: rows.length, collect: collect.length,
      segments: machine.words(segments.flatMap((s) => [s.rows.length, Number(s.sliced), 0])),
      segment_count: segments.length, every: 1, slices: machine.words(slices.flat()),
      slice_count: slices.length, data_rows: job.rows, batch: job.batch, block: job.block,
      seed: job.seed, shuffle: Number(job.shuffle), order: job.shuffle ? machine.room(8 * job.rows) : 0,
      free: prepare.length + rows.length,
    }); // prettier-ignore
  }

  /** @param {{ [name: string]: number }} values */
  set(values) {
    const job = new BigInt64Array(this.machine.buffer, this.job, this.layout.job_size);
    for (const [name, value] of Object.entries(values)) job[this.layout.job[name]] = BigInt(value);
  }
  /** @param {string} name */
  get(name) {
    return Number(new BigInt64Array(this.machine.buffer, this.job, this.layout.job_size)[this.layout.job[name]]);
  }

  /** The address of an operand, which has to lie in its region. @param {Buffer | null} buffer */
  place(buffer) {
    if (!buffer) return 0;
    const { region, offset, size, perRow } = buffer;
    const once = region === "once";
    const found = this.regions[once ? "workspace" : region];
    const first = once ? this.once + offset : region === "workspace" && perRow ? offset * this.block : offset;
    const own = region === "workspace" && perRow ? size * this.block : size;
    if (!found || first + own > found.size) throw new RangeError(`a value leaves the region ${region}`);
    return found.at + (region === "totals" ? 8 : 4) * first;
  }

  /**
   * Writes a row: the kernel's address, and what it asks for by name.
   * @param {Row} row @param {number} n
   */
  link(row, n) {
    const { layout, machine } = this;
    const asked = row.own ?? machine.catalogue.kernels[row.kernel];
    if (!asked) throw new ReferenceError(`there is no kernel ${row.kernel}`);
    const number = (/** @type {string} */ name) => {
      if (name in row.operands) return this.place(row.operands[name]);
      if (name in row.numbers) return row.numbers[name];
      const of = name.endsWith("_offset") && row.operands[name.slice(0, -"_offset".length)];
      if (of) return of.offset;
      if (name in asked.defaults) return asked.defaults[name];
      throw new RangeError(`the kernel ${row.kernel} asks for ${name}`);
    };
    const words = [machine.address(row.kernel, row.own), ...asked.words.map(number)];
    const reals = asked.reals.map(number);
    if (words.length > layout.row || reals.length > layout.constants)
      throw new RangeError(`${row.kernel} asks for too much`);
    new BigInt64Array(machine.buffer, this.table + 8 * layout.row * n, layout.row).set(words.map(BigInt));
    machine.doubles(this.constants + 8 * layout.constants * n, layout.constants).set(reals);
  }

  /**
   * Runs steps, `this.steps` at most; rates: the learning rate of each.
   * @param {{ epoch: number, batch: number, iteration: number }} at @param {number[]} rates
   * @returns {{ done: number, finite: boolean }}
   */
  run({ epoch, batch, iteration }, rates) {
    const numbers = this.machine.doubles(this.numbers, 2 * rates.length);
    rates.forEach((rate, n) => numbers.set([rate, 1], 2 * n));
    this.set({ steps: rates.length, iteration, epoch, first_batch: batch });
    const { machine, job } = this;
    machine.exports[machine.catalogue.machine](job, this.numbers, this.get("state"), this.get("reals"));
    const done = this.get("done");
    return { done, finite: done === rates.length };
  }
}

/** Where the parameter vector is cut, so that a slice's vectors stay near: (first, after, 0) of each. @returns {number[][]} */
function sliced(/** @type {number} */ size, /** @type {number} */ most, /** @type {number} */ unit) {
  const [units, parts] = [Math.ceil(size / unit), Math.max(1, Math.ceil(size / most))];
  const cut = (/** @type {number} */ n) => Math.min(size, Math.floor((units * n) / parts) * unit);
  return Array.from({ length: parts }, (_, n) => [cut(n), cut(n + 1), 0]);
}
