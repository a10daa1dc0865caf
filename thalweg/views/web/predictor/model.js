// What predicts: the network of the page's code, with the constants that stand in its document.
import { decode } from "../decode.js";

const KINDS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, int8: Int8Array, uint8: Uint8Array, uint16: Uint16Array };
const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

/**
 * The document of the page, and its network.
 * @param {string} text base 85 of raw deflate of encoding.py's bytes
 * @param {(arrays: any) => (...values: number[][]) => ArrayLike<number>} make
 * @param {TableColumn[]} columns how they are read
 * @returns {Promise<Predictor>}
 */
export async function predictorOf(text, make, columns) {
  const stream = new Blob([bytesOf(text.trim())]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const opened = decode(await new Response(stream).arrayBuffer());
  const entries = Object.entries(opened.planes).map(([name, planes]) => [name, joined(planes, /** @type {keyof typeof KINDS} */ (name))]);
  const network = make(Object.fromEntries(entries));
  const told = columns.map((column, place) => ({ ...opened.columns[place], ...column }));
  return { ...opened, columns: told, answer: (values) => Array.from(network(...values.map((value) => [value]))) };
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function bytesOf(text) {
  const places = new Uint8Array(128).fill(84); // what is missing at the end counts as the last sign
  for (let k = 0; k < 85; k++) places[SIGNS.charCodeAt(k)] = k;
  const bytes = new Uint8Array(4 * Math.ceil(text.length / 5));
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < text.length; k += 5) {
    let four = 0;
    for (let n = k; n < k + 5; n++) four = 85 * four + (n < text.length ? places[text.charCodeAt(n)] : 84);
    view.setUint32((4 * k) / 5, four);
  }
  return bytes.subarray(0, Math.floor((4 * text.length) / 5));
}

/**
 * The numbers whose bytes stand in planes, the lowest first.
 * @param {Uint8Array} planes
 * @param {keyof typeof KINDS} kind
 */
function joined(planes, kind) {
  const size = KINDS[kind].BYTES_PER_ELEMENT;
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let k = 0; k < size; k++) for (let n = 0; n < count; n++) bytes[n * size + k] = planes[k * count + n];
  return new KINDS[kind](bytes.buffer);
}

/**
 * The place of the largest number.
 * @param {ArrayLike<number>} numbers
 */
export function likeliest(numbers) {
  let best = 0;
  for (let k = 1; k < numbers.length; k++) if (numbers[k] > numbers[best]) best = k;
  return best;
}

/**
 * Runs a generator in slices between which the page can draw and listen; returns what it returns, null if it is stopped.
 * @template T
 * @param {Generator<number, T>} steps what it yields is told to `tell` after each slice
 * @param {AbortSignal} signal
 * @param {(value: number) => void} [tell]
 * @returns {Promise<T | null>}
 */
export async function inSlices(steps, signal, tell) {
  for (;;) {
    const end = performance.now() + 20;
    let step = steps.next();
    while (!step.done && performance.now() < end) step = steps.next();
    if (signal.aborted) return null;
    if (step.done) return step.value;
    tell?.(step.value);
    await new Promise((resume) => setTimeout(resume));
    if (signal.aborted) return null;
  }
}
