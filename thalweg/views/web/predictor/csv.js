// Tables as text: RFC 4180 with any line ends, after a byte order mark or none, with the header's delimiter.

/**
 * The delimiter that the header has most of, outside of quotes.
 * @param {string} text
 * @param {string} name of the file: .tsv and .tab have tabs
 */
export function delimiterOf(text, name) {
  if (/\.(tsv|tab)$/i.test(name)) return "\t";
  let isQuoted = false;
  const counts = new Map([",", ";", "\t", "|"].map((sign) => [sign, 0]));
  for (const sign of text) {
    if (sign === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (sign === "\n" || sign === "\r")) break;
    else if (!isQuoted && counts.has(sign)) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  }
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

/**
 * The rows of a text, each its cells; lines without anything are left out where rows have several.
 * @param {string} text
 * @param {string} delimiter
 * @returns {Generator<string[]>}
 */
export function* rowsOf(text, delimiter) {
  const next = new RegExp(`[${delimiter === "|" ? "\\|" : delimiter}\\r\\n]`, "g");
  let at = 0;
  let isWide = false;
  /** @type {string[]} */
  let row = [];
  while (at < text.length || row.length) {
    const [cell, end] = text[at] === '"' ? quotedCell(text, at, next) : plainCell(text, at, next);
    row.push(cell);
    at = end;
    if (text[at] === delimiter) {
      at++;
      if (at < text.length) continue;
      row.push(""); // the text ends with a delimiter
    }
    if (row.length > 1 || !isWide || row[0] !== "") yield row;
    isWide ||= row.length > 1;
    row = [];
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    at++;
  }
}

/**
 * @param {string} text
 * @param {number} at
 * @param {RegExp} next
 * @returns {[string, number]} a cell, and where it ends
 */
function plainCell(text, at, next) {
  next.lastIndex = at;
  const end = next.exec(text)?.index ?? text.length;
  return [text.slice(at, end), end];
}

/**
 * @param {string} text
 * @param {number} at where the first quote stands
 * @param {RegExp} next
 * @returns {[string, number]}
 */
function quotedCell(text, at, next) {
  let cell = "";
  for (let from = at + 1; ; ) {
    const end = text.indexOf('"', from);
    if (end < 0) return [cell + text.slice(from), text.length]; // it is never closed
    cell += text.slice(from, end);
    if (text[end + 1] !== '"') {
      const [more, stop] = plainCell(text, end + 1, next);
      return [cell + more, stop];
    }
    cell += '"';
    from = end + 2;
  }
}

/**
 * A row as a line. Cells stay as they are, as in the files that `thalweg predict` writes.
 * @param {string[]} cells
 * @param {string} delimiter
 */
export function lineOfCells(cells, delimiter) {
  const special = new RegExp(`["\\r\\n${delimiter === "|" ? "\\|" : delimiter}]|^\\s|\\s$`);
  return cells.map((cell) => (special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(delimiter);
}

/**
 * The text of a file: UTF-8, or UTF-16 with its mark; null for another.
 * @param {ArrayBuffer} bytes
 * @returns {string | null}
 */
export function textOf(bytes) {
  const head = new Uint8Array(bytes.slice(0, 2));
  const name = head[0] === 255 && head[1] === 254 ? "utf-16le" : head[0] === 254 && head[1] === 255 ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
