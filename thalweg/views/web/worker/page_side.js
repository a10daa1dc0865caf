// One side of the page, in bursts of a worker's one thread.
import { Survey } from "./ball.js";
import { Course } from "./course.js";
import { Rules } from "./page_state.js";
import { BURST, Pace } from "./rhythm.js";
import { DivergedError, refused, RefusedError, told } from "./sentences.js";
import { SideFrame } from "./side_frame.js";

/** @typedef {import("./course.js").Tools} Tools */
/** @typedef {import("./sentences.js").Text} Text */

const INBOX = 200; // messages that wait
const FRAME_SECONDS = 1 / 60;
const SHORT_EPOCH = 0.25; // s: an epoch that is over by then tells nothing before its end
const TRAINS = ["play", "step", "epoch", "reset"]; // what trains with the settings that the page shows
const SHOWN = ["surface", "units", "weights", "findings"];

const seconds = () => performance.now() / 1000;

export class PageSide {
  /**
   * @param {number} number 0 or 1
   * @param {Tools} tools
   * @param {(frame: any) => void} post takes each frame
   * @param {() => number} numbered the number of the next frame
   */
  constructor(number, tools, post, numbered) {
    this.number = number;
    this.tools = tools;
    this.post = post;
    this.numbered = numbered;
    this.rules = new Rules(tools.site);
    /** @type {any[]} */
    this.inbox = [];
    this.closed = false;
    /** The frame that the page has to acknowledge. @type {number | null} */
    this.awaited = null;
    /** @type {Course | null} */
    this.course = null;
    /** Why the newest state can't be: the course is one of an older state. @type {Text | null} */
    this.refusedState = null;
    this.playing = false;
    this.pace = new Pace(60);
    this.frame = new SideFrame();
    this.dirty = false; // whether a frame would tell something new
    this.nextFrame = 0;
    this.wanted = new Set(SHOWN);
    this.choice = { layer: -1, unit: 0, row: 0, said: "" };
    this.serial = 0; // of the newest message with a number that was done, or refused
    /** @type {Survey | null} */
    this.survey = null;
    /** @type {any} */
    this.timer = null;
    this.channel = new MessageChannel(); // its messages come sooner than a timer
    this.channel.port1.onmessage = () => this.round();
    this.awake = false;
  }

  /** Takes a message; of several states that wait, only the newest counts. @param {any} message */
  tell(message) {
    if (message.do === "state") this.inbox = this.inbox.filter((m) => m.do !== "state");
    if (this.inbox.length >= INBOX) {
      this.inbox.splice(Number(this.inbox[0].do === "state"), 1); // the newest count, and what they are about
      this.frame.error = told(refused("too many messages at once"));
    }
    this.inbox.push(message);
    this.schedule();
  }

  /** The page has drawn this frame; the next may be made. @param {number} frame */
  acknowledge(frame) {
    if (frame !== this.awaited) return;
    this.awaited = null;
    this.schedule();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.channel.port1.close();
    this.survey?.close();
    this.course?.close();
  }

  /** Plans the next round. */
  schedule() {
    if (this.closed || this.awake) return;
    clearTimeout(this.timer);
    const delay = this.idle();
    if (delay === null) return;
    if (delay > 0.002) this.timer = setTimeout(() => this.round(), 1000 * delay);
    else {
      this.awake = true;
      this.channel.port2.postMessage(null);
    }
  }

  /** Seconds to wait; null for until something happens. */
  idle() {
    if (this.inbox.length) return 0;
    const waits = [];
    if (this.survey && !this.survey.done) waits.push(0);
    if (this.playing && this.course) waits.push(this.pace.wait(this.course.engine.stepsPerEpoch));
    if (this.dirty && this.awaited === null) waits.push(this.nextFrame - seconds());
    return waits.length ? Math.min(...waits) : null;
  }

  /** Does what was asked, trains, makes a frame. */
  round() {
    this.awake = false;
    if (this.closed) return;
    const messages = this.inbox;
    this.inbox = [];
    try {
      this.work(messages);
    } catch (error) { // the page is told, and so is the console
      console.error(error);
      this.fail(error, "failed");
      this.send(true);
    }
    this.schedule();
  }

  /** @param {any[]} messages */
  work(messages) {
    for (const message of messages) {
      try {
        this.do(message);
      } catch (error) {
        if (error instanceof DivergedError) this.fail(error, "diverged");
        else if (error instanceof RefusedError || error instanceof RangeError) this.refuse(told(error));
        else throw error;
      } finally {
        this.serial = message.serial ?? this.serial;
      }
    }
    if (this.playing && this.course) this.train(this.course);
    if (this.survey && !this.survey.done) {
      this.survey.work(BURST);
      if (this.survey.done) {
        this.frame.landed(this.survey);
        this.dirty = true;
      }
    }
    if (this.dirty && this.awaited === null && seconds() >= this.nextFrame) this.send();
  }

  /** A burst. @param {Course} course */
  train(course) {
    const steps = this.pace.steps(course.engine.stepsPerEpoch);
    if (steps < 1) return;
    const begun = seconds();
    try {
      course.run(steps);
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      this.fail(error, "diverged");
    }
    this.pace.done(steps, seconds() - begun, course.engine.stepsPerEpoch);
    this.dirty = true;
  }

  /** One message. @param {any} message */
  do(message) {
    this.dirty = true;
    const { course } = this;
    const what = message.do;
    if (what === "state") return this.takeState(message.state);
    if (what === "refuse") return this.refuse(message.error);
    if (what === "want") return void (this.wanted = new Set(message.what));
    if (what === "pace") return this.pace.set(message.epochs);
    if (what === "select") return void Object.assign(this.choice, message.chosen);
    if (this.refusedState && TRAINS.includes(what)) return this.refuse(this.refusedState); // it would train what the page no longer shows
    if (!course) throw refused("there is no network yet: send a state");
    if (what === "play") {
      this.playing = true;
      this.frame.status = "playing";
      this.pace.begin();
    } else if (what === "pause") this.pause(course);
    else if (what === "reset") this.begin(course.state);
    else if (what === "draw") this.frame.drawing = course.responses.drawing(message.image);
    else {
      this.pause(course, false);
      if (what === "step") course.oneStep();
      else this.finishEpoch(course);
      this.frame.status = "paused";
    }
  }

  /** Whether the rest of this epoch takes no time worth telling. @param {number} steps */
  short(steps) {
    return steps * this.pace.stepSeconds < SHORT_EPOCH;
  }

  /** Stops playing; a short epoch is finished first. @param {Course} course @param {boolean} [finish] */
  pause(course, finish = true) {
    const { step: batch, stepsPerEpoch } = course.engine;
    if (finish && this.playing && batch && this.short(stepsPerEpoch - batch)) course.run(stepsPerEpoch - batch);
    if (!this.playing) return; // a training that has diverged stays so
    this.playing = false;
    this.frame.status = "paused";
  }

  /** The rest of this epoch. @param {Course} course */
  finishEpoch(course) {
    const { step: batch, stepsPerEpoch } = course.engine;
    const steps = stepsPerEpoch - batch;
    const begun = seconds();
    course.run(steps);
    this.pace.done(steps, seconds() - begun, stepsPerEpoch);
  }

  /** Another state, or why it can't be; then the training rests until there is one that can. @param {any} given */
  takeState(given) {
    this.refusedState = null;
    try {
      this.setState(given);
    } catch (error) {
      if (error instanceof DivergedError || !(error instanceof RefusedError || error instanceof RangeError)) throw error;
      this.refusedState = told(error);
      if (this.playing) {
        this.playing = false;
        this.frame.status = "paused";
      }
      throw error;
    }
  }

  /** Another state: with the same weights if they can be kept, or anew. @param {any} given */
  setState(given) {
    this.frame.error = null; // of an older state
    const state = this.rules.state(given);
    const { course } = this;
    if (!course || !this.rules.keepsWeights(state, course.state)) return this.begin(state);
    const { step: batch, stepsPerEpoch } = course.engine;
    if (batch && this.playing && this.short(stepsPerEpoch)) {
      try {
        course.run(stepsPerEpoch - batch);
      } catch (error) { // what is changed may be the remedy
        if (!(error instanceof DivergedError)) throw error;
        this.fail(error, "diverged");
      }
    }
    if (course.change(state)) {
      this.frame.changed();
      this.dropSurvey();
    }
  }

  dropSurvey() {
    this.survey?.close();
    this.survey = null;
  }

  /** A new course; if it can't be made, the old one lives on. @param {any} state */
  begin(state) {
    if (this.awaited === null && seconds() >= this.nextFrame) this.deliver({ status: "building" });
    const made = new Course(this.tools, state);
    this.dropSurvey();
    this.course?.close();
    this.course = made;
    this.choice.said = ""; // of another text
    this.frame.reset();
    this.frame.status = this.playing ? "playing" : "paused";
    this.pace.begin();
  }

  /** What was asked for can't be: the page is told, and all stays as it is. @param {Text} error */
  refuse(error) {
    this.frame.error = error;
    this.dirty = true;
  }

  /** The training has stopped. @param {any} error @param {string} status */
  fail(error, status) {
    this.playing = false;
    this.frame.status = status;
    this.frame.error = told(error);
    this.dirty = true;
  }

  /** Makes a frame of what is now, and posts it; an empty one has nothing that could fail. */
  send(empty = false) {
    const { course } = this;
    this.dirty = false;
    if (!course || empty) return this.deliver(this.frame.empty());
    this.deliver(this.frame.made(course, this.wanted, this.choice, this.pace.measured));
    if (this.wanted.has("landscape") && (!this.survey || (this.frame.outside && this.survey.old))) this.survey = new Survey(course);
  }

  /** Numbers and posts a frame. @param {any} content */
  deliver(content) {
    const frame = this.numbered();
    this.awaited = frame;
    this.nextFrame = seconds() + FRAME_SECONDS;
    this.post({ frame, side: this.number, serial: this.serial, ...content });
  }
}
