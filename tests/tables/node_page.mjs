// The page's worker in node, for tests: node node_page.mjs BUNDLE DATA. A line of standard input is a call, {"do", …}; a
// line of output its answer, or a frame of an open page ("page N "), as base64 of what the page itself would be sent.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** Node's own goes before all that is read: a training at full speed would never hear a line. */
globalThis.MessageChannel = class {
  port1 = { onmessage: () => {}, close: () => (this.port1.onmessage = () => {}) };
  port2 = { postMessage: () => setImmediate(() => this.port1.onmessage()) };
};

const [bundle, data] = process.argv.slice(2);
const { page: own } = (await import(bundle)).default;
const { site, digits, engine, wasm } = JSON.parse(readFileSync(data, "utf8"));
const bytes = Uint8Array.from(Buffer.from(digits, "base64"));
const images = { images: bytes.subarray(0, 64 * 1797), labels: bytes.subarray(64 * 1797) };
const kernels = wasm ? await own.load(readFileSync(wasm), engine) : null;
const toolsOf = (tables = new Map()) => ({ site, kernels, tables, digits: images });
const tools = toolsOf();
const rules = new own.Rules(site);
const say = (before, document) => process.stdout.write(`${before}${Buffer.from(own.encode(document)).toString("base64")}\n`);
const floats = (values, ...shape) => Object.assign(Float64Array.from(values), { shape: shape.length ? shape : [values.length] });
const read = (text, name = "a.csv", id = "a") => own.readTable(new TextEncoder().encode(text), name, id, site);
const received = (sent, id) => own.heldTable(own.decode(Buffer.from(sent, "base64")), id);

function exerciseOf({ x, y, heldX, heldY, sight, ...rest }) {
  const rows = (values, count) => floats(values, count, count ? values.length / count : 0);
  return {
    ...rest, x: rows(x, rest.rows), y: floats(y), heldX: rows(heldX, rest.held), heldY: floats(heldY), points: sight && floats(sight.points), ranges: sight?.ranges ?? null,
    seen: sight && floats(sight.rows(Float64Array.of(0.5, -1, 3, 200).slice(0, 2 * sight.names.length))),
  };
}

const courses = new Map();
const pages = new Map();
const does = {
  numbers: ({ seed }) => {
    const draw = new own.Generator(seed);
    return [draw.random(5), draw.normal(3000), draw.uniform(-3, 2, 5), draw.permutation(200), draw.permutation(33), draw.normal(3), ...[1797, 20000].map((rows) => new own.Generator(seed).choice(rows, 512))].map((v) => floats(v));
  },
  table: ({ text, sent }) => {
    const table = sent ? received(sent, "a") : read(text);
    tools.tables.set("a", table);
    return own.shownTable(table);
  },
  exercise: ({ state }) => ({ state: rules.state(state), ...exerciseOf(own.posed(rules.state(state), tools)) }),
  weights: ({ given, shape, seed }) => floats(own.drawn(given, shape, new own.Generator(seed), site)),
  activation: ({ name, h }) => {
    const activation = new own.Activation(site.activations[name]);
    return { a: floats(activation.of(Float64Array.from(h))), slopes: h.map((v) => activation.slope(v)) };
  },
  loss: ({ name, y, p }) => {
    const loss = new own.RowLoss(site.losses[name]);
    return { value: loss.value(y, Float64Array.from(p)), slope: floats(loss.slope(y, Float64Array.from(p))) };
  },
  rates: ({ state, steps }) => {
    const { rate } = new own.Knobs(site, rules.state(state), own.posed(rules.state(state), tools));
    return floats(steps.map(rate));
  },
  drawing: ({ image }) => floats(own.shrunk(image)),
  pace: ({ epochs, acts }) => {
    let now = 100;
    const [real, found] = [performance.now, []];
    performance.now = () => 1000 * now;
    try {
      const pace = new own.Pace(epochs);
      pace.stepSeconds = 1e-4;
      for (const [act, ...values] of acts) act === "pass" ? (now += values[0]) : found.push(pace[act](...values) ?? null);
    } finally {
      performance.now = real;
    }
    return found;
  },

  begin: ({ course: n, state, table, again }) => {
    if (table) tools.tables.set(state.data.source, table.sent ? received(table.sent, state.data.source) : read(table.text, table.name, state.data.source));
    const course = new own.Course(tools, rules.state(state));
    if (again) [course.checkup.due, course.checkup.again] = [() => true, 0];
    courses.set(n, course);
    return null;
  },
  end: ({ course }) => {
    courses.get(course)?.close();
    courses.delete(course);
    return null;
  },
  run: ({ course, steps }) => courses.get(course).run(steps) ?? null,
  oneStep: ({ course }) => courses.get(course).oneStep() ?? null,
  change: ({ course, state }) => courses.get(course).change(rules.state(state)),
  keeps: ({ course, state }) => rules.keepsWeights(rules.state(state), courses.get(course).state),
  standing: ({ course: n }) => {
    const course = courses.get(n);
    const { train, held } = course.last;
    return {
      epoch: course.epoch, iteration: course.iteration, batch: course.engine.step, loss: train?.loss ?? null, metric: train?.metric ?? null, val_metric: held?.metric ?? null,
      loss_now: course.lossNow(), steps_per_epoch: course.engine.stepsPerEpoch, rate: course.network.learningRate, diverged: course.diverged, state: course.state,
    };
  },
  facts: ({ course }) => courses.get(course).network.facts(),
  rows: ({ course }) => exerciseOf(courses.get(course).network.exercise),
  arrays: ({ course: n }) => {
    const { network } = courses.get(n);
    const shapes = network.layers.flatMap(({ arrays }) => arrays);
    return network.weights().map((values, k) => floats(values, ...shapes[k]));
  },
  shift: ({ course, page, by }) => {
    const { engine } = courses.get(course) ?? pages.get(page).sides.get(0).course;
    engine.setWeights(engine.arrays().map(({ values }, n) => values.map((v) => v + (by[n] ?? by))));
    return null;
  },
  arithmetic: ({ course: n, choice }) => own.arithmetic(courses.get(n).network, { layer: -1, unit: 0, row: 0, ...choice }, courses.get(n).step),
  reading: ({ course, said, row, iteration }) => courses.get(course).reading.shown(said, row, iteration),
  drawn: ({ course, image }) => courses.get(course).responses.drawing(image),
  frame: ({ course, wanted }) => {
    const frame = new own.SideFrame();
    frame.reset();
    return frame.made(courses.get(course), new Set(wanted), { layer: -1, unit: 0, row: 0, said: "" }, 0);
  },
  findings: ({ course }) => courses.get(course).findings(),
  exported: ({ course, kind }) => {
    const { bytes: content, ...rest } = own.exported(kind, courses.get(course));
    return { ...rest, bytes: Buffer.from(content).toString("base64") };
  },
  landscape: ({ course: n }) => {
    const survey = new own.Survey(courses.get(n));
    survey.seconds = 1e9;
    survey.affordable = (size) => size;
    while (!survey.done) survey.work(10);
    const { valley, error } = survey;
    if (!valley) return { error };
    const { vector, layout } = courses.get(n).engine;
    const places = layout.map(({ offset, shape }) => [offset, shape]);
    return { error, figure: valley.figure, ball: [...valley.ball(vector, 0)], origin: floats(valley.origin), onto: valley.onto.map((axis) => floats(axis)), vector: floats(vector), places };
  },

  open: ({ page, begins, table }) => {
    const its = toolsOf(new Map(table ? [["source", received(table, "source")]] : []));
    pages.set(page, new own.Session(its, (buffer) => process.stdout.write(`page ${page} ${Buffer.from(buffer).toString("base64")}\n`), begins));
    return null;
  },
  tell: ({ page, message }) => pages.get(page).take(message) ?? null,
  upload: ({ page, content, name }) => pages.get(page).upload(new Uint8Array(Buffer.from(content, "base64")), name),
  ask: ({ page, kind, side }) => {
    const { bytes: content, ...rest } = pages.get(page).export(kind, side);
    return content ? { ...rest, bytes: Buffer.from(content).toString("base64") } : rest;
  },
  idle: () => ({ seconds: process.cpuUsage().user / 1e6, memories: kernels.waiting.length }),
  close: ({ page }) => {
    pages.get(page)?.close();
    pages.delete(page);
    return null;
  },
};

/** JSON has no such numbers, and Python's reads and writes no such list. */
const OTHERS = { $nan: NaN, $inf: Infinity, $deep: Array.from({ length: 50_000 }).reduce((inner) => [inner], 1) };

for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, ...given } = JSON.parse(line, (_, value) => OTHERS[value] ?? value);
  try {
    say("", { answer: does[what](given) });
  } catch (error) {
    if (!error.text) throw error;
    say("", { refused: own.told(error), diverged: error instanceof own.DivergedError });
  }
}
