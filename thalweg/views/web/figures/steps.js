// One training step, instruction by instruction, with its numbers, as the tutorial writes it.
import { css, diverging, inkOn } from "../colours.js";
import { tensor } from "../decode.js";
import { h, redrawn, scroller } from "../dom.js";
import { numeral } from "../format.js";
import { said, word } from "../words.js";

const MOST_SHOWN = 8; // rows and columns of a matrix

/** @param {HTMLElement} element @param {Steps} figure @returns {Drawn} */
export function drawSteps(element, figure) {
  return redrawn(element, figure, (/** @type {Steps} */ f) => {
    const scale = diverging(element);
    const show = (/** @type {Value | undefined | null} */ value) => (value ? valueBox(value, scale) : null);
    const parts = [head(f)];
    if (f.given?.length) parts.push(part(word("The row"), [given(f.given)]));
    if (f.tutorial?.length) parts.push(part(word("As the tutorial writes it"), [tutorial(f.tutorial, scale)]));
    for (const section of [...new Set(f.steps.map((step) => step.section))]) {
      const own = f.steps.filter((step) => step.section === section);
      parts.push(part(sectionName(section), own.map((step) => card(step, show))));
    }
    if (f.weights?.length) {
      parts.push(part(word("Weights"), [...f.weights.map((change) => changed(change, show)), f.check_note ? h("p", { class: "figure-note" }, said(f.check_note)) : null]));
    }
    return parts;
  });
}

/** @param {string} title @param {(HTMLElement | null)[]} children */
function part(title, children) {
  return h("div", { class: "steps-part" }, h("h3", {}, title), children);
}

/** @param {string} section */
function sectionName(section) {
  const names = { forward: word("Forward"), backward: word("Backward"), update: word("Update") };
  return names[/** @type {keyof typeof names} */ (section)] ?? section;
}

/** @param {Steps} f */
function head(f) {
  const fact = (/** @type {string} */ name, /** @type {number} */ value) => h("div", {}, h("dt", {}, name), h("dd", { class: "mono" }, numeral(value, 5)));
  return h(
    "dl",
    { class: "shares" },
    fact(`${word("loss")} (${word("before")})`, f.loss_before),
    fact(`${word("loss")} (${word("after")})`, f.loss_after),
    fact(`${word("learning rate")}${f.optimizer ? ` (${f.optimizer})` : ""}`, f.learning_rate),
    fact(word("rows"), f.rows),
  );
}

/** @param {{ name: Words, text: Words }[]} cells */
function given(cells) {
  return scroller({}, h("table", { class: "given" }, h("tbody", {}, cells.map(({ name, text }) => h("tr", {}, h("th", { scope: "row" }, said(name)), h("td", { class: "mono" }, said(text)))))));
}

/** @param {NonNullable<Steps["tutorial"]>} lines @param {(share: number) => [number, number, number]} scale */
function tutorial(lines, scale) {
  return h("div", { class: "lines" }, lines.map(({ name, code, meaning, values, shape }) =>
    h("div", { class: "line" }, h("div", {}, h("code", {}, code), h("span", { class: "meaning" }, said(meaning))), valueBox({ name, values, shape }, scale)),
  ));
}

/** @param {Step} step @param {(value: Value) => HTMLElement | null} show */
function card(step, show) {
  return h(
    "div",
    { class: "step" },
    h("p", { class: "step-head" }, h("span", { class: "step-number" }, String(step.number)), h("span", { class: "step-title" }, step.title), h("code", {}, step.formula)),
    h("div", { class: "step-values" }, (step.outputs ?? []).map(show)),
    step.inputs?.length ? h("details", {}, h("summary", {}, word("computed from")), h("div", { class: "step-values" }, step.inputs.map(show))) : null,
  );
}

/** @param {WeightChange} change @param {(value: Value | undefined | null) => HTMLElement | null} show */
function changed(change, show) {
  const named = (/** @type {string} */ name, /** @type {Value | undefined | null} */ value) => (value ? h("div", {}, h("p", { class: "axis-label" }, name), show({ ...value, name: "" })) : null);
  const off = change.check_error;
  return h(
    "div",
    { class: "step" },
    h("p", { class: "step-head" }, h("span", { class: "step-title" }, change.name), change.printed ? h("code", {}, change.printed) : null),
    h(
      "div",
      { class: "step-values" },
      named(word("before"), change.before),
      named(word("gradient"), change.gradient),
      named(off === undefined || off === null ? word("numerical derivative") : `${word("numerical derivative")} (${word("difference")} ${numeral(off, 2)})`, change.check),
      named(word("after"), change.after),
    ),
  );
}

/**
 * An array as a small table of numbers on colours; of a large one the beginning.
 * @param {Value} value
 * @param {(share: number) => [number, number, number]} scale
 */
function valueBox(value, scale) {
  const values = tensor(value.values);
  const total = value.cut ?? values.length;
  const columns = value.shape.length > 1 ? value.shape[value.shape.length - 1] : value.shape.length ? values.length : 1;
  const rows = value.shape.length > 1 ? Math.ceil(values.length / columns) : 1;
  const most = Math.max(1e-12, ...Array.from(values, Math.abs).filter(Number.isFinite));
  const shownRows = Math.min(MOST_SHOWN, rows);
  const shownColumns = Math.min(MOST_SHOWN, columns);
  const cell = (/** @type {number} */ v) => {
    const rgb = scale(values.length > 1 ? 0.5 + (0.24 * v) / most || 0.5 : 0.5);
    return h("td", { style: { "background-color": css(rgb), color: inkOn(rgb) } }, numeral(v, 4));
  };
  const lines = Array.from({ length: shownRows }, (_, i) =>
    h("tr", {}, Array.from({ length: shownColumns }, (_, j) => (i * columns + j < values.length ? cell(values[i * columns + j]) : null))),
  );
  const rest = total - shownRows * shownColumns;
  const shape = value.shape.length ? `(${value.shape.join(", ")})` : "";
  return h(
    "div",
    { class: "value" },
    value.name ? h("p", { class: "value-name" }, h("code", {}, value.name), h("small", {}, shape), value.tutorial ? h("small", { class: "in-tutorial" }, value.tutorial) : null) : null,
    scroller({}, h("table", { class: "numbers mono" }, h("tbody", {}, lines))),
    rest > 0 ? h("p", { class: "axis-label" }, word("… of {0} numbers", numeral(total))) : null,
  );
}
