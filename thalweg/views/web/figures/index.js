// The figures by kind.
import { drawBars } from "./bars.js";
import { drawCurves } from "./curves.js";
import { framed } from "./frame.js";
import { drawGraph } from "./graph.js";
import { drawHistograms } from "./histograms.js";
import { drawImages } from "./images.js";
import { drawLandscape } from "./landscape.js";
import { drawMatrix } from "./matrix.js";
import { drawNetwork } from "./network.js";
import { drawCalibration, drawScatter } from "./scatter.js";
import { drawSteps } from "./steps.js";
import { drawSurface } from "./surface.js";
import { drawCode, drawFindings, drawTable, drawText } from "./texts.js";
import { drawThresholds } from "./thresholds.js";

/** @type {{ [kind: string]: Draw }} */
export const FIGURES = {
  bars: drawBars,
  calibration: drawCalibration,
  code: drawCode,
  curves: drawCurves,
  findings: drawFindings,
  graph: drawGraph,
  histograms: drawHistograms,
  images: drawImages,
  landscape: drawLandscape,
  matrix: drawMatrix,
  network: drawNetwork,
  scatter: drawScatter,
  steps: drawSteps,
  surface: drawSurface,
  table: drawTable,
  text: drawText,
  thresholds: drawThresholds,
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
