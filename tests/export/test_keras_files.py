"""Files of Keras's, there and back: every layer that both have, to the bit; graphs; what a model was compiled with."""

import json
import os
import zipfile

import numpy as np
import pytest
from activation_layers import ACTIVATION_LAYERS
from attention_layers import ATTENTION_LAYERS
from image_layers import IMAGE_LAYERS
from layer_rows import weighted

import thalweg
from thalweg import Input, Model, Sequential, activations, layers, ops
from thalweg.errors import ArgumentError, ModelFileError, ThalwegWarning
from thalweg.exchange import keras_operations, keras_parts
from thalweg.layers import Dense
from thalweg.models import load_model
from thalweg.saving import custom_object_scope, register_keras_serializable

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras", exc_type=ImportError)
pytest.importorskip("h5py", exc_type=ImportError)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras's own, of NumPy 2
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),  # which starts over
]
SHARED = {
    "Dense": [
        (lambda: Dense(4, "relu", kernel_regularizer="l2", bias_constraint="non_neg"), (3,)),
        (lambda: Dense(2, "softmax", use_bias=False, kernel_initializer=thalweg.initializers.Constant(0.5)), (5, 3)),
    ],
    "EinsumDense": [
        (lambda: layers.EinsumDense("abc,cde->abde", (None, 4, 5), "relu", "de", "he_normal"), (2, 3)),
        (lambda: layers.EinsumDense("...x,xy->...y", 4), (2, 3)),
    ],
    "Identity": [(lambda: layers.Identity(), (2, 3))],
    "LeakyReLU": [(lambda: layers.LeakyReLU(0.1), (3,))],
    "Dropout": [(lambda: layers.Dropout(0.4, seed=7), (3,))],
    "Rescaling": [(lambda: layers.Rescaling(0.5, -1), (3, 2))],
    "Embedding": [(lambda: layers.Embedding(5, 3, "normal", "l2", sparse=False), (4,))],
    "Flatten": [(lambda: layers.Flatten(), (3, 2))],
    "RandomFlip": [(lambda: layers.RandomFlip("vertical"), (4, 3, 2))],
    "RandomTranslation": [(lambda: layers.RandomTranslation(0.2, (0, 0.3), "wrap", seed=3), (4, 3, 2))],
    "RandomRotation": [(lambda: layers.RandomRotation(0.1, "constant", fill_value=2.0), (4, 3, 2))],
    "RandomZoom": [(lambda: layers.RandomZoom((-0.3, 0.1), 0.2, interpolation="nearest"), (4, 3, 2))],
    "RandomContrast": [(lambda: layers.RandomContrast((0.2, 0.4), (-2, 2)), (4, 3, 2))],
    "Add": [(lambda: layers.Add(), [(2, 3), (1, 3), (2, 1)])],
    "Subtract": [(lambda: layers.Subtract(), [(3,), (3,)])],
    "Multiply": [(lambda: layers.Multiply(), [(3,), (1,)])],
    "Average": [(lambda: layers.Average(), [(2, 3)] * 3)],
    "Maximum": [(lambda: layers.Maximum(), [(3,), (3,)])],
    "Minimum": [(lambda: layers.Minimum(), [(3,), (3,)])],
    "Concatenate": [(lambda: layers.Concatenate(1), [(2, 3), (4, 3)])],
    "Dot": [(lambda: layers.Dot((2, 1)), [(4, 3), (3, 2)]), (lambda: layers.Dot(-1, normalize=True), [(3,), (3,)])],
    "SimpleRNN": [(lambda: layers.SimpleRNN(3, "relu", go_backwards=True, dropout=0.2), (4, 2))],
    "LSTM": [
        (lambda: layers.LSTM(3, recurrent_regularizer="l2", return_sequences=True), (4, 2)),
        (lambda: layers.LSTM(2, recurrent_activation="hard_sigmoid", unit_forget_bias=False), (4, 2)),
    ],
    "GRU": [(lambda: layers.GRU(3), (4, 2)), (lambda: layers.GRU(3, reset_after=False, use_bias=False), (4, 2))],
    "ConvLSTM1D": [(lambda: layers.ConvLSTM1D(2, 2, 2, "same", return_sequences=True), (3, 4, 2))],
    "ConvLSTM2D": [
        (lambda: layers.ConvLSTM2D(2, (2, 1), recurrent_regularizer="l2", go_backwards=True), (3, 3, 4, 2)),
        (lambda: layers.ConvLSTM2D(1, 2, dilation_rate=2, use_bias=False), (3, 3, 4, 2)),
    ],
    "ConvLSTM3D": [(lambda: layers.ConvLSTM3D(2, (1, 2, 2), unit_forget_bias=False), (2, 2, 3, 2, 1))],
    "RNN": [(lambda: layers.RNN(layers.LSTMCell(3), return_sequences=True), (4, 2))],
    "StackedRNNCells": [
        (lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.GRUCell(3, reset_after=False)]), (4, 2))
    ],
    "SimpleRNNCell": [(lambda: layers.RNN(layers.SimpleRNNCell(3, "softsign")), (4, 2))],
    "LSTMCell": [(lambda: layers.RNN(layers.LSTMCell(2, use_bias=False)), (4, 2))],
    "GRUCell": [(lambda: layers.RNN(layers.GRUCell(2)), (4, 2))],
    "Bidirectional": [
        (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True), "sum"), (4, 2)),
        (lambda: layers.Bidirectional(layers.GRU(3), "ave", None, layers.SimpleRNN(3, go_backwards=True)), (4, 2)),
    ],
    "TimeDistributed": [
        (lambda: layers.TimeDistributed(Dense(3, "relu")), (4, 2)),
        (lambda: layers.TimeDistributed(layers.Conv1D(3, 2)), (4, 5, 2)),
    ],
    "CategoryEncoding": [(lambda: layers.CategoryEncoding(5, "count"), (4,))],
    "Discretization": [(lambda: layers.Discretization([0.5, 1.5], output_mode="one_hot"), (1,))],
    "Normalization": [
        (lambda: adapted(layers.Normalization()), (3,)),
        (lambda: adapted(layers.Normalization(axis=None)), (3,)),
        (lambda: adapted(layers.Normalization(invert=True)), (3,)),
        (lambda: layers.Normalization(axis=None, mean=2.0, variance=3.0), (3,)),
    ],
}
UNSHARED = {
    "Activation3": "formula", "Activation4": "formula", "Activation5": "bowl", "Activation6": "formula",
}  # fmt: skip
"""Rows of the tables that Keras hasn't: their test is that they are refused by name."""


def adapted(layer):
    layer.adapt(np.random.default_rng(1).normal(3, 2, size=(50, 3)))
    return layer


TABLE = {
    **{kind.__name__: [row[:2] for row in rows] for kind, rows in (IMAGE_LAYERS | ACTIVATION_LAYERS).items()},
}
for name, rows in SHARED.items():
    TABLE[name] = [*TABLE.get(name, []), *rows]
CASES = [
    pytest.param(*row, id=f"{name}{n}")
    for name, rows in TABLE.items()
    if name in keras_parts.LAYERS
    for n, row in enumerate(rows)
    if f"{name}{n}" not in UNSHARED
]


def data(model, whole=False):
    draw = np.random.default_rng(5)
    shapes = model._graph.input_shapes
    xs = [(draw.integers(0, 2, (6, *s)) if whole else draw.normal(size=(6, *s))).astype("f") for s in shapes]
    return xs if len(xs) > 1 else xs[0]


def flat(result):
    found = result.values() if isinstance(result, dict) else result if isinstance(result, list | tuple) else [result]
    return [np.asarray(y) for y in found]


def weights(model):
    """The arrays, without those of a Normalization, of which Keras keeps another number, in another form."""
    kinds = (layers.Normalization, keras.layers.Normalization)
    found = [w for layer in model.layers if not isinstance(layer, kinds) for w in layer.get_weights()]
    return found if any(isinstance(layer, kinds) for layer in model.layers) else model.get_weights()


def same(ours, theirs, x, tolerance=1e-5):
    """The same weights, to the bit, and the same predictions."""
    for one, other in zip(weights(ours), weights(theirs), strict=True):
        assert one.tobytes() == other.tobytes()
    wanted = flat(theirs(x, training=False) if not isinstance(x, list) else theirs(x))
    for got, want in zip(flat(ours.predict(x)), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(1, abs(want).max()))


def alike(one, other):
    """Whether two configurations say the same; Keras keeps some numbers in float32."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == pytest.approx(other, rel=1e-6) if isinstance(one, float) else one == other


def same_as_keras(ours, theirs, x):
    if isinstance(theirs.layers[-1], keras.layers.RandomCrop):  # which Keras 3.15 leaves out in prediction
        return
    same(ours, theirs, x)
    if isinstance(theirs.layers[-1], keras.layers.Normalization) and theirs.layers[-1].weights:
        (mean, variance, _), layer = theirs.layers[-1].get_weights(), ours.layers[-1]
        own = layer.get_weights()
        assert (own[0] == mean).all()
        if not layer.invert:  # then we keep σ
            assert (own[1] == variance).all()


@pytest.mark.parametrize(("make", "shape"), CASES)
def test_every_layer_goes_to_keras_and_comes_back(make, shape, tmp_path):
    layer = make()
    ours = weighted(layer, shape)
    x = data(ours, isinstance(layer, layers.Embedding | layers.CategoryEncoding))
    ours.export(tmp_path / "there.keras")
    theirs = keras.models.load_model(tmp_path / "there.keras")
    same_as_keras(ours, theirs, x)
    assert [one.name for one in theirs.layers] == [one.name for one in ours.layers]
    theirs.save(tmp_path / "back.keras")
    again = load_model(tmp_path / "back.keras")
    same_as_keras(again, theirs, x)
    kept = [d for d in ours.layers if not isinstance(d, layers.InputLayer)]
    for one, other in zip(kept, [d for d in again.layers if not isinstance(d, layers.InputLayer)], strict=True):
        before, after = one.get_config(), other.get_config()
        if before.get("groups") == -1:  # for which Keras puts their number
            before["groups"] = after["groups"]
        for name in ("seed", "sparse"):  # Keras draws a seed; the gradient of an Embedding is ours
            before.pop(name, None), after.pop(name, None)
        assert alike(after, before), (before, after)


def test_every_layer_is_in_the_table():
    attention = {kind.__name__ for kind in ATTENTION_LAYERS}  # their files: tests/parity/test_keras_attention.py
    assert set(keras_parts.LAYERS) <= {*TABLE, *attention, "Masking"}
    exceptions = {*keras_parts.OWN_LAYERS, *keras_parts.ELSEWHERE}
    assert set(layers.CLASSES) == set(keras_parts.LAYERS) | exceptions
    for name in keras_parts.OWN_LAYERS:
        assert not hasattr(keras.layers, name)
    for name in (*keras_parts.LAYERS, *keras_parts.ELSEWHERE):
        assert hasattr(keras.layers, name)


def test_the_lists_of_what_both_have_are_keras_s():
    assert {n for n in activations.NAMES if not hasattr(keras.activations, n)} == set(keras_parts.OWN_ACTIVATIONS)
    homes = {
        "initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints,
        "schedule": keras.optimizers.schedules, "optimizer": keras.optimizers, "loss": keras.losses,
        "metric": keras.metrics,
    }  # fmt: skip
    for family, home in homes.items():
        missing = [name for name in keras_parts.FAMILIES[family].classes if not hasattr(home, name)]
        assert missing == [], family


@pytest.mark.parametrize("name", UNSHARED)
def test_what_keras_has_not_is_refused_by_name(name, tmp_path):
    row = TABLE[name.rstrip("0123456789")][int(name[-1])]
    with pytest.raises(
        ArgumentError, match=r"layer 'activation' has the activation .*which Keras hasn't; the target numpy"
    ):
        weighted(row[0](), row[1]).export(tmp_path / "x.keras")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Residual([Dense(3)]), "layer 'residual' is a Residual, which Keras hasn't; the target numpy"),
        (lambda: layers.ElementwiseScale(), "layer 'elementwise_scale' is a ElementwiseScale"),
        (lambda: layers.Lambda(ops.tanh), "is a Lambda, which holds a Python function"),
        (lambda: Dense(2, "lisht"), "layer 'dense' has the activation 'lisht', which Keras hasn't"),
    ],
)
def test_a_layer_that_keras_lacks_is_refused(make, words, tmp_path):
    with pytest.raises(ArgumentError, match=words):
        Sequential([Input((3,)), make()]).export(tmp_path / "x.keras")
    assert not list(tmp_path.iterdir())


# --- graphs -----------------------------------------------------------------------------------------------------------


def graph(package):
    """Several inputs and outputs, a shared layer, models inside, functions of tensors, and outputs by name."""
    made, own = package.layers, package.ops
    a, b = package.Input((3,), name="a"), package.Input((3,), name="b")
    shared = made.Dense(2, "tanh", name="shared")
    chain = package.Sequential(
        [package.Input((2,)), made.Dense(2), made.BatchNormalization(), made.Dense(2)], name="chain"
    )
    start = package.Input((2,))
    inner = package.Model(start, made.Dense(5)(start), name="inner")
    y = chain(shared(a))
    z = inner(y)
    joined = made.Concatenate(name="joined")([shared(a), shared(b)])
    return package.Model(
        [a, b],
        {
            "one": joined,
            "two": made.Add()([z, inner(shared(b))]),
            "three": 2 * y + own.exp(-abs(y)) / 3 - y[:, 0:1],
            "four": inner(shared(a)),
            "five": own.softmax(own.reshape(own.transpose(own.stack([y, y], axis=1), (0, 2, 1)), (-1, 4))),
            "six": own.mean(joined, axis=-1, keepdims=True),
        },
    )


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_graph_comes_from_keras(ending, tmp_path, monkeypatch):
    theirs = graph(keras)
    draw = np.random.default_rng(0)
    theirs.set_weights([draw.uniform(0.1, 1, w.shape) for w in theirs.get_weights()])
    theirs.save(tmp_path / f"x.{ending}")
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", None)
    ours = load_model(tmp_path / f"x.{ending}")
    same(ours, theirs, data(ours))
    assert ours._graph.output_names == ["one", "two", "three", "four", "five", "six"]


def test_a_graph_goes_to_keras(tmp_path):
    ours = graph(thalweg)
    draw = np.random.default_rng(0)
    ours.set_weights([draw.uniform(0.1, 1, w.shape) for w in ours.get_weights()])
    ours.export(tmp_path / "x.keras")
    theirs = keras.models.load_model(tmp_path / "x.keras")
    same(ours, theirs, data(ours))
    named = [one.name for one in theirs.layers]
    assert named == [one.name for one in ours.layers if isinstance(one, layers.Layer)]


def test_a_shared_layer_s_number_of_calls_is_that_of_the_graph(tmp_path):
    """A model made of tensors between two others: layers are called elsewhere, too."""
    start = Input((3,))
    body = Dense(3, name="body")
    first = body(start)
    Model(start, body(body(first)))
    ours = Model(start, body(first), seed=1)
    ours.export(tmp_path / "x.keras")
    same(ours, keras.models.load_model(tmp_path / "x.keras"), data(ours))


@pytest.mark.parametrize("name", sorted(keras_operations.OPTIONS))
def test_every_function_of_tensors_is_keras_s(name):
    options = dict.fromkeys(keras_operations.OPTIONS[name])
    kind = "".join(word.capitalize() for word in name.split("_"))
    home = keras.src.ops.nn if name in keras_operations.NN else keras.src.ops.numpy
    assert set(options) <= set(__import__("inspect").signature(getattr(home, kind)).parameters)


# --- what a model was compiled with -----------------------------------------------------------------------------------


def test_what_it_was_compiled_with_goes_along(tmp_path):
    schedule = thalweg.schedules.CosineDecay(0.1, 50)
    ours = Sequential([Input((3,)), Dense(4, "relu"), Dense(2, "softmax")], seed=1)
    metrics = ["accuracy", thalweg.metrics.SparseTopKCategoricalAccuracy(2, name="top")]
    ours.compile(thalweg.optimizers.Adam(schedule, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=metrics)
    ours.export(tmp_path / "x.keras")
    theirs = keras.models.load_model(tmp_path / "x.keras")
    assert type(theirs.optimizer).__name__ == "Adam"
    assert theirs.optimizer.clipnorm == 1.0
    x, y = data(ours), np.array([0, 1, 0, 1, 1, 0])
    for _ in range(5):
        ours.train_on_batch(x, y), theirs.train_on_batch(x, y)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    theirs.save(tmp_path / "y.keras")
    again = load_model(tmp_path / "y.keras")
    assert again.optimizer.get_config()["clipnorm"] == 1.0
    assert again.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss", "accuracy", "top"}
    assert load_model(tmp_path / "y.keras", compile=False)._compiled.complete is False


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_loss_that_is_not_here_leaves_the_model_uncompiled(ending, tmp_path):
    @keras.saving.register_keras_serializable()
    def odd(y_true, y_pred):
        return keras.ops.mean(y_true - y_pred)

    theirs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    theirs.compile("sgd", odd)
    theirs.save(tmp_path / f"x.{ending}")
    with pytest.warns(ThalwegWarning, match=r"isn't compiled as it was in Keras: the one loss .*call model\.compile$"):
        ours = load_model(tmp_path / f"x.{ending}")
    same(ours, theirs, data(ours))
    load_model(tmp_path / f"x.{ending}", compile=False)


def test_an_optimizer_that_keras_lacks_is_told(tmp_path):
    ours = Sequential([Input((2,)), Dense(1, kernel_initializer=lambda shape, generator: np.ones(shape))])
    ours.compile(thalweg.optimizers.AdaBelief(), "mse")
    with pytest.warns(ThalwegWarning) as told:
        ours.export(tmp_path / "x.keras")
    said = [str(w.message) for w in told]
    assert "x.keras holds the model uncompiled: Keras has no optimizer AdaBelief" in said[0]
    assert "zeros as initial weights where Keras has no Function; the weights themselves are all there" in said[1]
    same(ours, keras.models.load_model(tmp_path / "x.keras"), data(ours))


# --- weights alone, and names -----------------------------------------------------------------------------------------


def test_weights_alone_come_into_a_model_of_the_same_layers(tmp_path):
    theirs = graph(keras)
    theirs.save_weights(tmp_path / "x.weights.h5")
    ours = graph(thalweg)
    ours.load_weights(tmp_path / "x.weights.h5")
    same(ours, theirs, data(ours))
    with pytest.raises(ModelFileError, match=r"x\.weights\.h5 holds weights only; make the model"):
        load_model(tmp_path / "x.weights.h5")
    theirs.save(tmp_path / "y.keras")
    theirs.save(tmp_path / "y.h5")
    for name in ("y.keras", "y.h5"):
        again = graph(thalweg)
        again.load_weights(tmp_path / name)
        same(again, theirs, data(ours))


def test_a_frozen_layer_inside_comes_back(tmp_path):
    """The older layout puts what is frozen behind what is trained."""
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)], name="inner")
    inner.layers[0].trainable = False
    theirs = keras.Sequential([keras.Input((3,)), inner, keras.layers.BatchNormalization(), keras.layers.Dense(3)])
    theirs.layers[1].trainable = False
    for name in ("x.h5", "x.keras"):
        theirs.save(tmp_path / name)
        ours = load_model(tmp_path / name)
        same(ours, theirs, data(ours))
        assert [layer.trainable for layer in ours.layers] == [True, False, True]
        assert [layer.trainable for layer in ours.layers[0].layers] == [False, True]


def test_a_class_of_one_s_own_is_given_by_name(tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Redoubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    theirs = keras.Sequential([keras.Input((2,)), Redoubled(), keras.layers.Dense(1)])
    theirs.save(tmp_path / "x.keras")
    with pytest.raises(ModelFileError, match=r"is 'mine>Redoubled' of .*give your own class in custom_objects$"):
        load_model(tmp_path / "x.keras")

    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    ours = load_model(tmp_path / "x.keras", {"Redoubled": Twice})
    same(ours, theirs, data(ours))
    with custom_object_scope({"Redoubled": Twice}):
        same(load_model(tmp_path / "x.keras"), theirs, data(ours))
    with custom_object_scope({}):
        register_keras_serializable("another", name="Redoubled")(layers.ReLU)
        with pytest.raises(ModelFileError, match="is 'mine>Redoubled' of"):  # which another package's isn't
            load_model(tmp_path / "x.keras")
    with custom_object_scope({}):
        register_keras_serializable("mine", name="Redoubled")(Twice)
        register_keras_serializable("mine", name="Dense")(Twice)  # Keras's own isn't in that package
        same(load_model(tmp_path / "x.keras"), theirs, data(ours))


def test_content_counts_not_the_name(tmp_path):
    theirs = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    theirs.save(tmp_path / "x.keras")
    (tmp_path / "x.keras").rename(tmp_path / "x.safetensors")
    same(load_model(tmp_path / "x.safetensors"), theirs, np.ones((2, 2), "f"))
    own = Sequential([Input((2,)), Dense(1)])
    own.save(tmp_path / "own.keras")
    assert load_model(tmp_path / "own.keras").get_weights()[0].tobytes() == own.get_weights()[0].tobytes()


def test_a_file_is_the_same_twice_and_needs_its_ending(tmp_path):
    model = graph(thalweg)
    model.export(tmp_path / "x.keras")
    model.export(tmp_path / "y.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as one, zipfile.ZipFile(tmp_path / "y.keras") as other:
        assert json.loads(one.read("config.json")) == json.loads(other.read("config.json"))
    assert (tmp_path / "x.keras").read_bytes() == (tmp_path / "y.keras").read_bytes()
    with pytest.raises(ArgumentError, match=r"x\.h5: Keras takes only names that end in \.keras, such as x\.keras"):
        model.export(tmp_path / "x.h5", "keras")
    with pytest.raises(ArgumentError, match=r"x\.keras exists already and is not overwritten"):
        model.export(tmp_path / "x.keras")
