// The lessons: a paragraph, a question to think about, a task that is checked in every frame, and the NumPy lines beside the live numbers.
import { fading, h, scroller } from "../dom.js";
import { numeral } from "../format.js";
import { language } from "../settings.js";
import { said, word } from "../words.js";
import { workedPanel } from "./convolution.js";
import { at } from "./states.js";
import { button, el, refill } from "./widgets.js";

/**
 * @typedef {import("./side.js").Side} Side
 * @typedef {import("./app.js").App} App
 */

/** @type {{ [sign: string]: (a: any, b: any) => boolean }} */
const SIGNS = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b };

/** The places of the page's documentation; empty where nobody has published it. */
export const DOCUMENTATION = document.querySelector("meta[name=documentation]")?.getAttribute("content") ?? "";

/**
 * The address of one of its pages in the reader's language, such as "tutorial#loss".
 * @param {string} page
 */
export function documented(page) {
  const [name, anchor] = page.split("#");
  return `${DOCUMENTATION}${name}${language() === "zh" ? ".zh" : ""}.html${anchor ? `#${anchor}` : ""}`;
}

/**
 * A value that a task or a line asks for: of the frame, of the arithmetic, or "state.…"; "worked.…" of the worked convolution.
 * @param {Side} side
 * @param {string} name
 * @returns {any}
 */
export function asked(side, name) {
  const { values, state } = side;
  const a = values.arithmetic ?? {};
  if (name.startsWith("state.")) return at(state, name.slice(6));
  if (name.startsWith("worked.")) return at(side.app.worked.values(), name.slice(7));
  if (name.startsWith("weights.") || name.startsWith("reading.")) return at(values, name);
  if (name === "slope_w") return a.del_w && a.del_w.map((/** @type {number} */ v) => -v / values.facts.rows);
  if (name === "slope_b") return a.del_b === undefined ? undefined : -a.del_b / values.facts.rows;
  if (name === "abs_error") return a.error === undefined ? undefined : Math.abs(a.error);
  if (name === "loss") return values.loss_now ?? values.loss;
  return values[name] ?? a[name] ?? values.facts?.[name];
}

/**
 * Whether every condition of a task holds now.
 * @param {Side} side
 * @param {[string, string, any][]} check
 */
export function solved(side, check) {
  return check.every(([name, sign, than]) => {
    const value = asked(side, name);
    const given = value !== undefined && !Number.isNaN(value) && (value !== null || than === null);
    return given && SIGNS[sign](value, than);
  });
}

/** @param {any} value */
function shown(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return numeral(value);
  if (typeof value === "string") return value;
  if (value.length === 1) return numeral(value[0]);
  const numbers = Array.from(value.slice(0, 9), (v) => numeral(/** @type {number} */ (v)));
  if (value.length === 9) return [0, 3, 6].map((n) => numbers.slice(n, n + 3).map((text) => text.padStart(9, "\u00a0")).join("")).join("\n"); // a kernel
  return `[${numbers.join(", ")}${value.length > 9 ? ", …" : ""}]`;
}

/**
 * The strip of lessons, and the one that is open.
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function showLesson(app, panel) {
  const lesson = app.lesson;
  panel.hidden = !app.showsLessons;
  showLines(app.beside, app);
  if (panel.hidden) return panel.replaceChildren();
  refill(panel, () => [
    h("nav", { class: "lesson-nav", "aria-label": word("Lessons") }, fading(el("ol.lesson-strip", app.lessons.map((l, n) => el("li", button(`lesson-${l.id}`, [el("span.number-badge", app.done.has(l.id) ? "✓" : n + 1), el("span", said(l.title))], () => app.openLesson(l.id), { "aria-current": l === lesson ? "step" : null, class: app.done.has(l.id) ? "done" : null })))))),
    lesson && el("section.lesson-text", el("h2", said(lesson.title)), el("p", said(lesson.text)), task(app, lesson), more(app, lesson)),
  ]);
  const strip = /** @type {HTMLElement} */ (panel.querySelector(".lesson-strip"));
  const current = /** @type {HTMLElement | null} */ (strip.querySelector("[aria-current]"));
  if (current) strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.clientWidth) / 2;
  followLesson(app, panel);
}

/** What stands with the pictures: a worked example, and the lines of NumPy. @param {HTMLElement} place @param {App} app */
function showLines(place, app) {
  const { lesson } = app;
  place.hidden = !lesson;
  refill(place, () => [
    lesson?.worked && workedPanel(app),
    lesson && el("section.numpy", el("h3", word("In Python, with the numbers now")), scroller({}, el("table", el("tbody", lesson.code.map(codeLine)))), h("p", { class: "hint invalid", hidden: true }, word("These lines are of the lesson's own network: start again to see them."))),
  ]);
}

/** The rest of the page, and where to read on. @param {App} app @param {any} lesson */
function more(app, lesson) {
  const link = (/** @type {string} */ text, /** @type {string} */ address) => h("a", { href: address, target: "_blank", rel: "noopener" }, text);
  const links = DOCUMENTATION && [link(word("Tutorial"), documented(lesson.page)), link(word("Glossary"), `${DOCUMENTATION}glossary.html`), link(word("Reference"), `${DOCUMENTATION}reference.html`)];
  return el("p.inline.lesson-more", app.sides.length < 2 && button("whole", app.whole ? word("Only what the lesson needs") : word("Show the whole page"), () => app.showWhole(!app.whole), { class: "quiet", "aria-pressed": String(app.whole) }), links);
}

/** @param {{ line: string, show?: string }} one */
function codeLine(one) {
  return el("tr", el("td", h("code", { class: "numpy-line", "data-line": one.line })), el("td", one.show && h("code", { class: "numpy-value", "data-show": one.show })));
}

/**
 * A line as it is for the network now: {error_term} is the server's line for it, {learning_rate} the number.
 * @param {Side} side
 * @param {string} line
 */
function written(side, line) {
  const code = side.values.arithmetic?.code ?? {};
  if (line.includes("{epoch}")) line = line.replace("{epoch}", String(Math.floor(side.values.epoch ?? 0)));
  return line.replace(/\{([\w.]+)\}/g, (_, name) => code[name] ?? String(asked(side, `state.${name}`) ?? ""));
}

/** The question comes first; the answer when the task is done, or when it is asked for. @param {App} app @param {any} lesson */
function task(app, lesson) {
  const index = app.lessons.indexOf(lesson);
  const { question, choices, text, done } = lesson.task;
  const answered = app.done.has(lesson.id) || app.revealed === lesson.id;
  const guess = app.guesses.get(lesson.id);
  const sign = (/** @type {any} */ choice) => (answered && choice.right ? "✓ " : answered && choices[guess ?? -1] === choice ? "✗ " : "");
  const choose = (/** @type {number} */ n) => () => { app.guesses.set(lesson.id, n); app.changed(); };
  return h("div", { class: answered ? "task is-answered" : "task", id: "task" },
    el("h3", word("What do you think?")), el("p", said(question)),
    h("div", { class: "inline choices", role: "group", "aria-label": word("What do you think?") }, choices.map((/** @type {any} */ c, /** @type {number} */ n) => button(`choice-${n}`, `${sign(c)}${said(c.text)}`, choose(n), { class: answered && c.right ? "quiet right" : "quiet", "aria-pressed": String(guess === n) }))),
    el("h3", word("Your task")), el("p.task-text", said(text)),
    h("div", { role: "status" }, app.done.has(lesson.id) && el("p.task-done", el("b", `✓ ${word("Done.")}`)), answered && el("p.answer", said(done))),
    el("div.inline", button("again", word("Start again"), () => app.openLesson(lesson.id), { class: "quiet" }), !answered && button("reveal", word("Show the answer"), () => app.reveal(lesson.id), { class: "quiet" }), index < app.lessons.length - 1 && button("next", `${word("Next lesson")} →`, () => app.openLesson(app.lessons[index + 1].id), { class: "quiet next" })));
}

/**
 * The numbers of the newest frame, and whether the task is done.
 * @param {App} app
 * @param {HTMLElement} panel
 */
export function followLesson(app, panel) {
  const { lesson } = app;
  if (!lesson || panel.hidden) return;
  const side = app.sides[0];
  const ready = lesson.worked || side.settled(); // not numbers of another network
  const valid = solved(side, lesson.valid ?? []);
  for (const cell of app.beside.querySelectorAll("[data-show]")) {
    const text = ready ? shown(asked(side, /** @type {HTMLElement} */ (cell).dataset.show ?? "")) : "";
    if (cell.textContent !== text) cell.textContent = text;
  }
  /** @type {HTMLElement} */ (app.beside.querySelector(".numpy .scroller")).hidden = ready && !valid;
  /** @type {HTMLElement} */ (app.beside.querySelector(".invalid")).hidden = !ready || valid;
  for (const cell of app.beside.querySelectorAll("[data-line]")) {
    const text = written(side, /** @type {HTMLElement} */ (cell).dataset.line ?? "");
    if (ready && cell.textContent !== text) cell.textContent = text;
  }
  if (!app.done.has(lesson.id) && ready && solved(side, lesson.task.check)) app.finish(lesson.id);
}
