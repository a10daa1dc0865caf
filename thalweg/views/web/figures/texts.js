// Figures made of words: paragraphs, code, tables, findings.
import { h, redrawn, scroller } from "../dom.js";
import { numeral } from "../format.js";
import { said, word } from "../words.js";

const FEW = 12; // rows of a table that are shown at first, if it has many more

/** @param {HTMLElement} element @param {Paragraphs} figure */
export function drawText(element, figure) {
  return redrawn(element, figure, (/** @type {Paragraphs} */ f) => {
    const texts = [f.paragraphs ?? f.text ?? []].flat();
    return texts.map((text) => h("p", {}, said(text)));
  });
}

/** @param {HTMLElement} element @param {Code} figure */
export function drawCode(element, figure) {
  return redrawn(element, figure, (/** @type {Code} */ f) => {
    const button = h("button", { class: "quiet copy", type: "button", onclick: copy }, word("Copy"));
    function copy() {
      navigator.clipboard?.writeText(f.text).then(() => (button.textContent = word("Copied")));
    }
    const text = h("pre", { tabindex: 0 }, h("code", { "data-language": f.language }, f.text));
    return h("div", { class: "code" }, navigator.clipboard ? button : null, text);
  });
}

/** @param {HTMLElement} element @param {Table} figure */
export function drawTable(element, figure) {
  let all = false;
  return redrawn(element, figure, (/** @type {Table} */ f, _, again) => {
    if (!f.rows.length) return h("p", { class: "empty" }, word("Nothing to show here."));
    const toggle = () => {
      all = !all;
      again();
    };
    const right = f.numeric ?? f.columns.map((_, c) => f.rows.every((row) => typeof row[c] === "number" || row[c] === null));
    const many = f.rows.length > FEW + 4;
    const shown = many && !all ? f.rows.slice(0, FEW) : f.rows;
    const head = h("tr", {}, f.columns.map((name, c) => h("th", { scope: "col", class: right[c] ? "number" : "" }, said(name))));
    const lines = shown.map((row) => h("tr", {}, row.map((value, c) => {
      const text = cell(value);
      return h("td", { class: right[c] ? "number" : text.length < 20 ? "short" : "" }, text);
    })));
    const table = h("table", { class: f.mono ? "mono" : "" }, f.columns.length ? h("thead", {}, head) : null, h("tbody", {}, lines));
    return [
      scroller({ tabindex: 0, role: "region", "aria-label": said(f.title) || word("rows") }, table),
      many ? h("button", { class: "quiet", type: "button", onclick: toggle }, all ? word("Show fewer rows") : word("Show all {0} rows", f.rows.length)) : null,
    ];
  });
}

/** @param {any} value */
function cell(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? numeral(value) : said(value);
}

/** @param {HTMLElement} element @param {Findings} figure */
export function drawFindings(element, figure) {
  return redrawn(element, figure, (/** @type {Findings} */ f) => {
    if (!f.findings.length) return h("p", { class: "finding finding-good" }, word("Nothing wrong was found."));
    return h("ul", { class: "findings" }, f.findings.map(finding));
  });
}

/** @param {Finding} finding */
function finding({ rule, title, severity, sentence, evidence, remedy }) {
  const level = /err|ser|crit|high/i.test(severity) ? "error" : /info|note|hint|low/i.test(severity) ? "info" : "warning";
  const line = (/** @type {string} */ name, /** @type {Words} */ text) =>
    said(text) ? [h("dt", {}, name), h("dd", {}, said(text))] : [];
  return h(
    "li",
    { class: `finding finding-${level}` },
    h("p", { class: "finding-head" }, h("span", { class: "badge" }, { error: word("Serious"), warning: word("Warning"), info: word("Note") }[level]), h("code", { class: "rule" }, said(title ?? rule))),
    h("p", { class: "finding-sentence" }, said(sentence)),
    h("dl", {}, ...line(word("Evidence"), evidence), ...line(word("What to try"), remedy)),
  );
}
