// Controls: each has a key, by which the focus finds it again after its panel was made anew.
import { h } from "../dom.js";
import { numeral } from "../format.js";
import { word } from "../words.js";

/**
 * An element by its tag and classes, such as "p.hint".
 * @param {string} name
 * @param {...any} children
 */
export function el(name, ...children) {
  const [tag, ...classes] = name.split(".");
  return h(tag, { class: classes.join(" ") || null }, ...children.flat(9));
}

const TYPED = 'input[type="range"], input[type="number"], input[type="text"]';

/**
 * Fills a panel anew, unless somebody is typing or sliding in it: then when they have done.
 * @param {HTMLElement} panel
 * @param {() => any[]} make
 * @param {boolean} [now] even then
 */
export function refill(panel, make, now = false) {
  const focused = panel.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
  if (focused?.matches(TYPED) && !now) {
    focused.addEventListener("blur", () => queueMicrotask(() => refill(panel, make)), { once: true });
    return;
  }
  const key = focused?.dataset.key;
  const open = new Set([...panel.querySelectorAll("details[open]")].map((d) => d.id));
  panel.replaceChildren(...make().flat(9).filter(Boolean));
  for (const details of panel.querySelectorAll("details")) if (open.has(details.id)) details.open = true;
  if (key) /** @type {HTMLElement | null} */ (panel.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
}

/** @param {string} key @param {any} content @param {() => void} onclick @param {{ [name: string]: any }} [more] */
export function button(key, content, onclick, more = {}) {
  return h("button", { type: "button", "data-key": key, onclick, ...more }, content);
}

/**
 * A menu; options are [value, text] or, as a group, [text, [[value, text], …]].
 * @param {string} key
 * @param {string} label
 * @param {any[]} options
 * @param {string} value
 * @param {(value: string) => void} chosen
 * @param {{ hidden?: boolean, title?: string }} [more] hidden: the label is only for screen readers
 */
export function menu(key, label, options, value, chosen, more = {}) {
  const option = (/** @type {[string, string]} */ [v, text]) => h("option", { value: v, selected: v === value }, text);
  const select = h(
    "select",
    { "data-key": key, "aria-label": label, title: more.title, onchange: (/** @type {any} */ e) => chosen(e.target.value) },
    options.map((o) => (Array.isArray(o[1]) ? h("optgroup", { label: o[0] }, o[1].map(option)) : option(o))),
  );
  return more.hidden ? select : el("label.field", el("span", label), select);
}

/**
 * A slider over the given values (a list), or from low to high. It tells while it moves.
 * @param {string} key
 * @param {string} label
 * @param {number} value
 * @param {number[]} values
 * @param {(value: number) => void} chosen
 * @param {(value: number) => string} [shown]
 */
export function slider(key, label, value, values, chosen, shown = numeral) {
  let nearest = 0;
  values.forEach((v, n) => (nearest = Math.abs(v - value) < Math.abs(values[nearest] - value) ? n : nearest));
  const output = el("output", shown(value));
  const input = h("input", {
    type: "range", "data-key": key, min: 0, max: values.length - 1, step: 1, "aria-label": label, "aria-valuetext": shown(value),
    oninput: () => {
      const next = values[Number(input.value)];
      output.textContent = shown(next);
      input.setAttribute("aria-valuetext", shown(next));
      chosen(next);
    },
  });
  input.value = String(nearest);
  return el("label.field.slider", el("span", label, output), input);
}

/**
 * A number that is typed; it tells when it is complete.
 * @param {string} key
 * @param {string} label
 * @param {number} value
 * @param {(value: number) => void} chosen
 * @param {{ [name: string]: any }} [more]
 */
export function numberField(key, label, value, chosen, more = {}) {
  const input = h("input", {
    type: "number", "data-key": key, step: "any", value, ...more, bare: null, "aria-label": label,
    onchange: () => input.value !== "" && Number.isFinite(Number(input.value)) && chosen(Number(input.value)),
  });
  return h("label", { class: more.bare ? "field number bare" : "field number" }, el("span", label), input);
}

/**
 * A number to be turned: a slider from −5 to 5, and the number itself, which may lie beyond.
 * @param {string} key
 * @param {string} label
 * @param {number} value
 * @param {(value: number) => void} chosen
 */
export function dial(key, label, value, chosen) {
  const exact = h("input", { type: "number", "data-key": key, step: 0.1, value, "aria-label": label, onchange: () => exact.value !== "" && Number.isFinite(Number(exact.value)) && chosen(Number(exact.value)) });
  const turned = h("input", { type: "range", "data-key": `${key}-dial`, min: -5, max: 5, step: 0.1, "aria-label": label, oninput: () => chosen(Number((exact.value = turned.value))) });
  turned.value = String(value);
  return el("div.dial", h("span", { "aria-hidden": "true" }, label), turned, exact);
}

/**
 * A formula that is typed: used by Enter or the button.
 * @param {string} key
 * @param {string} label
 * @param {string} value
 * @param {(value: string) => void} chosen
 * @param {boolean} [refused]
 */
export function formulaField(key, label, value, chosen, refused = false) {
  const input = h("input", {
    type: "text", "data-key": key, value, "aria-label": label, "aria-invalid": refused ? "true" : null, placeholder: label,
    spellcheck: "false", autocapitalize: "off", autocomplete: "off", maxlength: 300,
  });
  const use = () => input.value.trim() && chosen(input.value.trim());
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => e.key === "Enter" && use());
  return el("div.formula", input, button(`${key}-use`, word("Use"), use));
}

/**
 * Numbers from low to high by powers of ten: 1, 3, 10, 30 ….
 * @param {number} low an exponent of ten
 * @param {number} high
 * @param {number[]} [digits]
 */
export function decades(low, high, digits = [1, 3]) {
  const found = [];
  for (let e = low; e < high; e++) for (const d of digits) found.push(Number(`${d}e${e}`));
  return [...found, Number(`1e${high}`)];
}
