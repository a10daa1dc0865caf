// What a threshold does: a slider, the four counts, and what is made of them.
import { tensor } from "../decode.js";
import { h, redrawn, svg } from "../dom.js";
import { seriesColour } from "../colours.js";
import { numeral } from "../format.js";
import { dots, plotted } from "../plot.js";
import { said, word } from "../words.js";

/**
 * @param {HTMLElement} element
 * @param {Thresholds} figure
 * @returns {Drawn}
 */
export function drawThresholds(element, figure) {
  let chosen = -1;
  return redrawn(element, figure, (/** @type {Thresholds} */ f, width) => {
    const all = tensor(f.thresholds);
    const counts = [f.tp, f.fp, f.fn, f.tn].map(tensor);
    const rates = Array.from(all, (_, n) => measured(counts.map((c) => c[n])));
    if (chosen < 0 || chosen >= all.length) chosen = nearestTo(all, 0.5);
    const plot = plotted(element, {
      width,
      height: 190,
      x: [Math.min(...all), Math.max(...all)],
      y: [0, 1],
      xLabel: word("Threshold"),
      summary: `${said(f.title)}: ${word("Precision")}, ${word("Recall")}, F1`,
    });
    const names = [word("Precision"), word("Recall"), "F1"];
    const inks = names.map((_, k) => seriesColour(element, k));
    names.forEach((_, k) => plot.marks.append(svg("path", { class: "curve", stroke: inks[k], d: curvePath(plot, all, rates.map((r) => r[k])) })));
    const marker = svg("line", { class: "marker", y1: 0, y2: plot.height });
    plot.marks.append(marker);

    const numbers = h("div", { class: "threshold-numbers", "aria-live": "polite" });
    const output = h("output", { class: "mono" });
    const slider = h("input", { type: "range", min: 0, max: all.length - 1, step: 1, value: chosen, "aria-label": word("Threshold"), oninput: moved });
    function moved() {
      chosen = Number(slider.value);
      show();
    }
    function show() {
      const x = String(plot.x(all[chosen]) || 0);
      marker.setAttribute("x1", x);
      marker.setAttribute("x2", x);
      output.textContent = numeral(all[chosen], 3);
      slider.setAttribute("aria-valuetext", numeral(all[chosen], 3));
      numbers.replaceChildren(four(counts.map((c) => c[chosen])), shares(rates[chosen]));
    }
    show();
    return [
      h("label", { class: "threshold" }, h("span", {}, word("Threshold")), slider, output),
      numbers,
      dots(element, names.map((name, k) => ({ name, colour: inks[k] }))),
      plot.node,
    ];
  });
}

/**
 * Precision, recall, F1, accuracy.
 * @param {number[]} counts tp, fp, fn, tn
 */
function measured([tp, fp, fn, tn]) {
  const precision = tp / (tp + fp);
  const recall = tp / (tp + fn);
  return [precision, recall, (2 * tp) / (2 * tp + fp + fn), (tp + tn) / (tp + fp + fn + tn)];
}

/**
 * @param {ArrayLike<number>} values
 * @param {number} wanted
 */
function nearestTo(values, wanted) {
  let best = 0;
  for (let n = 1; n < values.length; n++) if (Math.abs(values[n] - wanted) < Math.abs(values[best] - wanted)) best = n;
  return best;
}

/**
 * @param {import("../plot.js").Plot} plot
 * @param {ArrayLike<number>} x
 * @param {number[]} y
 */
function curvePath(plot, x, y) {
  let d = "";
  let open = false;
  y.forEach((v, n) => {
    const finite = Number.isFinite(v + x[n]);
    if (finite) d += `${open ? "L" : "M"}${plot.x(x[n]).toFixed(1)} ${plot.y(v).toFixed(1)}`;
    open = finite;
  });
  return d;
}

/** @param {number[]} counts tp, fp, fn, tn */
function four([tp, fp, fn, tn]) {
  const cell = (/** @type {number} */ n, /** @type {boolean} */ right) => h("td", { class: right ? "right" : "wrong" }, numeral(n));
  return h(
    "table",
    { class: "four" },
    h("thead", {}, h("tr", {}, h("th", {}), h("th", { scope: "col" }, word("Predicted: yes")), h("th", { scope: "col" }, word("Predicted: no")))),
    h("tbody", {}, h("tr", {}, h("th", { scope: "row" }, word("Truly yes")), cell(tp, true), cell(fn, false)), h("tr", {}, h("th", { scope: "row" }, word("Truly no")), cell(fp, false), cell(tn, true))),
  );
}

/** @param {number[]} rates */
function shares([precision, recall, f1, accuracy]) {
  const one = (/** @type {string} */ name, /** @type {number} */ value) => h("div", {}, h("dt", {}, name), h("dd", { class: "mono" }, Number.isFinite(value) ? numeral(value, 3) : "–"));
  return h("dl", { class: "shares" }, one(word("Precision"), precision), one(word("Recall"), recall), one("F1", f1), one(word("Accuracy"), accuracy));
}
