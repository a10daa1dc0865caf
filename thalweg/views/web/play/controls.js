// The four knobs and the other settings of the network that is being edited.
import { h } from "../dom.js";
import { numeral, percent } from "../format.js";
import { word, wordIn } from "../words.js";
import { forgetGiven, withUnits } from "./states.js";
import { button, decades, dial, el, formulaField, menu, numberField, refill, slider } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

const USUAL = ["relu", "tanh", "sigmoid", "linear", "leaky_relu", "elu", "gelu", "silu", "softplus"];
const FORMULA = "formula";
const MIXED = "mixed";
const MOST_GIVEN = 12; // given weights that are shown as fields
const MOST_TURNED = 2; // of which there is room for sliders

/**
 * A setting that is a name, {name, …arguments}, or a formula: a menu, and fields for what the chosen one takes.
 * @param {App} app
 * @param {object} o
 * @param {string} o.key
 * @param {string} o.label
 * @param {{ [name: string]: { [argument: string]: any } }} o.kinds arguments and their defaults by name
 * @param {any} o.value
 * @param {(value: any) => void} o.set
 * @param {any[]} [o.first] options that stand before the names
 * @param {string} [o.formula] the variables of a formula; none may be typed without
 * @param {string[]} [o.usual] names that stand before the others
 * @returns {any[]}
 */
export function setting(app, { key, label, kinds, value, set, first = [], formula = "", usual = [] }) {
  const name = typeof value === "string" ? value : value?.name ?? "";
  const known = name in kinds || first.some(([v]) => v === name);
  const typed = formula && (!known || app.typing.has(key));
  const pick = (/** @type {string} */ next) => {
    app.type(key, next === FORMULA);
    if (next === FORMULA) return;
    const given = numbersOf(kinds[next]);
    set(Object.keys(given).length ? { name: next, ...given } : next);
  };
  const option = (/** @type {string} */ n) => [n, n];
  const others = Object.keys(kinds).filter((n) => !usual.includes(n)).map(option);
  const names = usual.length ? [...usual.filter((n) => n in kinds).map(option), ["…", others]] : others;
  const fields = Object.entries(numbersOf(kinds[name])).map(([argument, usualValue]) =>
    numberField(`${key}-${argument}`, argument, value?.[argument] ?? usualValue, (v) => set({ name, ...value, [argument]: v })));
  return [
    menu(key, label, [...first, ...(formula ? [[FORMULA, word("formula…")]] : []), ...names], typed ? FORMULA : name, pick, { hidden: true, title: label }),
    typed ? formulaField(`${key}-text`, word("Formula in {0}", formula), known ? "" : name, set, app.refused) : fields.length > 0 && el("div.given", fields),
  ];
}

/** The arguments that are numbers. @param {any} kind */
function numbersOf(kind) {
  return Object.fromEntries(Object.entries(kind ?? {}).filter(([, v]) => typeof v === "number"));
}

/**
 * A menu of activations, with formulas.
 * @param {App} app
 * @param {string} key
 * @param {string} value
 * @param {(value: string) => void} set
 * @param {any[]} [first]
 */
export function activation(app, key, value, set, first = []) {
  const kinds = Object.fromEntries((app.hello?.choices.activations ?? []).map((/** @type {any} */ a) => [a.name, {}]));
  return setting(app, { key, label: wordIn("knob", "Activation"), kinds, value, set, first, formula: "x", usual: USUAL });
}

/** @param {App} app @param {HTMLElement} panel */
export function showKnobs(app, panel) {
  const knob = (/** @type {string} */ id, /** @type {string} */ title, /** @type {any[]} */ content, /** @type {number} */ n) => {
    return h("div", { class: "knob", id: `knob-${id}`, role: "group", "aria-label": title }, el("h3", h("span", { class: "number-badge", "aria-hidden": "true" }, n + 1), title), content.flat(Infinity));
  };
  const contents = /** @type {[string, string, any[]][]} */ ([
    ["weights", wordIn("knob", "Initial weights"), weightsKnob(app)], ["activation", wordIn("knob", "Activation"), activationKnob(app)],
    ["loss", wordIn("knob", "Loss"), lossKnob(app)], ["rate", wordIn("knob", "Learning rate"), rateKnob(app)],
  ]);
  const needed = app.focused()?.knobs;
  panel.hidden = needed?.length === 0;
  refill(panel, () => contents.map(([id, title, content], n) => (needed && !needed.includes(id) ? null : knob(id, title, content, n))));
}

/** @param {App} app */
function weightsKnob(app) {
  const state = app.state();
  const kinds = app.hello.choices.initializers;
  const given = Boolean(state.output?.weights);
  const { weights } = app.side().values;
  const few = !state.layers?.length && weights?.length === 1 && weights[0].length <= MOST_GIVEN;
  const set = (/** @type {any} */ v) => app.edit((s) => {
    forgetGiven(s);
    if (v === "given") giveWeights(app, s);
    else s.initializer = v;
  });
  return [
    setting(app, { key: "initializer", label: wordIn("knob", "Initial weights"), kinds, value: given ? "given" : state.initializer ?? "glorot_uniform", set, first: few || given ? [["given", word("given")]] : [] }),
    given && givenFields(app),
    !(given && app.focused()) && el("div.inline", numberField("seed", word("Seed"), state.seed ?? 0, (v) => app.edit((s) => (s.seed = Math.max(0, Math.round(v))))),
      button("dice", "⚄", () => app.edit((s) => (s.seed = (s.seed ?? 0) + 1)), { class: "quiet", "aria-label": `${word("Seed")} + 1` })),
  ];
}

/** The weights of the only layer become the given ones. @param {App} app @param {any} state */
function giveWeights(app, state) {
  const { weights, biases } = app.side().values;
  const [inputs, units] = weights[0].shape;
  const rounded = (/** @type {number} */ v) => Number(v.toFixed(3));
  const rows = Array.from({ length: inputs }, (_, i) => Array.from(weights[0].slice(i * units, (i + 1) * units), rounded));
  state.output = { ...state.output, weights: rows, ...(biases?.[0] && { bias: Array.from(biases[0], rounded) }) };
}

/** @param {App} app */
function givenFields(app) {
  const { weights, bias } = app.state().output;
  if (weights.flat().length > MOST_GIVEN) return null;
  const few = weights.flat().length + (bias?.length ?? 0) <= MOST_TURNED;
  const field = (/** @type {string} */ label, /** @type {number} */ value, /** @type {(output: any, v: number) => void} */ set) => (few ? dial : numberField)(`given-${label}`, label, value, (v) => app.edit((s) => set(s.output, v)));
  const many = weights[0].length > 1;
  return h("div", { class: few ? "dials" : "given" },
    weights.flatMap((/** @type {number[]} */ row, /** @type {number} */ i) => row.map((v, j) => field(["w", weights.length > 1 && i + 1, many && `,${j + 1}`].filter(Boolean).join(""), v, (o, n) => (o.weights[i][j] = n)))),
    (bias ?? []).map((/** @type {number} */ v, /** @type {number} */ j) => field(`b${many ? j + 1 : ""}`, v, (o, n) => (o.bias[j] = n))));
}

/** @param {App} app */
function activationKnob(app) {
  const state = app.state();
  const layers = withUnits(state);
  const found = [...new Set(layers.map((l) => l.activation ?? "relu"))];
  const value = layers.length ? (found.length > 1 ? MIXED : found[0]) : state.output?.activation ?? "auto";
  const first = layers.length ? (value === MIXED ? [[MIXED, word("differs by layer")]] : []) : [["auto", word("auto")]];
  const set = (/** @type {string} */ v) => app.edit((s) => {
    for (const layer of withUnits(s)) layer.activation = v;
    if (!layers.length) s.output = { ...s.output, activation: v };
  });
  const formula = app.hello.choices.activations.find((/** @type {any} */ a) => a.name === value)?.formula;
  return [activation(app, "activation-all", value, set, first), el("p.hint", layers.length ? word("all hidden layers") : word("Output"), formula && el("code", `: ${formula}`))];
}

/** @param {App} app */
function lossKnob(app) {
  const value = app.state().loss ?? "auto";
  const kinds = Object.fromEntries(app.hello.choices.losses.map((/** @type {string} */ n) => [n, {}]));
  const used = app.side().values.facts?.loss;
  return [
    setting(app, { key: "loss", label: wordIn("knob", "Loss"), kinds, value, set: (v) => app.edit((s) => (s.loss = v)), first: [["auto", word("auto")]], formula: "y_true, y_pred" }),
    value === "auto" && used && el("p.hint", el("code", used)),
  ];
}

/** @param {App} app */
function rateKnob(app) {
  const state = app.state();
  const rate = state.learning_rate ?? 0.01;
  const set = (/** @type {number} */ v) => v > 0 && app.edit((s) => (s.learning_rate = v));
  const [schedules, fields] = setting(app, { key: "schedule", label: word("Schedule"), kinds: app.hello.choices.schedules, value: state.schedule ?? "", set: (v) => app.edit((s) => (s.schedule = v || null)), first: [["", word("constant")]] });
  return [slider("rate", wordIn("knob", "Learning rate"), rate, decades(-5, 2), set), el("div.inline", numberField("rate-number", wordIn("knob", "Learning rate"), rate, set, { bare: true }), schedules), fields];
}

/**
 * Optimizer, batch, penalties, dropout.
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function showTraining(app, panel) {
  const state = app.state();
  const rows = app.side().values.facts?.rows ?? 100;
  const batches = [1, 2, 5, 10, 20, 32, 50, 64, 100, 200, 500, 1000].filter((n) => n < rows).concat(rows);
  const put = (/** @type {string} */ key) => (/** @type {any} */ v) => app.edit((s) => (s[key] = v));
  const slide = (/** @type {string} */ key, /** @type {string} */ title, /** @type {number[]} */ values, /** @type {(v: number) => string} */ shown = numeral) => slider(key, title, Math.min(state[key] ?? 0, values[values.length - 1]), values, put(key), shown);
  const optimizers = Object.fromEntries(Object.entries(app.hello.choices.optimizers).map(([name, { momentum, weight_decay }]) => [name, { momentum, weight_decay }]));
  refill(panel, () => [
    el("label.field", el("span", word("Optimizer"))),
    setting(app, { key: "optimizer", label: word("Optimizer"), kinds: optimizers, value: state.optimizer ?? "adam", set: put("optimizer"), usual: ["sgd", "adam", "adamw", "rmsprop", "nadam"] }),
    slide("batch", word("Batch"), batches, (v) => (v >= rows ? word("all rows") : String(v))),
    slide("l1", "L1", [0, ...decades(-5, -1)]), slide("l2", "L2", [0, ...decades(-5, -1)]), slide("dropout", word("Dropout"), [0, 0.1, 0.2, 0.3, 0.5, 0.7], percent),
  ]);
}
