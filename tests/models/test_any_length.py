"""Sequences of any length: Input((None, …)), programs by length, rows filled up, refusals where that would matter."""

import copy
import pickle

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.models.by_length import ByLength, sequences_in
from thalweg.models.lengths.filled import BUCKETS
from thalweg.views.insides.forward_pass import passed

DRAW = np.random.default_rng(0)
LENGTHS = DRAW.integers(1, 40, 33)
SEQUENCES = [DRAW.normal(size=(n, 3)) for n in LENGTHS]
IDS = [DRAW.integers(0, 9, n) for n in LENGTHS]
SUMS = np.array([[row.sum()] for row in SEQUENCES])


def recurrent(engine="native", **more):
    return Sequential([Input((None, 3)), layers.LSTM(4), layers.Dense(1)], seed=0, engine=engine, **more)


def tagger(*last):
    return Sequential(
        [Input((None,)), layers.Embedding(9, 4), *(last or (layers.GRU(3, return_sequences=True),)), layers.Dense(2)],
        seed=0,
    )


def decoder():
    """A causal one: a step doesn't see those behind it, and no mask is needed to fill up rows."""
    ids = Input((None,))
    x = layers.Embedding(9, 8)(ids)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    return Model(ids, layers.Dense(9)(x), seed=0)


def pooled():
    x = Input((None, 3))
    return Model(x, layers.Dense(1)(layers.GlobalAveragePooling1D()(layers.Dense(4, "tanh")(x))), seed=0)


def two_inputs():
    one, other = Input((None, 3)), Input((None,))
    return Model(
        [one, other], layers.Dense(1)(layers.LSTM(2)(one) + layers.GRU(2)(layers.Embedding(9, 2)(other))), seed=0
    )


class Own(Model):
    def __init__(self):
        super().__init__(seed=0)
        self.inner, self.last = layers.SimpleRNN(4), layers.Dense(1)

    def call(self, x):
        return self.last(self.inner(x))


def own():
    model = Own()
    model.build((None, None, 3))
    return model


MODELS = {"recurrent": recurrent, "tagger": tagger, "decoder": decoder, "pooled": pooled, "own": own}


def rows_for(name):
    return IDS if name in ("tagger", "decoder") else SEQUENCES


@pytest.mark.parametrize("name", MODELS)
def test_a_row_has_one_answer_alone_and_among_others(name):
    model, rows = MODELS[name](), rows_for(name)
    together = model.predict(rows)
    for row, answer in zip(rows[:9], together, strict=False):
        alone = model.predict([row])
        np.testing.assert_allclose(np.asarray(alone[0]), answer, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_a_network_for_the_length_alone(name):
    model, rows = MODELS[name](), rows_for(name)
    for row in rows[:5]:
        x = Input(row.shape)
        np.testing.assert_allclose(model.predict([row])[0], Model(x, model(x)).predict(row[None])[0], atol=1e-6)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_training_is_that_of_rows_filled_up_behind_a_mask(engine):
    """Step by step: the same batches, filled up by hand, through a network with Masking."""
    model = recurrent(engine)
    fixed = Sequential([Input((64, 3)), layers.Masking(9.0), layers.LSTM(4), layers.Dense(1)], seed=0, engine=engine)
    fixed.build()
    fixed.set_weights(model.get_weights())
    by_hand = np.full((len(SEQUENCES), 64, 3), 9.0)
    for k, row in enumerate(SEQUENCES):
        by_hand[k, : len(row)] = row
    for each, x in ((model, SEQUENCES), (fixed, by_hand)):
        each.compile("adam", "mse", metrics=["mae"])
        each.history = each.fit(x, SUMS, 8, epochs=3, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), fixed.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    for key, values in fixed.history.history.items():
        np.testing.assert_allclose(model.history.history[key], values, rtol=1e-4)
    np.testing.assert_allclose(
        model.evaluate(SEQUENCES, SUMS, verbose=0), fixed.evaluate(by_hand, SUMS, verbose=0), rtol=1e-4
    )


def test_losses_and_scores_for_steps_count_no_filling():
    model = decoder()
    targets = [np.roll(row, -1) for row in IDS]
    model.compile("sgd", thalweg.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    scores = model.evaluate(IDS, targets, batch_size=len(IDS), verbose=0, return_dict=True)
    logits, y = np.concatenate(list(model.predict(IDS))).astype(np.float64), np.concatenate(targets)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert scores["loss"] == pytest.approx(-logits[np.arange(len(y)), y].mean(), rel=1e-5)
    assert scores["accuracy"] == pytest.approx((logits.argmax(axis=1) == y).mean())
    weights = [np.arange(len(row), dtype=float) for row in IDS]
    scores = model.evaluate(IDS, targets, batch_size=len(IDS), sample_weight=weights, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(-(np.concatenate(weights) * logits[np.arange(len(y)), y]).mean(), rel=1e-5)


def test_rows_of_one_length_train_as_with_that_length():
    """No filling: the same bits as the network for this length."""
    x, y = DRAW.normal(size=(20, 7, 3)), DRAW.normal(size=(20, 1))
    model, fixed = recurrent(), Sequential([Input((7, 3)), layers.LSTM(4), layers.Dense(1)], seed=0)
    for each in (model, fixed):
        each.compile("adam", "mse")
        each.fit(x, y, 8, epochs=3, verbose=0, validation_split=0.2)
    np.testing.assert_array_equal(model.vector, fixed.vector)
    assert model.evaluate(x, y, verbose=0) == fixed.evaluate(x, y, verbose=0)
    assert model.history.history == fixed.history.history


def test_at_most_twelve_programs_for_all_lengths():
    assert len(BUCKETS) == 12
    assert BUCKETS[-1] == 4096
    model = pooled()
    lengths = np.unique(np.concatenate([np.arange(1, 300, 7), DRAW.integers(1, 4097, 20), [4096]]))
    model.predict([np.ones((n, 3)) for n in lengths])
    assert len(model._predictor.predictors) <= 12


def batches_of(model, rows, batch=8, **more):
    model.build()
    made = ByLength(model._compiled, sequences_in(model._compiled, rows), None, None, batch, **more)
    return [window.x for window in made.windows()], made


def test_batches_are_of_like_length_and_have_every_row_once():
    model = recurrent()
    rows = [np.full((n, 3), float(k)) for k, n in enumerate(LENGTHS)]
    windows, made = batches_of(model, rows, shuffle=True)
    numbers = np.concatenate([w.arrays[0][:, 0, 0] for w in windows])
    assert sorted(numbers) == list(range(len(rows)))
    for window in windows:
        size = window.arrays[0].shape[1]
        assert size in BUCKETS
        assert window.lengths.max() <= size
        assert len(window.arrays[0]) <= 8 * len(made.groups())
    waste = sum(w.arrays[0].shape[1] * len(w) for w in windows) / LENGTHS.sum()
    windows_in_order, _ = batches_of(model, rows)
    assert waste < sum(w.arrays[0].shape[1] * len(w) for w in windows_in_order) / LENGTHS.sum()
    np.testing.assert_array_equal(
        np.concatenate([w.arrays[0][:, 0, 0] for w in windows_in_order]), np.arange(len(rows))
    )
    again, _ = batches_of(recurrent(), rows, shuffle=True)
    np.testing.assert_array_equal(np.concatenate([w.arrays[0][:, 0, 0] for w in again]), numbers)
    model._compiled.epochs_trained = 1
    other, _ = batches_of(model, rows, shuffle=True)
    assert not np.array_equal(np.concatenate([w.arrays[0][:, 0, 0] for w in other]), numbers)


@pytest.mark.parametrize("name", MODELS)
def test_copies_and_files_take_any_length(name, tmp_path):
    model, rows = MODELS[name](), rows_for(name)
    answers = model.predict(rows)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))] if name != "own" else []
    if name != "own":
        model.save(tmp_path / "model.safetensors")
        copies.append(thalweg.load_model(tmp_path / "model.safetensors"))
        assert thalweg.models.model_from_json(model.to_json()).input_shape == model.input_shape
    for other in copies:
        assert other.input_shape == model.input_shape
        assert None in model.input_shape[1:]
        for ours, theirs in zip(other.predict(rows), answers, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_shapes_have_none_where_they_depend_on_the_length(capsys):
    model = Sequential([Input((None, 3)), layers.Conv1D(5, 3, strides=2), layers.MaxPooling1D(), layers.LSTM(2)])
    model.build()
    assert model.input_shape == (None, None, 3)
    assert model.output_shape == (None, 2)
    assert [layer.output_shape for layer in model.layers] == [(None, 5), (None, 5), (2,)]
    model.summary()
    assert "(None, None, 5)" in capsys.readouterr().out
    assert decoder().output_shape == (None, None, 9)
    assert own().output_shape == (None, 1)


def test_rows_of_one_length_need_no_mask():
    """Convolutions see what fills up rows, so a row has the program for its own length."""
    model = Sequential([Input((None, 3)), layers.Conv1D(5, 3), layers.GlobalMaxPooling1D(), layers.Dense(1)], seed=0)
    x = DRAW.normal(size=(4, 9, 3))
    model.compile("adam", "mse")
    model.fit(x, np.ones(4), verbose=0)
    fixed = Input((9, 3))
    np.testing.assert_array_equal(model.predict(x), Model(fixed, model(fixed)).predict(x))
    with pytest.raises(ShapeError, match=r"can't fill them up: the answer .* as Conv1D 'conv1d' sees them"):
        model.fit(SEQUENCES, SUMS, verbose=0)
    with pytest.raises(ShapeError, match="can't fill them up"):
        model.predict(SEQUENCES)


FRONTS = {
    "Masking": (lambda: [Input((None, 3)), layers.Masking(2.0)], SEQUENCES),
    "mask_zero": (lambda: [Input((None,)), layers.Embedding(9, 4, mask_zero=True)], [1 + row // 2 for row in IDS]),
}


@pytest.mark.parametrize("front", FRONTS)
def test_a_mask_of_ones_own_leaves_the_filling_out(front):
    """Rows are filled up with what Masking or the table leaves out, also where the network is tried."""
    make, rows = FRONTS[front]
    model = Sequential([*make(), layers.LSTM(3), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    together = model.predict(rows)
    for row, answer in zip(rows[:5], together, strict=False):
        x = Input(row.shape)
        np.testing.assert_allclose(Model(x, model(x)).predict(row[None])[0], answer, atol=1e-6)
    assert np.isfinite(model.fit(rows, SUMS, verbose=0).history["loss"]).all()


def test_statistics_and_penalties_would_count_the_filling():
    """Predictions don't depend on what fills up rows; what the network learned would."""
    causal = layers.Conv1D(4, 2, padding="causal")
    model = Sequential([Input((None, 3)), causal, layers.BatchNormalization(), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    assert len(model.predict(SEQUENCES)) == len(SEQUENCES)
    with pytest.raises(ShapeError, match="the statistics of a BatchNormalization would count the steps"):
        model.fit(SEQUENCES, [row[:, :1] for row in SEQUENCES], verbose=0)
    model = Sequential([Input((None, 3)), layers.Dense(2, activity_regularizer="l2"), layers.LSTM(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match="a penalty on outputs"):
        model.fit(SEQUENCES, SUMS, verbose=0)


class Stepping(Own):
    def train_step(self, data):
        x, y = data
        loss = ops.mean(ops.square(y - self(x)))
        self.minimize(loss)
        return {"loss": loss}


def test_a_step_of_ones_own_takes_rows_of_one_length():
    model = Stepping()
    model.build((None, None, 3))
    model.compile("sgd", "mse")
    before = model.vector.copy()
    for steps in (4, 7):
        model.fit(DRAW.normal(size=(8, steps, 3)), np.ones((8, 1)), verbose=0)
    assert not np.array_equal(before, model.vector)
    with pytest.raises(ThalwegError, match="a step of its own takes sequences of one length"):
        model.fit(SEQUENCES, SUMS, verbose=0)


def test_batches_of_a_generator_may_have_any_length():
    def batches():
        for n in (5, 9, 20, 9):
            yield np.ones((4, n)), np.ones((4, n, 2))

    model = tagger()
    model.compile("sgd", "mse", metrics=["mae"])
    before = np.concatenate([model.predict(x).reshape(-1, 2) for x, _ in batches()])
    loss, error = model.evaluate(batches(), verbose=0)
    assert error == pytest.approx(np.abs(1 - before).mean(), rel=1e-5)
    answers = model.predict(x for x, _ in batches())
    assert [len(row) for row in answers[::4]] == [5, 9, 20, 9]
    np.testing.assert_allclose(np.concatenate(list(answers)), before, atol=1e-6)
    assert model.fit(batches(), verbose=0).history["loss"][0] == pytest.approx(loss, rel=0.2)


def test_validation_on_other_lengths():
    model = recurrent()
    model.compile("sgd", "mse")
    x, y = DRAW.normal(size=(8, 7, 3)), np.ones(8)
    for held in ((SEQUENCES[:5], SUMS[:5]), (DRAW.normal(size=(5, 9, 3)), np.ones(5)), (x, y)):
        for given, targets in ((x, y), (SEQUENCES, SUMS)):
            history = model.fit(given, targets, verbose=0, validation_data=held).history
            assert history["val_loss"][0] == pytest.approx(model.evaluate(*held, verbose=0), rel=1e-5)
    history = model.fit(SEQUENCES, SUMS, verbose=0, validation_split=0.3).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(SEQUENCES[23:], SUMS[23:], verbose=0), rel=1e-5)


def test_several_inputs_of_any_length():
    model = two_inputs()
    others = IDS[::-1]
    together = model.predict([SEQUENCES, others])
    alone = np.concatenate([model.predict([a[None], b[None]]) for a, b in zip(SEQUENCES, others, strict=True)])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    model.compile("adam", "mse")
    assert np.isfinite(model.fit([SEQUENCES, others], SUMS, verbose=0).history["loss"]).all()


def test_one_step_and_its_trace():
    model = recurrent()
    model.compile("sgd", "mse")
    trace = model.trace(SEQUENCES[:4], SUMS[:4])
    loss = model.evaluate(SEQUENCES[:4], SUMS[:4], verbose=0)
    assert model.train_on_batch(SEQUENCES[:4], SUMS[:4]) == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(trace["w"], model.vector, atol=1e-6)


def test_programs_are_shown_for_a_length():
    model = recurrent()
    model.compile("sgd", "mse")
    assert "(32, 12, 3)" in str(model.program(length=12))
    for what in (model.program, model.schedule, model.profile):
        with pytest.raises(ThalwegError, match="give length=N"):
            what()
    with pytest.raises(ArgumentError, match="leave out length"):
        Sequential([Input((3,)), layers.Dense(1)]).program("inference", length=3)


BAD = {
    "no steps": (lambda m: m.predict([np.zeros((0, 3)), np.zeros((2, 3))]), DataError, "row 0 of x has no steps"),
    "no steps at all": (lambda m: m.predict(np.zeros((2, 0, 3))), DataError, "no steps"),
    "too long": (lambda m: m.predict([np.zeros((4097, 3)), np.zeros((2, 3))]), ShapeError, "row 0 of x has 4097"),
    "other steps": (lambda m: m.predict([np.zeros((5, 2)), np.zeros((2, 3))]), ShapeError, "row 0 of x has the shape"),
    "other array": (lambda m: m.predict(np.zeros((3, 4, 5))), ShapeError, r"\(rows, steps, 3\)"),
    "fewer targets": (lambda m: m.fit(SEQUENCES, SUMS[:3], verbose=0), ShapeError, "33"),
    "recorded": (lambda m: m.fit(SEQUENCES, SUMS, record=True, verbose=0), ArgumentError, "a recording needs rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_rows(case):
    act, kind, told = BAD[case]
    model = recurrent()
    model.compile("sgd", "mse")
    with pytest.raises(kind, match=told):
        act(model)


def test_targets_for_steps_have_the_lengths_of_the_rows():
    model = tagger()
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=f"row 1 has {LENGTHS[1]} steps in x, but 1 in y"):
        model.fit(IDS, [np.ones((n if k != 1 else 1, 2)) for k, n in enumerate(LENGTHS)], verbose=0)
    with pytest.raises(ShapeError, match="a value for each step"):
        model.fit(IDS, np.ones((len(IDS), 2, 2)), verbose=0)


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: Sequential([Input((None, 3)), layers.Flatten(), layers.Dense(1)]).build(), "W of layer 'dense'"),
        (lambda: layers.Reshape((4, 3))(Input((None, 3))), "Reshape"),
        (lambda: layers.Add()([Input((None, 3)), Input((7, 3))]), "needs to know the length"),
    ],
)
def test_networks_that_need_a_length(draw, told):
    with pytest.raises(ShapeError, match=told) as raised:
        draw()
    assert "give Input the length" in str(raised.value)


def test_only_the_steps_may_have_any_number():
    for shape in ((None, None, 3), (4, None), (None, 0)):
        with pytest.raises(ArgumentError):
            Input(shape)


def test_a_layer_is_placed_anew_for_every_length():
    """Windows and shapes are those of the rows at hand, whatever the layer saw before."""
    pool, x = layers.MaxPooling1D(2, padding="same"), DRAW.normal(size=(2, 6, 3))
    model = Sequential([Input((None, 3)), pool, layers.LSTM(2)], seed=0)
    first = model.predict(x)
    model.predict(DRAW.normal(size=(2, 9, 3)))
    np.testing.assert_array_equal(model.predict(x), first)
    one, other = Input((6, 3)), Input((10, 3))
    assert [pool(v).shape for v in (one, other, one)] == [(None, 3, 3), (None, 5, 3), (None, 3, 3)]
    mean, x = layers.GlobalAveragePooling1D(), DRAW.normal(size=(2, 10, 3))
    both = Model([one, other], [mean(one), mean(other)])
    for found, rows in zip(both.predict([x[:, :6], x]), (x[:, :6], x), strict=True):
        np.testing.assert_allclose(found, rows.mean(axis=1), atol=1e-6)


def test_the_insides_are_those_of_the_rows_at_hand(tmp_path):
    model, x = recurrent(), DRAW.normal(size=(40, 9, 3))
    model.compile("sgd", "mse")
    model.fit(x, np.ones(40), verbose=0, record=True)
    found = passed(model, x[:3])
    np.testing.assert_allclose(found[found.output], model.predict(x[:3]), atol=1e-6)
    model.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size
