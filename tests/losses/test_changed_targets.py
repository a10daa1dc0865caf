"""Targets that change while a fit runs: the array is the caller's, and a kernel looks before it indexes by it."""

import numpy as np
import pytest

import thalweg
from thalweg.errors import DivergedError

LOSSES = {
    "sparse": thalweg.losses.SparseCategoricalCrossentropy(),
    "sparse, many classes": thalweg.losses.SparseCategoricalCrossentropy(),
    "logits": thalweg.losses.SparseCategoricalCrossentropy(from_logits=True),
    "generalized": thalweg.losses.CategoricalGeneralizedCrossEntropy(),
    "center": thalweg.losses.CenterLoss(0.1),
}


class Writes(thalweg.callbacks.Callback):
    """Writes into the targets after the second epoch."""

    def __init__(self, y: np.ndarray, value: float) -> None:
        super().__init__()
        self.y, self.value = y, value

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.y[5:] = self.value


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("value", [1e9, -1e9, 3e38, -1.0, 0.5, "classes"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_target_that_is_no_class_ends_the_fit_and_is_named(name, value, engine):
    classes = 70 if "many" in name else 3
    value = float(classes) if value == "classes" else value
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    y = (np.arange(40, dtype=np.float32) % classes).reshape(-1, 1)  # used as it is, not copied
    last = thalweg.layers.Dense(classes, None if name == "logits" else "softmax")
    hidden = thalweg.layers.Dense(16, "relu")
    model = thalweg.Sequential([thalweg.Input((8,)), hidden, last], seed=0, engine=engine)
    model.compile("adam", LOSSES[name], metrics=["accuracy", thalweg.metrics.SparseTopKCategoricalAccuracy(k=2)])
    with pytest.raises(DivergedError, match=rf"epoch 3.* holds .* class number from 0 to {classes - 1} is needed"):
        model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[Writes(y, value)])
    assert len(model.history.history["loss"]) == 2
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", thalweg.losses.CenterLoss(0.1)])
def test_a_target_that_becomes_nan_is_named_too(loss, engine):
    x, y = np.ones((40, 8), np.float32), np.zeros((40, 1), np.float32)
    layers = [thalweg.Input((8,)), thalweg.layers.Dense(4, "relu"), thalweg.layers.Dense(3, "softmax")]
    model = thalweg.Sequential(layers, seed=0, engine=engine)
    model.compile("adam", loss)
    with pytest.raises(DivergedError, match=r"epoch 3.*the data holds nan: y at row 5"):
        model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[Writes(y, np.nan)])
