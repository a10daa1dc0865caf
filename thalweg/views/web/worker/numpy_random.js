// NumPy's default_rng in JavaScript, bit for bit: SeedSequence, PCG64, and the draws that thalweg makes with them.
import { ZIGGURAT } from "./ziggurat.js";

const M64 = (1n << 64n) - 1n;
const M128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const TAIL = 3.6541528853610087963519472518; // where the last strip begins
const TABLES = Uint8Array.from(atob(ZIGGURAT), (c) => c.charCodeAt(0)).buffer;
const BOUNDS = Float64Array.from(new BigUint64Array(TABLES, 0, 256), Number); // below 2⁵³: exact
const WIDTHS = new Float64Array(TABLES, 2048, 256);
const HEIGHTS = new Float64Array(TABLES, 4096, 256);

/**
 * SeedSequence(seed).generate_state(8): 32-bit words, of which PCG64 makes its state.
 * @param {number} seed a whole number from 0 to 2⁵³
 */
function seedWords(seed) {
  const entropy = seed < 2 ** 32 ? [seed] : [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  const pool = new Uint32Array(4);
  let hash = 0x43b0d7e5;
  const hashed = (/** @type {number} */ value) => {
    value = (value ^ hash) >>> 0;
    hash = Math.imul(hash, 0x931e8875) >>> 0;
    value = Math.imul(value, hash) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mixed = (/** @type {number} */ x, /** @type {number} */ y) => {
    const value = (Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715)) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  for (let i = 0; i < 4; i++) pool[i] = hashed(entropy[i] ?? 0);
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  const words = [];
  let out = 0x8b51f9dd;
  for (let i = 0; i < 8; i++) {
    let value = (pool[i % 4] ^ out) >>> 0;
    out = Math.imul(out, 0x58f38ded) >>> 0;
    value = Math.imul(value, out) >>> 0;
    words.push(BigInt((value ^ (value >>> 16)) >>> 0));
  }
  return words;
}

/** np.random.default_rng(seed) */
export class Generator {
  /** @param {number} seed */
  constructor(seed) {
    const words = seedWords(seed);
    const [high, low, highSequence, lowSequence] = [0, 2, 4, 6].map((n) => words[n] | (words[n + 1] << 32n));
    this.increment = ((((highSequence << 64n) | lowSequence) << 1n) | 1n) & M128;
    this.state = (this.increment + ((high << 64n) | low)) & M128;
    this.advance();
    /** The upper half of a number whose lower half was drawn. @type {number | null} */
    this.spare = null;
  }

  advance() {
    this.state = (this.state * MULTIPLIER + this.increment) & M128;
  }

  /** 64 random bits. @returns {bigint} */
  bits() {
    this.advance();
    const value = (this.state >> 64n) ^ (this.state & M64);
    const turn = this.state >> 122n;
    return ((value >> turn) | (value << ((64n - turn) & 63n))) & M64;
  }

  /** 32 random bits: two of one draw of 64. */
  half() {
    if (this.spare !== null) {
      const kept = this.spare;
      this.spare = null;
      return kept;
    }
    const value = this.bits();
    this.spare = Number(value >> 32n);
    return Number(value & 0xffffffffn);
  }

  /** A number of [0, 1). */
  unit() {
    return Number(this.bits() >> 11n) / 2 ** 53;
  }

  /** A number of the standard normal distribution, by the ziggurat. */
  standardNormal() {
    for (;;) {
      const bits = this.bits();
      const strip = Number(bits & 255n);
      const size = Number((bits >> 9n) & 0xfffffffffffffn);
      const x = (bits & 256n ? -1 : 1) * size * WIDTHS[strip];
      if (size < BOUNDS[strip]) return x;
      if (strip === 0) {
        for (;;) {
          const beyond = -0.27366123732975827203338247596 * Math.log1p(-this.unit());
          const other = -Math.log1p(-this.unit());
          if (other + other > beyond * beyond) return (bits >> 17n) & 1n ? -(TAIL + beyond) : TAIL + beyond;
        }
      }
      if ((HEIGHTS[strip - 1] - HEIGHTS[strip]) * this.unit() + HEIGHTS[strip] < Math.exp(-0.5 * x * x)) return x;
    }
  }

  /** generator.random(count) @param {number} count */
  random(count) {
    return Float64Array.from({ length: count }, () => this.unit());
  }

  /** generator.uniform(low, high, count) @param {number} low @param {number} high @param {number} count */
  uniform(low, high, count) {
    return Float64Array.from({ length: count }, () => low + (high - low) * this.unit());
  }

  /** generator.normal(size=count) @param {number} count */
  normal(count) {
    return Float64Array.from({ length: count }, () => this.standardNormal());
  }

  /**
   * A whole number of 0 … most, by Lemire's method.
   * @param {number} most below 2³² − 1
   */
  below(most) {
    if (most === 0) return 0;
    const count = BigInt(most + 1);
    let product = BigInt(this.half()) * count;
    if ((product & 0xffffffffn) < count) {
      const least = (0xffffffffn - BigInt(most)) % count;
      while ((product & 0xffffffffn) < least) product = BigInt(this.half()) * count;
    }
    return Number(product >> 32n);
  }

  /** A whole number of 0 … most, by drawing bits until they are one. @param {number} most */
  masked(most) {
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const value = (this.half() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /** generator.permutation(count) @param {number} count */
  permutation(count) {
    const order = Int32Array.from({ length: count }, (_, n) => n);
    for (let i = count - 1; i > 0; i--) {
      const j = this.masked(i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /**
   * generator.choice(rows, count, replace=False), sorted: Floyd's method, or above 10,000 rows a shuffle of the tail.
   * @param {number} rows
   * @param {number} count
   */
  choice(rows, count) {
    if (rows > 10000 && count > Math.floor(rows / 50)) {
      const order = Int32Array.from({ length: rows }, (_, n) => n);
      for (let i = rows - 1; i >= Math.max(rows - count, 1); i--) {
        const j = this.below(i);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order.slice(rows - count).sort();
    }
    const chosen = new Set();
    for (let j = rows - count; j < rows; j++) {
      const value = this.below(j);
      chosen.add(chosen.has(value) ? j : value);
    }
    return Int32Array.from(chosen).sort();
  }
}
