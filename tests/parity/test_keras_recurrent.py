"""Recurrent layers give Keras's numbers, and learn what Keras's learn in a step, for every argument."""

import numpy as np
import pytest

import thalweg
from thalweg import layers

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras's own, of NumPy 2
    pytest.mark.filterwarnings("ignore:.*destroy the mask"),  # its Flatten's, and ours
    pytest.mark.filterwarnings("ignore:the mask of its input ends"),
]
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(5, 4, 3)).astype("f")
MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
STATES = DRAW.normal(size=(4, 5, 3)).astype("f")


def user_cell(library):
    """A cell as Keras's documentation has it."""

    class Minimal(library.layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel_of = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
            self.built = True

        def call(self, inputs, states):
            matmul = library.ops.matmul
            h = library.ops.tanh(matmul(inputs, self.kernel_of) + matmul(states[0], self.recurrent))
            return 2 * h, [h]

    return Minimal


KINDS = {
    "SimpleRNN": ({}, {"activation": "relu", "use_bias": False}),
    "LSTM": (
        {},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid", "use_bias": False},
        {"unit_forget_bias": False, "bias_initializer": "ones", "implementation": 1},
    ),
    "GRU": (
        {},
        {"reset_after": False},
        {"activation": "softsign", "recurrent_activation": "tanh", "use_bias": False},
        {"reset_after": False, "use_bias": False, "implementation": 1},
    ),
}
PENALTIES = {
    "kernel_regularizer": "l2", "recurrent_regularizer": "l1", "bias_regularizer": "l2",
    "kernel_constraint": "non_neg", "recurrent_constraint": "max_norm", "bias_constraint": "non_neg",
}  # fmt: skip
WAYS = (
    {"return_sequences": True}, {"go_backwards": True}, {"return_sequences": True, "go_backwards": True},
    {"unroll": True}, {"return_sequences": True, "zero_output_for_mask": True},
)  # fmt: skip
LAYERS = {f"{kind} {options}": (kind, options) for kind, rows in KINDS.items() for options in rows}
LAYERS |= {f"{kind} {options}": (kind, options) for kind in KINDS for options in (*WAYS, PENALTIES)}
CELLS = {
    "own cell": lambda lib: lib.layers.RNN(user_cell(lib)(3)),
    "own cell, all steps backwards": lambda lib: lib.layers.RNN(user_cell(lib)(3), True, go_backwards=True),
    "LSTMCell": lambda lib: lib.layers.RNN(lib.layers.LSTMCell(3, recurrent_activation="tanh")),
    "GRUCell": lambda lib: lib.layers.RNN(lib.layers.GRUCell(3, reset_after=False), return_sequences=True),
    "SimpleRNNCell": lambda lib: lib.layers.RNN(lib.layers.SimpleRNNCell(3), go_backwards=True),
    "stacked": lambda lib: lib.layers.RNN(
        [lib.layers.LSTMCell(4), user_cell(lib)(2), lib.layers.GRUCell(3)], return_sequences=True, go_backwards=True
    ),
    "stacked, zeros": lambda lib: lib.layers.RNN(
        lib.layers.StackedRNNCells([lib.layers.LSTMCell(4), lib.layers.SimpleRNNCell(3)]), True,
        zero_output_for_mask=True,
    ),
    **{
        f"both ways, {mode}, {steps}": lambda lib, mode=mode, steps=steps: lib.layers.Bidirectional(
            lib.layers.LSTM(3, return_sequences=steps), merge_mode=mode
        )
        for mode in ("concat", "sum", "mul", "ave") for steps in (False, True)
    },
    "both ways, another layer": lambda lib: lib.layers.Bidirectional(
        lib.layers.GRU(3), backward_layer=lib.layers.SimpleRNN(3, go_backwards=True)
    ),
    "both ways, own cell": lambda lib: lib.layers.Bidirectional(lib.layers.RNN(lib.layers.LSTMCell(2))),
    "every step": lambda lib: lib.layers.TimeDistributed(lib.layers.Dense(4, "tanh")),
    "every step, a layer of one vector": lambda lib: lib.layers.TimeDistributed(
        lib.layers.Reshape((3, 1))
    ),
}  # fmt: skip
MAKERS = CELLS | {
    name: lambda lib, kind=kind, options=options: getattr(lib.layers, kind)(3, **options)
    for name, (kind, options) in LAYERS.items()
}


def network(lib, make, masked=False, **options):
    """A model of the layer with one output a row, or with a mask as its second input."""
    x, mask = lib.Input((4, 3)), lib.Input((4,), dtype="bool")
    y = make(lib)(x, mask=mask) if masked else make(lib)(x)
    y = lib.layers.Dense(1)(lib.layers.Flatten()(y))
    return lib.Model([x, mask] if masked else x, y, **options)


def pair(keras, build):
    """The models of both libraries with the same weights."""
    theirs, ours = build(keras), build(thalweg, engine="reference", dtype="float64")
    weights = [DRAW.normal(0, 0.5, w.shape).astype("f") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return theirs, ours


def agree(theirs, ours, inputs):
    """They predict the same, and have the same weights after a step."""
    np.testing.assert_allclose(ours.predict(inputs), theirs.predict(inputs, verbose=0), rtol=1e-4, atol=1e-5)
    y = np.arange(5.0, dtype="f")[:, None]
    for model, options in ((theirs, {"jit_compile": False}), (ours, {})):
        model.compile("sgd", "mse", **options)
        model.train_on_batch(inputs, y)
    for path, a, b in zip([w.path for w in ours.weights], ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_it_is_keras_s(make, keras):
    theirs, ours = pair(keras, lambda lib, **options: network(lib, make, **options))
    agree(theirs, ours, X)


NO_MASK = (
    "every step",
    "own cell",  # of a step that is left out Keras on JAX returns the state, not the output before
)  # fmt: skip
MASKED = [n for n in MAKERS if not n.startswith(NO_MASK) and "unroll" not in n and "regularizer" not in n]


@pytest.mark.parametrize("name", MASKED)
def test_with_a_mask_it_is_keras_s(name, keras):
    theirs, ours = pair(keras, lambda lib, **options: network(lib, MAKERS[name], True, **options))
    agree(theirs, ours, [X, MASK])


@pytest.mark.parametrize("make", [
    lambda lib: lib.layers.LSTM(3, return_state=True, return_sequences=True),
    lambda lib: lib.layers.GRU(3, return_state=True, go_backwards=True),
    lambda lib: lib.layers.SimpleRNN(3, return_state=True),
    lambda lib: lib.layers.Bidirectional(lib.layers.LSTM(3, return_state=True), merge_mode=None),
    lambda lib: lib.layers.Bidirectional(lib.layers.GRU(3, return_state=True), merge_mode="sum"),
])  # fmt: skip
def test_states_go_in_and_come_out_as_keras_s(make, keras):
    theirs, ours = make(keras), make(thalweg)
    count = sum(2 if "LSTM" in type(w).__name__ else 1 for w in (
        [ours.layer, ours.backward_layer] if isinstance(ours, layers.Bidirectional) else [ours]))  # fmt: skip
    states = list(STATES[:count])
    theirs(X)
    ours(X)
    weights = [DRAW.normal(0, 0.5, w.shape).astype("f") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    mask = MASK.copy()
    mask[:, 0] = True  # a first step that is left out: see docs/keras-differences.md
    mask[:, -1] = True
    for options in ({}, {"mask": mask}):
        got, want = ours(X, initial_state=states, **options), theirs(X, initial_state=states, **options)
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_begin_alike(kind, keras):
    """Shapes, and what isn't drawn: biases; an orthogonal recurrent kernel."""
    theirs, ours = getattr(keras.layers, kind)(3), getattr(layers, kind)(3)
    theirs.build((None, 4, 5))
    thalweg.Sequential([thalweg.Input((4, 5)), ours]).build()
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert (a.path.split("/")[-1], a.shape) == (b.name, b.shape)
    np.testing.assert_array_equal(ours.cell.bias.numpy(), np.asarray(theirs.cell.bias))
    R = ours.cell.recurrent_kernel.numpy()
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-6)


def test_lstm_and_gru_are_pytorch_s():
    torch = pytest.importorskip("torch")
    for kind, gates, order in (("LSTM", 4, [0, 1, 2, 3]), ("GRU", 3, [1, 0, 2])):
        theirs, ours = getattr(torch.nn, kind)(3, 2, batch_first=True), getattr(layers, kind)(2, return_sequences=True)
        x = X[:, :, :3]
        ours(x)
        with torch.no_grad():
            W, R, b, d = (p.numpy().reshape(gates, 2, -1)[order].reshape(gates * 2, -1) for p in theirs.parameters())
            bias = b[:, 0] + d[:, 0] if kind == "LSTM" else np.stack([b[:, 0], d[:, 0]])
            ours.set_weights([W.T, R.T, bias])
            np.testing.assert_allclose(ours(x), theirs(torch.tensor(x))[0].numpy(), rtol=1e-4, atol=1e-5)


STACKS = {
    "two layers": lambda lib: [lib.layers.LSTM(3, return_sequences=True), lib.layers.GRU(2)],
    "both ways": lambda lib: [lib.layers.Bidirectional(lib.layers.LSTM(2, return_sequences=True)), lib.layers.GRU(2)],
    "every step": lambda lib: [
        lib.layers.SimpleRNN(3, return_sequences=True), lib.layers.TimeDistributed(lib.layers.Dense(2)),
        lib.layers.SimpleRNN(2),
    ],
    "an output for each step": lambda lib: [lib.layers.LSTM(3, return_sequences=True)],
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_a_mask_goes_on_as_keras_s(name, keras):
    """Behind a Masking layer: what is left out counts neither in the layers above nor in the loss."""
    x = np.where(MASK[:, :, None], X, 0)

    def build(lib, **options):
        stack = [lib.Input((4, 3)), lib.layers.Masking(), *STACKS[name](lib), lib.layers.Dense(1)]
        return lib.Sequential(stack, **options)

    theirs, ours = pair(keras, build)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    shape = (5, 4, 1) if name.startswith("an output") else (5, 1)
    for model, options in ((theirs, {"jit_compile": False}), (ours, {})):
        model.compile("sgd", "mse", **options)
        model.train_on_batch(x, np.ones(shape, "f"))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
