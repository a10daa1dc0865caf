"""The bundler: order, names, and what it refuses."""

import re

import pytest

from thalweg.errors import ArgumentError, NotFoundError
from thalweg.views.web.bundle import HERE, VENDOR, bundle, styles
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
    assert own(entry) == "const c=1;\n\nfunction b(x){return c+x;}\n\nb(c);"


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
    vendor = {path.name: path.stat().st_size for path in (HERE / name for name in VENDOR)}
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
        assert [re.sub(", ", ",", rule) for rule in short] == [re.sub(", ", ",", rule) for rule in whole]
        assert len(whole) > 5


SAID = """
const a = [1, "two  // not", 'three /* not */', `four  ${1 + +2}  ${["x"].map((v) => `<${v}>`).join(", ")}`]; // said
let b = 1 - -2; /* not said */
b = b / 2 / 3;
const c = { key: "a  b".replace(/ +[/"]?/g, "-"), get more() { return b++ + ++b; } };
const d = b
  ? a.map((v) => typeof v)
  : [];
if (a.length) {
  b -= -1;
}
const e = () => ({ ...c, "f g": 1 });
async function* f() {
  yield* [1, 2];
}
const g = [a, b, c, c.more, d, e(), /[/ ]  x/.source, 6 / 2 / 1, a.length > 1 && !d.includes("x y") ? "yes  " : "no"];
"""


def test_a_lean_script_computes_the_same(new_page):
    page, short = new_page(), lean(SAID, ".js")
    told = "text => JSON.stringify((0, eval)(text + '; g'))"
    first, second = (page.evaluate(told, f"{{{text}; globalThis.g = g; }}") for text in (SAID, short))
    assert first == second
    assert len(short) < 0.85 * len(SAID)
    assert "said" not in short


if __name__ == "__main__":
    for name, size in sorted(sizes().items(), key=lambda item: -item[1]):
        print(f"{size:8,} {name}")
    print(f"{sum(sizes().values()):8,}")
