// One side of the page: a network, everything that was last heard of it, and its figures.
import { fading, h } from "../dom.js";
import { drawCurves } from "../figures/curves.js";
import { drawLandscape } from "../figures/landscape.js";
import { drawMatrix } from "../figures/matrix.js";
import { drawNetwork } from "../figures/network.js";
import { drawSurface } from "../figures/surface.js";
import { said, word } from "../words.js";
import { showArithmetic } from "./arithmetic.js";
import { FIGURES_OF, noteOn, showImages, showMessage, showReadouts } from "./contents.js";
import { layerBar } from "./layerbar.js";
import { showReading } from "./reading.js";
import { copied, differences } from "./states.js";
import { el } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

/** Those that this page draws: the others needn't be loaded. @type {{ [kind: string]: Draw }} */
const DRAWN = { curves: drawCurves, landscape: drawLandscape, matrix: drawMatrix, network: drawNetwork, surface: drawSurface };
const CURVES = ["loss", "val_loss", "metric", "val_metric"];
/** What each panel is drawn of. @type {{ [panel: string]: string[] }} */
const MADE_OF = {
  readouts: ["frame"], message: ["frame"], doctor: ["findings"], layers: ["facts"], network: ["weights", "units", "sample"], surface: ["surface", "line"],
  curves: ["curves"], landscape: ["landscape", "ball"], arithmetic: ["arithmetic"], images: ["sample", "drawing", "weights"],
  reading: ["reading"], states: ["reading"], attention: ["reading"],
};
/** What the server has to compute for those that can be out of sight. @type {{ [panel: string]: string[] }} */
const NEEDS = { network: ["units"], surface: ["surface"], landscape: ["landscape"], arithmetic: ["arithmetic"], curves: [], images: ["surface"], reading: ["reading"], states: ["reading"], attention: ["reading"] };
const READABLE = 120; // ms: numbers that change more often can't be read
const LASTING = ["points", "labels", "held_points", "held_labels", "targets"]; // of a surface or line: told once

export class Side {
  /** @param {App} app @param {number} index @param {any} state */
  constructor(app, index, state) {
    this.app = app;
    this.index = index;
    this.state = copied(state);
    /** The last that was heard of each thing. @type {{ [name: string]: any }} */
    this.values = {};
    /** @type {{ [name: string]: number[] }} */
    this.points = { epochs: [] };
    /** @type {any} */
    this.selected = { layer: 0, unit: 0, row: 0 };
    /** Where the ball has been on the landscape. @type {number[]} */
    this.trail = [];
    this.posted = 0; // the number of the newest state, which the answer to it bears
    /** @type {{ [kind: string]: Drawn & { kind: string } }} */
    this.figures = {};
    /** @type {Set<string>} */
    this.dirty = new Set();
    /** @type {Set<string>} */
    this.visible = new Set(Object.keys(NEEDS));
    this.wanted = "";
    this.written = 0; // when the arithmetic was
    this.kept = false; // whether the landscape is that of a former course
    /** @type {{ [name: string]: HTMLElement }} */
    this.places = {};
    this.element = h("div", { class: "side", "data-side": index, role: "region", "aria-label": "AB"[index], "aria-busy": "true" });
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "100px" });
    /** @type {any} */
    this.pad = null;
    /** @type {any} */
    this.reader = null;
    /** What the shared figures talk to. @type {Model} */
    this.model = {
      live: true,
      get: (name) => this.values[name],
      on: () => () => undefined,
      send: ({ layer, unit }) => app.select({ layer, unit }, this),
    };
    this.build();
  }

  /** The panels, empty. Called again when the language changes. */
  build() {
    this.destroy();
    const { places } = this;
    const place = (/** @type {string} */ name, /** @type {string} */ kind) => (places[name] = el(kind));
    const panel = (/** @type {string} */ name, /** @type {string} */ title, /** @type {any[]} */ above, /** @type {string} */ note = "") =>
      h("div", { class: `panel panel-${name}`, "data-panel": name }, el("h3", el("span", title), above[0]), above[1], place(name, "div.panel-body"), note && el("p.hint", note));
    const head = [place("parameters", "small"), place("adder", "span.adder")];
    const left = [
      panel("reading", word("What it reads"), []), panel("states", word("States over the steps"), [], word("A line for each unit, a column for each letter. Blue is above 0, orange below.")),
      panel("attention", word("Attention"), [], word("A line for each word: how much it looks at each other one. A line adds up to 1.")),
      panel("network", word("Network"), [head, fading(place("layers", "div.layers"))], noteOn("network")),
      panel("arithmetic", word("This step's arithmetic"), [], word("One step of gradient descent on this row alone, at the weights now.")),
    ];
    const right = [
      panel("images", word("The selected row"), [null, place("pad", "div")]), panel("surface", word("Prediction"), []), panel("curves", word("Loss"), []),
      panel("landscape", word("Loss landscape"), [], noteOn("landscape")),
    ];
    this.element.replaceChildren(place("readouts", "div.readouts"), place("message", "p.message"), place("doctor", "ul.doctor"), el("div.side-columns", el("div.side-column", left), el("div.side-column", right)));
    places.message.setAttribute("role", "alert");
    for (const element of this.element.querySelectorAll(".panel")) this.observer.observe(element);
    for (const name of Object.keys(MADE_OF)) this.dirty.add(name);
    this.app.redraw();
  }

  destroy() {
    this.observer.disconnect();
    for (const panel of Object.keys(this.figures)) this.forget(panel);
    this.pad = this.reader = null;
  }

  /** Shows these panels alone, in this order; all without. @param {string[]} [names] */
  keep(names) {
    for (const panel of /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll(".panel"))) {
      const place = names?.indexOf(panel.dataset.panel ?? "") ?? 0;
      panel.classList.toggle("is-off", place < 0);
      panel.style.order = names ? String(place) : "";
    }
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const { hidden, dataset, classList } = /** @type {HTMLElement} */ (target);
      const name = dataset.panel ?? "";
      const seen = isIntersecting || (hidden && !classList.contains("is-off")); // a panel without data is hidden until there are some
      if (seen) this.dirty.add(name);
      this.visible[seen ? "add" : "delete"](name);
    }
    this.want();
    this.app.redraw();
  }

  /** Asks for what can be seen, and for what a lesson's task needs. */
  want() {
    const what = [...new Set(["findings", "weights", this.app.lesson ? "arithmetic" : "weights", ...[...this.visible].flatMap((name) => NEEDS[name] ?? [])])];
    if (what.sort().join() === this.wanted) return;
    this.wanted = what.join();
    this.app.send({ do: "want", side: this.index, what });
  }

  /** Whether what is shown belongs to the state that the page has sent. */
  settled() {
    return this.values.serial === this.posted && this.values.status !== "building";
  }

  /** The state has changed; what is shown is that of the last one until the server has answered. */
  wait() {
    this.posted = ++this.app.serial;
    this.element.setAttribute("aria-busy", "true");
  }

  /**
   * Takes in a frame; what is absent in it has not changed.
   * @param {any} frame
   */
  receive(frame) {
    const { values } = this;
    this.keepLandscape(frame);
    if (frame.reset) {
      for (const name of ["input_maps", this.kept ? "" : "landscape", "ball", "units", "surface", "line", "arithmetic", "drawing", "sample", "findings", "reading"]) delete values[name];
      this.reader = null;
      for (const name of ["states", "attention"]) this.show(name, null); // the new network may have none
      this.points = { epochs: [] };
    }
    if (frame.state && frame.serial === this.posted) this.state = frame.state; // not an older one
    if (frame.state || frame.status === "playing") delete values.error;
    for (const name of ["surface", "line"]) {
      if (frame[name]) frame[name] = { ...pick(values[name], LASTING), ...frame[name] };
    }
    Object.assign(values, frame);
    if (frame.curves) this.extend(frame.curves);
    if (frame.reset || frame.landscape?.loss) this.trail = Array.from(frame.landscape?.path ?? []);
    if (frame.ball) this.roll(frame.ball);
    if (frame.arithmetic) this.selected = pick(frame.arithmetic, ["layer", "unit", "row"]);
    for (const [name, keys] of Object.entries(MADE_OF)) {
      if (frame.reset || keys.some((key) => frame[key] !== undefined)) this.dirty.add(name);
    }
  }

  /**
   * A landscape over the weights themselves is the same wherever they begin: it stays until the server has drawn it anew, and the
   * ball goes where the weights are.
   * @param {any} frame
   */
  keepLandscape(frame) {
    const { values } = this;
    const same = () => differences(values.state, frame.state).every(([path]) => /^(output\.(weights|bias)|seed)$/.test(path));
    if (frame.reset) this.kept = Boolean(values.landscape?.loss && values.state && frame.state && frame.facts.parameters === 2 && same());
    if (frame.landscape?.loss) this.kept = false;
    if (!this.kept) return;
    delete frame.landscape;
    const place = [...(frame.weights?.[0] ?? []), ...(frame.biases?.[0] ?? [])];
    if (place.length === 2) frame.ball ??= [...place, frame.loss];
  }

  /**
   * The ball's way, as far as a place is new on the picture.
   * @param {ArrayLike<number>} ball
   */
  roll(ball) {
    const [a, b] = this.trail.slice(-2);
    const axis = this.values.landscape?.a ?? [0, 1];
    const least = (axis[axis.length - 1] - axis[0]) / 200;
    if (this.trail.length < 4000 && !(Math.hypot(ball[0] - a, ball[1] - b) < least)) this.trail.push(ball[0], ball[1]);
  }

  /** @param {any} curves */
  extend(curves) {
    if (curves.from < 2) this.forget("curves"); // a single point is drawn in another way
    for (const name of ["epochs", ...CURVES]) {
      if (curves[name]) this.points[name] = [...(this.points[name] ?? []).slice(0, curves.from), ...curves[name]];
    }
  }

  /** Draws what has changed and can be seen. */
  draw() {
    const { places, values, app } = this;
    const act = /** @type {{ [name: string]: () => any }} */ ({
      readouts: () => showReadouts(this), message: () => showMessage(places.message, values), layers: () => layerBar(this, app, places.layers),
      doctor: () => places.doctor.replaceChildren(...(values.findings ?? []).map(findingLine)),
      arithmetic: () => showArithmetic(this, app, places.arithmetic), images: () => showImages(this), reading: () => showReading(this),
    });
    for (const name of this.dirty) {
      if (NEEDS[name] && !this.visible.has(name)) continue;
      if (name === "arithmetic" && values.status === "playing" && !(performance.now() - this.written > READABLE)) continue;
      if (name === "arithmetic") this.written = performance.now();
      this.dirty.delete(name);
      if (FIGURES_OF[name]) this.show(name, FIGURES_OF[name](this));
      else act[name]();
    }
    if (this.settled() && values.status) this.element.setAttribute("aria-busy", "false");
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
    if (drawn && drawn.kind === figure?.kind) return drawn.update(figure);
    this.forget(panel);
    if (figure) this.figures[panel] = { ...DRAWN[figure.kind](place, figure, this.model), kind: figure.kind };
  }

  /** @param {string} panel */
  forget(panel) {
    this.figures[panel]?.destroy();
    delete this.figures[panel];
  }
}

/** @param {any} value @param {string[]} keys */
function pick(value, keys) {
  return Object.fromEntries(keys.filter((key) => value?.[key] !== undefined).map((key) => [key, value[key]]));
}

/** @param {Finding} f */
function findingLine(f) {
  return h("li", { class: `doctor-${f.severity}` }, el("b", said(f.sentence)), el("p.hint", said(f.evidence)), el("p.hint", word("Try: "), said(f.remedy)));
}
