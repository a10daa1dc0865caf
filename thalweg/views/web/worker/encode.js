// A document as bytes: the twin of encoding.py, for the frames of a worker. An array is a typed array with its shape.

const TYPES = new Map(/** @type {[any, string][]} */ ([[Float32Array, "float32"], [Float64Array, "float64"], [Int32Array, "int32"], [Uint8Array, "uint8"], [Uint16Array, "float16"]]));

/**
 * @param {Memory} array
 * @param {...number} shape
 * @returns {Tensor}
 */
export function shaped(array, ...shape) {
  return Object.assign(array, { shape });
}

/**
 * Numbers as float32, of which a frame's arrays are.
 * @param {ArrayLike<number>} values
 * @param {...number} shape
 * @returns {Tensor}
 */
export function floats(values, ...shape) {
  return shaped(Float32Array.from(values), ...(shape.length ? shape : [values.length]));
}

/** Numbers in half precision, rounded to nearest even; what is larger than 65,504 becomes it. @param {ArrayLike<number>} values @param {...number} shape */
export function halves(values, ...shape) {
  return Object.assign(Uint16Array.from(values, half), { shape });
}

/** @param {number} given */
function half(given) {
  const value = Number.isNaN(given) ? 0 : Math.min(Math.max(given, -6e4), 6e4);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | even(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent -= 1; // the logarithm was rounded up
  if (2 ** (exponent + 1) <= size) exponent += 1;
  return sign | (((exponent + 15) << 10) + even((size / 2 ** exponent - 1) * 1024)); // a fraction of 1024 carries
}

/** @param {number} x */
function even(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/** @param {any} document @returns {ArrayBuffer} */
export function encode(document) {
  /** @type {{ array: any, offset: number }[]} */
  const arrays = [];
  let size = 0;
  /** @type {(value: any) => any} */
  const plain = (value) => {
    if (ArrayBuffer.isView(value)) {
      const array = /** @type {any} */ (value);
      const name = TYPES.get(array.constructor);
      if (!name) throw new TypeError(`no such arrays in frames: ${array.constructor.name}`);
      size = Math.ceil(size / 8) * 8;
      arrays.push({ array, offset: size });
      size += array.byteLength;
      return { $array: [name, array.shape ?? [array.length], size - array.byteLength] };
    }
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === "number" && !Number.isFinite(value)) return null;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([key, v]) => [key.startsWith("$") ? `$${key}` : key, plain(v)]));
  };
  const head = new TextEncoder().encode(JSON.stringify(plain(document)));
  const start = Math.ceil((4 + head.length) / 8) * 8;
  const bytes = new Uint8Array(start + size);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  for (const { array, offset } of arrays) bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), start + offset);
  return bytes.buffer;
}
