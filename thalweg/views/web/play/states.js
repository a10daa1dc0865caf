// The state of a side: what a link carries and the server takes. Keys that are absent have the server's defaults.

/**
 * @typedef {{ [key: string]: any }} State
 * @typedef {{ sides: State[] }} Shared
 */

const LONGEST_LINK = 200000; // characters of JSON: given data may be large, an address bar's patience isn't

/**
 * A copy that shares nothing.
 * @template T
 * @param {T} value
 * @returns {T}
 */
export function copied(value) {
  return value === undefined ? value : JSON.parse(JSON.stringify(value));
}

/**
 * The value at a path such as "layers.0.activation"; undefined where there is none.
 * @param {any} value
 * @param {string} path
 * @returns {any}
 */
export function at(value, path) {
  return path.split(".").reduce((v, key) => (v === null || v === undefined ? undefined : v[key]), value);
}

/**
 * The settings in which two states differ: path, value of A, value of B.
 * @param {State} a
 * @param {State} b
 * @param {string} [path]
 * @returns {[string, any, any][]}
 */
export function differences(a, b, path = "") {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  const branch = (/** @type {any} */ v) => v !== null && typeof v === "object" && !Array.isArray(v);
  if (Array.isArray(a) && Array.isArray(b) && path === "layers") {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, n) => differences(a[n] ?? null, b[n] ?? null, `layers.${n}`)).flat();
  }
  if (!branch(a) || !branch(b)) return [[path, a, b]];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differences(a[key] ?? null, b[key] ?? null, path ? `${path}.${key}` : key));
}

/**
 * States as the text behind #state=: raw deflate, base64url.
 * @param {Shared} shared
 * @returns {Promise<string>}
 */
export async function packed(shared) {
  const stream = new Blob([JSON.stringify(shared)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The states in a link; null where it has none.
 * @param {string} hash the address from its # on
 * @returns {Promise<Shared | null>}
 */
export async function unpackedLink(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("state");
  if (!text) return null;
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const shared = JSON.parse(await limited(stream));
  const branch = (/** @type {any} */ v) => v !== null && typeof v === "object" && !Array.isArray(v);
  if (!branch(shared) || !Array.isArray(shared.sides) || !shared.sides.length || !shared.sides.every(branch)) throw new TypeError("no states");
  return { sides: shared.sides.slice(0, 2) };
}

/**
 * The text of a stream that could swell: a few bytes of deflate may hold gigabytes.
 * @param {ReadableStream<Uint8Array>} stream
 */
async function limited(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += decoder.decode(part.value, { stream: true });
    if (text.length > LONGEST_LINK) {
      await reader.cancel();
      throw new RangeError("too long");
    }
  }
  return text + decoder.decode();
}

/**
 * The hidden dense and convolutional layers: those that have units and an activation.
 * @param {State} state
 * @returns {any[]}
 */
export function withUnits(state) {
  return (state.layers ?? []).filter((/** @type {any} */ layer) => layer.kind === "dense" || layer.kind === "conv2d");
}

/** Takes away weights that were given for other shapes. @param {State} state */
export function forgetGiven(state) {
  for (const layer of [...(state.layers ?? []), state.output]) {
    if (!layer) continue;
    delete layer.weights;
    delete layer.bias;
  }
}

/** Whether all points lie in a plane that inputs may be made of. @param {State} state */
export function isPlanar(state) {
  return !["given", "table", "digits", "edges", "line"].includes(state.data?.name);
}

/** Whether the rows are images. @param {State} state */
export function isImages(state) {
  return ["digits", "edges"].includes(state.data?.name);
}
