// Reads a table's cells as the NumPy file does: the twin of numpy_cells.py. MISSING, GAPS and MOMENT are defined by it.

/** White space by Python's rules, which aren't trim's. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*";
const AROUND = new RegExp(`^${SPACE}|${SPACE}$`, "gu");
const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;
const YES = ["true", "yes", "y", "t", "1", "1.0"];
const NO = ["false", "no", "n", "f", "0", "0.0"];

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
 * What a cell means: NaN or −2 for a missing one, −1 for an unknown category.
 * @param {TableColumn} column
 * @param {any} cell
 * @param {number} place the row's number
 * @returns {number}
 */
export function read(column, cell, place) {
  const missing = column.categories ? -2 : NaN;
  if (cell === null || cell !== cell || MISSING.includes(bare(cell))) return missing;
  const value = column.meaning(cell) ?? (GAPS.includes(bare(cell).toLowerCase()) ? missing : column.categories ? -1 : null);
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
 * The number that a cell is, or that its text spells as Python's float reads it: digits of any script, no 0x10.
 * @param {any} cell
 * @returns {number | null}
 */
export function number(cell) {
  const text = bare(cell).replace(/[^\0-\x7f]/gu, digit);
  if (cell === true || cell === false) return Number(cell);
  if (!NUMBER.test(text)) return null;
  const end = text.toLowerCase().replace(/^[+-]/, "");
  if (end === "nan") return NaN;
  return end.startsWith("inf") ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text);
}

/**
 * A digit of another script in ASCII: they stand in tens. Another sign as it is.
 * @param {string} sign
 * @returns {string}
 */
function digit(sign) {
  let before = 0;
  for (let code = sign.codePointAt(0) ?? 0; /\p{Nd}/u.test(String.fromCodePoint(code)); code--) before++;
  return before ? String((before - 1) % 10) : sign;
}

/**
 * The same where training has read 1,5 as one and a half; 1.234 might be a thousand there.
 * @param {any} cell
 * @returns {number | null}
 */
export function decimalComma(cell) {
  if (typeof cell !== "string") return number(cell);
  return cell.includes(".") ? null : number(cell.replaceAll(",", "."));
}

/**
 * 1 or 0 for yes or no.
 * @param {any} cell
 * @returns {number | null}
 */
export function truth(cell) {
  const text = bare(cell).toLowerCase();
  return YES.includes(text) ? 1 : NO.includes(text) ? 0 : null;
}

/**
 * The function that finds a cell among categories: by its text, as the same number, or by a word for yes or no.
 * @param {string[]} known
 * @returns {(cell: any) => number | null}
 */
export function category(known) {
  const places = new Map(known.map((text, place) => /** @type {const} */ ([bare(text), place])).reverse());
  const by = (/** @type {(cell: any) => number | null} */ meaning) => new Map(Array.from(places, ([text, place]) => [meaning(text), place]));
  const [numbers, truths] = [by(number), by(truth)];
  const answers = truths.size === 2 && !truths.has(null);
  return (cell) => {
    const text = bare(cell);
    const value = number(text);
    const found = places.get(text) ?? (value !== null && value % 1 === 0 ? numbers.get(value) : undefined);
    return found ?? (answers ? truths.get(truth(text)) : undefined) ?? null;
  };
}

/**
 * Seconds since 1970-01-01T00:00 of a date such as 2024-05-31, 2024/5/31 or 20240531, maybe with a time.
 * @param {any} cell
 * @returns {number | null}
 */
export function moment(cell) {
  let text = bare(cell);
  if (/^(1[89]|2[01])[0-9]{6}$/.test(text)) text = `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`;
  else if (/^(1[89]|2[01])[0-9]{2}[-/](0[1-9]|1[0-2])$/.test(text)) text += `${text[4]}01`;
  const found = new RegExp(`^(?:${MOMENT})$`).exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = [1, 3, 4, 5, 6, 7].map((k) => Number(found[k] ?? 0));
  const zone = found[8] ?? "Z";
  const start = new Date(Date.UTC(year, month - 1, day));
  if (start.getUTCMonth() !== month - 1 || start.getUTCDate() !== day) return null; // the 31st of February
  if (hour > 23 || minute > 59 || second >= 60) return null;
  const away = zone === "Z" ? 0 : Number(`${zone[0]}1`) * (60 * Number(zone.slice(1, 3)) + Number(zone.slice(-2)));
  return start.getTime() / 1000 + 3600 * hour + 60 * (minute - away) + Math.round(second * 1e6) / 1e6;
}
