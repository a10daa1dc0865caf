// Elements. Whatever comes from data becomes a text node: markup in a column's name is shown, never interpreted.

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {{ [name: string]: any }} Attributes
 */

/**
 * An HTML element. Functions become listeners ("onclick"), `style` an object of properties.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @param {HTMLElement | SVGElement} element @param {Attributes} attributes @param {(Child | Child[])[]} children */
function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") setStyle(element, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/**
 * Property by property: a style attribute would be forbidden by the page's policy.
 * @param {HTMLElement | SVGElement} element
 * @param {{ [name: string]: string | number }} style
 */
function setStyle(element, style) {
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, String(value));
}

/**
 * Calls `paint(width)` now and whenever the element's width changes; returns what ends that.
 * @param {HTMLElement} element
 * @param {(width: number) => void} paint
 * @returns {() => void}
 */
export function onWidth(element, paint) {
  let last = element.clientWidth;
  paint(last || 640); // not yet in a page: as wide as a figure usually is
  const observer = new ResizeObserver(() => {
    const width = element.clientWidth;
    if (!width || width === last) return;
    last = width;
    paint(width);
  });
  observer.observe(element);
  return () => observer.disconnect();
}

/**
 * Of an element that scrolls sideways, `data-more` names the ends beyond which there is more: the style lets them fade.
 * @template {HTMLElement} T
 * @param {T} element
 * @returns {T}
 */
export function fading(element) {
  const mark = () => {
    const after = element.scrollWidth - element.clientWidth - element.scrollLeft;
    element.dataset.more = [element.scrollLeft > 1 && "before", after > 1 && "after"].filter(Boolean).join(" ");
  };
  element.addEventListener("scroll", mark, { passive: true });
  const observer = new ResizeObserver(mark);
  for (const each of [element, ...element.children]) observer.observe(each);
  new MutationObserver(mark).observe(element, { childList: true });
  return element;
}

/** Saves a file. @param {BlobPart[]} parts @param {string} name @param {string} [type] */
export function save(parts, name, type = "text/csv;charset=utf-8") {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** A place for what may be wider than the page. @param {Attributes} attributes @param {...(Child | Child[])} children @returns {HTMLElement} */
export function scroller(attributes, ...children) {
  return fading(h("div", { ...attributes, class: `scroller ${attributes.class ?? ""}`.trim() }, ...children));
}

/**
 * What most figures return: they are drawn anew for new data, colours, words, and widths.
 * @param {HTMLElement} element
 * @param {any} figure
 * @param {(figure: any, width: number, again: () => void) => (Child | Child[])} make `again` draws once more, after a click
 * @returns {Drawn}
 */
export function redrawn(element, figure, make) {
  let current = figure;
  let width = 0;
  const show = () => element.replaceChildren(...[make(current, width, show)].flat().filter((c) => c instanceof Node));
  const stop = onWidth(element, (w) => {
    width = w;
    show();
  });
  return {
    update(next) {
      current = next;
      width = element.clientWidth || width;
      show();
    },
    destroy() {
      stop();
      element.replaceChildren();
    },
  };
}

/**
 * A canvas of so many CSS pixels, sharp on any screen; `paint` gets its context.
 * @param {number} width
 * @param {number} height
 * @param {(context: CanvasRenderingContext2D) => void} paint
 * @param {Attributes} [attributes]
 * @returns {HTMLCanvasElement}
 */
export function canvas(width, height, paint, attributes = {}) {
  const ratio = Math.min(3, Math.max(1, window.devicePixelRatio || 1));
  const element = h("canvas", {
    ...attributes,
    width: Math.round(width * ratio),
    height: Math.round(height * ratio),
    style: { width: `${width}px`, height: `${height}px`, ...attributes.style },
  });
  const context = element.getContext("2d");
  context.scale(ratio, ratio);
  paint(context);
  return element;
}
