"""A graph of two inputs and two outputs with a shared layer, in Keras and here."""

import numpy as np
import pytest

from thalweg import Model, layers, ops
from thalweg.optimizers import Adam

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(40, 4)).astype(np.float32), RANDOM.normal(size=(40, 3)).astype(np.float32)
PRICE, KIND = RANDOM.normal(size=(40, 1)).astype(np.float32), RANDOM.integers(0, 3, 40)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of Keras itself
def test_keras_computes_the_same(keras):
    """Outputs of a graph with equal weights, and after ten steps of Adam."""

    def build(kit, model, join):
        a, b = kit.Input((4,), name="a"), kit.Input((3,), name="b")
        shared = kit.Dense(5, "tanh")
        h = kit.Concatenate()([shared(a), kit.Dense(5)(b), join(shared(a))])
        return model([a, b], [kit.Dense(1, name="price")(h), kit.Dense(3, "softmax", name="kind")(h)])

    ours = build(layers, Model, ops.square)
    theirs = build(keras.layers, keras.Model, keras.ops.square)
    ours.set_weights(theirs.get_weights())
    losses = ["mse", "sparse_categorical_crossentropy"]
    ours.compile(Adam(0.01), losses, loss_weights=[0.5, 1.0])
    theirs.compile(keras.optimizers.Adam(0.01), losses, loss_weights=[0.5, 1.0])
    for model in (ours, theirs):
        model.fit([A, B], [PRICE, KIND], epochs=10, batch_size=40, shuffle=False, verbose=0)
    for one, other in zip(ours.predict([A, B]), theirs.predict([A, B], verbose=0), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
