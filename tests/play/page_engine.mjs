// Trains the networks of a file by the page's engine: node page_engine.mjs CASES MODULE; prints what it finds as JSON.
// Every stretch of memory is between two others that nothing may write to.
import { readFileSync } from "node:fs";
import { Network, load } from "../../thalweg/views/web/engine/network.js";
import { describedActivation } from "../../thalweg/views/web/engine/formula.js";
import { Machine } from "../../thalweg/views/web/engine/machine.js";

const GUARD = 256;
const guards = [];
const { room } = Machine.prototype;
Machine.prototype.room = function (bytes) {
  const before = room.call(this, GUARD);
  const at = room.call(this, bytes);
  guards.push(before, room.call(this, GUARD));
  return at;
};

const { catalogue, cases, formulas } = JSON.parse(readFileSync(process.argv[2]));
const bytes = readFileSync(process.argv[3]);
const kernels = await load(bytes, catalogue);
const lists = (arrays) => arrays.map((a) => Array.from(a));

function trained({ spec, weights, x, y, rows, steps, rate, traced }) {
  guards.length = 0;
  const [X, Y] = [Float32Array.from(x), Float32Array.from(y)];
  const network = Network.create(kernels, spec, weights, X, Y, rows);
  try {
    const result = network.run(steps, () => rate);
    const memory = new Uint8Array(network.machine.buffer);
    const answers = {
      predicted: lists([network.predict(X, rows)])[0],
      outputs: lists(network.outputs(X, rows)),
      scores: network.evaluate(X, Y, rows),
    };
    const clean = guards.every((at) => memory.subarray(at, at + GUARD).every((byte) => byte === 0));
    const trace = traced && network.trace(X, Y, rows).map(({ h, dh }) => ({ h: Array.from(h), dh: Array.from(dh) }));
    const denormal = network.slots
      .flatMap(({ at, size }) => Array.from(network.machine.floats(at, size)))
      .filter((v) => v !== 0 && Math.abs(v) < 2 ** -126).length;
    const { iteration, epochs } = network;
    return {
      ...result,
      ...answers,
      weights: lists(network.arrays().map((a) => a.values)),
      clean,
      trace,
      denormal,
      blocks: [network.training.block, network.evaluation.block],
      gradients: lists(network.gradients().map((a) => a.values)),
      iteration,
      epochs,
    };
  } finally {
    network.close();
  }
}

const texts = formulas.map((text) => describedActivation(text).texts);
const found = cases.map((given) => {
  try {
    return trained(given);
  } catch (error) {
    return { error: error.constructor.name, message: error.message };
  }
});
const imports = WebAssembly.Module.imports(kernels.module).length;
console.log(JSON.stringify({ imports, instances: kernels.waiting.length, found, texts }));
