// Colours of canvases, read from the theme, and scales of colours.
// Blue and orange, and the order of lightness, survive every common kind of colour blindness.

/**
 * A variable of the theme: "ink", "muted", "line", "panel", "accent", "series-0" ….
 * @param {Element} element
 * @param {string} name
 * @returns {string}
 */
export function colour(element, name) {
  return getComputedStyle(element).getPropertyValue(`--${name}`).trim() || "#888";
}

/**
 * The colour of a class or series; after eight they begin again.
 * @param {Element} element
 * @param {number} n
 * @param {boolean} [faint] grey instead
 */
export function seriesColour(element, n, faint) {
  return faint ? faded(colour(element, "muted"), 0.6) : colour(element, `series-${n % 8}`);
}

/**
 * "#rrggbb" → [r, g, b].
 * @param {string} text
 * @returns {[number, number, number]}
 */
export function channels(text) {
  const n = parseInt(text.slice(1), 16);
  return text.length === 4 ? [((n >> 8) & 15) * 17, ((n >> 4) & 15) * 17, (n & 15) * 17] : [n >> 16, (n >> 8) & 255, n & 255];
}

/**
 * A function from 0 … 1 to [r, g, b], through the given colours.
 * @param {string[]} stops
 * @returns {(share: number) => [number, number, number]}
 */
function through(stops) {
  const known = stops.map(channels);
  return (share) => {
    if (Number.isNaN(share)) return [136, 136, 136];
    const place = Math.min(1, Math.max(0, share)) * (known.length - 1);
    const k = Math.min(known.length - 2, Math.floor(place));
    const f = place - k;
    return /** @type {[number, number, number]} */ (known[k].map((v, c) => Math.round(v + f * (known[k + 1][c] - v))));
  };
}

/**
 * Small to great: from the paper to deep blue, or in the dark from the paper to bright blue.
 * @param {Element} element
 */
export function sequential(element) {
  return through(colour(element, "sequential").split(/\s+/));
}

/**
 * −1 … 1 as 0 … 1: orange, paper, blue.
 * @param {Element} element
 */
export function diverging(element) {
  return through(colour(element, "diverging").split(/\s+/));
}

/**
 * Valleys to heights: equal steps of lightness, the same in both themes.
 * @param {Element} element
 */
export function terrain(element) {
  return through(colour(element, "terrain").split(/\s+/));
}

/** @param {[number, number, number]} rgb */
export function css(rgb) {
  return `rgb(${rgb[0]}, ${rgb[1]}, ${rgb[2]})`;
}

/**
 * A colour with an opacity.
 * @param {string} text
 * @param {number} opacity
 */
export function faded(text, opacity) {
  const [r, g, b] = channels(text);
  return `rgba(${r}, ${g}, ${b}, ${opacity})`;
}

/**
 * Black or white, whichever can be read on the colour.
 * @param {[number, number, number]} rgb
 */
export function inkOn(rgb) {
  return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 140 ? "#14181d" : "#ffffff";
}
