"""A trace is the tutorial's arithmetic, number by number; its lines of NumPy run and give its numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from thalweg import Model, Sequential
from thalweg.errors import ArgumentError
from thalweg.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    MaxPooling2D,
    SimpleRNN,
)
from thalweg.losses import CenterLoss, MeanSquaredError, SumSquaredError
from thalweg.optimizers import SGD, Adam
from thalweg.tracing import central

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "trace.schema.json").read_text(encoding="utf-8"))
RANDOM = np.random.default_rng(5)
REFERENCE = {"engine": "reference", "dtype": "float64"}
ENGINE = pytest.mark.parametrize("options", [REFERENCE, {}], ids=["reference", "native"])
FUNCTIONS = {
    "np": np,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
}
FUNCTIONS |= {
    "sigmoid_prime": lambda x: FUNCTIONS["sigmoid"](x) * (1 - FUNCTIONS["sigmoid"](x)),
    "tanh_prime": lambda x: 1 - np.tanh(x) ** 2,
    "relu_prime": lambda x: (x > 0) * 1.0,
}


def close(got, want, options=REFERENCE):
    tolerance = 1e-12 if options else 2e-5
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def one_unit(options=REFERENCE, loss=None, rate=0.5):
    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], **options)
    model.compile(SGD(rate), loss or SumSquaredError(half=True))
    return model


def valued(lines):
    return {line.name: line.value for line in lines}


@ENGINE
def test_the_tutorials_one_row_number_by_number(options):
    """Its lines, from shared/reference/tutorial.txt, and every number of the trace beside them."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def sigmoid_prime(x):
        return sigmoid(x) * (1 - sigmoid(x))

    x = np.array([1.0, 2.0, -0.5, 0.25, -1.0])
    y = np.array(0.75)
    learn_rate = 0.5
    w = np.array([0.125, 0.25, -0.25, 0.5, 0.375])
    model = one_unit(options)
    model.set_weights([w[:, None]])

    h = np.dot(x, w)
    y_predict = sigmoid(h)
    error = y - y_predict
    error_term = error * sigmoid_prime(h)
    delta_w = learn_rate * error_term * x
    w = w + delta_w

    trace = model.trace(x[None], [y])
    close(trace["h"].ravel(), h, options)
    close(trace["y_pred"].ravel(), y_predict, options)
    close(-trace["dy_pred"].ravel(), error, options)
    close(-trace["dh"].ravel(), error_term, options)
    close(-learn_rate * trace["dW"].ravel(), delta_w, options)
    close(trace["w"].ravel()[:5], w, options)

    found = valued(trace.tutorial())
    assert [line.code for line in trace.tutorial()] == [
        "h = np.dot(x, w)",
        "y_predict = sigmoid(h)",
        "error = y - y_predict",
        "error_term = error * sigmoid_prime(h)",
        "delta_w = learn_rate * error_term * x",
        "w += delta_w",
    ]
    for name, number in {"h": h, "y_predict": y_predict, "error": error, "error_term": error_term}.items():
        assert found[name].shape == ()
        close(found[name], number, options)
    close(found["delta_w"], delta_w, options)
    close(found["w"], w, options)
    assert abs(error) > 0.1  # a wrong sign would be seen
    (weights,) = trace.weights
    close(weights.before[:, 0], w - delta_w, options)
    close(weights.after[:, 0], w, options)
    close(trace.loss_before, 0.5 * error**2, options)
    close(trace.loss_after, 0.5 * (y - sigmoid(np.dot(x, w))) ** 2, options)
    assert "error_term = error * sigmoid_prime(h)" in str(trace)
    assert "(error = -dy_pred)" in str(trace)


NETWORKS = {
    "one unit, several rows": ([Dense(1, "sigmoid", use_bias=False)], SumSquaredError(half=True), 6, "number"),
    "one unit with bias": ([Dense(1, "sigmoid")], SumSquaredError(half=True), 1, "number"),
    "several units": ([Dense(3, "tanh")], SumSquaredError(half=True), 1, "numbers"),
    "no half": ([Dense(3, "tanh")], SumSquaredError(), 4, "numbers"),
    "mean": ([Dense(4, "relu"), Dense(3)], MeanSquaredError(), 4, "numbers"),
    "sum over rows": ([Dense(3, "tanh")], SumSquaredError(half=True, reduction="sum"), 4, "numbers"),
    "two classes": ([Dense(4, "tanh"), Dense(1, "sigmoid")], "binary_crossentropy", 3, "yes or no"),
    "classes": (
        [Dense(4, "relu"), Dense(4, "tanh"), Dense(3, "softmax")],
        "sparse_categorical_crossentropy",
        1,
        "class",
    ),
    "classes, several rows": ([Dense(3, "softmax")], "sparse_categorical_crossentropy", 5, "class"),
    "one-hot": ([Dense(3, "softmax")], "categorical_crossentropy", 5, "one-hot"),
    "one row, one unit behind a layer": ([Dense(2, "tanh"), Dense(1)], SumSquaredError(half=True), 1, "number"),
}


def network(name, options):
    layers, loss, rows, kind = NETWORKS[name]
    model = Sequential(
        [Input((5,)), *[type(layer).from_config(layer.get_config()) for layer in layers]], seed=3, **options
    )
    model.compile(SGD(0.25), loss)
    y = {
        "number": RANDOM.normal(size=(rows, 1)),
        "numbers": RANDOM.normal(size=(rows, 3)),
        "yes or no": np.arange(rows) % 2,
        "class": np.arange(rows) % 3,
        "one-hot": np.eye(3)[np.arange(rows) % 3],
    }[kind]
    return model, RANDOM.normal(size=(rows, 5)), y


@ENGINE
@pytest.mark.parametrize("name", NETWORKS)
def test_the_lines_run_and_give_the_numbers(name, options):
    model, x, y = network(name, options)
    trace = model.trace(x, y)
    lines = trace.tutorial()
    assert lines, "no lines were written"
    from thalweg.tracing.tutorial import givens

    scope = FUNCTIONS | {
        k: np.array(v, v.dtype if v.dtype.kind == "i" else float) for k, v in valued(givens(trace)).items()
    }
    for line in lines:
        exec(line.code, {}, scope)
        close(scope[line.name], line.value, options)
    for weight in trace.weights:
        stem, number = ("w" if weight.path.endswith("W") else "b"), weight.name[1:]
        close(scope[stem + number].ravel(), weight.after.ravel(), options)


def test_lines_are_left_out_where_they_would_not_be_true():
    model, x, y = network("several units", REFERENCE)
    assert model.trace(x, y).tutorial()
    assert not model.trace(x, y, sample_weight=[3.0]).tutorial()
    with_dropout = Sequential([Input((5,)), Dense(3), Dropout(0.5), Dense(1)], seed=0)
    with_dropout.compile(SGD(0.1), "mse")
    assert not with_dropout.trace(x, [[1.0]]).tutorial()
    by_adam, x, y = network("several units", REFERENCE)
    by_adam.compile(Adam(), SumSquaredError(half=True))
    codes = [line.code for line in by_adam.trace(x, y).tutorial()]
    assert "delta_w = w_after - w  # Adam's step" in codes


def test_a_trace_is_a_mapping_of_arrays_and_changes_nothing():
    model, x, y = network("mean", {})
    before, done = model.get_weights(), model.optimizer.iterations
    trace = model.trace(x, y)
    assert {"x", "y", "h1", "a1", "y_pred", "dh1", "dW1", "w"} <= set(trace)
    assert len(trace) == len(list(trace.values()))
    assert (trace | {"more": 1})["more"] == 1
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.optimizer.iterations == done
    model.fit(x, y, epochs=1, batch_size=len(x), shuffle=False, verbose=0)
    for weight, after in zip(trace.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(weight.after, after, rtol=1e-5, atol=1e-6)
    assert trace.loss_before == pytest.approx(model.history.history["loss"][0], rel=1e-5)
    assert trace.loss_after == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_the_loss_is_that_of_fit_with_penalties_and_with_the_same_units_dropped():
    model, x, y = several()
    trace = model.trace(x, y)
    history = model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
    assert trace.loss_before == pytest.approx(history.history["loss"][0], rel=1e-5)
    assert trace["penalty"] > 0
    shown = {
        v.name: float(v.array.ravel()[0]) for step in trace.steps for v in step.outputs if v.name in ("L", "penalty")
    }
    assert sum(shown.values()) == pytest.approx(trace.loss_before, rel=1e-5)  # the mean, not the running sum


def several():
    front = [Conv2D(3, 3, activation="relu"), MaxPooling2D(), BatchNormalization(), Flatten(), Dropout(0.3)]
    behind = [Dense(4, "gelu", kernel_regularizer="l2"), Dense(3, "softmax")]
    model = Sequential([Input((6, 6, 1)), *front, *behind], seed=1)
    model.compile(SGD(0.05, momentum=0.9, clipvalue=0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, RANDOM.normal(size=(4, 6, 6, 1)), np.array([0, 1, 2, 1])


def test_both_engines_trace_the_same_steps():
    """Inputs are kept as they were when they were read, although memory is used again."""
    model, x, y = several()
    plain = Sequential.from_config(model.get_config() | {"engine": "reference"})
    plain.compile(SGD(0.05, momentum=0.9, clipvalue=0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    plain.set_weights(model.get_weights())
    plain._compiled.seed = model.seed
    ours, theirs = model.trace(x, y), plain.trace(x, y)
    wanted = {(v.name, s.formula): v for s in theirs.steps for v in (*s.inputs, *s.outputs) if s.section == "update"}
    assert wanted
    shared = set(ours) & set(theirs)
    assert {"h1", "y_pred", "dW1", "n2"} <= shared
    for name in shared - {"W3ᵀ"}:
        np.testing.assert_allclose(ours[name].ravel(), theirs[name].ravel(), rtol=2e-3, atol=2e-5, err_msg=name)
    for trace in (ours, theirs):
        for step in trace.steps:
            for value in step.inputs:
                if value.name in trace and value.name[0] in "ahxrn" and len(value.name) <= 2:
                    assert np.array_equal(value.array, trace[value.name]), (step.title, value.name)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.after, b.after, rtol=1e-3, atol=2e-5)
    assert ours.loss_after == pytest.approx(theirs.loss_after, rel=1e-4)


def test_gradients_agree_with_central_differences(monkeypatch):
    model, x, y = several()
    trace = model.trace(x, y, gradient_check=True)
    assert trace.check.error < 1e-4
    assert {c.path for c in trace.check.arrays} == {w.path for w in trace.weights if w.gradient is not None}
    assert "central differences" in str(trace)
    monkeypatch.setattr(central, "MOST", 5)
    few = model.trace(x, y, gradient_check=True).check
    assert max(c.checked for c in few.arrays) == 5
    assert sum(np.isfinite(c.numeric).sum() for c in few.arrays) == sum(c.checked for c in few.arrays)
    assert f"{sum(c.checked for c in few.arrays)} of" in few.sentence()


def test_a_loss_that_keeps_a_state_is_checked_too():
    """Its centres move with every step, and would make each number look like a kink."""
    x, y = RANDOM.normal(size=(20, 5)), np.arange(20) % 3
    model = Sequential([Input((5,)), Dense(4, "tanh"), Dense(3, "softmax")], seed=1)
    model.compile("adam", CenterLoss())
    model.fit(x, y, epochs=2, verbose=0)
    found = model.trace(x, y, gradient_check=True).check
    assert found.error < 1e-4
    assert sum(c.kinks for c in found.arrays) < sum(c.checked for c in found.arrays) / 10


def test_a_wrong_gradient_would_be_found():
    model, x, y = several()
    trace = model.trace(x, y)
    from thalweg.tracing.values import TracedWeight

    weight = trace.weights[0]

    def check(gradient):
        loss = lambda v: float(np.sum(np.tanh(v)) ** 2)  # noqa: E731
        vector = np.linspace(0.1, 0.4, weight.before.size)
        damaged = TracedWeight(
            weight.path, weight.name, weight.before, weight.after, gradient(vector).reshape(3, 3, 1, 3)
        )
        return central.check(loss, vector, [(damaged, 0)]).error

    true = lambda v: 2 * np.sum(np.tanh(v)) * (1 - np.tanh(v) ** 2)  # noqa: E731
    assert check(true) < 1e-8
    assert check(lambda v: -true(v)) > 1
    assert check(lambda v: true(v) * np.where(np.arange(27) == 13, 1.01, 1)) > 1e-3


def test_a_kink_is_left_out_of_the_check():
    model = Sequential([Input((1,)), Dense(1, "relu", use_bias=False)], **REFERENCE)
    model.compile(SGD(0.1), SumSquaredError(half=True))
    model.set_weights([[[0.0]]])
    check = model.trace([[1.0]], [1.0], gradient_check=True).check
    assert check.arrays[0].kinks == 1
    assert check.error == 0
    assert "kink" in check.sentence()


@ENGINE
def test_gradients_that_are_0_but_for_rounding_are_no_error(options):
    """A bias before a normalization: once rounding was divided by rounding, "differ by at most 7.0e+05"."""
    model = Sequential([Input((3,)), Dense(4), BatchNormalization(), Dense(1)], seed=0, **options)
    model.compile(SGD(0.1), "mse")
    check = model.trace(RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 1)), gradient_check=True).check
    assert [c.path for c in check.arrays if c.zero] == ["dense/b"]
    assert check.error < 1e-4
    assert "those of dense/b are 0 but for rounding" in check.sentence()
    assert "dense/b 的梯度除捨入誤差外為 0" in check.told()["zh"]


def test_a_gradient_that_is_said_to_be_0_and_is_not_would_be_found():
    model, x, y = network("mean", REFERENCE)
    weight = model.trace(x, y).weights[0]
    silent = type(weight)(weight.path, weight.name, weight.before, weight.after, np.zeros_like(weight.before))
    (found,) = central.check(lambda v: float(v @ v), weight.before.ravel().copy(), [(silent, 0)]).arrays
    assert found.error == 1
    assert not found.zero


def test_a_curve_is_no_kink():
    """Near a minimum the slopes to either side differ by as much as they are; a kink stays one however near."""
    model = Sequential([Input((2,)), Dense(3, "tanh"), Dense(1)], seed=0, **REFERENCE)
    model.compile(SGD(0.1), "mse")
    x = RANDOM.normal(size=(8, 2))
    model.fit(x, model.predict(x) + 1e-4, epochs=3, batch_size=8, verbose=0)
    check = model.trace(x, model.predict(x) + 1e-5, gradient_check=True).check
    assert sum(c.kinks for c in check.arrays) == 0
    assert check.error < 1e-4


def test_what_is_not_finite_is_not_hidden_by_the_check():
    model, x, y = network("mean", REFERENCE)
    x[0, 0] = np.nan
    assert np.isnan(model.trace(x, y, gradient_check=True).check.error)


def test_the_check_counts_the_weights_of_several_outputs():
    a = Input((3,))
    model = Model(a, [Dense(1)(a), Dense(2)(a)], seed=0, **REFERENCE)
    model.compile(SGD(0.1), "mse", loss_weights=[2.0, 0.25])
    y = [RANDOM.normal(size=(4, 1)), RANDOM.normal(size=(4, 2))]
    assert model.trace(RANDOM.normal(size=(4, 3)), y, gradient_check=True).check.error < 1e-6


def test_tables_of_embeddings_and_bytes_are_checked_too():
    ids = Sequential([Input((3,)), Embedding(7, 2), Flatten(), Dense(1)], seed=0)
    ids.compile(SGD(0.1), "mse")
    assert ids.trace([[1, 2, 2], [6, 0, 1]], [0.0, 1.0], gradient_check=True).check.error < 1e-4
    pixels = Sequential([Input((4, 4, 1)), Flatten(), Dense(2, "softmax")], seed=0)
    pixels.compile(SGD(0.1), "sparse_categorical_crossentropy")
    x = RANDOM.integers(0, 255, (2, 4, 4, 1)).astype(np.uint8)
    assert pixels.trace(x, [0, 1], gradient_check=True).check.error < 1e-4


def checked(document):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", ["one unit with bias", "classes"])
def test_the_json_keeps_to_its_schema(name):
    model, x, y = network(name, {})
    document = json.loads(json.dumps(model.trace(x, y, gradient_check=True).to_json(), allow_nan=False))
    checked(document)
    assert document["tutorial"]
    last = [line for line in document["tutorial"] if line["name"] == "error"]
    assert last[0]["code"].startswith("error = ")
    assert document["check"]["error"] < 1e-4


def test_the_json_of_a_large_or_broken_step():
    model, x, y = several()
    document = model.trace(x, y).to_json(most=10)
    checked(document)
    values = [v for s in document["steps"] for v in s["outputs"]]
    cut = [v for v in values if "cut" in v]
    assert {np.prod(v["shape"]) > 10 for v in cut} == {True}
    assert {np.prod(v["shape"]) > 10 for v in values if "cut" not in v} == {False}
    assert all(len(v["values"]) == 10 < v["cut"] == np.prod(v["shape"]) for v in cut)
    assert not [v for s in model.trace(x, y).to_json(None)["steps"] for v in s["outputs"] if "cut" in v]
    broken = one_unit({})
    broken.set_weights([np.full((5, 1), 3e38)])
    infinite = broken.trace(np.ones((1, 5)), [1.0]).to_json()
    checked(json.loads(json.dumps(infinite, allow_nan=False)))
    assert "Infinity" in json.dumps(infinite)


def test_lengths_that_are_none_are_refused():
    model = Sequential([Input((2,)), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    trace = model.trace(np.ones((1, 2)), [1.0])
    with pytest.raises(ArgumentError, match="most has to be a whole number of at least 0, got -1"):
        trace.to_json(-1)
    with pytest.raises(ArgumentError, match="width has to be a whole number of at least 1, got -5"):
        trace.text(-5)


def test_a_document_that_breaks_the_schema_is_refused():
    jsonschema = pytest.importorskip("jsonschema")
    document = one_unit().trace(np.ones((1, 5)), [1.0]).to_json()
    for change in ({"rows": 0}, {"steps": [{}]}, {"loss_before": "nan"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            checked(document | change)


@pytest.mark.parametrize("width", [60, 80, 120, None])
def test_the_text_fits(width):
    from thalweg.support.terminal import width as columns_of

    for model, x, y in (network("classes", {}), several()):
        text = model.trace(x, y, gradient_check=True).text(width)
        code = ("np.dot", "np.eye", "np.outer", "_prime", " += ")  # a line of code is never broken
        long = [
            line for line in text.splitlines() if columns_of(line) > (width or 100) and not any(c in line for c in code)
        ]
        assert not long
        for part in ("forward", "backward", "update", "weights", "loss before"):
            assert part in text


def test_the_range_of_an_array_fits_a_narrow_terminal():
    from thalweg.tracing.trace_text import numbers

    array = np.array([[-2.3842e-07] * 20, [2.98021e-08] * 20], np.float32)
    assert max(map(len, numbers(array, 52))) <= 52
    assert numbers(array, 52)[-1] == "40 numbers, -2.3842e-07 to 2.9802e-08"
    assert numbers(array, 70)[-1].endswith(", mean -1.0431e-07")


def test_the_text_can_be_spelled_in_ascii():
    from thalweg.support.printing import spelled

    model, x, y = several()
    assert "?" not in "".join(map(spelled, model.trace(x, y).text(80)))


def test_the_figure_holds_the_same_numbers():
    model, x, y = network("classes", {})
    trace = model.trace(x, y, gradient_check=True)
    figure = trace.figure()
    assert figure["kind"] == "steps"
    assert [s["number"] for s in figure["steps"]] == list(range(1, len(trace.steps) + 1))
    named = {v["name"]: v for s in figure["steps"] for v in s["outputs"]}
    assert np.array_equal(named["y_pred"]["values"], trace["y_pred"])
    assert named["dh1"]["tutorial"] == "error_term = -dh1"
    assert "tutorial" not in named["h1"]  # it has the same name there
    assert [line["name"] for line in figure["tutorial"]][:2] == ["x", "y"]
    assert figure["weights"][0]["check_error"] < 1e-4
    assert all(set(line["meaning"]) == {"en", "zh"} for line in figure["tutorial"])


def test_the_norms_of_gradients_have_names_of_their_own():
    """Once they were n1, n2, … as the outputs of normalizations are, which then could not be looked up."""
    model, x, y = several()
    model.compile(SGD(0.05, clipnorm=0.1), "sparse_categorical_crossentropy")
    trace = model.trace(x, y)
    assert trace["n2"].shape == (4, 2, 2, 3)
    assert trace["‖dW1‖²"] == pytest.approx(np.sum(trace.weights[0].gradient.astype(float) ** 2), rel=1e-5)


@ENGINE
def test_a_recurrence_is_there_step_by_step(options):
    """Backpropagation through time by hand, on two rows."""
    model = Sequential([Input((3, 2)), SimpleRNN(2), Dense(1, use_bias=False)], seed=3, **options)
    model.compile(SGD(0.1), "mse")
    x, y = RANDOM.normal(size=(2, 3, 2)), RANDOM.normal(size=(2, 1))
    trace = model.trace(x, y)
    W, R, b, V = (w.astype(np.float64) for w in model.get_weights())
    h = [np.zeros((2, 2))]
    for t in range(3):
        h.append(np.tanh(x[:, t] @ W + h[-1] @ R + b))
        close(trace[f"a[{t + 1}]"], h[-1], options)
    back = (h[3] @ V - y) @ V.T  # 2/rows is 1
    dR = np.zeros((2, 2))
    for t in (3, 2, 1):
        inside = back * (1 - h[t] ** 2)
        close(trace[f"dz′[{t}]"], inside, options)
        dR += h[t - 1].T @ inside
        back = inside @ R.T
    close(trace["drecurrent_kernel1"], dR, options)
    formulas = [step.formula for step in trace.steps]
    assert "a[2] = tanh(z′[2])" in formulas
    assert "[h[3]] = h[2:3, :]" in formulas
    assert "a[:] = [a[1]], [a[2]], [a[3]] along axis 1" in formulas
    assert max(map(len, trace.text(80).splitlines())) <= 80
