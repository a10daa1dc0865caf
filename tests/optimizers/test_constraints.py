"""Constraints and penalties on activities: Keras's numbers, on both engines, on one lane and on several."""

import os

import numpy as np
import pytest
from harness import Memory, execute

from thalweg import Sequential, constraints, load_model, regularizers
from thalweg.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD
from thalweg.program.ir.instruction import PARAMETERS, Buffer, StepState

os.environ.setdefault("KERAS_BACKEND", "jax")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
Y = RNG.normal(size=(60, 3)).astype(np.float32)
ROWS = [
    MaxNorm(0.6),
    MaxNorm(0.7, axis=1),
    MinMaxNorm(0.0, 0.5),
    MinMaxNorm(0.8, 0.9, rate=0.3, axis=(0, 1)),
    UnitNorm(),
    UnitNorm(axis=-1),
    NonNeg(),
]
EACH = pytest.mark.parametrize("constraint", ROWS, ids=repr)


def constrained(constraint, W):
    """W after the constraint's reference."""
    buffer = Buffer("W", W.shape, PARAMETERS, per_row=False)
    memory = Memory({buffer: W.copy()})
    memory.step = StepState()
    execute(constraint.lower(buffer), memory)
    return memory[buffer]


def test_every_constraint_has_a_row():
    assert {type(c) for c in ROWS} == set(constraints.CLASSES.values()) == set(constraints.NAMES.values())


@EACH
@pytest.mark.parametrize("shape", [(5, 4), (3, 3, 2, 4)])
def test_the_numbers_are_keras_s(constraint, shape):
    keras = pytest.importorskip("keras")
    config = constraint.get_config()
    theirs = getattr(keras.constraints, type(constraint).__name__)(**config)
    W = RNG.normal(size=shape).astype(np.float32)
    W[..., 0] = 0  # a unit without weights
    np.testing.assert_allclose(constrained(constraint, W), np.asarray(theirs(W)), rtol=1e-5, atol=1e-7)


def trained(constraint, **options):
    dense = Dense(33, "tanh", kernel_constraint=constraint, bias_constraint=NonNeg())
    model = Sequential([Input((5,)), dense, Dense(3)], seed=3, engine=options.pop("engine", "native"))
    model.compile(SGD(0.3), "mse")
    model.fit(X, Y, batch_size=20, epochs=3, verbose=0, **options)
    return model


@EACH
def test_weights_keep_the_bound_while_they_learn(constraint):
    reference = trained(constraint, engine="reference")
    W, b, *_ = reference.get_weights()
    if getattr(constraint, "rate", 1.0) == 1.0:  # then doing it again changes nothing
        np.testing.assert_allclose(constrained(constraint, W), W, rtol=1e-5, atol=1e-6)
    assert (b >= 0).all()
    assert (b > 0).any()
    free = trained(None, engine="reference").get_weights()[0]
    assert abs(free - W).max() > 1e-3  # the control: without it, other weights
    for lanes in (1, 2):
        native = trained(constraint, lanes=lanes)
        for ours, theirs in zip(native.get_weights(), reference.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_step_is_keras_s():
    keras = pytest.importorskip("keras")
    layer = {"kernel_constraint": "MaxNorm", "bias_constraint": "NonNeg", "activity_regularizer": "L2"}
    ours = Sequential(
        [
            Input((5,)),
            Dense(4, "tanh", kernel_constraint=MaxNorm(0.9), bias_constraint="non_neg", activity_regularizer="l2"),
            Dense(3, activity_regularizer=regularizers.L1(0.05)),
        ],
        seed=1,
    )
    ours.compile(SGD(0.2), "mse")
    make = keras.layers.Dense
    theirs = keras.Sequential(
        [
            keras.Input((5,)),
            make(4, "tanh", **(layer | {"kernel_constraint": keras.constraints.MaxNorm(0.9)})),
            make(3, activity_regularizer=keras.regularizers.L1(0.05)),
        ]
    )
    theirs.compile(keras.optimizers.SGD(0.2), "mse")
    theirs.set_weights(ours.get_weights())
    for first in (0, 20, 40, 0, 20):
        rows = slice(first, first + 20)
        mine, other = ours.train_on_batch(X[rows], Y[rows]), theirs.train_on_batch(X[rows], Y[rows])
        assert mine == pytest.approx(float(other), rel=1e-5)
    for a, b in zip(ours.get_weights(), theirs.weights, strict=True):
        np.testing.assert_allclose(a, np.asarray(b.value), rtol=1e-5, atol=1e-6)
    assert ours.evaluate(X, Y, verbose=0) == pytest.approx(float(theirs.evaluate(X, Y, 60, verbose=0)), rel=1e-5)


def test_a_penalty_on_probabilities_goes_through_a_fused_loss():
    labels = RNG.integers(0, 3, 60)
    losses = []
    for engine in ("native", "reference"):
        model = Sequential([Input((5,)), Dense(3, "softmax", activity_regularizer="l1_l2")], seed=0, engine=engine)
        model.layers[0].activity_regularizer = regularizers.L1L2(0.1, 0.2)
        model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
        losses.append(model.fit(X, labels, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    p = model.predict(X)
    plain = -np.log(p[np.arange(60), labels]).mean()
    penalty = (0.1 * abs(p) + 0.2 * p**2).sum() / 60
    assert model.evaluate(X, labels, verbose=0)[0] == pytest.approx(plain + penalty, rel=1e-5)


@EACH
def test_constraint_comes_back_from_its_description(constraint, tmp_path):
    assert constraints.get(constraints.serialize(constraint)) == constraint
    model = trained(constraint)
    model.save(tmp_path / "model.safetensors")
    layer = load_model(tmp_path / "model.safetensors").layers[0]
    assert layer.kernel_constraint == constraint
    assert layer.bias_constraint == NonNeg()
    assert constraints.get(None) is constraints.serialize(None) is None


def test_it_is_in_the_listing():
    text = str(trained(MaxNorm(2.0)).program())
    assert "W1 ·= clip(‖W1‖, 0, 2)/(‖W1‖ + ε)" in text
    assert text.index("gradient descent") < text.index("norm constraint")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: constraints.get("max_nrom"), "did you mean 'max_norm'"),
        (lambda: Dense(2, kernel_constraint=lambda w: w), "a Python function can't run inside the compiled update"),
        (lambda: MaxNorm(-1.0), "MaxNorm's max_value"),
        (lambda: MinMaxNorm(2.0, 1.0), "below its min_value"),
        (lambda: MinMaxNorm(rate=2.0), "number in \\[0, 1\\]"),
        (lambda: UnitNorm(axis=(0, 2)), "be consecutive"),
        (lambda: UnitNorm(axis="a"), "whole number"),
        (lambda: trained(UnitNorm(axis=2)), "has no axis 2, which its constraint names"),
    ],
)
def test_a_wrong_constraint_is_told(call, said):
    with pytest.raises((ArgumentError, ShapeError), match=said):
        call()
