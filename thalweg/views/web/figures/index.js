// The figures by kind.
import { framed } from "./frame.js";
import { drawCurves } from "./curves.js";
import { drawMatrix } from "./matrix.js";
import { drawCode, drawFindings, drawTable, drawText } from "./texts.js";

/** @type {{ [kind: string]: Draw }} */
export const FIGURES = {
  code: drawCode,
  curves: drawCurves,
  findings: drawFindings,
  matrix: drawMatrix,
  table: drawTable,
  text: drawText,
};

const WIDE = new Set(["code", "findings", "graph", "network", "steps", "table", "text"]);

/**
 * Draws a figure with its title and note at the end of `element`.
 * @param {HTMLElement} element
 * @param {Figure} figure
 * @param {Model} model
 * @returns {Drawn}
 */
export function drawFigure(element, figure, model) {
  const drawn = framed(element, figure, model, FIGURES[figure.kind]);
  if (figure.wide ?? WIDE.has(figure.kind)) element.lastElementChild?.classList.add("wide");
  return drawn;
}
