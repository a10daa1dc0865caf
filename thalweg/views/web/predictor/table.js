// Many rows: a table is dropped, opened or pasted; its answers are shown, and downloaded as CSV.
import { quoted, read } from "../../../export/js/cells.js";
import { h, save, scroller } from "../dom.js";
import { word } from "../words.js";
import { delimiterOf, lineOfCells, rowsOf, textOf } from "./csv.js";
import { nounOf } from "./form.js";
import { inSlices, likeliest } from "./model.js";
import { answered, brief } from "./values.js";

const PREVIEW = 8; // rows
const FAULTS = 5;
const MARK = "\ufeff"; // of the byte order

/**
 * @typedef {object} Done
 * @property {string} name of the file
 * @property {string[]} header of the answers' file
 * @property {number} own how many of its columns are the table's
 * @property {string[]} ignored columns that the model doesn't know
 * @property {string[][]} first rows of the answers' file
 * @property {string[]} lines of it, with its header
 * @property {number} rows
 * @property {Fault[]} faults the first of them
 * @property {number} without rows without an answer
 *
 * @typedef {object} Fault a cell that can't be read
 * @property {number} row
 * @property {PredictorColumn} column
 * @property {string} cell
 *
 * @typedef {() => string} Refusal why a table has no answers, in the language of the page
 */

/** @param {Predictor} model @returns {{ draw: () => HTMLElement }} */
export function tablePart(model) {
  const outcome = h("div", { class: "outcome" });
  /** @type {() => void} */
  let again = () => undefined;
  let pasted = "";
  let running = new AbortController();
  const take = async (/** @type {string | null} */ text, /** @type {string} */ name) => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const progress = h("progress", { max: 1, value: 0 });
    const told = h("p", { "aria-live": "off" });
    const stop = h("button", { type: "button", class: "quiet", onclick: () => (running.abort(), outcome.replaceChildren()) }, word("Stop"));
    outcome.replaceChildren(h("div", { class: "progress" }, progress, told, stop));
    outcome.dataset.state = "running";
    const lines = countOf(text ?? "", "\n") + 1;
    const found = await inSlices(answersOf(model, text, name), signal, (rows) => {
      progress.value = Math.min(1, rows / lines);
      told.textContent = word("{0} rows", rows.toLocaleString("en-US"));
    });
    if (found === null) return;
    again = () => outcome.replaceChildren(...shownOutcome(model, found));
    again();
    outcome.dataset.state = typeof found === "function" ? "refused" : "done";
  };
  const open = async (/** @type {File | undefined} */ file) => file && take(textOf(await file.arrayBuffer()), file.name);
  return {
    draw() {
      again();
      const names = model.columns.map((column) => column.name);
      const input = h("input", { type: "file", accept: ".csv,.tsv,.tab,.txt,text/csv", id: "file", onchange: () => open(input.files?.[0]).then(() => (input.value = "")) });
      const paste = h("textarea", { id: "paste", rows: 3, spellcheck: "false", placeholder: brief(lineOfCells(names, ","), 200), oninput: () => (pasted = paste.value) });
      paste.value = pasted;
      const place = h("div", { class: "figure drop" },
        h("p", {}, h("label", { for: "file", class: "quiet open" }, word("Open a CSV file")), input, " ", word("or drop it here. Its first line names the columns, in any order.")),
        h("details", {}, h("summary", {}, word("Paste rows, or see which columns are needed")),
          h("p", { class: "hint" }, h("label", { for: "paste" }, word("From a spreadsheet or a CSV file, with the line of names:"))), paste,
          h("p", { class: "buttons" }, h("button", { type: "button", class: "quiet", onclick: () => paste.value && take(paste.value, word("pasted rows")) }, word("Predict these rows")), " ",
            h("button", { type: "button", class: "quiet", onclick: () => save([MARK, lineOfCells(names, ","), "\r\n"], `${model.name}-template.csv`) }, word("Download a file with the columns' names")))));
      const enter = (/** @type {DragEvent} */ event) => {
        event.preventDefault();
        place.classList.toggle("is-over", event.type === "dragover");
      };
      place.addEventListener("dragover", enter);
      place.addEventListener("dragleave", enter);
      place.addEventListener("drop", (/** @type {DragEvent} */ event) => {
        enter(event);
        open(event.dataTransfer?.files[0]);
      });
      return h("section", { id: "rows" }, h("h2", {}, word("Many rows")), place, outcome);
    },
  };
}

/**
 * The answers for all rows of a text.
 * @param {Predictor} model
 * @param {string | null} text
 * @param {string} name
 * @returns {Generator<number, Done | Refusal>}
 */
function* answersOf(model, text, name) {
  if (text === null) return () => word("{0} isn't text in UTF-8: save it as “CSV UTF-8”.", name);
  const mark = text.startsWith(MARK) ? MARK : "";
  const delimiter = delimiterOf(text, name);
  const rows = rowsOf(text.slice(mark.length), delimiter);
  const header = rows.next().value ?? [];
  const refused = refusal(model, header, name);
  if (refused) return refused;
  const places = model.columns.map((column) => header.indexOf(column.name));
  const more = ["prediction", ...model.probabilities].map((title) => untaken(title, header));
  const ignored = header.filter((/** @type {string} */ title) => !model.columns.some((column) => column.name === title));
  /** @type {Done} */
  const done = { name, header: [...header, ...more], own: header.length, ignored, first: [], lines: [mark, lineOfCells([...header, ...more], delimiter), "\r\n"], rows: 0, faults: [], without: 0 };
  for (const row of rows) {
    const number = (done.rows += 1);
    if (row.length !== header.length) return () => word("row {0} of {1} has {2} cells, and the line of names {3}", number, name, row.length, header.length);
    const fault = { row: number, cell: "", column: model.columns[0] };
    const values = model.columns.map((column, k) => valueOf(column, row[places[k]], fault));
    if (values.includes(null)) {
      done.without += 1;
      if (done.faults.length < FAULTS) done.faults.push(fault);
    }
    const cells = [...row, ...(values.includes(null) ? more.map(() => "") : answerCells(model, model.answer(/** @type {number[]} */ (values))))];
    if (done.first.length < PREVIEW) done.first.push(cells);
    done.lines.push(lineOfCells(cells, delimiter), "\r\n");
    yield number;
  }
  return done;
}

/**
 * Why a table can't be taken; null if it can.
 * @param {Predictor} model
 * @param {string[]} header
 * @param {string} name
 * @returns {Refusal | null}
 */
function refusal(model, header, name) {
  const absent = model.columns.map((column) => column.name).filter((title) => !header.includes(title));
  if (absent.length) {
    const shown = absent.slice(0, 5).map((title) => brief(quoted(title), 60)).join(", ") + (absent.length > 5 ? ", …" : "");
    return () => word("{0} lacks {1}, which the model was trained with", name, shown);
  }
  const twice = model.columns.find((column) => header.filter((title) => title === column.name).length > 1);
  return twice ? () => word("{0} has several columns {1}", name, brief(quoted(twice.name), 60)) : null;
}

/**
 * What a cell means; null, and what is wrong is noted, if it can't be read.
 * @param {PredictorColumn} column
 * @param {string} cell
 * @param {Fault} fault
 */
function valueOf(column, cell, fault) {
  try {
    return read(column, cell, fault.row);
  } catch {
    Object.assign(fault, { column, cell });
    return null;
  }
}

/**
 * A name that the table doesn't have.
 * @param {string} title
 * @param {string[]} header
 */
function untaken(title, header) {
  let name = title;
  for (let n = 2; header.includes(name); n++) name = `${title} (${n})`;
  return name;
}

/**
 * The answer as the cells that `thalweg predict` writes.
 * @param {Predictor} model
 * @param {number[]} outputs
 */
function answerCells(model, outputs) {
  const { classes } = model.target;
  return classes.length ? [classes[likeliest(outputs)], ...outputs.map(shortest)] : [String(outputs[0])];
}

/**
 * The fewest digits that tell a float32 from all others.
 * @param {number} value
 */
function shortest(value) {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * What came of a table.
 * @param {Predictor} model
 * @param {Done | Refusal} found
 * @returns {HTMLElement[]}
 */
function shownOutcome(model, found) {
  if (typeof found === "function") return [h("p", { class: "refused", role: "alert" }, found())];
  const rows = found.rows.toLocaleString("en-US");
  const target = found.name.replace(/\.[^.]*$/, "");
  const parts = [
    h("p", { role: "status" }, found.rows === 1 ? word("{0}: 1 row", found.name) : word("{0}: {1} rows", found.name, rows), " ",
      h("button", { type: "button", class: "download", onclick: () => save(found.lines, `${target}-predictions.csv`) }, word("Download the answers"))),
  ];
  if (found.ignored.length) parts.push(h("p", { class: "hint" }, word("Columns that the model doesn't use: {0}", listedNames(found.ignored))));
  if (found.without) {
    const lines = found.faults.map(({ row, column, cell }) => h("li", {}, word("row {0} of the column {1} holds {2}, which is no {3}", row, brief(quoted(column.name), 60), brief(quoted(cell), 60), nounOf(column))));
    parts.push(h("div", { class: "refused", role: "alert" }, word("Rows without an answer: {0}", found.without.toLocaleString("en-US")), h("ul", {}, lines)));
  }
  parts.push(preview(model, found));
  return parts;
}

/** @param {string[]} names */
function listedNames(names) {
  return names.slice(0, 8).map((title) => brief(title, 40)).join(word(", ")) + (names.length > 8 ? ", …" : "");
}

/**
 * The first rows, the answers in front.
 * @param {Predictor} model
 * @param {Done} found
 */
function preview(model, found) {
  const order = [found.own, ...found.header.keys()].filter((place, k) => k === 0 || place !== found.own);
  const most = [order[0], ...order.filter((place) => place > found.own), ...order.slice(1).filter((place) => place < found.own)].slice(0, 24);
  const shown = (/** @type {string} */ cell, /** @type {number} */ place) => (place < found.own || cell === "" || (model.target.classes.length > 0 && place === found.own) ? brief(cell, 60) : answered(model, Number(cell)));
  const head = most.map((place) => h("th", { scope: "col", class: place >= found.own ? "is-answer" : null }, brief(found.header[place], 40)));
  const body = found.first.map((cells) => h("tr", {}, most.map((place) => h("td", { class: place >= found.own ? "is-answer" : null }, shown(cells[place], place)))));
  const note = found.rows > found.first.length ? word("The first {0} rows", found.first.length) : word("All rows");
  return h("figure", { class: "figure figure-table" }, h("figcaption", {}, h("span", { class: "figure-title" }, note)),
    scroller({ tabindex: 0, role: "region", "aria-label": note }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body))));
}

/**
 * How often a sign stands in a text.
 * @param {string} text
 * @param {string} sign
 */
function countOf(text, sign) {
  let count = 0;
  for (let at = text.indexOf(sign); at >= 0; at = text.indexOf(sign, at + 1)) count++;
  return count;
}
