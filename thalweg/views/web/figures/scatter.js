// Points, and how predicted probabilities agree with what happened.
import { colour, faded } from "../colours.js";
import { extent, tensor } from "../decode.js";
import { redrawn, svg } from "../dom.js";
import { numeral, percent } from "../format.js";
import { dots, plotted, probe } from "../plot.js";
import { classColour } from "./surface.js";
import { said, word } from "../words.js";

/**
 * @param {HTMLElement} element
 * @param {Scatter} figure
 * @returns {Drawn}
 */
export function drawScatter(element, figure) {
  return redrawn(element, figure, (/** @type {Scatter} */ f, width) => {
    const [x, y] = [tensor(f.x), tensor(f.y)];
    const classes = f.classes ? tensor(f.classes) : null;
    const names = f.class_names?.map(said) ?? (classes ? Array.from({ length: 1 + extent(classes)[1] }, (_, k) => `${word("class")} ${k}`) : []);
    const inks = names.map((_, k) => classColour(element, k, names.length));
    const ranges = f.diagonal ? [padded(extent(x, y)), padded(extent(x, y))] : [padded(extent(x)), padded(extent(y))];
    const plot = plotted(element, {
      width,
      height: f.diagonal ? Math.round(Math.min(420, Math.max(240, width * 0.85))) : undefined,
      x: ranges[0],
      y: ranges[1],
      xLabel: said(f.x_label),
      yLabel: said(f.y_label),
      summary: `${said(f.title)}: ${x.length} ${word("points")}, ${said(f.x_label)} ${word("from {0} to {1}", ...spoken(x))}, ${said(f.y_label)} ${word("from {0} to {1}", ...spoken(y))}`,
      paint: (context, w, h) => {
        const at = (/** @type {Range2} */ range, /** @type {number} */ v) => (v - range[0]) / (range[1] - range[0]);
        const radius = x.length > 800 ? 1.8 : x.length > 200 ? 2.6 : 3.4;
        const opacity = x.length > 2000 ? 0.3 : x.length > 300 ? 0.5 : 0.75;
        for (let n = 0; n < x.length; n++) {
          context.fillStyle = faded(classes ? inks[classes[n]] ?? colour(element, "muted") : colour(element, "series-0"), opacity);
          context.beginPath();
          context.arc(at(ranges[0], x[n]) * w, h - at(ranges[1], y[n]) * h, radius, 0, 2 * Math.PI);
          context.fill();
        }
      },
    });
    if (f.diagonal) plot.marks.append(diagonal(plot, ranges[0]));
    const line = probe(plot, closest(plot, x, y, (n) =>
      `${said(f.x_label)} ${numeral(x[n])} · ${said(f.y_label)} ${numeral(y[n])}${classes ? ` · ${names[classes[n]]}` : ""}`,
    ));
    return [names.length ? dots(element, names.map((name, k) => ({ name, colour: inks[k] }))) : null, plot.node, line];
  });
}

/**
 * @param {HTMLElement} element
 * @param {Calibration} figure
 * @returns {Drawn}
 */
export function drawCalibration(element, figure) {
  return redrawn(element, figure, (/** @type {Calibration} */ f, width) => {
    const [counts, observed] = [tensor(f.counts), tensor(f.observed)];
    const predicted = tensor(f.predicted);
    const kept = Array.from(predicted.keys()).filter((n) => counts[n] > 0 && Number.isFinite(observed[n] + predicted[n]));
    const [x, y] = [kept.map((n) => predicted[n]), kept.map((n) => observed[n])];
    const most = Math.max(1, ...kept.map((n) => counts[n]));
    const plot = plotted(element, {
      width,
      height: Math.round(Math.min(400, Math.max(240, width * 0.8))),
      x: [0, 1],
      y: [0, 1],
      xLabel: word("predicted probability"),
      yLabel: word("observed share"),
      summary: `${said(f.title)}: ${kept.map((n) => `${percent(predicted[n])} → ${percent(observed[n])}`).join(", ")}`,
    });
    const d = kept.map((n, k) => `${k ? "L" : "M"}${plot.x(x[k]).toFixed(1)} ${plot.y(y[k]).toFixed(1)}`).join("");
    plot.marks.append(
      diagonal(plot, [0, 1]),
      ...kept.map((n, k) => svg("rect", { class: "count-bar", x: plot.x(x[k]) - 6, width: 12, y: plot.height - (counts[n] / most) * plot.height * 0.16, height: (counts[n] / most) * plot.height * 0.16 })),
      svg("path", { class: "curve", stroke: colour(element, "series-0"), d }),
      ...kept.map((n, k) => svg("circle", { class: "curve-point", cx: plot.x(x[k]), cy: plot.y(y[k]), r: 3 + 4 * Math.sqrt(counts[n] / most) })),
    );
    const line = probe(plot, closest(plot, x, y, (k) =>
      `${word("predicted probability")} ${percent(x[k])} · ${word("observed share")} ${percent(y[k])} · ${word("count")} ${numeral(counts[kept[k]])}`,
    ));
    return [plot.node, line];
  });
}

/**
 * @param {import("../plot.js").Plot} plot
 * @param {Range2} range
 */
function diagonal(plot, range) {
  return svg("line", { class: "diagonal", x1: plot.x(range[0]), y1: plot.y(range[0]), x2: plot.x(range[1]), y2: plot.y(range[1]) });
}

/**
 * @param {Range2} range
 * @returns {Range2}
 */
function padded([low, high]) {
  const room = (high - low || Math.abs(low) || 1) * 0.04;
  return [low - room, high + room];
}

/**
 * @param {Tensor} values
 * @returns {[string, string]}
 */
function spoken(values) {
  const [low, high] = extent(values);
  return [numeral(low), numeral(high)];
}

/**
 * Reads the closest point; left and right go through the points in their order.
 * @param {import("../plot.js").Plot} plot
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} y
 * @param {(n: number) => string} say
 * @returns {import("../plot.js").Reader<number>}
 */
function closest(plot, x, y, say) {
  return {
    nearest(px, py) {
      let best = null;
      let least = 30 ** 2; // nothing that is further away
      for (let n = 0; n < x.length; n++) {
        const distance = (plot.x(x[n]) - px) ** 2 + (plot.y(y[n]) - py) ** 2;
        if (distance < least) [best, least] = [n, distance];
      }
      return best;
    },
    moved: (at, right, up) => Math.min(x.length - 1, Math.max(0, (at ?? -1) + (right || up))),
    place: (n) => [plot.x(x[n]), plot.y(y[n])],
    say,
  };
}
