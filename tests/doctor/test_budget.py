"""The doctor's work is bounded: by its size, and by the seconds that he is given."""

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.linear_model

from thalweg import Model, Sequential, layers
from thalweg.doctor import RULES, diagnose, yardsticks
from thalweg.doctor.case import Case
from thalweg.optimizers import Adam
from thalweg.recordings.recording import Recording, Sample

RANDOM = np.random.default_rng(0)
CLASSES = "sparse_categorical_crossentropy"


def facts_of(classes):
    return {"loss": CLASSES, "target_kind": "classes", "class_counts": [2] * classes}


@pytest.fixture
def decomposed(monkeypatch):
    """The shapes of the matrices whose eigenvectors are asked for."""
    shapes, eigh = [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (shapes.append(matrix.shape), eigh(matrix))[1])
    return shapes


def test_of_wide_rows_the_smaller_side_is_decomposed(decomposed):
    x = RANDOM.integers(0, 256, (90, 12 * 12 * 3)).astype(np.uint8)
    assert yardsticks.yardsticks(facts_of(3), Sample(x.reshape(90, 12, 12, 3), RANDOM.integers(0, 3, 90)), 1.0)
    assert decomposed == [(45, 45)]


@pytest.mark.parametrize("shape", [(80, 300), (300, 80)], ids=["wide", "long"])
def test_both_sides_give_the_same_directions(shape):
    rows = RANDOM.normal(size=shape) * np.geomspace(1, 30, shape[1])
    found = yardsticks.directions(rows)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    assert found.shape == (shape[1], yardsticks.WIDTH)
    np.testing.assert_allclose(abs((found * vectors[:, : -yardsticks.WIDTH - 1 : -1]).sum(axis=0)), 1, atol=1e-6)


def test_the_forest_learns_components_of_many_outputs_and_gives_all(monkeypatch):
    learned, fit = [], sklearn.ensemble.ExtraTreesRegressor.fit
    monkeypatch.setattr(
        sklearn.ensemble.ExtraTreesRegressor, "fit", lambda self, x, y: (learned.append(y.shape), fit(self, x, y))[1]
    )
    x = RANDOM.normal(size=(200, 5))
    y = x @ RANDOM.normal(size=(5, 500)) + 3
    found = yardsticks.yardsticks({"loss": "mean_squared_error", "target_kind": "numbers"}, Sample(x, y), y.var())
    assert learned == [(100, yardsticks.WIDTH)]
    assert {name: part.shape for name, part in found.predicted.items()} == dict.fromkeys(
        ("linear", "forest"), (100, 500)
    )
    assert found.linear > 0.99
    assert found.forest > 0.4


def test_many_classes_have_a_linear_model_too(monkeypatch):
    def never(*given):
        raise AssertionError("its time grows with the classes")

    monkeypatch.setattr(sklearn.linear_model.LogisticRegression, "fit", never)
    centers, y = RANDOM.normal(size=(500, 30)), np.arange(2000) % 500
    x = centers[y] + 0.3 * RANDOM.normal(size=(2000, 30))
    found = yardsticks.yardsticks(facts_of(500), Sample(x, y), np.log(500))
    assert found.linear > 0.5


# --- seconds ---------------------------------------------------------------------------------------------------------


def trained(x, y, epochs=6, **how):
    model = Sequential([layers.Dense(8, "relu"), layers.Dense(2, "softmax")], seed=0)
    model.compile(Adam(0.01), CLASSES)
    model.fit(x, y, epochs=epochs, verbose=0, record=True, **how)
    return model


X = RANDOM.normal(size=(200, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def test_what_would_take_too_long_is_named_with_its_seconds():
    model = trained(X, Y, epochs=200, validation_split=0.25)
    found = diagnose(model.recording, lambda x: model.predict(x, verbose=0), seconds=0.0)
    late = {rule for rule, why in found.not_checked.items() if why["en"].startswith("it would take about ")}
    assert late == {"leaking column", "imbalance", "no better than a linear model"}
    assert found.not_checked["leaking column"]["zh"].startswith("大約需要 ")
    assert set(found.checked) | late == set(RULES)
    assert "it would take" not in str(diagnose(model.recording, lambda x: model.predict(x, verbose=0), seconds=600.0))


def test_compiling_is_not_counted():
    from thalweg.doctor.budget import Budget
    from thalweg.support.stopwatch import compiling

    budget = Budget(5.0)
    compiling.seconds += 100.0
    try:
        assert budget.left > 5.0
    finally:
        compiling.seconds -= 100.0


# --- reasons ---------------------------------------------------------------------------------------------------------


def why(diagnosis, rule):
    return diagnosis.not_checked[rule]["en"]


def test_without_a_recording_nothing_untrue_is_said_of_loss_and_target():
    model = Sequential([layers.Dense(2, "softmax")], seed=0)
    model.compile(Adam(0.01), CLASSES)
    model.fit(X, Y, epochs=3, verbose=0)
    reasons = {why["en"] for why in model.diagnose().not_checked.values()}
    assert reasons == {"only the losses are known: fit(record=True) records the rest"}


def test_reasons_are_the_true_ones():
    assert why(trained(X, Y, epochs=1, validation_split=0.5).diagnose(), "overfitting") == (
        "it takes two epochs that were validated"
    )
    some = trained(X, Y, validation_split=0.5, validation_freq=2).diagnose()
    assert why(some, "overfitting") == "some epochs were not validated: validation_freq=1"
    weighted = trained(X, Y, class_weight={0: 2.0, 1: 1.0}).diagnose()
    assert why(weighted, "stalled").endswith("isn't known for weighted rows: validate on others")
    weighted = trained(X, Y, class_weight={0: 2.0, 1: 1.0}, validation_split=0.5).diagnose()
    assert why(weighted, "overfitting").startswith("rows are weighted in the training loss")
    assert "stalled" in weighted.checked
    assert why(trained(X, 0 * Y).diagnose(), "stalled").startswith("a constant answer is always right")
    first, second = layers.Input((3,)), layers.Input((3,))
    model = Model([first, second], layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("adam", "mse")
    model.fit([X, X], X[:, :1], epochs=3, verbose=0, record=True)
    assert why(model.diagnose(), "unscaled inputs") == "of several inputs no rows are recorded"


# --- the epoch that was kept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "found"), [(None, True), (2, False), (8, True)])
def test_a_network_is_judged_by_the_epoch_whose_weights_it_has(kept, found):
    held = [0.6, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9]
    history = {"epoch": list(range(8)), "loss": np.linspace(0.7, 0.1, 8).tolist(), "val_loss": held}
    facts = {"loss": "binary_crossentropy", "target_kind": "binary", "class_counts": [50, 50], "history": history}
    names = [finding.rule for finding in diagnose(Recording(facts=facts | {"kept_epoch": kept})).findings]
    assert ("overfitting" in names) == found


def test_penalties_are_taken_out_of_a_validation_loss_that_has_them():
    facts = {"initial_penalty": 1.0, "history": {"epoch": [0, 1], "loss": [2.0, 2.0], "val_loss": [2.0, 2.0]}}
    recording = Recording(
        layers=["dense"], iterations=np.array([0, 1]), epochs=np.array([0.0, 2.0]),
        statistics={"weight_norm": np.ones((2, 1))}, facts=facts,
    )  # fmt: skip
    assert Case(recording).held_loss.tolist() == [1.0, 1.0]
    assert Case(recording.with_facts(held_penalised=False)).held_loss.tolist() == [2.0, 2.0]
