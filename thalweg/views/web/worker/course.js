// The course of one side's training since it began anew.
import { PATH, REMEMBERED } from "./ball.js";
import { Checkup } from "./checkup.js";
import { Curves } from "./curves.js";
import { posed } from "./exercise.js";
import { PageNetwork } from "./page_network.js";
import { Rules } from "./page_state.js";
import { Reading } from "./readings.js";
import { Responses } from "./responses.js";
import { DivergedError } from "./sentences.js";

/** @typedef {import("./page_state.js").State} State */
/** @typedef {import("./arithmetic.js").Step} Step */
/** What every course needs: the site's description, its digits, and the engine. @typedef {{ site: any, digits: import("./exercise.js").Digits | null, tables: Map<string, import("./table.js").Table>, kernels: any }} Tools */

/**
 * A part of the course without other changes than of the learning rate. whole: whether it ended with an epoch; rates:
 * steps done before each change, and the rate from then on.
 * @typedef {{ state: State, epochs: number, whole: boolean, rates: [number, number][] }} Leg
 */

/** @param {State} state @returns {Leg} */
const legOf = (state) => ({ state, epochs: 0, whole: true, rates: [] });

const SCORED_ROWS = 5000; // up to here the loss of all rows is computed for each picture

export class Course {
  /** @param {Tools} tools @param {State} state */
  constructor(tools, state) {
    this.tools = tools;
    this.constants = tools.site.constants;
    this.rules = new Rules(tools.site);
    this.network = new PageNetwork(tools, state, posed(state, tools));
    this.legs = [legOf(state)];
    this.curves = new Curves(this.network.metric);
    this.responses = new Responses(this.network);
    this.reading = new Reading(this.network);
    this.epochsBefore = 0; // of networks before
    this.iterationsBefore = 0;
    /** The scores of the epoch that ended last. @type {{ train: any, held: any }} */
    this.last = { train: null, held: null };
    /** The last single step. @type {Step | null} */
    this.step = null;
    /** @type {Float32Array[]} */
    this.path = [];
    /** What went wrong in the last steps. @type {import("./sentences.js").Text | null} */
    this.diverged = null;
    this.checkup = new Checkup(this);
    this.notePoint(0, this.trainScores());
  }

  get state() {
    return this.network.state;
  }

  get engine() {
    return this.network.engine;
  }

  get epoch() {
    return this.epochsBefore + this.engine.epochs;
  }

  get iteration() {
    return this.iterationsBefore + this.steps;
  }

  /** Of this leg. */
  get steps() {
    return this.engine.epochs * this.engine.stepsPerEpoch + this.engine.step;
  }

  /** Goes on under another state, if its network can keep the weights; returns whether anything is new. @param {State} state */
  change(state) {
    const differs = this.rules.differences(state, this.state);
    if (!differs.length) return false;
    const { network } = this;
    if (String(differs) === "learning_rate" && state.schedule === null) {
      this.legs[this.legs.length - 1].rates.push([this.steps, state.learning_rate]);
      network.knobs.state = state;
      network.state = state;
      network.rate = network.knobs.rate;
      return true;
    }
    if (String(differs) === "plane") {
      network.exercise = posed(state, this.tools);
      network.state = state;
      this.responses = new Responses(network);
      return true;
    }
    const exercise = differs.includes("plane") ? posed(state, this.tools) : network.exercise;
    const next = new PageNetwork(this.tools, state, exercise, network);
    [this.epochsBefore, this.iterationsBefore] = [this.epoch, this.iteration];
    network.close();
    this.network = next;
    this.legs.push(legOf(state));
    this.step = null;
    this.responses = new Responses(next);
    this.reading = new Reading(next);
    this.checkup = new Checkup(this);
    return true;
  }

  /** Trains; notes the scores of the epoch that ended last. @param {number} steps */
  run(steps) {
    this.step = null;
    const { step: done, epochs, stepsPerEpoch } = this.engine;
    let sampled = this.checkup.due(epochs * stepsPerEpoch + done);
    this.checkup.rate.last = this.network.learningRate;
    this.checkup.rate.most = Math.max(this.checkup.rate.most, this.checkup.rate.last);
    const after = (done + steps) % stepsPerEpoch; // steps after the last epoch that ends
    try {
      for (const part of (after < steps ? [steps - after, after] : [steps]).filter(Boolean)) {
        const records = sampled ? this.checkup.step() : [];
        if (part > Number(sampled)) records.push(...this.network.run(part - Number(sampled)));
        sampled = false;
        if (records.length) this.notePoint(this.epoch, records[records.length - 1]); // validated right at the epoch's end
      }
      this.diverged = null;
    } catch (error) {
      if (error instanceof DivergedError) {
        this.diverged = error.text;
        this.checkup.failed(error.before);
      }
      throw error;
    } finally {
      const { epochs: ended, step } = this.engine;
      Object.assign(this.legs[this.legs.length - 1], { epochs: ended, whole: step === 0 });
    }
  }

  /** What the doctor says so far. */
  findings() {
    return this.checkup.findings(this.diverged);
  }

  /** Trains on one batch, and keeps what the weights were before. */
  oneStep() {
    const { network, engine } = this;
    const before = network.kernels.map((layer) => network.kernelOf(layer));
    const size = Math.min(this.state.batch, network.exercise.rows);
    const rows = Math.min(network.exercise.rows - engine.step * size, size);
    const learningRate = network.learningRate;
    this.run(1);
    this.step = { before, rows, iteration: this.iteration, learningRate };
  }

  /** A point of the curves, with the scores of validation now, and of the path. @param {number} epoch @param {any} train */
  notePoint(epoch, train) {
    const { exercise, heldY } = this.network;
    const held = exercise.held ? this.network.evaluate(exercise.heldX, heldY, exercise.held) : null;
    this.last = { train, held };
    this.curves.add(epoch, train, held);
    const { vector } = this.engine;
    if (vector.length > REMEMBERED) return;
    this.path.push(vector.slice());
    if (this.path.length > PATH) this.path = this.path.filter((_, n) => n % 2 === 0);
  }

  trainScores() {
    const { exercise, y } = this.network;
    return this.network.evaluate(exercise.x, y, exercise.rows);
  }

  /** The loss of all training rows at the weights now; null for many rows, or if it isn't finite. @returns {number | null} */
  lossNow() {
    return this.network.exercise.rows > SCORED_ROWS ? null : this.trainScores()?.loss ?? null;
  }

  close() {
    this.network.close();
  }
}
