"""Losses: their formulas in plain NumPy, reductions, weights, descriptions, and both engines alike."""

import numpy as np
import pytest
from loss_statements import BITS, LABELS, ONE_HOT, PROBABILITIES, RANDOM, RAW, ROWS, TARGETS, C, N

from thalweg import Sequential, losses
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

LOSSES = pytest.mark.parametrize(("loss", "y", "p", "rows", "activation"), ROWS.values(), ids=ROWS)


def test_every_loss_has_a_row():
    tested = {type(row[0]) for row in ROWS.values()} | {losses.CenterLoss}  # see test_center_loss.py
    assert tested == set(losses.CLASSES.values())
    public = {c for c in vars(losses).values() if isinstance(c, type) and issubclass(c, losses.Loss)}
    public -= {losses.FormulaLoss, losses.FunctionLoss}  # see test_formulas.py, test_own_losses.py
    assert public - {losses.Loss} == set(losses.CLASSES.values()) == set(losses.NAMES.values())


@LOSSES
def test_loss_is_its_formula(loss, y, p, rows, activation):
    weight = np.arange(N) / 4
    assert loss(y, p) == pytest.approx(rows.mean(), rel=1e-10)
    assert loss(y, p, weight) == pytest.approx((weight * rows).sum() / N, rel=1e-10)  # Keras divides by the rows


@LOSSES
def test_reduction_sum_is_the_sum_over_the_rows(loss, y, p, rows, activation):
    total = type(loss)(**loss.get_config() | {"reduction": "sum"})
    weight = np.arange(N) / 4
    assert total(y, p) == pytest.approx(rows.sum(), rel=1e-10)
    assert total(y, p, weight) == pytest.approx((weight * rows).sum(), rel=1e-10)


@LOSSES
def test_loss_comes_back_from_its_description(loss, y, p, rows, activation):
    again = losses.get(losses.serialize(loss))
    assert again == loss
    assert losses.get(again) is again
    assert losses.get(type(loss).__name__) == losses.get(loss.name) == type(loss)()
    words = ("formula", "derivative", "range", "targets", "use", "avoid")
    assert all(getattr(loss, word) for word in words)  # its entry in the reference pages


def network(loss, activation, **options):
    model = Sequential([Input((C,)), Dense(5, "tanh"), Dense(C, activation)], seed=2, **options)
    model.compile(SGD(0.0002 if isinstance(loss, losses.MeanAbsolutePercentageError) else 0.02), loss)
    return model


@LOSSES
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_training_lowers_it_and_both_engines_agree(loss, y, p, rows, activation, reduction, weighted):
    loss = type(loss)(**loss.get_config() | {"reduction": reduction})
    weight = RANDOM.uniform(0, 2, N) if weighted else None
    native, reference = network(loss, activation), network(loss, activation, engine="reference", dtype="float64")
    reference.set_weights(native.get_weights())
    before = native.evaluate(RAW, y, sample_weight=weight)
    for model in (native, reference):
        model.fit(RAW, y, batch_size=N, epochs=3, sample_weight=weight, verbose=0)
    assert native.evaluate(RAW, y, sample_weight=weight) < before
    for one, other in zip(native.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert native.evaluate(RAW, y) == pytest.approx(reference.evaluate(RAW, y), rel=1e-5)


@LOSSES
def test_a_network_is_evaluated_by_the_same_formula(loss, y, p, rows, activation):
    model = network(loss, activation, engine="reference", dtype="float64")
    assert model.evaluate(RAW, y) == pytest.approx(loss(y, model.predict(RAW)), rel=1e-9)


@pytest.mark.parametrize(("activation", "name"), [("sigmoid", "bce"), ("softmax", "cce"), ("softmax", "sparse")])
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_cross_entropy_after_its_activation_is_stable_for_any_logits(activation, name, engine):
    """Computed from the pre-activations: with 1,000 for a wrong class the loss is 1,000, not −log of a clipped 0."""
    loss, y, *_ = ROWS[name]
    model = Sequential([Input((C,)), Dense(C, activation, use_bias=False)], engine=engine)
    model.compile(SGD(1.0), loss)
    model.set_weights([1000 * np.eye(C)])
    wrong = 1 - BITS if name == "bce" else np.eye(C)[(LABELS + 1) % C]
    logits = 2 * wrong - 1 if name == "bce" else wrong
    assert model.evaluate(logits, y) == pytest.approx(1000, rel=1e-6)
    model.fit(logits, y, epochs=1, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert (model.get_weights()[0] != 1000 * np.eye(C)).any()  # and the gradient is not 0


def test_one_column_is_one_output_of_any_shape():
    y = TARGETS[:, 0]
    one, several = losses.MeanSquaredError()(y, RAW[:, 0]), losses.MeanSquaredError()(y[:, None], RAW[:, :1])
    assert one == pytest.approx(several)  # one row of several outputs, several rows of one
    assert losses.SparseCategoricalCrossentropy()(LABELS[:, None], PROBABILITIES) == ROWS["sparse"][0](
        LABELS, PROBABILITIES
    )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: losses.MeanSquaredError(reduction="max"), ArgumentError, "mean, sum, sum_over_batch_size"),
        (lambda: losses.Hinge(reduction="mean_with_sample_weight"), ArgumentError, "can't be mean_with_sample_weight"),
        (lambda: losses.Huber(0), ArgumentError, "Huber's delta has to be greater than 0"),
        (lambda: losses.Quantile(1.0), ArgumentError, "Quantile's quantile .* got 1"),
        (lambda: losses.Dice(axis=None), ArgumentError, "Dice's axis is -1, .* got None.* with Flatten"),
        (lambda: losses.CosineSimilarity(axis=1), ArgumentError, "CosineSimilarity's axis is -1"),
        (lambda: losses.GaussianNLL()([1.0], [[1.0, 2.0, 3.0]]), ShapeError, "two outputs for each target, got 3"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(0), ArgumentError, "q has to be greater than 0"),
        (lambda: losses.BinaryFocalCrossentropy(alpha=2), ArgumentError, "alpha"),
        (lambda: losses.MeanSquaredError(reduction="none"), ArgumentError, "reduction can't be None"),
        (lambda: losses.MeanSquaredError(reduction=None), ArgumentError, "reduction can't be None"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), ArgumentError, r"in \[0, 1\], got 1\.5"),
        (lambda: losses.get("msee"), ArgumentError, "did you mean 'mse'"),
        (lambda: losses.MeanSquaredError()([1.0, 2.0], [1.0]), ShapeError, r"\(rows, 2\), but .* \(rows, 1\)"),
        (lambda: losses.MeanSquaredError()([[1.0], [2.0]], [[1.0]]), ShapeError, "1 rows but y_true has 2"),
        (lambda: losses.MeanSquaredError()([1.0], [1.0], [1.0, 1.0]), ShapeError, "sample_weight has 2"),
        (lambda: losses.MeanSquaredError()([[1.0, 2.0]], [[1.0, 2.0, 3.0]]), ShapeError, r"\(rows, 2\).*\(rows, 3\)"),
        (lambda: losses.BinaryCrossentropy()([2.0], [0.5]), DataError, "between 0 and 1, .*got .* in row 0"),
        (lambda: losses.SparseCategoricalCrossentropy()([1, 4], RAW[:2]), DataError, "0 to 3 .*, got 4 in row 1"),
        (lambda: losses.SparseCategoricalCrossentropy()(ONE_HOT, RAW), ShapeError, "use categorical_crossentropy"),
        (lambda: losses.CategoricalCrossentropy()(LABELS, RAW), ShapeError, "use sparse_categorical_crossentropy"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
