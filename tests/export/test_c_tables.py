"""A table's network in C and in JavaScript: from the columns' values to the answer, beside the NumPy file."""

import ctypes

import numpy as np
import pytest
from c_files import GCC, compiled, pointer, predicted
from sklearn.ensemble import HistGradientBoostingRegressor
from test_js import NODE, ran

from thalweg.data import read_table
from thalweg.export.c.c_files import c_files
from thalweg.export.exported_network import network_of
from thalweg.export.exported_tables import table_network
from thalweg.export.js.js_files import js_file
from thalweg.export.numpy_file import numpy_file
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions
from thalweg.tabular.beside import trees_of
from thalweg.tabular.features import Features
from thalweg.tabular.trees import BOOSTED, categorical, compact

ROWS = 6


@pytest.fixture(scope="module")
def trained():
    draw = np.random.default_rng(0)
    columns = {
        "size (kg)": draw.normal(50, 10, 60).round(2).tolist(),
        "side": draw.choice(["left", "right", "none of both"], 60).tolist(),
        "open": draw.choice(["yes", "no"], 60).tolist(),
        "seen": np.datetime_as_string(np.datetime64(0, "s") + np.arange(60) * np.timedelta64(10**7, "s")).tolist(),
    }
    columns["size (kg)"][3] = columns["side"][5] = columns["open"][7] = columns["seen"][9] = None
    columns["price"] = draw.normal(1000, 100, 60).round(1).tolist()
    options = TableOptions(target="price", trees=False, members=1, layers=(4,), epochs=2, seed=0, lanes=1)
    return table_training.train(read_table(columns), options)


@pytest.fixture(scope="module")
def answers(trained):
    """The values of each column, with missing and unknown ones, and the answers."""
    table = table_network(trained.model, trained.features)
    draw, values = np.random.default_rng(1), []
    for column in table.columns:
        ordinary = {
            "number": draw.normal(50, 10, ROWS), "boolean": draw.integers(0, 2, ROWS),
            "category": draw.integers(-2, 3, ROWS), "date": draw.integers(0, 10**9, ROWS),
        }[column.kind].astype(np.float64)  # fmt: skip
        values.append(ordinary if column.kind == "category" else np.where(np.arange(ROWS) == 2, np.nan, ordinary))
    space: dict = {}
    exec(numpy_file(table.network, "The same in NumPy"), space)
    return values, space["predict"](*values)


@pytest.mark.skipif(GCC is None, reason="needs gcc")
def test_c_prepares_a_row_of_a_table(trained, answers, tmp_path):
    values, wanted = answers
    network = table_network(trained.model, trained.features, 1).network
    source = c_files(network, "net", "A table")
    library = compiled(tmp_path, "net", source.code, source.header)
    found = np.full(ROWS, -777.0)
    assert library.net_predict_rows(*map(pointer, values), pointer(found), ctypes.c_size_t(ROWS)) == 0
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert "const double *size__kg_" in source.header


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_javascript_prepares_a_row_of_a_table(trained, answers, tmp_path):
    values, wanted = answers
    network = table_network(trained.model, trained.features, 1).network
    given = [np.where(np.isnan(v), None, v.astype(object)) for v in values]  # JSON has no NaN
    text = js_file(network, "A table")
    names = [f"a{k}" for k in range(len(values))]
    back = ", ".join(f"{name}.map((v) => v ?? NaN)" for name in names)
    inner = f"const own = (() => {{ {text}; return predict; }})();"
    wrapped = f"{inner} function predict({', '.join(names)}) {{ return own({back}); }}"
    result = ran(tmp_path, {"net": (wrapped, given)})["net"]
    assert not isinstance(result, str), result
    np.testing.assert_allclose([row[0][0] for row in result], wanted, rtol=1e-5)


@pytest.fixture(scope="module")
def grown():
    """Trees as a network for one row, rows with missing values and categories, and what scikit-learn says."""
    draw = np.random.default_rng(0)
    x = {"a": draw.normal(size=300).tolist(), "b": draw.choice(["x", "y", "z"], 300).tolist()}
    y = 1e6 * (np.abs(x["a"]) + np.array([b == "y" for b in x["b"]]))
    x["a"][::9], x["b"][::7] = [None] * 34, [None] * 43
    features = Features.fit(read_table({**x, "y": y.tolist()}), "y")
    matrix = features.matrix(read_table(x))
    grown = HistGradientBoostingRegressor(max_iter=20, categorical_features=categorical(features), random_state=0)
    trees = trees_of(BOOSTED, [grown.fit(compact(features, matrix), y)], features, 1.0)
    return network_of(trees.model, 1), matrix, grown.predict(compact(features, matrix))


@pytest.mark.skipif(GCC is None, reason="needs gcc")
def test_c_has_an_ensemble_s_trees(grown, tmp_path):
    """Trees ask columns that a product with constants makes: constants have no place in C's memory."""
    network, matrix, wanted = grown
    source = c_files(network, "net", "Trees")
    library = compiled(tmp_path, "net", source.code, source.header)
    (found,), error = predicted(library.net_predict_rows, [matrix], [(1,)])
    assert error == 0
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-5)
    assert len(source.code) < 12_000, "a question and a leaf are a few bytes each"


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_javascript_has_an_ensemble_s_trees(grown, tmp_path):
    network, matrix, wanted = grown
    result = ran(tmp_path, {"net": (text := js_file(network, "Trees"), [matrix])})["net"]
    np.testing.assert_allclose([row[0][0] for row in result], wanted, rtol=1e-5)
    assert len(text) < 7_000
