// Units and the weights between them: blue for positive, orange and dashed for negative, as thick as they are large.
import { colour, css, diverging } from "../colours.js";
import { tensor } from "../decode.js";
import { h, onWidth } from "../dom.js";
import { numeral } from "../format.js";
import { apart, fitted, font, wide } from "../measure.js";
import { said, word } from "../words.js";
import { dots } from "../plot.js";

const MOST_UNITS = 24; // in a column; further ones are folded
const NAMED = 34; // pixels beside a map: short names are whole on a telephone, too
const APART = 1.7; // how far columns stand from each other at least where names are long, in sizes of a unit
const BESIDE = 9; // pixels between a unit and its name, with those at the edge
const DASHES = [7, 4]; // of negative weights, so that grey paper and every eye tell them apart
const BUCKETS = 7; // widths of lines; those of a width are one path

/**
 * A canvas, so that a live page can draw it anew for each frame. With maps, columns stand evenly where names are short: that of layer i has
 * its middle at (i + ½)·width / layers; the outer ones leave more room for long names, how much more than the others is said by --first and
 * --last of what is around. Click or Enter selects a unit: `{do: "select", layer, unit}`, layers counted behind the inputs.
 * @param {HTMLElement} element
 * @param {Network} figure
 * @param {Model} model
 * @returns {Drawn}
 */
export function drawNetwork(element, figure, model) {
  let current = figure;
  let width = 0;
  /** @type {Layout} */
  let layout;
  let at = { layer: 0, unit: 0 };
  const picture = h("canvas", { class: "network", tabindex: 0, role: "img", onpointermove: pointed, onclick: clicked, onkeydown: moved });
  const readout = h("p", { class: "readout", "aria-live": "polite" });
  const key = h("div", {});
  const ratio = () => Math.min(3, Math.max(1, devicePixelRatio || 1));

  const arrange = () => {
    width = element.clientWidth || width;
    layout = arranged(current, width);
    picture.width = Math.round(width * ratio());
    picture.height = Math.round(layout.height * ratio());
    picture.style.width = `${width}px`;
    picture.style.height = `${layout.height}px`;
    layout.ends.forEach((share, n) => element.parentElement?.style.setProperty(["--first", "--last"][n], String(share)));
    picture.setAttribute("aria-label", networkSummary(current));
    picture.setAttribute("aria-description", word("Point at the figure, or focus it and use the arrow keys, to read its values."));
    readout.textContent = "";
    key.replaceChildren(dots(element, [
      { name: `${word("weight")} > 0`, colour: colour(element, "positive"), mark: "line" },
      { name: `${word("weight")} < 0`, colour: colour(element, "negative"), mark: "dashed" },
    ]));
  };
  const paint = () => {
    const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
    context.setTransform(ratio(), 0, 0, ratio(), 0, 0);
    context.clearRect(0, 0, width, layout.height);
    const look = { panel: colour(element, "panel"), ink: colour(element, "ink"), muted: colour(element, "muted"), positive: colour(element, "positive"), negative: colour(element, "negative"), accent: colour(element, "accent"), scale: diverging(element) };
    paintWeights(context, current, layout, look);
    paintUnits(context, current, layout, look);
    paintWords(context, current, layout, look, width);
  };
  /** @param {PointerEvent} event */
  function pointed(event) {
    const found = unitAt(layout, event.offsetX, event.offsetY);
    picture.style.cursor = found && model.live && found.layer ? "pointer" : "default";
    if (!found) return;
    at = found;
    readout.textContent = described(current, at);
  }
  /** @param {PointerEvent} event */
  function clicked(event) {
    pointed(event);
    if (unitAt(layout, event.offsetX, event.offsetY)) select();
  }
  /** @param {KeyboardEvent} event */
  function moved(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" || event.key === " ") select();
    if (!by && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (by) {
      const layer = Math.min(current.layers.length - 1, Math.max(0, at.layer + by[0]));
      at = { layer, unit: Math.min(current.layers[layer].units - 1, Math.max(0, at.unit + by[1])) };
    }
    readout.textContent = described(current, at);
  }
  const select = () => {
    if (at.layer) model.send({ do: "select", layer: at.layer - 1, unit: at.unit });
  };

  element.replaceChildren(key, picture, readout);
  const stop = onWidth(element, (w) => {
    width = w;
    arrange();
    paint();
  });
  let words = "";
  return {
    update(next) {
      const anew = next === current; // other words or colours
      current = next;
      const shape = JSON.stringify([next.layers, next.input_names, next.output_names, Boolean(next.units)]);
      if (anew || shape !== words) arrange(); // a live network changes its numbers, seldom its layers
      words = shape;
      paint();
    },
    destroy() {
      stop();
      element.replaceChildren();
    },
  };
}

/**
 * @typedef {{ units: { unit: number, y: number }[], names: string[], x: number, folded: number, foldedAt: number }} Column
 * @typedef {{ columns: Column[], height: number, size: number, gap: number, ends: number[], top: number, bottom: number }} Layout
 * @typedef {{ panel: string, ink: string, muted: string, positive: string, negative: string, accent: string, scale: (share: number) => [number, number, number] }} Look
 */

/**
 * Where every unit stands. Of a long layer the first units and the last one are shown.
 * @param {Network} figure
 * @param {number} width
 * @returns {Layout}
 */
function arranged(figure, width) {
  const shown = figure.layers.map((layer) => Math.min(MOST_UNITS, layer.units));
  const most = Math.max(...shown);
  const space = figure.units ? Math.min(figure.space ?? 46, Math.max(20, 420 / most)) : Math.min(34, Math.max(15, 340 / most));
  const height = Math.max(most, 3) * space + 60;
  const layers = figure.layers.length;
  const even = width / layers / 2;
  const size = figure.units ? space * 0.84 : Math.min(18, space * 0.72);
  const least = layers < 2 ? even : Math.max(even, figure.units ? size / 2 + NAMED : Math.min(110, width * 0.22));
  const columns = figure.layers.map((layer, i) => {
    const count = shown[i];
    const first = (height - 44 - count * space) / 2 + space / 2 + 4;
    const folded = layer.units - count;
    const units = [];
    for (let k = 0; k < count; k++) {
      if (folded && k === count - 2) continue; // the place of the dots
      units.push({ unit: folded && k === count - 1 ? layer.units - 1 : k, y: first + k * space });
    }
    const all = i === 0 ? figure.input_names : i === layers - 1 ? figure.output_names : undefined;
    return { units, names: all ? units.map(({ unit }) => said(all[unit])) : [], x: even, folded: folded ? folded + 1 : 0, foldedAt: first + (count - 2) * space };
  });
  const gap = size / 2 + BESIDE;
  const end = (/** @type {Column} */ { names }, /** @type {number} */ share, /** @type {number} */ other) =>
    Math.max(least, Math.min(share * width, width - other - (layers - 1) * APART * size, gap + Math.max(0, ...names.map((name) => wide(name, 12)))));
  const right = end(columns[layers - 1], 0.2, least);
  const left = end(columns[0], 0.3, right);
  const step = (width - left - right) / Math.max(1, layers - 1);
  columns.forEach((column, i) => {
    if (layers > 1) column.x = left + i * step;
    column.names = apart(column.names, (i ? width - column.x : column.x) - gap, 12);
  });
  return { columns, height, size, gap, ends: [left, right].map((margin) => margin / step + 0.5), top: 4, bottom: height - 40 };
}

/**
 * The weights between two layers as a matrix; kernels of convolutions by their mean over places.
 * @param {Numbers | null | undefined} weights
 * @returns {{ at(input: number, output: number): number, size: number } | null}
 */
function matrixOf(weights) {
  if (!weights) return null;
  const values = tensor(weights);
  const shape = values.shape;
  if (shape.length < 2) return null;
  const [inputs, outputs] = shape.slice(-2);
  const places = values.length / inputs / outputs;
  return {
    size: inputs * outputs,
    at(input, output) {
      let sum = 0;
      for (let p = 0; p < places; p++) sum += values[(p * inputs + input) * outputs + output];
      return sum / places;
    },
  };
}

/** @param {CanvasRenderingContext2D} context @param {Network} figure @param {Layout} layout @param {Look} look */
function paintWeights(context, figure, layout, look) {
  /** @type {{ from: Column, to: Column, lines: number[][] }[]} */
  const found = [];
  let most = 1e-12;
  figure.weights.forEach((weights, i) => {
    const matrix = matrixOf(weights);
    const [from, to] = [layout.columns[i], layout.columns[i + 1]];
    if (!from || !to) return;
    const lines = [];
    for (const p of matrix ? from.units : []) {
      for (const q of to.units) {
        const value = matrix?.at(p.unit, q.unit) ?? NaN;
        if (!Number.isFinite(value)) continue;
        most = Math.max(most, Math.abs(value));
        lines.push([p.y, q.y, value]);
      }
    }
    found.push({ from, to, lines });
  });
  for (const sign of [-1, 1]) {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const share = (bucket + 0.5) / BUCKETS;
      context.beginPath();
      for (const { from, to, lines } of found) {
        const [x0, x1] = [from.x + layout.size / 2, to.x - layout.size / 2];
        for (const [y0, y1, value] of lines) {
          if (Math.sign(value) !== sign || Math.min(BUCKETS - 1, Math.floor((Math.abs(value) / most) * BUCKETS)) !== bucket) continue;
          const bend = (x1 - x0) * 0.45;
          context.moveTo(x0, y0);
          context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
        }
      }
      context.strokeStyle = sign > 0 ? look.positive : look.negative;
      context.globalAlpha = 0.14 + 0.72 * share;
      context.lineWidth = 0.5 + 4.5 * share;
      context.setLineDash(sign > 0 ? [] : DASHES);
      context.stroke();
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

/**
 * A unit is its map, where there is one; else a disc in the colour of its bias.
 * @param {CanvasRenderingContext2D} context
 * @param {Network} figure
 * @param {Layout} layout
 * @param {Look} look
 */
function paintUnits(context, figure, layout, look) {
  const size = layout.size;
  const bytes = new Uint8ClampedArray(Array.from({ length: 256 }, (_, n) => [...look.scale(n / 255), 255]).flat());
  const table = new Uint32Array(bytes.buffer);
  layout.columns.forEach((column, i) => {
    const maps = figure.units?.[i] ? tensor(figure.units[i]) : null;
    const biases = i && figure.biases?.[i - 1] ? tensor(figure.biases[i - 1]) : null;
    const most = biases ? Math.max(...Array.from(biases, Math.abs), 1e-12) : 1;
    const shown = column.units.map(({ unit }) => unit).filter((unit) => maps && unit < maps.shape[0]);
    const pictures = maps && mapPictures(maps, shown, table);
    for (const { unit, y } of column.units) {
      const chosen = figure.selected && figure.selected.layer === i - 1 && figure.selected.unit === unit;
      if (maps && pictures && shown.includes(unit)) {
        const [, height, width] = maps.shape;
        context.drawImage(pictures, 0, shown.indexOf(unit) * height, width, height, column.x - size / 2, y - size / 2, size, size);
      }
      context.beginPath();
      if (maps) context.roundRect(column.x - size / 2, y - size / 2, size, size, 3);
      else context.arc(column.x, y, size / 2, 0, 2 * Math.PI);
      if (!maps) {
        context.fillStyle = biases ? css(look.scale(0.5 + biases[unit] / most / 2.6)) : look.panel;
        context.fill();
      }
      context.strokeStyle = chosen ? look.accent : look.muted;
      context.lineWidth = chosen ? 3 : 1;
      context.stroke();
    }
  });
}

/** @type {HTMLCanvasElement | null} */
let scratch = null; // one small canvas for all maps: what is drawn from it is copied at once

/**
 * The maps of a column's units, one below the other: a canvas is written once for each column, not for each unit.
 * @param {Tensor} maps (units, height, width)
 * @param {number[]} units
 * @param {Uint32Array} table colours, as the bytes of a pixel
 */
function mapPictures(maps, units, table) {
  const [, height, width] = maps.shape;
  const size = height * width;
  const image = new ImageData(width, height * units.length);
  const pixels = new Uint32Array(image.data.buffer);
  units.forEach((unit, n) => {
    const values = maps.subarray(unit * size, (unit + 1) * size);
    let most = 1e-12;
    for (let p = 0; p < size; p++) if (Math.abs(values[p]) > most) most = Math.abs(values[p]);
    for (let row = 0; row < height; row++) {
      const start = n * size + (height - 1 - row) * width; // row 0 is at the bottom, as on the surface
      for (let column = 0; column < width; column++) {
        pixels[start + column] = table[Math.round(127.5 + (127.5 * values[row * width + column]) / most) || 0];
      }
    }
  });
  scratch ??= document.createElement("canvas");
  [scratch.width, scratch.height] = [width, image.height];
  scratch.getContext("2d")?.putImageData(image, 0, 0);
  return scratch;
}

/** @param {CanvasRenderingContext2D} context @param {Network} figure @param {Layout} layout @param {Look} look @param {number} width */
function paintWords(context, figure, layout, look, width) {
  context.textBaseline = "middle";
  layout.columns.forEach((column, i) => {
    const layer = figure.layers[i];
    const room = width / figure.layers.length;
    context.font = font(12);
    context.fillStyle = look.ink;
    context.textAlign = i === 0 ? "right" : "left";
    column.names.forEach((name, n) => context.fillText(name, column.x + (i === 0 ? -layout.gap : layout.gap), column.units[n].y));
    context.textAlign = "center";
    context.fillStyle = look.muted;
    if (column.folded) context.fillText(`⋮ ${column.folded}`, column.x, column.foldedAt);
    context.fillText(fitted(layer.name, room - 6, 12), column.x, layout.bottom + 14);
    const what = [String(layer.units), layer.activation].filter(Boolean).join(" · ");
    context.font = font(11);
    context.fillText(fitted(what, room - 6, 12), column.x, layout.bottom + 30);
  });
}

/** @param {Layout} layout @param {number} x @param {number} y */
function unitAt(layout, x, y) {
  const reach = layout.size / 2 + 4;
  for (const [layer, column] of layout.columns.entries()) {
    if (Math.abs(column.x - x) > reach) continue;
    const found = column.units.find((unit) => Math.abs(unit.y - y) <= reach);
    if (found) return { layer, unit: found.unit };
  }
  return null;
}

/**
 * A unit in words: its name, bias, and the weights that arrive.
 * @param {Network} figure
 * @param {{ layer: number, unit: number }} at
 */
function described(figure, { layer, unit }) {
  const name = (/** @type {number} */ i, /** @type {number} */ k) => {
    const names = i === 0 ? figure.input_names : i === figure.layers.length - 1 ? figure.output_names : undefined;
    return names?.[k] === undefined ? `${figure.layers[i].name}[${k}]` : said(names[k]);
  };
  const parts = [name(layer, unit)];
  const biases = layer && figure.biases?.[layer - 1] ? tensor(figure.biases[layer - 1]) : null;
  if (biases) parts.push(`${word("bias")} ${numeral(biases[unit], 3)}`);
  const matrix = layer ? matrixOf(figure.weights[layer - 1]) : null;
  if (matrix) {
    const inputs = Array.from({ length: figure.layers[layer - 1].units }, (_, k) => ({ k, value: matrix.at(k, unit) }));
    inputs.sort((p, q) => Math.abs(q.value) - Math.abs(p.value));
    const shown = inputs.slice(0, 5).map(({ k, value }) => `${name(layer - 1, k)} ${numeral(value, 3)}`);
    parts.push(`${word("Weights")}: ${shown.join(", ")}${inputs.length > 5 ? ", …" : ""}`);
  }
  return parts.join(" · ");
}

/** @param {Network} figure */
function networkSummary(figure) {
  const layers = figure.layers.map((layer) => [layer.name, `${layer.units} ${layer.units === 1 ? word("unit") : word("units")}`].filter(Boolean).join(", ")).join(" → ");
  return [said(figure.title), layers].filter(Boolean).join(": ");
}
