// The map of the whole: data → … → decision, with the numbers of now, and the four knobs where they act.
import { h, svg } from "../dom.js";
import { numeral } from "../format.js";
import { said, word } from "../words.js";
import { button, el } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

/** @type {{ [node: string]: string }} */
const KNOBS = { initial_weights: "weights", activation: "activation", loss: "loss", learning_rate: "rate" };

/**
 * What a node's number is now.
 * @param {string} id
 * @param {{ [name: string]: any }} values
 */
function current(id, values) {
  const a = values.arithmetic ?? {};
  const [name, value] = /** @type {[string, any]} */ ({ forward: ["h", a.h], activation: ["y_predict", a.y_predict], loss: ["L", values.loss], gradient_descent: ["error_term", a.error_term], learning_rate: ["", values.learning_rate], update: ["delta_w", a.delta_w?.[0]] }[id] ?? ["", undefined]);
  return typeof value === "number" ? (name && `${name} = `) + numeral(value) : "";
}

/**
 * The map as a dialog's content.
 * @param {App} app
 * @param {any} map
 * @param {(id: string) => void} toKnob
 * @returns {HTMLElement}
 */
export function mindMap(app, map, toKnob) {
  const about = h("div", { class: "map-about", role: "status" });
  const choose = (/** @type {any} */ node) => {
    about.replaceChildren(
      el("h3", said(node.title)), el("p", said(node.text)), el("p", el("code", node.formula)),
      el("p.hint", node.instruction ? `${word("Instruction")}: ${node.instruction} · ` : "", `${word("In the code")}: ${node.code.file}, ${node.code.name}`),
      ...(KNOBS[node.id] ? [button("to-knob", word("Show this knob"), () => toKnob(KNOBS[node.id]), { class: "quiet" })] : []),
    );
    for (const other of place.querySelectorAll(".map-node")) other.classList.toggle("chosen", /** @type {SVGElement} */ (other).dataset.id === node.id);
  };
  const place = el("div.map", drawMap(map, "wide", app.side().values, choose), drawMap(map, "tall", app.side().values, choose));
  choose(map.nodes[0]);
  return el("div", place, about);
}

/**
 * @param {any} map
 * @param {"wide" | "tall"} form
 * @param {{ [name: string]: any }} values
 * @param {(node: any) => void} choose
 */
function drawMap(map, form, values, choose) {
  const [width, height] = map.sizes[form];
  const [w, tall] = map.box;
  const knobs = Object.keys(KNOBS);
  const edges = map.edges.map((/** @type {any} */ edge) => svg("polyline", { points: edge[form].map((/** @type {number[]} */ p) => p.join()).join(" "), "marker-end": `url(#arrow-${form})` }));
  const labels = map.edges.filter((/** @type {any} */ e) => e.text && form === "wide").map((/** @type {any} */ edge) => {
    const [[x0, y0], [x1, y1]] = edge.wide;
    return svg("text", { x: (x0 + x1) / 2, y: (y0 + y1) / 2 - 8, class: "map-label" }, said(edge.text));
  });
  const nodes = map.nodes.map((/** @type {any} */ node) => {
    const [x, y] = node[form];
    const number = knobs.indexOf(node.id);
    const now = current(node.id, values);
    const act = () => choose(node);
    return svg("g", { class: `map-node map-${node.kind}`, "data-id": node.id, tabindex: 0, role: "button", "aria-label": said(node.title), onclick: act, onfocus: act },
      svg("rect", { x: x - w / 2, y: y - tall / 2, width: w, height: tall, rx: 10 }),
      svg("text", { x, y: y - (now ? 12 : 6) }, said(node.title)), svg("text", { x, y: y + (now ? 6 : 14), class: "map-formula" }, node.formula),
      now && svg("text", { x, y: y + 23, class: "map-now" }, now),
      number >= 0 && svg("circle", { cx: x - w / 2, cy: y - tall / 2, r: 11 }), number >= 0 && svg("text", { x: x - w / 2, y: y - tall / 2 + 4, class: "map-number" }, number + 1));
  });
  const arrow = svg("marker", { id: `arrow-${form}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0,0 L8,4 L0,8 Z" }));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: `map-${form}`, role: "group", "aria-label": word("The map") }, svg("defs", {}, arrow), edges, labels, nodes);
}
