"""Batch normalisation: what is done together with it, how exact its sums are, and what isn't finite."""

import numpy as np
import pytest
from conformance import ROWS
from harness import IN_PLACE, ORDERED, TWICE, Case, Shape
from pipelines import leave_out

from thalweg import Input, Sequential
from thalweg.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Parallel,
    ReLU,
    Residual,
)
from thalweg.optimizers import SGD

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(1, 2, (50, 6, 5, 3)).astype("f")
Y = RANDOM.normal(size=(50, 2)).astype("f")


def conv(filters=5, strides=1):
    return Conv2D(filters, 3, strides, "same", use_bias=False)


def norm(**options):
    return BatchNormalization(momentum=0.5, **options)


def relu():
    return Activation("relu")


def stack():
    """Every way in which the parts stand together: with and without shortcut, relu, γ and β."""
    return [
        conv(), norm(), relu(),
        Residual([conv(), norm(scale=False), relu(), conv(), norm()]), relu(),
        Residual([conv(7, 2), norm(center=False)], [Conv2D(7, 1, 2, use_bias=False), norm()]), relu(),
        Residual([Residual([conv(7), norm()]), norm(center=False, scale=False)], [conv(7)]),
        GlobalAveragePooling2D(), Dense(8), norm(), relu(), Dense(2),
    ]  # fmt: skip


def network(layers, **options):
    model = Sequential([Input(X.shape[1:]), *layers], seed=4, **options)
    model.compile(SGD(0.05), "mse")
    return model


def names(model, kind="training"):
    return [row.name for row in model.schedule(kind)]


# --- what is done together -------------------------------------------------------------------------------------------


def test_a_residual_block_has_no_instruction_for_its_sum_and_its_relus():
    model = network(
        [conv(), norm(), relu(), Residual([conv(), norm(), relu(), conv(), norm()]), relu(), Flatten(), Dense(2)]
    )
    listed = names(model)
    assert not {"relu", "add", "relu adjoint", "copy", "batch normalization", "batch sums"} & set(listed)
    assert listed.count("batch normalization + relu") == 2
    assert listed.count("batch normalization + add + relu") == 1
    assert listed.count("relu adjoint + batch sums") == 2
    assert listed.count("add + relu adjoint + batch sums") == 1  # of a2, which both ways read
    (formula,) = [row.formula for row in model.schedule() if row.name.endswith("add + relu")]
    assert formula.endswith("a6 = max(γ6·(h5 − μ of h5)/√(σ² of h5 + 0.001) + β6 + a2, 0)")
    (formula,) = [row.formula for row in model.schedule() if row.name.startswith("add + relu adjoint")]
    assert formula.startswith("da2⁺ = (da6⁺ + da2_2)·[a2 > 0]; Σda2⁺ = Σ da2⁺, ")


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        ([norm(), ReLU(negative_slope=0.1)], "general relu"),
        ([norm(), Activation("tanh")], "tanh"),
        ([norm(), Parallel([[], relu()])], "relu"),  # something else reads it, too
        ([norm(), Residual([relu()])], "add"),
        ([norm(), Flatten(), relu()], "relu"),
        ([norm(), relu(), MaxPooling2D(2)], "relu + max pooling"),  # which has less to do
    ],
)
def test_what_is_not_done_together(layers, kept):
    listed = names(network([conv(), *layers, Flatten(), Dense(2)]))
    assert kept in listed
    assert "batch normalization" in listed


def test_a_normalisation_that_is_not_trained_stays_by_itself():
    frozen = norm()
    frozen.trainable = False
    assert {"normalization", "relu"} <= set(names(network([conv(), frozen, relu(), Flatten(), Dense(2)])))
    assert {"normalization", "relu"} <= set(names(network(stack()), "evaluation"))


def weights(monkeypatch, together, lanes):
    with monkeypatch.context() as patch:
        if not together:
            leave_out(patch, "normalize and add", "add before relu")
        model = network(stack())
        assert together == ("batch normalization + add + relu" in names(model))
        model.fit(X, Y, batch_size=25, epochs=3, verbose=0, lanes=lanes)
    return model.get_weights()


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_together_or_one_by_one_the_training_is_the_same(monkeypatch, lanes):
    """In float64, by the references of the instructions, too: tests/program/test_pipeline.py."""
    one, other = (weights(monkeypatch, together, lanes) for together in (True, False))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)
    again = weights(monkeypatch, True, lanes)
    assert all(np.array_equal(left, right) for left, right in zip(one, again, strict=True))


def test_no_adjoint_is_copied():
    """Both ways of a sum read the adjoint of the sum itself."""
    model = network([Flatten(), Dense(8), Residual([Dense(8, "tanh"), Dense(8)]), Residual([Dense(8)]), Dense(2)])
    assert "copy" not in names(model)
    assert "dW4 = z3ᵀ·dz4" in [row.formula for row in model.schedule()]


# --- how exact -------------------------------------------------------------------------------------------------------


def with_values(kernel, shape, **values):
    case = Case(ROWS[kernel], shape)
    for field, array in values.items():
        case.values[getattr(case.instruction, field)][:] = array
    return case


@pytest.mark.parametrize("channels", [1, 3, 16, 17, 64, 1030, 2100])
@pytest.mark.parametrize("kind", ["far", "late", "ramp", "constant"])
def test_moments_keep_what_float32_has(channels, kind):
    """Means far from 0, and first rows that are unlike all others, whose mean the differences are taken from."""
    shape = Shape(rows=400, width=channels - 1)
    x = np.random.default_rng(1).normal(size=(400, 2, channels))
    if kind == "late":
        x[:] = 1000 + x
        x[: 4096 // channels] = -1000
    else:
        x[:] = {"far": 1e4 + x, "ramp": np.arange(400.0)[:, None, None] + x, "constant": 0.1}[kind]
    case = with_values("batch_moments", shape, x=x)
    got, want = case.native()["parts"], case.reference()["parts"]  # of the same numbers, in float64
    np.testing.assert_allclose(got[:channels], want[:channels], rtol=0, atol=5e-7 * abs(x).max())
    np.testing.assert_allclose(got[channels:], want[channels:], rtol=5e-5 if kind == "late" else 2e-6, atol=1e-10)


@pytest.mark.parametrize(
    "kernel", ["batch_normalization", "batch_sums", "batch_normalization_adjoint", "normalization"]
)
@pytest.mark.parametrize("flags", [0, ORDERED, TWICE, ORDERED | TWICE, IN_PLACE | ORDERED])
def test_more_channels_than_are_taken_at_a_time(kernel, flags):
    for channels in (1023, 1024, 1025, 2051):
        Case(ROWS[kernel], Shape(rows=9, width=channels - 1, flags=flags)).check()


# --- what isn't finite -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 8, 33])
@pytest.mark.parametrize("flags", [0, ORDERED, ORDERED | TWICE])
def test_what_is_not_finite_goes_where_it_should(channels, flags):
    """As by the reference: NaN stays NaN behind the relu, and only its own channel and place are touched."""
    bad = [np.nan, np.inf, -np.inf]
    shape = Shape(rows=20, width=channels - 1, flags=flags)
    for kernel, field in (("batch_normalization", "x"), ("batch_sums", "da"), ("batch_normalization_adjoint", "da")):
        case = Case(ROWS[kernel], shape)
        case.values[getattr(case.instruction, field)][[3, 9, 17], [0, 1, 1], [0, 1, 1]] = bad
        for name, want in case.reference().items():
            np.testing.assert_allclose(case.native()[name], want, rtol=1e-3, atol=1e-3, err_msg=f"{kernel}: {name}")
    case = Case(ROWS["batch_moments"], shape)
    case.values[case.instruction.x][5, 1, 0] = np.nan
    assert np.array_equal(np.isnan(case.native()["parts"]), np.isnan(case.reference()["parts"]))
