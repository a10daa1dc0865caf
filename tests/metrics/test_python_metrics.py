"""Metrics of Python code in compile: they see what the network predicts in each step, batch after batch."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, losses, metrics, models, ops
from thalweg.callbacks import EarlyStopping, LambdaCallback
from thalweg.errors import ArgumentError, ShapeError
from thalweg.models.bursts import Bursts
from thalweg.saving import register_keras_serializable

X = np.random.default_rng(0).normal(size=(100, 4)).astype("f")
LABELS = X[:, :3].argmax(1)


@register_keras_serializable()
class Seen(metrics.Metric):
    """The share of rows whose class is right, in Keras's words, and what it was given."""

    def __init__(self, name="seen", **kwargs):
        super().__init__(name=name, **kwargs)
        self.right = self.add_variable(shape=(), initializer="zeros", name="right")
        self.rows = self.add_weight(name="rows", initializer="zeros")
        self.batches = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.append((np.array(y_true), np.array(y_pred)))
        equal = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        self.right.assign_add(ops.sum(ops.cast(equal, "float32")))
        self.rows.assign(self.rows + len(y_true))

    def result(self):
        return self.right / self.rows

    def get_config(self):
        return {"name": self.name}


def compiled(*own, engine="native"):
    network = [layers.Dense(8, "relu", input_dim=4), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]
    model = Sequential(network, seed=0, engine=engine)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", *own])
    return model


@pytest.mark.parametrize("engine", ["native", "reference", "jax"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_it_is_the_score_of_the_engine(engine, shuffle):
    if engine == "jax":
        pytest.importorskip("jax")
    ours, plain = compiled(Seen(), engine=engine), compiled(engine=engine)
    options = {"batch_size": 16, "epochs": 3, "validation_split": 0.3, "shuffle": shuffle, "verbose": 0}
    history, wanted = ours.fit(X, LABELS, **options).history, plain.fit(X, LABELS, **options).history
    assert np.allclose(history["seen"], history["accuracy"])
    assert np.allclose(history["val_seen"], history["val_accuracy"])
    assert history["loss"] == wanted["loss"]
    assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True))
    scores = ours.evaluate(X, LABELS, verbose=0)
    assert np.isclose(scores[2], scores[1])
    step = ours.train_on_batch(X[:8], LABELS[:8])
    assert np.isclose(step[2], step[1])


@pytest.mark.parametrize("lanes", [1, 2])
def test_it_gets_targets_as_they_were_given_batch_by_batch(lanes):
    metric = Seen()
    model = compiled(metric)
    before = model.predict(X[:32])
    model.fit(X, LABELS, batch_size=32, shuffle=False, verbose=0, lanes=lanes)
    assert [len(y) for y, _ in metric.batches] == [32, 32, 32, 4]
    assert np.array_equal(np.concatenate([y for y, _ in metric.batches]), LABELS)
    assert metric.batches[0][0].dtype == LABELS.dtype
    assert metric.batches[0][1].shape == (32, 3)
    assert not np.array_equal(metric.batches[0][1], before)  # dropout was on
    metric.batches.clear()
    model.evaluate(X, LABELS, batch_size=50, verbose=0)
    assert np.allclose(np.concatenate([p for _, p in metric.batches]), model.predict(X), atol=1e-6)
    assert len(metric.batches) == 2


def test_streams_weights_and_callbacks_go_with_it():
    def parts():
        for k in range(0, 100, 20):
            yield X[k : k + 20], LABELS[k : k + 20], np.ones(20)

    metric, seen = Seen(), []
    model = compiled(metric)
    listener = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["seen"]))
    history = model.fit(parts(), validation_data=parts(), verbose=0, callbacks=[listener, EarlyStopping("val_seen")])
    assert len(seen) == 5
    assert seen[-1] == history.history["seen"][0]
    assert np.allclose(history.history["seen"], history.history["accuracy"])
    assert np.allclose(history.history["val_seen"], history.history["val_accuracy"])
    assert np.isclose(*model.evaluate(parts(), verbose=0)[1:])


def test_each_output_has_its_own():
    x = Input((4,))
    first, second = Seen("first"), metrics.MeanMetricWrapper(losses.mean_squared_error, "second")
    model = Model(x, [layers.Dense(3, activation="softmax", name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy", first], ["mse", second]])
    history = model.fit(X, [LABELS, X[:, :1]], epochs=2, verbose=0).history
    assert np.allclose(history["a_first"], history["a_accuracy"])
    assert np.allclose(history["b_second"], history["b_mse"], rtol=1e-5)


def test_a_saved_model_has_it_again(tmp_path):
    model = compiled(Seen(), metrics.MeanIoU(3, sparse_y_pred=False))
    model.fit(X, LABELS, verbose=0)
    model.save(tmp_path / "m.safetensors")
    loaded = models.load_model(tmp_path / "m.safetensors")
    assert np.allclose(loaded.evaluate(X, LABELS, verbose=0), model.evaluate(X, LABELS, verbose=0))


def test_what_cannot_be_is_said():
    class Pair(Seen):
        def result(self):
            return np.array([1.0, 2.0])

    with pytest.raises(ShapeError, match=r"a history keeps one number, and result\(\) has 2"):
        compiled(Pair()).fit(X, LABELS, verbose=0)
    with pytest.raises(ArgumentError, match="Bursts runs many steps at once, and 'seen' is a metric of Python"):
        Bursts(compiled(Seen()), X, LABELS)


Y = np.array([0, 1, 2, 2, 1, 0, 3, 255])
P = np.array([0, 1, 1, 2, 1, 2, 3, 0])
W = np.array([1, 2, 3, 1, 1, 2, 1, 5])
SHARES = np.random.default_rng(1).uniform(size=(8, 4))
HOT = np.eye(4)[Y % 4]
CALLS = [
    ("IoU(4, [0, 2])", Y, P),
    ("IoU(num_classes=4, target_class_ids=[1], name='one', ignore_class=2)", Y, P),
    ("IoU(4, [0, 3], sparse_y_pred=False)", Y, SHARES),
    ("IoU(4, (0, 3), sparse_y_true=False, sparse_y_pred=False)", HOT, SHARES),
    ("MeanIoU(num_classes=4)", Y, P),
    ("MeanIoU(5, ignore_class=1)", Y, P),
    ("MeanIoU(4)", Y.reshape(2, 4), P.reshape(2, 4)),
    ("MeanIoU(4, sparse_y_pred=False, axis=-1)", Y, SHARES),
    ("BinaryIoU()", Y % 2, SHARES[:, 0]),
    ("BinaryIoU(target_class_ids=[1], threshold=0.3)", Y % 2, SHARES[:, 0]),
    ("OneHotIoU(4, [0, 2])", HOT, SHARES),
    ("OneHotIoU(4, [1], ignore_class=0, sparse_y_pred=True)", HOT, P),
    ("OneHotMeanIoU(num_classes=4)", HOT, SHARES),
]


@pytest.mark.parametrize(("call", "y", "p"), CALLS, ids=[c for c, _, _ in CALLS])
@pytest.mark.filterwarnings("ignore:You are passing weight", "ignore:Explicitly requested dtype")
def test_overlaps_are_keras_s(keras, call, y, p):
    ours, theirs = (eval(f"m.{call}", {"m": m}) for m in (metrics, keras.metrics))
    assert ours.name == theirs.name or ours.name == theirs.name.rstrip("_0123456789")
    for metric in (ours, theirs):
        metric.update_state(y, p)
    assert np.isclose(ours.result(), float(theirs.result()), atol=1e-6)
    weights = W.reshape(2, 4) if y.shape == (2, 4) else W
    for metric in (ours, theirs):
        metric.update_state(y, p, weights)
    assert np.isclose(ours.result(), float(theirs.result()), atol=1e-6)
    config = theirs.get_config()
    assert {k: config[k] for k in ours.get_config() if k != "name"} == {
        k: v for k, v in ours.get_config().items() if k != "name"
    }
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    ours.reset_state()
    assert ours.result() == 0


def test_what_an_overlap_cannot_be_is_said():
    with pytest.raises(ArgumentError, match="target_class_ids has 4, of 4 classes"):
        metrics.IoU(4, [4])
    with pytest.raises(ShapeError, match="8 classes in y_true and 32 in y_pred: sparse_y_pred=False"):
        metrics.MeanIoU(4)(Y, SHARES)
