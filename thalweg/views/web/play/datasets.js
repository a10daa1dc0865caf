// A sketch of each set of data: a picture, the data come from the server.
import { svg } from "../dom.js";

const DIGIT = ["..##..", ".#..#.", "....#.", "..##..", "....#.", ".#..#.", "..##.."];

/** @param {number} n @param {number} x @param {number} y */
function dot(n, x, y) {
  return svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 2, class: `series-${1 - n}` });
}

/** @type {{ [name: string]: () => any[] }} */
const SKETCHES = {
  blobs: () => around(8, (n, t, k) => dot(k, k ? 29 + 5.5 * Math.cos(t) * ((n % 3) / 2) : 12 + 5.5 * Math.cos(t) * ((n % 3) / 2), (k ? 11 : 28) + 5.5 * Math.sin(t) * ((n % 3) / 2))),
  moons: () => around(9, (n, _, k) => ((t) => dot(k, (k ? 25 : 15) + (k ? -1 : 1) * 11 * Math.cos(t), (k ? 17 : 24) + (k ? 1 : -1) * 11 * Math.sin(t)))((Math.PI * n) / 8)),
  circles: () => around(12, (_, t, k) => dot(k, 20 + (k ? 5 : 15) * Math.cos(t), 20 + (k ? 5 : 15) * Math.sin(t))),
  spiral: () => around(13, (n, _, k) => ((r, t) => dot(k, 20 + r * Math.sin(t), 20 + r * Math.cos(t)))(2 + n * 1.2, n * 0.42 + k * Math.PI)),
  xor: () => around(9, (n, _, k) => dot(k, (k ? 11 : 29) + 5 * ((n % 3) - 1), 11 + 5 * Math.floor(n / 3) - 5 + 4)).concat(around(9, (n, _, k) => dot(1 - k, (k ? 11 : 29) + 5 * ((n % 3) - 1), 29 + 5 * Math.floor(n / 3) - 5))),
  plane: () => stripes((x) => x / 40),
  hills: () => stripes((x, y) => 0.5 + 0.5 * Math.sin(x / 6) * Math.cos(y / 6)),
  line: () => [svg("path", { d: `M3,24 ${Array.from({ length: 18 }, (_, n) => `L${3 + 2 * n},${(22 - 10 * Math.sin(n / 2.6)).toFixed(1)}`).join(" ")}`, class: "stroke" })],
  digits: () => DIGIT.flatMap((row, y) => [...row].map((c, x) => c === "#" && svg("rect", { x: 5 + 5 * x, y: 2.5 + 5 * y, width: 5, height: 5, class: "ink" }))),
  edges: () => [svg("rect", { x: 5, y: 5, width: 15, height: 30, class: "ink" }), svg("rect", { x: 5, y: 5, width: 30, height: 30, class: "frame" }), svg("path", { d: "M20,5 V35", class: "stroke" })],
};

/** @param {number} count @param {(n: number, t: number, k: number) => any} make */
function around(count, make) {
  return [0, 1].flatMap((k) => Array.from({ length: count }, (_, n) => make(n, (2 * Math.PI * n) / count, k)));
}

/** @param {(x: number, y: number) => number} height */
function stripes(height) {
  const cells = Array.from({ length: 64 }, (_, n) => [4 + 4 * (n % 8), 4 + 4 * Math.floor(n / 8)]);
  return cells.map(([x, y]) => svg("rect", { x, y, width: 4.2, height: 4.2, class: height(x, y) > 0.5 ? "series-0" : "series-1", "fill-opacity": Math.abs(2 * height(x, y) - 1).toFixed(2) }));
}

/** @param {string} name */
export function sketch(name) {
  return svg("svg", { viewBox: "0 0 40 40", "aria-hidden": "true", class: "sketch" }, (SKETCHES[name] ?? (() => []))());
}
