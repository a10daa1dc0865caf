// Reads a table's cells as the NumPy file does: the twin of numpy_cells.py. MISSING and GAPS are defined before it.

/** White space by Python's rules, which aren't trim's. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*";
const BLANKS = /^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g;
const AROUND = new RegExp(`^${SPACE}|${SPACE}$`, "gu");
const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const POWERS = new Map(Object.entries({ k: 3, K: 3, M: 6, "\u5343": 3, "\u842c": 4, "\u4e07": 4, "\u5104": 8, "\u4ebf": 8 }));

/**
 * A cell as text without white space around it: 7 for 7.0, true for true.
 * @param {any} cell
 * @returns {string}
 */
export function spelled(cell) {
  return String(cell).replace(BLANKS, "");
}

/**
 * Whether a text says that nothing is there.
 * @param {string} text
 * @returns {boolean}
 */
export function gap(text) {
  return Array.from(text).length < 12 && GAPS.includes(plainly(text).toLowerCase());
}

/**
 * A cell as text, a truth value as Python writes it.
 * @param {any} cell
 * @returns {string}
 */
export function bare(cell) {
  const text = cell === true ? "True" : cell === false ? "False" : String(cell);
  return text.replace(AROUND, "");
}

/**
 * What each column of a row means, as a number.
 * @param {TableColumn[]} columns
 * @param {{ [name: string]: any }} row the cells by the columns' names; null where missing
 * @param {number} place the row's number, for an error
 * @returns {number[]}
 */
export function meanings(columns, row, place) {
  return columns.map((column) => {
    if (!Object.hasOwn(row, column.name) || row[column.name] === undefined) {
      throw new RangeError(`the table lacks ${quoted(column.name)}, which the model was trained with`);
    }
    return read(column, row[column.name], place);
  });
}

/**
 * What a cell means.
 * @param {TableColumn} column
 * @param {any} cell
 * @param {number} place the row's number
 * @returns {number}
 */
export function read(column, cell, place) {
  const missing = column.missing ?? NaN;
  if (cell === null || cell !== cell || MISSING.includes(spelled(cell))) return missing;
  const value = column.meaning(cell) ?? (gap(spelled(cell)) ? missing : (column.unknown ?? null));
  if (value === null || Math.abs(value) === Infinity) {
    throw new RangeError(`row ${place} of the column ${quoted(column.name)} holds ${quoted(cell)}, which is no ${column.noun}`);
  }
  return value;
}

/**
 * A cell as Python shows it.
 * @param {any} cell
 * @returns {string}
 */
export function quoted(cell) {
  if (typeof cell === "number") return String(cell).replace("Infinity", "inf").replace(/e([+-])(\d)$/, "e$10$2");
  if (typeof cell !== "string") return bare(cell);
  const mark = cell.includes("'") && !cell.includes('"') ? '"' : "'";
  const signs = Array.from(cell, (sign) => {
    if (sign === mark || sign === "\\") return `\\${sign}`;
    if (sign === " " || !/[\p{C}\p{Z}]/u.test(sign)) return sign;
    const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[sign];
    const code = (sign.codePointAt(0) ?? 0).toString(16);
    return known ?? (code.length < 3 ? `\\x${code.padStart(2, "0")}` : code.length < 5 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`);
  });
  return mark + signs.join("") + mark;
}

/**
 * The number that a cell is, or that its text spells: no 0x10, no 1_000.
 * @param {any} cell
 * @returns {number | null}
 */
export function number(cell) {
  const text = bare(cell);
  if (NUMBER.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  return infinite ? (infinite[1] === "-" ? -Infinity : Infinity) : null;
}

/**
 * The function that reads numbers as the column has them, such as 1,234.5 or an amount with a unit.
 * @param {string} pattern
 * @param {{ power?: number, group?: string, plain?: boolean }} [options] the power of ten by which they are multiplied: -2
 *     for 45%; what stands between thousands; whether a number may stand without a unit
 * @returns {(cell: any) => number | null}
 */
export function quantity(pattern, { power = 0, group = "", plain = true } = {}) {
  const whole = new RegExp(`^(?:${pattern})$`);
  return (cell) => {
    const own = number(cell);
    if (typeof cell !== "string" || (plain && own !== null)) return own;
    const has = whole.exec(plainly(spelled(cell)))?.groups;
    if (!has) return null;
    const signs = (has.sign ?? "") + (has.inner ?? "");
    const units = [has.before, has.after, has.of].filter(Boolean).length;
    const isMarked = Boolean(has.about || signs);
    if (signs.length > 1 || units > 1 || Boolean(has.open) !== Boolean(has.close) || (has.open && isMarked)) return null;
    const digits = (has.body || has.small || has.zero).replaceAll(group, "").replaceAll(",", ".");
    const times = (POWERS.get(has.letter) ?? 0) + (POWERS.get(has.times) ?? 0) + power;
    const size = /e/i.test(digits) ? Number(digits) * Number(`1e${times}`) : Number(`${digits}e${times}`);
    return has.open || signs === "-" ? -size : size;
  };
}

/**
 * The text in ASCII letters where these say the same.
 * @param {string} text
 * @returns {string}
 */
export function plainly(text) {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  const signs = Array.from(text, (sign) => {
    const place = "\u3000\u00a0\u2007\u2009\u202f\u2212\uffe5\uffe1\u2019\u2018\u2032".indexOf(sign);
    if (place >= 0) return "     -\xa5\xa3'''"[place];
    return sign >= "\uff01" && sign <= "\uff5e" ? String.fromCharCode(sign.charCodeAt(0) - 0xfee0) : sign;
  });
  return bare(signs.join(""));
}

/**
 * Seconds of a time of day such as 10:30.
 * @param {any} cell
 * @returns {number | null}
 */
export function clock(cell) {
  const found = /^([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,6})?))?$/.exec(spelled(cell));
  return found ? 3600 * Number(found[1]) + 60 * Number(found[2]) + Number(found[3] ?? 0) : null;
}

/**
 * The function that finds the place of a cell among categories, by its text, or by the numbers and words that mean
 * one; it is `other` for another one.
 * @param {string[]} known
 * @param {{ numbers?: [number, number][], words?: { [word: string]: number }, odd?: string, other?: number | null }} [options] odd: the pattern of
 *     what may be a number or a date that only thalweg can read
 * @returns {(cell: any) => number | null}
 */
export function category(known, { numbers = [], words = {}, odd = "", other = -1 } = {}) {
  const places = new Map(known.map((text, place) => /** @type {const} */ ([spelled(text), place])).reverse());
  const [values, said, doubtful] = [new Map(numbers), new Map(Object.entries(words)), new RegExp(`^(?:${odd})$`)];
  return (cell) => {
    const text = spelled(cell);
    const value = number(text);
    const found = places.get(text);
    if (found !== undefined) return found;
    if (value !== null && Math.abs(value) < 2 ** 53) return (value % 1 === 0 || typeof cell !== "string" ? values.get(value) : undefined) ?? other;
    return said.get(text.toLowerCase()) ?? (gap(text) || said.has(bare(text).toLowerCase()) || doubtful.test(text) ? null : other);
  };
}

/**
 * The function that reads dates, maybe with a time: seconds since 1970-01-01T00:00.
 * @param {...string} patterns
 * @returns {(cell: any) => number | null}
 */
export function date(...patterns) {
  const forms = patterns.map((pattern) => new RegExp(`^(?:${pattern})$`));
  return (cell) => {
    const text = plainly(spelled(cell));
    const has = forms.map((form) => form.exec(text)?.groups).find(Boolean);
    if (!has) return null;
    const year = has.y ? Number(has.y) : 1911 + Number(has.roc.replace("\u5143", "1"));
    const [month, day] = [Number(has.m), Number(has.d || 1)];
    const start = new Date(Date.UTC(year, month - 1, day));
    if (start.getUTCMonth() !== month - 1 || start.getUTCDate() !== day) return null; // the 31st of February
    const hours = Number(has.H || 0);
    const half = (has.before ?? "") + (has.after ?? "");
    if (half && (hours < 1 || hours > 12 || (has.before && has.after))) return null;
    let minutes = 60 * (half ? (hours % 12) + ("Pp\u4e0b".includes(half[0]) ? 12 : 0) : hours) + Number(has.M || 0);
    const zone = (has.zone ?? "").trim().replaceAll(":", "");
    if (/^[+-]/.test(zone)) minutes -= Number(`${zone[0]}1`) * (60 * Number(zone.slice(1, 3)) + Number(zone.slice(3) || 0));
    return start.getTime() / 1000 + 60 * minutes + Number((has.S || "0").replace(",", "."));
  };
}
