"""docs/keras-differences.md names every Keras idiom that thalweg refuses, and what it says instead runs.

Names first: whatever stands in Keras's modules, or is an attribute of its objects, is here too or in the document. Then
idioms: each works in Keras, raises here, and has a row; where the row has a remedy, the remedy is run.
"""

import numpy as np
import pytest
from test_keras_differences import NAMED, OURS, ROWS, namespace

import thalweg
from thalweg import Sequential, activations, losses
from thalweg.layers import Dense, Input
from thalweg.support.naming import snake_case

X = np.random.default_rng(0).normal(size=(16, 4)).astype("f")
Y = np.arange(16) % 3
NOT_MEANT = {"src"}  # the package's own folder
GROUPS = sorted(OURS.keys() - {"schedules"})


def built(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.build()
    return model


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def lacking(theirs, ours):
    return sorted(public(theirs) - public(ours) - NAMED - NOT_MEANT)


OBJECTS = {
    "keras": lambda keras: keras,
    "a model": built,
    "a layer": lambda keras: built(keras).layers[0],
    "an optimizer": lambda keras: keras.optimizers.Adam(),
    "a loss": lambda keras: keras.losses.MeanSquaredError(),
    "a metric": lambda keras: keras.metrics.MeanSquaredError(),
    "an initializer": lambda keras: keras.initializers.HeNormal(),
    "a regularizer": lambda keras: keras.regularizers.L2(),
    "a constraint": lambda keras: keras.constraints.MaxNorm(),
    "a schedule": lambda keras: keras.optimizers.schedules.CosineDecay(0.1, 10),
    "a callback": lambda keras: keras.callbacks.EarlyStopping("loss"),
    "models": lambda keras: keras.models,
    "saving": lambda keras: keras.saving,
}


@pytest.mark.parametrize("what", OBJECTS)
def test_every_attribute_is_there_or_named(what, keras):
    found = lacking(OBJECTS[what](keras), OBJECTS[what](thalweg))
    assert not found, f"name these of {what} in docs/keras-differences.md: {found}"


@pytest.mark.parametrize("group", GROUPS)
def test_other_names_of_a_class_are_there_or_named(group, keras):
    held = vars(namespace(keras, group))
    names = {name: thing for name, thing in held.items() if isinstance(thing, type) and name != thing.__name__}
    rows = ("initializers", "regularizers", "constraints")  # their snake case has a row; and NameInitializer
    meant = {name for name, c in names.items() if group in rows and name in (snake_case(c.__name__), snake(c))}
    meant |= {name for name in names if name.endswith("Initializer")}
    found = sorted(names.keys() - meant - public(OURS[group]) - NAMED)
    assert not found, f"name these {group} in docs/keras-differences.md: {found}"


def snake(c):
    return {"L1L2": "l1_l2", "L1": "l1", "L2": "l2", "STFT": "stft"}.get(c.__name__)


def test_a_name_that_is_missing_is_found():
    class Theirs:
        get_weights = build = from_config = brand_new = None

    assert lacking(Theirs(), built(thalweg)) == ["brand_new"]


# (what Keras runs and thalweg refuses, words of its row, what thalweg has instead)
IDIOMS = [
    ("keras.losses.deserialize('mean_squared_error')", "deserialize", "keras.losses.get('mse')"),
    ("keras.Input((None, 4))", "Input((None, 4))", None),
    ("m = built(keras); m.layers[0].trainable = False; m.compile('sgd', 'mse'); m.fit(X, X[:, :3], verbose=0)", "fit",
     None),
    ("built(keras).compile()", 'compile(optimizer="rmsprop", loss=None)', "built(keras).compile('rmsprop', 'mse')"),
    ("m = built(keras); m.compile('adam', 'mse', metrics={m.layers[0].name: ['mae']})", "compile(loss=…, metrics=…)",
     "built(keras).compile('adam', 'mse', metrics=['mae'])"),
    ("built(keras).fit(X, Y, steps_per_epoch=2, verbose=0)", "fit(steps_per_epoch)",
     "built(keras).fit(X, Y, verbose=0)"),
    ("built(keras).fit(((X[:n], Y[:n]) for n in (2, 3, 2)), verbose=0)", "PyDataset", None),
    ("built(keras).compile('adam', 'mse', metrics=[keras.metrics.Mean()])", "compile(metrics=[…])", None),
    ("keras.layers.Dense(3, dtype='float16')", "dtype", None),
    ("built(keras).reset_metrics()", "reset_metrics", None),
    ("built(keras).optimizer.variables", "variables", None),
    ("built(keras).layers[0].compute_output_shape((None, 4))", "compute_output_shape", None),
    ("built(keras).make_train_function()", "make_train_function", "built(keras).train_on_batch(X, Y)"),
    ("built(keras).layers[0].quantize", "quantize", None),
    ("built(keras).optimizer.learning_rate.assign(0.1)", "optimizer.learning_rate.assign(0.1)",
     "m = built(keras); m.optimizer.learning_rate = 0.1"),
    ("keras.optimizers.Adam(decay=0.1)", "Adam(decay=0.1)",
     "keras.optimizers.Adam(keras.optimizers.schedules.InverseTimeDecay(0.001, 1, 0.1))"),
    ("keras.optimizers.Adam().apply_gradients", "apply_gradients", "built(keras).train_on_batch(X, Y)"),
    ("keras.losses.MeanSquaredError()(X, X, sample_weight=0.5)",
     "losses.MeanSquaredError()(y_true, y_pred, sample_weight=0.5)",
     "keras.losses.MeanSquaredError()(X, X, sample_weight=np.full(16, 0.5))"),
    ("keras.metrics.get('mse')", 'metrics.get("mse")', "built(keras).compile('adam', 'mse', metrics=['mse'])"),
    ("keras.layers.Conv2D(3, 3, data_format='channels_last')", "data_format", None),
    ("keras.layers.MixUp(0.2)", "MixUp", None),
    ("keras.layers.CutMix()", "CutMix", None),
    ("keras.layers.Conv3DTranspose(3, 3)", "Conv3DTranspose", None),
    ("keras.layers.DepthwiseConv1D(3)", "DepthwiseConv1D", "keras.layers.DepthwiseConv2D((1, 3))"),
    ("keras.layers.RandomErasing(bounding_box_format='xyxy')", "bounding_box_format",
     "keras.layers.RandomErasing()"),
    ("keras.layers.Resizing(2, 2)(np.zeros((4, 4, 1)))", "Resizing",
     "keras.layers.Resizing(2, 2)(np.zeros((1, 4, 4, 1)))"),
    ("keras.layers.Conv1D(3, 3, padding='causal')", 'Conv1D(padding="causal")', None),
    ("keras.layers.CategoryEncoding(3, sparse=True)", "CategoryEncoding(sparse)", "keras.layers.CategoryEncoding(3)"),
    ("keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Discretization([0.0])])",
     "Discretization",
     "keras.Sequential([keras.Input((2,)), keras.layers.Discretization([0.0]), keras.layers.Dense(2)])"),
    ("keras.layers.LSTM(3)", "LSTM", None),
    ("keras.mixed_precision.set_global_policy('float32')", "mixed_precision", None),
    ("keras.callbacks.EarlyStopping('loss').stopped_epoch", "stopped_epoch", None),
]  # fmt: skip


def execute(code, package):
    import copy

    exec(code, {"keras": package, "built": built, "np": np, "X": X, "Y": Y, "copy": copy})


@pytest.mark.filterwarnings("ignore")  # what an idiom says beside its refusal
@pytest.mark.parametrize(("code", "words", "instead"), IDIOMS, ids=[code for code, *_ in IDIOMS])
def test_what_is_refused_has_a_row_and_the_remedy_runs(code, words, instead, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((thalweg.errors.ThalwegError, AttributeError, TypeError), match=r"\w"):
        execute(code, thalweg)
    rows = [first for first, _, _ in ROWS]
    if words is None:
        assert any("regularizers and constraints as Python functions" in first for first in rows)
    else:
        assert any(f"`{words}`" in first for first in rows), f"no row names `{words}`"
    if instead is not None:
        execute(instead, thalweg)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", [code for code, *_ in IDIOMS])
def test_keras_does_it(code, keras, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    execute(code, keras)


# --- numbers ---------------------------------------------------------------------------------------------------------

HALVES = np.array([[0.5, 0.5, 0.5], [0.1, 0.2, 0.3]], "f")


def test_sparsemax_is_a_projection_on_the_simplex():
    third = 1 / 3
    np.testing.assert_allclose(activations.sparsemax(HALVES), [[third] * 3, [third - 0.1, third, third + 0.1]], 1e-6)


def test_keras_s_sparsemax_is_not(keras):
    """When this fails, Keras has mended it, and its row has to go."""
    assert keras.backend.backend() == "jax"
    theirs = np.asarray(keras.activations.sparsemax(HALVES))
    assert np.array_equal(theirs[0], [0, 0, 0])
    assert abs(theirs.sum(axis=1) - 1).min() > 0.5


SURE = {"native": ({}, 15.942), "reference": ({"engine": "reference"}, 15.942),
        "float64": ({"engine": "reference", "dtype": "float64"}, 16.118)}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # a loss of probabilities behind an output without sigmoid
@pytest.mark.parametrize(("options", "wanted"), SURE.values(), ids=SURE)
@pytest.mark.parametrize("loss", [losses.BinaryCrossentropy(), losses.BinaryFocalCrossentropy()])
def test_a_probability_of_one_for_the_wrong_class(loss, options, wanted):
    model = Sequential([Input((1,)), Dense(1, use_bias=False)], **options)
    model.compile("sgd", loss)
    model.build()
    model.set_weights([np.ones((1, 1))])
    assert model.evaluate([[1.0]], [[0.0]], verbose=0) == pytest.approx(wanted, abs=1e-3)
    assert loss([[0.0]], [[1.0]]) == pytest.approx(16.118, abs=1e-3)


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
def test_keras_has_the_number_of_float32(name, keras):
    loss = float(getattr(keras.losses, name)()(np.array([[0.0]], "f"), np.array([[1.0]], "f")))
    assert loss == pytest.approx(15.942, abs=1e-3)
