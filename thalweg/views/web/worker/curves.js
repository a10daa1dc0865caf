// Loss and metric by epoch: the twin of play/training/curves.py.
import { floats } from "./encode.js";

/** @typedef {{ loss: number, metric: number | null }} Scores */

export class Curves {
  /** @param {string} metric @param {number} most */
  constructor(metric, most) {
    this.metric = metric;
    this.most = most;
    /** @type {number[][]} */
    this.points = [];
    this.sent = 0; // points that the page has
  }

  /** @param {number} epoch @param {Scores | null} train @param {Scores | null} held */
  add(epoch, train, held) {
    this.points.push([epoch, train?.loss ?? NaN, train?.metric ?? NaN, held?.loss ?? NaN, held?.metric ?? NaN]);
    if (this.points.length <= this.most) return;
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
