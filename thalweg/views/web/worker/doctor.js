// What goes wrong in a training: the twins of thalweg/doctor's rules that need no simple models for comparison.
import { filledIn, sentence } from "./sentences.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./checkup.js").Sample} Sample */
/** @typedef {import("./sentences.js").Text} Text */
/** @typedef {{ [name: string]: any }} Numbers */

const FEW = 1000; // rows by which answers are judged

/** @param {ArrayLike<number>} values */
function mean(values) {
  return Array.from(values).reduce((a, b) => a + b, 0) / values.length;
}

/** The mean squared deviation from the mean. @param {number[]} values */
function deviationOf(values) {
  const middle = mean(values);
  return mean(values.map((v) => (v - middle) ** 2));
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A training as the doctor sees it: the twin of doctor/case.py. */
class Case {
  /** @param {Course} course @param {Sample[]} samples @param {{ most: number, last: number }} rate @param {Text | null} diverged */
  constructor(course, samples, rate, diverged) {
    this.course = course;
    this.network = course.network;
    this.samples = samples;
    this.rate = rate;
    this.diverged = diverged;
    this.constants = course.constants;
    this.layers = this.network.layers.filter(({ arrays }) => arrays.length).map(({ name }) => name);
    const points = course.curves.points.filter(([epoch]) => epoch > course.epochsBefore);
    const penalties = this.penalties(points.map(([epoch]) => epoch - course.epochsBefore));
    const column = (/** @type {number} */ k) => points.map((point) => point[k]);
    this.loss = column(1).map((v, n) => v - penalties[n]);
    this.held = column(3).map((v, n) => v - penalties[n]).filter((v) => !Number.isNaN(v));
    const accurate = this.network.metric !== "mae" && points.length >= 2;
    this.heldAccuracy = accurate && this.held.length ? column(4) : null;
    this.counts = this.classCounts();
    const total = this.counts?.reduce((a, b) => a + b, 0) ?? 0;
    this.shares = this.counts && this.kind !== "multilabel" && total ? this.counts.map((n) => n / total) : null;
    this.constant = this.constantLoss();
    const gone = this.loss.map((v, n) => 1 - Math.min(v, this.held.length === this.loss.length ? this.held[n] : Infinity) / (this.constant ?? NaN));
    this.gone = gone;
  }

  /** A number of thalweg's, such as "blowups.GROWN". @param {string} name @returns {number} */
  of(name) {
    return this.constants[name];
  }

  /** The penalties in the loss by epoch, estimated: they grow with the squared norm of the weights. @param {number[]} ends */
  penalties(ends) {
    const { l1, l2 } = this.network.state;
    const norms = this.samples.map(({ weightNorm }) => weightNorm.reduce((sum, v) => sum + v * v, 0));
    if ((!l1 && !l2) || !norms.length || !(norms[0] > 0)) return ends.map(() => 0);
    const first = this.firstPenalty;
    const epochs = this.samples.map(({ iteration }) => iteration / this.course.engine.stepsPerEpoch);
    return ends.map((end) => {
      const after = epochs.findIndex((epoch) => epoch >= end);
      if (after < 1) return (first * norms[after < 0 ? norms.length - 1 : 0]) / norms[0];
      const share = (end - epochs[after - 1]) / (epochs[after] - epochs[after - 1]);
      return (first * (norms[after - 1] + share * (norms[after] - norms[after - 1]))) / norms[0];
    });
  }

  /** The penalty of the initial weights. */
  get firstPenalty() {
    const { state, kernels, initial } = this.network;
    const of = (/** @type {number} */ w) => state.l1 * Math.abs(w) + state.l2 * w * w;
    return kernels.reduce((sum, { first }) => initial[first].reduce((s, w) => s + of(w), sum), 0);
  }

  /** What the targets are. @returns {string} */
  get kind() {
    const { shape } = this.network.layers[this.network.layers.length - 1];
    return this.network.knobs.loss.described.targets[String(shape) === "1" ? 0 : 1];
  }

  /** How many rows each class has. @returns {number[] | null} */
  classCounts() {
    const { y, exercise } = this.network;
    const wide = y.length / exercise.rows;
    if (this.kind === "numbers") return null;
    if (this.kind === "binary") {
      const ones = y.filter((v) => v >= 0.5).length;
      return [y.length - ones, ones];
    }
    const classes = this.kind === "classes" ? Math.max(...y) + 1 : wide;
    const counts = Array(classes).fill(0);
    if (this.kind === "classes") y.forEach((label) => (counts[label] += 1));
    else y.forEach((v, n) => (counts[n % wide] += v));
    return counts.map(Math.round);
  }

  /** The loss of the best constant answer; null if it isn't known. @returns {number | null} */
  constantLoss() {
    const { y, exercise, knobs } = this.network;
    const { name } = knobs.loss.described;
    const wide = y.length / exercise.rows;
    if (this.counts && this.kind !== "multilabel" && name.includes("crossentropy") && !name.includes("focal")) {
      const total = this.counts.reduce((a, b) => a + b, 0);
      const entropy = -this.counts.reduce((sum, n) => (n ? sum + (n / total) * Math.log(n / total) : sum), 0);
      return entropy > 0 ? entropy : null;
    }
    const columns = Array.from({ length: wide }, (_, k) => Array.from({ length: exercise.rows }, (__, n) => y[n * wide + k]));
    if (name === "mean_squared_error" && this.kind === "numbers") {
      const spread = mean(columns.map(deviationOf));
      return spread > 0 ? spread : null;
    }
    if (!(name in this.course.tools.site.losses) || name.includes("hinge") || knobs.loss.described.sparse || exercise.targetShape.length > 1) return null;
    const loss = new /** @type {any} */ (knobs.loss.constructor)(this.course.tools.site.losses[name]);
    const values = [columns.map(mean), columns.map(median)].map((answer) => {
      const p = Float64Array.from(answer);
      return mean(Array.from({ length: exercise.rows }, (_, n) => loss.value(y.subarray(n * wide, (n + 1) * wide), p)));
    }).filter(Number.isFinite);
    const least = Math.min(...values);
    return values.length && least > 0 ? least : null;
  }

  /** Harm: the loss of the last two epochs is nearly a constant answer's. */
  get poor() {
    if (this.diverged) return true;
    return this.constant !== null && this.loss.length >= 2 && Math.max(...this.gone.slice(-2)) < this.of("case.LITTLE");
  }

  /** What the texts say of poor progress. @returns {Numbers} */
  get harm() {
    const loss = this.loss.length ? this.loss[this.loss.length - 1] : NaN;
    if (this.diverged) return { loss, harm: sentence("the training failed") };
    if (this.constant === null) return { loss, harm: sentence("the loss is {loss:.4g}", { loss }) };
    return { loss, harm: sentence("the loss is {loss:.4g}, and a constant answer has {constant:.4g}", { loss, constant: this.constant }) };
  }

  /** Whether something holds of a layer in the last two samples. @param {(sample: Sample) => boolean} holds */
  lastTwo(holds) {
    return this.samples.length >= 2 && this.samples.slice(-2).every(holds);
  }

  /** Whether something holds in two consecutive samples; of a training that failed within two, in one. @param {boolean[]} flags */
  everTwice(flags) {
    if (this.diverged && flags.length <= 2) return flags.some(Boolean);
    return flags.some((flag, n) => flag && flags[n + 1]);
  }

  /** Whether there is what a rule needs. @param {string} need */
  has(need) {
    switch (need) {
      case "samples": return this.samples.length >= 2;
      case "course": return this.loss.length >= 2 || this.diverged !== null;
      case "validation": return this.held.length >= 2;
      case "each": return this.held.length === this.loss.length;
      case "plain":
      case "rows": return true;
      case "classes": return this.shares !== null;
      case "constant": return this.constant !== null;
      default: return false;
    }
  }

  /** log₁₀ of mean|Δw| / mean|w| of the middle layer, by sample; NaN where nothing is known. */
  get ratios() {
    return this.samples.map(({ ratio, gradientNorm }) => {
      const logs = ratio.map((v, k) => (v > 0 ? Math.log10(v) : v === 0 && gradientNorm[k] > 0 ? this.of("steps.LEAST") : NaN)).filter(Number.isFinite);
      return logs.length ? median(logs) : NaN;
    });
  }
}

/** Half of a layer's units suffer, and progress is poor. @param {Case} c @param {"dead" | "saturated" | "equal"} what @returns {Numbers | null} */
function suffering(c, what) {
  if (!c.poor || !c.samples.length) return null;
  const last = c.samples[c.samples.length - 1][what];
  const places = c.layers.slice(0, -1).map((_, k) => k).filter((k) => c.lastTwo((sample) => sample[what][k] >= c.of("lifeless.HALF")));
  if (!places.length) return null;
  const worst = places.reduce((a, b) => (last[b] > last[a] ? b : a));
  return { ...c.harm, layer: c.layers[worst], share: last[worst] };
}

/** The values of a rule's texts if symptom and harm are there. @type {{ [rule: string]: (c: Case) => Numbers | null }} */
const CHECKS = {
  "not finite": (c) => c.diverged && { what: c.diverged, remedy: sentence("Give the optimizer a smaller learning_rate, or clipnorm=1.0; scale the inputs to about −1 … 1.") },
  "bad start": (c) => {
    const constant = c.constant ?? NaN;
    const first = (c.network.firstLoss ?? NaN) - c.firstPenalty;
    const reached = c.gone.findIndex((v) => v > 0);
    const spent = reached < 0 ? c.gone.length : reached;
    const equal = c.shares ? Math.log(c.shares.length) : 0; // the loss of equal probabilities
    if (!(first > Math.max(c.of("blowups.START") * constant, c.of("blowups.SURE") * equal)) || spent < Math.max(2, c.of("blowups.WASTED") * c.gone.length)) return null;
    return { first, constant, spent, epochs: c.gone.length, what: c.shares ? sentence("the inputs") : sentence("inputs and target") };
  },
  diverging: (c) => {
    if (c.diverged || c.loss.length < 3) return null;
    const level = c.constant ?? c.loss[0];
    const grown = (/** @type {number} */ n) => c.loss[n] > c.of("blowups.GROWN") * Math.min(...c.loss.slice(0, n)) && c.loss[n] > level;
    const last = c.loss.length - 1;
    const least = Math.min(...c.loss);
    return grown(last) && grown(last - 1) ? { loss: c.loss[last], least, epoch: c.loss.indexOf(least) + 1, level } : null;
  },
  oscillation: (c) => {
    const [window, constant] = [c.of("blowups.WINDOW"), c.constant ?? NaN];
    if (c.loss.length < 2 * window + 1) return null;
    const recentLosses = c.loss.slice(-2 * window - 1);
    const changes = recentLosses.slice(1).map((v, n) => v - recentLosses[n]);
    const turns = mean(changes.slice(1).map((v, n) => Number(Math.sign(v) !== Math.sign(changes[n]))));
    const swings = [changes.slice(0, window), changes.slice(window)].map((part) => mean(part.map(Math.abs)) / constant);
    const [recent, earlier, least] = [mean(c.loss.slice(-window)), mean(c.loss.slice(-2 * window, -window)), Math.min(...c.loss)];
    if (recent - least < c.of("blowups.LOST") * constant) return null; // it swings about the best that it has reached
    if (turns < c.of("blowups.TURNS") || Math.min(...swings) < c.of("blowups.SWING") || (earlier - recent) / constant > Math.min(...swings) / 2) return null;
    return { swing: mean(swings), turns, epochs: 2 * window, least, loss: recent };
  },
  "exploding gradients": (c) => {
    if (!c.poor || c.layers.length < 2) return null;
    const last = c.layers.length - 1;
    const across = c.samples.map(({ gradientNorm }) => gradientNorm[0] / gradientNorm[last]);
    if (c.everTwice(across.map((v) => v > c.of("blowups.ACROSS")))) {
      return { ...c.harm, layer: c.layers[0], times: Math.max(...across.filter((v) => v > c.of("blowups.ACROSS"))), than: sentence("of {last}", { last: c.layers[last] }) };
    }
    const known = (/** @type {number} */ v) => (Number.isFinite(v) ? v : 0);
    const beside = c.layers.map((_, k) => c.samples.map(({ gradientNorm, weightNorm }) => known(gradientNorm[k] / Math.max(weightNorm[k], 1))));
    const places = c.layers.map((_, k) => k).filter((k) => c.everTwice(beside[k].map((v) => v > c.of("blowups.BESIDE"))));
    if (!places.length) return null;
    const worst = places.reduce((a, b) => (Math.max(...beside[b]) > Math.max(...beside[a]) ? b : a));
    return { ...c.harm, layer: c.layers[worst], times: Math.max(...beside[worst]), than: sentence("of its weights") };
  },
  "learning rate too high": (c) => {
    if (!c.poor) return null;
    const middle = c.ratios;
    const above = middle.map((v) => v > c.of("steps.HIGH"));
    const end = c.samples[c.samples.length - 1].iteration;
    const late = above.some((flag, n) => flag && above[n + 1] && c.samples[n].iteration >= c.of("steps.EARLY") * end);
    const nothing = c.diverged || c.constant === null ? c.poor : c.gone.slice(-2).every((v) => v < c.of("case.LITTLE"));
    if (!late && !(c.everTwice(above) && nothing)) return null;
    const ratio = Math.max(...middle.filter((_, n) => above[n]));
    return { ...c.harm, ratio, rate: c.rate.most, try: c.rate.most * 10 ** Math.max(c.of("steps.USUAL") - ratio, -3) };
  },
  "learning rate too low": (c) => {
    if (!c.poor || c.diverged) return null;
    const middle = c.ratios;
    const below = middle.map((v) => v < c.of("steps.LOW"));
    if (!below.slice(-2).every(Boolean) || mean(below.map(Number)) < 0.8) return null;
    const ratio = median(middle.filter((v) => !Number.isNaN(v)));
    return { ...c.harm, ratio, rate: c.rate.most, try: c.rate.most * 10 ** Math.min(c.of("steps.USUAL") - ratio, 6) };
  },
  stalled: (c) => {
    const usual = c.of("steps.WINDOW");
    if (!c.poor || c.diverged || c.loss.length < 2 * usual + 1) return null;
    const constant = c.constant ?? NaN;
    let window = Math.floor(c.loss.length / c.of("steps.SHORT"));
    const long = window > usual;
    if (!long) window = usual;
    const back = (/** @type {number} */ n) => c.loss[c.loss.length - 1 - n * usual];
    const [before, between, now] = long ? [3, 2, 1].map((n) => mean(c.loss.slice(c.loss.length - n * window, c.loss.length - (n - 1) * window))) : [back(2), back(1), back(0)];
    if (Math.max(Math.abs(before - between), Math.abs(between - now)) > c.of(long ? "steps.HARDLY" : "steps.STILL") * constant) return null;
    return { ...c.harm, epochs: 2 * window, moved: Math.abs(before - now) / constant };
  },
  "dead units": (c) => suffering(c, "dead"),
  "saturated units": (c) => suffering(c, "saturated"),
  symmetry: (c) => suffering(c, "equal"),
  "vanishing gradients": (c) => {
    const last = c.layers.length - 1;
    if (!c.poor || last < 1) return null;
    const small = (/** @type {Sample} */ { gradientNorm, weightSize }) =>
      gradientNorm[0] / gradientNorm[last] < c.of("lifeless.VANISHED") && gradientNorm[last] > 0 && weightSize.every((v) => v > c.of("lifeless.STARTED"));
    if (!c.lastTwo(small)) return null;
    const { gradientNorm } = c.samples[c.samples.length - 1];
    return { ...c.harm, times: gradientNorm[0] / gradientNorm[last], first: c.layers[0], last: c.layers[last] };
  },
  "unscaled inputs": (c) => {
    const { exercise, layers } = c.network;
    const first = layers.findIndex(({ arrays }) => arrays.length);
    if (!c.poor || layers.slice(0, first + 1).some(({ kind }) => c.course.tools.site.doctor.scaling.includes(kind))) return null;
    const columns = exercise.shape.length === 1 ? exercise.shape[0] : 1;
    const squares = Array(columns).fill(0);
    exercise.x.forEach((v, n) => (squares[n % columns] += v * v));
    const sizes = squares.map((sum) => Math.sqrt((sum * columns) / exercise.x.length));
    const size = Math.max(...sizes);
    if (size >= c.of("givens.SMALL") && size <= c.of("givens.LARGE")) return null;
    return { ...c.harm, size, what: exercise.shape.length === 1 ? sentence("column {place}", { place: sizes.indexOf(size) }) : sentence("the inputs") };
  },
  "loss that doesn't fit": (c) => {
    const { knobs, layers, exercise } = c.network;
    const { probable, ranges } = c.course.tools.site.doctor;
    const { name: loss } = knobs.loss.described;
    const last = layers[layers.length - 1];
    const activation = last.activation?.name ?? "linear";
    const single = activation === "softmax" && last.shape[last.shape.length - 1] === 1;
    if (probable[loss] && (!probable[loss].includes(activation) || single)) {
      if (!c.poor) return null;
      if (single) return { ...c.harm, what: sentence("softmax over a single output is always 1"), wanted: "sigmoid" };
      return { ...c.harm, what: sentence("{loss} takes probabilities, and the output's activation is {activation}", { loss, activation }), wanted: probable[loss][0] };
    }
    const [low, end] = loss === "binary_crossentropy" ? [0, 1] : ranges[activation] ?? [-Infinity, null];
    const high = end ?? Infinity;
    if (c.shares || (low === -Infinity && high === Infinity)) return null;
    const y = Array.from(c.network.y);
    const beyond = y.map((v) => v - Math.min(Math.max(v, low), high));
    const largest = Math.max(...y.map(Math.abs));
    const wide = y.length / exercise.rows;
    const spread = mean(Array.from({ length: wide }, (_, k) => deviationOf(y.filter((__, n) => n % wide === k))));
    const left = mean(beyond.map((v) => v * v)) / Math.max(spread, 1e-30);
    const gone = c.constant === null ? -Infinity : Math.max(...c.gone.slice(-2));
    if (left < c.of("givens.OUT_OF_REACH") || gone > 1 - c.of("givens.OUT_OF_REACH") / 2) return null;
    const share = mean(beyond.map((v) => Number(Math.abs(v) > 1e-6 * largest)));
    return { ...c.harm, what: sentence("{activation} gives numbers from {low:g} to {high:g}, and {share:.0%} of the targets are outside", { activation, low, high, share }), wanted: "linear" };
  },
  overfitting: (c) => {
    const { loss, held } = c;
    const constant = c.constant ?? NaN;
    const least = Math.min(...held);
    const best = held.indexOf(least);
    const end = held.length - 1;
    const bad = (/** @type {number} */ n) => (held[n] - least) / constant >= c.of("generalising.RISEN") && (held[n] - loss[n]) / constant >= c.of("generalising.GAP");
    if (!bad(end) || !bad(end - 1) || loss[end] > loss[best] || !costly(c, best)) return null;
    return { held: held[end], least, epoch: best + 1, loss: loss[end] };
  },
  "too few rows": (c) => {
    const { rows, held, shape } = c.network.exercise;
    const few = c.of("generalising.FEW_ROWS");
    const classes = c.shares ? c.shares.filter(Boolean).length : 1;
    if (c.diverged || rows >= few * classes) return null;
    const judged = held >= few && c.held.length >= 2;
    if (judged && c.held.slice(-2).some((v) => v <= (c.constant ?? NaN))) return null;
    const learned = classes === 1 ? sentence("{rows:,} rows", { rows }) : sentence("{rows:,} rows of {classes} classes", { rows, classes });
    const so_far = shape.length === 3
      ? sentence("vary the images that there are (layers.RandomFlip, layers.RandomTranslation)")
      : sentence("judge by cross-validation (of a table, thalweg train: --folds 5)");
    if (judged) return { learned, so_far, so: sentence("{held} to validate by have a loss of {loss:.4g}, and a constant answer has {constant:.4g}", { held, loss: c.held[c.held.length - 1], constant: c.constant }) };
    if (!held) return { learned, so_far, so: sentence("none to validate by") };
    return { learned, so_far, so: sentence("{held} to validate by, where one more or less that is right is {share:.0%} of the accuracy", { held, share: 1 / held }) };
  },
  "answers the majority": (c) => {
    if (!c.poor || c.diverged) return null;
    const { exercise, knobs, engine } = c.network;
    const [x, count] = exercise.held ? [exercise.heldX, exercise.held] : [exercise.x, exercise.rows];
    const rows = Math.min(count, FEW);
    const answers = engine.predict(x.slice(0, (x.length / count) * rows), rows);
    const wide = answers.length / rows;
    const border = knobs.ending === "linear" ? 0 : 0.5;
    const guess = (/** @type {Float32Array} */ row) => (wide === 1 ? Number(row[0] > border) : row.indexOf(Math.max(...row)));
    const guesses = Array(Math.max(2, wide)).fill(0);
    for (let n = 0; n < rows; n++) guesses[guess(answers.subarray(n * wide, (n + 1) * wide))] += 1;
    const same = Math.max(...guesses) / rows;
    const shares = /** @type {number[]} */ (c.shares);
    const greatest = Math.max(...shares);
    return same < c.of("generalising.ONE_ANSWER") ? null : { ...c.harm, same, class: shares.indexOf(greatest), greatest };
  },
};

/** Whether fewer answers are right than when the validation loss was least, beyond chance. @param {Case} c @param {number} best */
function costly(c, best) {
  const right = c.heldAccuracy;
  if (!right || right.length !== c.held.length || right.length < 4) return true;
  const then = mean(right.slice(Math.max(0, best - 1), best + 2));
  const chance = 2 * Math.sqrt((then * (1 - then)) / Math.max(1, c.network.exercise.held));
  const lost = right.slice(-2).every((v) => then - v >= Math.max(c.of("generalising.FEWER"), chance));
  return lost || (chance > c.of("generalising.VAGUE") && c.held.slice(-2).every((v) => v > (c.constant ?? NaN)));
}

/**
 * What is wrong with a training, the gravest first.
 * @param {Course} course
 * @param {Sample[]} samples
 * @param {{ most: number, last: number }} rate
 * @param {Text | null} diverged what ended it
 */
export function diagnosed(course, samples, rate, diverged) {
  const { rules, severities } = course.tools.site.doctor;
  const c = new Case(course, samples, rate, diverged);
  const found = Object.entries(rules).flatMap(([name, rule]) => {
    const numbers = CHECKS[name] && rule.needs.every((/** @type {string} */ need) => c.has(need)) ? CHECKS[name](c) : null;
    return numbers ? [{ name, rule, numbers }] : [];
  });
  const names = new Set(found.map(({ name }) => name));
  const kept = found.filter(({ rule }) => !rule.yields_to.some((/** @type {string} */ other) => names.has(other)));
  const grave = (/** @type {any} */ { rule }) => severities.indexOf(rule.severity);
  return kept.sort((a, b) => grave(a) - grave(b)).map(({ name, rule, numbers }) => ({
    rule: name, title: rule.title, severity: rule.severity, sentence: filledIn(rule.sentence, numbers), evidence: filledIn(rule.evidence, numbers), remedy: filledIn(rule.remedy, numbers),
  }));
}
