// The lessons: a paragraph, the NumPy lines beside the live numbers, and a task that is checked in every frame.
import { h } from "../dom.js";
import { numeral } from "../format.js";
import { said, word } from "../words.js";
import { at } from "./states.js";
import { button, el, refill } from "./widgets.js";

/**
 * @typedef {import("./side.js").Side} Side
 * @typedef {import("./app.js").App} App
 */

/** @type {{ [sign: string]: (a: any, b: any) => boolean }} */
const SIGNS = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b };

/**
 * A value that a task or a line asks for: of the frame, of the arithmetic, or "state.…".
 * @param {Side} side
 * @param {string} name
 * @returns {any}
 */
export function asked(side, name) {
  const { values, state } = side;
  const a = values.arithmetic ?? {};
  if (name.startsWith("state.")) return at(state, name.slice(6));
  if (name.startsWith("weights.")) return at(values, name);
  if (name === "abs_error") return a.error === undefined ? undefined : Math.abs(a.error);
  if (name === "loss") return values.loss_now ?? values.loss;
  return values[name] ?? a[name];
}

/**
 * Whether every condition of a task holds now.
 * @param {Side} side
 * @param {[string, string, any][]} check
 */
export function solved(side, check) {
  return check.every(([name, sign, than]) => {
    const value = asked(side, name);
    return value !== undefined && value !== null && !Number.isNaN(value) && SIGNS[sign](value, than);
  });
}

/** @param {any} value */
function shown(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return numeral(value);
  if (typeof value === "string") return value;
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
  if (panel.hidden) return panel.replaceChildren();
  refill(panel, () => [
    el("ol.lesson-strip", app.lessons.map((l, n) => el("li", button(`lesson-${l.id}`, [el("span.number-badge", app.done.has(l.id) ? "✓" : n + 1), el("span", said(l.title))], () => app.openLesson(l.id), { "aria-current": l === lesson ? "step" : null, class: app.done.has(l.id) ? "done" : null })))),
    lesson && h("div", { class: "lesson" },
      el("div.lesson-text", el("h2", said(lesson.title)), el("p", said(lesson.text)), task(app, lesson)),
      el("div.numpy", el("h3", word("In NumPy, with the numbers now")), el("div.scroller", el("table", el("tbody", lesson.code.map(codeLine)))))),
  ]);
  followLesson(app, panel);
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
  return line.replace(/\{(\w+)\}/g, (_, name) => code[name] ?? String(asked(side, `state.${name}`) ?? ""));
}

/** @param {App} app @param {any} lesson */
function task(app, lesson) {
  const index = app.lessons.indexOf(lesson);
  return h("div", { class: "task", id: "task", role: "status" }, el("h3", word("Your task")), el("p", said(lesson.task.text)),
    el("p.task-done", said(lesson.task.done)),
    el("div.inline", button("again", word("Start again"), () => app.openLesson(lesson.id), { class: "quiet" }), index < app.lessons.length - 1 && button("next", `${word("Next lesson")} →`, () => app.openLesson(app.lessons[index + 1].id), { class: "quiet next" })));
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
  for (const cell of panel.querySelectorAll("[data-show]")) {
    const text = side.settled() ? shown(asked(side, /** @type {HTMLElement} */ (cell).dataset.show ?? "")) : ""; // not those of another network
    if (cell.textContent !== text) cell.textContent = text;
  }
  for (const cell of panel.querySelectorAll("[data-line]")) {
    const text = written(side, /** @type {HTMLElement} */ (cell).dataset.line ?? "");
    if (side.settled() && cell.textContent !== text) cell.textContent = text;
  }
  if (!app.done.has(lesson.id) && side.settled() && solved(side, lesson.task.check)) app.finish(lesson.id);
  panel.querySelector("#task")?.classList.toggle("is-done", app.done.has(lesson.id));
}
