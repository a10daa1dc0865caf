"""What pages leave out of their scripts and style sheets changes nothing of what these do."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from thalweg.errors import ArgumentError
from thalweg.views import web
from thalweg.views.web.lean import lean

WEB = Path(web.__file__).parent
TRICKY = r"""
// a comment with `a quote
const text = "// no comment, /* nor this */", other = '\'"';
const pattern = /[/"]\/ {2}/g; /* between */ const quotient = text.length /2/ 1
let n = 1
let m = n++
++n
const deep = `a  ${ [1, 2].map((v) => `<${ v }  >`).join("}  ") }  b`
const sign = m - -n + +m, kept = (() => {
  return typeof /** @type {any} */ (n)
})()
const found = [text, other, "x/'  ".replace(/['/]/g, ""), "a\"/  ".match(pattern), quotient]
console.log(JSON.stringify([...found, n, m, deep, sign, kept, n in [0, 1, 2, 3], [3]
  .at(0)]))
"""


def run(script):
    found = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_lean_script_does_the_same():
    assert run(lean(TRICKY, ".js")) == run(TRICKY)
    assert run(TRICKY)[5:8] == [3, 1, "a  <1  >}  <2  >  b"]


def test_comments_and_blanks_are_gone():
    assert len(lean(TRICKY, ".js")) < 0.9 * len(TRICKY)
    assert "comment with" not in lean(TRICKY, ".js")
    assert "between" not in lean(TRICKY, ".js")


def test_style_sheets_keep_strings_and_descendants():
    css = '/* all */\n.a :hover > b,\n.c { content: "; }  /* x */" ; width: calc(1px + 2px); }\n'
    assert lean(css, ".css") == '.a :hover>b,.c{content:"; }  /* x */";width:calc(1px + 2px)}'


def test_other_files_are_refused():
    with pytest.raises(ArgumentError, match="kind of file"):
        lean("{}", ".json")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("path", sorted(WEB.rglob("*.js")), ids=lambda path: path.name)
def test_every_script_stays_a_script(path, tmp_path):
    if "vendor" in path.parts:
        pytest.skip("already lean")
    (tmp_path / "lean.mjs").write_text(lean(path.read_text(encoding="utf-8"), ".js"), encoding="utf-8")
    subprocess.run(["node", "--check", tmp_path / "lean.mjs"], check=True, capture_output=True)
