"""JavaScript files as others load them: scripts of pages, ES modules, Node's require; and the guide's example."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from test_js import NODE

from thalweg import Input, Sequential, layers
from thalweg.data import read_table
from thalweg.errors import ArgumentError
from thalweg.exchange.targets import export
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
ROOT = Path(__file__).parents[2]
BIRD = {"island": "Dream", "bill_length_mm": 49.5, "bill_depth_mm": 19, "flipper_length_mm": 200}
CALLED = f"console.log(predict({json.dumps(BIRD | {'body_mass_g': None, 'sex': None})}), predict_proba.length);"
REQUIRED = 'const {{ predict, predict_proba }} = require("./{}");'
IMPORTED = 'import {{ predict, predict_proba }} from "./{}";'
IN_A_PAGE = """
const vm = require("vm");
const page = vm.createContext({{ atob, console }});
vm.runInContext(require("fs").readFileSync("{}", "utf8"), page);
const predict = vm.runInContext("predict", page), predict_proba = vm.runInContext("predict_proba", page);
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with both files of a run on penguins, and another for packages of modules."""
    folder = tmp_path_factory.mktemp("js")
    options = TableOptions(target="target", ignore=(), members=1, layers=(16,), epochs=60, seed=0, lanes=1, trees=False)
    trained = table_training.train(read_table(ROOT / "examples" / "penguins.csv"), options)
    (folder / "package").mkdir()
    (folder / "package" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for name in ("penguins.js", "penguins.mjs", "package/penguins.mjs"):
        export(trained.model, folder / name, features=trained.features)
    return folder


def ran(folder, name, code):
    (folder / name).write_text(code, encoding="utf-8")
    done = subprocess.run([NODE, name], cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("place", "file", "by", "name"),
    [
        (".", "penguins.js", REQUIRED, "asks.cjs"),
        (".", "penguins.js", IMPORTED, "asks.mjs"),
        (".", "penguins.js", IN_A_PAGE, "page.cjs"),
        (".", "penguins.mjs", IMPORTED, "module.mjs"),
        ("package", "penguins.mjs", IMPORTED, "asks.js"),
    ],
)
def test_a_file_gives_its_functions_however_it_is_loaded(folder, place, file, by, name):
    assert ran(folder / place, name, by.format(file) + CALLED) == "Chinstrap 1\n"


@pytest.mark.parametrize("guide", ["ship.md", "ship.zh.md"])
def test_the_guide_s_example_says_what_it_shows(folder, guide):
    text = (ROOT / "docs" / "guides" / guide).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```js\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (shown,) = re.findall(r"// (.*)$", code, re.MULTILINE)
    assert ran(folder, "guide.mjs", code) == f"{shown}\n"


def test_a_network_alone_is_a_module_too(tmp_path):
    model = Sequential([Input((2,)), layers.Dense(1)], seed=0)
    for name, by in (("net.js", 'const { predict } = require("./net.js");'), ("net.MJS", "")):
        model.export(tmp_path / name)
        assert by or (tmp_path / name).read_text(encoding="utf-8").endswith("\nexport { predict };\n")
    assert ran(tmp_path, "asks.cjs", 'console.log(require("./net.js").predict([1, 2]).length);') == "1\n"
    with pytest.raises(ArgumentError, match=r"\.js or \.mjs for javascript"):
        model.export(tmp_path / "net.ts")
