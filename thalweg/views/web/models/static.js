// The data of a file: nothing changes, nobody listens.
import { decode } from "../decode.js";

/**
 * @param {{ [name: string]: any }} values
 * @returns {Model}
 */
export function staticModel(values) {
  return { live: false, get: (name) => values[name], on: () => () => undefined, send: () => undefined };
}

/**
 * The document that stands in a page: base64 of raw deflate of encoding.py's bytes.
 * @param {string} text
 * @returns {Promise<any>}
 */
export async function unpacked(text) {
  const packed = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return decode(await new Response(stream).arrayBuffer());
}
