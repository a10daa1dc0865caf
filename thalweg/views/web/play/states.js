// The state of a side: what a link carries and the server takes. Keys that are absent have the server's defaults.

/**
 * @typedef {{ [key: string]: any }} State
 * @typedef {{ sides: State[] }} Shared
 */

const LONGEST_LINK = 30000; // characters: what a few bytes of deflate may swell to has to stay small

/**
 * A copy that shares nothing.
 * @template T
 * @param {T} value
 * @returns {T}
 */
export function copied(value) {
  return value === undefined ? value : JSON.parse(JSON.stringify(value));
}

/** @param {any} value */
function isBranch(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
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
  if (Array.isArray(a) && Array.isArray(b) && path === "layers") {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, n) => differences(a[n] ?? null, b[n] ?? null, `layers.${n}`)).flat();
  }
  if (!isBranch(a) || !isBranch(b)) return [[path, a, b]];
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
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The states in a link; null where it has none.
 * @param {string} hash the address from its # on
 * @returns {Promise<Shared | null>}
 */
export async function unpackedLink(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("state");
  if (!text) return null;
  if (text.length > LONGEST_LINK) throw new RangeError("too long");
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const shared = await new Response(stream).json();
  if (!shared.sides.length || !shared.sides.every(isBranch)) throw new TypeError("no states");
  return { sides: shared.sides.slice(0, 2) };
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
  return !["given", "table", "digits", "edges", "line", "text", "sentences"].includes(state.data?.name);
}

/** Whether the rows are letters or words. @param {State} state */
export function isText(state) {
  return ["text", "sentences"].includes(state.data?.name);
}

/** Whether the rows are images. @param {State} state */
export function isImages(state) {
  return ["digits", "edges"].includes(state.data?.name);
}
