"""The bundler: order, names, and what it refuses."""

import re

import pytest

from thalweg.errors import ArgumentError, NotFoundError
from thalweg.views.web.bundle import EXPORT, HERE, IMPORT, VENDOR, bundle, styles
from thalweg.views.web.minifier import lean

MODULES = sorted(path for path in HERE.rglob("*.js") if "vendor" not in path.parts)
MOST_BYTES = 200_000
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function")


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / "a.js"


def own(entry, **options):
    """The bundle without the vendor's part."""
    vendor = "\n".join((HERE / name).read_text(encoding="utf-8").rstrip() for name in VENDOR)
    return bundle(entry, **options).removeprefix(vendor).strip()


def test_modules_stand_after_those_they_import(tmp_path):
    entry = write(
        tmp_path,
        a='import { b } from "./b.js";\nimport { c } from "./c.js";\nb(c);\n',
        b='import { c } from "./c.js";\n\n/** Says c. */\nexport function b(x) {\n  return c + x; // kept\n}\n',
        c="// why\nexport const c = 1;\n",
    )
    assert own(entry) == "let c=1;\n\nfunction b(x){return c+x}\n\nb(c);"


def test_a_widget_exports_what_its_entry_does(tmp_path):
    entry = write(tmp_path, a='import { b } from "./b.js";\nexport function render() {}\n', b="export const b = 1;\n")
    assert own(entry, module=True).endswith("export default { render };")
    assert bundle("widget.js", module=True).endswith("export default { render };\n")


@pytest.mark.parametrize(
    ("modules", "error", "message"),
    [
        ({"a": 'import { b } from "./b.js";\n'}, NotFoundError, "a.js: there is no module"),
        (
            {"a": 'import { x } from "./b.js";\n', "b": "export const y = 1;\nconst x = 2;\n"},
            ArgumentError,
            "a.js imports 'x' from b.js, which exports",
        ),
        (
            {"a": 'import { b } from "./b.js";\nconst same = 1;\n', "b": "export const b = 1;\nfunction same() {}\n"},
            ArgumentError,
            "b.js and a.js both define 'same'",
        ),
        (
            {
                "a": 'import { b } from "./b.js";\nexport const a = 1;\n',
                "b": 'import { a } from "./a.js";\nexport const b = 1;\n',
            },
            ArgumentError,
            "in a circle: a.js → b.js → a.js",
        ),
        ({"a": "export default 1;\n"}, ArgumentError, "a.js: .export default 1;. is not a form"),
        ({"a": 'import b from "./b.js";\n', "b": ""}, ArgumentError, "is not a form"),
        ({"a": 'import { b as c } from "./b.js";\n', "b": "export const b = 1;\n"}, ArgumentError, "'b as c'"),
        ({"a": "const { b } = window;\n"}, ArgumentError, "is not a form"),
        ({"a": 'const b = "</SCRIPT>";\n'}, ArgumentError, "would end the page's script"),
    ],
    ids=[
        "missing",
        "not exported",
        "same name",
        "circle",
        "default",
        "default import",
        "alias",
        "pattern",
        "end",
    ],
)
def test_other_modules_are_refused(tmp_path, modules, error, message):
    with pytest.raises(error, match=message):
        bundle(write(tmp_path, **modules))


def sizes():
    """Bytes of every file of code, as pages send it."""
    vendor = {path.name: path.stat().st_size for path in (HERE / "vendor").iterdir() if path.suffix in (".js", ".css")}
    files = [*MODULES, *(path for path in HERE.rglob("*.css") if "vendor" not in path.parts)]
    own = {
        str(path.relative_to(HERE)): len(lean(path.read_text(encoding="utf-8"), path.suffix).encode()) for path in files
    }
    return vendor | own


def test_all_code_together_is_small():
    found = sizes()
    assert sum(found.values()) <= MOST_BYTES, f"{sum(found.values()):,} bytes of code: {found}"
    assert len((bundle("report.js") + styles()).encode()) < 0.8 * MOST_BYTES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_modules_are_short_and_make_no_markup_of_texts(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 500
    assert not MARKUP.findall(text)


def test_markup_would_be_found():
    assert MARKUP.findall("e.innerHTML = name; eval(x)") == ["innerHTML", "eval("]
    assert len(MODULES) > 10


def test_a_lean_style_sheet_says_the_same(new_page):
    """The browser reads the same rules from the text with and without its white space."""
    told = "text => { const s = new CSSStyleSheet(); s.replaceSync(text); return [...s.cssRules].map(r => r.cssText); }"
    for path in HERE.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        page = new_page()
        whole, short = page.evaluate(told, text), page.evaluate(told, lean(text, ".css"))
        # A custom property's value is kept as it is written.
        as_written = [re.sub(r"(?<![\w.])0(?=\.\d)|(?<=,) ", "", rule) for rule in whole]
        assert [re.sub(r"(?<![\w.])0(?=\.\d)|(?<=,) ", "", rule) for rule in short] == as_written
        assert "".join(whole).count("{") > 5


SAID = r"""
const inner = `four  ${1 + +2}  ${["x"].map((value) => `<${value}>`).join(", ")}`;
const alpha = [1, "two  // not", 'three /* not */', inner];
let beta = 1 - -2; /* not said */
beta = beta / 2 / 3;
const gamma = { key: "a  b".replace(/ +[/"]?/g, "-"), get more() { return beta++ + ++beta; } }; // said
const delta = beta
  ? alpha.map((value) => typeof value)
  : [];
if (alpha.length) {
  beta -= -1;
}
function blocks(kind, total) {
  switch (kind) {
    case "a": {
      total += 0.5;
      break;
    }
    case total ? "b" : { total }:
      return { total, kind: kind ? { total } : { total: 0. + 1 } };
    default: {
      total *= 2;
    }
  }
  middle: { if (total) break middle; total = 1; }
  try {
    throw { message: kind, total };
  } catch ({ message, total: again }) {
    return [message, again, ...(function* () { yield { total }; })()];
  }
}
function patterns({ first, second: [third, fourth = first], ...others }, fifth = { first }) {
  const { length, [`le${"ngth"}`]: again } = alpha;
  let sixth = 0, seventh;
  for (const [place, entry] of Object.entries(others)) sixth += place.length + entry;
  for (let k = 0; k < 3; k++) seventh = k;
  while (sixth < 0);
  const first_ = ({ first }) => first + 1;
  const made = { first, third, length, second() { return fourth; }, [sixth]: seventh };
  label: for (;;) { break label; }
  ({ first, third } = { first: third, third: first });
  return [first, third, fourth, others, fifth, length, again, sixth, seventh, first_({ first }), made, made.second()];
}
class Counter extends Array {
  static total = 0;
  #hidden = 1;
  count = alpha.length;
  get double() { return 2 * this.count; }
  set double(count) { this.count = count / 2; }
  async later(count) { return count + this.#hidden; }
  more(count = this.count) { const total = count; const sum = total + this.#hidden; Counter.total += sum;
    return sum }
}
const counter = new Counter();
counter.double = 10;
const wide = async (count) => { await counter.later(count); };
function* numbers() {
  yield* [1, 2];
}
const caught = (() => { try { return missing } catch (error) { return error.name } })();
const division = (8 / 2) / 2, sign = !/[/ ]  x/.test("/  x"), nested = `${`${alpha[0]}`}}`;
const wordy = typeof wide === "function" ? "yes  " : "no", one = 1
const two = 2
globalThis.told = [alpha, beta, gamma, gamma.more, delta, patterns({ first: 1, second: [2], x: 5 }), counter.more(),
  counter.double, Counter.total, [...numbers()], caught, division, sign, nested, wordy, one + two, blocks("a", 1),
  blocks("b", 2), blocks("", 3)];
"""


def test_a_lean_script_computes_the_same(new_page):
    short = lean(SAID, ".js")
    told = "text => { (0, eval)('{' + text + '}'); return JSON.stringify(globalThis.told); }"
    first, second = (new_page().evaluate(told, text) for text in (SAID, short))
    assert first == second
    assert "said" not in short
    assert len(short) < 0.75 * len(SAID)


def test_every_module_can_still_be_read(new_page):
    page = new_page()
    parse = "text => { new (async () => 0).constructor(text); }"
    for path in MODULES:
        text = EXPORT.sub("", IMPORT.sub("", path.read_text(encoding="utf-8")))
        page.evaluate(parse, lean(text, ".js"))


def test_a_lean_modules_names_stay_where_others_see_them():
    text = (
        'import { far } from "./far.js";\nconst inner = 1;\nexport function near(value) {\n  const far_ = far(value);\n'
    )
    text += "  return { value, inner: far_.inner };\n}\n"
    assert lean(text, ".js") == (
        'import{far}from"./far.js";let inner=1;export function near(a){let b=far(a);return{value:a,inner:b.inner}}'
    )


@pytest.mark.parametrize("text", ["const a = `b", "f(a))", "f(a", "const a = 'b\n"])
def test_a_broken_script_is_refused(text):
    with pytest.raises(ArgumentError, match=r"isn't closed|never opened|can't be read"):
        lean(text, ".js")


if __name__ == "__main__":
    for name, size in sorted(sizes().items(), key=lambda item: -item[1]):
        print(f"{size:8,} {name}")
    print(f"{sum(sizes().values()):8,}")
