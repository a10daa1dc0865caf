// The live page's data that aren't code, and its small pictures: pictures.json.
import { svg } from "../dom.js";
import { dataOf } from "../models/worker.js";

/** @type {{ [kind: string]: any }} */
const PICTURES = {};

/** Reads the pictures: nothing can be drawn before. */
export async function loadPictures() {
  Object.assign(PICTURES, await dataOf("pictures"));
}

/** @param {string} name */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: PICTURES.icons[name] }));
}

/** A sketch of a set of data: its points by class. @param {string} name */
export function sketch(name) {
  return svg("svg", { viewBox: "0 0 40 40", "aria-hidden": "true", class: "sketch" }, PICTURES.data[name].map((/** @type {string} */ d) => svg("path", { d })));
}
