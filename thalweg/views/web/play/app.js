// The live page: one worker, one or two sides, and the panels around them.
import { h } from "../dom.js";
import { begins } from "../models/served.js";
import { dataOf, workerModel } from "../models/worker.js";
import { onSettings } from "../settings.js";
import { said, word } from "../words.js";
import { Attendance, enrolled } from "./classroom.js";
import { showKnobs, showTraining } from "./controls.js";
import { Worked } from "./convolution.js";
import { showData } from "./datapanel.js";
import { followLesson, showLesson } from "./lessons.js";
import { Side } from "./side.js";
import { copied, differences, unpackedLink } from "./states.js";
import { stopped } from "./stopped.js";
import { showTop } from "./top.js";
import { el, refill } from "./widgets.js";

const SEND_AFTER = 80; // ms: a slider that moves sends its state that often
const FRAME_PACE = 10; // epochs a second, of a network in another page
const REDUCED = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * A setting in which A and B differ.
 * @param {[string, any, any]} difference
 */
function differenceLine([path, ...values]) {
  const texts = values.map((v) => (v === null ? "–" : typeof v === "string" ? v : JSON.stringify(v)));
  const [a, b] = texts.map((text) => (text.length > 48 ? `${text.slice(0, 46)} …` : text));
  return el("li", el("code", path), " ", el("b.tone-a", a), " | ", el("b.tone-b", b));
}

export class App {
  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
    /** Within another page, at ?frame: what is shown of the network. @type {{ knobs: string[], show: string[] } | null} */
    this.frame = new URLSearchParams(location.search).has("frame") ? { knobs: ["rate"], show: ["network", "surface"] } : null;
    body.classList.toggle("in-frame", Boolean(this.frame));
    /** @type {any} */
    this.hello = null;
    /** @type {Side[]} */
    this.sides = [];
    this.active = 0;
    /** @type {any[]} */
    this.lessons = [];
    /** @type {any[]} */
    this.presets = [];
    /** @type {any} */
    this.map = null;
    /** @type {any} */
    this.lesson = null;
    /** @type {any} */
    this.preset = null;
    this.showsLessons = false;
    /** Lessons whose task is done. @type {Set<string>} */
    this.done = new Set();
    /** The choice that was made at a lesson's question. @type {Map<string, number>} */
    this.guesses = new Map();
    /** The lesson whose answer was asked for. @type {string | null} */
    this.revealed = null;
    this.whole = false; // whether a lesson stands above the whole page
    this.worked = new Worked();
    /** Fields in which a formula is being typed. @type {Set<string>} */
    this.typing = new Set();
    /** @type {Map<string, any>} */
    this.tables = new Map();
    this.uploadSaid = "";
    /** @type {number | null} */
    this.pace = 60;
    /** In a class, what its list is told. @type {Attendance | null} */
    this.attendance = null;
    /** In a class, whose page this is. @type {{ pupil: string, name: string } | null} */
    this.pupil = null;
    this.frames = 0;
    /** @type {(() => void)[]} */
    this.drawn = [];
    this.scheduled = false;
    this.stale = true; // the panels around the sides
    /** @type {Map<number, any>} */
    this.sending = new Map();
    this.serial = 0; // of the newest state of any side
    this.top = el("header.top");
    this.lessonPanel = h("div", { class: "lesson-panel", role: "region", "aria-label": word("Lessons"), hidden: true });
    this.notice = h("div", { class: "notice", hidden: true });
    this.knobs = h("div", { class: "knobs", role: "region", "aria-label": word("The four knobs") });
    this.dataPanel = el("div.panel.data-panel");
    this.training = el("div.fields");
    this.differs = h("div", { class: "differs", hidden: true });
    this.stage = h("div", { id: "stage" });
    this.beside = h("div", { class: "beside", hidden: true });
    this.toast = h("p", { class: "toast", role: "status", hidden: true });
    const settings = el("div.settings", this.dataPanel, h("details", { class: "panel training", open: innerWidth > 900 }, el("summary"), this.training));
    body.append(this.top, this.lessonPanel, this.notice, this.knobs, this.differs, el("div.workspace", settings, el("main", this.stage, this.beside)), this.toast);
    /** @type {any} */
    this.model = null;
    /** @type {Promise<void>} */
    this.greeted = Promise.resolve();
  }

  /** Reads what the page needs, and starts its worker. */
  async start() {
    [this.lessons, this.presets, this.map] = await Promise.all(["lessons", "presets", "map"].map(dataOf));
    const served = await begins();
    this.pupil = await enrolled(served?.class);
    if (served && this.pupil) {
      this.attendance = new Attendance(this, this.pupil);
      if (!(await this.attendance.takeSeat())) return;
    }
    this.model = workerModel(served);
    this.model.on("change:message", (/** @type {any} */ message) => (message.hello ? (this.greeted = this.greet(message.hello)) : this.greeted.then(() => this.receive(message))));
    this.model.on("change:closed", (/** @type {any} */ why) => stopped(this, why.reason));
    onSettings(() => this.rebuild());
    this.redraw();
  }

  /** Tells the teacher's list where this pupil is. */
  progress() {
    this.attendance?.tell();
  }

  /**
   * The worker's first word: what there is to choose, and where to begin.
   * @param {any} hello
   */
  async greet(hello) {
    const linked = await unpackedLink(location.hash).catch(() => this.tell(word("The state in this link can't be read; the usual one is shown.")));
    this.hello = hello; // from here on panels are drawn
    if (hello.source) this.tables.set(hello.source.id, hello.source);
    (linked?.sides ?? hello.initial).forEach((/** @type {any} */ state) => this.addSide(state));
    if (linked) this.sides.forEach((side) => this.post(side));
    this.setPace(this.pace);
    this.lesson = (!linked && this.lessons.find((l) => l.id === hello.lesson)) || null;
    this.preset = (!linked && this.presets.find((p) => p.id === hello.preset)) || null;
    this.showsLessons = Boolean(this.lesson);
    const chosen = this.lesson ?? this.preset;
    if (chosen?.pace) this.setPace(chosen.pace);
    if (this.frame) this.setPace(FRAME_PACE);
    if (this.frame && !REDUCED.matches) this.send({ do: "play" });
    this.body.dataset.ready = "true";
    this.rebuild();
  }

  /** @param {any} frame @returns {Promise<void>} kept once the frame has been drawn */
  receive(frame) {
    this.frames += 1;
    const side = this.sides[frame.side ?? 0];
    if (!side) return Promise.resolve();
    const before = side.values.status;
    side.receive(frame);
    // who is typing keeps the field, which can't be made anew
    if (frame.error || frame.state) document.activeElement?.closest(".formula input")?.setAttribute("aria-invalid", String(Boolean(frame.error)));
    if (frame.facts || frame.state || frame.error || side.values.status !== before) this.changed();
    return new Promise((resolve) => {
      this.drawn.push(resolve);
      this.redraw();
    });
  }

  /** Draws in the next animation frame, however often it is asked. */
  redraw() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (this.stale && this.hello) this.showPanels();
      for (const side of this.sides) side.draw();
      followLesson(this, this.lessonPanel);
      this.body.dataset.frames = String(this.frames);
      for (const done of this.drawn.splice(0)) done();
    });
  }

  /** The panels have to follow a new state. */
  changed() {
    this.stale = true;
    for (const side of this.sides) side.dirty.add("layers");
    this.redraw();
  }

  /** The lesson or frame whose needs alone are shown; null for the whole page. */
  focused() {
    if (this.frame) return this.frame;
    return this.whole || this.sides.length > 1 ? null : this.lesson;
  }

  /** @param {boolean} whole */
  showWhole(whole) {
    this.whole = whole;
    this.changed();
  }

  showPanels() {
    this.stale = false;
    const focused = this.focused();
    this.body.classList.toggle("in-lesson", Boolean(focused) && !this.frame);
    for (const side of this.sides) side.keep(focused?.show);
    showTop(this, this.top);
    showLesson(this, this.lessonPanel);
    this.showNotice();
    showKnobs(this, this.knobs);
    showData(this, this.dataPanel);
    /** @type {HTMLElement} */ (this.training.previousElementSibling).textContent = word("Training");
    showTraining(this, this.training);
    this.showDifferences();
    this.stage.classList.toggle("is-double", this.sides.length > 1);
    this.sides.forEach((side, n) => side.element.classList.toggle("is-active", this.sides.length > 1 && n === this.active));
  }

  showNotice() {
    this.notice.hidden = !this.preset;
    if (this.preset) this.notice.replaceChildren(el("h2", said(this.preset.title)), el("p", el("b", `${word("What to notice")}: `), said(this.preset.text)));
  }

  showDifferences() {
    this.differs.hidden = this.sides.length < 2;
    if (this.differs.hidden) return;
    const found = differences(this.sides[0].state, this.sides[1].state);
    const tab = (/** @type {number} */ n) => h("button", { type: "button", class: `tab tone-${"ab"[n]}`, "aria-pressed": String(n === this.active), onclick: () => this.activate(n) }, "AB"[n]);
    refill(this.differs, () => [h("span", { class: "tabs", role: "group" }, el("span", word("Settings of")), tab(0), tab(1)), el("span.differs-title", word("What differs")), el("ul", found.length ? found.slice(0, 12).map(differenceLine) : el("li", word("A and B are equal: change a setting of one of them.")))]);
  }

  /** Everything in other words or colours. */
  rebuild() {
    this.knobs.setAttribute("aria-label", word("The four knobs"));
    this.lessonPanel.setAttribute("aria-label", word("Lessons"));
    document.title = word("thalweg · live");
    for (const side of this.sides) side.build();
    this.changed();
  }

  /** The side whose settings are shown. */
  side() {
    return this.sides[this.active] ?? this.sides[0];
  }

  /** @returns {any} */
  state() {
    return this.side().state;
  }

  /** Whether the last state was refused. */
  get refused() {
    const { values } = this.side();
    return Boolean(values.error) && values.status !== "diverged";
  }

  /** @param {number} n */
  activate(n) {
    this.active = n;
    this.changed();
  }

  /** @param {{ [key: string]: any }} message */
  send(message) {
    if (message.do !== "state") this.flush(); // a step is one of the network that is shown
    this.model?.send(message);
  }

  /** Sends the states that wait for a slider to rest. */
  flush() {
    for (const [index, timer] of this.sending) {
      clearTimeout(timer);
      this.sending.delete(index);
      if (this.sides[index]) this.post(this.sides[index]);
    }
  }

  /**
   * Changes a side's state, and lets the server know.
   * @param {(state: any) => void} change
   * @param {Side} [side]
   */
  edit(change, side = this.side()) {
    const state = copied(side.state);
    change(state);
    side.state = state;
    side.wait();
    if (!this.sending.has(side.index)) this.sending.set(side.index, setTimeout(() => { this.sending.delete(side.index); this.post(side); }, SEND_AFTER));
    this.changed();
  }

  /** @param {Side} side */
  post(side) {
    side.wait();
    this.send({ do: "state", side: side.index, state: side.state, serial: side.posted });
  }

  /** @param {any} state */
  addSide(state) {
    const side = new Side(this, this.sides.length, state);
    this.sides.push(side);
    this.stage.append(side.element);
    return side;
  }

  /** A second side that begins as a copy of the first, or its end. */
  toggleCompare() {
    if (this.sides.length > 1) this.dropSecond();
    else {
      this.post(this.addSide(this.sides[0].state));
      this.active = 1;
    }
    this.changed();
  }

  dropSecond() {
    const side = this.sides[1];
    if (!side) return;
    side.destroy();
    side.element.remove();
    this.sides.length = 1;
    this.active = 0;
    clearTimeout(this.sending.get(1));
    this.sending.delete(1);
    this.send({ do: "state", side: 1, state: null });
  }

  /**
   * The states of a lesson or preset, from the beginning.
   * @param {any[]} states
   * @param {number} pace
   */
  begin(states, pace) {
    this.send({ do: "pause" });
    if (states.length < 2) this.dropSecond();
    this.typing.clear();
    states.forEach((state, n) => {
      const side = this.sides[n] ?? this.addSide(state);
      side.state = copied(state);
      side.selected = { layer: 0, unit: 0, row: 0 };
      this.post(side);
      this.send({ do: "select", side: n, layer: 0, unit: 0, row: 0 });
      side.wait();
      this.send({ do: "reset", side: n, serial: side.posted });
    });
    this.setPace(pace);
    this.active = 0;
    this.changed();
  }

  /** @param {string} id */
  openLesson(id) {
    this.lesson = this.lessons.find((l) => l.id === id) ?? null;
    this.showsLessons = true;
    this.preset = null;
    if (!this.lesson) return this.changed();
    this.done.delete(id);
    this.progress();
    this.guesses.delete(id);
    this.revealed = null;
    this.worked = new Worked();
    this.begin([this.lesson.state], this.lesson.pace);
    this.sides[0].want();
    scrollTo({ top: 0 });
  }

  /** Opens the first lesson that isn't done, or leaves the lessons. */
  toggleLessons() {
    if (!this.showsLessons) return this.openLesson((this.lessons.find((l) => !this.done.has(l.id)) ?? this.lessons[0]).id);
    this.showsLessons = false;
    this.lesson = null;
    this.sides[0].want();
    this.changed();
  }

  /** @param {string} id */
  openPreset(id) {
    this.preset = this.presets.find((p) => p.id === id) ?? null;
    this.lesson = null;
    this.showsLessons = false;
    if (this.preset) this.begin(this.preset.states, this.preset.pace);
    this.changed();
  }

  /** Tells a lesson's answer. @param {string} id */
  reveal(id) {
    this.revealed = id;
    this.changed();
  }

  /** @param {string} id */
  finish(id) {
    this.done.add(id);
    this.progress();
    this.changed();
  }

  playing() {
    return this.sides.some((side) => side.values.status === "playing");
  }

  toggle() {
    this.send({ do: this.playing() ? "pause" : "play" });
  }

  /** @param {number | null} pace epochs a second; null: as fast as it goes */
  setPace(pace) {
    this.pace = pace;
    this.send({ do: "pace", epochs: pace });
  }

  /** @param {{ layer?: number, unit?: number, row?: number }} change @param {Side} [side] */
  select(change, side = this.side()) {
    if (this.frame) { // a unit's arithmetic, until it is clicked again
      const again = change.layer === side.selected.layer && change.unit === side.selected.unit && this.frame.show.includes("arithmetic");
      this.frame.show = ["network", again ? "surface" : "arithmetic"];
    }
    Object.assign(side.selected, change);
    this.send({ do: "select", side: side.index, ...side.selected });
    side.dirty.add("network");
    this.changed();
  }

  /** A text that the network is to read instead of a row; an empty one gives the row back. @param {Side} side @param {string} text */
  say(side, text) {
    this.send({ do: "select", side: side.index, said: text });
  }

  /** @param {string} key @param {boolean} on */
  type(key, on) {
    this.typing[on ? "add" : "delete"](key);
    this.changed();
  }

  /** @param {File} file */
  async upload(file) {
    this.uploadSaid = word("Reading {0} …", file.name);
    this.changed();
    const result = await this.model.upload(file).catch(() => ({ error: word("`thalweg play` has ended, or this machine can't reach it: it would read the file.") }));
    this.uploadSaid = result.error ? said(result.error) : "";
    if (result.table) {
      this.tables.set(result.table.id, result.table);
      this.edit((s) => {
        s.data = { name: "table", source: result.table.id, target: result.table.target };
        s.layers = (s.layers ?? []).filter((/** @type {any} */ l) => l.kind === "dense" || l.kind === "dropout");
        if (!s.layers.length) s.layers = [{ kind: "dense", units: 8, activation: "tanh" }];
        Object.assign(s, { output: { activation: "auto" }, loss: "auto" });
        for (const layer of s.layers) delete layer.weights;
        delete s.inputs;
        delete s.plane;
      });
    }
    this.changed();
  }

  /**
   * A sentence at the foot of the page; good news go by themselves.
   * @param {string} text
   * @param {boolean} [good]
   * @returns {null}
   */
  tell(text, good = false) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    this.toast.classList.toggle("is-good", good);
    if (good) setTimeout(() => this.toast.textContent === text && (this.toast.hidden = true), 5000);
    return null;
  }
}
