// A table of one's own, arranged as thalweg's tabular networks do. Where there is no server, this reads plain numbers,
// words and truth values; what thalweg reads besides (dates, units, other notations) is left to thalweg play.
import { delimiterOf, rowsOf } from "../predictor/csv.js";
import { heldOut } from "./legacy_random.js";
import { Generator } from "./numpy_random.js";
import { choose, refused } from "./sentences.js";

/** @typedef {import("./page_state.js").State} State */
/** @typedef {"integer" | "number" | "boolean" | "text" | "date" | "other"} Kind */
/**
 * A column: NaN or null where a cell is missing; dates are seconds since 1970. `first`: its first cells as they were
 * written; `written`: how values are spelled, if not as thalweg does.
 * @typedef {{ name: string, kind: Kind, values: ArrayLike<any>, first: (string | null)[], written: Map<any, string>, why: string | null }} Column
 */
/** `of`: how many rows there are, of which these may be a sample. `path`, `how`: from where and how an exported program reads it. @typedef {{ id: string, name: string, rows: number, of: number, path: string, how: { [option: string]: string }, columns: Column[] }} Table */
/** What a column of the training rows has become: its names in the matrix, and what they are of a cell. @typedef {{ features: string[], of: (value: any) => number[] }} Fitted */

const INTEGER = /^[+-]?(?:0|[1-9]\d{0,14})$/;
const NUMBER = /^(?:[+-]?(?:0|[1-9]\d{0,14})|[+-]?(?:0|[1-9]\d*)\.\d*|[+-]?\.\d+)(?:[eE][+-]?\d+)?$/;
const TRUTH = /^(?:true|false)$/i;
const WORD = /^\p{L}[^\d]*$/u; // begins with a letter, and holds no digit: no notation of a number or date does
const FEW = 20; // up to this many different numbers may be names of something
const ROWS_PER_CLASS = 5;
const MOST_CATEGORIES = 100;
const TAIL = 0.01;
const CLIP = 3;
const FIRST = 5; // rows that the page shows
const DAY = 86400; // seconds
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const KINDS = { integer: "number", number: "number", boolean: "boolean", text: "category", date: "date", other: "other" };

/** @param {any} value */
function isMissing(value) {
  return value === null || Number.isNaN(value);
}

/** @param {ArrayLike<any>} values */
function counted(values) {
  const counts = new Map();
  for (const value of Array.from(values)) if (!isMissing(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** np.quantile of sorted numbers. @param {number[]} sorted @param {number} share */
function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const part = at - low;
  const [a, b] = [sorted[low], sorted[Math.min(low + 1, sorted.length - 1)]];
  return part < 0.5 ? a + (b - a) * part : b - (b - a) * (1 - part);
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** @param {number[]} values */
function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - middle) ** 2)));
}

/** @param {string} name @param {(string | null)[]} texts @returns {Column} */
function columnOf(name, texts) {
  const present = texts.filter((text) => text !== null);
  const every = (/** @type {RegExp} */ form) => present.every((text) => form.test(/** @type {string} */ (text)));
  /** @type {Kind} */
  let kind = !present.length ? "other" : every(INTEGER) ? "integer" : every(NUMBER) ? "number" : every(TRUTH) ? "boolean" : every(WORD) ? "text" : "other";
  let why = present.length ? "this page reads plain numbers, words and truth values; thalweg play reads more" : "it holds no values that can be read";
  const values = texts.map((text) => (kind === "text" || text === null ? text : kind === "boolean" ? Number(text.toLowerCase() === "true") : Number(text)));
  const numbers = /** @type {number[]} */ (values.filter((v) => typeof v === "number"));
  const [low, high] = ends(numbers);
  if (kind === "integer" && low >= 1e5 && high <= 22e6 && (low >= 18e6 || /date|day|\u65e5/i.test(name))) kind = "other"; // 20201231
  const cells = kind === "text" ? values : values.map((v) => (v === null ? NaN : v));
  return { name, kind, values: cells, first: texts.slice(0, FIRST), written: spelling(kind, cells, texts), why: kind === "other" ? why : null };
}

/** Least and greatest. @param {number[]} values @returns {[number, number]} */
function ends(values) {
  return values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
}

/** How few values are spelled, if the text spells any of them differently from thalweg, and each in one way. @param {Kind} kind @param {any[]} values @param {(string | null)[]} texts */
function spelling(kind, values, texts) {
  const found = new Map();
  const different = new Set(texts.filter((text) => text !== null));
  if (kind === "text" || kind === "other" || different.size > FEW) return found;
  texts.forEach((text, n) => text !== null && found.set(values[n], text));
  const plain = (/** @type {number} */ v) => (kind === "boolean" ? [String(Boolean(v)), `${v}.0`] : [String(v), Number.isInteger(v) ? `${v}.0` : String(v)]);
  const ours = [...found].every(([value, text]) => plain(value).includes(text));
  return ours || found.size < different.size ? new Map() : found;
}

/** A table as `thalweg play` has read it: encoded numbers are float64, words stand for their places. @param {any} sent @param {string} id @returns {Table} */
export function heldTable(sent, id) {
  const columns = sent.columns.map((/** @type {any} */ { name, kind, why = null, first = [], written = [], words, codes, numbers }) => {
    const values = words ? Array.from(codes, (code) => (code < 0 ? null : words[code])) : numbers ? Array.from(new Float64Array(numbers.slice().buffer)) : Array(sent.rows).fill(null);
    return { name, kind, why, first, written: new Map(written), values };
  });
  return { ...sent, id, columns };
}

/**
 * Reads a file.
 * @param {Uint8Array} bytes
 * @param {string} given its name
 * @param {string} id
 * @param {any} site
 * @returns {Table}
 */
export function readTable(bytes, given, id, site) {
  const name = [...given.split(/[\\/]/).pop() ?? ""].slice(0, 80).join("") || "table.csv";
  const of = (/** @type {string} */ key) => site.constants[`bounds.${key}`];
  if (bytes.length > of("UPLOAD_BYTES")) throw refused("the file is larger than {most} MB: give a part of it, or start with thalweg play FILE", { most: of("UPLOAD_BYTES") / 1e6 });
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused("{label} isn't UTF-8: save it as UTF-8, or start with thalweg play FILE", { label: name });
  }
  const rows = [];
  for (const row of rowsOf(text, delimiterOf(text, name))) {
    rows.push(row);
    if (rows.length > of("TABLE_ROWS") + 1) throw refused("{source} has more than {most:,} rows, which a page takes at most: give a sample of it", { source: name, most: of("TABLE_ROWS") });
  }
  const [header, ...cells] = rows;
  if (!cells.length) throw refused("{label} has no rows below its header", { label: name });
  if (header.length > of("TABLE_FEATURES")) throw refused("{label} has {columns:,} columns; a page takes {most:,} at most: give those that matter", { label: name, columns: header.length, most: of("TABLE_FEATURES") });
  const names = header.map((text) => text.trim());
  if (new Set(names).size < names.length || names.includes("")) throw refused("{label} needs a name for each column, each another", { label: name });
  const wrong = cells.findIndex((row) => row.length !== names.length);
  if (wrong >= 0) throw refused("row {row} of {label} has {cells} cells, and the header {columns}", { row: wrong + 1, label: name, cells: cells[wrong].length, columns: names.length });
  const bare = (/** @type {string} */ cell) => (site.missing.includes(cell.trim()) ? null : cell.trim());
  return { id, name, path: name, how: {}, rows: cells.length, of: cells.length, columns: names.map((column, k) => columnOf(column, cells.map((row) => bare(row[k])))) };
}

/** What the page shows of a table. @param {Table} table */
export function shownTable(table) {
  const columns = table.columns.map((column) => {
    const present = Array.from(column.values).filter((v) => !isMissing(v));
    const distinct = column.kind === "other" ? 0 : counted(present).size;
    const wide = column.kind === "text" && distinct > Math.max(20, 0.9 * present.length);
    const why = column.why ?? (distinct === 1 ? "it holds one value only" : wide ? "it differs in nearly every row" : null);
    const found = { name: column.name, kind: KINDS[column.kind], missing: table.rows - present.length, distinct, usable: why === null };
    return why ? { ...found, why } : found;
  });
  const usable = columns.filter((c) => c.usable).map((c) => c.name);
  const first = Array.from({ length: Math.min(FIRST, table.rows) }, (_, row) => table.columns.filter((c) => usable.includes(c.name)).map((c) => c.first[row]?.slice(0, 80) ?? null));
  return { id: table.id, name: table.name, rows: table.rows, of: table.of, columns, target: suggested(usable), first };
}

/** The column that is probably to be predicted. @param {string[]} usable */
function suggested(usable) {
  return usable.find((name) => ["target", "label", "class", "y", "price", "species", "survived"].includes(name.toLowerCase())) ?? usable[usable.length - 1] ?? null;
}

/** What is to be predicted: its task, and its classes, sorted. @param {Column} column @param {string | null} asked */
function targetOf(column, asked) {
  const counts = counted(column.values);
  const labels = [...counts.keys()].sort((a, b) => (a < b ? -1 : 1));
  const { name } = column;
  if (column.kind === "date") throw refused("the target column {name} holds dates: turn them into numbers or words", { name });
  if (column.kind === "other") throw refused("the target column {name} isn't plain numbers, words or truth values: thalweg play reads more", { name });
  if (labels.length < 2) throw refused("the target column {name} holds one value only: there is nothing to tell apart", { name });
  const numeric = column.kind === "integer" || column.kind === "number";
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  const [low, high] = [labels[0], labels[labels.length - 1]];
  const numbered = numeric && labels.every(Number.isInteger) && labels.length <= FEW && high - low === labels.length - 1 && (low === 0 || low === 1 || (low === -1 && high === 1));
  const classes = labels.length === 2 || !numeric || (numbered && total >= ROWS_PER_CLASS * labels.length);
  if (asked === "numbers" && !numeric) throw refused("the target column {name} holds no numbers", { name });
  if (asked === "numbers" || (asked !== "classes" && !classes)) return { task: "numbers", labels: [] };
  if (labels.length > FEW && labels.length > total / 2) throw refused("the target column {name} holds {classes} different values in {rows} rows: too many to be classes", { name, classes: labels.length, rows: total });
  return { task: labels.length === 2 ? "binary" : "multiclass", labels };
}

/** Rows to learn from and rows to validate on, those without a target left out. @param {Column} column @param {string} task @param {number} share @param {number} seed */
function splitRows(column, task, share, seed) {
  const rows = Array.from(column.values, (_, n) => n).filter((n) => !isMissing(column.values[n]));
  const tested = Math.ceil(share * rows.length);
  if (!share) return { train: rows, held: [] };
  if (rows.length < 2 || tested >= rows.length) throw refused("{rows} rows with a target can't be divided so: one part would be empty", { rows: rows.length });
  if (task === "numbers") return parted(rows, heldOut(rows.length, tested, seed, null));
  const numbering = new Map();
  const codes = rows.map((row) => {
    const value = column.values[row];
    if (!numbering.has(value)) numbering.set(value, numbering.size);
    return /** @type {number} */ (numbering.get(value));
  });
  const counts = counted(codes);
  const several = [...codes.keys()].filter((n) => counts.get(codes[n]) > 1);
  const shared = new Set(several.map((n) => codes[n]));
  if (shared.size && Math.min(tested, several.length - tested) >= shared.size) {
    const renumbered = [...shared].sort((a, b) => a - b);
    return parted(rows, heldOut(several.length, tested, seed, several.map((n) => renumbered.indexOf(codes[n]))).map((place) => several[place]));
  }
  const order = Array.from(new Generator(seed).permutation(codes.length)); // too few rows for a share of every class
  const spared = new Set();
  const rest = order.filter((place) => spared.size === spared.add(codes[place]).size);
  return parted(rows, rest.slice(0, tested));
}

/** @param {number[]} rows @param {number[]} places of those held out */
function parted(rows, places) {
  const held = new Set(places);
  return { train: rows.filter((_, n) => !held.has(n)), held: rows.filter((_, n) => held.has(n)) };
}

/** Scaled by mean and deviation, both after clipping the outermost 1 %, and smoothly clipped to ±3. @param {number[]} present */
function scaleOf(present) {
  const sorted = [...present].sort((a, b) => a - b);
  const [low, high] = [quantile(sorted, TAIL), quantile(sorted, 1 - TAIL)];
  const clipped = present.map((v) => Math.min(Math.max(v, low), high));
  const [least, most] = ends(clipped);
  const kept = least === most ? present : clipped;
  const [center, scale] = [mean(kept), deviation(kept) || sorted[sorted.length - 1] - sorted[0]];
  return (/** @type {number} */ v) => {
    const z = Math.min(Math.max((v - center) / scale, -1e9), 1e9);
    return z / Math.sqrt(1 + (z / CLIP) ** 2);
  };
}

/** A column as the training rows have it; null if it is left out. @param {Column} column @param {number[]} train @returns {Fitted | null} */
function fitted(column, train) {
  const cells = train.map((row) => column.values[row]);
  const present = cells.filter((v) => !isMissing(v));
  const gaps = present.length < cells.length;
  const marked = gaps ? [`${column.name} is missing`] : [];
  const mark = (/** @type {boolean} */ missing) => (gaps ? [Number(missing)] : []);
  const counts = counted(present);
  if (column.kind === "other" || !counts.size || (counts.size === 1 && !gaps)) return null;
  if (column.kind === "text") {
    if ((counts.size === present.length && present.length > 2) || counts.size > Math.max(FEW, present.length / 2)) return null;
    const words = [...counts.keys()];
    const frequent = words.sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1)).slice(0, MOST_CATEGORIES).sort((a, b) => (a < b ? -1 : 1));
    const rest = counts.size > frequent.length;
    const places = new Map(frequent.map((word, n) => [word, n]));
    const code = (/** @type {any} */ v) => (v === null ? -2 : places.get(v) ?? -1);
    if (frequent.length === 2 && !rest) return { features: [`${column.name}=${frequent[1]}`, ...marked], of: (v) => [code(v) < 0 ? 0 : 2 * code(v) - 1, ...mark(code(v) === -2)] };
    const width = frequent.length > 2 || rest ? frequent.length + Number(rest) : 0;
    const at = (/** @type {any} */ v) => (code(v) === -1 && rest ? frequent.length : code(v));
    return { features: [...(width ? [...frequent.map((word) => `${column.name}=${word}`), ...(rest ? [`${column.name} is rare`] : [])] : []), ...marked], of: (v) => [...Array.from({ length: width }, (_, k) => Number(at(v) === k)), ...mark(v === null)] };
  }
  const numbers = /** @type {number[]} */ (present);
  if (column.kind === "boolean") {
    const varies = counts.size === 2;
    return { features: [...(varies ? [column.name] : []), ...marked], of: (v) => [...(varies ? [Number.isNaN(v) ? 0 : 2 * v - 1] : []), ...mark(Number.isNaN(v))] };
  }
  if (column.kind === "date") return fittedDates(column.name, numbers, marked, mark);
  const varies = counts.size > 1;
  const sorted = [...numbers].sort((a, b) => a - b);
  const [a, b] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const median = a === b ? a : a / 2 + b / 2;
  const scaled = varies ? scaleOf(numbers) : () => 0;
  return { features: [...(varies ? [column.name] : []), ...marked], of: (v) => [...(varies ? [scaled(Number.isNaN(v) ? median : v)] : []), ...mark(Number.isNaN(v))] };
}

/** The day of a moment, its part of the year and of the day, and its weekday, 0 for Monday. @param {number} moment */
function partsOf(moment) {
  const day = Math.floor(moment / DAY);
  const date = new Date(1000 * DAY * day);
  const year = date.getUTCFullYear();
  const first = (/** @type {number} */ y) => new Date(0).setUTCFullYear(y, 0, 1) / 1000 / DAY;
  return { day: moment / DAY, month: date.getUTCMonth(), season: (moment / DAY - first(year)) / (first(year + 1) - first(year)), clock: (moment - day * DAY) / DAY, weekday: (((day + 3) % 7) + 7) % 7 };
}

/**
 * Dates: the day, its season and time on circles, and its weekday, each if it varies; a missing one is 0 in all.
 * @param {string} name
 * @param {number[]} present
 * @param {string[]} marked
 * @param {(missing: boolean) => number[]} mark
 * @returns {Fitted}
 */
function fittedDates(name, present, marked, mark) {
  const parts = present.map(partsOf);
  const varies = (/** @type {"day" | "month" | "clock" | "weekday"} */ part) => parts.some((p) => p[part] !== parts[0][part]);
  const [day, season, clock, weekday] = [varies("day"), varies("month"), varies("clock"), varies("weekday")];
  const scaled = day ? scaleOf(parts.map((p) => p.day)) : () => 0;
  const circle = (/** @type {number} */ turns) => [Math.sin(2 * Math.PI * turns), Math.cos(2 * Math.PI * turns)];
  const features = [...(day ? [`${name} day`] : []), ...(season ? [`${name} season sin`, `${name} season cos`] : []), ...(clock ? [`${name} time sin`, `${name} time cos`] : []), ...(weekday ? WEEKDAYS.map((d) => `${name} is a ${d}`) : [])];
  return {
    features: [...features, ...marked],
    of(v) {
      if (Number.isNaN(v)) return [...features.map(() => 0), ...mark(true)];
      const p = partsOf(v);
      return [...(day ? [scaled(p.day)] : []), ...(season ? circle(p.season) : []), ...(clock ? circle(p.clock) : []), ...(weekday ? WEEKDAYS.map((_, k) => Number(p.weekday === k)) : []), ...mark(false)];
    },
  };
}

/** A cell that is the median of a column, or its most frequent value. @param {Column} column @param {number[]} train */
function representative(column, train) {
  const present = train.map((row) => column.values[row]).filter((v) => !isMissing(v));
  if (!present.length) return column.values[train[0]];
  const sorted = [...present].sort((x, y) => (/** @type {any} */ (x) < /** @type {any} */ (y) ? -1 : 1));
  if (["integer", "number", "date"].includes(column.kind)) return sorted[(sorted.length - 1) >> 1];
  const counts = counted(sorted);
  return [...counts.keys()].reduce((best, value) => (counts.get(value) > counts.get(best) ? value : best));
}

/** From the first to the last percent of a column, with some room. @param {number[]} values @returns {[number, number]} */
function shownRange(values) {
  const sorted = values.filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  const [low, high] = [quantile(sorted, 0.01), quantile(sorted, 0.99)];
  const room = 0.08 * (high - low) || 1;
  return [low - room, high + room];
}

/**
 * The rows of a table, divided, as numbers.
 * @param {State} state
 * @param {Table} table
 * @param {any} site
 * @returns {import("./exercise.js").Exercise}
 */
export function tabular(state, table, site) {
  const { data } = state;
  const names = table.columns.map(({ name }) => name);
  const column = (/** @type {string} */ name) => table.columns[names.indexOf(name)];
  const name = data.target ?? suggested(names) ?? "";
  for (const each of [name, ...(data.columns ?? [])]) choose(`column of ${table.name}`, each, names);
  if (data.columns && !data.columns.some((/** @type {string} */ n) => n !== name)) throw refused("choose a column to learn from, besides the target");
  const { task, labels } = targetOf(column(name), data.task);
  const { train, held } = splitRows(column(name), task, data.share, data.seed);
  const used = table.columns.filter((c) => c.name !== name && (!data.columns || data.columns.includes(c.name))).map((c) => ({ column: c, fit: fitted(c, train) })).filter(({ fit }) => fit?.features.length);
  const features = used.flatMap(({ fit }) => /** @type {Fitted} */ (fit).features);
  if (!features.length) throw refused("{source} has no column to learn from", { source: table.name });
  const most = site.constants["bounds.TABLE_FEATURES"];
  if (features.length > most) throw refused("these columns become {count:,} inputs; {most:,} are the most: choose fewer", { count: features.length, most });
  const matrix = (/** @type {number} */ count, /** @type {(row: number, column: Column) => any} */ cell) => {
    const x = new Float32Array(count * features.length);
    for (let n = 0, at = 0; n < count; n++) for (const { column: c, fit } of used) for (const v of /** @type {Fitted} */ (fit).of(cell(n, c))) x[at++] = v;
    return x;
  };
  const target = column(name).values;
  const numbers = train.map((row) => /** @type {number} */ (target[row]));
  const [middle, spread] = task === "numbers" ? [mean(numbers), deviation(numbers) || 1] : [0, 1];
  const y = (/** @type {number[]} */ rows) => Float32Array.from(rows, (row) => (task === "numbers" ? (/** @type {number} */ (target[row]) - middle) / spread : labels.indexOf(target[row])));
  const of = (/** @type {number[]} */ rows) => matrix(rows.length, (n, c) => c.values[rows[n]]);
  const shown = (/** @type {any} */ label) => column(name).written.get(label) ?? plainly(label, column(name).kind);
  return {
    task, shape: [features.length], targetShape: task === "numbers" ? [1] : [], x: of(train), y: y(train), heldX: of(held), heldY: y(held), rows: train.length, held: held.length,
    inputs: features, targets: [name], classes: task === "numbers" ? null : labels.map(shown), targetScale: task === "numbers" ? [middle, spread] : null,
    sight: sightOf(state, used.map((u) => u.column), train, held, matrix),
  };
}

/** A label as Python shows it. @param {any} label @param {Kind} kind */
function plainly(label, kind) {
  if (kind === "boolean") return label ? "True" : "False";
  return kind === "number" && Number.isInteger(label) ? `${label}.0` : String(label);
}

/** The plane over two columns of numbers; the others stay at what is usual. @param {State} state @param {Column[]} used @param {number[]} train @param {number[]} held @param {(count: number, cell: (row: number, column: Column) => any) => Float32Array} matrix */
function sightOf(state, used, train, held, matrix) {
  const numeric = used.filter(({ kind }) => kind === "integer" || kind === "number").map(({ name }) => name);
  const names = state.plane ?? numeric.slice(0, 2);
  if (names.length !== 2) {
    if (state.plane) throw refused("plane names two columns of numbers");
    return null;
  }
  for (const name of names) choose("column of numbers for the plane", name, numeric);
  /** @type {Column[]} */
  const axes = names.map((/** @type {string} */ name) => used.find((c) => c.name === name));
  const usual = new Map(used.map((c) => [c, representative(c, train)]));
  const points = (/** @type {number[]} */ rows) => Float64Array.from(rows.flatMap((row) => axes.map((axis) => /** @type {number} */ (axis.values[row]))));
  return {
    names, ranges: axes.map((axis) => shownRange(train.map((row) => /** @type {number} */ (axis.values[row])))),
    rows: (/** @type {Float64Array} */ p) => matrix(p.length / 2, (n, c) => (axes.includes(c) ? p[2 * n + axes.indexOf(c)] : usual.get(c))),
    points: points(train), heldPoints: points(held),
  };
}
