// What stands in a side's panels: the figures' data, numbers, messages and images.
import { h } from "../dom.js";
import { numeral, percent } from "../format.js";
import { said, word } from "../words.js";
import { drawingPad } from "./drawing.js";
import { readingFigure } from "./reading.js";
import { el } from "./widgets.js";

/** @typedef {import("./side.js").Side} Side */

/** The figure of each panel; null: there is nothing to show. @type {{ [panel: string]: (side: Side) => any }} */
export const FIGURES_OF = {
  network: networkFigure,
  surface: surfaceFigure,
  states: (side) => readingFigure(side, "states"),
  attention: (side) => readingFigure(side, "attention"),
  curves({ points: { epochs, loss, val_loss } }) {
    const held = val_loss?.some(Number.isFinite) ? [{ name: word("validation"), y: val_loss, dashed: true }] : [];
    return epochs.length ? { kind: "curves", title: word("Loss"), x: epochs, x_label: word("epoch"), y_label: word("loss"), series: [{ name: word("training"), y: loss }, ...held] } : null;
  },
  landscape: ({ values: { landscape, ball }, trail }) => (landscape?.loss ? { ...landscape, kind: "landscape", points: [], path: trail, ball } : null),
};

/** @param {Side} side */
function networkFigure({ values, selected, app }) {
  const { facts, weights, biases, units, input_maps, sample, surface, reading } = values;
  if (!facts || !weights || reading) return null; // the layers of texts are no columns of units
  const image = facts.shape.length === 3; // then the input is one picture
  const layers = facts.layers.map((/** @type {any} */ l, /** @type {number} */ place) => ({ ...l, maps: units?.find((/** @type {any} */ u) => u.layer === place)?.maps })).filter((/** @type {any} */ l) => weights[l.weights]);
  const last = layers[layers.length - 1];
  last.maps ??= image ? picture(sample?.y_pred) : answerMap(surface, facts);
  return {
    kind: "network",
    title: word("Network"),
    layers: [{ name: word("Inputs"), kind: "input", units: image ? 1 : facts.inputs.length }, ...layers.map((/** @type {any} */ { name, kind, units: count, activation }) => ({ name, kind, units: count, activation }))],
    weights: layers.map((/** @type {any} */ l, /** @type {number} */ n) => (image && !n && weights[l.weights].shape.length === 2 ? null : weights[l.weights])),
    biases: layers.map((/** @type {any} */ l) => biases?.[l.weights] ?? null),
    input_names: image ? [facts.shape.slice(0, 2).join("×")] : facts.inputs,
    output_names: facts.classes && facts.task !== "binary" ? facts.classes : facts.targets,
    units: [image ? picture(sample?.x) : input_maps ?? null, ...layers.map((/** @type {any} */ l) => l.maps ?? null)],
    selected,
    space: app.frame ? 30 : app.focused() ? 48 : 60,
  };
}

/**
 * The surface as the map of the only output unit: a probability around ½, a number around 0.
 * @param {any} surface
 * @param {any} facts
 */
function answerMap(surface, facts) {
  if (surface?.values?.shape.length !== 2) return null;
  const middle = facts.output_activation === "sigmoid" ? 0.5 : 0;
  return Object.assign(Float32Array.from(surface.values, (v) => v - middle), { shape: [1, ...surface.values.shape] });
}

/** One map of a picture; its rows begin at the top, those of maps at the bottom. @param {any} values */
function picture(values) {
  if (!(values?.shape?.length >= 2)) return null;
  const [rows, columns] = values.shape;
  return Object.assign(Float32Array.from({ length: rows * columns }, (_, n) => values[(rows - 1 - Math.floor(n / columns)) * columns + (n % columns)]), { shape: [1, rows, columns] });
}

/** @param {Side} side */
function surfaceFigure({ values: { surface, line, facts } }) {
  if (surface) return { kind: "surface", title: word("Prediction"), class_names: facts?.classes ?? undefined, ...surface };
  if (!line) return null;
  const points = line.points ? [{ name: "y", x: line.points, y: line.targets, dots: true }] : [];
  return { kind: "curves", title: word("Prediction"), x: line.x, x_label: facts?.inputs[0], y_label: facts?.targets[0], series: [{ name: "y_predict", y: line.y_pred, x: line.x }, ...points] };
}

/** How a panel is read. @param {"network" | "surface" | "landscape"} panel */
export function noteOn(panel) {
  return {
    network: word("Lines are weights: blue positive, orange and dashed negative, thick large. In each unit: what it answers over the plane. Click a unit to see its arithmetic."),
    surface: word("Colour: what the network answers there, with a line where classes meet. Each class has its mark; full ones train, hollow ones are held back."),
    landscape: word("A plane through the weights, coloured by the loss; the ball is the network now."),
  }[panel];
}

/** @param {Side} side */
export function showReadouts({ values, places, app, index, element }) {
  const lost = values.status === "diverged";
  const metric = values.facts?.metric;
  const items = /** @type {[string, string, (v: number) => string][]} */ ([
    ["epoch", word("epoch"), (v) => numeral(Math.floor(v))], ["iteration", word("step"), numeral], ["loss_now", word("loss"), numeral], ["val_loss", word("validation loss"), numeral],
    ...(metric === "accuracy" ? [["accuracy", word("accuracy"), percent], ["val_accuracy", word("validation accuracy"), percent]] : [["mae", word("mean error"), numeral]]),
  ]);
  element.classList.toggle("is-lost", lost);
  const name = app.sides.length > 1 ? [el(`span.side-name.tone-${"ab"[index]}`, "AB"[index])] : [];
  const numbers = items.filter(([key]) => typeof values[key] === "number" || (lost && key === "loss_now")).map(([key, label, shown]) => h("span", { "data-readout": key }, label, el("b", lost && key.includes("loss") ? "NaN" : shown(values[key]))));
  places.readouts.replaceChildren(...name, ...numbers);
  places.parameters.textContent = values.facts ? word("{0} weights", numeral(values.facts.parameters)) : "";
}

/**
 * @param {HTMLElement} place
 * @param {{ [name: string]: any }} values
 */
export function showMessage(place, { error, status, notes }) {
  const lost = status === "diverged";
  const texts = [error ? said(error) : lost && `${word("NaN: the training stopped")}.`, status === "building" && word("Preparing …"), ...(notes ?? []).map(said)];
  const text = texts.filter(Boolean).join(" ");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
  place.classList.toggle("is-error", Boolean(error) || lost);
}

/** Image, answer and target of the selected row, the kernel, and a place to draw on. @param {Side} side */
export function showImages(side) {
  const { values: { sample, drawing, weights, facts }, places, app, index, state } = side;
  const digits = state.data?.name === "digits";
  /** @type {HTMLElement} */ (places.images.parentElement).hidden = facts?.shape.length !== 3;
  places.pad.hidden = !digits;
  if (digits) side.pad ??= drawingPad(places.pad, (image) => app.send({ do: "draw", side: index, image }));
  if (drawing) side.pad?.answer(drawing);
  const kernel = weights?.find((/** @type {any} */ w) => w.shape.length === 4);
  const all = [[word("Kernel"), kernel], [word("image"), sample?.x], [word("answer"), sample?.y_pred], [word("Target"), sample?.y]].filter(([, values]) => values?.shape?.length >= 2);
  places.images.replaceChildren(...all.map(([title, values]) => grid(title, values)));
}

/** A small matrix in shades, a kernel with its numbers; of a kernel, that of the first channel and unit. @param {string} title @param {any} values */
function grid(title, values) {
  const [rows, columns, inputs = 1, units = 1] = values.shape;
  const shown = Array.from({ length: rows * columns }, (_, n) => values[n * inputs * units]);
  const most = Math.max(1e-9, ...shown.map(Math.abs));
  const cells = shown.map((v) => h("span", { class: v < 0 && "negative", style: { "--share": (Math.abs(v) / most).toFixed(3) } }, columns <= 3 ? numeral(v, 2) : ""));
  return el("div", el("h4", title), h("div", { class: "cells", style: { "--columns": columns }, role: "img", "aria-label": `${title} ${rows}×${columns}` }, cells));
}
