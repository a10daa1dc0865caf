// Axes in SVG over a canvas for what is dense, and a probe that reads values under pointer and arrow keys.
import { colour } from "./colours.js";
import { canvas, h, svg } from "./dom.js";
import { numeral, ticks } from "./format.js";
import { fitted, wide } from "./measure.js";
import { word } from "./words.js";

/**
 * @typedef {object} PlotOptions
 * @property {number} width
 * @property {number} [height]
 * @property {Range2} x
 * @property {Range2} y
 * @property {string} [xLabel]
 * @property {string} [yLabel]
 * @property {{ at: number, text: string }[]} [xTicks]
 * @property {{ at: number, text: string }[]} [yTicks]
 * @property {string} summary what the figure shows, for those who can't see it
 * @property {boolean} [grid]
 * @property {number} [right] room at the right
 * @property {(context: CanvasRenderingContext2D, width: number, height: number) => void} [paint]
 *
 * @typedef {object} Plot
 * @property {HTMLElement} node
 * @property {SVGElement} marks what is drawn here is cut off at the axes; its origin is that of `x` and `y`
 * @property {number} width
 * @property {number} height
 * @property {number} left
 * @property {number} top
 * @property {(value: number) => number} x
 * @property {(value: number) => number} y
 * @property {() => void} repaint paints the canvas anew, and nothing else
 */

let plots = 0; // so that every clip path has its own name

/** @param {HTMLElement} element @param {PlotOptions} given @returns {Plot} */
export function plotted(element, given) {
  const o = { ...given, x: finite(given.x), y: finite(given.y) };
  const xTicks = o.xTicks ?? ticks(o.x[0], o.x[1], Math.max(2, Math.round(o.width / 90))).map((at) => ({ at, text: numeral(at) }));
  const yTicks = o.yTicks ?? ticks(o.y[0], o.y[1], 5).map((at) => ({ at, text: numeral(at) }));
  const left = 12 + Math.max(7, ...yTicks.map((t) => wide(t.text, 12))) + (o.yLabel ? 20 : 0);
  const [top, right, bottom] = [8, o.right ?? 12, o.xLabel ? 44 : 26];
  const outer = o.height ?? Math.round(Math.min(340, Math.max(220, o.width * 0.62)));
  const [width, height] = [Math.max(40, o.width - left - right), outer - top - bottom];
  const x = (/** @type {number} */ v) => ((v - o.x[0]) / (o.x[1] - o.x[0] || 1)) * width;
  const y = (/** @type {number} */ v) => height - ((v - o.y[0]) / (o.y[1] - o.y[0] || 1)) * height;
  const clip = `plot-${(plots += 1)}`;
  const marks = svg("g", { "clip-path": `url(#${clip})` });
  const lines = () =>
    [
      ...xTicks.map((t) => [x(t.at), 0, x(t.at), height]),
      ...yTicks.map((t) => [0, y(t.at), width, y(t.at)]),
    ].map(([x1, y1, x2, y2]) => svg("line", { class: "grid", x1, y1, x2, y2 }));
  const texts = [
    xTicks.map((t) => svg("text", { class: "tick", x: x(t.at), y: height + 16, "text-anchor": "middle" }, t.text)),
    yTicks.map((t) => svg("text", { class: "tick", x: -7, y: y(t.at) + 4, "text-anchor": "end" }, t.text)),
    o.xLabel ? svg("text", { class: "tick", x: width / 2, y: height + 36, "text-anchor": "middle" }, fitted(o.xLabel, width, 12)) : null,
    o.yLabel ? svg("text", { class: "tick", transform: `translate(${14 - left}, ${height / 2}) rotate(-90)`, "text-anchor": "middle" }, fitted(o.yLabel, height + 16, 12)) : null,
  ];
  const drawing = svg(
    "svg",
    { width: o.width, height: outer, role: "img", "aria-label": o.summary },
    svg("clipPath", { id: clip }, svg("rect", { x: -6, y: -6, width: width + 12, height: height + 12 })),
    svg("g", { transform: `translate(${left}, ${top})` }, ...texts.flat(), marks),
  );
  const node = h("div", { class: "plot", style: { height: `${outer}px` } });
  if (o.grid ?? true) node.append(svg("svg", { width: o.width, height: outer, "aria-hidden": "true" }, svg("g", { transform: `translate(${left}, ${top})` }, lines())));
  const dense = o.paint && canvas(width, height, () => undefined, { "aria-hidden": "true", style: { left: `${left}px`, top: `${top}px` } });
  const repaint = () => {
    const context = dense?.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, width, height);
    o.paint?.(context, width, height);
  };
  repaint();
  node.append(...(dense ? [dense] : []), drawing);
  return { node, marks, width, height, left, top, x, y, repaint };
}

/**
 * A failed training may leave no range at all.
 * @param {Range2} range
 * @returns {Range2}
 */
function finite(range) {
  return range.every(Number.isFinite) ? range : [0, 1];
}

/**
 * @template T
 * @typedef {object} Reader
 * @property {(x: number, y: number) => T | null} nearest what lies at a place of the plot
 * @property {(at: T | null, right: number, up: number) => T} moved what the arrow keys lead to
 * @property {(at: T) => [number, number]} place
 * @property {(at: T) => string} say
 */

/**
 * Makes a plot readable: by pointer, finger, and arrow keys. Returns the line that says the values.
 * @template T
 * @param {Plot} plot
 * @param {Reader<T>} reader
 * @returns {HTMLElement}
 */
export function probe(plot, reader) {
  const line = h("p", { class: "readout", "aria-live": "polite" });
  const ring = svg("circle", { class: "probe", r: 5, visibility: "hidden" });
  plot.marks.append(ring);
  /** @type {T | null} */
  let at = null;
  const show = (/** @type {T | null} */ next) => {
    if (next === null) return;
    const [x, y] = reader.place(next);
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    at = next;
    ring.setAttribute("cx", String(x));
    ring.setAttribute("cy", String(y));
    ring.setAttribute("visibility", "visible");
    line.textContent = reader.say(next);
  };
  const pointed = (/** @type {PointerEvent} */ event) => {
    const box = plot.node.getBoundingClientRect();
    const x = event.clientX - box.left - plot.left;
    const y = event.clientY - box.top - plot.top;
    if (x >= -4 && y >= -4 && x <= plot.width + 4 && y <= plot.height + 4) show(reader.nearest(x, y));
  };
  plot.node.tabIndex = 0;
  plot.node.setAttribute("role", "group");
  plot.node.setAttribute("aria-label", word("Point at the figure, or focus it and use the arrow keys, to read its values."));
  plot.node.addEventListener("pointermove", pointed);
  plot.node.addEventListener("pointerdown", pointed);
  plot.node.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!by) return;
    event.preventDefault();
    show(reader.moved(at, by[0], by[1]));
  });
  return line;
}

/**
 * The reader of a grid of `columns` × `rows` nodes, spread evenly over the plot; row 0 is at the bottom.
 * @param {Plot} plot
 * @param {number} columns
 * @param {number} rows
 * @param {(column: number, row: number) => string} say
 * @returns {Reader<[number, number]>}
 */
export function nodes(plot, columns, rows, say) {
  const within = (/** @type {number} */ n, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, Math.round(n)));
  return {
    nearest: (x, y) => [within((x / plot.width) * (columns - 1), columns), within((1 - y / plot.height) * (rows - 1), rows)],
    moved: (at, right, up) => (at ? [within(at[0] + right, columns), within(at[1] + up, rows)] : [columns >> 1, rows >> 1]),
    place: ([column, row]) => [(column / (columns - 1 || 1)) * plot.width, plot.height - (row / (rows - 1 || 1)) * plot.height],
    say: ([column, row]) => say(column, row),
  };
}

/**
 * Paints colours of a grid over the whole canvas, smoothly; row 0 is at the bottom.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} columns
 * @param {number} rows
 * @param {(column: number, row: number) => [number, number, number] | null} tint null: nothing there
 */
export function paintGrid(context, width, height, columns, rows, tint) {
  const image = new ImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const rgb = tint(column, row);
      if (rgb) image.data.set([...rgb, 255], 4 * ((rows - 1 - row) * columns + column));
    }
  }
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  small.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}

/**
 * A bar that explains colours: from `low` to `high`.
 * @param {(share: number) => [number, number, number]} scale
 * @param {string} low
 * @param {string} high
 * @param {string} [name]
 */
export function colourBar(scale, low, high, name) {
  const bar = canvas(120, 8, (context) => paintGrid(context, 120, 8, 60, 1, (column) => scale(column / 59)), { "aria-hidden": "true" });
  return h("div", { class: "colour-bar" }, name ? h("span", {}, name) : null, h("span", { class: "mono" }, low), bar, h("span", { class: "mono" }, high));
}

/**
 * The mark of the k-th class, as a path: circle, square, triangle, diamond, cross, and a triangle on its tip.
 * @param {number} k
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
export function markOf(k, x, y, r) {
  const [s, t] = [0.9 * r, r / 2.6];
  const shapes = [
    `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`, `M${x - s} ${y - s}h${2 * s}v${2 * s}h${-2 * s}z`,
    `M${x} ${y - 1.2 * r}l${1.1 * r} ${1.9 * r}h${-2.2 * r}z`, `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`,
    `M${x - t} ${y - r}h${2 * t}v${r - t}h${r - t}v${2 * t}h${t - r}v${r - t}h${-2 * t}v${t - r}h${t - r}v${-2 * t}h${r - t}z`, `M${x} ${y + 1.2 * r}l${1.1 * r} ${-1.9 * r}h${-2.2 * r}z`,
  ];
  return shapes[k % shapes.length];
}

/**
 * Names with their colours and marks.
 * @param {HTMLElement} element
 * @param {{ name: string, colour: string, mark?: number | "line" | "dashed" }[]} entries mark: of which class, or a line; a dot without
 */
export function dots(element, entries) {
  const ring = colour(element, "panel");
  const sign = (/** @type {string} */ fill, /** @type {number | "line" | "dashed"} */ mark) =>
    typeof mark === "number" ? svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, svg("path", { d: markOf(mark, 7, 7, 5), fill, stroke: ring }))
      : svg("svg", { width: 24, height: 12, "aria-hidden": "true" }, svg("path", { d: "M1 6h22", stroke: fill, "stroke-width": 3, "stroke-dasharray": mark === "dashed" ? "7 4" : null }));
  return h("div", { class: "legend" }, entries.map(({ name, colour: fill, mark = 0 }) => h("span", { class: "legend-item" }, sign(fill, mark), name)));
}
