"""Networks for sequences of any length: Keras's numbers for each, its steps of training, its files both ways."""

import numpy as np
import pytest

import thalweg

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own, of NumPy 2
DRAW = np.random.default_rng(0)


def recurrent(lib):
    return lib.Sequential([lib.Input((None, 3)), lib.layers.LSTM(4, return_sequences=True), lib.layers.GRU(3)])


def causal(lib):
    x = lib.Input((None, 3))
    y = lib.layers.Conv1D(4, 3, padding="causal", activation="relu")(x)
    return lib.Model(x, lib.layers.GlobalMaxPooling1D()(lib.layers.MaxPooling1D(2)(y)))


def attention(lib):
    x = lib.Input((None, 4))
    y = lib.layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    return lib.Model(x, lib.layers.Dense(2)(lib.layers.LayerNormalization()(x + y)))


def both_ways(lib):
    return lib.Sequential(
        [
            lib.Input((None,)),
            lib.layers.Embedding(9, 4),
            lib.layers.Bidirectional(lib.layers.LSTM(2)),
            lib.layers.Dense(1),
        ]
    )


MODELS = {f.__name__: f for f in (recurrent, causal, attention, both_ways)}


def rows(model, count, steps):
    shape = model.input_shape[2:]
    return DRAW.normal(size=(count, steps, *shape)) if shape else DRAW.integers(0, 9, (count, steps))


@pytest.mark.parametrize("name", MODELS)
def test_answers_steps_and_files(name, keras, tmp_path):
    theirs, ours = MODELS[name](keras), MODELS[name](thalweg)
    ours.build()
    ours.set_weights(theirs.get_weights())
    assert ours.output_shape == tuple(theirs.output_shape)
    for steps in (6, 2, 17, 70):
        x = rows(ours, 3, steps)
        np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), atol=1e-5)
    ours.export(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    read = thalweg.load_model(tmp_path / "theirs.keras")
    again = keras.models.load_model(tmp_path / "ours.keras", compile=False)
    assert read.input_shape == ours.input_shape
    np.testing.assert_allclose(again.predict(x, verbose=0), ours.predict(x), atol=1e-5)
    np.testing.assert_allclose(read.predict(x), ours.predict(x), atol=1e-6)
    y = DRAW.normal(size=ours.predict(x).shape)
    for model in (ours, theirs):
        model.compile(optimizer="sgd", loss="mse")
        model.fit(x, y, batch_size=3, epochs=1, verbose=0)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize("name", ["recurrent", "both_ways"])
def test_rows_of_different_lengths_learn_what_keras_learns_behind_a_mask(name, keras):
    """Keras gets the rows filled up, and says itself where they end."""
    theirs, ours = MODELS[name](keras), MODELS[name](thalweg)
    ours.build()
    ours.set_weights(theirs.get_weights())
    lengths = [3, 8, 5, 1]
    given = [rows(ours, 1, n)[0] for n in lengths]
    x = np.zeros((4, 8, *given[0].shape[1:]), given[0].dtype)
    for k, row in enumerate(given):
        x[k, : len(row)] = row
    mask = np.arange(8) < np.array(lengths)[:, None]
    inner = theirs.layers if name == "recurrent" else theirs.layers[1:]
    front = keras.Input(x.shape[1:])
    told = keras.Input((8,), dtype="bool")
    value = front if name == "recurrent" else theirs.layers[0](front)
    for layer in inner:
        value = layer(value) if isinstance(layer, keras.layers.Dense) else layer(value, mask=told)
    masked = keras.Model([front, told], value)
    np.testing.assert_allclose(ours.predict(given), masked.predict([x, mask], verbose=0), atol=1e-5)
    y = DRAW.normal(size=(4, value.shape[1]))
    masked.compile(optimizer="sgd", loss="mse")
    masked.fit([x, mask], y, batch_size=4, verbose=0)
    ours.compile("sgd", "mse")
    ours.fit(given, y, batch_size=4, verbose=0)
    for mine, other in zip(ours.get_weights(), masked.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
