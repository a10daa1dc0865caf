"""The epoch whose weights a run on images keeps, and that its numbers are those of these weights."""

import signal
import threading

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.callbacks import Callback
from thalweg.data.images import Images
from thalweg.runs import image_options, image_run
from thalweg.runs.image_options import BestEpoch, ImageOptions
from thalweg.runs.reports.pages import stored_subject


class Put(Callback):
    """Sets the only weight to the number of the epoch, and its accuracy to a given one."""

    def __init__(self, accuracies):
        self.accuracies = accuracies

    def on_epoch_end(self, epoch, logs=None):
        self.model.set_weights([np.full((1, 1), epoch + 1.0)])
        logs["val_accuracy"] = self.accuracies[epoch]


@pytest.mark.parametrize(
    ("accuracies", "rows", "kept"),
    [
        ([0.5, 0.929, 0.7, 0.673], 80, 2),  # the last is far below: the best is kept
        ([0.5, 0.93, 0.70, 0.925, 0.7], 80, 4),  # one that can't be told from the best, and later
        ([0.5, 0.93, 0.92, 0.91], 80, 4),
        ([0.5, 0.93, 0.92, 0.91], 100_000, 2),  # of so many rows, it can be told
        ([0.93, 0.92, 0.9, 0.99, 0.93], 80, 4),  # what was near enough to the best before no longer is
        ([0.2, 0.2, 0.2], 80, 3),
        ([0.3], 80, 1),
        ([1.0, 0.99, 0.5], 80, 2),  # all right by luck
    ],
)
def test_the_latest_epoch_that_is_as_good_as_the_best_is_kept(accuracies, rows, kept):
    model = Sequential([thalweg.Input((1,)), layers.Dense(1, use_bias=False)], seed=0)
    model.compile("sgd", "mse")
    best = BestEpoch(rows)
    model.fit([[0.0]], [0.0], epochs=len(accuracies), verbose=0, callbacks=[Put(accuracies), best])
    assert (best.epoch, best.score) == (kept, accuracies[kept - 1])
    assert model.get_weights()[0] == kept


def spots(rows, seed=0, mistaken=0.0):
    """A bright spot on the left (0) or on the right (1), in noise; some are called by the other name."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    x = random.integers(0, 120, (rows, 8, 8, 1), np.uint8)
    for image, kind in zip(x, y, strict=True):
        at = random.integers(1, 5), random.integers(0, 2) + 4 * kind
        image[at[0] : at[0] + 2, at[1] : at[1] + 2] = 220
    wrong = random.random(rows) < mistaken
    return Images(x, np.where(wrong, 1 - y, y), ("left", "right"), "spots")


@pytest.fixture
def spoiled(monkeypatch, tmp_path):
    """Options of a training whose weights are spoilt in the last epoch."""

    class Spoils(BestEpoch):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == 18:
                self.model.set_weights([-array for array in self.model.get_weights()])

    monkeypatch.setattr(image_options, "BestEpoch", Spoils)
    return ImageOptions(model="mlp", epochs=20, batch_size=16, seed=0, lanes=1, validation_share=0.3)


def test_scores_report_and_predictions_are_those_of_the_kept_weights(spoiled, tmp_path):
    run = image_run.train(spots(300), spoiled)
    (member,) = run.facts["members"]
    history = [record["val_accuracy"] for record in run.history]
    assert history[-1] < 0.6 < member["score"] == history[member["best epoch"] - 1]
    assert member["best epoch"] < member["epochs"] == 20
    assert run.facts["held-out"]["accuracy"] > 0.9
    assert (run.evidence.held.predicted.argmax(axis=1) == run.evidence.held.truth).mean() > 0.9
    run.save(tmp_path / "run", ["thalweg"])
    loaded = thalweg.load_run(tmp_path / "run")
    told = [text for text in stored_subject(tmp_path / "run").facts if text[0]["en"] == "weights kept"]
    assert told[0][1]["en"] == f"those of epoch {member['best epoch']} of 20"
    assert image_run.score(loaded, spots(200, seed=1)).values["accuracy"] > 0.9


def test_the_terminal_says_which_epoch_was_kept(run_thalweg, tmp_path):
    images = spots(120)
    np.savez(tmp_path / "a.npz", x=images.x, y=images.y)
    train = ("train", "a.npz", "--model", "mlp", "--epochs", "3", "--seed", "0", "--no-report")
    code, out, error = run_thalweg(*train, "--out", "run")
    assert code == 0, error
    assert "network  epochs  kept  rows held out  accuracy" in out
    assert "network  epochs  kept  rows held out  accuracy" in run_thalweg("inspect", "run")[1]
    code, out, error = run_thalweg(*train, "--validation-share", "0", "--out", "run2")
    assert code == 0, error
    assert "kept" not in out.partition("held-out score")[0].partition("trained")[2]


def test_an_interrupted_training_keeps_its_best_epoch_too(spoiled):
    """Ctrl-C after the weights were spoilt, and before the last epoch."""
    real = image_options.BestEpoch

    class Presses(real):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == 18:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    image_options.BestEpoch = Presses
    try:
        run = image_run.train(spots(300), spoiled)
    finally:
        image_options.BestEpoch = real
    assert run.facts["interrupted"]
    assert run.facts["members"][0]["best epoch"] <= 19
    assert run.facts["held-out"]["accuracy"] > 0.9


def test_early_stopping_keeps_the_best_epoch_too():
    options = ImageOptions(
        model="mlp",
        epochs=100,
        batch_size=16,
        learning_rate=0.01,
        early_stopping=3,
        seed=0,
        lanes=1,
        validation_share=0.3,
    )
    run = image_run.train(spots(200, mistaken=0.2), options)
    (member,) = run.facts["members"]
    assert member["epochs"] == len(run.history) < 100


def test_balanced_weights_raise_the_recall_of_a_rare_class(tmp_path):
    """One in twenty, hard to see; the control, without weights, misses more of them."""
    random = np.random.default_rng(0)

    def rare(rows, seed):
        images = spots(rows, seed)
        keep = (images.y == 0) | (np.arange(rows) % 40 == 1)
        x = np.clip(images.x.astype(int) + random.normal(0, 60, images.x.shape), 0, 255).astype(np.uint8)
        return Images(x[keep], images.y[keep], images.classes, "rare")

    learned, held = rare(1600, 1), rare(1600, 2)
    recall = {}
    for weight in (None, "balanced"):
        options = ImageOptions(model="mlp", epochs=6, seed=0, lanes=1, class_weight=weight)
        shares = image_run.train(learned, options).model.predict(held.x, verbose=0)
        recall[weight] = (shares.argmax(axis=1)[held.y == 1] == 1).mean()
    assert recall["balanced"] > recall[None] + 0.1


def test_an_unknown_class_weight_is_named():
    with pytest.raises(thalweg.errors.ArgumentError, match="unknown class weight 'balance'; did you mean 'balanced'"):
        image_run.train(spots(40), ImageOptions(class_weight="balance"))
