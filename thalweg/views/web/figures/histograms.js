// How numbers are distributed, over time: one ridge for each moment, the earliest at the back.
import { colour, css, faded, sequential } from "../colours.js";
import { extent, tensor } from "../decode.js";
import { h, redrawn } from "../dom.js";
import { numeral } from "../format.js";
import { plotted, probe } from "../plot.js";
import { said, word } from "../words.js";

const MOST_RIDGES = 26;
const RISE = 4.5; // the highest ridge, in distances between two

/**
 * @param {HTMLElement} element
 * @param {Histograms} figure
 * @returns {Drawn}
 */
export function drawHistograms(element, figure) {
  return redrawn(element, figure, (/** @type {Histograms} */ f, width) => {
    const ridges = thinned(f);
    if (!ridges.length) return h("p", { class: "empty" }, word("Nothing to show here."));
    const last = ridges.length - 1;
    const [low, high] = bulk(ridges);
    const room = (high - low || Math.abs(low) || 1) * 0.04;
    const most = Math.max(1e-30, ...ridges.map((r) => Math.max(...r.density)));
    const every = Math.ceil(ridges.length / 8);
    const yTicks = ridges.map((r, n) => ({ at: last - n, text: numeral(r.time, 3) })).filter((_, n) => n % every === 0);
    const height = Math.round(Math.min(360, Math.max(240, 14 * ridges.length)));
    /** @type {[number, number]} */
    const x = [low - room, high + room];
    /** @type {[number, number]} */
    const y = [-0.3, last + RISE + 0.2];
    const plot = plotted(element, {
      width,
      height,
      x,
      y,
      xLabel: said(f.value_label) || word("value"),
      yLabel: said(f.time_label),
      yTicks,
      summary: `${said(f.title)}: ${ridges.length} × ${word("from {0} to {1}", ...edges(ridges))}`,
      paint: (context, w, tall) => {
        const scale = sequential(element);
        ridges.forEach((ridge, n) => {
          const base = tall - ((last - n - y[0]) / (y[1] - y[0])) * tall;
          const unit = ((RISE / (y[1] - y[0])) * tall) / most;
          const at = (/** @type {number} */ v) => ((v - x[0]) / (x[1] - x[0])) * w;
          const tone = css(scale(0.3 + (0.5 * n) / (last || 1)));
          drawRidge(context, ridge, at, base, unit, tone, colour(element, "panel"), faded(colour(element, "ink"), 0.35));
        });
      },
    });
    const line = probe(plot, ridgeReader(plot, ridges, f));
    return [plot.node, line];
  });
}

/** @typedef {{ time: number, low: number, high: number, counts: number[], density: number[], total: number }} Ridge */

/**
 * As many moments as can be told apart, always with the first and the last. Bins differ in width from one moment to
 * the other, so heights are shares per unit of the value.
 * @param {Histograms} f
 * @returns {Ridge[]}
 */
function thinned(f) {
  const [counts, low, high, times] = [tensor(f.counts), tensor(f.low), tensor(f.high), tensor(f.times)];
  const [moments, bins] = counts.shape;
  const kept = Math.min(MOST_RIDGES, moments);
  const found = [];
  for (let k = 0; k < kept; k++) {
    const t = kept === 1 ? 0 : Math.round((k * (moments - 1)) / (kept - 1));
    if (!Number.isFinite(low[t]) || !Number.isFinite(high[t])) continue;
    const row = Array.from(counts.subarray(t * bins, (t + 1) * bins));
    const total = row.reduce((sum, n) => sum + n, 0);
    const bin = (high[t] - low[t]) / bins || 1e-9;
    found.push({ time: times[t], low: low[t], high: high[t], counts: row, total, density: row.map((n) => n / (total || 1) / bin) });
  }
  const usual = found.map((r) => Math.max(...r.density)).sort((p, q) => p - q)[Math.floor(found.length / 2)] ?? 1;
  for (const ridge of found) ridge.density = ridge.density.map((v) => Math.min(v, 2 * usual)); // one spike leaves the others their height
  return found;
}

/**
 * @param {Ridge[]} ridges
 * @returns {[string, string]}
 */
function edges(ridges) {
  const [low, high] = extent(ridges.flatMap((r) => [r.low, r.high]));
  return [numeral(low, 3), numeral(high, 3)];
}

/**
 * Where all but a few numbers lie, at all but a few moments: a first step's large gradients would squeeze the others.
 * @param {Ridge[]} ridges
 * @returns {Range2}
 */
function bulk(ridges) {
  const ends = ridges.map((ridge) => {
    const bins = ridge.counts.length;
    const within = (/** @type {number} */ share) => {
      let sum = 0;
      return ridge.counts.findIndex((n) => (sum += n) >= share * ridge.total);
    };
    const bin = (ridge.high - ridge.low) / bins;
    return [ridge.low + bin * within(0.002), ridge.high - bin * (bins - 1 - within(0.998))];
  });
  const lows = ends.map(([low]) => low).sort((p, q) => q - p);
  const highs = ends.map(([, high]) => high).sort((p, q) => p - q);
  const most = Math.ceil(0.75 * (ends.length - 1));
  return extent([lows[most], highs[most]]);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Ridge} ridge
 * @param {(value: number) => number} at
 * @param {number} base
 * @param {number} unit
 * @param {string} tone
 * @param {string} paper
 * @param {string} ink
 */
function drawRidge(context, ridge, at, base, unit, tone, paper, ink) {
  const bins = ridge.density.length;
  const middle = (/** @type {number} */ k) => at(ridge.low + ((k + 0.5) / bins) * (ridge.high - ridge.low));
  context.beginPath();
  context.moveTo(at(ridge.low), base);
  ridge.density.forEach((v, k) => context.lineTo(middle(k), base - v * unit));
  context.lineTo(at(ridge.high), base);
  context.closePath();
  context.fillStyle = paper;
  context.fill(); // hides the ridges behind
  context.globalAlpha = 0.85;
  context.fillStyle = tone;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = ink;
  context.lineWidth = 0.8;
  context.stroke();
}

/**
 * @param {import("../plot.js").Plot} plot
 * @param {Ridge[]} ridges
 * @param {Histograms} f
 * @returns {import("../plot.js").Reader<[number, number]>}
 */
function ridgeReader(plot, ridges, f) {
  const bins = ridges[0]?.counts.length ?? 1;
  const last = ridges.length - 1;
  const within = (/** @type {number} */ n, /** @type {number} */ most) => Math.min(most, Math.max(0, n));
  const value = (/** @type {Ridge} */ r, /** @type {number} */ k) => r.low + ((k + 0.5) / bins) * (r.high - r.low);
  const step = plot.y(0) - plot.y(1);
  return {
    nearest(x, y) {
      const n = within(last - Math.round((plot.y(0) - y) / step), last);
      const from = plot.x(ridges[n].low);
      return [n, within(Math.floor(((x - from) / (plot.x(ridges[n].high) - from || 1)) * bins), bins - 1)];
    },
    moved: (at, right, up) => (at ? [within(at[0] - up, last), within(at[1] + right, bins - 1)] : [last, bins >> 1]),
    place: ([n, k]) => [plot.x(value(ridges[n], k)), plot.y(last - n)],
    say: ([n, k]) => {
      const ridge = ridges[n];
      const width = (ridge.high - ridge.low) / bins;
      const place = [ridge.low + k * width, ridge.low + (k + 1) * width].map((v) => numeral(v, 3)).join(" … ");
      return `${said(f.time_label)} ${numeral(ridge.time)} · ${place}: ${numeral(ridge.counts[k])} / ${numeral(ridge.total)}`;
    },
  };
}
