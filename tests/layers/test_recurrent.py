"""Layers for sequences: what single ones do, and what they refuse. Their numbers: parity/test_keras_recurrent.py."""

import numpy as np
import pytest
from recurrent_layers import Leaky

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import GRU, LSTM, RNN, Bidirectional, Dense, LSTMCell, SimpleRNN, TimeDistributed
from thalweg.ops.loops import over_steps

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(4, 3, 2)).astype("f")
FLOAT64 = {"engine": "reference", "dtype": "float64"}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_lstm_is_the_equations_it_says():
    model = Sequential([Input((3, 2)), LSTM(2, return_sequences=True)], seed=1, **FLOAT64)
    W, R, b = model.get_weights()
    h = c = np.zeros((4, 2))
    wanted = []
    for x in X.astype(float).transpose(1, 0, 2):
        i, f, g, o = np.split(x @ W + h @ R + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        wanted.append(h)
    np.testing.assert_allclose(model.predict(X), np.stack(wanted, 1), rtol=1e-12)
    np.testing.assert_array_equal(b, [0, 0, 1, 1, 0, 0, 0, 0])  # the forget gate is open


@pytest.mark.parametrize("layer", [LSTM(2), GRU(2), SimpleRNN(2)])
def test_the_inputs_of_all_steps_are_one_product(layer):
    rows = [row for row in Sequential([Input((5, 2)), layer]).program("inference") if row.name == "affine"]
    assert rows[0].shape == (32, 5, layer.cell.gates * 2)
    assert rows[0].flops == 32 * 5 * (2 * 2 + 1) * layer.cell.gates * 2


def test_what_is_left_out_at_the_end_changes_nothing():
    """A row alone, without the steps that are left out, gives what it gives among others."""
    for layer in (SimpleRNN(2), LSTM(2), GRU(2), RNN(Leaky(2))):
        mask = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]])
        got = layer(X, mask=mask)
        for row, steps in enumerate((2, 3, 1)):
            np.testing.assert_allclose(got[row], layer(X[row : row + 1, :steps])[0], rtol=1e-5, atol=1e-6)
        assert not got[3].any()


def test_the_output_of_a_step_that_is_left_out():
    cell = RNN(Leaky(2), return_sequences=True)
    mask = np.array([[0, 1, 0]] * 4)
    y = cell(X, mask=mask)
    assert not y[:, 0].any()
    assert y[:, 1].all()
    assert np.array_equal(y[:, 2], y[:, 1])
    cell.zero_output_for_mask = True
    z = cell(X, mask=mask)
    assert np.array_equal(z[:, :2], y[:, :2])
    assert not z[:, 2].any()


def test_an_encoder_hands_its_states_to_a_decoder():
    source, target = Input((3, 2)), Input((2, 2))
    _, h, c = LSTM(2, return_state=True)(source)
    y = LSTM(2, return_sequences=True)(target, initial_state=[h, c])
    model = Model([source, target], y)
    model.compile("adam", "mse")
    goal = np.zeros((4, 2, 2))
    before = [np.array(w) for w in model.get_weights()]
    model.fit([X, X[:, :2]], goal, verbose=0)
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))
    assert model.predict([X, X[:, :2]]).shape == (4, 2, 2)


def test_states_go_on_where_they_stopped():
    """Two halves give what the whole gives."""
    layer = GRU(2, return_state=True, return_sequences=True)
    whole, last = layer(X)
    first, state = layer(X[:, :1])
    rest, end = layer(X[:, 1:], initial_state=[state])
    np.testing.assert_allclose(np.concatenate([first, rest], 1), whole, rtol=1e-5)
    np.testing.assert_allclose(end, last, rtol=1e-5)


def test_dropout_is_the_same_in_all_steps_of_a_row():
    """Of ones, through an identity: each number of a row is there in all steps or in none, in half of the rows."""
    cell = {"activation": None, "kernel_initializer": "identity", "recurrent_initializer": "zeros"}
    layer = SimpleRNN(3, dropout=0.5, return_sequences=True, seed=1, **cell)
    y = layer(np.ones((4000, 2, 3)), training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert np.array_equal(y[:, 0], y[:, 1])
    assert abs((y[:, 0] == 0).mean() - 0.5) < 0.02
    assert not np.array_equal(y[:, 0, 0], y[:, 0, 1])
    assert (layer(np.ones((9, 2, 3))) == 1).all()  # not in prediction


def test_recurrent_dropout_leaves_out_the_state():
    """h doubles in the second step, or is gone."""
    cell = {"activation": None, "kernel_initializer": "zeros", "recurrent_initializer": "identity"}
    layer = SimpleRNN(3, recurrent_dropout=0.75, seed=1, **cell)
    y = layer(np.zeros((4000, 2, 3)), initial_state=[np.ones((4000, 3))], training=True)
    assert set(np.unique(y)) == {0.0, 16.0}
    assert abs((y == 0).mean() - 0.75) < 0.02


@pytest.mark.parametrize(("options", "share"), [({}, 1 / 2), ({"implementation": 1}, 1 / 8)])
def test_gates_have_one_mask_or_one_each(options, share):
    """h = i·z·o, each of them 2 or 0."""
    options |= {"activation": None, "recurrent_activation": None, "use_bias": False, "kernel_initializer": "ones"}
    h = LSTM(1, dropout=0.5, seed=1, **options)(np.ones((8000, 1, 1)), training=True)
    assert set(np.unique(h)) == {0.0, 8.0}
    assert abs((h > 0).mean() - share) < 0.02


def test_units_and_weights_of_a_cell_of_one_s_own_are_saved(tmp_path):
    model = Sequential([Input((3, 2)), RNN([Leaky(2), LSTMCell(2)], name="both"), Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, np.ones((4, 1)), verbose=0)
    names = [name for name, _ in model.named_parameters()]
    assert names[:3] == [f"both/stacked_rnn_cells/{w}" for w in ("leaky/W", "leaky/w", "lstm_cell/kernel")]
    model.save(tmp_path / "own.safetensors")
    again = thalweg.load_model(tmp_path / "own.safetensors")
    assert np.array_equal(again.predict(X), model.predict(X))


def test_a_layer_derived_from_rnn_is_loaded_with_its_cell(tmp_path):
    class Twice(RNN):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            return 2 * super().call(sequences, initial_state, mask, training)

    model = Sequential([Input((3, 2)), Twice(LSTMCell(2))], engine="reference")
    model.build()
    model.save(tmp_path / "own.safetensors")
    again = thalweg.load_model(tmp_path / "own.safetensors", {"Twice": Twice})
    assert np.array_equal(again.predict(X), model.predict(X))


def test_both_ways_begin_with_the_given_weights():
    weights = [DRAW.normal(size=s).astype("f") for s in ((2, 3), (3, 3), (3,)) * 2]
    layer = Bidirectional(SimpleRNN(3), weights=weights)
    Sequential([Input((3, 2)), layer]).build()
    for got, want in zip(layer.get_weights(), weights, strict=True):
        assert np.array_equal(got, want)
    with pytest.raises(ShapeError, match="Bidirectional's weights are 6 arrays, got 1"):
        Sequential([Input((3, 2)), Bidirectional(SimpleRNN(3), weights=weights[:1])]).build()


def test_both_ways_penalize_their_outputs():
    def loss(penalty):
        one = SimpleRNN(2, activity_regularizer=penalty)
        model = Sequential([Input((3, 2)), Bidirectional(one, "sum")], seed=1, **FLOAT64)
        model.compile("sgd", "mse")
        return model.evaluate(X, np.zeros((4, 2)), verbose=0), model

    plain, _ = loss(None)
    more, model = loss(thalweg.regularizers.L2(0.5))
    both = model.layers[0]
    wanted = sum(np.square(layer(X)).sum() for layer in (both.forward_layer, both.backward_layer)) * 0.5 / 4
    assert more - plain == pytest.approx(wanted, rel=1e-5)


def test_every_step_takes_a_model():
    inner = Sequential([Input((2,)), Dense(3, "tanh"), Dense(2)])
    model = Sequential([Input((3, 2)), TimeDistributed(inner)])
    np.testing.assert_allclose(
        model.predict(X), np.stack([inner.predict(X[:, k]) for k in range(3)], 1), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LSTM(2, use_cudnn=True), "LSTM runs on CPUs: use_cudnn is 'auto' or False, got True"),
        (lambda: LSTM(2, implementation=3), "LSTM's implementation is 1, .*, got 3"),
        (lambda: GRU(2, "softmax"), "GRU's activation works element by element, .* got softmax"),
        (lambda: GRU(0), "GRU's units has to be a whole number of at least 1, got 0"),
        (lambda: RNN(Dense(2)), "RNN takes a cell, a layer with state_size and call"),
        (lambda: RNN([]), "StackedRNNCells takes a list of cells, got"),
        (lambda: Bidirectional(Dense(2)), "Bidirectional takes a recurrent layer"),
        (lambda: Bidirectional(GRU(2), "max"), "unknown Bidirectional's merge_mode 'max'"),
        (lambda: Bidirectional(GRU(2, go_backwards=True)), "layer goes forwards and backward_layer backwards"),
        (
            lambda: Bidirectional(GRU(2), backward_layer=GRU(2, go_backwards=True, return_sequences=True)),
            "layer and backward_layer differ in return_sequences",
        ),
        (lambda: TimeDistributed(3), "TimeDistributed's layer is a layer, got 3"),
        (lambda: LSTM(2)(X, initial_state=[X[:, 0]]), "initial_state is a list of its 2 states, got 1"),
    ],
)
def test_it_says_what_is_wrong(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


@pytest.mark.parametrize("layer", [LSTM(2), TimeDistributed(Dense(2))])
def test_it_takes_sequences(layer):
    with pytest.raises(ShapeError, match=r"takes sequences \(rows, steps, "):
        Sequential([Input((3,)), layer]).build()


class Around(layers.Layer):
    """A loop that begins with its input, and closes over it."""

    def call(self, x):
        def step(inputs, states):
            h = states[0] * x + inputs[0]
            return h, (h,)

        return over_steps(step, (x,), (ops.stack([x, 2 * x, x], 1),), all_outputs=False)[0]


@pytest.mark.parametrize("layer", [lambda: SimpleRNN(2), lambda: GRU(2, go_backwards=True), lambda: Around()])
@pytest.mark.parametrize("rows", [1, 4])
def test_a_loop_reads_and_writes_the_caller_s_arrays(layer, rows):
    """A prediction computes with the caller's arrays, without copies."""
    x = X[:rows] if layer().__class__ is not Around else X[:rows, 0]
    native, other = (Sequential([Input(x.shape[1:]), layer()], seed=1, **options) for options in ({}, FLOAT64))
    native.build()
    other.build()
    np.testing.assert_allclose(native.predict(x), other.predict(x), rtol=1e-5, atol=1e-6)


def test_a_chain_hands_on_one_tensor():
    for behind in ([], [Dense(1)]):
        with pytest.raises(ShapeError, match="it returns 3 tensors, and a chain hands on one: call layers on tensors"):
            Sequential([Input((3, 2)), LSTM(2, return_state=True), *behind]).build()


def test_names_are_keras_s():
    model = Sequential([Input((3, 2)), Bidirectional(LSTM(2))])
    assert [w.path for w in model.weights][:3] == [
        f"bidirectional/forward_lstm/lstm_cell/{name}" for name in ("kernel", "recurrent_kernel", "bias")
    ]
    assert layers.RNN(LSTMCell(2)).cell.state_size == [2, 2]
    assert ops.shape(layers.GRUCell(3).get_initial_state(5)[0]) == (5, 3)
