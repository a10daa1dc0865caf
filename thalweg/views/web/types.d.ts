// The types of documents, figures and models, for the type checker and for readers. They exist at no other time.

type Language = "en" | "zh";
/** A text, or both languages' texts. */
type Words = string | { en: string; zh: string };
/** Numbers: a decoded array, which has its shape beside its memory, or plain lists. NaN may stand as null. */
type Memory = Float32Array | Float64Array | Int32Array | Uint8Array;
type Tensor = Memory & { shape: number[] };
type Numbers = Tensor | ArrayLike<number | null> | any[];
type Range2 = [number, number];

interface PageDocument {
  title: Words;
  language: Language | null;
  sections: Section[];
}
interface Section {
  id: string;
  title: Words;
  text?: Words[];
  figures?: Figure[];
}

interface Figure {
  kind: string;
  title?: Words;
  note?: Words;
  /** Over the whole width of a page. */
  wide?: boolean;
}
interface Curves extends Figure {
  /** Of the series without an x of their own. */
  x?: Numbers;
  x_label: Words;
  y_label: Words;
  series: { name: Words; y: Numbers; x?: Numbers; dashed?: boolean; dots?: boolean; faint?: boolean; band?: Numbers[] }[];
  log_x?: boolean;
  log_y?: boolean;
  marks?: { x: number; text: Words }[];
}
interface Bars extends Figure {
  labels: Words[];
  values: Numbers;
  low?: Numbers;
  high?: Numbers;
  value_label: Words;
}
interface Scatter extends Figure {
  x: Numbers;
  y: Numbers;
  x_label: Words;
  y_label: Words;
  classes?: Numbers;
  class_names?: Words[];
  /** The line y = x. */
  diagonal?: boolean;
}
interface Matrix extends Figure {
  values: Numbers;
  rows: Words[];
  columns: Words[];
  row_label?: Words;
  column_label?: Words;
  /** Colours by the share of a row, as of a confusion matrix. */
  normalise?: boolean;
  /** Signed values: blue above 0, orange below. */
  diverging?: boolean;
}
interface Histograms extends Figure {
  counts: Numbers;
  low: Numbers;
  high: Numbers;
  times: Numbers;
  time_label: Words;
  value_label?: Words;
}
interface NetworkLayer {
  name: string;
  kind: string;
  units: number;
  activation?: string | null;
}
interface Network extends Figure {
  /** The first one may be the inputs: then weights[i] lie between layers i and i + 1. */
  layers: NetworkLayer[];
  weights: (Numbers | null)[];
  biases?: (Numbers | null)[];
  input_names?: Words[];
  output_names?: Words[];
  /** A small map of each unit's response, by layer with the inputs first: (units, height, width). */
  units?: (Numbers | null)[];
  selected?: { layer: number; unit: number } | null;
  /** The largest distance between units with maps, in pixels. */
  space?: number;
}
interface Graph extends Figure {
  nodes: { id: string; name: string; kind: string; shape?: string | number[]; params?: number }[];
  edges: [string, string][];
}
interface Landscape extends Figure {
  a: Numbers;
  b: Numbers;
  loss: Numbers;
  path?: Numbers | null;
  path_loss?: Numbers | null;
  points?: { name: Words; a: number; b: number; loss?: number }[];
  a_label: Words;
  b_label: Words;
  log?: boolean;
  /** Where the training is now: a, b and perhaps its loss. */
  ball?: number[] | null;
}
interface Images extends Figure {
  images: Numbers;
  captions?: Words[];
  /** The size of a pixel of the image, in pixels of the page. */
  scale?: number;
  overlay?: Numbers | null;
}
interface Table extends Figure {
  columns: Words[];
  rows: (Words | number | boolean | null)[][];
  numeric?: boolean[];
  mono?: boolean;
}
interface Paragraphs extends Figure {
  paragraphs?: Words[];
  text?: Words | Words[];
}
interface Code extends Figure {
  text: string;
  language?: string;
}
interface Finding {
  rule: string;
  title?: Words;
  severity: string;
  sentence: Words;
  evidence: Words;
  remedy: Words;
}
interface Findings extends Figure {
  findings: Finding[];
}
interface Surface extends Figure {
  x0: Range2 | Numbers;
  x1: Range2 | Numbers;
  names: [Words, Words];
  values: Numbers;
  points?: Numbers | null;
  labels?: Numbers | null;
  /** Rows held out, drawn as rings. */
  held_points?: Numbers | null;
  held_labels?: Numbers | null;
  class_names?: Words[];
  regression?: boolean;
}
interface Thresholds extends Figure {
  thresholds: Numbers;
  tp: Numbers;
  fp: Numbers;
  fn: Numbers;
  tn: Numbers;
}
interface Calibration extends Figure {
  predicted: Numbers;
  observed: Numbers;
  counts: Numbers;
}
/** An array with its name; if it is large, the first numbers and how many there are ("cut"). */
interface Value {
  name: string;
  shape: number[];
  values: Numbers;
  cut?: number;
  /** What the tutorial calls it. */
  tutorial?: string;
}
interface Step {
  number: number;
  section: "forward" | "backward" | "update" | string;
  title: string;
  formula: string;
  inputs?: Value[];
  outputs?: Value[];
}
interface WeightChange {
  name: string;
  printed?: string;
  before: Value;
  gradient?: Value | null;
  after: Value;
  /** The gradient by central differences. */
  check?: Value | null;
  check_error?: number | null;
}
interface Steps extends Figure {
  rows: number;
  learning_rate: number;
  optimizer?: string;
  loss_before: number;
  loss_after: number;
  given?: { name: Words; text: Words }[];
  tutorial?: { name: string; code: string; meaning: Words; values: Numbers; shape: number[] }[];
  steps: Step[];
  weights?: WeightChange[];
  check_note?: Words;
}

/** Where a figure's data come from and where its messages go: a file, the live page's socket, or a notebook. */
interface Model {
  /** Whether somebody hears `send`. */
  live: boolean;
  get(name: string): any;
  /** `event` is "change:NAME". Returns what takes the listener away. */
  on(event: string, listener: (value: any) => any): () => void;
  send(message: { [key: string]: any }): void;
}
/**
 * What `draw` returns. `update` with another figure draws what has changed; with the same object it draws everything
 * anew, as after a change of language or theme. `destroy` leaves nothing behind.
 */
interface Drawn {
  update(figure: any): void;
  destroy(): void;
}
type Draw = (element: HTMLElement, figure: any, model: Model) => Drawn;

declare const uPlot: any;

/** What the program of a table's network begins with, beside cells.js: made by js_table.py. */
declare const MISSING: string[];
declare const GAPS: string[];
/** How a column of a table is read. */
interface TableColumn {
  name: string;
  /** What its cells have to be. */
  noun: string;
  /** The number that a cell means; null if none. */
  meaning: (cell: any) => number | null;
  categories?: string[];
  /** The value of a missing cell: NaN by default. */
  missing?: number;
  /** The value of a cell that means nothing: by default an error. */
  unknown?: number;
}
/** The same with what training has seen of it: see predicting_page.py. */
interface PredictorColumn extends TableColumn {
  kind: "number" | "boolean" | "date" | "category";
  /** Whether cells were missing. */
  gaps: boolean;
  /** How its numbers are written, and with which units. */
  notation?: string;
  unit?: string;
  low: number;
  high: number;
  median: number;
  true_share: number;
  first: string;
  last: string;
  /** Whether the time of day counts. */
  clock: boolean;
  /** Whether rare categories have a place of their own. */
  rest: boolean;
}
/** What a page predicts with. */
interface Predictor {
  name: string;
  target: { name: string; unit: string; classes: string[] };
  /** The columns of the probabilities in a file of answers. */
  probabilities: string[];
  columns: PredictorColumn[];
  scores: { [name: string]: number };
  style: string;
  /** The probability of each class, or one number, of the columns' values. */
  answer: (values: number[]) => number[];
}
