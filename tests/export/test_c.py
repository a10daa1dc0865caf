"""Networks as C files: each layer and activation, and what is put together, beside `predict`; trainings."""

import ctypes
import subprocess

import numpy as np
import pytest
from c_files import FLAGS, GCC, compiled, pointer, predicted
from networks_that_leave import BEFORE, PYTHON, ROWS, TOGETHER, inputs, predictions
from random_networks import random_network

from thalweg import Input, Sequential, layers
from thalweg.activations import NAMES
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.export.c.c_files import c_files
from thalweg.export.c.c_training import c_training_files
from thalweg.export.exported_network import network_of
from thalweg.export.exported_training import training_of
from thalweg.optimizers import SGD, Adam, RMSprop
from thalweg.utils import set_random_seed

pytestmark = pytest.mark.skipif(GCC is None, reason="needs gcc")
EVERY = {row.name: row for row in (*ROWS, *TOGETHER) if row.name not in PYTHON}


def test_every_layer_and_activation_leaves():
    kinds = {row.kind for row in ROWS}
    assert set(layers.CLASSES.values()) - BEFORE <= kinds
    assert NAMES.keys() <= kinds


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """All networks in one library; those that can't be written, with the error."""
    folder, failed, models = tmp_path_factory.mktemp("c"), {}, {}
    for number, (name, row) in enumerate(EVERY.items()):
        model = row.make()
        try:
            source = c_files(network_of(model, 1), f"net{number}", name)
        except ThalwegError as error:
            failed[name] = error
            continue
        models[name] = model, f"net{number}"
        (folder / f"net{number}.c").write_text(source.code, encoding="utf-8")
        (folder / f"net{number}.h").write_text(source.header, encoding="utf-8")
    files = [f"{name}.c" for _, name in models.values()]
    done = subprocess.run(
        [GCC, *FLAGS, "-O0", "-shared", "-fPIC", *files, "-o", "all.so", "-lm"],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:5000]
    return ctypes.CDLL(str(folder / "all.so")), models, failed


@pytest.mark.parametrize("name", EVERY)
def test_a_network_predicts_the_same(library, name):
    made, models, failed = library
    if name in failed:
        raise failed[name]
    model, called = models[name]
    arrays = inputs(model, 5)
    wanted = predictions(model, arrays)
    found, error = predicted(getattr(made, f"{called}_predict_rows"), arrays, [w.shape[1:] for w in wanted])
    assert error == 0
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["network two losses", "network softmax of others", "PeriodicEmbedding1"])
def test_a_network_is_written_the_same_each_time(name):
    """Objects of its graph lie elsewhere in memory each time."""
    row = next(row for row in (*ROWS, *TOGETHER) if row.name == name)
    written, kept = set(), []
    for _ in range(8):
        set_random_seed(7)
        model = row.make()
        kept.append(model)
        model.compile("adam", "mse")
        made = c_training_files(network_of(model, 1), training_of(model, 4), 4, "net", name)
        written.add(made.code)
    assert len(written) == 1


# --- what is refused, and what is told -------------------------------------------------------------------------------


def test_a_python_function_is_refused_by_name():
    (row,) = (row for row in ROWS if row.name == "Activation5")
    with pytest.raises(ThalwegError, match="bowl"):
        network_of(row.make(), 1)


def test_what_draws_to_predict_is_refused():
    model, _ = random_network(11)
    model.build()
    with pytest.raises(ThalwegError, match="C draws random numbers in training alone"):
        c_files(network_of(model, 1), "net", "Drawing")


@pytest.mark.parametrize("name", ["", "2x", "a-b", "float", "exp", "größe"])
def test_a_name_that_c_does_not_take(name):
    with pytest.raises(ArgumentError, match="C takes no function"):
        c_files(network_of(Sequential([Input((2,)), layers.Dense(1)]), 1), name, "")


def test_an_id_outside_its_table_is_an_error_and_nan(tmp_path):
    model = Sequential([Input((2,)), layers.Embedding(4, 3)], seed=1)
    source = c_files(network_of(model, 1), "net", "Ids")
    library = compiled(tmp_path, "net", source.code, source.header)
    ids = np.array([[0, 3], [1, 4], [2, 1], [-1, 0], [0.5, 1]], np.float32)
    (found,), error = predicted(library.net_predict_rows, [ids], [(2, 3)])
    assert error == 1
    assert "NET_UNKNOWN_ID 1" in source.header
    np.testing.assert_array_equal(np.isnan(found).all(axis=-1), [[0, 0], [0, 1], [0, 0], [1, 0], [1, 0]])
    np.testing.assert_array_equal(found[[0, 2]], model.predict(ids[[0, 2]]))
    assert predicted(library.net_predict_rows, [ids[[0, 2]]], [(2, 3)])[1] == 0


def test_weights_are_written_to_the_bit(tmp_path):
    """Numbers of any size, none of them rounded, and those that are no numbers."""
    odd = [1e-45, 3.4028235e38, -0.0, 0.1, 1 / 3, -1.17549435e-38, 16777217.0, np.inf, -np.inf, np.nan]
    W = np.array([odd, np.random.default_rng(0).normal(size=10) * 10.0 ** np.arange(-20, 20, 4)]).astype(np.float32)
    model = Sequential([Input((2,)), layers.Embedding(2, 10)], seed=1)
    model.build()
    model.set_weights([W])
    source = c_files(network_of(model, 1), "net", "Odd */ ??/ numbers")
    library = compiled(tmp_path, "net", source.code, source.header)
    (found,), _ = predicted(library.net_predict_rows, [np.array([[0, 1]])], [(2, 10)])
    np.testing.assert_array_equal(found[0].view(np.int32), W.view(np.int32))


def test_nothing_but_mathematics_is_needed(tmp_path):
    """What the object file leaves to be linked is what the header says."""
    model = Sequential([Input((8, 8, 1)), layers.Conv2D(4, 3, activation="gelu"), layers.Flatten(),
                        layers.Dense(3, "softmax")], seed=1)  # fmt: skip
    source = c_files(network_of(model, 1), "net", "A network")
    compiled(tmp_path, "net", source.code, source.header)
    subprocess.run([GCC, *FLAGS, "-O1", "-c", "net.c"], cwd=tmp_path, check=True, timeout=60)
    listed = subprocess.run(["nm", "-u", "net.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1] for line in listed.splitlines()} - {"memset", "memcpy", "_GLOBAL_OFFSET_TABLE_"}
    assert needed == {"erfcf", "expf"}
    assert "Needs erfcf, expf of the library of <math.h>" in source.header


def test_memory_is_shared():
    """Two arrays in a row of layers are needed at a time."""
    model = Sequential([Input((64,)), *(layers.Dense(64, "tanh") for _ in range(20))])
    source = c_files(network_of(model, 1), "net", "Deep")
    assert "static float memory[128];" in source.code


INT8 = {
    "dense": [Input((6,)), layers.Dense(9, "tanh"), layers.Dense(3, "softmax")],
    "convolutional": [
        Input((6, 6, 2)), layers.Conv2D(4, 3, groups=2), layers.DepthwiseConv2D(2), layers.Flatten(), layers.Dense(3),
    ],
    "ids": [Input((4,)), layers.Embedding(11, 5), layers.Flatten(), layers.Dense(3, "gelu")],
}  # fmt: skip


@pytest.mark.parametrize("name", INT8)
def test_weights_of_eight_bits_are_their_equation(name, tmp_path):
    """The file predicts as the engine does with the weights that the equation gives; these are near the network's."""
    model = Sequential(INT8[name], seed=1)
    model.build()
    network = network_of(model, 1)
    source = c_files(network, "net", name, int8=True)
    library = compiled(tmp_path, "net", source.code, source.header)
    x = inputs(model, 20)
    before = predictions(model, x)
    rounded = []
    for W in model.get_weights():
        scale = abs(W).max(axis=tuple(range(W.ndim - 1))) / 127
        rounded.append(W if W.ndim < 2 else np.rint(W / scale) * scale)
    model.set_weights(rounded)
    (found,), _ = predicted(library.net_predict_rows, x, [before[0].shape[1:]])
    np.testing.assert_allclose(found, predictions(model, x)[0], rtol=1e-5, atol=1e-5)
    assert 0 < abs(found - before[0]).max() < 0.05
    assert source.code.count("static const int8_t") == sum(w.ndim > 1 for w in network.weights.values())
    assert "W_scale[j] = max |W[..., j]|/127" in source.header


def test_weights_of_eight_bits_where_a_column_is_zero_or_infinite(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2, use_bias=False)], seed=1)
    model.build()
    model.set_weights([np.array([[0, 1], [0, 2], [0, -4]])])
    source = c_files(network_of(model, 1), "net", "Zero", int8=True)
    library = compiled(tmp_path, "net", source.code, source.header)
    (found,), _ = predicted(library.net_predict_rows, [np.eye(3)], [(2,)])
    np.testing.assert_allclose(found, [[0, 1], [0, 2], [0, -4]], atol=4 / 254)
    model.set_weights([np.array([[0, 1], [0, 2], [0, np.inf]], np.float32)])
    with pytest.raises(ThalwegError, match="aren't finite"):
        c_files(network_of(model, 1), "net", "Infinite", int8=True)


# --- training --------------------------------------------------------------------------------------------------------


def dense():
    return [Input((6,)), layers.Dense(9, "tanh", kernel_regularizer="l2"), layers.Dropout(0.2),
            layers.Dense(3, "softmax")]  # fmt: skip


def convolutional():
    return [
        Input((7, 7, 2)), layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False), layers.BatchNormalization(),
        layers.Activation("relu"), layers.DepthwiseConv2D(3), layers.MaxPooling2D(2, padding="same"), layers.Flatten(),
        layers.Dense(3, "softmax"),
    ]  # fmt: skip


def ids():
    return [
        Input((4,)), layers.Embedding(11, 5), layers.GlobalAveragePooling1D(), layers.LayerNormalization(),
        layers.Dense(6, "gelu"), layers.Dense(3, "softmax"),
    ]  # fmt: skip


TRAININGS = {
    "dense, Adam": (dense, lambda: Adam(0.01)),
    "dense, momentum": (dense, lambda: SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)),
    "convolutional, RMSprop": (convolutional, lambda: RMSprop(0.003)),
    "convolutional, Adam": (convolutional, lambda: Adam(0.003, global_clipnorm=1.0)),
    "ids, Adam": (ids, lambda: Adam(0.01, clipvalue=0.1)),
    "ids, momentum": (ids, lambda: SGD(0.1, momentum=0.9)),
}
BATCH = 8


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", TRAININGS)
def test_a_hundred_steps_end_at_the_engine_s_weights(name, engine, tmp_path):
    made, optimizer = TRAININGS[name]
    model = Sequential(made(), seed=1, engine=engine)
    model.compile(optimizer(), "sparse_categorical_crossentropy", ["accuracy"])
    model.build()
    source = c_training_files(network_of(model, 1), training_of(model, BATCH), BATCH, "net", name)
    library = compiled(tmp_path, "net", source.code, source.header)
    library.net_loss.restype = ctypes.c_double
    draw = np.random.default_rng(2)
    shape = (100 * BATCH, *model.input_shape[1:])
    x = draw.integers(0, 11, shape) if made is ids else draw.normal(size=shape)
    x, y = np.ascontiguousarray(x, np.float32), draw.integers(0, 3, (len(x), 1)).astype(np.float32)
    rate = ctypes.c_float(model.optimizer.learning_rate)
    for n in range(0, len(x), BATCH):
        assert library.net_train_step(pointer(x[n:]), pointer(y[n:]), rate) == 0
    history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
    weights = network_of(model, 1).weights
    wanted = np.concatenate([w.reshape(-1) for w in weights.values()])
    found = np.full(len(wanted), np.nan, np.float32)
    library.net_get_weights(pointer(found))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert 0 < library.net_loss() < 10
    assert history.history["loss"]
    (predictions_of_c,), _ = predicted(library.net_predict_rows, [x[:50]], [(3,)])
    np.testing.assert_allclose(predictions_of_c, model.predict(x[:50]), rtol=1e-4, atol=1e-5)


def targets(loss, shape, draw):
    """Targets of a loss: classes, probabilities, or numbers that are positive."""
    if loss.startswith("sparse"):
        return draw.integers(0, 3, shape)
    if "categorical" in loss:
        return np.eye(3)[draw.integers(0, 3, shape[0])]
    return draw.integers(0, 2, shape) if "binary" in loss else abs(draw.normal(size=shape))


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 6, 7, 9, 13, 14, 15, 16])
def test_random_networks_predict_and_train(seed, tmp_path):
    model, losses = random_network(seed, engine="reference")
    model.compile(SGD(0.05), losses if len(losses) > 1 else losses[0])
    model.build()
    source = c_training_files(network_of(model, 1), training_of(model, 4), 4, "net", f"Network {seed}")
    library = compiled(tmp_path, "net", source.code, source.header)
    x, draw = inputs(model, 12), np.random.default_rng(0)
    wanted = predictions(model, x)
    found, error = predicted(library.net_predict_rows, x, [w.shape[1:] for w in wanted])
    assert error == 0
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    shapes = [a.shape for name, a in sorted(model._compiled.random_data(12).items()) if name.startswith("Y")]
    y = [targets(loss, shape, draw).astype(np.float32) for loss, shape in zip(losses, shapes, strict=True)]
    for n in range(0, 12, 4):
        batch = [np.ascontiguousarray(a[n : n + 4]) for a in (*x, *y)]
        assert library.net_train_step(*map(pointer, batch), ctypes.c_float(0.05)) == 0
    model.fit(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], batch_size=4, shuffle=False, verbose=0)
    weights = np.concatenate([w.reshape(-1) for w in network_of(model, 1).weights.values()])
    got = np.zeros(len(weights), np.float32)
    library.net_get_weights(pointer(got))
    np.testing.assert_allclose(got, weights, rtol=1e-4, atol=1e-5)


def test_a_step_that_fails_changes_nothing(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(3, "softmax")], seed=1)
    model.compile(Adam(0.1), "sparse_categorical_crossentropy")
    model.build()
    source = c_training_files(network_of(model, 1), training_of(model, 4), 4, "net", "Failing")
    library = compiled(tmp_path, "net", source.code, source.header)
    x, y = np.ones((4, 3), np.float32), np.array([0, 1, 2, 0], np.float32)
    before, after = np.zeros(31, np.float32), np.zeros(31, np.float32)
    assert "#define NET_WEIGHTS 31" in source.header
    library.net_get_weights(pointer(before))
    rate = ctypes.c_float(0.1)
    assert library.net_train_step(pointer(x), pointer(y + 1), rate) == 1  # a class that isn't one
    assert library.net_train_step(pointer(x * np.float32(np.nan)), pointer(y), rate) == 2
    library.net_get_weights(pointer(after))
    np.testing.assert_array_equal(before, after)
    assert library.net_train_step(pointer(x), pointer(y), rate) == 0
    library.net_get_weights(pointer(after))
    assert abs(after - before).max() > 0.09  # Adam's first step is the learning rate: the failed ones don't count
    library.net_set_weights(pointer(before))
    library.net_get_weights(pointer(after))
    np.testing.assert_array_equal(before, after)
