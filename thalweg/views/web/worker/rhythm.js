// How many steps are due.

export const BURST = 0.012; // s: for so long the worker computes before it listens
const LATE = 0.5; // s: what is missed beyond is left out

const seconds = () => performance.now() / 1000;

/** Epochs a second while playing; null for as many as there can be. */
export class Pace {
  /** @param {number | null} epochs */
  constructor(epochs) {
    this.epochs = epochs;
    this.stepSeconds = BURST; // of one step, as measured; at first one step is tried
    this.measured = 0; // epochs a second
    /** Since when, and steps since then: what the measure is over. @type {[number, number]} */
    this.window = [0, 0];
    this.since = 0;
    this.stepsDone = 0;
    this.begin();
  }

  /** @param {number | null} epochs */
  set(epochs) {
    this.epochs = epochs;
    this.begin();
  }

  /** Counts from now on. */
  begin() {
    this.since = seconds();
    this.stepsDone = 0;
    this.window = [this.since, 0];
  }

  /** Steps that take about as long as a burst. */
  affordable() {
    return Math.max(1, Math.floor(BURST / Math.max(this.stepSeconds, 1e-8)));
  }

  /** Steps that should have been done by now, and haven't. @param {number} perEpoch */
  due(perEpoch) {
    return (seconds() - this.since) * /** @type {number} */ (this.epochs) * perEpoch - this.stepsDone;
  }

  /** Seconds until there is something to do. @param {number} perEpoch */
  wait(perEpoch) {
    if (this.epochs === null) return 0;
    const rate = this.epochs * perEpoch;
    const together = Math.max(1, Math.min(rate / 60, this.affordable()));
    return Math.max(0, (together - this.due(perEpoch)) / rate);
  }

  /** Steps to do now. @param {number} perEpoch */
  steps(perEpoch) {
    if (this.epochs === null) return this.affordable();
    let due = this.due(perEpoch);
    const rate = this.epochs * perEpoch;
    if (due > LATE * rate + 1) {
      this.since = seconds() - 1 / rate;
      this.stepsDone = 0;
      due = 1;
    }
    return Math.min(Math.floor(due + 1e-6), this.affordable());
  }

  /** Notes what a burst took. @param {number} steps @param {number} took @param {number} perEpoch */
  done(steps, took, perEpoch) {
    this.stepSeconds = 0.7 * this.stepSeconds + (0.3 * took) / steps;
    this.stepsDone += steps;
    const now = seconds();
    let [since, count] = this.window;
    count += steps;
    if (now - since > 0.5) {
      this.measured = count / perEpoch / (now - since);
      [since, count] = [now, 0];
    }
    this.window = [since, count];
  }
}
