// Layers and what flows between them, from top to bottom.
import { h, redrawn, scroller, svg } from "../dom.js";
import { numeral } from "../format.js";
import { fitted, wide } from "../measure.js";
import { said, word } from "../words.js";

/** @typedef {{ width: number, height: number, across: number, down: number, aside: number }} Sizes */

const BOXES = { width: 212, height: 54, across: 28, down: 30, aside: 46 };
const NARROW_BOXES = { ...BOXES, width: 168, across: 16, aside: 24 }; // on a telephone
const LEAST_SHARE = 0.7; // of its size, to which a drawing shrinks before it is scrolled

/** @param {HTMLElement} element @param {Graph} figure @returns {Drawn} */
export function drawGraph(element, figure) {
  return redrawn(element, figure, (/** @type {Graph} */ f, room) => {
    if (!f.nodes.length) return h("p", { class: "empty" }, word("Nothing to show here."));
    const rows = layered(f);
    const widest = Math.max(...rows.map((row) => row.length));
    const across = (/** @type {Sizes} */ size) => widest * (size.width + size.across) - size.across + 2 * size.aside;
    const sizes = across(BOXES) <= room ? BOXES : NARROW_BOXES;
    const width = across(sizes);
    const height = rows.length * (sizes.height + sizes.down) - sizes.down + 2;
    /** @type {Map<string, { x: number, y: number }>} */
    const places = new Map();
    rows.forEach((row, level) => {
      const left = (width - row.length * (sizes.width + sizes.across) + sizes.across) / 2;
      row.forEach((id, n) => places.set(id, { x: left + n * (sizes.width + sizes.across), y: 1 + level * (sizes.height + sizes.down) }));
    });
    const drawing = svg(
      "svg",
      { width: Math.max(Math.min(width, room), LEAST_SHARE * width), viewBox: `0 0 ${width} ${height}`, role: "img", class: "graph", "aria-label": graphSummary(f) },
      f.edges.flatMap(([a, b]) => edge(places, a, b, sizes)),
      f.nodes.filter((node) => places.has(node.id)).map((node) => box(node, /** @type {any} */ (places.get(node.id)), sizes)),
    );
    return scroller({ tabindex: 0, role: "region", "aria-label": said(f.title) }, drawing);
  });
}

/**
 * The nodes by their longest way from an input; an edge over several rows gets invisible nodes to bend around others.
 * @param {Graph} figure
 * @returns {string[][]}
 */
function layered(figure) {
  /** @type {Map<string, number>} */
  const level = new Map(figure.nodes.map((node) => [node.id, 0]));
  for (let pass = 0; pass < figure.nodes.length; pass++) {
    let changed = false;
    for (const [a, b] of figure.edges) {
      const below = (level.get(a) ?? 0) + 1;
      if (level.has(b) && (level.get(b) ?? 0) < below && below < figure.nodes.length) {
        level.set(b, below);
        changed = true;
      }
    }
    if (!changed) break;
  }
  /** @type {string[][]} */
  const rows = [];
  for (const node of figure.nodes) (rows[level.get(node.id) ?? 0] ??= []).push(node.id);
  const filled = rows.filter(Boolean);
  for (let n = 1; n < filled.length; n++) {
    const above = filled[n - 1];
    const centre = (/** @type {string} */ id) => {
      const from = figure.edges.filter(([a, b]) => b === id && above.includes(a)).map(([a]) => above.indexOf(a));
      return from.length ? from.reduce((sum, k) => sum + k, 0) / from.length : above.length / 2;
    };
    filled[n] = filled[n].map((id) => ({ id, at: centre(id) })).sort((p, q) => p.at - q.at).map(({ id }) => id);
  }
  return filled;
}

/** @param {Map<string, { x: number, y: number }>} places @param {string} a @param {string} b @param {Sizes} sizes */
function edge(places, a, b, sizes) {
  const [from, to] = [places.get(a), places.get(b)];
  if (!from || !to) return [];
  const [x0, y0] = [from.x + sizes.width / 2, from.y + sizes.height];
  const [x1, y1] = [to.x + sizes.width / 2, to.y];
  const far = y1 - y0 > sizes.down + 1; // passes at the side of what stands between
  const aside = far ? Math.max(sizes.width / 2 + 16, 0) : 0;
  const d = far
    ? `M${x0 + sizes.width / 2 - 20} ${y0}C${x0 + aside + 24} ${y0 + 24} ${x1 + aside + 24} ${y1 - 24} ${x1 + sizes.width / 2 - 20} ${y1 - 5}`
    : `M${x0} ${y0}C${x0} ${(y0 + y1) / 2} ${x1} ${(y0 + y1) / 2} ${x1} ${y1 - 5}`;
  const tip = far ? x1 + sizes.width / 2 - 20 : x1;
  return [svg("path", { class: "edge", d }), svg("path", { class: "tip", d: `M${tip - 4} ${y1 - 7}L${tip} ${y1}L${tip + 4} ${y1 - 7}z` })];
}

/** @param {Graph["nodes"][number]} node @param {{ x: number, y: number }} place @param {Sizes} sizes */
function box(node, place, sizes) {
  const shape = node.shape === undefined ? "" : Array.isArray(node.shape) ? `(${node.shape.join(", ")})` : node.shape;
  const params = node.params ? `${numeral(node.params)} ${word("parameters")}` : "";
  const room = sizes.width - 36;
  const called = node.kind === "operation" ? word("operation") : node.kind;
  const kind = node.kind === node.name ? "" : called;
  const [name, left] = [fitted(node.name, Math.max(room * 0.6, room - wide(kind, 11)), 14), fitted(shape, room - wide(params, 11), 11)];
  const line = (/** @type {string} */ role, /** @type {number} */ y, /** @type {boolean} */ right, /** @type {string} */ text) =>
    svg("text", { class: role, x: right ? sizes.width - 12 : 12, y, "text-anchor": right ? "end" : "start" }, text);
  return svg(
    "g",
    { class: /input/i.test(node.kind) ? "node node-input" : "node", transform: `translate(${place.x}, ${place.y})` },
    svg("title", {}, [node.name, called, shape, params].filter(Boolean).join(" · ")),
    svg("rect", { x: 0.5, y: 0.5, width: sizes.width - 1, height: sizes.height - 1, rx: 8 }),
    line("node-name", 22, false, name),
    line("node-kind", 22, true, fitted(kind, room - wide(name, 14), 11)),
    line("node-kind", 42, false, left),
    line("node-kind", 42, true, params),
  );
}

/** @param {Graph} figure */
function graphSummary(figure) {
  const name = new Map(figure.nodes.map((node) => [node.id, node.name]));
  return `${said(figure.title)}: ${figure.edges.map(([a, b]) => `${name.get(a)} → ${name.get(b)}`).join(", ")}`;
}
