// The loss over a plane: shading, contour lines, the path of descent, and other solutions.
import { colour, terrain } from "../colours.js";
import { extent, tensor } from "../decode.js";
import { onWidth, svg } from "../dom.js";
import { numeral } from "../format.js";
import { wide } from "../measure.js";
import { colourBar, nodes, paintGrid, plotted, probe } from "../plot.js";
import { said, word } from "../words.js";

const LEVELS = 11; // contour lines
const FINER = 4; // colours between two nodes of the grid

/** @param {HTMLElement} element @param {Landscape} figure @returns {Drawn} */
export function drawLandscape(element, figure) {
  let current = figure;
  let width = 0;
  /** @type {import("../plot.js").Plot} */
  let plot;
  const over = svg("g"); // what moves on a live page
  const cover = () => over.replaceChildren(...covered(plot, current));
  const show = () => {
    const f = current;
    width = element.clientWidth || width;
    const [a, b, loss] = [tensor(f.a), tensor(f.b), tensor(f.loss)];
    const field = heights(loss, a.length, b.length, Boolean(f.log));
    const scale = terrain(element);
    plot = plotted(element, {
      width,
      height: Math.round(Math.min(460, Math.max(260, width * 0.8))),
      x: [a[0], a[a.length - 1]],
      y: [b[0], b[b.length - 1]],
      xLabel: said(f.a_label),
      yLabel: said(f.b_label),
      grid: false,
      summary: landscapeSummary(f, loss),
      paint: (context, w, h) => {
        shade(context, w, h, field, scale);
        contours(context, w, h, field, colour(element, "contour"));
      },
    });
    plot.marks.append(over);
    cover();
    const line = probe(plot, nodes(plot, a.length, b.length, (i, j) =>
      `${said(f.a_label)} ${numeral(a[i], 3)} · ${said(f.b_label)} ${numeral(b[j], 3)} · ${word("loss")} ${numeral(loss[i * b.length + j])}`,
    ));
    const high = `${field.cut ? "≥ " : ""}${numeral(field.real(1), 3)}`;
    element.replaceChildren(plot.node, colourBar(scale, numeral(field.real(0), 3), high, word("loss")), line);
  };
  const stop = onWidth(element, (w) => {
    width = w;
    show();
  });
  return {
    update(next) {
      const moved = next !== current && next.loss === current.loss; // only the path and the ball
      current = next;
      if (moved) cover();
      else show();
    },
    destroy() {
      stop();
      element.replaceChildren();
    },
  };
}

/**
 * @typedef {object} Field
 * @property {number} columns
 * @property {number} rows
 * @property {(column: number, row: number) => number} share the height at any place between the nodes, 0 … 1
 * @property {(share: number) => number} real the loss of a share
 * @property {boolean} cut whether heights beyond 1 are shown as 1
 */

/**
 * Losses as shares of what is shown. Without a logarithm, the steepest 3 % are cut off: they would hide the valley.
 * @param {Tensor} loss
 * @param {number} columns
 * @param {number} rows
 * @param {boolean} log
 * @returns {Field}
 */
function heights(loss, columns, rows, log) {
  const finite = Array.from(loss).filter((v) => Number.isFinite(v) && (!log || v > 0)).sort((p, q) => p - q);
  const to = (/** @type {number} */ v) => (log ? Math.log10(v) : v);
  const low = to(finite[0] ?? 1);
  const most = finite[finite.length - 1] ?? 1;
  const kept = log ? most : finite[Math.floor(0.97 * (finite.length - 1))] ?? 1;
  const high = to(kept);
  const at = (/** @type {number} */ i, /** @type {number} */ j) => (to(loss[i * rows + j]) - low) / (high - low || 1);
  const share = (/** @type {number} */ column, /** @type {number} */ row) => {
    const i = Math.min(Math.max(0, columns - 2), Math.floor(column));
    const j = Math.min(Math.max(0, rows - 2), Math.floor(row));
    const [p, q] = [column - i, row - j];
    const [i1, j1] = [Math.min(columns - 1, i + 1), Math.min(rows - 1, j + 1)];
    return (1 - p) * ((1 - q) * at(i, j) + q * at(i, j1)) + p * ((1 - q) * at(i1, j) + q * at(i1, j1));
  };
  const real = (/** @type {number} */ s) => (log ? 10 ** (low + s * (high - low)) : low + s * (high - low));
  return { columns, rows, share, real, cut: kept < most };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {Field} field
 * @param {(share: number) => [number, number, number]} scale
 */
function shade(context, width, height, field, scale) {
  const columns = (field.columns - 1) * FINER + 1;
  const rows = (field.rows - 1) * FINER + 1;
  paintGrid(context, width, height, columns, rows, (column, row) => {
    const share = field.share(column / FINER, row / FINER);
    return Number.isNaN(share) ? null : scale(share);
  });
}

/**
 * Lines of equal loss: within each triangle of the grid the loss is taken as a plane, so a line is straight there.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {Field} field
 * @param {string} ink
 */
function contours(context, width, height, field, ink) {
  const { columns, rows } = field;
  context.strokeStyle = ink;
  context.globalAlpha = 0.42;
  context.lineWidth = 0.8;
  context.beginPath();
  const fine = 2; // triangles on half the grid's distance make rounder lines
  const x = (/** @type {number} */ i) => (i / (columns - 1) / fine) * width;
  const y = (/** @type {number} */ j) => height - (j / (rows - 1) / fine) * height;
  const value = (/** @type {number} */ i, /** @type {number} */ j) => field.share(i / fine, j / fine);
  for (let i = 0; i < (columns - 1) * fine; i++) {
    for (let j = 0; j < (rows - 1) * fine; j++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]].map(([p, q]) => [x(p), y(q), value(p, q)]);
      for (const triangle of [[0, 1, 2], [0, 2, 3]]) crossings(context, triangle.map((n) => corners[n]));
    }
  }
  context.stroke();
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} triangle x, y, height of each corner */
function crossings(context, triangle) {
  const values = triangle.map((corner) => corner[2]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  for (let n = Math.max(1, Math.ceil(low * LEVELS)); n < LEVELS && n <= high * LEVELS; n++) {
    const level = n / LEVELS;
    const ends = [];
    for (let k = 0; k < 3; k++) {
      const [p, q] = [triangle[k], triangle[(k + 1) % 3]];
      if (p[2] < level === q[2] < level) continue;
      const f = (level - p[2]) / (q[2] - p[2]);
      ends.push([p[0] + f * (q[0] - p[0]), p[1] + f * (q[1] - p[1])]);
    }
    if (ends.length < 2) continue;
    context.moveTo(ends[0][0], ends[0][1]);
    context.lineTo(ends[1][0], ends[1][1]);
  }
}

/**
 * The path, other solutions, the ball, and the names of places; names that would cover others stand elsewhere, or not.
 * @param {import("../plot.js").Plot} plot
 * @param {Landscape} f
 */
function covered(plot, f) {
  const path = f.path ? tensor(f.path) : [];
  const places = Array.from({ length: path.length / 2 }, (_, n) => [plot.x(path[2 * n]), plot.y(path[2 * n + 1])]).filter((place) => place.every(Number.isFinite));
  /** @type {[number, number, string][]} */
  const names = [];
  const marks = [];
  for (const point of f.points ?? []) {
    const [x, y] = [plot.x(point.a), plot.y(point.b)];
    if (!Number.isFinite(x + y)) continue;
    const loss = point.loss === undefined || point.loss === null ? "" : ` · ${numeral(point.loss, 3)}`;
    marks.push(svg("path", { class: "solution", d: `M${x} ${y - 6}l6 6l-6 6l-6 -6z` }));
    names.push([x, y, said(point.name) + loss]);
  }
  if (places.length) {
    const d = places.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const [first, last] = [places[0], places[places.length - 1]];
    marks.unshift(
      svg("path", { class: "route-halo", d }),
      svg("path", { class: "route", d }),
      ...(places.length <= 80 ? places.map(([cx, cy]) => svg("circle", { class: "route-step", cx, cy, r: 1.8 })) : []),
      svg("circle", { class: "route-start", cx: first[0], cy: first[1], r: 5 }),
      f.ball ? "" : svg("circle", { class: "route-end", cx: last[0], cy: last[1], r: 5.5 }),
    );
    names.push([first[0], first[1], word("start")]);
    if (!f.ball) names.push([last[0], last[1], word("end")]);
  }
  const ball = f.ball && Number.isFinite(f.ball[0] + f.ball[1]) ? [[plot.x(f.ball[0]), plot.y(f.ball[1])]] : [];
  marks.push(...ball.map(([cx, cy]) => svg("circle", { class: "ball", cx, cy, r: 7 })));
  const way = places.filter((_, n) => n % Math.ceil(places.length / 20) === 0);
  return [...marks, ...named(plot, names, [...ball.map(([x, y]) => [x - 9, y - 9, x + 9, y + 9]), ...way.map(([x, y]) => [x - 2, y - 2, x + 2, y + 2])])];
}

/**
 * @param {import("../plot.js").Plot} plot
 * @param {[number, number, string][]} names
 * @param {number[][]} kept left, top, right and bottom of what no name may cover
 */
function named(plot, names, kept) {
  const taken = [...kept, ...names.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6])];
  return names.flatMap(([x, y, text]) => {
    const width = wide(text, 12) * 1.05;
    for (const [left, base] of [[x + 10, y - 6], [x - 10 - width, y - 6], [x + 10, y + 16], [x - 10 - width, y + 16], [x - width / 2, y - 14], [x - width / 2, y + 24]]) {
      const box = [left, base - 11, left + width, base + 3];
      if (box[0] < 0 || box[1] < 0 || box[2] > plot.width || box[3] > plot.height) continue;
      if (taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
      taken.push(box);
      return svg("text", { class: "map-note", x: left, y: base }, text);
    }
    return [];
  });
}

/** @param {Landscape} f @param {Tensor} loss */
function landscapeSummary(f, loss) {
  const [low, high] = extent(loss);
  const path = f.path_loss ? tensor(f.path_loss) : null;
  const walked = path?.length ? ` ${word("path of descent")}: ${word("from {0} to {1}", numeral(path[0]), numeral(path[path.length - 1]))}.` : "";
  return `${said(f.title)}: ${word("loss")} ${word("from {0} to {1}", numeral(low), numeral(high))}.${walked}`;
}
