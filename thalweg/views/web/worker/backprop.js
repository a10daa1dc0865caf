// One forward and backward pass in double precision, number by number, for what the page shows of a step.

/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */
/** @typedef {import("./page_network.js").Layer} Layer */
/** What a layer got and made of some rows, and −∂L/∂h. @typedef {{ x: Float64Array[], h: Float64Array[], a: Float64Array[], terms: Float64Array[] }} Pass */

const SMALL = 1e-3; // Keras's epsilon of batch normalisation

/** For each output of a convolution its place, and each weight that meets a pixel. @param {Layer} layer @param {(out: number, pixel: number, weight: number) => void} visit */
function convolved(layer, visit) {
  const { spec, input: [high, wide, channels], shape: [rows, columns, filters] } = layer;
  const size = spec.kernel_size;
  const before = spec.padding === "same" ? Math.floor((size - 1) / 2) : 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      for (let a = 0; a < size; a++) {
        for (let b = 0; b < size; b++) {
          const [y, x] = [i + a - before, j + b - before];
          if (y < 0 || y >= high || x < 0 || x >= wide) continue;
          for (let c = 0; c < channels; c++) {
            for (let f = 0; f < filters; f++) visit((i * columns + j) * filters + f, (y * wide + x) * channels + c, ((a * size + b) * channels + c) * filters + f);
          }
        }
      }
    }
  }
}

/** The pixel that each place of a pooled map takes. @param {Layer} layer @param {Float64Array} x */
function largest(layer, x) {
  const { spec: { pool_size: size }, input: [, wide], shape: [rows, columns, channels] } = layer;
  const places = new Int32Array(rows * columns * channels);
  for (let n = 0; n < places.length; n++) {
    const [c, j, i] = [n % channels, Math.floor(n / channels) % columns, Math.floor(n / channels / columns)];
    let best = -1;
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        const at = ((i * size + a) * wide + j * size + b) * channels + c;
        if (best < 0 || x[at] > x[best]) best = at;
      }
    }
    places[n] = best;
  }
  return places;
}

/** h of a layer with a kernel. @param {Layer} layer @param {Float64Array} x @param {Float32Array} w @param {Float32Array | null} b */
function product(layer, x, w, b) {
  const units = layer.shape[layer.shape.length - 1];
  const h = Float64Array.from({ length: layer.shape.reduce((p, n) => p * n, 1) }, (_, n) => (b ? b[n % units] : 0));
  if (layer.kind === "Conv2D") convolved(layer, (out, pixel, weight) => (h[out] += x[pixel] * w[weight]));
  else for (let i = 0; i < x.length; i++) for (let u = 0; u < units; u++) h[u] += x[i] * w[i * units + u];
  return h;
}

/** ∂L/∂x of ∂L/∂h. @param {Layer} layer @param {Float64Array} dh @param {Float32Array} w @param {number} size */
function carried(layer, dh, w, size) {
  const dx = new Float64Array(size);
  if (layer.kind === "Conv2D") convolved(layer, (out, pixel, weight) => (dx[pixel] += dh[out] * w[weight]));
  else for (let i = 0; i < size; i++) for (let u = 0; u < dh.length; u++) dx[i] += dh[u] * w[i * dh.length + u];
  return dx;
}

/** An activation of every vector of units in a row. @param {Layer} layer @param {Float64Array} h @param {(h: Float64Array, at: number) => Float64Array} of */
function byPlace(layer, h, of) {
  const units = layer.shape[layer.shape.length - 1];
  const a = new Float64Array(h.length);
  for (let at = 0; at < h.length; at += units) a.set(of(h.subarray(at, at + units), at), at);
  return a;
}

/** Mean and variance of each channel over rows and places. @param {Float64Array[]} rows @param {number} channels */
function moments(rows, channels) {
  const count = (rows.length * rows[0].length) / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (const x of rows) x.forEach((v, n) => (mean[n % channels] += v / count));
  for (const x of rows) x.forEach((v, n) => (variance[n % channels] += (v - mean[n % channels]) ** 2 / count));
  return { mean, deviation: variance.map((v) => Math.sqrt(v + SMALL)), count };
}

/**
 * A step on some rows; the weights don't change, and no unit is dropped.
 * @param {PageNetwork} network
 * @param {number} first
 * @param {number} count
 * @returns {{ passes: Pass[], dOutput: Float64Array[] | null }}
 */
export function executed(network, first, count) {
  const { layers, exercise, knobs } = network;
  const weights = network.weights();
  const width = exercise.x.length / exercise.rows;
  const wide = network.y.length / exercise.rows;
  let rows = Array.from({ length: count }, (_, n) => Float64Array.from(exercise.x.subarray((first + n) * width, (first + n + 1) * width)));
  /** @type {Pass[]} */
  const passes = [];
  for (const layer of layers) {
    const [w, b] = [weights[layer.first], layer.useBias ? weights[layer.first + 1] : null];
    const x = rows;
    let h = x;
    if (layer.activation) {
      h = x.map((row) => product(layer, row, w, b));
      rows = h.map((row) => byPlace(layer, row, (part) => /** @type {any} */ (layer.activation).of(part)));
    } else if (layer.kind === "MaxPooling2D") rows = x.map((row) => Float64Array.from(largest(layer, row), (at) => row[at]));
    else if (layer.kind === "BatchNormalization") {
      const channels = layer.arrays[0][0];
      const { mean, deviation } = moments(x, channels);
      rows = x.map((row) => row.map((v, n) => (weights[layer.first][n % channels] * (v - mean[n % channels])) / deviation[n % channels] + weights[layer.first + 1][n % channels]));
    }
    passes.push({ x, h, a: rows, terms: [] });
  }
  const output = rows;
  const targets = output.map((_, n) => network.y.subarray((first + n) * wide, (first + n + 1) * wide));
  const last = layers[layers.length - 1];
  const units = last.shape[last.shape.length - 1];
  const places = output[0].length / units;
  const of = wide / places; // numbers of a target at each place
  const joined = cancels(network);
  const scale = 1 / places / count;
  const slopes = (/** @type {Float64Array} */ row, /** @type {number} */ n) =>
    byPlace(last, row, (p, at) => (joined ? joinedSlope(knobs.loss, targets[n], p) : knobs.loss.slope(targets[n].subarray((at / units) * of, (at / units + 1) * of), p)).map((v) => v * scale));
  let d = output.map(slopes);
  const dOutput = joined ? null : d;
  for (let k = layers.length - 1; k >= 0; k--) {
    const [layer, pass] = [layers[k], passes[k]];
    if (layer.activation) {
      const skip = joined && k === layers.length - 1;
      const dh = skip ? d : pass.h.map((row, n) => byPlace(layer, row, (part, at) => /** @type {any} */ (layer.activation).back(part, d[n].subarray(at, at + part.length))));
      pass.terms = dh.map((row) => row.map((v) => -v));
      d = dh.map((row, n) => carried(layer, row, weights[layer.first], pass.x[n].length));
    } else if (layer.kind === "MaxPooling2D") {
      d = d.map((row, n) => {
        const dx = new Float64Array(pass.x[n].length);
        largest(layer, pass.x[n]).forEach((at, m) => (dx[at] += row[m]));
        return dx;
      });
    } else if (layer.kind === "BatchNormalization") d = backThroughNorm(layer, pass.x, d, weights[layer.first]);
  }
  return { passes, dOutput };
}

/** @param {Layer} layer @param {Float64Array[]} x @param {Float64Array[]} d @param {Float32Array} gamma */
function backThroughNorm(layer, x, d, gamma) {
  const channels = layer.arrays[0][0];
  const { mean, deviation, count } = moments(x, channels);
  const [sum, product_] = [new Float64Array(channels), new Float64Array(channels)];
  const away = (/** @type {number} */ r, /** @type {number} */ n) => (x[r][n] - mean[n % channels]) / deviation[n % channels];
  d.forEach((row, r) => row.forEach((v, n) => {
    sum[n % channels] += v / count;
    product_[n % channels] += (v * away(r, n)) / count;
  }));
  return d.map((row, r) => row.map((v, n) => (gamma[n % channels] / deviation[n % channels]) * (v - sum[n % channels] - away(r, n) * product_[n % channels])));
}

/** Whether the derivatives of loss and output activation cancel: they are computed as one. @param {PageNetwork} network */
export function cancels(network) {
  const { after } = network.knobs.loss.described;
  const last = network.layers[network.layers.length - 1];
  return Boolean(after) && last.activation?.name === after;
}

/** ∂ℓ/∂h of a cross-entropy and its activation, whose values are p. @param {import("./losses.js").RowLoss} loss @param {ArrayLike<number>} y @param {Float64Array} p */
function joinedSlope(loss, y, p) {
  const { described } = loss;
  const t = loss.targets(y, p.length);
  if (described.kind === "BinaryCrossentropy") return p.map((v, n) => (v - t[n]) * loss.coefficient(p.length));
  const total = Array.from(t).reduce((a, b) => a + b, 0);
  return p.map((v, n) => v * total - t[n]);
}
