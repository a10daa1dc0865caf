// A text or a sentence as the network reads it: what was typed, what comes next, and what the network writes itself.
import { h } from "../dom.js";
import { said, word } from "../words.js";
import { probabilities } from "./drawing.js";
import { button, el } from "./widgets.js";

/** @typedef {import("./side.js").Side} Side */

const MOST = 8; // likeliest letters that are listed
const ATTENTION = { kind: "attention", heads: 1, units: 8 };

/** The panel of a side whose data are texts or sentences. @param {Side} side */
export function showReading(side) {
  const { values: { reading }, places } = side;
  /** @type {HTMLElement} */ (places.reading.parentElement).hidden = !reading;
  if (!reading) return;
  side.reader ??= reader(side, reading.letters);
  side.reader.show(reading);
}

/**
 * The fields, once, so that who types keeps them; what stands beside them is made anew.
 * @param {Side} side
 * @param {boolean} letters
 */
function reader(side, letters) {
  const { app, places } = side;
  const line = h("p", { class: "read-text", "aria-live": "off" });
  const bars = el("ol.probabilities");
  const refusal = h("p", { class: "hint", role: "status" });
  const field = h("input", { type: "text", maxlength: 300, "data-key": "said", "aria-label": label(letters), placeholder: label(letters), onchange: () => app.say(side, field.value) });
  const text = h("textarea", { rows: 4, maxlength: app.hello?.limits.text ?? 4000, "data-key": "own-text", "aria-label": word("A text of your own") });
  const learn = button("learn-text", word("Learn this text"), () => app.edit((s) => { s.data.text = text.value; }, side), { class: "quiet" });
  const own = h("details", { id: `own-${side.index}`, ontoggle: () => (text.value ||= side.state.data.text ?? side.values.state?.data.text ?? "") }, el("summary", word("A text of your own")), text, learn);
  const looks = h("button", { type: "button", class: "quiet", "data-key": "looks", onclick: () => app.edit(turned, side) }, word("Attention"));
  places.reading.replaceChildren(el("div.inline", field, ...(letters ? [] : [looks])), refusal, line, bars, ...(letters ? [own] : []));
  return {
    letters,
    /** @param {any} reading */
    show({ tokens, written, probabilities: shares, classes, unread }) {
      refusal.textContent = unread ? said(unread) : "";
      refusal.hidden = !unread;
      field.setAttribute("aria-invalid", String(Boolean(unread)));
      const before = letters ? tokens.join("") : tokens.join(" ");
      line.replaceChildren(el("span", before), written ? el("b", written) : "");
      looks.setAttribute("aria-pressed", String(attends(side.state)));
      const order = Array.from(shares, (_, n) => n).sort((a, b) => shares[b] - shares[a]).slice(0, MOST);
      const names = order.map((n) => visible(classes[n]));
      probabilities(bars, order.map((n) => shares[n]), letters ? names : names.map((name) => PRAISE[/** @type {keyof typeof PRAISE} */ (name)]()));
    },
  };
}

/** What sentences say. */
const PRAISE = { blame: () => word("blame"), praise: () => word("praise") };

/** A letter or a word; a space as it can be seen. @param {string} token */
function visible(token) {
  return token === " " ? "·" : token;
}

/** @param {boolean} letters */
function label(letters) {
  return letters ? word("Go on from …") : word("A sentence of five of its words");
}

/** @param {any} state */
function attends(state) {
  return (state.layers ?? []).some((/** @type {any} */ l) => l.kind === "attention");
}

/** With attention, or without. @param {any} state */
function turned(state) {
  const { layers } = state;
  state.layers = attends(state) ? layers.filter((/** @type {any} */ l) => l.kind !== "attention") : layers.flatMap((/** @type {any} */ l) => (l.kind === "embedding" ? [l, { ...ATTENTION }] : [l]));
}

/** States and attention as matrices; null: there are none. @param {Side} side @param {"states" | "attention"} name */
export function readingFigure({ values: { reading } }, name) {
  const values = reading?.[name];
  if (!values) return null;
  const tokens = reading.tokens.map(visible);
  const digits = name === "states" ? 10 : 100; // many columns need room
  const rounded = Object.assign(Float32Array.from(values, (/** @type {number} */ v) => Math.round(digits * v) / digits), { shape: values.shape });
  if (name === "attention") return { kind: "matrix", title: word("Attention"), values: rounded, rows: tokens, columns: tokens, row_label: word("word that looks"), column_label: word("word that it looks at") };
  const units = Array.from({ length: values.shape[0] }, (_, n) => String(n + 1));
  return { kind: "matrix", title: word("States over the steps"), values: rounded, rows: units, columns: tokens, row_label: word("unit"), column_label: word("step"), diverging: true };
}
