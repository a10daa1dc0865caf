// The page's engine in Node, for page_engine.py: node page_engine.mjs CASES MODULE; answers lines [number, question].
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Network, load } from "../thalweg/views/web/engine/network.js";

const { catalogue, cases, seconds } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const kernels = await load(readFileSync(process.argv[3]), catalogue);
const networks = cases.map(({ spec, weights, x, y, rows }) =>
  Network.create(kernels, spec, weights, Float32Array.from(x), Float32Array.from(y), rows),
);

/** Rows a second of processor time. */
function speed(network, rate) {
  const used = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
  const begin = used();
  let [steps, passed] = [0, 0];
  while ((passed = used() - begin) < seconds) steps += network.run(network.stepsPerEpoch, () => rate).done;
  return (steps * network.batch) / passed;
}

/** Biases so low that every other unit of the first layers answers 0 to every row. */
function kill(network) {
  const biases = network.arrays().filter(({ name }) => name === "b");
  for (const { values } of biases.slice(0, -1)) for (let n = 0; n < values.length; n += 2) values[n] = -1e3;
  return true;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, question] = JSON.parse(line);
  const [network, { rate, first }] = [networks[number], cases[number]];
  const answers = {
    losses: () => network.run(first, () => rate).losses,
    speed: () => speed(network, rate),
    "kill units": () => kill(network),
  };
  console.log(JSON.stringify(answers[question]()));
}
