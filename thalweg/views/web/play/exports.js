// What leaves the page: programs, the model, a link, a picture.
import { h } from "../dom.js";
import { colour } from "../colours.js";
import { say } from "./phrases.js";
import { packed } from "./states.js";
import { button, el } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

/**
 * @param {App} app
 * @returns {HTMLElement}
 */
export function exportMenu(app) {
  const details = h("details", { class: "dropdown", id: "export" }, el("summary.switch", say("export")));
  const close = () => (details.open = false);
  const item = (/** @type {string} */ key, /** @type {string} */ text, /** @type {() => void} */ act) => button(key, text, () => (close(), act()));
  const file = (/** @type {string} */ kind) => () => download(app, kind);
  details.append(h("div", { class: "dropdown-list" },
    item("export-python", say("export_python"), file("python")), item("export-keras", say("export_keras"), file("keras")),
    item("export-model", say("export_model"), file("model")), item("export-link", say("export_link"), () => copyLink(app)), item("export-png", say("export_png"), () => savePicture(app))));
  details.addEventListener("focusout", (/** @type {FocusEvent} */ e) => !details.contains(/** @type {Node | null} */ (e.relatedTarget)) && close());
  return details;
}

/** @param {App} app @param {string} kind */
async function download(app, kind) {
  const answer = await fetch(app.address(`/export/${kind}`, { side: String(app.active) }));
  if (!answer.ok) return app.tell((await answer.json().catch(() => null))?.error ?? `${answer.status} ${answer.statusText}`);
  const name = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? `thalweg-${kind}`;
  save(await answer.blob(), name);
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** The address of this page becomes the link, and is copied where that is allowed. @param {App} app */
export async function copyLink(app) {
  history.replaceState(null, "", `#state=${await packed({ sides: app.sides.map((side) => side.state) })}`);
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  app.tell(say(copied ? "link_copied" : "link_here"), true);
}

/** All canvases of the figures, where they stand on the page. @param {App} app */
async function savePicture(app) {
  const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
  const all = stage.getBoundingClientRect();
  const picture = /** @type {HTMLCanvasElement} */ (h("canvas", { width: Math.ceil(2 * all.width), height: Math.ceil(2 * all.height) }));
  const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
  context.scale(2, 2);
  context.fillStyle = colour(stage, "paper");
  context.fillRect(0, 0, all.width, all.height);
  context.translate(-all.left, -all.top);
  context.font = "600 14px system-ui, sans-serif";
  for (const panel of stage.querySelectorAll(".panel")) {
    const box = panel.getBoundingClientRect();
    context.fillStyle = colour(stage, "panel");
    context.fillRect(box.left, box.top, box.width, box.height);
  }
  context.fillStyle = colour(stage, "ink");
  for (const title of stage.querySelectorAll(".panel h3, .readouts")) {
    const box = title.getBoundingClientRect();
    if (box.width) context.fillText(/** @type {HTMLElement} */ (title).innerText.replace(/\s+/g, " "), box.left, box.top + 15, box.width);
  }
  for (const canvas of stage.querySelectorAll("canvas")) {
    const box = canvas.getBoundingClientRect();
    if (box.width && canvas.width) context.drawImage(canvas, box.left, box.top, box.width, box.height);
  }
  for (const drawing of stage.querySelectorAll("svg:not(.sketch)")) await drawSvg(context, drawing);
  picture.toBlob((blob) => blob && save(blob, "thalweg.png"));
  app.tell(say("export_png"), true);
}

/**
 * An SVG as the page shows it: its colours come from the theme, so they are written into a copy.
 * @param {CanvasRenderingContext2D} context
 * @param {Element} drawing
 */
async function drawSvg(context, drawing) {
  const box = drawing.getBoundingClientRect();
  if (!box.width) return;
  const copy = /** @type {Element} */ (drawing.cloneNode(true));
  const parts = drawing.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((part, n) => {
    const style = getComputedStyle(parts[n]);
    for (const name of ["fill", "stroke", "stroke-width", "opacity", "font", "text-anchor", "stroke-dasharray"]) /** @type {SVGElement} */ (part).style.setProperty(name, style.getPropertyValue(name));
  });
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  context.drawImage(image, box.left, box.top, box.width, box.height);
}
