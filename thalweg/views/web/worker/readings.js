// What a network for texts makes of one row.
import { floats } from "./encode.js";
import { Generator } from "./numpy_random.js";
import { refused, RefusedError, told } from "./sentences.js";

/** @typedef {import("./page_network.js").PageNetwork} PageNetwork */

const WRITTEN = 60; // letters that the network writes
const WRITES_AGAIN = 0.5; // s from one text to the next while it trains: each letter is a prediction
const STATES = 32; // units whose states are shown
const seconds = () => performance.now() / 1000;

/** The weights of an attention, the mean over its heads: (steps, steps). @param {Float32Array} q @param {Float32Array} k @param {number} steps @param {number} heads */
function looked(q, k, steps, heads) {
  const wide = q.length / steps;
  const depth = wide / heads;
  const found = new Float64Array(steps * steps);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < steps; i++) {
      const scores = Float64Array.from({ length: steps }, (_, j) => {
        let sum = 0;
        for (let d = head * depth; d < (head + 1) * depth; d++) sum += q[i * wide + d] * k[j * wide + d];
        return sum / Math.sqrt(depth);
      });
      const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = heads * powers.reduce((a, b) => a + b, 0);
      powers.forEach((power, j) => (found[i * steps + j] += power / total));
    }
  }
  return found;
}

/** The pictures of a network that reads texts or sentences; of others there are none. */
export class Reading {
  /** @param {PageNetwork} network */
  constructor(network) {
    const { classes, vocabulary, shape } = network.exercise;
    this.network = network;
    this.vocabulary = vocabulary ?? [];
    this.letters = classes === vocabulary;
    this.steps = shape[0];
    this.last = { written: "", begins: "", again: 0 };
  }

  /** A text or a sentence as the network takes it. @param {string} said */
  ids(said) {
    const { vocabulary, letters, steps } = this;
    const parts = letters ? Array.from(said) : said.split(/\s+/).filter(Boolean);
    const part = parts.find((each) => !vocabulary.includes(each));
    if (part !== undefined) {
      if (letters) throw refused("the text that it learns from has no letter {part}", { part });
      throw refused("it doesn't know the word {part}; it knows {known}", { part, known: vocabulary.join(", ") });
    }
    if (!letters && parts.length !== steps) throw refused("a sentence has {steps} words, as those that it learns from", { steps });
    const before = Array(steps).fill(vocabulary.includes(" ") ? " " : vocabulary[0]); // what stands before the beginning
    return Float32Array.from([...before, ...parts].slice(-steps), (each) => vocabulary.indexOf(each));
  }

  /** What is drawn of a text that was typed, or of a training row. @param {string} said @param {number} row @param {number} iteration */
  shown(said, row, iteration) {
    const { network: { exercise, engine, layers }, vocabulary, letters, steps } = this;
    if (!exercise.vocabulary) return null;
    const at = Math.min(row, exercise.rows - 1) * steps;
    let x = exercise.x.slice(at, at + steps);
    let unread = null;
    try {
      if (said) x = this.ids(said);
    } catch (error) { // then it reads the row
      if (!(error instanceof RefusedError)) throw error;
      unread = told(error);
    }
    const answer = engine.predict(x, 1);
    const shares = answer.length === 1 ? Float32Array.of(1 - answer[0], answer[0]) : answer;
    const tokens = Array.from(x, (place) => vocabulary[place]);
    const classes = /** @type {string[]} */ (exercise.classes);
    /** @type {any} */
    const result = { tokens, probabilities: floats(shares), letters, ...(unread && { unread }), probability: shares[shares.length - 1], classes, likeliest: classes[shares.indexOf(Math.max(...shares))] };
    for (const { layer, h, q, k } of engine.insides(x)) { // the last of each kind counts
      const units = layers[layer].shape[layers[layer].shape.length - 1];
      if (h) {
        const shown = Math.min(units, STATES);
        result.states = floats(Float32Array.from({ length: shown * steps }, (_, n) => h[(n % steps) * units + Math.floor(n / steps)]), shown, steps);
        result.state = floats(h.slice(-units));
      } else {
        result.attention = floats(looked(q, k, steps, layers[layer].spec.heads), steps, steps);
        result.last = floats(result.attention.slice(-steps));
      }
    }
    if (letters) result.written = this.continued(tokens.join(""), x, iteration);
    return result;
  }

  /**
   * What the network writes behind a text: each letter is drawn by the square of its probability.
   * @param {string} begins @param {Float32Array} x @param {number} iteration
   */
  continued(begins, x, iteration) {
    const { vocabulary, last } = this;
    if (begins === last.begins && seconds() < last.again) return last.written;
    const draw = new Generator(iteration);
    const row = x.slice();
    let written = "";
    for (let n = 0; n < WRITTEN; n++) {
      let total = 0;
      const sums = Array.from(this.network.engine.predict(row, 1), (share) => (total += share * share));
      const drawn = Number.isFinite(total) ? draw.random(1)[0] * total : 0;
      const place = Number.isFinite(total) ? sums.findIndex((sum) => sum > drawn) : 0;
      written += vocabulary[place];
      row.copyWithin(0, 1);
      row[row.length - 1] = place;
    }
    this.last = { written, begins, again: seconds() + WRITES_AGAIN };
    return written;
  }
}
