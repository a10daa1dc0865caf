// What leaves the page: programs, the model, a link, a picture.
import { h, save } from "../dom.js";
import { colour } from "../colours.js";
import { said, word } from "../words.js";
import { packed } from "./states.js";
import { button, el } from "./widgets.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app @returns {HTMLElement} */
export function exportMenu(app) {
  const details = h("details", { class: "dropdown", id: "export" }, el("summary.switch", word("Export")));
  const close = () => (details.open = false);
  const item = (/** @type {string} */ key, /** @type {string} */ text, /** @type {() => void} */ act) => button(key, text, () => (close(), act()));
  const file = (/** @type {string} */ kind) => () => download(app, kind);
  details.append(h("div", { class: "dropdown-list" },
    item("export-python", word("Python program (thalweg)"), file("python")), item("export-keras", word("Python program (Keras)"), file("keras")),
    item("export-model", word("The trained model"), file("model")), item("export-link", word("Copy a link to this state"), () => copyLink(app)), item("export-png", word("Picture of the figures (PNG)"), () => savePicture(app).catch(() => app.tell(word("The policy of this page's server doesn't let it put its figures into one picture."))))));
  details.addEventListener("focusout", (/** @type {FocusEvent} */ e) => !details.contains(/** @type {Node | null} */ (e.relatedTarget)) && close());
  return details;
}

/** @param {App} app @param {string} kind */
async function download(app, kind) {
  const file = await app.model.exported(kind, app.active);
  return file.error ? app.tell(said(file.error)) : save([file.bytes], file.name, file.type);
}

/** The address of this page becomes the link, and is copied where that is allowed. @param {App} app */
export async function copyLink(app) {
  history.replaceState(null, "", `#state=${await packed({ sides: app.sides.map((side) => side.state) })}`);
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  app.tell(copied ? word("The link is copied: it restores data, network and settings.") : word("The address of this page is now the link."), true);
}

/** The panels that hold figures, as they stand on the page. @param {App} app */
async function savePicture(app) {
  const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
  const panels = [...stage.querySelectorAll(".panel")].filter((panel) => panel.clientHeight && panel.querySelector("canvas"));
  const all = stage.getBoundingClientRect();
  const bottom = Math.max(...panels.map((panel) => panel.getBoundingClientRect().bottom));
  const picture = /** @type {HTMLCanvasElement} */ (h("canvas", { width: Math.ceil(2 * all.width), height: Math.ceil(2 * (bottom - all.top)) }));
  const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
  const fill = (/** @type {DOMRect} */ box, /** @type {string} */ name) => {
    context.fillStyle = colour(stage, name);
    context.fillRect(box.left, box.top, box.width, box.height);
  };
  context.scale(2, 2);
  context.translate(-all.left, -all.top);
  fill(all, "paper");
  for (const panel of panels) fill(panel.getBoundingClientRect(), "panel");
  for (const text of stage.querySelectorAll(".panel:has(canvas) :is(h3 > span:first-child, .legend-item, .colour-bar span), .readouts > span")) {
    const box = text.getBoundingClientRect();
    const style = getComputedStyle(text);
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    context.fillStyle = style.color;
    const inner = text.querySelector("svg, canvas")?.getBoundingClientRect();
    context.fillText(/** @type {HTMLElement} */ (text).innerText.replace(/\s+/g, " "), inner ? inner.right + 7 : box.left, box.bottom - box.height / 2 + 5);
  }
  for (const canvas of stage.querySelectorAll("canvas")) {
    const box = canvas.getBoundingClientRect();
    if (box.width && canvas.width) context.drawImage(canvas, box.left, box.top, box.width, box.height);
  }
  for (const drawing of stage.querySelectorAll("svg:not(.sketch)")) await drawSvg(context, drawing);
  picture.toBlob((blob) => blob && save([blob], "thalweg.png", blob.type));
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
    for (const name of ["fill", "stroke", "stroke-width", "opacity", "font", "text-anchor", "stroke-dasharray", "paint-order", "stroke-linejoin"]) /** @type {SVGElement} */ (part).style.setProperty(name, style.getPropertyValue(name));
  });
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  context.drawImage(image, box.left, box.top, box.width, box.height);
}
