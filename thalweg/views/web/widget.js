// Figures in a notebook: anywidget calls `render`.
import { h } from "./dom.js";
import { drawFigure } from "./figures/index.js";
import { widgetModel } from "./models/widget.js";
import { followSystem, language, setLanguage, wear } from "./settings.js";
import { tag } from "./words.js";

/**
 * Draws the trait `figure` (bytes by encoding.py: a figure, or a list side by side), again whenever it changes. The trait `language` is "en" or "zh".
 * @param {{ model: any, el: HTMLElement }} view
 * @returns {() => void}
 */
export function render({ model: widget, el }) {
  const model = widgetModel(widget);
  const place = h("div", { class: "thalweg notebook" });
  wear(place);
  el.append(place);
  /** @type {Drawn[]} */
  let drawn = [];
  let kinds = "";
  const speak = () => {
    const wanted = model.get("language") === "zh" ? "zh" : "en";
    if (wanted !== language()) setLanguage(wanted);
    place.lang = tag(wanted);
  };
  const show = () => {
    const given = model.get("figure");
    if (!given) return;
    /** @type {Figure[]} */
    const figures = Array.isArray(given) ? given : [given];
    const now = figures.map((figure) => figure.kind).join(" ");
    if (now === kinds) {
      drawn.forEach((one, n) => one.update(figures[n]));
      return;
    }
    drawn.forEach((one) => one.destroy());
    drawn = figures.map((figure) => drawFigure(place, figure, model));
    kinds = now;
  };
  speak();
  followSystem();
  show();
  const stops = [model.on("change:figure", show), model.on("change:language", speak)];
  return () => {
    stops.forEach((stop) => stop());
    drawn.forEach((one) => one.destroy());
    place.remove();
  };
}
