// What a side tells the page in one frame.
import { arithmetic } from "./arithmetic.js";
import { floats, shaped } from "./encode.js";

/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./ball.js").Survey} Survey */
/** @typedef {import("./sentences.js").Text} Text */

const NULLS = ["loss", "val_loss", "accuracy", "val_accuracy", "loss_now"]; // told even if there is no number

/** @param {any} value */
function finite(value) {
  return Number.isFinite(value) ? value : null;
}

/** Makes the frames of a side, and remembers what the page has been told. */
export class SideFrame {
  constructor() {
    this.status = "paused";
    /** @type {Text | null} */
    this.error = null;
    /** @type {any} */
    this.drawing = null;
    this.fresh = false; // a new course
    this.renewed = false; // another state
    /** @type {import("./ball.js").Valley | null} */
    this.valley = null;
    this.valleySent = true;
    /** @type {Text | null} */
    this.valleyError = null;
    this.outside = false; // whether the ball has left the landscape
    this.findings = ""; // as the page knows them
  }

  /** A new course has begun. */
  reset() {
    this.fresh = true;
    this.error = this.drawing = null;
    this.changed();
  }

  /** The course goes on under another state. */
  changed() {
    this.renewed = true;
    this.valley = null;
    this.valleySent = true;
    this.outside = false;
  }

  /** A landscape is there. @param {Survey} survey */
  landed(survey) {
    if (survey.valley) [this.valley, this.valleySent] = [survey.valley, false]; // else the last one stays
    this.valleyError = survey.error;
  }

  /** While there is no course. */
  empty() {
    const { error } = this;
    this.error = null;
    return { status: this.status, ...(error && { error }) };
  }

  /** The next frame. @param {Course} course @param {Set<string>} wanted @param {any} choice @param {number} pace */
  made(course, wanted, choice, pace) {
    const found = this.standing(course, pace);
    if (this.error) found.error = this.error;
    if (this.fresh) {
      Object.assign(found, { reset: true, facts: course.network.facts(), notes: course.network.notes, input_maps: course.responses.inputs() });
      course.curves.sent = 0;
    }
    if (this.renewed) found.state = course.state;
    found.curves = course.curves.unsent();
    found.drawing = this.drawing;
    this.error = this.drawing = null;
    Object.assign(found, this.pictures(course, wanted, choice));
    this.fresh = this.renewed = false;
    return Object.fromEntries(Object.entries(found).filter(([key, value]) => (value !== null && value !== undefined) || NULLS.includes(key)));
  }

  /** Where the training stands. @param {Course} course @param {number} pace @returns {any} */
  standing(course, pace) {
    const { network, last, engine } = course;
    const now = course.lossNow();
    return {
      status: this.status, epoch: course.epoch, iteration: course.iteration, batch: engine.step, learning_rate: network.learningRate, loss_now: now,
      accuracy: null, val_accuracy: null, pace: Math.round(10 * pace) / 10, loss: finite(last.train?.loss), val_loss: finite(last.held?.loss),
      [network.metric]: finite(last.train?.metric), [`val_${network.metric}`]: finite(last.held?.metric),
    };
  }

  /** What is drawn. @param {Course} course @param {Set<string>} wanted @param {any} choice */
  pictures(course, wanted, choice) {
    const { network, responses } = course;
    /** @type {any} */
    const found = {};
    if (wanted.has("weights")) {
      const arrays = network.kernels.map((layer) => ({ layer, kernel: network.kernelOf(layer) }));
      found.weights = arrays.map(({ layer, kernel }) => shaped(kernel[0], ...layer.arrays[0]));
      found.biases = arrays.map(({ kernel }) => kernel[1] && floats(kernel[1]));
    }
    if (wanted.has("units")) found.units = responses.units(choice.row);
    if (wanted.has("surface")) Object.assign(found, { surface: responses.surface(this.renewed), line: responses.line(this.renewed), sample: responses.sample(choice.row) });
    if (wanted.has("reading")) found.reading = course.reading.shown(choice.said, choice.row, course.iteration);
    if (wanted.has("arithmetic")) found.arithmetic = arithmetic(network, choice, course.step);
    if (wanted.has("landscape")) Object.assign(found, this.landscape(course));
    if (wanted.has("findings")) {
      const findings = course.findings();
      const told = JSON.stringify(findings);
      if (told !== this.findings || this.fresh) found.findings = findings;
      this.findings = told;
    }
    return found;
  }

  /** The landscape once, and where the ball is. @param {Course} course */
  landscape(course) {
    if (!this.valley) return { landscape: this.valleyError ? { status: "failed", error: this.valleyError } : { status: "computing" } };
    /** @type {any} */
    const found = {};
    if (!this.valleySent) {
      found.landscape = this.valley.figure;
      this.valleySent = true;
    }
    const loss = course.lossNow();
    if (loss !== null) {
      found.ball = this.valley.ball(course.engine.vector, loss);
      this.outside = !this.valley.holds(found.ball);
    }
    return found;
  }
}
