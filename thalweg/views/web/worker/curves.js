// Loss and metric by epoch.
import { floats } from "./encode.js";

const MOST = 2000; // points: of more, every other one goes

/** @typedef {{ loss: number, metric: number | null }} Scores */

export class Curves {
  /** @param {string} metric */
  constructor(metric) {
    this.metric = metric;
    /** @type {number[][]} */
    this.points = [];
    this.sent = 0; // points that the page has
  }

  /** @param {number} epoch @param {Scores | null} train @param {Scores | null} held */
  add(epoch, train, held) {
    this.points.push([epoch, train?.loss ?? NaN, train?.metric ?? NaN, held?.loss ?? NaN, held?.metric ?? NaN]);
    if (this.points.length <= MOST) return;
    this.points = this.points.filter((_, n) => n % 2 === 0);
    this.sent = 0;
  }

  /** What the page lacks; null if nothing. */
  unsent() {
    const first = this.sent;
    this.sent = this.points.length;
    if (first === this.sent) return null;
    const column = (/** @type {number} */ k) => floats(this.points.slice(first).map((point) => point[k]));
    /** @type {any} */
    const found = { from: first, epochs: column(0), loss: column(1), metric: column(2), metric_name: this.metric };
    const held = column(3);
    if (!held.every(Number.isNaN)) Object.assign(found, { val_loss: held, val_metric: column(4) });
    return found;
  }
}
