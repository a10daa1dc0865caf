"""Rows of different lengths: lists, arrays of objects, Arrow lists and columns of data frames, filled up for a mask."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential
from thalweg.errors import DataError, ShapeError
from thalweg.layers import LSTM, Concatenate, Dense, Embedding, GlobalAveragePooling1D, Masking

STEPS, ROWS = 6, 17
DRAW = np.random.default_rng(0)
LENGTHS = DRAW.integers(1, STEPS + 1, ROWS)
SEQUENCES = [DRAW.normal(size=(n, 2)) for n in LENGTHS]
IDS = [DRAW.integers(1, 9, n) for n in LENGTHS]


def sequences(*last, value=0.0):
    return Sequential([Input((STEPS, 2)), Masking(value), *(last or (LSTM(3), Dense(1)))], seed=1)


def texts():
    return Sequential([Input((STEPS,)), Embedding(9, 3, mask_zero=True), GlobalAveragePooling1D(), Dense(1)], seed=1)


def by_hand(rows, fill=0.0):
    x = np.full((len(rows), STEPS, *np.shape(rows[0])[1:]), fill)
    for k, row in enumerate(rows):
        x[k, : len(row)] = row
    return x


def objects(rows):
    array = np.empty(len(rows), object)
    array[:] = [row.tolist() if isinstance(row, np.ndarray) and row.ndim == 1 else row for row in rows]
    return array


WAYS = {"list": list, "tuple": tuple, "lists": lambda rows: [r.tolist() for r in rows], "objects": objects}


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_filled_up_for_masking(way):
    model = sequences()
    np.testing.assert_array_equal(
        model.predict(WAYS[way](SEQUENCES), verbose=0), model.predict(by_hand(SEQUENCES), verbose=0)
    )


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_ids_are_filled_up_for_an_embedding(way):
    model = texts()
    np.testing.assert_array_equal(model.predict(WAYS[way](IDS), verbose=0), model.predict(by_hand(IDS), verbose=0))


def test_arrow_and_pandas():
    pa, pd = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    model, plain = texts(), [row.tolist() for row in IDS]
    wanted = model.predict(by_hand(IDS), verbose=0)
    for x in (pa.array(plain), pa.chunked_array([plain[:5], plain[5:]]), pd.Series(plain), pd.Series(IDS)):
        np.testing.assert_array_equal(model.predict(x, verbose=0), wanted)


def test_a_row_alone_has_the_answer_that_it_has_among_many():
    model = sequences()
    together = model.predict(SEQUENCES, verbose=0)
    for k, row in enumerate(SEQUENCES):
        np.testing.assert_allclose(model.predict([row], verbose=0)[0], together[k], rtol=1e-5, atol=1e-7)


def test_the_value_of_the_mask_fills():
    model = sequences(value=-9.0)
    np.testing.assert_array_equal(
        model.predict(SEQUENCES, verbose=0), model.predict(by_hand(SEQUENCES, -9.0), verbose=0)
    )


def test_training_and_targets_of_steps():
    y, weights = [row.sum(axis=1, keepdims=True) for row in SEQUENCES], [np.ones(len(row)) * 2 for row in SEQUENCES]
    one, other = sequences(Dense(1)), sequences(Dense(1))
    for model in (one, other):
        model.compile("sgd", "mse", metrics=["mae"])
    how = {"epochs": 3, "batch_size": 5, "verbose": 0}
    found = one.fit(SEQUENCES, y, sample_weight=weights, **how).history
    assert found == other.fit(by_hand(SEQUENCES), by_hand(y), sample_weight=by_hand(weights), **how).history
    assert one.evaluate(SEQUENCES, y, verbose=0) == other.evaluate(by_hand(SEQUENCES), by_hand(y), verbose=0)


def test_two_inputs_by_name():
    a, b = Input((STEPS, 2), name="numbers"), Input((STEPS,), name="ids")
    both = [GlobalAveragePooling1D()(Masking()(a)), GlobalAveragePooling1D()(Embedding(9, 3, mask_zero=True)(b))]
    model = Model([a, b], Dense(1)(Concatenate()(both)), seed=1)
    np.testing.assert_array_equal(
        model.predict({"numbers": SEQUENCES, "ids": IDS}, verbose=0),
        model.predict([by_hand(SEQUENCES), by_hand(IDS)], verbose=0),
    )


BAD = [
    ([*SEQUENCES, np.zeros((7, 2))], ShapeError, "row 17 of x has 7 steps, but the network takes at most 6"),
    ([*SEQUENCES, np.zeros((0, 2))], DataError, "row 17 of x has no steps"),
    ([*SEQUENCES, np.zeros((3, 5))], ShapeError, r"row 17 of x has the shape \(3, 5\), but rows are \(steps, 2\)"),
    ([[[1.0, 2.0], [3.0]], *SEQUENCES], ShapeError, "row 0 of x isn't an array of numbers"),
]


@pytest.mark.parametrize(("x", "error", "sentence"), BAD)
def test_bad_rows_are_named(x, error, sentence):
    with pytest.raises(error, match=sentence):
        sequences().predict(x, verbose=0)


def test_without_a_mask_rows_have_one_length():
    model = Sequential([Input((STEPS, 2)), GlobalAveragePooling1D()])
    with pytest.raises(ShapeError, match=r"x has rows of different lengths, .* put Masking or Embedding"):
        model.predict(SEQUENCES, verbose=0)
    x = Input((STEPS, 2))
    also_read = Model(x, [Masking()(x), GlobalAveragePooling1D()(x)])
    with pytest.raises(ShapeError, match="x has rows of different lengths"):
        also_read.predict(SEQUENCES, verbose=0)


def test_targets_of_other_lengths_are_named():
    model = sequences(Dense(1))
    model.compile("sgd", "mse")
    y = [np.zeros((len(row), 1)) for row in SEQUENCES]
    y[3] = np.zeros((len(y[3]) + 1, 1))
    with pytest.raises(ShapeError, match=rf"row 3 has {LENGTHS[3]} steps in x, but {LENGTHS[3] + 1} in y"):
        model.fit(SEQUENCES, y, verbose=0)
