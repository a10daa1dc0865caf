// Which data: the small sets, digits, and one's own table with its columns.
import { h, scroller } from "../dom.js";
import { said, word } from "../words.js";
import { numeral, percent } from "../format.js";
import { sketch } from "./pictures.js";
import { forgetGiven, isImages, isPlanar, isText } from "./states.js";
import { button, el, menu, refill, slider } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

const NOISES = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1];
const ROWS = [20, 40, 60, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000, 5000];
const WINDOWS = [1, 2, 4, 6, 8, 10, 12, 16, 20, 30, 40];
const SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/** @param {App} app @param {HTMLElement} panel */
export function showData(app, panel) {
  refill(panel, () => {
    const { data } = app.state();
    const name = data?.name;
    return [
      h("div", { class: "datasets", role: "group", "aria-label": word("Data") }, Object.keys(app.hello.choices.data).filter((n) => n !== "given" && n !== "table").map((n) => dataButton(app, n, n === name))),
      uploadButton(app),
      name === "table" ? tablePanel(app) : name === "given" ? givenTable(app) : isText(app.state()) ? textPanel(app) : samplePanel(app),
      isPlanar(app.state()) && inputPanel(app),
    ];
  });
}

/** @param {App} app @param {string} name @param {boolean} pressed */
function dataButton(app, name, pressed) {
  const title = said(app.hello.choices.data[name].title);
  return button(`data-${name}`, [sketch(name), el("span", title)], () => chooseData(app, name), { "aria-pressed": String(pressed), title });
}

/**
 * Other data: what fits only the former ones goes.
 * @param {App} app
 * @param {string} name
 */
function chooseData(app, name) {
  app.edit((state) => {
    const before = state.data ?? {};
    const images = isImages(state);
    const was = before.name;
    const texts = isText(state);
    const kept = texts || ["given", "table", "digits", "edges"].includes(was) ? {} : { noise: before.noise, rows: before.rows, share: before.share, seed: before.seed };
    state.data = { name, ...(["digits", "edges", "text", "sentences"].includes(name) ? {} : JSON.parse(JSON.stringify(kept))) };
    delete state.inputs;
    delete state.plane;
    forgetGiven(state);
    if (name === "edges") {
      state.layers = [{ kind: "conv2d", filters: 1, kernel_size: 3, padding: "valid", activation: "linear", use_bias: false }];
      state.output = null;
      state.loss = "auto";
      return;
    }
    if (name === "text" || name === "sentences") {
      const reads = name === "text" ? [{ kind: "recurrent", cell: "gru", units: 16 }] : [{ kind: "attention", heads: 1, units: 8 }, { kind: "average" }];
      state.layers = [{ kind: "embedding", units: 8 }, ...reads];
      state.output = { activation: "auto" };
      state.loss = "auto";
      return;
    }
    if (images || texts || !state.output) state.layers = (state.layers ?? []).filter((/** @type {any} */ l) => l.kind === "dense" || l.kind === "dropout");
    if (!state.layers?.length) state.layers = [{ kind: "dense", units: name === "digits" ? 32 : 4, activation: "tanh" }];
    state.output = { activation: "auto" };
    state.loss = "auto";
  });
}

/** @param {App} app */
function samplePanel(app) {
  const { data } = app.state();
  const defaults = app.hello?.choices.data[data.name]?.options ?? {};
  const value = (/** @type {string} */ key, /** @type {number} */ usual) => data[key] ?? defaults[key] ?? usual;
  const set = (/** @type {string} */ key) => (/** @type {any} */ v) => app.edit((s) => (s.data[key] = v));
  const images = isImages(app.state());
  const most = images ? 1797 : app.hello?.limits.rows ?? 5000;
  const rows = ROWS.filter((n) => n < most).concat(images ? most : ROWS.filter((n) => n === most));
  return [
    !images && slider("noise", word("Noise"), value("noise", 0.1), NOISES, set("noise")),
    slider("rows", word("Rows"), value("rows", 300), rows, set("rows"), String),
    slider("share", word("Validation share"), value("share", 0.3), SHARES, set("share"), percent),
    ["blobs", "spiral"].includes(data.name) && slider("classes", word("Classes"), value("classes", 2), [2, 3, 4, 5, 6], set("classes"), String),
    button("new-data", word("New sample"), () => app.edit((s) => (s.data.seed = (s.data.seed ?? 0) + 1)), { class: "quiet" }),
  ];
}

/** How much of a text comes before the next letter. @param {App} app */
function textPanel(app) {
  const { data } = app.state();
  const set = (/** @type {string} */ key) => (/** @type {any} */ v) => app.edit((s) => (s.data[key] = v));
  const options = app.hello.choices.data[data.name].options;
  return [
    data.name === "text" && slider("window", word("Letters before the next one"), data.window ?? options.window, WINDOWS, set("window"), String),
    slider("share", word("Validation share"), data.share ?? options.share, SHARES, set("share"), percent),
  ];
}

/** The features that enter the network. @param {App} app */
function inputPanel(app) {
  const all = app.hello?.choices.inputs ?? [];
  const chosen = app.state().inputs ?? ["x0", "x1"];
  const toggle = (/** @type {string} */ name) =>
    app.edit((s) => {
      const next = chosen.includes(name) ? chosen.filter((/** @type {string} */ n) => n !== name) : all.filter((/** @type {string} */ n) => n === name || chosen.includes(n));
      if (!next.length) return;
      s.inputs = next;
      s.layers?.[0] && delete s.layers[0].weights;
      forgetGiven(s);
    });
  return h("div", { class: "chips", role: "group", "aria-label": word("Inputs") }, el("span.chips-title", word("Inputs")),
    all.map((/** @type {string} */ name) => button(`input-${name}`, name, () => toggle(name), { class: "chip", "aria-pressed": String(chosen.includes(name)) })));
}

/** @param {App} app */
function uploadButton(app) {
  const input = h("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", hidden: true, id: "upload", onchange: () => input.files[0] && app.upload(input.files[0]) });
  return el("div.upload", button("upload", word("Your CSV…"), () => input.click(), { class: "quiet", "aria-pressed": String(app.state().data?.name === "table") }), input, h("p", { class: "hint", id: "upload-said", role: "status" }, app.uploadSaid));
}

/** @param {App} app */
function tablePanel(app) {
  const { data, plane } = app.state();
  const table = app.tables.get(data.source);
  if (!table) return null;
  const usable = table.columns.filter((/** @type {any} */ c) => c.usable);
  const target = data.target ?? table.target;
  const features = usable.filter((/** @type {any} */ c) => c.name !== target);
  const chosen = data.columns ?? features.map((/** @type {any} */ c) => c.name);
  const toggle = (/** @type {string} */ name) =>
    app.edit((s) => {
      const next = features.map((/** @type {any} */ c) => c.name).filter((/** @type {string} */ n) => (n === name ? !chosen.includes(n) : chosen.includes(n)));
      if (!next.length) return;
      s.data.columns = next;
      s.plane = null;
    });
  const names = (/** @type {any[]} */ columns) => columns.map((c) => [c.name, c.name]);
  const axes = plane ?? app.side().values.surface?.names ?? [];
  const numeric = features.filter((/** @type {any} */ c) => chosen.includes(c.name) && c.kind === "number");
  const axis = (/** @type {number} */ n) => menu(`axis-${n}`, `${word("Axes of the picture")} ${n + 1}`, names(numeric), axes[n], (v) => app.edit((s) => (s.plane = n ? [axes[0], v] : [v, axes[1]])), { hidden: true });
  return [
    el("p.hint", `${table.name} · ${table.of > table.rows ? word("{0} rows, drawn at random from {1}", numeral(table.rows), numeral(table.of)) : word("{0} rows", numeral(table.rows))}`),
    menu("target", word("Target"), names(usable), target, (v) => app.edit((s) => { s.data.target = v; delete s.data.columns; delete s.data.task; s.plane = null; s.output = { activation: "auto" }; s.loss = "auto"; })),
    h("div", { class: "chips columns-chosen", role: "group", "aria-label": word("Columns") }, el("span.chips-title", word("Columns")),
      features.map((/** @type {any} */ c) => button(`column-${c.name}`, c.name, () => toggle(c.name), { class: "chip", title: c.kind, "aria-pressed": String(chosen.includes(c.name)) }))),
    numeric.length > 2 && axes.length === 2 && el("div.field", el("span", word("Axes of the picture")), el("div.inline", axis(0), axis(1))),
    slider("share", word("Validation share"), data.share ?? 0.3, SHARES, (v) => app.edit((s) => (s.data.share = v)), percent),
  ];
}

/** The rows that a lesson has written down; a click chooses one. @param {App} app */
function givenTable(app) {
  const { data } = app.state();
  const names = [...(data.names ?? data.x[0].map((/** @type {any} */ _, /** @type {number} */ i) => `x${i + 1}`)), ...(data.target_names ?? ["y"])];
  const row = app.side().selected.row;
  const cells = (/** @type {number} */ n) => [...data.x[n], ...[data.y[n]].flat()];
  return scroller({ class: "given-rows" }, h("table", {},
    el("thead", el("tr", names.map((n) => el("th", n)))),
    el("tbody", data.x.map((/** @type {any} */ _, /** @type {number} */ n) =>
      h("tr", { class: n === row ? "chosen" : null, tabindex: 0, "data-key": `row-${n}`, "aria-current": n === row ? "true" : null,
        onclick: () => app.select({ row: n }), onkeydown: (/** @type {KeyboardEvent} */ e) => e.key === "Enter" && app.select({ row: n }) }, cells(n).map((v) => el("td", numeral(v))))))));
}
