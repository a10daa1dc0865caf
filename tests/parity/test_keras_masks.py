"""Masks as in Keras: which layers pass them on, what losses and metrics make of them, weights of steps."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.ops.masks import mask_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras's variables; that a mask ends
STEPS, ROWS = 5, 21
PASSING = {
    "Dense": (2,), "Activation": ("relu",), "Dropout": (0.5,), "ReLU": (), "ELU": (), "LeakyReLU": (), "PReLU": (),
    "LayerNormalization": (), "GroupNormalization": (1,), "RMSNormalization": (), "BatchNormalization": (),
    "GaussianNoise": (0.1,), "GaussianDropout": (0.1,), "AlphaDropout": (0.1,), "SpatialDropout1D": (0.1,),
    "Rescaling": (2.0,), "ActivityRegularization": (), "Normalization": (), "Flatten": (), "Reshape": ((15,),),
    "Permute": ((2, 1),), "Conv1D": (2, 2), "SeparableConv1D": (2, 2), "MaxPooling1D": (), "AveragePooling1D": (2,),
    "GlobalAveragePooling1D": (), "GlobalMaxPooling1D": (), "ZeroPadding1D": (), "Cropping1D": (), "UpSampling1D": (),
    "Masking": (1.0,),
}  # fmt: skip
MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def ragged():
    draw = np.random.default_rng(0)
    x, mask = draw.normal(size=(ROWS, STEPS, 3)), np.ones((ROWS, STEPS))
    for row in range(ROWS):
        mask[row, draw.integers(1, STEPS + 1) :] = 0
    return (x * mask[..., None]).astype("float32"), mask


@pytest.mark.parametrize("name", PASSING)
def test_the_same_layers_pass_masks_on(name, keras):
    ours = getattr(layers, name)(*PASSING[name])(layers.Masking()(layers.Input((STEPS, 3))))
    x, _ = ragged()
    theirs = getattr(keras.layers, name)(*PASSING[name])(keras.layers.Masking()(x))
    mask = keras.src.backend.get_keras_mask(theirs)
    assert (mask_of(ours) is None) == (mask is None)
    if mask is not None:
        assert mask_of(ours).shape[1:] == tuple(mask.shape[1:])


@pytest.mark.parametrize("name", MERGING)
@pytest.mark.parametrize("second", [True, False])
def test_merging_layers(name, second, keras):
    x, _ = ragged()
    z = np.roll(x, 1, axis=0)
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    joined = getattr(layers, name)()([layers.Masking()(a), layers.Masking()(b) if second else b])
    mask = mask_of(joined)
    found = thalweg.Model([a, b], joined if mask is None else [joined, mask]).predict([x, z], verbose=0)
    theirs = getattr(keras.layers, name)()([keras.layers.Masking()(x), keras.layers.Masking()(z) if second else z])
    theirs_mask = keras.src.backend.get_keras_mask(theirs)
    assert (mask is None) == (theirs_mask is None)
    np.testing.assert_allclose(found if mask is None else found[0], np.asarray(theirs), rtol=1e-5, atol=1e-6)
    if mask is not None:
        np.testing.assert_array_equal(found[1], np.asarray(theirs_mask))


def network(there, input_of, made):
    return made([input_of((STEPS, 3)), there.Masking(), there.Dense(8, "relu"), there.Dense(4, "softmax")])


WEIGHTS = {"none": None, "rows": (ROWS, 1), "steps": (ROWS, STEPS)}


@pytest.mark.parametrize("shape", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mse", "categorical_crossentropy", "huber"])
def test_losses_and_metrics(loss, shape, keras):
    draw = np.random.default_rng(1)
    x, _ = ragged()
    classes = draw.integers(0, 4, (ROWS, STEPS))
    y = classes if loss.startswith("sparse") else np.eye(4, dtype="float32")[classes]
    weights = None if shape is None else draw.random(shape).astype("float32")
    metrics = ["accuracy"] if "cross" in loss else ["mae"]
    theirs = network(keras.layers, keras.Input, keras.Sequential)
    theirs.compile(keras.optimizers.SGD(0.1), loss, metrics=metrics)
    ours = network(layers, layers.Input, thalweg.Sequential)
    ours.compile(thalweg.optimizers.SGD(0.1), loss, metrics=metrics)
    ours.set_weights(theirs.get_weights())
    how = {"sample_weight": weights, "batch_size": 8, "verbose": 0}
    np.testing.assert_allclose(ours.evaluate(x, y, **how), theirs.evaluate(x, y, **how), rtol=1e-5)
    found = ours.fit(x, y, epochs=2, shuffle=False, **how).history["loss"]
    np.testing.assert_allclose(found, theirs.fit(x, y, epochs=2, shuffle=False, **how).history["loss"], rtol=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_embedding_and_the_mean_of_the_steps_that_count(keras):
    ids = np.array([[1, 2, 0, 0, 3], [4, 0, 0, 0, 0], [1, 1, 1, 2, 3]])

    def made(there, input_of, kind):
        return kind(
            [input_of((5,)), there.Embedding(5, 3, mask_zero=True), there.GlobalAveragePooling1D(), there.Dense(2)]
        )

    theirs, ours = made(keras.layers, keras.Input, keras.Sequential), made(layers, layers.Input, thalweg.Sequential)
    ours.build()
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours.predict(ids, verbose=0), theirs.predict(ids, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_recurrent_layers_take_masks_and_pass_them_on(name, keras):
    x, _ = ragged()
    y = np.random.default_rng(2).normal(size=(ROWS, STEPS, 2)).astype("float32")

    def made(there, input_of, kind):
        first, second = (getattr(there, name)(4, return_sequences=True) for _ in range(2))
        parts = [there.Masking(), there.Bidirectional(first), second, there.TimeDistributed(there.Dense(2))]
        return kind([input_of((STEPS, 3)), *parts])

    theirs, ours = made(keras.layers, keras.Input, keras.Sequential), made(layers, layers.Input, thalweg.Sequential)
    theirs.compile("sgd", "mse", metrics=["mae"])
    ours.compile("sgd", "mse", metrics=["mae"])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0), rtol=1e-5)
