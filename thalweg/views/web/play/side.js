// One side of the page: a network, everything that was last heard of it, and its figures.
import { h } from "../dom.js";
import { drawCurves } from "../figures/curves.js";
import { drawLandscape } from "../figures/landscape.js";
import { drawNetwork } from "../figures/network.js";
import { drawSurface } from "../figures/surface.js";
import { numeral, percent } from "../format.js";
import { said } from "../words.js";
import { showArithmetic } from "./arithmetic.js";
import { drawingPad } from "./drawing.js";
import { layerBar } from "./layerbar.js";
import { phrase } from "./phrases.js";
import { copied } from "./states.js";

/** @typedef {import("./app.js").App} App */

/** Those that this page draws: the others needn't be loaded. @type {{ [kind: string]: Draw }} */
const DRAWN = { curves: drawCurves, landscape: drawLandscape, network: drawNetwork, surface: drawSurface };
const CURVES = ["loss", "val_loss", "metric", "val_metric"];
/** What the server has to compute for each panel. @type {{ [panel: string]: string[] }} */
const NEEDS = { network: ["units", "weights"], surface: ["surface"], landscape: ["landscape"], arithmetic: ["arithmetic"], curves: [], images: [] };

export class Side {
  /**
   * @param {App} app
   * @param {number} index
   * @param {any} state
   */
  constructor(app, index, state) {
    this.app = app;
    this.index = index;
    this.state = copied(state);
    /** @type {{ [name: string]: any }} */
    this.values = {};
    /** @type {{ [name: string]: number[] }} */
    this.points = { epochs: [] };
    /** @type {any} */
    this.selected = { layer: 0, unit: 0, row: 0 };
    /** Where the ball has been on the landscape. @type {number[]} */
    this.trail = [];
    this.waits = false; // for the frame that follows it
    /** @type {{ [kind: string]: Drawn & { body: HTMLElement } }} */
    this.figures = {};
    /** @type {Set<string>} */
    this.dirty = new Set();
    /** @type {Set<string>} */
    this.visible = new Set(Object.keys(NEEDS));
    this.element = h("div", { class: "side", "data-side": index, role: "region", "aria-label": "AB"[index] });
    /** @type {IntersectionObserver | null} */
    this.observer = null;
    /** @type {any} */
    this.pad = null;
    /** What the shared figures talk to. @type {Model} */
    this.model = {
      live: true,
      get: (name) => this.values[name],
      on: () => () => undefined,
      send: (message) => message.do === "select" && app.select({ layer: message.layer, unit: message.unit }, this),
    };
    this.build();
  }

  /** The panels, empty. Called again when the language changes. */
  build() {
    this.destroy();
    const panel = (/** @type {string} */ name, /** @type {any} */ title, /** @type {any} */ note) => {
      const body = h("div", { class: "panel-body" });
      this.places[name] = body;
      return h("div", { class: `panel panel-${name}`, "data-panel": name }, h("h3", {}, ...[title].flat()), name === "network" && (this.places.layers = h("div", { class: "layers" })), body, note && h("p", { class: "hint" }, note));
    };
    /** @type {{ [name: string]: HTMLElement }} */
    this.places = {};
    this.places.readouts = h("div", { class: "readouts", "aria-live": "off" });
    this.places.message = h("p", { class: "message", role: "alert", hidden: true });
    this.places.doctor = h("ul", { class: "doctor", "aria-label": phrase("doctor"), hidden: true });
    const network = panel("network", [phrase("network"), (this.places.parameters = h("small", {})), (this.places.adder = h("span", { class: "adder" }))], phrase("network_note"));
    const left = [network, panel("arithmetic", phrase("arithmetic"), phrase("arithmetic_note"))];
    const right = [panel("images", phrase("images"), ""), panel("surface", (this.places.surfaceTitle = h("span", {}, phrase("surface"))), ""), panel("curves", phrase("curves"), ""), panel("landscape", phrase("landscape"), phrase("landscape_note"))];
    const columns = [left, right].map((panels) => h("div", { class: "side-column" }, panels));
    this.element.replaceChildren(this.places.readouts, this.places.message, this.places.doctor, h("div", { class: "side-columns" }, columns));
    this.places.images.before((this.places.pad = h("div", { class: "pad-place" })));
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "100px" });
    for (const element of this.element.querySelectorAll(".panel")) this.observer.observe(element);
    this.renew();
  }

  /** Everything is drawn anew. */
  renew() {
    for (const name of [...Object.keys(NEEDS), "readouts", "layers", "doctor", "message"]) this.dirty.add(name);
    this.app.redraw();
  }

  destroy() {
    this.observer?.disconnect();
    for (const figure of Object.values(this.figures)) figure.destroy();
    this.figures = {};
    this.pad = null;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const { hidden, dataset } = /** @type {HTMLElement} */ (target);
      const name = dataset.panel ?? "";
      const seen = isIntersecting || hidden; // a panel without data is hidden until there are some
      if (seen) this.dirty.add(name);
      this.visible[seen ? "add" : "delete"](name);
    }
    this.want();
    this.app.redraw();
  }

  /** Asks for what can be seen, and for what a lesson's task needs. */
  want() {
    const what = new Set(["findings", "weights", ...[...this.visible].flatMap((name) => NEEDS[name] ?? [])]);
    if (this.app.lesson) what.add("arithmetic");
    const text = [...what].sort().join();
    if (text === this.wanted) return;
    /** @type {string | undefined} */
    this.wanted = text;
    this.app.send({ do: "want", side: this.index, what: [...what] });
  }

  /** Whether what is shown belongs to the state that the page has sent. */
  settled() {
    return !this.waits && this.values.status !== "building";
  }

  /**
   * Takes in a frame; what is absent in it has not changed.
   * @param {any} frame
   */
  receive(frame) {
    const { values } = this;
    if (frame.reset) {
      for (const name of ["input_maps", "landscape", "ball", "units", "surface", "line", "arithmetic", "drawing", "error", "sample"]) delete values[name];
      this.points = { epochs: [] };
      this.waits = false;
    }
    if (frame.state && !this.app.sending.has(this.index)) {
      this.state = frame.state;
      this.app.changed();
    }
    if (frame.state || frame.error) this.waits = false;
    const surface = frame.surface && { ...pick(values.surface, ["points", "labels", "held_points", "held_labels"]), ...frame.surface };
    const line = frame.line && { ...pick(values.line, ["points", "targets"]), ...frame.line };
    if (frame.curves) this.extend(frame.curves);
    if (frame.reset || frame.landscape?.loss) this.trail = frame.landscape?.path ? Array.from(frame.landscape.path) : [];
    if (frame.ball) this.roll(frame.ball);
    if (frame.state || frame.reset || frame.status === "playing") delete values.error;
    if (frame.arithmetic) this.selected = pick(frame.arithmetic, ["layer", "unit", "row"]);
    Object.assign(values, frame, surface && { surface }, line && { line });
    if (frame.facts) this.dirty.add("layers");
    this.dirty.add("readouts");
    if (frame.findings || frame.reset) this.dirty.add("doctor");
    this.dirty.add("message");
    for (const [name, keys] of Object.entries({ network: ["weights", "units", "reset", "sample"], surface: ["surface", "line", "reset"], curves: ["curves", "reset"], landscape: ["landscape", "ball", "reset"], arithmetic: ["arithmetic"], images: ["units", "sample", "drawing", "weights", "reset"] })) {
      if (keys.some((key) => frame[key] !== undefined)) this.dirty.add(name);
    }
  }

  /**
   * The ball's way, as far as a place is new on the picture.
   * @param {ArrayLike<number>} ball
   */
  roll(ball) {
    const [a, b] = this.trail.slice(-2);
    const [low, high] = [this.values.landscape?.a?.[0] ?? 0, this.values.landscape?.a?.at(-1) ?? 1];
    const least = (high - low) / 200;
    if (this.trail.length && Math.hypot(ball[0] - a, ball[1] - b) < least) return;
    if (this.trail.length < 4000) this.trail.push(ball[0], ball[1]);
  }

  /** @param {any} curves */
  extend(curves) {
    for (const name of ["epochs", ...CURVES]) {
      if (!curves[name]) continue;
      if (name === "epochs" && (this.points.epochs.length < 2) !== (curves.from + curves.epochs.length < 2)) this.forget("curves"); // a single point is drawn in another way
      this.points[name] = [...(this.points[name] ?? []).slice(0, curves.from), ...curves[name]];
    }
    this.metric = curves.metric_name ?? this.metric;
  }

  /** Draws what has changed and can be seen. */
  draw() {
    const act = /** @type {{ [name: string]: () => void }} */ ({
      readouts: () => this.showReadouts(), message: () => this.showMessage(), doctor: () => this.showDoctor(), layers: () => layerBar(this, this.app, this.places.layers),
      network: () => this.show("network", this.networkFigure()), surface: () => this.showSurface(), curves: () => this.show("curves", this.curvesFigure()),
      landscape: () => this.show("landscape", this.landscapeFigure()), arithmetic: () => showArithmetic(this, this.app, this.places.arithmetic), images: () => this.showImages(),
    });
    for (const name of [...this.dirty]) {
      if (NEEDS[name] && !this.visible.has(name)) continue;
      this.dirty.delete(name);
      act[name]?.();
    }
  }

  /**
   * A figure into the panel of the same name; null hides the panel.
   * @param {string} panel
   * @param {any} figure
   */
  show(panel, figure) {
    const place = this.places[panel];
    /** @type {HTMLElement} */ (place.parentElement).hidden = !figure;
    const drawn = this.figures[panel];
    if (drawn && drawn.body.dataset.kind === figure?.kind) return drawn.update(figure);
    this.forget(panel);
    if (!figure) return;
    const body = h("div", { class: "figure-body", "data-kind": figure.kind });
    place.replaceChildren(body);
    this.figures[panel] = { ...DRAWN[figure.kind](body, figure, this.model), body };
  }

  /** @param {string} panel */
  forget(panel) {
    this.figures[panel]?.destroy();
    delete this.figures[panel];
  }

  networkFigure() {
    const { facts, weights, biases, units, input_maps, sample, surface } = this.values;
    if (!facts || !weights) return null;
    const drawn = facts.layers.map((/** @type {any} */ l, /** @type {number} */ n) => ({ ...l, place: n })).filter((/** @type {any} */ l) => typeof l.weights === "number" && weights[l.weights]);
    const image = facts.shape.length === 3; // then the input is one picture
    const matrix = (/** @type {any} */ l, /** @type {number} */ n) => (image && !n && weights[l.weights].shape.length === 2 ? null : weights[l.weights]);
    const maps = (/** @type {any} */ l) => units?.find((/** @type {any} */ u) => u.layer === l.place)?.maps;
    const answers = image ? picture(sample?.y_pred) : answerMap(surface, facts);
    return {
      kind: "network",
      layers: [{ name: "", kind: "input", units: image ? 1 : facts.inputs.length }, ...drawn.map((/** @type {any} */ l) => ({ name: l.name, kind: l.kind, units: l.units, activation: l.activation }))],
      weights: drawn.map(matrix),
      biases: drawn.map((/** @type {any} */ l) => biases?.[l.weights] ?? null),
      input_names: image ? [facts.shape.slice(0, 2).join("×")] : facts.inputs,
      output_names: facts.classes && facts.task !== "binary" ? facts.classes : facts.targets,
      units: [image ? picture(sample?.x) : input_maps ?? null, ...drawn.map((/** @type {any} */ l, /** @type {number} */ n) => maps(l) ?? (n === drawn.length - 1 ? answers : null))],
      selected: this.selected,
      space: 60,
    };
  }

  showSurface() {
    const { surface, line, facts } = this.values;
    this.places.surfaceTitle.textContent = phrase(facts?.task === "numbers" ? "surface_numbers" : "surface");
    if (surface) return this.show("surface", { kind: "surface", class_names: facts?.classes ?? undefined, ...surface });
    if (!line) return this.show("surface", null);
    const answer = { name: { en: "y_predict", zh: "y_predict" }, y: line.y_pred, x: line.x };
    const points = line.points && line.targets ? [{ name: "y", x: line.points, y: line.targets, dots: true }] : [];
    this.show("surface", { kind: "curves", x: line.x, x_label: facts?.inputs[0] ?? "x", y_label: facts?.targets?.[0] ?? "y", series: [answer, ...points] });
  }

  curvesFigure() {
    const { epochs, loss, val_loss } = this.points;
    if (!epochs.length) return null;
    const held = val_loss?.some(Number.isFinite) ? [{ name: phrase("validation"), y: val_loss, dashed: true }] : [];
    return { kind: "curves", x: epochs, x_label: phrase("epoch"), y_label: phrase("loss"), series: [{ name: phrase("training"), y: loss }, ...held] };
  }

  landscapeFigure() {
    const { landscape, ball } = this.values;
    if (!landscape?.loss) return null;
    return { ...landscape, kind: "landscape", points: [], path: this.trail, ball };
  }

  showImages() {
    const { sample, drawing, weights, facts } = this.values;
    const images = facts?.shape?.length === 3;
    const panel = /** @type {HTMLElement} */ (this.places.images.parentElement);
    if (!images) return (panel.hidden = true);
    panel.hidden = false;
    const digits = this.state.data?.name === "digits";
    this.places.pad.hidden = !digits;
    if (digits && !this.pad) this.pad = drawingPad(this.places.pad, (image) => this.app.send({ do: "draw", side: this.index, image }));
    if (drawing) this.pad?.answer(drawing);
    const kernel = weights?.find((/** @type {any} */ w) => w.shape.length === 4);
    const maps = sample && [[phrase("image"), sample.x], [phrase("answer"), sample.y_pred], [phrase("target"), sample.y]].filter(([, values]) => values?.shape?.length >= 2);
    const grids = [...(kernel ? [[phrase("kernel"), first(kernel)]] : []), ...(maps ?? [])];
    this.places.images.replaceChildren(...grids.map(([title, values]) => grid(title, values)));
    return undefined;
  }

  showReadouts() {
    const { values } = this;
    const item = (/** @type {string} */ key, /** @type {string} */ label, /** @type {string} */ text) => h("span", { class: "readout-item", "data-readout": key }, h("span", {}, label), h("b", {}, text));
    const lost = values.status === "diverged";
    const share = (/** @type {string} */ key, /** @type {string} */ label) => (typeof values[key] === "number" ? [item(key, label, percent(values[key]))] : []);
    const number = (/** @type {string} */ key, /** @type {string} */ label) => (lost || typeof values[key] === "number" ? [item(key, label, lost ? "NaN" : numeral(values[key]))] : []);
    this.element.classList.toggle("is-lost", lost);
    this.places.readouts.replaceChildren(
      ...(this.app.sides.length > 1 ? [h("span", { class: `side-name tone-${"ab"[this.index]}` }, "AB"[this.index])] : []),
      item("epoch", phrase("epoch"), String(Math.floor(values.epoch ?? 0))), item("iteration", phrase("iteration"), numeral(values.iteration ?? 0)),
      ...number("loss_now", phrase("loss")), ...number("val_loss", phrase("val_loss")),
      ...share("accuracy", `${phrase("accuracy")} (${phrase("training")})`), ...share("val_accuracy", `${phrase("accuracy")} (${phrase("validation")})`), ...(lost ? [] : number("mae", phrase("mae"))),
    );
    this.places.parameters.textContent = values.facts ? phrase("parameters", numeral(values.facts.parameters)) : "";
  }

  showMessage() {
    const { error, status } = this.values;
    const text = error ? said(error) : status === "building" ? phrase("building") : "";
    const full = status === "diverged" ? `${phrase("diverged")}. ${text}` : text;
    const { message } = this.places;
    if (message.textContent !== full) message.textContent = full;
    message.hidden = !full;
    message.classList.toggle("is-error", Boolean(error) || status === "diverged");
  }

  showDoctor() {
    const findings = this.values.findings ?? [];
    this.places.doctor.hidden = !findings.length;
    this.places.doctor.replaceChildren(...findings.map(findingLine));
  }
}

/**
 * The surface as the map of the only output unit: a probability around ½, a number around 0.
 * @param {any} surface
 * @param {any} facts
 */
function answerMap(surface, facts) {
  if (surface?.values?.shape.length !== 2) return null;
  const middle = facts.task === "binary" ? 0.5 : 0;
  return Object.assign(Float32Array.from(surface.values, (v) => v - middle), { shape: [1, ...surface.values.shape] });
}

/** One map of a picture; its rows begin at the top, those of maps at the bottom. @param {any} values */
function picture(values) {
  if (!(values?.shape?.length >= 2)) return null;
  const [rows, columns] = values.shape;
  return Object.assign(Float32Array.from({ length: rows * columns }, (_, n) => values[(rows - 1 - Math.floor(n / columns)) * columns + (n % columns)]), { shape: [1, rows, columns] });
}

/** @param {Finding} f */
function findingLine(f) {
  return h("li", { class: `doctor-${f.severity}` }, h("b", {}, said(f.sentence)), " ", h("span", {}, `${said(f.evidence)} ${phrase("remedy")}${said(f.remedy)}`));
}

/** @param {any} value @param {string[]} keys */
function pick(value, keys) {
  return Object.fromEntries(keys.filter((key) => value?.[key] !== undefined).map((key) => [key, value[key]]));
}

/** The first kernel's first channel. @param {any} kernel (height, width, in, out) */
function first(kernel) {
  const [height, width, inputs, outputs] = kernel.shape;
  return Object.assign(Float32Array.from({ length: height * width }, (_, n) => kernel[n * inputs * outputs]), { shape: [height, width] });
}

/** A small matrix in shades, with its numbers where they fit. @param {any} title @param {any} values */
function grid(title, values) {
  const [rows, columns] = values.shape;
  const most = Math.max(1e-9, ...Array.from(values, (v) => Math.abs(/** @type {number} */ (v))));
  const cell = (/** @type {number} */ v) => h("span", { class: v < 0 ? "cell negative" : "cell", style: { "--share": (Math.abs(v) / most).toFixed(3) } }, columns <= 3 ? numeral(v, 2) : "");
  return h("div", { class: "grid-figure" }, h("h4", {}, title), h("div", { class: "cells", style: { "--columns": columns }, role: "img", "aria-label": `${title} ${rows}×${columns}` }, Array.from(values.slice(0, rows * columns), cell)));
}
