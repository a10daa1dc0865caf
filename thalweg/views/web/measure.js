// How wide texts are.

const RULER = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
const FAMILY = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang TC", "Microsoft JhengHei", "Noto Sans TC", sans-serif';

/**
 * The font of figures' words.
 * @param {number} size
 */
export function font(size) {
  return `${size}px ${FAMILY}`;
}

/** @param {string} text @param {number} size */
export function wide(text, size) {
  RULER.font = font(size);
  return RULER.measureText(text).width;
}

/**
 * The text, or as much of its beginning as there is room for, and …, and as much of so many of its last characters.
 * @param {string} text
 * @param {number} room
 * @param {number} size
 */
export function fitted(text, room, size, last = 0) {
  if (wide(text, size) <= room) return text;
  let [short, end] = [text.slice(0, text.length - last), text.slice(text.length - last)];
  while (short.length > 1 && wide(`${short}…${end}`, size) > room) short = short.slice(0, -1);
  while (end && wide(`${short}…${end}`, size) > room) end = end.slice(1);
  return `${short}…${end}`;
}

/**
 * Texts as there is room for, and yet told apart: where one's beginning is another's, its end stands there, too.
 * @param {string[]} texts
 * @param {number} room
 * @param {number} size
 */
export function apart(texts, room, size) {
  /** @type {Set<string>} */
  const taken = new Set();
  return texts.map((text) => {
    const ways = [0, 8, 16, 24].map((last) => fitted(text, room, size, last));
    const found = ways.find((way) => !taken.has(way)) ?? ways[0];
    taken.add(found);
    return found;
  });
}
