// Exported programs: what makes the same data, builds the same network and trains it as the page has, with thalweg or
// with Keras. With thalweg and the same epochs it computes what the page has; Keras draws other weights, and other orders.
import { Reader, written } from "../engine/formula.js";
import { isFormula } from "../engine/own_kernels.js";
import { KERNELS, outputsOf } from "./exercise.js";
import { Knobs, parts } from "./knobs.js";
import { chosen } from "./page_network.js";
import { inPython, real, refused } from "./sentences.js";

/** @typedef {import("./page_state.js").State} State */
/** @typedef {import("./course.js").Course} Course */
/** @typedef {import("./course.js").Leg} Leg */
/** @typedef {import("./exercise.js").Exercise} Exercise */

const INDENT = "    ";
const DIVIDED = "x, y, x_held, y_held = x[train], y[train], x[held], y[held]";
const LOAD = `from sklearn.datasets import load_digits`;

/** @param {string} text */
const quoted = (text) => (/["\\\n]/.test(text) ? inPython(text) : `"${text}"`);
/** Arguments as they stand in a call. @param {{ [key: string]: any }} given */
const listed = (given) => Object.entries(given).map(([key, value]) => `${key}=${inPython(value)}`);
/** A shape as a tuple. @param {number[]} shape */
const tuple = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
/** The numbers of float32. @param {any} values @returns {any} */
const single = (values) => (Array.isArray(values) ? values.map(single) : Math.fround(values));

/** A formula in the functions of keras.ops. */
class KerasReader extends Reader {
  /** @param {string} text @param {string[]} variables @param {{ [name: string]: string }} functions */
  constructor(text, variables, functions) {
    super(text, { pi: "np.pi", e: "np.e", ...Object.fromEntries(variables.map((name) => [name, name])) });
    this.functions = functions;
  }

  get text() {
    return written(this.whole(), 0, 9).replace(/\bwhere\(/g, "ops.where(").replaceAll("ops.ops.", "ops.");
  }

  /** @param {string} token */
  literal(token) {
    return /[.eE]/.test(token) ? real(Number(token)) : token;
  }

  /** @param {string} name @returns {import("../engine/formula.js").Tree} */
  call(name) {
    if (!(name in this.functions)) throw refused("Keras has no {name} for this formula", { name });
    const [given, ops] = [this.given(), `ops.${this.functions[name]}`];
    return name === "min" || name === "max" ? given.reduce((one, other) => [ops, one, other]) : [ops, ...given];
  }
}

/** What Python computes the data of a state with, and what it imports. @param {Course} course @returns {{ code: string, imports: string[] }} */
function dataOf({ network: { exercise, tools } }, /** @type {State} */ state) {
  const { data } = state;
  const { name, share, seed } = data;
  const made = (/** @type {string[]} */ names, /** @type {string[]} */ lines) => [names.map((n) => tools.site.exports.sources[n]).join("\n\n\n"), lines.join("\n")].filter(Boolean).join("\n\n\n");
  const divide = (/** @type {string} */ of) => `train, held = divided(len(${of}), share=${real(share)}, seed=${seed})`;
  const rows = exercise.rows + exercise.held;
  if (name === "given") {
    const nested = (/** @type {any[]} */ values) => single(values.map((row) => (Array.isArray(row) ? row : [row])));
    const y = exercise.classes ? inPython(data.y.flat()) : `${real(nested(data.y))}, np.float32`;
    const lines = [`x = np.array(${real(nested(data.x))}, np.float32)`, `y = np.array(${y})`];
    return { code: share ? made(["divided"], [...lines, divide("x"), DIVIDED]) : made([], [...lines, "x_held, y_held = x[:0], y[:0]"]), imports: [] };
  }
  if (name === "digits" || name === "edges") {
    const lines = ["images, labels = load_digits(return_X_y=True)", "x = (images / 16).reshape(-1, 8, 8, 1).astype(np.float32)"];
    const kept = inPython((exercise.classes ?? []).map(Number));
    const kernel = typeof data.kernel === "string" ? KERNELS[data.kernel] : single(data.kernel);
    if (name === "digits") lines.push(`rows = np.flatnonzero(np.isin(labels, ${kept}))[:${rows}]`, `x, y = x[rows], np.searchsorted(${kept}, labels[rows])`);
    else lines.push(`x = x[:${rows}]`, `y = edges(x, np.array(${real(kernel)})).astype(np.float32)`, ...(state.output ? ["y = y.reshape(len(y), -1)"] : []));
    return { code: made(name === "digits" ? ["divided"] : ["divided", "edges"], [...lines, divide("x"), DIVIDED]), imports: [LOAD] };
  }
  if (name === "text") {
    const { rows: end } = exercise;
    return { code: made(["windows"], [`x, y, alphabet = windows(${inPython(data.text)}, ${data.window})`, `x, y, x_held, y_held = x[:${end}], y[:${end}], x[${end}:], y[${end}:]`]), imports: [] };
  }
  if (name === "sentences") return { code: made(["judgements", "divided"], ["x, y, words = judgements()", divide("x"), DIVIDED]), imports: [] };
  if (name === "table") return { code: tableLines(state, exercise, tools), imports: ["from thalweg.data import read_table", "from thalweg.tabular import Features, Target, split_rows"] };
  const column = exercise.classes ? "" : "[:, None].astype(np.float32)";
  const call = `points, y = ${name}(rows=${data.rows}, noise=${real(data.noise)}, seed=${seed}, classes=${data.classes ?? 2})`;
  const split = `x, y, x_held, y_held = x[train], y[train]${column}, x[held], y[held]${column}`;
  return { code: made([name, "divided", "expanded"], [call, divide("points"), `x = expanded(points, ${inPython(exercise.inputs)})`, split]), imports: [] };
}

/** The arrays of a table from its file. @param {State} state @param {Exercise} exercise @param {import("./course.js").Tools} tools */
function tableLines({ data }, exercise, tools) {
  const table = /** @type {import("./table.js").Table} */ (tools.tables.get(data.source));
  if (!table) throw refused("this table is no longer here: open its file again");
  const target = exercise.targets[0];
  const ignored = table.columns.filter(({ name, kind }) => name !== target && (kind === "other" || (data.columns && !data.columns.includes(name)))).map(({ name }) => name);
  const how = Object.entries(table.how).map(([option, value]) => `, ${option}=${inPython(value)}`);
  return [
    `table = read_table(${inPython(table.path)}${how.join("")})${table.id === "source" ? "" : "  # the file that the page was given: put it here"}`,
    ...(table.rows < table.of ? [`table = table.take(np.sort(np.random.default_rng(0).choice(len(table), ${table.rows}, replace=False)))`] : []),
    `target = Target.of(table, ${inPython(target)}, ${inPython(exercise.classes ? exercise.task : "regression")})`,
    data.share ? `train, held = split_rows(table[${inPython(target)}], target.task, ${real(data.share)}, seed=${data.seed})` : `train, held = np.flatnonzero(~table.column(${inPython(target)}).missing()), []`,
    `features = Features.fit(table.take(train), target, ignore=${inPython(ignored)})`,
    "x, x_held = (features.matrix(table.take(rows)) for rows in (train, held))",
    "y = features.targets(table.take(train))",
    "y_held = features.targets(table.take(held)) if len(held) else y[:0]",
    ...(exercise.classes ? ["y, y_held = (part.reshape(-1).astype(int) for part in (y, y_held))"] : []),
  ].join("\n");
}

/** A network of a state, and its training, in the words of one package. */
class Dialect {
  /** @param {any} site @param {State} state @param {Exercise} exercise @param {boolean} keras */
  constructor(site, state, exercise, keras) {
    this.site = site;
    this.state = state;
    this.exercise = exercise;
    this.keras = keras;
    this.facts = site.exports;
    this.name = keras ? "keras" : "thalweg";
    this.schedules = keras ? "optimizers.schedules" : "thalweg.schedules";
    this.knobs = new Knobs(site, state, exercise);
  }

  /** Throws if Keras hasn't it. @param {string} of @param {string} name */
  need(of, name) {
    const { keras } = this.facts;
    if (this.keras && !keras[of].includes(name)) throw refused("Keras has no {what} {name}: choose another to export to Keras", { what: keras.called[of], name });
  }

  /** @param {string} text @param {string[]} variables */
  formula(text, variables) {
    return new KerasReader(text, variables, this.facts.keras.functions).text;
  }

  /** @param {string} name */
  activation(name) {
    const { activations, equations } = this.facts.keras;
    if (!this.keras || activations.includes(name)) return quoted(name);
    if (isFormula(name)) return `lambda x: ${this.formula(name, ["x"])}`;
    if (!(name in equations)) this.need("activations", name);
    return `lambda h: ${this.formula(equations[name], ["h"])}`;
  }

  get loss() {
    const { kind, half, name: text } = this.knobs.loss.described;
    if (kind === "FormulaLoss") return this.keras ? `lambda y_true, y_pred: ops.mean(${this.formula(text, ["y_true", "y_pred"])}, axis=-1)` : quoted(text);
    if (kind === "SumSquaredError") return this.keras ? `lambda y_true, y_pred: ${half ? "0.5" : "1.0"} * ops.sum((y_true - y_pred) ** 2, axis=-1)` : `losses.SumSquaredError(half=${inPython(half)})`;
    const name = this.facts.losses[this.knobs.lossName];
    this.need("losses", name);
    return quoted(name);
  }

  /** @param {any} given */
  initializer(given) {
    const { name, rest } = parts(given);
    const own = this.facts.initializers[name];
    return Object.keys(rest).length ? `initializers.${this.facts.classes[own]}(${listed(rest).join(", ")})` : quoted(own);
  }

  /** @param {any} values */
  array(values) {
    return this.keras ? `initializers.Constant(np.array(${real(values)}))` : `np.array(${real(values)})`;
  }

  /** @param {string} rate */
  optimizer(rate) {
    const { name, rest } = parts(this.state.optimizer);
    this.need("optimizers", name);
    return `optimizers.${this.facts.classes[name]}(${[rate, ...listed(rest)].join(", ")})`;
  }

  /** The learning rate: a number, or a schedule. */
  get rate() {
    const { schedule, learning_rate: first } = this.state;
    const { name, rest } = parts(schedule ?? "constant");
    if (name === "constant") return real(first);
    this.need("schedules", name);
    return `${this.schedules}.${this.facts.classes[name]}(${[real(first), ...listed({ ...this.facts.usual[name], ...rest })].join(", ")})`;
  }

  /** A rate that was changed by hand; of several changes before one step, the last counts. @param {Leg["rates"]} changes */
  changed(changes) {
    const rates = [...new Map([[0, this.state.learning_rate], ...changes])].sort(([one], [other]) => one - other);
    const values = rates.map(([, rate]) => rate);
    if (values.length === 1) return real(values[0]);
    return `${this.schedules}.PiecewiseConstantDecay(${inPython(rates.slice(1).map(([step]) => step - 1))}, ${real(values)})`;
  }

  /** The metric: of margins, yes is above 0. */
  get metric() {
    const { exercise, knobs, name } = this;
    if (!exercise.classes) return '"mae"';
    return exercise.task === "binary" && knobs.ending === "linear" ? `${name}.metrics.BinaryAccuracy(threshold=0.0)` : '"accuracy"';
  }

  get penalty() {
    const { l1, l2 } = this.state;
    return l1 || l2 ? [`kernel_regularizer=regularizers.L1L2(${real(l1)}, ${real(l2)})`] : [];
  }

  /** A layer with weights of its own. @param {string} kind @param {(string | number)[]} found @param {any} given */
  call(kind, found, given) {
    const begins = given.initializer ?? this.state.initializer;
    if (!given.use_bias) found.push("use_bias=False");
    if (given.weights) found.push(`kernel_initializer=${this.array(given.weights)}`);
    else if (begins !== "glorot_uniform") found.push(`kernel_initializer=${this.initializer(begins)}`);
    if (given.bias) found.push(`bias_initializer=${this.array(given.bias)}`);
    return `layers.${kind}(${[...found, ...this.penalty].join(", ")})`;
  }

  /** @param {{ spec: any, given: any }} layer */
  layer({ spec, given }) {
    const usual = this.state.initializer === "glorot_uniform" ? [] : [`kernel_initializer=${this.initializer(this.state.initializer)}`];
    const common = [...usual, ...this.penalty];
    switch (spec.kind) {
      case "dense": return this.call("Dense", [spec.units, `activation=${this.activation(spec.activation)}`], given);
      case "conv2d": return this.call("Conv2D", [spec.filters, spec.kernel_size, `padding='${spec.padding}'`, `activation=${this.activation(spec.activation)}`], given);
      case "max_pool": return `layers.MaxPooling2D(${spec.pool_size})`;
      case "flatten": return "layers.Flatten()";
      case "dropout": return `layers.Dropout(${real(spec.rate)})`;
      case "embedding": return `layers.Embedding(${/** @type {any} */ (this.exercise).vocabulary.length}, ${spec.units})`;
      case "recurrent": return `layers.${this.facts.cells[spec.cell]}(${[spec.units, ...(spec.sequences ? ["return_sequences=True"] : []), ...common].join(", ")})`;
      case "attention": return `layers.MultiHeadAttention(${[spec.heads, spec.units, ...common].join(", ")})`;
      case "average": return "layers.GlobalAveragePooling1D()";
      default: return "layers.BatchNormalization()";
    }
  }

  /** The lines that make the model; attention looks at what it is on itself. */
  get model() {
    const { name, state, exercise } = this;
    const made = chosen(state, exercise, this.knobs).map((layer) => this.layer(layer));
    const attends = (/** @type {string} */ line) => line.startsWith("layers.MultiHeadAttention");
    const input = `${name}.Input(${tuple(exercise.shape)})`;
    if (made.some(attends)) {
      return [`inputs = h = ${input}`, ...made.map((line) => `h = ${line}(h${attends(line) ? ", h" : ""})`), `model = ${name}.Model(inputs, h${this.keras ? "" : `, seed=${state.seed}`})`];
    }
    const lines = [input, ...made].map((line) => `${INDENT}${INDENT}${line},`);
    return [`model = ${name}.Sequential(`, `${INDENT}[`, ...lines, ...(this.keras ? [`${INDENT}]`] : [`${INDENT}],`, `${INDENT}seed=${state.seed},`]), ")"];
  }

  /** A network, and its training up to the next change of another knob than the learning rate. @param {Leg} leg @param {number} place */
  leg(leg, place) {
    const { state, exercise } = this;
    const lines = place ? ["# then something was changed on the page: the weights go on", "weights = model.get_weights()"] : [];
    const rate = leg.rates.length ? this.changed(leg.rates) : this.rate;
    lines.push(...this.model, "model.compile(", `${INDENT}optimizer=${this.optimizer(rate)},`, `${INDENT}loss=${this.loss},`, `${INDENT}metrics=[${this.metric}],`, ")");
    if (place) lines.push("model.set_weights(weights)");
    const options = [`batch_size=${state.batch}`, `epochs=${leg.epochs}`, `shuffle=${inPython(state.shuffle)}`, "verbose=0", ...(this.keras ? [] : ["lanes=1"]), ...(exercise.held ? ["validation_data=(x_held, y_held)"] : [])];
    if (leg.epochs) lines.push(`history = model.fit(x, y, ${options.join(", ")})`);
    return lines.join("\n");
  }

  /** The targets as the loss takes them. */
  get targets() {
    const { exercise, knobs } = this;
    if (!exercise.classes) return "";
    if (exercise.task === "binary") return "y, y_held = (part.reshape(-1, 1).astype(np.float32) for part in (y, y_held))";
    return knobs.loss.described.sparse ? "" : `y, y_held = (np.eye(${outputsOf(exercise)}, dtype=np.float32)[part] for part in (y, y_held))`;
  }
}

/** What the program is, and what it should print. @param {Course} course @param {boolean} keras */
function title(course, keras) {
  const text = `A training of thalweg's live page, ${course.epoch} epochs.`;
  if (keras) return `${text} Keras draws other initial weights, so its loss will be another.`;
  const loss = course.last.train?.loss;
  if (course.engine.step || !course.legs.every(({ whole }) => whole)) return `${text}\n\nThe page stopped or changed something within an epoch; here every epoch is whole.\n`;
  return loss === undefined ? text : `${text}\n\nOn the page the loss of the last epoch was ${real(loss)}.\n`;
}

/** The lines that import what a program uses. @param {string} body @param {string[]} more @param {boolean} keras */
function imports(body, more, keras) {
  const used = ["initializers", "layers", keras ? "ops" : "losses", "optimizers", "regularizers"].filter((name) => body.includes(`${name}.`));
  const name = keras ? "keras" : "thalweg";
  const packages = [`import ${name}`, "import numpy as np", ...more, ...(used.length ? [`from ${name} import ${used.join(", ")}`] : [])];
  packages.sort((one, other) => Number(one.startsWith("from")) - Number(other.startsWith("from")) || (one < other ? -1 : 1));
  const typed = body.includes("Array");
  return ["from __future__ import annotations", "", ...(typed ? ["from typing import Any", ""] : []), ...packages, ...(typed ? ["", "Array = Any  # a NumPy array"] : [])].join("\n");
}

/** The whole program. @param {Course} course @param {boolean} keras */
export function program(course, keras) {
  const { state, network: { exercise, tools } } = course;
  const dialect = (/** @type {State} */ of) => new Dialect(tools.site, of, exercise, keras);
  const data = dataOf(course, state);
  const body = [
    `# The data.\n\n${data.code}`,
    dialect(state).targets,
    "# The network and its training.",
    keras ? `keras.utils.set_random_seed(${state.seed})` : "",
    ...course.legs.map((leg, place) => dialect(leg.state).leg(leg, place)),
    course.legs[course.legs.length - 1].epochs ? 'print("loss", float(history.history["loss"][-1]))' : 'print("loss", float(model.evaluate(x, y, verbose=0, return_dict=True)["loss"]))',
  ].filter(Boolean).join("\n\n");
  return `"""${title(course, keras)}"""\n\n${imports(body, data.imports, keras)}\n\n${body}\n`;
}
