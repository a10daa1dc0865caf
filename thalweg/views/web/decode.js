// The twin of encoding.py: bytes → document.

const MEMORIES = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array };

/**
 * The document in the bytes: uint32 length, JSON, arrays. An array is a typed array with its `shape`.
 * @param {ArrayBuffer | Uint8Array | DataView} data
 * @returns {any}
 */
export function decode(data) {
  let bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.byteOffset % 8) bytes = bytes.slice(); // typed arrays have to begin at multiples of their size
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const start = Math.ceil((4 + length) / 8) * 8;
  return filled(JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))), bytes, start);
}

/**
 * @param {any} value
 * @param {Uint8Array} bytes
 * @param {number} start
 * @returns {any}
 */
function filled(value, bytes, start) {
  if (Array.isArray(value)) return value.map((v) => filled(v, bytes, start));
  if (value === null || typeof value !== "object") return value;
  const array = value["$array"];
  if (array) return memory(array[0], array[1], bytes, start + array[2]);
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [key.startsWith("$$") ? key.slice(1) : key, filled(v, bytes, start)]),
  );
}

/**
 * @param {string} type
 * @param {number[]} shape
 * @param {Uint8Array} bytes
 * @param {number} start
 * @returns {Tensor}
 */
function memory(type, shape, bytes, start) {
  const size = shape.reduce((product, n) => product * n, 1);
  const place = bytes.byteOffset + start;
  const buffer = /** @type {ArrayBuffer} */ (bytes.buffer);
  if (type === "float16") return withShape(halves(new Uint16Array(buffer, place, size)), shape);
  const Kind = MEMORIES[/** @type {keyof typeof MEMORIES} */ (type)];
  return withShape(new Kind(buffer, place, size), shape);
}

/**
 * IEEE 754's half precision: a sign, 5 bits of exponent, 10 of fraction.
 * @param {Uint16Array} bits
 */
function halves(bits) {
  return Float32Array.from(bits, (n) => {
    const sign = n >> 15 ? -1 : 1;
    const exponent = (n >> 10) & 31;
    const fraction = n & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
  });
}

/**
 * @param {Memory} array
 * @param {number[]} shape
 * @returns {Tensor}
 */
function withShape(array, shape) {
  return Object.assign(array, { shape });
}

/**
 * Numbers in any form as a typed array with its shape; null becomes NaN.
 * @param {any} value
 * @returns {Tensor}
 */
export function tensor(value) {
  if (value && value.shape) return value;
  const shape = [];
  for (let v = value; v !== null && typeof v === "object"; v = v[0]) shape.push(v.length);
  const flat = /** @type {any[]} */ (shape.length > 1 ? Array.from(value).flat(shape.length - 1) : Array.from(value));
  const parts = flat.flatMap((v) => (v !== null && typeof v === "object" ? Array.from(v) : [v]));
  return withShape(
    Float64Array.from(parts, (v) => (v === null ? NaN : v)),
    shape,
  );
}

/**
 * A plain list of numbers, as some code wants them; NaN becomes null.
 * @param {any} value
 * @returns {(number | null)[]}
 */
export function listed(value) {
  return Array.from(tensor(value), (v) => (Number.isFinite(v) ? v : null));
}

/**
 * Least and greatest of the finite numbers; [0, 1] where there are none.
 * @param {ArrayLike<number>[]} arrays
 * @returns {Range2}
 */
export function extent(...arrays) {
  let low = Infinity;
  let high = -Infinity;
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++) {
      const v = array[i];
      if (v < low && v > -Infinity) low = v;
      if (v > high && v < Infinity) high = v;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}
