"""The bundler: order, names, and what it refuses."""

import re

import pytest

from thalweg.errors import ArgumentError, NotFoundError
from thalweg.views.web.bundle import HERE, VENDOR, bundle
from thalweg.views.web.page import page_html

MODULES = sorted(path for path in HERE.rglob("*.js") if "vendor" not in path.parts)
MOST_BYTES = 100_000
"""Of a page without figures; with unpacked code it would be twice as much."""
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
    assert own(entry) == (
        "// why\nconst c = 1;\n\n/** Says c. */\nfunction b(x) {\n  return c + x; // kept\n}\n\nb(c);"
    )


def test_comments_and_the_vendor_can_be_left_out(tmp_path):
    entry = write(
        tmp_path, a='// why\n/**\n * Says it.\n * // yes\n */\nconst a = "/* no */"; // kept\n  // gone\na();\n'
    )
    assert bundle(entry, vendor=(), commented=False) == 'const a = "/* no */"; // kept\na();\n'


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
    ],
)
def test_other_modules_are_refused(tmp_path, modules, error, message):
    with pytest.raises(error, match=message):
        bundle(write(tmp_path, **modules))


def test_a_page_carries_little_code():
    size = len(page_html({"title": "t", "language": "en", "sections": []}).encode())
    print(f"{size:,} bytes", end=" ")
    assert size <= MOST_BYTES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_modules_make_no_markup_of_texts(path):
    assert not MARKUP.findall(path.read_text(encoding="utf-8"))


def test_markup_would_be_found():
    assert MARKUP.findall("e.innerHTML = name; eval(x)") == ["innerHTML", "eval("]
    assert len(MODULES) > 10
