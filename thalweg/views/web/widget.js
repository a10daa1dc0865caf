// A figure in a notebook: anywidget calls `render`.
import { h } from "./dom.js";
import { drawFigure } from "./figures/index.js";
import { widgetModel } from "./models/widget.js";
import { followSystem, language, setLanguage, wear } from "./settings.js";
import { tag } from "./words.js";

/**
 * Draws the trait `figure` (bytes by encoding.py), again whenever it changes. The trait `language` is "en" or "zh".
 * @param {{ model: any, el: HTMLElement }} view
 * @returns {() => void}
 */
export function render({ model: widget, el }) {
  const model = widgetModel(widget);
  const place = h("div", { class: "thalweg notebook" });
  wear(place);
  el.append(place);
  /** @type {Drawn | null} */
  let drawn = null;
  let kind = "";
  const speak = () => {
    const wanted = model.get("language") === "zh" ? "zh" : "en";
    if (wanted !== language()) setLanguage(wanted);
    place.lang = tag(wanted);
  };
  const show = () => {
    const figure = model.get("figure");
    if (!figure) return;
    if (drawn && figure.kind === kind) drawn.update(figure);
    else {
      drawn?.destroy();
      drawn = drawFigure(place, figure, model);
      kind = figure.kind;
    }
  };
  speak();
  followSystem();
  show();
  const stops = [model.on("change:figure", show), model.on("change:language", speak)];
  return () => {
    stops.forEach((stop) => stop());
    drawn?.destroy();
    place.remove();
  };
}
