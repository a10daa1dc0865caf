// A page that predicts: a form for one row, what its answer depends on, and tables of rows.
import { h } from "../dom.js";
import { followSystem, language, onSettings } from "../settings.js";
import { languageButton, themeButton } from "../switches.js";
import { tag, word } from "../words.js";
import { curvesOf, drawCurves } from "./curves.js";
import { field, meant, usual } from "./form.js";
import { inSlices, likeliest, predictorOf } from "./model.js";
import { tablePart } from "./table.js";
import { answered, amount, brief, share } from "./values.js";

const MOST_CLASSES = 10; // that the answer shows

/**
 * Shows the page; called by its code with the network of the model, and the columns as they are read.
 * @param {(arrays: any) => (...values: number[][]) => ArrayLike<number>} make
 * @param {TableColumn[]} columns
 */
export async function predicting(make, columns) {
  const stored = /** @type {HTMLElement} */ (document.getElementById("document"));
  const model = await predictorOf(stored.textContent ?? "", make, columns);
  stored.remove();
  document.head.append(h("style", {}, model.style));
  followSystem();
  const title = h("h1", {});
  const main = h("main", { class: "predictor", id: "top" });
  const switches = h("div", { class: "switches" }, languageButton(), themeButton());
  document.body.append(h("header", { class: "head" }, title, switches), main);
  const cells = model.columns.map(usual);
  const table = tablePart(model);
  const draw = () => {
    document.documentElement.lang = tag(language());
    title.textContent = word("Predict {0}", brief(model.target.name, 120));
    document.title = `${title.textContent} · ${model.name}`;
    main.replaceChildren(...rowPart(model, cells), table.draw(), footer());
  };
  onSettings(draw);
  draw();
  document.body.dataset.ready = "true";
}

/**
 * The form, the answer beside it, and what it depends on.
 * @param {Predictor} model
 * @param {string[]} cells
 * @returns {HTMLElement[]}
 */
function rowPart(model, cells) {
  const answer = h("div", { class: "answer" });
  const curves = h("div", { class: "influences" });
  const state = { all: false };
  let running = new AbortController();
  const show = async () => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const row = model.columns.map((column, place) => meant(column, cells[place]));
    const wrong = row.flatMap((value, place) => (value === null ? [model.columns[place].name] : []));
    if (wrong.length) {
      answer.replaceChildren(h("p", { class: "answer-none" }, word("No answer yet: {0} can't be read.", wrong.map((name) => brief(name, 60)).join(word(", ")))));
      curves.classList.add("is-stale");
      return;
    }
    const values = /** @type {number[]} */ (row);
    const outputs = model.answer(values);
    answer.replaceChildren(...answerOf(model, outputs));
    curves.classList.add("is-stale");
    await new Promise((resume) => setTimeout(resume, curves.childElementCount ? 150 : 0)); // until nobody types any more
    const best = likeliest(outputs);
    const found = signal.aborted ? null : await inSlices(curvesOf(model, values, best), signal);
    if (found === null) return;
    drawCurves(curves, model, found, outputs[best], state);
    curves.classList.remove("is-stale");
    curves.dataset.drawn = String(Number(curves.dataset.drawn ?? 0) + 1);
    followed.textContent = dependsOn(model, best);
  };
  const fields = model.columns.map((column, place) => field(column, place, cells, show));
  const form = h("form", { class: "figure asks", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    h("h2", {}, word("One row")), h("div", { class: "ask-grid" }, fields));
  const followed = h("p", {}, dependsOn(model, -1));
  show();
  return [
    h("div", { class: "row-part" }, form, h("section", { class: "figure answer-part", "aria-live": "polite", "aria-atomic": "true" }, h("h2", {}, word("The answer")), answer)),
    h("section", { id: "influence" }, h("h2", {}, word("What the answer depends on")), h("div", { class: "section-text" }, followed), curves),
  ];
}

/**
 * @param {Predictor} model
 * @param {number} best the class whose probability is followed; −1 for none yet
 */
function dependsOn(model, best) {
  const of = model.target.classes.length
    ? best < 0 ? "" : word("Each picture shows how the probability of {0} changes if this column alone takes other values, and all others stay as they are above. Those that change it most come first.", brief(model.target.classes[best]))
    : word("Each picture shows how the answer changes if this column alone takes other values, and all others stay as they are above. Those that change it most come first.");
  return `${of} ${word("These are answers of the model, not causes: what would really happen if the column changed, it doesn't know.")}`.trim();
}

/**
 * The answer for a row: probabilities as bars, or a number.
 * @param {Predictor} model
 * @param {number[]} outputs
 */
function answerOf(model, outputs) {
  const { classes } = model.target;
  if (!classes.length) {
    const typical = typicalError(model);
    const told = typical && h("p", { class: "answer-told" }, typical);
    return [h("p", { class: "answer-value" }, answered(model, outputs[0])), told].filter((part) => part !== null);
  }
  const best = likeliest(outputs);
  const order = [...outputs.keys()];
  if (order.length > MOST_CLASSES) order.sort((one, other) => outputs[other] - outputs[one]).splice(MOST_CLASSES);
  const lines = order.map((k) => h("li", { class: k === best ? "is-now" : null },
    h("span", { class: "bar-label", title: classes[k] }, brief(classes[k])),
    h("span", { class: "bar-place" }, h("i", { class: "bar", style: { left: 0, width: `${100 * outputs[k]}%` } })),
    h("span", { class: "bar-value" }, share(outputs[k]))));
  const left = outputs.length - order.length;
  const right = model.scores.accuracy;
  return [
    h("p", { class: "answer-value" }, brief(classes[best], 120), " ", h("small", {}, share(outputs[best]))),
    h("ul", { class: "bars" }, lines),
    left > 0 && h("p", { class: "answer-told" }, word("{0} other classes are less likely.", left)),
    right !== undefined && h("p", { class: "answer-told" }, word("Of rows held out of training, {0} % were told rightly.", amount(Number((100 * right).toPrecision(3))))),
  ].filter((part) => part !== false);
}

/**
 * How far answers are off; null if nobody has measured it.
 * @param {Predictor} model
 */
function typicalError(model) {
  const { scores } = model;
  const said = (/** @type {number} */ error) => answered(model, Number(error.toPrecision(3)));
  if (scores.MAE !== undefined) return word("On rows held out of training, answers were off by {0} on average (mean absolute error).", said(scores.MAE));
  return scores.RMSE === undefined ? null : word("On rows held out of training, answers were typically off by {0} (root mean squared error).", said(scores.RMSE));
}

function footer() {
  return h("footer", { class: "foot" }, word("Everything is computed on this page: what you type or open here leaves your computer nowhere."), " ", word("Written by thalweg."));
}
