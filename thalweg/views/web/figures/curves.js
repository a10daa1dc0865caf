// Curves over a common axis, by uPlot.
import { extent, listed, tensor } from "../decode.js";
import { canvas, h, onWidth } from "../dom.js";
import { colour, faded, seriesColour } from "../colours.js";
import { numeral } from "../format.js";
import { fitted, font } from "../measure.js";
import { said, word } from "../words.js";

const POINT = 6; // pixels

/** @param {HTMLElement} element @param {Curves} figure @returns {Drawn} */
export function drawCurves(element, figure) {
  let current = figure;
  let width = 0;
  /** @type {any} */
  let plot = null;
  const holder = h("div", { class: "curves", tabindex: 0, role: "img", onkeydown: moved });
  const key = h("div", { class: "legend" });
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  element.replaceChildren(key, holder, readout);
  const read = (/** @type {any} */ u) => {
    const n = u.cursor.idx;
    const shown = u.series.slice(1).filter((/** @type {any} */ one) => one.named).map((/** @type {any} */ one) => [one.label, u.data[u.series.indexOf(one)][n]]);
    const parts = [[u.series[0].label, u.data[0][n]], ...shown].filter(([, v]) => v !== null && v !== undefined);
    readout.textContent = n === null || n === undefined ? "" : parts.map(([name, v]) => `${name} ${numeral(v)}`).join(" · ");
  };

  const show = () => {
    plot?.destroy();
    plot = null;
    holder.replaceChildren();
    width = element.clientWidth || width;
    const data = aligned(current);
    holder.setAttribute("aria-label", curveSummary(current));
    holder.setAttribute("aria-description", word("Point at the figure, or focus it and use the arrow keys, to read its values."));
    readout.textContent = "";
    key.replaceChildren(...(current.series.length > 1 ? legend(element, current) : []));
    if (!data[0].length) {
      holder.append(h("p", { class: "empty" }, word("Nothing to show here.")));
      return;
    }
    plot = new uPlot(options(element, current, data, width, read), data, holder);
  };
  /** @param {KeyboardEvent} event */
  function moved(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !plot) return;
    event.preventDefault();
    const n = Math.min(plot.data[0].length - 1, Math.max(0, (plot.cursor.idx ?? (by > 0 ? -1 : plot.data[0].length)) + by));
    const y = plot.data.slice(1).find((/** @type {any[]} */ s) => s[n] !== null && s[n] !== undefined);
    plot.setCursor({ left: plot.valToPos(plot.data[0][n], "x"), top: y ? plot.valToPos(y[n], "y") : 0 });
  }
  const stop = onWidth(element, (w) => {
    width = w;
    show();
  });
  return {
    update(next) {
      const same = plot && next !== current && shapeOf(next) === shapeOf(current);
      current = next;
      if (same) plot.setData(aligned(next)); // a live figure: new points, the rest stays
      else show();
    },
    destroy() {
      stop();
      plot?.destroy();
      element.replaceChildren();
    },
  };
}

/**
 * What has to be equal for two figures to differ in their points only.
 * @param {Curves} figure
 */
function shapeOf(figure) {
  const series = figure.series.map((s) => [s.name, s.dashed, s.dots, s.faint, Boolean(s.band?.length)]);
  return JSON.stringify([series, figure.x_label, figure.y_label, figure.log_x, figure.log_y, figure.marks]);
}

/**
 * uPlot's data: one x for all, then each series, and low and high of each band.
 * @param {Curves} figure
 * @returns {any[]}
 */
function aligned(figure) {
  /** @type {any[][][]} */
  const tables = [];
  const positive = (/** @type {any} */ y, /** @type {boolean | undefined} */ log) =>
    listed(y).map((v) => (log && v !== null && v <= 0 ? null : v));
  for (const series of figure.series) {
    const x = positive(series.x ?? figure.x ?? [], figure.log_x);
    const columns = [series.y, ...(series.band ?? [])].map((y) => positive(y, figure.log_y));
    const kept = x.map((v, n) => n).filter((n) => x[n] !== null && n < columns[0].length);
    kept.sort((a, b) => /** @type {number} */ (x[a]) - /** @type {number} */ (x[b]));
    tables.push([x, ...columns].map((column) => kept.map((n) => column[n] ?? null)));
  }
  if (!tables.length) return [[]];
  const joined = tables.every((t) => sameNumbers(t[0], tables[0][0])) && distinct(tables[0][0]);
  if (joined) return [tables[0][0], ...tables.flatMap((t) => t.slice(1))];
  return uPlot.join(tables.map(stepped), tables.map((t) => t.map(() => 2)));
}

/** @param {any[]} x */
function distinct(x) {
  return x.every((v, n) => n === 0 || v !== x[n - 1]);
}

/**
 * uPlot joins by x: equal ones, as in the steps of a ROC curve, are moved apart by next to nothing.
 * @param {any[][]} table
 */
function stepped(table) {
  const x = table[0];
  if (distinct(x)) return table;
  const [low, high] = extent(x);
  const least = (high - low || 1) * 1e-9;
  const apart = x.slice();
  for (let n = 1; n < apart.length; n++) if (apart[n] <= apart[n - 1]) apart[n] = apart[n - 1] + least;
  return [apart, ...table.slice(1)];
}

/** @param {any[]} one @param {any[]} other */
function sameNumbers(one, other) {
  return one === other || (one.length === other.length && one.every((v, n) => v === other[n]));
}

/** @param {HTMLElement} element @param {Curves} figure */
function legend(element, figure) {
  return figure.series.map((series, n) => {
    const sample = canvas(22, 10, (c) => {
      c.strokeStyle = seriesColour(element, n, series.faint);
      c.lineWidth = series.dots ? 1 : 2;
      c.setLineDash(series.dashed ? [5, 3] : []);
      c.beginPath();
      if (series.dots) c.arc(11, 5, POINT / 2, 0, 2 * Math.PI);
      else {
        c.moveTo(0, 5);
        c.lineTo(22, 5);
      }
      c.stroke();
    }, { "aria-hidden": "true" });
    return h("span", { class: "legend-item" }, sample, said(series.name));
  });
}

/** @param {Curves} figure */
function curveSummary(figure) {
  const parts = figure.series.map((series) => {
    const y = tensor(series.y);
    return `${said(series.name)}: ${word("from {0} to {1}", numeral(y[0]), numeral(y[y.length - 1]))}`;
  });
  return `${said(figure.title)} — ${said(figure.y_label)} / ${said(figure.x_label)}. ${parts.join("; ")}`;
}

/** @param {HTMLElement} element @param {Curves} figure @param {any[]} data @param {number} width @param {(plot: any) => void} read */
function options(element, figure, data, width, read) {
  const muted = colour(element, "muted");
  const grid = { stroke: colour(element, "line"), width: 1 };
  const values = (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map((v) => (v === null ? "" : numeral(v)));
  const axis = { stroke: muted, grid, ticks: { ...grid, size: 4 }, font: font(12), labelFont: font(12), labelSize: 22, values };
  /** @type {any[]} */
  const series = [{ label: said(figure.x_label) || "x" }];
  /** @type {any[]} */
  const bands = [];
  figure.series.forEach((one, n) => {
    const stroke = seriesColour(element, n, one.faint);
    const few = data[0].length < 2 || listed(one.y).filter((v) => v !== null).length < 2;
    series.push({ label: said(one.name), stroke, width: one.dots ? 0 : 2, dash: one.dashed ? [6, 4] : undefined, spanGaps: true, points: { show: few || one.dots, size: POINT }, named: true });
    if (one.band?.length) {
      const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
      series.push({ ...edge, label: "low" }, { ...edge, label: "high" });
      bands.push({ series: [series.length - 1, series.length - 2], fill: faded(stroke, 0.18) });
    }
  });
  const height = Math.round(Math.min(320, Math.max(200, width * 0.55)));
  return {
    width,
    height,
    padding: [10, 18, 0, 0],
    series,
    bands,
    scales: { x: scale(figure.log_x, data.slice(0, 1)), y: scale(figure.log_y, data.slice(1)) },
    axes: [
      { ...axis, label: fitted(said(figure.x_label), width - 80, 12), size: 30, space: 55 },
      { ...axis, label: fitted(said(figure.y_label), height - 70, 12), size: room, space: 34 },
    ],
    cursor: { points: { size: 7 }, drag: { x: true, y: false }, y: false },
    legend: { show: false },
    hooks: { drawAxes: [(/** @type {any} */ u) => curveMarks(u, figure, muted)], setCursor: [read] },
  };
}

/**
 * The width of an axis whose numbers are these texts.
 * @param {any} _
 * @param {string[] | null} texts
 */
function room(_, texts) {
  return 18 + 7 * Math.max(2, ...(texts ?? []).map((text) => text.length));
}

/** @param {boolean | undefined} log @param {any[][]} columns */
function scale(log, columns) {
  if (!log) return { time: false };
  const found = columns.flat().some((v) => v > 0);
  return found ? { time: false, distr: 3, log: 10 } : { time: false };
}

/**
 * Vertical lines with a word, such as where training stopped.
 * @param {any} plot
 * @param {Curves} figure
 * @param {string} ink
 */
function curveMarks(plot, figure, ink) {
  const ratio = devicePixelRatio || 1;
  const { ctx, bbox } = plot;
  for (const mark of figure.marks ?? []) {
    const x = Math.round(plot.valToPos(mark.x, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = ink;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = font(Math.round(11 * ratio));
    ctx.textBaseline = "top";
    const right = x > bbox.left + bbox.width * 0.6;
    ctx.textAlign = right ? "right" : "left";
    ctx.fillText(said(mark.text), x + (right ? -4 : 4) * ratio, bbox.top + 2 * ratio);
    ctx.restore();
  }
}
