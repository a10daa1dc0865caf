"""stateful=True: row i of a batch begins with what row i of the last one has left, in whatever runs the batches."""

import copy
from dataclasses import replace

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.callbacks import LambdaCallback
from thalweg.engine.handed_on import check
from thalweg.errors import ArgumentError, DivergedError, ShapeError, ThalwegError
from thalweg.layers import GRU, LSTM, RNN, Bidirectional, Dense, GRUCell, LSTMCell, SimpleRNN, StackedRNNCells
from thalweg.models.bursts import Bursts
from thalweg.support.nested import leaves, mapped
from thalweg.views.insides.forward_pass import passed

DRAW = np.random.default_rng(0)
BATCH = 4
X = DRAW.normal(size=(12, 5, 3)).astype("f")
Y = DRAW.normal(size=(12, 1)).astype("f")


class Leaky(layers.Layer):
    """A cell that begins with ones."""

    state_size = 2

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 2), name="w")

    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, 2))]

    def call(self, inputs, states):
        h = 0.5 * states[0] + ops.matmul(inputs, self.w)
        return h, [h]


KINDS = {
    "SimpleRNN": lambda **k: SimpleRNN(3, **k),
    "LSTM": lambda **k: LSTM(3, dropout=0.0, **k),
    "LSTM, unrolled": lambda **k: LSTM(3, unroll=True, **k),
    "GRU, backwards": lambda **k: GRU(3, go_backwards=True, **k),
    "a cell of one's own": lambda **k: RNN(Leaky(), **k),
    "cells": lambda **k: RNN(StackedRNNCells([LSTMCell(3), GRUCell(2)]), **k),
}
SHAPED = {
    "Bidirectional": lambda: [Bidirectional(LSTM(2, stateful=True))],
    "ConvLSTM1D": lambda: [layers.Reshape((5, 3, 1)), layers.ConvLSTM1D(2, 2, stateful=True), layers.Flatten()],
    "ConvLSTM2D": lambda: [layers.Reshape((5, 3, 1, 1)), layers.ConvLSTM2D(2, 1, stateful=True), layers.Flatten()],
    "ConvLSTM3D": lambda: [layers.Reshape((5, 3, 1, 1, 1)), layers.ConvLSTM3D(2, 1, stateful=True), layers.Flatten()],
    "two": lambda: [LSTM(3, stateful=True, return_sequences=True), GRU(2, stateful=True)],
}


def network(*inner, engine="native", **options):
    model = Sequential([Input(batch_shape=(BATCH, 5, 3)), *inner, Dense(1)], seed=1, engine=engine, **options)
    model.compile("sgd", "mse")
    return model


def numbers(model, lanes=None):
    """What a model answers and learns: all that goes from batch to batch."""
    found = [model.predict(X, lanes=lanes), model.predict(X, lanes=lanes)]
    found.append(model.fit(X, Y, epochs=3, shuffle=False, validation_data=(X[:4], Y[:4]), verbose=0, lanes=lanes))
    found[-1] = [*found[-1].history["loss"], *found[-1].history["val_loss"]]
    found += [model.evaluate(X, Y, verbose=0, lanes=lanes), model.train_on_batch(X[:4], Y[:4]), model(X[:4])]
    return [*map(np.asarray, found), *model.get_weights()]


def close(a, b, digits=1e-5):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=digits, atol=digits)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_same_as_states_that_are_given(kind):
    """A model whose states are inputs and outputs, fed by hand: then nothing flows back into the batch before."""
    layer = KINDS[kind](stateful=True, name="cell")
    model = network(layer, engine="reference", dtype="float64")
    model.compile("sgd", "mse")
    plain = KINDS[kind](return_state=True, name="cell")
    shapes = [s[1:] for s in map(np.shape, leaves(layer_states(kind)))]
    x, given = Input((5, 3)), [Input(s) for s in shapes]
    y, *states = plain(x, initial_state=nested(kind, given))
    fed = Model([x, *given], [Dense(1, name="y")(y), *leaves(states)], engine="reference", dtype="float64")
    fed.compile("sgd", ["mse", *[None] * len(given)])
    fed.set_weights(model.get_weights())
    kept = [np.array(v) for v in leaves(layer_states(kind))]
    losses = []
    for _ in range(2):
        before = []
        for k in range(0, 12, BATCH):
            rows = slice(k, k + BATCH)
            after = fed.predict([X[rows], *kept])[1:]
            before.append(
                fed.train_on_batch([X[rows], *kept], [Y[rows], *[None] * len(given)], return_dict=True)["loss"]
            )
            kept = list(after)
        losses.append(np.mean(before))
    close(model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"], losses, 1e-9)
    for a, b in zip(model.get_weights(), fed.get_weights(), strict=True):
        close(a, b, 1e-9)
    for a, b in zip(leaves(layer.states), kept, strict=True):
        close(a, b, 1e-9)


def layer_states(kind):
    """The first states of a kind of layer, as it returns them."""
    layer = KINDS[kind]()
    layer(X[:4])
    return layer.get_initial_state(4)


def nested(kind, given):
    """Inputs in the structure of a layer's states."""
    queue = iter(given)
    return mapped(layer_states(kind), lambda _: next(queue))


@pytest.mark.parametrize("make", [*SHAPED.values(), lambda: [KINDS["cells"](stateful=True)]], ids=[*SHAPED, "cells"])
def test_engines_agree(make):
    for a, b in zip(numbers(network(*make())), numbers(network(*make(), engine="reference")), strict=True):
        close(a, b)


def test_lanes_hand_on_the_states_of_their_own_rows():
    one, two = (numbers(network(*SHAPED["two"]()), lanes) for lanes in (1, 2))
    for a, b in zip(one, two, strict=True):
        close(a, b)


def test_jax_hands_them_on():
    """Each step by itself, as its steps don't see what those before them have stored."""
    pytest.importorskip("jax")
    found = []
    for engine in ("jax", "native"):
        model = Sequential([Input(batch_shape=(4, 2, 3)), SimpleRNN(1, None, stateful=True)], seed=1, engine=engine)
        model.compile("sgd", "mse")
        found.append(model.fit(X[:, :2], Y, epochs=2, shuffle=False, verbose=0).history["loss"])
    close(*found)


def test_long_epochs_go_on_through_all_stretches():
    """40 batches of a row, which an executor runs in stretches; of a sum, the last is that of all steps."""
    layer = SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones", stateful=True)
    model = Sequential([Input(batch_shape=(1, 2, 1)), layer])
    x = np.arange(80.0).reshape(40, 2, 1)
    close(model.predict(x)[:, 0], np.cumsum(x.sum(axis=(1, 2))))
    close(layer.states[0], [[x.sum()]])
    layer.states[0][:] = 1
    close(model.predict(x[:1]), [[2.0]])
    model.compile("sgd", "mse")
    assert model.evaluate(x[:1], [[3.0]], verbose=0) == 0


def test_it_begins_anew_where_a_callback_says_so():
    """Also in the middle of an epoch; three epochs of one batch without that go on."""
    makes = [LambdaCallback(on_epoch_begin=lambda epoch, logs: model.reset_states())], []
    found = []
    for callbacks in makes:
        model = network(LSTM(3, stateful=True))
        model.optimizer.learning_rate = 0.0
        found.append(model.fit(X, Y, epochs=3, shuffle=False, verbose=0, callbacks=callbacks).history["loss"])
    close(found[0], [found[0][0]] * 3)
    assert found[1][0] == found[0][0]
    assert len(set(found[1])) == 3
    model.reset_states()
    by_batch = [LambdaCallback(on_train_batch_begin=lambda batch, logs: model.layers[0].reset_state())]
    each = model.fit(X, Y, epochs=1, shuffle=False, verbose=0, callbacks=by_batch).history["loss"]
    model.reset_states()
    plain = Sequential([Input((5, 3)), LSTM(3), Dense(1)])
    plain.compile("sgd", "mse")
    plain.set_weights(model.get_weights())
    close(each, [plain.evaluate(X, Y, verbose=0)])


def test_given_states_win_and_what_they_lead_to_is_kept():
    layer, plain = GRU(2, stateful=True), GRU(2, return_state=True)
    layer(X[:2])
    plain(X[:2])
    plain.set_weights(layer.get_weights())
    start = np.ones((2, 2), "f")
    first, state = plain(X[:2], initial_state=[start])
    close(layer(X[:2], initial_state=[start]), first)
    close(layer(X[2:4]), plain(X[2:4], initial_state=[state])[0])


def test_a_layer_that_is_called_twice_goes_on_within_the_batch():
    layer = SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones", stateful=True)
    a, b = Input(batch_shape=(2, 1, 1)), Input(batch_shape=(2, 1, 1))
    model = Model([a, b], [layer(a), layer(b)])
    ones = np.ones((2, 1, 1))
    assert [y.tolist() for y in model.predict([ones, 10 * ones])] == [[[1.0]] * 2, [[11.0]] * 2]
    assert model.predict([ones, ones])[1].tolist() == [[13.0]] * 2


def test_text_is_continued_letter_by_letter():
    """A network of any length: many steps at once leave the states that they leave one by one."""

    def made(rows):
        inner = LSTM(4, stateful=True, return_sequences=True)
        return Sequential([Input(batch_shape=(rows, None, 3)), inner, Dense(2)])

    at_once, by_step = made(2), made(2)
    by_step.set_weights(at_once.get_weights())
    want = at_once.predict(X[:2])
    got = [by_step.predict(X[:2, k : k + 1]) for k in range(5)]
    close(np.concatenate(got, 1), want)
    one = made(1)  # Keras's way: the weights of the training for batches of one row
    one.set_weights(at_once.get_weights())
    close(np.concatenate([one.predict(X[:1, k : k + 1]) for k in range(5)], 1), want[:1])
    with pytest.raises(ShapeError, match=r"rows of x have different lengths.* hands on states"):
        at_once.predict([X[0], X[1, :2]])
    at_once.compile("sgd", "mse")
    at_once.fit(X, X[..., :2], shuffle=False, verbose=0)


def test_batches_of_a_generator_follow_each_other():
    def batches():
        while True:
            yield from ((X[k : k + 4], Y[k : k + 4]) for k in range(0, 12, 4))

    streamed, whole = network(LSTM(3, stateful=True)), network(LSTM(3, stateful=True))
    a = streamed.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]
    b = whole.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    close(a, b)
    listed = network(LSTM(3, stateful=True)).fit(Batches(), epochs=2, shuffle=False, verbose=0)
    close(listed.history["loss"], b)
    close(streamed.predict((x for x, _ in batches()), steps=3), whole.predict(X))


def test_a_step_that_diverges_leaves_the_states_before_it():
    """It is the second of a chunk, whose first is repeated; and one whose loss is finite, but not its weights."""
    wrong = Y.copy()
    wrong[9] = np.inf
    model, until = network(SimpleRNN(3, "relu", stateful=True)), network(SimpleRNN(3, "relu", stateful=True))
    with pytest.raises(DivergedError, match="batch 3 of 3"):
        model.fit(X, wrong, shuffle=False, verbose=0)
    until.fit(X[:8], Y[:8], shuffle=False, verbose=0)
    np.testing.assert_array_equal(model.layers[0].states[0], until.layers[0].states[0])
    np.testing.assert_array_equal(model.get_weights()[0], until.get_weights()[0])
    model.optimizer.learning_rate = 1e38
    with pytest.raises(DivergedError):
        model.train_on_batch(X[8:], 100 * Y[8:])
    np.testing.assert_array_equal(model.layers[0].states[0], until.layers[0].states[0])


def test_looking_at_a_step_changes_nothing():
    model = network(GRU(2, stateful=True))
    model.predict(X)
    kept = model.layers[0].states[0].copy()
    model.trace(X[:4], Y[:4], gradient_check=True)
    passed(model, X[:2])  # the pictures of a page, of any rows: as if no batch had been before
    np.testing.assert_array_equal(model.layers[0].states[0], kept)
    assert "S1′[order]" in str(model.program())


def test_files_and_copies(tmp_path):
    model = network(LSTM(3, stateful=True))
    model.predict(X)
    twin = copy.deepcopy(model)
    close(twin.predict(X), model.predict(X))
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors")
    assert again.layers[0].states is None  # as in Keras, they aren't saved
    model.reset_states()
    close(again.predict(X), model.predict(X))
    drawn = Model(x := Input((5, 3), batch_size=4), GRU(2, stateful=True)(x))
    assert thalweg.models.clone_model(drawn).predict(X).shape == (12, 2)
    old = Sequential([LSTM(3, batch_input_shape=(4, 5, 3), stateful=True)])  # as programs for Keras 2 have it
    assert old.predict(X).shape == (12, 3)


class Own(Model):
    def __init__(self):
        super().__init__(seed=1)
        self.cell, self.dense = LSTM(3, stateful=True), Dense(1)

    def call(self, x):
        return self.dense(self.cell(x))


def test_a_model_of_one_s_own_learns_the_rows_from_its_first_batch():
    model, drawn = Own(), network(LSTM(3, stateful=True))
    model.compile("sgd", "mse")
    evaluated = model.evaluate(X, Y, batch_size=4, verbose=0)
    drawn.set_weights(model.get_weights())
    close(evaluated, drawn.evaluate(X, Y, verbose=0))
    close(model.predict(X), drawn.predict(X))
    with pytest.raises(ShapeError, match="the states of 4 rows"):
        model.fit(X, Y, batch_size=3, shuffle=False, verbose=0)
    again = Own()
    assert again.predict(X[:5]).shape == (5, 1)
    assert again.cell.states[0].shape == (5, 3)


class Batches(thalweg.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return X[rows], Y[rows]


class Stepping(Model):
    def train_step(self, data):
        x, y = data
        loss = ops.mean(ops.square(self(x, training=True) - y))
        self.minimize(loss)
        return {"loss": loss}


def stepping():
    x = Input(batch_shape=(4, 5, 3))
    model = Stepping(x, Dense(1)(LSTM(2, stateful=True)(x)))
    model.compile("sgd")
    return model


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (lambda m: Sequential([Input((5, 3)), LSTM(2, stateful=True)]).predict(X), ShapeError,
         r"LSTM 'lstm' with stateful=True keeps states .*Input\(batch_shape=\(32, …\)\)"),
        (lambda m: Model(x := Input((5, 3)), GRU(2, stateful=True)(x)), ShapeError, "has to know their number"),
        (lambda m: m.predict(X, batch_size=3), ShapeError, "the states of 4 rows .*, so that every batch .* got 3"),
        (lambda m: m.predict(X[:10]), ShapeError, "10 rows are not a number of whole batches"),
        (lambda m: m.fit(X[:10], Y[:10], shuffle=False, verbose=0), ShapeError, "10 rows are not"),
        (lambda m: m.evaluate(X[:3], Y[:3], verbose=0), ShapeError, "got 3|3 rows are not"),
        (lambda m: m.train_on_batch(X[:3], Y[:3]), ShapeError, "got 3"),
        (lambda m: m.fit(X, Y, verbose=0), ArgumentError, "give shuffle=False"),
        (lambda m: m.fit(X, Y, shuffle=False, record=True, verbose=0), ThalwegError, "a recording needs batches"),
        (lambda m: m.export("m.onnx"), ThalwegError, "hands on states from batch to batch, which no export does"),
        (lambda m: Bursts(m, X, Y, 4), ThalwegError, "Bursts needs batches"),
        (lambda m: [m.build(), Model(x := Input(batch_shape=(3, 5, 3)), m.layers[0](x))], ShapeError,
         "keeps the states of 4 rows, and gets batches of 3"),
        (lambda m: m.fit(Batches(), verbose=0), ArgumentError, "give shuffle=False"),
        (lambda m: stepping().fit(X, Y, batch_size=4, shuffle=False, verbose=0), ThalwegError, "a step of one's own"),
        (lambda m: Bidirectional(LSTM(2, stateful=True), backward_layer=LSTM(2, go_backwards=True)), ArgumentError,
         "differ in stateful"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(wrong, error, told):
    with pytest.raises(error, match=told):
        wrong(network(LSTM(2, stateful=True)))


def test_ranks_are_told_that_they_cannot():
    model = network(LSTM(2, stateful=True))
    job = model._compiled.job("training", model._compiled.data(X[:4], Y[:4]), 4)
    check(job)
    with pytest.raises(ArgumentError, match="for which ranks have no place"):
        check(replace(job, ranks=object()))
