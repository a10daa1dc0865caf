"""Programs as Keras's guides have them around data and metrics: the same text runs here, and where it can in Keras."""

import numpy as np
import pytest

import thalweg

X = np.random.default_rng(0).normal(size=(70, 4)).astype("f")
LABELS = X[:, :3].argmax(1)
WEIGHTS = [np.random.default_rng(k).normal(size=shape).astype("f") for k, shape in enumerate([(4, 3), (3,)])]

METRIC = """
class CategoricalTruePositives(keras.metrics.Metric):
    def __init__(self, name="categorical_true_positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true_positives = self.add_variable(shape=(), name="ctp", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = keras.ops.argmax(y_pred, axis=1)
        values = keras.ops.cast(y_true, "int32") == keras.ops.cast(y_pred, "int32")
        values = keras.ops.cast(values, "float32")
        self.true_positives.assign_add(keras.ops.sum(values))

    def result(self):
        return self.true_positives.value

    def reset_state(self):
        self.true_positives.assign(0)
"""
MODEL = """
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
model.set_weights(WEIGHTS)
model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=METRICS)
"""
DATASET = """
class Rows(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, idx):
        low = idx * self.batch_size
        high = min(low + self.batch_size, len(self.x))
        return self.x[low:high], self.y[low:high]
"""
PROGRAMS = {
    "a metric of one's own": METRIC
    + MODEL.replace("METRICS", '["accuracy", CategoricalTruePositives()]')
    + "h = model.fit(X, LABELS, batch_size=16, epochs=3, shuffle=False, validation_split=0.2, verbose=0).history\n"
    "r = [h[k] for k in sorted(h)] + [model.evaluate(X, LABELS, verbose=0)]",
    "a dataset": "import math\n"
    + DATASET
    + MODEL.replace("METRICS", '["accuracy"]')
    + "data = Rows(X, LABELS, 16, workers=1, max_queue_size=4)\n"
    "h = model.fit(data, epochs=2, shuffle=False, validation_data=Rows(X, LABELS, 32), verbose=0).history\n"
    "r = [h[k] for k in sorted(h)] + [model.evaluate(data, verbose=0), model.predict(data, verbose=0)]",
    "a generator of uneven batches": MODEL.replace("METRICS", "None") + "def batches():\n"
    "    while True:\n"
    "        for low, high in ((0, 10), (10, 40), (40, 45), (45, 70)):\n"
    "            yield X[low:high], LABELS[low:high]\n"
    "h = model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0).history\n"
    "r = [model.get_weights()[0]]",
    "overlap of classes": MODEL.replace("METRICS", "[keras.metrics.MeanIoU(3, sparse_y_pred=False)]")
    + "h = model.fit(X, LABELS, batch_size=16, epochs=2, shuffle=False, verbose=0).history\n"
    "r = [h[k] for k in sorted(h)]",
}


def outcome(program, keras):
    names = {"keras": keras, "X": X, "LABELS": LABELS, "WEIGHTS": WEIGHTS}
    exec(program, names)
    return [np.asarray(value, np.float64) for value in names["r"]]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype", "ignore:`shuffle=True`", "ignore:__array__")
def test_it_gives_keras_s_numbers(keras, program):
    for ours, theirs in zip(outcome(program, thalweg), outcome(program, keras), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-5)


def test_workers_keep_the_order():  # which Keras's, with several, don't
    program = PROGRAMS["a dataset"]
    several = outcome(program.replace("workers=1", "workers=3"), thalweg)
    assert all(np.array_equal(a, b) for a, b in zip(outcome(program, thalweg), several, strict=True))


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_it_runs_here(program):
    assert all(np.isfinite(value).all() for value in outcome(program, thalweg))
