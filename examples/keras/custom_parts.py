"""Custom losses, metrics and regularizers, a schedule, callbacks of one's own, and copies of a model."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops


class PinballLoss(keras.losses.Loss):
    """q·e for e = y − ŷ above 0, (q − 1)·e below: ŷ becomes the q-quantile."""

    def __init__(self, quantile, name="pinball"):
        super().__init__(name=name)
        self.quantile = quantile

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return ops.mean(ops.maximum(self.quantile * error, (self.quantile - 1) * error), axis=-1)

    def get_config(self):
        return {"quantile": self.quantile, "name": self.name}


def below(y_true, y_pred):
    """The share of the targets below the prediction."""
    return ops.mean(ops.cast(y_true < y_pred, "float32"), axis=-1)


@keras.saving.register_keras_serializable()
def smoothness(kernel):
    """A regularizer: the weights of neighbouring inputs should be alike."""
    return 0.01 * ops.sum(ops.square(kernel[1:] - kernel[:-1]))


def schedule(epoch, learning_rate):
    """From the eleventh epoch on, 10 % less in each."""
    return learning_rate if epoch < 10 else learning_rate * 0.9


class KeepBest(keras.callbacks.Callback):
    """Notes the learning rates, and at the end restores the weights of the best epoch."""

    def on_train_begin(self, logs=None):
        self.best, self.rates = np.inf, []

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        if logs["val_loss"] < self.best:
            self.best, self.weights = logs["val_loss"], self.model.get_weights()

    def on_train_end(self, logs=None):
        self.model.set_weights(self.weights)


keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
curves = draw.normal(size=(2500, 30)).cumsum(axis=1).astype("float32") / 4
level = curves[:, 10:20].mean(axis=1)
y = (level + (0.2 + 0.3 * (level > 0)) * draw.normal(size=2500)).astype("float32")[:, np.newaxis]
train, held, test = slice(0, 1600), slice(1600, 2000), slice(2000, None)

hidden = layers.Dense(16, activation="tanh", kernel_regularizer=smoothness)
model = keras.Sequential([keras.Input(shape=(30,)), hidden, layers.Dense(1)], name="quantile")
assert "smoothness" in model.to_json()

levels = {}
for quantile in (0.1, 0.9):
    copy = keras.models.clone_model(model)
    copy.compile(keras.optimizers.Adam(0.01), PinballLoss(quantile), metrics=[below])
    keep = KeepBest()
    parts = {"callbacks": [keep, keras.callbacks.LearningRateScheduler(schedule)], "verbose": 0}
    history = copy.fit(curves[train], y[train], epochs=25, validation_data=(curves[held], y[held]), **parts).history
    assert np.isclose(keep.rates[9], 0.01)
    assert np.isclose(keep.rates[-1], 0.01 * 0.9**15)
    assert np.isclose(min(history["val_loss"]), keep.best)
    kernel = copy.layers[-2].get_weights()[0]
    assert np.std(np.diff(kernel, axis=0)) < 0.5 * np.std(kernel)
    levels[quantile] = copy.evaluate(curves[test], y[test], verbose=0)[1]
    assert abs(levels[quantile] - quantile) < 0.06
print(f"custom parts: {levels[0.1]:.0%} of the targets below the 10 % quantile, {levels[0.9]:.0%} below the 90 %")
