// What every figure has around it: title, note, and a place that is drawn anew when language or theme change.
import { h } from "../dom.js";
import { onSettings } from "../settings.js";
import { said, word } from "../words.js";

/**
 * Draws a figure with its title and note into a new <figure> at the end of `element`. What goes wrong in one figure is
 * said in its place, and leaves the others alone.
 * @param {HTMLElement} element
 * @param {Figure} figure
 * @param {Model} model
 * @param {Draw | undefined} draw
 * @returns {Drawn}
 */
export function framed(element, figure, model, draw) {
  let current = figure;
  const title = h("span", { class: "figure-title" });
  const note = h("p", { class: "figure-note" });
  const body = h("div", { class: "figure-body" });
  const place = h("figure", { class: `figure figure-${figure.kind}`, "data-kind": figure.kind }, h("figcaption", {}, title, note), body);
  element.append(place);
  const label = () => {
    title.textContent = said(current.title);
    title.hidden = !title.textContent;
    note.textContent = said(current.note);
    note.hidden = !note.textContent;
    if (title.textContent) place.setAttribute("aria-label", title.textContent);
  };
  label();
  /** @type {Drawn | null} */
  let drawn = null;
  guarded(body, () => {
    if (!draw) throw new Error(`${word("unknown kind of figure")}: ${figure.kind}`);
    drawn = draw(body, figure, model);
  });
  const renew = () => {
    label();
    guarded(body, () => drawn?.update(current));
  };
  const stop = onSettings(renew);
  return {
    update(next) {
      current = next;
      renew();
    },
    destroy() {
      stop();
      drawn?.destroy();
      place.remove();
    },
  };
}

/**
 * @param {HTMLElement} body
 * @param {() => void} act
 */
function guarded(body, act) {
  try {
    act();
  } catch (error) {
    console.error(error);
    body.replaceChildren(h("p", { class: "broken", role: "alert" }, `${word("This figure can't be drawn")}: ${error instanceof Error ? error.message : error}`));
  }
}
