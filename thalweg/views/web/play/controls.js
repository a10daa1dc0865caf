// The four knobs and the other settings of the network that is being edited.
import { h } from "../dom.js";
import { numeral } from "../format.js";
import { said } from "../words.js";
import { phrase } from "./phrases.js";
import { forgetGiven, withUnits } from "./states.js";
import { button, decades, formulaField, menu, numberField, refill, slider } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

const USUAL = ["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "silu", "softplus", "softsign"];
const FORMULA = "formula";
const MIXED = "mixed";
const MOST_GIVEN = 12; // given weights that are shown as fields

/** What may be set of an initializer: argument, least, greatest. @type {{ [name: string]: [string, number][] }} */
const ARGUMENTS = { constant: [["value", 0.1]], random_normal: [["stddev", 0.5]], truncated_normal: [["stddev", 0.5]], random_uniform: [["minval", -0.5], ["maxval", 0.5]] };

/**
 * The name of a setting that is a name or {name, …arguments}.
 * @param {any} value
 * @returns {string}
 */
export function nameOf(value) {
  return typeof value === "string" ? value : value?.name ?? "";
}

/**
 * Names for a menu: the usual ones first, the others behind them, a formula last.
 * @param {App} app
 * @returns {any[]}
 */
export function activationOptions(app) {
  const all = (app.hello?.choices.activations ?? []).map((/** @type {any} */ a) => a.name);
  const usual = USUAL.filter((name) => all.includes(name));
  const others = all.filter((/** @type {string} */ name) => !usual.includes(name) && name !== "softmax");
  return [...usual.map((name) => [name, name]), [FORMULA, phrase("formula")], ["…", others.map((/** @type {string} */ name) => [name, name])]];
}

/**
 * A menu of activations and, for a formula, a field.
 * @param {App} app
 * @param {string} key
 * @param {string} value
 * @param {(value: string) => void} chosen
 * @param {any[]} [before] options that stand first
 * @returns {any[]}
 */
export function activationMenu(app, key, value, chosen, before = []) {
  const known = before.some(([v]) => v === value) || app.hello?.choices.activations.some((/** @type {any} */ a) => a.name === value);
  const typed = !known || app.typing.has(key);
  const pick = (/** @type {string} */ name) => {
    if (name === FORMULA) return app.type(key, true);
    app.type(key, false);
    chosen(name);
  };
  const options = [...before, ...activationOptions(app)];
  return [
    menu(key, phrase("knob_activation"), options, typed ? FORMULA : value, pick, { hidden: true, title: formulaOf(app, value) }),
    typed && formulaField(`${key}-text`, phrase("formula_of", "x"), known ? "" : value, chosen, app.refused),
  ];
}

/** @param {App} app @param {string} name */
function formulaOf(app, name) {
  return app.hello?.choices.activations.find((/** @type {any} */ a) => a.name === name)?.formula ?? "";
}

/**
 * A knob: number, name, what it is set to.
 * @param {number} n
 * @param {string} id
 * @param {string} title
 * @param {any[]} content
 */
function knob(n, id, title, content) {
  return h("div", { class: "knob", id: `knob-${id}`, role: "group", "aria-label": title }, h("h3", {}, h("span", { class: "number-badge", "aria-hidden": "true" }, n), title), content.flat(Infinity).filter(Boolean));
}

/**
 * The four knobs.
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function showKnobs(app, panel) {
  refill(panel, () => [weightsKnob(app), activationKnob(app), lossKnob(app), rateKnob(app)]);
}

/** @param {App} app */
function weightsKnob(app) {
  const state = app.state();
  const name = nameOf(state.initializer ?? "glorot_uniform");
  const given = Boolean(state.output?.weights);
  const names = (app.hello?.choices.initializers ?? []).map((/** @type {any} */ n) => [nameOf(n), nameOf(n)]);
  const weights = app.side().values.weights;
  const few = !(state.layers ?? []).length && weights?.length === 1 && weights[0].length <= MOST_GIVEN;
  const pick = (/** @type {string} */ value) =>
    app.edit((s) => {
      forgetGiven(s);
      if (value !== "given") s.initializer = ARGUMENTS[value] ? { name: value, ...Object.fromEntries(ARGUMENTS[value]) } : value;
      else giveWeights(app, s);
    });
  const fields = (ARGUMENTS[name] ?? []).map(([argument, usual]) =>
    numberField(`init-${argument}`, argument, state.initializer?.[argument] ?? usual, (v) => app.edit((s) => (s.initializer = { ...(typeof s.initializer === "object" ? s.initializer : { name }), [argument]: v }))),
  );
  return knob(1, "weights", phrase("knob_weights"), [
    menu("initializer", phrase("knob_weights"), [...names, ...(few || given ? [["given", phrase("given_weights")]] : [])], given ? "given" : name, pick, { hidden: true }),
    given ? givenFields(app) : fields,
    h("div", { class: "line" }, numberField("seed", phrase("seed"), state.seed ?? 0, (v) => app.edit((s) => (s.seed = Math.max(0, Math.round(v)))), { min: 0, step: 1 }),
      button("dice", "⚄", () => app.edit((s) => (s.seed = (s.seed ?? 0) + 1)), { class: "quiet", title: phrase("seed"), "aria-label": `${phrase("seed")} + 1` })),
  ]);
}

/** The weights of the only layer become the given ones. @param {App} app @param {any} state */
function giveWeights(app, state) {
  const { weights, biases } = app.side().values;
  const [inputs, units] = weights[0].shape;
  const rounded = (/** @type {number} */ v) => Number(v.toFixed(3));
  const matrix = Array.from({ length: inputs }, (_, i) => Array.from({ length: units }, (_, j) => rounded(weights[0][i * units + j])));
  state.output = { ...(state.output ?? { activation: "auto" }), weights: matrix };
  if (biases?.[0]) state.output.bias = Array.from(biases[0], rounded);
}

/** @param {App} app */
function givenFields(app) {
  const { weights, bias } = app.state().output;
  if (weights.flat().length > MOST_GIVEN) return [];
  const field = (/** @type {string} */ key, /** @type {string} */ label, /** @type {number} */ value, /** @type {(s: any, v: number) => void} */ set) => numberField(key, label, value, (v) => app.edit((s) => set(s, v)));
  const one = weights.length === 1 && weights[0].length === 1;
  const fields = weights.map((/** @type {number[]} */ row, /** @type {number} */ i) =>
    row.map((v, j) => field(`w-${i}-${j}`, one ? "w" : row.length > 1 ? `w${i + 1},${j + 1}` : `w${i + 1}`, v, (s, n) => (s.output.weights[i][j] = n))),
  );
  const biases = (bias ?? []).map((/** @type {number} */ v, /** @type {number} */ j) => field(`b-${j}`, "b", v, (s, n) => (s.output.bias[j] = n)));
  return [h("div", { class: "given" }, fields.flat(), biases)];
}

/** @param {App} app */
function activationKnob(app) {
  const state = app.state();
  const layers = withUnits(state);
  const known = [...new Set(layers.map((l) => l.activation ?? "linear"))];
  if (!layers.length) {
    const set = (/** @type {string} */ v) => app.edit((s) => (s.output = { ...(s.output ?? {}), activation: v }));
    return knob(2, "activation", phrase("knob_activation"), [activationMenu(app, "activation-all", state.output?.activation ?? "auto", set, [["auto", phrase("automatic")]]), h("p", { class: "hint" }, phrase("output"))]);
  }
  const set = (/** @type {string} */ v) => app.edit((s) => withUnits(s).forEach((l) => (l.activation = v)));
  const value = known.length === 1 ? known[0] : MIXED;
  const before = value === MIXED ? [[MIXED, phrase("mixed")]] : [];
  const formula = formulaOf(app, value);
  return knob(2, "activation", phrase("knob_activation"), [activationMenu(app, "activation-all", value, set, before), h("p", { class: "hint" }, formula ? h("code", {}, formula) : phrase("all_layers"))]);
}

/** @param {App} app */
function lossKnob(app) {
  const state = app.state();
  const value = state.loss ?? "auto";
  const names = (app.hello?.choices.losses ?? []).map((/** @type {any} */ n) => nameOf(n));
  const known = value === "auto" || names.includes(value);
  const typed = !known || app.typing.has("loss");
  const set = (/** @type {string} */ v) => app.edit((s) => (s.loss = v));
  const pick = (/** @type {string} */ name) => {
    app.type("loss", name === FORMULA);
    if (name !== FORMULA) set(name);
  };
  const used = app.side().values.facts?.loss;
  return knob(3, "loss", phrase("knob_loss"), [
    menu("loss", phrase("knob_loss"), [["auto", phrase("automatic")], ...names.map((/** @type {string} */ n) => [n, n]), [FORMULA, phrase("formula")]], typed ? FORMULA : value, pick, { hidden: true }),
    typed && formulaField("loss-text", phrase("formula_of", "y_true, y_pred"), known ? "" : value, set, app.refused),
    h("p", { class: "hint" }, value === "auto" ? (used ? h("code", {}, used) : phrase("fits_data")) : ""),
  ]);
}

/** @param {App} app */
function rateKnob(app) {
  const state = app.state();
  const rate = state.learning_rate ?? 0.01;
  const schedules = app.hello?.choices.schedules ?? {};
  const chosen = nameOf(state.schedule);
  const pick = (/** @type {string} */ name) => app.edit((s) => (s.schedule = name ? { name, ...numbersOf(schedules[name]) } : null));
  const set = (/** @type {number} */ v) => app.edit((s) => (s.learning_rate = v));
  const fields = Object.entries(chosen ? numbersOf(schedules[chosen]) : {}).map(([argument, usual]) =>
    numberField(`schedule-${argument}`, argument, state.schedule[argument] ?? usual, (v) => app.edit((s) => (s.schedule[argument] = v))),
  );
  return knob(4, "rate", phrase("knob_rate"), [
    slider("rate", phrase("knob_rate"), rate, decades(-5, 2), set),
    h("div", { class: "line" },
      numberField("rate-number", phrase("knob_rate"), rate, (v) => v > 0 && set(v), { min: 0 }),
      menu("schedule", phrase("schedule"), [["", phrase("constant")], ...Object.keys(schedules).map((n) => [n, n])], chosen, pick, { hidden: true, title: phrase("schedule") })),
    fields.length ? h("div", { class: "given" }, fields) : null,
  ]);
}

/** The arguments that are numbers. @param {any} defaults */
function numbersOf(defaults) {
  return Object.fromEntries(Object.entries(defaults ?? {}).filter(([name, v]) => typeof v === "number" && name !== "initial_learning_rate"));
}

/**
 * Optimizer, batch, penalties, dropout.
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function showTraining(app, panel) {
  refill(panel, () => {
    const state = app.state();
    const optimizer = nameOf(state.optimizer ?? "adam");
    const names = (app.hello?.choices.optimizers ?? []).map((/** @type {any} */ n) => [nameOf(n), nameOf(n)]);
    const rows = app.side().values.facts?.rows ?? 100;
    const batches = [1, 2, 5, 10, 16, 20, 32, 50, 64, 100, 128, 200, 500, 1000].filter((n) => n < rows).concat(rows);
    const penalties = [0, ...decades(-5, -1)];
    const size = (/** @type {number} */ v) => (v >= rows ? phrase("all_rows") : String(v));
    const hasMomentum = optimizer === "sgd";
    return [
      menu("optimizer", phrase("optimizer"), names, optimizer, (v) => app.edit((s) => (s.optimizer = v))),
      hasMomentum && slider("momentum", phrase("momentum"), state.optimizer?.momentum ?? 0, [0, 0.5, 0.8, 0.9, 0.95, 0.99], (v) => app.edit((s) => (s.optimizer = v ? { name: "sgd", momentum: v } : "sgd"))),
      slider("batch", phrase("batch"), Math.min(rows, state.batch ?? 32), batches, (v) => app.edit((s) => (s.batch = v)), size),
      slider("l1", phrase("l1"), state.l1 ?? 0, penalties, (v) => app.edit((s) => (s.l1 = v))),
      slider("l2", phrase("l2"), state.l2 ?? 0, penalties, (v) => app.edit((s) => (s.l2 = v))),
      slider("dropout", phrase("dropout"), state.dropout ?? 0, [0, 0.1, 0.2, 0.3, 0.5, 0.7], (v) => app.edit((s) => (s.dropout = v)), (v) => `${Math.round(100 * v)} %`),
    ];
  });
}

/**
 * What A and B differ in, one line each.
 * @param {[string, any, any][]} found
 */
export function differenceLines(found) {
  const shown = (/** @type {any} */ v) => (v === null || v === undefined ? "–" : typeof v === "number" ? numeral(v) : typeof v === "string" ? v : JSON.stringify(v));
  const short = (/** @type {any} */ v) => (shown(v).length > 48 ? `${shown(v).slice(0, 46)} …` : shown(v));
  return found.slice(0, 12).map(([path, a, b]) => h("li", {}, h("code", {}, path), " ", h("b", { class: "tone-a" }, short(a)), " | ", h("b", { class: "tone-b" }, short(b))));
}

/**
 * The findings of the doctor, as short as they can be.
 * @param {Finding[]} findings
 */
export function findingLines(findings) {
  return findings.map((f) => h("li", { class: `doctor-${f.severity}` }, h("b", {}, said(f.sentence)), " ", h("span", {}, said(f.evidence), " "), h("span", { class: "remedy" }, phrase("remedy"), said(f.remedy))));
}
