// Runs the JavaScript of the page without a server for a test: node twins.mjs BUNDLE REQUEST ANSWER.
import { readFileSync, writeFileSync } from "node:fs";

const [bundle, asked, answer] = process.argv.slice(2);
const { twins } = (await import(bundle)).default;
const { site, digits, engine, wasm, work } = JSON.parse(readFileSync(asked, "utf8"));
const bytes = Uint8Array.from(Buffer.from(digits, "base64"));
const kernels = wasm ? await twins.load(readFileSync(wasm), engine) : null;
const tools = { site, kernels, tables: new Map(), digits: { images: bytes.subarray(0, 64 * 1797), labels: bytes.subarray(64 * 1797) } };
const rules = new twins.Rules(site);
const list = (array) => Array.from(array);
const DRAWN = Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (__, x) => (x + y) / 14));

const works = {
  numbers: ({ seed }) => {
    const draw = new twins.Generator(seed);
    return [draw.random(5), draw.normal(3000), draw.uniform(-3, 2, 5), draw.permutation(200), draw.permutation(33), draw.normal(3), ...[1797, 20000].map((rows) => new twins.Generator(seed).choice(rows, 512))].map(list);
  },
  exercise: ({ state }) => {
    const read = rules.state(state);
    const { x, y, heldX, heldY, sight, ...rest } = twins.posed(read, tools);
    return { state: read, ...rest, x: list(x), y: list(y), heldX: list(heldX), heldY: list(heldY), points: sight && list(sight.points), ranges: sight?.ranges, seen: sight && list(sight.rows(Float64Array.of(0.5, -1, 3, 200).slice(0, 2 * sight.names.length))) };
  },
  table: ({ text, sent, states }) => {
    const table = sent ? twins.heldTable(twins.decode(Buffer.from(sent, "base64")), "a") : twins.readTable(new TextEncoder().encode(text), "a.csv", "a", site);
    tools.tables.set("a", table);
    return { shown: twins.shownTable(table), exercises: states.map((state) => works.exercise({ state })) };
  },
  weights: ({ given, shape, seed }) => list(twins.drawn(given, shape, new twins.Generator(seed), site)),
  activation: ({ name, h }) => {
    const activation = new twins.Activation(site.activations[name]);
    return { a: list(activation.of(Float64Array.from(h))), slopes: h.map((v) => activation.slope(v)) };
  },
  loss: ({ name, y, p }) => {
    const loss = new twins.RowLoss(site.losses[name]);
    return { value: loss.value(y, Float64Array.from(p)), slope: list(loss.slope(y, Float64Array.from(p))) };
  },
  rates: ({ state, steps }) => {
    const read = rules.state(state);
    const { rate } = new twins.Knobs(site, read, twins.posed(read, tools));
    return steps.map(rate);
  },
  drawing: ({ image }) => list(twins.shrunk(image)),
  course: ({ state, steps, choices }, n) => {
    const course = new twins.Course(tools, rules.state(state));
    const frame = new twins.SideFrame();
    frame.reset();
    const first = frame.made(course, new Set(["surface", "units", "weights", "arithmetic", "reading"]), { layer: -1, unit: 0, row: 0, said: "" }, 0);
    writeFileSync(`${answer}.${n}.frame`, new Uint8Array(twins.encode(first)));
    const weights = course.network.weights().map(list);
    if (state.data.name === "digits") writeFileSync(`${answer}.${n}.drawing`, new Uint8Array(twins.encode(course.responses.drawing(DRAWN))));
    const losses = [];
    let diverged = null;
    try {
      for (let step = 0; step < steps; step++) {
        course.oneStep();
        losses.push(course.lossNow());
      }
    } catch (error) {
      diverged = twins.told(error).en;
    }
    const numbers = diverged ? [] : choices.map((choice) => twins.arithmetic(course.network, choice, course.step));
    writeFileSync(`${answer}.${n}.arithmetic`, new Uint8Array(twins.encode(numbers)));
    course.close();
    return { weights, losses, diverged };
  },
  exported: ({ state, changes = [], kinds, table }) => {
    if (table) tools.tables.set(state.data.source, twins.readTable(new TextEncoder().encode(table.text), table.name, state.data.source, site));
    const course = new twins.Course(tools, rules.state(state));
    for (const change of changes) typeof change === "number" ? course.run(change) : course.change(rules.state(change));
    const found = Object.fromEntries(kinds.map((kind) => {
      try {
        const { bytes, ...rest } = twins.exported(kind, course);
        return [kind, { ...rest, bytes: Buffer.from(bytes).toString("base64") }];
      } catch (error) {
        return [kind, { error: twins.told(error) }];
      }
    }));
    return { ...found, loss: course.last.train.loss };
  },
  landscape: ({ state, steps }, n) => {
    const course = new twins.Course(tools, rules.state(state));
    for (let n = 0; n < steps; n++) course.run(1);
    const survey = new twins.Survey(course);
    survey.constants = { ...survey.constants, "ball.SECONDS": 1e9 };
    survey.affordable = (size) => size;
    while (!survey.done) survey.work(10);
    writeFileSync(`${answer}.${n}.figure`, new Uint8Array(twins.encode(survey.valley.figure)));
    return { ball: survey.valley.ball(course.engine.vector, 0), error: survey.error };
  },
  doctor: ({ state, epochs }) => {
    const course = new twins.Course(tools, rules.state(state));
    course.checkup.due = () => true;
    course.checkup.again = 0;
    try {
      for (let n = 0; n < epochs; n++) course.run(course.engine.stepsPerEpoch);
    } catch (error) {
      if (!error.text) throw error;
    }
    return course.findings();
  },
  session: ({ messages }) => new Promise((resolve) => {
    const frames = [];
    const session = new twins.Session(tools, (buffer) => {
      const frame = twins.decode(buffer);
      frames.push(frame);
      if (frame.frame === undefined) return;
      setTimeout(() => session.take({ do: "ack", frame: frame.frame }));
    });
    messages.forEach((message, k) => setTimeout(() => session.take(message), 150 * (k + 1)));
    setTimeout(() => {
      session.close();
      resolve(frames.map(({ hello, frame, side, serial, status, error, reset, epoch, iteration }) => ({ hello: hello && Object.keys(hello), frame, side, serial, status, error, reset, epoch, iteration })));
    }, 150 * (messages.length + 3));
  }),
};

const answers = [];
for (const [n, job] of work.entries()) {
  try {
    answers.push(await works[job.do](job, n));
  } catch (error) {
    if (!error.text) throw error;
    answers.push({ refused: error.text });
  }
}
writeFileSync(answer, JSON.stringify(answers));
