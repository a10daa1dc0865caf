// What a network answers over a plane of two inputs, with the rows it learns from.
import { channels, colour, diverging, seriesColour } from "../colours.js";
import { extent, tensor } from "../decode.js";
import { onWidth } from "../dom.js";
import { numeral, percent } from "../format.js";
import { colourBar, dots, markOf, nodes, paintGrid, plotted, probe } from "../plot.js";
import { said, word } from "../words.js";

/**
 * @param {HTMLElement} element
 * @param {Surface} figure
 * @returns {Drawn}
 */
export function drawSurface(element, figure) {
  let current = figure;
  let width = 0;
  /** @type {import("../plot.js").Plot} */
  let plot;
  let look = looks(element, figure);
  /** @type {HTMLElement} */
  let key;
  const show = () => {
    const f = current;
    width = element.clientWidth || width;
    const [rows, columns] = tensor(f.values).shape;
    look = looks(element, f);
    plot = plotted(element, {
      width,
      height: Math.round(Math.min(460, Math.max(240, width * 0.8))),
      x: [f.x0[0], f.x0[1]],
      y: [f.x1[0], f.x1[1]],
      xLabel: said(f.names[0]),
      yLabel: said(f.names[1]),
      grid: false,
      summary: surfaceSummary(f, tensor(f.values)),
      paint: (context, w, h) => {
        paintGrid(context, w, h, columns, rows, (column, row) => look.cell(row * columns + column));
        border(context, w, h, columns, rows, look.best, colour(element, "ink"));
        for (const [points, labels, held] of [[current.held_points, current.held_labels, true], [current.points, current.labels, false]]) {
          if (points) rowsOfData(context, plotPlaces(tensor(points), f, w, h), labels ? tensor(labels) : null, look.point, held, colour(element, "panel"), !f.regression);
        }
      },
    });
    const at = (/** @type {Range2 | Numbers} */ range, /** @type {number} */ n, /** @type {number} */ count) =>
      numeral(range[0] + (n / (count - 1 || 1)) * (range[1] - range[0]), 3);
    const line = probe(plot, nodes(plot, columns, rows, (column, row) =>
      `${said(f.names[0])} ${at(f.x0, column, columns)} · ${said(f.names[1])} ${at(f.x1, row, rows)} · ${look.say(row * columns + column, current)}`,
    ));
    key = look.key(f);
    element.replaceChildren(key, plot.node, line);
  };
  const stop = onWidth(element, (w) => {
    width = w;
    show();
  });
  return {
    update(next) {
      const moved = next !== current && axesOf(next) === axesOf(current); // other numbers in the same place
      current = next;
      if (!moved) return show();
      look = looks(element, next);
      plot.repaint();
      if (next.regression) key.replaceWith((key = look.key(next)));
    },
    destroy() {
      stop();
      element.replaceChildren();
    },
  };
}

/**
 * @param {HTMLElement} element
 * @param {Surface} figure
 */
function looks(element, figure) {
  const values = tensor(figure.values);
  return figure.regression ? numbersLook(element, figure, values) : classesLook(element, values, values.shape[2] ?? 1);
}

/** @param {Surface} f */
function axesOf(f) {
  return JSON.stringify([f.x0[0], f.x0[1], f.x1[0], f.x1[1], f.names, tensor(f.values).shape, f.class_names, Boolean(f.regression)]);
}

/**
 * Colours and words of class probabilities: the tint of the likeliest class, stronger the surer.
 * @param {HTMLElement} element
 * @param {Tensor} values
 * @param {number} classes
 */
function classesLook(element, values, classes) {
  const count = Math.max(2, classes);
  const inks = Array.from({ length: count }, (_, k) => classColour(element, k, count));
  const tones = inks.map(channels);
  const paper = channels(colour(element, "panel"));
  const shares = (/** @type {number} */ cell) =>
    classes === 1 ? [1 - values[cell], values[cell]] : Array.from({ length: classes }, (_, k) => values[cell * classes + k]);
  return {
    cell(/** @type {number} */ cell) {
      const given = shares(cell);
      if (given.some(Number.isNaN)) return null;
      const best = given.indexOf(Math.max(...given));
      const sure = (given[best] - 1 / count) / (1 - 1 / count);
      const mix = 0.08 + 0.5 * sure;
      return /** @type {[number, number, number]} */ (paper.map((v, c) => Math.round(v + mix * (tones[best][c] - v))));
    },
    best: (/** @type {number} */ cell) => shares(cell).reduce((best, share, k, all) => (share > all[best] ? k : best), 0),
    point: (/** @type {number} */ label) => inks[Math.round(label)] ?? colour(element, "muted"),
    say(/** @type {number} */ cell, /** @type {Surface} */ f) {
      return shares(cell).map((share, k) => `${className(f, k)} ${percent(share)}`).join(", ");
    },
    key: (/** @type {Surface} */ f) => dots(element, inks.map((ink, k) => ({ name: className(f, k), colour: ink, mark: k }))),
  };
}

/**
 * Two classes are orange and blue, as negative and positive numbers are; more have the colours of series.
 * @param {HTMLElement} element
 * @param {number} k
 * @param {number} count
 */
export function classColour(element, k, count) {
  return seriesColour(element, count === 2 ? 1 - k : k);
}

/**
 * @param {Surface} f
 * @param {number} k
 */
function className(f, k) {
  return f.class_names?.[k] === undefined ? `${word("class")} ${k}` : said(f.class_names[k]);
}

/**
 * Colours and words of numbers.
 * @param {HTMLElement} element
 * @param {Surface} figure
 * @param {Tensor} values
 */
function numbersLook(element, figure, values) {
  const scale = diverging(element);
  const [low, high] = extent(values, figure.labels ? tensor(figure.labels) : []);
  const share = (/** @type {number} */ v) => (v - low) / (high - low || 1);
  const rgb = (/** @type {number} */ v) => scale(share(v));
  return {
    cell: (/** @type {number} */ cell) => (Number.isNaN(values[cell]) ? null : rgb(values[cell])),
    best: () => 0,
    point: (/** @type {number} */ v) => `rgb(${rgb(v).join(",")})`,
    say: (/** @type {number} */ cell) => `${word("value")} ${numeral(values[cell])}`,
    key: () => colourBar(scale, numeral(low, 3), numeral(high, 3)),
  };
}

/**
 * @param {Tensor} points
 * @param {Surface} f
 * @param {number} width
 * @param {number} height
 */
function plotPlaces(points, f, width, height) {
  const at = (/** @type {any} */ range, /** @type {number} */ v) => (v - range[0]) / (range[1] - range[0] || 1);
  return Array.from({ length: points.shape[0] }, (_, n) => [at(f.x0, points[2 * n]) * width, height - at(f.x1, points[2 * n + 1]) * height]);
}

/**
 * The line between the likeliest classes, which is seen without colours.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} columns
 * @param {number} rows
 * @param {(cell: number) => number} best
 * @param {string} ink
 */
function border(context, width, height, columns, rows, best, ink) {
  const classes = Array.from({ length: rows * columns }, (_, cell) => best(cell));
  const [x, y] = [(/** @type {number} */ column) => (column * width) / columns, (/** @type {number} */ row) => height - (row * height) / rows];
  context.beginPath();
  classes.forEach((one, cell) => {
    const [column, row] = [cell % columns, Math.floor(cell / columns)];
    if (column + 1 < columns && classes[cell + 1] !== one) {
      context.moveTo(x(column + 1), y(row));
      context.lineTo(x(column + 1), y(row + 1));
    }
    if (row + 1 < rows && classes[cell + columns] !== one) {
      context.moveTo(x(column), y(row + 1));
      context.lineTo(x(column + 1), y(row + 1));
    }
  });
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  context.strokeStyle = ink;
  context.stroke();
  context.globalAlpha = 1;
}

/**
 * Rows that train are filled; rows held out are rings. Each class has its mark.
 * @param {CanvasRenderingContext2D} context
 * @param {number[][]} places
 * @param {Tensor | null} labels
 * @param {(label: number) => string} ink
 * @param {any} held
 * @param {string} paper
 * @param {boolean} classes
 */
function rowsOfData(context, places, labels, ink, held, paper, classes) {
  const radius = places.length > 600 ? 2.2 : places.length > 150 ? 3 : 3.8;
  places.forEach(([x, y], n) => {
    const tone = ink(labels ? labels[n] : 0);
    const mark = new Path2D(markOf(classes && labels ? Math.round(labels[n]) : 0, x, y, radius));
    context.lineWidth = held ? 1.6 : 1;
    context.fillStyle = held ? paper : tone;
    context.strokeStyle = held ? tone : paper;
    context.fill(mark);
    context.stroke(mark);
  });
}

/**
 * @param {Surface} f
 * @param {Tensor} values
 */
function surfaceSummary(f, values) {
  const [low, high] = extent(values);
  const points = f.points ? ` ${tensor(f.points).shape[0]} ${word("points")}.` : "";
  return `${said(f.title)}: ${said(f.names[0])} × ${said(f.names[1])}, ${word("from {0} to {1}", numeral(low, 3), numeral(high, 3))}.${points}`;
}
