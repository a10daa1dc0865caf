"""Center loss: its equations in NumPy over 50 steps, on any lanes, blocks and chunks, saved, loaded; what it does."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from thalweg import Sequential, compare, load_model, losses
from thalweg.callbacks import BackupAndRestore, LambdaCallback
from thalweg.engine.native.scheduling import blocks
from thalweg.errors import ArgumentError, DataError, DivergedError, ModelFileError, NotFoundError, ShapeError
from thalweg.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Normalization
from thalweg.losses import CenterLoss
from thalweg.models import trainer as training
from thalweg.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
N, CLASSES = 320, 4
X = RNG.normal(size=(N, 6)).astype(np.float32)
Y = RNG.integers(0, CLASSES, N)
WEIGHTS = (RNG.integers(0, 9, N) / 4).astype(np.float32)
CENTERS = "loss/centers"
ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def network(loss=None, optimizer=None, seed=1, **options):
    model = Sequential([Input((6,)), Dense(8, "tanh"), Dense(3), Dense(CLASSES, "softmax")], seed=seed, **options)
    model.compile(optimizer or SGD(0.1), loss or CenterLoss(0.3, 0.5), ["accuracy"])
    return model


def centers(model):
    return model.training_state()[CENTERS].copy()


def bits(model):
    return b"".join(w.tobytes() for w in [*model.get_weights(), centers(model)])


# --- the equations ---------------------------------------------------------------------------------------------------


def step(weights, c, x, y, w, weight, alpha, rate, total=False):
    """One step of gradient descent, written out; returns the loss before it."""
    W1, b1, W2, b2, W3, b3 = weights
    a = np.tanh(x @ W1 + b1)
    features = a @ W2 + b2
    h = features @ W3 + b3
    p = np.exp(h - h.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows, one_hot = len(x), np.eye(CLASSES)[y]
    away = features - c[y]
    scale = (w if total else w / rows)[:, None]
    loss = (scale[:, 0] * (-np.log(p[np.arange(rows), y]) + weight / 2 * (away**2).sum(axis=1))).sum()
    dh = scale * (p - one_hot)
    dfeatures = dh @ W3.T + scale * weight * away
    da = (dfeatures @ W2.T) * (1 - a**2)
    gradients = (x.T @ da, da.sum(0), a.T @ dfeatures, dfeatures.sum(0), features.T @ dh, dh.sum(0))
    for value, gradient in zip(weights, gradients, strict=True):
        value -= rate * gradient
    n = one_hot.T @ w
    c -= alpha * (one_hot * w[:, None]).T @ -away / (1 + n[:, None])
    return loss


@pytest.mark.parametrize(("lanes", "block"), [(0, 0), (1, 0), (2, 0), (3, 0), (2, 1)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("total", [False, True])
def test_fifty_steps_follow_the_equations(lanes, block, weighted, total, monkeypatch):
    """lanes 0: the reference engine, in float64. block: blocks of 64 rows, so that a lane has several in a batch."""
    if block:
        monkeypatch.setattr(blocks, "WORKSPACE_BYTES", 1)
    batch, rate = 260 if block else 64, 0.001 if total else 0.1
    loss = CenterLoss(0.3, 0.6, reduction="sum" if total else "sum_over_batch_size")
    options = {} if lanes else {"engine": "reference", "dtype": "float64"}
    model = network(loss, SGD(rate), **options)
    weights, c = [w.astype(np.float64) for w in model.get_weights()], np.zeros((CLASSES, 3))
    w = WEIGHTS.astype(np.float64) if weighted else np.ones(N)
    epochs = 25 if block else 10  # 50 steps
    first = 0.0
    for number in range(50):
        k = number % -(-N // batch)
        rows = slice(k * batch, min(N, (k + 1) * batch))
        value = step(weights, c, X[rows].astype(np.float64), Y[rows], w[rows], 0.3, 0.6, rate, total)
        if number < -(-N // batch):
            first += value * (len(X[rows]) / N)
    history = model.fit(
        X, Y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0, lanes=lanes or None,
        sample_weight=WEIGHTS if weighted else None,
    ).history  # fmt: skip
    assert model.optimizer.iterations == 50
    tolerance = 1e-4 if lanes else 1e-10
    assert history["loss"][0] == pytest.approx(first, rel=tolerance)
    for one, other in zip([*model.get_weights(), centers(model)], [*weights, c], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance / 10)
    assert abs(c).max() > 0.01


def test_the_gradient_of_the_whole_network_is_a_central_difference():
    model = network(engine="reference", dtype="float64")
    model.fit(X, Y, epochs=2, verbose=0)  # so that the centres aren't 0
    values, weights = model.trace(X, Y), model.get_weights()
    directions = [RNG.normal(size=w.shape) for w in weights]
    slopes = [values[name] for name in ("dW1", "db1", "dW2", "db2", "dW3", "db3")]
    gradient = sum((s * d).sum() for s, d in zip(slopes, directions, strict=True))
    found = []
    for sign in (1, -1):
        model.set_weights([w + sign * 1e-6 * d for w, d in zip(weights, directions, strict=True)])
        found.append(model.evaluate(X, Y, verbose=0)[0])
    assert gradient == pytest.approx((found[0] - found[1]) / 2e-6, rel=1e-6)


def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_none_is_no_row():
    loss = CenterLoss(0.3, 0.5, reduction="sum")
    weights = RNG.integers(0, 3, N)
    weighted, repeated = network(loss, SGD(1e-3)), network(loss, SGD(1e-3))
    one = weighted.train_on_batch(X, Y, sample_weight=weights, return_dict=True)
    two = repeated.train_on_batch(np.repeat(X, weights, axis=0), np.repeat(Y, weights), return_dict=True)
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)
    np.testing.assert_allclose(centers(weighted), centers(repeated), rtol=1e-4, atol=1e-6)
    for a, b in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_class_weights_are_row_weights():
    of_class = {0: 0.5, 1: 2.0, 2: 1.0, 3: 0.0}
    one, other = network(), network()
    one.fit(X, Y, epochs=2, verbose=0, class_weight=of_class)
    other.fit(X, Y, epochs=2, verbose=0, sample_weight=[of_class[k] for k in Y])
    assert bits(one) == bits(other)
    assert not centers(one)[3].any()  # no row has counted


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_a_weight_it_is_the_cross_entropy(smoothing):
    plain, center = (
        network(loss)
        for loss in (losses.SparseCategoricalCrossentropy(False, smoothing), CenterLoss(0, 0.5, False, smoothing))
    )
    for model in (plain, center):
        model.fit(X, Y, epochs=3, verbose=0)
    assert [w.tobytes() for w in plain.get_weights()] == [w.tobytes() for w in center.get_weights()]
    assert abs(centers(center)).max() > 0  # they follow the features all the same


def test_logits_are_the_same_as_a_softmax_layer():
    fused, logits = network(), Sequential([Input((6,)), Dense(8, "tanh"), Dense(3), Dense(CLASSES)], seed=1)
    logits.compile(SGD(0.1), CenterLoss(0.3, from_logits=True), ["accuracy"])
    for model in (fused, logits):
        model.fit(X, Y, epochs=2, verbose=0)
    assert bits(fused) == bits(logits)


@pytest.mark.parametrize("lanes", [1, 2])
def test_images_with_batch_statistics_on_both_engines(lanes):
    """Features that a Flatten brings, in a program whose lanes meet between the rows' instructions, too."""
    x = RNG.normal(size=(80, 6, 6, 1)).astype(np.float32)
    y = RNG.integers(0, CLASSES, 80)

    def trained(**options):
        layers = [Conv2D(3, 3), BatchNormalization(), Flatten(), Dropout(0.2), Dense(CLASSES, "softmax")]
        model = Sequential([Input((6, 6, 1)), *layers], seed=4, **options)
        model.compile(SGD(0.05), CenterLoss(0.1))
        model.fit(x, y, batch_size=30, epochs=2, verbose=0, lanes=lanes if not options else None)
        return model

    native, reference = trained(), trained(engine="reference", dtype="float64")
    assert centers(native).shape == (CLASSES, 48)
    for one, other in zip(
        [*native.get_weights(), centers(native)], [*reference.get_weights(), centers(reference)], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)


# --- the centres as a part of the training ---------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [1, 2])
def test_the_same_bits_again_and_in_other_chunks(lanes, monkeypatch):
    found = []
    for seconds in (0.1, 1e-9, 1e9):
        monkeypatch.setattr(training, "CHUNK_SECONDS", seconds)
        model = network(optimizer=Adam())
        history = model.fit(X, Y, epochs=5, verbose=0, lanes=lanes, sample_weight=WEIGHTS).history
        found.append((bits(model), history))
    heard = network(optimizer=Adam())
    listener = LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    history = heard.fit(X, Y, epochs=5, verbose=0, lanes=lanes, sample_weight=WEIGHTS, callbacks=[listener]).history
    found.append((bits(heard), history))
    assert found[0] == found[1] == found[2] == found[3]


def test_evaluation_and_prediction_read_the_centres_only():
    model = network()
    model.fit(X, Y, epochs=2, verbose=0)
    before = bits(model)
    one = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0, lanes=2) == pytest.approx(one, rel=1e-6)
    model.predict(X)
    model.trace(X, Y)
    model.profile(32, repeats=1)
    assert bits(model) == before


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.1), lambda: Adam(use_ema=True)])
def test_saved_and_loaded_it_goes_on_bit_for_bit(optimizer, tmp_path):
    whole, first = network(optimizer=optimizer()), network(optimizer=optimizer())
    whole.fit(X, Y, epochs=3, verbose=0)
    first.fit(X, Y, epochs=3, verbose=0)
    first.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert again.loss == first.loss
    assert np.array_equal(centers(again), centers(first))
    assert again.evaluate(X, Y, verbose=0) == first.evaluate(X, Y, verbose=0)
    for model in (whole, again):
        model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert bits(again) == bits(whole)
    weights_only = network()
    weights_only.load_weights(tmp_path / "m")
    assert not centers(weights_only).any()


def test_a_fit_that_was_cut_off_goes_on_bit_for_bit(tmp_path):
    whole, cut = network(optimizer=Adam()), network(optimizer=Adam())
    whole.fit(X, Y, epochs=4, verbose=0)

    class Crash(RuntimeError):
        pass

    def crash(epoch, logs):
        if epoch == 2:
            raise Crash

    with pytest.raises(Crash):
        cut.fit(X, Y, epochs=4, verbose=0, callbacks=[LambdaCallback(on_epoch_end=crash), BackupAndRestore(tmp_path)])
    fresh = network(optimizer=Adam())
    fresh.fit(X, Y, epochs=4, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert fresh.optimizer.iterations == whole.optimizer.iterations
    assert bits(fresh) == bits(whole)


def test_a_file_without_centres_or_with_too_many_is_refused(tmp_path):
    plain, center = network("sparse_categorical_crossentropy"), network()
    plain.save(tmp_path / "plain")
    center.save(tmp_path / "center")
    before = bits(center)
    with pytest.raises(ModelFileError, match=r"loss/centers has the shape \(4, 3\), in the file it isn't there"):
        center.load_state(tmp_path / "plain")
    assert bits(center) == before
    with pytest.raises(ModelFileError, match="unexpected"):
        plain.load_state(tmp_path / "center")


def test_compile_begins_anew():
    model = network()
    model.fit(X, Y, verbose=0)
    assert centers(model).any()
    model.compile(SGD(0.1), CenterLoss())
    assert not centers(model).any()


def test_when_it_diverges_the_last_finite_centres_are_kept():
    model = network(CenterLoss(1.0, 1.0), SGD(1e4))
    with pytest.raises(DivergedError):
        model.fit(X, Y, epochs=50, verbose=0)
    assert np.isfinite(centers(model)).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_frozen_layers_keep_their_weights_while_the_centres_follow():
    model = network()
    for layer in model.layers[:2]:
        layer.trainable = False
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    assert [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)] == [True] * 4 + [False] * 2
    assert centers(model).any()


def test_it_comes_back_from_its_description():
    loss = CenterLoss(0.2, 0.7, label_smoothing=0.1)
    assert losses.get(losses.serialize(loss)) == loss
    assert losses.get("center_loss") == losses.get("CenterLoss") == CenterLoss(0.003, 0.5)
    words = ("formula", "derivative", "range", "use", "avoid", "paper")
    assert all(getattr(loss, word) for word in words)


def test_compare_offers_it():
    found = compare("loss", X, Y, entries=["center_loss", "sparse_categorical_crossentropy"], epochs=2, seeds=1)
    assert {entry.name for entry in found.entries} == {"center_loss", "sparse_categorical_crossentropy"}
    assert not any(run.diverged for entry in found.entries for run in entry.runs)


def one_layer():
    model = Sequential([Input((6,)), Dense(CLASSES, "softmax")])
    model.compile("sgd", "center_loss")
    model.fit(X, Y)


def several_labels_a_row():
    model = Sequential([Input((2, 6)), Dense(3), Dense(CLASSES, "softmax")])
    model.compile("sgd", "center_loss")
    model.fit(np.zeros((4, 2, 6)), np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: CenterLoss(-1), ArgumentError, "CenterLoss's weight"),
        (lambda: CenterLoss(alpha=1.5), ArgumentError, "CenterLoss's alpha"),
        (lambda: CenterLoss(reduction="none"), ArgumentError, "reduction can't be None"),
        (lambda: CenterLoss()([0], [[0.5, 0.5]]), ArgumentError, "needs a network's features"),
        (lambda: network().fit(X, Y + 1, verbose=0), DataError, "labels have to be whole numbers from 0 to 3"),
        (one_layer, ArgumentError, "needs a layer with weights before that one"),
        (several_labels_a_row, ShapeError, "needs one class a row"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


# --- what it does ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example():
    path = ROOT / "examples" / "center_loss.py"
    spec = importlib.util.spec_from_file_location("center_loss", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ratios(example, x, y, epochs, **options):
    """Between-class over within-class variance of the features, with the cross-entropy and with the center loss."""
    found = []
    for loss in ("sparse_categorical_crossentropy", CenterLoss(0.1, 0.5)):
        model = example.network(loss, **options)
        model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
        points = example.features(model, x)
        assert points.shape == (len(x), 2)
        np.testing.assert_allclose(  # they are the features: the last layer makes the predictions of them
            softmax(points @ model.get_weights()[-2] + model.get_weights()[-1]), model.predict(x), atol=1e-5
        )
        found.append(example.spread(points, y))
    return found


def softmax(h):
    e = np.exp(h - h.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_the_features_of_a_class_gather(example):
    """Five clouds of points as small images."""
    random = np.random.default_rng(3)
    y = random.integers(0, 5, 1000)
    x = 128 + 60 * random.normal(size=(5, 36))[y] + 60 * random.normal(size=(1000, 36))
    x = np.clip(x, 0, 255).astype(np.uint8).reshape(-1, 6, 6, 1)
    plain, center = ratios(example, x, y, 15, shape=(6, 6, 1), classes=5)
    assert center > 1.5 * plain


def test_the_features_of_digits_gather(example):
    path = SHARED / "mnist.npz"
    if not path.is_file():
        pytest.skip("the data isn't here")
    (x, y), _ = example.digits(path, 5000)
    plain, center = ratios(example, x, y, 10)
    assert center > 1.5 * plain


def test_the_spread_is_what_it_says(example):
    points = np.array([[0.0, 1.0], [0.0, -1.0], [4.0, 1.0], [4.0, -1.0]])
    assert example.spread(points, np.array([0, 0, 1, 1])) == pytest.approx(16 / 4)
    with pytest.raises(NotFoundError, match=r"there is no file or folder nowhere\.npz"):
        example.digits("nowhere.npz")


def test_statistics_of_the_inputs_are_no_weights():
    """The features are what the last layer with weights reads, and a Normalization in front has none to learn."""
    norm = Normalization(mean=0.5, variance=4.0)
    model = Sequential([Input((6,)), norm, Dense(CLASSES, "softmax")])
    model.compile("sgd", "center_loss")
    with pytest.raises(ArgumentError, match="needs a layer with weights before"):
        model.fit(X, Y, verbose=0)
