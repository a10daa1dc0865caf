// Above the drawn network: what each layer is, with more or fewer units, its activation, and layers added or removed.
import { activation } from "./controls.js";
import { word } from "../words.js";
import { forgetGiven, isImages, isText } from "./states.js";
import { button, el, menu, refill } from "./widgets.js";

/**
 * @typedef {import("./side.js").Side} Side
 * @typedef {import("./app.js").App} App
 */

/** What a new layer begins as. @type {{ [kind: string]: any }} */
const FRESH = {
  dense: { kind: "dense", units: 4, activation: "tanh" },
  dropout: { kind: "dropout", rate: 0.2 },
  batch_norm: { kind: "batch_norm" },
  conv2d: { kind: "conv2d", filters: 8, kernel_size: 3, padding: "same", activation: "relu" },
  max_pool: { kind: "max_pool", pool_size: 2 },
  flatten: { kind: "flatten" },
  recurrent: { kind: "recurrent", cell: "gru", units: 16 },
  attention: { kind: "attention", heads: 1, units: 8 },
  average: { kind: "average" },
};

const CELLS = [["simple_rnn", "SimpleRNN"], ["gru", "GRU"], ["lstm", "LSTM"]];

/** @param {string} kind */
function kindName(kind) {
  const names = { dense: word("dense"), conv2d: word("convolution"), max_pool: word("max pooling"), flatten: word("flatten"), dropout: word("dropout"), batch_norm: word("batch normalization"), embedding: word("embedding"), recurrent: word("recurrent"), attention: word("attention"), average: word("mean over the steps") };
  return names[/** @type {keyof typeof names} */ (kind)];
}

/** @param {Side} side @param {App} app @param {HTMLElement} panel */
export function layerBar(side, app, panel) {
  const edit = (/** @type {(s: any) => void} */ change) => app.edit((s) => { change(s); }, side);
  refill(panel, () => {
    const { state } = side;
    const facts = side.values.facts;
    const layers = state.layers ?? [];
    const inputs = el("div.layer-card", el("span", word("Inputs")), el("b", facts?.inputs.length ?? ""));
    const output = state.output === null ? null : el("div.layer-card", el("span", word("Output")),
      activation(app, `output-activation-${side.index}`, state.output?.activation ?? "auto", (v) => edit((s) => (s.output = { ...(s.output ?? {}), activation: v })), [["auto", word("auto")]]),
      (state.output?.activation ?? "auto") === "auto" && el("small", facts?.output_activation ?? ""));
    return [inputs, layers.map((/** @type {any} */ layer, /** @type {number} */ n) => card(side, app, layer, n, edit)), output];
  });
  refill(side.places.adder, () => [adder(side, app, edit)]);
}

/** @param {Side} side @param {App} app @param {any} layer @param {number} n @param {(change: (s: any) => void) => void} edit */
function card(side, app, layer, n, edit) {
  const size = layer.kind === "conv2d" ? "filters" : ["dense", "embedding", "recurrent", "attention"].includes(layer.kind) ? "units" : null;
  const key = `${side.index}-${n}`;
  const resize = (/** @type {number} */ by) => edit((s) => {
    s.layers[n][size ?? ""] = Math.max(1, Math.min(app.hello?.limits.units ?? 256, s.layers[n][size ?? ""] + by));
    forgetGiven(s);
  });
  const remove = button(`remove-${key}`, "×", () => edit((s) => { s.layers.splice(n, 1); forgetGiven(s); }), { class: "tiny remove", "aria-label": `${word("Remove this layer")}: ${kindName(layer.kind)}`, title: word("Remove this layer") });
  const by = layer[size ?? ""] >= 16 ? 8 : 1;
  return el("div.layer-card.hidden-layer", el("span", kindName(layer.kind)), remove,
    size && el("span.stepper", button(`fewer-${key}`, "−", () => resize(-by), { class: "tiny", "aria-label": word("One unit less") }), el("output", layer[size]), button(`more-${key}`, "+", () => resize(by), { class: "tiny", "aria-label": word("One unit more") })),
    layer.kind === "dropout" && el("b", `${Math.round(100 * (layer.rate ?? 0.2))} %`),
    layer.kind === "recurrent" && menu(`cell-${key}`, word("Cell"), CELLS, layer.cell ?? "simple_rnn", (v) => edit((s) => (s.layers[n].cell = v)), { hidden: true }),
    (layer.kind === "dense" || layer.kind === "conv2d") && activation(app, `activation-${key}`, layer.activation ?? "linear", (v) => edit((s) => (s.layers[n].activation = v))));
}

/** @param {Side} side @param {App} app @param {(change: (s: any) => void) => void} edit */
function adder(side, app, edit) {
  const images = isImages(side.state);
  const steps = isText(side.state) ? ["recurrent", "attention", "average"] : [];
  const kinds = ["dense", "dropout", "batch_norm", ...(images ? ["conv2d", "max_pool", "flatten"] : steps)];
  const add = (/** @type {string} */ kind) => kind && edit((s) => {
    s.layers = [...(s.layers ?? []), { ...FRESH[kind] }];
    if (images) s.layers.sort((/** @type {any} */ a, /** @type {any} */ b) => Number(isFlat(a)) - Number(isFlat(b)));
    forgetGiven(s);
  });
  if ((side.state.layers ?? []).length >= (app.hello?.limits.layers ?? 8)) return null;
  return menu(`add-${side.index}`, word("Add a layer"), [["", `+ ${word("layer")}`], ...kinds.map((k) => [k, kindName(k)])], "", add, { hidden: true, title: word("Add a layer") });
}

/** Layers that come after the maps were made flat. @param {any} layer */
function isFlat(layer) {
  return layer.kind === "dense" || layer.kind === "flatten";
}
