// NumPy's RandomState, of which scikit-learn's divisions of rows are made: the Mersenne twister and its permutations.

const SIZE = 624;

export class RandomState {
  /** @param {number} seed below 2³² */
  constructor(seed) {
    this.words = new Uint32Array(SIZE);
    this.words[0] = seed;
    for (let n = 1; n < SIZE; n++) this.words[n] = Math.imul(1812433253, this.words[n - 1] ^ (this.words[n - 1] >>> 30)) + n;
    this.place = SIZE;
  }

  /** 32 random bits. */
  bits() {
    if (this.place === SIZE) {
      const w = this.words;
      for (let n = 0; n < SIZE; n++) {
        const mixed = (w[n] & 0x80000000) | (w[(n + 1) % SIZE] & 0x7fffffff);
        w[n] = w[(n + 397) % SIZE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let v = this.words[this.place++];
    v ^= v >>> 11;
    v ^= (v << 7) & 0x9d2c5680;
    v ^= (v << 15) & 0xefc60000;
    return (v ^ (v >>> 18)) >>> 0;
  }

  /** @param {number} count */
  permutation(count) {
    const order = Int32Array.from({ length: count }, (_, n) => n);
    for (let i = count - 1; i > 0; i--) {
      const mask = 2 ** (32 - Math.clz32(i)) - 1;
      let j = i + 1;
      while (j > i) j = (this.bits() & mask) >>> 0;
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** Some of these numbers, none twice. @param {number[]} numbers @param {number} count */
  choice(numbers, count) {
    return Array.from(this.permutation(numbers.length).slice(0, count), (place) => numbers[place]);
  }
}

/** How many of each class are drawn: scikit-learn's _approximate_mode. @param {number[]} counts @param {number} drawn @param {RandomState} draw */
function sharesOf(counts, drawn, draw) {
  const total = counts.reduce((a, b) => a + b, 0);
  const exact = counts.map((count) => (count / total) * drawn);
  const found = exact.map(Math.floor);
  let left = drawn - found.reduce((a, b) => a + b, 0);
  const rest = exact.map((v, n) => v - found[n]);
  for (const value of [...new Set(rest)].sort((a, b) => b - a)) {
    if (left <= 0) break;
    const places = [...rest.keys()].filter((n) => rest[n] === value);
    for (const place of draw.choice(places, Math.min(places.length, left))) found[place] += 1;
    left -= Math.min(places.length, left);
  }
  return found;
}

/**
 * The places of the rows to validate on: of classes, each part gets its share of every one.
 * @param {number} count
 * @param {number} tested
 * @param {number} seed
 * @param {number[] | null} codes numbers of classes by their first appearance
 * @returns {number[]}
 */
export function heldOut(count, tested, seed, codes) {
  const draw = new RandomState(seed);
  if (!codes) return Array.from(draw.permutation(count).slice(0, tested));
  const rows = Array.from({ length: Math.max(...codes) + 1 }, () => /** @type {number[]} */ ([]));
  codes.forEach((code, n) => rows[code].push(n));
  const counts = rows.map((some) => some.length);
  const trained = sharesOf(counts, count - tested, draw);
  const held = sharesOf(counts.map((n, k) => n - trained[k]), tested, draw);
  return rows.flatMap((some, k) => {
    const order = draw.permutation(some.length);
    return Array.from(order.slice(trained[k], trained[k] + held[k]), (place) => some[place]);
  });
}
