// Numbers as texts.

/**
 * Up to four significant digits; with the field's sign for negative numbers.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 * @returns {string}
 */
export function numeral(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const whole = Number.isInteger(value) && size < 1e7;
  const text = whole ? grouped(size) : size >= 1e5 || size < 1e-3 ? power(size, digits) : plain(size, digits);
  return value < 0 ? `−${text}` : text;
}

/** @param {number} size */
function grouped(size) {
  return size < 10000 ? String(size) : String(size).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} size @param {number} digits */
function plain(size, digits) {
  return String(Number(size.toPrecision(digits)));
}

/** @param {number} size @param {number} digits */
function power(size, digits) {
  const [head, exponent] = size.toExponential(Math.max(0, digits - 2)).split("e");
  return `${String(Number(head))}e${Number(exponent)}`;
}

/**
 * A share of 1 as a percentage.
 * @param {number} value
 */
export function percent(value) {
  return Number.isFinite(value) ? `${(100 * value).toFixed(Math.abs(value) < 0.0995 ? 1 : 0)} %` : "NaN";
}

/**
 * Round values for an axis from low to high: about `count` of them, and two at least.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @returns {number[]}
 */
export function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 2.5, 5, 10].find((n) => n * unit >= rough) ?? 10);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found.length < 2 ? ticks(low, high, 2 * count) : found;
}
