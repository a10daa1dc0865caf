"""Trainings as NumPy files: the weights that the engine learns, and a text that a learner can read."""

import contextlib
import io

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers, optimizers
from thalweg.errors import ThalwegError
from thalweg.export.exported_training import training_of
from thalweg.export.identifiers import identifiers

RANDOM = np.random.default_rng(0)
ROWS, BATCH = 150, 30
Y = np.arange(ROWS) % 3
DENSE = [layers.Dense(16, "relu", kernel_regularizer="l2"), layers.Dropout(0.2), layers.Dense(3, "softmax")]
CONVOLUTIONS = [
    layers.Conv2D(4, 3, padding="same", activation="relu"),
    layers.BatchNormalization(),
    layers.MaxPooling2D(),
    layers.Conv2D(5, 3, strides=2),
    layers.Flatten(),
    layers.Dense(3, "softmax"),
]
TABLE = [
    layers.Embedding(10, 4),
    layers.Flatten(),
    layers.LayerNormalization(),
    layers.Dense(8, "mish"),
    layers.Dense(3),
]
LOGITS = "sparse_categorical_crossentropy"
NETWORKS = {
    "dense": (DENSE, RANDOM.normal(size=(ROWS, 4)), Y, LOGITS, lambda: optimizers.Adam(0.01)),
    "convolutional": (CONVOLUTIONS, RANDOM.normal(size=(ROWS, 8, 8, 2)), Y, LOGITS, lambda: optimizers.SGD(0.01, 0.9)),
    "table": (
        TABLE,
        RANDOM.integers(0, 10, (ROWS, 5)),
        RANDOM.normal(size=(ROWS, 3)),
        "mse",
        lambda: optimizers.RMSprop(),
    ),
    "weights under another shape": (
        [layers.EinsumDense("abc,cde->abde", (5, 2, 3), "tanh", "de"), layers.Flatten(), layers.Dense(3)],
        RANDOM.normal(size=(ROWS, 5, 4)),
        RANDOM.normal(size=(ROWS, 3)),
        "mse",
        lambda: optimizers.SGD(0.01),
    ),
    "tutorial": (
        [layers.Dense(3, "sigmoid"), layers.Dense(1, "sigmoid")],
        RANDOM.normal(size=(ROWS, 3)),
        Y[:, None] == 1,
        "mse",
        lambda: optimizers.SGD(0.5),
    ),
}


def made(name, tmp_path, **told):
    """A model, what it learns from, and what its file defines."""
    parts, x, y, loss, optimizer = NETWORKS[name]
    model = Sequential([layers.Input(x.shape[1:]), *(type(p).from_config(p.get_config()) for p in parts)], seed=1)
    model.compile(optimizer(), loss)
    model.export(tmp_path / "model.py", train=True, **told)
    space = {}
    exec((tmp_path / "model.py").read_text(encoding="utf-8"), space)
    return model, x.astype(np.float32), y.astype(np.float32), space


def trained(space, x, y, epochs):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        space["train"](x, y, epochs, BATCH)
    return said.getvalue().splitlines()


@pytest.mark.parametrize("name", NETWORKS)
def test_after_a_hundred_steps_the_weights_are_the_engine_s(name, tmp_path):
    model, x, y, space = made(name, tmp_path)
    epochs = 100 // (ROWS // BATCH)
    history = model.fit(x, y, BATCH, epochs, verbose=0, lanes=1)
    said = trained(space, x, y, epochs)
    assert float(said[-1].split()[-1]) == pytest.approx(history.history["loss"][-1], rel=1e-4)
    lasting = [b for l in training_of(model).lasting for b in (*l.parts, l.whole)]
    names = identifiers(lasting)
    for path, weight in model._compiled.weights.live():
        found = space[names[weight.buffer]]
        np.testing.assert_allclose(found, weight.array, rtol=1e-5, atol=2e-5, err_msg=path)
    np.testing.assert_allclose(space["predict"](x), model.predict(x, verbose=0), rtol=1e-4, atol=1e-4)


def test_a_learner_reads_a_dense_network_s_file(tmp_path):
    made("tutorial", tmp_path)
    text = (tmp_path / "model.py").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 120
    for formula, line in (("h1 = x·W1 + b1", "h1 = x @ W1 + b1"), ("dW1 = xᵀ·dh1", "dW1[...] = x.T @ dh1")):
        assert f"    # {formula}\n    {line}\n" in text
    assert "w -= learning_rate * dw" in text
    assert "import thalweg" not in text


PLAIN = {
    "categorical_crossentropy": (
        layers.Dense(3, "softmax"), np.eye(3)[Y], ["y_pred = softmax(h2)", "dh2 = (y_pred - y) / rows"]
    ),
    "sparse_categorical_crossentropy": (
        layers.Dense(3, "softmax"), Y,
        ["L = -(one_hot(y, 3) * log_softmax(h2)).sum() / rows", "dh2 = (softmax(h2) - one_hot(y, 3)) / rows"],
    ),
    "binary_crossentropy": (
        layers.Dense(1, "sigmoid"), Y[:, None] == 1,
        ["L = (np.logaddexp(0, h2) - h2 * y).sum() / rows", "dh2 = (sigmoid(h2) - y) / rows"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("loss", PLAIN)
def test_a_cross_entropy_reads_as_in_a_tutorial(loss, tmp_path):
    last, y, lines = PLAIN[loss]
    x = RANDOM.normal(size=(ROWS, 4)).astype(np.float32)
    parts = [layers.Dense(5, "relu"), type(last).from_config(last.get_config())]
    model = Sequential([layers.Input((4,)), *parts], seed=1)
    model.compile("adam", loss, metrics=["accuracy"] if loss.startswith("cat") else None)
    model.export(tmp_path / "model.py", train=True)
    text = (tmp_path / "model.py").read_text(encoding="utf-8")
    for line in (*lines, "dh1 = da1 * (a1 > 0)", "return L"):
        assert f"    {line}\n" in text
    space = {}
    exec(text, space)
    model.fit(x, y, BATCH, 20, verbose=0, lanes=1)
    trained(space, x, y, 20)
    np.testing.assert_allclose(space["predict"](x), model.predict(x, verbose=0), atol=1e-5)
    if loss.startswith("cat"):
        with pytest.raises(ValueError, match="a row of y has to be the probabilities of the classes, whose sum is 1"):
            space["train"](x, y + y, 1)


def test_the_loss_of_a_large_mistake_is_a_number(tmp_path):
    """A probability rounds to 0 there, and its logarithm would be infinite."""
    model = Sequential([layers.Input((2,)), layers.Dense(3, "softmax")], seed=1)
    model.compile("sgd", "categorical_crossentropy")
    model.export(tmp_path / "model.py", train=True)
    space = {}
    exec((tmp_path / "model.py").read_text(encoding="utf-8"), space)
    x = np.array([[500, -500]], np.float32)
    losses = [space["step"](x, np.eye(3, dtype=np.float32)[[k]], 1, 0.0) for k in range(3)]
    wanted = [model.evaluate(x, np.eye(3)[[k]], verbose=0) for k in range(3)]
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    assert max(losses) > 200


def test_another_seed_has_another_order(tmp_path):
    _, x, y, space = made("tutorial", tmp_path)
    trained(space, x, y, 1)
    first = space["w"].copy()
    space["SEED"] = 2
    exec((tmp_path / "model.py").read_text(encoding="utf-8").replace("SEED = 1 ", "SEED = 2 "), space)
    trained(space, x, y, 1)
    assert not np.array_equal(first, space["w"])


def test_an_export_goes_on_where_the_training_was(tmp_path):
    model, x, y, _ = made("dense", tmp_path)
    model.fit(x, y, BATCH, 2, verbose=0, lanes=1)
    model.export(tmp_path / "later.py", train=True)
    space = {}
    exec((tmp_path / "later.py").read_text(encoding="utf-8"), space)
    model.fit(x, y, BATCH, 1, verbose=0, lanes=1)
    trained(space, x, y, 1)
    np.testing.assert_allclose(space["predict"](x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (optimizers.Adam(0.01, gradient_accumulation_steps=2), "accumulates gradients"),
        (optimizers.Adam(0.01, use_ema=True), "leave use_ema out"),
        (optimizers.Adam(thalweg.schedules.ExponentialDecay(0.1, 10, 0.9)), "schedule"),
    ],
)
def test_what_no_file_can_do_is_said(optimizer, said, tmp_path):
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    with pytest.raises(ThalwegError, match=said):
        model.export(tmp_path / "model.py", train=True)
    assert not (tmp_path / "model.py").exists()
