"""Frames as x, y and sample_weight: columns of several types, nullable ones, Arrow's types."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from thalweg import Input, Sequential, layers, losses
from thalweg.errors import DataError, DivergedError, ShapeError
from thalweg.experiments.problem import pose
from thalweg.layers import Dense, Normalization
from thalweg.support.frames import as_array

NUMBERS = pd.DataFrame({"a": np.arange(12) / 12, "b": np.arange(12) % 3 == 0, "c": np.arange(12) % 4})
PLAIN = NUMBERS.to_numpy(dtype=np.float64)


def frames(frame):
    """The same frame in every library and type."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    return {
        "pandas": frame,
        "nullable": frame.convert_dtypes(),
        "Float64": frame.astype({"a": "Float64", "b": "boolean", "c": "Int64"}),
        "Arrow in pandas": arrow.to_pandas(types_mapper=pd.ArrowDtype),
        "objects": frame.astype(object),
        "an array of objects": frame.to_numpy(),
        "lists": frame.to_numpy().tolist(),
        "Polars": pl.from_pandas(frame),
        "Arrow": arrow,
    }


def network(**loss):
    model = Sequential([Input((3,)), Dense(4, "tanh"), Dense(1)], seed=3)
    model.compile("sgd", **(loss or {"loss": "mse"}))
    return model


@pytest.mark.parametrize("name", frames(NUMBERS))
def test_frames_of_numbers_and_truth_values_train_as_arrays_do(name):
    x = frames(NUMBERS)[name]
    assert np.array_equal(as_array(x, "x"), PLAIN)
    y, weights = NUMBERS["c"].to_numpy(), NUMBERS["a"].to_numpy() + 0.5
    nullable = {"y": pd.Series(y, dtype="Int64"), "sample_weight": pd.Series(weights, dtype="Float64")}
    validation = (x, nullable["y"], nullable["sample_weight"])
    model, expected = network(), network()
    history = model.fit(x, **nullable, epochs=2, validation_data=validation, verbose=0)
    wanted = expected.fit(PLAIN, y, sample_weight=weights, epochs=2, validation_data=(PLAIN, y, weights), verbose=0)
    assert history.history == wanted.history
    assert model.evaluate(x, **nullable, verbose=0) == expected.evaluate(PLAIN, y, sample_weight=weights, verbose=0)
    assert np.array_equal(model.predict(x, verbose=0), expected.predict(PLAIN, verbose=0))
    assert np.array_equal(model.predict(x[:1], verbose=0), expected.predict(PLAIN[:1], verbose=0))
    unbuilt = Sequential([Dense(1)], seed=3)
    unbuilt.compile("sgd", "mse")
    unbuilt.fit(x, y, verbose=0)
    assert unbuilt.input_shape == (None, 3)


def test_get_dummies_trains():
    frame = pd.get_dummies(pd.DataFrame({"town": ["Ulm", "Bonn", "Ulm"] * 4, "x": range(12), "z": range(12)}))
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(frame / 12, pd.array([True, False] * 6, dtype="boolean"), verbose=0)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([0, 1, 2] * 4, dtype="Int64"),
        pd.array([0, 1, 2] * 4, dtype="UInt8"),
        pd.Series([0, 1, 2] * 4, dtype="int64[pyarrow]"),
        pa.chunked_array([[0, 1, 2] * 4]),
        pl.Series([0, 1, 2] * 4),
        np.array([0, 1, 2] * 4, dtype=object),
        pd.DataFrame({"y": pd.Series([0, 1, 2] * 4, dtype="Int64")}),
    ],
)
def test_nullable_labels(labels):
    def losses(y):
        model = Sequential([Input((3,)), Dense(3, "softmax")], seed=1)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model.fit(PLAIN, y, epochs=2, verbose=0).history

    assert losses(labels) == losses(np.array([0, 1, 2] * 4))


@pytest.mark.parametrize("name", frames(NUMBERS))
def test_a_missing_cell_is_named_with_its_row(name):
    frame = NUMBERS.convert_dtypes()
    frame.loc[5, "b"] = pd.NA
    x = frames(frame)[name]
    assert np.isnan(as_array(x, "x")).tolist() == np.isnan(frame.to_numpy(dtype=float, na_value=np.nan)).tolist()
    with pytest.raises(DivergedError, match=r"the data holds nan: x at row 5, column 1 \(counted from 0\)"):
        network().fit(x, NUMBERS["c"], verbose=0)


def test_a_missing_target_and_a_missing_weight():
    y = pd.Series([1, None] * 6, dtype="Int64")
    with pytest.raises(DivergedError, match="the data holds nan: y at row 1"):
        network().fit(PLAIN, y, verbose=0)
    with pytest.raises(DataError, match="sample_weight has to be finite"):
        network().fit(PLAIN, NUMBERS["c"], sample_weight=y, verbose=0)
    sparse = network(loss=losses.BinaryCrossentropy(from_logits=True))
    with pytest.raises(DivergedError, match="the data holds nan: y at row 1"):
        sparse.fit(PLAIN, y.astype("boolean"), verbose=0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (NUMBERS.assign(town="Ulm"), "x has to be numbers, but its column 'town' holds String values"),
        (NUMBERS.assign(town=pd.Categorical(["1"] * 12)), "its column 'town' holds Categorical"),
        (NUMBERS.assign(day=pd.Timestamp("2024-05-31")), "its column 'day' holds Datetime"),
        (NUMBERS.assign(span=pd.Timedelta("1h")), "its column 'span' holds Duration"),
        (pl.DataFrame({"a": [1], "b": ["x"]}), "its column 'b' holds String"),
        (pa.table({"a": [1], "b": ["x"]}), "its column 'b' holds String"),
        (NUMBERS.assign(mixed=[1, "x"] * 6), "its column 'mixed' holds"),
        (np.array([[1, "2"]], dtype=object), "x has to be numbers, got mixed values"),
        ([[1, decimal.Decimal("0.5"), "x"]], "x has to be numbers, got mixed values"),
    ],
)
def test_other_columns_are_named(values, words):
    with pytest.raises(DataError, match=words):
        network().fit(values, np.zeros(len(values)), verbose=0)


def test_types_of_what_comes_back():
    assert as_array(np.array([True, False], dtype=object), "x").dtype == np.bool_
    assert as_array(np.array([[True, 2]], dtype=object), "x").dtype == np.int64
    assert as_array(np.array([1, decimal.Decimal("0.5")], dtype=object), "x").tolist() == [1, 0.5]
    assert as_array([10**400, -(10**400)], "x").tolist() == [np.inf, -np.inf]
    assert as_array([1, None], "x").tolist()[0] == 1
    assert as_array(pd.Series([1, 2], dtype="Int64"), "y").dtype == np.int64
    assert as_array(pd.Series([True, None], dtype="boolean"), "y").tolist()[0] == 1
    plain = pd.DataFrame(PLAIN)
    assert np.shares_memory(as_array(plain, "x"), plain.to_numpy())
    twice = pd.DataFrame([[1, True]], columns=["a", "a"])
    for frame in (twice, pa.Table.from_arrays([pa.array([1]), pa.array([True])], names=["a", "a"])):
        assert as_array(frame, "x").tolist() == [[1, 1]]
    with pytest.raises(ShapeError, match="different lengths"):
        network().fit([[1, 2, 3], [1]], [1, 2])


def test_a_frame_is_measured_by_normalization():
    layer, expected = Normalization(), Normalization()
    layer.adapt(NUMBERS.convert_dtypes())
    expected.adapt(PLAIN)
    assert np.array_equal(layer.mean, expected.mean)
    assert layers.Normalization is Normalization


def test_compare_takes_nullable_targets():
    problem = pose(NUMBERS, pd.Series([0, 1] * 6, dtype="Int64"), None, None, 0.25, 0)
    assert (problem.task, problem.held.y.dtype.kind) == ("binary", "i")
    numbers = pd.Series(np.arange(12) / 7, dtype="Float64")
    held = NUMBERS, numbers
    assert pose(NUMBERS, numbers, None, held, 0.25, 0).task == "regression"
