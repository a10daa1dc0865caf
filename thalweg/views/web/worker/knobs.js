// The knobs of a training by their names in a state.
import { describedActivation, formula } from "../engine/formula.js";
import { isFormula } from "../engine/own_kernels.js";
import { UnsupportedError } from "../engine/weights.js";
import { Activation } from "./formulas.js";
import { RowLoss } from "./losses.js";
import { choose, inPython, refused, refusedByEngine } from "./sentences.js";
import { checkSize } from "./typed_formulas.js";

/** @typedef {import("./page_state.js").State} State */
/** @typedef {import("./exercise.js").Exercise} Exercise */

const PI = Math.PI;
const cos = Math.cos;
const floor = Math.floor;
const max = Math.max;
const min = Math.min;

/** Half a cosine from start to end. @param {number} start @param {number} end @param {number} done */
function between(start, end, done) {
  return end + ((start - end) / 2) * (1 + cos(PI * done));
}

/** The learning rate of a step, by the schedule's name: the twins of thalweg/schedules.py. @type {{ [name: string]: (step: number, rate: number, o: any) => number }} */
const SCHEDULES = {
  exponential_decay: (step, rate, o) => rate * o.decay_rate ** (o.staircase ? floor(step / o.decay_steps) : step / o.decay_steps),
  polynomial_decay: (step, rate, o) => {
    const done = o.cycle ? step / (o.decay_steps * max(1, Math.ceil(step / o.decay_steps))) : min(step, o.decay_steps) / o.decay_steps;
    return (rate - o.end_learning_rate) * (1 - done) ** o.power + o.end_learning_rate;
  },
  inverse_time_decay: (step, rate, o) => rate / (1 + o.decay_rate * (o.staircase ? floor(step / o.decay_steps) : step / o.decay_steps)),
  cosine_decay: (step, rate, o) => {
    const [start, warm] = o.warmup_target === null ? [rate, 0] : [o.warmup_target, o.warmup_steps];
    if (step < warm) return rate + ((start - rate) * step) / warm;
    return start * ((1 - o.alpha) * 0.5 * (1 + cos((PI * min(step - warm, o.decay_steps)) / o.decay_steps)) + o.alpha);
  },
  cosine_decay_restarts: (step, rate, o) => {
    let done = step / o.first_decay_steps;
    const k = o.t_mul;
    const restarts = k === 1 ? floor(done) : floor(Math.log(1 - done * (1 - k)) / Math.log(k) + 1e-12);
    done = k === 1 ? done - restarts : (done - (1 - k ** restarts) / (1 - k)) / k ** restarts;
    return rate * ((1 - o.alpha) * 0.5 * o.m_mul ** restarts * (1 + cos(PI * done)) + o.alpha);
  },
  one_cycle: (step, rate, o) => {
    const start = rate / o.div_factor;
    const last = o.total_steps - 1;
    const top = max(o.pct_start * o.total_steps - 1, 0);
    return step < top ? between(start, rate, step / max(top, 1e-9)) : between(rate, start / o.final_div_factor, min((step - top) / max(last - top, 1e-9), 1));
  },
  coslog4: (step, rate, o) => rate * 0.5 * (1 - cos(2 * PI * Math.log2(1 + 15 * min(step / o.total_steps, 1)))),
  flat_cos: (step, rate, o) => between(rate, o.alpha * rate, min(max((step / o.total_steps - o.flat) / (1 - o.flat), 0), 1)),
};

/** A name and its arguments. @param {any} given @returns {{ name: string, rest: { [key: string]: any } }} */
export function parts(given) {
  const { name, ...rest } = typeof given === "string" ? { name: given } : given;
  return { name, rest };
}

/**
 * Arguments over their defaults; unknown ones and other types are refused.
 * @param {string} what
 * @param {string} name
 * @param {{ [key: string]: any }} usual
 * @param {{ [key: string]: any }} given
 */
function filled(what, name, usual, given) {
  for (const [key, value] of Object.entries(given)) {
    choose(`argument of the ${what} ${name}`, key, Object.keys(usual));
    const truth = typeof usual[key] === "boolean";
    if (value !== null && (typeof value === "boolean") !== truth && usual[key] !== null) {
      throw refused("the {what} {name} can't have these arguments: {key} is {value}", { what, name, key, value: inPython(value) });
    }
  }
  return { ...usual, ...given };
}

/**
 * What a state says of a training, for an exercise.
 */
export class Knobs {
  /** @param {any} site @param {State} state @param {Exercise} exercise */
  constructor(site, state, exercise) {
    this.site = site;
    this.state = state;
    this.recipe = site.recipes[exercise.task] ?? site.recipes.regression;
    this.lossName = state.loss === "auto" ? this.recipe.loss : state.loss;
    this.loss = new RowLoss(site.losses[this.lossName] ?? described("loss", this.lossName, Object.keys(site.losses)));
    const asked = state.output === null ? "auto" : state.output.activation;
    this.ending = asked !== "auto" ? asked : this.recipe.fitting[this.loss.described.name] ?? this.recipe.activation;
  }

  /** @param {string} name @returns {Activation} */
  activation(name) {
    const names = this.site.choices.activations.map((/** @type {any} */ a) => a.name);
    return new Activation(this.site.activations[name] ?? described("activation", name, names));
  }

  /** The optimizer's name and arguments, without its learning rate. */
  get optimizer() {
    const { name, rest } = parts(this.state.optimizer);
    choose("optimizer", name, Object.keys(this.site.optimizers));
    if ("learning_rate" in rest) throw refused("the learning rate is the state's learning_rate, not the optimizer's");
    for (const [key, most] of Object.entries(this.site.most)) {
      if (rest[key] > most) throw refused("the optimizer's {key} is {most:,} at most", { key, most });
    }
    const found = filled("optimizer", name, this.site.optimizers[name], rest);
    for (const [key, [low, high]] of Object.entries(this.site.ranges[name])) {
      const value = found[key];
      if (value === null || value < (low ?? -Infinity) || value >= (high ?? Infinity)) {
        throw refused("the optimizer's {key} has to be a number in [{low:g}, {high:g}), got {value}", { key, low: low ?? -Infinity, high: high ?? Infinity, value: inPython(value) });
      }
    }
    return { ...found, name };
  }

  /** The learning rate of each step. @returns {(step: number) => number} */
  get rate() {
    const { schedule, learning_rate: rate } = this.state;
    if (schedule === null) return () => rate;
    const { name, rest } = parts(schedule);
    if (name === "constant" && !Object.keys(rest).length) return () => rate;
    choose("schedule", name, Object.keys(this.site.schedules));
    const options = filled("schedule", name, this.site.schedules[name], rest);
    return (step) => {
      const found = SCHEDULES[name](step, rate, options);
      if (Number.isFinite(found) && found >= 0) return found;
      throw refused("the learning rate of step {step} would be {rate}", { step, rate: String(found) });
    };
  }

  /** What is said if the output doesn't suit the loss. @param {string} ending @param {number} units */
  doubts(ending, units) {
    const said = this.site.doubts[ending]?.[this.loss.described.name]?.[units === 1 ? 0 : 1];
    return said ? [said] : [];
  }
}

/**
 * A formula, as the site's facts have the activations and losses by name.
 * @param {"activation" | "loss"} what
 * @param {string} text
 * @param {string[]} names that are offered
 */
function described(what, text, names) {
  if (!isFormula(text)) throw refused("unknown {what} {name}. Choose from: {names}", { what, name: inPython(text), names: [...names].sort().join(", ") });
  try {
    if (what === "activation") {
      const found = describedActivation(text);
      checkSize(found.value.value);
      return found;
    }
    const { value, slope } = formula(text, { y_pred: "p", y_true: "y" });
    checkSize(value);
    const trees = { value: { let: [], value }, slope: { let: [], value: slope } };
    return { name: text, kind: "FormulaLoss", half: false, arguments: {}, coefficients: [1, 0.5], targets: ["numbers", "numbers"], sparse: false, noise: null, after: null, ...trees };
  } catch (error) {
    throw error instanceof UnsupportedError ? refused("{formula}: {error}", { formula: text, error: refusedByEngine(error).text }) : error;
  }
}
