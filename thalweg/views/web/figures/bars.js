// Bars with names of any length.
import { extent, tensor } from "../decode.js";
import { h, redrawn } from "../dom.js";
import { numeral } from "../format.js";
import { said, word } from "../words.js";

/**
 * @param {HTMLElement} element
 * @param {Bars} figure
 * @returns {Drawn}
 */
export function drawBars(element, figure) {
  return redrawn(element, figure, (/** @type {Bars} */ f) => {
    const values = tensor(f.values);
    if (!values.length) return h("p", { class: "empty" }, word("Nothing to show here."));
    const [low, high] = [f.low ? tensor(f.low) : null, f.high ? tensor(f.high) : null];
    const [least, most] = extent([0], values, low ?? [], high ?? []);
    const at = (/** @type {number} */ v) => (100 * (v - least)) / (most - least || 1);
    const lines = f.labels.map((label, n) => {
      const [from, to] = [Math.min(0, values[n]), Math.max(0, values[n])];
      const bar = { left: `${at(from)}%`, width: `${Math.max(0.3, at(to) - at(from))}%` };
      const known = low && high && Number.isFinite(low[n]) && Number.isFinite(high[n]);
      const whisker = known ? h("i", { class: "whisker", style: { left: `${at(low[n])}%`, width: `${at(high[n]) - at(low[n])}%` } }) : null;
      const range = known ? ` (${numeral(low[n], 3)} … ${numeral(high[n], 3)})` : "";
      return h(
        "li",
        { "aria-label": `${said(label)}: ${numeral(values[n])}${range}`, title: `${said(label)}: ${numeral(values[n])}${range}` },
        h("span", { class: "bar-label" }, said(label)),
        h("span", { class: "bar-place" }, h("i", { class: "bar-zero", style: { left: `${at(0)}%` } }), h("i", { class: values[n] < 0 ? "bar bar-negative" : "bar", style: bar }), whisker),
        h("span", { class: "bar-value mono" }, numeral(values[n], 3)),
      );
    });
    return [h("ul", { class: "bars", "aria-label": said(f.title) }, lines), h("p", { class: "axis-label" }, said(f.value_label))];
  });
}
