"""Bytes: images stay uint8 in memory, and everything comes out as if they had been floats."""

import tracemalloc

import numpy as np
import pytest

from thalweg import Sequential
from thalweg.layers import Dense, Flatten, Input
from thalweg.program.passes.draft import Request

X = np.random.default_rng(0).integers(0, 256, (90, 5, 4, 1), dtype=np.uint8)
Y = (X.reshape(90, -1)[:, :3] / 255).astype(np.float32)


def network(engine="native", dtype="float32"):
    model = Sequential([Input((5, 4, 1)), Flatten(), Dense(3)], seed=1, engine=engine, dtype=dtype)
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_bytes_are_as_good_as_floats(engine):
    as_bytes, as_floats = network(engine), network(engine)
    for model, x in ((as_bytes, X), (as_floats, X.astype(np.float32))):
        model.fit(x, Y, epochs=3, batch_size=20, validation_split=0.2, verbose=0)
    assert as_bytes.history.history == as_floats.history.history
    assert all(np.array_equal(a, b) for a, b in zip(as_bytes.get_weights(), as_floats.get_weights(), strict=True))
    assert as_bytes.evaluate(X, Y) == as_floats.evaluate(X.astype(np.float32), Y)
    for batch in (None, 16):  # the way for few rows, the way for many
        assert np.array_equal(as_bytes.predict(X, batch), as_floats.predict(X.astype(np.float32), batch))
    assert as_bytes.predict(X[..., 0]).dtype == np.float32  # without the axis of one channel


def test_no_float_copy_of_everything_is_made():
    x = np.zeros((4000, 40, 40, 1), np.uint8)
    model = Sequential([Input((40, 40, 1)), Flatten(), Dense(1)], seed=1)
    model.compile("sgd", "mse")
    model.fit(x[:64], np.zeros(64), verbose=0)  # compiled before it counts
    model.predict(x[:64], batch_size=32)
    tracemalloc.start()
    try:
        model.fit(x, np.zeros(4000), verbose=0, batch_size=64, validation_data=(x[:2000], np.zeros(2000)))
        model.evaluate(x, np.zeros(4000))
        model.predict(x, batch_size=64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes  # a copy would take four times as many


def test_the_listing_says_that_bytes_are_gathered():
    model = network()
    assert "float(X[order])" not in str(model.schedule())
    model.fit(X, Y, verbose=0)
    assert model.lower(Request(of_bytes=True))[0].rows[0].title == "gather bytes"
