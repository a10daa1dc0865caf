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

/**
 * @param {string} text
 * @param {number} size
 */
export function wide(text, size) {
  RULER.font = font(size);
  return RULER.measureText(text).width;
}

/**
 * The text, or as much of its beginning as there is room for, and ….
 * @param {string} text
 * @param {number} room
 * @param {number} size
 */
export function fitted(text, room, size) {
  if (wide(text, size) <= room) return text;
  let short = text;
  while (short.length > 1 && wide(`${short}…`, size) > room) short = short.slice(0, -1);
  return `${short}…`;
}
