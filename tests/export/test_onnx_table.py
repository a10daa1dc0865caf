"""Tables' networks as ONNX models: cells in, the run's predictions out, with trees."""

import numpy as np
import pytest

from thalweg.data import read_table
from thalweg.errors import ArgumentError
from thalweg.export.exported_tables import table_network
from thalweg.export.onnx import onnx_table_model
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions
from thalweg.sklearn import TabularClassifier

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

ROWS = 120
TARGETS = ("number", "two", "three")


def cells():
    """Columns of all kinds, with missing cells and a date before 1970; targets that depend on them."""
    draw = np.random.default_rng(0)
    columns = {
        "size (kg)": draw.normal(50, 10, ROWS).round(2).tolist(),
        "顏色": draw.choice(["紅", "綠", "藍"], ROWS).tolist(),
        "side": draw.choice(["left", "right"], ROWS).tolist(),
        "paid": draw.choice([True, False], ROWS).tolist(),
        "seen": np.datetime_as_string(draw.integers(-(10**9), 10**9, ROWS).astype("datetime64[s]")).tolist(),
    }
    score = np.array(columns["size (kg)"]) / 10 + 2 * (np.array(columns["side"]) == "left") + draw.normal(size=ROWS)
    for name in columns:
        for row in draw.integers(0, ROWS, 9):
            columns[name][row] = None
    targets = (score.round(3), np.where(score > 6, "high", "low"), np.select([score > 7, score > 5], ["a", "b"], "c"))
    return columns | {name: values.tolist() for name, values in zip(TARGETS, targets, strict=True)}


@pytest.fixture(scope="module", params=TARGETS)
def run(request):
    others = tuple(name for name in TARGETS if name != request.param)
    options = TableOptions(
        target=request.param, ignore=others, trees=True, members=2, layers=(8,), epochs=4, seed=0, lanes=1
    )
    return table_training.train(read_table(cells()), options)


@pytest.fixture(scope="module")
def table(run):
    """Networks, trees and linear models together."""
    return table_network(run.ensemble, run.features)


def arrays(table, rows):
    """What the model is given, by input, as its documentation says."""
    given = {
        "number": lambda cell: np.nan if cell is None else cell,
        "boolean": lambda cell: np.nan if cell is None else float(cell),
        "date": lambda cell: np.nan if cell is None else np.datetime64(cell, "s").astype(float),
        "category": lambda cell: "" if cell is None else cell,
    }
    dtype = {"category": object}
    return [np.array([given[c.kind](v) for v in rows[c.name]], dtype.get(c.kind, float)) for c in table.columns]


def predicted(made, given):
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, dict(zip((i.name for i in session.get_inputs()), given, strict=True)))
    return dict(zip((o.name for o in session.get_outputs()), found, strict=True))


def test_cells_become_the_run_s_predictions(run, table):
    made = onnx_table_model(table)
    for rows in (1, ROWS):
        some = {name: values[:rows] for name, values in cells().items()}
        found, source = predicted(made, arrays(table, some)), read_table(some)
        np.testing.assert_allclose(next(iter(found.values())), run.predicted(source), rtol=1e-5, atol=1e-6)
        if run.target.task != "regression":
            assert list(found["label"]) == list(run.predict(source))


def test_what_training_has_not_seen(run, table):
    some = {name: values[:3] for name, values in cells().items()} | {"顏色": ["紫", "NA", "?"]}
    found = predicted(onnx_table_model(table), arrays(table, some))
    np.testing.assert_allclose(next(iter(found.values())), run.predicted(read_table(some)), rtol=1e-5, atol=1e-6)


def test_inputs_say_which_column_they_are(table):
    made = onnx_table_model(table)
    said = {i.doc_string.partition(":")[0]: i.doc_string for i in made.graph.input}
    assert list(said) == [c.name for c in table.columns]
    assert "in another notation is an error. 3 categories: 紅, 綠, 藍" in said["顏色"]
    assert "seconds since 1970" in said["seen"]
    assert [i.name for i in made.graph.input] == [c.name for c in table.columns]
    assert {o.domain: o.version for o in made.opset_import}.keys() == {"", "ai.onnx.ml"}
    assert onnx_table_model(table).opset_import[0].version == 20
    with pytest.raises(ArgumentError, match="opset 18 is too low: RegexFullMatch takes 20"):
        onnx_table_model(table, 18)


def test_the_answer_is_called_y_pred(run, table):
    outputs = [o.name for o in onnx_table_model(table).graph.output]
    assert outputs == ["y_pred", *["label"] * (run.target.task != "regression")]


def test_trees_are_a_tree_ensemble(run, table):
    assert run.trees
    operators = [n.op_type for n in onnx_table_model(table).graph.node]
    assert "TreeEnsembleRegressor" in operators
    assert "GatherElements" not in operators  # as they would be by their reference


def test_categories_are_compared_at_once(table):
    made = onnx_table_model(table)
    of_color = [n.op_type for n in made.graph.node if n.doc_string.startswith("顏色")]
    assert of_color.count("Equal") == 1


def test_names_that_arrays_and_outputs_have(tmp_path):
    """Columns of every name, as those of outputs, weights and none at all, keep theirs."""
    draw = np.random.default_rng(0)
    names = [
        "",
        "unnamed",
        "label",
        "label_",
        "y_pred",
        "y_pred_",
        "W1",
        "h1",
        "x",
        "Éa / b'\"\n",
        "長 度",
        "a",
        "A",
        "ä",
    ]
    x = {name: draw.normal(size=60).round(2).tolist() for name in names}
    y = ["high" if a > 0 else "low" for a in x["a"]]
    fitted = TabularClassifier(quality="fast", random_state=0, members=1, epochs=2, n_jobs=1).fit(x, y)
    fitted.export(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["unnamed_", *names[1:]]
    given = {name or "unnamed_": np.array(cells) for name, cells in x.items()}
    probabilities, label = session.run(None, given)
    np.testing.assert_allclose(probabilities, fitted.predict_proba(x), rtol=1e-5, atol=1e-6)
    assert label.tolist() == fitted.predict(x).tolist()
    assert len({o.name for o in session.get_outputs()} - set(names)) == 2
