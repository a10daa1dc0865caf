"""Networks as JavaScript: each layer and activation, and what is put together, beside `predict`."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from networks_that_leave import PYTHON, ROWS, TOGETHER, inputs, predictions

from thalweg import Input, Sequential, layers
from thalweg.errors import ThalwegError
from thalweg.export.exported_network import network_of
from thalweg.export.js.js_files import js_file

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
EVERY = {row.name: row for row in (*ROWS, *TOGETHER) if row.name not in PYTHON}
RUN = """
const fs = require("fs");
const given = JSON.parse(fs.readFileSync("given.json"), (key, value) => value);
const found = {};
for (const [name, {file, rows}] of Object.entries(given)) {
    const predict = new Function(fs.readFileSync(file, "utf8") + "; return predict;")();
    const flat = (y) => Array.from(y, (v) => (Number.isFinite(v) ? v : String(v)));
    try {
        found[name] = rows.map((row) => {
            const y = predict(...row);
            return Array.isArray(y) ? y.map(flat) : [flat(y)];
        });
    } catch (error) {
        found[name] = `${error.name}: ${error.message}`;
    }
}
fs.writeFileSync("found.json", JSON.stringify(found));
"""


def ran(folder, files):
    """What each file makes of its rows: name → (text, arrays of rows)."""
    given = {}
    for n, (name, (text, arrays)) in enumerate(files.items()):
        (folder / f"net{n}.js").write_text(text, encoding="utf-8")
        rows = [[np.reshape(a, -1).tolist() for a in row] for row in zip(*arrays, strict=True)]
        given[name] = {"file": f"net{n}.js", "rows": rows}
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    (folder / "run.js").write_text(RUN, encoding="utf-8")
    subprocess.run([NODE, "run.js"], cwd=folder, check=True, timeout=300)
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What all networks predict, by name, and the engine's predictions; the errors of those that can't be written."""
    files, wanted, failed = {}, {}, {}
    for name, row in EVERY.items():
        model = row.make()
        arrays = inputs(model, 4)
        try:
            files[name] = js_file(network_of(model, 1), name), arrays
        except ThalwegError as error:
            failed[name] = error
        wanted[name] = predictions(model, arrays)
    return ran(tmp_path_factory.mktemp("js"), files), wanted, failed


@pytest.mark.parametrize("name", EVERY)
def test_a_network_predicts_the_same(found, name):
    made, wanted, failed = found
    if name in failed:
        raise failed[name]
    assert not isinstance(made[name], str), made[name]
    for k, other in enumerate(wanted[name]):
        one = np.array([[float(v) for v in row[k]] for row in made[name]]).reshape(other.shape)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_an_id_outside_its_table_is_an_error(tmp_path):
    model = Sequential([Input((2,)), layers.Embedding(4, 3)], seed=1)
    text = js_file(network_of(model, 1), "Ids */ of a table")
    result = ran(tmp_path, {"net": (text, [np.array([[0, 4]])])})
    assert result == {"net": "RangeError: an id isn't one of its table's"}
