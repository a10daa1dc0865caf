"""ConvLSTM gives Keras's numbers, and learns what Keras's learn in a step, for every argument."""

import numpy as np
import pytest

import thalweg
from thalweg.errors import ArgumentError, ShapeError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own, of NumPy 2
DRAW = np.random.default_rng(0)
SHAPES = {1: (3, 6, 2), 2: (3, 5, 6, 2), 3: (2, 4, 3, 4, 1)}
CASES = [
    (1, {"kernel_size": 3}),
    (1, {"kernel_size": 2, "strides": 2, "padding": "same", "return_sequences": True}),
    (1, {"kernel_size": 2, "dilation_rate": 2, "go_backwards": True}),
    (2, {"kernel_size": (3, 2), "padding": "same"}),
    (2, {"kernel_size": 2, "strides": (2, 1), "return_sequences": True, "go_backwards": True}),
    (2, {"kernel_size": 2, "dilation_rate": (2, 1), "activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    (2, {"kernel_size": 2, "padding": "same", "dilation_rate": 2, "use_bias": False}),
    (2, {"kernel_size": 2, "kernel_regularizer": "l2", "recurrent_regularizer": "l1", "bias_constraint": "non_neg"}),
    (3, {"kernel_size": 2, "unit_forget_bias": False, "bias_initializer": "ones"}),
    (3, {"kernel_size": (1, 2, 2), "strides": 2, "padding": "same", "return_sequences": True}),
]


def network(lib, rank, options, **more):
    x = lib.Input(SHAPES[rank])
    y = getattr(lib.layers, f"ConvLSTM{rank}D")(2, **options)(x)
    return lib.Model(x, lib.layers.Dense(1)(lib.layers.Flatten()(y)), **more)


def pair(keras, *arguments):
    """The models of both libraries with the same weights."""
    theirs, ours = network(keras, *arguments), network(thalweg, *arguments, engine="reference", dtype="float64")
    weights = [DRAW.normal(0, 0.5, w.shape).astype("f") for w in theirs.get_weights()]
    theirs.set_weights(weights), ours.set_weights(weights)
    return theirs, ours


def agree(theirs, ours, inputs):
    """They predict the same, and have the same weights after a step."""
    np.testing.assert_allclose(ours.predict(inputs), theirs.predict(inputs, verbose=0), rtol=1e-4, atol=1e-5)
    y = np.arange(4.0, dtype="f")[:, None]
    for model, options in ((theirs, {"jit_compile": False}), (ours, {})):
        model.compile("sgd", "mse", **options)
        model.train_on_batch(inputs, y)
    for path, a, b in zip([w.path for w in ours.weights], ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=path)


@pytest.mark.parametrize(("rank", "options"), CASES, ids=[f"{rank}D {options}" for rank, options in CASES])
def test_it_is_keras_s(keras, rank, options):
    agree(*pair(keras, rank, options), DRAW.normal(size=(4, *SHAPES[rank])).astype("f"))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_step_that_is_left_out_is_as_if_it_were_not_there(backwards):
    """Keras on JAX raises with a mask."""
    x = DRAW.normal(size=(4, *SHAPES[2])).astype("f")
    layer = thalweg.layers.ConvLSTM2D(2, 2, go_backwards=backwards)
    for counts in ([1, 0, 1], [0, 1, 1]):
        whole = layer(x, mask=np.array([counts] * 4, bool))
        np.testing.assert_allclose(whole, layer(x[:, np.flatnonzero(counts)]), atol=1e-6)
    assert np.abs(np.asarray(layer(x)) - np.asarray(whole)).max() > 1e-3


def test_states_go_in_and_out(keras):
    """Half of a sequence, and the other half from the states on."""
    x = DRAW.normal(size=(4, 4, 5, 5, 1)).astype("f")
    found = []
    for lib in (keras, thalweg):
        layer = lib.layers.ConvLSTM2D(2, 3, padding="same", return_state=True, return_sequences=True)
        layer(x)
        draw = np.random.default_rng(1)
        layer.set_weights([draw.normal(0, 0.5, w.shape) for w in layer.get_weights()])
        _, *states = layer(x[:, :2])
        found.append([np.asarray(v) for v in layer(x[:, 2:], initial_state=states)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_dropout_leaves_out_a_share_by_each_gate():
    """In training, on average over masks, the linear part of a gate is as without; in prediction nothing drops."""
    x = np.ones((400, 1, 3, 3, 1), "f")
    layer = thalweg.layers.ConvLSTM2D(
        1, 1, activation=None, recurrent_activation=None, dropout=0.5, kernel_initializer="ones", use_bias=False
    )
    model = thalweg.Sequential([thalweg.Input(x.shape[1:]), layer], seed=2)
    assert np.all(model.predict(x) == 1.0)
    dropped = np.asarray(layer(x, training=True))
    assert set(np.round(dropped, 3).ravel()) == {0.0, 8.0}  # i·z·o, each of which is 0 or 2
    assert abs(dropped.mean() - 1) < 0.3


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (lambda n: n.ConvLSTM2D(2, 3, 2, dilation_rate=2), ArgumentError, "can't combine strides > 1"),
        (lambda n: n.ConvLSTM2D(2, 3).build((None, 5, 8, 1)), ShapeError, r"\(rows, steps, height, width, channels\)"),
        (lambda n: n.ConvLSTM1D(2, 9).build((None, 5, 8, 1)), ShapeError, "ConvLSTM1D's window spans"),
        (lambda n: n.ConvLSTM3D(2, 3).build((None, 5, 2, 4, 4, 1)), ShapeError, "ConvLSTM3D's window spans"),
        (lambda n: n.ConvLSTM2D(2, 3, activation="softmax"), ArgumentError, "works element by element"),
    ],
)
def test_what_cannot_be_is_told(wrong, error, told):
    with pytest.raises(error, match=told):
        wrong(thalweg.layers)
